"""Photo files: which files are photos, and one photo decoded and brought to the renderer's size.

A photo is scaled so that it just covers the size (its short side fits), antialiased, and the centre is cropped. A photo
that already has the size keeps its pixels bit for bit. Every photo becomes 8-bit RGB: EXIF rotation is applied;
transparency is composited on white; 16-bit grey is divided by 257, 16-bit colours lose their lower byte; of several
frames the first is taken, with an entry in `Photos.skipped`; colour profiles are ignored. 12-bit values stored in 16
bits therefore become nearly black, with a warning. Photos of too many pixels, and incomplete ones, are not read.
Legend: H, W pixels; m boxes.
"""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from scenefit.data.image_checks import check_complete, check_pixels, describe_content
from scenefit.data.image_kinds import ARCHIVES, ENDINGS, is_ignored, is_photo, walk, why_not_read
from scenefit.data.mask_folders import masks_among, photos_of_cityscapes, photos_of_masks
from scenefit.data.own_folders import what_scenefit_wrote
from scenefit.files.caller import warn
from scenefit.files.text import counted
from scenefit.scenes.arguments import first_few

DECODERS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")  # and no others, whatever a file named .jpg really is
MAX_NAMED = 20  # skipped files that are named each
MAX_12_BIT = 4095  # cameras also write 12-bit values into 16-bit files
BAND = 1 << 20  # pixels that are converted at once
LOCK = Lock()  # of Pillow's limit of pixels, which is global
ORIENTATION = 0x0112  # EXIF tag; 5 to 8 exchange width and height
Size = tuple[int, int]  # (height, width)


class Skipped(NamedTuple):
    """A file, or a part of one, that was not used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, eq=False)
class FittedBoxes:
    """The labelled boxes of one photo at the renderer's size.

    box [m, 4]: x0, y0, x1, y1.  name: class of each [m].  more: further values of each [m], by name.
    ignored [k, 4]: regions where evaluation counts nothing.
    """

    box: NDArray[np.float64]
    name: tuple[str, ...]
    more: tuple[Mapping[str, Any], ...] = ()
    ignored: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 4)))


@dataclass(frozen=True, eq=False)
class Fitted:
    """One photo brought to the renderer's size, and the transform of its points.

    image uint8 [H, W, 3].  full_size: (height, width) of the photo before, upright.  stored_size: that of the file,
    before EXIF rotation.  scale, shift [2]: the point p = (x, y) of the full photo lies at p * scale + shift.
    is_12_bit: 16 bits without a value above 12 bits.  frames: in the file, of which this is the first.
    boxes, mask: where they were read; the mask as codes of `ClassMasks` [H, W].
    """

    path: Path
    image: NDArray[np.uint8]
    full_size: Size
    stored_size: Size
    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    is_12_bit: bool = False
    frames: int = 1
    boxes: FittedBoxes | None = None
    mask: NDArray[np.uint8] | None = None

    @property
    def cropped_share(self) -> float:
        """The share of the photo's area that was cropped."""
        shown = np.prod(np.array(self.image.shape[1::-1]) / self.scale)
        return 1 - float(shown) / (self.full_size[0] * self.full_size[1])


def fit_photo(path: Path, size: Size) -> Fitted:
    """One photo at size (height, width). Decoders raise nearly any exception on a broken file."""
    height, width = size
    with _opened(path) as image:
        stored_size, frames, is_16_bit = (image.height, image.width), _frames(image), _is_16_bit(image)
        # JPEG can be decoded at a fraction of its size; twice the longer side loses nothing, however EXIF turns it.
        drafted = image.draft(None, (2 * max(size), 2 * max(size))) is not None
        orientation = _load_upright(path, image)
        full_size = (image.height, image.width)
        if drafted:
            full_size = stored_size[::-1] if orientation >= 5 else stored_size
        is_12_bit = is_16_bit and _is_12_bit(image)
        fitted, factor, corner = _cover(_to_rgb(image), width, height)
        scale = factor * np.array([image.width / full_size[1], image.height / full_size[0]])
        return Fitted(path, np.asarray(fitted), full_size, stored_size, scale, -factor * np.array(corner), is_12_bit,
                      frames)


def try_photo(path: Path, size: Size) -> Fitted | Skipped:
    """As `fit_photo`, but a file that cannot be decoded is returned as skipped, with the reason."""
    try:
        return fit_photo(path, size)
    except UnidentifiedImageError:
        return Skipped(path, describe_content(path))
    except Exception as error:  # decoders raise nearly anything on a broken file
        reason = error.strerror if isinstance(error, OSError) else None  # without the number and the path again
        return Skipped(path, reason or str(error) or type(error).__name__)


