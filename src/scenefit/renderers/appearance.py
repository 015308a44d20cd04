"""Which learned attributes are appearance: those whose change moves no box (colours, light, noise), as opposed to
content (sizes, places, counts).

Legend: S scenes; n nodes of a kind.
"""

import numpy as np

from scenefit.data.frames import Frames
from scenefit.renderers import Renderer, render
from scenefit.scenes.attributes import Attribute, Key
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.values import learned_values, scenes_with
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

SCENES = 24
MOST_MOVED = 0.02  # of the longer side of a box


def find_appearance(grammar: Grammar, renderer: Renderer, seed: int = 0) -> frozenset[Key]:
    """Keys of the learned attributes that leave the boxes of whole objects as they are: none moves by more than 2 % of
    its longer side when the attribute takes other values. It renders `SCENES` scenes for each attribute; counts, and
    attributes of which no node was drawn, are content."""
    scenes = grammar.sample(derive_seed(seed, "appearance"), SCENES)
    before = render(renderer, scenes)
    return frozenset(a.key for a in grammar.learned if not a.count and len(scenes.tables[a.kind])
                     and not _moves(before, render(renderer, _changed(grammar, scenes, a, seed))))


def _changed(grammar: Grammar, scenes: SceneBatch, attribute: Attribute, seed: int) -> SceneBatch:
    """The same scenes, this attribute drawn anew, uniformly within its bounds."""
    random = np.random.default_rng(derive_seed(seed, f"appearance {attribute.key}"))
    n = len(scenes.tables[attribute.kind])
    values = {key: value for key, value in learned_values(grammar, scenes).items()
              if not grammar.attributes[key[0]][key[1]].count}
    values[attribute.key] = (random.integers(0, len(attribute.choice.options), n).astype(float)
                             if attribute.form == "choice" else random.random(n))
    return scenes_with(grammar, scenes, values)


def _moves(before: Frames, after: Frames) -> bool:
    """Whether a box of a whole object differs, among those visible in both, or objects are no longer the same."""
    one, other = before.objects, after.objects
    if len(one) != len(other) or (one.id != other.id).any() or (one.name != other.name).any():
        return True
    seen = (one.pixels > 0) & (other.pixels > 0)
    side = np.maximum((one.amodal[:, 2:] - one.amodal[:, :2]).max(1), 1)
    moved = np.abs(one.amodal - other.amodal).max(1) / side
    return bool((moved[seen] > MOST_MOVED).any())
