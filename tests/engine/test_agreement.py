"""A pair tells the PSF of its hyperspectral sensor, and a run that is told none takes that."""

from __future__ import annotations

import numpy as np
import pytest

from rasd_fusion.rasd_qgis.engine.scene import agreement
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA

from .scenes import make_scene, run


@pytest.mark.parametrize("sigma", [0.3, 0.5, 0.65])
@pytest.mark.parametrize(
    ("ratio", "offset"), [(2.0, (0.0, 0.0)), (4.0, (-1.5, -2.5)), (3.3, (0.0, 0.0))]
)
def test_the_psf_is_found(tmp_path, opened, sigma, ratio, offset):
    scene = make_scene(tmp_path, 120, ratio, offset, sigma=sigma)
    assert agreement.estimated_sigma(opened(scene)) == pytest.approx(sigma, abs=0.05)


def test_it_is_found_in_blocks_and_beside_holes(tmp_path, opened, monkeypatch):
    monkeypatch.setattr("rasd_fusion.rasd_qgis.engine.scene.survey.BLOCK", 12)
    scene = make_scene(tmp_path, 160, sigma=0.6)
    ms, hs = scene.ms.astype("float32"), scene.hs.astype("float32")
    ms[:, :70, :90] = np.nan
    hs[:, 20:25, 30:] = np.nan
    assert agreement.estimated_sigma(opened(scene, hs, ms)) == pytest.approx(0.6, abs=0.05)


def test_where_nothing_tells_it_is_the_usual(tmp_path, opened):
    scene = make_scene(tmp_path)
    flat = np.full_like(scene.ms, 500.0, dtype="float32")
    found = agreement.estimated_sigma(opened(scene, ms=flat))
    assert found == pytest.approx(DEFAULT_SIGMA, abs=5e-4)


def test_a_run_that_is_told_no_psf_fuses_by_that_of_the_pair(tmp_path):
    scene = make_scene(tmp_path, 96, sigma=0.6)
    truth = scene.ground.at(*np.meshgrid(np.arange(96) + 0.5, np.arange(96) + 0.5))

    def missed(**asked):
        fused = run(tmp_path, scene.write_hs(), scene.write_ms(), model="bundled", **asked)
        return float(np.square(fused.bands - truth)[:, 8:-8, 8:-8].mean()), fused.logs

    (untold, logs), (told, _), (usual, _) = (
        missed(),
        missed(psf_sigma=0.6),
        missed(psf_sigma=DEFAULT_SIGMA),
    )
    assert max(told, untold) < 0.25 * usual
    assert any("standard deviation of 0." in line for line in logs)
