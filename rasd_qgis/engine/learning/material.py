"""Material: what a training is given, opened as pairs whose fusion is known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from ...contract.errors import InputError
from ...contract.request import RasterSource, TrainRequest
from ..model.card import RATIO_TOLERANCE, WAVELENGTH_TOLERANCE
from ..rasters.align import Alignment, align
from ..rasters.grid import parallel
from ..rasters.read import Raster
from ..rasters.view import Side
from ..scene.agreement import estimated_sigma
from ..sensors.observe import DEFAULT_SIGMA
from ..sensors.psf import Blur, kernel_reach, phase_offset
from ..sensors.response import respond
from ..service.report import Reporter
from .cube import Cube, Keeper, of_raster
from .layouts import read_layout
from .recipe import Recipe
from .wald import Bands, Guide, WaldPair, of_cube, of_pair, of_reduced

# The least side of an image, in fine pixels: what the network takes.
LEAST_SIDE = 16


def gather(
    request: TrainRequest, recipe: Recipe, stack: ExitStack, reporter: Reporter
) -> tuple[list[WaldPair], Blur]:
    """All that a request trains on, alike in bands and ratio, and the PSF that it is seen through;
    InputError where it is not alike.

    stack: closes the files that stay open.
    """
    ready = _aligned(request, stack, reporter)
    blur = _blur(request, recipe, ready)
    pairs = list(_pairs(request, ready, blur, stack, reporter))
    first = pairs[0]
    for pair in pairs:
        if min(pair.fine.shape) < LEAST_SIDE:
            raise InputError(
                f"{pair.name} leaves {pair.fine.width} × {pair.fine.height} pixels to train on, "
                f"fewer than {LEAST_SIDE} a side.",
                "Leave it out, or give a larger one.",
            )
        _refuse_unlike(pair, first)
    return pairs, blur


def _aligned(request: TrainRequest, stack: ExitStack, reporter: Reporter) -> list[Alignment]:
    """The ready pairs of a request."""
    ready = []
    for coarse, fine in zip(request.hyperspectral, request.multispectral):
        hs, ms = (stack.enter_context(Raster(source)) for source in (coarse, fine))
        ready.append(align(hs, ms, None, reporter))
    return ready


def _blur(request: TrainRequest, recipe: Recipe, ready: list[Alignment]) -> Blur:
    """The PSF that a request tells, or ready pairs, or its recipe; the paper's kernel is a coarse
    pixel wide.
    """
    sigma = DEFAULT_SIGMA if recipe.psf_sigma is None else recipe.psf_sigma
    if request.psf_sigma is not None:
        sigma = request.psf_sigma
    elif ready:
        sigma = float(np.median([estimated_sigma(pair) for pair in ready]))
    ratio, size = request.sensor_ratio, request.kernel_size
    if size is None and recipe.psf_sigma is not None and float(ratio).is_integer():
        size = int(ratio)
    return Blur(sigma, kernel_reach(size, sigma, ratio))


def _pairs(
    request: TrainRequest,
    ready: list[Alignment],
    blur: Blur,
    stack: ExitStack,
    reporter: Reporter,
) -> Iterator[WaldPair]:
    keeper = Keeper()
    if ready:
        yield from _ready(request, ready, blur, keeper, stack, reporter)
        return
    cubes = [of_raster(_opened(source, stack, reporter), keeper) for source in request.references]
    if request.folder is not None:
        cubes += read_layout(request.folder, request.layout, keeper, stack)
    offset = phase_offset(request.phase, request.sensor_ratio)
    guide = _guide(request, cubes)
    for cube in cubes:
        _refuse_bands(cube, guide, cubes[0])
        yield of_cube(cube, request.sensor_ratio, offset, blur, guide)


def _opened(source: RasterSource, stack: ExitStack, reporter: Reporter) -> Raster:
    raster = stack.enter_context(Raster(source))
    for note in raster.notes:
        reporter.warn(note)
    return raster


def _guide(request: TrainRequest, cubes: list[Cube]) -> Guide:
    """The guide's sensor, which is one for all references."""
    good = np.logical_and.reduce([cube.good for cube in cubes if len(cube.good) == cubes[0].count])
    found = respond(request, cubes[0].spectral, good)
    side = Bands(found.spectral, np.ones(found.spectral.count, bool))
    return Guide(found.weights.astype(np.float32), side)


