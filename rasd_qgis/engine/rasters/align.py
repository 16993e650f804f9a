"""Alignment: the two rasters of one scene, brought to stand on one another.

`align` refuses pairs that cannot be fused, each with its own sentence, and cuts both rasters to
the ground they share. Where rows and columns of both run parallel the hyperspectral pixels stay
untouched, at whatever ratio and phase they lie; only a turned grid or another CRS resamples them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from rasterio.errors import CRSError
from rasterio.windows import Window

from ...contract.errors import InputError
from .coarse import DirectCoarse, WarpedCoarse, coarse_grid, jacobian_at, whole_where_near
from .grid import (
    ROUNDING,
    Axis,
    Grid,
    Parallel,
    boxes,
    clip_polygon,
    map_pixels,
    parallel,
    same_ground,
)
from .pair import Warner, agree_on_crs, refuse_bands, refuse_ratio
from .read import Raster

# Coarse pixels kept around the fine grid, so that kernels find true neighbours at its border.
MARGIN = 4
# A coarse image up to this many bytes is read once and kept; a larger one is read by window.
KEPT_BYTES = 32 * 2**20
# Side of the windows in which a valid pixel is looked for.
_LOOK = 256

Image = tuple[np.ndarray, np.ndarray]
Extent = tuple[float, float, float, float]


@dataclass
class Alignment:
    """A pair on one ground. Rows and columns of all windows count within the shared ground.

    fine: the guide's grid, cut. rows, cols: how the coarse image lies on `fine`.
    coarse_shape: (h, w) of the coarse image: what covers `fine`, and a margin where there is data.
    resampled: whether the hyperspectral pixels had to be warped. hs, ms: the open rasters.
    """

    fine: Grid
    rows: Axis
    cols: Axis
    coarse_shape: tuple[int, int]
    resampled: bool
    hs: Raster
    ms: Raster
    _fine_start: tuple[int, int]
    _coarse_start: tuple[int, int]
    _coarse: DirectCoarse | WarpedCoarse
    _kept: Image | None = field(default=None, repr=False)

    def read_fine(self, row0: int, row1: int, col0: int, col1: int) -> Image:
        """The guide: values (b, n, m) float32 stored DN, valid (n, m) bool; must be inside."""
        _require_inside((row0, row1, col0, col1), self.fine.shape)
        row, col = self._fine_start
        return self.ms.read(Window(col0 + col, row0 + row, col1 - col0, row1 - row0))

    def read_coarse(self, row0: int, row1: int, col0: int, col1: int) -> Image:
        """The hyperspectral image: values (B, n, m) float32 stored DN, valid (n, m) bool."""
        _require_inside((row0, row1, col0, col1), self.coarse_shape)
        height, width = self.coarse_shape
        if self._kept is None and 4 * self.hs.count * height * width <= KEPT_BYTES:
            self._kept = self._read_coarse(0, height, 0, width)
        if self._kept is None:
            return self._read_coarse(row0, row1, col0, col1)
        values, valid = self._kept
        return values[:, row0:row1, col0:col1].copy(), valid[row0:row1, col0:col1].copy()

    def _read_coarse(self, row0: int, row1: int, col0: int, col1: int) -> Image:
        row, col = self._coarse_start
        return self._coarse.read(row + row0, row + row1, col + col0, col + col1)


@dataclass(frozen=True)
class _Ground:
    """The shared ground: both grids in CRSs that agree, the hyperspectral outline in guide pixels,
    and the guide's grid cut to what is shared, from guide pixel `start` (row, col) on.
    """

    hs_grid: Grid
    ms_grid: Grid
    outline: np.ndarray
    fine: Grid
    start: tuple[int, int]


def align(hs: Raster, ms: Raster, extent: Extent | None, reporter: Warner) -> Alignment:
    """Bring the pair onto one ground; InputError where it cannot be fused.

    extent: (xmin, ymin, xmax, ymax) in the guide's CRS; widened to whole guide pixels.
    """
    for note in (*hs.notes, *ms.notes):
        reporter.warn(note)
    refuse_bands(hs, ms)
    ground = _shared_ground(hs, ms, extent, reporter)
    one_crs = same_ground(ground.hs_grid, ground.ms_grid)
    lie = parallel(ground.hs_grid, ground.fine) if one_crs else None
    aligned = _direct(hs, ms, lie, ground) if lie else _warped(hs, ms, ground, reporter)
    _refuse_empty(aligned)
    return aligned


def _shared_ground(hs: Raster, ms: Raster, extent: Extent | None, reporter: Warner) -> _Ground:
    """Where both rasters are, within the extent."""
    hs_grid, ms_grid = agree_on_crs(hs, ms, reporter)
    outline = _outline_on(hs_grid, ms_grid, hs.name)
    row0, row1, col0, col1 = _shared_box(outline, ms_grid, hs, ms)
    if extent is not None:
        row0, row1, col0, col1 = _cut_to_extent((row0, row1, col0, col1), extent, ms_grid)
    fine = ms_grid.cut(row0, col0, row1 - row0, col1 - col0)
    return _Ground(hs_grid, ms_grid, outline - (col0, row0), fine, (row0, col0))


def _direct(hs: Raster, ms: Raster, lie: Parallel, ground: _Ground) -> Alignment:
    """The file's own pixels, cut to what covers `fine` and a margin."""
    refuse_ratio(lie.rows.ratio, lie.cols.ratio, hs, ms)
    coarse = DirectCoarse(hs, lie)
    row0, row1 = lie.rows.cover(0, ground.fine.height, coarse.shape[0], MARGIN)
    col0, col1 = lie.cols.cover(0, ground.fine.width, coarse.shape[1], MARGIN)
    rows, cols = lie.rows.local(0, row0), lie.cols.local(0, col0)
    shape = row1 - row0, col1 - col0
    return Alignment(
        ground.fine, rows, cols, shape, False, hs, ms, ground.start, (row0, col0), coarse
    )


