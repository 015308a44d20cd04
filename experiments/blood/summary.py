"""All cells in one result: figures with intervals, the gap closed, and the goals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.blood import arms, bootstrap, counting, fits, world
from experiments.blood.bootstrap import Figure, percent
from experiments.blood.box_sizes import box_sizes
from experiments.blood.error_types import error_types
from scenefit.metrics.mmd import noise_floor
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.detection import MIN_CONFIDENCE

CONTROLS = ("wide", "shrunk", "random", "cma", "naive", "wide-adapted", "wide-longer")
ALL_LONGER = ("wide-longer", "learned-longer", "real-longer+all")  # baseline, learned and reference, trained longer
BASELINE, REFERENCE = "wide", "real+all"
REFERENCES = (REFERENCE, "real-longer+all", "wide+all", "learned+all")  # arms with all labels; the best is reported
MAIN, MAIN_10 = "adapted", "learned+10"  # the arms of the goals
NO_LABEL = "learned", MAIN
EXAMINED = (BASELINE, MAIN, "recounted-adapted", MAIN_10, REFERENCE)  # arms whose errors are counted by type
# Figure: false and missed detections at the confidence from which self-training takes pseudo-labels.
SELF_TRAINING_ERRORS = f"mistakes from {MIN_CONFIDENCE} on"
PHOTOS = "photos"
Cells = Sequence[arms.Cell]
Results = Mapping[arms.Cell, dict[str, Any]]


def summary(cells: Cells, results: Results, count: int) -> dict[str, Any]:
    """All of result.json. Arms that do not depend on the prior are repeated under each. count: resamples."""
    first = cells[0]
    priors, seeds = list(dict.fromkeys(c.prior for c in cells)), {c.seed for c in cells}
    photos = world.reported(first.data, first.report)
    all_figures = figures_of_cells(cells, photos, bootstrap.resamples(len(photos), len(seeds), count))
    result: dict[str, Any] = {
        "report": first.report, "photos": len(photos), "boxes": boxes_of(photos), "seeds": len(seeds), "priors": priors,
        "renders": first.size, "training steps": first.steps, "fit settings": first.settings.record(),
        "resamples": count, "interval": "95 %, bootstrap over photos and seeds, the same resamples for all arms"}
    for prior in priors:
        own = {arm: figures for (at, arm), figures in all_figures.items() if at in (prior, None)}
        of_arm = {arm: [c for c in cells if c.arm == arm and prior_of(c) in (prior, None)] for arm in own}
        rows = {arm: [results[c] for c in group] for arm, group in of_arm.items()}
        result[f"prior {prior:g}"] = {
            "arms": {arm: row(own[arm], rows[arm]) for arm in own}, **comparisons(own),
            "factors": {arm: mean_of([scale_factors(c) for c in cells if c.arm == arm and c.prior == prior])
                        for arm in arms.RESCALED if arm in own},
            "distance": distances([c for c in cells if c.prior == prior]),
            "mistakes": {arm: error_types(of_arm[arm], photos.boxes) for arm in EXAMINED if arm in own},
            "sizes": box_sizes(of_arm["learned"]) if "learned" in own else {},
            **mean_counts([[results[c] for c in cells if c.arm == arm and c.prior == prior] for arm in counting.ARMS],
                          first)}
    result["goals"] = goals(result, priors)
    return result


def prior_of(cell: arms.Cell) -> float | None:
    """The cell's prior, None if its arm does not depend on it."""
    return None if cell.start in arms.ANY else cell.prior


def boxes_of(photos: Any) -> dict[str, int]:
    """Class -> number of labels."""
    return {name: int((photos.boxes.name == name).sum()) for name in world.CLASSES}


