"""Model files: safetensors whose header carries a card, and nothing that could run.

The card says what the network is for (bands, wavelengths, ratio, PSF) and how it came about (seed,
steps, figures). A file is refused, with a sentence, where it is no model of ours or its tensors are
not those the card describes; a pair is refused where the model was made for another one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Union

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ....models import RASDConfig, RASDFuNet
from ....models.multiscale import SCALE
from ...contract.errors import ModelFileError, OutputError
from ..general.network import GeneralNetwork, study_of
from ..general.shapes import check_study
from ..general.told import ANSWER, CHANNELS
from ..rasters import durable
from ..rasters.align import Alignment
from ..scene.checkpoint import under
from ..scene.network import SceneNetwork
from ..scene.normalise import Units
from ..scene.start import SCENE, STARTS, guide_channels

# A model of a run: for one scene or sensor, or for any pair.
Model = Union[SceneNetwork, GeneralNetwork]
# The start, on a card, of a network for any pair: see `general`.
ANY = "any"
FORMAT = "rasd-fusion-model-1"
# Far above any model of ours (4 MB), far below what would fill a memory.
MOST_BYTES = 256 * 2**20
# Characters of a card, which goes into the tags of every output.
MOST_CARD = 2**20
# How far the ratio of a pair may be from the model's, and a band's wavelength (nm) from its own.
RATIO_TOLERANCE = 0.05
WAVELENGTH_TOLERANCE = 5.0
# The PSF's greatest, in coarse pixels, as in a request.
MOST_SIGMA = 10.0
_DIVISORS = ("units.miss", "units.component_spread", "units.guide_spread", "units.detail_spread")
# In bad bands.
_INFINITE = ("units.miss", "study.unit")
_ADVICE = "Choose a .safetensors file that RASD Fusion wrote."


@dataclass(frozen=True)
class Card:
    """What a model was made for, and how.

    ratio: (rows, columns) fine pixels to a coarse one. psf_sigma: in coarse pixels. wavelengths:
    nm, None where unknown. figures: what was measured while training. start: what the network
    grows from, one of `start.STARTS`, or ANY: then the rest tells of the pair it was last fitted
    to, if there was one. recipe: how it was trained, where that was not on the scene.
    """

    shape: dict[str, int]
    hs_bands: int
    guide_bands: int
    wavelengths: list[float | None]
    ratio: list[float]
    psf_sigma: float
    seed: int
    steps: int
    figures: dict[str, float]
    made_by: dict[str, str]
    start: str = SCENE
    recipe: dict[str, Any] = field(default_factory=dict)

    def refuse_other(self, pair: Alignment) -> None:
        """Raise ModelFileError where the pair is not one the model was made for."""
        if self.start == ANY:
            return
        for side, name, has, wants in (
            ("hyperspectral", pair.hs.name, pair.hs.count, self.hs_bands),
            ("multispectral", pair.ms.name, pair.ms.count, self.guide_bands),
        ):
            if has != wants:
                raise _misfit(f"The model was made for {wants} {side} bands, but {name} has {has}.")
        ratio = pair.rows.ratio, pair.cols.ratio
        if any(abs(has / want - 1) > RATIO_TOLERANCE for has, want in zip(ratio, self.ratio)):
            raise _misfit(
                f"The model was made for hyperspectral pixels of {_size(self.ratio)} guide pixels, "
                f"but here they are {_size(ratio)}."
            )
        self._refuse_wavelengths(pair)

    def _refuse_wavelengths(self, pair: Alignment) -> None:
        for band, (has, want) in enumerate(zip(pair.hs.spectral.wavelengths, self.wavelengths), 1):
            if has is not None and want is not None and abs(has - want) > WAVELENGTH_TOLERANCE:
                raise _misfit(
                    f"The model's band {band} is at {want:.1f} nm, "
                    f"but that of {pair.hs.name} at {has:.1f} nm."
                )


def write_model(path: str, run_id: str, model: Model, card: Card) -> None:
    """Write a model file; it appears under its name only when whole, or OutputError is raised."""
    target = Path(path)
    part = target.with_name(f".{target.stem}.rasd-{run_id}.part.safetensors")
    try:
        part.write_bytes(model_bytes(model, card))
        durable.replace(part, target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(
            f"The model file {target.name} cannot be written ({error.strerror or error}).",
            "Choose another folder, or free space there.",
        ) from error


def read_model(path: str) -> tuple[Model, Card]:
    """Read a model file; ModelFileError where it is not one."""
    name = Path(path).name
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise ModelFileError(f"{name} is no file.", _ADVICE)
        if os.path.getsize(path) > MOST_BYTES:
            raise ModelFileError(f"The file {name} is too large for a model.", _ADVICE)
        with safe_open(path, framework="pt") as file:
            card = _card((file.metadata() or {}).get("card", ""), name)
            # Cloned, as sums round by where in memory a tensor begins, and a file packs them.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118  # no dict
    except ModelFileError:
        raise
    except (OSError, ValueError) as error:
        raise ModelFileError(f"The model file {name} cannot be read ({error}).", _ADVICE) from error
    except SafetensorError as error:
        raise ModelFileError(f"The file {name} is not a model file.", _ADVICE) from error
    return _assembled(tensors, card, name), card


def model_hash(model: Model) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of all tensors, by name."""
    digest = hashlib.sha256()
    for key, tensor in sorted(_tensors(model).items()):
        digest.update(key.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]


def _tensors(model: Model) -> dict[str, Tensor]:
    """Every tensor of a model, on the CPU and contiguous, under its name in the file."""
    return {key: value.detach().cpu().contiguous() for key, value in model.tensors().items()}


