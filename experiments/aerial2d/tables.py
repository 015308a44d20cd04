"""The tables of README.md, from the cells. Intervals are over seeds (t, 95 %); differences are paired by seed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.aerial2d import few_labels
from experiments.aerial2d.arms import GRAMMARS, ORACLE
from experiments.aerial2d.fits import LEARNED as GROUPS_LEARNED
from experiments.aerial2d.fits import META_SIM, TARGETS
from experiments.aerial2d.settings import GROUPS, ROWS
from experiments.arms import interval
from experiments.cells import markdown as table

BEGIN, END = "<!-- figures: written by the command -->", "<!-- end of figures -->"
CAR = "car"
LEARNED = "learned, all"
ARMS = (*GRAMMARS, *GROUPS_LEARNED, *META_SIM, *few_labels.ARMS, ORACLE)
GOALS = {"target": (95.0, 90.0), "misspecified": (60.0, 50.0)}  # gap closed %: the mean, and the interval's lower end
MIN_GAP = 20.0  # points of car IoU between hand-made grammar and oracle
MAX_TV = 0.05  # above the floor
Cells = Mapping[str, Mapping[int, dict[str, Any]]]  # arm -> seed -> cell


def markdown(found: Sequence[dict[str, Any]]) -> str:
    parts = []
    for target in TARGETS:
        cells: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        for cell in found:
            if cell["target"] == target:
                cells[cell["arm"]][cell["seed"]] = cell
        if cells:
            parts += [f"### {target.capitalize()}", of_target(cells), *differences(cells), goals(target, cells)]
            parts += [attributes(cells)] if target == "target" else []
    return "\n\n".join(part for part in parts if part)


def of_target(cells: Cells) -> str:
    rows = []
    for arm in (name for name in ARMS if name in cells):
        own = cells[arm]
        classes = [percent([one["IoU"][name] for one in own.values()]) for name in ("road", "house", "tree")]
        rows.append([f"**{arm}**" if arm == LEARNED else arm, str(len(own)),
                     over_seeds([100 * one["IoU"][CAR] for one in own.values()]), *classes,
                     percent([float(np.mean(list(one["IoU"].values()))) for one in own.values()]),
                     percent([one["IoU at thresholds of renders"][CAR] for one in own.values()]),
                     percent([one["IoU at equal area"][CAR] for one in own.values()]),
                     percent([one["pixel AP"][CAR] for one in own.values()]),
                     percent([one["false + missed at equal area"][CAR] for one in own.values()]),
                     over_seeds(gaps(cells, arm)),
                     f"{np.mean([one['cost']['fit CPU seconds'] for one in own.values()]) / 60:.0f}"])
    head = ["trained on", "seeds", "car IoU", "road", "house", "tree", "mean", "car, thresholds of renders",
            "car, equal area", "car pixel AP", "car pixels false + missed, % of their area", "gap closed %",
            "CPU minutes of the fit"]
    return table(head, rows)


def differences(cells: Cells) -> list[str]:
    """Car IoU of the learned arm minus that of the grammars, and with labels likewise, paired by seed."""
    return [text for text in (difference(cells, LEARNED, (*GRAMMARS, *META_SIM)),
                              difference(cells, few_labels.SELECTED, (few_labels.ALONE, few_labels.WIDE, LEARNED)))
            if text]


def difference(cells: Cells, arm: str, others: Sequence[str]) -> str:
    parts = []
    for other in others:
        both = sorted(set(cells.get(arm, {})) & set(cells.get(other, {})))
        if len(both) > 1:
            points = [100 * (cells[arm][seed]["IoU"][CAR] - cells[other][seed]["IoU"][CAR]) for seed in both]
            parts.append(f"{other}: {in_words(interval(points))}")
    return f"Car IoU of {arm} minus that of {'; '.join(parts)}." if parts else ""


def gaps(cells: Cells, arm: str) -> list[float]:
    """Share of the gap in car IoU between hand-made grammar and oracle that an arm closes, of each seed, %."""
    if arm in ("hand-made", ORACLE):
        return []
    values = []
    for seed, cell in cells[arm].items():
        if all(seed in cells.get(name, {}) for name in ("hand-made", ORACLE)):
            low, high = (cells[name][seed]["IoU"][CAR] for name in ("hand-made", ORACLE))
            values.append(100 * (cell["IoU"][CAR] - low) / (high - low))
    return values


def goals(target: str, cells: Cells) -> str:
    """Goals at the mean, passes at the interval's lower end."""
    both = [seed for seed in cells.get("hand-made", {}) if seed in cells.get(ORACLE, {})]
    rows = []
    if len(both) > 1:
        apart = interval([100 * (cells[ORACLE][seed]["IoU"][CAR] - cells["hand-made"][seed]["IoU"][CAR])
                          for seed in both])
        rows.append([f"hand-made at least {MIN_GAP:g} points of car IoU below the oracle",
                     in_words(apart), yes(apart["low"] >= MIN_GAP)])
    mine = gaps(cells, LEARNED) if LEARNED in cells else []
    if len(mine) > 1:
        (mean, low), closed = GOALS[target], interval(mine)
        rows += [[f"gap closed at least {mean:g} %", in_words(closed), yes(closed["mean"] >= mean)],
                 [f"lower end of the interval above {low:g} %", in_words(closed), yes(closed["low"] > low)]]
        beyond = [one["cars and lanes"]["tv"] - one["cars and lanes"]["floor"] for one in cells[LEARNED].values()]
        if target == "target":
            rows.append([f"cars given lanes: total variation at most {MAX_TV:g} above the floor",
                         in_words(interval(beyond), 2), yes(float(np.mean(beyond)) <= MAX_TV)])
    return table(["goal", "reached", "met"], rows) if rows else ""


def attributes(cells: Cells) -> str:
    """Mean distance to the truth over the hand-made grammar's, by attribute; not of those that are the same in both."""
    names = [name for name in ARMS if name in cells and name not in ("hand-made", *few_labels.ARMS, ORACLE)]
    first = next((one for name in names for one in cells[name].values()), None)
    if first is None:
        return ""
    group = {f"{kind}.{name}": row.group for kind, rows in ROWS.items() for name, row in rows.items()}
    same = {f"{kind}.{name}" for kind, rows in ROWS.items() for name, row in rows.items() if row.handmade == row.target}
    rows = [[one, group.get(one, "counts"), *(mean([cell["distances"][one] for cell in cells[name].values()])
                                              for name in names)] for one in first["distances"] if one not in same]
    rows.sort(key=lambda row: GROUPS.index(row[1]))
    joint = ["cars and lanes, total variation above the floor", "counts", *(
        mean([cell["cars and lanes"]["tv"] - cell["cars and lanes"]["floor"] for cell in cells[name].values()])
        for name in names)]
    return ("Distance of each attribute to the target, over that of the hand-made grammar (0: the truth):\n\n"
            + table(["attribute", "group", *names], [*rows, joint]))


def percent(values: Sequence[float]) -> str:
    return f"{100 * np.mean(values):.1f}"


def mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f}" if known else ""


def over_seeds(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.1f}" if values else ""
    return in_words(interval(values))


def in_words(found: Mapping[str, Any], digits: int = 1) -> str:
    return f"{found['mean']:.{digits}f} ({found['low']:.{digits}f} to {found['high']:.{digits}f})"


def yes(met: bool) -> str:
    return "yes" if met else "**no**"
