"""What rasd:train learns from: its pairs, what is kept out of them, and what is refused."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
import rasterio
import torch

from rasd_fusion.models import RASDConfig, RASDFuNet
from rasd_fusion.rasd_qgis.contract.errors import InputError
from rasd_fusion.rasd_qgis.contract.request import (
    RasterSource,
    SimulateRequest,
    TrainRequest,
)
from rasd_fusion.rasd_qgis.engine.learning import course as course_room
from rasd_fusion.rasd_qgis.engine.learning.course import Classroom
from rasd_fusion.rasd_qgis.engine.learning.learn import prepare, train
from rasd_fusion.rasd_qgis.engine.learning.lessons import Subject, lesson, split
from rasd_fusion.rasd_qgis.engine.learning.recipe import LAPTOP, recipe_of
from rasd_fusion.rasd_qgis.engine.model.card import read_model
from rasd_fusion.rasd_qgis.engine.sensors.observe import DEFAULT_SIGMA
from rasd_fusion.rasd_qgis.engine.simulate import simulate

from .courses import GUIDE_BANDS, SIDE, material, quiet, request
from .scenes import BANDS, FINE, Ground, centres, write
from .test_layouts import write_cave

pytestmark = pytest.mark.usefixtures("look_often")


def test_what_validates_is_never_trained_on(tmp_path, references):
    """Every window that a crop's answer is read from, over many steps, misses the kept rows."""
    made = request(tmp_path, references)
    with ExitStack() as stack:
        pairs, blur, recipe = material(made, stack)
        study = prepare(pairs, blur.sigma, recipe, 0, quiet())
        room = Classroom(study.subjects, study.units, LAPTOP, 16, 0, torch.device("cpu"))
        network = RASDFuNet(RASDConfig(study.units.components, 2 * GUIDE_BANDS, channels=8))
        course = course_room.Course(network, room)
        drawn = []
        for step in range(60):
            torch.manual_seed(step)
            drawn += course._drawn()
    for subject, (row0, row1, _, _) in drawn:
        kept = subject.kept
        assert row1 <= kept[0] or kept[1] <= row0
        assert kept[1] - kept[0] == 5
    assert {subject.pair.name for subject, _ in drawn} == {"r0.tif", "r1.tif"}
    assert len({window for _, window in drawn}) > 40


@pytest.mark.parametrize(("count", "whole"), [(3, 0), (9, 0), (10, 1), (32, 4)])
def test_about_a_tenth_is_kept_out(count, whole):
    windows = [split(number, count, (50, 40), 0) for number in range(count)]
    assert sum(area is None for area, _ in windows) == whole
    kept = sum((k[1] - k[0]) * (k[3] - k[2]) for _, k in windows if k)
    assert 0.08 <= kept / (count * 2000) <= 0.13


@pytest.mark.parametrize("phase", ["centred", "published"])
@pytest.mark.parametrize("kernel", [None, 4])
def test_pairs_made_of_a_reference_are_those_of_rasd_simulate(tmp_path, references, phase, kernel):
    sensors = {"psf_sigma": 0.375, "kernel_size": kernel, "phase": phase}
    paths = [str(tmp_path / name) for name in ("hs.tif", "ms.tif")]
    simulate(
        SimulateRequest(
            "0123abcd", references[0], *paths, response="random", random_bands=3, **sensors
        ),
        quiet(),
    )
    with ExitStack() as stack:
        pairs, _, _ = material(request(tmp_path, references, **sensors), stack)
        pair = pairs[0]
        coarse, seen = pair.read_coarse(0, pair.coarse_shape[0], 0, pair.coarse_shape[1])
        part, _ = pair.read_coarse(3, 7, 2, 9)
        guide, _ = pair.read_fine(0, SIDE, 0, SIDE)
    with rasterio.open(paths[0]) as dataset:
        np.testing.assert_allclose(coarse, dataset.read(), rtol=1e-5)
        assert seen.all()
    np.testing.assert_allclose(part, coarse[:, 3:7, 2:9], rtol=1e-5)
    with rasterio.open(paths[1]) as dataset:
        np.testing.assert_allclose(guide, dataset.read(), rtol=1e-5)


def test_a_lesson_is_the_same_whichever_window_it_is_cut_from(tmp_path, references):
    """Only so are crops lessons of the whole image: what lies beyond their edge bears on them."""
    with ExitStack() as stack:
        pairs, blur, recipe = material(request(tmp_path, references), stack)
        study = prepare(pairs, blur.sigma, recipe, 0, quiet())
        subject, cpu = study.subjects[0], torch.device("cpu")
        large = lesson(subject, study.units, "pair", (0, SIDE, 0, SIDE), cpu)
        small = lesson(subject, study.units, "pair", (17, 33, 14, 30), cpu)
    for one, other in zip(large, small):
        spread = one.std()
        assert (one[:, 17:33, 14:30] - other).abs().max() < 0.02 * spread + 1e-6


