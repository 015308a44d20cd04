"""What the posterior network predicts of single objects, and its true values for rendered scenes.

An object is described by the learned attributes of its own kind, of its parts (kinds that are no objects themselves and
that it holds once), and of its ancestors that are neither objects nor the only node of their kind, such as the row that
a parked car stands in. Legend: S scenes; n nodes of a kind; C options of a choice; A columns of values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.values import learned_values
from scenefit.scenes.scene import Ints, SceneBatch

Floats = NDArray[np.float64]
# Of an object, to be trained on; one that is covered, or has the colour of what is around it, is background.
SEEN = LabelPolicy(min_visibility=0.3, min_contrast=0.03, box="amodal")
UNIT_SPREAD = 12**0.5  # of a uniform value in 0..1: targets are scaled to standard deviation 1


@dataclass(frozen=True)
class ObjectAttribute:
    """One predicted attribute of the objects of a kind. kind: of the objects.  column: of `ObjectTargets.values`.
    first: of the network's outputs.

    Outputs of a number or integer: location and logarithm of the scale, in standard deviations of a uniform value; of
    an angle: sin and cos of it and of twice it; of a choice: a logit for each option.
    """

    kind: str
    attribute: Attribute
    column: int
    first: int

    @property
    def width(self) -> int:
        """How many outputs."""
        form = self.attribute.form
        return len(self.attribute.choice.options) if form == "choice" else 4 if form == "angle" else 2

    @property
    def outputs(self) -> slice:
        return slice(self.first, self.first + self.width)


@dataclass(frozen=True)
class ObjectSpec:
    """kinds: with objects in the renders; presence is predicted of each.  attributes: predicted, those of one kind side
    by side.  single: kinds of which each scene holds one node, predicted from the whole image.  columns, outputs: how
    many."""

    kinds: tuple[str, ...]
    attributes: tuple[ObjectAttribute, ...]
    single: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        return len(self.attributes)

    @property
    def outputs(self) -> int:
        return sum(one.width for one in self.attributes)

    def of(self, kind: str) -> tuple[ObjectAttribute, ...]:
        return tuple(one for one in self.attributes if one.kind == kind)


@dataclass(frozen=True, eq=False)
class TrueObjects:
    """The visible objects of S images, by image. image, kind [m]: kind among the spec's.  box [m, 4].  values [m, A]:
    see `true_values`."""

    image: NDArray[np.int64]
    kind: NDArray[np.int64]
    box: NDArray[np.float64]
    values: NDArray[np.float64]

    def rows(self, image: int) -> slice:
        first, last = np.searchsorted(self.image, [image, image + 1])
        return slice(int(first), int(last))

    def of(self, images: NDArray[np.int64]) -> "TrueObjects":
        """Those of some images, whose numbers rise; the images are numbered anew."""
        kept = np.isin(self.image, images)
        image = np.searchsorted(images, self.image[kept])
        return TrueObjects(image, self.kind[kept], self.box[kept], self.values[kept])


def single_kinds(grammar: Grammar, scenes: SceneBatch) -> tuple[str, ...]:
    """Kinds of which each of these scenes holds exactly one node."""
    return tuple(kind for kind in grammar.kinds if len(scenes.tables[kind]) == len(scenes)
                 and len(np.unique(scenes.tables[kind].scene)) == len(scenes))


def object_kinds(frames: Frames) -> tuple[str, ...]:
    """Kinds of which at least one node is visible."""
    kind, _ = rows_of_objects(frames)
    seen = frames.objects.pixels > 0
    return tuple(name for code, name in enumerate(frames.scenes.kinds) if np.any(kind[seen] == code))


def rows_of_objects(frames: Frames) -> tuple[Ints, Ints]:
    """Of each of `frames.objects` [m]: the index of its kind among the scenes' kinds, and its row in that table."""
    code, row, start = frames.scenes._nodes_by_scene
    at = start[frames.objects.scene] + frames.objects.id
    return code[at], row[at]


def object_spec(grammar: Grammar, kinds: Sequence[str], single: Sequence[str]) -> ObjectSpec:
    """What is predicted of objects of these kinds. single: kinds that are predicted from the whole image."""
    found: list[ObjectAttribute] = []
    for kind in kinds:
        others = [k for k in (*_ancestors(grammar, kind), *_parts(grammar, kind)) if k not in (*kinds, *single)]
        for owner in (kind, *others):
            for a in grammar.attributes[owner].values():
                if a.learned:
                    first = sum(one.width for one in found)
                    found.append(ObjectAttribute(kind, a, len(found), first))
    return ObjectSpec(tuple(kinds), tuple(found), tuple(single))


def true_values(spec: ObjectSpec, grammar: Grammar, scenes: SceneBatch) -> Mapping[str, Floats]:
    """The values of each object kind's nodes: kind -> [n, A].

    Numbers, integers and angles are normalised to 0..1, choices are indices of options; NaN where a node lacks one, and
    in the columns of other kinds.
    """
    own, out = learned_values(grammar, scenes), {}
    for kind in spec.kinds:
        table = scenes.tables[kind]
        out[kind] = np.full((len(table), spec.columns), np.nan)
        for one in spec.of(kind):
            rows = related_rows(scenes, kind, one.attribute.kind)
            there = rows >= 0
            out[kind][there, one.column] = own[one.attribute.key][rows[there]]
    return out


def related_rows(scenes: SceneBatch, kind: str, owner: str) -> Ints:
    """Of each node of a kind [n]: the row of itself, of its ancestor or of its only part of the kind owner; -1 where it
    has none, or several."""
    table, kinds = scenes.tables[kind], scenes.kinds
    if owner == kind:
        return np.arange(len(table))
    code, of, at = kinds.index(owner), np.full(len(table), kinds.index(kind)), np.arange(len(table))
    for _ in range(int(table.depth.max(initial=0))):  # up to the root, level by level
        climbing = (of != code) & (at >= 0)
        for k in np.unique(of[climbing]):
            here = climbing & (of == k)
            own = scenes.tables[kinds[k]]
            of[here], at[here] = own.parent_kind[at[here]], own.parent_row[at[here]]
    if np.any(of == code):
        return np.where(of == code, at, -1)
    part = scenes.tables[owner]
    mine = part.parent_kind == kinds.index(kind)
    count = np.bincount(part.parent_row[mine], minlength=len(table))
    out = np.full(len(table), -1)
    out[part.parent_row[mine]] = np.flatnonzero(mine)
    return np.where(count == 1, out, -1)


def _children(grammar: Grammar, kind: str) -> list[str]:
    return [child for rule in grammar.rules_of(kind) for child in rule.child_kinds]


def _parts(grammar: Grammar, kind: str) -> list[str]:
    return sorted(set(_children(grammar, kind)) - {kind}, key=grammar.kinds.index)


def _ancestors(grammar: Grammar, kind: str) -> list[str]:
    """Nearest first."""
    found: list[str] = []
    level = {kind}
    while level:
        level = {k for k in grammar.kinds if level & set(_children(grammar, k))} - {*found, kind}
        found += sorted(level, key=grammar.kinds.index)
    return found
