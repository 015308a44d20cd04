import errno
import json
import os
import pickle
import re
import shutil

import numpy as np
import pytest
import torch
from blobs import SCENE, SMALL, call, contents, fit_command
from checks import same_scenes

import scenefit.run.folder
from scenefit.data.photos import read_photos
from scenefit.files.atomic import DiskFull
from scenefit.files.lock import Busy, lock
from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.inference.settings import Settings, changed
from scenefit.renderers.scene_file import SceneFileError, load_scene
from scenefit.run.config import differences, make_config
from scenefit.run.folder import (
    RunError,
    begin,
    fit_model,
    fit_regressor,
    fit_run,
    open_run,
    scene_of,
    steps,
    version_changes,
)
from scenefit.scenes.grammar.changes import grammar_changes


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.fixture
def broken_off(world, tmp_path):
    """A run folder whose fit was left after two pieces."""
    started(world, tmp_path / "run", 2)
    return tmp_path / "run"


def parts(world, seed=0, **changes):
    scene, real = load_scene(world / "scene.py"), read_photos(world / "real", (16, 16))
    chosen = changed(Settings(), {**SMALL, "descent.steps": 2, **changes})
    return scene, real, make_config(scene, seed, chosen, (16, 16), real, world / "real")


def started(world, folder, count, **changes):
    scene, real, record = parts(world, **changes)
    run = begin(folder, record)
    pieces = fit_run(run, scene.grammar, scene.renderer, real)
    done = [next(pieces) for _ in range(count)]
    pieces.close()
    return run, done


def finish(world, folder):
    scene, real, record = parts(world)
    run = begin(folder, record)
    return list(fit_run(run, scene.grammar, scene.renderer, real))


def test_what_a_finished_run_holds(whole, world):
    assert sorted(path.name for path in whole.iterdir()) == [
        "diagnostics.safetensors", "features.safetensors", "learned.png", "model.safetensors", "photos.png",
        "prior.png", "report.html", "report.png", "samples.safetensors", "settings.json", "steps.jsonl", "summary.json"]
    run = open_run(whole)
    assert run.finished and run.config.seed == 0 and run.config.size == (16, 16)
    assert run.config.real.count == 40 and run.config.labelled is None
    assert run.config.scene.path == str(world / "scene.py")
    assert set(run.config.versions) == {"scenefit", "torch", "numpy", "python", "threads"}
    assert [step["number"] for step in steps(run)] == list(range(len(steps(run))))
    scene, warnings = scene_of(run)
    assert warnings == []
    model = fit_model(run, scene.grammar)
    assert model.seed == 0 and len(model.sample(3)) == 3
    real = read_photos(world / "real", (16, 16))
    regressor, images = fit_regressor(run), torch.rand(2, 3, 16, 16)
    assert regressor.features(images).shape == (2, 32)
    assert torch.allclose(regressor.features(images)[:1], regressor.features(images[:1]),
                          atol=1e-6)  # whatever the batch
    assert run.config.real.hash == make_config(scene, 0, Settings(), (16, 16), real, "").real.hash


def test_distances_are_measured_in_the_very_features_of_the_fit(world, tmp_path):
    scene, real, record = parts(world)
    run = begin(tmp_path / "run", record)
    *_, last = fit_run(run, scene.grammar, scene.renderer, real)
    images = torch.rand(5, 3, 16, 16)
    assert torch.equal(fit_regressor(run).features(images), last.objective.extractor(images))


def test_the_same_command_opens_the_run_and_another_is_refused(world, whole):
    _, real, record = parts(world)
    assert begin(whole, record).config.identity == record.identity
    few = real.take(range(10))
    scene, _, other = parts(world, seed=1, **{"descent.steps": 5})
    five = changed(Settings(), {**SMALL, "descent.steps": 5})
    other = make_config(scene, 1, five, (16, 16), few, "elsewhere", few, "few")
    with pytest.raises(RunError) as caught:
        begin(whole, other)
    text = str(caught.value)
    for part in ("holds a run of another fit. It differs in:\n  seed: 0 -> 1\n  descent.steps: 2 -> 5\n  real "
                 "photos: 40 in ",
                 "labelled photos: none -> 10 in ", "give another folder with --out, or remove this one"):
        assert part in text
    assert "rate" not in text


