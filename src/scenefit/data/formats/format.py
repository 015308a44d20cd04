"""What a data-set format is, and what the formats share.

Legend: m objects; H, W pixels.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.data.frames import Frames
from scenefit.files.atomic import write_bytes

PARTS = ("train", "val")
WRITERS = 8  # threads: a disk takes many flushes at once in the time of a few

Row = dict[str, Any]
Save = Callable[[Frames, Path, Sequence[str]], list[Row]]
Finish = Callable[[Path, Iterator[Row], Sequence[str], dict[str, Any]], None]


@dataclass(frozen=True)
class Format:
    """How a data set is written: chunk by chunk, so that one that was killed can go on where it stood.

    save(frames, out, part) writes the images of one chunk below the folder out (and the labels, where each image has a
    file of its own that needs no class numbers) and returns a row for each frame: plain JSON values, all that finish
    needs, among them "scene", "part", "file" and "classes", the sorted names that it uses. part[i], "train" or "val",
    says where frame i goes. Saving the same frames again changes nothing.
    finish(out, rows, classes, info) reads the rows of all chunks once and writes the annotation files, then
    provenance.json, which holds info: a folder with a provenance.json is complete. classes fixes the numbering.
    settings: what else decides the bytes, as plain JSON values; they become part of the data set's record.
    """

    name: str
    save: Save
    finish: Finish
    settings: Mapping[str, Any] = field(default_factory=dict)


def file_name(scene: int) -> str:
    return f"{scene:08d}.png"


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """image [H, W, 3], whole or absent; the same image always gives the same bytes."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG", compress_level=3)
    write_bytes(path, data.getvalue())


def write_all(write: Callable[[Path, Any], None], files: Iterable[tuple[Path, Any]]) -> None:
    """write(path, content) for each of the files, some at once; the first error, after the others are done.

    A file is whole once it is flushed to the disk, and one waits for that as long as for the writing; a journalling
    file system flushes eight as fast as one. All are written when this returns.
    """
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(write, *zip(*files, strict=True)):
            pass


def check_parts(frames: Frames, part: Sequence[str]) -> None:
    """ValueError unless part says train or val for each frame."""
    if len(part) != len(frames):
        raise ValueError(f"part needs one entry a frame, {len(frames)}, got {len(part)}")
    for name in part:
        if name not in PARTS:
            raise ValueError(f"part needs 'train' or 'val' for each frame, got {name!r}")


def check_classes(row: Row, classes: Sequence[str]) -> None:
    """ValueError where a row uses a class that is not among classes."""
    for name in row["classes"]:
        if name not in classes:
            raise ValueError(f"scene {row['scene']} has the class {name!r}, which is not among the data set's classes "
                             f"{list(classes)}")
