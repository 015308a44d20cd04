"""Detection in a folder of photos, chunk by chunk.

Each chunk's detections are kept in a file of their own, and chunks that have one are skipped: a detection that was
stopped goes on with the next chunk.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.data.flat_field import correct_flat_field
from scenefit.data.image_files import Fitted, Skipped, describe_frames, full_photo, try_photo
from scenefit.files.atomic import atomic_write, clear_leftovers, content_hash, write_json
from scenefit.files.json_files import CorruptFile, read_json
from scenefit.files.plan import content, holds_plan
from scenefit.report.detections import plain
from scenefit.tasks.detector_file import TrainedDetector

CHUNK = 16  # photos
MAX_NAME = 255  # bytes
OTHER = "the detections of another command"
WORK = ".found"  # folder of the chunks' files
ROW = {"file_name": str, "image_id": int, "category_id": int, "category": str, "bbox": list, "score": int | float}
COLOURS = ("#d9480f", "#2b3fd6", "#1f9d55", "#9c36b5", "#0b7285", "#c2255c", "#5f3dc4", "#846358")


@dataclass(frozen=True)
class FolderDetections:
    """Detections so far. photos: how many are done.  read: how many of these could be read.  rows: one for each
    detection, as `detect_steps` writes them.  skipped: files, and frames of files, that were not read, each with the
    reason.  n_12_bit: photos that are `Fitted.is_12_bit`."""

    photos: int
    read: int
    rows: list[dict[str, Any]]
    skipped: list[Skipped]
    n_12_bit: int


def detect_steps(trained: TrainedDetector, folder: Path, paths: Sequence[Path], out: Path, *, threshold: float,
                 flat_field: NDArray[np.float32] | None = None, plan: Mapping[str, Any]) -> Iterator[FolderDetections]:
    """Detect objects in the photos at paths, which lie below folder; yields after each chunk.

    Writes each photo with its boxes drawn below out, as PNG, and at the end out/found.json, a list like COCO's results:
    file_name, image_id (the photo's index in paths), category_id (from 1, in the order of the task's classes),
    category, bbox (x, y, width, height in pixels of the whole photo) and score, at least threshold. Bytes of a file's
    name that are not UTF-8 are escaped, and `os.fsencode` gives them from what Python's json reads.
    plan: what decides the result besides the paths, as plain JSON values.  Hold `lock(out)` meanwhile.
    ValueError where out holds anything else, or the detections of another plan.
    """
    plan = _plan(folder, paths, threshold, plan)
    if not holds_plan(out / WORK / "plan.json", plan, out, OTHER):
        check_out(out)
        write_json(out / WORK / "plan.json", plan)
    clear_leftovers(out)
    done = FolderDetections(0, 0, [], [], 0)
    for first in range(0, len(paths), CHUNK):
        if not _chunk_file(out, first).exists():
            chunk = _detect_chunk(trained, folder, paths, first, out, threshold, flat_field)
            write_json(_chunk_file(out, first), chunk)
        done = _with_chunk(done, out, first, len(paths))
        yield done
    write_json(out / "found.json", done.rows)


def finished_detections(folder: Path, paths: Sequence[Path], out: Path, *, threshold: float,
                        plan: Mapping[str, Any]) -> FolderDetections | None:
    """What the last of `detect_steps` gave; None where these detections are not finished. Nothing is written, so that
    out may be read-only. Errors are those of `detect_steps`."""
    found = out / "found.json"
    plan = _plan(folder, paths, threshold, plan) if found.exists() else {}
    if not plan or not holds_plan(out / WORK / "plan.json", plan, out, OTHER):
        return None
    firsts, done = range(0, len(paths), CHUNK), FolderDetections(0, 0, [], [], 0)
    if not all(_chunk_file(out, first).exists() for first in firsts):
        return None
    for first in firsts:
        done = _with_chunk(done, out, first, len(paths))
    try:
        same = read_json(found, "", list) == done.rows
    except CorruptFile:  # it is written again
        same = False
    return done if same else None


def _plan(folder: Path, paths: Sequence[Path], threshold: float, plan: Mapping[str, Any]) -> dict[str, Any]:
    return {**plan, "threshold": threshold, "photos": _content(folder, paths)}


def _chunk_file(out: Path, first: int) -> Path:
    return out / WORK / f"{first:08d}.json"


def _with_chunk(done: FolderDetections, out: Path, first: int, of: int) -> FolderDetections:
    chunk = _read_chunk(_chunk_file(out, first))
    return FolderDetections(min(first + CHUNK, of), done.read + chunk["read"], done.rows + chunk["rows"],
                            done.skipped + [Skipped(Path(path), reason) for path, reason in chunk["skipped"]],
                            done.n_12_bit + chunk["n_12_bit"])


def check_out(out: Path) -> None:
    """ValueError where a folder holds anything but detections, finished or begun. Nothing is written."""
    begun = [name for name in content(out) if name != WORK or content(out / WORK)]
    if begun and not (out / WORK / "plan.json").exists():
        raise ValueError(f"{out} is not empty; give another folder with --out")


def _read_chunk(path: Path) -> dict[str, Any]:
    """What `_detect_chunk` gave. CorruptFile, naming the file, where it holds anything else."""
    fix = f"delete it and run the same command again: {CHUNK} photos are detected again"
    chunk: dict[str, Any] = read_json(path, fix, dict)
    lists = [chunk.get(name) for name in ("rows", "skipped")]
    if not (all(type(chunk.get(name)) is int and chunk[name] >= 0 for name in ("read", "n_12_bit"))
            and all(isinstance(one, list) for one in lists)
            and all(isinstance(row, dict) and all(isinstance(row.get(name), kind) for name, kind in ROW.items())
                    and len(row["bbox"]) == 4 and all(type(number) in (int, float) and math.isfinite(number)
                                                      for number in (*row["bbox"], row["score"]))
                    for row in chunk["rows"])
            and all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
                    for pair in chunk["skipped"])):
        raise CorruptFile(f"{path} is damaged: it does not hold the detections in {CHUNK} photos; {fix}")
    return chunk


def _content(folder: Path, paths: Sequence[Path]) -> str:
    """A hash of all photos and their names."""
    return content_hash(b"\n".join(os.fsencode(path.relative_to(folder)) + f" {_file_hash(path)}".encode()
                                   for path in paths))


def _file_hash(path: Path) -> str:
    """Of a file's content; "" where there is no file, such as at the end of a broken link."""
    try:
        return content_hash(path.read_bytes()) if path.is_file() else ""
    except OSError:  # such photos are skipped and named when their turn comes
        return ""


