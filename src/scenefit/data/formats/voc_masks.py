"""Class masks as Pascal VOC's segmentation has them, which CVAT calls "Segmentation mask 1.1".

    JPEGImages/<scene>.png    SegmentationClass/<scene>.png    SegmentationObject/<scene>.png    labelmap.txt
    ImageSets/Segmentation/{train,val,trainval}.txt    objects.csv    provenance.json

Masks are PNG with the palette of VOC. In SegmentationClass a value is the number of a class, from 1 in the order of the
classes; 0 is the background, 255 is ignored: objects that the `LabelPolicy` leaves without a label, and its border
along outlines. SegmentationObject numbers the objects with a label, of each image from 1, where they are visible; an
image with more than 254 has no such file. labelmap.txt names the colours. objects.csv is that of
`scenefit.data.formats.format`. Format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/
Legend: H, W pixels.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.class_mask_files import label_map, mask_png
from scenefit.data.class_masks import IGNORED, MAX_CLASSES, ClassMasks
from scenefit.data.formats.class_tables import LABELMAP, is_no_class
from scenefit.data.formats.format import (
    Format,
    Row,
    check_classes,
    check_parts,
    describe_objects,
    finish_lists,
    format_of_objects,
    object_row,
    write_all,
    write_image,
)
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy, label_masks
from scenefit.files.atomic import write_bytes

AT_ONCE = 256  # masks


def masks_format(label_policy: LabelPolicy | None = None, ending: str = "png") -> Format:
    """Class masks with a label policy, and images as "png" or "jpg" (quality 95); masks are PNG."""
    return format_of_objects("masks", save, finish, label_policy, ending)


def save(frames: Frames, out: Path, part: Sequence[str], label_policy: LabelPolicy | None = None,
         ending: str = "png") -> list[Row]:
    """Write the images and the masks of objects. Class masks need the numbers of all classes, so `finish` writes them;
    a row holds its mask, numbered by the row's own classes. ValueError for a class that labelmap.txt cannot name."""
    check_parts(frames, part)
    label_policy = label_policy or LabelPolicy()
    rows, objects = [], describe_objects(frames, label_policy)
    names = sorted({o["name"] for own in objects for o in own if o["pixels"] and o["name"]})
    check_class_names(names)
    masks = label_masks(frames, names, label_policy)
    for i, own in enumerate(objects):
        row = object_row(frames, i, part[i], f"JPEGImages/{int(frames.scenes.index[i]):08d}.{ending}", own)
        row["classes"] = sorted({o["name"] for o in own if o["pixels"] and o["name"]})
        mask = masks.take([i]).of_classes(row["classes"]).masks[0]
        rows.append({**row, "mask": b64encode(zlib.compress(mask.tobytes())).decode()})
    write_all(write_image, [(out / row["file"], image) for row, image in zip(rows, frames.images, strict=True)])
    write_all(_write_mask, [(_mask_file(out, "SegmentationObject", row), mask) for i, row in enumerate(rows)
                            if (mask := _objects(frames.instances[i], objects[i])) is not None])
    return rows


def finish(out: Path, rows: Iterator[Row], classes: Sequence[str], info: dict[str, Any]) -> None:
    """Write the class masks, labelmap.txt, the lists and objects.csv, then provenance.json."""
    check_class_names(classes)
    finish_lists(out, _with_masks(out, rows, tuple(classes)), classes, info, "ImageSets/Segmentation", "trainval")


def _with_masks(out: Path, rows: Iterator[Row], classes: tuple[str, ...]) -> Iterator[Row]:
    """The rows, after writing the class masks of each."""
    while chunk := list(islice(rows, AT_ONCE)):
        for row in chunk:
            check_classes(row, classes)
        write_all(partial(_write_class_mask, classes=classes),
                  [(_mask_file(out, "SegmentationClass", row), row) for row in chunk])
        yield from chunk
    write_bytes(out / LABELMAP, label_map(classes))


def _mask_file(out: Path, folder: str, row: Row) -> Path:
    return out / folder / f"{Path(row['file']).stem}.png"


def _write_class_mask(path: Path, row: Row, classes: tuple[str, ...]) -> None:
    flat = np.frombuffer(zlib.decompress(b64decode(row["mask"])), np.uint8)
    own = ClassMasks(tuple(row["classes"]), flat.reshape(1, row["height"], row["width"]))
    _write_mask(path, own.of_classes(classes).masks[0])


def _write_mask(path: Path, mask: NDArray[np.uint8]) -> None:
    write_bytes(path, mask_png(mask))


def _objects(instances: NDArray[np.int32], objects: Sequence[dict[str, Any]]) -> NDArray[np.uint8] | None:
    """The mask of one image's objects; None where there are too many."""
    kept = [o["node"] for o in objects if o["kept"]]
    if len(kept) > MAX_CLASSES:
        return None
    of_id = np.zeros(max([int(instances.max()), *(o["node"] for o in objects)]) + 1, np.uint8)
    of_id[[o["node"] for o in objects if o["name"]]] = IGNORED
    of_id[kept] = np.arange(1, len(kept) + 1)
    return of_id[instances]


def check_class_names(names: Sequence[str], rename: str = "rename it with classes= of the renderer") -> None:
    """ValueError, saying how to rename it, for a class that labelmap.txt cannot name, and for too many."""
    if len(names) > MAX_CLASSES:
        raise ValueError(f"{len(names)} classes are too many for the format masks, which has {MAX_CLASSES}; use coco")
    for name in names:
        if is_no_class(name) or ":" in name or name.startswith("#") or not name.isprintable() or name != name.strip():
            raise ValueError(f"the class {name!r} cannot be named in labelmap.txt; avoid names such as background and "
                             "void, a colon, a leading #, outer spaces and unprintable characters: " + rename)