def figures_of_cells(cells: Cells, photos: Any,
                     samples: bootstrap.Resamples) -> dict[tuple[Any, str], dict[str, Figure]]:
    """(prior or None, arm) -> figures, from the kept detections."""
    groups: dict[tuple[Any, str], list[arms.Cell]] = {}
    for cell in cells:
        if cell.arm not in counting.ARMS:
            groups.setdefault((prior_of(cell), cell.arm), []).append(cell)
    result = {}
    for key, group in groups.items():
        predictions = [arms.predictions(cell) for cell in sorted(group, key=lambda c: c.seed)]
        evaluated = [bootstrap.evaluate(boxes, photos.boxes, world.CLASSES, threshold)
                     for boxes, threshold in predictions]
        result[key] = bootstrap.figures(evaluated, world.CLASSES, samples)
        if key[1] in (MAIN, BASELINE):
            counts = [bootstrap.evaluate(boxes, photos.boxes, world.CLASSES, MIN_CONFIDENCE).counts
                      for boxes, _ in predictions]
            result[key][SELF_TRAINING_ERRORS] = bootstrap.errors(counts, samples)
    return result


def row(figures: dict[str, Figure], kept: list[dict[str, Any]]) -> dict[str, Any]:
    """One arm: figures, and means over seeds of the counts, the cost and mAP."""
    return {**{name: figure.record() for name, figure in figures.items()},
            "counts": mean_of([one["counts"] for one in kept]), "threshold": [one["threshold"] for one in kept],
            "false at recall": false_at_recall([one["false at recall"] for one in kept]),
            "cost": mean_of([one["cost"] for one in kept]), "mAP": float(np.mean([one["AP"] for one in kept]))}


def scale_factors(cell: arms.Cell) -> dict[str, float]:
    """Class -> factor by which the boxes of a rescaled cell were multiplied: the median of the widths' ratios."""
    (after, _), (before, _) = arms.predictions(cell), arms.predictions(cell.trained)
    width = [boxes.box[:, 2] - boxes.box[:, 0] for boxes in (after, before)]
    return {name: float(np.median((width[0] / width[1])[before.name == name])) for name in world.CLASSES}


def mean_counts(parts: Sequence[Sequence[dict[str, Any]]], cell: arms.Cell) -> dict[str, Any]:
    """Counts of cells per photo, means over seeds, from the results of the cells in `counting.ARMS`.

    The labels' row has the mean absolute error of predicting the labels' mean for every photo.
    """
    result: dict[str, Any] = {}
    for each in parts:
        result |= mean_of(each) if each else {}
    if not result:
        return {}
    for name, error in counting.constant_errors(cell.data).items():
        result["labels"][name]["absolute error"] = error
    return {"counts": result}


def distances(cells: Cells) -> dict[str, float]:
    """Arm -> the fit's distance to the photos, mean over seeds. For a search, the lowest that it evaluated; for the
    photos, the noise floor (one half against the other)."""
    found: dict[str, list[float]] = {}
    for cell in cells:
        if cell.arm in fits.SEARCHES:
            tried = fits.facts_of(cell.fit, cell.arm)["trace"]
            found.setdefault(cell.arm, []).append(min(tried))
            if cell.arm == "random":
                found.setdefault(BASELINE, []).append(tried[0])  # the unchanged prior
        elif cell.arm in ("learned", *fits.REFINED):
            steps = fits.record(cell.fit) if cell.arm == "learned" else fits.facts_of(cell.fit, cell.arm)
            found.setdefault(cell.arm, []).append(steps["trace"][-1]["distance"])
            if cell.arm == "learned":
                seed = derive_seed(cell.fit.seed, "photos against photos")
                found.setdefault(PHOTOS, []).append(noise_floor(fits.distance(cell.fit).photo_features, seed).mean)
    return {arm: float(np.mean(each)) for arm, each in found.items()}


