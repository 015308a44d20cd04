"""A detector's training, stage after stage: on renders, on photos without labels, on labelled ones. The network of
each stage that is done is kept in a file, so that a stopped training goes on after it.

Legend: S images; N photos; H, W pixels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.files.atomic import content_hash
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.files.versions import versions
from scenefit.nets.centre_network import Detector
from scenefit.scenes.rng import derive_seed
from scenefit.tasks import Detect
from scenefit.tasks.detection import ROUNDS, SHORTER

PARTS = 6  # of a stage that goes on, for a bar
FIRST = SHORTER * PARTS  # of the training on renders
Images = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a detector learns from, one after the other. rendered: images [S, H, W, 3] and their boxes.  photos
    [N, H, W, 3]: without labels; the rendered are the other half.  labelled: as rendered; alone, for renders would
    hold it at their own boxes."""

    rendered: tuple[Images, Boxes]
    photos: Images | None
    labelled: tuple[Images, Boxes] | None

    @property
    def hash(self) -> str:
        return content_hash("\n".join(map(_hash, (self.rendered, self.photos, self.labelled))).encode())


class Stage(NamedTuple):
    """Some of the training, done."""

    text: str
    done: int
    of: int
    network: Detector

    @property
    def whole(self) -> bool:
        """A stage ended here, so another can follow."""
        return self.done >= FIRST and self.done % PARTS == 0


def stages(task: Detect, lessons: TrainingData, seed: int, start: Stage | None = None) -> Iterator[Stage]:
    """The training of a detector, part by part. start: the last whole stage of the same training, which was stopped.

    task has at least `FIRST` steps.
    """
    of = FIRST + PARTS * ((0 if lessons.photos is None else ROUNDS) + (lessons.labelled is not None))
    done = 0 if start is None else start.done
    for text, network in _networks(task, lessons, seed, start):
        done += 1
        yield Stage(text, done, of, network)


def _networks(task: Detect, lessons: TrainingData, seed: int, start: Stage | None) -> Iterator[tuple[str, Detector]]:
    (images, labels), photos, few = lessons.rendered, lessons.photos, lessons.labelled
    now = None if start is None else start.network
    if start is None:
        for now in task.training(images, labels, derive_seed(seed, "train"), parts=FIRST):
            yield f"learning from {len(images):,} images", now
    assert now is not None
    if photos is not None:
        turns = range(0 if start is None else (start.done - FIRST) // PARTS, ROUNDS)
        for later in task.self_training(now, photos, derive_seed(seed, "adapt"), images, labels, turns, parts=PARTS):
            now = later
            yield f"going on with what is found in {len(photos):,} photos", now
    if few is not None:
        for later in task.training(*few, derive_seed(seed, "tune"), now, parts=PARTS):
            yield f"going on with {len(few[0]):,} labelled photos", later


def asked(task: Detect, lessons: TrainingData, seed: int) -> str:
    """A hash of all that decides what comes out."""
    return content_hash(f"{task!r} {lessons.hash} {seed} {versions()}".encode())


def write_stage(path: str | Path, stage: Stage, asked: str) -> None:
    write_tensors(path, stage.network.state_dict(), {"asked": asked, "text": stage.text, "done": stage.done,
                                                     "of": stage.of})


def read_stage(path: str | Path, task: Detect, asked: str) -> Stage | None:
    """What `write_stage` wrote last; None if there is nothing, or it was asked something else. DamagedFile."""
    if not Path(path).exists():
        return None
    tensors, facts = read_tensors(path, "delete it: the training begins anew")
    if facts.get("asked") != asked:
        return None
    network = task.fresh(0)
    network.load_state_dict(tensors)
    return Stage(facts["text"], facts["done"], facts["of"], network.eval())


def _hash(part: Images | tuple[Images, Boxes] | None) -> str:
    if part is None:
        return ""
    if not isinstance(part, tuple):
        return content_hash(part)
    images, boxes = part
    return f"{content_hash(images)} {content_hash(boxes.to_bytes())}"
