"""Layouts of labelled photos, and the helpers that their readers share. Legend: H, W pixels."""

import codecs
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.image_files import Fitted, Size, Skipped, try_photo

DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")  # as spreadsheets of many countries write 0.5
FLAGS = {"": False, "unspecified": False, "false": False, "no": False, "true": True, "yes": True}  # besides 0 and 1


class NoLabels(ValueError):
    """A photo without labels."""


class NoPart(ValueError):
    """A data set does not have the requested part, or the part is empty."""


@dataclass(frozen=True)
class LabelledBox:
    """One labelled object.

    box: x0, y0, x1, y1 as in the file, in pixels, x1 and y1 just outside (or in shares, see `Labels`).  where: its line
    or number in the file, for errors.  outline: the polygon or mask as it is written, if the box is the one around it.
    shape: a segmentation of COCO (see `scenefit.data.formats.segmentation`), in the units of the box; None for none.
    more: further values by name, as `scenefit.data.boxes.Boxes` has them; the same names for all boxes of a layout.
    """

    box: tuple[float, ...]
    name: str
    where: str
    outline: str = ""
    shape: Any = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Labels:
    """The labels of one photo.

    source: their file.  size: (H, W) of the photo, if the file states it.  shares: boxes are in shares of the
    photo.  regions: number of further labels that mark ignored regions.  absent: there is no label file, which the
    layout takes for a photo without objects.  skipped: labels that were left out, with reasons.  from_zero: number of
    boxes that begin at pixel 0, where the layout counts from 1.  ignored: ignored regions whose shape is known.  mask:
    codes of `ClassMasks` [H, W], where the layout has them.
    """

    source: Path
    boxes: tuple[LabelledBox, ...]
    size: tuple[int, int] | None = None
    shares: bool = False
    regions: int = 0
    absent: bool = False
    skipped: tuple[Skipped, ...] = ()
    from_zero: int = 0
    ignored: tuple[LabelledBox, ...] = ()
    mask: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Item:
    """One photo of a data set. read: opens its labels; NoLabels where there are none.  outside: where the photo is
    named, if it lies outside of the data set's folder, else ""."""

    photo: Path
    read: Callable[[], Labels]
    outside: str = ""


@dataclass(frozen=True)
class Listing:
    """items: in the order of the data set.  skipped: files that are left out, with reasons.  missing: labels whose
    photo is missing, or of a kind that is not read, with reasons.  classes: names, where masks may be read."""

    items: tuple[Item, ...]
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[Skipped, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """How a data set of photos with boxes lies in a folder.

    looks_for: what it is recognised by, in words.  matches(folder): whether the folder has it.  listing(folder, part):
    its photos; part: name of a part, a list file, or None for all. Listing opens no photo and no photo's label file.
    numbers: what the four numbers of a box are, where they are not its corners.  as_corners(box): the box that the same
    numbers are if they were x0, y0, x1, y1.  photos_alone: a listing whose labels cannot be read, where the other one
    needs more than photos, such as a table of classes.
    """

    name: str
    looks_for: str
    matches: Callable[[Path], bool]
    listing: Callable[[Path, str | Path | None], Listing]
    numbers: str = ""
    as_corners: Callable[[Sequence[float]], Sequence[float]] | None = None
    photos_alone: Callable[[Path, str | Path | None], Listing] | None = None


def read_item(item: Item, size: Size) -> tuple[Fitted, Labels] | Skipped:
    """A photo at size and its labels, or why it is skipped: it has no labels, cannot be read, or is of another size
    than its labels."""
    try:
        labels = item.read()
    except NoLabels as error:
        return Skipped(item.photo, str(error))
    fitted = try_photo(item.photo, size)
    labelled = labels.size if labels.mask is None else labels.mask.shape
    if isinstance(fitted, Skipped) or labelled in (None, fitted.full_size):
        return fitted if isinstance(fitted, Skipped) else (fitted, labels)
    theirs, real = (f"{width} x {height}" for height, width in (labelled, fitted.full_size))
    turned = " before EXIF rotation; label it as it is shown" if labelled == fitted.stored_size else ""
    return Skipped(item.photo, f"is {real} pixels, but {labels.source} labels one of {theirs}{turned}")


def read_names(path: Path) -> list[tuple[int, str]]:
    """(number, text) of each line of a list of file names that is not blank; the names need not be UTF-8. ValueError
    where it is no such list."""
    data = path.read_bytes()
    if b"\0" in data:
        raise ValueError(f"{path} is no list of file names in UTF-8 (it has bytes of 0, as UTF-16 has); save it as "
                         "UTF-8")
    text = os.fsdecode(data.removeprefix(codecs.BOM_UTF8))
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def to_number(text: str | None, path: Path, where: str, what: str) -> float:
    """A number, also NaN and infinity, which `flaw` names. ValueError naming path and line."""
    try:
        return float(text or "")
    except ValueError:
        hint = "; write a decimal point, not a comma" if DECIMAL_COMMA.fullmatch((text or "").strip()) else ""
        raise ValueError(f"{path}, {where}: {what} needs a number, got {text!r}{hint}") from None


def to_flag(value: Any, path: Path, where: str, what: str) -> bool:
    """A flag as 0 or 1, true or false, or one of these as text; missing or empty is false. ValueError for others."""
    word = "" if value is None else str(value).strip().lower()
    try:
        return FLAGS[word] if word in FLAGS else {0.0: False, 1.0: True}[float(word)]
    except (KeyError, ValueError):
        raise ValueError(f"{path}, {where}: {what} needs 0 or 1, got {value!r}; correct it, or leave it out") from None


def to_size(height: Any, width: Any, path: Path, where: str) -> tuple[int, int] | None:
    """(H, W) of the photo as stated by its labels; None where it is missing or 0. ValueError unless integers."""
    size = []
    for what, value in (("height", height), ("width", width)):
        number = 0 if value is None else value
        if not (isinstance(number, int | float) and number >= 0 and number % 1 == 0):
            raise ValueError(f"{path}, {where}: {what} needs a whole number of pixels, got {value!r}; write that of "
                             "the photo as a number, or leave it out")
        size.append(int(number))
    return (size[0], size[1]) if min(size) > 0 else None


def flaw(box: Sequence[float], height: float, width: float) -> str:
    """Why a box is invalid for its photo, "" if it is valid."""
    x0, y0, x1, y1 = box
    if not all(map(math.isfinite, box)):
        return f"its box has a value that is not finite: {list(box)}"
    if x1 <= x0 or y1 <= y0:
        return f"its box is empty, it needs x0 < x1 and y0 < y1: {list(box)}"
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        return f"its box lies outside of the photo of {width:g} x {height:g} pixels: {list(box)}"
    return ""
