"""Training a detector in stages: on renders, on photos without labels (self-training), on labelled photos.

The network of the last finished stage is kept in a file, so that a training that was stopped goes on after it.
Legend: S renders; N photos; H, W pixels.
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
from scenefit.tasks.detection import FINE_TUNE_DIVISOR, ROUNDS, Detect

PARTS = 6  # of a stage of self-training or fine-tuning, each a step of the progress bar
FIRST_PARTS = FINE_TUNE_DIVISOR * PARTS  # the same of the training on renders
Images = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The data of a detector's training stages. rendered: images [S, H, W, 3] and their boxes.  photos [N, H, W, 3]:
    for self-training, where renders fill the other half of each batch.  labelled: images and boxes for fine-tuning,
    without renders, which would keep the predicted boxes at the renders' annotation policy."""

    rendered: tuple[Images, Boxes]
    photos: Images | None
    labelled: tuple[Images, Boxes] | None

    @property
    def hash(self) -> str:
        return content_hash("\n".join(map(_hash, (self.rendered, self.photos, self.labelled))).encode())


class Stage(NamedTuple):
    """A part of the training, done. done, of: parts so far and in all."""

    text: str
    done: int
    of: int
    network: Detector

    @property
    def finished(self) -> bool:
        """Whether a stage ends with this part, so that a training can go on from here."""
        return self.done >= FIRST_PARTS and self.done % PARTS == 0


def train_stages(task: Detect, data: TrainingData, seed: int, kept: Path) -> Iterator[Stage]:
    """Train a detector part by part, keeping each finished stage but the last at kept; goes on after the stage that is
    kept there, if it belongs to this very training.

    CorruptFile, saying what to do, for a damaged file.
    """
    identity = training_hash(task, data, seed)
    for stage in stages(task, data, seed, read_stage(kept, task, identity)):
        if stage.finished and stage.done < stage.of:
            write_stage(kept, stage, identity)
        yield stage


def stages(task: Detect, data: TrainingData, seed: int, start: Stage | None = None) -> Iterator[Stage]:
    """The training of a detector, part by part. start: the last finished stage of the same training.

    task needs at least `FIRST` steps.
    """
    of = FIRST_PARTS + PARTS * ((0 if data.photos is None else ROUNDS) + (data.labelled is not None))
    done = 0 if start is None else start.done
    for text, network in _networks(task, data, seed, start):
        done += 1
        yield Stage(text, done, of, network)


def _networks(task: Detect, data: TrainingData, seed: int, start: Stage | None) -> Iterator[tuple[str, Detector]]:
    (images, labels), photos, labelled = data.rendered, data.photos, data.labelled
    network = None if start is None else start.network
    if start is None:
        for network in task.train_steps(images, labels, derive_seed(seed, "train"), parts=FIRST_PARTS):
            yield f"training on {len(images):,} images", network
    assert network is not None
    if photos is not None:
        rounds = range(0 if start is None else (start.done - FIRST_PARTS) // PARTS, ROUNDS)
        for later in task.self_train_steps(network, photos, derive_seed(seed, "adapt"), images, labels, rounds,
                                        parts=PARTS):
            network = later
            yield f"self-training on {len(photos):,} photos", network
    if labelled is not None:
        for later in task.train_steps(*labelled, derive_seed(seed, "tune"), network, parts=PARTS):
            yield f"fine-tuning on {len(labelled[0]):,} labelled photos", later


def training_hash(task: Detect, data: TrainingData, seed: int) -> str:
    """A hash of all that decides the trained network."""
    return content_hash(f"{task!r} {data.hash} {seed} {versions()}".encode())


def write_stage(path: str | Path, stage: Stage, identity: str) -> None:
    """Keep a finished stage. identity: the `training_hash` of its training."""
    write_tensors(path, stage.network.state_dict(), {"identity": identity, "text": stage.text, "done": stage.done,
                                                     "of": stage.of})


def read_stage(path: str | Path, task: Detect, identity: str) -> Stage | None:
    """The stage that `write_stage` kept; None where there is none, or one of another training. CorruptFile."""
    if not Path(path).exists():
        return None
    tensors, metadata = read_tensors(path, "delete it: the training begins anew")
    if metadata.get("identity") != identity:
        return None
    network = task.fresh(0)
    network.load_state_dict(tensors)
    return Stage(metadata["text"], metadata["done"], metadata["of"], network.eval())


def _hash(part: Images | tuple[Images, Boxes] | None) -> str:
    if part is None:
        return ""
    if not isinstance(part, tuple):
        return content_hash(part)
    images, boxes = part
    return f"{content_hash(images)} {content_hash(boxes.to_bytes())}"
