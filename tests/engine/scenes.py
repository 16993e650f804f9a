"""A ground known at every point, rasters of it, and runs of the engine in this process.

The ground is a sum of plane waves, which a Gaussian PSF damps by a known factor. So both rasters of
a pair, and what their fusion ought to be, are had without resampling, wherever their pixels lie.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
import torch
from affine import Affine
from rasterio.warp import transform as transform_points

from rasd_fusion.rasd_qgis.contract.events import Log, Progress, Warn, decode
from rasd_fusion.rasd_qgis.contract.request import FuseRequest, RasterSource
from rasd_fusion.rasd_qgis.engine.model.card import read_model, write_model
from rasd_fusion.rasd_qgis.engine.pipeline import fuse
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA
from rasd_fusion.rasd_qgis.engine.service.report import Reporter

UTM33 = "EPSG:32633"
FINE = Affine(10, 0, 400000, 0, -10, 5800000)
BANDS, GUIDE_BANDS = 8, 3
# Bands from this one on also hold waves that the guide does not see at all.
BLIND = 5


class Ground:
    """BANDS bands over a plane whose unit is a fine pixel; all values between 100 and 1900.

    The first GUIDE_BANDS are what the guide sees. ratio: no wave that is hidden from the guide is
    shorter than four coarse pixels, so that these are all resolved.
    """

    def __init__(self, ratio: float, seed: int = 0):
        random = np.random.default_rng(seed)
        open_waves, hidden = 10, 4
        length = np.concatenate(
            [random.uniform(3, 12, open_waves), ratio * random.uniform(4, 8, hidden)]
        )
        turn = random.uniform(0, np.pi, open_waves + hidden)
        self._kx, self._ky = 2 * np.pi * np.stack([np.cos(turn), np.sin(turn)]) / length
        self._phase = random.uniform(0, 2 * np.pi, open_waves + hidden)
        spectra = random.uniform(-1, 1, (BANDS, 3)) @ random.uniform(-1, 1, (3, open_waves))
        blind = random.uniform(-1, 1, (BANDS, hidden)) * (np.arange(BANDS) >= BLIND)[:, None]
        heights = np.concatenate([spectra, blind], axis=1)
        self._heights = 900 * heights / np.abs(heights).sum(1, keepdims=True)

    def at(self, x, y, sigma: float = 0.0) -> np.ndarray:
        """(BANDS, …) at columns x and rows y, seen with a Gaussian PSF of sigma fine pixels."""
        return 1000 + self._sum(np.sin, np.ones_like(self._kx), x, y, sigma)

    def slopes(self, x, y) -> tuple[np.ndarray, np.ndarray]:
        """d/dx and d/dy at columns x and rows y, each (BANDS, …)."""
        return self._sum(np.cos, self._kx, x, y), self._sum(np.cos, self._ky, x, y)

    def _sum(self, wave, factor, x, y, sigma=0.0):
        damped = np.exp(-(sigma**2) * (self._kx**2 + self._ky**2) / 2) * factor
        angle = np.multiply.outer(x, self._kx) + np.multiply.outer(y, self._ky) + self._phase
        return np.einsum("bw,...w->b...", self._heights * damped, wave(angle))


def centres(transform: Affine, height: int, width: int, crs: str = UTM33):
    """Columns and rows of FINE where a raster's pixels have their centres, each (height, width)."""
    cols, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    xs, ys = transform * (cols.ravel(), rows.ravel())
    if crs != UTM33:
        xs, ys = (np.array(values) for values in transform_points(crs, UTM33, xs, ys))
    x, y = ~FINE * (xs, ys)
    return x.reshape(height, width), y.reshape(height, width)


def shift_of(image: np.ndarray, ground: Ground, x, y) -> np.ndarray:
    """(bands, 2): by how many fine pixels each band (bands, h, w) is displaced, in x and in y."""
    found = []
    for band, truth, *slopes in zip(image, ground.at(x, y), *ground.slopes(x, y)):
        design = np.stack([slope.ravel() for slope in slopes] + [np.ones(x.size)], axis=1)
        found.append(-np.linalg.lstsq(design, (band - truth).ravel(), rcond=None)[0][:2])
    return np.array(found)


