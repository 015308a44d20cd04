"""Pascal VOC: one XML file for each image.

    JPEGImages/<scene>.png    Annotations/<scene>.xml    ImageSets/Main/{train,val,trainval}.txt
    objects.csv    provenance.json

xmin, ymin, xmax and ymax are whole pixels counted from 1, and xmax and ymax still belong to the box. Flags: truncated
where more than 15 % of the object lie outside the image, occluded where more than 5 % of what is inside are hidden
(both as in VOC's annotation guidelines), difficult where less than a fifth of what is inside is visible: VOC's
evaluation ignores those, and they are left out where the data set is read. Images are lossless PNG; for readers that
need .jpg there is `ending="jpg"`. objects.csv is that of `scenefit.data.formats.format`. Format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from scenefit.data.formats.format import (
    Format,
    Row,
    check_parts,
    describe_objects,
    finish_lists,
    image_settings,
    object_row,
    write_all,
    write_image,
)
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import write_text

TRUNCATED, OCCLUDED, DIFFICULT = 0.15, 0.05, 0.8  # shares of an object: outside the image; hidden; hidden


def voc_format(label_policy: LabelPolicy | None = None, ending: str = "png") -> Format:
    """Pascal VOC with a label policy, and images as "png" or "jpg" (quality 95)."""
    label_policy = label_policy or LabelPolicy()
    return Format("voc", partial(save, label_policy=label_policy, ending=ending),
                  partial(finish_lists, folder="ImageSets/Main", whole="trainval"),
                  {**label_policy.settings(), "ending": "png", **image_settings(ending)}, portable=True)


def save(frames: Frames, out: Path, part: Sequence[str], label_policy: LabelPolicy | None = None,
         ending: str = "png") -> list[Row]:
    """Write images and annotations. ValueError for a class that cannot be written in XML."""
    check_parts(frames, part)
    rows = [object_row(frames, i, part[i], f"JPEGImages/{int(frames.scenes.index[i]):08d}.{ending}", objects)
            for i, objects in enumerate(describe_objects(frames, label_policy or LabelPolicy()))]
    for row in rows:
        for name in row["classes"]:
            if not name.isprintable() or name != name.strip():
                raise ValueError(f"scene {row['scene']} has the class {name!r}, which cannot be written in XML; avoid "
                                 "outer spaces and unprintable characters")
    write_all(write_image, [(out / row["file"], image) for row, image in zip(rows, frames.images, strict=True)])
    write_all(write_text, [(out / f"Annotations/{Path(row['file']).stem}.xml", _xml(row)) for row in rows])
    return rows


def _xml(row: Row) -> str:
    root = ElementTree.Element("annotation")
    _add(root, folder="JPEGImages", filename=Path(row["file"]).name)
    _add(_part(root, "source"), database="scenefit")
    _add(_part(root, "size"), width=row["width"], height=row["height"], depth=3)
    _add(root, segmented=0)
    for o in row["objects"]:
        if o["kept"]:
            hidden = 1 - o["visibility"]
            element = _part(root, "object")
            _add(element, name=o["name"], pose="Unspecified", truncated=int(o["truncation"] > TRUNCATED),
                 difficult=int(hidden > DIFFICULT), occluded=int(hidden > OCCLUDED))
            x0, y0, x1, y1 = (round(value) for value in o["label_box"])
            _add(_part(element, "bndbox"), xmin=x0 + 1, ymin=y0 + 1, xmax=max(x1, x0 + 1), ymax=max(y1, y0 + 1))
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, "unicode") + "\n"


def _part(above: ElementTree.Element, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(above, name)


def _add(above: ElementTree.Element, **values: Any) -> None:
    for name, value in values.items():
        _part(above, name).text = str(value)
