"""What a data-set format is, and what the formats share.

Legend: m objects; H, W pixels.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.contrast import contrast
from scenefit.files import write_bytes
from scenefit.frame import Frames

PARTS = ("train", "val")
BOXES = ("visible", "amodal")
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


@dataclass(frozen=True)
class Keep:
    """Which objects become labels, and which box they get. The rest stay in the image without a label.

    min_pixels: seen in at least so many.  min_visibility: at least this share of the extent inside the image is seen.
    min_side: what is seen is at least so many pixels wide and high.  max_truncation: at most this share of the object
    lies outside the image.  min_contrast: it stands out by at least so much from what is around it, 0..1 (see
    `scenefit.contrast`); 0.06 leaves out what can hardly be seen.  box: "visible", around what is seen, or "amodal",
    around the whole object, hidden parts too, as far as it lies inside the image; annotators do either, so take what
    those of your photos did.  margin: the box is wider at each side by this share of its width, and so is its height;
    people who draw boxes by hand leave some 0.05.
    """

    min_pixels: int = 4
    min_visibility: float = 0.05
    min_side: int = 1
    max_truncation: float = 1.0
    min_contrast: float = 0.0
    box: str = "visible"
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.min_pixels < 1:
            raise ValueError(f"Keep needs min_pixels >= 1: an object that is not seen has no label, "
                             f"got min_pixels={self.min_pixels}")
        if self.min_side < 1:
            raise ValueError(f"Keep needs min_side >= 1 pixel, got min_side={self.min_side}")
        for name in ("min_visibility", "max_truncation", "min_contrast"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Keep needs {name} in 0..1, got {name}={getattr(self, name)}")
        if not 0 <= self.margin <= 1:
            raise ValueError(f"Keep needs a margin in 0..1 of the box's sides, got margin={self.margin}")
        if self.box not in BOXES:
            raise ValueError(f"Keep needs box='visible' or box='amodal', got box={self.box!r}")

    def of(self, frames: Frames) -> NDArray[np.bool_]:
        """Whether each of the frames' objects becomes a label [m]; one whose class is "" never does."""
        objects = frames.objects
        seen = (objects.pixels >= self.min_pixels) & (objects.visibility >= self.min_visibility)
        large = (objects.box[:, 2:] - objects.box[:, :2] >= self.min_side).all(axis=1)
        kept = seen & large & (objects.truncation <= self.max_truncation) & (objects.name != "")
        return kept & (contrast(frames) >= self.min_contrast) if self.min_contrast else kept

    def boxes(self, frames: Frames) -> NDArray[np.float64]:
        """The box that each object which is seen gets as a label [m, 4]: inside the image, around what is seen."""
        objects, edge = frames.objects, np.array(frames.images.shape[2:0:-1])
        low, high = objects.box[:, :2], objects.box[:, 2:]
        if self.box == "amodal":
            low = np.minimum(np.clip(objects.amodal[:, :2], 0, edge), low)
            high = np.maximum(np.clip(objects.amodal[:, 2:], 0, edge), high)
        more = self.margin * (high - low)
        low, high = np.clip(low - more, 0, edge), np.clip(high + more, 0, edge)
        return np.concatenate([low, high], axis=1)

    def settings(self) -> dict[str, Any]:
        """For `Format.settings`."""
        return {"keep": asdict(self)}


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
