"""Planes over the ground: images that tell where each of their pixels stands."""

from __future__ import annotations

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points

from rasd_fusion.rasd_qgis.contract.request import RasterSource
from rasd_fusion.rasd_qgis.engine.rasters.align import align
from rasd_fusion.rasd_qgis.engine.rasters.read import Raster

UTM33, UTM32 = CRS.from_epsg(32633), CRS.from_epsg(32632)
WGS84 = CRS.from_epsg(4326)
CORNER = Affine.translation(400000, 5800000)
GUIDE = CORNER * Affine.scale(10, -10)
BANDS = 4


def ground(crs, transform, height, width, target):
    """Easting and northing in `target`'s plane, in km from the corner, of all pixel centres."""
    cols, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    xs, ys = transform * (cols.ravel(), rows.ravel())
    if crs is not None and crs != target:
        xs, ys = (np.array(v) for v in transform_points(crs, target, xs, ys))
    east, north = (xs - 400000) / 1000, (ys - 5800000) / 1000
    return east.reshape(height, width), north.reshape(height, width)


def scene(crs, transform, height, width, bands, target=UTM33):
    """An image that tells where it is: bands are planes over the ground, band 0 east, 1 north."""
    east, north = ground(crs, transform, height, width, target)
    planes = [east, north, east + north, 2 * east - north, 5 + 0 * east]
    return np.stack(planes[:bands]).astype("float64")


class Pair:
    """Both files of a pair, opened, with what `align` says of them."""

    def __init__(self, hs, ms, reporter, extent=None, hs_more=None, ms_more=None):
        self.hs = Raster(RasterSource(hs, name="cube", **(hs_more or {})))
        self.ms = Raster(RasterSource(ms, name="guide", **(ms_more or {})))
        self.reporter, self.extent = reporter, extent

    def __enter__(self):
        try:
            return align(self.hs, self.ms, self.extent, self.reporter)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.hs.close()
        self.ms.close()


def all_fine(pair):
    return pair.read_fine(0, pair.fine.height, 0, pair.fine.width)


def all_coarse(pair):
    return pair.read_coarse(0, pair.coarse_shape[0], 0, pair.coarse_shape[1])


def expected_coarse(pair, bands=BANDS):
    """What the coarse pixels must hold, by the axes alone."""
    height, width = pair.coarse_shape
    lie = Affine.translation(pair.cols.offset, pair.rows.offset)
    lie = lie * Affine.scale(pair.cols.ratio, pair.rows.ratio)
    return scene(pair.fine.crs, pair.fine.transform * lie, height, width, bands)


def inner(valid, rim=3):
    """Valid pixels with valid neighbours all around, where a kernel sees no border."""
    kept = np.zeros_like(valid)
    height, width = valid.shape
    for row in range(rim, height - rim):
        for col in range(rim, width - rim):
            around = valid[row - rim : row + rim + 1, col - rim : col + rim + 1]
            kept[row, col] = around.all()
    return kept


def turned(make, base, height, width, flip_rows, flip_cols, transpose, crs=UTM33):
    """A file whose pixels are those of `base`, stored in another order."""
    values, transform = scene(crs, base, height, width, BANDS), base
    if transpose:
        values, transform = values.swapaxes(1, 2), transform * Affine(0, 1, 0, 1, 0, 0)
    if flip_rows:
        transform = transform * Affine(1, 0, 0, 0, -1, values.shape[1])
        values = values[:, ::-1]
    if flip_cols:
        transform = transform * Affine(-1, 0, values.shape[2], 0, 1, 0)
        values = values[:, :, ::-1]
    return make(np.ascontiguousarray(values), transform=transform, crs=crs)


class Talk:
    def __init__(self):
        self.logs, self.warnings = [], []

    def log(self, text):
        self.logs.append(text)

    def warn(self, text):
        self.warnings.append(text)
