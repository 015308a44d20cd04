"""Worker processes that apply one function to many tasks and report, by task, a worker that dies or hangs.

Plain processes and pipes rather than `concurrent.futures`, whose pool does not tell which task a lost worker had. A
worker whose parent has gone ends at once, even in the middle of a task.
"""

import contextlib
import signal
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from scenefit.executors.worker import Load, Reply, start

STARTUP = 120.0  # seconds that a worker may take until it has loaded its function, or `timeout` if that is longer
GROWTH = 256 * 2**20  # bytes that a worker has to grow by before it counts as growing
MEANING = {"SIGKILL": ", which the operating system sends when memory runs out",
           "SIGSEGV": ", a crash in compiled code"}


class WorkerLost(RuntimeError):
    """A worker that died, took too long or did not start.

    reason: such as "died (exit code 7)".  task: the number of its task, None before its first.  slow: it took too long.
    """

    def __init__(self, reason: str, task: int | None, slow: bool = False):
        super().__init__(f"a worker process {reason}")
        self.reason, self.task, self.slow = reason, task, slow


@dataclass
class Worker:
    """task: the number of the one that it works on.  ready: it has loaded its function.  done: tasks that it answered.
    resident: bytes of memory that it held after each."""

    process: BaseProcess
    pipe: Connection
    task: int | None = None
    ready: bool = False
    deadline: float = 0.0
    done: int = 0
    resident: list[int] = field(default_factory=list)


@dataclass
class _Tasks:
    """Where one `stream` stands. waiting: taken from the source, with no worker yet.  started: number of tasks taken.
    yielded: number of answers handed over.  replies: those that wait for earlier ones.  ended: take no more."""

    source: Iterator[Any]
    ahead: int
    waiting: deque[tuple[int, Any]] = field(default_factory=deque)
    started: int = 0
    yielded: int = 0
    replies: dict[int, Any] = field(default_factory=dict)
    ended: bool = False

    def take(self, most: int) -> None:
        """Take tasks from the source until so many wait."""
        while not self.ended and len(self.waiting) < most and self.started - self.yielded < self.ahead:
            try:
                self.waiting.append((self.started, next(self.source)))
            except StopIteration:
                self.ended = True
            else:
                self.started += 1

    def fail(self, number: int, error: Exception) -> None:
        """Begin no further task; those before the one that failed are still awaited."""
        self.replies[number] = error
        self.waiting.clear()
        self.ended = True


