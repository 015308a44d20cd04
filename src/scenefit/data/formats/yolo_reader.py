"""Reading data sets of YOLO as Ultralytics reads them, and as many programs write them.

data.yaml (or another YAML file that names classes) names the classes, and for each part a folder of photos, searched
with its subfolders, or a list file of photos; without it see `scenefit.data.formats.class_lists`. The label file of
images/<name>.png is labels/<name>.txt, or lies beside it. A line is a class number and centre x, centre y, width,
height in shares of the photo; or a class number and at least three corners x, y: a polygon or a turned box, read as the
upright box around it. With kpt_shape in data.yaml, keypoints follow a box.
Format: https://docs.ultralytics.com/datasets/detect/
"""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scenefit.data.formats import class_lists
from scenefit.data.formats.data_yaml import read_yaml
from scenefit.data.formats.photo_files import (
    find_named,
    found_or_missing,
    in_any_case,
    labels_of,
    named_elsewhere,
    other_ending,
    photos_below,
    without_photo,
)
from scenefit.data.formats.reading import (
    Item,
    LabelledBox,
    Labels,
    Layout,
    Listing,
    NoPart,
    read_names,
    to_number,
)
from scenefit.data.formats.segmentation import around
from scenefit.data.image_files import Skipped
from scenefit.files.text import counted, read_text

SPLITS = ("train", "val", "test")
ENDINGS = (".yaml", ".yml")
COLUMNS = ("centre x", "centre y", "width", "height")
LABELS = ("labels", "Labels", "LABELS")
CLASS_LIST = "classes"  # a text file that labelling programs leave among the label files
SHARES = 2.0  # no share of a photo is larger; pixels are
NUMBERS = "YOLO's columns are centre x, centre y, width, height"


