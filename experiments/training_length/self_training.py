"""Ways to train a detector on unlabelled photos besides `Detect.self_train`, all with renders as half of each batch.

Legend: N photos; m boxes.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

import scenefit as sf
from scenefit.data.boxes import Boxes, make_boxes
from scenefit.metrics.iou_and_nms import iou
from scenefit.nets.augmentation import augmented
from scenefit.nets.centre_network import Detector, Targets
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.training.dense_prediction import FINE_TUNE_DIVISOR, MIN_CONFIDENCE

Images = np.ndarray
MIN_VOTE = 0.3  # confidence of a detection that counts as a vote
VOTES = 2  # of the heads, for a pseudo-label
DECAY = 0.98  # of the mean teacher's weights
RELABELLED = 67  # steps after which the mean teacher labels the photos anew
LOWEST, HIGHEST = 0.3, 0.7  # confidences that a class's threshold may have


class Average:
    """The mean of a network's weights and running statistics. decay: of an exponential mean; None weighs all alike."""

    def __init__(self, decay: float | None = None):
        self.decay, self.count, self.state = decay, 0, dict[str, Tensor]()

    def add(self, network: Detector) -> None:
        own = {name: value for name, value in network.state_dict().items()
               if value.is_floating_point() and not name.startswith("backbone.")}
        self.count += 1
        share = 1 / self.count if self.decay is None else 1 - self.decay
        for name, value in own.items():
            before = self.state.get(name)
            self.state[name] = value.detach().clone() if before is None else before.lerp(value.detach(), share)

    def network(self, like: Detector) -> Detector:
        out = copy.deepcopy(like)
        out.load_state_dict({**out.state_dict(), **self.state})
        return out.eval()


@dataclass
class Photos:
    """Photos as a source of `Detect.train_steps`, whose labels can change while it runs: feature maps of augmented
    copies, and targets."""

    maps: list[Tensor]
    targets: Targets

    def __len__(self) -> int:
        return len(self.targets.code)


@dataclass(frozen=True, eq=False)
class SelfTraining:
    """photos [N, H, W, 3]: without labels.  images, labels: renders and their boxes."""

    task: sf.Detect
    photos: Images
    images: Images
    labels: Boxes
    seed: int

    def balanced(self, network: Detector) -> Boxes:
        """Of each class the most confident detections, as many in a photo as labels in a render, between `LOWEST` and
        `HIGHEST` confidence."""
        found = self.task.predict(network, self.photos)
        kept = np.zeros(len(found), bool)
        for name in self.task.classes:
            own = found.name == name
            score = np.sort(found.score[own])[::-1]
            wanted = round((self.labels.name == name).sum() / self.labels.count * found.count)
            at = score[min(wanted, len(score) - 1)] if len(score) else HIGHEST
            kept |= own & (found.score >= np.clip(at, LOWEST, HIGHEST))
        return found.where(kept)

    def voted(self, networks: Sequence[Detector]) -> Boxes:
        """Boxes that at least two of the networks find with an IoU of one half or more, averaged by confidence."""
        found = [self.task.predict(network, self.photos) for network in networks]
        found = [boxes.where(boxes.score >= MIN_VOTE) for boxes in found]
        voter = np.concatenate([np.full(len(boxes), number) for number, boxes in enumerate(found)])
        image, box, name, score = (np.concatenate([getattr(boxes, column) for boxes in found])
                                   for column in ("image", "box", "name", "score"))
        chosen = [(number, *one) for number in range(len(self.photos)) for rows in [np.flatnonzero(image == number)]
                  for one in _agreed(voter[rows], box[rows], name[rows], score[rows])]
        columns = list(zip(*chosen, strict=True)) or [()] * 3
        return make_boxes(len(self.photos), *columns)

    def train(self, steps: int, labels: Boxes, network: Detector | None = None,
              relabel: Callable[[Detector], Boxes] | None = None) -> Detector:
        """A network trained for so many steps on renders and photos of these labels: a fresh one, or network trained
        further, at a quarter of the learning rate. relabel: new labels of the photos, by a mean teacher."""
        of = steps if network is None else steps * FINE_TUNE_DIVISOR
        source, teacher = self._source(labels), Average(DECAY)
        if network is not None:
            teacher.add(network)
        for step in replace(self.task, steps=of).train_steps(self.images, self.labels, self.seed, network, source,
                                                             parts=steps):
            teacher.add(step.network)
            if relabel is not None and step.done % RELABELLED == 0 and step.done < steps:
                source.targets = self._source(relabel(teacher.network(step.network)), source.maps).targets
        return step.network if relabel is None else teacher.network(step.network)

    def _source(self, labels: Boxes, maps: list[Tensor] | None = None) -> Any:
        copies = max(1, -(-self.task.augmented_copies // (FINE_TUNE_DIVISOR * len(self.photos))))
        images, boxes = augmented(self.photos, labels, self.task.augment, derive_seed(self.seed, "photos"), copies)
        return Photos(self.task.maps(self.task.fresh(0), images) if maps is None else maps, self.task.targets(boxes))


def _agreed(voter: np.ndarray, box: np.ndarray, name: np.ndarray, score: np.ndarray,
            ) -> Iterator[tuple[np.ndarray, str]]:
    """Box and class of each object of one photo that at least `VOTES` voters find, with enough confidence."""
    overlap, free = iou(torch.from_numpy(box), torch.from_numpy(box)).numpy(), np.ones(len(box), bool)
    for row in np.argsort(-score, kind="stable"):
        if not free[row]:
            continue
        group = [row]
        for other in set(voter.tolist()) - {voter[row]}:
            fit = np.where(free & (voter == other) & (name == name[row]), overlap[row], 0)
            if fit.max(initial=0) >= 0.5:
                group.append(int(fit.argmax()))
        free[group] = False
        if len(group) >= VOTES and score[group].mean() >= MIN_CONFIDENCE:
            yield np.average(box[group], 0, score[group]), str(name[row])
