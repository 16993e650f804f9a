"""The order of points by a compiled sort: `routing.descending` in half the time and less."""

from __future__ import annotations

import torch
from torch import Tensor

from ..kernels import compiled, run
from ..routing import Permutation


def ordered(keys: Tensor, first: Tensor | None = None) -> Permutation:
    """The stable order of keys (N, n), none negative, from greatest to least, sample by sample.

    first: (N·n,) row numbers, a sample's among its own: the order in which rows of one key stay;
    else that of the rows.
    """
    kernel = compiled()
    samples, count = keys.shape
    there, back, spare = (torch.empty(samples * count, dtype=torch.long) for _ in range(3))
    run(
        kernel.descend,
        samples,
        (count, int(first is not None)),
        indices=(spare if first is None else first, there, back, spare, counts(samples)),
        inputs=(keys,),
    )
    return Permutation(there, back)


def counts(samples: int) -> Tensor:
    """Room for the sort's three histograms of each sample."""
    return torch.empty(3 * compiled().LEVELS * samples, dtype=torch.long)
