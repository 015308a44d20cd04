"""Image folder: one subfolder for each class, for whole-image labels.

    train/<class>/<scene>.png    val/<class>/<scene>.png    labels.csv    provenance.json

It is read by torchvision's ImageFolder, timm and Keras. labels.csv has a line for each image: file, part, label,
scene.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scenefit.data.formats.class_folders import COLUMNS, TABLE
from scenefit.data.formats.format import Format, Row, check_classes, check_parts, file_name, write_all, write_png
from scenefit.data.frames import Frames
from scenefit.files.atomic import clear_leftovers, write_json
from scenefit.files.csv_table import csv_table


def save(frames: Frames, out: Path, part: Sequence[str]) -> list[Row]:
    """Write the images. ValueError for a frame without a label, or with one that cannot name a folder."""
    check_parts(frames, part)
    for scene, label in zip(frames.scenes.index, frames.label, strict=True):
        _check_label(int(scene), str(label))
    rows = []
    for i, scene in enumerate(frames.scenes.index.tolist()):
        label = str(frames.label[i])
        file = f"{part[i]}/{label}/{file_name(scene)}"
        rows.append({"scene": scene, "part": part[i], "file": file, "label": label, "classes": [label]})
    write_all(write_png, [(out / str(row["file"]), image) for row, image in zip(rows, frames.images, strict=True)])
    return rows


def finish(out: Path, rows: Iterator[Row], classes: Sequence[str], info: dict[str, Any]) -> None:
    """Write labels.csv and provenance.json."""
    clear_leftovers(out)
    with csv_table(out / TABLE, COLUMNS) as table:
        for row in rows:
            check_classes(row, classes)
            table(row[column] for column in COLUMNS)
    write_json(out / "provenance.json", info)


def _check_label(scene: int, label: str) -> None:
    if label == "":
        raise ValueError(f"scene {scene} has no whole-image label, which the format folder needs; let the renderer "
                         "give Frame(label=...), or use the format coco for objects")
    if label.startswith(".") or label != label.strip() or not label.isprintable() or set(label) & set('/\\:*?"<>|'):
        raise ValueError(f"scene {scene} has the label {label!r}, which cannot name a folder; avoid a leading dot, "
                         'outer spaces and / \\ : * ? " < > |')


FOLDER = Format("folder", save, finish, portable=True)
