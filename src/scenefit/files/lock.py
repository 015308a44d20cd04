"""One writer at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there, two writers are not kept apart
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"


class Busy(RuntimeError):
    """Another process writes into the folder."""


@contextmanager
def lock(folder: str | Path) -> Iterator[None]:
    """Hold folder/.lock, which is made and removed here. Busy, naming the process, if another holds it.

    The system lets go of it when its holder dies, however it dies, so a lock is never left behind.
    """
    path = Path(folder) / NAME
    if path.parent.exists() and not path.parent.is_dir():
        raise NotADirectoryError(f"{folder} is a file, and a folder is needed; give another path")
    path.parent.mkdir(parents=True, exist_ok=True)
    number = _hold(path)
    try:
        yield
    finally:
        with suppress(OSError):  # before it is let go of, so that nobody can hold a file that is gone
            path.unlink()
        os.close(number)


def _hold(path: Path) -> int:
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(number, path):  # else its holder removed it after it was opened here
                os.truncate(number, 0)
                os.write(number, f"{os.getpid()}\n".encode())
                return number
        except BlockingIOError:
            holder = os.read(number, 32).decode(errors="replace").strip() or "unknown"
            os.close(number)
            raise Busy(f"{path.parent} is being written to by another process (number {holder}); wait until it is "
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
