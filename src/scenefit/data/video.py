"""Images of a video at regular times, decoded by OpenCV. Legend: H, W size of its frames, as they are shown."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenefit.files.caller import warn

ENDINGS = (".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv")
TOLERANCE = 1e-4  # s: times are stored as rounded numbers
JUMP = 0.5  # s: times that fall by more are those of another recording, which was joined to the first
CUT = 1.0, 0.02  # s, and share of the video: it may end so much earlier than its file says


@dataclass(frozen=True)
class Video:
    """size: (H, W).  seconds: how long it is, as its file says; 0 where the file does not."""

    path: Path
    size: tuple[int, int]
    seconds: float


class Decoded(NamedTuple):
    """A frame. seconds: its time from the beginning.  image: uint8 [H, W, 3], RGB."""

    seconds: float
    image: NDArray[np.uint8]


def open_video(path: Path) -> Video:
    """ValueError where the file cannot be read as a video, or has no frame that can be decoded; FileNotFoundError where
    there is none; ImportError without the extra `video`."""
    capture, cv2 = _capture(path)
    try:
        if not capture.read()[0]:
            raise ValueError(f"{path} has no frame that can be decoded; convert it to H.264, for example with "
                             f"ffmpeg -i {path.name} -c:v libx264 converted.mp4")
        height, width = (round(capture.get(name)) for name in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    finally:
        capture.release()
    return Video(path, (height, width), count / rate if rate > 0 and count > 0 else 0.0)


def decode(video: Video, every: float, first: float = 0.0, end: float | None = None) -> Iterator[Decoded]:
    """The first frame at or after each of the times first, first + every, ..., before the end, in seconds.

    Warns where the video ends before its file says, and where its times jump back; what follows such a place is taken
    to come right after what is before it. ValueError as of `open_video`.
    """
    capture, cv2 = _capture(video.path)
    try:
        due, now, base, frame = first, 0.0, 0.0, 0
        step = 1 / max(capture.get(cv2.CAP_PROP_FPS), 1e-3)
        while capture.grab():
            # The file's own times, for its rate may vary. A few kinds of files have none.
            stored = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            before, now = now, base + (stored if stored > 0 or frame == 0 else frame * step)
            if now < before - JUMP:
                warn(f"the times of {video.path} jump back at {before:.1f} s; if it was joined of recordings that do "
                     "not follow one another, give these instead")
                base += before + step - now
                now = before + step
            frame += 1
            if end is not None and now >= end - TOLERANCE:
                return
            if now < due - TOLERANCE:
                continue
            read, image = capture.retrieve()
            if not read:
                break
            yield Decoded(now, np.ascontiguousarray(image[..., ::-1]))
            due += every * (np.floor((now + TOLERANCE - due) / every) + 1)
        if video.seconds - now > max(CUT[0], CUT[1] * video.seconds):
            warn(f"{video.path} can be decoded up to {now:.1f} s only, though its file says {video.seconds:.1f} s; it "
                 "may be cut off or damaged")
    finally:
        capture.release()


def _capture(path: Path) -> tuple[Any, Any]:
    """An open cv2.VideoCapture, and cv2."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError('reading videos needs OpenCV: pip install "scenefit[video]"') from error
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        str(path).encode()
    except UnicodeEncodeError as error:  # OpenCV would crash
        raise ValueError(f"the path {path} is not UTF-8, and OpenCV reads no other; rename it") from error
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors here say the same
    try:
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)  # "a:b.avi" alone would be a protocol
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        capture.release()
        raise ValueError(f"{path} cannot be read as a video: it is damaged, empty, without pictures, or of another "
                         "kind; give files such as MP4, MOV, AVI or MKV")
    return capture, cv2
