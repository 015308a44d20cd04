"""Objects out of focus: a Gaussian blur of each shape alone, before it is composited.

Legend: g shapes rasterised together; f layers of pixels of each; h, w pixels of their windows; t taps on each side.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]
MIN_BLUR = 0.05  # pixels; less is not computed
REACH = 3.0  # standard deviations that are computed


def taps(defocus: Array) -> Array:
    """Neighbours on each side that a blur of defocus pixels reads [n]: one of two numbers an octave, so that shapes
    form few groups."""
    need = np.ceil(REACH * np.where(defocus >= MIN_BLUR, defocus, 0.0))
    step = np.maximum(2.0 ** (np.ceil(np.log2(np.maximum(need, 1))) - 2), 1)
    return (np.ceil(need / step) * step).astype(np.int64)


def weights(defocus: Tensor, count: int) -> Tensor:
    """Of each shape's pixel and its neighbours on one side [g, t + 1], in the accuracy of defocus [g]."""
    at = torch.arange(count + 1, device=defocus.device, dtype=defocus.dtype)
    weight = torch.exp(-0.5 * (at / defocus[:, None]).square())
    return weight / (2 * weight.sum(1, keepdim=True) - weight[:, :1])


def blurred(pixels: Tensor, weight: Tensor) -> Tensor:
    """pixels [g, f, h, w], 0 beyond the windows, after the blur of `weights`."""
    return _pass(_pass(pixels, weight, 3), weight, 2)


def _pass(pixels: Tensor, weight: Tensor, axis: int) -> Tensor:
    """By sums and products alone, for a shape must have the same bytes in any group."""
    count, length = weight.shape[1] - 1, pixels.shape[axis]
    factors = weight[:, :, None, None, None].unbind(1)
    wide = torch.nn.functional.pad(pixels, (count, count, 0, 0) if axis == 3 else (0, 0, count, count))
    out = pixels * factors[0]
    for tap in range(1, count + 1):
        both = wide.narrow(axis, count - tap, length) + wide.narrow(axis, count + tap, length)
        out = out + both * factors[tap] if out.requires_grad else out.add_(both.mul_(factors[tap]))
    return out
