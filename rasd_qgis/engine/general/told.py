"""What the network is told of a tile, component by component, and how its answer is read.

One component of the start image goes in at a time, so that the same weights serve any number of
bands. Beside it stand what every closed form, and the guide where it was not believed, would change
in that component, all in errors expected of the start; the guide's leading components; how much
the forms disagree; and what the study knows. The answer is a weight for each of these changes, a
change of the network's own, and the logarithm of the error that is left. All are bounded.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..sensors.observe import Observation
from .forms import NAMES
from .registration import moved
from .study import FACTS as OF_STUDY
from .study import GUIDE, Study

# Changes that are weighed: the closed forms', and that which the guide asks for.
CHANGES = len(NAMES) + 1
# The network's channels: its own change, a weight a change, and the error that is left.
ANSWER = 1 + CHANGES + 1
# Shared by all components: the guide, its detail, three disagreements, and the brightness.
SHARED = 2 * GUIDE + 3 + 1
# What the study knows of a component.
FACTS = len(NAMES) + OF_STUDY
CHANNELS = CHANGES + SHARED + FACTS
# Bounds of what is told, in expected errors, in spreads of the image, and in those of the guide.
MOST_CHANGE, MOST_IMAGE, MOST_GUIDE = 8.0, 10.0, 6.0
# Bounds of the answer: the change of its own, a weight, and the logarithm of the error.
MOST_OWN, MOST_WEIGHT, MOST_LOG = 3.0, 1.5, 3.0
# Of the usual brightness: darker pixels are told as this dark.
DARKEST = 1e-2


class Told(NamedTuple):
    """start: (B, H, W) in DN. image: (k, H, W) its components in spreads. changes: (k, CHANGES, H,
    W) in expected errors. shared: (SHARED, H, W). facts: (k, FACTS).
    """

    start: Tensor
    image: Tensor
    changes: Tensor
    shared: Tensor
    facts: Tensor

    def of(self, component: int) -> tuple[Tensor, Tensor]:
        """A component as the network takes it: (1, ANSWER, H, W) and (1, CHANNELS, H, W)."""
        return given(
            self.image[component][None],
            self.changes[component][None],
            self.shared[None],
            self.facts[component][None],
        )


def given(image: Tensor, changes: Tensor, shared: Tensor, facts: Tensor) -> tuple[Tensor, Tensor]:
    """N components as the network takes them: (N, H, W), (N, CHANGES, H, W), (N, SHARED, H, W)
    and (N, FACTS) → (N, ANSWER, H, W) and (N, CHANNELS, H, W).
    """
    empty = torch.zeros_like(image[:, None]).expand(-1, ANSWER - 1, -1, -1)
    known = facts[:, :, None, None].expand(-1, -1, *image.shape[1:])
    return torch.cat((image[:, None], empty), 1), torch.cat((changes, shared, known), 1)


def tell(study: Study, coarse: Tensor, guide: Tensor, look: Observation) -> Told:
    """Coarse (B, h, w) and guide (b, H, W), in DN, without holes; the guide where it lies."""
    guide = moved(guide, study.move)
    start = study.start(coarse, guide, look)
    posterior = study.forms.posterior
    components = posterior.components(start)
    onto = study.basis / (study.unit[:, None] * study.error)
    turned = onto.T @ posterior.basis
    centred = guide - posterior.guide_mean[:, None, None]
    disbelieved = centred - torch.einsum("bk,khw->bhw", posterior.response, components)
    asked = torch.einsum("kb,bhw->khw", posterior.heard, disbelieved)
    here = torch.einsum("kj,jhw->khw", turned, components)
    forms = study.forms.images(coarse, guide, look, turned)
    wanted = [image.sub_(here) for image in forms]
    wanted.append(torch.einsum("kj,jhw->khw", turned, asked))
    changes = torch.stack(wanted, 1).clamp_(-MOST_CHANGE, MOST_CHANGE)
    scaled = study.basis / (study.unit[:, None] * study.contrast)
    image = torch.einsum("bk,bhw->khw", scaled, start - study.mean[:, None, None])
    facts = torch.cat((study.track, study.facts), 1)
    return Told(
        start,
        image.clamp(-MOST_IMAGE, MOST_IMAGE),
        changes,
        _shared(study, start, centred, changes, look),
        facts,
    )


def _shared(
    study: Study, start: Tensor, centred: Tensor, changes: Tensor, look: Observation
) -> Tensor:
    leading = torch.einsum("cb,bhw->chw", study.leading, centred)
    detail = leading - look.up(look.down(leading))
    shown = torch.cat((leading, detail / study.detail_spread[:, None, None]))
    # cubic, linear and smooth: the most unlike of the forms.
    apart = changes[:, (0, 1, 3)].square().mean(0).sqrt()
    bright = brightness(study, start).clamp_min(DARKEST).log()
    return torch.cat((shown.clamp(-MOST_GUIDE, MOST_GUIDE), apart, bright[None]))


def brightness(study: Study, image: Tensor) -> Tensor:
    """(H, W): the length of each spectrum of (B, H, W), in the usual one's; no bad bands."""
    return image[study.unit.isfinite()].square().sum(0).sqrt() / study.brightness


def answered(image: Tensor, changes: Tensor, answer: Tensor) -> tuple[Tensor, Tensor]:
    """The network's answer (N, ANSWER, H, W) read: the residual (N, H, W) in expected errors, and
    the logarithm of the mean absolute error that is left, alike.

    image: (N, H, W), which the network's first channel grew from; changes: (N, CHANGES, H, W).
    """
    own = _bounded(answer[:, 0] - image, MOST_OWN)
    weights = _bounded(answer[:, 1:-1], MOST_WEIGHT)
    return own + (weights * changes).sum(1), _bounded(answer[:, -1], MOST_LOG)


def _bounded(value: Tensor, most: float) -> Tensor:
    """Between -most and most, and the same near 0."""
    return most * torch.tanh(value / most)
