"""Copies: how rasters reach an NVIDIA card while it computes something else.

A thread that reads ahead has a stream of its own there, so that what it copies and prepares neither
waits for the network nor holds it up. Anywhere else nothing changes. This was never run on a card:
its tests put streams of their own in CUDA's place, and hold the order of the calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Item = TypeVar("Item")
Made = TypeVar("Made")

# Held by a thread that must have the card to itself: while a CUDA graph is recorded, what another
# thread asks of the card can spoil it.
alone = threading.Lock()


def sent(values: np.ndarray, device: torch.device) -> Tensor:
    """The array on the device; to an NVIDIA card the copy is only under way, in this stream."""
    held = torch.from_numpy(values)
    if device.type != "cuda":
        return held.to(device)
    # A system may lock no more memory: then the copy is staged by the driver, and slower.
    with suppress(RuntimeError):
        held = held.pin_memory()
    return held.to(device, non_blocking=True)


def beside(
    work: Callable[[Item], Made],
    tensors: Callable[[Made], Iterable[Tensor]],
    device: torch.device,
) -> Callable[[Item], Made]:
    """The work for another thread, in a stream of its own where the device is an NVIDIA card.

    tensors: all that lies on the device of what the work made. They are complete when it returns,
    and are for the stream that is current where this is called.
    """
    if device.type != "cuda":
        return work
    user, own = torch.cuda.current_stream(device), torch.cuda.Stream(device)

    def made(item: Item) -> Made:
        with alone, torch.cuda.stream(own):
            found = work(item)
            # This thread has time to wait, so the user's stream needs no event to wait for.
            own.synchronize()
            for tensor in tensors(found):
                # Else this stream could write anew what the user has let go but not yet read.
                tensor.record_stream(user)
        return found

    return made
