"""Griffe extension: parameters that a docstring describes in running text, "low: the lowest value.  high: ...", become
a list in the API reference."""

import re
from typing import Any

import griffe

ERRORS = re.compile(r"(?<=[.;)]) (?=\w*Error\b)")
NAMED = re.compile(r"(?:^|(?<=[.;)\]])\s+)(\w+(?:, \w+)*): ")


def listed(text: str, known: set[str]) -> str:
    """One paragraph; known: names of parameters and attributes."""
    found = [match for match in NAMED.finditer(text) if set(match[1].split(", ")) <= known]
    if not found:
        return text
    ends = [match.start() for match in found[1:]] + [len(text)]
    items = [f"* **`{match[1].replace(', ', '`**, **`')}`**: {' '.join(text[match.end():end].split())}"
             for match, end in zip(found, ends, strict=True)]
    *items, last = items
    last, *errors = ERRORS.split(last, maxsplit=1)
    before = text[:found[0].start()].rstrip()
    return "\n\n".join(part for part in (before, "\n".join([*items, last]), *errors) if part)


class Parameters(griffe.Extension):
    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is None or not (obj.is_class or obj.is_function):
            return
        known = set(obj.members) | {parameter.name for parameter in getattr(obj, "parameters", ())}
        obj.docstring.value = "\n\n".join(listed(part, known) for part in obj.docstring.value.split("\n\n"))
