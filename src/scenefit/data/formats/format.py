"""What a data-set format is, and what the formats share: images, rows of objects, and the table of all objects.

objects.csv has one line for each object of the data set, whether it became a label or not, so that what is known of an
object does not depend on the label format: scene, part, file, node (its id in the scene), name, kept (1 if it became a
label), x0, y0, x1, y1 around the visible part, amodal_x0 .. amodal_y1 around the whole object, pixels, area,
visibility, truncation (see `scenefit.data.frames.Objects`). Boxes are in pixels from the top left corner, x1 and y1
just outside.
Legend: m objects; H, W pixels.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy
from scenefit.files.atomic import atomic_write, clear_leftovers, write_bytes, write_json
from scenefit.files.csv_table import csv_table

PARTS = ("train", "val")
ENDINGS = ("png", "jpg")  # of images; PNG is without loss
WRITERS = 8  # threads: a disk takes many flushes at once in the time of a few
CORNERS = ("x0", "y0", "x1", "y1")
COLUMNS = ("scene", "part", "file", "node", "name", "kept", *CORNERS, *(f"amodal_{c}" for c in CORNERS), "pixels",
           "area", "visibility", "truncation")

Row = dict[str, Any]
WriteRow = Callable[[Iterable[Any]], None]
Save = Callable[[Frames, Path, Sequence[str]], list[Row]]
Finish = Callable[[Path, Iterator[Row], Sequence[str], dict[str, Any]], None]


@dataclass(frozen=True)
class Format:
    """How a data set is written: chunk by chunk, so that one that was killed can be resumed.

    save(frames, out, part) writes the images of one chunk below the folder out (and the labels, where each image has a
    file of its own that needs no class numbers) and returns a row for each frame: plain JSON values, all that finish
    needs, among them "scene", "part", "file" and "classes", the sorted names that it uses. part[i], "train" or "val",
    is the part of frame i. Saving the same frames again writes the same bytes.
    finish(out, rows, classes, info) reads the rows of all chunks once and writes the annotation files, then
    provenance.json, which holds info: a folder with a provenance.json is complete. classes fixes the numbering.
    settings: everything else that changes the bytes, as plain JSON values; they are written to provenance.json.
    portable: save may run in a worker process, where out is an empty folder whose files are moved to the data set's
    afterwards: it is a function of a module, or can be pickled otherwise, and the rows do not hold out. Without it,
    save runs in the process that generates, one chunk after the other.
    """

    name: str
    save: Save
    finish: Finish
    settings: Mapping[str, Any] = field(default_factory=dict)
    portable: bool = False


def format_of_objects(name: str, save: Callable[..., list[Row]], finish: Finish, label_policy: LabelPolicy | None,
                      ending: str, **more: Any) -> Format:
    """A format with a label policy, by default `LabelPolicy()`, and images with this ending. more: further arguments of
    save, which takes label_policy and ending."""
    label_policy = label_policy or LabelPolicy()
    return Format(name, partial(save, label_policy=label_policy, ending=ending, **more), finish,
                  {**label_policy.settings(), **image_settings(ending)}, portable=True)


def file_name(scene: int, ending: str = "png") -> str:
    return f"{scene:08d}.{ending}"


def image_settings(ending: str) -> dict[str, str]:
    """What `Format.settings` says of images with this ending: nothing of PNG. ValueError unless it is in `ENDINGS`."""
    if ending not in ENDINGS:
        raise ValueError(f"images are written as 'png' or 'jpg', got {ending!r}")
    return {} if ending == "png" else {"ending": ending}


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write image [H, W, 3] atomically, as its file is named; the same image always gives the same bytes."""
    (write_png if path.suffix == ".png" else write_jpeg)(path, image)


def write_jpeg(path: Path, image: NDArray[np.uint8]) -> None:
    """The same as JPEG of quality 95, without chroma subsampling."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=95, subsampling=0)
    write_bytes(path, data.getvalue())


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write image [H, W, 3] atomically; the same image always gives the same bytes."""
    data = io.BytesIO()
    Image.fromarray(image).save(data, "PNG", compress_level=3)
    write_bytes(path, data.getvalue())


