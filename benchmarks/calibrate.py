"""Calibration: how much wider than told the interval must be that holds the truth in nine of ten.

The network tells of every component the error it expects to leave; on worlds over scenes kept out
of training the same share of errors should lie within nine tenths' width of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..models import RASDFuNet
from ..rasd_qgis.engine.general.lessons import Crops
from ..rasd_qgis.engine.general.network import LAPLACE, NINETY
from ..rasd_qgis.engine.general.told import answered

SHARE = 0.9
RATIO = 0.5


@torch.no_grad()
def calibrated(network: RASDFuNet, kept_out: Sequence[Crops]) -> Tensor:
    """(2,): factors of the error inside the components, and of that outside them."""
    errors = []
    for crops in kept_out:
        answer = network(crops.start, crops.guide, RATIO).image
        residual, log = answered(crops.image.flatten(0, 1), crops.changes.flatten(0, 1), answer)
        missed = (residual.view_as(crops.answer) - crops.answer).abs()
        told = LAPLACE**0.5 * log.view_as(crops.answer).exp()
        inside = crops.weight[:, None].expand_as(missed) > 0
        errors.append((missed / told)[inside])
    inside_factor = torch.cat(errors).quantile(SHARE) / NINETY
    return torch.stack((inside_factor, torch.ones(())))
