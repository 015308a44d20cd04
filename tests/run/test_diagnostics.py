"""What a run says of its own predictions: in words, in its report, and after it was interrupted."""

from itertools import islice

import numpy as np
import pytest
import torch
from blobs import QUICK, call, make

import scenefit as sf
from scenefit.cli.options import settings
from scenefit.data.photos import as_photos
from scenefit.files.json_files import CorruptFile
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.renderers.scene_file import load_scene
from scenefit.run.bounds import is_natural
from scenefit.run.config import make_config
from scenefit.run.diagnostics import Diagnostics, diagnostics_of, sentences
from scenefit.run.folder import begin, fit_diagnostics, fit_run, open_run, scene_of
from scenefit.run.report import report_content

SET = [*QUICK, "--set", "method.renders=512", "--set", "regressor.epochs=6"]
LEARNED = sf.Grammar("image", {"image": {"shade": sf.learned(sf.Uniform(0, 60)), "edge": sf.learned(sf.Uniform(0, 1))},
                               "blob": {"x": sf.learned(sf.Uniform(2, 13))}},
                     [sf.Rule("image", [sf.repeat("blob", sf.learned(sf.Integer(0, 3)))])]).learned


class TestSentences:
    def test_name_what_photos_told_nothing_of(self):
        found = Diagnostics(r2={"image.shade": 0.9, "image.edge": 0.04, "image.n_blob": 0.6},
                            inferred={"image.shade": 1, "image.edge": 0}, seen=(48, 64), simulated=(100, 150))
        assert sentences(found, (48, 64), LEARNED) == [
            "Kept their prior, because images of 64 x 48 pixels do not show them (R² on held-out renders under 0.1): "
            "image.edge.",
            "Kept their prior, because too few objects show them in renders or photos, or the fit ended before its "
            "rounds of objects: image.n_blob, blob.x."]
        assert sentences(None, (48, 64), LEARNED) == []
        assert sentences(Diagnostics(inferred={f"{a.kind}.{a.name}": 1 for a in LEARNED}), (48, 64), LEARNED) == []

    def test_say_what_reduced_images_and_renders(self):
        found = Diagnostics(inferred={f"{a.kind}.{a.name}": 1 for a in LEARNED}, seen=(48, 64), simulated=(70, 150))
        size, renders = sentences(found, (96, 128), LEARNED)
        assert size.startswith("The networks saw images reduced from 128 x 96 to 64 x 48 pixels: no object has a label")
        assert renders.startswith("Networks were trained on 70 renders a round instead of 150: ")


def test_a_part_of_another_form_is_named():
    with pytest.raises(ValueError, match="it has colour, which this version of scenefit does not know"):
        diagnostics_of({"colour:": torch.zeros(1), "placed:kinds": torch.zeros(1)})  # that is only for later rounds
    with pytest.raises(ValueError, match="photos and reconstructions differ in number"):
        diagnostics_of({"photos:": torch.zeros(2, 4, 4, 3, dtype=torch.uint8),
                        "reconstructions:": torch.zeros(1, 4, 4, 3, dtype=torch.uint8)})


@pytest.mark.parametrize(("kind", "name", "low", "high", "side", "natural"), [
    ("coin", "edge", 0.1, 2, "low", True), ("coin", "edge", 0.3, 2, "low", False),
    ("coin", "edge", 0, 2, "high", False),
    ("coin", "opacity", 0.2, 1, "high", True), ("coin", "elongation", 1, 2, "low", True),
    ("image", "blur", 0, 3, "low", True), ("image", "lamp", 0, 3, "low", True), ("image", "lamp", 0, 3, "high", False),
    ("image", "lamp", 0, 1, "high", True), ("coin", "x", 0, 64, "low", False)])
def test_natural_bounds(kind, name, low, high, side, natural):
    renderer = sf.Shapes((64, 64), {"coin": {}})
    assert is_natural(renderer, "image", kind, name, low, high, side) == natural


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def run(world):
    text = call("fit", world / "scene.py", "--real", world / "real", "--out", world / "run", "--method", "npe", *SET)
    (world / "said.txt").write_text(text)
    return open_run(world / "run")


def test_a_fit_and_its_report_tell_what_photos_showed(world, run):
    content = report_content(run, scene_of(run)[0])
    shown = content.predicted
    assert [a.label for a in shown] == ["image.shade", "blob.x"] and shown[0].prediction.r2 > 0.5
    for a in shown:
        assert a.prediction.cover90 is None if not a.prediction.inferred else 0 <= a.prediction.cover90 <= 1
    assert len(content.reconstructions.photos) == 8 == len(content.reconstructions.renders)
    said = " ".join((world / "said.txt").read_text().split())
    assert content.untold and all(" ".join(text.split()) in said for text in content.untold)
    assert "renders a round instead of 4,096" in content.untold[-1]
    call("report", run.folder)
    assert report_content(run, scene_of(run)[0]).untold == content.untold


def test_an_interrupted_fit_ends_with_the_same_diagnostics(world, run, monkeypatch):
    monkeypatch.setattr("scenefit.run.folder.EVERY", 0.0)
    scene, photos = load_scene(world / "scene.py"), as_photos(world / "real", (16, 16))
    values = dict(part.split("=") for part in SET[1::2])  # the last value counts, as on the command line
    chosen = settings("npe", {}, [f"{name}={value}" for name, value in values.items()])
    wanted = make_config(scene, 0, chosen, (16, 16), photos, world / "real", None, None, "", None, None, "scene.py")
    other = begin(world / "other", wanted)
    for _ in islice(fit_run(other, scene.grammar, scene.renderer, photos), 1):
        pass
    assert not other.fitted
    for _ in fit_run(other, scene.grammar, scene.renderer, photos):
        pass
    ours, theirs = fit_diagnostics(run), fit_diagnostics(other)
    assert ours.r2 == theirs.r2 and ours.cover90 == theirs.cover90
    assert np.array_equal(ours.reconstructions, theirs.reconstructions)


def test_damaged_diagnostics_name_the_fix(run):
    path = run.path("diagnostics.safetensors")
    tensors, facts = read_tensors(path, "")
    write_tensors(path, {**tensors, "colour:": torch.zeros(1)}, facts)
    with pytest.raises(CorruptFile, match=r"diagnostics.safetensors is damaged: .* colour, .*delete .*run the same"):
        fit_diagnostics(run)
    write_tensors(path, tensors, {**facts, "run": "another"})
    with pytest.raises(CorruptFile, match="belongs to another run"):
        fit_diagnostics(run)
    write_tensors(path, tensors, facts)
