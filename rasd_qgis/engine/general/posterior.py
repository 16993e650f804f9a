"""A Bayesian estimate of the fused image, in closed form: what the network starts from.

The model of Hardie, Eismann and Wilson (2004) in the spectral subspace of HySure (Simoes,
Bioucas-Dias, Almeida and Chanussot, 2015), in K components U of the hyperspectral image:

    Y = D(U) + white noise,   Z = R U + noise of covariance N,   U ~ N(cubic(Y), S) at every pixel

D is the sensor's blur and decimation. R is the regression of the guide, as the hyperspectral sensor
sees it, on the components, and N what that leaves over: two sensors that disagree are not forced to
agree. S is the covariance of what interpolation loses one scale down. Without Y's first line the
answer is a matrix a pixel; Y's share is one of the coarse grid, solved exactly by the eigenvectors
of D along rows and columns (after FUSE: Wei, Dobigeon and Tourneret, 2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..scene.agreement import LEAST_POWER, NOTHING
from ..scene.normalise import signed
from ..sensors.observe import Observation
from .samples import Level

COMPONENTS = 40
# Of few bands the components beyond this share of them are noise: were all of them signal, the
# noise would be none, and what is left of the blur be undone at any price. On CAVE at x4 this is
# worth 0.2 to 0.3 dB of the start with 0.3 % of noise, and 1.4 with 3 %.
SIGNAL = 2 / 3
# Of a mean variance: keeps matrices invertible where a direction holds nothing.
LEAST = 1e-8


@dataclass(frozen=True)
class Posterior:
    """What of it the pair fixes; float32, in DN. B bands, b guide bands, K components.

    mean: (B,); basis: (B, K) orthonormal, zero in bad bands. guide_mean: (b,); response: (b, K) R.
    heard: (K, b) and kept: (K, K), what a pixel's guide and interpolated components give to U.
    directions: (K, K), those in which the coarse grid's share is solved, and weights: (K,), the
    noise there in units of the prior. covariance: (K, K) of U before Y is heard.
    """

    mean: Tensor
    basis: Tensor
    guide_mean: Tensor
    response: Tensor
    heard: Tensor
    kept: Tensor
    directions: Tensor
    weights: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, level: Level, good: Tensor) -> Posterior:
        """Fit to samples. good: (B,) bool, bands that count."""
        mean, guide_mean = level.bands.mean(1), level.guide.mean(1)
        centred = (level.bands - mean[:, None]) * good[:, None]
        # Rounding must not let in what bad bands hold.
        basis = _principal(centred) * good[:, None]
        u, z = basis.T @ centred, level.varied_guide
        pixels, count = u.shape[1], len(u)
        response = torch.linalg.solve(_covariance(u), u @ z.T / pixels).T
        misfit = z - response @ u
        spare = max(pixels - count, 1) / pixels
        guide_noise = misfit @ misfit.T / pixels / spare
        guide_noise += torch.diag(1e2 * LEAST * z.square().mean(1) + NOTHING)
        powers, bands = u.square().mean(1), int(good.sum())
        left_out = (centred - basis @ u).square().sum() / pixels
        signal = min(count, math.ceil(SIGNAL * bands))
        noise = (left_out + powers[signal:].sum()) / max(bands - signal, 1)
        noise = noise.clamp_min(max(float(LEAST * u.square().mean()), NOTHING))
        prior = _covariance(basis.T @ (level.lost * good[:, None]))
        heard = torch.linalg.solve(guide_noise, response).T
        precision = heard @ response + torch.linalg.inv(prior)
        covariance = torch.linalg.inv((precision + precision.T) / 2)
        covariance = (covariance + covariance.T) / 2
        values, directions = torch.linalg.eigh((precision + precision.T) / 2)
        fitted = (
            mean,
            basis,
            guide_mean,
            response,
            covariance @ heard,
            torch.linalg.solve(prior, covariance).T,
            directions,
            noise * values.clamp_min(NOTHING),
            covariance,
        )
        return cls(*(tensor.float() for tensor in fitted))

    def components(self, bands: Tensor) -> Tensor:
        """Bands (B, H, W) → (K, H, W)."""
        centre = self.basis.T @ self.mean
        return torch.einsum("bk,bhw->khw", self.basis, bands) - centre[:, None, None]

    def bands(self, components: Tensor) -> Tensor:
        """Components (K, H, W) → (B, H, W)."""
        return torch.einsum("bk,khw->bhw", self.basis, components) + self.mean[:, None, None]

    def estimate(self, coarse: Tensor, guide: Tensor, look: Observation) -> Tensor:
        """Coarse (B, h, w) and guide (b, H, W) → the posterior mean's bands (B, H, W), in DN.

        What of the observed image lies outside the components is added interpolated. What lies in
        them is not forced to agree with it: noise would be taken for signal.
        """
        observed = self.components(coarse)
        centred = guide - self.guide_mean[:, None, None]
        mean = torch.einsum("kb,bhw->khw", self.heard, centred)
        mean += torch.einsum("kj,jhw->khw", self.kept, look.up(observed))
        missed = torch.einsum("jk,jhw->khw", self.directions, observed - look.down(mean))
        share = torch.einsum("jk,khw->jhw", self.directions, solved(missed, self.weights, look))
        image = self.bands(mean + look.down_rows.T @ share @ look.down_cols)
        missing = coarse - look.down(image)
        inside = self.basis @ (self.basis.T @ missing.flatten(1))
        return image + look.up(missing - inside.view_as(missing))


def solved(missed: Tensor, weights: Tensor, look: Observation) -> Tensor:
    """(D Dᵀ + weight)⁻¹ of every component of `missed` (K, h, w); weights: (K,)."""
    rows, cols = look.down_rows.double(), look.down_cols.double()
    row_values, row_vectors = torch.linalg.eigh(rows @ rows.T)
    col_values, col_vectors = torch.linalg.eigh(cols @ cols.T)
    turned = row_vectors.T @ missed.double() @ col_vectors
    observed = torch.outer(row_values, col_values).clamp_min(0.0)
    turned /= observed + weights.double()[:, None, None]
    return (row_vectors @ turned @ col_vectors.T).to(missed.dtype)


def _principal(centred: Tensor) -> Tensor:
    """Samples (B, n) → their principal directions (B, K), each with its largest entry positive."""
    pixels = centred.shape[1]
    powers, vectors = (
        part.flip(-1) for part in torch.linalg.eigh(centred @ centred.T / max(pixels, 1))
    )
    felt = int((powers > LEAST_POWER * powers[0].clamp_min(NOTHING)).sum())
    return signed(vectors[:, : max(1, min(COMPONENTS, felt, pixels - 1))])


def _covariance(samples: Tensor) -> Tensor:
    """(K, K) of samples (K, n) about zero, made invertible."""
    found = samples @ samples.T / max(samples.shape[1], 1)
    found.diagonal().add_(LEAST * max(float(found.diagonal().mean()), NOTHING))
    return found
