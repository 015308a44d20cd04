"""Reading KITTI: one text file for each photo. `scenefit.data.formats.kitti` writes the layout, and
`scenefit.data.formats.kitti_labels` describes its files.

Read: the folders image_2 and label_2, with subfolders, in the data set's folder or in folders of parts such as
training; also in the folders that the downloads of images and labels unpack into.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenefit.data.formats.class_folders import PARTS, subfolders
from scenefit.data.formats.kitti_labels import MATRICES, is_nothing
from scenefit.data.formats.paired_folders import Home, list_photos
from scenefit.data.formats.reading import LabelledBox, Labels, Layout, Listing, NoLabels, to_number
from scenefit.files.text import read_lines

IMAGES, LABELS = "image_2", "label_2"
DOWNLOAD = "data_object_*"  # folders that the downloads of images and labels unpack into
CVAT = "default"  # the part of its exports
NUMBERS = ("truncated (a class has no blanks)", "occluded", "alpha", "left", "top", "right", "bottom", "height",
           "width", "length", "x", "y", "z", "rotation_y", "score")  # of an object, after its class


def _matches(folder: Path) -> bool:
    return any(_homes(folder))


def _homes(folder: Path) -> Iterator[Home]:
    """Where photos and labels lie: in the folder, or in folders of parts right below, or as the downloads unpack."""
    parts = [path for path in subfolders(folder) if path.name.lower() in (*PARTS, CVAT)]
    found = [(place, place) for place in (folder, *parts) if (place / IMAGES).is_dir() and (place / LABELS).is_dir()]
    found = found[:1] if (folder, folder) in found else found
    apart = [[path.parent for path in sorted(folder.glob(f"{DOWNLOAD}/*/{name}"))] for name in (IMAGES, LABELS)]
    if not found:  # data_object_image_2/training/image_2 and data_object_label_2/training/label_2
        found = [(photos, labels) for photos in apart[0] for labels in apart[1] if photos.name == labels.name]
    for photos, labels in found:
        yield Home(photos / IMAGES, labels / LABELS, "" if photos == folder else photos.name)


def _listing(folder: Path, part: str | Path | None) -> Listing:
    return list_photos(list(_homes(folder)), ".txt", [folder, folder.parent], part, read_labels)


def read_labels(path: Path) -> Labels:
    """A label file. ValueError, naming the line, where it is malformed; NoLabels if it is missing."""
    if not path.is_file():
        raise NoLabels(f"has no label file {path}")
    boxes: list[LabelledBox] = []
    regions: list[LabelledBox] = []
    for number, line in read_lines(path):
        words, where = _words(line), f"line {number}"
        if len(words) not in (15, 16):  # the sixteenth is a detector's score
            raise ValueError(f"{path}, {where}: an object of KITTI has 15 columns, got {len(words)}{_guess(words)}")
        numbers = [to_number(word, path, where, what) for word, what in zip(words[1:], NUMBERS, strict=False)]
        more = {"truncation": numbers[0], "occlusion": numbers[1], "alpha": numbers[2], "box3d": numbers[7:14]}
        found = regions if is_nothing(words[0]) else boxes
        found.append(LabelledBox(tuple(numbers[3:7]), words[0], where, more=more))
    return Labels(path, tuple(boxes), regions=len(regions), ignored=tuple(regions))


def read_calibration(path: Path) -> dict[str, NDArray[np.float64]]:
    """Name -> matrix of a calibration file. ValueError, naming the line, where a matrix of `MATRICES` has another
    size, and for a file that has none of them; others are left out."""
    found = {}
    for number, line in read_lines(path):
        name, _, values = line.partition(":")
        if name in MATRICES:
            where, shape = f"line {number}", MATRICES[name]
            numbers = [to_number(word, path, where, name) for word in values.split()]
            if len(numbers) != shape[0] * shape[1]:
                raise ValueError(f"{path}, {where}: {name} has {shape[0] * shape[1]} numbers, got {len(numbers)}")
            found[name] = np.array(numbers).reshape(shape)
    if not found:
        raise ValueError(f"{path} has none of the matrices {', '.join(MATRICES)} of KITTI's object detection; give a "
                         "file of its folder calib")
    return found


def _words(line: str) -> list[str]:
    """The columns of a line; a DontCare of two words is one column."""
    words = line.split()
    return ["".join(words[:2]), *words[2:]] if is_nothing("".join(words[:2])) else words


def _guess(words: Sequence[str]) -> str:
    """What a line of another number of columns may be."""
    if len(words) == 1 and "," in words[0]:
        return "; separate them by blanks, not by commas"
    if len(words) == 14 and _is_number(words[0]):
        return "; the first, the class, is missing"
    if len(words) in (17, 18) and all(map(_is_number, words[:2])) and not _is_number(words[2]):
        return "; it looks like KITTI's tracking, whose lines begin with frame and track: remove these two columns"
    return ""


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


LAYOUT = Layout("kitti", "KITTI: the folders image_2 and label_2, also in folders such as training", _matches, _listing)
