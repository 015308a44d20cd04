"""One writer at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where nothing excludes a second writer
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"


class Busy(RuntimeError):
    """Another process is writing into the folder."""


@contextmanager
def lock(folder: str | Path) -> Iterator[None]:
    """Hold folder/.lock, which is created and removed here. Busy, naming the process, if another holds it.

    The operating system releases the lock when its holder dies, so no stale lock remains.
    """
    path = Path(folder) / NAME
    if path.parent.exists() and not path.parent.is_dir():
        raise NotADirectoryError(f"{folder} is a file; give the path of a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    number = _hold(path)
    try:
        yield
    finally:
        with suppress(OSError):  # before the lock is released, so that nobody can lock a deleted file
            path.unlink()
        os.close(number)


def _hold(path: Path) -> int:
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(number, path):  # else its holder deleted it after it was opened here
                os.truncate(number, 0)
                os.write(number, f"{os.getpid()}\n".encode())
                return number
        except BlockingIOError:
            holder = os.read(number, 32).decode(errors="replace").strip() or "unknown"
            os.close(number)
            raise Busy(f"{path.parent} is being written to by another process (pid {holder}); wait until it is "
                       "done, or stop it") from None
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _is_there(number: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), os.stat(path))
    except FileNotFoundError:
        return False
