"""Counts of objects in photos: from how many objects are predicted, and from how many are missed, and how many predicted
ones are false, in renders of known truth.

A regression of the count on the whole image has to be inverted where images tell little of it, and the inverse magnifies
whatever photos differ in. Objects are told one by one: their number in photos, less the false ones and divided by the
share that is found, is that of the visible ones. Legend: N photos; V renders; B bins.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenefit.inference.npe.matching import Known, match_objects
from scenefit.metrics.prediction_correction import line_posteriors
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import ObjectSpec
from scenefit.scenes.attributes import Key
from scenefit.scenes.grammar import Grammar

Floats = NDArray[np.float64]
SCORES = np.arange(0.1, 0.9, 0.05)  # thresholds of which the best is taken
MIN_FOUND = 12  # objects


@dataclass(frozen=True)
class Found:
    """Of n visible objects of a kind, `false` + `recall` * n are predicted on average with a score of at least `score`,
    with a variance of `noise` + `each` * n. nodes: of the scene, for each visible object."""

    code: int
    score: float
    recall: float
    false: float
    noise: float
    each: float
    nodes: float

    def error(self, visible: float) -> float:
        """Variance of the number of visible objects as it is told by the number of predicted ones."""
        return (self.noise + self.each * visible) / self.recall**2

    def counts(self, objects: ObjectPredictions, most: int) -> Floats:
        """Posteriors of the number of visible objects [N, most + 1]."""
        own = objects.image[(objects.kind == self.code) & (objects.score >= self.score)]
        number = np.arange(most + 1)
        return line_posteriors(np.bincount(own, minlength=objects.count).astype(float),
                               self.false + self.recall * number, self.noise + self.each * number)


def counted(grammar: Grammar, spec: ObjectSpec) -> dict[Key, str]:
    """Learned counts of the image, all of whose nodes are objects that come from no other rule: their kinds."""
    every = [kind for head in grammar.kinds for rule in grammar.rules_of(head) for kind in rule.child_kinds]
    of = {a.key: a.name.removeprefix("n_") for a in grammar.learned if a.count and a.kind in spec.single}
    return {key: kind for key, kind in of.items() if kind in spec.kinds and every.count(kind) == 1}


def objects_found(spec: ObjectSpec, renders: ObjectPredictions, known: Known) -> dict[str, Found]:
    """How the objects of each kind are found in renders of known truth, at the score that tells their number best. A
    kind of which too few are found is left out."""
    pairs, _ = match_objects(renders, known.objects)
    matched = np.zeros(len(renders.score), bool)
    matched[pairs] = True
    out = {}
    for code, kind in enumerate(spec.kinds):
        visible = np.bincount(known.objects.image[known.objects.kind == code], minlength=renders.count)
        tried = []
        for score in SCORES:
            own = (renders.kind == code) & (renders.score >= score)
            hits, false = (np.bincount(renders.image[own & mask], minlength=renders.count)
                           for mask in (matched, ~matched))
            if hits.sum() >= MIN_FOUND:
                recall, total = hits.sum() / visible.sum(), float(visible.sum())
                tried.append(Found(code, float(score), float(recall), float(false.mean()), float(false.var()),
                                   float(((hits - recall * visible) ** 2).sum()) / total,
                                   len(known.scenes[0].tables[kind]) / total))
        if tried:
            out[kind] = min(tried, key=lambda one: one.error(max(float(visible.mean()), 1.0)))
    return out
