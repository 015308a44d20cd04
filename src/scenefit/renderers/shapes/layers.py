"""Compositing of layers, each on its own window, one over the other, with exact gradients.

A layer turns the light of a pixel into `light * keep + ink * (through * light + own)`: opaque paint has no `through`, a
stain that absorbs has no `own`, and a lamp has a `keep` of 1. Legend: S images; H, W pixels; g layers of one stack; h,
w their windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """image: row of its image.  stack, row: where its pixels are.  top, left: first pixel of its window.  owner: id of
    the node whose pixels they are."""

    image: int
    stack: int
    row: int
    top: int
    left: int
    owner: int


@dataclass(frozen=True, eq=False)
class Stack:
    """Layers with windows of one size. solid: a mask; keep, ink; all [g, h, w].  through, own: [g, 3]."""

    solid: Tensor
    keep: Tensor
    ink: Tensor
    through: Tensor
    own: Tensor


def overlap(layer: Layer, size: tuple[int, int], window: tuple[int, int]) -> tuple[slice, slice, slice, slice] | None:
    """Rows and columns of the image, and of the window, where the two overlap; None if they do not."""
    (height, width), (h, w) = size, window
    y0, y1 = max(layer.top, 0), min(layer.top + h, height)
    x0, x1 = max(layer.left, 0), min(layer.left + w, width)
    if y0 >= y1 or x0 >= x1:
        return None
    down, across = slice(y0 - layer.top, y1 - layer.top), slice(x0 - layer.left, x1 - layer.left)
    return slice(y0, y1), slice(x0, x1), down, across


def composite(canvas: Tensor, layers: list[Layer], stacks: list[Stack]) -> Tensor:
    """canvas [S, 3, H, W] with the layers over it, in their order; in place where no gradient is needed."""
    flat = [part for stack in stacks for part in (stack.keep, stack.ink, stack.through, stack.own)]
    if torch.is_grad_enabled() and any(part.requires_grad for part in (canvas, *flat)):
        return _Put.apply(canvas, layers, *flat)
    if canvas.device.type == "cpu":  # the same arithmetic, but numpy is quicker with small windows
        _paint(canvas.numpy(), layers, [part.numpy() for part in flat])
    else:
        _paint(canvas, layers, flat)
    return canvas


def _paint(canvas: Any, layers: list[Layer], flat: Sequence[Any], below: list[Any] | None = None) -> None:
    """Paint into canvas; it and flat are tensors or arrays. below: a list that collects the light below each layer,
    None for one outside the image."""
    size = (canvas.shape[2], canvas.shape[3])
    for layer in layers:
        keep, ink, through, own = flat[4 * layer.stack:4 * layer.stack + 4]
        place = overlap(layer, size, (keep.shape[1], keep.shape[2]))
        if place is None:
            if below is not None:
                below.append(None)
            continue
        rows, columns, down, across = place
        light = canvas[layer.image, :, rows, columns]
        if below is not None:
            below.append(light.clone())
        added = light * through[layer.row, :, None, None]
        added += own[layer.row, :, None, None]
        added *= ink[layer.row, down, across]
        light *= keep[layer.row, down, across]
        light += added


def write_ids(ids: Tensor, layers: list[Layer], solid: list[Tensor]) -> None:
    """Write the owner of each layer into ids [S, H, W] where it is solid. solid: a mask [g, h, w] for each stack."""
    size, on_cpu = (ids.shape[1], ids.shape[2]), ids.device.type == "cpu"
    into: Any = ids.numpy() if on_cpu else ids
    masks: list[Any] = [mask.numpy() for mask in solid] if on_cpu else solid
    for layer in layers:
        mask = masks[layer.stack]
        place = overlap(layer, size, (mask.shape[1], mask.shape[2]))
        if place is None:
            continue
        rows, columns, down, across = place
        if on_cpu:
            np.copyto(into[layer.image, rows, columns], layer.owner, where=mask[layer.row, down, across])
        else:
            into[layer.image, rows, columns].masked_fill_(mask[layer.row, down, across], layer.owner)


class _Put(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, canvas: Tensor, layers: list[Layer], *flat: Tensor) -> Tensor:
        ctx.layers, ctx.below = layers, []
        ctx.save_for_backward(*flat)
        painted = canvas.clone()
        _paint(painted, layers, flat, ctx.below)
        return painted

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        flat, slope = ctx.saved_tensors, gradients[0].clone()
        found = [torch.zeros_like(part) for part in flat]
        size = (slope.shape[2], slope.shape[3])
        for layer, light in zip(reversed(ctx.layers), reversed(ctx.below), strict=True):
            if light is None:
                continue
            at, row = 4 * layer.stack, layer.row
            keep, ink, through, own = flat[at:at + 4]
            place = overlap(layer, size, (keep.shape[1], keep.shape[2]))
            assert place is not None
            rows, columns, down, across = place
            g = slope[layer.image, :, rows, columns]
            tint = through[row, :, None, None]
            found[at][row, down, across] = (g * light).sum(0)
            found[at + 1][row, down, across] = (g * (light * tint + own[row, :, None, None])).sum(0)
            inked = g * ink[row, down, across]
            found[at + 2][row], found[at + 3][row] = (inked * light).sum((1, 2)), inked.sum((1, 2))
            g *= keep[row, down, across]
            g += inked * tint
        return slope, None, *found


def subtract(mask: Tensor, layer: Layer, other: Tensor, below: Layer) -> None:
    """Clear the mask [h, w] of a layer, in place, where that of another, below, is set."""
    place = overlap(Layer(0, 0, 0, below.top - layer.top, below.left - layer.left, 0), (mask.shape[0], mask.shape[1]),
                (other.shape[0], other.shape[1]))
    if place is not None:
        rows, columns, down, across = place
        mask[rows, columns] &= ~other[down, across]


def union(one: Array, other: Array) -> Array:
    """Box, area and area inside [6], as `masks.measure` gives them, of two masks that share no pixel."""
    if not (one[4] and other[4]):
        return one + other  # one of them is all zero
    return np.concatenate([np.minimum(one[:2], other[:2]), np.maximum(one[2:4], other[2:4]), one[4:] + other[4:]])
