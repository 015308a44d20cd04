"""Detection in a folder of photos, chunk by chunk.

The detections of a chunk are kept in a file of their own, and so is the threshold that its pictures were drawn with: a
detection that was stopped goes on with the next chunk, and one with another threshold draws its pictures anew but
detects nothing again.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.data.image_files import Fitted, Skipped, describe_frames, full_photo, try_photo
from scenefit.files.atomic import atomic_write, clear_leftovers, content_hash, write_bytes, write_json
from scenefit.files.json_files import CorruptFile, read_json
from scenefit.files.plan import content, holds_plan
from scenefit.report.overlay import overlay
from scenefit.tasks.coco_results import CocoIds, coco_results, coco_set, to_lines
from scenefit.tasks.detector_file import TrainedDetector

CHUNK = 16  # photos
FORMAT = 2  # of the chunks' files
MAX_NAME = 255  # bytes
OTHER = "the detections of another command"
WORK = ".found"  # folder of the chunks' files
PHOTO = {"file_name": str, "width": int, "height": int, "detections": list}
Correct = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
DETECTION = {"category": str, "bbox": list, "score": int | float}


@dataclass(frozen=True)
class Output:
    """What is written about detections.

    classes: of the detector, by which found.json numbers them.  threshold: confidence from which detections are drawn.
    detector: name of its file.  ids: of an annotation file, for results; None: a whole set of COCO.  pictures: whether
    they are drawn."""

    classes: tuple[str, ...]
    threshold: float
    detector: str = ""
    ids: CocoIds | None = None
    pictures: bool = True

    def found(self, photos: Sequence[Mapping[str, Any]], path: Path) -> bytes:
        """The content of found.json."""
        value = (coco_set(photos, self.classes, self.detector, self.threshold) if self.ids is None
                 else coco_results(photos, self.ids))
        return (to_lines(value, path) + "\n").encode()


@dataclass(frozen=True)
class FolderDetections:
    """Detections so far. done: how many photos are done.  photos: those that could be read, as plain JSON values:
    file_name (relative to the folder), width, height (pixels) and detections of all confidences, each with category,
    bbox (x, y, width, height in pixels of the whole photo) and score.  skipped: files, and frames of files, that were
    not read, each with the reason.  n_12_bit: photos that are `Fitted.is_12_bit`."""

    done: int
    photos: list[dict[str, Any]]
    skipped: list[Skipped]
    n_12_bit: int

    def count(self, threshold: float = 0.0) -> int:
        """How many detections have at least this confidence."""
        return sum(one["score"] >= threshold for photo in self.photos for one in photo["detections"])


def detection_plan(folder: Path, paths: Sequence[Path], more: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the detections, as plain JSON values: the content of all photos and their names, and more."""
    photos = b"\n".join(os.fsencode(path.relative_to(folder)) + f" {_file_hash(path)}".encode() for path in paths)
    return {**more, "format": FORMAT, "photos": content_hash(photos)}


def detect_steps(trained: TrainedDetector, folder: Path, paths: Sequence[Path], out: Path, output: Output, *,
                 plan: Mapping[str, Any], correct: Correct | None = None) -> Iterator[FolderDetections]:
    """Detect objects in the photos at paths, which lie below folder; yields after each chunk.

    Draws pictures below out, as PNG, and at the end writes out/found.json. Bytes of a file's name that are not UTF-8
    are escaped, and `os.fsencode` gives them from what Python's json reads.
    plan: as of `detection_plan`.  correct: what images go through before, each by itself.  Hold `lock(out)` meanwhile.
    ValueError where out holds anything else, or the detections of another plan.
    """
    if not holds_plan(out / WORK / "plan.json", plan, out, OTHER):
        check_out(out)
        write_json(out / WORK / "plan.json", plan)
    clear_leftovers(out)
    found = FolderDetections(0, [], [], 0)
    for first in range(0, len(paths), CHUNK):
        if not _chunk_file(out, first).exists():
            write_json(_chunk_file(out, first), _detect_chunk(trained, folder, paths[first:first + CHUNK], correct))
        chunk = _read_chunk(out, first, output.classes)
        if output.pictures and not _is_drawn(out, first, chunk, output.threshold):
            _draw_chunk(out, first, chunk, folder, output)
        found = _with_chunk(found, chunk, len(paths))
        yield found
    write_bytes(out / "found.json", output.found(found.photos, out / "found.json"))


def finished_detections(paths: Sequence[Path], out: Path, output: Output, *,
                        plan: Mapping[str, Any]) -> FolderDetections | None:
    """What the last of `detect_steps` gave; None where these detections are not finished. Nothing is written, so that
    out may be read-only. Errors are those of `detect_steps`."""
    firsts, path = range(0, len(paths), CHUNK), out / "found.json"
    if not (path.is_file() and holds_plan(out / WORK / "plan.json", plan, out, OTHER)
            and all(_chunk_file(out, first).exists() for first in firsts)):
        return None
    found = FolderDetections(0, [], [], 0)
    for first in firsts:
        chunk = _read_chunk(out, first, output.classes)
        if output.pictures and not _is_drawn(out, first, chunk, output.threshold):
            return None
        found = _with_chunk(found, chunk, len(paths))
    return found if path.read_bytes() == output.found(found.photos, path) else None


def check_out(out: Path) -> None:
    """ValueError where a folder holds anything but detections, finished or begun. Nothing is written."""
    begun = [name for name in content(out) if name != WORK or content(out / WORK)]
    if begun and not (out / WORK / "plan.json").exists():
        raise ValueError(f"{out} is not empty; give another folder with --out")


def _chunk_file(out: Path, first: int) -> Path:
    return out / WORK / f"{first:08d}.json"


