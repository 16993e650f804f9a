"""Alignment: the two rasters of one scene, brought to stand on one another.

`align` refuses pairs that cannot be fused, each with its own sentence, and cuts both rasters to
the ground they share. Where rows and columns of both run parallel the hyperspectral pixels stay
untouched, at whatever ratio and phase they lie; only a turned grid or another CRS resamples them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from affine import Affine
from rasterio.errors import CRSError
from rasterio.windows import Window

from ..contract.errors import InputError
from .coarse import DirectCoarse, WarpedCoarse, coarse_grid, jacobian_at, whole_where_near
from .grid import ROUNDING, Axis, Grid, clip_polygon, map_pixels, parallel, same_ground
from .read import Raster, same_file

# Below this ratio there is nothing to gain from the guide.
LEAST_RATIO = 1.2
# Coarse pixels kept around the fine grid, so that kernels find true neighbours at its border.
MARGIN = 4
# A coarse image up to this many bytes is read once and kept; a larger one is read by window.
KEPT_BYTES = 256 * 2**20
# Rasters without a CRS are taken for the other's if they share this much of the smaller one.
_AGREEING_SHARE = 0.5

Image = tuple[np.ndarray, np.ndarray]
Extent = tuple[float, float, float, float]


class Warner(Protocol):
    """What `align` needs of a reporter."""

    def log(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...


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


def align(hs: Raster, ms: Raster, extent: Extent | None, reporter: Warner) -> Alignment:
    """Bring the pair onto one ground; InputError where it cannot be fused.

    extent: (xmin, ymin, xmax, ymax) in the guide's CRS; widened to whole guide pixels.
    """
    for note in (*hs.notes, *ms.notes):
        reporter.warn(note)
    _refuse_bands(hs, ms)
    hs_grid, ms_grid = _agree_on_crs(hs, ms, reporter)
    outline = _outline_on(hs_grid, ms_grid, hs.name)
    box = _shared_box(outline, ms_grid, hs, ms)
    if extent is not None:
        box = _cut_to_extent(box, extent, ms_grid)
    row0, row1, col0, col1 = box
    fine = ms_grid.cut(row0, col0, row1 - row0, col1 - col0)
    if same_ground(hs_grid, ms_grid):
        lie = parallel(replace(hs_grid, crs=ms_grid.crs), fine)
    else:
        lie = None
    if lie is not None:
        _refuse_ratio(lie.rows.ratio, lie.cols.ratio, hs, ms)
        aligned = _direct(hs, ms, DirectCoarse(hs, lie), fine, (row0, col0))
    else:
        aligned = _warped(hs, ms, hs_grid, outline, ms_grid, fine, (row0, col0), reporter)
    _refuse_empty(aligned)
    return aligned


def _direct(
    hs: Raster, ms: Raster, coarse: DirectCoarse, fine: Grid, start: tuple[int, int]
) -> Alignment:
    """The file's own pixels, cut to what covers `fine` and a margin."""
    row0, row1 = coarse.rows.cover(0, fine.height, coarse.shape[0], MARGIN)
    col0, col1 = coarse.cols.cover(0, fine.width, coarse.shape[1], MARGIN)
    return Alignment(
        fine,
        coarse.rows.local(0, row0),
        coarse.cols.local(0, col0),
        (row1 - row0, col1 - col0),
        False,
        hs,
        ms,
        start,
        (row0, col0),
        coarse,
    )


def _warped(
    hs: Raster,
    ms: Raster,
    hs_grid: Grid,
    outline: np.ndarray,
    ms_grid: Grid,
    fine: Grid,
    start: tuple[int, int],
    reporter: Warner,
) -> Alignment:
    """The hyperspectral image resampled to its own pixel size, in phase with `fine`."""
    middle = map_pixels(np.array([[fine.width / 2, fine.height / 2]]), fine, hs_grid)[0]
    across, down = np.hypot(*jacobian_at(middle, hs_grid, fine).T)
    _refuse_ratio(down, across, hs, ms)
    ratios = whole_where_near(float(down)), whole_where_near(float(across))
    seen = outline - np.array(start[::-1])
    first, last = [], []
    for ratio, size, ends in zip(ratios, fine.shape, (seen[:, 1], seen[:, 0])):
        first.append(max(-MARGIN, math.floor(ends.min() / ratio)))
        last.append(min(math.ceil(size / ratio) + MARGIN, math.ceil(ends.max() / ratio)))
    shape = last[0] - first[0], last[1] - first[1]
    grid = coarse_grid(fine, ratios, (first[0], first[1]), shape)
    why = "lies in another CRS than" if hs_grid.crs != ms_grid.crs else "is turned against"
    reporter.log(
        f"{hs.name} {why} {ms.name}: resampled (cubic) to pixels of "
        f"{ratios[1]:.4g} × {ratios[0]:.4g} guide pixels."
    )
    return Alignment(
        fine,
        Axis(ratios[0], ratios[0] * first[0]),
        Axis(ratios[1], ratios[1] * first[1]),
        shape,
        True,
        hs,
        ms,
        start,
        (0, 0),
        WarpedCoarse(hs, hs_grid, grid),
    )


