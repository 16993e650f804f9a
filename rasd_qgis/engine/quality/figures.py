"""Quality: a fused image against its reference, pixel by pixel and band by band.

Everything is summed up window by window in float64, so that a scene of any size can be measured.
The definitions are those of torchmetrics, with what these leave open decided here: invalid pixels
count for nothing, and where a figure would be no number (a black pixel, a constant band, no error
at all) its rule is stated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

# Values travel as float32, so no error smaller than this share of the peak can be told.
LEAST_ERROR = 2.0**-24
# A spread below this share of the mean is rounding: the band is constant.
CONSTANT = 1e-7


@dataclass
class Comparison:
    """Sums over a fused image and its reference, in real units; `add` windows in any order.

    rmse, correlation, psnr(peak): a figure a band, None where the band has none. pixels: compared.
    """

    bands: int
    pixels: int = 0
    angles: int = 0
    _angle: float = 0.0
    _errors: Tensor = field(init=False, repr=False)
    _means: Tensor = field(init=False, repr=False)
    _squares: Tensor = field(init=False, repr=False)
    _cross: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        zeros = torch.zeros(self.bands, dtype=torch.float64)
        self._errors, self._cross = zeros.clone(), zeros.clone()
        self._means, self._squares = zeros.repeat(2, 1), zeros.repeat(2, 1)

    def add(self, fused: Tensor, reference: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Count a window (bands, h, w) where `valid` (h, w) holds.

        Returns its maps (h, w): the RMSE over the bands, and the spectral angle in degrees; NaN
        where invalid, and in the second where there is no angle.
        """
        fused, reference = fused.double(), reference.double()
        error = (fused - reference).square()
        angle = torch.where(valid, spectral_angle(fused, reference), torch.nan)
        told = angle.isfinite()
        self._angle += float(angle[told].sum())
        self.angles += int(told.sum())
        self._errors += error[:, valid].sum(1)
        self._count(torch.stack((fused[:, valid], reference[:, valid])))
        return torch.where(valid, error.mean(0).sqrt(), torch.nan), angle

    @property
    def sam(self) -> float | None:
        """Mean spectral angle in degrees; None where every reference pixel is black."""
        return self._angle / self.angles if self.angles else None

    @property
    def rmse(self) -> list[float]:
        """By band, in real units."""
        return (self._errors / max(self.pixels, 1)).sqrt().tolist()

    @property
    def correlation(self) -> list[float | None]:
        """Pearson's, by band; None where either band is constant."""
        least = (CONSTANT * self._means).square() * self.pixels
        varies = (self._squares > least).all(0)
        value = (self._cross / self._squares.prod(0).sqrt()).clamp(-1.0, 1.0)
        return [float(v) if ok else None for v, ok in zip(value, varies)]

    def psnr(self, peaks: Sequence[float]) -> list[float | None]:
        """10 log10(peak² / MSE) in dB, by band and its peak; None where the peak is not positive.

        At most 144.5 dB, which is what float32 can tell; a band without any error has that.
        """
        return [_psnr(error, peak) for error, peak in zip(self.rmse, peaks)]

    def ergas(self, ratio: float) -> float | None:
        """100 / ratio · √mean((RMSE / mean of the reference)²), bands of mean 0 left out.

        Wald, *Quality of high resolution synthesised images: is there a simple criterion?*, 2000.
        None where no band is left.
        """
        means = self._means[1]
        told = means.abs() > 0
        if not told.any():
            return None
        relative = (self._errors / max(self.pixels, 1))[told] / means[told].square()
        return float(100.0 / ratio * relative.mean().sqrt())

    def _count(self, samples: Tensor) -> None:
        """Merge means, squares and products of samples (2, bands, n); Chan, Golub, LeVeque 1979."""
        count = samples.shape[2]
        if not count:
            return
        means = samples.mean(2)
        centred = samples - means[..., None]
        shift = means - self._means
        weight = count * self.pixels / (count + self.pixels)
        self._squares += centred.square().sum(2) + weight * shift.square()
        self._cross += (centred[0] * centred[1]).sum(1) + weight * shift[0] * shift[1]
        self._means += shift * count / (count + self.pixels)
        self.pixels += count


def spectral_angle(fused: Tensor, reference: Tensor) -> Tensor:
    """(bands, h, w) twice → the angle between the two spectra of a pixel in degrees, (h, w).

    NaN where the reference is black, which has no direction; 90 where the fused pixel alone is.
    """
    lengths = fused.norm(dim=0) * reference.norm(dim=0)
    cosine = (fused * reference).sum(0) / torch.where(lengths > 0, lengths, 1.0)
    angle = torch.rad2deg(torch.arccos(cosine.clamp(-1.0, 1.0)))
    return torch.where(reference.abs().amax(0) > 0, angle, torch.nan)


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of the bands that have a figure; None where none has."""
    told = [value for value in values if value is not None]
    return math.fsum(told) / len(told) if told else None


def _psnr(rmse: float, peak: float) -> float | None:
    if not peak > 0:
        return None
    return -20.0 * math.log10(max(rmse / peak, LEAST_ERROR))
