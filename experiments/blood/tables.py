"""The tables of README.md, from the cells."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.blood import arms, few_labels, world
from experiments.blood.bootstrap import Figure, Rows, common, figure
from experiments.blood.few_labels import CELLS, tuned, untuned
from experiments.blood.figures import AP, AP50, MISSED, MISTAKES
from experiments.cells import markdown as table

BEGIN, END = "<!-- figures: written by the command -->", "<!-- end of figures -->"
WIDE, LEARNED, CEILING = "wide", "learned", "all labels"
TEN, TEN_LONGER, CEILING_LONGER = "10 labels", f"10 labels, {arms.LONGER}", f"{CEILING}, {arms.LONGER}"
SELECTED, SELECTED_OF_MORE = (tuned(few_labels.SELECTED, labels) for labels in CELLS.values())
WITHOUT = ("naive", WIDE, "shrunk", "meta-sim", LEARNED, CEILING)
SETS = ("wide", "half wide", "learned", few_labels.SELECTED)
WITH, WITH_MORE = ((f"{labels} labels", f"{labels} labels, {arms.LONGER}", *(tuned(name, labels) for name in SETS),
                    CEILING, CEILING_LONGER) for labels in CELLS.values())
OTHERS = (f"wide, {arms.LONGER}", f"learned, {arms.LONGER}", f"learned, {arms.SELF_TRAINING}",
          f"wide, {arms.SELF_TRAINING}", "meta-sim-task",
          *(untuned(name, labels) for labels in CELLS.values() for name in SETS[:-1]), *arms.OTHER_SETTINGS)
# Mean AP50 of "learned, trained longer on renders alone", the best without labels before, by prior; commit 00e82ab.
BEFORE = {1.0: 0.722, 1.6: 0.716, 0.6: 0.704}
Arms = Mapping[str, Rows]
Cells = Sequence[Mapping[str, Any]]


def markdown(cells: Cells) -> str:
    """All tables as Markdown."""
    if not cells:
        return "No cell is computed yet."
    priors = sorted({cell["prior"] for cell in cells} - {None}, key=lambda prior: abs(prior - 1))
    lines = [f"{cells[0]['photos']} photos. Means over seeds; 95 % intervals: resamples of photos and seeds, the same "
             "for all arms.", ""]
    for prior in priors:
        own = arms_of(cells, prior)
        lines += [f"### Sizes of the prior times {prior:g}", ""]
        for title, names in (("Without labels", WITHOUT), ("With 10 labels", WITH), ("With 50 labels", WITH_MORE),
                             ("Others", OTHERS)):
            present = [name for name in names if name in own]
            if set(present) - {CEILING, CEILING_LONGER}:
                lines += [f"{title}:", "", arms_table(own, present), ""]
        lines += differences(own)
    goals = [goal for prior in priors for goal in goals_of(arms_of(cells, prior), prior)]
    return "\n".join([*lines, "### Goals", "", table(("sizes times", "goal", "reached", "met"), goals)])


def arms_of(cells: Cells, prior: float) -> dict[str, dict[int, Any]]:
    """Arm -> seed -> figures, for a prior; those that do not depend on it too."""
    out: dict[str, dict[int, Any]] = defaultdict(dict)
    for cell in cells:
        if cell["prior"] in (prior, None):
            for name, row in cell["arms"].items():
                out[name][cell["seed"]] = row
    return dict(out)


def of(own: Arms, name: str, what: str, *others: str) -> Figure:
    """A figure of an arm over the seeds that it and these others have."""
    return figure(own[name], what, common(own[name], *(own[other] for other in others)))


def arms_table(own: Arms, names: Sequence[str]) -> str:
    """A row for each arm."""
    head = ("trained on", "seeds", "mean AP50", *world.CLASSES, "mean AP", "gap closed %", "false + missed",
            "of wide's %", "missed % at 1, 2, 4 false a photo")
    rows = []
    for name in names:
        mean = {key: np.mean([row[key] for row in own[name].values()])
                for key in (*(f"{AP50} {one}" for one in world.CLASSES), *MISSED.values(), "false", "missed")}
        rows.append((f"**{name}**" if name in (LEARNED, SELECTED, SELECTED_OF_MORE) else name, str(len(own[name])),
                     of(own, name, AP50).text(), *(f"{100 * mean[f'{AP50} {one}']:.1f}" for one in world.CLASSES),
                     of(own, name, AP).text(), gap_text(own, name),
                     f"{mean['false']:.0f} + {mean['missed']:.0f}",
                     mistakes(own, name).text(digits=0) if WIDE in own and common(own[name], own[WIDE]) else "",
                     ", ".join(f"{100 * mean[key]:.0f}" for key in MISSED.values())))
    return table(head, rows)


def gap_text(own: Arms, name: str) -> str:
    if name in (WIDE, CEILING) or not {WIDE, CEILING} <= set(own):
        return ""
    return gap(own, name).text(digits=0) if common(own[name], own[WIDE], own[CEILING]) else ""


def gap(own: Arms, name: str) -> Figure:
    """(arm - wide) / (all labels - wide), of the means."""
    low, value, high = (of(own, one, AP50, name, WIDE, CEILING) for one in (WIDE, name, CEILING))
    return (value - low) / (high - low)


def mistakes(own: Arms, name: str) -> Figure:
    """False and missed detections, as a share of wide's, each at its own threshold."""
    return of(own, name, MISTAKES, WIDE) / of(own, WIDE, MISTAKES, name)


