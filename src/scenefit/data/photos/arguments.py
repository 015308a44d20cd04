"""Checks of what the readers of photos are called with."""

import operator
from os import PathLike
from typing import Any

from scenefit.data.image_files import Size
from scenefit.scenes.arguments import check_argument


def check_reading(call: str, name: str, place: Any, size: Any, max_photos: Any = None) -> Size:
    """The size as (height, width). ValueError, naming the argument, where the place is no name of a folder or file,
    the size not two whole numbers >= 1, or max_photos neither None nor a whole number >= 1.

    call: as of `check_argument`.  name: of the argument place.
    """
    check_argument(call, name, place, isinstance(place, str | PathLike), 'the name of a folder, such as "photos/"')
    numbers = _whole_numbers(size)
    check_argument(call, "size", size, len(numbers) == 2 and min(numbers) >= 1,
                   "(height, width) in pixels, both whole numbers >= 1, such as (48, 64)")
    most = _whole_numbers([max_photos])
    check_argument(call, "max_photos", max_photos, max_photos is None or (len(most) == 1 and most[0] >= 1),
                   "a whole number >= 1, or None for all photos")
    return numbers[0], numbers[1]


def _whole_numbers(values: Any) -> list[int]:
    """The values as integers, [] where they are none."""
    try:
        return [] if any(isinstance(value, bool) for value in values) else [operator.index(value) for value in values]
    except TypeError:
        return []
