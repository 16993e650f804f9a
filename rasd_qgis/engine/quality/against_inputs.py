"""Against the inputs: what can be said of a fused raster where nobody knows the truth.

QNR asks whether the bands relate to one another, and to the guide, as they did in the two inputs.
Consistency asks whether the fused raster, seen by either sensor again, gives that sensor's image
back. Both inputs are aligned as for a fusion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...contract.errors import InputError
from ..rasters.align import Alignment
from ..rasters.fill import filled
from ..rasters.grid import boxes
from ..rasters.placed import Placed, place, real
from ..rasters.read import Raster
from ..scene.network import Consistency
from ..scene.survey import LEAST_SEEN
from ..sensors.observe import Observation, centred, seen
from ..service.report import Reporter
from .blocks import SIDE, PairwiseQ, distortions, qnr, window_side
from .figures import Comparison
from .samples import Sample, pick
from .thumbnail import Thumbnail, shown_bands

# The least side of a block in coarse pixels; smaller ones tell little of a covariance.
LEAST_BLOCK = 8
# The guide's sensor is told from the inputs in so many principal components of the bands, or fewer:
# with a tenth of the pixels at most, so that chance does not fit it.
COMPONENTS, PIXELS_A_COMPONENT = 20, 10


class Views(NamedTuple):
    """On coarse pixels: fused, hyperspectral (B, h, w), guide (b, h, w), valid (h, w)."""

    fused: Tensor
    hyperspectral: Tensor
    guide: Tensor
    valid: Tensor


@dataclass(frozen=True)
class InputPair:
    """A fused raster on the ground of its inputs, by the bands that are good in both.

    bands: their indices; guide_bands: those of the guide. sigma: of the PSF, in coarse pixels.
    side: of a block in coarse pixels. colours, guide_colours: places among both that are shown.
    """

    pair: Alignment
    fused: Placed
    bands: np.ndarray
    guide_bands: np.ndarray
    sigma: float
    side: int
    colours: list[int]
    guide_colours: list[int]

    @classmethod
    def of(cls, fused: Raster, pair: Alignment, sigma: float) -> InputPair:
        """InputError where the fused raster is not of this pair."""
        if fused.count != pair.hs.count:
            raise InputError(
                f"{fused.name} has {fused.count} bands and the hyperspectral layer "
                f"{pair.hs.name} {pair.hs.count}.",
                "Choose the hyperspectral layer that was fused.",
            )
        bands = np.flatnonzero(fused.good & pair.hs.good)
        if not len(bands):
            raise InputError(
                f"No band is good in both {fused.name} and {pair.hs.name}.",
                "Check the bad band lists of both files.",
            )
        placed = place(fused, pair.fine, bands, pair.ms.name)
        ratio = math.sqrt(pair.rows.ratio * pair.cols.ratio)
        side = max(LEAST_BLOCK, round(SIDE / ratio))
        guide_bands = np.flatnonzero(pair.ms.good)
        colours = shown_bands(bands, fused.spectral, pair.hs.spectral)
        guide_colours = shown_bands(guide_bands, pair.ms.spectral)
        return cls(pair, placed, bands, guide_bands, sigma, side, colours, guide_colours)

    @property
    def ratio(self) -> float:
        """Coarse pixel over fine pixel, the mean of both directions."""
        return math.sqrt(self.pair.rows.ratio * self.pair.cols.ratio)

    def fine(self, row0: int, row1: int, col0: int, col1: int) -> tuple[Tensor, Tensor, Tensor]:
        """Fused (B, n, m), guide (b, n, m) and validity (n, m) of fine pixels."""
        fused, valid = self.fused.read(row0, row1, col0, col1)
        guide, known = self.pair.read_fine(row0, row1, col0, col1)
        guide = real(self.pair.ms, guide, np.arange(len(guide)))[self.guide_bands]
        return torch.from_numpy(fused), torch.from_numpy(guide), torch.from_numpy(valid & known)

    def coarse(self, row0: int, row1: int, col0: int, col1: int) -> Views | None:
        """What is seen on coarse pixels; None where there is nothing fine under them."""
        pair = self.pair
        rows = seen(pair.rows, (row0, row1), pair.fine.height, self.sigma)
        cols = seen(pair.cols, (col0, col1), pair.fine.width, self.sigma)
        if rows[0] >= rows[1] or cols[0] >= cols[1]:
            return None
        given, known = pair.read_coarse(row0, row1, col0, col1)
        given = torch.from_numpy(real(pair.hs, given, np.arange(len(given)))[self.bands])
        fused, guide, valid = self.fine(*rows, *cols)
        axes = pair.rows.local(rows[0], row0), pair.cols.local(cols[0], col0)
        look = Observation.between(tuple(valid.shape), tuple(known.shape), *axes, self.sigma)
        whole = look.down(valid.float()) > LEAST_SEEN
        whole &= centred(axes[0], known.shape[0], valid.shape[0])[:, None]
        whole &= centred(axes[1], known.shape[1], valid.shape[1])
        views = look.down(filled(fused, valid)), given, look.down(filled(guide, valid))
        return Views(*views, whole & torch.from_numpy(known))


@dataclass(frozen=True)
class Impression:
    """figures: by their names in the run's result. by_band: the same by the bands that count.

    coarse: thumbnails of the hyperspectral image (3), the error of the fused one seen again and
    its angle; fine: of the fused image (3) and the guide (3). samples: on coarse pixels.
    """

    figures: Mapping[str, float | None]
    by_band: Mapping[str, Sequence[float]]
    coarse: Thumbnail
    fine: Thumbnail
    samples: list[Sample]


def judge_consistency(pair: InputPair, reporter: Reporter) -> Impression:
    """D_λ, D_s, QNR and the consistency with both inputs, and where they disagree."""
    count = len(pair.bands) + len(pair.guide_bands)
    coarse_q, fine_q = PairwiseQ(count), PairwiseQ(count)
    hyperspectral, multispectral = Consistency(), Consistency()
    sensor, again = Regression(len(pair.bands), count), Comparison(len(pair.bands))
    coarse, fine = Thumbnail(5, pair.pair.coarse_shape), Thumbnail(6, pair.pair.fine.shape)
    tile = window_side(math.ceil(count * pair.ratio**2), pair.side)
    places = list(boxes(pair.pair.coarse_shape, tile))
    phase = reporter.phase("seeing it by both sensors", 0.5, 0.65)
    for done, box in enumerate(places):
        views = pair.coarse(*box)
        if views is not None:
            hyperspectral.add(views.fused, views.hyperspectral, views.valid)
            inputs = torch.cat((views.hyperspectral, views.guide))
            coarse_q.add(inputs, views.valid, pair.side)
            sensor.add(inputs[:, views.valid])
            maps = again.add(views.fused, views.hyperspectral, views.valid)
            colours = _shown(views.hyperspectral[pair.colours], views.valid)
            coarse.add(box[0], box[2], torch.cat((colours, torch.stack(maps).float())))
        phase.progress((done + 1) / len(places))
    if not sensor.pixels:
        raise InputError(
            "No pixel is valid in the fused layer and in both of its inputs.",
            "Check the nodata settings of all three, and that they show the same ground.",
        )
    gains, constant = sensor.solve()
    side = round(pair.side * pair.ratio)
    places = list(boxes(pair.pair.fine.shape, window_side(count, side)))
    phase = reporter.phase("comparing with the guide", 0.65, 0.85)
    for done, box in enumerate(places):
        fused, guide, valid = pair.fine(*box)
        fine_q.add(torch.cat((fused, guide)), valid, side)
        view = torch.einsum("Bb,Bhw->bhw", gains, fused) + constant[:, None, None]
        multispectral.add(view, guide, valid)
        colours = torch.cat((fused[pair.colours], guide[pair.guide_colours]))
        fine.add(box[0], box[2], _shown(colours, valid))
        phase.progress((done + 1) / len(places))
    spectral, spatial = distortions(fine_q.mean, coarse_q.mean, len(pair.bands))
    figures = {
        "D_LAMBDA": spectral,
        "D_S": spatial,
        "QNR": qnr(spectral, spatial),
        "CONSISTENCY_HS": hyperspectral.error,
        "CONSISTENCY_MS": multispectral.error,
    }
    by_band = {"CONSISTENCY_HS": _shares(again.rmse, hyperspectral.error)}
    return Impression(figures, by_band, coarse, fine, _spectra(pair, coarse))


def _shown(colours: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid, colours, torch.nan)


def _shares(errors: list[float], total: float) -> list[float]:
    """RMSE by band as shares of the range of which `total` is the share of all bands' RMSE."""
    whole = math.sqrt(math.fsum(error**2 for error in errors) / len(errors))
    return [total * error / whole if whole else 0.0 for error in errors]