def model_bytes(model: Model, card: Card) -> bytes:
    """What a model file holds."""
    header = {"format": FORMAT, "card": json.dumps(asdict(card), allow_nan=False)}
    return save(_tensors(model), header)


def _card(text: str, name: str) -> Card:
    try:
        if len(text) > MOST_CARD:
            raise ValueError("the card is too long")
        return Card(**json.loads(text, parse_constant=_no_number))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"The file {name} has no card of RASD Fusion.", _ADVICE) from error


def _no_number(word: str) -> None:
    """Python's JSON reads NaN and infinities, which no card of ours holds."""
    raise ValueError(f"{word} on a card")


def _assembled(tensors: Mapping[str, Tensor], card: Card, name: str) -> Model:
    """The model of a file's tensors; ModelFileError where they are not the ones it needs."""
    try:
        _check_card(card)
        _check_values(tensors)
        network = _network(RASDConfig.from_dict(card.shape), under(tensors, "network."))
        if card.start == ANY:
            return _general(network, tensors, card)
        units = Units(**under(tensors, "units."))
        model = SceneNetwork(network, units, tensors["gains"], tensors["response"], card.start)
        _check_shapes(model, card, tensors)
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise ModelFileError(
            f"The model file {name} is damaged or of another version.", _ADVICE
        ) from error
    return model


def _general(network: RASDFuNet, tensors: Mapping[str, Tensor], card: Card) -> GeneralNetwork:
    """The network for any pair; ValueError where it is told or answers something else, or where its
    study is not of the card's pair.
    """
    config, calibration = network.config, tensors["calibration"]
    if (config.hs_bands, config.guide_bands) != (ANSWER, CHANNELS) or calibration.shape != (2,):
        raise ValueError("the network is of another version")
    study = study_of(dict(tensors))
    if study is not None:
        check_study(study, card.hs_bands, card.guide_bands)
    return GeneralNetwork(network, calibration, study)


def _network(config: RASDConfig, weights: dict[str, Tensor]) -> RASDFuNet:
    """The network of these weights; ValueError, before it takes memory, where they are not its."""
    held = {key: tuple(tensor.shape) for key, tensor in weights.items()}
    enough = 2 * config.stages * config.terms <= len(held)
    if not enough or not _greatest(config).items() <= held.items():
        raise ValueError("the card promises more than the file holds")
    network = RASDFuNet(config).eval().requires_grad_(False)
    network.load_state_dict(weights, strict=True)
    return network


def _greatest(config: RASDConfig) -> dict[str, tuple[int, ...]]:
    """The weights that outgrow all others with the numbers of a configuration: name → shape.

    torch's meta device would tell all shapes, but its first use loads torch's compiler: 2 s.
    """
    channels = config.channels
    wanted: dict[str, tuple[int, ...]] = {
        "enter.weight": (channels, config.hs_bands + config.guide_bands),
        "reconstruct.weight": (config.hs_bands, (config.stages + 1) * channels),
    }
    for stage in range(config.stages):
        wanted[f"stages.{stage}.up.weight"] = (SCALE**2 * channels, channels)
        for part in ("fine", "coarse"):
            key = f"stages.{stage}.{part}.low_rank.join.weight"
            wanted[key] = (channels, config.terms * channels)
    return wanted


def _check_card(card: Card) -> None:
    """Raise ValueError or TypeError where the card says what no model of ours would."""
    lengths = card.wavelengths + card.ratio + [card.psf_sigma]
    if not all(value is None or 0 <= value < math.inf for value in lengths):
        raise ValueError("a length on the card is none")
    if len(card.wavelengths) != card.hs_bands or len(card.ratio) != 2 or min(card.ratio) < 1:
        raise ValueError("the card contradicts itself")
    whole = isinstance(card.steps, int) and isinstance(card.seed, int)
    if card.start not in (*STARTS, ANY) or not isinstance(card.recipe, dict):
        raise ValueError("the card names no start, or no recipe")
    if card.psf_sigma > MOST_SIGMA or not whole or not isinstance(card.figures, dict):
        raise ValueError("the card's figures are out of their range")


def _check_values(tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError where a tensor holds what would spoil every pixel."""
    for key, tensor in tensors.items():
        finite = tensor[tensor != math.inf] if key in _INFINITE else tensor
        if tensor.dtype != torch.float32 or not bool(finite.isfinite().all()):
            raise ValueError(f"{key} does not hold finite float32 numbers")
        if key in _DIVISORS and not bool((tensor > 0).all()):
            raise ValueError(f"{key} is divided by, and not positive")


def _check_shapes(model: Model, card: Card, tensors: Mapping[str, Tensor]) -> None:
    """Raise ValueError where the tensors beside the network's are not as the card promises."""
    bands, guide, config = card.hs_bands, card.guide_bands, model.network.config
    wanted: dict[str, tuple[int, ...]] = {
        "units.mean": (bands,),
        "units.miss": (bands,),
        "units.basis": (bands, config.hs_bands),
        "units.component_spread": (config.hs_bands,),
        "units.guide_mean": (guide,),
        "units.guide_spread": (guide,),
        "units.detail_spread": (guide,),
        "gains": (guide, bands),
        "response": (1 + config.hs_bands, guide),
    }
    for key, shape in wanted.items():
        if tuple(tensors[key].shape) != shape:
            raise ValueError(f"{key} is {tuple(tensors[key].shape)}, not {shape}")
    if config.guide_bands != guide_channels(card.start, guide):
        raise ValueError("the card contradicts itself")


def _size(ratio: Sequence[float]) -> str:
    """A (rows, columns) ratio in words, the width first."""
    return f"{ratio[1]:.3g} × {ratio[0]:.3g}"


def _misfit(message: str) -> ModelFileError:
    return ModelFileError(message, "Choose a model for this pair, or train on the scene.")
