"""Masks as images, whose values or colours a `ClassTable` names, as codes of `ClassMasks`. Legend: H, W pixels."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.class_masks import IGNORED, NONE
from scenefit.data.formats.class_tables import ClassTable, code_of
from scenefit.data.formats.reading import Labels, NoLabels
from scenefit.data.image_files import mask_values

FULL = 255  # the value of the one class of a binary mask


def read_mask(path: Path, table: ClassTable, classes: Sequence[str]) -> Labels:
    """The mask of one photo. NoLabels where it is missing or damaged; ValueError, naming the value, where the table
    does not have it."""
    return Labels(path, (), mask=_codes(path, *_opened(path), table, classes))


def is_binary(masks: Sequence[Path]) -> bool:
    """Whether masks hold 0 and 255 alone, and some 255."""
    found: set[int] = set()
    for path in masks:
        try:
            values, _ = _opened(path)
        except NoLabels:
            continue
        found |= set(np.unique(values).tolist()) if values.ndim == 2 else {-1}
    return FULL in found <= {0, FULL}


def _opened(path: Path) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    if not path.is_file():
        raise NoLabels(f"has no mask {path}")
    try:
        return mask_values(path)
    except Exception as error:  # decoders raise nearly anything on a broken file
        raise NoLabels(f"its mask {path} cannot be read: {error}") from error


def _codes(path: Path, values: NDArray[Any], palette: NDArray[np.uint8] | None, table: ClassTable,
           classes: Sequence[str]) -> NDArray[np.uint8]:
    """Codes [H, W] of values [H, W] or colours [H, W, 3]. Values are taken by their colours in the palette, or in grey,
    where the table names all of these."""
    if values.ndim == 3:
        packed = values.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
        return _looked_up(packed, path, table, classes, _colour)
    if palette is None:
        palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    there = np.unique(values)
    if table.of_colour and there[-1] < len(palette):
        colours = palette[there].astype(int).tolist()
        if all(tuple(colour) in table.of_colour or not any(colour) for colour in colours):
            return _codes(path, palette[values], None, table, classes)
    return _looked_up(values, path, table, classes, _value)


def _looked_up(values: NDArray[Any], path: Path, table: ClassTable, classes: Sequence[str],
               name_of: Callable[[int, ClassTable], str | int | None]) -> NDArray[np.uint8]:
    keys = np.unique(values).tolist()
    names = [name_of(key, table) for key in keys]
    if None in names:
        raise ValueError(_unknown(keys[names.index(None)], path, table, name_of is _colour))
    codes = np.zeros(keys[-1] + 1, np.uint8)
    codes[keys] = [code_of(name, classes) if isinstance(name, str) else name for name in names]
    return codes[values]


def _value(key: int, table: ClassTable) -> str | int | None:
    return table.of_value.get(key, {0: NONE, IGNORED: IGNORED}.get(key))


def _colour(key: int, table: ClassTable) -> str | int | None:
    return table.of_colour.get((key >> 16, key >> 8 & 255, key & 255), {0: NONE}.get(key))


def _unknown(key: int, path: Path, table: ClassTable, is_colour: bool) -> str:
    """What to say of a value that the table does not have."""
    if not is_colour:
        there = ", ".join(f"{value} {name}" for value, name in list(table.of_value.items())[:9])
        return (f"{path} has the value {key}, which {table.source} does not name (it has {there or 'colours alone'}); "
                "add it there, or correct the mask")
    colour = key >> 16, key >> 8 & 255, key & 255
    if not table.of_colour:
        return (f"{path} has colours, such as {colour}, but {table.source} names values; write labelmap.txt with "
                "lines such as coin:128,0,0::")
    return (f"{path} has the colour {colour}, which {table.source} does not name; add it there, or correct the mask "
            "(masks that were saved as JPEG, or scaled smoothly, have mixed colours)")
