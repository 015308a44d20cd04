"""Output of the commands: results on standard output, the rest on standard error, errors as one message."""

import errno
import functools
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from scenefit.files.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from scenefit.renderers import RenderError

STOPPED = 130  # exit code after Ctrl-C
NO_MEMORY = ("not enough memory", "DefaultCPUAllocator", "out of memory", "could not create a primitive",  # PyTorch's
             "can't start new thread")  # Python's
PLAIN_WIDTH = 120  # of tables, if the output is not a terminal


def say(text: str) -> None:
    """Print a line, never wrapped, so that paths in it can be copied."""
    _print(text)


def note(text: str) -> None:
    """Print a line on standard error, above a progress bar if there is one: what a long command has come to."""
    _print(text, error=True)


def warn(text: str) -> None:
    _print(f"warning: {text}", error=True, style="yellow")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> None:
    """Print a table; the first column is text, the others are numbers."""
    shown = Table()
    for column, name in enumerate(columns):
        shown.add_column(printable(name), justify="right" if column else "left")
    for row in rows:
        shown.add_row(*map(printable, row))
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
def busy(text: str, long: bool = False) -> Iterator[None]:
    """A spinner with a text, for work of unknown length. long: it may take half a minute or more, so a log, which shows
    no spinner, gets the text as a line."""
    console = _console(error=True)
    if long and not console.is_terminal:
        note(text)
    with console.status(text):
        yield


def command(stopped: str, memory: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator of commands: an error prints one message, exit code 1; Ctrl-C prints `stopped`, exit code 130.

    memory: what to reduce where it runs out of memory.  With SCENEFIT_DEBUG set, errors keep their traceback.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                with warnings.catch_warnings():
                    warnings.showwarning = lambda message, *_, **__: warn(str(message))
                    function(*args, **kwargs)
            except typer.BadParameter as error:
                error.message = printable(error.message)
                raise
            except (typer.Exit, typer.Abort):
                raise
            except KeyboardInterrupt:
                _print(f"\n{stopped}", error=True)
                raise typer.Exit(STOPPED) from None
            except Exception as error:
                if os.environ.get("SCENEFIT_DEBUG", "") not in ("", "0"):
                    raise
                _print(f"error: {explain(error, memory)}", error=True, style="red")
                raise typer.Exit(1) from None

        return run

    return decorate


def explain(error: Exception, memory: str = "") -> str:
    """An error as one message. Errors that scenefit does not raise itself are internal errors. memory: as of
    `command`."""
    from scenefit.files.atomic import FULL, DiskFull
    from scenefit.renderers import RenderError

    if ran_out_of_memory(error):
        detail = str(error).strip().partition("\n")[0] or type(error).__name__
        what = f"out of memory ({detail})"
        if isinstance(error, RenderError):
            what = f"{_unrendered(error)}\nout of memory"
        return (f"{what}; {memory or 'use smaller images'}; fewer --workers, or a machine with more memory, "
                "help too")
    if isinstance(error, DiskFull):
        return str(error.strerror)
    if isinstance(error, OSError) and error.errno in FULL:
        place = f" of {error.filename}" if error.filename else ""
        return f"no space left on the disk{place}; make room there and run the same command again"
    if isinstance(error, RenderError):
        return _unrendered(error)
    if isinstance(error, RenderError | ValueError | OSError | ImportError) or type(error).__module__.startswith(
            "scenefit"):
        return _named(error)
    return (f"{type(error).__name__}: {error}\nInternal error; please report it. Set SCENEFIT_DEBUG=1 to see the "
            "traceback.")


def ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether it, or what caused it, is Python's, PyTorch's or the system's error for no memory left."""
    while error is not None:
        text = str(error)
        if (isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
                or (isinstance(error, RuntimeError) and any(part in text for part in NO_MEMORY))):
            return True
        error = error.__cause__
    return False


def _named(error: Exception) -> str:
    """An error's text; those of the system without their number."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        files = [str(file) for file in (error.filename, error.filename2) if file is not None]
        return f"{error.strerror}: {' -> '.join(repr(printable(file)) for file in files)}"
    return str(error)


def _unrendered(error: "RenderError") -> str:
    """The scene that could not be rendered, why, and how to render it alone."""
    from scenefit.renderers import name_scenes

    place = f"--seed {error.seed} --index {error.indices[0]}" if error.indices else ""
    which = "this scene" if len(error.indices) == 1 else "one of these scenes"
    return (f"{name_scenes(error.seed, error.indices)}: {error.reason}\nTo render {which} alone: scenefit "
            f"sample SCENE.py {place} (it samples the prior, not what a fit learned)")


def listing(title: str, lines: Iterable[str]) -> None:
    """A note: a title, and lines indented below it."""
    note("\n".join([title, *(f"  {line}" for line in lines)]))


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def _print(text: str, error: bool = False, style: str | None = None) -> None:
    _console(error).print(printable(text), style=style, markup=False, highlight=False, soft_wrap=True)


def _console(error: bool = False) -> Console:
    """Made anew each time, because the streams may be replaced. Nothing is printed where the stream was closed, by the
    shell (>&-) or by a scene file."""
    stream = sys.stderr if error else sys.stdout
    if stream is None or stream.closed:
        stream = io.StringIO()
    return Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH)
