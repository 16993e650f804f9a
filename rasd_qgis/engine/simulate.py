"""Simulation: a reference seen by two sensors, so that what their fusion ought to be is known.

read → lay out → respond → blur and decimate | project → add noise → write (Wald's protocol).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from affine import Affine
from rasterio.windows import Window

from ..contract.errors import InputError
from ..contract.request import SimulateRequest
from .rasters.encode import Encoding
from .rasters.fill import filled
from .rasters.formats import check_writable
from .rasters.grid import Axis, Grid, boxes
from .rasters.read import Raster
from .rasters.spectral import natural_colour
from .rasters.write import BLOCK, OutputRaster
from .scene.survey import LEAST_SEEN
from .sensors.noise import Noise, Piece
from .sensors.observe import point_spread, seen
from .sensors.psf import Blur, blur_of, phase_offset
from .sensors.response import Response, respond
from .service.report import Phase, Reporter


@dataclass(frozen=True)
class Layout:
    """Where the pair lies. start: (row, col) of the reference's first pixel used; rows, cols: how
    the coarse image lies on the fine one, pixels counted from there.
    """

    fine: Grid
    coarse: Grid
    start: tuple[int, int]
    rows: Axis
    cols: Axis


def simulate(request: SimulateRequest, reporter: Reporter) -> dict[str, Any]:
    """Run a request; the values of the run's result. RasdError where it cannot be done."""
    reporter.phase("reading", 0.0, 0.05)
    with Raster(request.reference) as reference:
        for note in reference.notes:
            reporter.warn(note)
        layout, blur = lay_out(request, reference.grid, reference.name), blur_of(request)
        response = respond(request, reference.spectral, reference.good)
        _refuse_bands(reference, response)
        stored = reference.encoding, guide_encoding(reference, response.spectral.count)
        _check_outputs(request, reference, response, stored)
        _tell(request, layout, blur, response, reporter)
        with ExitStack() as stack:
            coarse, guide = (
                stack.enter_context(OutputRaster(path, request.run_id, *what, _tags(request, blur)))
                for path, what in (
                    (request.coarse_output, (layout.coarse, reference.spectral, stored[0])),
                    (request.guide_output, (layout.fine, response.spectral, stored[1])),
                )
            )
            phase = reporter.phase("blurring", 0.05, 0.6)
            add_noise = Noise(request.snr_coarse, [request.seed, 0], stored[0])
            _write(coarse, lambda: coarse_pieces(reference, layout, blur), add_noise, phase)
            phase = reporter.phase("projecting", 0.6, 0.95)
            add_noise = Noise(request.snr_guide, [request.seed, 1], stored[1])
            _write(guide, lambda: guide_pieces(reference, layout, response), add_noise, phase)
            reporter.phase("writing", 0.95, 1.0)
        for note in (*coarse.notes, *guide.notes):
            reporter.warn(note)
        return _values(request, reference, response, blur)


def lay_out(request: SimulateRequest, grid: Grid, name: str) -> Layout:
    """The two grids; InputError where the reference is too small for one coarse pixel."""
    box = 0, grid.height, 0, grid.width
    if request.extent is not None:
        row0, row1, col0, col1 = grid.touched(request.extent)
        box = max(row0, 0), min(row1, grid.height), max(col0, 0), min(col1, grid.width)
    shape = [int((stop - start) / request.ratio + 1e-6) for start, stop in (box[:2], box[2:])]
    if min(shape) < 1:
        raise InputError(
            f"The part of {name} to use holds {max(box[3] - box[2], 0)} × "
            f"{max(box[1] - box[0], 0)} pixels, less than one coarse pixel at the ratio "
            f"{request.ratio:g}.",
            "Choose a larger extent, or a smaller ratio.",
        )
    axis = Axis(request.ratio, phase_offset(request.phase, request.ratio))
    height, width = (int(side * request.ratio + 1e-6) for side in shape)
    fine = grid.cut(box[0], box[2], height, width)
    place = fine.transform * Affine.translation(axis.offset, axis.offset)
    place *= Affine.scale(request.ratio)
    return Layout(fine, Grid(grid.crs, place, *shape), (box[0], box[2]), axis, axis)


def coarse_pieces(reference: Raster, layout: Layout, blur: Blur) -> Iterator[Piece]:
    """The hyperspectral image, blurred and decimated, in pieces that cover it."""
    side = max(1, int(BLOCK / layout.rows.ratio))
    for box in boxes(layout.coarse.shape, side):
        rows, cols = box[:2], box[2:]
        spans = [
            seen(axis, span, size, blur.sigma, blur.reach)
            for axis, span, size in zip((layout.rows, layout.cols), (rows, cols), layout.fine.shape)
        ]
        values, valid = _read(reference, layout, *spans)
        down, across = (
            point_spread(
                axis.local(span[0], coarse[0]),
                coarse[1] - coarse[0],
                span[1] - span[0],
                blur.sigma,
                blur.reach,
            )
            for axis, span, coarse in zip((layout.rows, layout.cols), spans, (rows, cols))
        )
        whole = torch.from_numpy(valid)
        image = down @ filled(torch.from_numpy(values), whole) @ across.T
        share = down @ whole.float() @ across.T
        image[torch.from_numpy(reference.dead)] = torch.nan
        yield Piece(_window(*box), image.numpy(), (share > LEAST_SEEN).numpy())


