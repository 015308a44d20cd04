"""What runs in a worker process, and how one is started: a worker answers tasks until its pipe or its parent ends."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

Load = Callable[[], Callable[[Any], Any]]  # called once in each worker: the function from a task to its answer

SAFE_PATH = "PYTHONSAFEPATH"
SET_PDEATHSIG = 1  # of Linux's prctl


@dataclass(frozen=True)
class Reply:
    """What a worker sends: once when it has loaded its function, then once for each task.

    error: what the task, or loading, raised.  resident: bytes of memory that the worker holds, None where unknown.
    """

    answer: Any = None
    error: Exception | None = None
    resident: int | None = None


def start(load: Load) -> tuple[BaseProcess, Connection]:
    """A new worker process and the pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    main_thread = threading.current_thread() is threading.main_thread()
    process = context.Process(target=_work, args=(load, theirs, os.environ.get(SAFE_PATH), main_thread), daemon=True)
    with _without_ctrl_c(), _without_current_folder():
        process.start()
    theirs.close()
    return process, ours


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """A process started inside ignores Ctrl-C from its first moment: its parent handles it, and ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signals
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _without_current_folder() -> Iterator[None]:
    """A Python started inside does not look for modules in the current folder, where a user's enum.py or json.py would
    take the place of the standard library's. Later it searches the folders that its parent searches."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        _restore(before)


def _restore(before: str | None) -> None:
    if before is None:
        os.environ.pop(SAFE_PATH, None)
    else:
        os.environ[SAFE_PATH] = before


def _work(load: Load, pipe: Connection, safe_path: str | None, main_thread: bool) -> None:
    """Load the function, then answer tasks until the pipe ends.

    main_thread: the parent started this process in its main thread, which lives as long as the parent does.
    """
    _restore(safe_path)  # programs that the function starts find their modules as usual
    if main_thread:
        _end_with_parent()
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError):
        try:
            function = load()
        except Exception as error:
            pipe.send(Reply(error=_portable(error)))
            return
        pipe.send(Reply())
        while True:
            _answer(function, pipe.recv(), pipe)


def _answer(function: Callable[[Any], Any], task: Any, pipe: Connection) -> None:
    try:
        pipe.send(Reply(function(task), resident=resident()))
    except BrokenPipeError:
        raise
    except Exception as error:  # of the function; or its answer cannot be pickled
        pipe.send(Reply(error=_portable(error), resident=resident()))


def _portable(error: Exception) -> Exception:
    """The error, or, where it cannot be sent to another process, one with the same text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def resident() -> int | None:
    """Bytes of physical memory that this process holds; None where the system has no /proc."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _end_with_parent() -> None:
    """On Linux, the system kills this process as soon as its parent is gone, even in the middle of compiled code that
    lets no other thread run."""
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SET_PDEATHSIG, signal.SIGKILL)


def _exit_with_parent() -> None:
    """End even in the middle of a task, if the parent is gone, or was before this began."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
