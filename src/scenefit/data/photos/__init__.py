"""Photos from any accepted source: a folder, a data set of boxes or a list file in it, or arrays. Legend: N photos."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.image_files import Size, describe_skipped
from scenefit.data.photos.arguments import check_reading
from scenefit.data.photos.collection import Photos, split
from scenefit.data.photos.folder import read_folder, read_labelled
from scenefit.data.photos.labelled import read_boxes, read_masks, read_part
from scenefit.data.photos.layouts import CLASSES, MASK_LAYOUTS, find_layout
from scenefit.files.caller import warn
from scenefit.files.text import counted
from scenefit.scenes.arguments import describe_value

__all__ = ["FEW_PHOTOS", "Photos", "as_labelled", "as_photos", "few_photos", "read_boxes", "read_few", "read_labelled",
           "read_masks", "read_part", "read_photos", "split"]
MIN_PHOTOS = 4  # that a distribution can be fitted to
FEW_PHOTOS = 50  # fewer are too few for a verdict on a fit


def few_photos(count: int) -> str:
    """A warning where a fit has fewer than 50 photos, else ""."""
    if count >= FEW_PHOTOS:
        return ""
    return (f"Only {counted(count, 'photo')}: learning a distribution needs a few hundred, and a noise floor of "
            f"fewer than {FEW_PHOTOS} is unreliable.")


def read_photos(place: str | Path, size: Size, max_photos: int | None = None, *, outside: bool = False) -> Photos:
    """All JPEG, PNG, BMP, TIFF and WebP photos below a folder, brought to size (height, width), sorted by path.

    place: the folder, or a list file inside a data set of boxes, whose photos are read in its order; no labels are
    opened. Hidden files and folders, and thumbnails of network storage, are ignored.  max_photos: at most so many,
    evenly spread; in a folder another photo replaces one that cannot be read.  outside: whether a list file may name
    photos outside of its data set.
    Skipped and named in the result: broken photos, those of more than 120 megapixels (SCENEFIT_MAX_MEGAPIXELS in the
    environment is another limit), images of other kinds (GIF, HEIC, ...), and subfolders that scenefit wrote.
    ValueError where the folder is missing or holds no readable photo.
    """
    size = check_reading("read_photos(place, size)", "place", place, size, max_photos)
    if Path(place).is_file():
        return _thinned(read_part(place, size, outside=outside), max_photos)
    return read_folder(place, size, max_photos)


def read_few(folder: str | Path, size: Size, part: str | Path | None = None, *, max_photos: int | None = None,
             layout: str | None = None, outside: bool = False) -> Photos:
    """Labelled photos of any kind: boxes where the folder is a data set of boxes (`read_boxes`), else class masks where
    it has masks as images (`read_masks`), else one subfolder for each class (`read_labelled`).

    layout: "coco", "yolo", "voc", "kitti"; "masks" or "cityscapes" for class masks; "folder" for classes; None:
    detected from the files.  outside: as of `read_boxes`.
    """
    size = check_reading("read_few(folder, size)", "folder", folder, size, max_photos)
    found = find_layout(folder, layout)
    if found == CLASSES:
        return read_labelled(folder, size, part, max_photos=max_photos)
    if found in MASK_LAYOUTS:
        return read_masks(folder, size, part, max_photos=max_photos, layout=found, outside=outside)
    return read_boxes(folder, size, part, max_photos=max_photos, layout=found, outside=outside)


def as_photos(real: Any, size: Size, max_photos: int | None = None) -> Photos:
    """At most max_photos `Photos` of this size from a place (see `read_photos`), `Photos` or uint8 images [N, H, W, 3].

    ValueError for images of another shape or type, and for fewer than 4.
    """
    if isinstance(real, (str, Path)):
        real = _warn_skipped(read_photos(real, size, max_photos))
    images = real.images if isinstance(real, Photos) else _array(real)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (*size, 3) or len(images) < MIN_PHOTOS:
        raise ValueError(f"real needs a folder, Photos or at least {MIN_PHOTOS} uint8 images [N, {size[0]}, {size[1]}, "
                         f"3], got {_describe(real, images)}{_how_to(real, images, size)}")
    return _thinned(real if isinstance(real, Photos) else Photos(images, (), (), np.full(len(images), "")), max_photos)


def as_labelled(labelled: Any, size: Size) -> Photos | None:
    """`Photos` of this size with a class, boxes or a mask each, from a folder (see `read_few`) or `Photos`; None from
    None.

    ValueError for photos without labels, without any box, or of another size.
    """
    if labelled is None:
        return None
    few = _warn_skipped(read_few(labelled, size)) if isinstance(labelled, (str, Path)) else labelled
    if not isinstance(few, Photos) or (few.boxes is None and few.masks is None and not all(few.label)):
        raise ValueError("labelled needs a folder with one subfolder a class, a data set of boxes or masks, or Photos "
                         f"with a label, boxes or a mask each, got {_describe(few, np.zeros(0))}")
    if few.boxes is not None and not len(few.boxes):
        raise ValueError(f"the {counted(len(few), 'labelled photo has', 'labelled photos have')} no box at all, so no "
                         "detector can be evaluated on them; give photos with boxes, or leave labelled= out")
    if few.images.shape[1:3] != size:
        raise ValueError(f"labelled photos need the renderer's size {size}, got {few.images.shape[1:3]}; "
                         f"scenefit.read_few(folder, {size}) brings them to it")
    return few


def _warn_skipped(photos: Photos) -> Photos:
    if photos.skipped:
        warn(describe_skipped(photos.skipped))
    return photos


def _array(real: Any) -> NDArray[Any]:
    """A value as an array; an empty one where it is none, such as a list of images of several sizes."""
    try:
        return np.asarray(real)
    except ValueError:
        return np.zeros(0, object)


def _describe(given: Any, images: NDArray[Any]) -> str:
    """What was given in place of photos. images: the same as an array."""
    if images.dtype.kind in "biuf" and images.ndim > 1:
        return f"{images.dtype} {list(images.shape)}"
    if not isinstance(given, Photos):
        return describe_value(given)
    unlabelled = int((given.label == "").sum()) if given.boxes is None else 0
    return f"{given!r}{f', {unlabelled} of them without a label' if unlabelled else ''}"


def _how_to(given: Any, images: NDArray[Any], size: Size) -> str:
    """How to make photos of what was given in their place; "" where that is not known."""
    if isinstance(getattr(given, "images", None), np.ndarray) and not isinstance(given, Photos):
        return "; give its images"
    if images.ndim != 4 or images.shape[-1] != 3:
        return ""
    if images.shape[1:3] != size:
        return f"; scenefit.read_photos(folder, {size}) brings photos to the renderer's size (height, width)"
    return "; (255 * images).astype(numpy.uint8) converts numbers in 0..1" if images.dtype.kind == "f" else ""


def _thinned(photos: Photos, max_photos: int | None) -> Photos:
    """At most so many photos, evenly spread from the first to the last."""
    if max_photos is None or len(photos) <= max_photos:
        return photos
    return photos.take(np.linspace(0, len(photos) - 1, max_photos).astype(int))