def _warped(hs: Raster, ms: Raster, ground: _Ground, reporter: Warner) -> Alignment:
    """The hyperspectral image resampled to its own pixel size, in phase with `fine`."""
    fine, hs_grid = ground.fine, ground.hs_grid
    middle = map_pixels(np.array([[fine.width / 2, fine.height / 2]]), fine, hs_grid)[0]
    across, down = np.hypot(*jacobian_at(middle, hs_grid, fine).T)
    refuse_ratio(down, across, hs, ms)
    ratios = whole_where_near(float(down)), whole_where_near(float(across))
    row0, row1 = _coarse_span(ground.outline[:, 1], ratios[0], fine.height)
    col0, col1 = _coarse_span(ground.outline[:, 0], ratios[1], fine.width)
    shape = row1 - row0, col1 - col0
    coarse = WarpedCoarse(hs, hs_grid, coarse_grid(fine, ratios, (row0, col0), shape))
    why = "is turned against" if hs_grid.crs == fine.crs else "lies in another CRS than"
    reporter.log(
        f"{hs.name} {why} {ms.name}: resampled (cubic) to pixels of "
        f"{ratios[1]:.4g} × {ratios[0]:.4g} guide pixels."
    )
    rows, cols = Axis(ratios[0], ratios[0] * row0), Axis(ratios[1], ratios[1] * col0)
    return Alignment(fine, rows, cols, shape, True, hs, ms, ground.start, (0, 0), coarse)


def _coarse_span(outline: np.ndarray, ratio: float, size: int) -> tuple[int, int]:
    """Coarse pixels, counted from `fine`'s edge, that cover it and a margin where data reach."""
    first = max(-MARGIN, math.floor(outline.min() / ratio))
    last = min(math.ceil(size / ratio) + MARGIN, math.ceil(outline.max() / ratio))
    return first, last


def _outline_on(hs_grid: Grid, ms_grid: Grid, name: str) -> np.ndarray:
    """The hyperspectral outline in guide pixels, (n, 2) of (col, row)."""
    try:
        outline = map_pixels(hs_grid.outline(), hs_grid, ms_grid)
    except CRSError as error:
        raise InputError(
            f"The CRS of {name} cannot be carried over into the multispectral layer's.",
            "Reproject one of the layers first (Raster → Projections → Warp).",
        ) from error
    return outline[np.isfinite(outline).all(axis=1)]


def _shared_box(outline: np.ndarray, grid: Grid, hs: Raster, ms: Raster) -> tuple[int, ...]:
    """Guide pixels (row0, row1, col0, col1) whose centres can lie on the shared ground."""
    inside = clip_polygon(outline, grid.height, grid.width)
    if len(inside):
        (col0, row0), (col1, row1) = inside.min(axis=0), inside.max(axis=0)
        box = *_centres(row0, row1, grid.height), *_centres(col0, col1, grid.width)
        if box[1] > box[0] and box[3] > box[2]:
            return box
    raise InputError(
        f"The layers {hs.name} and {ms.name} do not overlap.",
        "Choose layers of the same ground, and check the CRS of both.",
    )


def _centres(start: float, stop: float, size: int) -> tuple[int, int]:
    """The pixels (first, past the last) of `size` whose centres lie in [start, stop]."""
    first, last = math.ceil(start - 0.5 - ROUNDING), math.floor(stop + 0.5 + ROUNDING)
    return max(first, 0), min(last, size)


def _cut_to_extent(box: tuple[int, ...], extent: Extent, grid: Grid) -> tuple[int, ...]:
    """The part of `box` that an extent touches; on a turned grid, that its bounding box does."""
    row0, row1, col0, col1 = grid.touched(extent)
    cut = max(row0, box[0]), min(row1, box[1]), max(col0, box[2]), min(col1, box[3])
    if cut[0] >= cut[1] or cut[2] >= cut[3]:
        raise InputError(
            "The extent does not touch the ground that both layers share.",
            "Draw it inside both layers, or leave it out.",
        )
    return cut


def _refuse_empty(aligned: Alignment) -> None:
    """Raise InputError where either image has no valid pixel on the shared ground."""
    for name, shape, read in (
        (aligned.hs.name, aligned.coarse_shape, aligned.read_coarse),
        (aligned.ms.name, aligned.fine.shape, aligned.read_fine),
    ):
        if not any(read(*tile)[1].any() for tile in boxes(shape, _LOOK)):
            raise InputError(
                f"All pixels of {name} on the shared ground are nodata.",
                "Check the layer's nodata settings, its mask, and the extent.",
            )


def _require_inside(window: tuple[int, int, int, int], shape: tuple[int, int]) -> None:
    row0, row1, col0, col1 = window
    if not (0 <= row0 < row1 <= shape[0] and 0 <= col0 < col1 <= shape[1]):
        raise ValueError(f"window {window} is not inside an image of {shape}")
