"""Objects as the formats write them, and the table of all of them.

objects.csv has one line for each object of the data set, whether it became a label or not, so that no label format
decides what is known of an object: scene, part, file, node (its id in the scene), name, kept (1 if it became a label),
x0, y0, x1, y1 around what is seen, amodal_x0 .. amodal_y1 around the whole object, pixels, area, visibility, truncation
(see `scenefit.data.frames.Objects`). Boxes are in pixels from the top left corner, x1 and y1 just outside.
"""

import codecs
import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scenefit.data.formats.format import PARTS, Row, check_classes
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import atomic_write, clear_leftovers, write_json

CORNERS = ("x0", "y0", "x1", "y1")
COLUMNS = ("scene", "part", "file", "node", "name", "kept", *CORNERS, *(f"amodal_{c}" for c in CORNERS), "pixels",
           "area", "visibility", "truncation")


def describe(frames: Frames, label_policy: LabelPolicy) -> list[list[dict[str, Any]]]:
    """For each frame its objects by id, as plain JSON values: the columns of `Objects`, kept, and label, its box."""
    o = frames.objects
    kept, box = label_policy.of(frames), label_policy.boxes(frames)
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(frames))]
    for m in range(len(o)):
        found[int(o.scene[m])].append({
            "node": int(o.id[m]), "name": str(o.name[m]), "kept": bool(kept[m]), "label": plain(box[m]),
            "box": plain(o.box[m]), "amodal": plain(o.amodal[m]), "pixels": int(o.pixels[m]),
            "area": plain(o.area[m:m + 1])[0], "visibility": round(float(o.visibility[m]), 4),
            "truncation": round(float(o.truncation[m]), 4)})
    return found


def plain(values: Any) -> list[float]:
    """Numbers to a thousandth of a pixel; whole ones as int."""
    rounded = np.round(np.asarray(values, float), 3).tolist()
    return [int(value) if value == int(value) else value for value in rounded]


def start_row(frames: Frames, i: int, part: str, file: str, objects: list[dict[str, Any]]) -> Row:
    """The row of frame i, with all that the finish of a format of boxes needs."""
    height, width = frames.images.shape[1:3]
    names = sorted({label["name"] for label in objects if label["kept"]})
    return {"scene": int(frames.scenes.index[i]), "part": part, "file": file, "width": width, "height": height,
            "classes": names, "objects": objects}


def finish_lists(out: Path, rows: Iterator[Row], classes: Sequence[str], info: dict[str, Any], folder: str) -> None:
    """Write out/folder/{train,val}.txt, a line for each image, and objects.csv, then provenance.json."""
    clear_leftovers(out)
    with ExitStack() as stack:
        table = stack.enter_context(object_table(out))
        lists = {part: stack.enter_context(atomic_write(out / folder / f"{part}.txt")) for part in PARTS}
        for row in tabled(rows, classes, table):
            lists[row["part"]].write(f"{Path(row['file']).stem}\n".encode())
    write_json(out / "provenance.json", info)


@contextmanager
def object_table(out: Path) -> Iterator[Any]:
    """A csv writer of out/objects.csv, which appears when the block ends without an error."""
    with atomic_write(out / "objects.csv") as file:
        table = csv.writer(codecs.getwriter("utf-8")(file), lineterminator="\n")
        table.writerow(COLUMNS)
        yield table


def tabled(rows: Iterator[Row], classes: Sequence[str], table: Any) -> Iterator[Row]:
    """The rows as they pass, their classes checked and their objects added to the table."""
    for row in rows:
        check_classes(row, classes)
        for o in row["objects"]:
            table.writerow([row["scene"], row["part"], row["file"], o["node"], o["name"], int(o["kept"]), *o["box"],
                            *o["amodal"], o["pixels"], o["area"], o["visibility"], o["truncation"]])
        yield row
