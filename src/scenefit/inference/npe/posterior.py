"""Posterior samples: for each photo, scenes that may explain it. What all steps after inference work on.

Legend: N photos; k samples of each; n nodes of a kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.scenes.attributes import Attribute, Key, NodeGroup, View, draw
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import Ints, SceneBatch

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PosteriorSamples:
    """scenes: N * k, those of a photo side by side.  photo [N * k]: which photo each may explain.  inferred: the keys,
    (kind, name), that photos told; all else is drawn from the prior.  box: of each node of a kind [n, 4], that of the
    predicted object whose values it has; NaN where there is none."""

    scenes: SceneBatch
    photo: Ints
    inferred: frozenset[Key]
    box: Mapping[str, Floats] = field(default_factory=dict)


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
