"""Arrays of two checkouts, compared bit for bit, world by world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Labelled = tuple[str, Array]  # description, values


@dataclass(frozen=True)
class Verdict:
    """Comparison of one world. compared: number of arrays, including those that one side lacks.  differing: number of
    different arrays.  first: description of the first of these and its difference; "" if there is none."""

    world: str
    compared: int
    differing: int
    first: str


def compare(mine: Mapping[str, Array], theirs: Mapping[str, Array]) -> list[Verdict]:
    """Compare arrays by their position in their world, whatever their descriptions.

    mine, theirs: "world/description" -> values, in order.
    """
    left, right = _worlds(mine), _worlds(theirs)
    return [_verdict(world, left.get(world, []), right.get(world, [])) for world in dict.fromkeys([*left, *right])]


def difference(mine: Array | None, theirs: Array | None) -> str:
    """How two arrays differ, "" if they have the same bits. NaN equals NaN; None is a missing array."""
    if mine is None or theirs is None:
        return f"only {'the other checkout' if mine is None else 'this checkout'} has it"
    if mine.dtype != theirs.dtype or mine.shape != theirs.shape:
        return f"{mine.dtype} {list(mine.shape)} here, {theirs.dtype} {list(theirs.shape)} there"
    if _bits(mine) == _bits(theirs):
        return ""
    if mine.dtype.kind not in "biuf":
        return f"{int((mine != theirs).sum())} of {mine.size} values differ"
    return _numeric_difference(mine, theirs)


def _numeric_difference(mine: Array, theirs: Array) -> str:
    with np.errstate(invalid="ignore"):
        apart = np.abs(mine.astype(np.float64) - theirs.astype(np.float64))
    both = np.isnan(mine.astype(np.float64)) & np.isnan(theirs.astype(np.float64))
    finite = apart[np.isfinite(apart)]
    count = int(((apart != 0) & ~both).sum())
    if not count:
        return "zeros of another sign"
    most = f"at most {finite.max():.3g} apart" if finite.any() else "some are NaN or infinite on one side only"
    return f"{count} of {mine.size} values differ, {most}"


def _bits(values: Array) -> bytes:
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
    return values.tobytes()


def _worlds(arrays: Mapping[str, Array]) -> dict[str, list[Labelled]]:
    worlds: dict[str, list[Labelled]] = {}
    for name, values in arrays.items():
        world, _, description = name.partition("/")
        worlds.setdefault(world, []).append((description, values))
    return worlds


def _verdict(world: str, mine: Sequence[Labelled], theirs: Sequence[Labelled]) -> Verdict:
    differing = []
    for one, other in zip_longest(mine, theirs):
        reason = difference(None if one is None else one[1], None if other is None else other[1])
        if reason:
            differing.append(f"{(one or other)[0]}: {reason}")
    return Verdict(world, max(len(mine), len(theirs)), len(differing), differing[0] if differing else "")
