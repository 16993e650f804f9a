"""The general network at work on a pair: its weights, the pair's study, and its answer on a tile.

Components go through the network one by one and come back as one residual; what of it the
hyperspectral sensor would have seen is taken off again. Its confidence is the components' mean,
each counting as much as error is expected in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ....models import Fused, RASDFuNet, routing_maps
from ..scene.graphs import Graphs
from ..scene.network import FusedTile, RoutedTile, beyond_numbers
from ..scene.tile import Tile
from .forms import Forms
from .posterior import Posterior
from .registration import moved
from .study import Study, too_large
from .told import Told, answered, brightness, tell

# Of the usual brightness: darker pixels are changed by less, as errors grow with light. Measured:
# EnMAP's water at x4 gains 0.04 dB and 0.6 to 0.9 degrees, five other scenes keep theirs.
DARK = 0.1
# Of a Laplace distribution's scale: its standard deviation, squared.
LAPLACE = 2.0
# Standard deviations that hold 90 % of a normal distribution.
NINETY = 1.645

_PARTS: dict[str, type] = {"forms": Forms, "posterior": Posterior}
Part = TypeVar("Part", bound="Study | Forms | Posterior")


@dataclass(frozen=True)
class GeneralNetwork:
    """network: its weights serve any pair. study: of the pair at hand, None before there is one.

    calibration: (2,) factors of the error that the network tells, and of that outside components.
    """

    network: RASDFuNet
    calibration: Tensor
    study: Study | None = None
    graphs: Graphs | None = None

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.calibration.device

    def to(self, device: torch.device) -> GeneralNetwork:
        """The same on that device."""
        study = None if self.study is None else _moved(self.study, device)
        return replace(
            self,
            network=self.network.to(device),
            calibration=self.calibration.to(device),
            study=study,
        )

    def tensors(self) -> dict[str, Tensor]:
        """All that its pixels hang on, by name."""
        named = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        named["calibration"] = self.calibration
        return named if self.study is None else named | dict(_named("study.", self.study))

    def seen(self, bands: Tensor) -> Tensor:
        """Bands (B, H, W) as the guide's sensor would see them, where it is: (b, H, W), its DN."""
        posterior = self.fitted.forms.posterior
        components = posterior.components(bands)
        seen = torch.einsum("bk,khw->bhw", posterior.response, components)
        return moved(seen + posterior.guide_mean[:, None, None], -self.fitted.move)

    def fuse(self, tile: Tile, ratio: float, auto: bool = False) -> FusedTile:
        """Fuse a tile at a routing ratio of 0…1; auto: as `RASDFuNet.forward` takes it."""
        study, told = self.fitted, tell(self.fitted, tile.coarse, tile.guide, tile.look)
        if not all(bool(part.isfinite().all()) for part in told):
            raise too_large()
        residuals, logs, confidence, share = [], [], torch.zeros(()), 0.0
        for number, weight in enumerate(self._weights()):
            fused = self._predict(told, number, ratio, auto)
            residual, log = answered(
                told.image[number][None], told.changes[number][None], fused.image
            )
            residuals.append(residual)
            logs.append(log)
            confidence = confidence.to(weight) + weight * fused.confidence[0]
            share += float(weight) * fused.low_rank_share
        lit = (brightness(study, told.start) / DARK).clamp(max=1.0)
        # In place: with hundreds of bands, each image of them is a large part of all memory.
        bands = study.in_dn(torch.cat(residuals)).mul_(lit * study.trust)
        bands = bands.sub_(tile.look.up(tile.look.down(bands))).add_(told.start)
        bands = torch.maximum(bands, study.floor[:, None, None], out=bands)
        confidence = torch.cat((confidence.mean(0, keepdim=True), confidence)).clamp_max(1.0)
        if not bool(bands.isfinite().all() and confidence.isfinite().all()):
            raise beyond_numbers()
        spread = self._spread(torch.cat(logs))
        return FusedTile(bands, told.start, confidence, min(share, 1.0), spread)

    def route(self, tile: Tile, ratio: float) -> RoutedTile:
        """The confidence of a tile at a routing ratio of 0…1, and the branch that its points take
        in most components, each counting as in the confidence.
        """
        told = tell(self.fitted, tile.coarse, tile.guide, tile.look)
        height, width = told.image.shape[1:]
        multiple = self.network.tiling.multiple
        padding = (0, -width % multiple, 0, -height % multiple)
        padded = told._replace(
            image=F.pad(told.image[None], padding, mode="replicate")[0],
            changes=F.pad(told.changes, padding, mode="replicate"),
            shared=F.pad(told.shared[None], padding, mode="replicate")[0],
        )
        confidence, routed = torch.zeros(()), torch.zeros(())
        for number, weight in enumerate(self._weights()):
            stages = self._predict(padded, number, ratio, False).confidence
            confidence = confidence.to(weight) + weight * stages[0]
            routed = routed.to(weight) + weight * routing_maps(stages, ratio)[0].float()
        confidence = torch.cat((confidence.mean(0, keepdim=True), confidence))
        confidence = confidence.clamp_max(1.0)
        return RoutedTile(confidence[:, :height, :width], routed[:, :height, :width] > 0.5)

    @property
    def fitted(self) -> Study:
        """The study; ValueError where there is none."""
        if self.study is None:
            raise ValueError("the network has no study of a pair yet")
        return self.study

    def _weights(self) -> Tensor:
        """(k,): how much of the expected error lies in each component, summing to 1."""
        powers = self.fitted.error.square()
        return powers / powers.sum()

    def _predict(self, told: Told, number: int, ratio: float, auto: bool) -> Fused:
        """The network's answer on a component; a small tile is repeated outwards and cut."""
        start, guide = told.of(number)
        height, width = start.shape[2:]
        least = self.network.tiling.least
        room = (0, max(0, least - width), 0, max(0, least - height))
        if any(room):
            start, guide = (F.pad(image, room, mode="replicate") for image in (start, guide))
        fused = (self.graphs or self.network)(start, guide, ratio, auto)
        return fused._replace(
            image=fused.image[..., :height, :width],
            confidence=fused.confidence[..., :height, :width],
        )

    def _spread(self, logs: Tensor) -> Tensor:
        """(B, H, W), in DN: half the width of the interval that holds the truth in 9 of 10 pixels.

        logs: (k, H, W), the logarithms of the errors that the network expects of its answer.
        """
        study = self.fitted
        inside, outside = self.calibration
        powers = LAPLACE * (logs.exp() * study.error[:, None, None] * inside).square()
        variance = torch.einsum("bk,khw->bhw", study.basis.square(), powers)
        variance += (outside * study.rest).square()[:, None, None]
        unit = torch.where(study.unit.isfinite(), study.unit, torch.nan)
        return variance.sqrt_().mul_(NINETY).mul_(unit[:, None, None])


def study_of(tensors: dict[str, Tensor]) -> Study | None:
    """The study among a file's tensors, None where there is none; KeyError of a broken one."""
    if not any(key.startswith("study.") for key in tensors):
        return None
    return _built(Study, "study.", tensors)


def _named(prefix: str, part: Any) -> Iterator[tuple[str, Tensor]]:
    for field in fields(part):
        value = getattr(part, field.name)
        if is_dataclass(value):
            yield from _named(f"{prefix}{field.name}.", value)
        else:
            yield prefix + field.name, value


def _built(kind: type[Part], prefix: str, tensors: dict[str, Tensor]) -> Part:
    made = {
        field.name: _built(_PARTS[field.name], f"{prefix}{field.name}.", tensors)
        if field.name in _PARTS
        else tensors[prefix + field.name]
        for field in fields(kind)
    }
    return kind(**made)


def _moved(part: Part, device: torch.device) -> Part:
    made = {}
    for field in fields(part):
        value = getattr(part, field.name)
        # Laid out as files hold it: the layout decides how sums round.
        is_tensor = isinstance(value, Tensor)
        made[field.name] = value.to(device).contiguous() if is_tensor else _moved(value, device)
    return type(part)(**made)
