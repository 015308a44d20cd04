"""Polygons of masks along the edges of their pixels, and masks of polygons.

A pixel belongs to a polygon if its centre lies inside by the even-odd rule; so the mask of a mask's polygon is that
mask. Legend: H, W pixels; k corners.
"""

import numpy as np
from numpy.typing import NDArray


def polygon_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The corners x, y [k, 2] of a mask [H, W] as one polygon; none of an empty mask. Pieces and holes are joined by
    bridges of no width, a line there and back, as Ultralytics joins the polygons of COCO."""
    whole, *others = _rings(mask) or [np.zeros((0, 2), np.int64)]
    for ring in others:
        distance = np.abs(whole[:, None] - ring[None]).sum(axis=2)
        here, there = np.unravel_index(distance.argmin(), distance.shape)
        turn = np.array([[ring[there, 0], whole[here, 1]]])  # so that bridges, too, run along edges of pixels
        whole = np.concatenate([whole[:here + 1], turn, ring[there:], ring[:there + 1], turn, whole[here:]])
    return whole


def _rings(mask: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """The closed borders of a mask, each as its corners. Where two pixels touch by a corner alone, two borders meet;
    which of them goes on where makes no difference to the even-odd rule."""
    padded = np.pad(mask, 1).astype(np.int8)
    turns = np.abs(padded[1:, 1:] + padded[:-1, :-1] - padded[1:, :-1] - padded[:-1, 1:])  # 2 where two borders meet
    y, x = np.nonzero(turns)
    y, x = np.repeat(y, turns[y, x]), np.repeat(x, turns[y, x])
    by_column, other = np.lexsort((y, x)), np.empty(len(x), np.int64)
    other[by_column[0::2]], other[by_column[1::2]] = by_column[1::2], by_column[0::2]
    above_or_below, seen, rings = other.tolist(), np.zeros(len(x), bool), []
    for start in range(0, len(x), 2):
        corner, ring = start, list[int]()
        while not seen[corner]:  # corners of a row are the ends of its edges, two by two
            ring += [corner, corner ^ 1]
            seen[ring[-2:]] = True
            corner = above_or_below[corner ^ 1]
        if ring:
            rings.append(np.stack([x[ring], y[ring]], axis=1))
    return rings


def paint_polygon(mask: NDArray[np.uint8], corners: NDArray[np.float64], code: int) -> int:
    """Give the pixels of a mask [H, W] whose centres lie inside a polygon [k, 2] a value; returns how many."""
    height, width = mask.shape
    (x0, y0), (x1, y1) = corners.T, np.roll(corners, -1, axis=0).T
    first, last = (np.clip(np.ceil(end(y0, y1) - 0.5), 0, height).astype(np.int64) for end in (np.minimum, np.maximum))
    count = last - first  # of the rows whose centres an edge crosses
    if not count.any():
        return 0
    edge = np.repeat(np.arange(len(count)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    x = x0[edge] + (row + 0.5 - y0[edge]) * (x1 - x0)[edge] / (y1 - y0)[edge]
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    top, left = row.min(), column.min()
    crossed = np.zeros((row.max() + 1 - top, column.max() + 1 - left), np.uint8)
    np.add.at(crossed, (row - top, column - left), 1)
    inside = np.cumsum(crossed, axis=1, dtype=np.uint8)[:, :-1] % 2 == 1
    mask[top:top + inside.shape[0], left:left + inside.shape[1]][inside] = code
    return int(inside.sum())
