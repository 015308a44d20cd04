"""KITTI's object detection: one text file for each image, one line of 15 columns for each object.

    training/image_2/<scene>.png    training/label_2/<scene>.txt    ImageSets/train.txt    ImageSets/val.txt
    training/calib/<scene>.txt, where the renders give the camera    objects.csv    provenance.json

`scenefit.data.formats.kitti_labels` describes labels and calibration. Columns of boxes in space are as the renders give
them, and unknown where they give none. objects.csv is that of `scenefit.data.formats.format`.
"""

from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from scenefit.data.boxes3d import cameras, object_boxes3d, observation_angle
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
from scenefit.data.formats.kitti_labels import NOTHING, calibration_text, is_nothing, label_line, occlusion_level
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import write_text


def kitti_format(label_policy: LabelPolicy | None = None) -> Format:
    """KITTI with a label policy."""
    label_policy = label_policy or LabelPolicy()
    return Format("kitti", partial(save, label_policy=label_policy), partial(finish_lists, folder="ImageSets"),
                  label_policy.settings(), portable=True)


def save(frames: Frames, out: Path, part: Sequence[str], label_policy: LabelPolicy | None = None) -> list[Row]:
    """Write images, labels and calibration. ValueError for a class that cannot be a column, or means something else."""
    check_parts(frames, part)
    found = describe_objects(frames, label_policy or LabelPolicy())
    rows = [object_row(frames, i, part[i], f"training/image_2/{int(frames.scenes.index[i]):06d}.png", objects)
            for i, objects in enumerate(found)]
    for row in rows:
        for name in row["classes"]:
            if len(name.split()) != 1 or is_nothing(name):
                raise ValueError(f"scene {row['scene']} has the class {name!r}, which cannot be KITTI's type: blanks "
                                 f"separate its columns, and {NOTHING} means no object; rename the class")
    texts = [(out / f"training/label_2/{Path(row['file']).stem}.txt", text)
             for row, text in zip(rows, _labels(frames, found), strict=True)]
    if (camera := cameras(frames)) is not None:
        texts += [(out / f"training/calib/{Path(row['file']).stem}.txt", calibration_text(own))
                  for row, own in zip(rows, camera, strict=True)]
    write_all(write_png, [(out / row["file"], image) for row, image in zip(rows, frames.images, strict=True)])
    write_all(write_text, texts)
    return rows


def _labels(frames: Frames, found: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """The label file of each frame, from its objects."""
    texts, box3d = [""] * len(frames), object_boxes3d(frames)
    of_object = zip(frames.objects.scene.tolist(), chain.from_iterable(found), observation_angle(box3d).tolist(),
                    box3d.tolist(), strict=True)
    for scene, o, alpha, space in of_object:
        if o["kept"]:
            texts[scene] += label_line(o["name"], o["truncation"], occlusion_level(o["visibility"]), alpha,
                                       o["label_box"], space)
    return texts
