"""Which of a few training sets a network should be trained on, by labelled photos.

One network is trained on each set of renders, and fine-tuned on the labelled photos of all folds but one; its
predictions in that fold count. The default is left only where another set is better by more than a standard error: with
few photos, the highest of several scores is often the luckiest. Legend: N photos; S renders; H, W pixels.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scenefit.data.photos import Photos, split
from scenefit.files.atomic import content_hash, write_json
from scenefit.files.json_files import CorruptFile, read_json
from scenefit.scenes.rng import derive_seed, generator
from scenefit.tasks.training.definition import Score, join_labels
from scenefit.tasks.training.dense_prediction import DensePrediction
from scenefit.tasks.training_stages import Kept, TrainingData, stages, train_stages

MIN_PHOTOS = 10  # that show an object; fewer decide nothing
FOLDS = 3
RESAMPLES = 400  # of the photos, for the standard error
AGAIN = "delete it: the training images are selected again"


@dataclass(frozen=True)
class Selection:
    """default, chosen: names of training sets.  scores: of each, 0..1.  gains: of each but the default, its score minus
    the default's, and the standard error, over resamples of the photos, which are the same for both.  metric: that the
    scores are, as of `DensePrediction`.

    The scores chose, so the chosen set's is too good: no result to report.
    """

    default: str
    chosen: str
    scores: Mapping[str, float]
    gains: Mapping[str, tuple[float, float]]
    metric: str = "AP"

    def lines(self) -> list[str]:
        """What was found, in words."""
        gains = {name: f" ({100 * gain:+.1f}, standard error {100 * error:.1f})"
                 for name, (gain, error) in self.gains.items()}
        which = "no other is" if self.chosen == self.default else "it is"
        return [*(f"{name}: {self.metric} {100 * score:.1f}{gains.get(name, '')}"
                  for name, score in self.scores.items()),
                f"chosen: {self.chosen}, as {which} better by more than a standard error"]


class SelectionProgress(NamedTuple):
    """A step of a selection, done; see `TrainingProgress`. selection: at the end."""

    text: str
    step: int
    steps: int
    done: int
    of: int
    loss: float = float("nan")
    selection: Selection | None = None


def can_select(kind: type[DensePrediction], labelled: Photos | None) -> bool:
    """Whether enough different photos show an object. With few objects, chance decides, and no resample tells it."""
    labels = None if labelled is None else kind.of_photos(labelled)
    return (labelled is not None and labels is not None
            and len({content_hash(labelled.images[row]) for row in kind.labelled(labels)}) >= MIN_PHOTOS)


def select(scores: Mapping[str, Score], seed: int, metric: str = "AP") -> Selection:
    """The selection by the scores on N labelled photos of networks trained on each set, the default one first."""
    default = next(iter(scores))
    count = len(scores[default])
    draws = generator(seed, "resamples").multinomial(count, np.full(count, 1 / count), RESAMPLES)
    weights = np.concatenate([np.ones((1, count)), draws])
    values = {name: score.resampled(weights) for name, score in scores.items()}
    paired = {name: value - values[default] for name, value in values.items() if name != default}
    gains = {name: (float(one[0]), float(np.nanstd(one[1:]))) for name, one in paired.items()}
    better = {name: gain for name, (gain, error) in gains.items() if gain > error}
    return Selection(default, max(better, key=lambda name: better[name], default=default),
                     {name: float(value[0]) for name, value in values.items()}, gains, metric)


def select_steps(task: DensePrediction, candidates: Mapping[str, TrainingData], labelled: Photos, seed: int, kept: Kept,
                 record: Callable[[str], Path] | None = None) -> Iterator[SelectionProgress]:
    """Train on each set of renders, the default one first; fine-tune and score by folds; select.

    kept: as of `train_stages`.  record: the file of the selection of an identity, to be read where the same is asked
    for again.  ValueError for fewer than `FOLDS` different photos; CorruptFile.
    """
    path = None if record is None else record(_identity(task, candidates, labelled, seed))
    if path is not None and path.exists():
        yield SelectionProgress("selection", 1, 1, 1, 1, selection=_read(path, list(candidates), task.words.metric))
        return
    folds = list(split(labelled, {str(fold): 1 for fold in range(FOLDS)}, derive_seed(seed, "folds")).values())
    shorter = task.fine_tuning_steps
    done, of, networks = 0, len(candidates) * (task.steps + FOLDS * shorter), {}
    for name, data in candidates.items():
        for step in train_stages(task, data, seed, kept):
            yield SelectionProgress(f"{name}, {step.text}", step.step, step.steps, done + step.done, of, step.loss)
        assert step.network is not None
        done, networks[name] = done + task.steps, step.network
    found: dict[str, list[Score]] = {name: [] for name in candidates}
    for number, held in enumerate(folds):
        own, prepared = derive_seed(seed, f"fold {number}"), None
        others = [fold for fold in folds if fold is not held]
        images, labels = np.concatenate([fold.images for fold in others]), join_labels([*map(task.labels, others)])
        for name, network in networks.items():
            text = f"{name}, fine-tuning without fold {number + 1} of {FOLDS}"
            yield SelectionProgress(text, 0, shorter, done, of)
            prepared = prepared or task.prepare(network, images, labels, own)
            for tuned in task.train_steps(images, labels, own, network, parts=task.steps, prepared=prepared):
                done += 1
                yield SelectionProgress(text, tuned.done, shorter, done, of, tuned.loss)
            found[name].append(task.score(tuned.network, held.images, task.labels(held)))
    selection = select({name: task.join_scores(parts) for name, parts in found.items()}, seed, task.words.metric)
    if path is not None:
        write_json(path, vars(selection))
    yield SelectionProgress("selection", 1, 1, of, of, selection=selection)


def _identity(task: DensePrediction, candidates: Mapping[str, TrainingData], labelled: Photos, seed: int) -> str:
    """A hash of all that decides the selection."""
    first = [f"{name} {stages(task, data, seed)[0].identity}" for name, data in candidates.items()]
    facts = [*first, labelled.hash, content_hash(task.labels(labelled).to_bytes()), str((FOLDS, RESAMPLES))]
    return content_hash(" ".join(facts).encode())


def _read(path: Path, names: list[str], metric: str) -> Selection:
    """The selection kept in a file. CorruptFile."""
    facts = read_json(path, AGAIN, dict)
    try:
        found = Selection(facts["default"], facts["chosen"], {name: float(facts["scores"][name]) for name in names},
                          {name: (float(facts["gains"][name][0]), float(facts["gains"][name][1]))
                           for name in names[1:]}, metric)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CorruptFile(f"{path} is damaged ({error!r}); {AGAIN}") from error
    if found.chosen not in names or found.default != names[0]:
        raise CorruptFile(f"{path} is damaged: it chose {found.chosen!r}; {AGAIN}")
    return found
