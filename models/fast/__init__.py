"""The network's forward by compiled kernels: on the processor, where no gradient is wanted.

One file a part, as in the folder above, whose classes hold the weights and say what is computed;
tests/models/test_fast.py holds the two together.
"""

from __future__ import annotations

from .network import compiles, predict, usable

__all__ = ["compiles", "predict", "usable"]
