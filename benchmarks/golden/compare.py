"""Arrays of two checkouts, compared bit for bit, world by world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Labelled = tuple[str, Array]  # what it is, for people; its values


@dataclass(frozen=True)
class Verdict:
    """What became of one world. compared: arrays, those that one side lacks among them.  differing: how many of them
    are not the same.  first: what the first of these is, and how it differs; "" where all are the same."""

    world: str
    compared: int
    differing: int
    first: str


def compare(mine: Mapping[str, Array], theirs: Mapping[str, Array]) -> list[Verdict]:
    """mine, theirs: "world/what it is" -> values, in the order in which they were made.

    Arrays are matched by their place in their world, whatever they are called.
    """
    left, right = _worlds(mine), _worlds(theirs)
    return [_verdict(world, left.get(world, []), right.get(world, [])) for world in dict.fromkeys([*left, *right])]


def difference(mine: Array | None, theirs: Array | None) -> str:
    """How two arrays differ, "" if they hold the same bits; NaN is the same as NaN, and None is no array."""
    if mine is None or theirs is None:
        return f"only {'the other checkout' if mine is None else 'this checkout'} has it"
    if mine.dtype != theirs.dtype or mine.shape != theirs.shape:
        return f"{mine.dtype} {list(mine.shape)} here, {theirs.dtype} {list(theirs.shape)} there"
    if _bits(mine) == _bits(theirs):
        return ""
    if mine.dtype.kind not in "biuf":
        return f"{int((mine != theirs).sum())} of {mine.size} values differ"
    return _in_numbers(mine, theirs)


def _in_numbers(mine: Array, theirs: Array) -> str:
    with np.errstate(invalid="ignore"):
        apart = np.abs(mine.astype(np.float64) - theirs.astype(np.float64))
    both = np.isnan(mine.astype(np.float64)) & np.isnan(theirs.astype(np.float64))
    finite = apart[np.isfinite(apart)]
    count = int(((apart != 0) & ~both).sum())
    if not count:
        return "zeros of another sign"
    most = f"at most {finite.max():.3g} apart" if finite.any() else "some are NaN or infinite on one side alone"
    return f"{count} of {mine.size} values differ, {most}"


def _bits(values: Array) -> bytes:
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
    return values.tobytes()


def _worlds(arrays: Mapping[str, Array]) -> dict[str, list[Labelled]]:
    found: dict[str, list[Labelled]] = {}
    for name, values in arrays.items():
        world, _, what = name.partition("/")
        found.setdefault(world, []).append((what, values))
    return found


def _verdict(world: str, mine: Sequence[Labelled], theirs: Sequence[Labelled]) -> Verdict:
    differing = []
    for one, other in zip_longest(mine, theirs):
        reason = difference(None if one is None else one[1], None if other is None else other[1])
        if reason:
            differing.append(f"{(one or other)[0]}: {reason}")
    return Verdict(world, max(len(mine), len(theirs)), len(differing), differing[0] if differing else "")
