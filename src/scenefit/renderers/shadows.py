"""Shadows that flat objects cast on what lies below them: the same outline, moved in one direction an image.

Legend: S scenes; n objects; k of them that cast a shadow.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.renderers.column import to_numpy


class Shadows(NamedTuple):
    """row: objects that cast a shadow.  right, down: how far it lies from them, pixels.  share: of the light that it
    takes. All [k]."""

    row: NDArray[Any]
    right: Tensor
    down: Tensor
    share: Tensor


def cast_shadows(height: Tensor, scene: NDArray[Any], shadow: Tensor, angle: Tensor) -> Shadows:
    """Of objects [n] as far as their height, pixels. scene [n]: whose.  shadow, angle [S]: the share of the light that
    shadows take, and the direction in which they fall, degrees counter-clockwise from right."""
    dark = to_numpy(shadow)[scene] > 0
    row = np.flatnonzero((to_numpy(height) > 0) & (dark | shadow.requires_grad))
    mine, of = (torch.as_tensor(rows, device=shadow.device) for rows in (row, scene[row]))
    far, turn = height[mine], torch.deg2rad(angle)[of]
    return Shadows(row, far * turn.cos(), -far * turn.sin(), shadow[of])
