"""The box around a segmentation of COCO: polygons, or runs of pixels (RLE, as numbers or as text)."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.formats.reading import to_number


def box_around(segmentation: Any, path: Path, where: str) -> tuple[float, ...] | None:
    """x0, y0, x1, y1 in pixels; None where there is no polygon and no pixel. ValueError for what is no segmentation."""
    if segmentation is None or segmentation == []:
        return None
    if isinstance(segmentation, dict):
        return _around_mask(segmentation, path, where)
    rings = segmentation if isinstance(segmentation, list) and isinstance(segmentation[0], list) else [segmentation]
    corners: list[float] = []
    for ring in rings:
        if not isinstance(ring, list) or len(ring) % 2:
            raise ValueError(f"{path}, {where}: segmentation needs lists of x, y, x, y, ..., or runs with size and "
                             f"counts, got {str(ring)[:60]}")
        corners += [to_number(str(value), path, where, "segmentation") for value in ring]
    return around(corners) if corners else None


def around(corners: list[float]) -> tuple[float, ...]:
    """The box x0, y0, x1, y1 around corners x, y, x, y, ...; of NaN where a corner is not finite."""
    if not all(map(math.isfinite, corners)):
        return (math.nan,) * 4
    across, down = corners[0::2], corners[1::2]
    return min(across), min(down), max(across), max(down)


def _around_mask(mask: dict[str, Any], path: Path, where: str) -> tuple[float, ...] | None:
    try:
        height, width = (int(side) for side in mask["size"])
        counts = mask["counts"]
        runs = _expand(counts) if isinstance(counts, str) else np.array(counts, np.int64)
        ends = np.cumsum(runs)
        if height < 1 or width < 1 or runs.ndim != 1 or (runs < 0).any() or ends[-1] > height * width:
            raise ValueError("the runs do not fit the size")
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{path}, {where}: segmentation needs polygons, or runs with size and counts that fit each "
                         f"other; got {str(mask)[:60]}") from error
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
