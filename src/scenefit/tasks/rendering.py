"""Renders with the labels of a task, so that frames of all scenes are never held at once.

Legend: S scenes; H, W pixels.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes, join_boxes
from scenefit.data.class_masks import ClassMasks, join_class_masks
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.scratch import collect_arrays
from scenefit.renderers import Renderer
from scenefit.renderers.batches import image_chunks
from scenefit.scenes.scene import SceneBatch
from scenefit.tasks import Task
from scenefit.tasks.training.map_task import MapTask


def render_labelled(task: Task, renderer: Renderer, scenes: SceneBatch,
                    label_policy: LabelPolicy | None = None) -> tuple[NDArray[np.uint8], Any]:
    """Images uint8 [S, H, W, 3] and their labels, as `Task.labels` gives them. ValueError as there."""
    labels: list[Any] = []
    chunks = image_chunks(renderer, scenes, labels=lambda frames: labels.append(task.labels(frames, label_policy)))
    return collect_arrays(chunks, len(scenes)), join_labels(labels)


def render_of_kind(kind: type[MapTask], renderer: Renderer, scenes: SceneBatch, label_policy: LabelPolicy | None = None,
                   rendered: Callable[[int], None] = lambda count: None) -> tuple[NDArray[np.uint8], Any]:
    """The same for a task whose classes are not known yet: those of the renders. rendered: called with the number of
    each chunk of them."""
    labels: list[Any] = []

    def label(frames: Frames) -> None:
        labels.append(kind.of_renders(frames, label_policy))
        rendered(len(frames))

    chunks = image_chunks(renderer, scenes, labels=label)
    return collect_arrays(chunks, len(scenes)), kind.join(labels)


def join_labels(parts: Sequence[Any]) -> Any:
    """Labels of one set of images after another's: `Boxes`, `ClassMasks`, or arrays [S, ...]."""
    if isinstance(parts[0], Boxes):
        return join_boxes(parts)
    return join_class_masks(parts) if isinstance(parts[0], ClassMasks) else np.concatenate(parts)
