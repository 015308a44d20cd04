"""COCO: boxes and masks of objects, one JSON file a part.

    train/<scene>.png    val/<scene>.png    annotations/instances_{train,val}.json    provenance.json

All ids start at 1 (COCO's own evaluation takes an annotation of id 0 for none): images have the scene's index plus 1,
categories count in the order of the classes, annotations over both files, so that these can be joined. area (pixels)
and segmentation (compressed RLE; of the format "coco-seg" one polygon, see `polygons`) are of the visible part; bbox
(x, y, width, height) is the box of the `LabelPolicy`.
Further keys, beyond COCO: visible_bbox of the visible part, amodal_bbox of the whole object, visibility, truncation
(see `Objects`) and node, the object's id in its scene.
Format: https://cocodataset.org/#format-data
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.formats.format import (
    PARTS,
    Format,
    Row,
    check_classes,
    check_parts,
    describe_objects,
    file_name,
    format_of_objects,
    round_pixels,
    write_all,
    write_image,
)
from scenefit.data.formats.polygons import polygon_of
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import atomic_write, clear_leftovers, to_json, write_json


def coco_format(label_policy: LabelPolicy | None = None, ending: str = "png") -> Format:
    """COCO with a label policy, and images as "png" or "jpg" (quality 95)."""
    return format_of_objects("coco", save, finish, label_policy, ending)


def coco_seg_format(label_policy: LabelPolicy | None = None, ending: str = "png") -> Format:
    """The same with polygons in place of RLE, for programs that read polygons alone."""
    return format_of_objects("coco-seg", save, finish, label_policy, ending, polygons=True)


def save(frames: Frames, out: Path, part: Sequence[str], label_policy: LabelPolicy | None = None,
         ending: str = "png", polygons: bool = False) -> list[Row]:
    """Write the images; the rows hold the labels of the objects that the policy keeps."""
    check_parts(frames, part)
    height, width = frames.images.shape[1:3]
    found = _labels(frames, label_policy or LabelPolicy(), polygons)
    rows = []
    for i, scene in enumerate(frames.scenes.index.tolist()):
        rows.append({"scene": scene, "part": part[i], "file": file_name(scene, ending), "width": width,
                     "height": height, "classes": sorted({label["name"] for label in found[i]}), "objects": found[i]})
    write_all(write_image, [(out / row["part"] / row["file"], image)
                          for row, image in zip(rows, frames.images, strict=True)])
    return rows


def finish(out: Path, rows: Iterator[Row], classes: Sequence[str], info: dict[str, Any]) -> None:
    """Write the annotation files of both parts, then provenance.json."""
    clear_leftovers(out)
    if len(set(classes)) != len(classes):
        raise ValueError(f"classes must differ from each other, got {list(classes)}")
    ids = {name: number for number, name in enumerate(classes, 1)}
    with ExitStack() as stack:
        files = {part: _open(stack, out / "annotations" / f"instances_{part}.json", ids) for part in PARTS}
        number = 1
        for row in rows:
            check_classes(row, classes)
            files[row["part"]] = files[row["part"]].add(row, ids, number)
            number += len(row["objects"])
        for file in files.values():
            file.close()
    write_json(out / "provenance.json", info)


def encode_mask(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """mask [H, W] -> COCO's compressed RLE, {"size": [H, W], "counts": text}: columns first, runs of 0 and 1."""
    flat = np.concatenate([[False], mask.T.ravel()])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.concatenate([[0], edges, [mask.size]]))
    return {"size": list(mask.shape), "counts": _compress(runs)}


def _compress(runs: NDArray[np.int64]) -> str:
    """Runs as COCO's text: from the fourth on as the difference to the one two before; then groups of five bits,
    lowest first, bit 5 where more follow, plus 48. A number ends where the rest is only its sign."""
    left = runs.copy()
    left[3:] -= runs[1:-2]
    letters, used = [], []
    going = np.ones(len(runs), bool)
    while going.any():
        bits = left & 31
        left = left >> 5
        more = going & (left != np.where(bits & 16, -1, 0))
        letters.append(bits + 48 + 32 * more)
        used.append(going)
        going = more
    return np.stack(letters, 1)[np.stack(used, 1)].astype(np.uint8).tobytes().decode("ascii")


def _labels(frames: Frames, label_policy: LabelPolicy, polygons: bool) -> list[list[dict[str, Any]]]:
    """The labels of each frame's kept objects, by id."""
    return [[_label(label, frames.instances[row], polygons) for label in labels if label["kept"]]
            for row, labels in enumerate(describe_objects(frames, label_policy))]


def _label(label: dict[str, Any], instances: NDArray[np.int32], polygons: bool) -> dict[str, Any]:
    visible = instances == label["node"]
    return {"node": label["node"], "name": label["name"], "bbox": _xywh(label["label_box"]), "area": label["pixels"],
            "segmentation": [polygon_of(visible).ravel().tolist()] if polygons else encode_mask(visible),
            "visible_bbox": _xywh(label["box"]), "amodal_bbox": _xywh(label["amodal"]),
            "visibility": label["visibility"], "truncation": label["truncation"]}


def _xywh(box: list[float]) -> list[float]:
    return round_pixels([*box[:2], box[2] - box[0], box[3] - box[1]])


@dataclass(frozen=True)
class _File:
    """One annotation file in progress: images are written to it at once, annotations to a temporary file first."""

    path: Path
    images: IO[bytes]
    annotations: IO[bytes]
    image_count: int = 0
    annotation_count: int = 0

    def add(self, row: Row, ids: dict[str, int], first: int) -> "_File":
        """Write one row, whose first annotation has the id `first`; returns the file with its new counts."""
        image = {"id": row["scene"] + 1, "file_name": row["file"], "width": row["width"], "height": row["height"]}
        _line(self.images, image, self.image_count, self.path)
        for number, label in enumerate(row["objects"]):
            entry = {"id": first + number, "image_id": image["id"], "category_id": ids[label["name"]], "iscrowd": 0,
                     **{key: value for key, value in label.items() if key != "name"}}
            _line(self.annotations, entry, self.annotation_count + number, self.path)
        return _File(self.path, self.images, self.annotations, self.image_count + 1,
                     self.annotation_count + len(row["objects"]))

    def close(self) -> None:
        self.images.write(b'\n],\n"annotations": [')
        self.annotations.seek(0)
        shutil.copyfileobj(self.annotations, self.images)
        self.images.write(b"\n]\n}\n")


def _open(stack: ExitStack, path: Path, ids: dict[str, int]) -> _File:
    images = stack.enter_context(atomic_write(path))
    head = {"info": {"description": "synthetic images written by scenefit; see provenance.json"}, "licenses": [],
            "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in ids.items()]}
    images.write(to_json(head, path)[:-1].encode() + b',\n"images": [')
    return _File(path, images, stack.enter_context(tempfile.TemporaryFile(dir=path.parent)))


def _line(file: IO[bytes], value: dict[str, Any], before: int, path: Path) -> None:
    file.write((b",\n" if before else b"\n") + to_json(value, path).encode())
