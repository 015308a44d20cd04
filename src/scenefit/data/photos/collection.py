"""`Photos`: images at the renderer's size with their files and labels, collected from a reader's photos.

Legend: N photos; H, W pixels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes, make_boxes
from scenefit.data.class_masks import ClassMasks
from scenefit.data.contact_sheet import contact_sheet_png
from scenefit.data.copies import warn_copies
from scenefit.data.flat_field import correct_flat_field, remove_flat_field
from scenefit.data.image_files import Fitted, FittedBoxes, Size, Skipped, describe_frames, warn_12_bit
from scenefit.files.atomic import content_hash
from scenefit.files.caller import warn
from scenefit.files.scratch import release, scratch_array, take_rows
from scenefit.files.text import counted
from scenefit.scenes.arguments import check_argument, first_few
from scenefit.scenes.scene import row_numbers, rows_of

MAX_CROPPED = 0.2  # median share of a photo's area that may be cropped without a warning


@dataclass(frozen=True, eq=False)
class Photos:
    """Photos of one size, with labels if there are any.

    images: uint8 [N, H, W, 3]; those of read photos, where they are more than 256 MiB, lie in a temporary file.
    paths: files, none for arrays.  label: class of each [N], "" if unlabelled, None for "" everywhere.
    photos[0], photos[10:20] are photos too; a notebook shows them as pictures.

    skipped: files that could not be read, and labels that were left out, each with the reason.  boxes: of the objects,
    where they are labelled.  masks: the class of each pixel, where they were read.
    ignored: regions that labels exclude from evaluation (KITTI's DontCare, COCO's crowds), of labelled photos that were
    read; of scenefit's figures, those of KITTI's difficulties alone use them.
    scale [N]: pixels of the images for each pixel of the files.
    """

    images: NDArray[np.uint8]
    paths: tuple[Path, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    label: NDArray[np.str_] = None  # type: ignore[assignment]  # none for any photo
    boxes: Boxes | None = None
    masks: ClassMasks | None = None
    ignored: Boxes | None = None
    scale: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        check_argument("Photos(images)", "images", self.images, isinstance(self.images, np.ndarray),
                       "uint8 images [N, H, W, 3]; scenefit.read_photos(folder, size) reads a folder")
        if self.label is None:
            object.__setattr__(self, "label", np.full(len(self.images), ""))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any) -> "Photos":
        """The photo of a number, as photos with one image, or those of a slice, of numbers or of a mask."""
        return self.take(rows_of(rows, len(self)))

    def __repr__(self) -> str:
        height, width = self.images.shape[1:3]
        parts = [f"{counted(len(self), 'image')} of {height} x {width} pixels"]
        if self.boxes is not None:
            parts.append(f"{counted(len(self.boxes), 'box', 'boxes')}{_of(self.boxes.name)}")
        elif self.masks is not None:
            parts.append(f"class masks of {first_few(self.masks.classes)}")
        elif any(self.label):
            parts.append(f"labels{_of(self.label)}")
        if self.skipped:
            parts.append(f"{len(self.skipped):,} skipped")
        return f"Photos({', '.join(parts)})"

    def _repr_png_(self) -> bytes | None:
        """The first photos as a picture, by which a notebook shows them."""
        return contact_sheet_png(self.images)

    @cached_property
    def hash(self) -> str:
        """Of the images alone: the same photos under other names have the same hash."""
        return content_hash(self.images)

    def take(self, rows: Sequence[int] | NDArray[Any]) -> "Photos":
        """Some of the photos, in the order of rows (numbers or a mask)."""
        rows = row_numbers(rows, len(self))
        paths = tuple(self.paths[row] for row in rows) if self.paths else ()
        return Photos(take_rows(self.images, rows), paths, self.skipped, self.label[rows],
                      None if self.boxes is None else self.boxes.take(rows),
                      None if self.masks is None else self.masks.take(rows),
                      None if self.ignored is None else self.ignored.take(rows),
                      None if self.scale is None else self.scale[rows])

    def correct_flat_field(self, field: NDArray[np.float32] | None) -> "Photos":
        """The photos after flat-field correction (see `scenefit.data.flat_field`); None leaves them as they are."""
        return self if field is None else replace(self, images=correct_flat_field(self.images, field))

    def remove_flat_field(self, field: NDArray[np.float32] | None) -> "Photos":
        """The same of those photos that show the flat field; the others as they are."""
        return self if field is None else replace(self, images=remove_flat_field(self.images, field))


def _of(names: NDArray[np.str_]) -> str:
    """" of coin, plate", the different names; "" for none."""
    found = sorted(set(names.tolist()) - {""})
    return f" of {first_few(found)}" if found else ""


def collect(folder: Path, size: Size, entries: Iterable[Fitted | Skipped], max_photos: int,
            classes: tuple[str, ...] | None = None) -> Photos:
    """The photos of a folder in the order of entries, of which at most max_photos are fitted; there may be none.

    classes: of the masks of the entries; None where they have none.
    Warns where the crop cuts off much, of 12-bit photos, and of copies. Holds one full photo at a time.
    """
    images = scratch_array((max_photos, *size, 3), np.uint8)
    masks = scratch_array((0 if classes is None else max_photos, *size), np.uint8)
    paths: list[Path] = []
    skipped: list[Skipped] = []
    boxes: list[FittedBoxes] = []
    cropped_shares: list[float] = []
    scale: list[float] = []
    n_12_bit = 0
    for entry in entries:
        if isinstance(entry, Skipped):
            skipped.append(entry)
            continue
        images[len(paths)] = entry.image
        release(images)
        if entry.mask is not None:
            masks[len(paths)] = entry.mask
            release(masks)
        paths.append(entry.path)
        skipped += describe_frames(entry)
        cropped_shares.append(entry.cropped_share)
        scale.append(float(entry.scale[1]))
        n_12_bit += entry.is_12_bit
        boxes += [] if entry.boxes is None else [entry.boxes]
    warn_12_bit(folder, n_12_bit)
    _warn_cropped(folder, cropped_shares, size)
    warn_copies(folder, paths, images)
    return Photos(images[:len(paths)], tuple(paths), tuple(skipped), np.full(len(paths), ""),
                  _join(boxes) if boxes else None,
                  None if classes is None else ClassMasks(classes, masks[:len(paths)]),
                  _ignored(boxes) if boxes else None, np.array(scale))


def _join(boxes: Sequence[FittedBoxes]) -> Boxes:
    """The boxes of all photos, each of which has some entry."""
    rows = np.repeat(np.arange(len(boxes)), [len(own.box) for own in boxes])
    more = [values for own in boxes for values in own.more]
    return make_boxes(len(boxes), rows, np.concatenate([own.box for own in boxes]),
                      [name for own in boxes for name in own.name],
                      more={name: np.array([values[name] for values in more]) for name in (more[0] if more else ())})


def _ignored(boxes: Sequence[FittedBoxes]) -> Boxes:
    rows = np.repeat(np.arange(len(boxes)), [len(own.ignored) for own in boxes])
    return make_boxes(len(boxes), rows, np.concatenate([own.ignored for own in boxes]), ["ignored"] * len(rows))


def _warn_cropped(folder: Path, shares: Sequence[float], size: Size) -> None:
    share = float(np.median(shares)) if len(shares) else 0.0
    if share > MAX_CROPPED:
        warn(f"{share:.0%} of the photos' area in {folder} is cut off when they are brought to the renderer's "
             f"{size[0]} x {size[1]} pixels (height x width); give the renderer their ratio of height to width")


def split(photos: Photos, parts: Mapping[str, float], seed: int) -> dict[str, Photos]:
    """Random parts that share no image: duplicates (by content) always go to the same part.

    parts: name -> share (> 0, of their sum). A photo's part depends on seed and on the images, not on names or order.
    ValueError where a part would be empty.
    """
    shares = np.array(list(parts.values()), float)
    if not (len(shares) and np.all(np.isfinite(shares)) and np.all(shares > 0)):
        raise ValueError(f"split needs a share > 0 for each part, got {dict(parts)}")
    hashes = np.array([content_hash(image) for image in photos.images])
    order = sorted(set(hashes.tolist()), key=lambda name: content_hash(f"{seed} {name}".encode()))
    edges = np.rint(np.cumsum(shares) / shares.sum() * len(order)).astype(int)
    found = {}
    for name, start, stop in zip(parts, [0, *edges], edges, strict=False):
        if start == stop:
            raise ValueError(f"{counted(len(order), 'different photo is', 'different photos are')} too few for "
                             f"the parts {dict(parts)}: {name} is empty")
        found[name] = photos.take(np.flatnonzero(np.isin(hashes, order[start:stop])))
    return found
