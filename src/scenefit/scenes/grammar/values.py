"""Scenes with given values of their learned attributes, or with a given structure.

Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.scenes.attributes import Attribute, Key, NodeGroup, View, draw
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import Ints, SceneBatch

Floats = NDArray[np.float64]


def learned_values(grammar: Grammar, scenes: SceneBatch) -> dict[Key, Floats]:
    """The values of all learned attributes as `scenes_with` takes them [n], counts among them."""
    units, out = grammar.normalised(scenes), {}
    for a in grammar.learned:
        column = np.asarray(scenes.tables[a.kind][a.name])
        out[a.key] = (units[a.key] if a.form != "choice" else
                      a.choice.codes(column).astype(float) if len(column) else np.zeros(0))
    return out


def whole_ends(a: Attribute) -> tuple[int, int]:
    """The least and the greatest value of a whole number that has no conditional prior."""
    low, high = a.bounds or a.prior.bounds  # type: ignore[union-attr]
    return int(low), int(high)


def whole_numbers(a: Attribute, units: Floats) -> Ints:
    """Values of a whole number from normalised ones [n]."""
    low, high = whole_ends(a)
    return low + np.minimum(np.floor(units * (high - low + 1)), high - low).astype(np.int64)


def scenes_with(grammar: Grammar, scenes: SceneBatch, values: Mapping[Key, Floats]) -> SceneBatch:
    """The same graphs with these values: of numbers, integers and angles normalised to 0..1 [n], of choices the indices
    of options [n]; NaN keeps the prior's. Attributes that depend on others are evaluated again."""
    known = {a.key: a for a in grammar.learned}
    edits: dict[Key, Any] = {}
    for key, wanted in values.items():
        a = known[key]
        if a.form == "choice":
            own = a.choice.codes(np.asarray(scenes.tables[a.kind][a.name]))
            edits[key] = np.where(np.isfinite(wanted), wanted, own).astype(np.int64)
        else:
            edits[key] = _offsets(a, scenes, wanted)
    return grammar.decode(scenes, edits)[0]


def _offsets(a: Attribute, scenes: SceneBatch, wanted: Floats) -> Any:
    def of_group(groups: Mapping[tuple[str, int], NodeGroup], group: NodeGroup) -> Floats:
        at = draw(a, View(scenes.kinds, groups, group), uniform(group.address, a.name))[1]
        assert at is not None
        own = wanted[group.start:group.start + len(group)]
        return np.where(np.isfinite(own), own - at.value, 0.0)

    return of_group


def redrawn(grammar: Grammar, scenes: SceneBatch, keys: Collection[Key], seed: int) -> SceneBatch:
    """The same graphs, these attributes drawn uniformly within their bounds."""
    random = np.random.default_rng(seed)
    own, values = learned_values(grammar, scenes), {}
    for a in grammar.learned:
        n = len(scenes.tables[a.kind])
        if a.key in keys:
            values[a.key] = (random.integers(0, len(a.choice.options), n).astype(float) if a.form == "choice"
                             else random.random(n))
        elif not a.count and n:  # as it is: `decode` would draw it from the prior
            values[a.key] = own[a.key]
    return scenes_with(grammar, scenes, values)


@dataclass(frozen=True, eq=False)
class Drawing:
    """How scenes are drawn for images. seed, count: of the scenes, S.  values: of attributes of which each scene has
    one, by key [S], normalised, or indices of options.  by_scene: counts and rules of such kinds [S].  by_node: counts
    and rules of other kinds, one for each row of the table [n], or one for all."""

    seed: int
    count: int
    values: Mapping[Key, NDArray[Any]]
    by_scene: Mapping[Key, Ints] = field(default_factory=dict)
    by_node: Mapping[Key, Any] = field(default_factory=dict)


def draw_scenes(grammar: Grammar, drawing: Drawing) -> SceneBatch:
    """Scenes with these values; all else is the prior's."""
    def decide(group: NodeGroup) -> dict[str, Ints]:
        decided = {name: values[group.scene] for (kind, name), values in drawing.by_scene.items() if kind == group.kind}
        for (kind, name), values in drawing.by_node.items():
            if kind == group.kind:
                own = values if np.ndim(values) == 0 else values[group.start:group.start + len(group)]
                decided[name] = np.full(len(group), own)
        return decided

    scenes = grammar.sample(drawing.seed, drawing.count, decide=decide)
    if not drawing.values:
        return scenes
    return scenes_with(grammar, scenes, {key: values[scenes.tables[key[0]].scene]
                                         for key, values in drawing.values.items()})


def given_structure(grammar: Grammar, scenes: SceneBatch) -> dict[Key, Ints]:
    """All counts and rules of scenes, as `Drawing.by_node` has them."""
    counts = {a.key: np.asarray(scenes.tables[kind][a.name]) for kind in grammar.kinds
              for a in grammar.attributes[kind].values() if a.count}
    return counts | {(kind, "rule"): scenes.tables[kind].rule for kind in grammar.kinds if grammar.rules_of(kind)}
