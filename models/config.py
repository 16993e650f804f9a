"""The network's shape: the few numbers that fix its layers, apart from the trained weights.

A configuration travels in a model file's card, so it turns into a plain dictionary and back, and
refuses anything else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class RASDConfig:
    """Numbers that fix the layers of `RASDFuNet`; the defaults are the paper's.

    hs_bands: bands B of the hyperspectral side (or of its subspace), >= 1.
    guide_bands: bands b of the multispectral guide, >= 1.
    channels: feature channels C, a multiple of 4.
    stages: multi-scale stages N, >= 1.
    terms: rank-1 terms K of the low-rank branch, >= 1.
    heads: heads of the spectral correlation; they divide 2C.

    Raises ValueError where a number is out of its range, TypeError where it is no whole number.
    """

    hs_bands: int
    guide_bands: int
    channels: int = 32
    stages: int = 5
    terms: int = 2
    heads: int = 2

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{field.name} must be a whole number, not {value!r}")
            if value < 1:
                raise ValueError(f"{field.name} must be at least 1, not {value}")
        if self.channels % 4:
            raise ValueError(f"channels must be a multiple of 4, not {self.channels}")
        if (2 * self.channels) % self.heads:
            raise ValueError(f"{self.heads} heads do not divide {2 * self.channels} channels")

    def to_dict(self) -> dict[str, int]:
        """The configuration as a dictionary of whole numbers, for a model's card."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RASDConfig:
        """The configuration that `to_dict` wrote; ValueError on missing or unknown keys."""
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            missing, unknown = sorted(known - set(values)), sorted(set(values) - known)
            raise ValueError(f"not a network's shape: missing {missing}, unknown {unknown}")
        return cls(**values)
