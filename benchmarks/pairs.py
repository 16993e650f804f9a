"""Pairs to fuse: every scene at every ratio and guide, the demo's, and the real ones of NEON.

A simulated pair follows Wald's protocol with noise on both sides. A real one is reduced: the
spectrometer's own image is the reference, its averages the image to sharpen, the camera the guide.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from . import indian_pines, responses, scenes
from .degrade import apply_response, blur_and_decimate
from .scenes import DATA, Place, Scene

Image = NDArray[np.float64]

RATIOS = (2, 4, 8)
# Standard deviation of the noise, as a share of a band's root mean square: an SNR of 50.5 dB.
NOISE = 0.003
NEON = DATA / "pair_neon_mlbs"
NEON_RATIOS = (2, 4)
CAMERA_RATIO = 10  # camera pixels to a spectrometer pixel


@dataclass(frozen=True)
class Pair:
    """coarse: (B, h, w); guide: (b, H, W); reference: (B, H, W).

    kernel: the PSF between the two grids, as `degrade.observation` takes it; None: the usual one.
    """

    coarse: Image
    guide: Image
    reference: Image
    ratio: int
    kernel: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Row:
    """A row of the benchmark: pairs that are fused one by one and measured as one image."""

    name: str
    scene: str
    role: str
    ratio: int
    guide: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Wanted:
    """A row to be made: of a place (None: the demo's, NEON's), a ratio and so many guide bands."""

    name: str
    ratio: int
    bands: int
    place: Place | None = None

    def make(self) -> Row:
        """Load and degrade; the same call makes the same pixels."""
        if self.place is not None:
            return _simulated(self.name, self.place, self.ratio, self.bands)
        return _demo() if self.name == "demo" else _neon(self.name, self.ratio)


def wanted() -> Iterator[Wanted]:
    """Every row for which the pixels are on this machine."""
    yield Wanted("demo", indian_pines.RATIO, len(indian_pines.GUIDE_BANDS))
    if NEON.is_dir():
        for ratio in NEON_RATIOS:
            yield Wanted(f"neon-plots-x{ratio}", ratio, 3)
            yield Wanted(f"neon-mosaic-x{ratio}", ratio, 3)
    for place in scenes.PLACES:
        if place.is_here():
            for ratio in RATIOS:
                for bands in responses.GUIDE_BANDS:
                    yield Wanted(f"{place.name}-x{ratio}-{bands}", ratio, bands, place)


def noisy(image: Image, random: np.random.Generator, share: float = NOISE) -> Image:
    """White Gaussian noise added, a `share` of each band's root mean square."""
    spread = share * np.sqrt(np.mean(image**2, axis=(1, 2), keepdims=True))
    return image + spread * random.standard_normal(image.shape)


def simulated(scene: Scene, ratio: int, bands: int, noise: float = NOISE) -> Pair:
    """A scene seen by both sensors; noise: as a share of each band's root mean square."""
    response = responses.guide(scene, bands)
    random = np.random.default_rng([ratio, bands])
    return Pair(
        noisy(blur_and_decimate(scene.cube, ratio), random, noise),
        noisy(apply_response(scene.cube, response.weights), random, noise),
        scene.cube,
        ratio,
    )


def _simulated(name: str, place: Place, ratio: int, bands: int) -> Row:
    scene = place.load()
    source = f"{bands}: {responses.guide(scene, bands).source}"
    return Row(name, scene.name, scene.role, ratio, source, (simulated(scene, ratio, bands),))


def _demo() -> Row:
    """The pair of `make demo`: ten bands of Sentinel-2A, no noise, whole counts."""
    made, ratio = indian_pines.load_pair(), indian_pines.RATIO
    pair = Pair(made.hyperspectral, made.multispectral, made.reference, ratio)
    guide = f"{len(pair.guide)}: Sentinel-2A, no noise"
    return Row("demo", "demo", "test", ratio, guide, (pair,))


def _neon(name: str, ratio: int) -> Row:
    """The plots one by one, or side by side as one mosaic, four a side."""
    plots = [_plot(path) for path in sorted((NEON / "HSI").glob("*.tif"))]
    if "mosaic" in name:
        references, guides = zip(*plots)
        plots = [(mosaic(references), mosaic(guides))]
    pairs = tuple(_reduced(reference, guide, ratio) for reference, guide in plots)
    return Row(name, name.rpartition("-")[0], "real", ratio, "3: the camera", pairs)


def mosaic(plots: Sequence[Image]) -> Image:
    """Square plots, (B, n, n) each and a square number of them, laid side by side."""
    side = round(len(plots) ** 0.5)
    if side * side != len(plots):
        raise ValueError(f"{len(plots)} plots do not fill a square")
    rows = [np.concatenate(plots[i : i + side], axis=2) for i in range(0, len(plots), side)]
    return np.concatenate(rows, axis=1)


def averaged(image: Image, ratio: int) -> Image:
    """Means of blocks of ratio × ratio pixels."""
    return blur_and_decimate(image, ratio, box(ratio))


def box(ratio: int) -> NDArray[np.float64]:
    """The PSF of averaging."""
    return np.full(ratio, 1.0 / ratio)


def _reduced(reference: Image, guide: Image, ratio: int) -> Pair:
    return Pair(averaged(reference, ratio), guide, reference, ratio, box(ratio))


def _plot(path: Path) -> tuple[Image, Image]:
    """A plot at 1 m: the spectrometer's image, and the camera's averaged to its pixels."""
    images = []
    for file in (path, path.parent.parent / "RGB" / path.name):
        with rasterio.open(file) as dataset:
            images.append(dataset.read().astype(np.float64))
    return images[0], averaged(images[1], CAMERA_RATIO)
