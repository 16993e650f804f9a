"""Spoiling: good bytes, words, trees and model files, changed at random, for `hostile`."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, -(2**63), 10**300, 1e308, -1e308, 1e-320, 0.5,
    "", "x", "../../etc/passwd", "/dev/zero", "$(touch pwned)", "\ud800", "é" * 300, "a" * 40_000,
    [], {}, [[]], [[[1, 0]]], {"a": {"b": []}}, [None] * 50,
)  # fmt: skip
_NUMBERS = ("0", "-1", "nan", "inf", "1e308", "99999999999", "2147483647", "65536", "4e-320", "")


def spoil_bytes(data: bytes, rng: random.Random) -> bytes:
    """The bytes with a few of them changed, cut out, doubled, or the end missing."""
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(spoilt) or 1)
        size = rng.choice((1, 1, 2, 4, 8, 64))
        how = rng.randrange(6)
        if how == 0:
            del spoilt[place:]
        elif how == 1:
            del spoilt[place : place + size]
        elif how == 2:
            spoilt[place:place] = spoilt[place : place + size]
        elif how == 3:
            spoilt[place : place + size] = rng.choice((b"\0", b"\xff", b"\x7f")) * size
        elif spoilt:
            spoilt[place] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def spoil_tree(value: Any, rng: random.Random) -> Any:
    """What JSON holds, with one place in it changed, missing or new."""
    if rng.random() < 0.25 or not isinstance(value, (dict, list)) or not value:
        return rng.choice(NASTY)
    if isinstance(value, list):
        place = rng.randrange(len(value))
        return [spoil_tree(v, rng) if i == place else v for i, v in enumerate(value)]
    name = rng.choice(list(value))
    if rng.random() < 0.1:
        return {k: v for k, v in value.items() if k != name}
    if rng.random() < 0.1:
        return {**value, rng.choice(("x", "task", "__class__", "path")): rng.choice(NASTY)}
    return {k: spoil_tree(v, rng) if k == name else v for k, v in value.items()}


def spoil_words(text: str, rng: random.Random) -> bytes:
    """A text with one of its numbers replaced, or its bytes spoilt."""
    if rng.random() < 0.4:
        return spoil_bytes(text.encode(), rng)
    words = text.replace("=", " = ").replace('"', ' " ').replace(",", " , ").split(" ")
    places = [i for i, word in enumerate(words) if word.strip().isdigit()]
    if places:
        words[rng.choice(places)] = rng.choice(_NUMBERS)
    return "".join(words if '"' in words else [f"{word} " for word in words]).encode()


class Stored:
    """A good model file in its parts, to be put together otherwise."""

    def __init__(self, path: Path) -> None:
        self._stored = path.read_bytes()
        size = struct.unpack("<Q", self._stored[:8])[0]
        self._header = json.loads(self._stored[8 : 8 + size])
        self._data = self._stored[8 + size :]
        self._tensors = load(self._stored)

    def spoilt(self, rng: random.Random) -> bytes:
        """The file, spoilt in one of its parts."""
        how = rng.randrange(7)
        if how == 0:
            return spoil_bytes(self._stored, rng)
        if how == 1:
            return self._joined(spoil_tree(self._header, rng))
        if how == 2:
            return spoil_bytes(struct.pack("<Q", rng.getrandbits(64)), rng) + self._stored[8:]
        if how == 3:
            return self._with_tensors(rng, _other_form)
        if how < 6:
            return self._with_tensors(rng, _other_values)
        meta = self._header["__metadata__"]
        card = json.dumps(spoil_tree(json.loads(meta["card"]), rng))
        return self._joined({**self._header, "__metadata__": {**meta, "card": card}})

    def _joined(self, header: Any) -> bytes:
        text = json.dumps(header).encode("utf-8", "replace")
        return struct.pack("<Q", len(text)) + text + self._data

    def _with_tensors(
        self, rng: random.Random, changed: Callable[[Tensor, random.Random], Tensor]
    ) -> bytes:
        """A valid file whose tensors are others, most often those beside the network's."""
        tensors, beside = dict(self._tensors), [n for n in self._tensors if "network." not in n]
        names = beside if rng.random() < 0.5 else list(tensors)
        for name in rng.sample(names, min(rng.choice((1, 1, 3, 20)), len(names))):
            tensors[name] = changed(tensors[name], rng).contiguous()
        return save(tensors, self._header["__metadata__"])


def _other_values(tensor: Tensor, rng: random.Random) -> Tensor:
    """The same shape, with finite or other values, in all places or in one."""
    factor = rng.choice((float("nan"), float("inf"), -float("inf"), 0.0, -1.0, 1e10, 1e38, 1e-38))
    if rng.random() < 0.5 or not tensor.numel():
        return tensor * factor
    changed = tensor.flatten().clone()
    changed[rng.randrange(len(changed))] = factor
    return changed.reshape(tensor.shape)


def _other_form(tensor: Tensor, rng: random.Random) -> Tensor:
    """Another dtype or shape."""
    how = rng.randrange(6)
    if how == 0:
        kinds = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
        return tensor.to(rng.choice(kinds))
    if how == 1:
        return tensor.flatten()
    if how == 2:
        return tensor[None]
    if how == 3:
        return torch.empty((0, *tensor.shape[1:]))
    if how == 4:
        return torch.ones((*tensor.shape, rng.choice((1, 2, 50))))
    return torch.cat((tensor.flatten(), tensor.flatten()))[: rng.randrange(2 * tensor.numel() + 1)]
