"""Routes: where a model's stages are confident on a pair, and which branch each point takes.

The rasters of every ratio asked for come from one reading of the pair. On a scene of several tiles
points are routed tile by tile, as in a fusion; where tiles overlap the nearer one's routing counts.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rasterio.windows import Window
from torch import Tensor

from ...models.multiscale import SCALE
from ..contract.errors import OutputError
from ..contract.request import ConfidenceRequest
from .model.card import model_hash
from .model.obtain import BUNDLED, Fusion, from_file
from .mosaic import Mosaic
from .outputs import map_names
from .rasters.align import Alignment, align
from .rasters.encode import Encoding
from .rasters.formats import check_writable
from .rasters.read import Raster
from .rasters.spectral import SpectralInfo
from .rasters.write import OutputRaster
from .scene.network import RoutedTile
from .scene.tile import Tile, plan, read_tile
from .service.device import choose_device
from .service.report import Phase, Reporter
from .service.stages import ahead
from .workspace import temporary_folder

# Which branch a point took, as the routing rasters store it.
ATTENTION, LOW_RANK, NO_BRANCH = 0, 1, 255


def confidence(request: ConfidenceRequest, reporter: Reporter) -> dict[str, Any]:
    """Run a request; the values of the run's result. RasdError where it cannot be done."""
    device = choose_device(request.device, reporter)
    reading = reporter.phase("reading", 0.0, 0.05)
    with Raster(request.hyperspectral) as hs, Raster(request.multispectral) as ms:
        _check_outputs(request)
        pair = align(hs, ms, request.extent, reporter)
        reading.progress(1.0)
        path = request.model_file or str(BUNDLED)
        fusion = from_file(path, request.psf_sigma, pair, device, reporter)
        model_id = model_hash(fusion.model)
        with Maps(request, pair, fusion, model_id) as maps:
            route_tiles(request, pair, fusion, maps, reporter.phase("routing", 0.1, 0.95))
            reporter.phase("writing", 0.95, 1.0)
            maps.finish()
    for note in maps.notes:
        reporter.warn(note)
    return {
        "RATIOS": list(request.ratios),
        "LOW_RANK_SHARES": maps.shares,
        "CONFIDENCE": [request.confidence_path(ratio) for ratio in request.ratios],
        "ROUTING": [request.routing_path(ratio) for ratio in request.ratios],
        "MODEL_HASH": model_id,
        "DEVICE": str(device),
    }


def route_tiles(
    request: ConfidenceRequest, pair: Alignment, fusion: Fusion, maps: Maps, phase: Phase
) -> None:
    """Map the scene tile by tile, blended."""
    rows = plan(pair.fine.shape, request.tile_size, fusion.model.network.tiling)
    places = [place for row in rows for place in row]
    device = fusion.model.device
    with ExitStack() as stack:
        first = Path(request.confidence_path(request.ratios[0]))
        folder = stack.enter_context(temporary_folder(first, request.run_id))
        mosaic = stack.enter_context(Mosaic(rows, maps, folder))
        tiles = ahead(lambda place: read_tile(pair, place, fusion.sigma, device), places)
        stack.enter_context(closing(tiles))
        stack.enter_context(torch.inference_mode())
        for done, tile in enumerate(tiles):
            routed = [fusion.model.route(tile, ratio) for ratio in request.ratios]
            mosaic.add(done, _stacked(routed, tile))
            phase.progress((done + 1) / len(places), f"tile {done + 1} of {len(places)}")


class Maps:
    """The rasters of a run; a context manager. They appear under their names when it ends well.

    shares: by ratio, the share of the written points that went low-rank, over all stages.
    """

    def __init__(
        self, request: ConfidenceRequest, pair: Alignment, fusion: Fusion, model_id: str
    ) -> None:
        names = map_names(fusion.model.network.config.stages)
        kinds = (
            (request.confidence_path, names, Encoding("float32", float("nan"))),
            (request.routing_path, names[1:], Encoding("uint8", NO_BRANCH)),
        )
        self._stack = ExitStack()
        self._writers = [
            OutputRaster(
                path_of(ratio),
                request.run_id,
                pair.fine,
                SpectralInfo.of_names(bands),
                encoding,
                _tags(request, fusion, model_id, ratio),
            )
            for ratio in request.ratios
            for path_of, bands, encoding in kinds
        ]
        self._low, self._all = np.zeros(len(request.ratios)), 0
        # A point of the coarse scale is SCALE² pixels of its map.
        self._points = np.tile((SCALE**2, 1), fusion.model.network.config.stages)

    def __enter__(self) -> Maps:
        with ExitStack() as stack:
            for writer in self._writers:
                stack.enter_context(writer)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    @property
    def notes(self) -> list[str]:
        """What is to be told of the files."""
        return [note for writer in self._writers for note in writer.notes]

    @property
    def shares(self) -> list[float]:
        """By ratio, 0…1."""
        return [float(low) / max(self._all, 1) for low in self._low]

    def finish(self) -> None:
        """Complete every file under its temporary name, so that in the end all appear or none."""
        for writer in self._writers:
            writer.finish()

    @property
    def count(self) -> int:
        """How many rasters there are."""
        return len(self._writers)

    @property
    def missing(self) -> list[bool]:
        """By raster, whether any pixel so far is nodata."""
        return [writer.has_missing for writer in self._writers]

    def stored(self, piece: Tensor) -> list[np.ndarray]:
        """A blended piece of stacked channels (channels, h, w), as each raster stores it."""
        valid = (piece[-1] > 0.5).numpy()
        stored, first = [], 0
        for number, writer in enumerate(self._writers):
            values = piece[first : first + writer.spectral.count].numpy()
            first += writer.spectral.count
            if writer.encoding.dtype == "uint8":
                values = (values > 0.5).astype(np.float32)
                self._low[number // 2] += self._points @ (values[:, valid] > 0).sum(axis=1)
            stored.append(writer.stored(values, valid))
        self._all += int(valid.sum() * self._points.sum())
        return stored

    def put(self, layer: int, window: Window, values: np.ndarray) -> None:
        """Write what `stored` gave into a raster."""
        self._writers[layer].put(window, values)


def _stacked(routed: list[RoutedTile], tile: Tile) -> Tensor:
    """All that is written of a tile, and its validity last: (channels, H, W) on the CPU."""
    parts = [part for one in routed for part in (one.confidence, one.routed.float())]
    return torch.cat([*parts, tile.valid[None].float()]).cpu()


def _check_outputs(request: ConfidenceRequest) -> None:
    """Raise OutputError, before any work, where an output could not be written in the end."""
    try:
        Path(request.folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {request.folder} cannot be made ({error.strerror or error}).",
            "Choose another one.",
        ) from error
    inputs = [request.hyperspectral.path, request.multispectral.path]
    inputs += [request.model_file] if request.model_file else []
    for ratio in request.ratios:
        check_writable(request.confidence_path(ratio), inputs, run_id=request.run_id)
        check_writable(request.routing_path(ratio), inputs, run_id=request.run_id)


def _tags(
    request: ConfidenceRequest, fusion: Fusion, model_id: str, ratio: float
) -> dict[str, str]:
    """The run's provenance as the files' tags."""
    facts = {
        **request.provenance,
        "hyperspectral": request.hyperspectral.name or request.hyperspectral.path,
        "multispectral": request.multispectral.name or request.multispectral.path,
        "model": model_id,
        "routing_ratio": ratio,
        "psf_sigma": fusion.sigma,
        "card": asdict(fusion.card),
    }
    return {"TIFFTAG_SOFTWARE": "RASD Fusion", "provenance": json.dumps(facts)}
