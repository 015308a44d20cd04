"""Which task labelled photos pose, and the labels of renders for it.

Legend: S frames.
"""

import warnings
from typing import Any

from scenefit.data.formats import LabelPolicy, label_boxes
from scenefit.data.frames import Frames
from scenefit.data.photos import Photos
from scenefit.renderers import Renderer, render
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.tasks import Classify, Detect, Task

LOOKED_AT = 64  # renders, to see which classes there are


def task_for_labels(few: Photos, grammar: Grammar, renderer: Renderer, device: str = "cpu") -> Task:
    """`Detect` over the classes of the photos' boxes and of the renders' objects; without boxes `Classify` over the
    photos' classes. For boxes, 64 scenes of the broad grammar are drawn.

    ValueError where the photos' boxes and the renders have no class in common. A warning where some of the photos'
    classes are in no render: what is trained on renders cannot find them, and each scores 0.
    """
    if few.boxes is None:
        return Classify(tuple(sorted(set(few.label.tolist()))), device=device)
    real = set(few.boxes.name.tolist())
    if not real:
        raise ValueError(f"the {len(few)} labelled photos have no box at all, so nothing tells what to find; give "
                         "photos that show objects")
    drawn = set(render(renderer, uniform_randomisation(grammar).sample(0, LOOKED_AT)).objects.name.tolist()) - {""}
    if not real & drawn:
        raise ValueError(f"the boxes of the labelled photos are of the classes {sorted(real)}, but the renderer's "
                         f"objects of {sorted(drawn)}; name them alike: with Shapes(classes=...), Frame(classes=...), "
                         "or in the labels")
    if real - drawn:
        warnings.warn(f"no render has an object of {sorted(real - drawn)}, which labelled photos have: what learns "
                      f"from renders cannot find them (the renderer's classes are {sorted(drawn)})", stacklevel=2)
    return Detect(tuple(sorted(real | drawn)), device=device)


def labels_of(frames: Frames, few: Photos, label_policy: LabelPolicy | None = None) -> Any:
    """Labels of renders of the kind that the photos have: boxes of the objects that keep chooses, or classes [S]."""
    return frames.label if few.boxes is None else label_boxes(frames, label_policy)


def photo_labels(few: Photos) -> Any:
    """`Boxes`, or classes [N]."""
    return few.label if few.boxes is None else few.boxes
