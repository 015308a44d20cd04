"""How errors and names are printed."""

import errno
import io
import os

import pytest
import typer
from typer.testing import CliRunner

from scenefit.cli import console, options
from scenefit.renderers import RenderError

ODD = os.fsdecode(b"zq7\xe9")


def caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("error", [
    MemoryError("zq7"), OSError(errno.ENOMEM, "zq7"), RuntimeError("can't start new thread zq7"),
    RuntimeError("could not create a primitive zq7"), RuntimeError("CUDA out of memory. zq7\nmore"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: zq7"),
    RuntimeError("[enforce fail] . DefaultCPUAllocator: not enough memory: you tried to allocate zq7 bytes"),
    caused(ValueError("zq7"), MemoryError())])
def test_out_of_memory_says_what_to_reduce(error):
    said = console.explain(error, "lower -n")
    assert said.startswith("out of memory (") and "zq7" in said and "more\n" not in said
    assert said.endswith("); lower -n; fewer --workers, or a machine with more memory, help too")
    assert not console.ran_out_of_memory(RuntimeError("zq7")) and not console.ran_out_of_memory(OSError(2, "zq7"))


def test_out_of_memory_in_a_renderer_names_the_scene():
    said = console.explain(caused(RenderError("renderer raised MemoryError: zq7", 3, [5]), MemoryError("zq7")))
    assert "scene 5 of seed 3: renderer raised MemoryError: zq7" in said and "\nout of memory; use smaller" in said


def test_errors_of_the_system_are_told_without_their_number():
    assert console.explain(OSError(errno.ENOSPC, "no", "zq7")) == (
        "no space left on the disk of zq7; make room there and run the same command again")
    assert console.explain(PermissionError(errno.EACCES, "Permission denied", ODD)) == (
        "Permission denied: 'zq7\\\\xe9'")


@pytest.mark.parametrize(("raised", "code", "text"), [
    (ValueError(f"{ODD} is no folder"), 1, "error: zq7\\xe9 is no folder"),
    (typer.BadParameter(f"{ODD} is no folder"), 2, "zq7\\xe9 is no folder")])
def test_names_that_are_not_utf8_are_printed(raised, code, text):
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    @console.command("Stopped.")
    def _() -> None:
        console.say(f"said {ODD}")
        console.warn(f"warned {ODD}")
        console.table(ODD, [ODD], [[ODD]], ODD)
        raise raised

    result = CliRunner().invoke(app, [])
    assert result.exit_code == code and text in result.output
    assert "said zq7\\xe9\nwarning: warned zq7\\xe9\nzq7\\xe9\n" in result.output


def test_a_command_is_recorded_as_a_shell_reads_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/usr/bin/scenefit", "fit", "a b", f"it's {ODD}"])
    assert options.command_line() == r"scenefit fit 'a b' $'it\'s zq7\xe9'"


def test_nothing_is_printed_where_the_streams_were_closed(monkeypatch):
    """As by >&- in a shell, which leaves no stream, or by a scene file."""
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setattr("sys.stderr", stream)
        console.say("zq7")
        console.warn("zq7")
        console.table("zq7", ["zq7"], [["zq7"]])
        with console.bar() as bar, console.busy("zq7"):
            bar.add_task("zq7", total=1)