def test_a_fit_that_ended_before_its_first_step_gives_way_to_another(world, tmp_path):
    _, _, first = parts(world)
    _, _, second = parts(world, seed=1)
    begin(tmp_path / "zq7", first)
    assert begin(tmp_path / "zq7", second).config.seed == 1
    assert open_run(tmp_path / "zq7").config.seed == 1
    (tmp_path / "zq7/steps.jsonl").write_text("")
    with pytest.raises(RunError, match="zq7 holds a run of another fit"):
        begin(tmp_path / "zq7", first)


def test_a_folder_that_holds_something_else_is_left_alone(world, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RunError, match=r"is not empty and not a run folder: it holds thesis\.tex; give another folder"):
        begin(tmp_path, parts(world)[2])
    with pytest.raises(RunError, match=r"is not a run folder: it has no settings\.json; make one with: scenefit fit"):
        open_run(tmp_path)


@pytest.mark.parametrize(("old", "new", "message"), [
    ('"seed": 0', '"seed": -1', r"settings\.json is damaged: seed: .*greater than or equal to 0.*run the same fit"),
    ('"seed": 0', '"seed": 0, "then": "os.system"', r"damaged: then: Extra inputs are not permitted"),
    ('"steps": 2', '"steps": 2.5', r"settings: descent.steps needs a whole number, got 2.5"),
    ('"steps": 2', '"steps": -2', r"settings: descent.steps must be at least 0, got -2"),
    ('"steps": 2', '"leaps": 2', r"or of another version of scenefit .*leaps"),
    ("}", "", r"settings\.json is damaged: .*remove the folder and run the same fit again")])
def test_settings_that_were_tampered_with(copy, old, new, message):
    path = copy / "settings.json"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises((CorruptFile, RunError), match=message):
        open_run(copy)


def test_what_changed_in_a_grammar_is_said():
    old = {"start": "a", "symbols": {"a": {"x": "Uniform(0, 1)", "y": "Normal"}, "c": {}}, "rules": ["a -> b"],
           "order": ["a.x", "a.y"]}
    new = {"start": "b", "symbols": {"a": {"x": "Uniform(0, 2)", "z": "Normal"}, "d": {}}, "rules": ["a -> d"],
           "order": ["a.x", "a.z"]}
    assert grammar_changes(old, new) == [
        "start: a -> b", "a.x: Uniform(0, 1) -> Uniform(0, 2)", "a.y: Normal -> not there", "a.z: not there -> Normal",
        "symbol c: removed", "symbol d: added", "rule removed: a -> b", "rule added: a -> d"]
    assert grammar_changes(old, dict(old)) == []
    assert grammar_changes(old, {**old, "order": ["a.y", "a.x"]}) == ["the order of symbols, attributes or rules"]


def test_another_size_or_labelled_set_is_another_fit(world):
    record = parts(world)[2]
    other = record.model_copy(update={"size": (8, 8)})
    assert differences(record, other) == ["size of the images: (16, 16) -> (8, 8)"]
    assert record.identity != other.identity
    assert record.identity == record.model_copy(update={"command": "x", "versions": {}}).identity


@pytest.fixture
def moved(world, copy, tmp_path):
    """A run with a scene file of its own, to change."""
    path = tmp_path / "scene.py"
    path.write_text(SCENE)
    settings = json.loads((copy / "settings.json").read_text())
    settings["scene"]["path"] = str(path)
    (copy / "settings.json").write_text(json.dumps(settings))
    return open_run(copy), path