def _refuse_bands(cube: Cube, guide: Guide, first: Cube) -> None:
    """Raise InputError where a reference cannot make the pairs that the first one makes."""
    if cube.count != first.count:
        raise InputError(
            f"{cube.name} has {cube.count} bands, but {first.name} has {first.count}.",
            "A model is made for one set of bands: train on references of one sensor.",
        )
    if cube.count <= guide.side.count:
        raise InputError(
            f"{cube.name} has {cube.count} bands, no more than the {guide.side.count} of the "
            "multispectral image to make of it.",
            "Choose a hyperspectral reference, or fewer guide bands.",
        )


def _ready(
    request: TrainRequest,
    ready: list[Alignment],
    blur: Blur,
    keeper: Keeper,
    stack: ExitStack,
    reporter: Reporter,
) -> Iterator[WaldPair]:
    """The ready pairs, each with its truth, or one scale down."""
    for number, pair in enumerate(ready):
        if request.references:
            truth = of_raster(_opened(request.references[number], stack, reporter), keeper)
            yield of_pair(pair, truth, _place(pair, truth))
        else:
            yield of_reduced(pair, blur, pair.hs.grid.height * pair.hs.grid.width)


def _place(pair: Alignment, truth: Cube) -> tuple[int, int]:
    """The pixel (row, col) of the truth on which the pair's guide begins."""
    if truth.count != pair.hs.count:
        raise InputError(
            f"The reference {truth.name} has {truth.count} bands, but {pair.hs.name} has "
            f"{pair.hs.count}.",
            "Give the references in the order of the pairs.",
        )
    lie = parallel(truth.grid, pair.fine)
    straight = lie is not None and not (lie.transpose or lie.flip_rows or lie.flip_cols)
    if lie is not None and straight and lie.rows.ratio == lie.cols.ratio == 1.0:
        row, col = -lie.rows.offset, -lie.cols.offset
        ends = (
            row + pair.fine.height <= truth.grid.height,
            col + pair.fine.width <= truth.grid.width,
        )
        if row.is_integer() and col.is_integer() and min(row, col) >= 0 and all(ends):
            return int(row), int(col)
    raise InputError(
        f"The pixels of the reference {truth.name} are not those of {pair.ms.name}.",
        "A reference lies on the multispectral grid and covers the ground of its pair.",
    )


def _refuse_unlike(pair: WaldPair, first: WaldPair) -> None:
    """Raise InputError where one model cannot be for both."""
    _refuse_other_bands(pair.name, pair.hs, first.name, first.hs)
    _refuse_other_bands(f"the guide of {pair.name}", pair.ms, f"that of {first.name}", first.ms)
    if abs(pair.rows.ratio / first.rows.ratio - 1) > RATIO_TOLERANCE:
        raise InputError(
            f"The ratio of {pair.name} is {pair.rows.ratio:.3g}, but that of {first.name} "
            f"{first.rows.ratio:.3g}.",
            "A model is made for one ratio: train on pairs of two sensors only.",
        )


def _refuse_other_bands(name: str, side: Side, first_name: str, first: Side) -> None:
    if side.count != first.count:
        raise InputError(
            f"{name[0].upper()}{name[1:]} has {side.count} bands, but {first_name} has "
            f"{first.count}.",
            "A model is made for one set of bands: train on images of one sensor.",
        )
    for number, (one, other) in enumerate(
        zip(side.spectral.wavelengths, first.spectral.wavelengths), 1
    ):
        if one is not None and other is not None and abs(one - other) > WAVELENGTH_TOLERANCE:
            raise InputError(
                f"Band {number} of {name} is at {one:.1f} nm, but in {first_name} at "
                f"{other:.1f} nm.",
                "A model is made for one set of bands: train on images of one sensor.",
            )
