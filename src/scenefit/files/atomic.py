"""Files that appear whole or not at all, and hashes of content."""

import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from scenefit.files.lock import open_alone
from scenefit.files.scratch import release

WINDOWS = os.name == "nt"
BINARY = getattr(os, "O_BINARY", 0)  # a flag of Windows alone
HASHED = 2**25  # bytes of an array hashed at once
FULL = (errno.ENOSPC, errno.EDQUOT)
LEFTOVER = re.compile(r"\.scenefit-[0-9a-f]+(-[0-9a-f]+)?\.part")  # of a file being written, or of a killed writer


class DiskFull(OSError):
    """There was no room to write a file."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """A temporary binary file that replaces path when the block ends without an error.

    Missing folders are created. After an error, Ctrl-C or kill -9 inside the block, path is unchanged.
    DiskFull, an OSError, naming path where there is no room.
    """
    path = Path(path)
    # One name for each path, so that the next writer of the same path takes over what a killed one left.
    temporary = path.parent / f".scenefit-{content_hash(os.fsencode(path.name))[:12]}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = _take_over(temporary)
        if number is None:  # another process or thread is writing the same path
            temporary = temporary.with_name(f"{temporary.stem}-{secrets.token_hex(6)}.part")
            number = os.open(str(temporary), os.O_RDWR | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
        with open(number, "wb") as file, _unlinked_after_error(file, temporary):
            yield file
            file.flush()
            os.fsync(file.fileno())
            if WINDOWS:  # where no open file can be renamed; elsewhere nobody may take it over before it is renamed
                file.close()
            os.replace(temporary, path)
    except OSError as error:
        if error.errno not in FULL or isinstance(error, DiskFull):  # DiskFull: of a file written inside the block
            if error.filename == str(temporary):  # a name that users do not know
                raise type(error)(error.errno, error.strerror, str(path)) from None
            raise
        raise DiskFull(error.errno, f"no space left to write {path}; nothing was lost: {_before(path)}; make room on "
                                    "that disk and run the same command again") from error


def write_bytes(path: str | Path, data: bytes) -> None:
    """Write data to path atomically (see `atomic_write`)."""
    with atomic_write(path) as file:
        file.write(data)


def write_text(path: str | Path, text: str) -> None:
    """Write text as UTF-8 to path atomically; line ends are not changed."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Write value as JSON to path atomically; keys keep their order.

    ValueError for NaN or infinity, TypeError for types that JSON does not have; path is then unchanged.
    """
    write_text(path, to_json(value, path, indent=1) + "\n")


def to_json(value: Any, path: str | Path, indent: int | None = None) -> str:
    """value as standard JSON text; errors name path, the file that it is for."""
    try:
        return json.dumps(value, indent=indent, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{path} cannot be written: JSON has no NaN and no infinity; use null for a number that is "
                         f"missing ({error})") from error
    except TypeError as error:
        raise TypeError(f"{path} cannot be written: JSON holds dicts, lists, strings, numbers, booleans and null "
                        f"({error}); turn numpy values into Python's with .item() or .tolist()") from error


def clear_leftovers(folder: str | Path) -> None:
    """Delete temporary files of killed writers below folder. Only call it where no other process is writing."""
    for path in Path(folder).rglob(".scenefit-*.part"):
        if LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


def content_hash(data: Any) -> str:
    """BLAKE2b hash, 32 hex digits, of bytes or of an array (with its type and shape), the same in any process.

    For bytes it equals the output of `b2sum -l 128`.
    """
    digest = hashlib.blake2b(digest_size=16)
    if not isinstance(data, (bytes, bytearray)):
        view = memoryview(data)
        if "O" in view.format:
            raise TypeError(f"content_hash needs bytes or an array of numbers or text, got items of type {view.format}")
        digest.update(f"{view.format}{view.shape}".encode())
        if view.c_contiguous and view.nbytes > HASHED:  # of a large array, some at a time is enough in memory
            flat = view.cast("B")
            for first in range(0, len(flat), HASHED):
                digest.update(flat[first:first + HASHED])
                release(data)
            return digest.hexdigest()
        data = data if view.c_contiguous else view.tobytes()
    digest.update(data)
    return digest.hexdigest()


def _take_over(temporary: Path) -> int | None:
    """The temporary file opened, locked and empty; None where another writer holds it, or there are no locks."""
    try:
        number = None if WINDOWS else open_alone(temporary)
        if number is not None:
            os.truncate(number, 0)
        return number
    except OSError:  # the file system has no locks; whatever else is wrong shows when another name is opened
        return None


@contextmanager
def _unlinked_after_error(file: BinaryIO, temporary: Path) -> Iterator[None]:
    """Before the file is closed, because then another writer may take it over."""
    try:
        yield
    except BaseException:
        if WINDOWS:
            file.close()
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _before(path: Path) -> str:
    return "the previous file is unchanged" if path.exists() else "no part of the file was written"
