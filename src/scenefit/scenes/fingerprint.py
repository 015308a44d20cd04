"""A text for any value that is the same in every process, and changes when the value does.

Functions are compared by their compiled code, so another version of Python counts as a change of every function.
"""

import functools
import hashlib
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def fingerprint(value: Any) -> str:
    """Plain values and dataclasses as text; functions, classes and arrays as a hash.

    A function's hash covers its defaults, the variables it captures, and the globals it names: plain values, and the
    functions and classes of the user's own modules. Those of installed packages enter by their names.
    """
    return _Text({}).of(value, frozenset())


class _Text:
    """One fingerprint in progress. met: functions and classes by id, numbered in order; each is described once."""

    def __init__(self, met: dict[int, int]):
        self.met = met

    def of(self, value: Any, inside: frozenset[int]) -> str:
        """inside: ids of the containers and objects around the value."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or value is ... or isinstance(value, bool | int | float | complex | str | bytes):
            return repr(value)
        if isinstance(value, types.FunctionType | type):
            return self.named(value, inside)
        if id(value) in inside:
            return "itself"
        inside = inside | {id(value)}
        within = functools.partial(self.of, inside=inside)
        if isinstance(value, list | tuple):
            return f"({', '.join(map(within, value))})"
        if isinstance(value, set | frozenset):  # whose own order depends on the hash seed
            return f"{{{', '.join(sorted(map(within, value)))}}}"
        if isinstance(value, Mapping):
            return f"{{{', '.join(f'{within(k)}: {within(v)}' for k, v in value.items())}}}"
        if isinstance(value, np.ndarray):
            data = within(value.tolist()) if value.dtype == object else value.tobytes().hex()
            return f"array {value.dtype} {value.shape} {_digest(data)}"
        return self.thing(value, within)

    def named(self, value: Any, inside: frozenset[int]) -> str:
        """Functions and classes."""
        if id(value) in self.met:
            return f"number {self.met[id(value)]}"
        self.met[id(value)] = len(self.met)
        library = _is_library(value.__module__)
        parts: list[Any] = [f"{value.__module__}.{value.__qualname__}"] if library else []
        if isinstance(value, types.FunctionType):
            parts += [value.__defaults__, value.__kwdefaults__, [_content(cell) for cell in value.__closure__ or ()]]
            if not library:
                names = [name for name in _names(value.__code__) if name in value.__globals__]
                parts += [value.__code__, {name: value.__globals__[name] for name in names}]
        elif not library:
            parts += [value.__bases__, list(_members(value))]
        digest = _digest([self.of(part, inside) for part in parts])
        return f"{'class' if isinstance(value, type) else 'function'} {digest}"

    def thing(self, value: Any, within: Any) -> str:
        """Any value that is not plain, a container, a function or a class."""
        if isinstance(value, types.CodeType):
            inner = [within(const) for const in value.co_consts]
            return f"code {_digest([value.co_code.hex(), inner, value.co_names, value.co_varnames])}"
        if isinstance(value, functools.partial):
            return f"partial({within(value.func)}, {within(value.args)}, {within(value.keywords)})"
        if isinstance(value, types.MethodType):
            return f"method({within(value.__func__)}, {within(value.__self__)})"
        if hasattr(value, "ppf") and hasattr(value, "dist"):  # a frozen scipy.stats distribution
            quantiles = np.ravel(value.ppf(QUANTILES))
            numbers = [f"{number:.6g}" for number in (*quantiles, *np.ravel(value.cdf(quantiles)))]
            return f"{value.dist.name}({within(value.args)}, {within(value.kwds)}) {_digest(numbers)}"
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
        if name is not None:  # modules, compiled functions
            return f"{getattr(value, '__module__', None) or ''} {name}"
        cls = type(value)
        own = "" if _is_library(cls.__module__) else f" {within(cls)}"
        held = dict(vars(value)) if own and hasattr(value, "__dict__") else {}
        if is_dataclass(value):
            held = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        return f"{cls.__qualname__}({', '.join(f'{name}={within(part)}' for name, part in held.items())}){own}"


def _is_library(module: str) -> bool:
    """Whether a module is Python's own, this package's, or an installed one."""
    root = (module or "builtins").partition(".")[0]
    path = str(getattr(sys.modules.get(root), "__file__", ""))
    return root == "scenefit" or root in sys.stdlib_module_names or "site-packages" in path or "dist-packages" in path


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _members(cls: type) -> Iterator[Any]:
    """What a class defines itself, without what Python adds."""
    for name, member in vars(cls).items():
        if name in ("__module__", "__dict__", "__weakref__", "__doc__", "__firstlineno__") or "__dataclass_" in name:
            continue
        if isinstance(member, property):
            member = (member.fget, member.fset)
        elif isinstance(member, staticmethod | classmethod):
            member = member.__func__
        yield name, member


def _names(code: types.CodeType) -> list[str]:
    """Every global or attribute that code names, nested code too, in a fixed order."""
    inner = [name for const in code.co_consts if isinstance(const, types.CodeType) for name in _names(const)]
    return sorted({*code.co_names, *inner})


def _digest(value: Any) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=8).hexdigest()
