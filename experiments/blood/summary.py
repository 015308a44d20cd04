"""All cells in one result: figures with intervals, the gap closed, the goals, and the tables of the README.

Legend: B resamples; N photos.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.blood import arms, fits, measure, world
from experiments.blood.measure import Figure

CONTROLS = ("wide", "shrunk", "random", "cma", "naive", "wide-adapted")
FLOOR, CEILING = "wide", "real+all"
CEILINGS = (CEILING, "wide+all", "learned+all")  # the best of these with the label curve
BEST, BEST_10 = "adapted", "learned+10"  # the arms that the goals are about
NO_LABEL = "learned", BEST
BEGIN, END = "<!-- figures: written by the command -->", "<!-- end of figures -->"
BELIEVED = f"mistakes from {arms.SURE} on"  # of an adapted detector: from the score that it learned to believe
Cells = Sequence[arms.Cell]
Results = Mapping[arms.Cell, dict[str, Any]]
NAMES = {"naive": "naive grammar", "wide": "wide grammar", "shrunk": "wide, shrunk to a quarter",
         "random": "random search on the distance", "cma": "CMA-ES on the distance",
         "wide-adapted": "wide, gone on with its own finds in the photos",
         "learned": "**learned, no label**", "adapted": "**learned, gone on with its own finds, no label**",
         "matched": "learned, then down the distance", "rewarded": "learned, then rewarded by 10 labels",
         "real+10": "10 labels alone", "wide+10": "wide, then 10 labels",
         "learned+10": "**learned, then 10 labels**", "rewarded+10": "learned, rewarded by 10 labels, then they",
         "real+all": "all labels (205)",
         "content": "learned content, wide appearance", "appearance": "wide content, learned appearance",
         "relabelled": "the matched photos, with the boxes that the learned detector finds",
         "rescaled": "learned, gone on with its own finds, boxes rescaled by what 50 labels tell",
         "wide-rescaled": "wide grammar, boxes rescaled by what 50 labels tell",
         "learned-longer": "learned, gone on with renders alone for as long",
         "wide-many": f"wide grammar, {arms.MANY} times the renders"}
STARTS = ("wide", "learned", "real")
CURVE = ("0", "10", "25", "50", "100", "all")


def summary(cells: Cells, results: Results, count: int) -> dict[str, Any]:
    """Everything that result.json holds. Arms of no prior are repeated under each."""
    first = cells[0]
    priors, seeds = (sorted({getattr(c, name) for c in cells}) for name in ("prior", "seed"))
    photos = world.reported(first.data, first.report)
    lots = measure.resamples(len(photos), len(seeds), count)
    found = judged_figures(cells, photos, lots)
    result: dict[str, Any] = {
        "report": first.report, "photos": len(photos), "boxes": boxes_of(photos), "seeds": len(seeds), "priors": priors,
        "renders": first.size, "training steps": first.steps, "fit settings": first.settings.record(),
        "resamples": count, "interval": "95 %, bootstrap over photos and seeds, the same resamples for all arms"}
    for prior in priors:
        own = {arm: figures for (at, arm), figures in found.items() if at in (prior, None)}
        rows = {arm: [results[c] for c in cells if c.arm == arm and at_prior(c) in (prior, None)] for arm in own}
        result[f"prior {prior:g}"] = {
            "arms": {arm: row(own[arm], rows[arm]) for arm in sorted(own, key=shown_at)}, **comparisons(own),
            "factors": {arm: mean_of([factors(c) for c in cells if c.arm == arm and c.prior == prior])
                        for arm in arms.RESCALED if arm in own},
            "distance": distances([c for c in cells if c.prior == prior]),
            **({"counts": mean_of(counted)} if (counted := [results[c] for c in cells if c.arm == "counts"
                                                            and c.prior == prior]) else {})}
    result["goals"] = goals(result, priors)
    return result


def shown_at(arm: str) -> tuple[int, str]:
    """Its place in the tables."""
    return (list(NAMES).index(arm) if arm in NAMES else len(NAMES), arm)


def at_prior(cell: arms.Cell) -> float | None:
    return None if cell.start in arms.ANY else cell.prior


def boxes_of(photos: Any) -> dict[str, int]:
    return {name: int((photos.boxes.name == name).sum()) for name in world.CLASSES}


def judged_figures(cells: Cells, photos: Any, lots: measure.Resamples) -> dict[tuple[Any, str], dict[str, Figure]]:
    """(prior or None, arm) -> its figures, from the detections that were kept."""
    groups: dict[tuple[Any, str], list[arms.Cell]] = {}
    for cell in cells:
        if cell.arm != "counts":
            groups.setdefault((at_prior(cell), cell.arm), []).append(cell)
    found = {}
    for key, group in groups.items():
        group = sorted(group, key=lambda c: c.seed)
        finds = [arms.read_finds(cell.folder / f"{cell.report}.safetensors") for cell in group]
        thresholds = [arms.kept(cell)[1]["threshold"] for cell in group]
        judged = [measure.judge(some, photos.boxes, world.CLASSES, threshold)
                  for some, threshold in zip(finds, thresholds, strict=True)]
        found[key] = measure.figures(judged, world.CLASSES, lots)
        if key[1] == BEST:
            counts = [measure.judge(some, photos.boxes, world.CLASSES, arms.SURE).counts for some in finds]
            found[key][BELIEVED] = measure.mistakes(counts, lots)
    return found


def row(figures: dict[str, Figure], kept: list[dict[str, Any]]) -> dict[str, Any]:
    """One arm: its figures, counts and cost, the latter two as means over seeds."""
    return {**{name: figure.record() for name, figure in figures.items()},
            "counts": mean_of([one["counts"] for one in kept]), "threshold": [one["threshold"] for one in kept],
            "false at recall": reached([one["false at recall"] for one in kept]),
            "cost": mean_of([one["cost"] for one in kept]), "mAP": float(np.mean([one["AP"] for one in kept]))}


def factors(cell: arms.Cell) -> dict[str, float]:
    """By how much a rescaled cell's boxes are larger than the finds that they were, for each class."""
    after, before = (arms.read_finds(one.folder / f"{cell.report}.safetensors") for one in (cell, cell.trained))
    across = [one.box[:, 2] - one.box[:, 0] for one in (after, before)]
    return {name: float(np.median((across[0] / across[1])[before.name == name])) for name in world.CLASSES}


