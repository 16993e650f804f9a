"""What the kernels of this room do with vectors of `LANES` numbers at any place of a flat array."""

from __future__ import annotations

from typing import Any

from numba import int64
from numba.core import cgutils, types
from numba.core.cgutils import ir
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from ..scan.simd import LANES, Vector, lane_sum, sigmoid, splat

__all__ = [
    "LANES",
    "floats",
    "lane_sum",
    "larger",
    "load",
    "places",
    "sigmoid",
    "smaller",
    "splat",
    "store",
    "words",
]

_FLOATS = ir.VectorType(ir.FloatType(), LANES)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, place: Any) -> Any:
    start = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(start, [place]), _FLOATS.as_pointer())


@intrinsic
def load(typing_context: Any, array: Any, place: Any) -> Any:
    """The `LANES` numbers of a flat array from `place` on."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, sig.args[0], *args), align=4)

    return Vector(array, int64), generate


@intrinsic
def store(typing_context: Any, array: Any, place: Any, vector: Any) -> Any:
    """Write a vector to a flat array from `place` on."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _pointer(context, builder, sig.args[0], *args[:2]), align=4)
        return context.get_dummy_value()

    return types.void(array, int64, Vector), generate


def _choice(comparison: str) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(comparison, *args), *args)

    return generate


@intrinsic
def larger(typing_context: Any, one: Any, other: Any) -> Any:
    """The larger of two, lane by lane; the other where one is a NaN."""
    return Vector(Vector, Vector), _choice(">")


@intrinsic
def smaller(typing_context: Any, one: Any, other: Any) -> Any:
    """The smaller of two, lane by lane; the other where one is a NaN."""
    return Vector(Vector, Vector), _choice("<")


def _array_at(context: Any, builder: Any, array_type: types.Array, address: Any) -> Any:
    """An array without an end: nothing in these kernels asks for one."""
    array = context.make_array(array_type)(context, builder)
    item = context.get_constant(types.intp, array_type.dtype.bitwidth // 8)
    populate_array(
        array,
        data=builder.inttoptr(address, array.data.type),
        shape=[context.get_constant(types.intp, 2**60)],
        strides=[item],
        itemsize=item,
        meminfo=None,
    )
    return array._getvalue()


def _arrays_of(dtype: types.Type) -> Any:
    array_type = types.Array(dtype, 1, "C")

    @intrinsic
    def arrays(typing_context: Any, addresses: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            given = cgutils.unpack_tuple(builder, args[0], sig.args[0].count)
            found = [_array_at(context, builder, array_type, address) for address in given]
            return context.make_tuple(builder, sig.return_type, found)

        return types.UniTuple(array_type, addresses.count)(addresses), generate

    return arrays


# Flat arrays at a tuple of addresses. Handing a kernel plain addresses costs a tenth of what
# handing it arrays does, which small images feel.
floats, places = _arrays_of(types.float32), _arrays_of(types.int64)
words = _arrays_of(types.int32)  # the bits of floats
