import json
import shutil

import numpy as np
import pytest
import torch
from blobs import call, fit_command, make
from PIL import Image

import scenefit as sf
from scenefit.evaluation.evaluate import BASELINES, Distances, Evaluation
from scenefit.files.json_files import CorruptFile
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.metrics.mmd import noise_floor
from scenefit.nets.model import Model
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.report import page
from scenefit.run.config import RunError
from scenefit.run.diagnostics import Diagnostics
from scenefit.run.folder import open_run, scene_of, steps
from scenefit.run.report import attributes, counts, notes, report_content, stage_notes
from scenefit.run.results import read_summary, write_evaluation

FEW_PHOTOS = ("Only 40 photos: learning a distribution needs a few hundred, and a noise floor of fewer than 50 is "
              "unreliable.")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    call(*fit_command(make(folder), folder / "run"))
    return open_run(folder / "run")


def test_the_content_of_a_report(run):
    content = report_content(run, scene_of(run)[0], ("look out",))
    summary = read_summary(run.path("summary.json"), run.config.identity)
    assert content.title == "Distribution of scene, learned from 40 photos" and content.verdict == summary.verdict
    assert content.photos.shape == content.prior.shape == content.learned.shape == (24, 16, 16, 3)
    assert len(np.unique(content.photos.reshape(24, -1), axis=0)) > 20, "photos are spread over the folder"
    assert content.prior_distance == summary.prior and content.floor.value == summary.floor.mean
    assert [a.label for a in content.attributes] == ["image.shade", "blob.x"]
    assert [(a.low, a.high) for a in content.attributes] == [(0, 60), (2, 13)]
    assert {point.stage for point in content.trace} == {"mmd-descent", "keep-best", "validate"}
    assert content.notes == ("look out", FEW_PHOTOS) and content.table is None
    assert content.facts["renders"] == f"{summary.renders:,}" and content.facts["seed"] == "0"


def test_kinds_that_no_label_shows_have_no_counts():
    kinds = {"table": {}, "coin": {"x": sf.Uniform(2, 13)}, "crumb": {}}
    model = Model(SceneDistribution(sf.Grammar("table", kinds, [sf.Rule("table", ["coin", "crumb"])])), 0)
    seen = {"coin": np.array([1.0, 2.0]), "crumb": np.zeros(2)}
    told = counts(model, Diagnostics(count_photos=seen, count_renders=seen, count_true=seen))
    assert [one.kind for one in told] == ["coin"] and counts(model, None) == []


@pytest.mark.parametrize("repeats", [1, 2])
def test_the_metric_of_one_training_has_no_interval(run, repeats):
    distances = Distances(mmd2=0.1, kid=0.1, kid_error=0.1, auc=0.5, auc_low=0.4, auc_high=0.6)
    write_evaluation(run.path("evaluation.json"), Evaluation(
        features="run", photos=40, renders=32, floor=noise_floor(torch.rand(20, 2), 0), labelled=12, images=64,
        metric="accuracy", distances=dict.fromkeys(BASELINES, distances),
        metrics={name: {"accuracy": [0.5, 0.75][:repeats]} for name in BASELINES}))
    try:
        content = report_content(run, scene_of(run)[0])
    finally:
        run.path("evaluation.json").unlink()
    found = page.render(content)
    if repeats == 1:
        assert all(np.isnan([row.low, row.high]).all() and row.mean == 0.5 for row in content.table.rows)
        assert "One training on 64 images each, so there is no interval." in found and ">interval<" not in found
    else:
        assert all((row.low, row.mean, row.high) == (0.5, 0.625, 0.75) for row in content.table.rows)
        assert "lowest to highest of 2 trainings on 64 images each." in found and "50.0 to 75.0" in found


def test_a_lost_summary_says_what_to_do(run):
    good = run.path("summary.json").read_bytes()
    run.path("summary.json").unlink()
    with pytest.raises(CorruptFile, match=r"summary\.json cannot be read .*; run scenefit report on the folder with"):
        read_summary(run.path("summary.json"), run.config.identity)
    run.path("summary.json").write_bytes(good)


@pytest.mark.parametrize("name", ["summary.json", "samples.safetensors"])
def test_what_belongs_to_another_run_is_not_told(run, name, tmp_path):
    here = shutil.copytree(run.folder, tmp_path / "run")
    settings = json.loads((here / "settings.json").read_text())
    (here / "settings.json").write_text(json.dumps({**settings, "seed": 9}))
    other = open_run(here)
    if name == "samples.safetensors":
        told = json.loads((here / "summary.json").read_text())
        (here / "summary.json").write_text(json.dumps({**told, "run": other.config.identity}))
    for kept in ("model.safetensors", "features.safetensors"):
        tensors, facts = read_tensors(here / kept, "")
        write_tensors(here / kept, tensors, {**facts, "run": other.config.identity})
    with pytest.raises(RunError, match=rf"{name} belongs to another run than .*; run scenefit report on the folder"):
        report_content(other, scene_of(run)[0])


