"""Reading COCO's annotation files, as many programs write them.

Files: annotations/instances_<part>.json (train2017 counts as train); other JSON files in annotations;
<part>/_annotations.coco.json; or JSON files in the folder itself that hold COCO's three lists. Photos are looked up by
their file_name in <part>, images/<part>, images, data, beside the file, and in the folder. Ids may be numbers or
text (1, 1.0, "1"), flags 0, "0", false or "false". Where bbox is missing or empty, it is the box around segmentation.
Format: https://cocodataset.org/#format-data
"""

import mmap
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from scenefit.data.formats.class_folders import part_name
from scenefit.data.formats.photo_files import find_named, found_or_missing, named_elsewhere, other_ending
from scenefit.data.formats.reading import (
    Item,
    LabelledBox,
    Labels,
    Layout,
    Listing,
    NoPart,
    to_flag,
    to_number,
    to_size,
)
from scenefit.data.formats.segmentation import box_around
from scenefit.data.image_files import Skipped
from scenefit.files.json_files import read_json
from scenefit.files.text import SURROGATE, counted

HEAD = "instances_"
FIFTYONE = "data"  # the folder of photos in its exports
LISTS = ("images", "annotations", "categories")
AGAIN = f"export it again, with the lists {', '.join(LISTS[:-1])} and {LISTS[-1]}"
HEAD_BYTES = 65536  # of a file, in which one of its first keys stands
NUMBERS = "COCO's bbox is x, y, width, height"
DIGITS = re.compile(r"([0-9]{1,60})(\.0*)?")  # an id as text


def annotation_files(folder: Path) -> dict[str, Path]:
    """Part -> annotation file, train first."""
    own = _json_in(folder / "annotations")
    found = [path for path in own if path.name.startswith(HEAD)]
    found = found or [path for path in own if _has_lists(path)] or own
    if found:
        named = {path.stem.removeprefix(HEAD): path for path in found}
    else:
        named = {path.parent.name: path for path in sorted(folder.glob("*/_annotations.coco.json"))}
    named = named or {path.stem.removeprefix(HEAD): path for path in _json_in(folder) if _has_lists(path)}
    return dict(sorted(named.items(), key=lambda item: (not item[0].startswith("train"), item[0])))


def _json_in(folder: Path) -> list[Path]:
    return sorted(path for path in (folder.iterdir() if folder.is_dir() else ())
                  if path.suffix.lower() == ".json" and not path.name.startswith(".") and path.is_file())


