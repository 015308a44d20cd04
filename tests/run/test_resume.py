"""kill -9 at any moment of fit and generate, then the same command: the same bytes as without."""

import functools
import os
import runpy
import signal
import sys
import time

import pytest
from blobs import call, contents, fit_command, killed
from typer.testing import CliRunner

import scenefit.files.tensors
import scenefit.report
import scenefit.run.folder
import scenefit.run.report
from scenefit.cli import app
from scenefit.cli.console import STOPPED


@pytest.fixture(autouse=True)
def every_piece(monkeypatch):
    """Checkpoints after each piece, so that kills land between and inside of them."""
    monkeypatch.setattr(scenefit.run.folder, "EVERY", 0.0)


def test_a_fit_killed_again_and_again_goes_on_to_the_same_bytes(world, whole, tmp_path):
    run, kills = tmp_path / "run", 0
    while not (run / "model.safetensors").exists():
        kills += killed(fit_command(world, run), 0.05 * 1.4**kills, sleep=0.001)  # longer each time
    assert kills > 2
    call(*fit_command(world, run))
    same_run(run, whole)


def test_stopped_before_any_file(world, whole, tmp_path, monkeypatch):
    """Every write of a run folder may be the one that does not happen any more: the first one of the first try, the
    second one of the second, and so on."""
    run, left = tmp_path / "run", 0

    def dying(original, *arguments):
        nonlocal left
        left -= 1
        if left <= 0:
            raise KeyboardInterrupt
        return original(*arguments)

    for owner, name in ((scenefit.files.tensors, "write_bytes"), (scenefit.run.folder, "write_json"),
                        (scenefit.run.folder, "write_text"), (scenefit.run.report, "write_json"), (scenefit.report,
                                                                                                   "write")):
        monkeypatch.setattr(owner, name, functools.partial(dying, getattr(owner, name)))
    for tries in range(1, 20):
        left = tries
        result = CliRunner().invoke(app, fit_command(world, run))
        if result.exit_code == 0:
            break
        assert result.exit_code == STOPPED, result.output
    assert result.exit_code == 0 and tries > 5
    same_run(run, whole)


def same_run(ours, theirs):
    ours, theirs = contents(ours), contents(theirs)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


@pytest.mark.parametrize("form", ["coco", "folder"])
def test_a_generate_killed_again_and_again_goes_on_to_the_same_bytes(whole, tmp_path, form):
    """After the first file, in each part of 64 images, and once all images are there."""
    command, out = ["generate", whole, "-n", "130", "--format", form, "--out"], tmp_path / "out"
    for files in (1, 40, 100, 131):
        assert killed([*command, out], lambda files=files: files <= sum(len(names) for *_, names in os.walk(out)))
    for place in (out, tmp_path / "whole"):
        call(*command, place)
    assert contents(out) == contents(tmp_path / "whole")


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(world, whole, tmp_path):
    """`python -m scenefit` in a forked process, with the real signal."""
    run, said = tmp_path / "run", tmp_path / "said.txt"
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job would ignore
        os.environ["BLOB_SLEEP"] = "0.01"
        sys.stdout = sys.stderr = said.open("w")
        sys.argv = ["scenefit", *fit_command(world, run)]
        code = 1
        try:
            runpy.run_module("scenefit", run_name="__main__")
        except SystemExit as end:
            code = end.code
        finally:
            sys.stderr.close()
            os._exit(code)
    deadline = time.monotonic() + 60
    while not (run / "steps.jsonl").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(pid, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == STOPPED
    error = said.read_text()
    assert "Stopped. All but the last second or so is saved; run the same command again to resume." in error
    assert "Traceback" not in error
    assert not (run / "model.safetensors").exists() and not (run / ".scenefit-lock").exists()
    call(*fit_command(world, run))
    same_run(run, whole)


def test_a_finished_run_is_left_alone(world, whole):
    before = {path: path.stat().st_mtime_ns for path in whole.iterdir()}
    assert f"{whole} is finished. Report: {whole / 'report.html'}" in call(*fit_command(world, whole))
    assert {path: path.stat().st_mtime_ns for path in whole.iterdir()} == before
