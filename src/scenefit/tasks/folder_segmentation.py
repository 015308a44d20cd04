"""Segmentation of a folder of photos: masks of the photos' own size, the area of each class, and pictures.

    masks/<name>.png    labelmap.txt    areas.csv    <name>.<ending>.png

Legend: H, W pixels; h, w pixels of the network's images; C classes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.data.class_mask_files import label_map, mask_png
from scenefit.data.class_masks import IGNORED
from scenefit.data.image_files import Fitted
from scenefit.files.atomic import write_bytes
from scenefit.files.csv_table import csv_bytes
from scenefit.files.text import counted
from scenefit.report.mask_overlay import mask_overlay
from scenefit.tasks.photo_folders import FolderOutput, Photo, has, picture_path

MASKS = "masks"  # folder


@dataclass(frozen=True)
class MaskOutput(FolderOutput):
    """What is written about classes of pixels. A photo has `pixels`, how many show each class, and `seen`, how many the
    network saw: all but the cropped margins.

    classes: of the network.  names: the mask's name of each photo's file name (`mask_names`)."""

    classes: tuple[str, ...]
    names: Mapping[str, str]
    pictures: bool = True
    results: ClassVar[str] = "masks"

    def found(self, trained: Any, photos: Sequence[Fitted], images: NDArray[np.uint8], folder: Path,
              out: Path) -> list[dict[str, Any]]:
        rows = []
        for photo, small in zip(photos, trained.task.segment(trained.network, images).masks, strict=True):
            mask = full_mask(small, photo)
            write_bytes(self._mask(photo.path.relative_to(folder).as_posix(), out), mask_png(mask))
            counts = np.bincount(mask.ravel(), minlength=IGNORED + 1)
            rows.append({"pixels": counts[1:len(self.classes) + 1].tolist(), "seen": int(counts[:IGNORED].sum())})
        return rows

    def is_found(self, photo: Photo) -> bool:
        return (has(photo, {"pixels": list, "seen": int}) and len(photo["pixels"]) == len(self.classes)
                and all(type(count) is int and count >= 0 for count in (*photo["pixels"], photo["seen"])))

    def is_there(self, photo: Photo, out: Path) -> bool:
        return self._mask(photo["file_name"], out).is_file()

    @property
    def drawn_with(self) -> dict[str, Any]:
        return {}

    def draw(self, photo: Photo, image: NDArray[np.uint8], out: Path) -> Image.Image:
        with Image.open(self._mask(photo["file_name"], out)) as mask:
            return mask_overlay(image, np.asarray(mask), self.classes)

    def files(self, photos: Sequence[Photo], out: Path) -> dict[Path, bytes]:
        rows = ([photo["file_name"], name, count, f"{count / max(photo['seen'], 1):.6f}"]
                for photo in photos for name, count in zip(self.classes, photo["pixels"], strict=True))
        return {out / "labelmap.txt": label_map(self.classes),
                out / "areas.csv": csv_bytes(["photo", "class", "pixels", "share"], rows)}

    def summary(self, photos: Sequence[Photo], skipped: str, out: Path) -> str:
        seen = max(sum(photo["seen"] for photo in photos), 1)
        shares = [f"{name} on {sum(photo['pixels'][c] for photo in photos) / seen:.1%}"
                  for c, name in enumerate(self.classes)]
        return f"{counted(len(photos), 'photo')}{skipped}: {', '.join(shares)} of the pixels: {out / MASKS}"

    def _mask(self, name: str, out: Path) -> Path:
        return out / MASKS / self.names[name]


def full_mask(mask: NDArray[np.uint8], photo: Fitted) -> NDArray[np.uint8]:
    """A mask [h, w] at the whole photo's size [H, W]: each pixel has the value of the one that its centre lies in, and
    255 in the margins that were cropped."""
    inside, places = [], []
    for axis, (full, small) in enumerate(zip(photo.full_size, mask.shape, strict=True)):
        place = np.floor((np.arange(full) + 0.5) * photo.scale[1 - axis] + photo.shift[1 - axis] + 1e-6).astype(int)
        inside.append((place >= 0) & (place < small))
        places.append(place.clip(0, small - 1))
    found = mask[np.ix_(*places)]
    found[~np.logical_and.outer(*inside)] = IGNORED
    return found


def mask_names(photos: Sequence[str]) -> dict[str, str]:
    """The mask's name of each photo, by their paths below a folder: a.png of a.jpg, and that of the picture, a.jpg.png,
    where several photos differ in their ending alone; of all photos, where one is called a.jpg.png itself."""
    plain = {photo: PurePosixPath(photo).with_suffix(".png").as_posix() for photo in photos}
    whole = {photo: picture_path(Path(), photo).as_posix() for photo in photos}
    times = Counter(plain.values())
    names = {photo: name if times[name] == 1 else whole[photo] for photo, name in plain.items()}
    return names if len(set(names.values())) == len(names) else whole
