"""Doubts: where a pair is unlike all that the general network was trained on, in words.

Each is a sentence on what was found, what it means for the result, and what may help. Where they
hold, the uncertainty that the network tells is not to be relied on either.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..rasters.align import Alignment
from ..scene.survey import Block
from .registration import placed
from .study import Study

# The network was trained at ratios up to 8; beyond this a run says so.
MOST_RATIO = 12.0
# Hyperspectral pixels below which what is told of errors hangs on too few: on 25 of them the stated
# interval held half of the values, on 100 more than eight in ten.
FEW_PIXELS = 100
# Bands so far beyond those of the guide, in nm, are not covered by it.
FAR = 200.0
# A pixel is odd where the guide is off what is expected of it by so many usual misses, which are
# never less than a share of the usual contrast: at its edges a scene is seen less well.
ODD, ODD_SHARE = 10.0, 0.02
LEAST_USUAL = 0.1
# Of the guide's variation, what the hyperspectral image explains at least.
LEAST_EXPLAINED = 0.5


def doubts(study: Study, blocks: list[Block], pair: Alignment) -> list[str]:
    """The sentences, none where the pair is as usual. blocks: of its survey."""
    waves = pair.hs.spectral.wavelengths, pair.ms.spectral.wavelengths
    ratio = max(pair.rows.ratio, pair.cols.ratio)
    found = [_uncovered(*waves), _unlike(study, blocks)]
    if ratio > MOST_RATIO:
        found.append(
            f"The hyperspectral pixels are {ratio:.1f} guide pixels wide, more than "
            f"{MOST_RATIO:g}, and the bundled model was trained up to 8; fine detail is largely "
            "the guide's. A guide of a coarser sensor would be safer."
        )
    pixels = sum(int(block.valid.sum()) for block in blocks)
    if pixels < FEW_PIXELS:
        found.append(
            f"Only {pixels} hyperspectral pixels are valid in both layers, so the uncertainty is "
            "told too small. Fuse a larger extent to know more of it."
        )
    return [sentence for sentence in found if sentence]


def _uncovered(bands: Sequence[float | None], guide: Sequence[float | None]) -> str:
    """That the guide sees nothing near some bands."""
    centres = [wave for wave in guide if wave is not None]
    if not centres or len(centres) < len(guide):
        return ""
    known = [wave for wave in bands if wave is not None]
    far = [wave for wave in known if not min(centres) - FAR <= wave <= max(centres) + FAR]
    if not far:
        return ""
    return (
        f"{len(far)} of {len(bands)} hyperspectral bands ({min(far):.0f} to {max(far):.0f} nm) lie "
        f"more than {FAR:.0f} nm beyond those of the guide; their detail is inferred from bands "
        "that need not look alike. Take a guide that sees there, or use them with care."
    )


def _unlike(study: Study, blocks: list[Block]) -> str:
    """That the two images show different things, in places or altogether."""
    posterior = study.forms.posterior
    bands = torch.cat([block.bands[:, block.valid] for block in blocks], 1)
    lying = [placed(block, study.move) for block in blocks]
    guide = torch.cat([block.guide[:, block.valid] for block in lying], 1)
    components = posterior.components(bands[:, :, None])[:, :, 0]
    centred = guide - posterior.guide_mean[:, None]
    missed = centred - posterior.response @ components
    odd = float(_odd(missed, centred).float().mean())
    if odd > ODD_SHARE:
        return (
            f"In {100 * odd:.0f} % of the pixels the two images show something different, as a "
            "cloud, its shadow, water or fields that changed do; there the fused spectra cannot be "
            "relied on. Mask such places, or choose images of closer dates."
        )
    explained = 1 - float(missed.square().sum() / centred.square().sum().clamp_min(1e-30))
    if explained < LEAST_EXPLAINED:
        share = 100 * max(explained, 0.0)
        return (
            f"The hyperspectral image explains only {share:.0f} % of the guide's variation: the "
            "layers may be of different ground, dates or seasons, or displaced. Check that they "
            "show the same."
        )
    return ""


def _odd(missed: Tensor, centred: Tensor) -> Tensor:
    """(n,) bool: whether a pixel's difference (b, n) is far beyond the usual one in any band of the
    guide, which varies like `centred` (b, n). Medians, as a cloud spoils every mean.
    """
    usual = missed.abs().median(1, keepdim=True).values
    varying = (
        (centred - centred.median(1, keepdim=True).values).abs().median(1, keepdim=True).values
    )
    return (missed.abs() > ODD * torch.maximum(usual, LEAST_USUAL * varying).clamp_min(1e-12)).any(
        0
    )
