"""Photos from videos: frames at regular times, without those in which hardly anything has changed, split by blocks of
time.

Neighbouring frames of a video show the same things. If they were split one by one, a held-out photo would have a twin
among the others. So whole blocks of time are dealt out, and the last seconds of each are dropped.

Legend: H, W size of an image.
"""

import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.data.image_kinds import walk
from scenefit.data.video import ENDINGS, TOLERANCE, Decoded, Video, decode, open_video
from scenefit.files.atomic import clear_leftovers, content_hash, write_bytes, write_json
from scenefit.files.caller import warn
from scenefit.files.csv_table import csv_table
from scenefit.files.plan import content, holds_plan
from scenefit.files.text import counted
from scenefit.scenes.rng import generator

PARTS = ("unlabelled", "labelled", "held_out")
DEAL = (0, 0, 0, 1, 2)  # of five blocks in a row: parts, in a random order
PLAN, TABLE = "frames.json", "frames.csv"
THUMBNAIL = 32, 24  # width and height of the images that are compared
MAX_STEM = 230  # bytes of a video's name, of the 255 that names of files have
QUALITY = 95  # of JPEG files, with colours at full resolution
HASHED = 2**20  # bytes at the beginning and at the end of a video that tell it from others


@dataclass(frozen=True)
class Choice:
    """Which frames are kept. All times in seconds.

    every: between frames.  first, end: of the part of each video that is used.  min_change: frames that differ less
    from the last one that was kept are left out (see `change`); 0 keeps all.  split: whether blocks are dealt out.
    block: length of one.  gap: what is dropped at the end of
    each and of each video.  seed: of the dealing.
    """

    every: float = 1.0
    first: float = 0.0
    end: float | None = None
    min_change: float = 0.06
    split: bool = False
    block: float = 15.0
    gap: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, least in (("every", self.every, 1e-3), ("first", self.first, 0.0), ("block", self.block, 1e-3),
                                   ("min_change", self.min_change, 0.0), ("gap", self.gap, 0.0)):
            if not (math.isfinite(value) and value >= least):
                raise ValueError(f"{name} must be at least {least:g}, got {value}")
        if self.end is not None and not self.end > self.first:
            raise ValueError(f"the end must come after the beginning at {self.first:g} s, got {self.end:g} s")
        if self.split and not self.gap < self.block:
            raise ValueError(f"the gap must be shorter than the blocks, whose last part it is; got a gap of "
                             f"{self.gap:g} s and blocks of {self.block:g} s")


@dataclass(frozen=True)
class Progress:
    """done, of: seconds of all videos; of is a guess where a file does not tell.  kept: frames that were written, by
    part ("" without a split).  unchanged: frames that were left out because hardly anything had changed."""

    done: float
    of: float
    kept: dict[str, int]
    unchanged: int


def find_videos(places: Sequence[Path]) -> list[Video]:
    """Videos that are given as files, or lie in given folders, each once; one of a folder that cannot be read is left
    out with a warning. Folders are searched as for photos. ValueError where there is none, where two have the same
    name, which their frames get, or where a name is too long; errors of `open_video` for given files."""
    found = dict[str, Video]()  # by real path
    owner = dict[str, Path]()
    paths = [(path, place.is_dir()) for place in places for path in (_files(place) if place.is_dir() else [place])]
    for path, in_folder in paths:
        if (real := os.path.realpath(path)) in found:
            continue
        try:
            found[real] = open_video(path)
        except ValueError as error:
            if not in_folder:
                raise
            warn(f"{error}; it is left out")
            continue
        if (other := owner.setdefault(stem_of(path).lower(), path)) is not path:
            raise ValueError(f"{other} and {path} have the same name, which their frames would get; rename one")
        if len(os.fsencode(path.stem)) > MAX_STEM:
            raise ValueError(f"the name of {path} is too long, as its frames get it too; rename it")
    if not found:
        reason = "none of its videos can be read" if paths else f"no file ends in {', '.join(ENDINGS)}"
        raise ValueError(f"no video in {', '.join(map(str, places))}, or in subfolders: {reason}")
    return list(found.values())


def stem_of(path: Path) -> str:
    """What the names of its frames begin with: without leading dots, since hidden files are no photos."""
    return path.stem.lstrip(".")


def _files(folder: Path) -> list[Path]:
    return sorted(place / name for place, _, names in walk(folder) for name in names
                  if name.lower().endswith(ENDINGS) and (place / name).is_file())


