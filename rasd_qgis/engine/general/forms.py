"""Closed forms: estimates of the fused image, none best everywhere, for the network to weigh.

    cubic    the hyperspectral image interpolated
    linear   the detail of a regression on the guide injected (MTF-GLP hypersharpening)
    shading  the interpolated spectra multiplied by the guide's own contrast (as in SFIM)
    smooth, sharp   the regression on the guide made nonlinear by a Gaussian process (kriging in the
             guide's values: Rasmussen and Williams, *Gaussian processes for machine learning*,
             2006), its detail injected; two length scales
    local    the regression fitted anew around every coarse pixel, shrunk to the scene's

All are found in components, which may be any of the posterior's, and back-projected.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..sensors.observe import Observation
from .posterior import NOTHING, Posterior
from .samples import Level

NAMES = ("cubic", "linear", "shading", "smooth", "sharp", "local")
# Length scale (in whitened guide values, a square root of the bands' number) and noise of each.
KERNELS = ((1.0, 1.0), (3.0, 0.1))
# Samples that a Gaussian process is fitted to.
POINTS = 400
BACK_PROJECTIONS = 2
# Ridges in variances of a guide band, of the whitening and of the regressions.
RIDGE = 1e-4
SHADING_RIDGE = 1e-3
# The local regression's window, a standard deviation in coarse pixels, and its ridge.
LOCAL_SPREAD, LOCAL_RIDGE = 1.5, 0.3
# Pixels whose kernels are at work at a time: as many as fit a processor's cache, 7 MB.
PART = 1 << 12
# Of the mean radiance, below which nothing is divided by it, and the greatest contrast.
DARK = 1e-3
CONTRAST = 5.0


@dataclass(frozen=True)
class Forms:
    """What the pair fixes of them; float32. p samples, b guide bands, K components, 2 kernels.

    whitening: (b, b) of the centred guide. linear: (b, K). shading: (b,), and brightness: (), the
    mean radiance. points: (b, p) whitened; weights: (2, p, K), of the Gaussian processes.
    """

    posterior: Posterior
    whitening: Tensor
    linear: Tensor
    shading: Tensor
    brightness: Tensor
    points: Tensor
    weights: Tensor

    @classmethod
    def of(cls, level: Level, good: Tensor) -> Forms:
        """Fit to samples. good: (B,) bool, bands that count."""
        posterior = Posterior.of(level, good)
        guide = level.varied_guide
        bands = level.bands - level.bands.mean(1, keepdim=True)
        u = posterior.basis.double().T @ (bands * good[:, None])
        whitening = _whitening(guide)
        white = whitening @ guide
        linear = _regression(white, u, RIDGE)
        radiance = level.bands[good if bool(good.any()) else ~good].mean(0)
        shading = _regression(white, (radiance - radiance.mean())[None], SHADING_RIDGE)[:, 0]
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(white.shape[1], generator=generator)[:POINTS]
        points, left = white[:, chosen], (u - linear.T @ white)[:, chosen]
        weights = torch.stack([_kriging(points, left, *kernel) for kernel in KERNELS])
        fitted = whitening, linear, shading, radiance.mean(), points, weights
        return cls(posterior, *(tensor.float() for tensor in fitted))

    def white(self, guide: Tensor) -> Tensor:
        """A guide (b, H, W) in DN, centred and whitened."""
        centred = guide - self.posterior.guide_mean[:, None, None]
        return torch.einsum("cb,bhw->chw", self.whitening, centred)

    def images(
        self, coarse: Tensor, guide: Tensor, look: Observation, turn: Tensor
    ) -> list[Tensor]:
        """Coarse (B, h, w) and guide (b, H, W) in DN → an estimate (k, H, W) for each of NAMES.

        turn: (k, K) from the posterior's components to those wanted.
        """
        observed = torch.einsum("kj,jhw->khw", turn, self.posterior.components(coarse))
        cubic, white, linear = look.up(observed), self.white(guide), self.linear @ turn.T
        sharp = torch.einsum("bk,bhw->khw", linear, white)
        found = [cubic, _injected(cubic, sharp, look), self._shaded(cubic, white, look, turn)]
        for bent in (*self._kriged(white, turn), _local(observed, linear, white, look)):
            found += [_injected(cubic, sharp + bent, look)]
        return [_projected(image, observed, look) for image in found]

    def _shaded(self, cubic: Tensor, white: Tensor, look: Observation, turn: Tensor) -> Tensor:
        radiance = torch.einsum("b,bhw->hw", self.shading, white) + self.brightness
        least = DARK * self.brightness.abs() + NOTHING
        contrast = radiance / look.up(look.down(radiance)).clamp_min(float(least))
        black = (turn @ (self.posterior.basis.T @ self.posterior.mean))[:, None, None]
        return (cubic + black) * contrast.clamp(1 / CONTRAST, CONTRAST) - black

    def _kriged(self, white: Tensor, turn: Tensor) -> list[Tensor]:
        """What each Gaussian process adds to the regression, (k, H, W), some pixels at a time."""
        shape, pixels = white.shape[1:], white.flatten(1)
        weights = self.weights @ turn.T
        found: list[list[Tensor]] = [[] for _ in KERNELS]
        for part in pixels.split(PART, 1):
            distance = _squared_distance(part, self.points)
            for which, (length, _) in enumerate(KERNELS):
                kernel = (distance * (-0.5 / (length**2 * len(white)))).exp_()
                found[which].append(weights[which].T @ kernel.T)
        return [torch.cat(parts, 1).view(-1, *shape) for parts in found]


def _local(observed: Tensor, linear: Tensor, white: Tensor, look: Observation) -> Tensor:
    """What a regression of its own around every coarse pixel adds to the scene's, (k, H, W).

    observed: (k, h, w); linear: (b, k), the scene's gains; white: (b, H, W). In double precision:
    a window's variance is the small difference of two numbers that are large where white is.
    """
    seen = look.down(white)
    left = (observed - torch.einsum("bk,bhw->khw", linear, seen)).double()
    fine, seen = white - look.up(seen), seen.double()
    rows, cols = (_window(size).to(seen) for size in seen.shape[1:])

    def near(image: Tensor) -> Tensor:
        return rows @ image @ cols.T

    means = near(seen)
    gram = near(seen[:, None] * seen) - means[:, None] * means
    cross = near(seen[:, None] * left) - means[:, None] * near(left)
    gram.diagonal().add_(LOCAL_RIDGE)
    gains = torch.linalg.solve(gram.permute(2, 3, 0, 1), cross.permute(2, 3, 0, 1)).to(fine)
    return torch.stack([(look.up(gain) * fine).sum(0) for gain in gains.permute(3, 2, 0, 1)])


def _window(size: int) -> Tensor:
    """(size, size): the weights of an axis around each of its pixels, rows summing to 1."""
    place = torch.arange(size)
    weights = torch.exp(-0.5 * ((place[:, None] - place) / LOCAL_SPREAD) ** 2)
    return weights / weights.sum(1, keepdim=True)


def _injected(cubic: Tensor, sharp: Tensor, look: Observation) -> Tensor:
    """The interpolated image with the detail of a sharp one that the sensor did not see."""
    return cubic + sharp - look.up(look.down(sharp))


def _projected(image: Tensor, observed: Tensor, look: Observation) -> Tensor:
    for _ in range(BACK_PROJECTIONS):
        image = image + look.up(observed - look.down(image))
    return image


def _whitening(guide: Tensor) -> Tensor:
    """(b, b) that makes centred samples (b, n) white, and leaves out bands that do not vary."""
    powers = guide.square().mean(1)
    found = guide @ guide.T / guide.shape[1] + torch.diag(RIDGE * powers + NOTHING)
    return torch.linalg.inv(torch.linalg.cholesky(found)) * (powers > 0)


def _regression(white: Tensor, values: Tensor, ridge: float) -> Tensor:
    """Gains (b, K) of values (K, n) on white samples (b, n), all centred."""
    gram = white @ white.T / white.shape[1]
    gram.diagonal().add_(ridge)
    return torch.linalg.solve(gram, white @ values.T / white.shape[1])


def _kriging(points: Tensor, values: Tensor, length: float, noise: float) -> Tensor:
    """Weights (p, K) of the process through values (K, p) at points (b, p)."""
    kernel = (_squared_distance(points, points) * (-0.5 / (length**2 * len(points)))).exp()
    kernel.diagonal().add_(noise)
    return torch.linalg.solve(kernel, values.T)


def _squared_distance(pixels: Tensor, points: Tensor) -> Tensor:
    """(b, n), (b, p) → (n, p)."""
    lengths = pixels.square().sum(0)[:, None] + points.square().sum(0)
    return (lengths - 2 * (pixels.T @ points)).clamp_min_(0.0)
