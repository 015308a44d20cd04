"""Tables that name the values or colours of class masks.

    labelmap.txt                       CVAT: name:r,g,b:parts:actions, one class a line; values count the lines from 0
    classes.txt, class_names.txt       one class a line, from value 1 on; from 0 on where the first is the background
    _classes.csv, classes.csv, ...     columns named class or name, and pixel value (or id, index), or r, g, b

Some names are no classes, in any case: background shows no class; void, ignored or unlabeled is ignored.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

from scenefit.data.class_masks import IGNORED, MAX_CLASSES, NONE
from scenefit.files.text import read_lines, read_text
from scenefit.scenes.arguments import describe_value

BACKGROUND = ("background", "_background_", "__background__")
VOID = ("void", "ignored", "ignore", "__ignore__", "unlabeled", "unlabelled")
LABELMAP = "labelmap.txt"
TEXTS = ("classes.txt", "class_names.txt")
CSVS = ("_classes.csv", "classes.csv", "class_dict.csv", "labels.csv")
NAME, VALUE, RGB = ("class", "name", "label"), ("pixel value", "value", "number", "id", "index"), ("r", "g", "b")
HOW_TO = ("write classes.txt there, with one class a line from value 1 on, or labelmap.txt with lines such as "
          "coin:128,0,0:: for colours, or give classes= to read_masks in Python")
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ClassTable:
    """of_value, of_colour: names, also of what is no class.  source: the table in words, for messages."""

    source: str
    of_value: Mapping[int, str] = field(default_factory=dict)
    of_colour: Mapping[Colour, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the table. ValueError where there are none, or too many."""
        names = tuple(name for name in dict.fromkeys((*self.of_value.values(), *self.of_colour.values()))
                      if not is_no_class(name))
        if not 0 < len(names) <= MAX_CLASSES:
            raise ValueError(f"{self.source} names {len(names)} classes; class masks need 1 to {MAX_CLASSES}, besides "
                             "the background")
        return names


def is_no_class(name: str) -> bool:
    """Whether a name stands for the background, or for pixels that are ignored."""
    return name.lower() in BACKGROUND + VOID


def code_of(name: str, classes: Sequence[str]) -> int:
    """The value of a name in `ClassMasks`."""
    return (NONE if name.lower() in BACKGROUND else IGNORED if name.lower() in VOID else
            list(classes).index(name) + 1)


def make_table(classes: Sequence[str] | Mapping[int, str]) -> ClassTable:
    """A table of names as `classes.txt` has them, or of value -> name. ValueError for anything else."""
    given = dict(classes) if isinstance(classes, Mapping) else {} if isinstance(classes, str) else _numbered(
        list(classes))
    if not given or not all(isinstance(value, Integral) and isinstance(name, str) and name
                            for value, name in given.items()):
        raise ValueError('classes needs names of the values from 1 on, such as ["coin", "note"], or {value: name}; got '
                         f"{describe_value(classes)}")
    return ClassTable("classes", {int(value): str(name) for value, name in given.items()})


def find_table(homes: Sequence[Path]) -> Path | None:
    """The first table in the folders; None where there is none."""
    return next((home / name for home in homes for name in (LABELMAP, *CSVS, *TEXTS) if (home / name).is_file()), None)


def read_table(path: Path) -> ClassTable:
    """ValueError, naming the line, where it is malformed, and where a class has two values or colours."""
    table = (_labelmap if path.name == LABELMAP else _texts if path.name in TEXTS else _csv)(path)
    for names in (table.of_value.values(), table.of_colour.values()):
        classes = [name for name in names if not is_no_class(name)]
        twice = next((name for name in classes if classes.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{path} names the class {twice} twice; remove or rename one")
    return table


def _labelmap(path: Path) -> ClassTable:
    lines = [(number, line) for number, line in read_lines(path) if not line.startswith("#")]
    names, colours = list[str](), dict[Colour, str]()
    for number, line in lines:
        name, *more = (word.strip() for word in line.split(":"))
        try:
            (red, green, blue) = (int(word) for word in more[0].split(","))
        except (ValueError, IndexError):
            raise ValueError(f"{path}, line {number}: it needs name:r,g,b::, such as coin:128,0,0::, got {line!r}"
                             ) from None
        names.append(_named(name, path, f"line {number}"))
        colours[_unique((red, green, blue), colours, path, f"line {number}")] = name
    return ClassTable(str(path), dict(enumerate(names)), colours)


def _texts(path: Path) -> ClassTable:
    return ClassTable(str(path), _numbered([name for _, name in read_lines(path)]))


def _numbered(names: Sequence[str]) -> dict[int, str]:
    """Value -> name: from 1 on, or from 0 on where the first is no class."""
    return dict(enumerate(names, 0 if names and isinstance(names[0], str) and is_no_class(names[0]) else 1))


def _csv(path: Path) -> ClassTable:
    rows = [[cell.strip() for cell in row] for row in csv.reader(read_text(path).splitlines()) if any(row)]
    head = [cell.lower() for cell in rows[0]] if rows else []
    name, value = (next((head.index(word) for word in words if word in head), -1) for words in (NAME, VALUE))
    rgb = [head.index(word) for word in RGB] if set(RGB) <= set(head) else []
    if name < 0 or (value < 0 and not rgb):
        raise ValueError(f"{path} needs the columns class and value, or class, r, g and b, in its first line, got "
                         f"{', '.join(head) or 'none'}")
    values, colours = dict[int, str](), dict[Colour, str]()
    for number, row in enumerate(rows[1:], 2):
        try:
            _named(row[name], path, f"row {number}")
            if rgb:
                red, green, blue = (int(row[place]) for place in rgb)
                colours[_unique((red, green, blue), colours, path, f"row {number}")] = row[name]
            else:
                values[_unique(int(row[value]), values, path, f"row {number}")] = row[name]
        except IndexError:
            raise ValueError(f"{path}, row {number}: it has {len(row)} of {len(head)} columns; complete it") from None
        except ValueError as error:
            if str(error).startswith(str(path)):
                raise
            raise ValueError(f"{path}, row {number}: values and colours need whole numbers, got {row}") from None
    return ClassTable(str(path), values, colours)


def _named(name: str, path: Path, where: str) -> str:
    if not name:
        raise ValueError(f"{path}, {where}: the name of the class is empty; write it there, or remove the "
                         f"{where.split()[0]}")
    return name


def _unique(key: Any, found: Mapping[Any, str], path: Path, where: str) -> Any:
    if key in found:
        raise ValueError(f"{path}, {where}: {key} stands for {found[key]} already; give each class its own")
    return key
