"""CSV tables of other people's names, which a spreadsheet shows as text and never runs as a formula."""

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scenefit.files.atomic import atomic_write
from scenefit.files.text import printable

FORMULA = ("=", "+", "-", "@", "\t")  # what a cell that a spreadsheet runs begins with


@contextmanager
def csv_table(path: Path, columns: Iterable[str]) -> Iterator[Callable[[Iterable[Any]], None]]:
    """A function that writes a row of a CSV file, which appears when the block ends without an error.

    Texts that a spreadsheet would run as a formula get an apostrophe in front (=1+1 is written as '=1+1); numbers, and
    texts that are numbers, stay as they are. Bytes of file names that are not UTF-8, and carriage returns, are written
    as escapes.
    """
    with atomic_write(path) as file:
        table = csv.writer(codecs.getwriter("utf-8")(file), lineterminator="\n")

        def write(row: Iterable[Any]) -> None:
            table.writerow([_cell(value) for value in row])

        write(columns)
        yield write


def csv_bytes(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """The content of such a file."""
    data = io.BytesIO()
    csv.writer(codecs.getwriter("utf-8")(data), lineterminator="\n").writerows(
        [_cell(value) for value in row] for row in (columns, *rows))
    return data.getvalue()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value).replace("\r", "\\r")  # which csv leaves unquoted, and readers take for the end of a line
    return f"'{text}" if text.startswith(FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
