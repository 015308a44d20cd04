"""Reading text files that a person or another program wrote."""

from pathlib import Path


def read_text(path: Path) -> str:
    """A file of UTF-8, with or without byte-order mark. ValueError, naming the file, where it is anything else."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}") from error


def read_lines(path: Path) -> list[tuple[int, str]]:
    """(number, text) of each line that is not blank, without outer spaces. ValueError as of `read_text`."""
    return [(number, line.strip()) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
