"""Arms of an experiment: the same network trained on renders of different distributions, tested on the same photos.

Legend: S rendered images; N photos. Repeats differ in seeds, photos and fits.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

import scenefit as sf
from scenefit.data.photos import Photos
from scenefit.scenes.rng import derive_seed

Sampler = Callable[[int, int], sf.SceneBatch]  # seed, number of scenes -> scenes


def train_on(sampler: Sampler, renderer: Any, task: sf.Classify, images: int, seed: int) -> Any:
    """A network trained on `images` renders. All arms share the seed: initial weights, order and, where possible,
    sprites."""
    frames = sf.render(renderer, sampler(derive_seed(seed, "train"), images))
    return task.train(frames.images, frames.label, derive_seed(seed, "task"))


def misclassified(task: sf.Classify, network: Any, photos: Photos) -> list[tuple[int, str]]:
    """Misclassified photos: their rows and predicted classes."""
    predicted = task.logits(network, photos.images).argmax(1).numpy()
    rows = np.flatnonzero(predicted != task.class_indices(photos.label).numpy())
    return [(int(row), task.classes[predicted[row]]) for row in rows]


def cost(fit: Mapping[str, Any], renders: int, trainings: int, started: float) -> dict[str, Any]:
    """What an arm cost: of its fit, and more renders and trainings. started: CPU seconds when these began."""
    return {"renders": fit["renders"] + renders, "trainings": fit["trainings"] + trainings,
            "fit CPU seconds": round(fit["cpu_seconds"]), "CPU seconds": round(time.process_time() - started)}


def interval(values: Sequence[float]) -> dict[str, Any]:
    """Mean and 95 % t interval over repeats. ValueError for fewer than 2 values: one value has no interval."""
    array = np.asarray(values, float)
    if len(array) < 2:
        raise ValueError(f"a 95 % interval needs at least 2 repeats, got {len(array)}; run with more repeats or seeds")
    half = float(stats.t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return {"mean": float(array.mean()), "low": float(array.mean() - half), "high": float(array.mean() + half),
            "values": [float(value) for value in array]}


def gap_closed(arms: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """(learned - grammar) / (oracle - grammar), per repeat, with a 95 % interval."""
    grammar, learned, oracle = (np.asarray(arms[name], float) for name in ("grammar", "learned", "oracle"))
    return interval((learned - grammar) / (oracle - grammar))


def verdict(arms: Mapping[str, Sequence[float]], metric: str = "accuracy") -> str:
    """One sentence: learned is called better only where the paired 95 % interval excludes zero."""
    better = {}
    for control in ("grammar", "shrunk"):
        difference = interval(np.asarray(arms["learned"]) - np.asarray(arms[control]))
        better[control] = difference["low"] > 0
    means = {name: float(np.mean(values)) for name, values in arms.items()}
    figures = (f"{100 * means['learned']:.1f} % {metric}, compared with {100 * means['grammar']:.1f} % for the grammar "
               f"and {100 * means['shrunk']:.1f} % for the shrunk prior (oracle: {100 * means['oracle']:.1f} %)")
    if all(better.values()):
        return f"A network trained on the learned data beats both controls: {figures}."
    if better["grammar"]:
        return ("A network trained on the learned data is better than with the grammar's data, but not significantly "
                f"better than with the shrunk prior's: {figures}.")
    return f"A network trained on the learned data is not significantly better than with the grammar's data: {figures}."
