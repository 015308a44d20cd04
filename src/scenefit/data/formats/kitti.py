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
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import write_text

UNKNOWN_3D = "-1 -1 -1 -1000 -1000 -1000 -10"
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


def is_nothing(name: str) -> bool:
    """Whether a class means DontCare, as other programs write it: dontcare, Dont_Care, "Don't care"."""
    return "".join(filter(str.isalnum, name.lower())) == NOTHING.lower()


def _lines(row: Row) -> str:
    lines = []
    for o in row["objects"]:
        if o["kept"]:
            occluded = sum(o["visibility"] < least for least in SEEN)
            corners = " ".join(f"{value:.2f}" for value in o["label_box"])
            lines.append(f"{o['name']} {o['truncation']:.2f} {occluded} -10 {corners} {UNKNOWN_3D}\n")
    return "".join(lines)