def _detect_chunk(trained: TrainedDetector, folder: Path, paths: Sequence[Path], first: int, out: Path,
                  threshold: float, flat_field: NDArray[np.float32] | None) -> dict[str, Any]:
    """Number of photos read, rows, what was skipped and number of 12-bit photos of one chunk, as plain JSON values.
    Draws its photos."""
    fitted, kept, skipped = [], [], []
    for number in range(first, min(first + CHUNK, len(paths))):
        photo = try_photo(paths[number], trained.size)
        if isinstance(photo, Skipped):
            skipped.append((str(photo.path), photo.reason))
        else:
            skipped += [(str(path), reason) for path, reason in describe_frames(photo)]
            fitted.append(photo)
            kept.append(number)
    if not kept:
        return {"read": 0, "rows": [], "skipped": skipped, "n_12_bit": 0}
    images = np.stack([photo.image for photo in fitted])
    images = images if flat_field is None else correct_flat_field(images, flat_field)
    predicted = trained.task.predict(trained.network, images)
    predicted = predicted.where(predicted.score >= threshold)
    rows: list[dict[str, Any]] = []
    for position, number in enumerate(kept):
        boxes, name = _in_full_photo(predicted.take([position]), fitted[position]), paths[number].relative_to(folder)
        _draw(paths[number], out / name.with_name(_picture_name(name.name)), boxes, trained.task.classes)
        rows += _rows(boxes, name, number, trained.task.classes)
    return {"read": len(kept), "rows": rows, "skipped": skipped, "n_12_bit": sum(photo.is_12_bit for photo in fitted)}


def _in_full_photo(boxes: Boxes, photo: Fitted) -> Boxes:
    """Boxes of one fitted photo in pixels of the photo as it was, cut at its border."""
    box = (boxes.box - np.tile(photo.shift, 2)) / np.tile(photo.scale, 2)
    return Boxes(1, boxes.image, np.clip(box, 0, np.tile(photo.full_size[::-1], 2)), boxes.name, boxes.score)


def _rows(boxes: Boxes, name: Path, number: int, classes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for (x0, y0, x1, y1), label, score in zip(boxes.box.tolist(), boxes.name.tolist(), boxes.score.tolist(),
                                              strict=True):
        yield {"file_name": name.as_posix(), "image_id": number, "category_id": classes.index(label) + 1,
               "category": label, "bbox": [round(v, 2) for v in (x0, y0, x1 - x0, y1 - y0)], "score": round(score, 4)}


def _picture_name(photo: str) -> str:
    """The name of a photo's picture, shortened where file systems do not allow .png at its end."""
    if len(os.fsencode(photo)) + len(".png") <= MAX_NAME:
        return photo + ".png"
    return f"{photo[:50]}-{content_hash(os.fsencode(photo))[:12]}.png"


def _draw(source: Path, path: Path, boxes: Boxes, classes: tuple[str, ...]) -> None:
    names = boxes.name.tolist()
    texts = [f"{name} {score:.2f}" for name, score in zip(names, boxes.score.tolist(), strict=True)]
    colours = [COLOURS[classes.index(name) % len(COLOURS)] for name in names]
    with atomic_write(path) as file:
        plain(full_photo(source), boxes.box.tolist(), texts, colours).save(file, "PNG")