def test_the_paper_s_units_are_values_from_0_to_1_and_all_bands(tmp_path, references):
    made = request(tmp_path, references, preset="paper-cave", ratio=4.0, steps=2)
    train(made, quiet())
    model, card = read_model(made.model_output)
    assert card.start == "cubic"
    assert card.shape["hs_bands"] == BANDS
    assert card.shape["guide_bands"] == GUIDE_BANDS
    with rasterio.open(references[0].path) as dataset:
        truth = torch.from_numpy(dataset.read())
    scaled = model.units.start(truth)
    assert 0 <= float(scaled.min()) < float(scaled.max()) <= 1.01
    torch.testing.assert_close(model.units.in_dn(model.units.residual_of(truth)), truth)


def test_the_paper_s_settings():
    for preset, epochs in (("paper-cave", 1000), ("paper-icvl", 120), ("paper-kaist", 300)):
        recipe = recipe_of(preset)
        assert (recipe.rate, recipe.batch, recipe.side, recipe.stride) == (4e-4, 16, 64, 32)
        assert (recipe.epochs, recipe.routing_ratio, recipe.start) == (epochs, 0.5, "cubic")
        assert not recipe.zeroed
        assert not recipe.memory
        assert not recipe.decay


def test_an_epoch_shows_every_patch_once(tmp_path, references):
    made = request(tmp_path, references, preset="paper-cave", ratio=4.0)
    with ExitStack() as stack:
        pairs, blur, recipe = material(made, stack)
        study = prepare(pairs, blur.sigma, recipe, 0, quiet())
        room = Classroom(study.subjects, study.units, recipe, 16, 0, torch.device("cpu"))
        course = course_room.Course(RASDFuNet(RASDConfig(BANDS, 3, channels=8)), room)
        # 43 rows at a stride of 32 begin at 0 and 27, 48 columns at 0 and 32: 4 patches an image.
        assert course.steps_of(1) == 1
        epochs = []
        for step in range(3):
            course.step = step
            epochs.append([(s.pair.name, window) for s, window in course._drawn()])
    assert all(len(set(epoch)) == len(epoch) == 8 for epoch in epochs)
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert epochs[0] != epochs[1]


def simulated(folder, references, number, **sensors):
    paths = [str(folder / f"{name}{number}.tif") for name in ("hs", "ms")]
    made = SimulateRequest(
        "0123abcd", references[number], *paths, response="random", random_bands=3, **sensors
    )
    simulate(made, quiet())
    return tuple(map(RasterSource, paths))


