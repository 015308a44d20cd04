"""Batches of scenes cut into chunks that start at fixed indices, and frames put together again.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.frames import Frames
from scenefit.renderers import RenderError
from scenefit.scenes.scene import SceneBatch

CHUNK = 64  # scenes a task: those whose index // CHUNK is the same, so a scene's company does not depend on the pool
FIELDS = ("images", "instances", "label", "classes", "amodal", "area", "inside")


def chunk_rows(scenes: SceneBatch) -> list[NDArray[np.int64]]:
    """Rows of the scenes in each chunk: those of the same index // CHUNK."""
    key = scenes.index // CHUNK
    order = np.argsort(key, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(key[order])) + 1)


def join(scenes: SceneBatch, chunks: Sequence[NDArray[np.int64]], parts: Sequence[dict[str, Any]]) -> Frames:
    """One Frames from the parts drawn of some rows of scenes each. RenderError if their sizes differ."""
    for rows, part in zip(chunks, parts, strict=True):
        if part["images"].shape[1:] != parts[0]["images"].shape[1:]:
            raise RenderError(f"their images are {part['images'].shape[1:3]} (height, width), but those of the other "
                              f"scenes {parts[0]['images'].shape[1:3]}", scenes.seed, scenes.index[rows])
    order = np.argsort(np.concatenate(chunks))
    joined: dict[str, Any] = {
        name: np.concatenate([part[name] for part in parts])[order] for name in ("images", "instances", "label")}
    place = np.empty(len(scenes), np.int64)
    for number, rows in enumerate(chunks):
        place[rows] = number
    for name in ("classes", "amodal", "area", "inside"):
        kinds = [kind for kind in scenes.kinds if any(kind in part[name] for part in parts)]
        joined[name] = {kind: _gather(place[scenes.tables[kind].scene], [part[name].get(kind) for part in parts])
                        for kind in kinds}
    return Frames(scenes, **joined)


def _gather(chunk: NDArray[np.int64], columns: Sequence[Any]) -> NDArray[Any]:
    """Column [n] or [n, 4] of a table whose rows were drawn in chunk [n]; NaN, not known, where a part lacks it."""
    have = next(column for column in columns if column is not None)
    counts = np.bincount(chunk, minlength=len(columns))
    filled = [np.full((n, *have.shape[1:]), np.nan) if column is None else column
              for n, column in zip(counts, columns, strict=True)]
    return np.concatenate(filled)[np.argsort(np.argsort(chunk, kind="stable"))]


def _parts(frames: Frames) -> dict[str, Any]:
    """Frames without their scenes, which the parent has."""
    return {name: getattr(frames, name) for name in FIELDS}
