"""Progress bars of the commands, `scenefit.fit` and `scenefit.generate`: in a terminal, a notebook, lines of a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

EVERY = 30.0  # seconds between two lines of progress in a log
WHOLE = 1e6  # seconds: of a bar whose time left is told by all steps so far, where a step may take minutes
REDRAWN = 0.2  # seconds between two pictures of a bar in a notebook
FIT_FIELDS = ("renders", "distance")  # shown beside the bar of a fit
TRAINING_FIELDS = ("loss",)  # the same of a detector's training

AnyStep = TypeVar("AnyStep", bound=Any)  # `scenefit.Step`, `generation.dataset.Progress` or `TrainingProgress`


@contextmanager
def bar(console: Console, fields: Sequence[str] = ()) -> Iterator[Progress]:
    """A progress bar with the time left, followed by the fields."""
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
               *(TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in fields)]
    with (_NotebookBar if console.is_jupyter else _Bar)(*columns, console=console) as progress:
        try:
            yield progress
        except Exception:
            if not any(task.completed for task in progress.tasks):
                progress.live.transient = True  # no bar of 0 % above an error
            raise


def watched(steps: Iterable[AnyStep], progress: Progress) -> Iterator[AnyStep]:
    """The steps of a fit, each shown on a bar with `FIT_FIELDS`."""
    task = progress.add_task("fit", total=1.0, renders="", distance="")
    distance = ""
    for step in steps:
        distance = f"distance {step.distance:.4g}" if step.distance == step.distance else distance
        progress.update(task, completed=step.progress, distance=distance,
                        description=f"{step.stage} {step.done}/{step.of}", renders=f"{step.renders:,} renders")
        yield step
    progress.update(task, completed=1.0)


def trained(steps: Iterable[AnyStep], progress: Progress) -> Iterator[AnyStep]:
    """The steps of a detector's training, each shown on one bar of all stages with `TRAINING_FIELDS`."""
    task: TaskID | None = None
    for step in steps:
        at = f"step {step.step:,} of {step.steps:,}" if step.step else "preparing images"
        if task is None:  # begins after stages that were kept: they took no time that would tell the time left
            task = progress.add_task("", total=step.of, completed=step.done, loss="")
        progress.update(task, completed=step.done, description=f"{step.text}, {at}",
                        loss=f"loss {step.loss:.4g}" if step.loss == step.loss else "")
        yield step


def evaluated(steps: Iterable[AnyStep], progress: Progress, n_distances: int) -> Iterator[AnyStep]:
    """The steps of an evaluation: the first n_distances on a bar of distances, the rest on one of trainings, as a
    training takes far longer, and only trainings tell the time that is left for others."""
    progress.speed_estimate_period = WHOLE
    distances, trainings = progress.add_task("distances", total=n_distances), None
    for step in steps:
        done = step.done - n_distances
        if trainings is not None:
            progress.update(trainings, completed=done, description=f"trainings; last: {step.text}")
        else:
            progress.update(distances, completed=min(step.done, n_distances))
            if done >= 0 and step.of > n_distances:
                trainings = progress.add_task("trainings", total=step.of - n_distances, completed=done)
                progress.advance(trainings, 0)  # their time is counted from here on
        yield step


def counted(steps: Iterable[AnyStep], progress: Progress) -> Iterator[AnyStep]:
    """The steps of `generate_steps`, each shown on a bar of the images that are written."""
    task = progress.add_task("images")
    for step in steps:
        progress.update(task, completed=step.written, total=step.of)
        yield step


def fit_shown(steps: Iterable[AnyStep]) -> Iterator[AnyStep]:
    """The steps of a fit, with a bar on standard error where that is a terminal, or in the output of a notebook's cell;
    without one elsewhere, such as in a log."""
    return _shown(steps, watched, FIT_FIELDS)


def images_shown(steps: Iterable[AnyStep]) -> Iterator[AnyStep]:
    """The steps of `generate_steps`, likewise."""
    return _shown(steps, counted, ())


def _shown(steps: Iterable[AnyStep], watch: Callable[[Iterable[AnyStep], Progress], Iterator[AnyStep]],
           fields: Sequence[str]) -> Iterator[AnyStep]:
    console = Console(stderr=True)
    in_terminal = console.is_interactive and getattr(sys.stderr, "isatty", bool)()  # is_interactive obeys FORCE_COLOR
    if not (console.is_jupyter or in_terminal):
        yield from steps
        return
    with bar(console, fields) as progress:
        yield from watch(steps, progress)


class _Bar(Progress):
    """A progress bar; if the output is not a terminal but, say, a log, prints a line of progress now and then."""

    def __init__(self, *columns: Any, **more: Any):
        super().__init__(*columns, **more)
        self.printed = time.monotonic()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        if self.console.is_terminal or time.monotonic() - self.printed < EVERY:
            return
        self.printed = time.monotonic()
        task = next(task for task in self.tasks if task.id == task_id)
        parts = [task.description, f"{task.percentage:.0f}%", *(str(text) for text in task.fields.values() if text)]
        self.console.print("  ".join(parts), markup=False, highlight=False, soft_wrap=True)


class _NotebookBar(Progress):
    """A bar in the output of a notebook's cell, drawn anew in place. rich's own display there needs ipywidgets, which
    many notebooks lack."""

    def start(self) -> None:
        from IPython.display import display

        self.drawn = time.monotonic()
        self.output = display(self, display_id=True)

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        if time.monotonic() - self.drawn >= REDRAWN:
            self.refresh()

    def refresh(self) -> None:
        self.drawn = time.monotonic()
        self.output.update(self)

    def stop(self) -> None:
        self.refresh()
