"""Run folders that were changed, damaged, linked or made read-only: the file and the fix are named."""

import errno
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from blobs import QUICK, SCENE, call, fit_command
from checks import contents

from scenefit.files import lock
from scenefit.files.atomic import content_hash
from scenefit.files.json_files import CorruptFile
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.renderers.scene_file import load_scene
from scenefit.run.folder import RunError, fit_model, open_run, scene_of
from scenefit.run.results import EVALUATE_AGAIN, read_detections, read_evaluation, read_progress, read_samples

FORMS = {"nested too deeply": b"[" * 200_000, "a list, and needs an object": b"[1]"}  # others: test_json_files.py


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy")


@pytest.mark.parametrize(("what", "data"), FORMS.items())
@pytest.mark.parametrize("name", ["settings.json", "summary.json", "evaluation.json", "steps.jsonl"])
def test_damaged_json_is_named_with_its_file_and_the_fix(copy, name, what, data):
    path = copy / name
    path.write_bytes(data + b"\n" + path.read_bytes() if name == "steps.jsonl" else data)
    said = call("report", copy, code=1)
    assert str(path) in said and "is damaged" in said and what in said and "Internal error" not in said
    assert "; " in said and any(fix in said for fix in ("restore it from a copy", "--real DIR", EVALUATE_AGAIN,
                                                        "run the same fit command again"))


@pytest.mark.parametrize(("name", "change", "text"), [
    ("settings.json", {"grammar": {"symbols": []}}, "grammar: needs symbols"),
    ("settings.json", {"grammar": {"symbols": {"image": 3}}}, "grammar: needs symbols"),
    ("settings.json", {"grammar": {"rules": {}}}, "grammar: needs symbols"),
    ("settings.json", {"scene": "zq7"}, "scene: Input should be"), ("settings.json", {"versions": []}, "versions: "),
    ("settings.json", {"settings": {"zq7": 1}}, "there is no setting zq7"),
    ("settings.json", {"settings": {"descent": {"zq7": 1}}}, "there is no setting descent.zq7"),
    ("summary.json", {"at_bound": []}, "at_bound: "), ("summary.json", {"floor": 7}, "floor: ")])
def test_records_of_another_form_are_named(copy, name, change, text):
    path = copy / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    said = call("report", copy, code=1)
    assert f"{path} is damaged" in said and text in said
    assert not any(part in said for part in ("__init__", "object has no attribute", "Internal error"))


@pytest.mark.parametrize("lost", ["photos", "far_by"])
def test_samples_without_a_part(copy, lost):
    path = copy / "samples.safetensors"
    tensors, facts = read_tensors(path, "")
    write_tensors(path, {name: value for name, value in {"far": tensors["photos"], **tensors}.items() if name != lost},
                  facts)
    with pytest.raises(CorruptFile, match=rf"samples\.safetensors is damaged: it has no {lost}; run scenefit report"):
        read_samples(path, facts["run"])


@pytest.mark.parametrize(("name", "form"), [("learned", "learned are float32"), ("prior", r"prior are uint8 \[0\]"),
                                            ("far_by", r"far_by are \[0\], no scores")])
def test_samples_of_another_form(copy, name, form):
    path = copy / "samples.safetensors"
    tensors, facts = read_tensors(path, "")
    far = tensors["photos"].clone()
    tensors = {**tensors, "far": far, "far_by": torch.zeros(len(far)), "far_share": torch.zeros(2)}
    changed = tensors[name].float() if name == "learned" else tensors[name].flatten()[:0]
    write_tensors(path, {**tensors, name: changed}, facts)
    with pytest.raises(CorruptFile, match=rf"samples\.safetensors is damaged: .*{form}.*; run scenefit report"):
        read_samples(path, facts["run"])


@pytest.mark.parametrize(("facts", "text"), [({}, "it has no baselines"), ({"baselines": 3}, "another form"),
                                             ({"baselines": [7]}, "another"), ({"baselines": [{}]}, "has no base")])
def test_detections_of_another_form(tmp_path, facts, text):
    path = tmp_path / "zq7.safetensors"
    write_tensors(path, {}, {"run": "me", **facts})
    with pytest.raises(CorruptFile, match=f"zq7.safetensors is damaged: .*{text}.*; {EVALUATE_AGAIN}"):
        read_detections(path, "me")


def test_an_unfinished_evaluation_of_another_form(tmp_path):
    path, plan = tmp_path / "zq7.safetensors", content_hash(b"{}")
    for facts in ({}, {"predictions": {}, "evaluation": "[" * 200_000}, {"predictions": [], "evaluation": "{}"}):
        write_tensors(path, {}, {"plan": plan, **facts})
        with pytest.raises(CorruptFile, match=r"zq7\.safetensors is damaged: .*; delete it: the evaluation starts"):
            read_progress(path, {})


def test_a_missing_evaluation_is_none_and_a_folder_of_its_name_is_named(tmp_path):
    assert read_evaluation(tmp_path / "zq7.json") is None
    (tmp_path / "zq7.json").mkdir()
    with pytest.raises(CorruptFile, match=r"zq7\.json cannot be read \(Is a directory\); delete it"):
        read_evaluation(tmp_path / "zq7.json")


