"""The classical methods: exact where a pair fits their model, and as strong as they were."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from rasd_fusion.benchmarks import indian_pines, metrics
from rasd_fusion.benchmarks.degrade import blur_and_decimate, observation
from rasd_fusion.benchmarks.pairs import box
from rasd_fusion.benchmarks.peers import bayes, cnmf, cubic, glp, gsa, hypersharpening, sfim
from rasd_fusion.benchmarks.peers.subspace import Subspace

Image = np.ndarray
Fuse = Callable[..., Image]

GUIDED = {"glp": glp.fuse, "gsa": gsa.fuse, "sfim": sfim.fuse, "bayes": bayes.fuse}
ALL = {**GUIDED, "cnmf": cnmf.fuse}


def texture(bands: int, side: int, seed: int = 0) -> Image:
    """A positive image with structure at every scale, (bands, side, side), about 1…3."""
    random = np.random.default_rng(seed)
    layers = [
        ndimage.gaussian_filter(random.standard_normal((bands, side, side)), (0, width, width))
        for width in (0.0, 1.0, 3.0)
    ]
    image = sum(layer / layer.std(axis=(1, 2), keepdims=True) for layer in layers)
    return 2.0 + 0.2 * np.asarray(image)


def mixed(bands: int, guide: Image, seed: int = 1) -> Image:
    """Bands that are affine in the guide's: what a regression can tell all of."""
    random = np.random.default_rng(seed)
    weights = random.uniform(0.1, 1.0, (bands, len(guide)))
    return np.tensordot(weights, guide, 1) + random.uniform(0.0, 1.0, (bands, 1, 1))


@pytest.mark.parametrize("ratio", [2, 3, 4])
@pytest.mark.parametrize("name", GUIDED)
def test_bands_that_the_guide_tells_come_back_exactly(name: str, ratio: int) -> None:
    guide = texture(3, 12 * ratio)
    reference = mixed(9, guide)
    fused = GUIDED[name](blur_and_decimate(reference, ratio), guide, ratio)
    np.testing.assert_allclose(fused, reference, rtol=1e-3)


@pytest.mark.parametrize("name", GUIDED)
def test_the_psf_in_use_is_the_one_told(name: str) -> None:
    guide = texture(3, 36)
    reference = mixed(9, guide)
    coarse = blur_and_decimate(reference, 3, box(3))
    fused = GUIDED[name](coarse, guide, 3, box(3))
    np.testing.assert_allclose(fused, reference, rtol=1e-3)
    assert np.abs(GUIDED[name](coarse, guide, 3) - reference).max() > 0.05


