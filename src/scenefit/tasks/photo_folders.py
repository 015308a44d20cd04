"""A network applied to a folder of photos, chunk by chunk.

The results of a chunk are kept in a file of their own, and so is what its pictures were drawn with: a command that was
stopped goes on with the next chunk, and one that draws other pictures draws them anew but predicts nothing again.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.data.image_files import Fitted, Skipped, describe_frames, full_photo, try_photo
from scenefit.files.atomic import atomic_write, clear_leftovers, content_hash, write_bytes, write_json
from scenefit.files.json_files import CorruptFile, read_json
from scenefit.files.plan import content, holds_plan
from scenefit.tasks.training.network_file import TrainedNetwork

CHUNK = 16  # photos
FORMAT = 2  # of the chunks' files
MAX_NAME = 255  # bytes
WORK = ".found"  # folder of the chunks' files
PHOTO = {"file_name": str, "width": int, "height": int}
Correct = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
Photo = Mapping[str, Any]  # of a photo, plain JSON values: those of `PHOTO`, and what the output found in it


class FolderOutput(ABC):
    """What is written about photos. results: what they are, for people.  pictures: whether they are drawn."""

    results: ClassVar[str]
    pictures: bool

    @abstractmethod
    def found(self, trained: Any, photos: Sequence[Fitted], images: NDArray[np.uint8], folder: Path,
              out: Path) -> list[dict[str, Any]]:
        """What is found in each photo below a folder, as plain JSON values. images: of the photos, corrected."""

    @abstractmethod
    def is_found(self, photo: Photo) -> bool:
        """Whether values that were read are such as `found` gives."""

    def is_there(self, photo: Photo, out: Path) -> bool:
        """Whether all files are there that `found` wrote about a photo."""
        return True

    @property
    @abstractmethod
    def drawn_with(self) -> dict[str, Any]:
        """What decides the pictures, as plain JSON values."""

    @abstractmethod
    def draw(self, photo: Photo, image: NDArray[np.uint8], out: Path) -> Image.Image:
        """The picture of a photo. image: the whole photo."""

    @abstractmethod
    def files(self, photos: Sequence[Photo], out: Path) -> dict[Path, bytes]:
        """The files that are written at the end."""

    @abstractmethod
    def summary(self, photos: Sequence[Photo], skipped: str, out: Path) -> str:
        """What was found, in words. skipped: how many files were, in words."""


@dataclass(frozen=True)
class FolderResults:
    """Results so far. done: how many photos are done.  photos: those that could be read; file_name is relative to the
    folder.  skipped: files, and frames of files, that were not read, each with the reason.  n_12_bit: photos that are
    `Fitted.is_12_bit`."""

    done: int
    photos: list[dict[str, Any]]
    skipped: list[Skipped]
    n_12_bit: int


def prediction_plan(folder: Path, paths: Sequence[Path], more: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the results, as plain JSON values: the content of all photos and their names, and more."""
    photos = b"\n".join(os.fsencode(path.relative_to(folder)) + f" {_file_hash(path)}".encode() for path in paths)
    return {**more, "format": FORMAT, "photos": content_hash(photos)}


def predict_steps(trained: TrainedNetwork[Any], folder: Path, paths: Sequence[Path], out: Path, output: FolderOutput,
                  *, plan: Mapping[str, Any], correct: Correct | None = None) -> Iterator[FolderResults]:
    """Apply a network to the photos at paths, which lie below folder; yields after each chunk.

    Draws pictures below out, as PNG, and at the end writes the output's files. Bytes of a file's name that are not
    UTF-8 are escaped, and `os.fsencode` gives them from what Python's json reads.
    plan: as of `prediction_plan`.  correct: what images go through before, each by itself.  Hold `lock(out)` meanwhile.
    ValueError where out holds anything else, or the results of another plan.
    """
    if not _holds_plan(out, plan, output):
        check_out(out)
        write_json(out / WORK / "plan.json", plan)
    clear_leftovers(out)
    found = FolderResults(0, [], [], 0)
    for first in range(0, len(paths), CHUNK):
        chunk = _read_chunk(out, first, output)
        if chunk is None:
            write_json(_chunk_file(out, first), _predict_chunk(trained, folder, paths[first:first + CHUNK], out, output,
                                                               correct))
            chunk = _read_chunk(out, first, output)
            assert chunk is not None
        if output.pictures and not _is_drawn(out, first, chunk, output):
            _draw_chunk(out, first, chunk, folder, output)
        found = _with_chunk(found, chunk, len(paths))
        yield found
    for path, data in output.files(found.photos, out).items():
        write_bytes(path, data)


def finished_results(paths: Sequence[Path], out: Path, output: FolderOutput, *,
                     plan: Mapping[str, Any]) -> FolderResults | None:
    """What the last of `predict_steps` gave; None where these results are not finished. Nothing is written, so that out
    may be read-only. Errors are those of `predict_steps`."""
    if not _holds_plan(out, plan, output):
        return None
    found = FolderResults(0, [], [], 0)
    for first in range(0, len(paths), CHUNK):
        chunk = _read_chunk(out, first, output)
        if chunk is None or (output.pictures and not _is_drawn(out, first, chunk, output)):
            return None
        found = _with_chunk(found, chunk, len(paths))
    files = output.files(found.photos, out)
    return found if all(path.is_file() and path.read_bytes() == data for path, data in files.items()) else None


