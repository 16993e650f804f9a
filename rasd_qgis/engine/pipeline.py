"""The engine's table of contents: from two rasters to a fused one and its confidence maps.

read → align → model (survey, reduce, normalise, train; or a file) → tile → network → blend → write.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..contract.request import FuseRequest
from .mosaic import Mosaic
from .outputs import Outputs, check_outputs
from .rasters.align import Alignment, align
from .rasters.read import Raster
from .rasters.spectral import natural_colour
from .scene.card import model_hash, write_model
from .scene.model import Fusion, obtain
from .scene.network import Consistency
from .scene.tile import Tile, plan, read_tile
from .service.device import choose_device
from .service.report import Phase, Reporter
from .service.stages import ahead
from .workspace import workspace


def fuse(request: FuseRequest, reporter: Reporter) -> dict[str, Any]:
    """Run a request; the values of the run's result. RasdError where it cannot be done."""
    device = choose_device(request.device, reporter)
    reading = reporter.phase("reading", 0.0, 0.05)
    with Raster(request.hyperspectral) as hs, Raster(request.multispectral) as ms:
        check_outputs(request, hs)
        pair = align(hs, ms, request.extent, reporter)
        reading.progress(1.0)
        fusion = obtain(request, pair, device, reporter)
        model_id = model_hash(fusion.model)
        with Outputs(request, pair, fusion, model_id, reporter) as outputs:
            found = fuse_tiles(
                request, pair, fusion, outputs, device, reporter.phase("fusing", 0.75, 0.95)
            )
            reporter.phase("writing", 0.95, 1.0)
            outputs.finish()
            if request.model_output:
                write_model(request.model_output, request.run_id, fusion.model, fusion.card)
        rgb = natural_colour(hs.spectral, [bool(good) for good in hs.good])
    return {
        "ROUTING_RATIO": request.routing_ratio,
        "LOW_RANK_SHARE": found.low_rank_share,
        "TRAINING_STEPS": fusion.card.steps,
        "TRAINING_SECONDS": fusion.seconds,
        "CONSISTENCY_HS": found.hyperspectral.error,
        "CONSISTENCY_MS": found.multispectral.error,
        "MODEL_HASH": model_id,
        "DEVICE": str(device),
        "RGB": list(rgb) if rgb else None,
    }


@dataclass
class Found:
    """What fusing found out: the share routed low-rank, and the consistency with both inputs."""

    low_rank_share: float
    hyperspectral: Consistency
    multispectral: Consistency


def fuse_tiles(
    request: FuseRequest,
    pair: Alignment,
    fusion: Fusion,
    outputs: Outputs,
    device: torch.device,
    phase: Phase,
) -> Found:
    """Fuse the scene tile by tile, blended, into the outputs.

    Three things go on at once: the next tile is read, one goes through the network, and the one
    before it is blended, encoded and written.
    """
    rows = plan(pair.fine.shape, request.tile_size, fusion.model.network.tiling)
    places = [place for row in rows for place in row]
    found = Found(0.0, Consistency(), Consistency())
    with ExitStack() as stack:
        folder = stack.enter_context(workspace(request.output, request.run_id))
        mosaic = stack.enter_context(Mosaic(rows, outputs, folder))
        tiles = ahead(lambda place: read_tile(pair, place, fusion.sigma, device), places)
        stack.enter_context(closing(tiles))
        stack.enter_context(torch.inference_mode())
        for done, tile in enumerate(tiles):
            mosaic.add(done, fuse_tile(request, fusion, tile, outputs, found))
            phase.progress((done + 1) / len(places), f"tile {done + 1} of {len(places)}")
    found.low_rank_share /= len(places)
    return found


def fuse_tile(
    request: FuseRequest, fusion: Fusion, tile: Tile, outputs: Outputs, found: Found
) -> Tensor:
    """All that is written of a tile, (channels, H, W) on the CPU; what it shows goes to `found`."""
    fused = fusion.model.fuse(tile, request.routing_ratio)
    found.hyperspectral.add(tile.look.down(fused.bands), tile.coarse, tile.observed)
    found.multispectral.add(fusion.model.seen(fused.bands), tile.guide, tile.valid)
    found.low_rank_share += fused.low_rank_share
    return outputs.stacked(fused, tile)
