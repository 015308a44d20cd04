"""Renders with the labels of a task, so that frames of all scenes are never held at once.

Legend: S scenes; H, W pixels.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.label_policy import LabelPolicy
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_with_labels
from scenefit.scenes.scene import SceneBatch
from scenefit.tasks import Task
from scenefit.tasks.training.definition import join_labels
from scenefit.tasks.training.dense_prediction import DensePrediction

Images = NDArray[np.uint8]


def render_labelled(task: Task, renderer: Renderer, scenes: SceneBatch,
                    label_policy: LabelPolicy | None = None) -> tuple[Images, Any]:
    """Images uint8 [S, H, W, 3] and their labels, as `Task.labels` gives them. ValueError as there."""
    images, labels = render_with_labels(renderer, scenes, partial(task.labels, label_policy=label_policy))
    return images, join_labels(labels)


def render_of_kind(kind: type[DensePrediction], renderer: Renderer, scenes: SceneBatch,
                   label_policy: LabelPolicy | None = None,
                   rendered: Callable[[int], None] = lambda count: None) -> tuple[Images, Any]:
    """The same for a task whose classes are not known yet: those of the renders. rendered: called with the number of
    each chunk of them."""
    images, labels = render_with_labels(renderer, scenes, partial(kind.of_renders, label_policy=label_policy), rendered)
    return images, join_labels(labels)
