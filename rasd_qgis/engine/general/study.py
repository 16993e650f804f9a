"""Study: all that a survey tells of a pair before any tile of it is fused.

The closed forms fitted to it; the components in which the network works; and how well every closed
form did one scale down, where the answer is known. Nothing in it depends on sensors, numbers of
bands or units: components are directions in which the start image is expected to be wrong, after
the covariance of its posterior and of its error one scale down, in units of that error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...contract.errors import InputError
from ..rasters.grid import Axis
from ..scene.normalise import signed
from ..scene.survey import Block
from ..sensors.observe import Observation
from .forms import NAMES, Forms
from .posterior import NOTHING
from .registration import registered
from .samples import Level, Lower, below, level_of, lower_of, spread

COMPONENTS = 12
# Principal components of the guide that the network is shown.
GUIDE = 3
# What is told of a component beside the forms' errors.
FACTS = 5
# A band's unit is never less than this share of its own spread.
LEAST_MISS = 1e-3
# A component's expected error, of the largest possible, below which it is rounding.
LEAST_ERROR = 1e-6
# Natural logarithms of a form's error, in errors of the start, beyond which none is told.
MOST_TRACK = 2.0
# Bands with fewer negative values than this share of them hold a radiance or reflectance.
NEGATIVE = 0.01
# Pixels of a survey beyond which their number is not told: training saw no more.
MOST_PIXELS = 5000
# Stands for no bound.
UNBOUNDED = -3e38


@dataclass(frozen=True)
class Study:
    """float32. B bands, b guide bands, k components, F closed forms; values in DN.

    mean, unit: (B,), of a band, and its expected error; bad bands have an infinite unit.
    basis: (B, k) orthonormal. error, contrast: (k,) expected error of the start and spread of the
    image, in units. rest: (B,) expected error outside the components, in units. floor: (B,) the
    least value. track: (k, F) log of a form's error one scale down over the start's. facts: (k,
    FACTS). leading: (3, b) of the centred guide, detail_spread: (3,). brightness: () rms of a
    spectrum in bands of finite unit. move: (2,), by which `registration` moves the guide.
    trust: (), the share of the network's changes that is taken, 1 until `proof` says otherwise.
    """

    forms: Forms
    mean: Tensor
    unit: Tensor
    basis: Tensor
    error: Tensor
    contrast: Tensor
    rest: Tensor
    floor: Tensor
    track: Tensor
    facts: Tensor
    leading: Tensor
    detail_spread: Tensor
    brightness: Tensor
    move: Tensor
    trust: Tensor

    @classmethod
    def of(
        cls,
        blocks: list[Block],
        rows: Axis,
        cols: Axis,
        sigma: float,
        good: Tensor,
    ) -> Study:
        """Fit to a survey, its guide registered first. sigma: of the PSF, coarse pixels; good: (B,)
        bool, bands that count. InputError where values are beyond computing.
        """
        blocks, move = registered(spread(blocks), good)
        level, lower = level_of(blocks, rows, cols, sigma), lower_of(blocks, rows, cols, sigma)
        forms = Forms.of(level, good)
        low = Forms.of(level_of(below(lower), rows, cols, sigma), good)
        floor = _floor(level.bands)
        missed = [_start_error(low, part, floor) for part in lower]
        unit, basis, powers = _components(forms, torch.cat(missed, 1), level, good)
        error = powers[: basis.shape[1]].clamp_min(LEAST_ERROR).sqrt()
        onto = basis / unit[:, None]
        image = onto.T @ (level.bands - level.bands.mean(1, keepdim=True)).float()
        contrast = image.std(1, correction=0).clamp_min(1e-6)
        track = _track(low, lower, onto, missed)
        ratio = math.log2(math.sqrt(rows.ratio * cols.ratio)) - 2
        facts = torch.stack(
            (
                (error / contrast).clamp_min(1e-6).log(),
                torch.full_like(error, ratio),
                _guide_misfit(forms, level).expand_as(error) / 3 + 1,
                error.log(),
                torch.full_like(error, _told_pixels(level)),
            ),
            1,
        )
        leading = _leading(level.varied_guide)
        details = torch.cat([_detail(leading, part) for part in lower], 1)
        rest = (1 - (basis**2) @ powers[: basis.shape[1]]).clamp_min(0.0).sqrt()
        return cls(
            forms,
            level.bands.mean(1).float(),
            unit,
            basis,
            error,
            contrast,
            torch.where(unit.isfinite(), rest, 0.0),
            floor,
            track,
            facts,
            leading,
            details.square().mean(1).sqrt().clamp_min(1e-6),
            level.bands[unit.isfinite()].square().sum(0).mean().sqrt().clamp_min(1e-9).float(),
            move,
            torch.ones(()),
        )

    def start(self, coarse: Tensor, guide: Tensor, look: Observation) -> Tensor:
        """Coarse (B, h, w) and guide (b, H, W) → the image that the network starts from."""
        estimate = self.forms.posterior.estimate(coarse, guide, look)
        return torch.maximum(estimate, self.floor[:, None, None])

    def in_errors(self, difference: Tensor) -> Tensor:
        """A difference (B, H, W) in DN → components (k, H, W), in expected errors."""
        onto = self.basis / (self.unit[:, None] * self.error)
        return torch.einsum("bk,bhw->khw", onto, difference)

    def in_dn(self, residual: Tensor) -> Tensor:
        """Components (k, H, W) in expected errors → a difference (B, H, W); zero in bad bands."""
        units = torch.where(self.unit.isfinite(), self.unit, 0.0)
        back = self.basis * units[:, None] * self.error
        return torch.einsum("bk,khw->bhw", back, residual)


def _told_pixels(level: Level) -> float:
    """How many pixels all was fitted to: of a few, what is known of errors is known badly."""
    return math.log10(min(level.bands.shape[1], MOST_PIXELS)) - 2


def too_large() -> InputError:
    """The error where values lead beyond all numbers."""
    return InputError(
        "The layers hold values too large to compute with, perhaps nodata that is not declared.",
        "Set the nodata values of both layers.",
    )


def _floor(bands: Tensor) -> Tensor:
    """(B,) the least value of each band: 0 where values are hardly ever negative."""
    negative = (bands < 0).double().mean(1)
    return torch.where(negative < NEGATIVE, 0.0, UNBOUNDED).float()


def _start_error(low: Forms, part: Lower, floor: Tensor) -> Tensor:
    """(B, n) what the start misses of a block, one scale down."""
    start = low.posterior.estimate(part.bands, part.guide, part.look)
    return (part.truth - torch.maximum(start, floor[:, None, None]))[:, part.valid]


def _components(
    forms: Forms, missed: Tensor, level: Level, good: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Units (B,), basis (B, k), and the powers of all directions, largest first, in units."""
    posterior = forms.posterior
    basis, covariance = posterior.basis.double(), posterior.covariance.double()
    expected = basis @ covariance @ basis.T
    expected += missed.double() @ missed.double().T / max(missed.shape[1], 1)
    if not bool(expected.isfinite().all()):
        raise too_large()
    spread_of = level.bands.std(1, correction=0)
    unit = expected.diagonal().sqrt().maximum(LEAST_MISS * spread_of).clamp_min(NOTHING)
    unit = torch.where(good & (spread_of > 0), unit, torch.inf)
    scaled = expected / unit[:, None] / unit
    powers, vectors = (part.flip(-1) for part in torch.linalg.eigh(scaled))
    vectors = signed(vectors[:, : max(1, min(COMPONENTS, int(unit.isfinite().sum())))])
    return unit.float(), vectors.float(), powers.clamp_min(0.0).float()


