"""Arms of an experiment: the same model trained on data of several distributions, tested on the same photos.

Legend: S rendered images; N photos; repeats vary seeds, photos and fits.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

import scenefit as sf
from scenefit.data.photos import Photos
from scenefit.scenes.rng import derive_seed

Sampler = Callable[[int, int], sf.SceneBatch]  # seed, how many -> scenes


def train_on(sampler: Sampler, renderer: Any, task: sf.Classify, images: int, seed: int) -> Any:
    """A network trained on `images` renders. All arms share the seed: first weights, order, sprites where they can."""
    frames = sf.render(renderer, sampler(derive_seed(seed, "train"), images))
    return task.train(frames.images, frames.label, derive_seed(seed, "task"))


def wrong(task: sf.Classify, network: Any, photos: Photos) -> list[tuple[int, str]]:
    """Photos told wrong: their rows, and what they were taken for."""
    told = task.logits(network, photos.images).argmax(1).numpy()
    rows = np.flatnonzero(told != task.class_indices(photos.label).numpy())
    return [(int(row), task.classes[told[row]]) for row in rows]


def interval(values: Sequence[float]) -> dict[str, Any]:
    """Mean with its 95 % t interval over repeats. ValueError for fewer than 2: one value has no interval."""
    array = np.asarray(values, float)
    if len(array) < 2:
        raise ValueError(f"an interval needs at least 2 repeats, got {len(array)}")
    half = float(stats.t.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array)))
    return {"mean": float(array.mean()), "low": float(array.mean() - half), "high": float(array.mean() + half),
            "values": [float(value) for value in array]}


def gap_closed(arms: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """(learned - grammar) / (oracle - grammar) of each repeat, with its interval."""
    grammar, learned, oracle = (np.asarray(arms[name], float) for name in ("grammar", "learned", "oracle"))
    return interval((learned - grammar) / (oracle - grammar))


def verdict(arms: Mapping[str, Sequence[float]], metric: str = "accuracy") -> str:
    """One plain sentence: learned is called better only where the paired interval is clear of zero."""
    better = {}
    for control in ("grammar", "shrunk"):
        difference = interval(np.asarray(arms["learned"]) - np.asarray(arms[control]))
        better[control] = difference["low"] > 0
    means = {name: float(np.mean(values)) for name, values in arms.items()}
    figures = (f"{100 * means['learned']:.1f} % {metric} against {100 * means['grammar']:.1f} % for the grammar and "
               f"{100 * means['shrunk']:.1f} % for the shrunk wide prior (oracle {100 * means['oracle']:.1f} %)")
    if all(better.values()):
        return f"The learned data trains a better model than both controls: {figures}."
    if better["grammar"]:
        return f"The learned data is better than the grammar's, but not clearly than the shrunk prior's: {figures}."
    return f"The learned data is no better than the grammar's: {figures}."
