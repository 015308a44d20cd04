"""kill -9 at any moment of fit and generate, then the same command: the same bytes as without."""

import functools
import os
import signal
import subprocess
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


@pytest.mark.parametrize("after", [0.05, 0.4, 0.75])  # and those of the next test
def test_a_killed_fit_goes_on_to_the_same_bytes(world, whole, tmp_path, after):
    run = tmp_path / "run"
    assert killed(fit_command(world, run), after, sleep=0.001)
    call(*fit_command(world, run))
    same_run(run, whole)


def test_killed_again_and_again(world, whole, tmp_path):
    run, kills = tmp_path / "run", 0
    while not (run / "model.safetensors").exists():
        kills += killed(fit_command(world, run), 0.2 * 1.2**kills, sleep=0.001)  # longer each time
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
def test_a_killed_generate_goes_on_to_the_same_bytes(whole, tmp_path, form):
    def command(out):
        return ["generate", str(whole), "-n", "130", "--format", form, "--out", str(out)]

    call(*command(tmp_path / "whole"))
    theirs = contents(tmp_path / "whole")
    for files in (1, 40, 100, 131):
        out = tmp_path / f"after {files}"
        assert killed(command(out), lambda out=out, files=files: files <= sum(len(names) for *_, names in os.walk(out)))
        call(*command(out))
        assert contents(out) == theirs


def test_generate_killed_again_and_again(whole, tmp_path):
    kills = 0
    out = tmp_path / "out"
    command = ["generate", str(whole), "-n", "70", "--out", str(out)]
    while not (out / "provenance.json").exists():
        kills += killed(command, 0.1 * 1.2**kills, sleep=0.002)
    assert kills > 1  # the first 64 images take 128 ms at least
    call(*command)
    call("generate", whole, "-n", 70, "--out", tmp_path / "whole")
    assert contents(out) == contents(tmp_path / "whole")


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(world, whole, tmp_path):
    """The real program, with the real signal."""
    run = tmp_path / "run"
    command = [sys.executable, "-m", "scenefit", *fit_command(world, run)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "BLOB_SLEEP": "0.01"})
    deadline = time.monotonic() + 60
    while not (run / "steps.jsonl").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == STOPPED
    assert "Stopped. All but the last second or so is saved; run the same command again to resume." in error
    assert "Traceback" not in error
    assert not (run / "model.safetensors").exists() and not (run / ".scenefit-lock").exists()
    call(*fit_command(world, run))
    same_run(run, whole)


def test_a_finished_run_is_left_alone(world, whole):
    before = {path: path.stat().st_mtime_ns for path in whole.iterdir()}
    assert f"{whole} is finished. Report: {whole / 'report.html'}" in call(*fit_command(world, whole))
    assert {path: path.stat().st_mtime_ns for path in whole.iterdir()} == before
