"""How near samples of a learned distribution are to the truth, attribute by attribute. Pure functions.

Legend: n values of an attribute; S scenes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import scenefit as sf
from experiments.known_worlds.truth import Array, Truth
from scenefit.metrics.wasserstein import wasserstein

BIN = 5
TURN = 360.0
GOALS = {"median": 0.10, "worst": 0.25, "count floors": 1.5, "spread": 0.10}


@dataclass(frozen=True)
class Target:
    """A learned attribute that is scored. form: "number", "angle", "count" or "choice".  period: degrees after which an
    angle is the same, 180 for an axis.  given: "kind.attribute" that the odds of a choice depend on: total variation is
    then that of both together.  bin: counts in a bin of their total variation."""

    kind: str
    name: str
    form: str = "number"
    period: float = TURN
    given: str = ""
    bin: int = BIN

    @property
    def attribute(self) -> str:
        return f"{self.kind}.{self.name}"

    @property
    def key(self) -> str:
        return f"{self.attribute} given {self.given}" if self.given else self.attribute


@dataclass(frozen=True)
class Samples:
    """What is scored, of samples or of the truth. values: "kind.attribute" -> values [n].  scene: kind -> row of the
    scene of each node [n].  size: number of scenes."""

    values: Mapping[str, Array]
    scene: Mapping[str, Array]
    size: int


def of_scenes(scenes: sf.SceneBatch, more: Mapping[str, Array] | None = None) -> Samples:
    """Samples of scenes. more: further columns, "kind.attribute" -> values [n]."""
    values = {f"{kind}.{name}": np.asarray(column) for kind, table in scenes.tables.items()
              for name, column in table.columns.items()}
    return Samples(values | dict(more or {}), {kind: table.scene for kind, table in scenes.tables.items()}, len(scenes))


def of_truth(truth: Truth) -> Samples:
    return Samples({f"{kind}.{name}": column for kind, columns in truth.columns.items()
                    for name, column in columns.items()}, truth.photo, len(truth))


def difference(target: Target, a: Array, b: Array) -> float:
    """Distance of two samples of an attribute: Wasserstein-1 in its units, total variation of a choice. NaN where one
    is empty."""
    if not len(a) or not len(b):
        return float("nan")
    if target.form == "choice":
        return total_variation(shares(a, options := np.unique(np.concatenate([a, b]))), shares(b, options))
    if target.form == "angle":
        turns = TURN / target.period
        return wasserstein(np.asarray(a, float) * turns, np.asarray(b, float) * turns, circular=True) / turns
    return wasserstein(a, b)


def shares(values: Array, options: Array) -> Array:
    """Share of each option among values."""
    return np.array([(np.asarray(values) == option).mean() for option in options])


def total_variation(a: Array, b: Array) -> float:
    """Total variation distance of two discrete distributions, 0..1."""
    return float(np.abs(np.subtract(a, b)).sum() / 2)


def binned(counts: Array, last: int, width: int) -> Array:
    """Shares of counts 0 to last in bins of a width, the first from 0 on."""
    return np.bincount(np.asarray(counts, int) // width, minlength=last // width + 1) / len(counts)


def spread(target: Target, values: Array) -> float:
    """Standard deviation, of angles by the length of their mean direction; of choices, the root of the mean variance of
    their indicators."""
    if not len(values):
        return float("nan")
    if target.form == "choice":
        share = shares(values, np.unique(values))
        return float(np.sqrt((share * (1 - share)).sum()))
    if target.form == "angle":
        mean = np.exp(2j * np.pi * np.asarray(values, float) / target.period).mean()
        return float(np.sqrt(2 * (1 - abs(mean))))
    return float(np.std(np.asarray(values, float)))


def score(targets: Sequence[Target], visible: Mapping[str, bool], learned: Samples, prior: Samples, truth: Samples,
          draws: Sequence[Samples]) -> dict[str, dict[str, float]]:
    """Attribute -> its figures, rounded. truth: a large sample of the truth.  draws: several sets of as many true
    scenes as a fit has photos, for the floor.

    distance, prior, floor: of learned, prior and draws to the truth, in the attribute's units, total variation of
    choices.  ratio: distance over prior.  floors: distance over floor.  bins, prior bins, floor bins: of counts, total
    variation in bins.  spread: of learned over that of the prior.  visible: 1 or 0.
    """
    rows = {}
    for target in targets:
        mine, before, true = (values_of(target, part) for part in (learned, prior, truth))
        sets = [values_of(target, part) for part in draws]
        floor = float(np.mean([difference(target, values, true) for values in sets]))
        row = {"distance": difference(target, mine, true), "prior": difference(target, before, true), "floor": floor,
               "spread": spread(target, mine) / max(spread(target, before), 1e-12),
               "visible": float(visible.get(target.key, True))}
        row |= {"ratio": over(row["distance"], row["prior"]), "floors": over(row["distance"], floor)}
        if target.form == "count":
            last = int(max(part.max() for part in (mine, before, true, *sets)))
            known = binned(true, last, target.bin)
            apart = [total_variation(binned(values, last, target.bin), known) for values in (mine, before, *sets)]
            row |= {"bins": apart[0], "prior bins": apart[1], "floor bins": float(np.mean(apart[2:]))}
        rows[target.key] = {name: round(float(value), 4) for name, value in row.items()}
    return rows


def over(distance: float, unit: float) -> float:
    """distance in a unit; NaN for a unit of 0, as of the floor of an attribute that is always the same."""
    return distance / unit if unit > 1e-9 else float("nan")


def values_of(target: Target, samples: Samples) -> Array:
    """Values of a target [n]. A count that no column holds is counted; "n_a+n_b" is the sum of two; a choice with
    `given` is joined with that column's value."""
    if target.form == "count":
        return np.sum([_count(target.kind, name, samples) for name in target.name.split("+")], axis=0)
    values = samples.values[target.attribute]
    if target.given:
        values = np.char.add(np.char.add(values.astype(str), " | "), samples.values[target.given].astype(str))
    return values


