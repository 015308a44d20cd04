"""The learned distribution as plain JSON, for use with another simulator.

The keys of the exported JSON:

    scenefit          version of scenefit;  seed: of the fit;  scenes: number of scenes sampled for the following
    attributes        "kind.name" -> the following; those from mean on under "learned" and under "prior":
      form            "number", "integer", "angle" (degrees), "choice" or "text"
      changed         whether it is learned;  bounds: [lowest, highest] value that learning may reach, else null
      mean, sd        of numbers, integers and angles (of angles: the mean direction, and the deviation about it)
      quantiles       {"1": .., "5": .., "25": .., "50": .., "75": .., "95": .., "99": ..}, by percent; those of angles
                      are not wrapped: they may go beyond 180 degrees
      range           [5 %, 95 %]: for a simulator that can only sample a uniform range
      probabilities   of choices, texts and integers of up to 50 values: value -> share
    counts            "parent.child" -> {"prior": {number: share}, "learned": ..}: children of each parent
    rules             kind -> rule -> {"prior": share, "learned": share}, of kinds with a choice of rules
    correlations      list of {"a", "b", "relation", "spearman"}: rank correlations in the learned distribution of at
                      least 0.1 in size; relation: "same node", or "parent" (b belongs to the parent of a's node)
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy import stats

from scenefit.nets.model import Model
from scenefit.scenes.attributes import Attribute, Form
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Prior, wrap
from scenefit.scenes.scene import SceneBatch, Table

PERCENT = (1, 5, 25, 50, 75, 95, 99)
MAX_LISTED = 50  # values of an integer whose shares are listed
MIN_CORRELATION = 0.1  # correlations that are listed
DIGITS = 6


def export(model: Model, scenes: int = 4096) -> dict[str, Any]:
    """The distribution as plain JSON values; see the module for the keys. scenes: number of scenes to sample."""
    grammar = model.grammar
    learned = model.sample(scenes)
    sets = {"prior": grammar.sample(learned.seed, scenes), "learned": learned}
    attributes = {}
    for a in (a for several in grammar.attributes.values() for a in several.values()):
        found = {name: batch.tables[a.kind][a.name] for name, batch in sets.items()}
        if min(len(values) for values in found.values()):
            attributes[f"{a.kind}.{a.name}"] = {
                "form": a.form, "changed": a.learned, "bounds": _bounds(a),
                **{name: summary(values, a.form) for name, values in found.items()}}
    return {"scenefit": version("scenefit"), "seed": model.seed, "scenes": scenes, "attributes": attributes,
            "counts": _counts(sets), "rules": _rules(grammar, sets),
            "correlations": [{"a": a, "b": b, "relation": relation, "spearman": _round(value)}
                             for a, b, relation, value in correlations(grammar, learned)
                             if abs(value) >= MIN_CORRELATION]}


def summary(values: Any, form: Form) -> dict[str, Any]:
    """Statistics of the values [n] of one attribute."""
    values = np.asarray(values)
    if form == "choice" or values.dtype.kind in "US":
        return {"probabilities": _shares(values)}
    straight = _unrolled(values) if form == "angle" else values.astype(float)
    quantiles = {str(q): _round(np.quantile(straight, q / 100)) for q in PERCENT}
    out: dict[str, Any] = {"mean": _round(straight.mean()), "sd": _round(straight.std()), "quantiles": quantiles,
                           "range": [quantiles["5"], quantiles["95"]]}
    if form == "integer" and len(np.unique(values)) <= MAX_LISTED:
        out["probabilities"] = _shares(values)
    return out


def correlations(grammar: Grammar, scenes: SceneBatch) -> Iterator[tuple[str, str, str, float]]:
    """(a, b, relation, Spearman's rho) of the numeric attributes of each node and of its parent."""
    for kind, table in scenes.tables.items():
        own = _numeric(grammar, kind, table)
        names = list(own)
        for i, a in enumerate(names):
            for b in names[i + 1:]:
                yield f"{kind}.{a}", f"{kind}.{b}", "same node", _spearman(own[a], own[b])
        for code, parent in enumerate(scenes.kinds):
            mine = table.parent_kind == code
            above = _numeric(grammar, parent, scenes.tables[parent])
            for a in names:
                for b, column in above.items():
                    yield (f"{kind}.{a}", f"{parent}.{b}", "parent",
                           _spearman(own[a][mine], column[table.parent_row[mine]]))


def _numeric(grammar: Grammar, kind: str, table: Table) -> dict[str, np.ndarray]:
    found = {}
    for a in grammar.attributes[kind].values():
        values = np.asarray(table[a.name])
        if len(values) == 0 or values.dtype.kind in "US" or a.form == "choice":
            continue
        found[a.name] = _unrolled(values) if a.form == "angle" else values.astype(float)
    return found


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 10 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.spearmanr(a, b).statistic)


def _unrolled(degrees: np.ndarray) -> np.ndarray:
    """Angles [n], in degrees, unwrapped to within half a turn of their mean direction."""
    turn = np.deg2rad(degrees.astype(float))
    centre = np.rad2deg(np.arctan2(np.sin(turn).mean(), np.cos(turn).mean()))
    return centre + wrap(degrees - centre)


def _counts(sets: dict[str, SceneBatch]) -> dict[str, dict[str, dict[str, float]]]:
    """Shares of the numbers of children, for each pair of kinds that are parent and child."""
    out: dict[str, dict[str, dict[str, float]]] = {}
    for name, scenes in sets.items():
        for child, table in scenes.tables.items():
            for code, parent in enumerate(scenes.kinds):
                mine = table.parent_kind == code
                if mine.any():
                    number = np.bincount(table.parent_row[mine], minlength=len(scenes.tables[parent]))
                    out.setdefault(f"{parent}.{child}", {})[name] = _shares(number)
    return out


def _rules(grammar: Grammar, sets: dict[str, SceneBatch]) -> dict[str, dict[str, dict[str, float]]]:
    out: dict[str, dict[str, dict[str, float]]] = {}
    for kind in grammar.kinds:
        rules = grammar.rules_of(kind)
        if len(rules) < 2:
            continue
        shares = {name: np.bincount(scenes.tables[kind].rule, minlength=len(rules)) / max(len(scenes.tables[kind]), 1)
                  for name, scenes in sets.items()}
        out[kind] = {str(rule): {name: _round(share[i]) for name, share in shares.items()}
                     for i, rule in enumerate(rules)}
    return out


def _bounds(a: Attribute) -> list[float] | None:
    if not a.learned or a.form == "choice":
        return None
    ends = a.bounds or (a.prior.bounds if isinstance(a.prior, Prior) else None)
    if ends is None or any(np.ndim(end) for end in ends):
        return None
    return [_round(end) for end in ends]


def _shares(values: np.ndarray) -> dict[str, float]:
    names, counts = np.unique(values, return_counts=True)
    return {str(name): _round(count / len(values)) for name, count in zip(names, counts, strict=True)}


def _round(value: Any) -> float:
    """Rounded to `DIGITS` significant digits, which are the same on every machine."""
    return float(f"{float(value):.{DIGITS}g}")
