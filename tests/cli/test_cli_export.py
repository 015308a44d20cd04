"""scenefit export of a detector. The file itself: tests/tasks/test_onnx_detector.py."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from blobs import call

import scenefit as sf
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks import onnx_check, onnx_files
from scenefit.tasks.detector_file import TrainedDetector


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A detector that finds boxes."""
    monkeypatch.chdir(tmp_path)
    task = sf.Detect(("a", "b"), backbone=SmallMaps)
    network = task.fresh(0)
    with torch.no_grad():
        network.last.bias[:2].add_(3)
    TrainedDetector(task, network.eval(), (24, 40), 0.25).save("d.safetensors")
    return tmp_path / "d.safetensors"


def said(*command, code=0):
    return " ".join(call("export", *command, code=code).replace("│", " ").split())


def test_a_detector_as_onnx(path):
    text = said(path, "--onnx", "deep/d.onnx")
    assert "deep/d.onnx: detects a, b in images of 24 x 40 pixels; boxes count from a score of 0.25 on" in text
    assert f"Checked with onnxruntime {onnxruntime.__version__}: in 4 test images the same " in text
    outputs = onnxruntime.InferenceSession("deep/d.onnx").run(None, {"images": np.zeros((1, 24, 40, 3), np.uint8)})
    assert [len(values[0]) for values in outputs] == [200, 200, 200]
    assert [one.name for one in Path("deep").iterdir()] == ["d.onnx"]


def test_what_was_not_checked_or_is_needed_is_said(path, monkeypatch):
    replace(sf.load_detector(path), flat_field=np.zeros((24, 40, 3), np.float32)).save(path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    text = said(path, "--onnx", "d.onnx")
    assert "warning: d.onnx was not checked, as onnxruntime is not installed; pip install onnxruntime, and run" in text
    assert ("d.safetensors was trained on flat-field corrected photos, and d.onnx cannot correct any itself; correct "
            "those that it is given with scenefit.remove_flat_field(images, "
            f'scenefit.load_detector("{path}").flat_field)') in text
    assert "Checked" not in text and Path("d.onnx").exists()
    monkeypatch.setitem(sys.modules, "onnx", None)
    text = said(path, "--onnx", "e.onnx", code=1)
    assert 'error: ONNX files need the extra onnx: pip install "scenefit[onnx]"' in text


def test_a_model_that_finds_other_boxes_is_not_written(path, monkeypatch):
    found = onnx_check.OnnxComparison(4, 30, 5, 2, 2.34e-3, 1e-5, "1.2")
    form = onnx_files.ONNX_FILES["detection"]._replace(make=lambda trained: b"model",
                                                       compare=lambda model, trained: found)
    monkeypatch.setattr(onnx_files, "ONNX_FILES", {"detection": form})
    assert (f"error: d.onnx was not written: in 4 test images, onnxruntime 1.2 misses 5 of the 30 boxes that scenefit "
            f"finds with {path}, and finds 2 others; try another") in said(path, "--onnx", "d.onnx", code=1)
    assert not Path("d.onnx").exists()
    found = replace(found, missed=1, others=0)
    assert ("Checked with onnxruntime 1.2: in 4 test images the same 29 boxes as scenefit, with differences of up to "
            "0.0023 pixels and 1e-05 of confidence, and 1 less and 0 more, as rounding decides between boxes that "
            f"overlap (boxes are the same within {onnx_check.LIMITS})") in said(path, "--onnx", "d.onnx")
    guide = Path(__file__).parents[2] / "docs" / "few-labels.md"
    assert f"the same within {onnx_check.LIMITS};" in " ".join(guide.read_text().split())
    assert Path("d.onnx").read_bytes() == b"model"


def test_wrong_usage(path):
    Path("run").mkdir()
    Path("run/settings.json").write_text("{}")
    for words, code, text in (
            ((path,), 2, "d.safetensors is a file, and of a run its folder is exported; a network is exported with "
             f"--onnx, such as --onnx {path.with_suffix('.onnx')}"),
            (("run", "--onnx", "d.onnx"), 2, "--onnx is for networks, and run is the folder of a fit; train a "
             "network with scenefit train run --out network.safetensors, and export that, or leave --onnx out"),
            ((path, "--onnx", "d.onnx", "--out", "d.json", "--scenes", 200), 2, "--out, --scenes: only for runs; a "
             "network is exported with --onnx alone"),
            ((path, "--onnx", path), 2, "--onnx must name a file that ends in .onnx"),
            (("zq7", "--onnx", "d.onnx"), 1, "zq7 is no file; give a network, a .safetensors file that scenefit"),
            (("zq7",), 1, "zq7 is not a run folder")):
        assert text in said(*words, code=code), words
    Path("e.onnx").mkdir()
    assert "e.onnx is a folder; give the name of a file" in said(path, "--onnx", "e.onnx", code=1)
