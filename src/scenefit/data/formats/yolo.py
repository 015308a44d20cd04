"""YOLO as Ultralytics reads it: one text file for each image, one line for each object, with a box or a polygon.

    images/train/<scene>.png    images/val/<scene>.png    labels/train/<scene>.txt    labels/val/<scene>.txt
    data.yaml    objects.csv    provenance.json

A line is: class number from 0, centre x, centre y, width, height, all in shares of the image; in YOLO-seg the corners
x, y, x, y, ... of the polygon around what is visible, along the edges of its pixels, see `polygons`. An image without
objects has an empty file. data.yaml names the parts and the classes; objects.csv is that of `format`.
Format: https://docs.ultralytics.com/datasets/detect/ and https://docs.ultralytics.com/datasets/segment/
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from scenefit.data.formats.format import (
    PARTS,
    Format,
    Row,
    check_parts,
    describe_objects,
    file_name,
    format_of_objects,
    object_row,
    object_table,
    write_all,
    write_image,
    write_table,
)
from scenefit.data.formats.polygons import polygon_of
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import clear_leftovers, write_json, write_text

AT_ONCE = 256  # label files
LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}  # which JSON keeps, and YAML breaks lines at


def yolo_format(label_policy: LabelPolicy | None = None, ending: str = "png") -> Format:
    """YOLO with a label policy, and images as "png" or "jpg" (quality 95)."""
    return format_of_objects("yolo", save, finish, label_policy, ending)


def yolo_seg_format(label_policy: LabelPolicy | None = None, ending: str = "png") -> Format:
    """The same with polygons in place of boxes."""
    return format_of_objects("yolo-seg", save, finish, label_policy, ending, polygons=True)


def save(frames: Frames, out: Path, part: Sequence[str], label_policy: LabelPolicy | None = None,
         ending: str = "png", polygons: bool = False) -> list[Row]:
    """Write the images; the rows hold the objects. Label files need class numbers, so `finish` writes them."""
    check_parts(frames, part)
    rows = [object_row(frames, i, part[i], f"images/{part[i]}/{file_name(int(frames.scenes.index[i]), ending)}",
                       objects) for i, objects in enumerate(describe_objects(frames, label_policy or LabelPolicy()))]
    for row, instances in zip(rows, frames.instances, strict=True) if polygons else ():
        row["objects"] = [o | {"polygon": polygon_of(instances == o["node"]).ravel().tolist()} if o["kept"] else o
                          for o in row["objects"]]
    write_all(write_image, [(out / row["file"], image) for row, image in zip(rows, frames.images, strict=True)])
    return rows


def finish(out: Path, rows: Iterator[Row], classes: Sequence[str], info: dict[str, Any]) -> None:
    """Write the label files, objects.csv and data.yaml, then provenance.json."""
    clear_leftovers(out)
    numbers = {name: number for number, name in enumerate(classes)}
    with object_table(out) as table:
        checked = write_table(rows, classes, table)
        while chunk := list(islice(checked, AT_ONCE)):
            write_all(write_text, [(out / label_file(row["file"]), _lines(row, numbers)) for row in chunk])
    for part in PARTS:  # a part without images is an empty folder, not a missing one
        (out / "images" / part).mkdir(parents=True, exist_ok=True)
    names = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False).translate(LINE_ENDS)}\n"
                    for name, number in numbers.items())
    write_text(out / "data.yaml", f"train: images/train\nval: images/val\nnames:{'' if names else ' {}'}\n{names}")
    write_json(out / "provenance.json", info)


def label_file(image: str) -> str:
    """images/train/1.png -> labels/train/1.txt: the last folder called images becomes labels."""
    head, found, tail = f"/{image}".rpartition("/images/")
    place = f"{head}/labels/{tail}" if found else f"/{image}"
    return place[1:].rpartition(".")[0] + ".txt"


def _lines(row: Row, numbers: dict[str, int]) -> str:
    lines = []
    for o in row["objects"]:
        if o["kept"] and "polygon" in o:
            shares = [value / (row["height"] if i % 2 else row["width"]) for i, value in enumerate(o["polygon"])]
            lines.append(f"{numbers[o['name']]} " + " ".join(f"{share:.7g}" for share in shares) + "\n")
        elif o["kept"]:
            x0, y0, x1, y1 = o["label_box"]
            shares = [(x0 + x1) / 2 / row["width"], (y0 + y1) / 2 / row["height"], (x1 - x0) / row["width"],
                      (y1 - y0) / row["height"]]
            lines.append(f"{numbers[o['name']]} " + " ".join(f"{share:.7f}" for share in shares) + "\n")
    return "".join(lines)
