"""Teams: processes that train one network together, each on crops of its own, started by torchrun.

In every step their gradients are averaged, so their weights stay the same to the bit. The first
process, rank 0, leads: it decides when to end, judges the weights and writes all files. An engine
that torchrun did not start is a team of one, for which nothing here computes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Team:
    """The rank of this process among `size` of them, and its device where there are several."""

    rank: int = 0
    size: int = 1
    device: torch.device | None = None

    @property
    def leads(self) -> bool:
        """Whether this process decides, judges and writes."""
        return self.rank == 0

    def agreed(self, value: float) -> float:
        """The leader's value, in every process."""
        if self.size == 1:
            return value
        # Apple's and some Intel devices have no float64, and a share needs no more than float32.
        told = torch.tensor([value], dtype=torch.float32, device=self.device)
        dist.broadcast(told, 0)
        return float(told)

    def average(self, network: nn.Module) -> None:
        """Put the mean over all processes in place of every gradient; none counts as zero."""
        if self.size == 1:
            return
        for weight in network.parameters():
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        gradients: list[Tensor] = [w.grad for w in network.parameters() if w.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = (flat / self.size).split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts):
            gradient.copy_(part.view_as(gradient))


ALONE = Team()


def take_card() -> None:
    """Have "cuda" mean the card that torchrun gives this process; before a device is chosen."""
    if "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())


@contextlib.contextmanager
def team(device: torch.device) -> Iterator[Team]:
    """The team that torchrun's environment names, by NCCL between NVIDIA cards, else by gloo."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Team(dist.get_rank(), size, device)
    finally:
        dist.destroy_process_group()
