"""The selective scan: its fast forms held to the readable one, and that one to others' work."""

from __future__ import annotations

import builtins
import importlib.util
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rasd_fusion.models import scan
from rasd_fusion.models.scan import blocked, cache, fused

NAMES = ("u", "delta", "A", "B", "C", "D", "delta_bias")
needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is not installed"
)
FAST = [scan.blocked_scan, pytest.param(scan.fused_scan, marks=needs_numba)]

shapes = st.tuples(
    st.integers(1, 3),
    st.one_of(st.integers(1, 6), st.integers(15, 33)),
    st.integers(1, 17),
    st.one_of(st.integers(1, 70), st.integers(120, 135), st.integers(1020, 1030)),
)


def example(n: int, e: int, s: int, length: int, seed: int = 0, dtype=torch.float64):
    """Random arguments: rates and steps over the orders of magnitude a trained network has."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64).to(dtype)

    return [
        normal(n, e, length),
        2 * normal(n, e, length),
        -(1.5 * normal(e, s)).exp(),
        normal(n, s, length),
        normal(n, s, length),
        normal(e),
        normal(e) - 2,
    ]


def value_and_gradients(form, arguments, weight):
    leaves = [x.detach().clone().requires_grad_() for x in arguments]
    y = form(*leaves)
    gradients = torch.autograd.grad((y * weight.to(y.dtype)).sum(), leaves)
    return dict(zip(("y", *NAMES), (y.detach(), *gradients)))


def assert_close(found, wanted, tolerance):
    """Every value within `tolerance` of the largest of its kind, at least 1."""
    for name, value in wanted.items():
        error = (found[name].double() - value.double()).abs().max().item()
        scale = max(1.0, value.abs().max().item())
        assert error <= tolerance * scale, f"{name}: off by {error} where values reach {scale}"


def closed_form(u, delta, A, B, C, D, delta_bias):
    """y_l = Σ_{m≤l} Σ_s C_l exp(A Σ_{m<k≤l} Δ_k) B_m Δ_m u_m + D u_l, with no recurrence."""
    step = torch.log1p(torch.exp(delta + delta_bias[:, None]))
    time = step.cumsum(dim=2)
    elapsed = (time[:, :, :, None] - time[:, :, None, :]).tril()
    response = torch.exp(elapsed[:, :, None] * A[:, :, None, None]).tril()
    return torch.einsum("nsl,neslm,nsm,nem->nel", C, response, B, step * u) + D[:, None] * u


def test_reference_is_the_closed_form():
    arguments = example(2, 5, 4, 40)
    weight = torch.randn(2, 5, 40, dtype=torch.float64)
    found = value_and_gradients(scan.reference_scan, arguments, weight)
    assert_close(found, value_and_gradients(closed_form, arguments, weight), 1e-12)


def test_reference_is_mamba_ssm_s():
    theirs = mamba_reference()
    arguments = [x.float() for x in example(2, 6, 4, 50)]
    weight = torch.randn(2, 6, 50)

    def form(u, delta, A, B, C, D, bias):
        return theirs(u, delta, A, B, C, D, delta_bias=bias, delta_softplus=True)

    found = value_and_gradients(scan.reference_scan, arguments, weight)
    assert_close(found, value_and_gradients(form, arguments, weight), 1e-5)


def mamba_reference():
    """`selective_scan_ref` out of an installed mamba-ssm, its compiled half left out."""
    spec = importlib.util.find_spec("mamba_ssm")
    if spec is None or importlib.util.find_spec("einops") is None:
        pytest.skip("mamba-ssm or einops is not installed")
    source = Path(spec.submodule_search_locations[0])
    names = [
        "selective_scan_cuda",
        "mamba_ssm",
        "mamba_ssm.ops",
        "mamba_ssm.ops.triton",
        "mamba_ssm.ops.triton.layer_norm",
        "mamba_ssm.utils",
    ]
    absent = {name: ModuleType(name) for name in names}
    absent["mamba_ssm.ops.triton.layer_norm"]._layer_norm_fwd = None
    absent["mamba_ssm.utils"].__path__ = [str(source / "utils")]
    with pytest.MonkeyPatch.context() as patch:
        for name, module in absent.items():
            patch.setitem(sys.modules, name, module)
        path = source / "ops" / "selective_scan_interface.py"
        spec = importlib.util.spec_from_file_location("selective_scan_interface", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module.selective_scan_ref


@pytest.mark.parametrize("form", FAST)
@settings(max_examples=25, deadline=None)
@given(shape=shapes, seed=st.integers(0, 2**31))
def test_fast_forms_are_the_reference(form, shape, seed):
    arguments = example(*shape, seed=seed)
    weight = torch.randn(shape[0], shape[1], shape[3], dtype=torch.float64)
    wanted = value_and_gradients(scan.reference_scan, arguments, weight)
    found = value_and_gradients(form, [x.float() for x in arguments], weight)
    assert_close(found, wanted, 2e-5)
    if form is scan.blocked_scan:
        assert_close(value_and_gradients(form, arguments, weight), wanted, 1e-12)


def test_gradients_are_those_of_finite_differences():
    """Also across the ends of a block, which is made short here."""
    arguments = [x.requires_grad_() for x in example(1, 2, 2, 11)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocked, "LANES", 2)
        patch.setattr(blocked, "STEPS", 2)
        assert torch.autograd.gradcheck(scan.blocked_scan, arguments)
    assert torch.autograd.gradcheck(scan.reference_scan, arguments)


@pytest.mark.parametrize("form", FAST)
@pytest.mark.parametrize("offset", [-30.0, 0.0, 30.0], ids=["tiny-steps", "steps", "huge-steps"])
def test_long_sequences_stay_finite_and_right(form, offset):
    arguments = example(1, 16, 3, 20_000)
    arguments[6] += offset
    weight = torch.randn(1, 16, 20_000, dtype=torch.float64)
    found = value_and_gradients(form, [x.float() for x in arguments], weight)
    assert all(value.isfinite().all() for value in found.values())
    wanted = value_and_gradients(scan.blocked_scan, arguments, weight)
    assert_close(found, wanted, 1e-4)


@needs_numba
def test_exponentials_are_good_to_a_millionth():
    """One point from a known state shows the decay alone: y_1 = C exp(ΔA) B Δ u."""
    steps = torch.linspace(-15, 15, 4001)
    rates = -torch.logspace(-4, 1.5, 16)
    u = torch.zeros(1, 16, 2).index_fill_(2, torch.tensor([0]), 1.0).expand(4001, 16, 2)
    delta = torch.stack([torch.zeros(4001), steps], dim=1)[:, None].expand(4001, 16, 2)
    ones, none = torch.ones(4001, 1, 2), torch.zeros(16)
    arguments = [u, delta, rates[:, None], ones, ones, none, none]
    wanted = scan.reference_scan(*(x.double() for x in arguments))[..., 1]
    found = scan.fused_scan(*arguments)[..., 1].double()
    # Where e**x is x's own rounding error away from right, no float32 can do better.
    exponent = torch.nn.functional.softplus(steps.double())[:, None] * rates.double()
    seen = exponent > -20
    error = ((found - wanted).abs() / wanted / (1 + exponent.abs() / 4))[seen]
    assert error.max() < 1e-6


@needs_numba
@pytest.mark.parametrize("name", NAMES)
def test_a_nan_is_not_lost(name):
    arguments = example(1, 4, 2, 9, dtype=torch.float32)
    arguments[NAMES.index(name)].flatten()[0] = torch.nan
    found, wanted = scan.fused_scan(*arguments), scan.reference_scan(*arguments)
    assert wanted.isnan().any()
    assert torch.equal(found.isnan(), wanted.isnan())


@pytest.mark.parametrize("form", FAST)
def test_any_memory_layout_gives_the_same(form):
    arguments = example(2, 20, 5, 90, dtype=torch.float32)
    turned = [
        x.transpose(1, 2).contiguous().transpose(1, 2) if x.dim() == 3 else x for x in arguments
    ]
    spread = [torch.stack([x, x], dim=-1)[..., 0] for x in arguments]
    wanted = form(*arguments)
    torch.testing.assert_close(form(*turned), wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(form(*spread), wanted, rtol=0, atol=1e-6)


@needs_numba
def test_threads_change_no_bit():
    arguments = example(2, 48, 4, 500, dtype=torch.float32)
    weight = torch.randn(2, 48, 500)
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        wanted = value_and_gradients(scan.fused_scan, arguments, weight)
        torch.set_num_threads(3)
        with ThreadPoolExecutor(4) as callers:
            jobs = [
                callers.submit(value_and_gradients, scan.fused_scan, arguments, weight)
                for _ in range(8)
            ]
            for job in jobs:
                for name, value in job.result().items():
                    assert torch.equal(value, wanted[name]), name
    finally:
        torch.set_num_threads(usual)


@needs_numba
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_does_not_wait_for_threads_it_has_not():
    code = (
        "import os, torch; from rasd_fusion.models import scan; torch.set_num_threads(2)\n"
        "a = [torch.ones(1, 64, 9)] * 2 + [-torch.ones(64, 2)] + [torch.ones(1, 2, 9)] * 2"
        " + [torch.ones(64)] * 2\n"
        "scan.fused_scan(*a); child = os.fork()\n"
        "if not child: scan.fused_scan(*a); os._exit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
    )
    subprocess.run([sys.executable, "-c", LOAD + code], check=True, timeout=60)


def test_inputs_are_left_as_they_were():
    arguments = example(2, 16, 3, 40, dtype=torch.float32)
    before = [x.clone() for x in arguments]
    scan.selective_scan(*[x.requires_grad_() for x in arguments]).sum().backward()
    assert all(torch.equal(x.detach(), y) for x, y in zip(arguments, before))


@pytest.mark.parametrize("form", [scan.reference_scan, *FAST])
def test_nothing_in_nothing_out(form):
    assert form(*example(2, 3, 2, 0, dtype=torch.float32)).shape == (2, 3, 0)


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_that_does_not_fit_is_named(name):
    arguments = example(2, 3, 2, 5)
    arguments[NAMES.index(name)] = torch.zeros(2, 3, 7, 1)
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        scan.selective_scan(*arguments)


@needs_numba
def test_the_processor_gets_the_compiled_form_in_single_precision_only():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scan._fastest(torch.zeros(1)) is scan.fused_scan
    assert scan._fastest(torch.zeros(1, dtype=torch.float64)) is scan.blocked_scan


@pytest.mark.parametrize(
    ("error", "warned"), [(ModuleNotFoundError("numba"), 0), (ImportError("no numpy 3"), 1)]
)
def test_without_numba_torch_alone_does_it(monkeypatch, error, warned):
    genuine = builtins.__import__

    def without_numba(name, *rest):
        if name.split(".")[0] == "numba":
            raise error
        return genuine(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_numba)
    for name in ("kernels", "simd"):
        monkeypatch.delitem(sys.modules, f"rasd_fusion.models.scan.{name}", raising=False)
    fused.compiled.cache_clear()
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            assert scan._fastest(torch.zeros(1)) is scan.blocked_scan
        assert len(seen) == warned
    finally:
        fused.compiled.cache_clear()


LOAD = f"""
import importlib.util, sys
root = {str(Path(scan.__file__).parents[2])!r}
spec = importlib.util.spec_from_file_location(
    "rasd_fusion", root + "/__init__.py", submodule_search_locations=[root])