def write_all(write: Callable[[Path, Any], None], files: Iterable[tuple[Path, Any]]) -> None:
    """Call write(path, content) for each of the files, on several threads; raises the first error at the end.

    Flushing a file to disk takes as long as writing it, and a journalling file system flushes eight as fast as one.
    All files are written when this returns.
    """
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(write, *zip(*files, strict=True)):
            pass


def check_parts(frames: Frames, part: Sequence[str]) -> None:
    """ValueError unless part has "train" or "val" for each frame."""
    if len(part) != len(frames):
        raise ValueError(f"part needs one entry for each frame, {len(frames)}, got {len(part)}")
    for name in part:
        if name not in PARTS:
            raise ValueError(f"part needs 'train' or 'val' for each frame, got {name!r}")


def check_classes(row: Row, classes: Sequence[str]) -> None:
    """ValueError where a row uses a class that is not among classes."""
    for name in row["classes"]:
        if name not in classes:
            raise ValueError(f"scene {row['scene']} has the class {name!r}, which is not among the data set's classes "
                             f"{list(classes)}")


def describe_objects(frames: Frames, label_policy: LabelPolicy) -> list[list[dict[str, Any]]]:
    """For each frame its objects by id, as plain JSON values: the columns of `Objects`, kept, and label_box."""
    o = frames.objects
    kept, box = label_policy.keeps(frames), label_policy.boxes(frames)
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(frames))]
    for m in range(len(o)):
        found[int(o.scene[m])].append({
            "node": int(o.id[m]), "name": str(o.name[m]), "kept": bool(kept[m]),
            "label_box": round_pixels(box[m]), "box": round_pixels(o.box[m]), "amodal": round_pixels(o.amodal[m]),
            "pixels": int(o.pixels[m]), "area": round_pixels(o.area[m:m + 1])[0],
            "visibility": round(float(o.visibility[m]), 4), "truncation": round(float(o.truncation[m]), 4)})
    return found


def round_pixels(values: Any) -> list[float]:
    """Numbers rounded to a thousandth of a pixel; whole ones as int."""
    rounded = np.round(np.asarray(values, float), 3).tolist()
    return [int(value) if value == int(value) else value for value in rounded]


def object_row(frames: Frames, i: int, part: str, file: str, objects: list[dict[str, Any]]) -> Row:
    """The row of frame i, with all that the finish of a format of objects needs."""
    height, width = frames.images.shape[1:3]
    names = sorted({label["name"] for label in objects if label["kept"]})
    return {"scene": int(frames.scenes.index[i]), "part": part, "file": file, "width": width, "height": height,
            "classes": names, "objects": objects}


def finish_lists(out: Path, rows: Iterator[Row], classes: Sequence[str], info: dict[str, Any], folder: str,
                 whole: str = "") -> None:
    """Write out/folder/{train,val}.txt, a line for each image, and objects.csv, then provenance.json.

    whole: name of a further list, of the images of both parts; "" for none.
    """
    clear_leftovers(out)
    with ExitStack() as stack:
        table = stack.enter_context(object_table(out))
        lists = {name: stack.enter_context(atomic_write(out / folder / f"{name}.txt"))
                 for name in (*PARTS, *([whole] if whole else []))}
        for row in write_table(rows, classes, table):
            for name in [row["part"], *([whole] if whole else [])]:
                lists[name].write(f"{Path(row['file']).stem}\n".encode())
    write_json(out / "provenance.json", info)


def object_table(out: Path) -> AbstractContextManager[WriteRow]:
    """Writes rows of out/objects.csv, which appears when the block ends without an error."""
    return csv_table(out / "objects.csv", COLUMNS)


def write_table(rows: Iterator[Row], classes: Sequence[str], table: WriteRow) -> Iterator[Row]:
    """Yields the rows, after checking their classes and adding their objects to the table."""
    for row in rows:
        check_classes(row, classes)
        for o in row["objects"]:
            table([row["scene"], row["part"], row["file"], o["node"], o["name"], int(o["kept"]), *o["box"],
                   *o["amodal"], o["pixels"], o["area"], o["visibility"], o["truncation"]])
        yield row
