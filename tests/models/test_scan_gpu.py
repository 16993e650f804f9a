"""The scan's kernels for a card: held to the reference on a card, or on a processor without one.

Without a card Triton's interpreter runs the Triton kernels, and a C++ compiler makes a library of
the CUDA C ones in which a warp's lanes take turns (cuda_on_cpu.h); both are also compiled for real
cards by their own compilers. What only a card can show (speed, the driver's part) is skipped.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
import torch

from rasd_fusion.models import scan
from rasd_fusion.models.scan import chunked, nvrtc

CARD = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
LIBRARIES = tempfile.TemporaryDirectory()
NAMES = ("u", "delta", "A", "B", "C", "D", "delta_bias")
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)
needs_card = pytest.mark.skipif(CARD.type != "cuda", reason="no CUDA card here")


@contextmanager
def interpreted() -> Iterator[None]:
    """Triton on the processor where there is no card: it asks when imported and when run."""
    with pytest.MonkeyPatch.context() as patch:
        if CARD.type == "cpu":
            patch.setenv("TRITON_INTERPRET", "1")
        yield


# Before any test imports Triton otherwise.
with interpreted(), suppress(ModuleNotFoundError):
    triton_gpu = importlib.import_module("rasd_fusion.models.scan.triton_gpu")


def triton_launch(*arguments):
    with interpreted():
        triton_gpu._launch(*arguments)


@cache
def library(states: int, part: int) -> ctypes.CDLL:
    """scan.cu for the processor."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C++ compiler on Linux to run CUDA C on the processor")
    target = Path(LIBRARIES.name) / f"scan-{states}-{part}.so"
    header = Path(__file__).with_name("cuda_on_cpu.h")
    values = [f"-DSTATES={states}", f"-DPART={part}", f'-DSOURCE="{nvrtc.SOURCE}"']
    options = ["-std=c++17", "-O1", "-Wall", "-Wno-unknown-pragmas", "-Werror", "-shared", "-fPIC"]
    command = [compiler, *options, *values, "-x", "c++", str(header), "-o", str(target)]
    subprocess.run(command, check=True, timeout=120)
    return ctypes.CDLL(str(target))


def cuda_launch(name, cut, grid, tensors, sizes):
    """CUDA C: on the card, or made for the processor."""
    if CARD.type == "cuda":
        nvrtc._launch(name, cut, grid, tensors, sizes)
        return
    arguments = nvrtc.pointers(tensors, sizes)
    assert library(cut.states, cut.part).start(name.encode(), *grid, arguments) == 0


KERNELS = [
    pytest.param(cuda_launch, id="cuda-c"),
    pytest.param(triton_launch, id="triton", marks=needs_triton),
]


def example(n: int, e: int, s: int, length: int, seed: int = 0, dtype=torch.float64):
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


def value_and_gradients(form, arguments):
    """In float64 on the processor, of a sum with weights that differ from point to point."""
    leaves = [x.detach().clone().requires_grad_() for x in arguments]
    y = form(*leaves)
    weight = torch.arange(y.numel(), device=y.device).view_as(y).to(y.dtype).sin()
    gradients = torch.autograd.grad((y * weight).sum(), leaves)
    return dict(zip(("y", *NAMES), (x.double().cpu() for x in (y.detach(), *gradients))))


def assert_right(launch, arguments, tolerance=2e-5):
    """Every value and gradient within `tolerance` of the largest of its kind, at least 1."""

    def form(*given):
        return chunked.chunked_scan(launch, *given)

    found = value_and_gradients(form, [x.float().to(CARD) for x in arguments])
    for name, value in value_and_gradients(scan.blocked_scan, arguments).items():
        error = (found[name] - value).abs().max().item()
        scale = max(1.0, value.abs().max().item())
        assert error <= tolerance * scale, f"{name}: off by {error} where values reach {scale}"


@pytest.mark.parametrize("launch", KERNELS)
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1, 1), (2, 3, 2, 5), (1, 33, 5, 34), (1, 32, 17, 33), (1, 8, 64, 9), (1, 65, 16, 18)],
)
def test_kernels_are_the_reference(launch, shape):
    """One chunk and two, one warp and three, states that fill a tile and that do not."""
    assert_right(launch, example(*shape))


