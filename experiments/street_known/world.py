"""What arms render: the naive and the wide grammar of scenes/, the targets, and labels of cars for both tasks."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import scenefit as sf
from experiments.street_known import town
from scenefit.data.boxes import Boxes, join_boxes
from scenefit.data.class_masks import ClassMasks
from scenefit.data.label_policy import label_masks
from scenefit.renderers.batches import render_with_labels
from scenefit.renderers.scene_file import load_scene
from scenefit.tasks.training.definition import join_labels

SCENES = Path(__file__).parents[2] / "scenes"
FILES = tuple(SCENES / f"{name}.py" for name in ("street", "street_naive", "street_sizes", "street_slots"))
SIZE = 180, 240
CAR = "car"
# As people label: cars of which they see a part of some pixels. Pixels of others are ignored in class masks.
POLICY = sf.LabelPolicy(min_pixels=24, min_side=4, min_visibility=0.15)
TARGETS = (town.TARGET, town.MISSPECIFIED)


@cache
def scene(name: str) -> ModuleType:
    """A scene file of scenes/: "street", or "street_naive"."""
    return load_scene(SCENES / f"{name}.py").module


def wide() -> sf.Grammar:
    return scene("street").grammar


def naive() -> sf.Grammar:
    return scene("street_naive").grammar


def renderer(grammar: str, size: tuple[int, int] = SIZE) -> Any:
    """grammar: "naive", "wide", or one of `TARGETS`."""
    if grammar in TARGETS:
        return town.renderer(size, grammar)
    return replace(scene("street_naive" if grammar == "naive" else "street").renderer, size=size)


def labelled(own: Any, scenes: sf.SceneBatch) -> sf.Photos:
    """Renders with boxes and class masks of cars. own: the renderer of the scenes."""
    def labels(frames: sf.Frames) -> tuple[Boxes, ClassMasks]:
        boxes = sf.label_boxes(frames, POLICY)
        return boxes.where(boxes.name == CAR), label_masks(frames, (CAR,), POLICY)

    images, parts = render_with_labels(own, scenes, labels)
    boxes, masks = zip(*parts, strict=True)
    return sf.Photos(images, boxes=join_boxes(boxes), masks=join_labels(masks))
