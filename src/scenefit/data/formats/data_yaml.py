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
        found[key] = _value(rest.strip())
    found["names"] = _names(found.get("names", []), path)
    return found


def _joined(path: Path) -> list[tuple[int, str]]:
    """(number, text) of the non-empty lines, without comments; lines are joined until a bracket is closed."""
    found: list[tuple[int, str]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        comment = [i for i in _bare(line) if line[i] == "#" and (i == 0 or line[i - 1].isspace())]
        text = (line[:comment[0]] if comment else line).rstrip()
        if not text.strip() or text == "---":
            continue
        if found and _open(found[-1][1]):
            found[-1] = found[-1][0], f"{found[-1][1]} {text.strip()}"
        else:
            found.append((number, text))
    return found


def _bare(text: str) -> Iterator[int]:
    """Positions in text outside quotes."""
    quote, i = "", 0
    while i < len(text):
        letter, before = text[i], text[:i].rstrip()[-1:]
        if text[i:i + 2] in ESCAPES.get(quote, ()):
            i += 1  # an escaped quote
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and (not before or before in OPENED_BY):
            quote = letter
        else:
            yield i
        i += 1


def _open(line: str) -> bool:
    value = line.partition(":")[2].strip()
    return value[:1] in ("[", "{") and value[-1] not in "]}"


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
    for place, entry in enumerate(found):
        number, name = entry if isinstance(entry, tuple) else (str(place), entry)
        if not number.isdecimal() or not name:
            raise ValueError(f"{path}: names needs lines such as '0: cat' or '- cat', got {number}: {name}")
        if int(number) in names or name in names.values():
            raise ValueError(f"{path}: names has {number}: {name} twice")
        names[int(number)] = name
    return names