def test_the_reference_here_is_the_readable_one():
    arguments = example(2, 3, 2, 40)
    wanted = value_and_gradients(scan.reference_scan, arguments)
    for name, value in value_and_gradients(scan.blocked_scan, arguments).items():
        torch.testing.assert_close(value, wanted[name], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("launch", KERNELS)
def test_longer_chunks_give_the_same(launch, monkeypatch):
    """Chunks of several parts, the last of the chunks and of its parts not full."""
    monkeypatch.setattr(chunked, "WARPS", 1)
    monkeypatch.setattr(chunked, "MOST_CHUNK", 64)
    assert_right(launch, example(1, 5, 16, 64 + 39))


@pytest.mark.parametrize("launch", KERNELS)
@pytest.mark.parametrize("reverse", [False, True], ids=["forth", "back"])
@pytest.mark.parametrize("chunks", [2, 16, 45])
def test_states_are_carried_from_chunk_to_chunk(launch, chunks, reverse):
    random = torch.Generator().manual_seed(chunks)
    cut = chunked.Cut(2, chunks * chunked.LEAST_CHUNK, 9, 4)
    after = torch.randn(2, chunks, 4, 9, generator=random)
    totals, rate = torch.rand(2, chunks, 9, generator=random), -torch.rand(4, 9, generator=random)
    wanted, state = torch.empty_like(after), torch.zeros(2, 4, 9)
    for chunk in reversed(range(chunks)) if reverse else range(chunks):
        wanted[:, chunk] = state
        state = torch.exp2(totals[:, chunk, None] * rate) * state + after[:, chunk]
    tensors = [x.to(CARD) for x in (after, totals, rate, torch.full_like(after, torch.nan))]
    launch("carry", cut, cut.by_state, tuple(tensors), (9, chunks, int(reverse)))
    torch.testing.assert_close(tensors[3].cpu(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("offset", [-30.0, 0.0, 30.0], ids=["tiny-steps", "steps", "huge-steps"])
def test_long_sequences_stay_right(offset):
    arguments = example(1, 16, 3, 1500)
    arguments[6] += offset
    assert_right(cuda_launch, arguments, 1e-4)


@pytest.mark.parametrize("launch", KERNELS)
@pytest.mark.parametrize("offset", [-30.0, -9.0, 30.0])
def test_steps_of_any_width_are_good_to_a_millionth(launch, offset):
    """y_0 = Δ u B C alone: what softplus gives, relative to itself."""
    u, delta, A, B, C, D, bias = example(1, 32, 4, 3, dtype=torch.float32)
    B, C, D, bias = torch.ones_like(B) / 4, torch.ones_like(C), 0 * D, bias + offset
    arguments = (torch.ones_like(u), delta, A, B, C, D, bias)
    with torch.no_grad():
        found = chunked.chunked_scan(launch, *(x.to(CARD) for x in arguments))[..., 0].cpu()
    step = torch.nn.functional.softplus(delta.double() + bias.double()[:, None])[..., 0]
    raw = (delta + bias[:, None])[..., 0].abs().double()
    # A float32 exponent is itself only known to its last bit.
    assert ((found.double() - step) / step / (1 + raw / 8)).abs().max() < 1e-6


@pytest.mark.parametrize("launch", KERNELS)
@pytest.mark.parametrize("name", NAMES)
def test_a_nan_is_not_lost(launch, name):
    arguments = example(1, 4, 2, 5, dtype=torch.float32)
    arguments[NAMES.index(name)].flatten()[0] = torch.nan
    wanted = scan.reference_scan(*arguments).isnan()
    found = chunked.chunked_scan(launch, *(x.to(CARD) for x in arguments)).isnan().cpu()
    assert wanted.any()
    assert torch.equal(found, wanted)


def test_any_memory_layout_gives_the_same():
    arguments = [x.to(CARD) for x in example(2, 9, 5, 40, dtype=torch.float32)]
    turned = [
        x.transpose(1, 2).contiguous().transpose(1, 2) if x.dim() == 3 else x for x in arguments
    ]
    shifted = [torch.cat([x.new_zeros(1), x.flatten()])[1:].view_as(x) for x in turned]
    spread = [torch.stack([x, x], dim=-1)[..., 0] for x in arguments]
    wanted = chunked.chunked_scan(cuda_launch, *arguments)
    for other in (turned, shifted, spread):
        found = chunked.chunked_scan(cuda_launch, *other)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_nothing_is_kept_where_no_gradient_is_wanted():
    kept = []

    def launch(name, cut, grid, tensors, sizes):
        if name == "outputs":
            kept.append(sizes[-1])
        cuda_launch(name, cut, grid, tensors, sizes)

    arguments = [x.to(CARD) for x in example(1, 4, 2, 5, dtype=torch.float32)]
    with torch.no_grad():
        silent = chunked.chunked_scan(launch, *arguments)
    spoken = chunked.chunked_scan(launch, *(x.requires_grad_() for x in arguments))
    assert kept == [0, 1]
    assert torch.equal(silent, spoken.detach())


def test_more_states_than_registers_hold_go_another_way():
    arguments = [x.to(CARD) for x in example(1, 2, 65, 4, dtype=torch.float32)]
    found = chunked.chunked_scan(None, *arguments)
    torch.testing.assert_close(found, scan.blocked_scan(*arguments))


def test_nothing_in_nothing_out():
    arguments = example(2, 3, 2, 0, dtype=torch.float32)
    assert chunked.chunked_scan(None, *arguments).shape == (2, 3, 0)


def test_chunks_fill_a_card_and_hold_whole_parts():
    for states in range(4, 65, 4):
        for length in (1, 31, 500, 2071, 131_044, 10**7):
            cut = chunked.Cut(1, length, 64, states)
            assert cut.chunk % cut.part == 0
            assert cut.part * states <= chunked.HELD
            assert cut.chunks * cut.chunk >= length > (cut.chunks - 1) * cut.chunk
    assert chunked.Cut(1, 131_044, 64, 16).chunks * 2 >= 132 * 8


@pytest.mark.parametrize("architecture", ["sm_75", "sm_90"])
@pytest.mark.parametrize("states", [4, 16])
def test_nvrtc_compiles_the_source(architecture, states):
    try:
        nvrtc._nvrtc()
    except OSError:
        pytest.skip("NVRTC is not installed")
    code = nvrtc.compile_source(states, 16, architecture)
    assert code.startswith(b"\x7fELF")
    assert all(name.encode() in code for name in nvrtc.NAMES)


def test_nvrtc_s_words_reach_the_error():
    try:
        nvrtc._nvrtc()
    except OSError:
        pytest.skip("NVRTC is not installed")
    with pytest.raises(RuntimeError, match="STATES"):
        nvrtc.compile_source("no_number_of_STATES", 16, "sm_75")


COMPILE = f"""
import importlib.util, sys
root = {str(Path(scan.__file__).parents[2])!r}
spec = importlib.util.spec_from_file_location(
    "rasd_fusion", root + "/__init__.py", submodule_search_locations=[root])
package = importlib.util.module_from_spec(spec)
sys.modules["rasd_fusion"] = package
spec.loader.exec_module(package)

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from rasd_fusion.models.scan import triton_gpu

constants = {{"STATES": 16, "TILE": 16, "PART": 16}}
sizes = ("length", "channels", "chunk", "chunks", "keep", "reverse")
for name, kernel in triton_gpu._KERNELS.items():
    kinds = {{
        argument: "constexpr" if argument in constants else "i32" if argument in sizes else "*fp32"
        for argument in kernel.arg_names
    }}
    given = {{(kernel.arg_names.index(k),): v for k, v in constants.items() if k in kinds}}
    source = ASTSource(fn=kernel, signature=kinds, constexprs=given)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={{"num_warps": 1}})
    assert compiled.asm["cubin"][:4] == b"\\x7fELF"
    print(name, compiled.metadata.shared)
"""


@needs_triton
def test_triton_compiles_the_kernels(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE],
        env={**environment, "TRITON_CACHE_DIR": str(tmp_path)},
        check=True,
        timeout=120,
        capture_output=True,
        text=True,
    )
    shared = dict(line.split() for line in done.stdout.splitlines())
    assert list(shared) == list(nvrtc.NAMES)
    assert all(int(size) <= 48 * 1024 for size in shared.values())