def guide_pieces(reference: Raster, layout: Layout, response: Response) -> Iterator[Piece]:
    """The multispectral image in pieces that cover it."""
    weights = response.weights.astype(np.float32)
    for box in boxes(layout.fine.shape, BLOCK):
        values, valid = _read(reference, layout, box[:2], box[2:])
        yield Piece(_window(*box), np.tensordot(weights, values, 1), valid)


def guide_encoding(reference: Raster, bands: int) -> Encoding:
    """How a guide of so many bands is stored: as the reference, its bands scaled alike."""
    stored = reference.encoding
    if len(set(stored.scales)) > 1 or len(set(stored.offsets)) > 1:
        raise InputError(
            f"The bands of {reference.name} have scales and offsets that differ, so a guide band "
            "cannot be summed from them.",
            "Export it with real values first (gdal_translate -unscale).",
        )
    scales, offsets = stored.scales[:1] * bands, stored.offsets[:1] * bands
    return Encoding(stored.dtype, stored.nodata, scales, offsets)


def _write(
    writer: OutputRaster, pieces: Callable[[], Iterator[Piece]], noise: Noise, phase: Phase
) -> None:
    noise.measure(pieces())
    size = writer.grid.height * writer.grid.width
    done = 0
    for piece in pieces():
        writer.write(piece.window, noise.add(piece), piece.valid)
        done += piece.valid.size
        phase.progress(done / size)


def _read(
    reference: Raster, layout: Layout, rows: tuple[int, int], cols: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    row, col = layout.start
    return reference.read(_window(row + rows[0], row + rows[1], col + cols[0], col + cols[1]))


def _window(row0: int, row1: int, col0: int, col1: int) -> Window:
    return Window(col0, row0, col1 - col0, row1 - row0)


def _refuse_bands(reference: Raster, response: Response) -> None:
    """Raise InputError where the reference has no more bands than the guide would have."""
    if reference.count <= response.spectral.count:
        raise InputError(
            f"The reference {reference.name} has {reference.count} bands, no more than the "
            f"{response.spectral.count} of the multispectral layer to make.",
            "Choose a hyperspectral reference, or fewer guide bands.",
        )


def _check_outputs(
    request: SimulateRequest,
    reference: Raster,
    response: Response,
    stored: tuple[Encoding, Encoding],
) -> None:
    """Raise OutputError, before any work, where an output could not be written in the end."""
    inputs = [request.reference.path, *([request.table] if request.table else [])]
    run = request.run_id
    check_writable(request.coarse_output, inputs, reference.count, stored[0].dtype, None, run)
    inputs.append(request.coarse_output)
    check_writable(
        request.guide_output, inputs, response.spectral.count, stored[1].dtype, None, run
    )


def _tell(
    request: SimulateRequest, layout: Layout, blur: Blur, response: Response, reporter: Reporter
) -> None:
    reporter.log(
        f"PSF: Gaussian, standard deviation {blur.sigma:.4g} coarse pixels, MTF at Nyquist "
        f"{blur.mtf(request.ratio):.3f}; {layout.coarse.width} × {layout.coarse.height} coarse "
        f"pixels, phase {request.phase}."
    )
    bands = (
        name if wave is None else f"{name} ({wave:.0f} nm)"
        for name, wave in zip(response.spectral.names, response.spectral.wavelengths)
    )
    reporter.log(f"Guide bands: {', '.join(bands)}.")


def _tags(request: SimulateRequest, blur: Blur) -> dict[str, str]:
    facts = {
        **request.provenance,
        "reference": request.reference.name or request.reference.path,
        "ratio": request.ratio,
        "psf_sigma": blur.sigma,
        "psf_reach": blur.reach,
        "phase": request.phase,
        "response": request.sensor if request.response == "sensor" else request.response,
        "snr": [request.snr_coarse, request.snr_guide],
        "seed": request.seed,
    }
    return {"TIFFTAG_SOFTWARE": "RASD Fusion", "provenance": json.dumps(facts)}


def _values(
    request: SimulateRequest, reference: Raster, response: Response, blur: Blur
) -> dict[str, Any]:
    coarse = natural_colour(reference.spectral, [bool(good) for good in reference.good])
    guide = natural_colour(response.spectral)
    return {
        "RATIO": float(request.ratio),
        "PSF_SIGMA": blur.sigma,
        "MTF": blur.mtf(request.ratio),
        "GUIDE_BANDS": response.spectral.count,
        "GUIDE_BAND_NAMES": list(response.spectral.names),
        "RGB_COARSE": list(coarse) if coarse else None,
        "RGB_GUIDE": list(guide) if guide else None,
    }
