"""Conditions of a label policy: which of the predicted objects have a label, by what is predicted of them.

Legend: m predicted objects; n renders' predicted objects.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.label_policy import LabelPolicy
from scenefit.inference.conventions.describe import Described, Readings

Floats = NDArray[np.float64]
DEFAULT = LabelPolicy()
CONDITIONS: Mapping[str, tuple[float, ...]] = {  # values that are tried
    "min_visibility": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), "max_truncation": (0.8, 0.6, 0.45, 0.3, 0.2, 0.1, 0.05),
    "min_side": (3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32), "min_contrast": (0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4)}
GAIN = 4.0  # of the log likelihood, for which a condition leaves its default
MIN_LABELS = 8  # of a class, from which something is read
# Share of the objects meant that annotators labelled: few, where they left out many at random.
RECALLS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98])
STRAY = 0.03  # share of the others that they labelled
NEAREST = 30  # predicted objects of renders


def fit_conditions(found: Readings, sure: Described, labelled: NDArray[np.bool_], start: LabelPolicy,
                   classes: Sequence[str]) -> tuple[LabelPolicy, dict[str, float]]:
    """With the conditions that tell best which predicted objects have a label; and what each of them gains. First those
    of all classes, then where a class differs from these. What one class asks for, such as a least side, would leave
    another, smaller one without labels that it has: no class may lose what a condition has to gain."""
    real, policy, gains = _precision(found, sure), start, dict[str, float]()
    share = cache(lambda name, value: _share_that_fulfil(found, sure, name, value))

    def likelihood(policy: LabelPolicy) -> Floats:
        """Of all objects, and of those of each class: annotators may have left out another share of a class at random,
        so that a condition of one class has to gain by either."""
        meant = np.ones(len(sure))
        for code, one in enumerate(classes):
            mine, of_class = sure.kind == code, policy.of_class(one)
            for name in CONDITIONS:
                meant[mine] *= share(name, float(getattr(of_class, name)))[mine]
        each = [np.ones(len(sure), bool), *(sure.kind == code for code in range(len(classes)))]
        return np.array([_likelihood(labelled[rows], real[rows], meant[rows]) for rows in each])

    def gain_of(difference: Floats, of: str) -> float:
        every, each = float(difference[0]), difference[1:]
        if of:
            return min(every, float(each[classes.index(of)]))
        return every if each.min() > -GAIN else 0.0

    for of in ("", *(classes if len(classes) > 1 else ())):
        now = likelihood(policy)
        tried = [(name, value) for name in CONDITIONS for value in _values(start, policy, name, of)]
        while True:
            left = [(name, with_value(policy, of, name, value)) for name, value in tried if _key(of, name) not in gains]
            each = [(likelihood(changed), name, changed) for name, changed in left]
            best, name, changed = max(each, key=lambda row: gain_of(row[0] - now, of), default=(now, "", policy))
            gain = gain_of(best - now, of)
            if gain <= GAIN:
                break
            gains[_key(of, name)], now, policy = gain, best, changed
    while gains:  # those that others make needless
        now = likelihood(policy)
        for key in gains:
            gains[key] = gain_of(now - likelihood(_without(policy, key, start)), key.rpartition(": ")[0])
        key = min(gains, key=lambda key: gains[key])
        if gains[key] > GAIN:
            break
        policy = _without(policy, key, start)
        del gains[key]
    return policy, gains


def _key(of: str, name: str) -> str:
    """Of a condition of one class, or of all (""), in `PolicyFit.gains`."""
    return f"{of}: {name}" if of else name


def with_value(policy: LabelPolicy, of: str, name: str, value: float) -> LabelPolicy:
    """With another setting, for all classes ("") or for one."""
    own: dict[str, Any] = {name: int(value) if name == "min_side" else value}
    if not of:
        return replace(policy, **own)
    each = policy.classes
    return replace(policy, by_class={**each, of: {**each.get(of, {}), **own}})


def _without(policy: LabelPolicy, key: str, start: LabelPolicy) -> LabelPolicy:
    """With the condition of a key as the start has it."""
    of, _, name = key.rpartition(": ")
    if not of:
        return replace(policy, **{name: getattr(start, name)})
    own = {other: value for other, value in policy.classes[of].items() if other != name}
    own |= {other: value for other, value in start.classes.get(of, {}).items() if other == name}
    return replace(policy, by_class={**policy.classes, of: own})


def _values(start: LabelPolicy, policy: LabelPolicy, name: str, of: str) -> Iterator[float]:
    """Values of a condition that are tried, for all classes or for one; the default where another one holds."""
    default = getattr(DEFAULT, name)
    if any(getattr(one, name) != default for one in ((policy, policy.of_class(of)) if of else (start,))):
        yield float(default)
    yield from map(float, CONDITIONS[name])


def fulfilled(truth: Described, policy: LabelPolicy, classes: Sequence[str]) -> NDArray[np.bool_]:
    """Which of the true objects [m] fulfil the conditions of their class."""
    out = np.ones(len(truth), bool)
    for code, of in enumerate(classes):
        of_class = policy.of_class(of)
        for name in CONDITIONS:
            out &= _fulfils(truth, name, float(getattr(of_class, name))) | (truth.kind != code)
    return out


def _precision(found: Readings, sure: Described) -> Floats:
    """Of each predicted object [m], how often one of its confidence is real, in renders."""
    real = np.isin(np.arange(len(found.renders)), found.pairs[:, 0])
    out = np.full(len(sure), 0.5)
    for code in np.unique(sure.kind):
        own = np.flatnonzero(found.renders.kind == code)
        if len(own) >= 2 * MIN_LABELS:
            bins = np.array_split(own[np.argsort(found.renders.score[own])], min(10, len(own) // MIN_LABELS))
            share = np.maximum.accumulate([real[rows].mean() for rows in bins])
            mine = sure.kind == code
            out[mine] = np.interp(sure.score[mine], [found.renders.score[rows].mean() for rows in bins], share)
    return out.clip(0.02, 0.98)


def _likelihood(labelled: NDArray[np.bool_], real: Floats, meant: Floats) -> float:
    """Log likelihood of which predicted objects [m] have a label, at the best share that annotators found. real: how
    often there is such an object; meant: how often the policy asks for its label."""
    seen = real * (RECALLS[:, None] * meant + STRAY * (1 - meant)) + (1 - real) * STRAY
    return float(np.where(labelled, np.log(seen), np.log1p(-seen)).sum(1).max())


def _share_that_fulfil(found: Readings, sure: Described, name: str, bound: float) -> Floats:
    """Of each predicted object [m], how often those of its class with the nearest predictions fulfil a condition, in
    renders, or those of all classes where its own has too few; 1 for the default, by which nearly all have a label."""
    out = np.ones(len(sure))
    if bound == getattr(DEFAULT, name):
        return out
    p, q = found.pairs.T
    x, good = _value(found.renders, name)[p], _fulfils(found.truth, name, bound)[q]
    for code in np.unique(sure.kind):
        own, mine = found.renders.kind[p] == code, sure.kind == code
        rows = own if own.sum() >= NEAREST else np.ones(len(own), bool)
        out[mine] = _nearest_shares(_value(sure, name)[mine], x[rows], good[rows])
    return out


def _nearest_shares(at: Floats, x: Floats, good: NDArray[np.bool_]) -> Floats:
    """Of each value [m] the share of good ones among the `NEAREST` samples [n] with the nearest x."""
    order, first = nearest(at, x)
    total = np.concatenate([[0], good[order].cumsum()])
    last = np.minimum(first + NEAREST, len(x))
    return (total[last] - total[first] + 0.5) / (last - first + 1)


def nearest(at: Floats, x: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of samples x [n], and where in it the `NEAREST` ones of each value [m] begin."""
    order = np.argsort(x, kind="stable")
    return order, np.clip(np.searchsorted(x[order], at) - NEAREST // 2, 0, max(len(x) - NEAREST, 0))


def _fulfils(found: Described, name: str, bound: float) -> NDArray[np.bool_]:
    value = _value(found, name)
    return value <= bound if name == "max_truncation" else value >= bound


def _value(found: Described, name: str) -> Floats:
    if name == "min_side":
        return (found.visible[:, 2:] - found.visible[:, :2]).min(1)
    values: Floats = getattr(found, name.partition("_")[2])
    return values
