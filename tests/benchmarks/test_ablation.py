"""The ablations: each takes out the part it names and nothing else, and all train alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from rasd_fusion.benchmarks import ablation_report, bench_ablation
from rasd_fusion.benchmarks.ablations import FULL, VARIANTS, Variant, build, fresh
from rasd_fusion.benchmarks.bench_ablation import KEPT_OUT, NEW_SCENE, Course, Example
from rasd_fusion.models import RASDConfig, RASDFuNet

BANDS, GUIDE = 6, 3


def made(variant: Variant) -> RASDFuNet:
    torch.manual_seed(0)
    return build(variant, BANDS, GUIDE).eval()


def images(side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    shape = (1, BANDS + GUIDE, side, side)
    return torch.rand(shape, generator=random).split((BANDS, GUIDE), 1)


@pytest.fixture(scope="module")
def lessons() -> list[Example]:
    random = np.random.default_rng(0)
    cube = random.random((BANDS, 9, 9)).repeat(8, 1).repeat(8, 2)
    response = np.eye(BANDS)[:GUIDE]
    return [bench_ablation.example(cube, response)]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_runs_and_trains(variant: Variant) -> None:
    network = made(variant).train()
    start, guide = images()
    network(start, guide, variant.ratio).image.square().mean().backward()
    idle = {name for name, weight in network.named_parameters() if weight.grad is None}
    branch = {0.0: "low_rank", 1.0: "attention"}.get(variant.ratio)
    assert all(branch is not None and branch in name for name in idle)


def test_variants_have_names_of_their_own() -> None:
    names = {
        bench_ablation.place(Path(), variant, Course("cave", 1, 0)).name for variant in VARIANTS
    }
    assert len(names) == len(VARIANTS) == 20


def test_the_whole_network_is_the_products() -> None:
    torch.manual_seed(0)
    product = RASDFuNet(RASDConfig(BANDS, GUIDE))
    product.start_from_skip()
    for own, theirs in zip(made(FULL).parameters(), product.parameters()):
        assert torch.equal(own, theirs)


def test_variants_of_a_seed_share_what_they_have_in_common() -> None:
    whole = dict(fresh(FULL, 3, BANDS, GUIDE).named_parameters())
    for variant in VARIANTS:
        weights = dict(fresh(variant, 3, BANDS, GUIDE).named_parameters())
        alike = [
            name
            for name, weight in weights.items()
            if name in whole and weight.shape == whole[name].shape and name != "reconstruct.weight"
        ]
        assert len(alike) > 100
        assert all(torch.equal(weights[name], whole[name]) for name in alike)
        drawn = "reconstruction" in variant.name
        assert bool(weights["reconstruct.weight"].any()) == drawn
    other = dict(fresh(FULL, 4, BANDS, GUIDE).named_parameters())
    assert not torch.equal(other["enter.weight"], whole["enter.weight"])


def test_without_dropout_training_and_use_are_one() -> None:
    start, guide = images()
    for variant, same in ((FULL, False), (Variant("", without=("dropout",)), True)):
        network = made(variant)
        torch.nn.init.ones_(network.reconstruct.weight)
        used = network(start, guide, 0.0).image
        assert torch.allclose(network.train()(start, guide, 0.0).image, used) is same


def test_without_context_a_far_neighbour_does_not_change_the_confidence() -> None:
    features = torch.randn(1, 16, 16, 32)
    moved = features.clone()
    moved[0, 8, 12] += 1.0  # four pixels off: only the dilated convolutions reach so far
    seen = {}
    for variant in (FULL, Variant("", without=("context",))):
        part = made(variant).stages[0].fine.discriminator
        change = (part(moved) - part(features)).abs()[0, 8]
        seen[variant.without] = float(change[8]), float(change[12])
    assert seen[()][0] > 1e-6
    assert seen[("context",)][0] == 0.0
    assert seen[("context",)][1] > 1e-6


def test_without_spectral_attention_channels_are_not_mixed() -> None:
    part = made(Variant("", without=("spectral",))).stages[0].fine.attention
    correlation = part.correlation(torch.randn(2, 50, 32))
    assert torch.equal(correlation, torch.eye(64).expand(2, -1, -1))


def test_without_gradients_edges_do_not_matter() -> None:
    plain, edges = torch.randn(1, 50, 32), torch.randn(1, 50, 64)
    changed = {}
    for variant in (FULL, Variant("", without=("gradients",))):
        part = made(variant).stages[0].fine.attention
        changed[variant.without] = not torch.equal(
            part(plain, plain, edges), part(plain, plain, 2 * edges)
        )
    assert changed == {(): True, ("gradients",): False}


def test_a_variant_without_a_part_is_not_run_by_kernels_that_have_it() -> None:
    start, guide = images()
    for name in ("context", "spectral", "gradients"):
        network = made(Variant("", without=(name,)))
        with torch.no_grad():
            told = network(start, guide, 0.5).image
        with_gradients = network(start, guide, 0.5).image
        torch.testing.assert_close(told, with_gradients.detach())


def test_parts_taken_out_take_their_weights_along() -> None:
    def weights(variant: Variant) -> int:
        return sum(weight.numel() for weight in made(variant).parameters())

    per_module = {
        "context": (32 * 4 + 4) + 2 * (4 * 9 + 4) + 4 * 4,
        "spectral": 2 * 32 * 64 + 2,
        "gradients": (64 * 32 + 32) + (32 * 64 + 64),
    }
    for name, count in per_module.items():
        assert weights(FULL) - weights(Variant("", without=(name,))) == 10 * count


def test_training_lowers_the_loss_and_repeats(lessons: list[Example]) -> None:
    variant = Variant("small", {"stages": 1})
    first, longer, again = (
        bench_ablation.run(variant, Course("cave", steps, 0), lessons, {KEPT_OUT: lessons})
        for steps in (2, 12, 12)
    )
    assert longer["loss"] < first["loss"]
    assert longer[KEPT_OUT]["PSNR"] == again[KEPT_OUT]["PSNR"]
    assert longer["millions"] > 0.1


def test_all_variants_see_the_same_crops(lessons: list[Example]) -> None:
    course = Course("cave", 1, 0, batch=3, side=32)
    batches = [bench_ablation.batch(lessons, course, np.random.default_rng(3)) for _ in range(2)]
    for one, other in zip(*batches):
        assert torch.equal(one, other)
    start, guide, target = batches[0]
    assert start.shape == target.shape == (3, BANDS, 32, 32)
    # The guide is of the same ground: it shows the first bands of the target.
    torch.testing.assert_close(guide, target[:, :GUIDE])


def test_what_is_done_is_not_made_again(tmp_path: Path, lessons: list[Example]) -> None:
    variant, course = Variant("small", {"stages": 1}), Course("cave", 1, 0)
    report = bench_ablation.run(variant, course, lessons, {KEPT_OUT: lessons})
    bench_ablation.write(tmp_path, variant, course, report)
    assert bench_ablation.is_done(tmp_path, variant, course)
    assert not bench_ablation.is_done(tmp_path, variant, Course("cave", 2, 0))
    assert not bench_ablation.is_done(tmp_path, variant, Course("cave", 1, 0, side=32))
    assert not bench_ablation.is_done(tmp_path, variant, Course("cave", 1, 1))


def test_indian_pines_is_parted_before_it_is_seen() -> None:
    (lesson,), exam = bench_ablation.load("indian-pines")
    assert lesson.target.shape == (1, 200, 144, 96)
    assert exam.target.shape == (1, 200, 144, 48)
    assert exam.guide.shape == (1, 10, 144, 48)
    assert float(lesson.target.max()) <= 1.0


@pytest.mark.parametrize(
    ("differences", "claim"),
    [
        ([-0.30, -0.31, -0.29], "-0.30 ± 0.02 worse"),
        ([0.2, 0.21, 0.22], "+0.21 ± 0.02 better"),
        ([-0.3, 0.1, -0.2], "-0.13 ± 0.52"),
        ([-0.3], "-0.30 (one seed)"),
    ],
)
def test_no_claim_where_the_spread_covers_it(differences: list[float], claim: str) -> None:
    assert ablation_report.verdict(differences, 2) == claim
    less = claim.replace("worse", "?").replace("better", "worse").replace("?", "better")
    assert ablation_report.verdict(differences, 2, more_is_better=False) == less


def test_the_table_pairs_by_seed() -> None:
    settings = bench_ablation.identity(Course("cave", 10, 0))
    reports = [
        {
            "variant": name,
            "published": published,
            "settings": settings,
            "seed": seed,
            "millions": 0.9,
            **{exam: {"PSNR": base + 5 * seed, "SAM": 2.0} for exam in (KEPT_OUT, NEW_SCENE)},
        }
        for name, base, published in ((FULL.name, 40.0, 0.0), ("K = 1", 39.0, None))
        for seed in (0, 1, 2)
    ]
    text = ablation_report.render(reports)
    (line,) = [line for line in text.splitlines() if line.startswith("| K = 1")]
    exam = "44.00 ± 5.00 | -1.00 ± 0.00 worse | +0.000 ± 0.000"
    assert line == f"| K = 1 | 3 |  | {exam} | {exam} | 0.900 |"
