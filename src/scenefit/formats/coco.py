"""COCO: boxes and masks of objects, one JSON file a part.

    train/<scene>.png    val/<scene>.png    annotations/instances_{train,val}.json    provenance.json

Images have the scene's index as id, categories count from 1 in the order of the classes, annotations count from 1 in
each file (COCO's own evaluation takes an annotation of id 0 for none). bbox (x, y, width, height), area (pixels) and
segmentation (compressed RLE) are of what is seen. Further keys, beyond COCO: amodal_bbox of the whole object,
visibility, truncation (see `Objects`) and node, the object's id in its scene.
Format: https://cocodataset.org/#format-data
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from scenefit.files import clear_leftovers, to_json, whole_file, write_json
from scenefit.formats.format import PARTS, Format, Keep, Row, check_classes, check_parts, file_name, write_png
from scenefit.frame import Frames


def coco_format(keep: Keep | None = None) -> Format:
    """COCO with a say in which objects become labels."""
    return Format("coco", partial(save, keep=keep or Keep()), finish)


def save(frames: Frames, out: Path, part: Sequence[str], keep: Keep | None = None) -> list[Row]:
    """Write the images; the rows hold the labels of the objects that are kept."""
    check_parts(frames, part)
    height, width = frames.images.shape[1:3]
    found = _labels(frames, keep or Keep())
    rows = []
    for i, scene in enumerate(frames.scenes.index.tolist()):
        write_png(out / part[i] / file_name(scene), frames.images[i])
        rows.append({"scene": scene, "part": part[i], "file": file_name(scene), "width": width, "height": height,
                     "classes": sorted({label["name"] for label in found[i]}), "objects": found[i]})
    return rows


def finish(out: Path, rows: Iterator[Row], classes: Sequence[str], info: dict[str, Any]) -> None:
    """Write the annotation files of both parts, then provenance.json."""
    clear_leftovers(out)
    if len(set(classes)) != len(classes):
        raise ValueError(f"classes must differ from each other, got {list(classes)}")
    ids = {name: number for number, name in enumerate(classes, 1)}
    with ExitStack() as stack:
        files = {part: _open(stack, out / "annotations" / f"instances_{part}.json", ids) for part in PARTS}
        for row in rows:
            check_classes(row, classes)
            files[row["part"]] = files[row["part"]].add(row, ids)
        for file in files.values():
            file.close()
    write_json(out / "provenance.json", info)


def encode_mask(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """mask [H, W] -> COCO's compressed RLE, {"size": [H, W], "counts": text}: columns first, runs of 0 and 1."""
    flat = np.concatenate([[False], mask.T.ravel()])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.concatenate([[0], edges, [mask.size]]))
    return {"size": list(mask.shape), "counts": _squeeze(runs)}


def _squeeze(runs: NDArray[np.int64]) -> str:
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


def _labels(frames: Frames, keep: Keep) -> list[list[dict[str, Any]]]:
    """For each frame the labels of its kept objects, by id."""
    objects = frames.objects
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(frames))]
    for m in np.flatnonzero(keep.of(objects)):
        row, node = int(objects.scene[m]), int(objects.id[m])
        found[row].append({
            "node": node, "name": str(objects.name[m]), "bbox": [int(v) for v in _xywh(objects.box[m])],
            "area": int(objects.pixels[m]), "segmentation": encode_mask(frames.instances[row] == node),
            "amodal_bbox": [round(float(v), 3) for v in _xywh(objects.amodal[m])],
            "visibility": round(float(objects.visibility[m]), 4), "truncation": round(float(objects.truncation[m]), 4)})
    return found


def _xywh(box: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([box[:2], box[2:] - box[:2]])


@dataclass(frozen=True)
class _File:
    """One annotation file while it is written: images go to it at once, annotations to a nameless file first."""

    path: Path
    images: IO[bytes]
    annotations: IO[bytes]
    image_count: int = 0
    annotation_count: int = 0

    def add(self, row: Row, ids: dict[str, int]) -> "_File":
        """Write one row; the file with its counts moved on."""
        image = {"id": row["scene"], "file_name": row["file"], "width": row["width"], "height": row["height"]}
        _line(self.images, image, self.image_count, self.path)
        for number, label in enumerate(row["objects"], self.annotation_count):
            rest = {key: value for key, value in label.items() if key != "name"}
            _line(self.annotations, {"id": number + 1, "image_id": row["scene"], "category_id": ids[label["name"]],
                                     "iscrowd": 0, **rest}, number, self.path)
        return _File(self.path, self.images, self.annotations, self.image_count + 1,
                     self.annotation_count + len(row["objects"]))

    def close(self) -> None:
        self.images.write(b'\n],\n"annotations": [')
        self.annotations.seek(0)
        shutil.copyfileobj(self.annotations, self.images)
        self.images.write(b"\n]\n}\n")


def _open(stack: ExitStack, path: Path, ids: dict[str, int]) -> _File:
    images = stack.enter_context(whole_file(path))
    head = {"info": {"description": "synthetic images written by scenefit; see provenance.json"}, "licenses": [],
            "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in ids.items()]}
    images.write(to_json(head, path)[:-1].encode() + b',\n"images": [')
    return _File(path, images, stack.enter_context(tempfile.TemporaryFile(dir=path.parent)))


def _line(file: IO[bytes], value: dict[str, Any], before: int, path: Path) -> None:
    file.write((b",\n" if before else b"\n") + to_json(value, path).encode())
