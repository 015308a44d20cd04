"""What a data-set format is, and what the formats share."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.files import write_bytes
from scenefit.frame import Frames, Objects

PARTS = ("train", "val")

Row = dict[str, Any]
Save = Callable[[Frames, Path, Sequence[str]], list[Row]]
Finish = Callable[[Path, Iterator[Row], Sequence[str], dict[str, Any]], None]


@dataclass(frozen=True)
class Format:
    """How a data set is written: chunk by chunk, so that one that was killed can go on where it stood.

    save(frames, out, part) writes the images of one chunk below the folder out and returns a row for each frame:
    plain JSON values, all that finish needs, among them "scene", "part", "file" and "classes", the sorted names
    that it uses. part[i], "train" or "val", says where frame i goes. Saving the same frames again changes nothing.
    finish(out, rows, classes, info) reads the rows of all chunks once and writes the annotation files, then
    provenance.json, which holds info: a folder with a provenance.json is complete. classes fixes the numbering.
    """

    name: str
    save: Save
    finish: Finish


@dataclass(frozen=True)
class Keep:
    """Which objects become labels: those seen in at least min_pixels pixels, and in at least min_visibility of their
    extent inside the image (0..1). The rest stay in the image without a label."""

    min_pixels: int = 4
    min_visibility: float = 0.05

    def __post_init__(self) -> None:
        if self.min_pixels < 1:
            raise ValueError(f"Keep needs min_pixels >= 1: an object that is not seen has no label, "
                             f"got min_pixels={self.min_pixels}")
        if not 0 <= self.min_visibility <= 1:
            raise ValueError(f"Keep needs min_visibility in 0..1, got min_visibility={self.min_visibility}")

    def of(self, objects: Objects) -> NDArray[np.bool_]:
        """Whether each object becomes a label [m]; one whose class is "" never does."""
        seen = (objects.pixels >= self.min_pixels) & (objects.visibility >= self.min_visibility)
        return seen & (objects.name != "")


def file_name(scene: int) -> str:
    return f"{scene:08d}.png"


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """image [H, W, 3], whole or absent; the same image always gives the same bytes."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG", compress_level=3)
    write_bytes(path, data.getvalue())


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
