"""Image folder: one subfolder for each class, for whole-image labels.

    train/<class>/<scene>.png    val/<class>/<scene>.png    {train,val}/metadata.jsonl    labels.csv    provenance.json

It is read by torchvision's ImageFolder, timm and Keras, and with metadata.jsonl by the ImageFolder of Hugging Face's
datasets. labels.csv has a line for each image: file, part, label, scene.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from scenefit.data.formats.format import (
    Format,
    Row,
    check_classes,
    check_parts,
    file_name,
    image_settings,
    write_all,
    write_image,
)
from scenefit.data.frames import Frames
from scenefit.data.image_kinds import is_ignored
from scenefit.files.atomic import atomic_write, clear_leftovers, to_json, write_json
from scenefit.files.csv_table import csv_table

COLUMNS = ("file", "part", "label", "scene")  # of labels.csv
METADATA = "metadata.jsonl"  # of Hugging Face's ImageFolder: a line for each image of a part


def folder_format(ending: str = "png") -> Format:
    """The image folder, with images as "png" or "jpg" (quality 95)."""
    return Format("folder", partial(save, ending=ending), finish, image_settings(ending), portable=True)


def save(frames: Frames, out: Path, part: Sequence[str], ending: str = "png") -> list[Row]:
    """Write the images. ValueError for a frame without a label, or with one that cannot name a folder."""
    check_parts(frames, part)
    for scene, label in zip(frames.scenes.index, frames.label, strict=True):
        _check_label(int(scene), str(label))
    rows = []
    for i, scene in enumerate(frames.scenes.index.tolist()):
        label = str(frames.label[i])
        file = f"{part[i]}/{label}/{file_name(scene, ending)}"
        rows.append({"scene": scene, "part": part[i], "file": file, "label": label, "classes": [label]})
    write_all(write_image, [(out / str(row["file"]), image) for row, image in zip(rows, frames.images, strict=True)])
    return rows


def finish(out: Path, rows: Iterator[Row], classes: Sequence[str], info: dict[str, Any]) -> None:
    """Write labels.csv, a metadata.jsonl in each part that has images, and provenance.json."""
    clear_leftovers(out)
    with ExitStack() as stack:
        table = stack.enter_context(csv_table(out / "labels.csv", COLUMNS))
        lists: dict[str, BinaryIO] = {}
        for row in rows:
            check_classes(row, classes)
            table(row[column] for column in COLUMNS)
            part, path = row["part"], out / row["part"] / METADATA
            if part not in lists:
                lists[part] = stack.enter_context(atomic_write(path))
            entry = {"file_name": row["file"].removeprefix(f"{part}/"), "label": row["label"]}
            lists[part].write(f"{to_json(entry, path)}\n".encode())
    write_json(out / "provenance.json", info)


def _check_label(scene: int, label: str) -> None:
    if label == "":
        raise ValueError(f"scene {scene} has no whole-image label, which the format folder needs; let the renderer "
                         "give Frame(label=...), or use the format coco for objects")
    if is_ignored(label) or label != label.strip() or not label.isprintable() or set(label) & set('/\\:*?"<>|'):
        raise ValueError(f"scene {scene} has the label {label!r}, which cannot name a folder; avoid a leading dot, "
                         'names of system folders such as @eaDir, outer spaces and / \\ : * ? " < > |')
