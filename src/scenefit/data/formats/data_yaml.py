"""A parser of the subset of YAML in which data.yaml of YOLO data sets is written: names and lists.

Keys at the left edge, each with a value on its line, with a list in brackets (over several lines, too), or with
indented lines of "- value" or "key: value" below it. Other indented lines, such as a download script, are ignored.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scenefit.files.text import read_text

OPENED_BY = ",[{:-"  # a quote after one of these, or at the start, opens a quoted text; others are apostrophes

MAX_DIGITS = 9  # of a class number
ESCAPES = {"'": ("''",), '"': ('\\"', "\\\\")}


def read_yaml(path: Path) -> dict[str, Any]:
    """Keys -> text or list of texts, and names -> {number: class}. ValueError, naming the line, for anything else."""
    found: dict[str, Any] = {}
    key = ""
    for number, line in _joined(path):
        text = line.strip()
        if line[0].isspace() or text.startswith("- "):
            if isinstance(found.get(key), list):
                found[key].append(_scalar(text[2:]) if text.startswith("- ") else _pair(text))
            continue
        key, colon, rest = line.partition(":")
        if not colon:
            raise ValueError(f"{path}, line {number}: it needs key: value, got {line!r}")
        rest = rest.strip()
        if rest[:1] in ("[", "{") and rest[-1] not in "]}":
            raise ValueError(f"{path}, line {number}: the list of {key} is not closed; end it with "
                             f"{']' if rest[0] == '[' else '}'}")
        found[key] = _value(rest)
    found["names"] = _names(found.get("names", []), path)
    return found


def _joined(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of the non-empty lines, without comments; lines are joined until a bracket is closed."""
    start, parts = 0, list[str]()
    for number, line in enumerate(read_text(path).splitlines(), 1):
        comment = next((i for i in _bare(line) if line[i] == "#" and (i == 0 or line[i - 1].isspace())), None)
        text = line[:comment].rstrip()
        if not text.strip() or text == "---":
            continue
        start = start if parts else number
        parts.append(text.strip() if parts else text)
        if text[-1] in "]}" or not _opens(parts[0]):
            yield start, " ".join(parts)
            parts = []
    if parts:
        yield start, " ".join(parts)


def _bare(text: str) -> Iterator[int]:
    """Positions in text outside quotes."""
    quote, before, i = "", "", 0  # before: the last letter that is no blank
    while i < len(text):
        letter = text[i]
        if text[i:i + 2] in ESCAPES.get(quote, ()):
            i += 1  # an escaped quote
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and (not before or before in OPENED_BY):
            quote = letter
        else:
            yield i
        before = before if text[i].isspace() else text[i]
        i += 1


def _opens(line: str) -> bool:
    """Whether the value of a line begins with a bracket."""
    return line.partition(":")[2].lstrip()[:1] in ("[", "{")


def _value(text: str) -> Any:
    if not text:
        return []
    if not (text[0] in "[{" and text[-1] in "]}"):
        return _scalar(text)
    inside, start, parts = text[1:-1], 0, []
    for i in [*(i for i in _bare(inside) if inside[i] == ","), len(inside)]:
        if inside[start:i].strip():
            parts.append(inside[start:i].strip())
        start = i + 1
    return [_scalar(part) if text[0] == "[" else _pair(part) for part in parts]


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition(":")
    return _scalar(key), _scalar(value)


def _scalar(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    return text


def _names(found: Any, path: Path) -> dict[int, str]:
    """Number -> class, from a list or from numbered lines."""
    if not isinstance(found, list):
        raise ValueError(f"{path}: names needs a list of classes, got {found!r}")
    names: dict[int, str] = {}
    seen: set[str] = set()
    for place, entry in enumerate(found):
        number, name = entry if isinstance(entry, tuple) else (str(place), entry)
        if not number.isdecimal() or len(number) > MAX_DIGITS or not name:
            raise ValueError(f"{path}: names needs lines such as '0: cat' or '- cat', got {number[:60]}: {name[:60]}")
        if int(number) in names or name in seen:
            raise ValueError(f"{path}: names has {number}: {name} twice")
        names[int(number)] = name
        seen.add(name)
    return names
