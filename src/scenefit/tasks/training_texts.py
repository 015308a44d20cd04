"""What a training says in words: how good the network is, and what is kept of it."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from scenefit.files.text import counted
from scenefit.metrics.segmentation_metrics import UNSET_THRESHOLD
from scenefit.tasks.training.dense_prediction import DensePrediction

HELD_OUT_RENDERS = "held-out renders"
MUCH = 100e6  # bytes of finished stages from which on they are mentioned


def figures(task: DensePrediction, score: Any, threshold: Any, held_out: str) -> str:
    """How good a network is on the images that its threshold was chosen on, and what that means."""
    means = ("These are renders: how good it is on photos may be far from that" if held_out == HELD_OUT_RENDERS else
             "The threshold was chosen on them, so the figures are a little too good")
    return f"On {len(score):,} {held_out}: {task.figures(score, threshold)}. {means}."


def unmeasured(threshold: Any, photos: int, alone: bool) -> str:
    """Why there are no figures of a network. alone: whether it was trained on labelled photos alone."""
    each = [f"{value:.2f}" for value in np.atleast_1d(threshold)]
    its = (f"Its confidence threshold, {each[0]}, was" if len(each) == 1 else
           f"Its confidence thresholds, {', '.join(each)}, were")
    why = "fewer than five leave none to hold out" if alone else "there are no others"
    return (f"{its} chosen on the {counted(photos, 'labelled photo')} that it was trained on, as {why}; figures on "
            "these would not tell how good it is.")


def unset_thresholds(task: DensePrediction, threshold: Any, labels: Any) -> str:
    """Which classes the images do not show that the threshold of each class was chosen on; "" for none, or where all
    classes have one threshold."""
    absent = sorted(set(task.classes) - set(task.shown(labels))) if np.ndim(threshold) else []
    return "" if not absent else (f"The images that the confidence thresholds were chosen on do not show "
                                  f"{', '.join(absent)}, so this threshold is {UNSET_THRESHOLD:g}")


def disjoint_classes(rendered: Collection[str], labelled: Collection[str], name: str) -> str:
    """That labelled photos show none of the classes of what the network is trained on first, each of which is called
    name; "" where they show one."""
    return "" if set(rendered) & set(labelled) else (
        f"no {name} shows a class of the labelled photos: {name}s show {', '.join(sorted(rendered))}, the photos "
        f"{', '.join(sorted(labelled))}; the network learns all of them, as different classes. If they are the same, "
        "name them alike: with Shapes(classes=...), Frame(classes=...), or in the labels")


def much_kept(folder: Path) -> str:
    """That the folder of a run's finished stages holds more than 100 MB; "" where it does not."""
    size = 0
    for path in folder.glob("*"):
        with suppress(OSError):  # another training has renamed it meanwhile
            size += path.stat().st_size
    return "" if size <= MUCH else (f"{folder} holds {size / 1e6:,.0f} MB of finished stages; they only save time "
                                    "where another training begins alike, so they may be deleted")