package = importlib.util.module_from_spec(spec)
sys.modules["rasd_fusion"] = package
spec.loader.exec_module(package)
"""


@needs_numba
def test_a_second_process_compiles_nothing(tmp_path):
    code = (
        "from rasd_fusion.models.scan import fused; kernels = fused.compiled()\n"
        "stats = [k.stats for k in (kernels.forward, kernels.backward)]\n"
        "print(sum(sum(s.cache_hits.values()) for s in stats))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}

    def hits() -> str:
        return subprocess.run(
            [sys.executable, "-c", LOAD + code],
            env=environment,
            check=True,
            timeout=120,
            capture_output=True,
            text=True,
        ).stdout.strip()

    assert (hits(), hits()) == ("0", "2")


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_a_cache_that_others_may_write_is_refused(tmp_path):
    folder = cache.kernel_cache(str(tmp_path))
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert cache.kernel_cache(str(tmp_path)) is None


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path):
    (tmp_path / "file").touch()
    assert cache.kernel_cache(str(tmp_path / "file")) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_mamba_ssm_s_kernel_is_the_reference():
    if importlib.util.find_spec("mamba_ssm") is None:
        pytest.skip("mamba-ssm is not installed")
    arguments = [x.cuda() for x in example(2, 64, 16, 3000)]
    weight = torch.randn(2, 64, 3000, dtype=torch.float64).cuda()
    found = value_and_gradients(scan.mamba_scan, [x.float() for x in arguments], weight)
    assert_close(found, value_and_gradients(scan.blocked_scan, arguments, weight), 1e-4)