@pytest.mark.parametrize("name", GUIDED)
def test_gain_and_offset_of_the_guide_do_not_matter(name: str) -> None:
    reference = texture(6, 32)
    coarse, guide = blur_and_decimate(reference, 4), reference[:2]
    plain = GUIDED[name](coarse, guide, 4)
    turned = GUIDED[name](coarse, guide * np.array([[[7.0]], [[-0.2]]]) + 30.0, 4)
    np.testing.assert_allclose(turned, plain, rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_the_unit_is_the_inputs(name: str) -> None:
    reference = texture(6, 32)
    coarse, guide = blur_and_decimate(reference, 4), reference[:2]
    plain, scaled = ALL[name](coarse, guide, 4), ALL[name](1e4 * coarse, 1e4 * guide, 4)
    np.testing.assert_allclose(scaled, 1e4 * plain, rtol=1e-5)


@pytest.mark.parametrize("ratio", [2, 3])
@pytest.mark.parametrize("name", ALL)
def test_nothing_is_shifted_a_mirrored_pair_fuses_to_the_mirrored_image(
    name: str, ratio: int
) -> None:
    reference = texture(6, 12 * ratio)
    coarse, guide = blur_and_decimate(reference, ratio), reference[:2]
    plain = ALL[name](coarse, guide, ratio)
    mirrored = ALL[name](coarse[:, ::-1, ::-1], guide[:, ::-1, ::-1], ratio)
    np.testing.assert_allclose(mirrored[:, ::-1, ::-1], plain, rtol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_a_flat_scene_stays_flat(name: str) -> None:
    levels = np.array([1.0, 5.0, 3.0, 0.5])[:, None, None]
    reference = levels * np.ones((4, 24, 24))
    fused = ALL[name](blur_and_decimate(reference, 4), reference[:2], 4)
    np.testing.assert_allclose(fused, reference, rtol=1e-3)


def test_upsampling_is_scipys_spline() -> None:
    image = texture(3, 11)[:, :7]
    expected = ndimage.zoom(image, (1, 3, 3), order=3, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(cubic.upsample(image, 3), expected, atol=1e-12)


def test_ridge_holds_back_a_guide_whose_detail_is_of_something_else() -> None:
    """Alike at the coarse scale, unlike in detail: as two real sensors are."""
    shape = ndimage.gaussian_filter(texture(1, 32), (0, 4, 4))
    own, other = texture(1, 32, 5) - 2.0, texture(1, 32, 6) - 2.0
    bands, guide = 3.0 * shape + own, 3.0 * shape + other
    weight = hypersharpening.regression(bands, guide, 2).weights
    honest = hypersharpening.regression(bands, bands, 2).weights
    assert honest == pytest.approx(1.0)
    plain = np.cov(bands.ravel(), guide.ravel())[0, 1] / guide.var(ddof=1)
    assert abs(weight[0, 0]) < 0.9 * plain


def test_sfim_modulates_and_does_not_add() -> None:
    """A shade that the guide alone shows halves every band there."""
    guide = texture(1, 32)
    reference = guide * np.array([1.0, 4.0, 0.5])[:, None, None]
    coarse = blur_and_decimate(reference, 4)
    shaded = np.where(np.arange(32) < 2, 0.5, 1.0) * guide
    plain, dark = (sfim.fuse(coarse, g, 4) for g in (guide, shaded))
    quotients = dark[:, :, 0] / plain[:, :, 0]
    np.testing.assert_allclose(quotients - quotients[0], 0.0, atol=0.05)


def test_subspace_keeps_what_its_components_span() -> None:
    random = np.random.default_rng(3)
    image = np.tensordot(random.standard_normal((20, 4)), texture(4, 16), 1)
    space = Subspace.of(image, 10)
    np.testing.assert_allclose(space.bands(space.components(image)), image, atol=1e-9)
    assert Subspace.of(image[:, :3, :3], 10).size == 3  # nine pixels tell no more


def test_bayes_solves_its_equation() -> None:
    """Against the dense solution of the same Gaussian model, every matrix written out."""
    random = np.random.default_rng(0)
    k, bands, side, ratio = 3, 2, 6, 2
    maps = [observation(side, ratio), observation(side, ratio)]
    response = random.standard_normal((bands, k))
    spread = random.standard_normal((k, k))
    model = bayes.Model(response, np.diag([0.1, 0.3]), 0.05, spread @ spread.T + np.eye(k))
    coarse, guide = random.standard_normal((k, 3, 3)), random.standard_normal((bands, side, side))
    mean = random.standard_normal((k, side, side))

    down = np.kron(np.eye(k), np.kron(maps[0], maps[1]))
    seen = np.kron(response, np.eye(side**2))
    quiet = np.kron(np.linalg.inv(model.guide_noise), np.eye(side**2))
    prior = np.kron(np.linalg.inv(model.detail), np.eye(side**2))
    system = down.T @ down / model.noise + seen.T @ quiet @ seen + prior
    right = down.T @ coarse.ravel() / model.noise
    right += seen.T @ quiet @ guide.ravel() + prior @ mean.ravel()
    expected = np.linalg.solve(system, right).reshape(mean.shape)

    np.testing.assert_allclose(bayes.solve(coarse, guide, mean, model, maps), expected, atol=1e-9)


def fields(members: int, side: int) -> Image:
    """Abundances (members, side, side) that sum to 1, each member alone in a block of its own."""
    smooth = ndimage.gaussian_filter(texture(members, side), (0, 2, 2))
    abundances = smooth**8 / (smooth**8).sum(axis=0)
    for member in range(members):
        abundances[:, :12, 12 * member : 12 * (member + 1)] = 0.0
        abundances[member, :12, 12 * member : 12 * (member + 1)] = 1.0
    return abundances


def test_cnmf_recovers_a_mixture_of_pure_spectra() -> None:
    spectra = np.random.default_rng(2).uniform(0.05, 1.0, (20, 3))
    reference = np.tensordot(spectra, fields(3, 48), 1)
    coarse, guide = blur_and_decimate(reference, 4), reference[[2, 8, 14, 19]]
    fused = cnmf.fuse(coarse, guide, 4)
    error = np.sqrt(np.mean((fused - reference) ** 2)) / reference.std()
    blurred = cubic.upsample(coarse, 4)
    assert error < 0.05
    assert error < 0.2 * np.sqrt(np.mean((blurred - reference) ** 2)) / reference.std()


def test_vertices_are_the_pure_pixels() -> None:
    spectra = np.random.default_rng(2).uniform(0.05, 1.0, (20, 3))
    pixels = spectra @ fields(3, 48).reshape(3, -1)
    found = cnmf.vertices(pixels, 3, np.random.default_rng(0))
    order = [int(np.abs(found - spectra[:, [m]]).sum(axis=0).argmin()) for m in range(3)]
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(found[:, order], spectra, rtol=1e-9)


def test_factors_stay_non_negative_and_fit_both_images() -> None:
    spectra = np.random.default_rng(2).uniform(0.05, 1.0, (20, 3))
    reference = np.tensordot(spectra, fields(3, 48), 1)
    coarse, guide = blur_and_decimate(reference, 4), reference[[2, 8, 14, 19]]
    response = np.eye(20)[[2, 8, 14, 19]]
    w, h = cnmf.factorised(coarse, guide, response, [observation(48, 4)] * 2)
    assert w.min() >= 0 and h.min() >= 0
    seen = np.tensordot(response @ w, h, 1)
    assert np.sqrt(np.mean((seen - guide) ** 2)) < 0.05 * guide.std()


def test_estimated_response_is_the_one_that_made_the_guide() -> None:
    response = np.random.default_rng(4).uniform(0.0, 1.0, (2, 5)) * [1, 0, 1, 1, 0]
    image = texture(5, 16)
    found = cnmf.estimated_response(image, np.tensordot(response, image, 1))
    np.testing.assert_allclose(found, response, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "psnr", "angle"),
    [
        ("glp", 52.6, 1.60),
        ("gsa", 52.6, 1.60),
        ("sfim", 52.6, 1.60),
        ("cnmf", 51.5, 1.52),
        ("bayes", 52.8, 1.55),
    ],
)
def test_no_baseline_grows_weak(name: str, psnr: float, angle: float) -> None:
    """On the demo pair, to which the figures in their docstrings refer."""
    pair = indian_pines.load_pair()
    fused = ALL[name](pair.hyperspectral, pair.multispectral, indian_pines.RATIO)
    assert metrics.psnr(fused, pair.reference) > psnr
    assert metrics.spectral_angle(fused, pair.reference) < angle
