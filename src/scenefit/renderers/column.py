"""Columns of a scene batch as checked tensors that keep their gradient, for renderers in torch.

Legend: n nodes of a kind.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.scenes.scene import SceneBatch

Array = NDArray[Any]


def to_numpy(column: Tensor) -> Array:
    """A column as an array, without its gradient."""
    return column.detach().cpu().numpy()


def read_column(scenes: SceneBatch, kind: str, name: str, device: str | torch.device, who: str) -> Tensor | None:
    """A column as a float64 tensor [n]; None where the kind has no such attribute.

    ValueError, naming the renderer `who`, for a value that is not a finite number.
    """
    values = scenes.tables[kind].columns.get(name)
    if values is None:
        return None
    if not isinstance(values, Tensor) and np.asarray(values).dtype.kind not in "iufb":
        raise ValueError(f"{who} needs {kind}.{name} to be a number, got {np.asarray(values).dtype} values")
    column = torch.as_tensor(values, device=device).to(torch.float64)
    check_column(scenes, kind, name, column, np.isfinite(to_numpy(column)), "a finite number", who)
    return column


def check_column(scenes: SceneBatch, kind: str, name: str, column: Tensor, good: Array, need: str, who: str) -> None:
    """ValueError, naming the scene, unless all are good [n]."""
    if not good.all():
        row = int(np.argmin(good))
        index = int(scenes.index[scenes.tables[kind].scene[row]])
        raise ValueError(f"{kind}.{name} is {column[row].item():g} in scene {index} of seed {scenes.seed}; {who} "
                         f"needs {need}")
