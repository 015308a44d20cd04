"""Checks of the arguments of public functions, such as swapped ones, and of the parameters of priors; names and values
in messages.

Legend: n nodes.
"""

import inspect
import math
import numbers
import reprlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_INTEGER = 2**53  # floats hold all integers up to it, and quantiles are computed in floats
MAX_FLOAT = np.finfo(np.float64).max


def check_argument(call: str, name: str, value: object, good: bool, takes: str) -> None:
    """ValueError unless good.

    call: the function with its arguments in their order, such as "render(renderer, scenes)".  name: of the argument.
    takes: what it takes, such as "scenes, as grammar.sample(0, 8) returns".
    """
    if not good:
        raise ValueError(f"{call}: {name} needs {takes}; got {describe_value(value)}")


def first_few(names: Sequence[str], shown: int = 3) -> str:
    """"a, b and 3 more": names for a message, so many at most."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def check_renderer(call: str, renderer: object) -> None:
    """ValueError for what cannot be called with scenes: a grammar, a class in place of an instance, a file's name."""
    check_argument(call, "renderer", renderer, is_function(renderer),
                   "a renderer: a function below @scenefit.each, a function of scenes, Shapes(...) or Sprites(...)")


def check_seed(call: str, seed: Any) -> None:
    """ValueError unless seed is a whole number in 0..2**64 - 1."""
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    check_argument(call, "seed", seed, whole and 0 <= seed < 2**64, "a whole number in 0..2**64 - 1")


def class_names(call: str, classes: Any) -> tuple[str, ...]:
    """Names of classes as a tuple. ValueError for a text, for no name, and for one that is there twice."""
    good = isinstance(classes, Collection) and not isinstance(classes, str | bytes | Mapping)
    names = tuple(classes) if good else ()
    good = bool(names) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    check_argument(call, "classes", classes, good, 'different names of classes, such as ("coin", "plate")')
    return names


def is_function(value: object) -> bool:
    """A function, or an instance that can be called; not a class."""
    return callable(value) and not isinstance(value, type)


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
        return f"{'' if value is None else type(value).__name__ + ' '}{brief(value)}"
    return f"a value of type {type(value).__name__}"


def brief(value: Any, longest: int = 60) -> str:
    """The value as Python writes it, cut in its middle where it is long."""
    try:
        text = reprlib.repr(value)
    except ValueError:  # Python writes no integers of more than 4,300 digits
        return f"an integer of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"
    return text if len(text) <= longest else f"{text[:longest // 2]}...{text[-longest // 2:]}"


@dataclass(frozen=True)
class Brief:
    """A value that `brief` formats only when a message is written, since conditional priors are made for each batch."""

    value: Any

    def __str__(self) -> str:
        return brief(self.value)


def no_prior(value: Any) -> str:
    """A value given in place of a prior; of a column, only the type of its values."""
    kinds = {"i": "numbers", "u": "numbers", "f": "numbers", "b": "booleans", "U": "texts"}
    kind = kinds.get(value.dtype.kind) if isinstance(value, np.ndarray) else None
    if kind is None:
        return reprlib.repr(value)
    return f"{kind}; for just {'that value' if np.ndim(value) == 0 else 'those values'} write sf.Constant(...)"


def need(good: Any, prior: Any, rule: str, **got: Any) -> None:
    """ValueError unless good, or all of good [n]; it names the first node that is not."""
    wrong = np.flatnonzero(~np.atleast_1d(np.asarray(good, bool)))
    if not len(wrong):
        return
    if np.ndim(good) == 0:
        raise ValueError(f"{type(prior).__name__} needs {rule}, got {_values(got)}")
    first = {name: f"{float(np.broadcast_to(value, np.shape(good)).flat[wrong[0]]):.6g}" for name, value in got.items()}
    raise ValueError(f"{type(prior).__name__} needs {rule}, which does not hold for {len(wrong)} of {np.size(good)} "
                     f"nodes: the first has {_values(first)}")


def _values(got: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in got.items())


def need_finite(prior: Any, **got: Any) -> None:
    """ValueError, naming the parameter, unless all are finite numbers."""
    for name, value in got.items():
        need_numbers(prior, finite=True, **{name: value})


def need_numbers(prior: Any, finite: bool = False, **got: Any) -> None:
    """ValueError, naming the parameter, unless all are numbers that a float can hold, NaN excepted; numbers of other
    types, such as Decimal, become floats."""
    for name, value in got.items():
        good: Any = False
        try:
            if np.asarray(value).dtype.kind not in "US":
                with np.errstate(over="ignore"):
                    numbers = np.asarray(value, float)
                good = np.isfinite(numbers) if finite else ~np.isnan(numbers)
        except (TypeError, ValueError, OverflowError):
            pass
        shown = value if np.ndim(good) or isinstance(value, float) else Brief(value)
        need(good, prior, "finite numbers" if finite else "numbers", **{name: shown})
        as_floats(prior, name)


def as_floats(prior: Any, name: str) -> None:
    """A parameter of a type that numpy does not compute with in float64, such as Decimal or long double, as floats."""
    value = getattr(prior, name)
    array = np.asarray(value)
    if array.dtype.kind == "O" or (array.dtype.kind == "f" and array.dtype.itemsize > 8):
        object.__setattr__(prior, name, array.astype(float) if array.ndim else float(value))


def need_tails(prior: Any, mean: Any, sd: Any) -> None:
    """ValueError where the tails of a normal distribution are beyond what a float can hold."""
    with np.errstate(over="ignore"):
        ends = np.abs(np.asarray(mean, float)) + 6 * np.asarray(sd, float)
    need(np.isfinite(ends), prior, "mean and sd far below 1.8e308, the largest float", mean=mean, sd=sd)


def is_plain(option: Any) -> bool:
    """Whether an option is a finite number that a column can hold."""
    if isinstance(option, int | np.integer):
        return -2**63 <= int(option) < 2**63
    number = isinstance(option, float | np.floating | np.bool_)
    return number and bool(np.isfinite(option)) and bool(abs(option) <= MAX_FLOAT)


def as_float(prior: Any, weight: Any) -> float:
    """A weight. ValueError where it is no number, or beyond what a float can hold."""
    try:
        return float(weight)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{type(prior).__name__} needs weights >= 0 with a positive sum, got {brief(weight)} "
                         "among them") from None
