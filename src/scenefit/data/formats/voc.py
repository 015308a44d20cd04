"""Pascal VOC: one XML file for each image.

    JPEGImages/<scene>.png    Annotations/<scene>.xml    ImageSets/Main/train.txt    ImageSets/Main/val.txt
    objects.csv    provenance.json

xmin, ymin, xmax and ymax are whole pixels counted from 1, and xmax and ymax still belong to the box. Flags: truncated
where more than 15 % of the object lie outside the image, occluded where more than 5 % of what is inside are hidden
(both as in VOC's annotation guidelines), difficult where less than a fifth of what is inside is visible: VOC's
evaluation ignores those, and they are left out where the data set is read. Images are lossless PNG; for readers that
need .jpg there is `voc_format(ending="jpg")`. objects.csv is that of `scenefit.data.formats.format`. Format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/
"""

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
    to_size,
    unused,
)
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import write_bytes, write_text

ENDINGS = ("png", "jpg")
FLAGS = {"": False, "unspecified": False, "false": False, "no": False, "true": True, "yes": True}  # besides 0 and 1
TRUNCATED, OCCLUDED, DIFFICULT = 0.15, 0.05, 0.8  # shares of an object: outside the image; hidden; hidden


def voc_format(label_policy: LabelPolicy | None = None, ending: str = "png") -> Format:
    """Pascal VOC with a label policy, and images as "png" or "jpg" (quality 95)."""
    if ending not in ENDINGS:
        raise ValueError(f"ending needs 'png' or 'jpg', got {ending!r}")
    label_policy = label_policy or LabelPolicy()
    return Format("voc", partial(save, label_policy=label_policy, ending=ending), partial(finish_lists,
                                                                                          folder="ImageSets/Main"),
                  {**label_policy.settings(), "ending": ending}, portable=True)


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
    write_all(write_png if ending == "png" else write_jpeg,
              [(out / row["file"], image) for row, image in zip(rows, frames.images, strict=True)])
    write_all(write_text, [(out / f"Annotations/{Path(row['file']).stem}.xml", _xml(row)) for row in rows])
    return rows


def write_jpeg(path: Path, image: NDArray[np.uint8]) -> None:
    """Write image [H, W, 3] atomically, without chroma subsampling."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=95, subsampling=0)
    write_bytes(path, data.getvalue())


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


def _matches(folder: Path) -> bool:
    return any((folder / "Annotations").glob("*.xml"))


def _listing(folder: Path, part: str | Path | None) -> Listing:
    home = folder / "JPEGImages"
    photos = photos_in(home)
    chosen, skipped = choose(photos, home, [folder], part)
    if part is None:
        skipped += unused((folder / "Annotations").glob("*.xml"), photos, home)
    return Listing(tuple(Item(path, partial(read_labels, folder / "Annotations" / f"{path.stem}.xml"))
                         for path in chosen), missing=tuple(skipped))


def read_labels(path: Path) -> Labels:
    """An annotation file. Objects marked as difficult are regions, which count neither way in VOC's evaluation.

    ValueError, naming the object, where it is malformed; NoLabels if it is missing.
    """
    if not path.is_file():
        raise NoLabels(f"has no annotation {path}")
    root = _parse(path)
    boxes, regions = [], 0
    for number, element in enumerate(root.findall("object"), 1):
        where = f"object {number}"
        name, box = (element.findtext("name") or "").strip(), element.find("bndbox")
        if not name or box is None:
            raise ValueError(f"{path}, {where}: it has no {'bndbox' if name else 'name'}")
        x0, y0, x1, y1 = (to_number(box.findtext(what), path, where, what) for what in ("xmin", "ymin", "xmax", "ymax"))
        if _is_difficult(element.findtext("difficult"), path, where):
            regions += 1
        else:
            boxes.append(LabelledBox((x0 - 1, y0 - 1, x1, y1), name, where))
    height, width = (to_number((root.findtext(f"size/{side}") or "").strip() or "0", path, "size", side)
                     for side in ("height", "width"))
    return Labels(path, tuple(boxes), to_size(height, width, path, "size"), regions=regions)


def _is_difficult(text: str | None, path: Path, where: str) -> bool:
    """Whether an object counts neither way: 1, 1.0, true or yes. ValueError for anything that is no flag."""
    flag = (text or "").strip().lower()
    if flag in FLAGS:
        return FLAGS[flag]
    try:
        return {0.0: False, 1.0: True}[float(flag)]
    except (KeyError, ValueError):
        raise ValueError(f"{path}, {where}: difficult needs 0 or 1, got {text!r}") from None


class _Doctype(ValueError):
    """An annotation that could declare entities."""


def _parse(path: Path) -> ElementTree.Element:
    """The root of an XML file. A DOCTYPE is refused: entities that a file declares can expand without end."""
    parser = expat.ParserCreate()

    def refuse(*_: Any) -> None:
        raise _Doctype(f"{path}, line {parser.CurrentLineNumber}: it has a DOCTYPE, which no annotation needs and "
                       "whose entities can expand without end; remove it")

    parser.StartDoctypeDeclHandler = refuse
    try:
        data = path.read_bytes()
        parser.Parse(data, True)
        root = ElementTree.fromstring(data)
    except (expat.ExpatError, ElementTree.ParseError) as error:
        raise ValueError(f"{path} is no XML: {error}") from error
    except _Doctype:
        raise
    except (LookupError, ValueError) as error:  # the parser supports few encodings
        raise ValueError(f"{path} is in an encoding that cannot be read ({error}); save it as UTF-8") from error
    if root.tag != "annotation":
        raise ValueError(f"{path} is no annotation of Pascal VOC: its root is <{root.tag}>, not <annotation>")
    return root


LAYOUT = Layout("voc", "Pascal VOC: Annotations/*.xml beside JPEGImages", _matches, _listing)