def frame_steps(videos: Sequence[Video], out: Path, choice: Choice) -> Iterator[Progress]:
    """Write frames of videos as JPEG files below out, and a table of them; yields after each frame.

    A file has the name of its video and its time in milliseconds; with a split, it lies in the folder of one of
    `PARTS`. frames.csv, the last file, says for each: file, video, seconds, block (counted over all videos). The same
    videos and choice give the same files; frames that are there are not written again. Hold `lock(out)` meanwhile.
    ValueError where out holds anything else, and where the videos have fewer than five blocks to split.
    """
    plan = _plan(videos, choice)
    if not _holds(out, plan):
        check_out(out)
        _check_lengths(videos, choice)
        write_json(out / PLAN, plan)
    clear_leftovers(out)
    rows, kept, unchanged, before = list[tuple[str, str, float, int]](), dict[str, int](), 0, 0.0
    last, total = None, sum(_length(video, choice) for video in videos)
    for video in videos:
        first_block = rows[-1][3] + 1 if rows else 0
        # Clips of a camera follow one another, so the end of each is dropped as that of a block is.
        end = choice.first + _length(video, choice) if video.seconds else math.inf
        for frame in decode(video, choice.every, choice.first, choice.end):
            number, within = divmod(frame.seconds - choice.first + TOLERANCE, choice.block)
            if choice.split and (within > choice.block - choice.gap or frame.seconds > end - choice.gap - TOLERANCE):
                continue
            block, seen = first_block + int(number), thumbnail(frame.image)
            if last is not None and change(last, seen) < choice.min_change:
                unchanged += 1
            else:
                last, part = seen, part_of(block, choice.seed) if choice.split else ""
                rows.append((_write(frame, video, out, part), video.path.name, round(frame.seconds, 3), block))
                kept[part] = kept.get(part, 0) + 1
            yield Progress(before + frame.seconds - choice.first, total, dict(kept), unchanged)
        before += _length(video, choice)
    if choice.split and (empty := [part for part in PARTS if part not in kept]):
        warn(f"no frame in {' and '.join(empty)}; give shorter blocks, or more of the drive")
    with csv_table(out / TABLE, ("file", "video", "seconds", "block")) as write:
        for row in rows:
            write(row)
    yield Progress(total, total, kept, unchanged)


def is_finished(videos: Sequence[Video], out: Path, choice: Choice) -> bool:
    """Whether out holds these frames. Frames that someone has deleted since are not missed. ValueError where it holds
    frames of another choice or of other videos."""
    return _holds(out, _plan(videos, choice)) and (out / TABLE).exists()


def check_out(out: Path) -> None:
    """ValueError where a folder holds anything but frames, finished or begun. Nothing is written."""
    if content(out) and not (out / PLAN).exists():
        raise ValueError(f"{out} is not empty and holds no frames of scenefit; give another folder with --out")


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Lightness [24, 32] of an image [H, W, 3], each the mean over its part of the image."""
    small = Image.fromarray(image).convert("L").resize(THUMBNAIL, Image.Resampling.BOX)
    return np.asarray(small, float)


def change(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Mean absolute difference of two thumbnails over their standard deviation, so that dark videos count alike. Of
    frames of CamVid a second apart, 0.02 to 0.07 while the car stands, mostly 0.15 to 0.45 while it drives."""
    scale = max(float(np.concatenate([before, after]).std()), 1.0)
    return float(np.abs(after - before).mean()) / scale


def _write(frame: Decoded, video: Video, out: Path, part: str) -> str:
    """The name of its file below out, which is written if it is not there."""
    name = f"{stem_of(video.path)}-{round(1000 * frame.seconds):08d}ms.jpg"
    path = out / part / name
    if not path.exists():
        data = io.BytesIO()
        Image.fromarray(frame.image).save(data, "JPEG", quality=QUALITY, subsampling=0)
        write_bytes(path, data.getvalue())
    return path.relative_to(out).as_posix()


def _length(video: Video, choice: Choice) -> float:
    return max(min(video.seconds, math.inf if choice.end is None else choice.end) - choice.first, 0.0)


def part_of(block: int, seed: int) -> str:
    """The part that a block is dealt to, counted over all videos: of five in a row, three, one and one."""
    group, place = divmod(block, len(DEAL))
    return PARTS[DEAL[int(generator(seed, f"blocks {group}").permutation(len(DEAL))[place])]]


def _check_lengths(videos: Sequence[Video], choice: Choice) -> None:
    """ValueError where no video is long enough, or a split finds too few blocks, as far as the files tell."""
    if not all(video.seconds for video in videos):
        return
    lengths = [_length(video, choice) for video in videos]
    if not any(lengths):
        raise ValueError(f"no video has a frame after {choice.first:g} s; the longest ends at "
                         f"{max(video.seconds for video in videos):g} s")
    blocks = sum(math.ceil(length / choice.block) for length in lengths)
    if choice.split and blocks < len(DEAL):
        raise ValueError(f"the videos have {counted(blocks, 'block')} of {choice.block:g} s, and a split needs "
                         f"{len(DEAL)}; give shorter blocks, or more of the drive")


def _plan(videos: Sequence[Video], choice: Choice) -> dict[str, Any]:
    """The order of videos counts too, as blocks are counted over them."""
    return {"videos": [[video.path.name, _identity(video.path)] for video in videos], "choice": asdict(choice)}


def _identity(path: Path) -> str:
    """Tells a video from others, without reading gigabytes."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        beginning = file.read(HASHED)
        file.seek(max(size - HASHED, 0))
        return f"{size} bytes {content_hash(beginning + file.read(HASHED))}"


def _holds(out: Path, plan: dict[str, Any]) -> bool:
    return holds_plan(out / PLAN, plan, out, "frames of other videos or of another choice")