def _has_lists(path: Path) -> bool:
    """Whether a JSON file has COCO's three lists, by a search of its text: parsing a large file takes long."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if not any(f'"{key}"'.encode() in head for key in LISTS):
                return False
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return all(re.search(rb'"%s"\s*:\s*\[' % key.encode(), data) for key in LISTS)
    except OSError:  # what cannot be read here is named when it is read
        return False


def _matches(folder: Path) -> bool:
    return bool(annotation_files(folder))


def _part(name: str) -> str:
    """train2017 -> train, valid -> val."""
    return part_name(name.rstrip("0123456789"))


def _listing(folder: Path, part: str | Path | None) -> Listing:
    files = annotation_files(folder)
    chosen = [name for name in files if part is None or name == str(part)]
    chosen = chosen or [name for name in files if _part(name) == _part(str(part))]
    if not chosen:
        raise NoPart(f"{folder} has no part {str(part)!r}; its parts: {', '.join(files)}")
    items: list[Item] = []
    missing: list[Skipped] = []
    skipped: list[Skipped] = []
    absent = []
    classes: dict[str, None] = {}
    for name in chosen:
        found = _read_file(folder, files[name], _places(folder, name, files[name]))
        classes |= dict.fromkeys(found.classes)
        items += found.items
        skipped += found.skipped
        if found.items or not found.missing or len(chosen) == 1:
            missing += found.missing
        else:
            absent.append((name, found.missing))
    for name, photos in absent:
        if items:  # a part whose photos are elsewhere is named once
            skipped.append(Skipped(files[name], f"none of the {counted(len(photos), 'photo')} of its part {name} is "
                                                f"there ({photos[0].reason}); the part is left out"))
        else:
            missing += photos
    return Listing(tuple(items), tuple(skipped), tuple(missing), tuple(classes))


def ids_by_name(path: Path) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """What an annotation file numbers, as it writes the ids: file_name -> id of each image; name and id of each
    category, as names may come twice. Annotations are not read, and need not be there.

    CorruptFile or ValueError, naming the file, where it is none of COCO's.
    """
    data = read_json(path, AGAIN, dict)
    images, _ = _images(_entries(data, "images", ("id", "file_name"), path), path)
    entries = _entries(data, "categories", ("id", "name"), path)
    names = _classes(entries, path)
    return ({image.name: image.entry["id"] for image in images.values()},
            list(dict.fromkeys((names[_to_id(entry["id"])], entry["id"]) for entry in entries)))


def _places(folder: Path, part: str, path: Path) -> list[Path]:
    parts = dict.fromkeys([part, part.rstrip("0123456789")])
    places = [folder / name for name in parts] + [folder / "images" / name for name in parts]
    return list(dict.fromkeys([*places, folder / "images", folder / FIFTYONE, path.parent, folder]))


@dataclass(frozen=True)
class _Image:
    """An entry of images, with its id as `_to_id` gives it and its annotations, each with its place for messages."""

    id: int | str
    name: str
    entry: Mapping[str, Any]
    annotations: list[tuple[str, Mapping[str, Any]]]


def _read_file(folder: Path, path: Path, places: Sequence[Path]) -> Listing:
    data = read_json(path, AGAIN, dict)
    names = _classes(_entries(data, "categories", ("id", "name"), path), path)
    images, skipped = _images(_entries(data, "images", ("id", "file_name"), path), path)
    skipped += _annotate(images, _entries(data, "annotations", ("image_id", "category_id"), path), names, path)
    items, missing, photos = [], [], dict[str, _Image]()
    for image in images.values():
        photo, inside = find_named(image.name, places, [folder])
        reason = found_or_missing(photo, Skipped(path, f"image {image.id}: there is no photo {image.name} in "
                                                 f"{', '.join(str(place) for place in places)}"
                                                 f"{'' if photo else other_ending(image.name, places)}"))
        if photo is None or reason is not None:
            missing += [reason] if reason is not None else []
            continue
        same = photos.setdefault(os.path.normpath(photo), image)
        if same is not image:  # one of them would lack the boxes of the other
            raise ValueError(f"{path}: the images {same.id} ({same.name}) and {image.id} ({image.name}) are the same "
                             "photo; leave one of them out, and give its annotations the image_id of the other")
        items.append(Item(photo, partial(_labels_of, path, image, names),
                          "" if inside else f"{path}, image {image.id}: {image.name}"))
    skipped += named_elsewhere([(image.name, Path(photo)) for photo, image in photos.items()], path)
    return Listing(tuple(items), tuple(skipped), tuple(missing), tuple(dict.fromkeys(names.values())))


def _images(entries: Sequence[dict[str, Any]], path: Path) -> tuple[dict[int | str, _Image], list[Skipped]]:
    """Id -> image; and which entries come twice. ValueError where two images have one id or one name."""
    images: dict[int | str, _Image] = {}
    ids: dict[str, int | str] = {}
    again = []
    for number, entry in enumerate(entries, 1):
        name, key = entry["file_name"], _id_of(entry, "id", "images", number, path)
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{path}: entry {number} of images needs a text as file_name, got {_short(name)}")
        other = images.get(key)
        if other is not None and os.path.normpath(other.name) == os.path.normpath(name):
            again.append(f"{name} (id {key})")
        elif other is not None:
            raise ValueError(f"{path}: two images have the same id {key}, {other.name} and {name}; give each its own, "
                             "in the annotations too")
        elif name in ids:
            raise ValueError(f"{path}: the images {ids[name]} and {key} have the same file_name {name}; leave one of "
                             "them out, and give its annotations the image_id of the other")
        else:
            images[key] = _Image(key, name, entry, [])
            ids[name] = key
    return images, [Skipped(path, f"{counted(len(again), 'image is', 'images are')} named more than once, such as "
                                  f"{again[0]}; each is read once")] if again else []


def _annotate(images: Mapping[int | str, _Image], entries: Sequence[dict[str, Any]], names: Mapping[int | str, str],
              path: Path) -> list[Skipped]:
    """Add the annotations to their images; returns which ids come twice. ValueError for an unknown image or class."""
    seen: set[Any] = set()
    again = []
    for number, entry in enumerate(entries, 1):
        own = entry.get("id")
        where = f"annotation {number if own is None else _short(own)}"
        if own is not None and str(own) in seen:
            again.append(where)
            where += f" (entry {number})"
        seen.add(str(own))
        image, category = (_id_of(entry, key, "annotations", number, path) for key in ("image_id", "category_id"))
        if image not in images:
            raise ValueError(f"{path}, {where}: there is no image {image}; add it to images, or leave the annotation "
                             "out")
        if category not in names:
            raise ValueError(f"{path}, {where}: there is no category {category}; there are "
                             f"{', '.join(f'{k} {v}' for k, v in names.items()) or 'none'}")
        if "bbox" not in entry and "segmentation" not in entry:
            raise ValueError(f"{path}: entry {number} of annotations has no bbox")
        images[image].annotations.append((where, entry))
    return [Skipped(path, f"{counted(len(again), 'annotation has', 'annotations have')} the id of an earlier one, the "
                          f"first: {again[0]}; all are read")] if again else []


def _classes(entries: Sequence[dict[str, Any]], path: Path) -> dict[int | str, str]:
    """Id -> class. ValueError where two have one id, or one has no name."""
    names: dict[int | str, str] = {}
    for number, entry in enumerate(entries, 1):
        key, given = _id_of(entry, "id", "categories", number, path), entry["name"]
        name = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
        if not name.strip() or SURROGATE.search(name):
            raise ValueError(f"{path}: entry {number} of categories, id {key}, has no name but {_short(given)}; name "
                             "the class")
        if names.setdefault(key, name) != name:
            raise ValueError(f"{path}: the categories {names[key]} and {name} have the same id {key}; give each its "
                             "own, in the annotations too")
    return names


def _labels_of(path: Path, image: _Image, names: Mapping[int | str, str]) -> Labels:
    boxes, skipped, ignored = [], [], []
    for where, entry in image.annotations:
        shape = entry.get("segmentation") or None
        if to_flag(entry.get("iscrowd"), path, where, "iscrowd") or to_flag(entry.get("ignore"), path, where, "ignore"):
            ignored.append(LabelledBox(_box(entry["bbox"], path, where) if entry.get("bbox") else (), "", where,
                                       shape=shape))
            continue
        given, outline = entry.get("bbox"), ""
        if given is None or given == []:
            box, outline = box_around(entry.get("segmentation"), path, where), str(entry.get("segmentation"))
        else:
            box = _box(given, path, where)
        if box is None:
            skipped.append(Skipped(path, f"{where}: left out, since its bbox is empty"))
        else:
            boxes.append(LabelledBox(box, names[_to_id(entry["category_id"])], where, outline, shape))
    size = to_size(image.entry.get("height"), image.entry.get("width"), path, f"image {image.id}")
    return Labels(path, tuple(boxes), size, regions=len(ignored), skipped=tuple(skipped), ignored=tuple(ignored))


def _box(given: Any, path: Path, where: str) -> tuple[float, ...]:
    """The corners x0, y0, x1, y1 of a bbox. ValueError for what is none."""
    if not isinstance(given, list) or len(given) != 4:
        raise ValueError(f"{path}, {where}: bbox needs x, y, width, height, got {_short(given)}")
    x, y, wide, high = (to_number(str(value), path, where, "bbox") for value in given)
    return x, y, x + wide, y + high


def _entries(data: dict[str, Any], key: str, needs: Sequence[str], path: Path) -> list[dict[str, Any]]:
    """The list data[key], each entry with the keys that it needs."""
    entries = data.get(key)
    if not isinstance(entries, list):
        raise ValueError(f"{path} is no annotation file of COCO: it has no list {key!r}; it needs images, annotations "
                         "and categories")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise ValueError(f"{path}: entry {number} of {key} needs an object with {', '.join(needs)}, got "
                             f"{_short(entry)}; export the file again")
        missing = [name for name in needs if name not in entry]
        if missing:
            raise ValueError(f"{path}: entry {number} of {key} has no {missing[0]}")
    return entries


def _id_of(entry: Mapping[str, Any], key: str, entries: str, number: int, path: Path) -> int | str:
    found = _to_id(entry[key])
    if found is None:
        raise ValueError(f"{path}: entry {number} of {entries} needs a number as {key}, got {_short(entry[key])}")
    return found


def _to_id(value: Any) -> Any:
    """An id that is equal for 1, 1.0, "1" and "1.0"; text of other letters stays; None for anything else."""
    if isinstance(value, str):
        digits = DIGITS.fullmatch(value.strip())
        return int(digits[1]) if digits else value.strip() or None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


LAYOUT = Layout("coco", "COCO: annotations/instances_<part>.json, <part>/_annotations.coco.json, or a JSON file in the "
                        "folder with the lists images, annotations and categories", _matches, _listing, NUMBERS,
                lambda box: (box[0], box[1], box[2] - box[0], box[3] - box[1]))
