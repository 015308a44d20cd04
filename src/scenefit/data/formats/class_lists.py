"""Data sets of YOLO without a data.yaml: a text file names the classes, one a line.

    classes.txt        labelImg, Label Studio: beside images/ and labels/, in labels/, or beside photos and label files
    obj.names          Darknet, CVAT: beside obj.data, which names the lists of photos; also other *.names
    _darknet.labels    Roboflow: in each of train/, valid/ and test/
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from scenefit.data.formats.class_folders import PARTS, subfolders
from scenefit.data.formats.photo_files import files_below
from scenefit.files.text import read_lines, read_text

CLASSES = ("classes.txt", "_darknet.labels")
NAMES, LISTS = ".names", ".data"  # endings of Darknet's files: the classes, and where lists and classes lie
LABELS, IMAGES = "labels", "images"
LOOKED_AT = 50  # label files; of these, the first that is not empty decides
COLUMNS = 5  # of a box, in a label file
LOOKS_FOR = "classes.txt, obj.names or _darknet.labels with one class a line, and label files"


def find_class_list(folder: Path) -> Path | None:
    """The file that names the classes of a data set of YOLO; None where there is none, or no label file."""
    inside = _named(folder)
    homes = [folder, *inside, *(below for path in inside for below in _named(path))]
    lists = [path for home in homes for path in sorted(home.iterdir())
             if (path.name.lower() in CLASSES or path.suffix.lower() == NAMES) and path.is_file()]
    return lists[0] if lists and _has_labels(folder) else None


def _named(folder: Path) -> list[Path]:
    """Folders that may hold label files, by their names."""
    return [path for path in subfolders(folder) if path.name.lower() in (*PARTS, LABELS)]


def read_class_list(path: Path) -> dict[int, str]:
    """Number -> class, from lines; an empty line counts, as Darknet counts it, but names no class. ValueError where a
    class comes twice."""
    names = dict(enumerate(line.strip() for line in read_text(path).splitlines()))
    found = {number: name for number, name in names.items() if name}
    twice = next((name for name, count in Counter(found.values()).items() if count > 1), None)
    if twice is not None:
        raise ValueError(f"{path} names the class {twice} twice; remove or rename one, and correct the numbers of the "
                         "classes in the label files")
    return found


def find_places(folder: Path) -> dict[str, list[str]]:
    """Part -> its folders or list files, below the folder."""
    listed = dict(_of_darknet(folder))
    if listed:
        return listed
    parts = {PARTS[path.name.lower()]: path for home in (folder, folder / IMAGES) if home.is_dir()
             for path in subfolders(home) if path.name.lower() in PARTS}
    if parts:
        return {name: [str((path / IMAGES if (path / IMAGES).is_dir() else path).relative_to(folder))]
                for name, path in sorted(parts.items(), key=lambda part: list(PARTS.values()).index(part[0]))}
    return {"train": [IMAGES if (folder / IMAGES).is_dir() else "."]}


def _of_darknet(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Parts and their list files, as obj.data names them: train = data/train.txt."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() != LISTS or not path.is_file():
            continue
        for _, line in read_lines(path):
            key, _, value = (word.strip() for word in line.partition("="))
            name = Path(value.replace("\\", "/")).name
            if key in PARTS and name and (folder / name).is_file():
                yield PARTS[key], [name]


def _has_labels(folder: Path) -> bool:
    """Whether a text file below a folder holds lines of YOLO: a class number and at least four numbers."""
    files = (path for path in files_below(folder) if path.suffix.lower() == ".txt" and path.name.lower() not in CLASSES)
    return any(map(is_label, islice(files, LOOKED_AT)))


def is_label(path: Path) -> bool:
    """Whether a file begins as a label file of YOLO does: with a class number and at least four numbers."""
    try:
        with open(path, "rb") as file:
            numbers = [float(word) for word in file.readline().split()]
        return len(numbers) >= COLUMNS and numbers[0].is_integer()
    except (OSError, ValueError):
        return False