def distances(cells: Cells) -> dict[str, float]:
    """Arm -> the fit's own distance to the photos, the mean of the seeds; of a search, the best that it saw."""
    found: dict[str, list[float]] = {}
    for cell in cells:
        if cell.arm in fits.SEARCHES:
            tried = fits.facts_of(cell.fit, cell.arm)["trace"]
            found.setdefault(cell.arm, []).append(min(tried))
            if cell.arm == "random":
                found.setdefault(FLOOR, []).append(tried[0])  # which changes nothing
        elif cell.arm in ("learned", *fits.REFINED):
            steps = fits.record(cell.fit) if cell.arm == "learned" else fits.facts_of(cell.fit, cell.arm)
            found.setdefault(cell.arm, []).append([step["distance"] for step in steps["trace"]][-1])
    return {arm: float(np.mean(each)) for arm, each in found.items()}


def reached(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Recall -> false detections there, the mean of the seeds that reach it, and how many these are."""
    out = {}
    for recall in each[0]:
        false = [one[recall] for one in each if one[recall] is not None]
        out[recall] = {"mean": float(np.mean(false)) if false else None, "seeds": len(false), "of": len(each)}
    return out


def told_false(one: dict[str, Any]) -> str:
    if not one["seeds"]:
        return "never"
    return f"{one['mean']:.0f}" + (f" ({one['seeds']} of {one['of']} seeds)" if one["seeds"] < one["of"] else "")


def mean_of(records: Sequence[Any]) -> Any:
    """The mean of numbers that stand at the same place."""
    if isinstance(records[0], dict):
        return {name: mean_of([one[name] for one in records]) for name in records[0]}
    return float(np.mean(records))


def comparisons(own: dict[str, dict[str, Figure]]) -> dict[str, Any]:
    """The part of the gap that each arm closes, and paired differences, where the arms that they need are there."""
    out: dict[str, Any] = {}
    score = {arm: figures["mAP50"] for arm, figures in own.items()}
    if FLOOR in own and CEILING in own:
        gap = score[CEILING].minus(score[FLOOR])
        out["gap closed"] = {arm: measure.ratio(score[arm].minus(score[FLOOR]), gap) for arm in own
                             if arm not in (FLOOR, CEILING)}
        best = max((arm for arm in CEILINGS if arm in own), key=lambda arm: score[arm].mean)
        if set(CEILINGS) & set(own) > {CEILING}:
            wider = score[best].minus(score[FLOOR])
            out["best ceiling"] = {"arm": best, "gap closed": measure.ratio(score[BEST].minus(score[FLOOR]), wider)}
    against = {**dict.fromkeys(NO_LABEL, (*CONTROLS, "wide-many", "learned", "learned-longer")),
               BEST_10: ("real+10", "wide+10", *NO_LABEL),
               **dict.fromkeys(fits.REFINED, ("learned",)), "rewarded+10": (BEST_10,)}
    for arm, others in against.items():
        if arm in own:
            out[f"{arm} minus"] = {other: score[arm].minus(score[other]).record() for other in others
                                   if other in own and other != arm}
    if FLOOR in own:
        wide = own[FLOOR]["mistakes"]
        out["mistakes against wide"] = {arm: measure.ratio(own[arm]["mistakes"], wide)
                                        for arm in (*NO_LABEL, BEST_10, "shrunk", CEILING) if arm in own}
        if BELIEVED in own.get(BEST, {}):
            out[f"{BELIEVED} against wide"] = measure.ratio(own[BEST][BELIEVED], wide)
    return out


def goals(result: dict[str, Any], priors: Sequence[float]) -> list[dict[str, Any]]:
    """Each goal of the experiment, at each prior: met "yes", with all of its interval, "on the mean" alone, or "no"."""
    out = []
    for prior in priors:
        part = result[f"prior {prior:g}"]
        gap, minus = part.get("gap closed", {}), part.get(f"{BEST} minus", {})
        few, wrong = part.get(f"{BEST_10} minus", {}), part.get("mistakes against wide", {})
        told: list[tuple[str, list[str]]] = []
        if BEST in gap:
            told.append((f"no label: at least 60 % of the gap (now {percent(gap[BEST])})", [met(gap[BEST], 0.6)]))
        if set(CONTROLS) <= set(minus):
            told.append(("no label: above every control", [met(minus[arm], 0.0) for arm in CONTROLS]))
        if BEST_10 in gap:
            told.append((f"10 labels: at least 85 % of the gap (now {percent(gap[BEST_10])})",
                         [met(gap[BEST_10], 0.85)]))
        if "real+10" in few:
            told.append(("10 labels: above 10 labels alone", [met(few["real+10"], 0.0)]))
        if BEST in wrong:
            told.append((f"false and missed at most half of the wide grammar's (now {percent(wrong[BEST])} %)",
                         [met(wrong[BEST], 0.5, below=True)]))
        out += [{"prior": prior, "goal": text, "met": max(each, key=["yes", "on the mean", "no"].index)}
                for text, each in told]
    return out


def met(one: dict[str, Any], least: float, below: bool = False) -> str:
    """Whether a figure reaches least, or, below, stays under it: with all of its interval, on the mean, or not."""
    mean, end = one["mean"], one["high" if below else "low"]
    if below:
        mean, end, least = -mean, None if end is None else -end, -least
    if mean < least:
        return "no"
    return "yes" if end is not None and end >= least else "on the mean"


def percent(one: dict[str, Any] | None) -> str:
    return "" if one is None or one["mean"] is None else spread(one, digits=0)


def spread(one: dict[str, Any], times: float = 100, digits: int = 1) -> str:
    """Mean and interval."""
    if one["mean"] is None:
        return "not defined"
    text = f"{times * one['mean']:.{digits}f}"
    if one["low"] is None:
        return text
    return f"{text} ({times * one['low']:.{digits}f} to {times * one['high']:.{digits}f})"


def markdown(result: dict[str, Any]) -> str:
    """The README's tables."""
    lines = [f"{result['photos']} photos of `{result['report']}.txt`, {result['seeds']} seeds; 95 % intervals by "
             f"{result['resamples']} resamples of photos and seeds, the same for all arms.", ""]
    for prior in result["priors"]:
        part = result[f"prior {prior:g}"]
        lines += [f"### Sizes of the prior times {prior:g}", "",
                  "| trained on | mean AP50 | RBC | WBC | Platelets | mean AP | gap closed % | false + missed "
                  "| false at recall 0.5, 0.8 | renders | trainings | CPU s |", f"|{'---|' * 12}"]
        for arm, one in part["arms"].items():
            if "+" in arm and arm not in NAMES:
                continue  # of the label curve, which has a table of its own
            closed = part.get("gap closed", {}).get(arm)
            false, cost = [one["false at recall"][recall] for recall in ("0.5", "0.8")], one["cost"]
            cells = [name_of(arm), spread(one["mAP50"]), *(f"{100 * one[name]['mean']:.1f}" for name in world.CLASSES),
                     f"{100 * one['mAP']:.1f}", percent(closed),
                     f"{one['counts']['false']:.0f} + {one['counts']['missed']:.0f}",
                     ", ".join(map(told_false, false)), f"{cost['renders']:,.0f}",
                     f"{cost['trainings']:.0f}", f"{cost['cpu_seconds']:,.0f}"]
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", *differences(part), *curve(part["arms"]), *counts(part.get("counts")), ""]
    lines += ["### Goals", "", "| sizes times | goal | met |", "|---|---|---|",
              *(f"| {g['prior']:g} | {g['goal']} | {'**no**' if g['met'] == 'no' else g['met']} |"
                for g in result["goals"]),
              "", "Yes: with all of the interval; on the mean: not with all of it."]
    return "\n".join(lines) + "\n"


def name_of(arm: str) -> str:
    if arm in NAMES:
        return NAMES[arm]
    start, _, labels = arm.partition("+")
    if labels:
        return f"{labels} labels alone" if start == "real" else f"{start}, then {labels} labels"
    return f"learned, {arm.partition('-')[2]} looks" if arm.startswith("look-") else arm


def differences(part: dict[str, Any]) -> list[str]:
    """Paired differences, in points."""
    said = []
    for arm in (*NO_LABEL, BEST_10, *fits.REFINED, "rewarded+10"):
        each = [f"{name_of(other)} {spread(one)}" for other, one in part.get(f"{arm} minus", {}).items()]
        if each:
            said += [f"{name_of(arm)} minus, in points of mean AP50, paired: {'; '.join(each)}.", ""]
    for arm, each in part.get("factors", {}).items():
        told = ", ".join(f"{name} {factor:.2f}" for name, factor in each.items())
        said += [f"Sides of the boxes of {name_of(arms.RESCALED[arm])} were rescaled by: {told}.", ""]
    if part.get("distance"):
        each = [f"{name_of(arm)} {part['distance'][arm]:.3f}" for arm in sorted(part["distance"], key=shown_at)]
        said += [f"The fit's own distance to the photos (squared MMD in its reader's features, mean of the seeds; of a "
                 f"search, the best that it saw): {'; '.join(each)}.", ""]
    best = part.get("best ceiling")
    if best:
        said += [f"Against the best arm with all labels ({name_of(best['arm'])}), {name_of(BEST)} closes "
                 f"{percent(best['gap closed'])} % of the gap.", ""]
    wrong = part.get("mistakes against wide", {})
    if wrong:
        each = [f"{name_of(arm)} {spread(one, digits=0)} %" for arm, one in wrong.items()]
        believed = part.get(f"{BELIEVED} against wide")
        if believed:
            each.append(f"{name_of(BEST)}, finds believed from a score of {arms.SURE} on, as it learned to believe "
                        f"them: {spread(believed, digits=0)} %")
        said += [f"False and missed together, of the wide grammar's: {'; '.join(each)}.", ""]
    return said


def curve(found: dict[str, Any]) -> list[str]:
    """Mean AP50 over the number of labelled photos, where the prior has more of it than 10 labels."""
    if not any(f"{start}+{labels}" in found for start in STARTS if start not in arms.ANY for labels in CURVE[2:]):
        return []
    lines = [f"| labelled photos | {' | '.join(CURVE)} |", f"|---|{'---|' * len(CURVE)}"]
    for start in STARTS:
        names = [start if labels == "0" else f"{start}+{labels}" for labels in CURVE]
        each = [spread(found[name]["mAP50"]) if name in found else "" for name in names]
        lines.append(f"| {'labels alone' if start == 'real' else start} | {' | '.join(each)} |")
    return [*lines, "", "100 and all take labels of photos that are matched without labels elsewhere.", ""]


def counts(found: dict[str, Any] | None) -> list[str]:
    if not found:
        return []
    lines = [f"| cells in a photo to match | {' | '.join(world.CLASSES)} |", f"|---|{'---|' * len(world.CLASSES)}"]
    for key, rows in found.items():
        each = []
        for name in world.CLASSES:
            one = rows[name]
            text = f"{one['mean']:.1f} ± {one['sd']:.1f}"
            text += f", W {one['wasserstein']:.1f}" if "wasserstein" in one else ""
            each.append(text + (f", off by {one['absolute error']:.1f}" if "absolute error" in one else ""))
        lines.append(f"| {key} | {' | '.join(each)} |")
    return [*lines, "", "Mean ± standard deviation; W: Wasserstein distance of the counts to the labels'; off by: mean "
            "error of a photo's count. Scenes, detected: what gets a label, or would; read: all cells, hidden and cut "
            "ones too. Labels of these photos were read for this table only.", ""]


def put_into(readme: str, text: str) -> str:
    """The README with its figures replaced. ValueError where it has no place for them."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the README needs a line {BEGIN!r} and after it one {END!r}: the tables go between them")
    return f"{before}{BEGIN}\n{text}{END}{after}"
