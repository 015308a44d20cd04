"""Histograms of attributes, over bins common to before, after and truth.

Legend: b bins; n values.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.report.content import AttributeContent
from scenefit.scenes.priors import wrap

MAX_BINS = 60
MAX_CATEGORIES = 24


@dataclass(frozen=True, eq=False)
class Bars:
    """Histograms of one attribute. edges [b + 1]; heights: role -> share of the values in each bin [b].

    ticks: label of each bin if the values are categories or whole numbers, else None.
    """

    edges: NDArray[Any]
    heights: dict[str, NDArray[Any]]
    ticks: tuple[str, ...] | None = None

    def scaled(self, role: str) -> NDArray[Any]:
        """Heights with the tallest bin at 1, so that a spike and a broad prior are both visible."""
        return self.heights[role] / max(self.heights[role].max(initial=0.0), 1e-12)


def bars(attribute: AttributeContent) -> Bars:
    """Histograms of before, after and truth over common bins; a single repeated value fills one bin."""
    values = {role: v for role, v in attribute.values.items() if len(v)}
    if any(v.dtype.kind not in "iufb" for v in values.values()):
        return _categories({role: v.astype(str) for role, v in values.items()})
    few = min((len(v) for v in values.values()), default=0) < 10 * MAX_BINS
    if attribute.circular:
        return _turn(values, 36 if few else MAX_BINS)
    low, high = _range(attribute, values)
    if values and all(v.dtype.kind in "iub" for v in values.values()) and high - low < MAX_BINS:
        whole = np.arange(np.floor(low), np.ceil(high) + 1)
        edges = np.append(whole, whole[-1] + 1) - 0.5
        return _counted(edges, values, tuple(f"{w:.0f}" for w in whole))
    return _counted(np.linspace(low, high, (30 if few else MAX_BINS) + 1), values)


def _counted(edges: NDArray[Any], values: dict[str, Any], ticks: tuple[str, ...] | None = None) -> Bars:
    return Bars(edges, {role: np.histogram(v, edges)[0] / len(v) for role, v in values.items()}, ticks)


def _turn(values: dict[str, Any], count: int) -> Bars:
    """Bins centred on whole angles; the one at 180 is at both ends of the axis."""
    half = 180 / count
    edges = np.linspace(-180 - half, 180 - half, count + 1)
    found = _counted(edges, {role: wrap(v + half) - half for role, v in values.items()})
    heights = {role: np.append(share, share[0]) for role, share in found.heights.items()}
    return Bars(np.append(edges, 180 + half), heights)


def _categories(values: dict[str, NDArray[Any]]) -> Bars:
    """The most frequent categories; the rest are one bin, "other"."""
    names, counts = np.unique(np.concatenate(list(values.values())), return_counts=True)
    shown = np.sort(names[np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]])
    ticks = [str(name) for name in shown] + (["other"] if len(names) > len(shown) else [])
    heights = {}
    for role, v in values.items():
        share = [np.mean(v == name) for name in shown]
        heights[role] = np.array(share + [1 - sum(share)] * (len(ticks) - len(shown)))
    return Bars(np.arange(len(ticks) + 1) - 0.5, heights, tuple(ticks))


def _range(attribute: AttributeContent, values: dict[str, NDArray[Any]]) -> tuple[float, float]:
    """Axis of a histogram: the bounds, or less if the values fill less than a fifth of them."""
    joined = np.concatenate(list(values.values())).astype(float) if values else np.zeros(1)
    smallest, largest = float(joined.min()), float(joined.max())
    ends = [end for end in (attribute.low, attribute.high) if end is not None and np.isfinite(end)]
    low, high = min([smallest, *ends]), max([largest, *ends])
    span = largest - smallest
    if 0 < span < (high - low) / 5:
        low, high = max(low, smallest - 0.3 * span), min(high, largest + 0.3 * span)
    if high - low <= 1e-9 * max(1.0, abs(high)):  # one value and no bounds
        room = 0.05 * abs(high) or 0.5
        low, high = low - room, high + room
    return low, high


def bin_labels(found: Bars, letters: int) -> tuple[list[float], list[str]]:
    """Positions and names of the categories to label, on an axis with room for so many letters.

    Names are shortened before any is left out.
    """
    ticks = found.ticks or ()
    centres = (found.edges[:-1] + found.edges[1:]) / 2
    longest = max(map(len, ticks), default=0)
    each, step = letters // max(len(ticks), 1) - 1, 1
    if each < min(longest, 5):
        each = min(longest, 12)
        step = -(-len(ticks) * (each + 1) // letters)
    return [float(c) for c in centres[::step]], [cut(tick, each) for tick in ticks[::step]]


def cut(text: str, max_letters: int) -> str:
    """Text on one line, of at most max_letters letters."""
    text = " ".join(text.split())
    return text if len(text) <= max_letters else text[: max_letters - 1] + "…"
