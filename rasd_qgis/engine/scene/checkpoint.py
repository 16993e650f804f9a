"""Checkpoints: a training as it stands, so that one that was stopped or killed goes on from there.

One safetensors file beside the model holds weights, averaged and best weights and the state of
Adam, its header the rest as JSON: nothing in it can run. It is replaced as a whole, so it is never
half a checkpoint. The state of what is random is the training's to keep, where it needs it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ...contract.errors import ModelFileError, OutputError
from ..rasters import durable

FORMAT = "rasd-fusion-checkpoint-1"
_ADAM = ("step", "exp_avg", "exp_avg_sq")


def checkpoint_path(model: str) -> Path:
    """Where the checkpoint of a model's training stands."""
    path = Path(model)
    return path.with_name(path.stem + ".checkpoint.safetensors")


def write_checkpoint(
    path: Path, run_id: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> None:
    """Write a checkpoint; OutputError where it cannot be written."""
    part = path.with_name(f".{path.stem}.rasd-{run_id}.part.safetensors")
    kept = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    header = {"format": FORMAT, "facts": json.dumps(facts, allow_nan=False)}
    try:
        save_file(kept, part, header)
        durable.replace(part, path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise OutputError(
            f"The checkpoint {path.name} cannot be written ({error}).",
            "Choose another folder, or free space there; the training stopped here.",
        ) from error


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and facts of a checkpoint; ModelFileError where it is none."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", ""))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no dict
        if not isinstance(facts, dict):
            raise ValueError("its facts are none")
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise unusable(path, "is damaged") from error
    return tensors, facts


def unusable(path: Path, why: str) -> ModelFileError:
    """The error for a checkpoint that this training cannot go on from."""
    return ModelFileError(
        f"The checkpoint {path.name} beside the model {why}.",
        "Begin anew (RESUME off), delete it, or choose another name for the model.",
    )


def adam_state(network: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's moments and counts by the names of the weights."""
    state = optimiser.state
    return {
        f"{name}.{part}": state[weight][part]
        for name, weight in network.named_parameters()
        if weight in state
        for part in _ADAM
    }


def restore_adam(
    network: nn.Module, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Put back what `adam_state` gave; KeyError where a part of a weight's state is missing."""
    for name, weight in network.named_parameters():
        if f"{name}.step" not in tensors:
            continue
        kept = {part: tensors[f"{name}.{part}"].to(weight.device) for part in _ADAM}
        optimiser.state[weight] = kept


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that beginning."""
    return {key[len(prefix) :]: t for key, t in tensors.items() if key.startswith(prefix)}