def test_a_changed_grammar_is_refused_with_what_changed(moved):
    run, path = moved
    path.write_text(SCENE.replace("sf.Uniform(0, 60)", "sf.Uniform(0, 61)"))
    with pytest.raises(RunError) as caught:
        scene_of(run)
    assert ("It differs in:\n  image.shade: learned Uniform(low=0, high=60) -> learned Uniform(low=0, high=61)\n"
            "undo the change, or fit again into another folder") in str(caught.value)
    other = run.config.model_copy(update={"versions": {"python": "3.9.1"}})
    with pytest.raises(RunError, match=r"made with Python 3\.9\.1 .* compiled code, so the Python version may be"):
        scene_of(scenefit.run.folder.Run(run.folder, other))


def test_a_changed_file_with_the_same_grammar_is_a_warning(moved):
    run, path = moved
    path.write_text(SCENE.replace("0.9", "0.8"))
    assert scene_of(run)[1] == [f"{path}, or what it imports, has changed since {run.folder} was begun; its grammar "
                                "has not, but what it draws may have"]


def test_a_scene_file_that_is_gone_or_lies_in_the_run_folder(moved, world):
    run, path = moved
    path.unlink()
    with pytest.raises(SceneFileError, match=r"scene\.py, the scene file of .*, does not exist; give --scene FILE"):
        scene_of(run)
    assert scene_of(run, world / "scene.py")[1] == []
    inside = run.path("evil.py")
    inside.write_text("raise SystemExit('this ran')")
    record = run.config.model_copy(update={"scene": run.config.scene.model_copy(update={"path": str(inside)})})
    with pytest.raises(RunError, match="no file in a run folder is executed by default: give --scene FILE if you"):
        scene_of(scenefit.run.folder.Run(run.folder, record))


def test_a_run_of_another_format_is_refused_in_one_sentence(whole, tmp_path):
    """As 0.1.0 wrote settings.json before its settings were renamed, and as a later version might."""
    now = json.loads((whole / "settings.json").read_text())
    old = {name: value for name, value in now.items() if name not in ("format", "label_policy")} | {
        "keep": None, "settings": {"warm_start": "infer", "reads": 3, "looks": 6, "rate": 0.02, "steps": 60}}
    for data, text in ((old, "its format is not recorded"), (now | {"format": 2}, "its format is 2")):
        (tmp_path / "settings.json").write_text(json.dumps(data))
        with pytest.raises(RunError, match=text) as caught:
            open_run(tmp_path)
        assert str(caught.value) == (f"{tmp_path} was written by another version of scenefit ({text}, and this version "
                                     "reads format 1); run the fit again into a new folder")


def test_another_version_is_a_warning(whole):
    run = open_run(whole)
    old = run.config.model_copy(update={"versions": {**run.config.versions, "torch": "1.0"}})
    assert version_changes(run) == []
    assert version_changes(scenefit.run.folder.Run(whole, old)) == [
        f"{whole} was begun with torch 1.0, and this is {torch.__version__}: results may differ in their last digits"]


class Boom:
    def __reduce__(self):
        return os.mkdir, ("executed",)