@pytest.mark.parametrize("with_truth", [True, False])
def test_ready_pairs(tmp_path, references, with_truth):
    pairs = [simulated(tmp_path, references, number, ratio=2.0) for number in range(2)]
    made = request(
        tmp_path,
        references if with_truth else (),
        hyperspectral=tuple(hs for hs, _ in pairs),
        multispectral=tuple(ms for _, ms in pairs),
        steps=2,
    )
    with ExitStack() as stack:
        (pair, _), _, _ = material(made, stack)
        size = SIDE if with_truth else SIDE // 2
        assert pair.fine.shape == (size, size)
        assert (pair.rows.ratio, pair.coarse_shape) == (2.0, (size // 2, size // 2))
        truth, _ = pair.read_truth(0, size, 0, size)
        guide, _ = pair.read_fine(0, size, 0, size)
    with rasterio.open((references[0] if with_truth else pairs[0][0]).path) as dataset:
        np.testing.assert_array_equal(truth, dataset.read())
    assert guide.shape == (GUIDE_BANDS, size, size)
    train(made, quiet())
    _, card = read_model(made.model_output)
    assert card.ratio == [2.0, 2.0]


def test_ready_pairs_tell_the_blur_that_their_request_does_not(tmp_path, references):
    hs, ms = simulated(tmp_path, references, 0, ratio=2.0, psf_sigma=0.6)
    for told, found in ((None, 0.6), (0.5, 0.5)):
        made = request(tmp_path, (), hyperspectral=(hs,), multispectral=(ms,), psf_sigma=told)
        with ExitStack() as stack:
            _, blur, _ = material(made, stack)
        assert blur.sigma == pytest.approx(found, abs=0.06)


def test_a_guide_one_scale_down_shows_the_ground_of_its_hyperspectral_pixels(tmp_path, references):
    """Its bands are sums of the image's, so regression on them leaves next to nothing there."""
    hs, ms = simulated(tmp_path, references, 0, ratio=2.0)
    sensor = {"psf_sigma": DEFAULT_SIGMA}
    made = request(tmp_path, (), hyperspectral=(hs,), multispectral=(ms,), **sensor)
    with ExitStack() as stack:
        (pair,), _, _ = material(made, stack)
        truth, _ = pair.read_truth(2, 22, 2, 22)
        guide, _ = pair.read_fine(2, 22, 2, 22)
    design = truth.reshape(BANDS, -1).T
    found = design @ np.linalg.lstsq(design, guide.reshape(GUIDE_BANDS, -1).T, rcond=None)[0]
    assert np.abs(found.T.reshape(guide.shape) - guide).max() < 1e-3 * guide.std()


def test_a_benchmark_folder_is_material(tmp_path):
    random = np.random.default_rng(0)
    for name in ("one_ms", "two_ms"):
        write_cave(tmp_path, name, random.random((32, 32, 31)))
    made = TrainRequest(
        "0123abcd", str(tmp_path / "m.safetensors"), folder=str(tmp_path), sensor="RapidEye"
    )
    with ExitStack() as stack:
        pairs, _, _ = material(made, stack)
        assert [pair.name for pair in pairs] == ["one_ms", "two_ms"]
        assert pairs[0].ms.count == 3  # the bands of RapidEye from 400 to 700 nm
        assert pairs[0].hs.spectral.wavelengths[-1] == 700.0


def test_invalid_pixels_have_no_weight_and_bear_on_no_answer(tmp_path):
    x, y = centres(FINE, SIDE, SIDE)
    values = Ground(4.0, 0).at(x, y).astype("float32")
    values[:, 20:24, 20:24] = -9999
    path = RasterSource(write(tmp_path / "hole.tif", values, nodata=-9999))
    with ExitStack() as stack:
        pairs, blur, recipe = material(request(tmp_path, (path,)), stack)
        study = prepare(pairs, blur.sigma, recipe, 0, quiet())
        one = lesson(study.subjects[0], study.units, "pair", (0, 40, 0, 40), torch.device("cpu"))
    assert float(one.weight[0, 20:24, 20:24].max()) == 0
    assert one.weight.mean() > 0.9
    for image in one:
        assert bool(image.isfinite().all())
    assert float(study.units.mean.min()) > 0


REFUSED = [
    ({"bands": BANDS - 1}, "has 7 bands, but r0.tif has 8"),
    ({"side": 12}, "fewer than 16 a side"),
]


@pytest.mark.parametrize(("odd", "word"), REFUSED)
def test_images_that_make_no_one_model_are_refused(tmp_path, references, odd, word):
    side, bands = odd.get("side", SIDE), odd.get("bands", BANDS)
    x, y = centres(FINE, side, side)
    values = Ground(4.0).at(x, y)[:bands].astype("float32")
    other = RasterSource(write(tmp_path / "odd.tif", values))
    with pytest.raises(InputError, match=word):
        train(request(tmp_path, (*references, other)), quiet())
    assert [path.name for path in tmp_path.iterdir()] == ["odd.tif"]


def test_pairs_that_make_no_one_model_are_refused(tmp_path, references):
    one, other = (
        simulated(tmp_path, references, number, ratio=ratio)
        for number, ratio in enumerate((2.0, 3.0))
    )
    both = {"hyperspectral": (one[0], other[0]), "multispectral": (one[1], other[1])}
    with pytest.raises(InputError, match=r"ratio of hs1.tif is 3, but that of hs0.tif 2"):
        train(request(tmp_path, references, **both), quiet())
    wrong = RasterSource(write(tmp_path / "far.tif", np.ones((BANDS, 8, 8), "float32")))
    one_pair = {"hyperspectral": (one[0],), "multispectral": (one[1],)}
    with pytest.raises(InputError, match="are not those of ms0"):
        train(request(tmp_path, (wrong,), **one_pair), quiet())


def test_all_pixels_invalid_is_refused(tmp_path):
    path = write(tmp_path / "void.tif", np.full((BANDS, 32, 32), 0, "float32"), nodata=0)
    with pytest.raises(InputError, match="valid"):
        train(request(tmp_path, (RasterSource(path),)), quiet())


def test_subjects_hold_their_own_closed_form(tmp_path, references):
    with ExitStack() as stack:
        pairs, blur, recipe = material(request(tmp_path, references), stack)
        study = prepare(pairs, blur.sigma, recipe, 0, quiet())
    assert all(isinstance(subject, Subject) for subject in study.subjects)
    assert all(subject.gains.shape == (GUIDE_BANDS, BANDS) for subject in study.subjects)
