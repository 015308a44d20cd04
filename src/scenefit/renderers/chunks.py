"""Batches of scenes cut into chunks by their index, and frames of the chunks joined again.

Legend: n nodes of a kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.frames import Frames
from scenefit.renderers import RenderError
from scenefit.scenes.scene import SceneBatch

CHUNK = 64  # scenes a task: those of the same index // CHUNK, so that what a scene is batched with is always the same

Part = Mapping[str, Any]  # the fields of Frames but its scenes


def chunk_rows(scenes: SceneBatch) -> list[NDArray[np.int64]]:
    """Rows of the scenes in each chunk: those of the same index // CHUNK."""
    key = scenes.index // CHUNK
    order = np.argsort(key, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(key[order])) + 1)


def part_of(frames: Frames) -> Part:
    """Frames without their scenes, which the receiving process has."""
    return {"images": frames.images, "label": frames.label, "pixels": frames.pixels, "nodes": frames.nodes}


def join(scenes: SceneBatch, chunks: Sequence[NDArray[np.int64]], parts: Sequence[Part]) -> Frames:
    """One Frames from the parts rendered of some rows of scenes each. RenderError if their images or labels differ in
    shape, or if some lack pixels that others have."""
    _check_alike(scenes, chunks, parts)
    order = np.argsort(np.concatenate(chunks))
    chunk = np.empty(len(scenes), np.int64)
    for number, rows in enumerate(chunks):
        chunk[rows] = number
    nodes = {}
    for name in _names(part["nodes"] for part in parts):
        columns = [part["nodes"].get(name, {}) for part in parts]
        nodes[name] = {kind: _gather(chunk[scenes.tables[kind].scene], [column.get(kind) for column in columns])
                       for kind in scenes.kinds if any(kind in column for column in columns)}
    return Frames(scenes, np.concatenate([part["images"] for part in parts])[order],
                  np.concatenate([part["label"] for part in parts])[order],
                  {name: np.concatenate([part["pixels"][name] for part in parts])[order]
                   for name in _names(part["pixels"] for part in parts)}, nodes)


def _names(mappings: Iterator[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _check_alike(scenes: SceneBatch, chunks: Sequence[NDArray[np.int64]], parts: Sequence[Part]) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    for rows, part in zip(chunks, parts, strict=True):
        reason = ""
        if part["images"].shape[1:] != parts[0]["images"].shape[1:]:
            reason = (f"their images are {part['images'].shape[1:3]} (height, width), but those of the other scenes "
                      f"{parts[0]['images'].shape[1:3]}")
        elif part["pixels"].keys() != parts[0]["pixels"].keys():
            reason = f"they have the pixels {sorted(part['pixels'])}, but the other scenes {sorted(parts[0]['pixels'])}"
        for name, values in _arrays(part):
            if shapes.setdefault(name, values.shape[1:]) != values.shape[1:]:
                reason = reason or (f"their {name} have rows of the shape {list(values.shape[1:])}, but those of the "
                                    f"other scenes {list(shapes[name])}")
        if reason:
            raise RenderError(reason, scenes.seed, scenes.index[rows])


def _arrays(part: Part) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, values in part["pixels"].items():
        yield f"pixels {name!r}", values
    for name, columns in part["nodes"].items():
        for kind, values in columns.items():
            yield f"nodes {name!r} of {kind}", values


def _gather(chunk: NDArray[np.int64], columns: Sequence[Any]) -> NDArray[Any]:
    """Column [n, ...] of a table whose rows were rendered in chunk [n]; where a part lacks it, NaN (not known) or, of
    texts, ""."""
    have = next(column for column in columns if column is not None)
    unknown: Any = "" if have.dtype.kind == "U" else np.nan
    counts = np.bincount(chunk, minlength=len(columns))
    filled = [np.full((n, *have.shape[1:]), unknown) if column is None else column
              for n, column in zip(counts, columns, strict=True)]
    return np.concatenate(filled)[np.argsort(np.argsort(chunk, kind="stable"))]
