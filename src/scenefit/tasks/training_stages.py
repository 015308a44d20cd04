"""Training a network in stages: on renders, on photos without labels (self-training), on labelled photos.

The network at the end of a stage is kept in a file, by a hash of all that it depends on. So a training that was stopped
goes on after its last finished stage, and another training that begins with the same stages begins after them.
Legend: S renders; N photos; H, W pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenefit.files.atomic import content_hash
from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.files.text import counted
from scenefit.files.versions import versions
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.training.dense_prediction import MIN_CONFIDENCE, ROUNDS, DensePrediction, TrainingStep

AGAIN = "delete it: the training begins anew"
Images = NDArray[np.uint8]
Kept = Callable[[str], Path]  # the file of the stage of an identity; one file for all of them keeps the last one


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The data of a network's training stages. rendered: images [S, H, W, 3] and their labels, `Boxes` or `ClassMasks`.
    photos [N, H, W, 3]: for self-training, where renders fill the other half of each batch.  labelled: images and
    labels for fine-tuning, without renders, which would keep the predicted boxes at the renders' annotation policy.
    name: what the images in rendered are, for people."""

    rendered: tuple[Images, Any]
    photos: Images | None
    labelled: tuple[Images, Any] | None
    name: str = "render"


@dataclass(frozen=True)
class Stage:
    """A stage of a training. text: for people.  identity: a hash of all that decides the network at its end.
    self_training: whether it is trained on pseudo-labels.  kept: whether the network is kept; nothing goes on from
    fine-tuning, the last stage."""

    text: str
    steps: int
    identity: str
    self_training: bool = False
    kept: bool = True


class TrainingProgress(NamedTuple):
    """A step of a training, done. text: of its stage.  step, steps: so far and in all, of this stage; step 0, before
    any is done, while images are prepared.  done, of: the same of all stages.  network: None before the first step.
    loss: as of `TrainingStep`; NaN at step 0.  pseudo_labels: at the end of a round of self-training, those that it
    was trained on.  stored: whether no step was done, but a stage is over whose network was kept."""

    text: str
    step: int
    steps: int
    done: int
    of: int
    network: Any
    loss: float = float("nan")
    pseudo_labels: Any = None
    stored: bool = False


def train_stages(task: DensePrediction, data: TrainingData, seed: int, kept: Kept) -> Iterator[TrainingProgress]:
    """Train a network step by step, keeping the network of each stage; begins after the last stage that is kept.

    CorruptFile, saying what to do, for a damaged file.
    """
    planned = stages(task, data, seed)
    begun, network = _last_kept(task, planned, kept)
    done, of = sum(stage.steps for stage in planned[:begun]), sum(stage.steps for stage in planned)
    if begun:
        stage = planned[begun - 1]
        yield TrainingProgress(stage.text, stage.steps, stage.steps, done, of, network, stored=True)
    steps = _steps(task, data, seed, begun, network)
    for stage in planned[begun:]:
        yield TrainingProgress(stage.text, 0, stage.steps, done, of, network)
        for step in islice(steps, stage.steps):
            network, done, over = step.network, done + 1, step.done == stage.steps
            if over and stage.kept:
                write_stage(kept(stage.identity), network, stage.identity)
            believed = step.labels if over and stage.self_training else None
            yield TrainingProgress(stage.text, step.done, stage.steps, done, of, network, step.loss, believed)


def stages(task: DensePrediction, data: TrainingData, seed: int) -> list[Stage]:
    """The stages of a training, in order."""
    shorter = task.fine_tuning_steps
    identity = content_hash(f"{task!r} {_hash(data.rendered)} {seed} {versions()}".encode())
    found = [Stage(f"training on {counted(len(data.rendered[0]), data.name)}", task.steps, identity)]
    if data.photos is not None:
        photos = f"{content_hash(data.photos)} {MIN_CONFIDENCE}"
        for number in range(1, ROUNDS + 1):
            identity = content_hash(f"{identity} self-training {photos}".encode())
            found.append(Stage(f"self-training round {number} of {ROUNDS}", shorter, identity, self_training=True))
    if data.labelled is not None:
        identity = content_hash(f"{identity} fine-tuning {_hash(data.labelled)}".encode())
        found.append(Stage(f"fine-tuning on {counted(len(data.labelled[0]), 'labelled photo')}", shorter, identity,
                           kept=False))
    return found


def _steps(task: DensePrediction, data: TrainingData, seed: int, begun: int, network: Any) -> Iterator[TrainingStep]:
    """Each step of the stages after the first `begun`. network: at the end of these."""
    (images, labels), photos, labelled = data.rendered, data.photos, data.labelled
    if begun == 0:
        for step in task.train_steps(images, labels, derive_seed(seed, "train"), parts=task.steps):
            network = step.network
            yield step
    assert network is not None
    if photos is not None:
        for step in task.self_train_steps(network, photos, derive_seed(seed, "adapt"), images, labels,
                                          range(max(begun - 1, 0), ROUNDS), parts=task.steps):
            network = step.network
            yield step
    if labelled is not None:
        yield from task.train_steps(*labelled, derive_seed(seed, "tune"), network, parts=task.steps)


def write_stage(path: str | Path, network: Any, identity: str) -> None:
    """Keep the network at the end of a stage, whole or not at all."""
    write_tensors(path, network.state_dict(), {"identity": identity})


def read_stage(path: str | Path, task: DensePrediction, identity: str) -> Any:
    """The network that `write_stage` kept; None where there is none, or one of another stage. The file holds no code.
    CorruptFile."""
    if not Path(path).exists():
        return None
    tensors, metadata = read_tensors(path, AGAIN)
    if metadata.get("identity") != identity:
        return None
    network = task.fresh(0)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CorruptFile(f"{path} is damaged: its weights are not of this network; {AGAIN}") from error
    return network.eval()


def _last_kept(task: DensePrediction, planned: Sequence[Stage], kept: Kept) -> tuple[int, Any]:
    """How many stages are over, as their last one is kept, and the network at its end."""
    for count in range(len(planned), 0, -1):
        stage = planned[count - 1]
        network = read_stage(kept(stage.identity), task, stage.identity) if stage.kept else None
        if network is not None:
            return count, network
    return 0, None


def _hash(part: tuple[Images, Any]) -> str:
    images, labels = part
    return f"{content_hash(images)} {content_hash(labels.to_bytes())}"
