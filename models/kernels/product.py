"""Small matrix products inside numba kernels, where their operands already lie in the first cache.

`add_product` adds A·B to C. Each is part of a flat array: where it starts, and how far it is from
one row (or, for A, from one column) to the next. C's rows are whole vectors of `LANES` numbers; a
tile of it stays in registers while the inner dimension runs.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding
from numba import int64, njit
from numba.core import cgutils, types
from numba.core.cgutils import ir
from numba.extending import intrinsic

from ..scan.simd import LANES

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
# Rows and vectors of the tile of C: what the processor's registers hold beside their operands.
_WIDE = binding.get_host_cpu_features().get("avx512f", False)
TILE_ROWS, TILE_VECTORS = (8, 2) if _WIDE else (4, 1)


def _tile(rows: int, vectors: int) -> Any:
    """An intrinsic that adds to a tile of C of so many rows and vectors."""

    @intrinsic
    def add_tile(
        typing_context: Any,
        a: Any,
        a0: Any,
        a_row: Any,
        a_step: Any,
        b: Any,
        b0: Any,
        b_step: Any,
        c: Any,
        c0: Any,
        c_row: Any,
        inner: Any,
    ) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            _a, a0, a_row, a_step, _b, b0, b_step, _c, c0, c_row, inner = args
            left, right, out = (
                context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 4, 7)
            )

            def vector_at(start: Any, offset: Any, v: int) -> Any:
                place = builder.add(offset, ir.Constant(offset.type, v * LANES))
                return builder.bitcast(builder.gep(start, [place]), _FLOATS.as_pointer())

            starts = [
                builder.add(c0, builder.mul(c_row, ir.Constant(c_row.type, r))) for r in range(rows)
            ]
            lefts = [
                builder.add(a0, builder.mul(a_row, ir.Constant(a_row.type, r))) for r in range(rows)
            ]
            tile = [
                [
                    cgutils.alloca_once_value(
                        builder, builder.load(vector_at(out, starts[r], v), align=4)
                    )
                    for v in range(vectors)
                ]
                for r in range(rows)
            ]
            with cgutils.for_range(builder, inner) as loop:
                row = builder.add(b0, builder.mul(b_step, loop.index))
                column = builder.mul(a_step, loop.index)
                b_vectors = [
                    builder.load(vector_at(right, row, v), align=4) for v in range(vectors)
                ]
                for r in range(rows):
                    scalar = builder.load(builder.gep(left, [builder.add(lefts[r], column)]))
                    spread = _splat(builder, scalar)
                    for v in range(vectors):
                        product = builder.fmul(spread, b_vectors[v], flags=("contract",))
                        total = builder.fadd(builder.load(tile[r][v]), product, flags=("contract",))
                        builder.store(total, tile[r][v])
            for r in range(rows):
                for v in range(vectors):
                    builder.store(builder.load(tile[r][v]), vector_at(out, starts[r], v), align=4)
            return context.get_dummy_value()

        return types.void(a, int64, int64, int64, b, int64, int64, c, int64, int64, int64), generate

    return add_tile


def _splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_FLOATS, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, undefined, lanes)


_block, _column = _tile(TILE_ROWS, TILE_VECTORS), _tile(TILE_ROWS, 1)
_row, _one = _tile(1, TILE_VECTORS), _tile(1, 1)


@njit(nogil=True, error_model="numpy")
def add_product(
    a: Any,
    a0: Any,
    a_row: Any,
    a_step: Any,
    b: Any,
    b0: Any,
    b_step: Any,
    c: Any,
    c0: Any,
    c_row: Any,
    rows: Any,
    inner: Any,
    vectors: Any,
) -> Any:
    """C[r, :] += Σ_k A[r, k] B[k, :], over `inner` k, for `rows` rows of `vectors` vectors."""
    whole = rows - rows % TILE_ROWS
    wide = vectors - vectors % TILE_VECTORS
    for v in range(0, wide * LANES, TILE_VECTORS * LANES):
        for r in range(0, whole, TILE_ROWS):
            left, out = a0 + r * a_row, c0 + r * c_row + v
            _block(a, left, a_row, a_step, b, b0 + v, b_step, c, out, c_row, inner)
        for r in range(whole, rows):
            left, out = a0 + r * a_row, c0 + r * c_row + v
            _row(a, left, a_row, a_step, b, b0 + v, b_step, c, out, c_row, inner)
    for v in range(wide * LANES, vectors * LANES, LANES):
        for r in range(0, whole, TILE_ROWS):
            left, out = a0 + r * a_row, c0 + r * c_row + v
            _column(a, left, a_row, a_step, b, b0 + v, b_step, c, out, c_row, inner)
        for r in range(whole, rows):
            left, out = a0 + r * a_row, c0 + r * c_row + v
            _one(a, left, a_row, a_step, b, b0 + v, b_step, c, out, c_row, inner)