def check_out(out: Path) -> None:
    """ValueError where a folder holds anything but results, finished or begun. Nothing is written."""
    begun = [name for name in content(out) if name != WORK or content(out / WORK)]
    if begun and not (out / WORK / "plan.json").exists():
        raise ValueError(f"{out} is not empty; give another folder with --out")


def _holds_plan(out: Path, plan: Mapping[str, Any], output: FolderOutput) -> bool:
    return holds_plan(out / WORK / "plan.json", plan, out, f"the {output.results} of another command")


def _chunk_file(out: Path, first: int) -> Path:
    return out / WORK / f"{first:08d}.json"


def _with_chunk(found: FolderResults, chunk: dict[str, Any], of: int) -> FolderResults:
    return FolderResults(min(found.done + CHUNK, of), found.photos + chunk["photos"],
                         found.skipped + [Skipped(Path(path), reason) for path, reason in chunk["skipped"]],
                         found.n_12_bit + chunk["n_12_bit"])


def _read_chunk(out: Path, first: int, output: FolderOutput) -> dict[str, Any] | None:
    """What `_predict_chunk` gave; None where its files are not all there. CorruptFile, naming the file, where it holds
    anything else."""
    path = _chunk_file(out, first)
    if not path.exists():
        return None
    fix = f"delete it and run the same command again: {CHUNK} photos are predicted again"
    chunk: dict[str, Any] = read_json(path, fix, dict)
    photos, skipped, n_12_bit = (chunk.get(name) for name in ("photos", "skipped", "n_12_bit"))
    if not (type(n_12_bit) is int and n_12_bit >= 0 and isinstance(photos, list) and isinstance(skipped, list)
            and all(has(photo, PHOTO) and output.is_found(photo) for photo in photos)
            and all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
                    for pair in skipped)):
        raise CorruptFile(f"{path} is damaged: it does not hold the {output.results} of {CHUNK} photos; {fix}")
    return chunk if all(output.is_there(photo, out) for photo in photos) else None


def has(entry: Any, kinds: Mapping[str, Any]) -> bool:
    """Whether a value that was read from JSON holds values of these kinds."""
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in kinds.items())


def _file_hash(path: Path) -> str:
    """Of a file's content; "" where there is no file, such as at the end of a broken link."""
    try:
        return content_hash(path.read_bytes()) if path.is_file() else ""
    except OSError:  # such photos are skipped and named when their turn comes
        return ""


def _predict_chunk(trained: TrainedNetwork[Any], folder: Path, paths: Sequence[Path], out: Path, output: FolderOutput,
                   correct: Correct | None) -> dict[str, Any]:
    """The photos that were read and what was found in them, what was skipped, and the number of 12-bit photos, as plain
    JSON values."""
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
    found = output.found(trained, fitted, images if correct is None else correct(images), folder, out)
    photos = [{"file_name": photo.path.relative_to(folder).as_posix(), "width": photo.full_size[1],
               "height": photo.full_size[0], **own} for photo, own in zip(fitted, found, strict=True)]
    return {"photos": photos, "skipped": skipped, "n_12_bit": sum(photo.is_12_bit for photo in fitted)}


def _drawn_file(out: Path, first: int) -> Path:
    return out / WORK / f"{first:08d}-drawn.json"


def _is_drawn(out: Path, first: int, chunk: dict[str, Any], output: FolderOutput) -> bool:
    try:
        marked = read_json(_drawn_file(out, first), "it is written again")
    except CorruptFile:
        return False
    pictures = [picture_path(out, photo["file_name"]) for photo in chunk["photos"]]
    return marked == output.drawn_with and all(path.exists() for path in pictures)


def _draw_chunk(out: Path, first: int, chunk: dict[str, Any], folder: Path, output: FolderOutput) -> None:
    """Draw a chunk's photos, and note with what."""
    _drawn_file(out, first).unlink(missing_ok=True)  # if this is stopped, some of the pictures are former ones
    for photo in chunk["photos"]:
        drawn = output.draw(photo, full_photo(folder / photo["file_name"]), out)
        with atomic_write(picture_path(out, photo["file_name"])) as file:
            drawn.save(file, "PNG")
    write_json(_drawn_file(out, first), output.drawn_with)


def picture_path(out: Path, name: str) -> Path:
    """The picture of a photo of this name; its own is shortened where file systems do not allow .png at its end."""
    path = out / name
    if len(os.fsencode(path.name)) + len(".png") <= MAX_NAME:
        return path.with_name(path.name + ".png")
    return path.with_name(f"{path.name[:50]}-{content_hash(os.fsencode(path.name))[:12]}.png")