def false_at_recall(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Recall -> number of false detections at that recall, mean over the seeds that reach it, and how many do."""
    out = {}
    for recall in each[0]:
        false = [one[recall] for one in each if one[recall] is not None]
        out[recall] = {"mean": float(np.mean(false)) if false else None, "seeds": len(false), "of": len(each)}
    return out


def mean_of(records: Sequence[Any]) -> Any:
    """Mean of the numbers at the same keys of nested dictionaries."""
    if isinstance(records[0], dict):
        return {name: mean_of([one[name] for one in records]) for name in records[0]}
    return float(np.mean(records))


def comparisons(own: dict[str, dict[str, Figure]]) -> dict[str, Any]:
    """Share of the gap that each arm closes, and paired differences, as far as the arms that they need are there."""
    out: dict[str, Any] = {}
    score = {arm: figures["mAP50"] for arm, figures in own.items()}
    if BASELINE in own and REFERENCE in own:
        gap = score[REFERENCE].minus(score[BASELINE])
        out["gap closed"] = {arm: bootstrap.ratio(score[arm].minus(score[BASELINE]), gap) for arm in own
                             if arm not in (BASELINE, REFERENCE)}
        best = max((arm for arm in REFERENCES if arm in own), key=lambda arm: score[arm].mean)
        if set(REFERENCES) & set(own) > {REFERENCE}:
            wider = score[best].minus(score[BASELINE])
            out["best ceiling"] = {"arm": best,
                                   "gap closed": bootstrap.ratio(score[MAIN].minus(score[BASELINE]), wider)}
    if set(ALL_LONGER) <= set(own):
        baseline, learned, reference = (score[arm] for arm in ALL_LONGER)
        out["gap closed for longer"] = bootstrap.ratio(learned.minus(baseline), reference.minus(baseline))
    against = {**dict.fromkeys(NO_LABEL, (*CONTROLS, "wide-many", "learned", "learned-longer")),
               MAIN_10: ("real+10", "real-longer+10", "wide+10", *NO_LABEL),
               "learned-longer": ("wide-longer", "learned"), "rewarded+10": (MAIN_10,),
               **dict.fromkeys((*fits.REFINED, fits.STRUCTURED, "recounted"), ("learned",)),
               "recounted-adapted": (MAIN,)}
    for arm, others in against.items():
        if arm in own:
            out[f"{arm} minus"] = {other: score[arm].minus(score[other]).record() for other in others
                                   if other in own and other != arm}
    if BASELINE in own:
        wide = own[BASELINE]["mistakes"]
        shown = [arm for arm in (*NO_LABEL, *arms.RECOUNTED, MAIN_10, "shrunk", REFERENCE) if arm in own]
        out["mistakes against wide"] = {arm: bootstrap.ratio(own[arm]["mistakes"], wide) for arm in shown}
        if MAIN in own:
            key, errors = SELF_TRAINING_ERRORS, own[MAIN][SELF_TRAINING_ERRORS]
            out[f"{key} against wide"] = {"own": bootstrap.ratio(errors, wide),
                                          "same": bootstrap.ratio(errors, own[BASELINE][key])}
    return out


def goals(result: dict[str, Any], priors: Sequence[float]) -> list[dict[str, Any]]:
    """Each goal of the experiment at each prior. met: "yes" if the whole interval meets it, "on the mean" if only the
    mean does, else "no"."""
    out = []
    for prior in priors:
        part = result[f"prior {prior:g}"]
        gap, minus = part.get("gap closed", {}), part.get(f"{MAIN} minus", {})
        few, errors = part.get(f"{MAIN_10} minus", {}), part.get("mistakes against wide", {})
        each: list[tuple[str, list[str]]] = []
        if MAIN in gap:
            each.append((f"without labels: closes at least 60 % of the gap (measured: {percent(gap[MAIN])} %)",
                         [met(gap[MAIN], 0.6)]))
        if set(CONTROLS) <= set(minus):
            each.append(("without labels: better than every control", [met(minus[arm], 0.0) for arm in CONTROLS]))
        if MAIN_10 in gap:
            each.append((f"10 labels: closes at least 85 % of the gap (measured: {percent(gap[MAIN_10])} %)",
                         [met(gap[MAIN_10], 0.85)]))
        if "real+10" in few:
            each.append(("10 labels: better than 10 labels alone", [met(few["real+10"], 0.0)]))
        if MAIN in errors:
            each.append(("false and missed detections: at most half of the wide grammar's (measured: "
                         f"{percent(errors[MAIN])} %)", [met(errors[MAIN], 0.5, below=True)]))
        out += [{"prior": prior, "goal": text, "met": max(answers, key=["yes", "on the mean", "no"].index)}
                for text, answers in each]
    return out


def met(figure: dict[str, Any], goal: float, below: bool = False) -> str:
    """Whether a figure is at least the goal (below: at most): "yes" with the whole interval, "on the mean", or "no"."""
    mean, end = figure["mean"], figure["high" if below else "low"]
    if below:
        mean, end, goal = -mean, None if end is None else -end, -goal
    if mean < goal:
        return "no"
    return "yes" if end is not None and end >= goal else "on the mean"
