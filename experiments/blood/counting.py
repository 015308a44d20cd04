"""Cell counts per photo: of the labels, of scenes, of detections and of the fit's posterior.

The labels of the matched photos are read here, for this comparison only. Legend: N photos; C classes.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import scenefit as sf
from experiments.blood import arms, fits, world
from scenefit.files.atomic import write_json
from scenefit.metrics.wasserstein import wasserstein
from scenefit.scenes.rng import derive_seed

# Cell -> the arms whose counts it compares. The structure policy exists for the first prior alone.
ARMS = {"counts": ("wide", "learned"), "counts-structured": (fits.STRUCTURED,)}


def run(cell: arms.Cell) -> dict[str, Any]:
    """Counts of the labels compared with those of each arm's scenes, of its detector's predictions in the photos and of
    the fit's posterior. Computed once, then read."""
    path = cell.folder.parent / f"{cell.arm}.json"
    if path.exists():
        return json.loads(path.read_text())
    torch.set_num_threads(1)
    photos = world.unlabelled(cell.data)
    counts: dict[str, Any] = {}
    for arm in ARMS[cell.arm]:
        own = replace(cell, arm=arm)
        scenes = arms.sampler(own)(derive_seed(cell.seed, "counted"), len(photos))
        counts[f"{arm}, scenes"] = world.count(arms.rendered(scenes)[1])
        network, facts = arms.detector(own)
        predicted = own.task.predict(network, photos.images)
        counts[f"{arm}, detected"] = world.count(predicted.where(predicted.score >= facts["threshold"]))
    posterior = fits.posterior_counts(cell.fit, tuple(world.COUNTS)) if "learned" in ARMS[cell.arm] else None
    if posterior is not None:
        counts["learned, read"] = np.stack([posterior[name] for name in world.COUNTS], 1)
    result = compared(labelled(cell.data), counts)
    write_json(path, result)
    return result


@cache
def labelled(data: Path) -> np.ndarray:
    """Counts of the matched photos' labels [N, C]."""
    labels = sf.read_boxes(data, world.SIZE, world.MATCHED).boxes
    assert labels is not None
    return world.count(labels)


def constant_errors(data: Path) -> dict[str, float]:
    """Class -> mean absolute error of predicting the labels' mean count for every photo."""
    true = labelled(data)
    return {name: float(abs(true[:, code] - true[:, code].mean()).mean()) for code, name in enumerate(world.CLASSES)}


def compared(true: np.ndarray, counts: dict[str, np.ndarray]) -> dict[str, Any]:
    """Source -> class -> mean, standard deviation and Wasserstein distance to the true counts [N, C].

    Counts of the same photos (all but those of scenes) also have the mean error and the mean absolute error per photo.
    """
    out: dict[str, Any] = {"labels": {name: moments(true[:, code]) for code, name in enumerate(world.CLASSES)}}
    for key, values in counts.items():
        out[key] = {}
        for code, name in enumerate(world.CLASSES):
            ours, theirs = values[:, code], true[:, code]
            row = {**moments(ours), "wasserstein": wasserstein(ours, theirs)}
            if not key.endswith("scenes"):
                row |= {"error": float((ours - theirs).mean()), "absolute error": float(abs(ours - theirs).mean())}
            out[key][name] = row
    return out


def moments(values: np.ndarray) -> dict[str, float]:
    """Mean and standard deviation."""
    return {"mean": float(np.mean(values)), "sd": float(np.std(values))}
