"""experiments/blood without its data: cells, which arms may read labels, and the scenes and photos of cells."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import scenefit as sf
from experiments.blood import arms, box_sizes, fits, picture, rescaling, study, tables, world
from scenefit.data.boxes import Boxes, make_boxes
from scenefit.inference.settings import Settings
from scenefit.nets.centre_network import SmallMaps
from scenefit.nets.model import PriorModel
from scenefit.tasks.detection import ROUNDS


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> arms.Cell:
    """A cell whose photos are renders of the naive grammar, and whose detector is small."""
    images, labels = arms.rendered(world.naive(5, 6))
    photos = sf.Photos(images, tuple(Path(f"{n}.jpg") for n in range(6)), (), np.full(6, ""), labels)
    monkeypatch.setattr(world, "reported", lambda data, report: photos)
    monkeypatch.setattr(world, "labelled", lambda data, label, report, draw: photos.take([draw, 1]))
    monkeypatch.setattr(arms.Cell, "task", property(lambda own: sf.Detect(
        world.CLASSES, steps=own.steps, augmented_copies=4, batch=2, upscale=0.25, backbone=SmallMaps)))
    return arms.Cell(tmp_path, tmp_path / "cells", 6, 1.0, 0, "naive", "val", Settings(), steps=3)


def test_a_cell_is_computed_once(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    first = arms.run(cell)
    assert first["cost"]["renders"] == 6 + 8 and first["cost"]["trainings"] == 1
    assert first["code"] == arms.code() and len(first["code"]) == 32
    network, _ = arms.detector(cell)
    assert network.last.weight.std() > 0
    monkeypatch.setattr(arms, "train", lambda own: pytest.fail("trained again"))
    with monkeypatch.context() as now:
        now.setattr(arms, "detector", lambda own: pytest.fail("loaded again"))
        assert arms.run(cell) == first
    (cell.folder / "val.json").unlink()  # interrupted after the training: only the predictions are computed again
    with torch.no_grad():
        assert arms.run(cell) == first


def test_fine_tuning_starts_from_the_arms_own_detector(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    both = arms.run(replace(cell, arm="wide+10"))
    assert both["cost"]["trainings"] == 2 and both["cost"]["renders"] == 14, "the start is part of the cost"
    assert (replace(cell, arm="wide").folder / "detector.safetensors").exists()
    alone, longer = (arms.run(replace(cell, arm=arm)) for arm in ("real+10", "real-longer+10"))
    assert alone["cost"]["renders"] == 0 and alone["cost"]["trainings"] == 1
    assert longer["cost"]["renders"] == 0 and longer["cost"]["trainings"] == 2
    first, last = (arms.kept(replace(cell, arm=arm))[0] for arm in ("real+10", "real-longer+10"))
    assert not torch.equal(first["last.weight"], last["last.weight"])


def test_fine_tuning_uses_labelled_photos_alone(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders in the batches would keep the detector at their box convention."""
    fine_tune, given = sf.Detect.fine_tune, []
    monkeypatch.setattr(sf.Detect, "fine_tune", lambda *inputs: (given.append(inputs[2:]), fine_tune(*inputs))[1])
    arms.run(replace(cell, arm="wide+10"))
    few = world.labelled(cell.data, "10", "val", 0)
    [(images, labels, _)] = given
    assert np.array_equal(images, few.images) and few.boxes is not None and len(labels) == len(few.boxes)


def test_relabelled_photos_have_the_learned_detectors_labels(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "sampler", lambda own: world.naive)
    monkeypatch.setattr(arms, "cost_of_distribution", lambda own: {"renders": 1000, "trainings": 1, "cpu_seconds": 5.0})
    monkeypatch.setattr(world, "unlabelled", lambda data: world.reported(data, "val"))
    result = arms.run(replace(cell, arm="relabelled", steps=40))
    assert result["cost"]["renders"] == 1014 and result["cost"]["trainings"] == 3


def test_self_training_uses_photos_and_no_label(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "unlabelled", lambda data: replace(world.reported(data, "val"), boxes=None))
    adapted = arms.run(replace(cell, arm="wide-adapted"))
    assert adapted["cost"]["renders"] == 14 and adapted["cost"]["trainings"] == 1 + ROUNDS
    first, last = (arms.kept(replace(cell, arm=arm))[0] for arm in ("wide", "wide-adapted"))
    assert not torch.equal(first["last.weight"], last["last.weight"])
    longer = arms.run(replace(cell, arm="wide-longer"))
    assert longer["cost"] == {**adapted["cost"], "cpu_seconds": longer["cost"]["cpu_seconds"]}
    many = arms.run(replace(cell, arm="wide-many"))
    assert many["cost"]["renders"] == 6 * arms.MANY + 8 and many["cost"]["trainings"] == 1
    ten = arms.run(replace(cell, arm="wide-adapted+10"))
    assert ten["cost"]["trainings"] == 2 + ROUNDS


