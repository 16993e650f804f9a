"""The engine's table of contents: from two rasters to a fused one and its confidence maps.

read → align → model (of a file; or survey, reduce, normalise, train) → tile → network → blend →
write. The model for any pair surveys and studies the one at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import torch

from ..contract.request import FuseRequest
from .cluster import door
from .inspect_pair import displacement
from .model.card import ANY, model_hash, write_model
from .model.obtain import Fusion, obtain
from .model.one_tile import Found, MadeTile, Wanted, fuse_tile
from .mosaic import Mosaic
from .outputs import Outputs, check_outputs
from .rasters.align import Alignment, align
from .rasters.read import Raster
from .rasters.spectral import natural_colour
from .resume import request_key
from .scene.graphs import graphs_for
from .scene.tile import Place, Tile, least_side, plan, read_tile
from .service import memory
from .service.copies import beside
from .service.device import choose_device
from .service.report import Phase, Reporter
from .service.stages import ahead
from .workspace import Workspace, workspace

# Tiles after which the heap's holes go back to the system: they grow with the tiles.
GIVEN_BACK = 8
# Of a request, a model and what is wanted: the tiles of a plan's places from a number on, in order.
Maker = Callable[
    [FuseRequest, Fusion, Wanted, Sequence[Place], int], Generator[MadeTile, None, None]
]


def fuse(request: FuseRequest, reporter: Reporter) -> dict[str, Any]:
    """Run a request; the values of the run's result. RasdError where it cannot be done."""
    door.check(request)
    device = choose_device(door.local_device(request), reporter)
    reading = reporter.phase("reading", 0.0, 0.05)
    with ExitStack() as stack:
        cluster = stack.enter_context(door.cluster_of(request, reporter))
        hs, ms = (
            stack.enter_context(Raster(s)) for s in (request.hyperspectral, request.multispectral)
        )
        check_outputs(request, hs)
        pair = align(hs, ms, request.extent, reporter)
        reading.progress(1.0)
        with workspace(request, pair, device, reporter) as work:
            key = request_key(request, pair, device) if work.journal else None
            way = door.way_to(cluster, request, pair, device, work.folder, key, reporter)
            far = stack.enter_context(way)
            make = far.tiles if far else here(pair, reporter)
            fusion = work.trained(device) or obtain(request, pair, device, reporter, work.notes)
            work.keep_trained(fusion)
            if fusion.card.start == ANY and (away := displacement(pair, fusion.sigma)):
                reporter.warn(away)
            model_id = model_hash(fusion.model)
            memory.release()  # what the survey of a large scene took would stand beside the tiles
            with Outputs(request, pair, fusion, model_id, reporter) as outputs:
                phase = reporter.phase("fusing", 0.75, 0.95)
                found = fuse_scene(request, make, pair, fusion, outputs, work, phase)
                reporter.phase("writing", 0.95, 1.0)
                outputs.finish()
                if request.model_output:
                    write_model(request.model_output, request.run_id, fusion.model, fusion.card)
        rgb = natural_colour(hs.spectral, [bool(good) for good in hs.good])
    return {
        "ROUTING_RATIO": request.routing_ratio,
        "LOW_RANK_SHARE": found.low_rank_share,
        "TRAINING_STEPS": fusion.steps,
        "TRAINING_SECONDS": fusion.seconds,
        "CONSISTENCY_HS": found.hyperspectral.error,
        "CONSISTENCY_MS": found.multispectral.error,
        "MODEL_HASH": model_id,
        "DEVICE": far.device if far else str(device),
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


def here(pair: Alignment, reporter: Reporter) -> Maker:
    """What fuses tiles on this machine: the next one is read while one is in the network."""

    def tiles(
        request: FuseRequest, fusion: Fusion, wanted: Wanted, places: Sequence[Place], first: int
    ) -> Generator[MadeTile, None, None]:
        device = fusion.model.device
        graphs = graphs_for(fusion.model.network, device, reporter.log)
        graphed = replace(fusion, model=replace(fusion.model, graphs=graphs))

        def read(place: Place) -> Tile:
            return read_tile(pair, place, fusion.sigma, device)

        with closing(ahead(beside(read, Tile.tensors, device), places[first:])) as read_ones:
            for number, tile in enumerate(read_ones, 1):
                if not number % GIVEN_BACK:
                    memory.release()
                found = Found()
                yield MadeTile(fuse_tile(request, graphed, tile, wanted, found), found)

    return tiles


def fuse_scene(
    request: FuseRequest,
    make: Maker,
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
            return fuse_tiles(sized, make, pair, fusion, outputs, work, phase)
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
    make: Maker,
    pair: Alignment,
    fusion: Fusion,
    outputs: Outputs,
    work: Workspace,
    phase: Phase,
) -> Found:
    """Fuse the scene tile by tile, blended, into the outputs.

    While tiles are made, the one before is blended, encoded and written. Tiles that an earlier run
    finished are taken up.
    """
    rows = plan(pair.fine.shape, request.tile_size, fusion.model.network.tiling)
    most = peak_memory(request.tile_size, pair.hs.count, pair.ms.count) / 2**30
    phase.reporter.log(f"Tiles of {request.tile_size} pixels: at most {most:.1f} GiB of memory.")
    places = [place for row in rows for place in row]
    found, model_id = Found(), model_hash(fusion.model)
    records = work.journal.read(model_id) if work.journal else []
    with ExitStack() as stack:
        mosaic = stack.enter_context(Mosaic(rows, outputs, work.folder, work.journal))
        if records:
            found.take_up(records[-1]["found"])
            outputs.missing = records[-1]["missing"]
            mosaic.take_up(len(records))
            phase.reporter.log(f"{len(records)} of {len(places)} tiles of an earlier run taken up.")
        tiles = make(request, fusion, outputs.wanted, places, len(records))
        stack.enter_context(closing(tiles))
        stack.enter_context(torch.inference_mode())
        for done, (values, seen) in enumerate(tiles, len(records)):
            found.add(seen)
            record = {"model": model_id, "tile_size": request.tile_size, "found": found.state()}
            mosaic.add(done, values, record)
            phase.progress((done + 1) / len(places), f"tile {done + 1} of {len(places)}")
    found.low_rank_share /= len(places)
    return found
