"""COCO: boxes and masks of objects, one JSON file a part.

    train/<scene>.png    val/<scene>.png    annotations/instances_{train,val}.json    provenance.json

Images have the scene's index as id, categories count from 1 in the order of the classes, annotations count from 1 in
each file (COCO's own evaluation takes an annotation of id 0 for none). area (pixels) and segmentation (compressed RLE)
are of the visible part; bbox (x, y, width, height) is the box of the `LabelPolicy`. Further keys, beyond COCO:
visible_bbox of the visible part, amodal_bbox of the whole object, visibility, truncation (see `Objects`) and node, the
object's id in its scene.
Read: annotations/instances_<part>.json (train2017 counts as train), other files in annotations, or
<part>/_annotations.coco.json; photos in <part>, images/<part>, images, beside the annotation file, or in the folder.
Format: https://cocodataset.org/#format-data
"""

import json
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

from scenefit.data.formats.format import (
    PARTS,
    Format,
    Row,
    check_classes,
    check_parts,
    describe_objects,
    file_name,
    round_pixels,
    write_all,
    write_png,
)
from scenefit.data.formats.reading import Item, LabelledBox, Labels, Layout, Listing, NoPart, to_number, to_size
from scenefit.data.frames import Frames
from scenefit.data.image_files import Skipped
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import atomic_write, clear_leftovers, to_json, write_json

HEAD = "instances_"


def coco_format(label_policy: LabelPolicy | None = None) -> Format:
    """COCO with a label policy."""
    label_policy = label_policy or LabelPolicy()
    return Format("coco", partial(save, label_policy=label_policy), finish, label_policy.settings())


