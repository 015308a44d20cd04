"""Real photos: folders of images brought to the renderer's size.

The policy: scale so that the photo just covers the size (fit the short side), antialiased, and crop the centre. A
photo that already has the size stays as it is, bit for bit. Every photo becomes 8-bit RGB: EXIF rotation is applied;
transparency is laid on white; 16-bit grey is divided by 257; of several frames the first is taken; colour profiles
are ignored. Values of 12 bits in 16-bit grey so become nearly black, which a warning says.
Legend: N photos; H, W pixels.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from scenefit.data.boxes import Boxes
from scenefit.data.flat_field import correct_flat_field
from scenefit.files.atomic import content_hash

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
OTHERS = (".gif", ".heic", ".heif", ".avif", ".jfif", ".jp2", ".jxl", ".ppm", ".pgm", ".tga", ".dds", ".exr", ".psd",
          ".ico", ".svg", ".dng", ".cr2", ".nef", ".arw", ".raw", ".dcm")  # images too, but not read
DECODERS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")  # and no others, whatever a file named .jpg really is
FAINT = 4095  # the highest value of 12 bits, of which cameras also write 16-bit files
CROPPED = 0.2  # of a photo's area: who loses more should know
ORIENTATION = 0x0112  # EXIF's tag; 5 to 8 exchange width and height
Size = tuple[int, int]
Skipped = tuple[tuple[Path, str], ...]


@dataclass(frozen=True, eq=False)
class Photos:
    """images uint8 [N, H, W, 3].  paths: where each came from.  label: class of each [N], "" where unlabelled.

    skipped: files that could not be read, each with the reason; of labels, also what was left out of a file that was
    read.  boxes: of the objects, where they are labelled.
    """

    images: NDArray[np.uint8]
    paths: tuple[Path, ...]
    skipped: Skipped
    label: NDArray[np.str_]
    boxes: Boxes | None = None

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def hash(self) -> str:
        """Of the images alone: the same photos under other names have the same hash."""
        return content_hash(self.images)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Photos":
        """Some of the photos, in the order of rows."""
        rows = np.asarray(rows, np.int64)
        return Photos(self.images[rows], tuple(self.paths[row] for row in rows), self.skipped, self.label[rows],
                      None if self.boxes is None else self.boxes.take(rows))

    def correct_flat_field(self, field: NDArray[np.float32] | None) -> "Photos":
        """The photos without the pattern of their camera, `flat_field`; None leaves them as they are."""
        return self if field is None else replace(self, images=correct_flat_field(self.images, field))


@dataclass(frozen=True, eq=False)
class Fitted:
    """One photo brought to the renderer's size, and where its points went.

    image uint8 [H, W, 3].  whole: (height, width) of the photo before, upright.  stored: that of the file before EXIF
    turned it.  factor, shift [2]: the point p = (x, y) of the whole photo lies at p * factor + shift.  faint: 16-bit
    grey, but no value is beyond 12 bits.
    """

    image: NDArray[np.uint8]
    whole: Size
    stored: Size
    factor: NDArray[np.float64]
    shift: NDArray[np.float64]
    faint: bool = False

    @property
    def lost(self) -> float:
        """The share of the photo's area that was cropped."""
        shown = np.prod(np.array(self.image.shape[1::-1]) / self.factor)
        return 1 - float(shown) / (self.whole[0] * self.whole[1])


def read_photos(folder: str | Path, size: Size, most: int | None = None) -> Photos:
    """All JPEG, PNG, BMP, TIFF and WebP photos below folder, brought to size (height, width), sorted by path.

    Hidden files and folders are ignored. most: at most so many, evenly spread over the sorted paths, the next one
    standing in for one that cannot be read. Broken photos, and images of other kinds (GIF, HEIC, ...), are skipped and
    named in the result.
    ValueError where folder is missing or holds no readable photo.
    """
    folder = check_folder(folder)
    check_size(size)
    if most is not None and most < 1:
        raise ValueError(f"most needs at least 1 photo, got {most}")
    paths, others = find_photos(folder)
    skipped = list(others)
    images, kept = _read(folder, paths, size, len(paths) if most is None else most, skipped)
    if not kept:
        raise ValueError(f"no readable photo in {folder}: looked there and in its subfolders for files ending in "
                         f"{', '.join(ENDINGS)}; {say_skipped(skipped)}")
    return Photos(images, tuple(kept), tuple(skipped), np.full(len(kept), ""))


