"""One writer at a time in a folder."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nothing excludes a second writer
    fcntl = None  # type: ignore[assignment]

NAME = ".scenefit-lock"
NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class Busy(RuntimeError):
    """Another process is writing into the folder."""


@contextmanager
def lock(folder: str | Path) -> Iterator[None]:
    """Hold folder/.scenefit-lock, which is created and removed here, as is the folder if it stays empty.

    Busy, naming the process, if another holds it. The operating system releases the lock when its holder dies, so no
    stale lock remains.  FileExistsError where a file of that name was not made by scenefit; PermissionError where
    nothing can be written.
    """
    path = Path(folder) / NAME
    check_folder(folder)
    made = [one for one in (path.parent, *path.parent.parents) if not one.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        number = _hold(path)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise PermissionError(f"{folder} cannot be written to ({error.strerror}); make it writable, or give another "
                              "folder") from error
    try:
        yield
    finally:
        with suppress(OSError):  # before the lock is released, so that nobody can lock a deleted file
            path.unlink()
        os.close(number)
        with suppress(OSError):  # of a folder that holds something by now
            for one in made:
                one.rmdir()


def check_folder(folder: str | Path) -> None:
    """NotADirectoryError where a folder, or what it lies in, is a file; FileNotFoundError where that is a link that
    leads nowhere. Nothing is wrong with a folder that does not exist."""
    folder = Path(folder)
    for one in (folder, *folder.parents):
        if one.is_symlink() and not one.exists():
            raise FileNotFoundError(f"{one} is a link that leads nowhere, to {os.readlink(one)}; remove the link, or "
                                    "give another folder")
        if one.exists():
            if not one.is_dir():
                raise NotADirectoryError(f"{one} is a file; give the path of a folder" if one == folder else
                                         f"{folder} cannot be made, as {one} is a file; give the path of a folder")
            return


def check_file(path: str | Path) -> None:
    """An OSError where a file cannot be written: before long work, so that it is not lost. Nothing is written.

    IsADirectoryError where path is a folder, PermissionError where its folder cannot be written to; others as of
    `check_folder`.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    check_folder(path.parent)
    there = next(one for one in path.absolute().parents if one.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written, as the folder {there} cannot be written to; make it "
                              "writable, or give another name")


def open_alone(path: Path) -> int | None:
    """A file opened, or created, and locked, until it is closed or its process dies; None if another holds it.

    OSError where it cannot be opened, and where it is a link.
    """
    while True:
        number = os.open(str(path), os.O_RDWR | os.O_CREAT | NO_LINK, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(number, path):  # else its holder renamed or deleted it after it was opened here
                return number
        except BlockingIOError:
            os.close(number)
            return None
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _hold(path: Path) -> int:
    """The lock file, held, with the number of this process in it."""
    if path.is_symlink() or (path.exists() and not (path.is_file() and _is_ours(path))):
        raise FileExistsError(f"{path} was not made by scenefit, which locks the folder by a file of that name; move "
                              "it away, or give another folder")
    number = open_alone(path)
    if number is None:
        holder = ""
        with suppress(OSError):
            holder = path.read_bytes()[:32].decode(errors="replace").strip()
        raise Busy(f"{path.parent} is being written to by another process (pid {holder or 'unknown'}); wait until it "
                   "is done, or stop it")
    os.truncate(number, 0)
    os.write(number, f"{os.getpid()}\n".encode())
    return number


def _is_ours(path: Path) -> bool:
    """Whether a file holds the number of a process, or nothing yet, and so was made here."""
    try:
        size = path.stat().st_size
        return size == 0 or (size <= 32 and path.read_bytes().strip().isdigit())
    except FileNotFoundError:  # removed by its holder meanwhile
        return True


def _is_there(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), os.stat(path))
    except FileNotFoundError:
        return False
