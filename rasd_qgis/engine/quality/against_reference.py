"""Against a reference: how far a fused raster is from what it ought to be.

The peaks are looked for first; then every figure and both maps come from one pass over windows.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

import numpy as np
import torch
from rasterio.windows import Window
from torch import Tensor

from ...contract.errors import InputError
from ...contract.request import AssessRequest
from ..rasters.encode import Encoding
from ..rasters.grid import boxes
from ..rasters.placed import place
from ..rasters.read import Raster
from ..rasters.spectral import SpectralInfo
from ..rasters.write import OutputRaster
from ..service.report import Reporter
from .blocks import HypercomplexQ, window_side
from .figures import Comparison, mean
from .samples import Sample, pick
from .structure import MARGIN, Structure
from .thumbnail import Thumbnail, shown_bands

ERROR, ANGLE = "RMSE over the bands", "spectral angle in degrees"

Box = tuple[int, int, int, int]


class Part(NamedTuple):
    """A window of both images, and a margin around it as far as there is image.

    box: (row0, row1, col0, col1) without the margin; inner: where that lies in the images.
    """

    box: Box
    inner: tuple[slice, slice]
    fused: Tensor
    reference: Tensor
    valid: Tensor

    def core(self) -> tuple[Tensor, Tensor, Tensor]:
        """Both images and their validity without the margin."""
        place = (..., *self.inner)
        return self.fused[place], self.reference[place], self.valid[self.inner]


@dataclass(frozen=True)
class Judgement:
    """figures: by their names in the run's result. by_band: the same by the raster's bands.

    peaks: (bands,), of the bands that count. shown: thumbnails, fused (3), reference (3), error,
    angle, in one.
    """

    figures: dict[str, float | None]
    by_band: dict[str, list[float | None]]
    peaks: Tensor
    shown: Thumbnail


class ReferencePair:
    """A fused raster and its reference, pixel on pixel, by the bands that are good in both.

    shape: of both; side: of the windows to work on. InputError where the two do not fit.
    """

    def __init__(self, fused: Raster, reference: Raster) -> None:
        if fused.count != reference.count:
            raise InputError(
                f"{fused.name} has {fused.count} bands and the reference {reference.name} "
                f"{reference.count}.",
                "Choose the reference that was degraded to make the pair, with all of its bands.",
            )
        self.bands = np.flatnonzero(fused.good & reference.good)
        if not len(self.bands):
            raise InputError(
                f"No band is good in both {fused.name} and {reference.name}.",
                "Check the bad band lists of both files.",
            )
        self.shape = fused.grid.shape
        self.side = window_side(len(self.bands))
        self._fused = place(fused, fused.grid, self.bands, fused.name)
        self._reference = place(reference, fused.grid, self.bands, fused.name)
        self.colours = shown_bands(self.bands, fused.spectral, reference.spectral)

    def read(self, box: Box, margin: int = 0) -> Part:
        """A window of both."""
        row0, row1, col0, col1 = box
        top, left = max(row0 - margin, 0), max(col0 - margin, 0)
        bottom, right = min(row1 + margin, self.shape[0]), min(col1 + margin, self.shape[1])
        inner = slice(row0 - top, row1 - top), slice(col0 - left, col1 - left)
        fused, valid = self._fused.read(top, bottom, left, right)
        reference, known = self._reference.read(top, bottom, left, right)
        images = torch.from_numpy(fused), torch.from_numpy(reference)
        return Part(box, inner, *images, torch.from_numpy(valid & known))

    def peaks(self, request: AssessRequest) -> Tensor:
        """The peak of each band, as the request tells; InputError where no pixel is valid."""
        greatest = torch.full((len(self.bands),), -torch.inf)
        for box in boxes(self.shape, self.side):
            part = self.read(box)
            if bool(part.valid.any()):
                greatest = torch.maximum(greatest, part.reference[:, part.valid].amax(1))
        if not bool(greatest.isfinite().all()):
            raise InputError(
                "No pixel is valid in both the fused layer and its reference.",
                "Check the nodata settings of both layers.",
            )
        if request.peak == "value":
            return torch.full_like(greatest, float(request.peak_value or 0.0))
        return greatest if request.peak == "band" else greatest.max().expand_as(greatest)


class Maps:
    """The rasters of error and of angle, as far as they are asked for; a context manager."""

    def __init__(self, request: AssessRequest, fused: Raster, tags: dict[str, str]) -> None:
        self._stack = ExitStack()
        self._writers = [
            self._writer(path, request.run_id, fused, name, tags) if path else None
            for path, name in ((request.error_map, ERROR), (request.angle_map, ANGLE))
        ]

    @staticmethod
    def _writer(
        path: str, run_id: str, fused: Raster, name: str, tags: dict[str, str]
    ) -> OutputRaster:
        stored = Encoding("float32", float("nan"))
        return OutputRaster(path, run_id, fused.grid, SpectralInfo.of_names([name]), stored, tags)

    def __enter__(self) -> Maps:
        with ExitStack() as stack:
            for writer in self._writers:
                if writer:
                    stack.enter_context(writer)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, box: Box, *maps: Tensor) -> None:
        """Write a window of each map (h, w); NaN is nodata."""
        row0, row1, col0, col1 = box
        for writer, values in zip(self._writers, maps):
            if writer:
                window = Window(col0, row0, col1 - col0, row1 - row0)
                image = values[None].numpy()
                writer.write(window, image, np.isfinite(image[0]))


def judge(
    pair: ReferencePair,
    request: AssessRequest,
    ratio: float | None,
    maps: Maps,
    reporter: Reporter,
) -> Judgement:
    """Every figure of the pair; the maps are written into `maps`. ratio: for ERGAS."""
    reporter.phase("looking for the peak", 0.05, 0.1)
    peaks = pair.peaks(request)
    comparison, structure = Comparison(len(pair.bands)), Structure(peaks)
    hypercomplex = HypercomplexQ()
    shown = Thumbnail(8, pair.shape)
    phase = reporter.phase("comparing with the reference", 0.1, 0.5)
    tiles = list(boxes(pair.shape, pair.side))
    for done, box in enumerate(tiles):
        part = pair.read(box, MARGIN)
        structure.add(part.fused, part.reference, part.valid)
        fused, reference, valid = part.core()
        error, angle = comparison.add(fused, reference, valid)
        hypercomplex.add(fused, reference, valid)
        maps.write(box, error, angle)
        colours = torch.cat((fused[pair.colours], reference[pair.colours]))
        colours[:, ~valid] = torch.nan
        shown.add(box[0], box[2], torch.cat((colours, error[None], angle[None])))
        phase.progress((done + 1) / len(tiles))
    by_band: dict[str, list[float | None]] = {
        "PSNR": comparison.psnr(peaks.tolist()),
        "SSIM": structure.ssim,
        "UIQI": structure.uiqi,
        "RMSE": [*comparison.rmse],
        "CORRELATION": comparison.correlation,
    }
    figures = {name: mean(values) for name, values in by_band.items()}
    squares = [value**2 for value in comparison.rmse]
    figures |= {
        "RMSE": (sum(squares) / len(squares)) ** 0.5,
        "SAM": comparison.sam,
        "ERGAS": None if ratio is None else comparison.ergas(ratio),
        "Q2N": hypercomplex.mean,
        "PEAK": None if request.peak == "band" else float(peaks[0]),
        "PIXELS": comparison.pixels,
    }
    return Judgement(figures, by_band, peaks, shown)


def sample_spectra(pair: ReferencePair, shown: Thumbnail) -> list[Sample]:
    """Spectra of a few pixels of a judgement's thumbnails, from the usual to the worst."""
    samples = []
    for name, row, col in pick(shown):
        part = pair.read((row, row + 1, col, col + 1))
        fused, reference = part.fused[:, 0, 0].tolist(), part.reference[:, 0, 0].tolist()
        samples.append(Sample(name, fused, reference))
    return samples
