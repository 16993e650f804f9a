"""Orders: a stable sort by radix, and each point's place once the first of an order are taken out.

A task is one sample.
"""

from __future__ import annotations

from typing import Any

from .compiling import compile_flat
from .vectors import places, words

DIGIT = 11  # bits of a key that one pass sorts by; three passes see a float's 31 without its sign
LEVELS = 1 << DIGIT


def _descend(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """A sample's points by their keys from greatest to least, none negative; ties as they came.

    sizes: points n of a sample, 1 where `first` says in which order they come, else 0.
    indices: first (N·n,), which is read, and there, back (N·n,), spare (N·n,), counts
    (N, 3·LEVELS), which are written. inputs: keys (N·n,).
    """
    count, ordered = sizes
    first, there, back, spare, counts = places(indices)
    (keys,) = words(inputs)
    begin, table = task * count, task * 3 * LEVELS
    for k in range(table, table + 3 * LEVELS):
        counts[k] = 0
    for i in range(begin, begin + count):
        row = first[i] if ordered else i
        key = 0x7FFFFFFF - (keys[row] & 0x7FFFFFFF)
        # the key above, the row below: one number moves both
        there[i] = (key << 32) | row
        for k in range(3):
            counts[table + k * LEVELS + ((key >> (k * DIGIT)) & (LEVELS - 1))] += 1
    for k in range(3):
        at = begin
        for level in range(table + k * LEVELS, table + (k + 1) * LEVELS):
            here = counts[level]
            counts[level] = at
            at += here
        source, target = (spare, there) if k == 1 else (there, spare)
        shift, histogram = 32 + k * DIGIT, table + k * LEVELS
        for i in range(begin, begin + count):
            level = histogram + ((source[i] >> shift) & (LEVELS - 1))
            target[counts[level]] = source[i]
            counts[level] += 1
    for i in range(begin, begin + count):
        row = spare[i] & 0xFFFFFFFF
        there[i] = row
        back[row] = i


def _part(
    task: int, sizes: Any, indices: Any, inputs: Any, weights: Any, outputs: Any, own: Any
) -> None:
    """Where each point of the map lies: in L's sorted list or, behind it, among N's points.

    sizes: points P of a sample, those of L, samples. indices: the place of each in the sorted
    order (N·P,), which is read; slots (N·P,), rows and ranks of `fast.attention.Chosen`, which are
    written.
    """
    points, low, samples = sizes
    back, slots, rows, ranks = places(indices)
    begin, rest = task * points, points - low
    at = task * rest
    for p in range(begin, begin + points):
        place = back[p] - begin
        if place < low:
            slots[p] = task * low + place
        else:
            rows[at] = p
            slots[p] = samples * low + at
            ranks[task * rest + place - low] = at
            at += 1


descend = compile_flat(_descend, sizes=2, indices=5, inputs=1)
part = compile_flat(_part, sizes=3, indices=4)