def read_labelled(folder: str | Path, size: Size) -> Photos:
    """Labelled photos, one subfolder a class: folder/cat/1.jpg is a cat. Read as `read_photos` reads them.

    ValueError where photos stand outside the subfolders, or a class has no readable photo.
    """
    folder = check_folder(folder)
    check_size(size)
    paths, others = find_photos(folder)
    skipped = list(others)
    loose = [path.name for path in paths if path.parent == folder]
    if loose:
        raise ValueError(f"{folder} holds {len(loose)} photos outside any class ({_first(loose)}); put each photo into "
                         "a subfolder named after its class, such as cat/1.jpg")
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise ValueError(f"{folder} has no subfolders; labelled photos need one for each class, such as cat/1.jpg")
    images, kept = _read(folder, paths, size, len(paths), skipped)
    label = [path.relative_to(folder).parts[0] for path in kept]
    empty = [name for name in classes if name not in set(label)]
    if empty:
        raise ValueError(f"{folder} has classes without a readable photo: {_first(empty)}; add photos or remove those "
                         f"subfolders ({say_skipped(skipped)})")
    return Photos(images, tuple(kept), tuple(skipped), np.array(label, np.str_))


def split(photos: Photos, parts: Mapping[str, float], seed: int) -> dict[str, Photos]:
    """Random parts that share no image: duplicates, by content, always stay together.

    parts: name -> share (> 0, of their sum). A photo's part depends on seed and on the images, not on names or order.
    ValueError where a part would be empty.
    """
    shares = np.array(list(parts.values()), float)
    if not (len(shares) and np.all(np.isfinite(shares)) and np.all(shares > 0)):
        raise ValueError(f"split needs a share > 0 for each part, got {dict(parts)}")
    hashes = np.array([content_hash(image) for image in photos.images])
    order = sorted(set(hashes.tolist()), key=lambda name: content_hash(f"{seed} {name}".encode()))
    edges = np.rint(np.cumsum(shares) / shares.sum() * len(order)).astype(int)
    found = {}
    for name, start, stop in zip(parts, [0, *edges], edges, strict=False):
        if start == stop:
            raise ValueError(f"{len(order)} different photos are too few for the parts {dict(parts)}: {name} is empty")
        found[name] = photos.take(np.flatnonzero(np.isin(hashes, order[start:stop])))
    return found


def fit_photo(path: Path, size: Size) -> Fitted:
    """One photo at size (height, width). Raises nearly anything where the file is no photo."""
    height, width = size
    with _opened(path) as image:
        stored = (image.height, image.width)
        # JPEG can decode at a fraction of its size; twice the side, whichever way it is turned, loses nothing.
        drafted = image.draft(None, (2 * max(size), 2 * max(size))) is not None
        turned = ImageOps.exif_transpose(image)
        whole = (turned.height, turned.width)
        if drafted:
            whole = stored[::-1] if image.getexif().get(ORIENTATION, 1) >= 5 else stored
        fitted, scale, corner = _fit(_to_rgb(turned), width, height)
        factor = scale * np.array([turned.width / whole[1], turned.height / whole[0]])
        faint = turned.mode.startswith("I") and int(np.asarray(turned).max()) <= FAINT
        return Fitted(np.asarray(fitted), whole, stored, factor, -scale * np.array(corner), faint)


