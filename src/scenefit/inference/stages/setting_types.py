"""The check that every setting has the type that its class declares."""

import math
from dataclasses import fields
from numbers import Integral, Real
from typing import Any, get_args

NEEDS = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
ACCEPTED: dict[type, type] = {int: Integral, float: Real, bool: bool, str: str}


def check_types(settings: Any, group: str = "") -> None:
    """ValueError for a single setting of another type. group: what comes before its name, such as "descent."."""
    for name, kinds in ((f.name, get_args(f.type) or (f.type,)) for f in fields(settings)):
        plain, value = [kind for kind in kinds if kind in NEEDS], getattr(settings, name)
        if not plain or len(plain) + (type(None) in kinds) < len(kinds) or (value is None and type(None) in kinds):
            continue
        if not any(isinstance(value, ACCEPTED[kind]) and (kind is bool or not isinstance(value, bool))
                   for kind in plain):
            raise ValueError(f"{group}{name} needs {' or '.join(NEEDS[kind] for kind in plain)}, got {value!r}")
        if isinstance(value, float) and math.isinf(value):
            raise ValueError(f"{group}{name} needs a finite number, got {value!r}")