def _spectra(pair: InputPair, coarse: Thumbnail) -> list[Sample]:
    """Of a few coarse pixels: the fused image seen again, and the hyperspectral one."""
    samples = []
    for name, row, col in pick(coarse):
        views = pair.coarse(row, row + 1, col, col + 1)
        if views is not None:
            both = views.fused[:, 0, 0].tolist(), views.hyperspectral[:, 0, 0].tolist()
            samples.append(Sample(name, *both))
    return samples


@dataclass
class Regression:
    """The guide's sensor, by least squares on the hyperspectral bands' principal components.

    bands: how many of the `channels` are hyperspectral; the others are the guide's.
    """

    bands: int
    channels: int
    pixels: int = 0
    _mean: Tensor = field(init=False, repr=False)
    _products: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._mean = torch.zeros(self.channels, dtype=torch.float64)
        self._products = torch.zeros(self.channels, self.channels, dtype=torch.float64)

    def add(self, samples: Tensor) -> None:
        """Count samples (channels, n); means and products are merged as in `quality`."""
        count = samples.shape[1]
        if not count:
            return
        samples = samples.double()
        shift = samples.mean(1) - self._mean
        samples = samples - samples.mean(1, keepdim=True)
        weight = count * self.pixels / (count + self.pixels)
        self._products += samples @ samples.T + weight * torch.outer(shift, shift)
        self._mean += shift * count / (count + self.pixels)
        self.pixels += count

    def solve(self) -> tuple[Tensor, Tensor]:
        """Gains (bands, guide bands) and constants (guide bands,), float32."""
        among = self._products[: self.bands, : self.bands]
        across = self._products[: self.bands, self.bands :]
        spread = among.diagonal().sqrt()
        spread = torch.where(spread > 0, spread, 1.0)
        values, vectors = torch.linalg.eigh(among / torch.outer(spread, spread))
        most = max(1, min(COMPONENTS, self.pixels // PIXELS_A_COMPONENT))
        basis = vectors[:, values > 1e-9 * values.max()][:, -most:] / spread[:, None]
        inner = (basis.T @ among @ basis).diagonal()
        told = inner > 0
        gains = basis[:, told] @ ((basis[:, told].T @ across) / inner[told, None])
        constant = self._mean[self.bands :] - gains.T @ self._mean[: self.bands]
        return gains.float(), constant.float()
