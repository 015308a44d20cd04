"""Whether a photo's file holds all of its pixels, and not too many of them.

Decoders give black or grey where pixels are missing, and take several GB for a small file that claims many of them.
"""

import io
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.data.image_kinds import LIMIT

MAX_MEGAPIXELS = 120.0  # cameras of medium format have 102, phones 108; decoding takes up to 8 bytes a pixel
MOST_PIXELS = 8 * 1032  # that one byte of PNG can hold: deflate's best ratio, at one bit a pixel; JPEG holds fewer
PIECE = 1 << 16  # bytes
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of PNG's colour types
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # of a JPEG segment, not in the midst of pixels
END_OF_IMAGE = b"\xff\xd9"
SHORT = 8  # bytes; fewer tell nothing
MID_GREY = (128, (128, 128, 128))  # what the decoder of JPEG gives where pixels are missing
CONTENTS = (  # (where, bytes, what such a file is)
    (0, b"GIF8", "a GIF image"), (4, b"ftypavif", "an AVIF image"), (4, b"ftypheic", "a HEIC image"),
    (4, b"ftypheix", "a HEIC image"), (4, b"ftypmif1", "a HEIF image"), (4, b"ftyp", "a video or an image of phones"),
    (0, b"%PDF", "a PDF document"), (0, b"8BPS", "a Photoshop document"), (0, b"PK\3\4", "a zip archive"),
    (0, b"\0\0\0\x0cjP", "a JPEG 2000 image"), (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"version https://git-lfs", "a pointer of Git LFS (git lfs pull fetches the photo)"),
    (0, b"<svg", "an SVG drawing"), (0, b"<!DOCTYPE", "a web page (a failed download?)"),
    (0, b"<!doctype", "a web page (a failed download?)"), (0, b"<html", "a web page (a failed download?)"))


def max_megapixels() -> float:
    """The most megapixels that a photo may have: SCENEFIT_MAX_MEGAPIXELS of the environment, else 120. ValueError where
    that is no number above 0."""
    text = os.environ.get(LIMIT, "")
    try:
        limit = float(text or MAX_MEGAPIXELS)
    except ValueError:
        limit = np.nan
    if not limit > 0:
        raise ValueError(f"{LIMIT} needs a number of megapixels above 0, got {text!r}")
    return limit


def check_pixels(path: Path, image: Image.Image) -> None:
    """ValueError where an opened image, not yet decoded, has too many pixels, or more than its file can hold."""
    width, height = image.size
    if width * height > max_megapixels() * 1e6:
        raise ValueError(f"has {width} x {height} pixels, {width * height / 1e6:,.1f} megapixels, and the limit is "
                         f"{max_megapixels():g}; shrink it, or raise the limit with scenefit --max-megapixels N "
                         f"COMMAND, or with {LIMIT}=N in the environment")
    size = path.stat().st_size
    if image.format in ("JPEG", "MPO", "PNG") and width * height > MOST_PIXELS * size:
        raise ValueError(f"is incomplete: {size} bytes cannot hold its {width} x {height} pixels; copy it again")


def check_complete(path: Path, image: Image.Image) -> None:
    """ValueError where the file of a decoded image, not yet turned, ends before its pixels do."""
    missing = {"PNG": _png_lacks_rows, "JPEG": _jpeg_lacks_rows, "MPO": _jpeg_lacks_rows, "WEBP": _webp_lacks_rows}
    if image.format in missing and missing[image.format](path, image):
        raise ValueError("is incomplete: its file ends before the last row of its pixels; copy it again")


def describe_content(path: Path) -> str:
    """Why a file is no image that is read, by its first bytes."""
    with open(path, "rb") as file:
        head = file.read(64)
    if not head:
        return "is empty (0 bytes); copy it again"
    if not any(head):
        return "begins with zeros: it was not copied whole; copy it again"
    for where, start, what in CONTENTS:
        if (head[where:] if where else head.lstrip()).startswith(start):
            return f"is {what}, whatever its name says; only JPEG, PNG, BMP, TIFF and WebP are read"
    words = head.decode("ascii", errors="replace").split()
    if len(head) > SHORT and all(word.isascii() and word.isprintable() for word in words):
        return f"is a text that begins with {' '.join(words)[:32]!r} (a failed download?), and no image; copy it again"
    return "is damaged, or no image in JPEG, PNG, BMP, TIFF or WebP"


def _png_lacks_rows(path: Path, image: Image.Image) -> bool:
    """Missing rows are zeros, so the data are counted only where the last row is zeros; in interlaced files, always."""
    width, height = image.size
    if not image.info.get("interlace") and np.asarray(image.crop((0, height - 1, width, height))).any():
        return False
    wanted = found = 0
    inflate = zlib.decompressobj()
    with open(path, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            end = file.tell() + length + 4
            if name == b"IHDR":
                wanted = _png_bytes(*struct.unpack(">IIBBBBB", file.read(13)))
            while name == b"IDAT" and found < wanted and file.tell() < end - 4:
                data = file.read(min(PIECE, end - 4 - file.tell()))
                while data and found < wanted:
                    try:
                        found += len(inflate.decompress(data, PIECE * 16))
                    except zlib.error:
                        return True
                    data = inflate.unconsumed_tail
                if inflate.eof:
                    return found < wanted
            file.seek(end)
    return found < wanted


def _png_bytes(width: int, height: int, bits: int, colour: int, _: int, __: int, interlaced: int) -> int:
    """How many bytes a PNG's pixels have before they are compressed."""
    passes = [(width, height)] if not interlaced else [
        (-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in PASSES]
    return sum(high * (1 + -(-wide * CHANNELS[colour] * bits // 8)) for wide, high in passes if wide > 0 and high > 0)


def _jpeg_lacks_rows(path: Path, image: Image.Image) -> bool:
    """Whether data that are put before the end mark change the image, which they do only where some are missing; asked
    only where the last pixel is what the decoder gives for missing ones. Zeros are pixels too, but no end mark."""
    width, height = image.size
    grey, zeros = image.getpixel((width - 1, height - 1)) in MID_GREY, _ends_in_zeros(path)
    if not (grey or zeros):
        return False
    data = path.read_bytes()
    end = _end_of_jpeg(data)
    if end is None or not grey:
        return end is None
    return not np.array_equal(_thumbnail(data[:end] + END_OF_IMAGE),
                              _thumbnail(data[:end] + bytes(range(1, 255)) * 16 + END_OF_IMAGE))


def _end_of_jpeg(data: bytes) -> int | None:
    """Where the first image of a JPEG file ends."""
    at = 2
    while found := MARKER.search(data, at):
        start = found.start()
        if data[start:start + 2] == END_OF_IMAGE:
            return start
        at = start + 2 + int.from_bytes(data[start + 2:start + 4], "big")
    return None


def _thumbnail(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        image.draft(None, (1, 1))
        return np.asarray(image)


def _webp_lacks_rows(path: Path, image: Image.Image) -> bool:
    """Metadata may end in zeros, and come last."""
    return "exif" not in image.info and "xmp" not in image.info and _ends_in_zeros(path)


def _ends_in_zeros(path: Path) -> bool:
    """As a file does of which only the first part was copied into one of the whole size."""
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - 64, 0))
        return not any(file.read())