@dataclass
class Processes:
    """Up to `workers` processes; they start with the first tasks, and end with `close`, with an error of a task, with
    Ctrl-C, or with this process, whichever comes first.

    load is pickled, as are tasks and answers. Each worker imports the main script, which therefore needs
    `if __name__ == "__main__":`.  recycle: a worker is replaced by a new one after so many tasks; None for never.
    """

    load: Load
    workers: int
    recycle: int | None = None
    alive: list[Worker] = field(default_factory=list, init=False, repr=False)
    retired: list[Worker] = field(default_factory=list, init=False, repr=False)

    def run(self, tasks: Sequence[Any], timeout: float) -> list[Any]:
        """Answers of the tasks, in their order; otherwise as `stream`."""
        return list(self.stream(tasks, timeout, len(tasks)))

    def stream(self, tasks: Iterable[Any], timeout: float, ahead: int) -> Generator[Any, None, None]:
        """Answers of the tasks, in their order, each as soon as it and all before it are there.

        timeout: seconds that one task may take.  ahead: at most so many tasks are taken whose answers have not been
        yielded, which bounds the memory.  An exception of `load` or of its function is raised as it is, WorkerLost
        where a worker dies or takes too long: in the order of the tasks too, so that the first task that fails is
        named however many workers there are, and the answers of those before it have been yielded.
        """
        try:
            yield from self._stream(_Tasks(iter(tasks), ahead), timeout)
        except GeneratorExit:  # the answers that are left are not wanted
            if any(worker.task is not None for worker in self.alive):
                self.close()
            raise
        except BaseException:  # Ctrl-C too: no worker outlives tasks that failed
            self.close()
            raise

    def close(self) -> None:
        """End the workers at once."""
        for worker in (*self.alive, *self.retired):
            worker.process.kill()
        for worker in (*self.alive, *self.retired):
            _ended(worker, None)
        self.alive, self.retired = [], []

    def growth(self) -> tuple[int, int, int] | None:
        """Of a worker whose memory grows steadily: bytes after its first task, bytes now, and tasks answered."""
        return next(((w.resident[0], w.resident[-1], w.done) for w in self.alive if grows(w.resident)), None)

    def _stream(self, tasks: _Tasks, timeout: float) -> Iterator[Any]:
        while True:
            self._hand_out(tasks, timeout)
            if tasks.yielded in tasks.replies:
                reply = tasks.replies.pop(tasks.yielded)
                if isinstance(reply, Exception):
                    raise reply
                tasks.yielded += 1
                yield reply.answer
            elif tasks.yielded == tasks.started:
                return
            else:
                self._await(tasks, timeout)

    def _hand_out(self, tasks: _Tasks, timeout: float) -> None:
        """Give tasks to workers that have none, and start workers that are missing."""
        tasks.take(max(1, self.workers - sum(worker.task is not None for worker in self.alive)))
        for worker in self.alive:
            if tasks.waiting and worker.ready and worker.task is None:
                worker.task, task = tasks.waiting.popleft()
                worker.deadline = time.monotonic() + timeout
                with contextlib.suppress(OSError):  # a dead worker shows when its answer is received
                    worker.pipe.send(task)
        free = sum(worker.task is None for worker in self.alive)
        for _ in range(min(len(tasks.waiting) - free, self.workers - len(self.alive))):
            self.alive.append(Worker(*start(self.load), deadline=time.monotonic() + max(STARTUP, timeout)))
        tasks.take(1)  # while the workers work, rather than when one of them waits for it

    def _await(self, tasks: _Tasks, timeout: float) -> None:
        """Wait until a worker replies, dies or is late."""
        busy = [worker for worker in self.alive if worker.task is not None or not worker.ready]
        first = min(worker.deadline for worker in busy)
        readable = wait([worker.pipe for worker in busy], max(0.0, first - time.monotonic()))
        for worker in busy:
            if worker.pipe in readable:
                self._receive(worker, tasks)
            elif worker.deadline <= time.monotonic():
                self._lose(worker, tasks, f"took more than {timeout:g} s" if worker.ready else
                           f"did not start within {max(STARTUP, timeout):g} s", slow=True)

    def _receive(self, worker: Worker, tasks: _Tasks) -> None:
        try:
            reply: Reply = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(5)
            self._lose(worker, tasks, _end_of(worker.process.exitcode))
            return
        number, worker.task, worker.ready = worker.task, None, True
        if number is None:
            if reply.error is not None:  # of load
                raise reply.error
            return
        worker.done += 1
        worker.resident += [reply.resident] if reply.resident is not None else []
        if reply.error is not None:
            tasks.fail(number, reply.error)
        else:
            tasks.replies[number] = reply
        if self.recycle is not None and worker.done >= self.recycle:
            self._retire(worker)

    def _lose(self, worker: Worker, tasks: _Tasks, reason: str, slow: bool = False) -> None:
        self.alive.remove(worker)
        worker.process.kill()
        _ended(worker, None)
        lost = WorkerLost(reason, worker.task, slow)
        if worker.task is None:
            raise lost
        tasks.fail(worker.task, lost)

    def _retire(self, worker: Worker) -> None:
        """Close the pipe of a worker, which then ends by itself."""
        self.alive.remove(worker)
        worker.pipe.close()
        self.retired = [old for old in (*self.retired, worker) if not _ended(old, 0)]


def _ended(worker: Worker, seconds: float | None) -> bool:
    """Whether a worker ends within so many seconds (None: wait for it); its pipe is closed then."""
    worker.process.join(seconds)
    if worker.process.exitcode is None:
        return False
    worker.pipe.close()
    return True


def _end_of(exitcode: int | None) -> str:
    if exitcode is None:
        return "stopped answering"
    if exitcode >= 0:
        return f"died (exit code {exitcode})"
    try:
        name = signal.Signals(-exitcode).name
    except ValueError:
        name = f"signal {-exitcode}"
    return f"was ended by {name}{MEANING.get(name, '')}"


def grows(resident: Sequence[int]) -> bool:
    """Whether memory, in bytes after each task, grows by more than GROWTH and as fast at the end as at the start.

    A cache that fills and then stays as it is does not count.
    """
    last = len(resident) - 1
    if last < 3 or resident[-1] - resident[0] < GROWTH:
        return False
    thirds = [resident[last * i // 3] for i in range(4)]
    half_of_even_share = (resident[-1] - resident[0]) / 6
    return min(after - before for before, after in pairwise(thirds)) >= half_of_even_share
