"""Which learned attributes change no image, so that they cannot be learned from photos.

Each attribute is changed in one scene; scenes with different attributes changed are rendered together. Those that
change nothing there are changed together in a few scenes, and halved as long as an image changes. So the work grows
with the number of attributes, not with its square.
Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.frames import Frames
from scenefit.renderers import Renderer, render
from scenefit.scenes.attributes import moved
from scenefit.scenes.grammar import Attribute, Grammar
from scenefit.scenes.scene import SceneBatch

N_TRIED = 8  # scenes in which an attribute changes no image before it counts as without effect
OFFSET = 0.37  # of the bounds: an attribute is changed by this to test whether images change

Column = NDArray[Any]


def attributes_without_effect(grammar: Grammar, renderer: Renderer, frames: Frames) -> list[str]:
    """"kind.attribute" of those whose change leaves the images of the scenes of frames as they are; counts, and kinds
    that no scene has, are left out."""
    scenes, units = grammar.decode(frames.scenes, {})
    tried = [a for a in grammar.learned if not a.count and len(scenes.tables[a.kind])]
    free = [a for a in tried if a.key not in grammar.prior_inputs]
    changed = {a.key: _changed(a, scenes, units) for a in free}
    without = {a.key for kind in scenes.kinds
               for a in _alone_without_effect(renderer, frames, scenes, [a for a in free if a.kind == kind], changed)}
    without |= {a.key for a in tried if a.key not in changed and not _has_effect(grammar, renderer, frames, a)}
    return [f"{a.kind}.{a.name}" for a in tried if a.key in without]


def _changed(a: Attribute, scenes: SceneBatch, units: Mapping[Any, Any]) -> Column:
    """The attribute's column [n] with every value changed."""
    if a.form == "choice":
        return np.asarray(a.choice.options)[_other_codes(a, scenes)]
    return moved(a.form, units[a.key], OFFSET)


def _other_codes(a: Attribute, scenes: SceneBatch) -> Column:
    codes = a.choice.codes(np.asarray(scenes.tables[a.kind][a.name]))
    return (codes + 1) % len(a.choice.options)


def _alone_without_effect(renderer: Renderer, frames: Frames, scenes: SceneBatch, attributes: Sequence[Attribute],
                          changed: Mapping[Any, Column]) -> list[Attribute]:
    """Those attributes of one kind, which no prior reads, that change no image."""
    if not attributes:
        return []
    rows = np.unique(scenes.tables[attributes[0].kind].scene)
    groups = [attributes[at:at + len(rows)] for at in range(0, len(attributes), len(rows))]
    left = [a for group in groups for a in _same_images(renderer, frames, scenes, group, rows[:len(group)], changed)]
    found, tried = [], [left] if left else []
    few = np.union1d(rows[:N_TRIED], [0, 1])  # not one alone
    while tried:
        together = tried.pop()
        columns = {a.name: changed[a.key] for a in together}
        images = render(renderer, scenes.with_columns({together[0].kind: columns}).take(few)).images
        if np.array_equal(images, frames.images[few]):
            found += together
        elif len(together) > 1:
            tried += [together[:len(together) // 2], together[len(together) // 2:]]
    return found


def _same_images(renderer: Renderer, frames: Frames, scenes: SceneBatch, group: Sequence[Attribute], rows: Column,
                 changed: Mapping[Any, Column]) -> list[Attribute]:
    """Those of the group that change nothing, where each attribute is changed in one scene, that of its row."""
    kind = group[0].kind
    table = scenes.tables[kind]
    columns = {a.name: np.where(table.scene == row, changed[a.key], table[a.name])
               for a, row in zip(group, rows.tolist(), strict=True)}
    drawn = np.union1d(rows, [] if len(rows) > 1 else [(rows[0] + 1) % len(frames)]).astype(int)  # not one alone
    images = render(renderer, scenes.with_columns({kind: columns}).take(drawn)).images
    return [a for a, row, place in zip(group, rows, np.searchsorted(drawn, rows), strict=True)
            if np.array_equal(images[place], frames.images[row])]


def _has_effect(grammar: Grammar, renderer: Renderer, frames: Frames, a: Attribute) -> bool:
    """Of an attribute that priors read: other attributes change with it, so all are computed again."""
    rows = np.unique(frames.scenes.tables[a.kind].scene)[:N_TRIED]
    scenes = frames.scenes.take(rows)
    offset = _other_codes(a, scenes) if a.form == "choice" else np.full(len(scenes.tables[a.kind]), OFFSET)
    images = render(renderer, grammar.decode(scenes, {a.key: offset})[0]).images
    return not np.array_equal(images, frames.images[rows])
