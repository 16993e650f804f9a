"""Normalisation: the units in which the network sees a scene, whatever its sensors and bands.

The network works in a few components of the hyperspectral image. Bands are first divided by how far
the closed-form estimate misses them one scale down (Wald's protocol), so that a unit of error
weighs alike in a bright and in a dark band; the components are the principal ones of the image so
scaled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .reduce import Reduced

COMPONENTS = 20
# Components below this share of the strongest one's power are rounding, as copied bands leave it.
LEAST_POWER = 1e-8
# Bands are never divided by less than this share of their own spread: a band that the closed form
# happens to hit exactly must not drown the others.
LEAST_MISS = 1e-3


@dataclass(frozen=True)
class Units:
    """B bands, K components, b guide bands; values in DN of the scene.

    mean, miss: (B,) mean of a band, and the scale of its residual; bad bands have an infinite miss.
    basis: (B, K) orthonormal; component_spread: (K,) in misses.
    guide_mean, guide_spread, detail_spread: (b,).
    """

    mean: Tensor
    miss: Tensor
    basis: Tensor
    component_spread: Tensor
    guide_mean: Tensor
    guide_spread: Tensor
    detail_spread: Tensor

    @property
    def components(self) -> int:
        """How many there are."""
        return self.basis.shape[1]

    def to(self, device: torch.device | str) -> Units:
        """The same on that device, laid out as files hold it: the layout decides how sums round."""
        return Units(*(getattr(self, f.name).to(device).contiguous() for f in fields(self)))

    def start(self, image: Tensor) -> Tensor:
        """An image (B, H, W) in DN → its components (K, H, W), each of about unit spread."""
        scaled = self.basis / (self.miss[:, None] * self.component_spread)
        centre = scaled.T @ self.mean
        return torch.einsum("bk,bhw->khw", scaled, image) - centre[:, None, None]

    def guide(self, guide: Tensor, detail: Tensor) -> Tensor:
        """A guide (b, H, W) and its detail → (2b, H, W), each of about unit spread."""
        centred = (guide - self.guide_mean[:, None, None]) / self.guide_spread[:, None, None]
        return torch.cat((centred, detail / self.detail_spread[:, None, None]))

    def residual_of(self, difference: Tensor) -> Tensor:
        """A difference (B, H, W) in DN → components (K, H, W), in misses."""
        return torch.einsum("bk,bhw->khw", self.basis / self.miss[:, None], difference)

    def in_dn(self, residual: Tensor) -> Tensor:
        """Components (K, H, W) in misses → a difference (B, H, W) in DN; zero in bad bands."""
        finite = self.miss.isfinite()
        scaled = self.basis * torch.where(finite, self.miss, 0.0)[:, None]
        return torch.einsum("bk,khw->bhw", scaled, residual)


def fit(scene: list[Reduced], good: Tensor, least_spread: float = 0.0) -> Units:
    """The units of a scene. good: (B,) bool, bands that count.

    least_spread: of a component, in misses; weaker ones are left to the closed form, but for one.
    """
    bands = _pixels(scene, lambda part: part.target)
    guide = _pixels(scene, lambda part: part.guide)
    miss = _rms(_pixels(scene, lambda part: part.target - part.start))
    mean, spread = bands.mean(1), bands.std(1, correction=0)
    miss = torch.maximum(miss, LEAST_MISS * spread)
    miss = torch.where(good & (spread > 0), miss, torch.inf)
    centred = (bands - mean[:, None]) / miss[:, None]
    basis = _principal(centred, int(miss.isfinite().sum()), least_spread)
    in_components = basis.T @ centred
    return Units(
        mean,
        miss,
        basis,
        _spread(in_components),
        guide.mean(1),
        _spread(guide),
        _some(_rms(_pixels(scene, lambda part: part.detail))),
    )


def _principal(centred: Tensor, most: int, least_spread: float) -> Tensor:
    """(B, n) → the principal directions (B, K), each with its largest entry positive."""
    covariance = centred.double() @ centred.double().T / centred.shape[1]
    powers, vectors = (part.flip(-1) for part in torch.linalg.eigh(covariance))
    felt = int((powers > max(LEAST_POWER * float(powers[0]), least_spread**2)).sum())
    vectors = vectors[:, : max(1, min(COMPONENTS, most, felt, centred.shape[1] - 1))]
    return signed(vectors).float()


def signed(directions: Tensor) -> Tensor:
    """Directions (b, k), each of which has a sign of chance, with the largest entry positive."""
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    return directions * largest.sign()


def _pixels(scene: list[Reduced], of: Callable[[Reduced], Tensor]) -> Tensor:
    """Valid pixels of a field of every part, (channels, n)."""
    return torch.cat([of(part)[:, part.valid] for part in scene], 1)


def _rms(samples: Tensor) -> Tensor:
    return samples.square().mean(1).sqrt()


def _spread(samples: Tensor) -> Tensor:
    return _some(samples.std(1, correction=0))


def _some(spread: Tensor) -> Tensor:
    """A spread to divide by: 1 where there is none."""
    return torch.where(spread > 0, spread, 1.0)
