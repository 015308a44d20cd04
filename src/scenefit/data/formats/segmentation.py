"""Segmentations of COCO, polygons or runs of pixels (RLE, as numbers or as text): the box around one, and its mask.

Several polygons of one object are its pieces; COCO's polygons have no holes. Legend: H, W pixels.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.formats.polygons import paint_polygon
from scenefit.data.formats.reading import to_number

FAR = 10**6  # pixels from a photo's corner within which polygons are painted


class NotPainted(Exception):
    """A segmentation that does not fit its photo, with the reason."""


def box_around(segmentation: Any, path: Path, where: str) -> tuple[float, ...] | None:
    """x0, y0, x1, y1 in pixels; None where there is no polygon and no pixel. ValueError for what is no segmentation."""
    if segmentation is None or segmentation == []:
        return None
    if isinstance(segmentation, dict):
        return _around_mask(segmentation, path, where)
    corners = [value for ring in _rings(segmentation, path, where) for value in ring]
    return around(corners) if corners else None


def paint(mask: NDArray[np.uint8], segmentation: Any, code: int, path: Path, where: str,
          scale: tuple[float, float] = (1.0, 1.0)) -> int:
    """Give the pixels of a segmentation a value in the mask [H, W] of its photo; returns how many.

    scale: pixels for each unit of the polygons, across and down.  NotPainted for one that does not fit the photo;
    ValueError for what is no segmentation.
    """
    if isinstance(segmentation, dict):
        height, width, runs = _runs(segmentation, path, where)
        if (height, width) != mask.shape:
            raise NotPainted(f"left out, since its mask is of {width} x {height} pixels, and its photo of "
                             f"{mask.shape[1]} x {mask.shape[0]}")
        flat = np.zeros(mask.size, bool)
        inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        flat[:len(inside)] = inside
        mask[flat.reshape(width, height).T] = code
        return int(inside.sum())
    rings = [np.array(ring).reshape(-1, 2) * scale for ring in _rings(segmentation, path, where)]
    if not all(np.isfinite(ring).all() for ring in rings):
        raise NotPainted("left out, since its polygon has a value that is not finite")
    if any((np.abs(ring) > FAR).any() for ring in rings):
        raise NotPainted(f"left out, since its polygon lies more than {FAR:,} pixels outside its photo")
    return sum(paint_polygon(mask, ring, code) for ring in rings)


def _rings(segmentation: Any, path: Path, where: str) -> list[list[float]]:
    rings = segmentation if isinstance(segmentation, list) and isinstance(segmentation[0], list) else [segmentation]
    for ring in rings:
        if not isinstance(ring, list) or len(ring) % 2:
            raise ValueError(f"{path}, {where}: segmentation needs lists of x, y, x, y, ..., or runs with size and "
                             f"counts, got {str(ring)[:60]}")
    return [[to_number(str(value), path, where, "segmentation") for value in ring] for ring in rings]


def around(corners: list[float]) -> tuple[float, ...]:
    """The box x0, y0, x1, y1 around corners x, y, x, y, ...; of NaN where a corner is not finite."""
    if not all(map(math.isfinite, corners)):
        return (math.nan,) * 4
    across, down = corners[0::2], corners[1::2]
    return min(across), min(down), max(across), max(down)


def _runs(mask: dict[str, Any], path: Path, where: str) -> tuple[int, int, NDArray[np.int64]]:
    """H, W and the runs of pixels outside and inside in turn, column after column."""
    try:
        height, width = (int(side) for side in mask["size"])
        counts = mask["counts"]
        runs = _expand(counts) if isinstance(counts, str) else np.array(counts, np.int64)
        if not isinstance(counts, str) and (runs != np.array(counts, float)).any():
            raise ValueError("a run is no whole number")
        if height < 1 or width < 1 or runs.ndim != 1 or not ((runs >= 0) & (runs <= height * width)).all() or (
                runs.cumsum()[-1] > height * width):
            raise ValueError("the runs do not fit the size")
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{path}, {where}: segmentation needs polygons, or runs with size and counts that fit each "
                         f"other; got {str(mask)[:60]}") from error
    return height, width, runs


def _around_mask(mask: dict[str, Any], path: Path, where: str) -> tuple[float, ...] | None:
    height, _, runs = _runs(mask, path, where)
    ends = np.cumsum(runs)
    first, last = ends[0::2][:len(ends) // 2], ends[1::2] - 1
    first, last = first[first <= last], last[first <= last]
    if not len(first):
        return None
    whole = (first // height != last // height).any()  # a run over the end of a column
    return (float(first.min() // height), 0.0 if whole else float((first % height).min()),
            float(last.max() // height + 1), float(height if whole else (last % height).max() + 1))


def _expand(text: str) -> NDArray[np.int64]:
    """Runs from COCO's text, which `scenefit.data.formats.coco.encode_mask` explains."""
    runs: list[int] = []
    value = shift = 0
    for letter in text.encode("ascii"):
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (1 << shift) if bits & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return np.array(runs, np.int64)
