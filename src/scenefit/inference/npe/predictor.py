"""All networks of a round, as one function from images to predictions.

Attributes of the image are regressed on several sets of statistics. The more a set holds, the better it predicts
renders, and the more it is misled by what photos have and the scene cannot express. So each attribute is predicted from
the smallest set that does nearly as well as the best; a count from the number of predicted objects of its kind.
Legend: N images; H, W pixels; F statistics; R targets.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenefit.files.scratch import take_rows
from scenefit.inference.npe.matching import Predictions
from scenefit.inference.npe.simulate import Simulations
from scenefit.inference.npe.statistics import (
    ImageRegression,
    count_statistics,
    fit_image_regression,
    object_colours,
    object_statistics,
    size_statistics,
)
from scenefit.inference.stages.problem import Problem
from scenefit.metrics.features import compute
from scenefit.metrics.summary_statistics import ColourHistogram, colour_and_sharpness
from scenefit.nets.attribute_regressor import AttributeRegressor, Target
from scenefit.nets.frozen_maps import FrozenMaps
from scenefit.nets.object_network import ObjectNetwork
from scenefit.nets.object_predictions import no_objects, pooled_maps, predict_objects
from scenefit.nets.object_targets import ObjectSpec
from scenefit.scenes.grammar import Grammar

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
REGRESSED = 600  # renders that attributes of the image are regressed on, those held out first
MAX_R2_LOSS = 0.3  # share of the best set's R2 that a smaller one may lack


@dataclass(frozen=True, eq=False)
class Predictor:
    """regressions: of the image's attributes on each set of statistics, smallest first; none without objects, where the
    regressor's predictions are taken.  chosen [R]: which of them predicts each target."""

    spec: ObjectSpec
    regressor: AttributeRegressor
    network: ObjectNetwork | None
    colours: ColourHistogram
    regressions: tuple[ImageRegression, ...] = ()
    chosen: NDArray[np.int64] | None = None

    def statistics(self, images: Images, frozen: FrozenMaps | None = None) -> tuple[tuple[Floats, ...], Predictions]:
        """Sets of statistics, each [N, F], of images uint8 [N, H, W, 3]: numbers of objects, of each kind, then of all;
        sizes of boxes; colours, sharpness and noise of the image, and numbers of objects; these with boxes, values and
        colours of objects; with histograms and the regressor's features too; and with the backbone's maps. And
        predictions, of the image by the regressor alone. frozen: maps of the images."""
        values = compute(self.regressor.predictions, images).double().numpy()
        if self.network is None:
            return (), Predictions(values, no_objects(len(images)))
        features = compute(self.regressor.features, images).double().numpy()
        found = predict_objects(self.network, images, frozen) if self.spec.kinds else (
            replace(no_objects(len(images)), pooled=pooled_maps(self.network, images, frozen)))
        count = count_statistics(self.spec, found)
        plain = np.concatenate([count, colour_and_sharpness(images).double().numpy()], 1)
        objects = [object_statistics(self.spec, found), object_colours(self.spec, found, images)]
        of_objects = np.concatenate([plain, *objects], 1)
        more = np.concatenate([of_objects, values, features, self.colours(images)], 1)
        sets = more, np.concatenate([more, found.pooled], 1)
        if not self.spec.kinds:
            return (plain, *sets), Predictions(values, found)
        kinds = len(self.spec.kinds)
        each = np.split(count, kinds, 1) if kinds > 1 else []
        sizes = size_statistics(self.spec, found)
        return (*each, count, sizes, plain, of_objects, *sets), Predictions(values, found)

    def predict(self, statistics: tuple[Floats, ...], found: Predictions) -> Predictions:
        """Predictions by the regressions on these statistics."""
        if self.chosen is None:
            return found
        each = np.stack([fitted(own) for fitted, own in zip(self.regressions, statistics, strict=True)])
        return replace(found, image=each[self.chosen, :, np.arange(len(self.chosen))].T)

    def __call__(self, images: Images) -> Predictions:
        return self.predict(*self.statistics(images))

    def r2(self) -> Floats | None:
        """Of the regressions [R], on left-out renders."""
        if self.chosen is None:
            return None
        return np.stack([fitted.r2.numpy() for fitted in self.regressions])[self.chosen, np.arange(len(self.chosen))]


