"""The peers' benchmark: its pairs, a row of it end to end, what it makes again, its tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rasd_fusion.benchmarks import (
    bench_peers,
    indian_pines,
    pairs,
    peers_report,
    rasd,
    responses,
    scenes,
)
from rasd_fusion.benchmarks.pairs import Pair, Row
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA

SETTINGS = rasd.Settings(steps=2)


def small_row(parts: int = 1) -> Row:
    """Pairs cut from Indian Pines: 24 × 24 pixels, 12 bands, ratio 2, a guide of 3."""
    cube, _ = indian_pines.load_scene()
    made = []
    for part in range(parts):
        reference = cube[::17, 24 * part : 24 * part + 24, :24]
        coarse = pairs.blur_and_decimate(reference, 2)
        made.append(Pair(coarse, reference[[2, 5, 9]], reference, 2))
    return Row("small", "small", "test", 2, "3: picked bands", tuple(made))


@pytest.fixture(scope="module")
def reports() -> list[dict]:
    row = small_row(2)
    return [bench_peers.measure(row, name, SETTINGS) for name in ("cubic", "glp", "rasd-scene")]


def test_a_row_holds_figures_and_costs(reports: list[dict]) -> None:
    cubic, glp, scene = reports
    assert glp["PSNR"] > cubic["PSNR"] + 1
    for report in reports:
        assert report["seconds"] > 0
        assert {"PSNR", "SAM", "ERGAS", "SSIM", "peak_mib"} <= set(report)
    assert list(scene["by_routing_ratio"]) == ["0.0", "0.3", "0.5", "0.7", "0.9"]
    assert scene["by_routing_ratio"]["0.5"]["PSNR"] == scene["PSNR"]
    assert scene["start"]["PSNR"] > cubic["PSNR"] + 1


def test_the_engine_gives_back_what_was_fused_not_what_was_there_before() -> None:
    row = small_row(2)
    with rasd.fusions(row.pairs, "scene", SETTINGS) as made:
        images = [fusion.fuse(0.5) for fusion in made]
        again, start = made[0].fuse_and_start(0.5)
    np.testing.assert_allclose(again, images[0], rtol=1e-5)
    assert np.abs(images[0] - images[1]).mean() > 1
    assert start.shape == images[0].shape
    assert "RASD_FUSION_START_IMAGE" not in rasd.os.environ


def test_what_is_done_with_the_same_settings_is_not_made_again(
    tmp_path: Path, reports: list[dict]
) -> None:
    for report in reports:
        bench_peers.write(tmp_path, report, report["method"])
    done = [
        bench_peers.is_done(tmp_path, "small", method, rasd.Settings(steps))
        for method, steps in (("glp", 2), ("glp", 9), ("rasd-scene", 2), ("rasd-scene", 9))
    ]
    assert done == [True, True, True, False]
    assert not bench_peers.is_done(tmp_path, "small", "sfim", SETTINGS)


def test_the_table_tells_the_gain_over_the_best_classical(reports: list[dict]) -> None:
    cubic, glp, scene = (dict(report) for report in reports)
    cubic["PSNR"], glp["PSNR"], scene["PSNR"] = 30.0, 40.0, 42.5
    cubic["SAM"], glp["SAM"], scene["SAM"] = 2.0, 3.0, 1.5
    scene["start"] = scene["start"] | {"PSNR": 41.0, "SAM": 2.5}
    scene["by_routing_ratio"] = {"0.5": scene["start"] | {"PSNR": 42.5, "SAM": 1.5}}
    text = peers_report.render([cubic, glp, scene], bench_peers.METHODS)
    (line,) = [line for line in text.splitlines() if "+1.50 / -0.500" in line and "×2" in line]
    assert line.split(" | ")[1:3] == ["30.00 / 2.000", "40.00 / 3.000"]
    assert "| small | 41.00 / 2.500 | +1.50 / -1.000 |" in text
    assert "rasd-scene: steps 2, seed 0." in text


def test_reports_are_read_from_their_folder(tmp_path: Path, reports: list[dict]) -> None:
    bench_peers.write(tmp_path, reports[0], "cubic")
    assert peers_report.load(tmp_path) == [json.loads(json.dumps(reports[0]))]


def test_noise_is_a_share_of_each_bands_strength() -> None:
    image = np.ones((2, 200, 200)) * np.array([10.0, 1000.0])[:, None, None]
    noise = pairs.noisy(image, np.random.default_rng(0)) - image
    assert noise.std(axis=(1, 2)) == pytest.approx([0.03, 3.0], rel=0.02)


def test_a_mosaic_lays_plots_side_by_side() -> None:
    plots = [np.full((2, 3, 3), float(number)) for number in range(4)]
    laid = pairs.mosaic(plots)
    assert laid.shape == (2, 6, 6)
    assert laid[0, ::3, ::3].tolist() == [[0.0, 1.0], [2.0, 3.0]]
    with pytest.raises(ValueError, match="3 plots"):
        pairs.mosaic(plots[:3])


def test_averaging_is_the_mean_of_blocks() -> None:
    image = np.random.default_rng(0).random((2, 6, 4))
    expected = image.reshape(2, 3, 2, 2, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(pairs.averaged(image, 2), expected)


def test_the_engine_is_told_the_spread_of_every_psf() -> None:
    image = np.zeros((1, 8, 8))
    assert rasd.spread(Pair(image, image, image, 4)) == DEFAULT_SIGMA
    boxed = Pair(image, image, image, 4, pairs.box(4))
    assert rasd.spread(boxed) == pytest.approx(np.sqrt((4**2 - 1) / 12) / 4)


def test_the_demo_and_indian_pines_are_there_without_shared_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scenes, "DATA", tmp_path)
    monkeypatch.setattr(pairs, "NEON", tmp_path / "none")
    names = [row.name for row in pairs.wanted()]
    assert names[0] == "demo"
    assert names[1:] == [f"indian-pines-x{r}-{b}" for r in (2, 4, 8) for b in (3, 4, 10)]
    assert len(scenes.missing()) == len(scenes.PLACES) - 1


def test_pairs_of_indian_pines_repeat_and_fit() -> None:
    wanted = next(row for row in pairs.wanted() if row.name == "indian-pines-x8-4")
    first, second = wanted.make(), wanted.make()
    (pair,) = first.pairs
    assert pair.coarse.shape == (200, 18, 18)
    assert pair.guide.shape == (4, 144, 144)
    assert first.guide == "4: Sentinel-2A"
    np.testing.assert_array_equal(pair.coarse, second.pairs[0].coarse)


def test_real_scenes_load_whole(shared_data: Path) -> None:
    for place in scenes.PLACES:
        scene = place.load()
        assert np.isfinite(scene.cube).all()
        assert scene.cube.min() >= 0
        assert not any(side % scenes.MULTIPLE for side in scene.cube.shape[1:])
        for bands in responses.GUIDE_BANDS:
            weights = responses.guide(scene, bands).weights
            assert weights.shape == (bands, len(scene.cube))
            np.testing.assert_allclose(weights.sum(axis=1), 1.0)


def test_cave_is_seen_by_the_papers_camera(shared_data: Path) -> None:
    place = next(place for place in scenes.PLACES if place.name == "cave-balloons")
    seen = responses.guide(place.load(), 3)
    assert seen.source == "Nikon D700"
    blue, green, red = seen.weights @ np.arange(400, 701, 10)
    assert blue < green < red


def test_neon_plots_are_reduced_by_averaging(shared_data: Path) -> None:
    wanted = next(row for row in pairs.wanted() if row.name == "neon-plots-x2")
    row = wanted.make()
    assert len(row.pairs) == 16
    pair = row.pairs[0]
    assert pair.guide.shape == (3, 20, 20)
    blocks = pair.reference.reshape(len(pair.reference), 10, 2, 10, 2)
    np.testing.assert_allclose(pair.coarse, blocks.mean(axis=(2, 4)))