def test_attributes_that_press_and_rules_are_told():
    grammar = sf.Grammar("a", {"a": {"x": sf.learned(sf.Uniform(0, 2)), "yaw": sf.learned(sf.Angle(0, 5)),
                                     "y": sf.learned(lambda a: sf.Uniform(0, a["x"] + 1))},
                               "b": {"z": sf.learned(sf.Uniform(0, 1))}},
                         [sf.Rule("a", [], learned=True), sf.Rule("a", ["b"], weight=0, learned=True)])
    model = Model(SceneDistribution(grammar))
    with torch.no_grad():
        model.distribution.rules["a/"].copy_(torch.tensor([0.0, -30.0]))
    found = {content.label: content for content in attributes(model, {"a.x": "high"}, 64)}
    assert set(found) == {"a.x", "a.yaw", "a.y", "a.rule"}, "b is never there"
    assert found["a.x"].warning == (
        "a.x is at its upper bound (2): the photos may lie beyond it, so widen the bound if you can.")
    assert found["a.yaw"].circular and found["a.yaw"].low is None and found["a.y"].low is None
    assert set(found["a.rule"].before) == {"a -> []"}


def test_skipped_photos_and_spent_budgets_are_noted(run, monkeypatch):
    skipped = [(f"/x/{name}.jpg", "broken") for name in "abcde"]
    record = run.config.model_copy(update={"real": run.config.real.model_copy(update={"skipped": skipped})})
    lines = steps(run)
    cut = [{**step, "of": 9} if step["stage"] == "mmd-descent" else {**step} for step in lines]
    cut[-1]["number"] = len(cut) + 9  # seven steps of this stage, and three of a stage that never began
    monkeypatch.setattr("scenefit.run.report.steps", lambda _: cut)
    assert notes(type(run)(run.folder, record)) == [
        FEW_PHOTOS, "Skipped 5 of the real photos: a.jpg (broken); b.jpg (broken); c.jpg (broken); and 2 more.",
        "The budget ended the stage mmd-descent after 2 of 9 steps.",
        "The budget left out 3 steps, of stages that it did not begin."]
    monkeypatch.setattr("scenefit.run.report.steps", steps)
    assert stage_notes(lines) == [] == stage_notes([])
    many = run.config.model_copy(update={"real": run.config.real.model_copy(update={"count": 50})})
    assert notes(run) == [FEW_PHOTOS] and notes(type(run)(run.folder, many)) == []


def test_the_summary_counts_what_the_steps_counted(run):
    last = json.loads(run.path("steps.jsonl").read_text().splitlines()[-1])
    summary = read_summary(run.path("summary.json"), run.config.identity)
    assert (summary.renders, summary.trainings, summary.cpu_seconds) == (
        last["renders"], last["trainings"], last["cpu_seconds"])


def test_photos_that_no_render_is_like_are_told(tmp_path):
    """One photo of forty is white, as no scene can be."""
    world = make(tmp_path)
    Image.fromarray(np.full((16, 16, 3), 255, np.uint8)).save(world / "real" / "007.png")
    call(*fit_command(world, tmp_path / "run", "--set", "method.rounds=2"))  # renders of the first are wide
    run = open_run(tmp_path / "run")
    content = report_content(run, scene_of(run)[0])
    assert content.outliers is not None and content.outliers.images[0].min() == 255
    assert content.outliers.captions[0].startswith("outlier score ")
    assert float(content.outliers.captions[0].split()[2]) > 2
    share, _, rest = content.outliers.note.partition(" % of the photos have an outlier score above 1 among the learned")
    assert 2 <= int(share) < 40 and rest.startswith(" renders"), "so small a fit is not exact"


def test_left_out_labels_are_told_as_such(run):
    skipped = [("/x/a.xml", "object 2: is empty"), ("/x/b.jpg", "broken")]
    labelled = run.config.real.model_copy(update={"skipped": skipped})
    record = run.config.model_copy(update={"labelled": labelled})
    assert notes(type(run)(run.folder, record))[1] == (
        "Skipped 2 of the labelled photos or labels: a.xml (object 2: is empty); b.jpg (broken).")