def regressed(problem: Problem, predictor: Predictor, simulated: Simulations, held: NDArray[np.int64],
              rows: NDArray[np.int64], frozen: FrozenMaps | None,
              near: bool, photo_maps: FrozenMaps | None = None) -> tuple[Predictor, Predictions, Predictions]:
    """With regressions on the held-out renders and some of the others [rows]. And its predictions on the photos and the
    held-out renders. frozen: maps of the renders.  near: whether part 0 of these is meant to be like the photos, with
    objects too.  photo_maps: of the photos, if they were computed before."""
    more = rows[np.linspace(0, len(rows) - 1, min(len(rows), max(REGRESSED - len(held), 0))).astype(int)]

    def statistics(some: NDArray[np.int64]) -> tuple[tuple[Floats, ...], Predictions]:
        return predictor.statistics(take_rows(simulated.images, some), None if frozen is None else frozen.of(some))

    of_held, predicted = statistics(held)
    every, values = held, of_held
    if len(more):
        of_more, _ = statistics(more)
        every, values = np.concatenate([held, more]), tuple(map(np.concatenate, zip(of_held, of_more, strict=True)))
    of_photos, photos = predictor.statistics(problem.images, photo_maps)

    def fitted(images: NDArray[np.int64], values: Floats, own: Floats) -> ImageRegression:
        return fit_image_regression(values, simulated.truth[images], np.arange(len(images)) < len(held), own,
                                    simulated.part[images], near)

    # Numbers of predicted objects are few, so that the held-out renders suffice: on others they are too good.
    counts = _sets_of_numbers(predictor.spec)
    learned = [(held, own) for own in of_held[:counts]] + [(every, own) for own in values[counts:]]
    regressions = tuple(fitted(images, own, theirs) for (images, own), theirs in zip(learned, of_photos, strict=True))
    r2 = np.stack([one.r2.numpy() for one in regressions])
    chosen = smallest_sets(r2, allowed_sets(problem.grammar, predictor.spec, problem.targets, len(r2)))
    predictor = replace(predictor, regressions=regressions, chosen=chosen)
    return predictor, predictor.predict(of_photos, photos), predictor.predict(of_held, predicted)


def allowed_sets(grammar: Grammar, spec: ObjectSpec, targets: Sequence[Target], sets: int) -> NDArray[np.bool_]:
    """Which sets of statistics may predict which target [sets, R]. How many objects of a kind there are is told by how
    many of that kind are predicted, unless several counts share the kind. Nothing else is predicted from numbers of
    objects alone: in renders another kind's number, or a size, may go with them by chance, or because large objects
    hide others, but not in photos."""
    counted = {(rule.head, child.name): child.child for rule in grammar.rules for child in rule.children
               if not isinstance(child, str)}
    once = {kind for kind, times in Counter(counted.values()).items() if times == 1}.intersection(spec.kinds)
    columns = []
    for target in targets:
        own, kind = np.arange(sets) >= _sets_of_numbers(spec), counted.get(target.attribute.key)
        if target.attribute.count:
            own = np.arange(sets) == (spec.kinds.index(kind) if kind in once else -1)
        columns += [own if own.any() else np.ones(sets, bool)] * target.width
    return np.stack(columns, 1)


def _sets_of_numbers(spec: ObjectSpec) -> int:
    """How many sets, the first ones, are numbers of objects alone: of each kind and of all."""
    kinds = len(spec.kinds)
    return kinds + 1 if kinds > 1 else kinds


def smallest_sets(r2: Floats, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each target [R], the first allowed set of statistics [sets, R] whose R2 [sets, R] is nearly the best. A
    share of it: the best may be small, and a set that predicts nothing is not nearly as good."""
    r2 = np.where(allowed, r2, -np.inf)
    best = r2.max(0)
    return (r2 >= best - MAX_R2_LOSS * np.abs(best)).argmax(0)
