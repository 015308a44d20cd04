"""Text files that a person or another program wrote, file names that are not UTF-8, and counts in messages."""

import codecs
import re
from pathlib import Path

SURROGATE = re.compile("[\ud800-\udfff]")


def read_text(path: Path) -> str:
    """A file of UTF-8, with or without byte-order mark. ValueError, naming the file, where it is anything else."""
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{path} is no text in UTF-8: it begins as UTF-16 does; save it as UTF-8")
    if b"\0" in data:
        raise ValueError(f"{path} is no text: it has bytes of 0; copy it again, or save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path} is no text in UTF-8: line {line} has {data[error.start:error.start + 1]!r}; save it "
                         "as UTF-8") from error


def read_lines(path: Path) -> list[tuple[int, str]]:
    """(number, text) of each line that is not blank, without outer spaces. ValueError as of `read_text`."""
    return [(number, line.strip()) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]


def counted(count: int, noun: str, plural: str = "") -> str:
    """"1 photo", "3,000 photos".  plural: of the noun, if it is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def printable(text: object) -> str:
    r"""A text or path as UTF-8 can hold it: every byte of a file name that is not UTF-8 becomes \xe9 or the like.

    Python holds such bytes as lone surrogates, which no terminal and no UTF-8 file takes.
    """
    return SURROGATE.sub(lambda found: _escaped(ord(found[0])), str(text))


def _escaped(code: int) -> str:
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