def _yaml(folder: Path) -> Path | None:
    """The file that describes the data set: data.yaml, or another one that names classes."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS and _names_classes(path)]
    return next((path for path in found if path.stem.lower() == "data"), found[0] if found else None)


def _names_classes(path: Path) -> bool:
    try:
        return path.is_file() and any(line.startswith("names:") for line in read_text(path).splitlines())
    except (ValueError, OSError):
        return path.stem.lower() == "data"  # which is at fault, and named, when it is read


def _matches(folder: Path) -> bool:
    return _yaml(folder) is not None or class_lists.find_class_list(folder) is not None


def _described(folder: Path) -> tuple[Path, dict[str, Any], dict[str, list[str]]]:
    """The file that names the classes, what it holds, and the places of each part."""
    path = _yaml(folder)
    if path is not None:
        found = read_yaml(path)
        return path, found, _places(found, path)
    classes = class_lists.find_class_list(folder)
    if classes is None:
        raise ValueError(f"{folder} has neither a data.yaml with the names of the classes, nor {class_lists.LOOKS_FOR}")
    return classes, {"names": class_lists.read_class_list(classes)}, class_lists.find_places(folder)


def _listing(folder: Path, part: str | Path | None) -> Listing:
    path, found, places = _described(folder)
    root = folder / str(found.get("path") or ".")
    root = root if root.is_dir() else folder
    if part is not None and str(part) not in places and Path(part).suffix.lower() == ".txt" and Path(part).is_file():
        places = {str(part): [os.path.abspath(part)]}  # a list file, which is a part of its own
    if part is not None and str(part) not in places:
        raise NoPart(f"{path} has no part {str(part)!r}; its parts: {', '.join(places) or 'none'}")
    listings: list[Listing] = []
    skipped = _same_places(places, part, root, path)
    read: set[str] = set()
    for name in places if part is None else [str(part)]:
        for entry in places[name]:
            place = _place(root, entry)
            if os.path.realpath(place) in read:
                continue
            read.add(os.path.realpath(place))
            try:
                listings.append(_photos(place, entry, (root, folder), partial(_item, found=found, path=path), path))
            except NoPart as error:
                if part is not None:
                    raise
                skipped.append(Skipped(path, f"its part {name} is left out: {error}"))
    return Listing(tuple(item for listing in listings for item in listing.items),
                   (*(entry for listing in listings for entry in listing.skipped), *skipped),
                   tuple(entry for listing in listings for entry in listing.missing), tuple(found["names"].values()))


def _places(found: Mapping[str, Any], path: Path) -> dict[str, list[str]]:
    """Part -> its folders or list files, as data.yaml writes them."""
    if "val" not in found and "validation" in found:
        found = {**found, "val": found["validation"]}
    places = {}
    for name in SPLITS:
        given = found.get(name) or []
        entries = given if isinstance(given, list) else [given]
        wrong = [entry for entry in entries if not isinstance(entry, str)]
        if wrong:
            raise ValueError(f"{path}: {name} needs a folder, a list file or a list of these, got {wrong[0]!r}")
        if entries:
            places[name] = entries
    return places


def _place(root: Path, entry: str) -> Path:
    entry = entry if (root / entry).exists() else entry.replace("\\", "/")
    if not (root / entry).exists() and entry.startswith("../"):  # as in some exports; Ultralytics reads them so too
        return root / entry[3:]
    return root / entry


def _same_places(places: Mapping[str, Sequence[str]], part: str | Path | None, root: Path, path: Path) -> list[Skipped]:
    """Which parts, of those that are read, are one folder: photos to train on would be photos to evaluate on."""
    first: dict[str, str] = {}
    skipped = []
    for name, entries in places.items():
        for entry in entries:
            other = first.setdefault(os.path.realpath(_place(root, entry)), name)
            if other != name and (part is None or str(part) in (other, name)):
                skipped.append(Skipped(path, f"its parts {other} and {name} are the same photos, {entry}; name others "
                                             "if one is to train and one to evaluate on"))
    return skipped


def _item(photo: Path, found: Mapping[str, Any], path: Path, outside: str = "") -> Item:
    return Item(photo, partial(read_labels, _label_file(photo), found["names"], path,
                               bool(found.get("kpt_shape"))), outside)


def _photos(place: Path, entry: str, homes: Sequence[Path], item: "partial[Item]", path: Path) -> Listing:
    """Photos of a folder, or of a list file. NoPart where there are none such, or their labels' folder is missing."""
    if place.is_dir():
        return _folder(place, item, path)
    if place.suffix.lower() != ".txt" or not place.is_file():
        raise NoPart(f"{path} names the photos in {entry}, but {place} is neither a folder nor a list of photos; "
                     "export it, or correct the name")
    items, missing, names = [], [], []
    for number, line in read_names(place):
        photo, inside = find_named(line, (place.parent, *homes) if line.startswith("./") else (*homes, place.parent),
                                   homes)
        reason = found_or_missing(photo, Skipped(place, f"line {number}: there is no photo {homes[0] / line}"
                                                  f"{'' if photo else other_ending(line, homes)}"))
        if reason is None and photo is not None:
            items.append(item(photo, outside="" if inside else f"{place}, line {number}: {line}"))
            names.append((line, photo))
        elif reason is not None:
            missing.append(reason)
    return Listing(tuple(items), tuple(named_elsewhere(names, place)), tuple(missing))


def _folder(place: Path, item: "partial[Item]", path: Path) -> Listing:
    found, home = photos_below(place), _beside(place / "x.txt").parent
    labels = labels_of(found, home if home.is_dir() else place, ".txt")
    if home == place or not home.is_dir():  # other texts lie beside photos, too
        labels = {name: label for name, label in labels.items() if name in found.photos or class_lists.is_label(label)}
    if found.photos and home != place and not home.is_dir() and not any(
            _label_file(photo).is_file() for photo in found.photos.values()):
        raise NoPart(f"{path} names the photos in {place}, but their labels' folder {home} is missing")
    if CLASS_LIST not in found.photos:
        labels.pop(CLASS_LIST, None)
    missing = dict.fromkeys(without_photo(labels, found))
    return Listing(tuple(map(item, found.photos.values())),
                   tuple(entry for entry in found.skipped if entry not in missing), tuple(missing))