def test_a_changed_settings_file_is_named_before_any_weights_are_given_up(world, whole, copy):
    path = copy / "settings.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 9'))
    run = open_run(copy)
    with pytest.raises(CorruptFile, match=r"belongs to another run than .*: one of the two was changed, or copied from "
                                          r"another run\. Undo that, .*settings\.json first; only where that cannot be "
                                          r"done, delete .*model\.safetensors"):
        fit_model(run, load_scene(world / "scene.py").grammar)
    before = contents(copy)
    said = call(*fit_command(world, copy), code=1)
    assert (f"{path} was changed: the results beside it are of the fit as given now. It differs in:\n  seed: 9 -> 0\n"
            "undo that change; nothing has to be fitted again") in said and "remove" not in said
    assert contents(copy) == before
    path.write_bytes((whole / "settings.json").read_bytes())  # as it says
    assert "is finished" in call(*fit_command(world, copy))


@pytest.mark.parametrize("how", ["a link in the run", "a folder's link in the run", "by a link to the run",
                                 "with dots", "a link to the run from outside"])
def test_no_scene_file_in_a_run_is_executed_whatever_leads_to_it(copy, tmp_path, monkeypatch, how):
    outside, ran = tmp_path / "outside", tmp_path / "ran"
    outside.mkdir()
    (outside / "zq7.py").write_text(f"open({str(ran)!r}, 'w')\n" + SCENE)
    path = copy / "zq7.py"
    if how == "a folder's link in the run":
        (copy / "folder").symlink_to(outside)
        path = copy / "folder/zq7.py"
    elif how == "a link to the run from outside":
        path.write_bytes((outside / "zq7.py").read_bytes())
        path = outside / "link.py"
        path.symlink_to(copy / "zq7.py")
    else:
        path.symlink_to(outside / "zq7.py")
    if how == "by a link to the run":
        (tmp_path / "other name").symlink_to(copy)
        path = tmp_path / "other name/zq7.py"
    elif how == "with dots":
        path = outside / ".." / "copy" / "zq7.py"
    settings = json.loads((copy / "settings.json").read_text())
    settings["scene"]["path"] = str(path)
    (copy / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(RunError, match=r"names a scene file in the run folder itself.*no file in a run folder is e"):
        scene_of(open_run(copy))
    assert not ran.exists()
    assert scene_of(open_run(copy), path)[0].path == path.resolve() and ran.exists(), "--scene is trusted"


def test_a_finished_run_that_is_read_only_is_finished(world, whole, monkeypatch):
    real_open = os.open

    def refuse(path, flags, *more, **named):
        if str(path).startswith(str(whole)) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real_open(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="cannot be written to"), lock.lock(whole):
        pass
    assert f"{whole} is finished. Report: {whole / 'report.html'}" in call(*fit_command(world, whole))


@pytest.mark.parametrize("command", ["fit", "generate"])
@pytest.mark.parametrize("held", [{".lock": b"zq7"}, {"thesis.tex": b"zq7", ".lock": b"", ".scenefit-lock": b"7\n",
                                                      ".scenefit-12-ab.part": b"half"}])
def test_a_folder_that_is_refused_stays_byte_for_byte(world, whole, tmp_path, command, held):
    out = tmp_path / "zq7"
    out.mkdir()
    for name, data in held.items():
        (out / name).write_bytes(data)
    before = contents(out), out.stat().st_mtime_ns
    said = call(*(fit_command(world, out) if command == "fit" else ("generate", whole, "-n", 2, "--out", out)), code=1)
    assert f"error: {out} is not empty" in said
    assert (contents(out), out.stat().st_mtime_ns) == before


def test_reports_show_paths_as_they_were_typed(world, tmp_path, monkeypatch):
    monkeypatch.chdir(world)
    monkeypatch.setattr(sys, "argv", ["scenefit", "fit", "scene.py", "--real", "real", "--out", "runs/zq7", *QUICK])
    call(*sys.argv[1:], "--steps", 2)
    texts = {name: data for name, data in contents(Path("runs/zq7")).items() if not name.endswith((".png", "tensors"))}
    assert {name for name, data in texts.items() if str(world).encode() in data} == {"settings.json"}
    page = texts["report.html"].decode()
    assert "40 from real" in page and "scene.py (" in page and "scenefit fit scene.py --real real" in page
    assert Path(open_run("runs/zq7").config.scene.path) == world / "scene.py", "recorded for commands from elsewhere"
    record = json.loads(texts["settings.json"])
    for source in (record["scene"], record["real"]):
        del source["given"]  # as runs of before
    Path("runs/zq7/settings.json").write_text(json.dumps(record))
    call("report", "runs/zq7")
    assert str(world) not in Path("runs/zq7/report.html").read_text()


def test_a_fit_in_folders_whose_names_are_not_utf8(world, tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/zq7\xe9"))
    shutil.copytree(world, odd)
    shutil.copy(odd / "real/000.png", os.fsdecode(os.fsencode(odd) + b"/real/caf\xe9.png"))
    (odd / "real/zq8.txt").write_text("")
    command = fit_command(odd, odd / "run")
    assert "zq7\\xe9/run/report.html" in call(*command)
    assert "zq7\\xe9/run is finished" in call(*command)
    assert "zq7\\xe9" in (odd / "run/report.html").read_text("utf-8")
    assert "zq7\\xe9/ds" in call("generate", odd / "run", "-n", 2, "--out", odd / "ds")
