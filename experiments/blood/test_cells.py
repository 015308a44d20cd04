"""experiments/blood without its data: arms and their defaults, the plan, scenes and photos of cells."""

import inspect
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import scenefit as sf
from experiments.blood import arms, few_labels, fits, study, world
from scenefit.cli.fit import fit as fit_command
from scenefit.cli.options import settings
from scenefit.cli.train import CANDIDATES, IMAGES
from scenefit.cli.train import train as train_command
from scenefit.data.boxes import Boxes, make_boxes
from scenefit.nets.augmentation import Augment
from scenefit.nets.model import PriorModel
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks.training.dense_prediction import ROUNDS
from scenefit.tasks.training.network_file import BACKBONES
from scenes import smear

SMALL = sf.Detect(world.CLASSES, steps=3, augmented_copies=4, batch=2, upscale=0.25, backbone=SmallMaps)


def test_arms_have_the_defaults_of_the_commands() -> None:
    train, fit = (inspect.signature(inspect.unwrap(command)).parameters for command in (train_command, fit_command))
    assert {name: train[name].default for name in ("n", "label_policy", "flat_field", "labelled_only", "select",
                                                   "read_policy")} == {
        "n": None, "label_policy": None, "flat_field": None, "labelled_only": None, "select": True, "read_policy": True}
    task = sf.Detect(world.CLASSES, steps=train["steps"].default, backbone=BACKBONES[train["backbone"].default],
                     train_backbone=train["train_backbone"].default, augment=Augment(
                         vertical_flip=train["vertical_flip"].default, corruptions=train["corruptions"].default))
    for name, arm in arms.ARMS.items():
        assert name in arms.OTHER_SETTINGS or (arm.task, arm.images, arm.setting) == (task, IMAGES, world.DEFAULT), name
        assert name == "former" or (arm.task, arm.images) == (task, IMAGES), name
    assert world.Setting(True, smear.renderer, sf.LabelPolicy()) == world.DEFAULT
    assert smear.renderer.solid == sf.Shapes(smear.SIZE, {"cell": {}}).solid
    options = {"max_renders": fit["max_renders"].default, "minutes": fit["minutes"].default,
               "descent.gradient": fit["gradient"].default, "descent.steps": fit["steps"].default}
    assert fits.SETTINGS["learned"] == fits.SETTINGS["uncorrected"] == settings(fit["method"].default, options, [])
    paper = settings("meta-sim", options, [])
    assert replace(fits.SETTINGS["meta-sim"], regressor=paper.regressor, descent=paper.descent) == paper
    assert fit["flat_field"].default is None and fit["label_policy"].default is None


@pytest.fixture
def photos() -> sf.Photos:
    """Renders of the naive grammar."""
    images, labels = arms.rendered(lambda rows: world.naive(5, rows), world.DEFAULT, np.arange(6))
    return sf.Photos(images, tuple(Path(f"{n}.jpg") for n in range(6)), (), np.full(6, ""), labels)