def _with_chunk(found: FolderDetections, chunk: dict[str, Any], of: int) -> FolderDetections:
    return FolderDetections(min(found.done + CHUNK, of), found.photos + chunk["photos"],
                            found.skipped + [Skipped(Path(path), reason) for path, reason in chunk["skipped"]],
                            found.n_12_bit + chunk["n_12_bit"])


def _read_chunk(out: Path, first: int, classes: Sequence[str]) -> dict[str, Any]:
    """What `_detect_chunk` gave. CorruptFile, naming the file, where it holds anything else."""
    path = _chunk_file(out, first)
    fix = f"delete it and run the same command again: {CHUNK} photos are detected again"
    chunk: dict[str, Any] = read_json(path, fix, dict)
    photos, skipped, n_12_bit = (chunk.get(name) for name in ("photos", "skipped", "n_12_bit"))
    if not (type(n_12_bit) is int and n_12_bit >= 0 and isinstance(photos, list) and isinstance(skipped, list)
            and all(_has(photo, PHOTO) and all(_is_detection(one, classes) for one in photo["detections"])
                    for photo in photos)
            and all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
                    for pair in skipped)):
        raise CorruptFile(f"{path} is damaged: it does not hold the detections in {CHUNK} photos; {fix}")
    return chunk


def _has(entry: Any, kinds: Mapping[str, Any]) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in kinds.items())


def _is_detection(one: Any, classes: Sequence[str]) -> bool:
    return (_has(one, DETECTION) and one["category"] in classes and len(one["bbox"]) == 4
            and all(type(v) in (int, float) and math.isfinite(v) for v in (*one["bbox"], one["score"])))


def _file_hash(path: Path) -> str:
    """Of a file's content; "" where there is no file, such as at the end of a broken link."""
    try:
        return content_hash(path.read_bytes()) if path.is_file() else ""
    except OSError:  # such photos are skipped and named when their turn comes
        return ""


def _detect_chunk(trained: TrainedDetector, folder: Path, paths: Sequence[Path],
                  correct: Correct | None) -> dict[str, Any]:
    """The photos that were read and their detections, what was skipped, and the number of 12-bit photos, as plain JSON
    values."""
    fitted, skipped = list[Fitted](), list[tuple[str, str]]()
    for path in paths:
        photo = try_photo(path, trained.size)
        if isinstance(photo, Skipped):
            skipped.append((str(photo.path), photo.reason))
        else:
            skipped += [(str(path), reason) for path, reason in describe_frames(photo)]
            fitted.append(photo)
    if not fitted:
        return {"photos": [], "skipped": skipped, "n_12_bit": 0}
    images = np.stack([photo.image for photo in fitted])
    predicted = trained.task.predict(trained.network, images if correct is None else correct(images))
    photos = [{"file_name": photo.path.relative_to(folder).as_posix(), "width": photo.full_size[1],
               "height": photo.full_size[0], "detections": _detections(predicted.take([position]), photo)}
              for position, photo in enumerate(fitted)]
    return {"photos": photos, "skipped": skipped, "n_12_bit": sum(photo.is_12_bit for photo in fitted)}


def _detections(boxes: Boxes, photo: Fitted) -> list[dict[str, Any]]:
    """Boxes of one fitted photo in pixels of the photo as it was, cut at its border."""
    box = (boxes.box - np.tile(photo.shift, 2)) / np.tile(photo.scale, 2)
    box = np.clip(box, 0, np.tile(photo.full_size[::-1], 2))
    return [{"category": name, "bbox": [round(v, 2) for v in (x0, y0, x1 - x0, y1 - y0)], "score": round(score, 6)}
            for (x0, y0, x1, y1), name, score in zip(box.tolist(), boxes.name.tolist(), boxes.score.tolist(),
                                                     strict=True)]


def _drawn_file(out: Path, first: int) -> Path:
    return out / WORK / f"{first:08d}-drawn.json"


def _is_drawn(out: Path, first: int, chunk: dict[str, Any], threshold: float) -> bool:
    try:
        marked = read_json(_drawn_file(out, first), "it is written again")
    except CorruptFile:
        return False
    return marked == {"threshold": threshold} and all(_picture(out, photo).exists() for photo in chunk["photos"])


def _draw_chunk(out: Path, first: int, chunk: dict[str, Any], folder: Path, output: Output) -> None:
    """Draw a chunk's photos, and note with which threshold."""
    _drawn_file(out, first).unlink(missing_ok=True)  # if this is stopped, some of the pictures are of the former one
    for photo in chunk["photos"]:
        shown = [one for one in photo["detections"] if one["score"] >= output.threshold]
        box = np.array([one["bbox"] for one in shown], float).reshape(-1, 4)
        box[:, 2:] += box[:, :2]
        codes = np.array([output.classes.index(one["category"]) for one in shown], int)
        drawn = overlay(full_photo(folder / photo["file_name"]), box, codes,
                        np.array([one["score"] for one in shown], float), output.classes,
                        f"confidence {output.threshold:.2f} or more")
        with atomic_write(_picture(out, photo)) as file:
            drawn.save(file, "PNG")
    write_json(_drawn_file(out, first), {"threshold": output.threshold})


def _picture(out: Path, photo: Mapping[str, Any]) -> Path:
    """The picture of a photo; its name is shortened where file systems do not allow .png at its end."""
    path = out / photo["file_name"]
    if len(os.fsencode(path.name)) + len(".png") <= MAX_NAME:
        return path.with_name(path.name + ".png")
    return path.with_name(f"{path.name[:50]}-{content_hash(os.fsencode(path.name))[:12]}.png")
