"""All cells in one result: figures with intervals, the gap closed, and the goals.

Legend: B resamples; N photos.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.blood import arms, counting, fits, measure, world
from experiments.blood.measure import Figure, percent
from experiments.blood.mistakes import mistakes
from experiments.blood.sizes import sizes
from scenefit.metrics.mmd import noise_floor
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.detection import MIN_CONFIDENCE

CONTROLS = ("wide", "shrunk", "random", "cma", "naive", "wide-adapted", "wide-longer")
ALL_LONGER = ("wide-longer", "learned-longer", "real-longer+all")  # floor, learned and ceiling, trained for longer
FLOOR, CEILING = "wide", "real+all"
CEILINGS = (CEILING, "real-longer+all", "wide+all", "learned+all")  # the best of these with the label curve
BEST, BEST_10 = "adapted", "learned+10"  # the arms that the goals are about
NO_LABEL = "learned", BEST
EXAMINED = (FLOOR, BEST, "recounted-adapted", BEST_10, CEILING)  # whose mistakes are told apart
BELIEVED = f"mistakes from {MIN_CONFIDENCE} on"  # from the score on that a detector believes when it trains itself
PHOTOS = "photos"
Cells = Sequence[arms.Cell]
Results = Mapping[arms.Cell, dict[str, Any]]


def summary(cells: Cells, results: Results, count: int) -> dict[str, Any]:
    """Everything that result.json holds. Arms of no prior are repeated under each."""
    first = cells[0]
    priors, seeds = list(dict.fromkeys(c.prior for c in cells)), {c.seed for c in cells}
    photos = world.reported(first.data, first.report)
    lots = measure.resamples(len(photos), len(seeds), count)
    found = judged_figures(cells, photos, lots)
    result: dict[str, Any] = {
        "report": first.report, "photos": len(photos), "boxes": boxes_of(photos), "seeds": len(seeds), "priors": priors,
        "renders": first.size, "training steps": first.steps, "fit settings": first.settings.record(),
        "resamples": count, "interval": "95 %, bootstrap over photos and seeds, the same resamples for all arms"}
    for prior in priors:
        own = {arm: figures for (at, arm), figures in found.items() if at in (prior, None)}
        of_arm = {arm: [c for c in cells if c.arm == arm and at_prior(c) in (prior, None)] for arm in own}
        rows = {arm: [results[c] for c in group] for arm, group in of_arm.items()}
        result[f"prior {prior:g}"] = {
            "arms": {arm: row(own[arm], rows[arm]) for arm in own}, **comparisons(own),
            "factors": {arm: mean_of([factors(c) for c in cells if c.arm == arm and c.prior == prior])
                        for arm in arms.RESCALED if arm in own},
            "distance": distances([c for c in cells if c.prior == prior]),
            "mistakes": {arm: mistakes(of_arm[arm], photos.boxes) for arm in EXAMINED if arm in own},
            "sizes": sizes(of_arm["learned"]) if "learned" in own else {},
            **counted([[results[c] for c in cells if c.arm == arm and c.prior == prior] for arm in counting.ARMS],
                      first)}
    result["goals"] = goals(result, priors)
    return result


def at_prior(cell: arms.Cell) -> float | None:
    return None if cell.start in arms.ANY else cell.prior


def boxes_of(photos: Any) -> dict[str, int]:
    return {name: int((photos.boxes.name == name).sum()) for name in world.CLASSES}


def judged_figures(cells: Cells, photos: Any, lots: measure.Resamples) -> dict[tuple[Any, str], dict[str, Figure]]:
    """(prior or None, arm) -> its figures, from the detections that were kept."""
    groups: dict[tuple[Any, str], list[arms.Cell]] = {}
    for cell in cells:
        if cell.arm not in counting.ARMS:
            groups.setdefault((at_prior(cell), cell.arm), []).append(cell)
    found = {}
    for key, group in groups.items():
        group = sorted(group, key=lambda c: c.seed)
        finds = [arms.finds(cell) for cell in group]
        judged = [measure.judge(some, photos.boxes, world.CLASSES, threshold) for some, threshold in finds]
        found[key] = measure.figures(judged, world.CLASSES, lots)
        if key[1] in (BEST, FLOOR):
            counts = [measure.judge(some, photos.boxes, world.CLASSES, MIN_CONFIDENCE).counts for some, _ in finds]
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
    (after, _), (before, _) = arms.finds(cell), arms.finds(cell.trained)
    across = [one.box[:, 2] - one.box[:, 0] for one in (after, before)]
    return {name: float(np.median((across[0] / across[1])[before.name == name])) for name in world.CLASSES}


def counted(parts: Sequence[Sequence[dict[str, Any]]], cell: arms.Cell) -> dict[str, Any]:
    """The counts of all seeds, of each kind of cell that tells some, and how far off the labels' mean is, if it is told
    of every photo."""
    found: dict[str, Any] = {}
    for each in parts:
        found |= mean_of(each) if each else {}
    if not found:
        return {}
    for name, off in counting.guessed(cell.data).items():
        found["labels"][name]["absolute error"] = off
    return {"counts": found}


def distances(cells: Cells) -> dict[str, float]:
    """Arm -> the fit's own distance to the photos, the mean of the seeds; of a search, the best that it saw; of the
    photos, that of one half to the other."""
    found: dict[str, list[float]] = {}
    for cell in cells:
        if cell.arm in fits.SEARCHES:
            tried = fits.facts_of(cell.fit, cell.arm)["trace"]
            found.setdefault(cell.arm, []).append(min(tried))
            if cell.arm == "random":
                found.setdefault(FLOOR, []).append(tried[0])  # which changes nothing
        elif cell.arm in ("learned", *fits.REFINED):
            steps = fits.record(cell.fit) if cell.arm == "learned" else fits.facts_of(cell.fit, cell.arm)
            found.setdefault(cell.arm, []).append(steps["trace"][-1]["distance"])
            if cell.arm == "learned":
                seed = derive_seed(cell.fit.seed, "photos against photos")
                found.setdefault(PHOTOS, []).append(noise_floor(fits.distance(cell.fit).photo_features, seed).mean)
    return {arm: float(np.mean(each)) for arm, each in found.items()}


def reached(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Recall -> false detections there, the mean of the seeds that reach it, and how many these are."""
    out = {}
    for recall in each[0]:
        false = [one[recall] for one in each if one[recall] is not None]
        out[recall] = {"mean": float(np.mean(false)) if false else None, "seeds": len(false), "of": len(each)}
    return out


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
    if set(ALL_LONGER) <= set(own):
        floor, learned, ceiling = (score[arm] for arm in ALL_LONGER)
        out["gap closed for longer"] = measure.ratio(learned.minus(floor), ceiling.minus(floor))
    against = {**dict.fromkeys(NO_LABEL, (*CONTROLS, "wide-many", "learned", "learned-longer")),
               BEST_10: ("real+10", "real-longer+10", "wide+10", *NO_LABEL),
               "learned-longer": ("wide-longer", "learned"), "rewarded+10": (BEST_10,),
               **dict.fromkeys((*fits.REFINED, fits.STRUCTURED, "recounted"), ("learned",)),
               "recounted-adapted": (BEST,)}
    for arm, others in against.items():
        if arm in own:
            out[f"{arm} minus"] = {other: score[arm].minus(score[other]).record() for other in others
                                   if other in own and other != arm}
    if FLOOR in own:
        wide = own[FLOOR]["mistakes"]
        told = [arm for arm in (*NO_LABEL, *arms.RECOUNTED, BEST_10, "shrunk", CEILING) if arm in own]
        out["mistakes against wide"] = {arm: measure.ratio(own[arm]["mistakes"], wide) for arm in told}
        if BEST in own:
            out[f"{BELIEVED} against wide"] = {name: measure.ratio(own[BEST][BELIEVED], own[FLOOR][which])
                                               for name, which in (("own", "mistakes"), ("same", BELIEVED))}
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