DAMAGE = {
    "cut short": lambda data: data[:len(data) // 2],
    "empty": lambda data: b"",
    "its numbers are not those": lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
    "no file of scenefit": lambda data: pickle.dumps(Boom()),
    "is damaged": lambda data: data.replace(b'\\"check\\"', b'\\"chock\\"')}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_checkpoint_says_how_to_go_on(world, whole, broken_off, monkeypatch, what):
    monkeypatch.chdir(broken_off.parent)
    path = broken_off / "checkpoint.safetensors"
    path.write_bytes(DAMAGE[what](path.read_bytes()))
    with pytest.raises(CorruptFile, match=r"is damaged: .*; delete .*checkpoint\.safetensors and run the same fit "
                                          "command again: it starts over, and its result is the same"):
        finish(world, broken_off)
    assert not (broken_off.parent / "executed").exists()
    path.unlink()  # as it says
    finish(world, broken_off)
    assert contents(broken_off)["model.safetensors"] == contents(whole)["model.safetensors"]


def test_a_checkpoint_of_another_run(world, broken_off, tmp_path):
    started(world, tmp_path / "other", 4, **{"descent.steps": 3})
    shutil.copy(tmp_path / "other" / "checkpoint.safetensors", broken_off)
    with pytest.raises(CorruptFile, match=r"checkpoint\.safetensors belongs to another run than .*settings\.json"):
        finish(world, broken_off)


def test_steps_beyond_the_checkpoint_are_dropped_and_missing_ones_noticed(world, whole, broken_off):
    path = broken_off / "steps.jsonl"
    good = path.read_text()
    path.write_text("".join(good.splitlines(keepends=True)[:-2]))
    with pytest.raises(CorruptFile, match=r"steps\.jsonl lacks steps before the checkpoint; delete"):
        finish(world, broken_off)
    path.write_text("garbage\n" + good)
    with pytest.raises(CorruptFile, match=r"steps\.jsonl, line 1, is damaged: .*; delete .*checkpoint\.safetensors"):
        finish(world, broken_off)
    path.write_text(good.replace('"renders": ', '"renders": "many", "was": ', 1))
    with pytest.raises(CorruptFile, match=r"steps\.jsonl, line 1, is damaged: renders should be int; delete"):
        finish(world, broken_off)
    path.write_text(good + '{"number": 99, "stage": "x"}\n{"num')
    done = finish(world, broken_off)
    assert done[0].number == 1  # the last stage that was done
    assert contents(broken_off)["steps.jsonl"] == contents(whole)["steps.jsonl"]


@pytest.mark.parametrize("name", ["model.safetensors", "features.safetensors"])
def test_damaged_results_say_how_to_go_on(copy, world, name):
    run, grammar = open_run(copy), load_scene(world / "scene.py").grammar
    path = copy / name
    good = path.read_bytes()
    path.write_bytes(good[:-8] + bytes(8))

    def read():
        return fit_model(run, grammar) if name.startswith("model") else fit_regressor(run)

    with pytest.raises(CorruptFile, match=r"delete .*model\.safetensors and run the same fit command again"):
        read()
    path.write_bytes(good)
    tensors, facts = read_tensors(path, "")
    write_tensors(path, {key: value for key, value in tensors.items() if "bias" not in key}, facts)
    with pytest.raises(CorruptFile, match="does not fit"):
        read()


def test_an_unfinished_run_has_no_model(broken_off, world):
    with pytest.raises(RunError, match=r"is not finished \(its last step is mmd-descent 1 of 2\); run the same fit "
                                       "command"):
        fit_model(open_run(broken_off), load_scene(world / "scene.py").grammar)


def test_a_full_disk_loses_nothing(world, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(scenefit.run.folder, "EVERY", 0.0)
    real_sync, left = os.fsync, 5

    def sync(number):
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real_sync(number)

    monkeypatch.setattr(os, "fsync", sync)
    said = call(*fit_command(world, tmp_path / "run"), code=1)
    assert "error: no space left to write" in said and "run the same command again" in said and "Trace" not in said
    monkeypatch.undo()
    call(*fit_command(world, tmp_path / "run"))
    assert contents(tmp_path / "run") == contents(whole)


def test_a_full_disk_while_steps_are_written(tmp_path, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="all up to the last checkpoint is saved; free some space"):
        scenefit.run.folder._append(tmp_path / "steps.jsonl", "{}\n", True)
    with pytest.raises(FileNotFoundError):
        scenefit.run.folder._append(tmp_path / "no" / "steps.jsonl", "{}\n", True)


def test_two_writers_are_kept_apart(world, tmp_path):
    busy = (f"{tmp_path} is being written to by another process (pid {os.getpid()}); wait until it is done, or stop "
            "it")
    with lock(tmp_path):
        with pytest.raises(Busy, match=re.escape(busy)), lock(tmp_path):
            pass
        assert busy in call(*fit_command(world, tmp_path), code=1)
    assert not (tmp_path / ".scenefit-lock").exists()
    with lock(tmp_path):  # free again
        pass


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    pid = os.fork()
    if pid == 0:
        with lock(tmp_path):
            os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert (tmp_path / ".scenefit-lock").read_text() == f"{pid}\n"
    with lock(tmp_path):
        assert (tmp_path / ".scenefit-lock").read_text() == f"{os.getpid()}\n"


def test_tensors_come_back_with_their_facts(tmp_path):
    tensors = {"b": torch.arange(6).reshape(2, 3).T, "a": torch.tensor(float("nan")), "c": torch.zeros(0, 3)}
    write_tensors(tmp_path / "one", tensors, {"what": 1, "why": [None]})
    write_tensors(tmp_path / "two", dict(reversed(tensors.items())), {"why": [None], "what": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found, facts = read_tensors(tmp_path / "one", "")
    assert facts == {"what": 1, "why": [None]} and list(found) == ["a", "b", "c"]
    assert all(np.array_equal(found[name].numpy(), tensors[name].numpy(), equal_nan=True) for name in tensors)
    with pytest.raises(CorruptFile, match=r"gone cannot be read .*; buy another"):
        read_tensors(tmp_path / "gone", "buy another")


def test_a_run_folder_is_loaded_as_a_model_in_python(world, whole, tmp_path):
    grammar = load_scene(world / "scene.py").grammar
    for place in (whole, str(whole), whole / "model.safetensors"):
        model = scenefit.load(place, grammar)
        assert same_scenes(model.sample(50), fit_model(open_run(whole), grammar).sample(50))
    other = scenefit.Grammar("zq7", {"zq7": {"shade": scenefit.learned(scenefit.Uniform(0, 1))}})
    with pytest.raises(ValueError, match=f"the grammar is not the one that {whole} was fitted with. It differs in:\n"
                                         "  start: .* -> zq7\n"):
        scenefit.load(whole, other)
    with pytest.raises(ValueError, match=f"{tmp_path} is not a run folder: it has no settings.json"):
        scenefit.load(tmp_path, other)


@pytest.fixture
def former(copy):
    """A finished run folder as an earlier version left it, with a method that is gone."""
    recorded = json.loads((copy / "settings.json").read_text())
    recorded["settings"]["method"] = {"name": "moment-matching", "rounds": 3, "renders": 512, "refine": True}
    recorded["settings"]["regressor"]["rounds"] = 3
    (copy / "settings.json").write_text(json.dumps(recorded))
    (copy / "diagnostics.safetensors").unlink()
    for name in ("model", "features"):
        tensors, facts = read_tensors(copy / f"{name}.safetensors", "")
        write_tensors(copy / f"{name}.safetensors", tensors, {**facts, "run": open_run(copy).config.identity})
    return copy


def test_a_run_of_a_former_method_still_gives_data_and_reports(former, world, tmp_path):
    call("generate", former, "-n", 4, "--out", tmp_path / "data")
    assert len(list((tmp_path / "data").rglob("*.png"))) == 4
    call("report", former, "--real", world / "real")
    assert json.loads((former / "summary.json").read_text())["run"] == open_run(former).config.identity


def test_a_run_of_a_former_method_does_not_go_on(former, world):
    text = (r"copy was made with the method moment-matching, which this version no longer has\. A finished run can .*; "
            r"to resume this one, install scenefit at commit \w{7}$")
    with pytest.raises(RunError, match=text):
        begin(former, parts(world)[2])
    (former / "model.safetensors").unlink()
    said = " ".join(call("fit", world / "scene.py", "--real", world / "real", "--out", former, code=1).split())
    assert "was made with the method moment-matching, which this version no longer has" in said
    assert "give another folder with --out" in said
    with pytest.raises(RunError, match=text):
        fit_model(open_run(former), load_scene(world / "scene.py").grammar)


def test_settings_without_effect_any_more_are_no_difference(copy, world):
    recorded = json.loads((copy / "settings.json").read_text())
    recorded["settings"]["regressor"]["rounds"] = 3
    (copy / "settings.json").write_text(json.dumps(recorded))
    assert differences(open_run(copy).config, parts(world)[2]) == []
