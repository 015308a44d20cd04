"""Arrays that may be larger than memory: from 256 MiB on they lie in a temporary file, and the system keeps only the
parts in use in memory.

The file has no name, so that nothing is left of it when the process ends, however it ends.
"""

import mmap
import os
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 2**28  # bytes of an array that is kept in memory whole
BLOCK = 2**25  # bytes copied at once


def scratch_array(shape: Sequence[int], dtype: Any, in_memory: int | None = None) -> NDArray[Any]:
    """An array of zeros, used as any other: in memory up to so many bytes (256 MiB by default), else in a file without
    a name in the folder for temporary files (set by TMPDIR), which goes when the array does. Where that folder has no
    room, in memory too."""
    shape, dtype = tuple(int(length) for length in shape), np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size <= (IN_MEMORY if in_memory is None else in_memory) or not hasattr(os, "posix_fallocate"):
        return np.zeros(shape, dtype)
    try:
        with tempfile.TemporaryFile(prefix="scenefit-") as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a write beyond the room left would kill the process later
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype).reshape(shape)
    except OSError:
        return np.zeros(shape, dtype)


def release(array: NDArray[Any]) -> None:
    """Tell the system that no part of a `scratch_array` (or of the array that a view is of) is needed in memory now.
    Its values stay; any other array is left alone."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    if base is not None and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def collect_arrays(parts: Iterable[NDArray[Any]], count: int) -> NDArray[Any]:
    """Arrays that make one of count rows, as a `scratch_array`; a single one as it is."""
    out, at = None, 0
    for part in parts:
        if len(part) == count:
            return part
        if out is None:
            out = scratch_array((count, *part.shape[1:]), part.dtype)
        out[at:at + len(part)] = part
        at += len(part)
        release(out)
    return np.zeros(0) if out is None else out


def collect_several(parts: Iterable[Sequence[NDArray[Any]]], count: int,
                    in_memory: int | None = None) -> list[NDArray[Any]]:
    """Several arrays of count rows each, whose rows come side by side in parts, as `scratch_array`s."""
    out: list[NDArray[Any]] = []
    at = 0
    for arrays in parts:
        out = out or [scratch_array((count, *own.shape[1:]), own.dtype, in_memory) for own in arrays]
        for into, own in zip(out, arrays, strict=True):
            into[at:at + len(own)] = own
            release(into)
        at += len(arrays[0])
    return out


def take_rows(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """array[rows], as a scratch array where it is large."""
    row = int(np.prod(array.shape[1:], dtype=np.int64)) * array.itemsize
    if len(rows) * row <= IN_MEMORY:
        return array[rows]
    out, step = scratch_array((len(rows), *array.shape[1:]), array.dtype), max(1, BLOCK // max(row, 1))
    for first in range(0, len(rows), step):
        out[first:first + step] = array[rows[first:first + step]]
        release(out)
        release(array)
    return out