def whole_photo(path: Path) -> NDArray[np.uint8]:
    """One photo as `fit_photo` sees it, upright and in RGB, but whole [H, W, 3]. Raises as that does."""
    with _opened(path) as image:
        return np.asarray(_to_rgb(ImageOps.exif_transpose(image)))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    if not path.is_file():
        raise ValueError("not a file (a link that leads nowhere?)" if path.is_symlink() or path.exists() else "missing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata, and photos large but below Pillow's limit, are fine
        with Image.open(path, formats=DECODERS) as image:
            yield image


def warn_faint(folder: Path, count: int) -> None:
    """A warning where some photos of a folder are `Fitted.faint`."""
    if count:
        warnings.warn(f"{count} 16-bit photos of {folder} hold no value above {FAINT:,}: they look like 12-bit ones, "
                      f"and read nearly black (at most {_to_grey(np.array([FAINT]))[0]} of 255); multiply their values "
                      "by 16 when writing them", stacklevel=4)


def warn_cropped(folder: Path, lost: Sequence[float], size: Size) -> None:
    """A warning where most photos of a folder have lost more than `CROPPED`."""
    share = float(np.median(lost)) if len(lost) else 0.0
    if share > CROPPED:
        warnings.warn(f"{share:.0%} of the photos' area in {folder} is cut off, as they are brought to the renderer's "
                      f"{size[0]} x {size[1]} pixels (height x width); give it their ratio of height to width",
                      stacklevel=4)


def check_folder(folder: str | Path) -> Path:
    """The folder as a path. ValueError where it is missing, or no folder."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder} is {'not a folder' if folder.exists() else 'missing'}; give a folder of photos "
                         f"({', '.join(ENDINGS)})")
    return folder


def check_size(size: Size) -> None:
    """ValueError unless size is (height, width), both at least 1."""
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size needs (height, width), both at least 1 pixel, got {size}")


def find_photos(folder: Path, leave_out: Path | None = None) -> tuple[list[Path], Skipped]:
    """Photo files below folder, sorted by relative path, and what is skipped: images of other kinds, folders that
    cannot be listed. Links to folders are followed, each folder once.

    leave_out: a folder that is not looked into, unless it is the very one.
    """
    skipped = []

    def unlisted(error: OSError) -> None:
        skipped.append((Path(error.filename), f"cannot be listed: {error.strerror}"))

    found = []
    visited = set() if leave_out is None else {os.path.realpath(leave_out)} - {os.path.realpath(folder)}
    for place, folders, names in os.walk(folder, onerror=unlisted, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in visited else sorted(name for name in folders if not name.startswith("."))
        if real not in visited:
            names = [name for name in names if not name.startswith(".")]
            found += [Path(place, name) for name in names if name.lower().endswith(ENDINGS)]
            skipped += [(Path(place, name), f"images ending in {Path(name).suffix} are not read; convert them to PNG, "
                         "or to JPEG") for name in sorted(names) if name.lower().endswith(OTHERS)]
        visited.add(real)
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix()), tuple(skipped)


def looks_into(folder: Path, place: Path) -> bool:
    """Whether `find_photos` of a folder finds what lies in place, which need not exist."""
    folder, place = folder.resolve(), place.resolve()
    return (folder.is_dir() and place.is_relative_to(folder)
            and not any(part.startswith(".") for part in place.relative_to(folder).parts))


def _read(folder: Path, paths: list[Path], size: Size, most: int, skipped: list[tuple[Path, str]],
          ) -> tuple[NDArray[np.uint8], list[Path]]:
    """Up to `most` readable photos [N, H, W, 3] with their paths, in the order of paths. One full photo at a time."""
    most = min(most, len(paths))
    images = np.empty((most, *size, 3), np.uint8)
    rows: list[int] = []
    lost: list[float] = []
    faint = 0
    for row in _spread(len(paths), most):
        if len(rows) == most:
            break
        try:
            fitted = fit_photo(paths[row], size)
            images[len(rows)] = fitted.image
            rows.append(row)
            lost.append(fitted.lost)
            faint += fitted.faint
        except Exception as error:  # decoders raise nearly anything on a broken file
            skipped.append((paths[row], str(error) or type(error).__name__))
    warn_faint(folder, faint)
    warn_cropped(folder, lost, size)
    order = np.argsort(np.array(rows, np.int64))
    return images[order] if np.any(np.diff(rows) < 0) else images[:len(rows)], [paths[rows[at]] for at in order]


def _spread(count: int, most: int) -> Iterator[int]:
    """Evenly spread rows first, then the rest, which stand in for photos that cannot be read."""
    first = [(2 * i + 1) * count // (2 * most) for i in range(most)]
    yield from first
    yield from sorted(set(range(count)).difference(first))


def _fit(image: Image.Image, width: int, height: int) -> tuple[Image.Image, float, tuple[float, float]]:
    """Cover width x height with the image, antialiased, and crop the centre: with the scale, and the corner of what is
    left (x, y), in pixels of the image."""
    scale = max(width / image.width, height / image.height)
    if scale == 1:
        x, y = (image.width - width) // 2, (image.height - height) // 2
        return image.crop((x, y, x + width, y + height)), scale, (x, y)
    wide, high = min(image.width, width / scale), min(image.height, height / scale)
    left, top = (image.width - wide) / 2, (image.height - high) / 2
    small = image.resize((width, height), Image.Resampling.LANCZOS, (left, top, left + wide, top + high),
                         reducing_gap=3.0)
    return small, scale, (left, top)


def _to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB from any mode. ValueError where the values have no agreed scale."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return Image.fromarray(_to_grey(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _to_grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit whole numbers, or floats in 0..1, as 8-bit grey [H, W]."""
    if values.dtype.kind == "f":
        if not (np.all(np.isfinite(values)) and values.min() >= 0 and values.max() <= 1):
            raise ValueError("a photo of floats needs values in 0..1")
        return np.rint(values * 255).astype(np.uint8)
    values = values.astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"whole numbers from {values.min()} to {values.max()} are beyond 16 bits")
    return ((values + 128) // 257).astype(np.uint8)


def say_skipped(skipped: Sequence[tuple[Path, str]]) -> str:
    """How many, and the first few with their reasons."""
    if not skipped:
        return "no file was skipped"
    return f"{len(skipped)} skipped: " + _first([f"{path} ({reason})" for path, reason in skipped])


def _first(names: Sequence[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