def mask_values(path: Path) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """A mask as it is stored: whole numbers [H, W], and the palette [n, 3] if it has one; or colours [H, W, 3]. Not
    turned by EXIF. Raises what `fit_photo` raises."""
    with _opened(path) as image:
        scale = _scale_of_grey(image)
        image.load()
        check_complete(path, image)
        if image.mode == "P":
            return np.asarray(image), np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        if image.mode in ("1", "L", "LA", "I") or image.mode.startswith("I;"):
            values = np.asarray(image.getchannel(0) if image.mode == "LA" else image)
            return values.astype(np.uint8) if values.dtype == bool else values // scale, None
        if image.mode == "F":
            return _whole(np.asarray(image)), None
        return np.asarray(image.convert("RGB")), None


def _scale_of_grey(image: Image.Image) -> int:
    """What Pillow multiplies values of fewer than 8 bits with, so that the largest one is white. image: not loaded
    yet."""
    tiles = getattr(image, "tile", ())
    arguments = tiles[0][3] if tiles else ""
    raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return {"L;2": 85, "L;4": 17}.get(str(raw)[:3], 1)


def _whole(values: NDArray[np.float32]) -> NDArray[np.int64]:
    if not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise ValueError("its values are no whole numbers")
    return values.astype(np.int64)


def full_photo(path: Path) -> NDArray[np.uint8]:
    """One photo upright and in RGB, at its full size [H, W, 3]. Raises what `fit_photo` raises."""
    with _opened(path) as image:
        _load_upright(path, image)
        return np.asarray(_to_rgb(image))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image of a file, not yet decoded. ValueError where there is none, or one of too many pixels."""
    if not path.is_file():
        raise ValueError("not a file (a link that leads nowhere?)" if path.is_symlink() or path.exists() else "missing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata is fine
        with _open(path) as image:
            check_pixels(path, image)
            yield image


def _open(path: Path) -> Image.Image:
    """Without Pillow's own limit of pixels, which would stand below one that the user raises."""
    with LOCK:
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path, formats=DECODERS)
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _load_upright(path: Path, image: Image.Image) -> int:
    """Decode an opened image, turned in place as its EXIF says, so that no copy is held; the EXIF orientation, 1 to 8.
    ValueError where pixels are missing."""
    try:
        image.load()
    except (OSError, SyntaxError) as error:  # of the decoder; those of the disk have a number
        if getattr(error, "errno", None):
            raise
        raise ValueError(f"is damaged ({error}); copy it again") from error
    check_complete(path, image)
    orientation = int(image.getexif().get(ORIENTATION, 1))
    ImageOps.exif_transpose(image, in_place=True)
    return orientation


def _frames(image: Image.Image) -> int:
    """How many frames or pages. The further frames of a JPEG are previews and depths of the same photo: not counted."""
    return int(getattr(image, "n_frames", 1)) if image.format in ("TIFF", "PNG", "WEBP") else 1


def _is_16_bit(image: Image.Image) -> bool:
    """Whether the file of an opened image, not yet decoded, has 16 bits a value: Pillow keeps 8 of those of colours."""
    tiles = getattr(image, "tile", ()) if image.format in ("PNG", "TIFF") and image.mode in ("RGB", "RGBA") else ()
    return image.mode.startswith("I") or any(";16" in str(tile) for tile in tiles)


def _is_12_bit(image: Image.Image) -> bool:
    """Whether a decoded image of 16 bits a value is not black, but has no value above 12 bits."""
    if image.mode.startswith("I"):
        return 0 < int(np.asarray(image).max()) <= MAX_12_BIT
    most = [int(band[1]) for band in image.getextrema()[:3]]  # type: ignore[index]  # a pair for each band
    return 0 < max(most) <= MAX_12_BIT >> 8


def describe_frames(photo: Fitted) -> list[Skipped]:
    """The frames of a photo's file that were not read; none where there is one frame."""
    return [] if photo.frames == 1 else [Skipped(
        photo.path, f"has {photo.frames} frames or pages, of which only the first is read; save each as a file of its "
        "own if they are photos too")]


def warn_12_bit(folder: Path, count: int) -> None:
    """A warning where some photos of a folder are `Fitted.is_12_bit`."""
    if count:
        warn(f"{counted(count, '16-bit photo')} of {folder} {'has' if count == 1 else 'have'} no value above "
             f"{MAX_12_BIT:,}: 12-bit values become nearly black (at most {_to_grey(np.array([MAX_12_BIT]))[0]} of 255)"
             "; multiply their values by 16 when you write them (ImageMagick: magick old.png -evaluate multiply 16 "
             "new.png)")


def check_folder(folder: str | Path) -> Path:
    """The folder as a path. ValueError where it is missing or not a folder."""
    folder = Path(folder)
    if not folder.is_dir():
        a_list = folder.suffix.lower() == ".txt" and not folder.exists()
        fix = ("unpack it, and give the folder" if folder.suffix.lower() in ARCHIVES else
               "give a list of photos that exists, or a folder of photos" if a_list else "give a folder of photos")
        raise ValueError(f"{folder} is {'not a folder' if folder.exists() else 'missing'}; {fix} "
                         f"({', '.join(ENDINGS)})")
    return folder


