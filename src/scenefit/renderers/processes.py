"""A pool of processes that render with the renderer of a scene file, on several cores."""

import os
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from scenefit.data.frames import Frames
from scenefit.executors.processes import Processes, WorkerLost
from scenefit.files.caller import warn
from scenefit.renderers import NO_INFO, Renderer, RendererInfo, RenderError, render
from scenefit.renderers.chunks import CHUNK, Part, chunk_rows, join, part_of
from scenefit.renderers.scene_file import SceneFileError, load_scene
from scenefit.scenes.scene import SceneBatch

TIMEOUT = 300.0  # seconds
AHEAD = 2  # chunks, for each worker, that `Pool.stream` may have begun beyond the last one that it yielded

Work = Callable[[Renderer, SceneBatch], Any]  # done with the scenes of a chunk, in a worker


@dataclass
class Pool:
    """The renderer of a scene file, run in worker processes: pool(scenes) -> Frames, the same bytes as without.

    workers: number of processes; 0 renders in this one, in the same chunks.  timeout: seconds that a chunk of 64
    scenes may take (worker processes only).  info: the renderer's, `renderer_info(scene.renderer)`; its `draw` runs in
    this process.  recycle: a worker is replaced by a new one after so many scenes, rounded up to whole chunks, which
    frees what a renderer leaks; None for never.  A context manager; processes start with the first call and end with
    `close`, with an error, with Ctrl-C, or with this process, whichever comes first.
    RenderError, naming the scenes, where the renderer raises, a worker dies or takes too long; a warning where a
    worker's memory grows steadily. A script that uses a pool needs `if __name__ == "__main__":`, as each worker imports
    it.
    """

    scene_path: str | Path
    workers: int = 0
    timeout: float = TIMEOUT
    info: RendererInfo = NO_INFO
    recycle: int | None = None
    _processes: Processes = field(init=False, repr=False)
    _renderer: Renderer | None = field(default=None, init=False, repr=False)
    _wrap: Callable[[Renderer], Renderer] | None = field(default=None, init=False, repr=False)
    _warned: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.workers < 0 or not self.timeout > 0:
            raise ValueError(f"Pool needs workers >= 0 and timeout > 0, got workers={self.workers}, "
                             f"timeout={self.timeout}")
        if self.recycle is not None and self.recycle < 1:
            raise ValueError(f"Pool needs recycle >= 1 scenes, or None, got recycle={self.recycle}")
        self.scene_path = Path(self.scene_path).absolute()  # a later worker may start in another working folder
        chunks = None if self.recycle is None else -(-self.recycle // CHUNK)
        self._processes = Processes(partial(_load, str(self.scene_path), os.getcwd()), self.workers, chunks)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers at once."""
        self._processes.close()

    def wrapped(self, wrap: Callable[[Renderer], Renderer], info: RendererInfo) -> "Pool":
        """The same pool with the same processes, in which wrap(renderer) draws. wrap can be pickled.  info: of that."""
        other = copy(self)
        other.info, other._wrap = info, wrap
        return other

    def __call__(self, scenes: SceneBatch) -> Frames:
        chunks = chunk_rows(scenes)
        parts = self.stream(_render_part, map(scenes.take, chunks), len(chunks))
        return join(scenes, chunks, [part for _, part in parts])

    def stream(self, work: Work, batches: Iterable[SceneBatch], ahead: int | None = None,
               ) -> Iterator[tuple[SceneBatch, Any]]:
        """Each batch with work(renderer, batch), which the processes compute, in the order of the batches.

        A batch has at most 64 scenes, for which `timeout` counts.  work and its result can be pickled.
        ahead: at most so many batches are begun whose results have not been yielded; twice the workers by default.
        """
        if self._wrap is not None:
            work = partial(_wrapped, work, self._wrap)
        if not self.workers:
            if self._renderer is None:
                self._renderer = load_scene(self.scene_path).renderer
            yield from ((batch, work(self._renderer, batch)) for batch in batches)
            return
        begun: deque[SceneBatch] = deque()  # without a result so far

        def tasks() -> Iterator[tuple[Work, SceneBatch]]:
            for batch in batches:
                begun.append(batch)
                yield work, _detached(batch)

        answers = self._processes.stream(tasks(), self.timeout, ahead or AHEAD * self.workers)
        try:
            for answer in answers:
                self._warn_of_growth()
                yield begun.popleft(), answer
        except WorkerLost as lost:
            raise self._named(lost, begun) from lost
        finally:
            answers.close()

    def frames(self, batches: Iterable[SceneBatch]) -> Iterator[Frames]:
        """Frames of each batch of at most 64 scenes, in their order; as many are drawn at once as there are workers."""
        for batch, part in self.stream(_render_part, batches, max(1, self.workers)):
            yield Frames(batch, **part)

    def _warn_of_growth(self) -> None:
        growth = None if self._warned else self._processes.growth()
        if growth is not None:
            self._warned = True
            before, now, scenes = growth[0] / 2**20, growth[1] / 2**20, growth[2] * CHUNK
            recycle = scenes if self.recycle is None else max(CHUNK, self.recycle // 2)
            warn(f"a worker process grew from {before:,.0f} to {now:,.0f} MB over {scenes:,} scenes, and still grows: "
                 f"the renderer of {self.scene_path} may leak memory. --recycle {recycle} (Python: recycle={recycle}) "
                 "replaces each worker after so many scenes; the images are the same")

    def _named(self, lost: WorkerLost, begun: Sequence[SceneBatch]) -> Exception:
        """The error for a worker that was lost. begun: the batches without a result, the lost one's first."""
        if lost.task is None:
            fix = ("run the same command again, with fewer --workers where memory runs out" if "SIG" in lost.reason else
                   "does this program guard its start with if __name__ == '__main__':? Else try workers=0 (command "
                   "line: --workers 0)")
            return WorkerLost(f"for {self.scene_path} {lost.reason} before its first scene; {fix}", None, lost.slow)
        scenes, hint = begun[0], "find the scene by drawing them with workers=0 (command line: --workers 0)"
        if lost.slow:
            hint = (f"give them more time with --timeout (Python: Pool(timeout=)), which counts for up to {CHUNK} "
                    f"scenes together, or {hint}")
        elif "SIGKILL" in lost.reason:
            hint = "fewer workers need less memory, and --recycle 64 (Python: recycle=64) frees what the renderer leaks"
        return RenderError(f"the worker process that drew them {lost.reason}; {hint}", scenes.seed, scenes.index,
                           scenes)


def _detached(scenes: SceneBatch) -> SceneBatch:
    """Columns as numpy arrays: tensors with a gradient cannot cross to another process."""
    return scenes.with_columns({
        kind: {name: values.detach().cpu().numpy() for name, values in table.columns.items()
               if hasattr(values, "detach")} for kind, table in scenes.tables.items()})


def _load(path: str, working_folder: str) -> Callable[[tuple[Work, SceneBatch]], Any]:
    """In a worker: the function that works on one chunk."""
    os.chdir(working_folder)  # that of the command, whatever the scene file has changed it to in the meantime
    try:
        renderer = load_scene(path).renderer
    except KeyboardInterrupt as error:  # of the scene file itself: a worker ignores Ctrl-C
        raise SceneFileError(f"{path} raises KeyboardInterrupt when imported") from error
    if "torch" in sys.modules:  # not imported for scenes that do without, as that takes seconds
        sys.modules["torch"].set_num_threads(1)
    return partial(_work, renderer)


def _work(renderer: Renderer, task: tuple[Work, SceneBatch]) -> Any:
    work, scenes = task
    try:
        return work(renderer, scenes)
    except RenderError as error:
        error.add_note("in a worker:\n" + traceback.format_exc())
        raise
    except KeyboardInterrupt as error:  # of the renderer itself, likewise
        raise RenderError("the renderer raises KeyboardInterrupt", scenes.seed, scenes.index, scenes) from error


def _wrapped(work: Work, wrap: Callable[[Renderer], Renderer], renderer: Renderer, scenes: SceneBatch) -> Any:
    return work(wrap(renderer), scenes)


def _render_part(renderer: Renderer, scenes: SceneBatch) -> Part:
    return part_of(render(renderer, scenes))
