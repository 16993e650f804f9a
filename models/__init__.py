"""RASD-FuNet in torch, one file a part of the paper; README.md is the map."""

from __future__ import annotations

from .config import RASDConfig
from .network import Fused, RASDFuNet, Tiling
from .routes import routing_maps
from .scan import choice, choice_for

__all__ = ["Fused", "RASDConfig", "RASDFuNet", "Tiling", "choice", "choice_for", "routing_maps"]
