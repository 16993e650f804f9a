"""Vectors of sixteen float32 for numba kernels, which numba itself does not have.

`Vector` values live in registers; `load` and `store` move a row of a (rows, 16) array, `splat`
repeats a scalar, `+ - *` work lane by lane (contracted to fused multiply-adds where they meet),
`exp2`, `softplus`, `sigmoid` and `lane_sum` do what they say. LLVM cuts a vector into as many
registers as the processor needs. Written out like this because its own vectoriser gives up on the
scan's loops or surrounds them with checks for overlapping arrays. Nothing is checked here: a row
outside of its array is undefined behaviour. A NaN stays a NaN.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Callable

from numba import float32, int64
from numba.core import types
from numba.core.cgutils import ir
from numba.core.imputils import lower_builtin
from numba.core.typing import signature
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import intrinsic, models, register_model

# Sixteen single-precision numbers fill the widest vector of today's processors.
LANES = 16

LOG2_E = 1.4426950408889634
# 2**x on [-1/2, 1/2], minimax, 9e-8 relative, highest power first. The last term is one exactly:
# a step of no width decays by nothing, however often.
_EXP2 = (0.00132647273, 0.00967151299, 0.0555073358, 0.240222424, 0.693147004, 1.0)
# log(1 + z) / z on [0, 1], minimax, 3e-8 relative.
_LOG1P = (
    0.0052326927,
    -0.0295052323,
    0.0782259405,
    -0.136632442,
    0.191060066,
    -0.24842982,
    0.333190978,
    -0.499994934,
    0.99999994,
)

_NO_FRACTION = 1.5 * 2.0**23

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)
_FUSE = ("contract",)


class _VectorType(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Vector16f")


Vector = _VectorType()


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _FLOATS)


def _operator(function: Callable, instruction: str) -> None:
    """Teach numba one lane-by-lane operator."""

    @infer_global(function)
    class Template(ConcreteTemplate):
        cases = (signature(Vector, Vector, Vector),)

    @lower_builtin(function, Vector, Vector)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args, flags=_FUSE)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
):
    _operator(_function, _instruction)


def _row_pointer(context: Any, builder: Any, array_type: Any, array: Any, row: Any) -> Any:
    start = context.make_array(array_type)(context, builder, array).data
    offset = builder.mul(row, ir.Constant(row.type, LANES))
    return builder.bitcast(builder.gep(start, [offset]), _FLOATS.as_pointer())


@intrinsic
def load(typing_context: Any, array: Any, row: Any) -> Any:
    """Row `row` of a contiguous (rows, LANES) array."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _row_pointer(context, builder, sig.args[0], *args)
        return builder.load(pointer, align=4)

    return Vector(array, int64), generate


@intrinsic
def store(typing_context: Any, array: Any, row: Any, vector: Any) -> Any:
    """Write a vector to row `row` of a contiguous (rows, LANES) array."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _row_pointer(context, builder, sig.args[0], *args[:2])
        builder.store(args[2], pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, int64, Vector), generate


@intrinsic
def splat(typing_context: Any, scalar: Any) -> Any:
    """A vector with this float32 in every lane."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        one = builder.insert_element(
            ir.Constant(_FLOATS, ir.Undefined), args[0], ir.Constant(ir.IntType(32), 0)
        )
        lanes = ir.Constant(_INTS, [0] * LANES)
        return builder.shuffle_vector(one, ir.Constant(_FLOATS, ir.Undefined), lanes)

    return Vector(float32), generate


@intrinsic
def lane_sum(typing_context: Any, vector: Any) -> Any:
    """The sum over a vector's lanes, by halves: the same order on every processor."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        total, width = args[0], LANES
        while width > 1:
            width //= 2
            low, high = (_lanes_between(builder, total, i, i + width) for i in (0, width))
            total = builder.fadd(low, high)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return float32(Vector), generate


@intrinsic
def exp2(typing_context: Any, vector: Any) -> Any:
    """2**x to 2e-7 relative; outside of [-126, 127] the value at that end."""
    return Vector(Vector), lambda context, builder, sig, args: _exp2(builder, args[0])


@intrinsic
def softplus(typing_context: Any, vector: Any) -> Any:
    """log(1 + e**x) to 4e-7 relative."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        z = _exp_of_minus_magnitude(builder, args[0])
        logarithm = builder.fmul(z, _polynomial(builder, z, _LOG1P))
        positive = builder.fcmp_ordered("<", args[0], _constant(0.0))
        return builder.fadd(builder.select(positive, _constant(0.0), args[0]), logarithm)

    return Vector(Vector), generate


@intrinsic
def sigmoid(typing_context: Any, vector: Any) -> Any:
    """1 / (1 + e**-x) to 4e-7 relative."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        z = _exp_of_minus_magnitude(builder, args[0])
        negative = builder.fcmp_ordered("<", args[0], _constant(0.0))
        above = builder.select(negative, z, _constant(1.0))
        return builder.fdiv(above, builder.fadd(z, _constant(1.0)))

    return Vector(Vector), generate


def _lanes_between(builder: ir.IRBuilder, vector: ir.Value, first: int, end: int) -> ir.Value:
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), end - first), list(range(first, end)))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), lanes)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_FLOATS, [value] * LANES)


def _polynomial(builder: ir.IRBuilder, x: ir.Value, coefficients: Sequence[float]) -> ir.Value:
    total = _constant(coefficients[0])
    for coefficient in coefficients[1:]:
        product = builder.fmul(total, x, flags=_FUSE)
        total = builder.fadd(product, _constant(coefficient), flags=_FUSE)
    return total


def _clamped(builder: ir.IRBuilder, x: ir.Value, low: float, high: float) -> ir.Value:
    """Comparisons that are false for a NaN, so that it passes."""
    x = builder.select(builder.fcmp_ordered("<", x, _constant(low)), _constant(low), x)
    return builder.select(builder.fcmp_ordered(">", x, _constant(high)), _constant(high), x)


def _exp2(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """A polynomial for the fraction, and the whole part set as the exponent's bits."""
    x = _clamped(builder, x, -126.0, 127.0)
    # Floats of this size have no room for a fraction: adding rounds, and the last bits are the
    # whole part.
    shifted = builder.fadd(x, _constant(_NO_FRACTION))
    fraction = builder.fsub(x, builder.fsub(shifted, _constant(_NO_FRACTION)))
    bits = builder.shl(builder.bitcast(shifted, _INTS), ir.Constant(_INTS, [23] * LANES))
    power = builder.add(bits, ir.Constant(_INTS, [127 << 23] * LANES))
    return builder.fmul(
        _polynomial(builder, fraction, _EXP2), builder.bitcast(power, _FLOATS), flags=_FUSE
    )


def _exp_of_minus_magnitude(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    sign_bit = ir.Constant(_INTS, [-(2**31)] * LANES)
    negative = builder.bitcast(builder.or_(builder.bitcast(x, _INTS), sign_bit), _FLOATS)
    return _exp2(builder, builder.fmul(negative, _constant(LOG2_E)))