def save(frames: Frames, out: Path, part: Sequence[str], label_policy: LabelPolicy | None = None) -> list[Row]:
    """Write the images; the rows hold the labels of the objects that the policy keeps."""
    check_parts(frames, part)
    height, width = frames.images.shape[1:3]
    found = _labels(frames, label_policy or LabelPolicy())
    rows = []
    for i, scene in enumerate(frames.scenes.index.tolist()):
        rows.append({"scene": scene, "part": part[i], "file": file_name(scene), "width": width, "height": height,
                     "classes": sorted({label["name"] for label in found[i]}), "objects": found[i]})
    write_all(write_png, [(out / row["part"] / row["file"], image)
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


def _labels(frames: Frames, label_policy: LabelPolicy) -> list[list[dict[str, Any]]]:
    """The labels of each frame's kept objects, by id."""
    return [[_label(label, frames.instances[row]) for label in labels if label["kept"]]
            for row, labels in enumerate(describe_objects(frames, label_policy))]


def _label(label: dict[str, Any], instances: NDArray[np.int32]) -> dict[str, Any]:
    return {"node": label["node"], "name": label["name"], "bbox": _xywh(label["label_box"]), "area": label["pixels"],
            "segmentation": encode_mask(instances == label["node"]), "visible_bbox": _xywh(label["box"]),
            "amodal_bbox": _xywh(label["amodal"]), "visibility": label["visibility"],
            "truncation": label["truncation"]}


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

    def add(self, row: Row, ids: dict[str, int]) -> "_File":
        """Write one row; returns the file with its new counts."""
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
    images = stack.enter_context(atomic_write(path))
    head = {"info": {"description": "synthetic images written by scenefit; see provenance.json"}, "licenses": [],
            "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in ids.items()]}
    images.write(to_json(head, path)[:-1].encode() + b',\n"images": [')
    return _File(path, images, stack.enter_context(tempfile.TemporaryFile(dir=path.parent)))


def _line(file: IO[bytes], value: dict[str, Any], before: int, path: Path) -> None:
    file.write((b",\n" if before else b"\n") + to_json(value, path).encode())


def _files(folder: Path) -> dict[str, Path]:
    """Part -> annotation file, train first."""
    found = {path.stem.removeprefix(HEAD): path for path in sorted((folder / "annotations").glob(f"{HEAD}*.json"))}
    found = found or {path.stem: path for path in sorted((folder / "annotations").glob("*.json"))}
    found = found or {path.parent.name: path for path in sorted(folder.glob("*/_annotations.coco.json"))}
    return dict(sorted(found.items(), key=lambda item: (not item[0].startswith("train"), item[0])))


def _matches(folder: Path) -> bool:
    return bool(_files(folder))


def _listing(folder: Path, part: str | Path | None) -> Listing:
    files = _files(folder)
    chosen = [name for name in files if part is None or name == str(part)]
    chosen = chosen or [name for name in files if name.rstrip("0123456789") == str(part)]
    if not chosen:
        raise NoPart(f"{folder} has no part {str(part)!r}; its parts: {', '.join(files)}")
    items: list[Item] = []
    skipped: list[Skipped] = []
    for name in chosen:
        more, missing = _read_file(files[name], _places(folder, name, files[name]))
        items += more
        skipped += missing
    return Listing(tuple(items), missing=tuple(skipped))


def _places(folder: Path, part: str, path: Path) -> list[Path]:
    parts = dict.fromkeys([part, part.rstrip("0123456789")])
    places = [folder / name for name in parts] + [folder / "images" / name for name in parts]
    return [*places, folder / "images", path.parent, folder]


def _read_file(path: Path, places: Sequence[Path]) -> tuple[list[Item], list[Skipped]]:
    data = _load(path)
    names = _classes(_entries(data, "categories", ("id", "name"), path), path)
    images = _entries(data, "images", ("id", "file_name"), path)
    rows: dict[Any, list[dict[str, Any]]] = {image["id"]: [] for image in images}
    if len(rows) != len(images):
        raise ValueError(f"{path}: two images have the same id")
    _check_files(images, path)
    for number, entry in enumerate(_entries(data, "annotations", ("image_id", "category_id", "bbox"), path), 1):
        if entry["image_id"] not in rows:
            raise ValueError(f"{path}, annotation {entry.get('id', number)}: there is no image {entry['image_id']}")
        if entry["category_id"] not in names:
            raise ValueError(f"{path}, annotation {entry.get('id', number)}: there is no category "
                             f"{entry['category_id']}; there are {', '.join(f'{k} {v}' for k, v in names.items())}")
        rows[entry["image_id"]].append(entry)
    items, skipped = [], []
    for image in images:
        name = str(image["file_name"])
        photo = next((place / name for place in places if (place / name).is_file()), None)
        if photo is None:
            skipped.append(Skipped(path, f"image {image['id']}: there is no photo {name} in "
                                   f"{', '.join(str(place) for place in places)}"))
        else:
            items.append(Item(photo, partial(_labels_of, path, image, tuple(rows[image["id"]]), names)))
    return items, skipped


def _classes(entries: Sequence[dict[str, Any]], path: Path) -> dict[Any, str]:
    """Id -> class. ValueError where two have one id, or one has no name."""
    names: dict[Any, str] = {}
    for number, entry in enumerate(entries, 1):
        name = "" if entry["name"] is None else str(entry["name"])
        if not name.strip():
            raise ValueError(f"{path}: entry {number} of categories, id {entry['id']}, has no name but "
                             f"{entry['name']!r}; name the class")
        if entry["id"] in names:
            raise ValueError(f"{path}: the categories {names[entry['id']]} and {name} have the same id {entry['id']}; "
                             "give each its own, in the annotations too")
        names[entry["id"]] = name
    return names


def _check_files(images: Sequence[dict[str, Any]], path: Path) -> None:
    """ValueError where two images are one file: one of them would lack the boxes of the other."""
    ids: dict[str, Any] = {}
    for image in images:
        name = str(image["file_name"])
        if name in ids:
            raise ValueError(f"{path}: the images {ids[name]} and {image['id']} have the same file_name {name}; leave "
                             "one of them out, and give its annotations the image_id of the other")
        ids[name] = image["id"]


def _labels_of(path: Path, image: dict[str, Any], rows: Sequence[dict[str, Any]], names: dict[Any, str]) -> Labels:
    boxes = []
    for entry in rows:
        where = f"annotation {entry.get('id', '')}"
        if not isinstance(entry["bbox"], list) or len(entry["bbox"]) != 4:
            raise ValueError(f"{path}, {where}: bbox needs x, y, width, height, got {entry['bbox']}")
        x, y, wide, high = (to_number(str(value), path, where, "bbox") for value in entry["bbox"])
        if not entry.get("iscrowd"):
            boxes.append(LabelledBox((x, y, x + wide, y + high), names[entry["category_id"]], where))
    size = to_size(image.get("height"), image.get("width"), path, f"image {image['id']}")
    return Labels(path, tuple(boxes), size, regions=len(rows) - len(boxes))


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:  # a UnicodeDecodeError is a ValueError too
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} is no annotation file of COCO: it needs images, annotations and categories")
    return data


def _entries(data: dict[str, Any], key: str, needs: Sequence[str], path: Path) -> list[dict[str, Any]]:
    """The list data[key], each entry with the keys that it needs."""
    entries = data.get(key)
    if not isinstance(entries, list):
        raise ValueError(f"{path} is no annotation file of COCO: it has no list {key!r}")
    for number, entry in enumerate(entries, 1):
        missing = [name for name in needs if not isinstance(entry, dict) or name not in entry]
        if missing:
            raise ValueError(f"{path}: entry {number} of {key} has no {missing[0]}")
        odd = [name for name in needs if name.endswith("id") and not isinstance(entry[name], (int, str))]
        if odd:
            raise ValueError(f"{path}: entry {number} of {key} needs a number as {odd[0]}, got {entry[odd[0]]!r}")
    return entries


LAYOUT = Layout("coco", "COCO: annotations/instances_<part>.json, or <part>/_annotations.coco.json", _matches, _listing)
