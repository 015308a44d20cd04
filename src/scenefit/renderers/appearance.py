"""Which learned attributes are appearance: those whose change moves no box (colours, light, noise), as opposed to
content (sizes, places, counts).

Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Iterator

import numpy as np

from scenefit.data.frames import Objects
from scenefit.renderers import Renderer
from scenefit.renderers.batches import frame_size, render_parts
from scenefit.scenes.attributes import Key
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.values import redrawn
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

SCENES = 24
MOST_MOVED = 0.02  # of the longer side of a box


def find_appearance(grammar: Grammar, renderer: Renderer, seed: int = 0) -> frozenset[Key]:
    """Keys of the learned attributes that leave the boxes of whole objects as they are: none moves by more than 2 % of
    its longer side when the attribute takes other values. It renders `SCENES` scenes for each attribute; counts, and
    attributes of which no node was drawn, are content."""
    scenes, size = grammar.sample(derive_seed(seed, "appearance"), SCENES), frame_size(grammar, renderer)

    def objects(scenes: SceneBatch) -> Iterator[Objects]:
        return (frames.objects for frames in render_parts(renderer, scenes, size))

    before = list(objects(scenes))
    found = set()
    for a in grammar.learned:
        if not a.count and len(scenes.tables[a.kind]):
            after = objects(redrawn(grammar, scenes, {a.key}, derive_seed(seed, f"appearance {a.key}")))
            if not any(_moves(*pair) for pair in zip(before, after, strict=True)):
                found.add(a.key)
    return frozenset(found)


def _moves(one: Objects, other: Objects) -> bool:
    """Whether a box of a whole object differs, among those visible in both, or objects are no longer the same."""
    if len(one) != len(other) or (one.id != other.id).any() or (one.name != other.name).any():
        return True
    seen = (one.pixels > 0) & (other.pixels > 0)
    side = np.maximum((one.amodal[:, 2:] - one.amodal[:, :2]).max(1), 1)
    moved = np.abs(one.amodal - other.amodal).max(1) / side
    return bool((moved[seen] > MOST_MOVED).any())
