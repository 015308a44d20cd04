"""What charts of detectors' mistakes show, and their words.

Legend: p points of a curve.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenefit.report.charts import style
from scenefit.report.content import BaselineErrors, ErrorAnalysis, Quartiles, SizeGroup

LEAST, FEWEST, MOST = 1 / 64, 1 / 8, 8  # false detections per photo: where an axis begins, at least and at most; ends
MAX_CLASSES = 8
KINDS = {"too small": "#0b6e6e", "too large": "#3aa6a0", "misplaced": "#a5dbd6", "doubled": "#8a63ab",
         "other class": "#d9b13b", "background": "#a3abb8"}  # colours; those of wrong boxes alike


class Charts(NamedTuple):
    """Of each chart of mistakes: its title, the title of its axis, or the chart."""

    curve: Any
    sizes: Any
    kinds: Any
    sides: Any


def titles(errors: ErrorAnalysis) -> Charts:
    at = per_photo(errors.at)
    return Charts("Objects missed, over false detections per photo", f"Objects missed by size, at {at}",
                  f"What lies under false detections, at {errors.at:.2g} per photo",
                  f"Size of detected boxes, at {at}")


AXES = Charts("false detections per photo", "objects missed, %", "false detections per photo",
              "side of the box, relative to that of the label: median, 25 to 75 %")


def note(errors: ErrorAnalysis) -> str:
    reached = "" if errors.at == 1 else ", as many as all of them make"
    dot = (" A dot: the detector has no more detections." if any(one.false[-1] <= MOST for one in errors.baselines)
           else "")
    left_out = len(errors.classes) - MAX_CLASSES
    most = f" Of the {len(errors.classes)} classes, the {MAX_CLASSES} most frequent are shown." if left_out > 0 else ""
    return (f"{len(errors.baselines)} detectors, one training each, so there are no intervals; {errors.photos:,} "
            f"labelled photos, {errors.objects:,} objects. From left to right, the curve counts detections of less and "
            f"less confidence: fewer objects are missed, and more detections are false (FROC).{dot} The other charts "
            f"compare the detectors where each makes {per_photo(errors.at)}{reached}. Sizes are sides, the roots of "
            "areas. Too small, too large, misplaced: IoU of 0.1 to 0.5 with an object of its class; doubled: the "
            f"object was found already; other class: on an object of another class; background: no object there.{most}")


def per_photo(false: float) -> str:
    return f"{false:.2g} false detection{'' if false == 1 else 's'} per photo"


def lowest(errors: ErrorAnalysis) -> float:
    """Where the axis of the curves, which is logarithmic, begins: where detectors are compared, if it can show that."""
    return float(np.clip(2.0 ** np.floor(np.log2(errors.at)), LEAST, FEWEST)) if errors.at > 0 else FEWEST


def ticks(errors: ErrorAnalysis) -> list[float]:
    return (2.0 ** np.arange(np.log2(lowest(errors)), np.log2(MOST) + 1)).tolist()


def steps(one: BaselineErrors, lowest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False detections per photo and percent missed [p], of which each holds up to the next, within the axis."""
    false, missed = np.array(one.false), 100 * np.array(one.missed)
    first, last = (np.searchsorted(false, [lowest, MOST], side="right") - [1, 0]).tolist()
    false, missed = np.maximum(false[first:last], lowest), missed[first:last]
    return (np.append(false, MOST), np.append(missed, missed[-1])) if one.false[-1] > MOST else (false, missed)


def size_label(size: SizeGroup) -> tuple[str, str]:
    """Two lines: "8 to 12 px", "1,234 objects"."""
    low, high = (None if end is None else f"{end:.3g}" for end in size[:2])
    text = f"up to {high} px" if low is None else f"over {low} px" if high is None else f"{low} to {high} px"
    return text, f"{size.objects:,} object{'s' if size.objects != 1 else ''}"


def shown_classes(errors: ErrorAnalysis) -> tuple[str, ...]:
    return errors.classes[:MAX_CLASSES]


def rows(errors: ErrorAnalysis) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """The numbers of the charts: a heading, then rows of a name and a text for each baseline."""
    def percent(share: float | None) -> str:
        return "never so many" if share is None else f"{100 * share:.1f} %"

    def ratios(found: Quartiles | None) -> str:
        return style.plain(None) if found is None else f"{found.median:.2f} ({found.low:.2f} to {found.high:.2f})"

    ours, heads = errors.baselines, titles(errors)
    return [
        (heads.curve, [(f"at {per_photo(false)}", [percent(one.missed_at[n]) for one in ours])
                       for n, false in enumerate(errors.levels)]),
        (heads.sizes, [(", ".join(size_label(size)), [percent(one.by_size[n]) for one in ours])
                       for n, size in enumerate(errors.sizes)]),
        (heads.kinds, [(kind, [f"{one.kinds.get(kind, 0):.2f}" for one in ours]) for kind in KINDS]),
        (f"{heads.sides}: median (25 to 75 %)", [(name, [ratios(one.sides.get(name)) for one in ours])
                                                 for name in shown_classes(errors)])]


def highest(percent: Sequence[float]) -> float:
    """Where an axis of so many percent ends."""
    return float(np.clip(10 * np.ceil(1.12 * max(percent, default=0) / 10), 10, 100))


def side_range(errors: ErrorAnalysis) -> tuple[float, float]:
    """Limits of the axis of sides: all that is shown, and 1, with a margin."""
    ends = [end for one in errors.baselines for name in shown_classes(errors) if name in one.sides
            for end in one.sides[name]]
    low, high = min([0.8, *ends]), max([1.25, *ends])
    return low - 0.04 * (high - low), high + 0.04 * (high - low)


def offsets(count: int) -> Sequence[float]:
    """Of the marks of so many baselines in a row of height 1."""
    return ((np.arange(count) - (count - 1) / 2) * 0.8 / max(count, 1)).tolist()


def is_dashed(baseline: str) -> bool:
    """Whether a line of this baseline is dashed, to be told from one of the same colour."""
    fill, edge = style.paint(baseline)
    return fill != edge
