"""Cityscapes: masks of city streets, whose values are the ids of its labels.

    leftImg8bit/<part>/scenefit/scenefit_<scene>_leftImg8bit.png    objects.csv    provenance.json
    gtFine/<part>/scenefit/scenefit_<scene>_gtFine_labelIds.png
    gtFine/<part>/scenefit/scenefit_<scene>_gtFine_instanceIds.png

<scene> is two numbers of six digits, as of Cityscapes' sequences and frames. In labelIds a value is the id of a class,
0 where there is none, and for objects that the `LabelPolicy` leaves without a label. In instanceIds, 16 bits, it is
1000 times the id plus the number of the object among those of its class in the image, from 0, for classes with
instances; else the id, also of objects beyond the thousandth. A class is named as Cityscapes does ("traffic light", in
any case, or with _ for the blank) or as in `KINDS`; nodes without a class, such as strips of the ground, go by their
kind. Where renders have depth, what shows no object and is infinitely far is sky. objects.csv is that of
`scenefit.data.formats.format`.
Format: Cordts et al. 2016, https://www.cityscapes-dataset.com  Legend: S frames; H, W pixels; m objects.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.formats.format import (
    Format,
    Row,
    check_parts,
    describe_objects,
    object_row,
    object_table,
    write_all,
    write_png,
    write_table,
)
from scenefit.data.frame_checks import one_per_pixel
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import clear_leftovers, write_json

CITY = "scenefit"
PHOTO_END, MASK_END, INSTANCE_END = "_leftImg8bit", "_gtFine_labelIds.png", "_gtFine_instanceIds.png"
IDS = {"static": 4, "dynamic": 5, "ground": 6, "road": 7, "sidewalk": 8, "parking": 9, "rail track": 10, "building": 11,
       "wall": 12, "fence": 13, "guard rail": 14, "bridge": 15, "tunnel": 16, "pole": 17, "polegroup": 18,
       "traffic light": 19, "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25,
       "car": 26, "truck": 27, "bus": 28, "caravan": 29, "trailer": 30, "train": 31, "motorcycle": 32, "bicycle": 33}
EVALUATED = {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}  # by Cityscapes
SKY, FIRST_OBJECT, MOST = 23, 24, 1000  # from FIRST_OBJECT on, classes have instances; of each class at most MOST
# Kinds of streets -> Cityscapes' names.
KINDS = {"van": "car", "pedestrian": "person", "cyclist": "rider", "house": "building", "tree": "vegetation",
         "sign": "traffic sign", "bollard": "pole", "furniture": "static", "lane": "road", "carriageway": "road",
         "cycle lane": "road", "marking": "road", "centre line": "road", "lane line": "road", "edge line": "road",
         "pavement": "sidewalk", "kerb": "sidewalk", "verge": "terrain", "grass": "terrain", "median": "terrain"}


def label_id(name: str) -> int:
    """Cityscapes' id of a class or kind, 0 for none."""
    plain = name.lower().replace("_", " ")
    return IDS.get(KINDS.get(plain, plain), 0)


def cityscapes_format(label_policy: LabelPolicy | None = None) -> Format:
    """Cityscapes with a label policy."""
    label_policy = label_policy or LabelPolicy()
    return Format("cityscapes", partial(save, label_policy=label_policy), finish, label_policy.settings(),
                  portable=True)


def save(frames: Frames, out: Path, part: Sequence[str], label_policy: LabelPolicy | None = None) -> list[Row]:
    """Write images and masks. ValueError for a labelled object whose class Cityscapes does not have, and for depth of
    another shape."""
    check_parts(frames, part)
    label_policy = label_policy or LabelPolicy()
    labels, instances = id_masks(frames, label_policy)
    rows = []
    for i, objects in enumerate(describe_objects(frames, label_policy)):
        sequence, frame = divmod(int(frames.scenes.index[i]), 10**6)
        file = f"leftImg8bit/{part[i]}/{CITY}/{CITY}_{sequence:06d}_{frame:06d}{PHOTO_END}.png"
        rows.append(object_row(frames, i, part[i], file, objects))
    write_all(write_png, [(out / row["file"], image) for row, image in zip(rows, frames.images, strict=True)])
    for ending, masks in ((MASK_END, labels), (INSTANCE_END, instances)):
        write_all(write_png, [(out / _mask_file(row["file"], ending), mask)
                              for row, mask in zip(rows, masks, strict=True)])
    return rows


def finish(out: Path, rows: Iterator[Row], classes: Sequence[str], info: dict[str, Any]) -> None:
    """Write objects.csv, then provenance.json."""
    clear_leftovers(out)
    with object_table(out) as table:
        for _ in write_table(rows, classes, table):
            pass
    write_json(out / "provenance.json", info)


def id_masks(frames: Frames, label_policy: LabelPolicy) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """labelIds and instanceIds, both [S, H, W]."""
    objects, kept = frames.objects, label_policy.keeps(frames)
    nodes = int(max(frames.instances.max(initial=0), objects.id.max(initial=0))) + 1
    of_node = _node_ids(frames, nodes)
    place = objects.scene * nodes + objects.id
    unknown = np.flatnonzero(kept & (of_node[place] == 0))
    if len(unknown):
        m = unknown[0]
        raise ValueError(f"scene {int(frames.scenes.index[objects.scene[m]])} has the class {str(objects.name[m])!r}, "
                         f"which Cityscapes does not have; it has {', '.join(IDS)}; rename the class")
    of_node[place[(objects.name != "") & ~kept]] = 0
    labels = of_node[_places(frames, nodes)].astype(np.uint8)
    if "depth" in frames.pixels:
        depth = one_per_pixel("depth", frames.pixels["depth"], frames.instances.shape)
        labels[(frames.instances == 0) & np.isinf(depth)] = SKY
    countable = place[kept & (of_node[place] >= FIRST_OBJECT)]
    number = _numbers_of_equal(countable // nodes * 256 + of_node[countable])
    numbered = of_node.copy()
    numbered[countable] = np.where(number < MOST, of_node[countable] * MOST + number, of_node[countable])
    seen = numbered[_places(frames, nodes)]
    return labels, np.where(frames.instances == 0, labels, seen).astype(np.uint16)


def _node_ids(frames: Frames, nodes: int) -> NDArray[np.int64]:
    """Cityscapes' id of each node, 0 for none [S * nodes]: of its class, or of its kind where it has no class."""
    out = np.zeros(len(frames) * nodes, np.int64)
    for kind, table in frames.scenes.tables.items():
        names, which = np.unique(frames.classes[kind], return_inverse=True)
        found = np.array([label_id(name or kind) for name in names.tolist()], np.int64)
        mine = (table.id > 0) & (table.id < nodes)  # the root is 0, as nothing is
        out[(table.scene * nodes + table.id)[mine]] = found[which[mine]]
    return out


def _places(frames: Frames, nodes: int) -> NDArray[np.int64]:
    """Where the node of each pixel stands among those of `_node_ids` [S, H, W]."""
    return frames.instances + nodes * np.arange(len(frames))[:, None, None]


def _numbers_of_equal(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each key [m], how many equal ones come before it."""
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    out = np.empty(len(keys), np.int64)
    out[order] = np.arange(len(keys)) - np.searchsorted(ranked, ranked)
    return out


def _mask_file(file: str, ending: str) -> str:
    return file.replace("leftImg8bit/", "gtFine/", 1).removesuffix(f"{PHOTO_END}.png") + ending
