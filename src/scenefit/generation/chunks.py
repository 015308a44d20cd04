"""Chunks of a data set: any process draws and encodes one in a staging folder, and one process moves it into place.

In the folder of a data set, until that is finished:

    .scenefit-rows/plan.json               what is written
    .scenefit-rows/<first scene>/          a chunk in progress, which counts for nothing
    .scenefit-rows/<first scene>.json      rows of a chunk whose files are in place
    .scenefit-rows/classes-<first>.json    its classes, and the hash of its rows

It needs no torch: a worker imports it for scenes that do without.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scenefit.data.formats import OF_OBJECTS, Format
from scenefit.data.frames import Frames
from scenefit.files.atomic import content_hash, to_json, write_bytes, write_json
from scenefit.files.json_files import CorruptFile, parse_json, read_bytes, read_json
from scenefit.renderers import Renderer, render
from scenefit.scenes.rng import scene_address, uniform
from scenefit.scenes.scene import SceneBatch

CHUNK = 64  # scenes
FOLDER = ".scenefit-rows"
PLAN = "plan.json"
MADE = ("[0-9]*.json", "classes-*.json", PLAN, ".scenefit-*.part")  # files in FOLDER
AGAIN = "delete it, and the same command draws its scenes again"


def parts(scenes: SceneBatch, validation: float) -> list[str]:
    """The part, train or val, of each scene, decided by the scene's own address."""
    is_val = uniform(scene_address(scenes.seed, scenes.index), "part") < validation
    return ["val" if one else "train" for one in is_val]


def write_staged(save: Callable[..., list[dict[str, Any]]], name: str, out: Path, validation: float, renderer: Renderer,
                scenes: SceneBatch) -> str:
    """Draw a chunk and write its files into a folder of its own, for `publish`; returns a warning, "" for none.

    save, name: of the `Format`.  ValueError where the renderer gives no masks, but whole images are labelled.
    """
    frames = render(renderer, scenes)
    warning = _without_masks(name, frames)
    staging = out / FOLDER / f"{int(scenes.index[0]):08d}"
    if staging.exists():
        shutil.rmtree(staging)
    rows = save(frames, staging / "files", parts(scenes, validation))
    _write_rows(rows, staging / "rows.json", staging / "classes.json")
    return warning


def publish(out: Path, first: int) -> None:
    """Move what `write_staged` wrote into place; the rows come last, so a chunk with rows is complete."""
    staging, (rows, classes) = out / FOLDER / f"{first:08d}", _row_files(out, first)
    for folder, _, names in os.walk(staging / "files"):
        place = out / Path(folder).relative_to(staging / "files")
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            os.replace(Path(folder) / name, place / name)
    os.replace(staging / "classes.json", classes)
    os.replace(staging / "rows.json", rows)
    shutil.rmtree(staging)


def write_in_place(form: Format, frames: Frames, out: Path, validation: float) -> str:
    """The same for a format whose `save` cannot run in another process or folder."""
    warning = _without_masks(form.name, frames)
    rows = form.save(frames, out, parts(frames.scenes, validation))
    _write_rows(rows, *_row_files(out, int(frames.scenes.index[0])))
    return warning


def is_written(out: Path, first: int) -> bool:
    """Whether the chunk that begins with this scene is complete. CorruptFile where its rows were changed."""
    if not all(path.exists() for path in _row_files(out, first)):
        return False
    _rows_text(out, first)
    return True


def read_rows(out: Path) -> Iterator[dict[str, Any]]:
    """The rows of all chunks, in order. CorruptFile, naming the file, where they are not as written."""
    for path in sorted((out / FOLDER).glob("[0-9]*.json")):
        yield from parse_json(_rows_text(out, int(path.stem)), path, AGAIN, list)


def read_classes(out: Path) -> list[str]:
    """All classes of the data set, sorted, from files beside the rows, which are then parsed only once."""
    return sorted({name for path in sorted((out / FOLDER).glob("classes-*.json")) for name in _classes(path)["names"]})


def remove_rows(out: Path) -> None:
    """Delete what this module wrote, apart from files of the data set."""
    folder = out / FOLDER
    if not folder.is_dir():
        return
    remove_staged(out)
    for pattern in MADE:
        for path in folder.glob(pattern):
            path.unlink()
    with suppress(OSError):  # it holds other files
        folder.rmdir()


def remove_staged(out: Path) -> None:
    """Delete chunks that a killed process left unfinished."""
    for path in (out / FOLDER).glob("[0-9]*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


def _row_files(out: Path, first: int) -> tuple[Path, Path]:
    return out / FOLDER / f"{first:08d}.json", out / FOLDER / f"classes-{first:08d}.json"


def _write_rows(rows: Sequence[dict[str, Any]], rows_path: Path, classes_path: Path) -> None:
    """The rows come last: where they are, the classes are too."""
    data = f"{to_json(rows, rows_path, indent=1)}\n".encode()
    write_json(classes_path, {"names": sorted({name for row in rows for name in row["classes"]}),
                              "rows": content_hash(data)})
    write_bytes(rows_path, data)


def _rows_text(out: Path, first: int) -> bytes:
    rows, classes = _row_files(out, first)
    wanted = _classes(classes)["rows"]
    data = read_bytes(rows, AGAIN)
    if content_hash(data) != wanted:
        raise CorruptFile(f"{rows} is damaged: it is not what was written; {AGAIN}")
    return data


def _classes(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(path, AGAIN, dict)
    names = found.get("names")
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names) and "rows" in found):
        raise CorruptFile(f"{path} is damaged: it needs the names of classes and the hash of their rows; {AGAIN}")
    return found


def _without_masks(name: str, frames: Frames) -> str:
    """A warning where a format of objects finds none in the first chunk. ValueError where images have labels."""
    if name not in OF_OBJECTS or frames.scenes.index[0] != 0 or frames.instances.any():
        return ""
    what = (f"the renderer gives no masks: no pixel of the first {len(frames)} scenes belongs to an object, so "
            f"--format {name} has no boxes to write")
    masks = "return masks of node ids: Frame(image, instances=...), or make_frames(scenes, images, masks)"
    if all(label != "" for label in frames.label):
        raise ValueError(f"{what}, but each image has a label as a whole; give --format folder (Python: "
                         f'format="folder"), or let the renderer {masks}')
    return f"{what}; if these images show objects, let the renderer {masks}"
