"""Checks of the arguments of public functions: swapped ones, a dictionary for settings, a grammar for scenes."""

import inspect
import math
import numbers
import reprlib
from typing import Any

import numpy as np


def check_argument(call: str, name: str, value: object, good: bool, takes: str) -> None:
    """ValueError unless good.

    call: the function with its arguments in their order, such as "render(renderer, scenes)".  name: of the argument.
    takes: what it takes, such as "scenes, as grammar.sample(0, 8) returns".
    """
    if not good:
        raise ValueError(f"{call}: {name} needs {takes}; got {describe_value(value)}")


def is_finite(value: Any) -> bool:
    """Whether a value is a finite number that a float can hold: no text, boolean, array, NaN, or 10**400."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def describe_value(value: Any) -> str:
    """What a value is, in a few words: its type, and the value where it is short."""
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return f"the function {value.__name__}"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} {list(value.shape)}"
    if value is None or isinstance(value, bool | int | float | str | bytes | dict | list | tuple | set):
        return f"{'' if value is None else type(value).__name__ + ' '}{reprlib.repr(value)}"
    return f"a value of type {type(value).__name__}"