def _track(low: Forms, lower: list[Lower], onto: Tensor, missed: list[Tensor]) -> Tensor:
    """(k, F): the log of every form's error one scale down, over the start's."""
    own = (onto.T @ torch.cat(missed, 1)).square().mean(1).sqrt().clamp_min(1e-6)
    turn, black = onto.T @ low.posterior.basis, onto.T @ low.posterior.mean
    errors: list[list[Tensor]] = [[] for _ in NAMES]
    for part in lower:
        truth = onto.T @ part.truth[:, part.valid] - black[:, None]
        images = low.images(part.bands, part.guide, part.look, turn)
        for found, image in zip(errors, images):
            found.append(truth - image[:, part.valid])
    of_forms = [torch.cat(found, 1).square().mean(1).sqrt() for found in errors]
    shares = torch.stack(of_forms, 1).clamp_min(1e-6) / own[:, None]
    return shares.log().clamp(-MOST_TRACK, MOST_TRACK)


def _guide_misfit(forms: Forms, level: Level) -> Tensor:
    """The log of the share of the guide's power that the hyperspectral image does not explain."""
    posterior = forms.posterior
    u = posterior.basis.double().T @ (level.bands - level.bands.mean(1, keepdim=True))
    z = level.varied_guide
    left = (z - posterior.response.double() @ u).square().sum()
    # As many values as there are components were fitted, not predicted.
    left *= u.shape[1] / max(u.shape[1] - len(u), 1)
    return (left / z.square().sum().clamp_min(NOTHING)).clamp(1e-8, 1.0).log().float()


def _leading(centred: Tensor) -> Tensor:
    """(3, b): the principal components of a centred guide (b, n), standardised, of unit spread."""
    deviation = centred.square().mean(1).sqrt()
    deviation = torch.where(deviation > 0, deviation, torch.inf)
    scaled = centred / deviation[:, None]
    _, vectors = torch.linalg.eigh(scaled @ scaled.T / scaled.shape[1])
    vectors = signed(vectors.flip(1)[:, :GUIDE])
    found = (vectors / deviation[:, None]).T
    found = found / (found @ centred).square().mean(1).sqrt().clamp_min(1e-3)[:, None]
    missing = torch.zeros(GUIDE - len(found), found.shape[1], dtype=found.dtype)
    return torch.cat((found, missing)).float()


def _detail(leading: Tensor, part: Lower) -> Tensor:
    """(3, n): what of the guide's leading components is lost one scale down."""
    shown = torch.einsum("cb,bhw->chw", leading, part.guide)
    return (shown - part.look.up(part.look.down(shown)))[:, part.valid]
