"""What the picture and the page share: one colour for each role, histograms, and numbers as text."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenefit.report.content import AttributeContent, Baseline, Interval, ReportContent, Table, TracePoint
from scenefit.scenes.priors import wrap

INK, SOFT, LINE, PALE, WARN = "#20242c", "#5c6573", "#dfe3e8", "#f4f5f7", "#b3261e"
MOST_BINS = 60
MOST_CATEGORIES = 24
FAR = 2.5  # times the highest point of the curve
DEGREE = "\u00b0"
TURN = {a: f"{a}{DEGREE}".replace("-", "\u2212") for a in (-180, -90, 0, 90, 180)}  # ticks of a circular axis


class Paint(NamedTuple):
    """Fill and edge of a role's marks."""

    fill: str
    edge: str


DARK = "#343b48"
PAINTS = {
    "photos": Paint(DARK, DARK), "truth": Paint(DARK, DARK),
    "grammar": Paint("#7397c4", "#7397c4"), "prior": Paint("#7397c4", "#7397c4"), "before": Paint("#7397c4", "#7397c4"),
    "shrunk": Paint("#bccfe6", "#7397c4"),
    "learned": Paint("#dd5a1c", "#dd5a1c"), "after": Paint("#dd5a1c", "#dd5a1c"),
    "oracle": Paint("#ffffff", DARK),
}
OTHER = Paint("#a3abb8", "#7d8695")


def paint(role: str) -> Paint:
    """Colours of a role or an arm; an arm such as "learned, then 10 labelled" goes by its first word."""
    words = role.lower().replace(",", " ").split()
    return PAINTS.get(words[0], OTHER) if words else OTHER


def out_of_sight(story: ReportContent) -> bool:
    """Whether the grammar's distance is so far above the curve that, drawn to scale, it would flatten all else."""
    shown = [abs(p.distance) for _, run in stages(story.trace) for p in run]
    prior = story.prior_distance
    return prior is not None and bool(np.isfinite(prior)) and bool(shown) and prior > FAR * max(shown)


def above(story: ReportContent) -> str:
    """What stands at the top of the chart instead of the grammar's line."""
    return f"\u2191 grammar {number(story.prior_distance or 0.0)}, above this chart"


