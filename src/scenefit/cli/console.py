"""Output of the commands: results on standard output, the rest on standard error, errors as one message."""

import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from rich.progress import Progress

    from scenefit.renderers import RenderError

STOPPED = 130  # exit code after Ctrl-C
PLAIN_WIDTH = 120  # of tables, if the output is not a terminal


def say(text: str) -> None:
    """Print a line, never wrapped, so that paths in it can be copied."""
    _console().print(text, markup=False, highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    _console(error=True).print(f"warning: {text}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """Print a table; the first column is text, the others are numbers."""
    shown = Table()
    for column, name in enumerate(columns):
        shown.add_column(name, justify="right" if column else "left")
    for row in rows:
        shown.add_row(*row)
    say(title)  # not the table's own title and caption, which are broken at its width
    _console().print(shown, markup=False)
    if note:
        say(note)


@contextmanager
def bar(fields: Sequence[str] = ()) -> Iterator["Progress"]:
    """A progress bar on standard error, with the time left, followed by the fields."""
    from scenefit.report import progress  # imports numpy, which --help does not need

    with progress.bar(_console(error=True), fields) as shown:
        yield shown


@contextmanager
def busy(text: str) -> Iterator[None]:
    """A spinner with a text, for work of unknown length."""
    with _console(error=True).status(text):
        yield


def command(stopped: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator of commands: an error prints one message, exit code 1; Ctrl-C prints `stopped`, exit code 130.

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
    """An error as one message. Errors that scenefit does not raise itself are internal errors."""
    from scenefit.files.atomic import DiskFull
    from scenefit.renderers import RenderError

    if isinstance(error, DiskFull):
        return str(error.strerror)
    if isinstance(error, RenderError):
        return _unrendered(error)
    if isinstance(error, RenderError | ValueError | OSError | ImportError) or type(error).__module__.startswith(
            "scenefit"):
        return str(error)
    return (f"{type(error).__name__}: {error}\nInternal error; please report it. Set SCENEFIT_DEBUG=1 to see the "
            "traceback.")


def _unrendered(error: "RenderError") -> str:
    """The scene that could not be rendered, why, and how to render it alone."""
    from scenefit.renderers import name_scenes

    place = f"--seed {error.seed} --index {error.indices[0]}" if error.indices else ""
    return (f"{name_scenes(error.seed, error.indices)}: {error.reason}\nTo render this scene alone: scenefit "
            f"sample SCENE.py {place} (it samples the prior, not what a fit learned)")


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def _console(error: bool = False) -> Console:
    """Made anew each time, because the streams may be replaced."""
    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH)
