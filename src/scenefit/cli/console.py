"""What the commands say: results on standard output, the rest on standard error, errors as one message."""

import functools
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from scenefit.renderers import RenderError

STOPPED = 130  # exit code after Ctrl-C
PLAIN_WIDTH = 120  # of tables, where the output is no terminal
EVERY = 30.0  # seconds between two lines there that say how far it is


def say(text: str) -> None:
    """A line for the user, never wrapped, so that paths in it can be copied."""
    _console().print(text, markup=False, highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    _console(error=True).print(f"warning: {text}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """Print a table; the first column is text, the others are numbers."""
    shown = Table(title=title, title_justify="left", caption=note or None, caption_justify="left")
    for place, name in enumerate(columns):
        shown.add_column(name, justify="right" if place else "left")
    for row in rows:
        shown.add_row(*row)
    _console().print(shown, markup=False)


class _Told(Progress):
    """A bar; where no terminal shows it, as in a log, a line says now and then how far it is."""

    def __init__(self, *columns: Any, **more: Any):
        super().__init__(*columns, **more)
        self.said = time.monotonic()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        if self.console.is_terminal or time.monotonic() - self.said < EVERY:
            return
        self.said = time.monotonic()
        task = next(task for task in self.tasks if task.id == task_id)
        said = [task.description, f"{task.percentage:.0f}%", *(str(text) for text in task.fields.values() if text)]
        self.console.print("  ".join(said), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def bar(fields: Sequence[str] = ()) -> Iterator[Progress]:
    """A progress bar with time left; fields are shown after it."""
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
               *(TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in fields)]
    with _Told(*columns, console=_console(error=True)) as progress:
        try:
            yield progress
        except Exception:
            if not any(task.completed for task in progress.tasks):
                progress.live.transient = True  # no bar of 0 % above an error
            raise


@contextmanager
def busy(text: str) -> Iterator[None]:
    """A sign of life while something takes long."""
    with _console(error=True).status(text):
        yield


def command(stopped: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator of commands: an error becomes one message and exit code 1, Ctrl-C the text `stopped` and 130.

    With SCENEFIT_DEBUG set, errors keep their traceback.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                with warnings.catch_warnings():
                    warnings.showwarning = lambda message, *_, **__: warn(str(message))
                    function(*args, **kwargs)
            except (typer.Exit, typer.Abort, typer.BadParameter):
                raise
            except KeyboardInterrupt:
                _console(error=True).print(f"\n{stopped}", markup=False, highlight=False, soft_wrap=True)
                raise typer.Exit(STOPPED) from None
            except Exception as error:
                if os.environ.get("SCENEFIT_DEBUG", "") not in ("", "0"):
                    raise
                _console(error=True).print(f"error: {explain(error)}", style="red", markup=False, highlight=False,
                                           soft_wrap=True)
                raise typer.Exit(1) from None

        return run

    return decorate


def explain(error: Exception) -> str:
    """An error in one message. Errors that scenefit did not foresee say so."""
    from scenefit.files.atomic import DiskFull
    from scenefit.renderers import RenderError

    if isinstance(error, DiskFull):
        return str(error.strerror)
    if isinstance(error, RenderError):
        return _unrendered(error)
    if isinstance(error, RenderError | ValueError | OSError | ImportError) or type(error).__module__.startswith(
            "scenefit"):
        return str(error)
    return (f"{type(error).__name__}: {error}\nscenefit did not expect this; SCENEFIT_DEBUG=1 before the command shows "
            "where it comes from")


def _unrendered(error: "RenderError") -> str:
    """Which scene could not be drawn, why, and how to look at it alone."""
    from scenefit.renderers import name_scenes

    place = f"--seed {error.seed} --index {error.indices[0]}" if error.indices else ""
    return (f"{name_scenes(error.seed, error.indices)}: {error.reason}\nscenefit sample SCENE.py {place} draws that "
            "scene alone, as the grammar has it (what a fit learned is not in it)")


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def _console(error: bool = False) -> Console:
    """Made anew each time, for the streams may be replaced."""
    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH)
