"""Posterior samples: for each photo, scenes that may explain it. What all steps after inference work on.

Legend: N photos; k samples of each; n nodes of a kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scenefit.scenes.attributes import Key
from scenefit.scenes.scene import Ints, SceneBatch

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PosteriorSamples:
    """scenes: N * k, those of a photo side by side.  photo [N * k]: which photo each may explain.  inferred: the keys,
    (kind, name), that photos told; all else is drawn from the prior.  box: of each node of a kind [n, 4], that of the
    predicted object whose values it has; NaN where there is none.  renders: drawn to find them."""

    scenes: SceneBatch
    photo: Ints
    inferred: frozenset[Key]
    box: Mapping[str, Floats] = field(default_factory=dict)
    renders: int = 0