def awaken(path: str, seed: int = 0, spread: float = 0.02) -> str:
    """Give the network of a model file a say, as long training would; returns its path."""
    model, card = read_model(path)
    generator = torch.Generator().manual_seed(seed)
    model.network.reconstruct.weight.normal_(0.0, spread, generator=generator)
    write_model(path, "0123abcd", model, card)
    return path


def write(path, values, transform=FINE, crs=UTM33, describe=None, **options) -> str:
    """Write values (bands, h, w) as a GeoTIFF; describe: called with it before the pixels."""
    count, height, width = values.shape
    size = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(
        path, "w", driver="GTiff", transform=transform, crs=crs, **size, **options
    ) as dataset:
        if describe:
            describe(dataset)
        dataset.write(values)
    return str(path)


@dataclass
class Scene:
    """The arrays of a pair over one ground, and where the coarse one lies."""

    ground: Ground
    hs: np.ndarray
    ms: np.ndarray
    hs_transform: Affine
    folder: Path

    def write_hs(self, values=None, **options) -> str:
        values = self.hs.astype("float32") if values is None else values
        return write(self.folder / "hs.tif", values, self.hs_transform, **options)

    def write_ms(self, values=None, **options) -> str:
        values = self.ms.astype("float32") if values is None else values
        return write(self.folder / "ms.tif", values, **options)


def make_scene(
    folder, side=48, ratio=4.0, offset=(0.0, 0.0), seed=0, noise=1.0, sigma=DEFAULT_SIGMA
) -> Scene:
    """A pair; the guide side × side pixels of FINE, the coarse image just covering it.

    offset: (columns, rows) of FINE at which the coarse image starts. noise: its deviation in DN.
    sigma: of the PSF in coarse pixels.
    """
    ground = Ground(ratio, seed)
    transform = FINE * Affine.translation(*offset) * Affine.scale(ratio)
    width, height = (int(np.ceil((side - start) / ratio - 1e-9)) for start in offset)
    hs = ground.at(*centres(transform, height, width), sigma * ratio)
    ms = ground.at(*centres(FINE, side, side))[:GUIDE_BANDS]
    random = np.random.default_rng(seed)
    noisy = (image + random.normal(0.0, noise, image.shape) for image in (hs, ms))
    return Scene(ground, *noisy, transform, Path(folder))


@dataclass
class Run:
    """What a run of the engine gave: its result's values, its raster, and what it said."""

    values: dict
    bands: np.ndarray
    valid: np.ndarray
    profile: dict
    warnings: list[str] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)


def run(folder, hs, ms, **settings) -> Run:
    """Fuse two files by the pipeline, in two steps of training unless settings say otherwise."""
    usual = {
        "run_id": "0123abcd",
        "output": str(Path(folder) / "fused.tif"),
        "training_steps": 2,
        "device": "cpu",
    }
    sources = (one if isinstance(one, RasterSource) else RasterSource(one) for one in (hs, ms))
    request = FuseRequest(
        hyperspectral=next(sources), multispectral=next(sources), **{**usual, **settings}
    )
    said = io.StringIO()
    values = fuse(request, Reporter(said))
    events = [decode(line) for line in said.getvalue().splitlines()]
    with rasterio.open(request.output) as dataset:
        bands, masks, profile = dataset.read(), dataset.read_masks() > 0, dict(dataset.profile)
        profile.update(scales=dataset.scales, offsets=dataset.offsets)
    return Run(
        values,
        bands.astype("float64"),
        masks,
        profile,
        [event.text for event in events if isinstance(event, Warn)],
        [event.phase for event in events if isinstance(event, Progress)],
        [event.text for event in events if isinstance(event, Log)],
    )