def _count(kind: str, name: str, samples: Samples) -> Array:
    if f"{kind}.{name}" in samples.values:
        return samples.values[f"{kind}.{name}"]
    return np.bincount(samples.scene[name.removeprefix("n_")], minlength=samples.size)


def dependence(pairs: Sequence[tuple[str, str]], samples: Samples) -> dict[str, float]:
    """Correlation of an attribute of objects with one of their image, for pairs of "kind.attribute": how far a joint
    distribution was learned. NaN where there are fewer than 3 objects."""
    out = {}
    for inner, outer in pairs:
        kind, image = inner.partition(".")[0], outer.partition(".")[0]
        by_scene = np.empty(samples.size)
        by_scene[samples.scene[image]] = samples.values[outer]
        values, own = samples.values[inner], by_scene[samples.scene[kind]]
        varies = len(values) > 2 and np.std(values) > 0 and np.std(own) > 0
        out[f"{inner} with {outer}"] = round(float(np.corrcoef(values, own)[0, 1]), 4) if varies else float("nan")
    return out


def summary(rows: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The figures that the goals name. median, worst: ratio of visible attributes other than counts.  count floors,
    count bins: the largest of the counts.  spread: the largest deviation of an invisible attribute's from the prior's.
    """
    counts = [row for row in rows.values() if "bins" in row]
    ratios = [row["ratio"] for row in rows.values() if "bins" not in row and row["visible"]]
    hidden = [abs(row["spread"] - 1) for row in rows.values() if "bins" not in row and not row["visible"]]
    return {"median": float(np.median(ratios)) if ratios else float("nan"), "worst": max(ratios, default=float("nan")),
            "count floors": max((row["floors"] for row in counts), default=float("nan")),
            "count bins": max((row["bins"] for row in counts), default=float("nan")),
            "spread": max(hidden, default=float("nan"))}


def ratios(targets: Sequence[Target], visible: Mapping[str, bool], learned: Samples, prior: Samples,
           truth: Samples) -> dict[str, float]:
    """The "median" and "worst" distance of visible attributes other than counts to the truth, over the prior's."""
    def distance(target: Target, samples: Samples) -> float:
        return difference(target, values_of(target, samples), values_of(target, truth))

    found = [over(distance(target, learned), distance(target, prior)) for target in targets
             if target.form != "count" and visible.get(target.key, True)]
    return {"median": round(float(np.median(found)), 4) if found else float("nan"),
            "worst": round(max(found, default=float("nan")), 4)}
