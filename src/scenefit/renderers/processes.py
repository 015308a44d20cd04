"""A pool of processes that draws with the renderer of a scene file, on several cores.

Plain processes and pipes rather than `concurrent.futures`: the pool knows which worker holds which scenes, so a
worker that dies or hangs names them; and a worker whose parent is gone reads the end of its pipe and leaves.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from scenefit.data.frames import Frames
from scenefit.renderers import NO_INFO, Renderer, RendererInfo, RenderError, render
from scenefit.renderers.chunks import chunk_rows, join, part_of
from scenefit.renderers.scene_file import load_scene
from scenefit.scenes.scene import SceneBatch

STARTUP = 120.0  # seconds that a worker may take to import the scene file
@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: int | None = None  # the chunk that it draws
    ready: bool = False
    deadline: float = 0.0


@dataclass
class Pool:
    """The renderer of a scene file, drawing in worker processes: pool(scenes) -> Frames, the same bytes as without.

    workers: how many processes; 0 draws in this one, in the same chunks.  timeout: seconds that a chunk of 64
    scenes may take (worker processes only).  A context manager; processes start with the first call and end with
    `close`, with an error, with Ctrl-C, or with this process, whichever comes first.
    RenderError, naming the scenes, where the renderer raises, a worker dies or takes too long. A script that uses a
    pool needs `if __name__ == "__main__":`, as each worker imports it.
    info: the renderer's, `renderer_info(scene.renderer)`; its `draw` runs in this process.
    """

    scene_path: str | Path
    workers: int = 0
    timeout: float = 300.0
    info: RendererInfo = NO_INFO
    _alive: list[_Worker] = field(default_factory=list, init=False, repr=False)
    _renderer: Renderer | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.workers < 0 or not self.timeout > 0:
            raise ValueError(f"Pool needs workers >= 0 and timeout > 0, got workers={self.workers}, "
                             f"timeout={self.timeout}")

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, at once."""
        for worker in self._alive:
            worker.process.kill()
        for worker in self._alive:
            worker.process.join()
            worker.pipe.close()
        self._alive = []

    def __call__(self, scenes: SceneBatch) -> Frames:
        chunks = chunk_rows(scenes)
        if not self.workers:
            if self._renderer is None:
                self._renderer = load_scene(self.scene_path).renderer
            return join(scenes, chunks, [part_of(render(self._renderer, scenes.take(rows))) for rows in chunks])
        try:
            return join(scenes, chunks, self._spread([_plain(scenes.take(rows)) for rows in chunks]))
        except BaseException:  # Ctrl-C too: no worker outlives a call that failed
            self.close()
            raise

    def _spread(self, tasks: Sequence[SceneBatch]) -> list[dict[str, Any]]:
        """Hand out the chunks and gather the answers, in order."""
        while len(self._alive) < min(self.workers, len(tasks)):
            self._alive.append(_start(self.scene_path))
        answers: dict[int, dict[str, Any]] = {}
        waiting = list(range(len(tasks)))[::-1]
        while len(answers) < len(tasks):
            for worker in self._alive:
                if worker.ready and worker.task is None and waiting:
                    self._send(worker, waiting.pop(), tasks)
            busy = [w for w in self._alive if w.task is not None or not w.ready]
            first = min(w.deadline for w in busy)
            found = wait([w.pipe for w in busy], max(0.0, first - time.monotonic()))
            for worker in busy:
                if worker.pipe in found:
                    task, answer = worker.task, self._receive(worker, tasks)
                    if task is not None:
                        answers[task] = answer
                elif worker.deadline <= time.monotonic():
                    raise self._lost(worker, tasks, f"took more than {self.timeout:g} s" if worker.ready else
                                     f"did not start within {STARTUP:g} s")
        return [answers[task] for task in range(len(tasks))]

    def _send(self, worker: _Worker, task: int, tasks: Sequence[SceneBatch]) -> None:
        worker.task, worker.deadline = task, time.monotonic() + self.timeout
        with contextlib.suppress(OSError):  # a dead worker shows when its answer is read
            worker.pipe.send(tasks[task])

    def _receive(self, worker: _Worker, tasks: Sequence[SceneBatch]) -> Any:
        try:
            answer = worker.pipe.recv()
        except (EOFError, OSError) as error:
            worker.process.join(5)
            raise self._lost(worker, tasks, f"died (exit code {worker.process.exitcode})") from error
        if isinstance(answer, BaseException):
            raise answer
        worker.task, worker.ready = None, True
        return answer

    def _lost(self, worker: _Worker, tasks: Sequence[SceneBatch], what: str) -> Exception:
        if worker.task is None:
            return RuntimeError(f"a worker for {self.scene_path} {what} before its first scene; does this program "
                                "guard its start with if __name__ == '__main__':? Else try workers=0")
        task = tasks[worker.task]
        return RenderError(f"the worker process that drew them {what}; find the scene by drawing them with workers=0 "
                           "(command line: --workers 0), or, in Python, give them more time with Pool(timeout=)",
                           task.seed, task.index, task)


def _plain(scenes: SceneBatch) -> SceneBatch:
    """Columns as numpy arrays: tensors with a gradient cannot cross to another process."""
    return scenes.with_columns({
        kind: {name: values.detach().cpu().numpy() for name, values in table.columns.items()
               if hasattr(values, "detach")} for kind, table in scenes.tables.items()})


def _start(path: str | Path) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(str(path), theirs), daemon=True)
    with _deaf_to_ctrl_c():
        process.start()
    theirs.close()
    return _Worker(process, ours, deadline=time.monotonic() + STARTUP)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """A process started inside ignores Ctrl-C from its first moment: its parent hears it, and ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signals
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(path: str, pipe: Connection) -> None:
    """A worker's life: load the scene file, then draw what comes until the pipe ends."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        renderer = load_scene(path).renderer
        if "torch" in sys.modules:  # not imported for scenes that do without, as that takes seconds
            sys.modules["torch"].set_num_threads(1)
        pipe.send("ready")
        while True:
            pipe.send(_draw(renderer, pipe.recv()))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:
        pipe.send(error)


def _draw(renderer: Renderer, scenes: SceneBatch) -> Any:
    try:
        return part_of(render(renderer, scenes))
    except RenderError as error:
        error.add_note("in a worker:\n" + traceback.format_exc())
        return error


def _leave_with_parent() -> None:
    """End even while a renderer hangs, if the parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
