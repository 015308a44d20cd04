"""A text for any value that stays the same between processes, and changes when the value does.

Functions are known by their compiled code, so another version of Python counts as a change of every function.
"""

import functools
import hashlib
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def fingerprint(value: Any) -> str:
    """Plain values and dataclasses as they are written; functions, arrays and classes by a hash.

    A function counts with its defaults, the variables it captures, the plain globals it names and the functions and
    classes of its own module that it names. What comes from other modules counts by its name only.
    """
    return _text(value, None, frozenset())


def _text(value: Any, home: str | None, seen: frozenset[int]) -> str:
    """home: the module whose functions and classes count with their code.  seen: what the text is already inside of."""
    if value is None or value is ... or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    if isinstance(value, np.generic):
        return repr(value.item())
    if id(value) in seen:
        return "itself"
    seen = seen | {id(value)}
    within = functools.partial(_text, home=home, seen=seen)
    if isinstance(value, list | tuple):
        return f"({', '.join(map(within, value))})"
    if isinstance(value, set | frozenset):  # whose own order depends on the hash seed
        return f"{{{', '.join(sorted(map(within, value)))}}}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{within(k)}: {within(v)}' for k, v in value.items())}}}"
    if isinstance(value, np.ndarray):
        data = within(value.tolist()) if value.dtype == object else value.tobytes().hex()
        return f"array {value.dtype} {value.shape} {_digest(data)}"
    if isinstance(value, functools.partial):
        return f"partial({within(value.func)}, {within(value.args)}, {within(value.keywords)})"
    if isinstance(value, types.MethodType):
        return f"method({within(value.__func__)}, {within(value.__self__)})"
    if isinstance(value, types.FunctionType | types.CodeType | type):
        return _code_text(value, home, seen)
    if hasattr(value, "ppf") and hasattr(value, "dist"):  # a frozen scipy.stats distribution
        quantiles = [f"{q:.6g}" for q in np.ravel(value.ppf(QUANTILES))]
        return f"{value.dist.name}({within(value.args)}, {within(value.kwds)}) {_digest(quantiles)}"
    return _object_text(value, home, seen)


def _code_text(value: Any, home: str | None, seen: frozenset[int]) -> str:
    """Functions, compiled code and classes."""
    if isinstance(value, types.CodeType):
        inner = [_text(const, home, seen) for const in value.co_consts]
        return f"code {_digest([value.co_code.hex(), inner, value.co_names, value.co_varnames])}"
    home = home or value.__module__
    if value.__module__ != home:
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, type):
        return f"class {_digest([_text(part, home, seen) for part in _members(value)])}"
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    known = {name: value.__globals__[name] for name in _names(value.__code__) if name in value.__globals__}
    parts = (value.__code__, value.__defaults__, value.__kwdefaults__, cells, known)
    return f"function {_digest([_text(part, home, seen) for part in parts])}"


def _object_text(value: Any, home: str | None, seen: frozenset[int]) -> str:
    """An object by its class and, for dataclasses and callables, what it holds."""
    cls = type(value)
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    own = ""
    if cls.__module__.partition(".")[0] != "scenefit" and (is_dataclass(value) or callable(value)):
        own = f" {_text(cls, home, seen)}"
    if is_dataclass(value):
        held = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
    else:
        held = dict(vars(value)) if callable(value) and hasattr(value, "__dict__") else {}
    inside = ", ".join(f"{name}={_text(part, home, seen)}" for name, part in held.items())
    return f"{cls.__qualname__}({inside}){own}"


def _members(cls: type) -> Iterator[Any]:
    """What a class defines itself, but for what Python adds."""
    for name, member in vars(cls).items():
        if name in ("__module__", "__dict__", "__weakref__", "__doc__") or name.startswith("__dataclass_"):
            continue
        if isinstance(member, property):
            yield from (name, member.fget)
        elif isinstance(member, staticmethod | classmethod):
            yield from (name, member.__func__)
        else:
            yield from (name, member)


def _names(code: types.CodeType) -> list[str]:
    """Every global or attribute that code names, nested code too, in a fixed order."""
    inner = [name for const in code.co_consts if isinstance(const, types.CodeType) for name in _names(const)]
    return sorted({*code.co_names, *inner})


def _digest(value: Any) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=8).hexdigest()