def _refuse_bands(hs: Raster, ms: Raster) -> None:
    """Raise InputError where the two are one raster, or were chosen the wrong way round."""
    if same_file(hs.source.path, ms.source.path):
        raise InputError(
            f"{hs.name} was chosen as both the hyperspectral and the multispectral layer.",
            "Choose two different layers of the same ground.",
        )
    if hs.count == 1:
        raise InputError(
            f"The hyperspectral layer {hs.name} has a single band.",
            "Choose the layer with the many narrow bands, stacked in one raster.",
        )
    if hs.count <= ms.count:
        raise InputError(
            f"The hyperspectral layer {hs.name} has {hs.count} bands, no more than the "
            f"multispectral layer {ms.name} with {ms.count}.",
            "Check that the two layers are not swapped.",
        )


def _agree_on_crs(hs: Raster, ms: Raster, reporter: Warner) -> tuple[Grid, Grid]:
    """Both grids, a missing CRS supplied by the other's where the bounds bear that out."""
    if not hs.georeferenced and not ms.georeferenced and not (hs.grid.crs or ms.grid.crs):
        return _stretch(hs, ms, reporter), ms.grid
    if hs.grid.crs and ms.grid.crs:
        return hs.grid, ms.grid
    bare, other = (ms, hs) if hs.grid.crs else (hs, ms)
    if _shared_share(hs.grid, ms.grid) < _AGREEING_SHARE:
        raise InputError(
            f"The layer {bare.name} has no CRS, and its bounds disagree with those of "
            f"{other.name}.",
            f"Set the CRS of {bare.name} in the layer's properties.",
        )
    crs = other.grid.crs
    reporter.warn(
        f"{bare.name} has no CRS; as its bounds agree with those of {other.name}, "
        + (f"that layer's ({crs.to_string()[:40]}) is assumed." if crs else "one plane is assumed.")
    )
    return replace(hs.grid, crs=hs.grid.crs or crs), replace(ms.grid, crs=ms.grid.crs or crs)


def _stretch(hs: Raster, ms: Raster, reporter: Warner) -> Grid:
    """Two plain images without any georeference: taken to show exactly the same ground."""
    down, across = ms.grid.height / hs.grid.height, ms.grid.width / hs.grid.width
    if not math.isclose(down, across, rel_tol=0.05):
        raise InputError(
            f"Neither {hs.name} nor {ms.name} is georeferenced, and their shapes differ "
            f"({hs.grid.width} × {hs.grid.height} and {ms.grid.width} × {ms.grid.height} pixels).",
            "Georeference both, or cut them to exactly the same ground.",
        )
    reporter.warn(
        f"Neither {hs.name} nor {ms.name} is georeferenced; both are taken to show exactly the "
        "same ground."
    )
    return replace(hs.grid, transform=ms.grid.transform * Affine.scale(across, down))


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
    xmin, ymin, xmax, ymax = extent
    corners = [~grid.transform * point for point in ((xmin, ymin), (xmin, ymax), (xmax, ymin), (xmax, ymax))]
    cols, rows = zip(*corners)
    row0, row1 = math.floor(min(rows) + ROUNDING), math.ceil(max(rows) - ROUNDING)
    col0, col1 = math.floor(min(cols) + ROUNDING), math.ceil(max(cols) - ROUNDING)
    cut = max(row0, box[0]), min(row1, box[1]), max(col0, box[2]), min(col1, box[3])
    if cut[0] >= cut[1] or cut[2] >= cut[3]:
        raise InputError(
            "The extent does not touch the ground that both layers share.",
            "Draw it inside both layers, or leave it out.",
        )
    return cut


def _refuse_ratio(down: float, across: float, hs: Raster, ms: Raster) -> None:
    """Raise InputError where the hyperspectral pixels are not clearly the larger ones."""
    if min(down, across) >= LEAST_RATIO:
        return
    relation = "finer than" if min(down, across) < 1 - ROUNDING else "hardly coarser than"
    raise InputError(
        f"The hyperspectral layer {hs.name} is {relation} the multispectral layer {ms.name}: one "
        f"of its pixels is {across:.3g} × {down:.3g} guide pixels.",
        "Check that the two layers are not swapped; there is nothing to sharpen here.",
    )


def _refuse_empty(aligned: Alignment) -> None:
    """Raise InputError where either image has no valid pixel on the shared ground."""
    for name, shape, read in (
        (aligned.hs.name, aligned.coarse_shape, aligned.read_coarse),
        (aligned.ms.name, aligned.fine.shape, aligned.read_fine),
    ):
        height, width = shape
        stripes = ((row, min(row + 256, height)) for row in range(0, height, 256))
        if not any(read(top, bottom, 0, width)[1].any() for top, bottom in stripes):
            raise InputError(
                f"All pixels of {name} on the shared ground are nodata.",
                "Check the layer's nodata settings, its mask, and the extent.",
            )


def _shared_share(first: Grid, second: Grid) -> float:
    """The shared area over the smaller raster's, by coordinates as they stand."""
    plain = map_pixels(first.outline(1), replace(first, crs=None), second)
    shared = _area(clip_polygon(plain, second.height, second.width))
    return shared / min(_area(plain), float(second.height * second.width))


def _area(points: np.ndarray) -> float:
    """The area of a polygon (n, 2), by the shoelace formula."""
    if len(points) < 3:
        return 0.0
    x, y = points.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _require_inside(window: tuple[int, int, int, int], shape: tuple[int, int]) -> None:
    row0, row1, col0, col1 = window
    if not (0 <= row0 < row1 <= shape[0] and 0 <= col0 < col1 <= shape[1]):
        raise ValueError(f"window {window} is not inside an image of {shape}")