@pytest.fixture
def small(photos: sf.Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arms with a small detector and 16 renders; fits are the prior."""
    monkeypatch.setattr(arms, "ARMS", {name: replace(arm, task=SMALL, images=16) for name, arm in arms.ARMS.items()})
    monkeypatch.setattr(few_labels, "IMAGES", 16)
    monkeypatch.setattr(arms, "TASK", SMALL)
    monkeypatch.setattr(fits, "load", lambda fit: PriorModel(world.wide(fit.prior), fit.seed))
    monkeypatch.setattr(fits, "record", lambda fit: {"renders": 1000, "trainings": 5, "cpu_seconds": 100.0})
    monkeypatch.setattr(world, "unlabelled", lambda data, setting=None: replace(photos, boxes=None))
    monkeypatch.setattr(world, "labelled", lambda data, count, draw, setting=None: photos.take([0, 1, 2, 3]))


@pytest.mark.usefixtures("small")
def test_arms_count_their_renders_and_trainings(photos: sf.Photos, tmp_path: Path) -> None:
    def run(name: str) -> dict[str, arms.Detections]:
        return arms.detections(tmp_path, tmp_path, name, 1.0, 0, photos)

    costs = {name: run(name)[name].cost for name in ("wide", "learned", "learned, self-training", "learned, longer")}
    assert costs["wide"]["renders"] == 18 and costs["wide"]["trainings"] == 1
    assert costs["learned"]["renders"] == 1018 and costs["learned"]["trainings"] == 6
    assert [costs[f"learned, {then}"]["trainings"] for then in ("self-training", "longer")] == [6 + ROUNDS] * 2
    alone = run("all labels")
    assert [(one.cost["renders"], one.cost["trainings"]) for one in alone.values()] == [(0, 1), (0, 2)]
    assert list(alone) == ["all labels", "all labels, longer"]
    assert set(arms.NO_PRIOR) >= {"naive", "all labels", "10 labels"} and "wide" not in arms.NO_PRIOR


@pytest.mark.usefixtures("small")
def test_few_labels_read_select_and_tune(photos: sf.Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = sf.LabelPolicy(margin=0.1)
    monkeypatch.setattr(sf, "fit_label_policy", lambda *given: SimpleNamespace(policy=read, lines=lambda: ["wider"]))
    policies, weights, rendered, predict = set(), set(), arms.rendered, type(SMALL).predict

    def renders(sample: Any, setting: world.Setting, rows: Any) -> Any:
        policies.add(setting.policy)
        return rendered(sample, setting, rows)

    def predicted(own: Any, network: Any, images: Any) -> Boxes:
        weights.add(float(network.last.weight.detach().sum()))
        return predict(own, network, images)

    monkeypatch.setattr(arms, "rendered", renders)
    monkeypatch.setattr(type(SMALL), "predict", predicted)
    found, more = few_labels.detections(tmp_path, tmp_path, 1.0, 0, photos)
    assert policies == {read}, "all training sets have the policy that was read"
    assert set(found) == {few_labels.tuned(few_labels.SELECTED), *(name(one) for one in CANDIDATES
                                                 for name in (few_labels.tuned, few_labels.untuned))}
    chosen = more["selection"]["chosen"]
    assert found[few_labels.tuned(few_labels.SELECTED)] is found[few_labels.tuned(chosen)]
    assert more["label policy"]["margin"] == 0.1 and more["read"] == ["wider"]
    assert len(weights) >= 2, "the detector, which is the same for all sets here, and fine-tuned"


def test_an_arm_that_trains_on_the_photos_is_refused(tmp_path: Path) -> None:
    for arm in ("10 labels", *few_labels.CELLS, "meta-sim-task"):
        with pytest.raises(ValueError, match=f"{arm} trains on photos of few.txt"):
            study.run(study.Cell(arm, 1.0, 0), tmp_path, tmp_path, "few")


def test_the_plan_starts_with_the_most_informative_cells() -> None:
    names = [*study.MAIN, *study.ONCE]
    order = list(study.plan(names, (1.0, 1.6), range(3)))
    assert [(cell.prior, cell.arm) for cell in order[:2]] == [(1.0, "wide"), (1.0, "learned")]
    assert {cell.seed for cell in order[:2 * len(names)]} == {0, 1}
    assert len({cell.name for cell in order}) == len(order), "arms that do not depend on the prior are computed once"
    assert {cell.arm for cell in order if cell.prior == 1.6} == {"wide", "learned", "shrunk", "few labels"}
    assert {*study.MAIN, *study.ONCE} == {*arms.ARMS, *few_labels.CELLS}


def test_the_cameras_pattern_is_removed_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found in the matched photos alone."""
    seen = []
    monkeypatch.setattr(world, "SIZE", (40, 60))

    def read(data: Path, size: Any, part: str) -> sf.Photos:
        seen.append(part)
        images = np.random.default_rng(len(part)).integers(90, 110, (60, *size, 3)).astype(np.uint8)
        images[:, 20:22, 30:32] //= 2
        return sf.Photos(images, tuple(Path(f"{n}.jpg") for n in range(60)), (), np.full(60, ""), no_boxes(60))

    monkeypatch.setattr(sf, "read_boxes", read)
    monkeypatch.setattr(sf, "read_part", read)
    data = Path("made up")
    for read_with in (world.unlabelled, lambda *given: world.with_boxes(data, "val", *given[1:]),
                      lambda *given: world.labelled(data, 10, 1, *given[1:])):
        assert read_with(data).images[:, 20:22, 30:32].mean() > 80
        assert read_with(data, world.Setting(clean=False)).images[:, 20:22, 30:32].mean() < 60
    assert seen == ["match", "match", "match", "val", "val", "few", "few"], "the pattern is estimated once"


def no_boxes(count: int) -> Boxes:
    return make_boxes(count, np.zeros(0, int), np.zeros((0, 4)), np.zeros(0, str))


def test_labelled_photos_are_the_first_or_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(data: Path, size: Any, part: str) -> sf.Photos:
        start, count = {"few": (0, 50), "match": (100, 155)}[part]
        names = [f"{start + n}" for n in range(count)]
        labels = make_boxes(count, range(count), np.tile([0, 0, 9, 9], (count, 1)), ["RBC"] * count)
        return sf.Photos(np.zeros((count, 2, 2, 3), np.uint8), tuple(map(Path, names)), (), np.full(count, ""), labels)

    monkeypatch.setattr(sf, "read_boxes", read)
    monkeypatch.setattr(world, "pattern", lambda data: None)

    def names(count: int, draw: int) -> list[int]:
        photos = world.labelled(Path(), count, draw)
        assert photos.boxes is not None and photos.boxes.image.tolist() == list(range(len(photos)))
        return [int(str(path)) for path in photos.paths]

    assert names(10, 0) == list(range(10))
    assert names(10, 1) != names(10, 2) and set(names(10, 1)) <= set(range(50))
    assert names(25, 1)[:10] == names(10, 1) and len(set(names(world.ALL, 2))) == 205
    with pytest.raises(ValueError, match="at most 50, or all 205, got 100"):
        names(100, 0)


def test_naive_scenes_set_every_learned_attribute() -> None:
    tree = world.wide(1.0)
    assert set(world.NAIVE) == {a.name for a in tree.learned}
    table, ends = world.naive(1, 40).tables["image"], world.smear.ranges(1.0)
    for name, (low, high) in world.NAIVE.items():
        assert np.all((table[name] >= low) & (table[name] <= high))
        assert name in world.COUNTS or ends[name][0] <= low < high <= ends[name][1]
