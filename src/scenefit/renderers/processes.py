"""A pool of processes that render with the renderer of a scene file, on several cores."""

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from scenefit.data.frames import Frames
from scenefit.executors.processes import Processes, WorkerLost
from scenefit.renderers import NO_INFO, Renderer, RendererInfo, RenderError, render
from scenefit.renderers.chunks import Part, chunk_rows, join, part_of
from scenefit.renderers.scene_file import load_scene
from scenefit.scenes.scene import SceneBatch


@dataclass
class Pool:
    """The renderer of a scene file, run in worker processes: pool(scenes) -> Frames, the same bytes as without.

    workers: number of processes; 0 renders in this one, in the same chunks.  timeout: seconds that a chunk of 64
    scenes may take (worker processes only).  info: the renderer's, `renderer_info(scene.renderer)`; its `draw` runs in
    this process.  A context manager; processes start with the first call and end with `close`, with an error, with
    Ctrl-C, or with this process, whichever comes first.
    RenderError, naming the scenes, where the renderer raises, a worker dies or takes too long. A script that uses a
    pool needs `if __name__ == "__main__":`, as each worker imports it.
    """

    scene_path: str | Path
    workers: int = 0
    timeout: float = 300.0
    info: RendererInfo = NO_INFO
    _processes: Processes = field(init=False, repr=False)
    _renderer: Renderer | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.workers < 0 or not self.timeout > 0:
            raise ValueError(f"Pool needs workers >= 0 and timeout > 0, got workers={self.workers}, "
                             f"timeout={self.timeout}")
        self._processes = Processes(partial(_load, str(self.scene_path)), self.workers)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers at once."""
        self._processes.close()

    def __call__(self, scenes: SceneBatch) -> Frames:
        chunks = chunk_rows(scenes)
        if not self.workers:
            if self._renderer is None:
                self._renderer = load_scene(self.scene_path).renderer
            return join(scenes, chunks, [part_of(render(self._renderer, scenes.take(rows))) for rows in chunks])
        tasks = [_detached(scenes.take(rows)) for rows in chunks]
        try:
            parts = self._processes.run(tasks, self.timeout)
        except WorkerLost as lost:
            raise self._named(lost, tasks) from lost
        return join(scenes, chunks, parts)

    def _named(self, lost: WorkerLost, tasks: list[SceneBatch]) -> Exception:
        if lost.task is None:
            return RuntimeError(f"a worker for {self.scene_path} {lost.reason} before its first scene; does this "
                                "program guard its start with if __name__ == '__main__':? Else try workers=0")
        task = tasks[lost.task]
        return RenderError(f"the worker process that drew them {lost.reason}; find the scene by drawing them with "
                           "workers=0 (command line: --workers 0), or, in Python, give them more time with "
                           "Pool(timeout=)", task.seed, task.index, task)


def _detached(scenes: SceneBatch) -> SceneBatch:
    """Columns as numpy arrays: tensors with a gradient cannot cross to another process."""
    return scenes.with_columns({
        kind: {name: values.detach().cpu().numpy() for name, values in table.columns.items()
               if hasattr(values, "detach")} for kind, table in scenes.tables.items()})


def _load(path: str) -> Callable[[SceneBatch], Part]:
    """In a worker: the function that renders one chunk."""
    renderer = load_scene(path).renderer
    if "torch" in sys.modules:  # not imported for scenes that do without, as that takes seconds
        sys.modules["torch"].set_num_threads(1)
    return partial(_render_part, renderer)


def _render_part(renderer: Renderer, scenes: SceneBatch) -> Part:
    try:
        return part_of(render(renderer, scenes))
    except RenderError as error:
        error.add_note("in a worker:\n" + traceback.format_exc())
        raise