def _beside(photo: Path) -> Path:
    """The label file of a photo: its last folder called images becomes labels, in small letters or in capitals."""
    parts = photo.parts[:-1]
    at = max((i for i, part in enumerate(parts) if part.lower() == "images"), default=None)
    if at is None:
        return photo.with_suffix(".txt")
    home = Path(*parts[:at])
    labels = next((name for name in LABELS if (home / name).is_dir()), LABELS[0])
    return home.joinpath(labels, *photo.parts[at + 1:]).with_suffix(".txt")


def _label_file(photo: Path) -> Path:
    """The label file of a photo: in its folder of labels, or else beside it; where it is, or else should be."""
    homes = _beside(photo), photo.with_suffix(".txt")
    paths = [path for home in homes for path in (home, home.with_name(f"{photo.name}.txt"))]
    return next((path for path in map(in_any_case, paths) if path.is_file()), homes[0])


def read_labels(path: Path, names: Mapping[int, str], classes: Path, keypoints: bool = False) -> Labels:
    """A label file; a missing one means no objects. ValueError, naming the line, where it is malformed.

    classes: the file that names them.  keypoints: whether further columns of a line are keypoints, not corners.
    """
    if not path.is_file():
        return Labels(path, (), shares=True, absent=True)
    boxes, beyond = [], []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words, where = line.split(), f"line {number}"
        if not words:
            continue
        is_outline = len(words) >= 7 and len(words) % 2 == 1 and not keypoints
        if not (is_outline or len(words) == 5 or (keypoints and len(words) > 5)):
            hint = ("; is the last a detector's confidence? leave it out" if len(words) == 6 else
                    "; separate them by blanks, not by commas" if "," in line else "")
            raise ValueError(f"{path}, {where}: an object of YOLO has 5 columns (class, centre x, centre y, width, "
                             f"height), or a class and at least 3 corners, got {len(words)}{hint}")
        name = _class_of(words[0], names, path, where, classes)
        values = [to_number(word, path, where, "a corner" if is_outline else COLUMNS[i])
                  for i, word in enumerate(words[1:] if is_outline else words[1:5])]
        largest = max(values, key=abs)
        if SHARES < abs(largest) < float("inf"):
            beyond.append((where, largest))
            continue
        if is_outline:
            boxes.append(LabelledBox(around(values), name, where, line, values))
            continue
        x, y, width, height = values
        boxes.append(LabelledBox((x - width / 2, y - height / 2, x + width / 2, y + height / 2), name, where))
    skipped = tuple(Skipped(path, f"{counted(len(beyond), 'line')} left out, such as {where} with {largest:g}: the "
                                  "numbers are shares of the photo's width and height, not pixels; divide them by "
                                  "these")
                    for where, largest in beyond[:1])
    return Labels(path, tuple(boxes), shares=True, skipped=skipped)


def _class_of(word: str, names: Mapping[int, str], path: Path, where: str, classes: Path) -> str:
    """The class of a number, which may be written as 0, 0.0 or 0.000e+00, or of a name."""
    try:
        number = float(word)
    except ValueError:
        number = float("nan")
    if number not in names and word in names.values():
        return word
    if number not in names:
        raise ValueError(f"{path}, {where}: the class {word} is not among those of {classes}: "
                         f"{', '.join(f'{number} {name}' for number, name in names.items()) or 'none'}")
    return names[int(number)]


LAYOUT = Layout("yolo", "YOLO: a data.yaml with the names of the classes and the folders of the parts; or "
                        f"{class_lists.LOOKS_FOR}", _matches, _listing, NUMBERS,
                lambda box: ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]))