def find_photos(folder: Path, exclude: Path | None = None) -> tuple[list[Path], tuple[Skipped, ...]]:
    """The images of `find_images` without the masks that lie among them, and what is skipped, these masks too."""
    paths, skipped = find_images(folder, exclude)
    masks = masks_among(paths)
    no_photos = {path for found in masks.values() for path in found}
    return ([path for path in paths if path not in no_photos],
            (*skipped, *(Skipped(place, f"holds {counted(len(found), 'mask')} beside photos, such as {found[0].name}, "
                                        "which are no photos") for place, found in masks.items())))


def find_images(folder: Path, exclude: Path | None = None) -> tuple[list[Path], tuple[Skipped, ...]]:
    """Files below folder with names of photos, sorted by relative path, and what is skipped: images of other kinds,
    folders that cannot be listed or that scenefit wrote (`folder` itself may be one). Files and folders of `is_ignored`
    are ignored; links to folders are followed, each folder once.

    exclude: a folder that is not searched, unless it is `folder` itself.
    """
    skipped = []

    def unlisted(error: OSError) -> None:
        skipped.append(Skipped(Path(error.filename), f"cannot be listed: {error.strerror}"))

    found = []
    visited = set() if exclude is None else {os.path.realpath(exclude)} - {os.path.realpath(folder)}
    for place, folders, names in walk(folder, visited, unlisted):
        if place != folder and (held := _no_photos(place)):
            skipped.append(Skipped(place, f"holds {held}, which are no photos; give this folder itself if it is meant"))
            folders.clear()
            continue
        found += [place / name for name in names if is_photo(name)]
        skipped += [Skipped(place / name, reason) for name in sorted(names) if (reason := why_not_read(name))]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix()), tuple(skipped)


def _no_photos(folder: Path) -> str | None:
    """What a folder holds whose images are no photos; None for any other folder."""
    masked = photos_of_masks(folder) or photos_of_cityscapes(folder)
    return what_scenefit_wrote(folder) or (f"the masks of {masked.name}" if masked else None)


def is_searched(folder: Path, path: Path) -> bool:
    """Whether `find_photos(folder)` would find photos in path, which need not exist."""
    folder, path = (Path(os.path.realpath(one)) for one in (folder, path))  # resolve() raises where links form a loop
    return (folder.is_dir() and path.is_relative_to(folder)
            and not any(is_ignored(part) for part in path.relative_to(folder).parts))


def describe_skipped(skipped: Sequence[Skipped]) -> str:
    """How many files were skipped, and the first few with their reasons."""
    if not skipped:
        return "no file was skipped"
    return f"{len(skipped)} skipped: " + first_few([f"{path} ({reason})" for path, reason in skipped])


def name_skipped(skipped: Sequence[Skipped]) -> None:
    """Warns of each file that was skipped, up to `MAX_NAMED`."""
    for path, reason in skipped[:MAX_NAMED]:
        warn(f"skipped {path}: {reason}")
    if len(skipped) > MAX_NAMED:
        warn(f"{len(skipped) - MAX_NAMED} more were skipped")


def describe_folder(folder: Path) -> str:
    """What lies in a folder, in a few words."""
    folders, photos, others = list[str](), list[str](), list[str]()
    for path in sorted(folder.iterdir()):
        if not is_ignored(path.name):
            (folders if path.is_dir() else photos if is_photo(path.name) else others).append(path.name)
    seen = [counted(len(photos), "photo")] * bool(photos) + [
        f"the {kind}{'s' if len(names) > 1 else ''} {first_few(names)}"
        for kind, names in (("folder", folders), ("file", others)) if names]
    return f"it holds {' and '.join(seen)}" if seen else "it is empty"


def _cover(image: Image.Image, width: int, height: int) -> tuple[Image.Image, float, tuple[float, float]]:
    """Scale the image (antialiased) to cover width x height and crop the centre.

    Returns the result, the scale, and the upper left corner (x, y) of the crop in pixels of the image.
    """
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
    """8-bit RGB from any mode, some rows at a time, so that little more than the result is held. ValueError where the
    range of the values is unknown."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    rows = max(1, BAND // image.width)
    if rows >= image.height:
        return _band_to_rgb(image)
    found = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        found.paste(_band_to_rgb(image.crop((0, top, image.width, min(top + rows, image.height)))), (0, top))
    return found


def _band_to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return Image.fromarray(_to_grey(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _to_grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit integers, or floats in 0..1, as 8-bit grey [H, W]."""
    if values.dtype.kind == "f":
        if not (np.all(np.isfinite(values)) and values.min() >= 0 and values.max() <= 1):
            raise ValueError(f"a photo of floats needs values in 0..1, got {values.min():.4g}..{values.max():.4g}; "
                             "divide them by the largest that they can have")
        return np.rint(values * 255).astype(np.uint8)
    values = values.astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"whole numbers from {values.min()} to {values.max()} are beyond 16 bits; bring them to "
                         "0..65535")
    return ((values + 128) // 257).astype(np.uint8)
