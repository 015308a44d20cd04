"""KITTI's object detection: one text file for each image, one line of 15 columns for each object.

    training/image_2/<scene>.png    training/label_2/<scene>.txt    ImageSets/train.txt    ImageSets/val.txt
    objects.csv    provenance.json

Columns: type, truncated (0..1), occluded (0 seen to at least 90 %, 1 to at least half, 2 less), alpha, then left, top,
right, bottom in pixels (right and bottom just outside, so that right - left is the width, as KITTI's evaluation takes
them), then height, width, length, x, y, z and rotation_y of a 3D box. 3D values are unknown here: -10, -1, -1000 and
-10, as KITTI marks them. objects.csv is that of `scenefit.data.formats.format`.
Format: the readme of KITTI's object development kit, https://www.cvlibs.net/datasets/kitti/eval_object.php
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scenefit.data.formats.format import (
    Format,
    Row,
    check_parts,
    describe_objects,
    finish_lists,
    object_row,
    write_all,
    write_png,
)
from scenefit.data.formats.reading import (
    Item,
    LabelledBox,
    Labels,
    Layout,
    Listing,
    NoLabels,
    choose,
    photos_in,
    to_number,
    unused,
)
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import write_text
from scenefit.files.text import read_lines

UNKNOWN_3D = "-1 -1 -1 -1000 -1000 -1000 -10"
NUMBERS = ("truncated (a class has no blanks)", "occluded", "alpha", "left", "top", "right", "bottom", "height",
           "width", "length", "x", "y", "z", "rotation_y", "score")  # of an object, after its class
NOTHING = "DontCare"  # a region that is ignored in the evaluation
SEEN = (0.9, 0.5)  # least visibility of a fully, and of a partly visible object


def kitti_format(label_policy: LabelPolicy | None = None) -> Format:
    """KITTI with a label policy."""
    label_policy = label_policy or LabelPolicy()
    return Format("kitti", partial(save, label_policy=label_policy), partial(finish_lists, folder="ImageSets"),
                  label_policy.settings(), portable=True)


def save(frames: Frames, out: Path, part: Sequence[str], label_policy: LabelPolicy | None = None) -> list[Row]:
    """Write images and labels. ValueError for a class that cannot be a column, or means something else."""
    check_parts(frames, part)
    found = describe_objects(frames, label_policy or LabelPolicy())
    rows = [object_row(frames, i, part[i], f"training/image_2/{int(frames.scenes.index[i]):06d}.png", objects)
            for i, objects in enumerate(found)]
    for row in rows:
        for name in row["classes"]:
            if len(name.split()) != 1 or is_nothing(name):
                raise ValueError(f"scene {row['scene']} has the class {name!r}, which cannot be KITTI's type: blanks "
                                 f"separate its columns, and {NOTHING} means no object; rename the class")
    write_all(write_png, [(out / row["file"], image) for row, image in zip(rows, frames.images, strict=True)])
    write_all(write_text, [(out / f"training/label_2/{Path(row['file']).stem}.txt", _lines(row)) for row in rows])
    return rows


def _lines(row: Row) -> str:
    lines = []
    for o in row["objects"]:
        if o["kept"]:
            occluded = sum(o["visibility"] < least for least in SEEN)
            corners = " ".join(f"{value:.2f}" for value in o["label_box"])
            lines.append(f"{o['name']} {o['truncation']:.2f} {occluded} -10 {corners} {UNKNOWN_3D}\n")
    return "".join(lines)


def _home(folder: Path) -> Path:
    """The folder that contains image_2 and label_2."""
    return folder / "training" if (folder / "training/label_2").is_dir() else folder


def _matches(folder: Path) -> bool:
    home = _home(folder)
    return (home / "image_2").is_dir() and (home / "label_2").is_dir()


def _listing(folder: Path, part: str | Path | None) -> Listing:
    home = _home(folder)
    photos = photos_in(home / "image_2")
    chosen, skipped = choose(photos, home / "image_2", [folder, folder.parent], part)
    if part is None:
        skipped += unused((home / "label_2").glob("*.txt"), photos, home / "image_2")
    return Listing(tuple(Item(path, partial(read_labels, home / "label_2" / f"{path.stem}.txt")) for path in chosen),
                   missing=tuple(skipped))


def read_labels(path: Path) -> Labels:
    """A label file. ValueError, naming the line, where it is malformed; NoLabels if it is missing."""
    if not path.is_file():
        raise NoLabels(f"has no label file {path}")
    boxes, regions = [], 0
    for number, line in read_lines(path):
        words, where = _words(line), f"line {number}"
        if len(words) not in (15, 16):  # the sixteenth is a detector's score
            raise ValueError(f"{path}, {where}: an object of KITTI has 15 columns, got {len(words)}{_guess(words)}")
        numbers = [to_number(word, path, where, what) for word, what in zip(words[1:], NUMBERS, strict=False)]
        if is_nothing(words[0]):
            regions += 1
        else:
            boxes.append(LabelledBox(tuple(numbers[3:7]), words[0], where))
    return Labels(path, tuple(boxes), regions=regions)


def is_nothing(name: str) -> bool:
    """Whether a class means DontCare, as other programs write it: dontcare, Dont_Care, "Don't care"."""
    return "".join(filter(str.isalnum, name.lower())) == NOTHING.lower()


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


LAYOUT = Layout("kitti", "KITTI: the folders image_2 and label_2, also below training", _matches, _listing)
