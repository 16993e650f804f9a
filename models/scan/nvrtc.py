"""The scan's kernels in CUDA C, compiled by the NVRTC that comes with torch: no compiler is needed.

scan.cu is compiled for the card at hand and for a number of states, once a process (about half a
second), and started through the driver. The two libraries are called by ctypes: torch's own way to
them looks for a CUDA toolkit, which users do not have.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .chunked import LANES, Cut, chunked_scan

SOURCE = Path(__file__).with_name("scan.cu")
NAMES = ("ends", "carry", "outputs", "adjoint_ends", "gradients")


def nvrtc_scan(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, delta_bias: Tensor
) -> Tensor:
    """The recurrence of `selective_scan`, whose shapes it shares: float32 on CUDA, ≤ 64 states."""
    return chunked_scan(_launch, u, delta, A, B, C, D, delta_bias)


def compile_source(states: int, part: int, architecture: str) -> bytes:
    """scan.cu as machine code (a cubin) for an architecture such as "sm_90".

    Needs no card. RuntimeError with the compiler's words where it does not compile, OSError where
    there is no NVRTC.
    """
    options = [f"-DSTATES={states}", f"-DPART={part}", "--ftz=true", f"-arch={architecture}"]
    library, program = _nvrtc(), ctypes.c_void_p()
    source = SOURCE.read_bytes()
    made = library.nvrtcCreateProgram(ctypes.byref(program), source, b"scan.cu", 0, None, None)
    if made:
        raise RuntimeError(f"NVRTC does not start: error {made}")
    try:
        words = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        failed = library.nvrtcCompileProgram(program, len(options), words)
        if failed:
            log = _read(library, "ProgramLog", program).decode(errors="replace")
            raise RuntimeError(f"NVRTC does not compile the scan: error {failed}. {log}")
        return _read(library, "CUBIN", program)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def pointers(tensors: tuple[Tensor, ...], sizes: tuple[int, ...]) -> Any:
    """A kernel's arguments as the driver takes them: an array of where each value lies."""
    values: list[Any] = [ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]
    values += [ctypes.c_int(size) for size in sizes]
    array: Any = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
    array.values = values  # kept alive with it
    return array


def _launch(
    name: str, cut: Cut, grid: tuple[int, int], tensors: tuple[Tensor, ...], sizes: tuple[int, ...]
) -> None:
    card = tensors[0].device.index
    kernel = _kernels(cut.states, cut.part, card)[name]
    stream = ctypes.c_void_p(torch.cuda.current_stream(card).cuda_stream)
    shape = (*grid, 1, LANES, 1, 1)
    with _context(card):
        _check(_driver().cuLaunchKernel(kernel, *shape, 0, stream, pointers(tensors, sizes), None))


@cache
def _kernels(states: int, part: int, card: int) -> dict[str, ctypes.c_void_p]:
    """The kernels by name, on a card."""
    major, minor = torch.cuda.get_device_capability(card)
    code, module = compile_source(states, part, f"sm_{major}{minor}"), ctypes.c_void_p()
    kernels = {name: ctypes.c_void_p() for name in NAMES}
    with _context(card):
        _check(_driver().cuModuleLoadData(ctypes.byref(module), code))
        for name, kernel in kernels.items():
            _check(_driver().cuModuleGetFunction(ctypes.byref(kernel), module, name.encode()))
    return kernels


@contextmanager
def _context(card: int) -> Iterator[None]:
    """In the card's context that torch works in too: a thread of autograd's need not have it."""
    before = ctypes.c_void_p()
    _check(_driver().cuCtxPushCurrent_v2(_primary(card)))
    try:
        yield
    finally:
        _check(_driver().cuCtxPopCurrent_v2(ctypes.byref(before)))


@cache
def _primary(card: int) -> ctypes.c_void_p:
    device, context = ctypes.c_int(), ctypes.c_void_p()
    _check(_driver().cuDeviceGet(ctypes.byref(device), card))
    _check(_driver().cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
    return context


def _read(library: Any, what: str, program: ctypes.c_void_p) -> bytes:
    """One of the compiler's results."""
    size = ctypes.c_size_t()
    getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    data = ctypes.create_string_buffer(size.value)
    getattr(library, f"nvrtcGet{what}")(program, data)
    return data.raw


def _check(error: int) -> None:
    if error:
        text = ctypes.c_char_p()
        _driver().cuGetErrorString(error, ctypes.byref(text))
        raise RuntimeError(f"CUDA driver: {(text.value or b'unknown error').decode()} ({error})")


@lru_cache(maxsize=1)
def _driver() -> Any:
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


@lru_cache(maxsize=1)
def _nvrtc() -> Any:
    """The compiler's library: torch's, in its folder or NVIDIA's packages, or the system's."""
    pattern = "nvrtc64_*_0.dll" if sys.platform == "win32" else "libnvrtc.so.*"
    folders = [Path(torch.__file__).parent / "lib"]
    nvidia = find_spec("nvidia")
    if nvidia is not None:
        folders += [Path(folder) for folder in nvidia.submodule_search_locations or ()]
    found = [path for folder in folders for path in sorted(folder.rglob(pattern))]
    return ctypes.CDLL(str(found[0]) if found else pattern.replace(".*", ""))
