"""Scenes to be derived for images, and what they become.

Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.metrics.assignment import Extents
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.scenes.attributes import Key
from scenefit.scenes.grammar.values import Drawing
from scenefit.scenes.scene import Ints, SceneBatch


@dataclass(frozen=True, eq=False)
class Case:
    """Scenes to be drawn for images. image [S]: of each scene.  objects: predicted in the images."""

    drawing: Drawing
    image: Ints
    objects: ObjectPredictions

    @property
    def found(self) -> Extents:
        return Extents(self.objects.image, self.objects.kind, self.objects.box)


@dataclass(frozen=True, eq=False)
class Derived:
    """scenes: S.  values: of attributes of the image, as `Drawing` has them.  objects: of each node of a placed kind
    [n], the row of the predicted object at its place, -1 for none.  inferred: what was found, by key.  renders: how
    many it took."""

    scenes: SceneBatch
    values: Mapping[Key, NDArray[Any]]
    objects: Mapping[str, Ints] = field(default_factory=dict)
    inferred: frozenset[Key] = frozenset()
    renders: int = 0


# photos, renders of known truth, the scenes of these, random numbers -> the photos' scenes
Derive = Callable[[Case, Case, SceneBatch, np.random.Generator], Derived]
