"""The CAVE benchmark: what it gives to rasd:train, what it makes again, its tables."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from rasd_fusion.benchmarks import bench_cave, pairs
from rasd_fusion.benchmarks.scenes import PLACES, Scene
from rasd_fusion.rasd_qgis.engine.rasters.spectral import read_spectral

SETTINGS = {"steps": 9, "seed": 0, "scenes": ["cave-toy"]}
GOOD = {"PSNR": 45.0, "SAM": 1.9, "ERGAS": 1.0, "SSIM": 0.99}
POOR = {"PSNR": 24.0, "SAM": 4.4, "ERGAS": 9.0, "SSIM": 0.70}


def test_no_scene_is_both_trained_and_tested_on() -> None:
    assert all(bench_cave.TEST not in scenes for scenes in bench_cave.TRAININGS.values())


def test_a_training_scene_keeps_its_values_and_wavelengths(
    shared_data: Path, tmp_path: Path
) -> None:
    place = next(place for place in PLACES if place.name == "cave-toy")
    with rasterio.open(bench_cave.write_reference(tmp_path, place)) as dataset:
        np.testing.assert_allclose(dataset.read(), place.load().cube, rtol=1e-6)
        assert read_spectral(dataset).wavelengths == tuple(range(400, 701, 10))


def test_lists_are_passed_to_qgis_by_repeating_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []

    def run(command: list[str], **rest: Any) -> subprocess.CompletedProcess[bytes]:
        called.append(command)
        return subprocess.CompletedProcess(command, 0, b'{"results": {"STEPS": 3}}')

    monkeypatch.setattr(subprocess, "run", run)
    assert bench_cave.qgis("rasd:train", {"REFERENCES": ["a", "b"], "SEED": 1}) == {"STEPS": 3}
    assert called[0][3:] == ["rasd:train", "--json", "--", "REFERENCES=a", "REFERENCES=b", "SEED=1"]


def test_only_a_report_with_the_same_settings_is_done(tmp_path: Path) -> None:
    path = tmp_path / "toy.json"
    assert not bench_cave._is_done(path, SETTINGS)
    path.write_text(json.dumps({"settings": SETTINGS}))
    assert bench_cave._is_done(path, SETTINGS)
    assert not bench_cave._is_done(path, SETTINGS | {"steps": 8})


def test_noise_is_what_tells_the_test_pairs_apart() -> None:
    cube = np.random.default_rng(0).uniform(0.1, 1.0, (31, 16, 16))
    scene = Scene("one", "CAVE", "test", cube, tuple(range(400, 701, 10)))
    clean, noisy = (pairs.simulated(scene, 8, 3, noise) for noise in (0.0, pairs.NOISE))
    np.testing.assert_array_equal(clean.guide, pairs.simulated(scene, 8, 3, 0.0).guide)
    spread = (noisy.guide - clean.guide).std(axis=(1, 2)) / np.sqrt(
        np.mean(clean.guide**2, axis=(1, 2))
    )
    assert spread == pytest.approx([pairs.NOISE] * 3, rel=0.2)


def test_the_section_shows_methods_start_and_models() -> None:
    training = {"STEPS": 9, "BEST_STEP": 8, "VALIDATION_SHARE": 0.9, "seconds": 120.0}
    tests = {"clean": {"fused": GOOD, "start": POOR}}
    report = {"settings": SETTINGS, "training": training, "tests": tests}
    text = bench_cave.section({"clean": {"cubic": POOR}}, {"toy": report})
    assert "| RASD, toy, 9 steps | 45.00 | 1.900 | 1.000 | 0.9900 |" in text
    assert "| zero scenes | 24.00 | 4.400 | 9.000 | 0.7000 |" in text
    assert "| toy | 9 | 8 | 0.900 | 2 |" in text
