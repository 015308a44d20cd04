"""Worker processes that apply one function to many tasks and report, by task, a worker that dies or hangs.

Plain processes and pipes rather than `concurrent.futures`, whose pool does not tell which task a lost worker had. A
worker whose parent has gone ends at once, even in the middle of a task.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

STARTUP = 120.0  # seconds that a worker may take until it has loaded its function

Load = Callable[[], Callable[[Any], Any]]  # called once in each worker: the function from a task to its answer


class WorkerLost(RuntimeError):
    """A worker that died, took too long or did not start.

    reason: such as "died (exit code 7)".  task: the number of its task, None before its first.
    """

    def __init__(self, reason: str, task: int | None):
        super().__init__(f"a worker process {reason}")
        self.reason, self.task = reason, task


@dataclass
class Worker:
    """task: the number of the one that it works on.  ready: it has loaded its function."""

    process: BaseProcess
    pipe: Connection
    task: int | None = None
    ready: bool = False
    deadline: float = 0.0


@dataclass
class Processes:
    """Up to `workers` processes; they start with the first `run`, and end with `close`, with an error of a run, with
    Ctrl-C, or with this process, whichever comes first.

    load is pickled, as are tasks and answers. Each worker imports the main script, which therefore needs
    `if __name__ == "__main__":`.
    """

    load: Load
    workers: int
    alive: list[Worker] = field(default_factory=list, init=False, repr=False)

    def run(self, tasks: Sequence[Any], timeout: float) -> list[Any]:
        """Answers of the tasks, in their order. timeout: seconds that one task may take.

        An exception of `load` or of its function is raised as it is; WorkerLost where a worker dies or takes too long.
        """
        try:
            return self._run(tasks, timeout)
        except BaseException:  # Ctrl-C too: no worker outlives a run that failed
            self.close()
            raise

    def close(self) -> None:
        """End the workers at once."""
        for worker in self.alive:
            worker.process.kill()
        for worker in self.alive:
            worker.process.join()
            worker.pipe.close()
        self.alive = []

    def _run(self, tasks: Sequence[Any], timeout: float) -> list[Any]:
        while len(self.alive) < min(self.workers, len(tasks)):
            self.alive.append(_start(self.load))
        answers: dict[int, Any] = {}
        waiting = list(range(len(tasks)))[::-1]
        while len(answers) < len(tasks):
            for worker in self.alive:
                if worker.ready and worker.task is None and waiting:
                    number = waiting.pop()
                    worker.task, worker.deadline = number, time.monotonic() + timeout
                    _send(worker, tasks[number])
            busy = [w for w in self.alive if w.task is not None or not w.ready]
            first = min(w.deadline for w in busy)
            readable = wait([w.pipe for w in busy], max(0.0, first - time.monotonic()))
            for worker in busy:
                if worker.pipe in readable:
                    task, answer = worker.task, _receive(worker)
                    if task is not None:
                        answers[task] = answer
                elif worker.deadline <= time.monotonic():
                    raise WorkerLost(f"took more than {timeout:g} s" if worker.ready else
                                     f"did not start within {STARTUP:g} s", worker.task)
        return [answers[task] for task in range(len(tasks))]


def _send(worker: Worker, task: Any) -> None:
    with contextlib.suppress(OSError):  # a dead worker shows when its answer is received
        worker.pipe.send(task)


def _receive(worker: Worker) -> Any:
    try:
        answer = worker.pipe.recv()
    except (EOFError, OSError) as error:
        worker.process.join(5)
        raise WorkerLost(f"died (exit code {worker.process.exitcode})", worker.task) from error
    if isinstance(answer, BaseException):
        raise answer
    worker.task, worker.ready = None, True
    return answer


def _start(load: Load) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(load, theirs), daemon=True)
    with _without_ctrl_c():
        process.start()
    theirs.close()
    return Worker(process, ours, deadline=time.monotonic() + STARTUP)


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


def _work(load: Load, pipe: Connection) -> None:
    """What a worker does: load the function, then answer tasks until the pipe ends or a task raises."""
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        function = load()
        pipe.send("ready")
        while True:
            pipe.send(function(pipe.recv()))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        pipe.send(error)


def _exit_with_parent() -> None:
    """End even in the middle of a task, if the parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
