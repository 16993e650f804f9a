"""The engine's table of contents: from two rasters to a fused one and its confidence maps.

read → align → model (survey, reduce, normalise, train; or a file) → tile → network → blend → write.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
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
from .scene.graphs import graphs_for
from .scene.model import Fusion, obtain
from .scene.network import Consistency
from .scene.tile import Place, Tile, least_side, plan, read_tile
from .service import memory
from .service.copies import beside
from .service.device import choose_device
from .service.report import Phase, Reporter
from .service.stages import ahead
from .workspace import Workspace, workspace


def fuse(request: FuseRequest, reporter: Reporter) -> dict[str, Any]:
    """Run a request; the values of the run's result. RasdError where it cannot be done."""
    device = choose_device(request.device, reporter)
    reading = reporter.phase("reading", 0.0, 0.05)
    with Raster(request.hyperspectral) as hs, Raster(request.multispectral) as ms:
        check_outputs(request, hs)
        pair = align(hs, ms, request.extent, reporter)
        reading.progress(1.0)
        with workspace(request, pair, device, reporter) as work:
            fusion = work.trained(device) or obtain(request, pair, device, reporter, work.notes)
            work.keep_trained(fusion)
            model_id = model_hash(fusion.model)
            with Outputs(request, pair, fusion, model_id, reporter) as outputs:
                phase = reporter.phase("fusing", 0.75, 0.95)
                found = fuse_scene(request, pair, fusion, outputs, work, phase)
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


def peak_memory(tile_size: int, bands: int, guide_bands: int) -> int:
    """The most bytes that fusing takes on a processor, whatever the size of the scene.

    4·T²·(7·(B + b + S) + F) + C for tiles of T pixels a side, B bands and b of the guide, where
    S = 12 maps of confidence and validity, F = 300 feature channels of the network at work, and C
    = 960 MiB is what does not depend on the tile: engine and libraries, GDAL's blocks, and a small
    hyperspectral image that is kept whole. A tile in the network takes about four times its output,
    the one before it, blended and encoded, two. `make bench-scale` holds it against runs.
    """
    return 4 * tile_size**2 * (7 * (bands + guide_bands + 12) + 300) + 960 * 2**20


@dataclass
class Found:
    """What fusing found out: the share routed low-rank, and the consistency with both inputs."""

    low_rank_share: float = 0.0
    hyperspectral: Consistency = field(default_factory=Consistency)
    multispectral: Consistency = field(default_factory=Consistency)

    def state(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        sides = {"hyperspectral": self.hyperspectral, "multispectral": self.multispectral}
        return {"low_rank_share": self.low_rank_share} | {
            k: dict(vars(v)) for k, v in sides.items()
        }

    def take_up(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self.low_rank_share = state["low_rank_share"]
        vars(self.hyperspectral).update(state["hyperspectral"])
        vars(self.multispectral).update(state["multispectral"])


def fuse_scene(
    request: FuseRequest,
    pair: Alignment,
    fusion: Fusion,
    outputs: Outputs,
    work: Workspace,
    phase: Phase,
) -> Found:
    """Fuse the scene, in tiles of half the size as often as the GPU's memory does not hold one."""
    noted = work.journal.tile_size if work.journal else None
    size, least = noted or request.tile_size, least_side(fusion.model.network.tiling)
    while True:
        try:
            sized = replace(request, tile_size=size)
            return fuse_tiles(sized, pair, fusion, outputs, work, phase)
        except torch.OutOfMemoryError:
            if size <= least:
                raise
        # Only now, without the error, is what the tile held free.
        memory.release()
        work.begin_anew()
        phase.reporter.warn(
            f"The GPU's memory does not hold a tile of {size} pixels; tiles are halved, from the "
            "first one on."
        )
        size = max(least, size // 2)


def fuse_tiles(
    request: FuseRequest,
    pair: Alignment,
    fusion: Fusion,
    outputs: Outputs,
    work: Workspace,
    phase: Phase,
) -> Found:
    """Fuse the scene tile by tile, blended, into the outputs.

    Three things go on at once: the next tile is read, one goes through the network, and the one
    before it is blended, encoded and written. Tiles that an earlier run finished are taken up.
    """
    rows = plan(pair.fine.shape, request.tile_size, fusion.model.network.tiling)
    most = peak_memory(request.tile_size, pair.hs.count, pair.ms.count) / 2**30
    phase.reporter.log(f"Tiles of {request.tile_size} pixels: at most {most:.1f} GiB of memory.")
    places = [place for row in rows for place in row]
    device, found, model_id = fusion.model.gains.device, Found(), model_hash(fusion.model)
    records = work.journal.read(model_id) if work.journal else []
    graphs = graphs_for(fusion.model.network, device, phase.reporter.log)
    graphed = replace(fusion, model=replace(fusion.model, graphs=graphs))

    def read(place: Place) -> Tile:
        return read_tile(pair, place, fusion.sigma, device)

    with ExitStack() as stack:
        mosaic = stack.enter_context(Mosaic(rows, outputs, work.folder, work.journal))
        if records:
            found.take_up(records[-1]["found"])
            outputs.missing = records[-1]["missing"]
            mosaic.take_up(len(records))
            phase.reporter.log(f"{len(records)} of {len(places)} tiles of an earlier run taken up.")
        ahead_of = places[len(records) :]
        tiles = ahead(beside(read, Tile.tensors, device), ahead_of)
        stack.enter_context(closing(tiles))
        stack.enter_context(torch.inference_mode())
        for done, tile in enumerate(tiles, len(records)):
            values = fuse_tile(request, graphed, tile, outputs, found)
            record = {"model": model_id, "tile_size": request.tile_size, "found": found.state()}
            mosaic.add(done, values, record)
            phase.progress((done + 1) / len(places), f"tile {done + 1} of {len(places)}")
    found.low_rank_share /= len(places)
    return found


def fuse_tile(
    request: FuseRequest, fusion: Fusion, tile: Tile, outputs: Outputs, found: Found
) -> Tensor:
    """All that is written of a tile, (channels, H, W) on the CPU; what it shows goes to `found`."""
    fused = fusion.model.fuse(tile, request.routing_ratio, request.routing_mode == "auto")
    found.hyperspectral.add(tile.look.down(fused.bands), tile.coarse, tile.observed)
    found.multispectral.add(fusion.model.seen(fused.bands), tile.guide, tile.valid)
    found.low_rank_share += fused.low_rank_share
    return outputs.stacked(fused, tile)
