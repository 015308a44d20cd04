"""How many cells of each kind there are: as the labels of the matched photos say, and as was learned without them.

The labels of these photos are read here, for this comparison only; nothing that is learned sees it. Legend: N photos.
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

# Cell -> the arms whose counts it tells; the structure policy is of the first prior alone.
ARMS = {"counts": ("wide", "learned"), "counts-structured": (fits.STRUCTURED,)}


def run(cell: arms.Cell) -> dict[str, Any]:
    """The counts of labels, of scenes of the prior and of what was learned, of the detectors' finds in the photos, and
    what the fit itself read of each photo."""
    kept = cell.folder.parent / f"{cell.arm}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    torch.set_num_threads(1)
    photos = world.unlabelled(cell.data)
    found: dict[str, Any] = {}
    for arm in ARMS[cell.arm]:
        own = replace(cell, arm=arm)
        scenes = arms.sampler(own)(derive_seed(cell.seed, "counted"), len(photos))
        found[f"{arm}, scenes"] = world.count(arms.rendered(scenes)[1])
        network, facts = arms.detector(own)
        finds = own.task.predict(network, photos.images)
        found[f"{arm}, detected"] = world.count(finds.where(finds.score >= facts["threshold"]))
    read = fits.read_counts(cell.fit, tuple(world.COUNTS)) if "learned" in ARMS[cell.arm] else None
    if read is not None:
        found["learned, read"] = np.stack([read[name] for name in world.COUNTS], 1)
    result = compared(labelled(cell.data), found)
    write_json(kept, result)
    return result


@cache
def labelled(data: Path) -> np.ndarray:
    """What the labels of the matched photos say [N, C]."""
    labels = sf.read_boxes(data, world.SIZE, world.MATCHED).boxes
    assert labels is not None
    return world.count(labels)


def guessed(data: Path) -> dict[str, float]:
    """The mean error of a photo's count for who guesses the labels' mean: class -> how far off."""
    true = labelled(data)
    return {name: float(abs(true[:, code] - true[:, code].mean()).mean()) for code, name in enumerate(world.CLASSES)}


def compared(true: np.ndarray, found: dict[str, np.ndarray]) -> dict[str, Any]:
    """For each class: mean and standard deviation, the Wasserstein distance of the counts' distributions and, where the
    counts are of the same photos, the mean error and its size for each photo."""
    out: dict[str, Any] = {"labels": {name: moments(true[:, code]) for code, name in enumerate(world.CLASSES)}}
    for key, counts in found.items():
        out[key] = {}
        for code, name in enumerate(world.CLASSES):
            ours, theirs = counts[:, code], true[:, code]
            row = {**moments(ours), "wasserstein": wasserstein(ours, theirs)}
            if not key.endswith("scenes"):
                row |= {"error": float((ours - theirs).mean()), "absolute error": float(abs(ours - theirs).mean())}
            out[key][name] = row
    return out


def moments(values: np.ndarray) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values))}
