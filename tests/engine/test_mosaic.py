"""The mosaic: whole blocks, once each, and little kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rasd_fusion.models import Tiling
from rasd_fusion.rasd_qgis.engine.mosaic import Mosaic
from rasd_fusion.rasd_qgis.engine.rasters.write import BLOCK
from rasd_fusion.rasd_qgis.engine.scene.tile import plan


class Two:
    """Two layers in memory: the first band, and the others doubled."""

    count = 2

    def __init__(self, shape):
        self.images = np.full((1, *shape), np.nan), np.full((2, *shape), np.nan)
        self.times = np.zeros((2, *shape))

    def stored(self, piece):
        return [piece[:1].numpy(), 2 * piece[1:].numpy()]

    def put(self, layer, window, values):
        assert window.row_off % BLOCK == window.col_off % BLOCK == 0
        rows, cols = window.toslices()
        self.images[layer][:, rows, cols] = values
        self.times[layer, rows, cols] += 1


@pytest.mark.parametrize(("shape", "side"), [((600, 700), 100), ((520, 300), 512), ((40, 30), 64)])
def test_every_block_is_written_once_and_whole(tmp_path, shape, side):
    image = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    rows, layers, most = plan(shape, side, Tiling(8, 8, 16)), Two(shape), 0
    with Mosaic(rows, layers, tmp_path) as mosaic:
        for number, place in enumerate(place for row in rows for place in row):
            inside = (
                slice(place.rows.start, place.rows.stop),
                slice(place.cols.start, place.cols.stop),
            )
            mosaic.add(number, image[(slice(None), *inside)].clone())
            most = max(most, len(list(tmp_path.glob("piece-*-1.npy"))))
    assert (layers.times == 1).all()
    np.testing.assert_allclose(layers.images[0], image[:1], atol=1e-6)
    np.testing.assert_allclose(layers.images[1], 2 * image[1:], atol=2e-6)
    assert most <= len(rows[0]) * (3 + BLOCK // (rows[0][0].rows.size - rows[0][0].rows.after))
    assert list(tmp_path.iterdir()) == []