def minus(own: Arms, name: str, other: str, what: str = AP50) -> Figure:
    return of(own, name, what, other) - of(own, other, what, name)


def differences(own: Arms) -> list[str]:
    """Paired differences in points, in sentences."""
    with_labels, with_more = ([name for name in names if name not in (SELECTED, SELECTED_OF_MORE)]
                              for names in (WITH, WITH_MORE))
    pairs = [(LEARNED, [WIDE, "shrunk", "naive", "meta-sim", "former"], AP50),
             (f"learned, {arms.SELF_TRAINING}", [f"learned, {arms.LONGER}"], AP50),
             (untuned("learned"), [LEARNED], AP50), (SELECTED, with_labels, AP50), (SELECTED, with_labels, AP),
             (SELECTED_OF_MORE, with_more, AP50), (SELECTED_OF_MORE, with_more, AP),
             *((name, [name.partition(",")[0]], AP50) for name in arms.OTHER_SETTINGS if "," in name)]
    lines = []
    for name, others, what in pairs:
        present = [other for other in others if {name, other} <= set(own) and common(own[name], own[other])]
        if present:
            each = "; ".join(f"{other} {minus(own, name, other, what).text()}" for other in present)
            lines += [f"Paired differences in points of mean {what}, {name} minus: {each}.", ""]
    return lines


def goals_of(own: Arms, prior: float) -> list[tuple[str, ...]]:
    """The goals of a prior: what, how much, whether it is met."""
    rows: list[tuple[str, str, bool]] = []

    def add(text: str, names: tuple[str, ...], found: Any, good: Any) -> None:
        if set(names) <= set(own) and common(*(own[name] for name in names)):
            value = found()
            rows.append((text, value.text(), bool(good(value))))

    add("without labels: 3 points of AP50 above the former settings, trained now", (LEARNED, "former"),
        lambda: minus(own, LEARNED, "former"), lambda one: one.mean >= 0.03 and one.interval()[0] > 0)
    before = BEFORE[prior]
    add(f"without labels: AP50 of {100 * before + 3:.1f}, 3 points above the page before", (LEARNED,),
        lambda: of(own, LEARNED, AP50), lambda one: one.mean >= before + 0.03 and one.interval()[0] > before)
    add("75 % of the gap between wide and all labels", (LEARNED, WIDE, CEILING), lambda: gap(own, LEARNED),
        lambda one: one.mean >= 0.75)
    add("false and missed detections at most half of wide's, %", (LEARNED, WIDE), lambda: mistakes(own, LEARNED),
        lambda one: one.mean <= 0.5)
    for count, name in MISSED.items():
        add(f"missed at {count} false a photo below wide's, points", (LEARNED, WIDE),
            lambda name=name: minus(own, LEARNED, WIDE, name), lambda one: one.interval()[1] < 0)
    for other in (TEN, TEN_LONGER, tuned("wide")):
        add(f"with 10 labels: mean AP above \"{other}\", points", (SELECTED, other),
            lambda other=other: minus(own, SELECTED, other, AP), lambda one: one.interval()[0] > 0)
    for other in (CEILING_LONGER, CEILING):
        add(f"with 10 labels: within 1 point of AP50 of \"{other}\"", (SELECTED, other),
            lambda other=other: minus(own, SELECTED, other), lambda one: one.mean >= -0.01)
    return [(f"{prior:g}", text, value, "yes" if good else "**no**") for text, value, good in rows]
