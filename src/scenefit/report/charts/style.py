"""Shared by the picture and the page: a colour for each role, and numbers as text."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenefit.report.content import AttributeContent, Baseline, Counts, Interval, ReportContent, Table, TracePoint
from scenefit.scenes.priors import wrap

INK, SOFT, LINE, PALE, WARN = "#20242c", "#5c6573", "#dfe3e8", "#f4f5f7", "#b3261e"
MAX_RATIO = 2.5  # times the highest point of the curve
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
    """Colours of a role or a baseline; one such as "learned, then 10 labelled" has those of its first word."""
    words = role.lower().replace(",", " ").split()
    return PAINTS.get(words[0], OTHER) if words else OTHER


def is_off_chart(content: ReportContent) -> bool:
    """Whether the distance of the grammar is so far above the curve that the curve would be flat beside it."""
    shown = [abs(p.distance) for _, run in stages(content.trace) for p in run]
    prior = content.prior_distance
    return prior is not None and bool(np.isfinite(prior)) and bool(shown) and prior > MAX_RATIO * max(shown)


def off_chart_text(content: ReportContent) -> str:
    """The text at the top of the chart instead of the line of the grammar."""
    return f"\u2191 grammar {number(content.prior_distance or 0.0)}, above this chart"


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
    """Four significant digits, with a real minus sign."""
    return f"{value:.4g}".replace("-", "\u2212")


def _signed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\u2212")


def metric(table: Table, value: float) -> str:
    if not np.isfinite(value):
        return "no value"
    return f"{100 * value:.1f}" if table.percent else f"{value:.4g}"


def interval(table: Table, row: Baseline) -> str:
    """ "95.9 to 96.9", or "" if the row has no interval."""
    if not (np.isfinite(row.low) and np.isfinite(row.high)):
        return ""
    return f"{metric(table, row.low)} to {metric(table, row.high)}"


def has_intervals(table: Table) -> bool:
    """Whether a row has one; none does where each is of one training."""
    return any(interval(table, row) for row in table.rows)


def metric_title(table: Table) -> str:
    name = table.metric.capitalize() if table.metric.islower() else table.metric  # mAP50 stays as it is
    return f"{name}{' (%)' if table.percent else ''} on labelled photos, by training data"


def plain(value: float | None, percent: bool = False) -> str:
    """Two digits, or whole percent; a dash for what was not measured."""
    if value is None or not np.isfinite(value):
        return "\u2013"
    return f"{100 * value:.0f} %" if percent else f"{value:.2f}".replace("-", "\u2212")


PREDICTION_TITLES = ("attribute", "prior", "learned", "R\u00b2", "in 50 %", "in 90 %", "width", "at a bound")


def prediction_row(attribute: AttributeContent) -> tuple[str, ...]:
    """The texts of an attribute's row under `PREDICTION_TITLES`."""
    found, values = attribute.prediction, attribute.values
    assert found is not None
    learned = summary(values["after"], attribute) if found.inferred else "kept its prior"
    return (attribute.label, summary(values["before"], attribute), learned, plain(found.r2), plain(found.cover50, True),
            plain(found.cover90, True), plain(found.width90), attribute.at_bound_text)


PREDICTION_NOTE = ("R\u00b2: share of the attribute's variance that is predicted on held-out renders of the last round."
                   " Where it is under 0.1, that round left the attribute as rounds before had learned it, or at its "
                   "prior. In 50 %, in 90 %: how often the truth of a held-out render lies in that interval of its "
                   "posterior; near 50 % and 90 % the posterior can be trusted. Width: of the 90 % interval, relative "
                   "to the prior's. A bound is natural where the quantity itself ends there, such as 0 of a blur.")
COUNT_TITLES = ("objects of an image", "prior", "learned", "predicted in photos", "predicted in renders",
                "visible there")

COUNT_NOTE = ("Mean \u00b1 standard deviation. Learned counts are the predicted ones, corrected by how many the "
              "network predicts in renders and how many are visible there; scenes also hold objects that nobody can "
              "see.")


def count_row(counts: Counts) -> tuple[str, ...]:
    """The texts of a kind's row under `COUNT_TITLES`."""
    return (counts.kind, *(f"{mean:.1f} \u00b1 {spread:.1f}" for mean, spread in counts[1:4]), f"{counts.renders:.1f}",
            f"{counts.visible:.1f}")


def gap_text(gap: Interval) -> str:
    """The fraction of the gap between grammar and oracle that learning closed, as a sentence."""
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
