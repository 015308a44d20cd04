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
MAX_VALUE = 1e9  # pixels, degrees, grey levels: beyond it, positions have no meaning and indices of pixels overflow


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
    if not isinstance(values, Tensor):
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite, which the check names
            values = np.asarray(values).astype(np.float64)
    column = torch.as_tensor(values, device=device).to(torch.float64)
    check_column(scenes, kind, name, column, np.isfinite(to_numpy(column)), "a finite number", who)
    return column


def check_extent(scenes: SceneBatch, kind: str, name: str, column: Tensor, who: str, low: float = -np.inf,
                 high: float = np.inf) -> None:
    """ValueError, naming the scene, for a value that is finite but absurd, on a side that has no limit of its own.

    low, high: limits to which the values are clipped, infinite for none.
    """
    values = to_numpy(column)
    good = ((values >= -MAX_VALUE) | (low > -np.inf)) & ((values <= MAX_VALUE) | (high < np.inf))
    check_column(scenes, kind, name, column, good, f"a number from {max(low, -MAX_VALUE):g} to "
                 f"{min(high, MAX_VALUE):g}; bound its prior", who)


def check_column(scenes: SceneBatch, kind: str, name: str, column: Tensor, good: Array, need: str, who: str) -> None:
    """ValueError, naming the scene and the node, unless all are good [n]."""
    if not good.all():
        row, table = int(np.argmin(good)), scenes.tables[kind]
        raise ValueError(f"{kind}.{name} is {column[row].item():g} in scene {int(scenes.index[table.scene[row]])} of "
                         f"seed {scenes.seed} (node {int(table.id[row])}); {who} needs {need}")
