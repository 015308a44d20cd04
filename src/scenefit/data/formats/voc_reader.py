"""Reading Pascal VOC: one XML file for each photo. `scenefit.data.formats.voc` describes and writes the layout.

Read: photos in JPEGImages or images, annotations in Annotations, in any case and with subfolders; annotations beside
the photos; either of them in folders of parts (train, valid, test).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from scenefit.data.formats.class_folders import PARTS, subfolders
from scenefit.data.formats.paired_folders import Home, list_photos
from scenefit.data.formats.photo_files import files_below
from scenefit.data.formats.reading import LabelledBox, Labels, Layout, Listing, NoLabels, to_flag, to_number, to_size
from scenefit.data.image_kinds import is_ignored

LABELS, PHOTOS = ("annotations", "annotation"), ("jpegimages", "images", "image")  # folders, in small letters
HEAD = 4096  # bytes of a file beside photos that tell whether it is an annotation


def _matches(folder: Path) -> bool:
    return any(_homes(folder))


def _homes(folder: Path) -> Iterator[Home]:
    """Where photos and annotations lie: in the folder, or else in its folders of parts."""
    home = _home(folder)
    if home is not None:
        yield home
        return
    for part in subfolders(folder):
        home = _home(part, part.name) if part.name.lower() in PARTS else None
        if home is not None:
            yield home


def _home(folder: Path, part: str = "") -> Home | None:
    inside = subfolders(folder)
    for labels in inside:
        if labels.name.lower() in LABELS and any(path.suffix.lower() == ".xml" for path in files_below(labels)):
            photos = [path for path in inside if path.name.lower() in PHOTOS]
            return Home(photos[0] if photos else folder, labels, part)
    beside = next((path for path in sorted(folder.iterdir())
                   if path.suffix.lower() == ".xml" and not is_ignored(path.name)), None)
    return Home(folder, folder, part) if beside is not None and _is_annotation(beside) else None


def _is_annotation(path: Path) -> bool:
    with open(path, "rb") as file:
        return b"<annotation" in file.read(HEAD)


def _listing(folder: Path, part: str | Path | None) -> Listing:
    return list_photos(list(_homes(folder)), ".xml", [folder], part, read_labels)


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
            raise ValueError(f"{path}, {where}: it has no " + ("bndbox; add one with xmin, ymin, xmax and ymax" if name
                                                                else "name; name its class"))
        x0, y0, x1, y1 = (to_number(box.findtext(what), path, where, what) for what in ("xmin", "ymin", "xmax", "ymax"))
        if to_flag(element.findtext("difficult"), path, where, "difficult"):
            regions += 1
        else:
            boxes.append(LabelledBox((x0 - 1, y0 - 1, x1, y1), name, where))
    height, width = (to_number((root.findtext(f"size/{side}") or "").strip() or "0", path, "size", side)
                     for side in ("height", "width"))
    from_zero = sum(-1 <= min(entry.box[:2]) < 0 for entry in boxes)
    return Labels(path, tuple(boxes), to_size(height, width, path, "size"), regions=regions, from_zero=from_zero)


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
        raise ValueError(f"{path} is no XML: {error}; export it again, or remove it") from error
    except _Doctype:
        raise
    except (LookupError, ValueError) as error:  # the parser supports few encodings
        raise ValueError(f"{path} is in an encoding that cannot be read ({error}); save it as UTF-8") from error
    if root.tag != "annotation":
        raise ValueError(f"{path} is no annotation of Pascal VOC: its root is <{root.tag}>, not <annotation>")
    return root


LAYOUT = Layout("voc", "Pascal VOC: *.xml in Annotations, photos in JPEGImages or images; or *.xml beside the photos",
                _matches, _listing)
