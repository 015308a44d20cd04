"""Masks as images, whose values or colours a `ClassTable` names, as codes of `ClassMasks`. Legend: H, W pixels."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.class_masks import IGNORED, NONE
from scenefit.data.formats.class_tables import ClassTable, code_of
from scenefit.data.formats.reading import Labels, NoLabels
from scenefit.data.image_files import mask_values

FULL = 255  # the value of the one class of a binary mask
FIRST, MOST = 20, 500  # masks that decide how all are read, and those that are looked at to find them
ENDINGS = (".png", ".bmp", ".tif", ".tiff")  # of masks
TABLED = 2**24  # values below which a table of all of them is faster than a search
GREY = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
Name = str | int | None  # of a class, a code, or none


def read_mask(path: Path, table: ClassTable, classes: Sequence[str]) -> Labels:
    """The mask of one photo. table: of values alone, or of colours alone (see `settle_table`).

    NoLabels where the mask is missing or damaged; ValueError, naming its value or colour, where the table does not have
    it.
    """
    return Labels(path, (), mask=_codes(path, *_opened(path), table, classes))


def settle_table(table: ClassTable, masks: Iterable[Path]) -> ClassTable:
    """The table by which all masks of a data set are read: with the names of values alone, or of colours alone.

    Where it has both, the first masks decide: colours, unless more of them fit the numbers alone. Where it has a single
    class, and the first masks that show anything hold 0 and 255 alone, 255 is the class.
    """
    both = bool(table.of_value and table.of_colour)
    classes = table.classes
    if len(classes) == 1 and FULL not in table.of_value:
        shown = list(_showing(masks, {NONE}))
        if shown and all(values.ndim == 2 and set(_keys(values)) <= {NONE, FULL}
                         and _colour_of(FULL, palette) not in table.of_colour for values, palette in shown):
            return ClassTable(table.source, {NONE: "background", FULL: classes[0]})
    if not both:
        return table
    if sum(_vote(values, palette, table) for values, palette in _showing(masks, {NONE, IGNORED})) < 0:
        return ClassTable(f"{table.source} (by number, as in the first masks)", table.of_value)
    return ClassTable(f"{table.source} (by colour, as in the first masks)", of_colour=table.of_colour)


def _showing(masks: Iterable[Path], blank: set[int]) -> Iterator[tuple[NDArray[Any], NDArray[np.uint8] | None]]:
    """The first masks that have other values than those of blank; equal channels are one."""
    def opened() -> Iterator[tuple[NDArray[Any], NDArray[np.uint8] | None]]:
        for path in islice(masks, MOST):
            try:
                values, palette = _opened(path)
            except NoLabels:
                continue
            values = _one_channel(values)
            if values.ndim == 3 or not blank.issuperset(_keys(values)):
                yield values, palette
    return islice(opened(), FIRST)


def _vote(values: NDArray[Any], palette: NDArray[np.uint8] | None, table: ClassTable) -> int:
    """1 where a mask fits the table's colours; else -1 where it fits its values or is grey; else 0."""
    if values.ndim == 3:
        return 1
    keys = _keys(values)
    if all(_name_of_entry(key, palette, table) is not None for key in keys):
        return 1
    return -int(palette is None or all(_name_of_value(key, table) is not None for key in keys))


def _opened(path: Path) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    if not path.is_file():
        raise NoLabels(f"has no mask {path}{_of_another_kind(path)}")
    try:
        return mask_values(path)
    except Exception as error:  # decoders raise nearly anything on a broken file
        raise NoLabels(f"its mask {path} cannot be read: {error}") from error


def _of_another_kind(path: Path) -> str:
    """For a message about a missing mask: which file has its name with another ending, "" if none has."""
    other = next((other for ending in ENDINGS if (other := path.with_suffix(ending)).is_file()), None)
    return "" if other is None else f", but {other.name}; save all masks of a folder in one format"


def _one_channel(values: NDArray[Any]) -> NDArray[Any]:
    """Colours [H, W, 3] whose channels are equal as values [H, W]; others as they are."""
    return values[..., 0] if values.ndim == 3 and (values == values[..., :1]).all() else values


def _keys(values: NDArray[Any]) -> list[int]:
    return [int(key) for key in np.unique(values)]


def _codes(path: Path, values: NDArray[Any], palette: NDArray[np.uint8] | None, table: ClassTable,
           classes: Sequence[str]) -> NDArray[np.uint8]:
    """Codes [H, W] of values [H, W] or colours [H, W, 3]."""
    if not table.of_colour:
        values = _one_channel(values)
    if values.ndim == 3:
        values = values.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
        keys = _keys(values)
        names = [_name_of_colour(_unpacked(key), table) for key in keys]
        if None in names:
            raise ValueError(_unknown_colour(_unpacked(keys[names.index(None)]), path, table))
    else:
        keys = _keys(values)
        names = [_name_of_entry(key, palette, table) if table.of_colour else _name_of_value(key, table) for key in keys]
        if None in names:
            key = keys[names.index(None)]
            colour = _colour_of(key, palette) if table.of_colour else None
            raise ValueError(_unknown_colour(colour, path, table) if colour else _unknown_value(key, path, table))
    found = np.array([code_of(name, classes) if isinstance(name, str) else name or NONE for name in names], np.uint8)
    if keys[0] < 0 or keys[-1] >= TABLED:
        return found[np.searchsorted(keys, values)]
    codes = np.zeros(keys[-1] + 1, np.uint8)
    codes[keys] = found
    return codes[values]


def _name_of_value(key: int, table: ClassTable) -> Name:
    return table.of_value.get(key, {0: NONE, IGNORED: IGNORED}.get(key))


def _name_of_entry(key: int, palette: NDArray[np.uint8] | None, table: ClassTable) -> Name:
    """The name of a value by its colour in the palette, or in grey. 255 is ignored unless its own colour is named."""
    colour = _colour_of(key, palette)
    if key == IGNORED and (colour == _colour_of(0, palette) or colour not in table.of_colour):  # unused entries repeat
        return IGNORED
    return None if colour is None else _name_of_colour(colour, table)


def _name_of_colour(colour: tuple[int, ...], table: ClassTable) -> Name:
    return table.of_colour.get((colour[0], colour[1], colour[2]), None if any(colour) else NONE)


def _colour_of(key: int, palette: NDArray[np.uint8] | None) -> tuple[int, ...] | None:
    colours = GREY if palette is None else palette
    return tuple(int(value) for value in colours[key]) if 0 <= key < len(colours) else None


def _unpacked(key: int) -> tuple[int, ...]:
    return key >> 16, key >> 8 & 255, key & 255


def _unknown_value(key: int, path: Path, table: ClassTable) -> str:
    there = ", ".join(f"{value} {name}" for value, name in list(table.of_value.items())[:9])
    return (f"{path} has the value {key}, which {table.source} does not name (it has {there or 'colours alone'}); "
            "add it there, or correct the mask")


def _unknown_colour(colour: tuple[int, ...], path: Path, table: ClassTable) -> str:
    if not table.of_colour:
        return (f"{path} has colours, such as {colour}, but {table.source} names values; write labelmap.txt with "
                "lines such as coin:128,0,0::")
    return (f"{path} has the colour {colour}, which {table.source} does not name; add it there, or correct the mask "
            "(masks that were saved as JPEG, or scaled smoothly, have mixed colours)")