@dataclass(frozen=True, eq=False)
class Bars:
    """Histograms of one attribute. edges [b + 1]; heights: role -> share of the values in each bin [b].

    ticks: label of each bin where the values are categories or whole numbers, else None.
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
    few = min((len(v) for v in values.values()), default=0) < 10 * MOST_BINS
    if attribute.circular:
        return _turn(values, 36 if few else MOST_BINS)
    low, high = _range(attribute, values)
    if values and all(v.dtype.kind in "iub" for v in values.values()) and high - low < MOST_BINS:
        whole = np.arange(np.floor(low), np.ceil(high) + 1)
        edges = np.append(whole, whole[-1] + 1) - 0.5
        return _counted(edges, values, tuple(f"{w:.0f}" for w in whole))
    return _counted(np.linspace(low, high, (30 if few else MOST_BINS) + 1), values)


def _counted(edges: NDArray[Any], values: dict[str, Any], ticks: tuple[str, ...] | None = None) -> Bars:
    return Bars(edges, {role: np.histogram(v, edges)[0] / len(v) for role, v in values.items()}, ticks)


def _turn(values: dict[str, Any], count: int) -> Bars:
    """Bins with whole angles in their middle; the one at 180 stands at both ends of the axis."""
    half = 180 / count
    edges = np.linspace(-180 - half, 180 - half, count + 1)
    found = _counted(edges, {role: wrap(v + half) - half for role, v in values.items()})
    heights = {role: np.append(share, share[0]) for role, share in found.heights.items()}
    return Bars(np.append(edges, 180 + half), heights)


def _categories(values: dict[str, NDArray[Any]]) -> Bars:
    """The most frequent categories; the rest are one bin, "other"."""
    names, counts = np.unique(np.concatenate(list(values.values())), return_counts=True)
    shown = np.sort(names[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])
    ticks = [str(name) for name in shown] + (["other"] if len(names) > len(shown) else [])
    heights = {}
    for role, v in values.items():
        share = [np.mean(v == name) for name in shown]
        heights[role] = np.array(share + [1 - sum(share)] * (len(ticks) - len(shown)))
    return Bars(np.arange(len(ticks) + 1) - 0.5, heights, tuple(ticks))


def _range(attribute: AttributeContent, values: dict[str, NDArray[Any]]) -> tuple[float, float]:
    """Axis of a histogram: the bounds, or nearer in where the values fill less than a fifth of them."""
    joined = np.concatenate(list(values.values())).astype(float) if values else np.zeros(1)
    least, most = float(joined.min()), float(joined.max())
    ends = [end for end in (attribute.low, attribute.high) if end is not None and np.isfinite(end)]
    low, high = min([least, *ends]), max([most, *ends])
    span = most - least
    if 0 < span < (high - low) / 5:
        low, high = max(low, least - 0.3 * span), min(high, most + 0.3 * span)
    if high - low <= 1e-9 * max(1.0, abs(high)):  # one value and no bounds
        room = 0.05 * abs(high) or 0.5
        low, high = low - room, high + room
    return low, high


def summary(values: NDArray[Any], attribute: AttributeContent) -> str:
    """One line: "88.1 ± 3.2 px" (mean and standard deviation), "always 90 px", or the most frequent category."""
    if len(values) == 0:
        return "no node"
    if values.dtype.kind not in "iufb":
        names, counts = np.unique(values.astype(str), return_counts=True)
        return f"mostly {names[np.argmax(counts)]} ({100 * counts.max() / len(values):.0f} %)"
    unit = DEGREE if attribute.circular else (f" {attribute.unit}" if attribute.unit else "")
    mean, sd = float(np.mean(values)), float(np.std(values))
    if attribute.circular:
        turns = np.exp(1j * np.radians(values.astype(float)))
        if abs(turns.mean()) < 0.1:
            return "all directions"
        mean = float(np.degrees(np.angle(turns.mean())))
        sd = float(np.sqrt(np.mean(wrap(values - mean) ** 2)))
    if sd < 1e-9 * max(1.0, abs(mean)):
        return f"always {number(mean)}{unit}"
    digits = int(np.clip(1 - np.floor(np.log10(float(f"{sd:.1e}"))), 0, 4))  # two digits of the spread
    return f"{_signed(mean, digits)} ± {sd:.{digits}f}{unit}"


def number(value: float) -> str:
    """Four digits that matter, with a real minus sign."""
    return f"{value:.4g}".replace("-", "\u2212")


def _signed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\u2212")


def metric(table: Table, value: float) -> str:
    if not np.isfinite(value):
        return "no value"
    return f"{100 * value:.1f}" if table.percent else f"{value:.4g}"


def interval(table: Table, arm: Baseline) -> str:
    """ "95.9 to 96.9", or "" where the arm has no interval."""
    if not (np.isfinite(arm.low) and np.isfinite(arm.high)):
        return ""
    return f"{metric(table, arm.low)} to {metric(table, arm.high)}"


def metric_title(table: Table) -> str:
    name = table.metric[:1].upper() + table.metric[1:]
    return f"{name}{' (%)' if table.percent else ''} on labelled photos, by training data"


def gap_text(gap: Interval) -> str:
    """Share of the gap between grammar and oracle that learning closed, as a sentence."""
    if not np.isfinite(gap.value):
        return "Gap closed: not defined, the oracle is no better than the grammar."
    ends = f" ({100 * gap.low:.0f} to {100 * gap.high:.0f} %)" if np.isfinite(gap.low) and np.isfinite(gap.high) else ""
    return f"Gap between grammar and oracle closed: {100 * gap.value:.1f} %{ends}"


def stages(trace: Any) -> list[tuple[str, list[TracePoint]]]:
    """Runs of points of the same stage, in order; points without a finite distance are left out."""
    runs: list[tuple[str, list[TracePoint]]] = []
    for point in (TracePoint(*p) for p in trace):
        if np.isfinite(point.distance):
            if not runs or runs[-1][0] != point.stage:
                runs.append((point.stage, []))
            runs[-1][1].append(point)
    return runs


def bin_labels(found: Bars, letters: int) -> tuple[list[float], list[str]]:
    """Where to write the names of categories, and the names, where a line has room for so many letters.

    Names are cut a little before any is left out.
    """
    ticks = found.ticks or ()
    centres = (found.edges[:-1] + found.edges[1:]) / 2
    longest = max(map(len, ticks), default=0)
    each, step = letters // max(len(ticks), 1) - 1, 1
    if each < min(longest, 5):
        each = min(longest, 12)
        step = -(-len(ticks) * (each + 1) // letters)
    return [float(c) for c in centres[::step]], [cut(tick, each) for tick in ticks[::step]]


def cut(text: str, most: int) -> str:
    """Text on one line, of at most so many letters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
