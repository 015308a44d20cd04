"""All networks of a round, as one function from images to predictions.

Attributes of the image are regressed on several sets of statistics. The more a set holds, the better it predicts
renders, and the more it is misled by what photos have and the scene cannot express. So each attribute is predicted from
the smallest set that does nearly as well as the best; or from the objects of one kind alone, where that is better on
the images that show some. Legend: N images; H, W pixels; F statistics; R targets.
"""

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
    of_all_kinds,
    of_one_kind,
)
from scenefit.inference.stages.problem import Problem
from scenefit.metrics.features import compute
from scenefit.metrics.summary_statistics import ColourHistogram, colour_and_sharpness
from scenefit.nets.attribute_regressor import AttributeRegressor
from scenefit.nets.frozen_maps import FrozenMaps
from scenefit.nets.object_network import ObjectNetwork
from scenefit.nets.object_predictions import no_objects, pooled_maps, predict_objects
from scenefit.nets.object_targets import ObjectSpec

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
        """Sets of statistics, each [N, F], of images uint8 [N, H, W, 3]: numbers of objects; these with colours,
        sharpness and noise; with boxes, values and colours of objects; with histograms and the regressor's features;
        all with the backbone's maps; and what is predicted of each kind of objects alone. And predictions, of the image
        by the regressor alone. frozen: maps of the images."""
        values = compute(self.regressor.predictions, images).double().numpy()
        if self.network is None:
            return (), Predictions(values, no_objects(len(images)))
        features = compute(self.regressor.features, images).double().numpy()
        found = predict_objects(self.network, images, frozen) if self.spec.kinds else (
            replace(no_objects(len(images)), pooled=pooled_maps(self.network, images, frozen)))
        counts = count_statistics(self.spec, found)
        count = of_all_kinds(counts, len(images))
        plain = np.concatenate([count, colour_and_sharpness(images).double().numpy()], 1)
        objects, colours = object_statistics(self.spec, found), object_colours(self.spec, found, images)
        of_objects = np.concatenate([plain, *objects, *colours], 1)
        more = np.concatenate([of_objects, values, features, self.colours(images)], 1)
        sets = more, np.concatenate([more, found.pooled], 1)
        if not self.spec.kinds:
            return (plain, *sets), Predictions(values, found)
        kinds = [of_one_kind(code, found, counts, objects, colours) for code in range(len(self.spec.kinds))]
        return (count, plain, of_objects, *sets, *kinds), Predictions(values, found)

    def predict(self, statistics: tuple[Floats, ...], found: Predictions) -> Predictions:
        """Predictions by the regressions on these statistics."""
        if self.chosen is None:
            return found
        each = np.stack([fitted(own) for fitted, own in zip(self.regressions, statistics, strict=True)])
        return replace(found, image=each[self.chosen, :, np.arange(len(self.chosen))].T)

    def __call__(self, images: Images) -> Predictions:
        return self.predict(*self.statistics(images))

    def r2(self) -> Floats | None:
        """Of the regressions [R], on left-out renders; of sets of one kind, on those that show it."""
        if self.chosen is None:
            return None
        return np.stack([fitted.r2.numpy() for fitted in self.regressions])[self.chosen, np.arange(len(self.chosen))]


def regressed(problem: Problem, predictor: Predictor, simulated: Simulations, held: NDArray[np.int64],
              rows: NDArray[np.int64], frozen: FrozenMaps | None,
              near: bool, maps_of_photos: FrozenMaps | None = None) -> tuple[Predictor, Predictions, Predictions]:
    """With regressions on the held-out renders and some of the others [rows]. And its predictions on the photos and the
    held-out renders. frozen: maps of the renders.  near: whether part 0 of these is meant to be like the photos, with
    objects too.  maps_of_photos: the backbone's, if they were computed before."""
    more = rows[np.linspace(0, len(rows) - 1, min(len(rows), max(REGRESSED - len(held), 0))).astype(int)]

    def statistics(some: NDArray[np.int64]) -> tuple[tuple[Floats, ...], Predictions]:
        return predictor.statistics(take_rows(simulated.images, some), None if frozen is None else frozen.of(some))

    of_held, predicted = statistics(held)
    every, values = held, of_held
    if len(more):
        of_more, _ = statistics(more)
        every, values = np.concatenate([held, more]), tuple(map(np.concatenate, zip(of_held, of_more, strict=True)))
    of_photos, photos = predictor.statistics(problem.images, maps_of_photos)

    def fitted(images: NDArray[np.int64], values: Floats, own: Floats) -> ImageRegression:
        return fit_image_regression(values, simulated.truth[images], np.arange(len(images)) < len(held), own,
                                    simulated.part[images], near)

    # Numbers of predicted objects are few, so that the held-out renders suffice: on others they are too good.
    counts = 1 if predictor.spec.kinds else 0
    chosen = [(held, own) for own in of_held[:counts]] + [(every, own) for own in values[counts:]]
    regressions = tuple(fitted(images, own, theirs) for (images, own), theirs in zip(chosen, of_photos, strict=True))
    r2 = np.stack([one.r2.numpy() for one in regressions])
    predictor = replace(predictor, regressions=regressions, chosen=chosen_sets(r2, len(predictor.spec.kinds)))
    return predictor, predictor.predict(of_photos, photos), predictor.predict(of_held, predicted)


def chosen_sets(r2: Floats, kinds: int) -> NDArray[np.int64]:
    """Of each target [R], the first set of statistics whose R2 [sets, R] is nearly the best. A share of it: the best
    may be small, and a set that predicts nothing is not nearly as good. kinds: how many of the sets, the last ones, are
    of one kind of objects; images that show none are predicted as the mean, so such a set has to be better than all
    others."""
    r2 = np.nan_to_num(r2, nan=-np.inf)
    whole, of_kinds = r2[:len(r2) - kinds], r2[len(r2) - kinds:]
    best = whole.max(0)
    first = (whole >= best - MAX_R2_LOSS * np.abs(best)).argmax(0)
    if not kinds:
        return first
    return np.where(of_kinds.max(0) > best, len(whole) + of_kinds.argmax(0), first)
