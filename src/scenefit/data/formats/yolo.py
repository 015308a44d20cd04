"""YOLO as Ultralytics reads it: one text file for each image, one line for each object.

    images/train/<scene>.png    images/val/<scene>.png    labels/train/<scene>.txt    labels/val/<scene>.txt
    data.yaml    objects.csv    provenance.json

A line is: class number from 0, centre x, centre y, width, height, all in shares of the image. An image without objects
has an empty file. data.yaml names the parts and the classes; objects.csv is that of `scenefit.data.formats.format`.
Format: https://docs.ultralytics.com/datasets/detect/
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from scenefit.data.formats.data_yaml import read_yaml
from scenefit.data.formats.format import (
    PARTS,
    Format,
    Row,
    check_parts,
    describe_objects,
    file_name,
    object_row,
    object_table,
    write_all,
    write_png,
    write_table,
)
from scenefit.data.formats.reading import (
    Item,
    LabelledBox,
    Labels,
    Layout,
    Listing,
    NoPart,
    photos_in,
    to_number,
)
from scenefit.data.frames import Frames
from scenefit.data.image_files import Skipped
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import clear_leftovers, write_json, write_text
from scenefit.files.text import read_lines

AT_ONCE = 256  # label files
SPLITS = ("train", "val", "test")


def yolo_format(label_policy: LabelPolicy | None = None) -> Format:
    """YOLO with a label policy."""
    label_policy = label_policy or LabelPolicy()
    return Format("yolo", partial(save, label_policy=label_policy), finish, label_policy.settings())


def save(frames: Frames, out: Path, part: Sequence[str], label_policy: LabelPolicy | None = None) -> list[Row]:
    """Write the images; the rows hold the objects. Label files need class numbers, so `finish` writes them."""
    check_parts(frames, part)
    rows = [object_row(frames, i, part[i], f"images/{part[i]}/{file_name(int(frames.scenes.index[i]))}", objects)
            for i, objects in enumerate(describe_objects(frames, label_policy or LabelPolicy()))]
    write_all(write_png, [(out / row["file"], image) for row, image in zip(rows, frames.images, strict=True)])
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
    names = "".join(f"  {number}: {json.dumps(name, ensure_ascii=False)}\n" for name, number in numbers.items())
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
        if o["kept"]:
            x0, y0, x1, y1 = o["label_box"]
            shares = ((x0 + x1) / 2 / row["width"], (y0 + y1) / 2 / row["height"], (x1 - x0) / row["width"],
                      (y1 - y0) / row["height"])
            lines.append(f"{numbers[o['name']]} " + " ".join(f"{share:.7f}" for share in shares) + "\n")
    return "".join(lines)


def _yaml(folder: Path) -> Path | None:
    """The file that describes the data set: data.yaml, or another one that names classes."""
    found = [path for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
             if any(line.startswith("names:") for _, line in read_lines(path))]
    return next((path for path in found if path.stem == "data"), found[0] if found else None)


def _matches(folder: Path) -> bool:
    return _yaml(folder) is not None


def _listing(folder: Path, part: str | Path | None) -> Listing:
    path = _yaml(folder)
    if path is None:
        raise ValueError(f"{folder} has no data.yaml with the names of the classes")
    found = read_yaml(path)
    names = dict(found["names"])
    root = folder / str(found.get("path", "."))
    root = root if root.is_dir() else folder
    there = [name for name in SPLITS if found.get(name)]
    if part is not None and str(part) not in there:
        raise NoPart(f"{path} has no part {str(part)!r}; its parts: {', '.join(there) or 'none'}")
    items: list[Item] = []
    skipped: list[Skipped] = []
    for name in there if part is None else [str(part)]:
        given = found[name]
        for entry in given if isinstance(given, list) else [given]:
            photos, missing = _photos(root, str(entry), path)
            items += [Item(photo, partial(read_labels, _beside(photo), names, path)) for photo in photos]
            skipped += missing
    return Listing(tuple(items), missing=tuple(skipped))


def _photos(root: Path, entry: str, path: Path) -> tuple[list[Path], list[Skipped]]:
    """Photos of a folder, or of a list file of paths; and the labels or names that have no photo."""
    place = root / entry
    if not place.exists() and entry.startswith("../"):  # as in some exports; Ultralytics reads them so too
        place = root / entry[3:]
    if place.is_dir():
        found = photos_in(place)
        labels = _beside(place / "x.txt").parent
        if found and not labels.is_dir():
            raise ValueError(f"{path} names the photos in {place}, but their labels' folder {labels} is missing")
        spare = [label for label in sorted(labels.glob("*.txt")) if label.stem not in found and label.parent != place]
        return list(found.values()), [Skipped(label, f"there is no photo {label.stem} in {place}") for label in spare]
    if place.suffix != ".txt" or not place.is_file():
        raise ValueError(f"{path} names the photos in {entry}, but {place} is neither a folder nor a list of photos")
    photos, missing = [], []
    for number, line in read_lines(place):
        photo = (place.parent if line.startswith("./") else root) / line
        if photo.is_file():
            photos.append(photo)
        else:
            missing.append(Skipped(place, f"line {number}: there is no photo {photo}"))
    return photos, missing


def _beside(photo: Path) -> Path:
    return Path(label_file(photo.as_posix()))


def read_labels(path: Path, names: dict[int, str], classes: Path) -> Labels:
    """A label file; a missing one means no objects. ValueError, naming the line, where it is malformed."""
    boxes = []
    for number, line in read_lines(path) if path.is_file() else []:
        words, where = line.split(), f"line {number}"
        if len(words) != 5:
            raise ValueError(f"{path}, {where}: an object of YOLO has 5 columns (class, centre x, centre y, width, "
                             f"height), got {len(words)}")
        if not words[0].isdecimal() or int(words[0]) not in names:
            raise ValueError(f"{path}, {where}: the class {words[0]} is not among those of {classes}: "
                             f"{', '.join(f'{number} {name}' for number, name in names.items()) or 'none'}")
        x, y, width, height = (to_number(word, path, where, what) for word, what in
                               zip(words[1:], ("centre x", "centre y", "width", "height"), strict=True))
        boxes.append(LabelledBox((x - width / 2, y - height / 2, x + width / 2, y + height / 2),
                                 names[int(words[0])], where))
    return Labels(path, tuple(boxes), shares=True)


LAYOUT = Layout("yolo", "YOLO: a data.yaml with the names of the classes and the folders of the parts", _matches,
                _listing)
