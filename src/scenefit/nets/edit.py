"""Scenes sampled from a learned distribution, with the log-probability of every choice made.

Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scenefit.scenes.attributes import Key, NormalisedValues
from scenefit.scenes.scene import SceneBatch


@dataclass(frozen=True, eq=False)
class Edit:
    """One sample of a `SceneDistribution`. scenes: S of them.

    offsets: (kind, name) -> [n], with gradient, of every learned number but counts.  codes: the same of choices, the
    indices of their options.  normalised: see `NormalisedValues`.  log_probs: (kind, name) -> [n] of these very values,
    with gradient; rules under (kind, "rule").
    """

    scenes: SceneBatch
    offsets: Mapping[Key, Tensor]
    codes: Mapping[Key, np.ndarray]
    normalised: Mapping[Key, NormalisedValues]
    log_probs: Mapping[Key, Tensor]

    def log_prob(self, keys: Iterable[Key] | None = None) -> Tensor:
        """Of each scene [S], over all that was sampled or over these keys."""
        total = torch.zeros(len(self.scenes))
        for key in self.log_probs if keys is None else keys:
            total = total.index_add(0, torch.from_numpy(self.scenes.tables[key[0]].scene), self.log_probs[key])
        return total

    def take(self, rows: np.ndarray) -> "Edit":
        """Some of the scenes, rows rising."""
        keep = np.zeros(len(self.scenes), bool)
        keep[rows] = True
        at = {kind: np.flatnonzero(keep[table.scene]) for kind, table in self.scenes.tables.items()}

        def some(values: Mapping[Key, Tensor]) -> dict[Key, Tensor]:
            return {key: value[torch.from_numpy(at[key[0]])] for key, value in values.items()}

        return Edit(self.scenes.take(rows), some(self.offsets),
                    {key: codes[at[key[0]]] for key, codes in self.codes.items()},
                    {key: v.take(at[key[0]]) for key, v in self.normalised.items()}, some(self.log_probs))