def test_rescaled_boxes_are_as_large_as_labels(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector whose boxes are too small, above all those of platelets, and confident except for one."""
    truth = world.reported(cell.data, "val").boxes
    assert truth is not None and {"RBC", "Platelets"} <= set(truth.name)
    small = rescaling.rescaled(truth, {"RBC": 0.9, "WBC": 1.0, "Platelets": 0.7})
    small = replace(small, score=np.where(np.arange(len(small)) == 3, 0.2, 0.9))
    monkeypatch.setattr(sf.Detect, "predict", lambda own, network, images: small.take(np.arange(len(images)) % 6))
    monkeypatch.setattr(world, "labelled", lambda data, label, report, draw: world.reported(data, report))
    plain, large = (arms.run(replace(cell, arm=arm)) for arm in ("wide", "wide-rescaled"))
    assert not (replace(cell, arm="wide-rescaled").folder / "detector.safetensors").exists(), "it uses that of wide"
    assert plain["AP50"]["Platelets"] < 0.9 < large["AP50"]["Platelets"] and plain["cost"] == large["cost"]
    whole = (truth.box[:, :2] > 12).all(1) & (truth.box[:, 2:] < np.array(world.SIZE[::-1]) - 12).all(1)
    found = arms.read_predictions(replace(cell, arm="wide-rescaled").folder / "val.safetensors")
    assert found.box[whole] == pytest.approx(truth.box[whole], abs=1.5)
    with pytest.raises(ValueError, match="50 labelled photos cannot be evaluated with --report few"):
        arms.run(replace(cell, arm="wide-rescaled", report="few"))


def test_a_cell_that_may_not_read_labels(cell: arms.Cell) -> None:
    for arm, report in (("real+10", "few"), ("wide+25", "rest"), ("real+all", "rest")):
        with pytest.raises(ValueError, match=r"labelled photos cannot be evaluated with --report .*; use --report val"):
            arms.run(replace(cell, arm=arm, report=report))
    with pytest.raises(ValueError, match=r"an arm with 50 labelled photos cannot be evaluated with --report rest"):
        arms.run(replace(cell, arm="rewarded+10", report="rest"))
    world.check_labels("10", "rest")
    world.check_labels("all", "val")


def test_the_cameras_dust_is_removed_from_every_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pattern is estimated from the matched photos alone."""
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
    for photos in (world.unlabelled(data), world.reported(data, "val"), world.reported(data, "few"),
                   world.labelled(data, "10", "val", 1)):
        assert photos.images[:, 20:22, 30:32].mean() > 80 and photos.images.mean() == pytest.approx(99.5, abs=1)
    assert seen == ["match", "match", "val", "few", "few"], "the pattern is estimated once, from the matched photos"
    shown = np.asarray(Image.open(io.BytesIO(picture.camera(data)))).astype(float)
    dust = [shown[20:22, x:x + 2].mean() for x in (30, 64 + 30, 128 + 30)]
    assert shown.shape == (40, 3 * 60 + 2 * 4, 3) and dust[0] < 60 and dust[1] < 40 and dust[2] > 80


def no_boxes(count: int) -> Boxes:
    return make_boxes(count, np.zeros(0, int), np.zeros((0, 4)), np.zeros(0, str))


def test_labelled_photos_are_the_first_or_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(data: Path, size: Any, part: str) -> sf.Photos:
        start, count = {"few": (0, 50), "match": (100, 155)}[part]
        names = [f"{start + n}" for n in range(count)]
        labels = make_boxes(count, range(count), np.tile([0, 0, 9, 9], (count, 1)), ["RBC"] * count)
        return sf.Photos(np.zeros((count, 2, 2, 3), np.uint8), tuple(map(Path, names)), (), np.full(count, ""), labels)

    monkeypatch.setattr(sf, "read_boxes", read)
    monkeypatch.setattr(world, "pattern", lambda data: np.zeros((2, 2, 3), np.float32))

    def names(label: str, draw: int, report: str = "val") -> list[int]:
        photos = world.labelled(Path(), label, report, draw)
        assert photos.boxes is not None and photos.boxes.image.tolist() == list(range(len(photos)))
        return [int(str(path)) for path in photos.paths]

    assert names("10", 0) == list(range(10)) == names("10", 3, "rest")
    assert names("10", 1) != names("10", 2) and set(names("10", 1)) <= set(range(50))
    assert names("25", 1)[:10] == names("10", 1)
    assert names("100", 0) == [*range(50), *range(100, 150)] and len(set(names("all", 2))) == 205


def test_the_plan_starts_with_the_most_informative_cells(cell: arms.Cell) -> None:
    order = list(study.plan(cell, [1.0, 1.6], 3, study.MAIN))
    assert [(c.prior, c.seed, c.arm) for c in order[:10]] == [(1.0, s, arm) for s in (0, 1) for arm in study.FIRST]
    assert len({c.folder for c in order}) == len(order) == 3 * (14 + 11), "arms without a prior are computed once"
    assert {c.seed for c in order[:50]} == {0, 1}


def test_naive_scenes_set_every_learned_attribute() -> None:
    tree = world.wide(1.0)
    assert set(world.NAIVE) == {a.name for a in tree.learned}
    table, ends = world.naive(1, 40).tables["image"], world.smear.ranges(1.0)
    for name, (low, high) in world.NAIVE.items():
        assert np.all((table[name] >= low) & (table[name] <= high))
        assert name in world.COUNTS or ends[name][0] <= low < high <= ends[name][1]


def test_swapped_scenes_take_one_half_of_the_attributes() -> None:
    tree = world.wide(1.0)
    for content in (True, False):
        image = world.swapped(tree, world.naive, content)(2, 30).tables["image"]
        own = world.naive(2, 30).tables["image"]
        for name in ("red_size", "n_white"):
            assert np.array_equal(image[name], own[name]) == content
        for name in ("red_r", "pallor_size"):
            assert np.array_equal(image[name], own[name]) != content


def test_recounted_scenes_differ_in_one_count_only() -> None:
    tree = world.wide(1.0)
    learned: world.Sampler = lambda seed, count: tree.sample(seed, count)  # noqa: E731
    ours, theirs = world.recounted(tree, learned, "n_platelet", np.array([0, 3]))(7, 50), learned(7, 50)
    a, b = (scenes.tables["image"] for scenes in (ours, theirs))
    assert set(np.asarray(a["n_platelet"]).tolist()) == {0, 3}
    assert all(np.array_equal(a[name], b[name]) for name in world.image_attributes(tree) if name != "n_platelet")
    assert len(ours.tables["platelet"]["x"]) == np.asarray(a["n_platelet"]).sum()


def test_recounted_scenes_have_the_platelet_counts_of_labels(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """This reads labels, which a report may forbid."""
    monkeypatch.setattr(fits, "load", lambda fit, name: PriorModel(world.wide(1.0), len(name)))
    few = world.labelled(cell.data, "50", "val", 0).boxes
    assert few is not None
    true = world.count(few)[:, world.CLASSES.index("Platelets")]
    for arm in arms.RECOUNTED:
        drawn = arms.sampler(replace(cell, arm=arm))(3, 64).tables["image"]
        assert set(np.asarray(drawn["n_platelet"]).tolist()) == set(true.tolist()), arm
        assert len(set(np.asarray(drawn["n_red"]).tolist())) > 10
    monkeypatch.undo()
    for arm in arms.RECOUNTED:
        with pytest.raises(ValueError, match="50 labelled photos cannot be evaluated with --report few"):
            arms.run(replace(cell, arm=arm, report="few"))


def test_sizes_of_boxes(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes of labelled objects in the renders of each arm; a grammar with smaller sizes has smaller boxes."""
    monkeypatch.setattr(box_sizes, "SCENES", 32)
    samplers = {"naive": lambda own: world.naive, "wide": lambda own: world.wide(own.prior).sample}
    monkeypatch.setattr(world, "with_boxes", lambda data, part: world.reported(data, part))
    monkeypatch.setattr(arms, "sampler", lambda own: samplers[own.arm](own))
    large, small = (box_sizes.box_sizes([replace(cell, prior=prior)], ("naive", "wide")) for prior in (1.0, 0.5))
    labels = world.reported(cell.data, "val").boxes
    assert labels is not None and large["labels"]["RBC"]["mean"] == box_sizes.median_side(labels, "RBC") > 10
    assert large["naive"] == small["naive"] and large["naive"]["RBC"]["mean"] == pytest.approx(20, abs=4)
    assert 0 < small["wide"]["RBC"]["mean"] < large["wide"]["RBC"]["mean"]
    assert "| naive grammar | " in tables.box_sizes(large)[3] and tables.box_sizes({}) == []
