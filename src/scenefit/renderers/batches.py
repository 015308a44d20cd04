"""Images and labels of many scenes, rendered in chunks: the masks of all scenes are never in memory at once.

Legend: S scenes; H, W pixels.
"""

from collections.abc import Iterator

import numpy as np

from scenefit.data.boxes import Boxes, join_boxes
from scenefit.data.formats import LabelPolicy, label_boxes
from scenefit.data.frames import Frames
from scenefit.renderers import Renderer, render
from scenefit.scenes.scene import SceneBatch

CHUNK = 256  # scenes rendered at once


def render_images(renderer: Renderer, scenes: SceneBatch) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [S, H, W, 3] and labels of whole images [S]."""
    drawn = [(frames.images, frames.label) for frames in render_parts(renderer, scenes)]
    return np.concatenate([images for images, _ in drawn]), np.concatenate([label for _, label in drawn])


def render_with_boxes(renderer: Renderer, scenes: SceneBatch, label_policy: LabelPolicy
                      | None = None) -> tuple[np.ndarray, Boxes]:
    """Images uint8 [S, H, W, 3] and the boxes of their objects, drawn likewise."""
    drawn = [(frames.images, label_boxes(frames, label_policy)) for frames in render_parts(renderer, scenes)]
    return np.concatenate([images for images, _ in drawn]), join_boxes([boxes for _, boxes in drawn])


def render_parts(renderer: Renderer, scenes: SceneBatch) -> Iterator[Frames]:
    """Frames of at most 256 scenes at a time, in order."""
    for part in np.array_split(np.arange(len(scenes)), -(-len(scenes) // CHUNK)):
        yield render(renderer, scenes.take(part))
