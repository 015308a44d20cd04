"""experiments/blood without its data: average precision, paired resamples, cells that go on, who may read labels."""

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import scenefit as sf
from experiments.blood import (
    arms,
    convention,
    counting,
    fits,
    measure,
    mistakes,
    picture,
    sizes,
    study,
    summary,
    tables,
    world,
)
from experiments.blood.measure import Figure
from scenefit.data.boxes import Boxes, make_boxes
from scenefit.inference import cma_es as search
from scenefit.inference.settings import Settings
from scenefit.metrics.average_precision import average_precision, best_threshold, matched
from scenefit.nets.centre_network import SmallMaps
from scenefit.nets.model import PriorModel
from scenefit.tasks.detection import ROUNDS

PHOTOS = 12


def boxes(random: np.random.Generator, truth: Boxes | None = None) -> Boxes:
    """True boxes in 12 photos, or detections of some of them with false ones among them; scores have ties."""
    if truth is None:
        corner = random.uniform(0, 80, (90, 2))
        return make_boxes(PHOTOS, random.integers(0, PHOTOS, 90), np.hstack([corner, corner + 12]),
                          np.array(world.CLASSES)[random.choice(3, 90, p=[0.7, 0.2, 0.1])])
    hit = random.random(len(truth)) < 0.7
    box = np.vstack([truth.box[hit] + random.normal(0, 1.5, (hit.sum(), 1)), truth.box[hit] + 30])
    image, name = (np.concatenate([column[hit], column[hit]]) for column in (truth.image, truth.name))
    return make_boxes(PHOTOS, image, box, name, random.random(len(box)).round(2))


@pytest.fixture(scope="module")
def pair() -> tuple[Boxes, Boxes]:
    random = np.random.default_rng(0)
    truth = boxes(random)
    return boxes(random, truth), truth


def test_average_precision_of_resamples_is_cocos(pair: tuple[Boxes, Boxes]) -> None:
    found, truth = pair
    judged = measure.judge(found, truth, world.CLASSES, 0.5)
    lots = measure.resamples(PHOTOS, 3, 6)
    ours = judged.ap50(np.vstack([np.ones(PHOTOS), lots.photos]))
    for weights, row in zip([np.ones(PHOTOS), *lots.photos], ours, strict=True):
        drawn = np.repeat(np.arange(PHOTOS), weights.astype(int))
        theirs = average_precision(found.take(drawn), truth.take(drawn), world.CLASSES)["AP50"]
        # Where equal scores stand next to each other, COCO's order is that of the images; so a hair of room.
        np.testing.assert_allclose(row, [theirs[name] for name in world.CLASSES], atol=0.01)
    assert ours[0] == pytest.approx([average_precision(found, truth, world.CLASSES)["AP50"][n] for n in world.CLASSES])
    assert ours[0].min() > 0.2 and ours[0].max() < 0.95, "the case tells nothing"


def test_a_class_without_truth_has_no_average_precision(pair: tuple[Boxes, Boxes]) -> None:
    found, truth = pair
    judged = measure.judge(found, truth.where(truth.name != "WBC"), world.CLASSES, 0.5)
    assert np.isnan(judged.ap50(np.ones((1, PHOTOS)))[0]).tolist() == [False, True, False]
    nothing = measure.judge(found.where(found.name == "RBC"), truth, world.CLASSES, 0.5)
    assert nothing.ap50(np.ones((1, PHOTOS)))[0, 1:].tolist() == [0.0, 0.0]


def test_counts_are_those_of_the_threshold(pair: tuple[Boxes, Boxes]) -> None:
    found, truth = pair
    threshold = best_threshold(matched(found, truth))
    judged = measure.judge(found, truth, world.CLASSES, threshold)
    assert tuple(judged.counts.sum((0, 1))) == judged.match.counts(threshold)
    photo = found.take([3]), truth.take([3])
    assert tuple(judged.counts[3].sum(0)) == matched(*photo).counts(threshold)


def test_resamples_are_paired() -> None:
    lots = measure.resamples(20, 5, 400)
    assert np.all(lots.photos.sum(1) == 20) and np.allclose(lots.seeds.sum(1), 1)
    assert len({tuple(row) for row in lots.seeds}) > 50, "seeds are drawn too"
    hard = np.random.default_rng(1).normal(0, 1, (5, 20))  # photos and seeds that are hard, for both arms alike
    one, other = (Figure(values.mean(1), lots.of(values @ lots.photos.T / 20)) for values in (hard + 0.1, hard))
    paired = one.minus(other).record()
    assert paired["mean"] == pytest.approx(0.1) and paired["low"] == pytest.approx(0.1)
    alone = one.record()
    assert alone["low"] < alone["mean"] - 0.1 < alone["mean"] + 0.1 < alone["high"]


def test_an_interval_has_the_width_of_photos_and_seeds() -> None:
    lots = measure.resamples(50, 5, 4000)
    random = np.random.default_rng(2)
    photos, seeds = random.normal(0, 1, 50), random.normal(0, 0.3, 5)
    values = seeds[:, None] + photos
    spread = lots.of(values @ lots.photos.T / 50).std()
    assert spread == pytest.approx(np.sqrt(photos.var() / 50 + seeds.var(ddof=1) / 5), rel=0.1)
    two = measure.resamples(1, 2, 4000)
    assert two.of(np.array([[[0.0]], [[1.0]]]) * two.photos.T[:, None])[:, 0].std() == pytest.approx(0.5, rel=0.1)


def test_the_gap_is_a_ratio_of_means() -> None:
    def figure(*values: float) -> Figure:
        return Figure(np.array(values), np.full(10, np.mean(values)))

    own = {arm: {"mAP50": figure(*values), "mistakes": figure(100.0, 200.0)} for arm, values in {
        "wide": (0.5, 0.6), "adapted": (0.7, 0.8), "real+all": (0.9, 0.8)}.items()}
    own["adapted"] |= {"mistakes": figure(60.0, 60.0), summary.BELIEVED: figure(30.0, 60.0)}
    own["wide"][summary.BELIEVED] = figure(50.0, 70.0)
    told = summary.comparisons(own)
    believed = told[f"{summary.BELIEVED} against wide"]
    assert [believed[of]["mean"] for of in ("own", "same")] == pytest.approx([0.3, 0.75])
    assert told["gap closed"]["adapted"]["mean"] == pytest.approx(0.2 / 0.3)
    assert told["adapted minus"]["wide"]["mean"] == pytest.approx(0.2)
    assert told["mistakes against wide"]["adapted"]["mean"] == pytest.approx(0.4)
    met = {one["goal"].split(":")[0].split(" (")[0]: one["met"] for one in summary.goals({"prior 1.6": told}, [1.6])}
    assert met == {"no label": "yes", "false and missed at most half of the wide grammar's": "yes"}
    told["gap closed"]["adapted"] |= {"mean": 0.62, "low": 0.55}
    told["mistakes against wide"]["adapted"] |= {"mean": 0.52}
    again = summary.goals({"prior 1.6": told}, [1.6])
    assert [one["met"] for one in again] == ["on the mean", "no"]
    assert "best ceiling" not in told
    own |= {"wide+all": {"mAP50": figure(0.95, 0.95), "mistakes": figure(1.0, 1.0)}}
    told = summary.comparisons(own)
    assert told["best ceiling"]["arm"] == "wide+all"
    assert told["best ceiling"]["gap closed"]["mean"] == pytest.approx(0.2 / 0.4)
    assert "gap closed for longer" not in told
    own |= {arm: {"mAP50": figure(value, value), "mistakes": figure(1.0, 1.0)}
            for arm, value in zip(summary.ALL_LONGER, (0.6, 0.7, 0.85), strict=True)}
    assert summary.comparisons(own)["gap closed for longer"]["mean"] == pytest.approx(0.4)


def test_a_recall_that_some_seeds_reach_is_told() -> None:
    assert summary.reached([{"0.5": 10, "0.8": None}, {"0.5": 20, "0.8": 90}]) == {
        "0.5": {"mean": 15.0, "seeds": 2, "of": 2}, "0.8": {"mean": 90.0, "seeds": 1, "of": 2}}
    assert tables.told_false({"mean": 15.0, "seeds": 2, "of": 2}) == "15"
    assert tables.told_false({"mean": 90.0, "seeds": 1, "of": 2}) == "90 (1 of 2 seeds)"
    assert tables.told_false({"mean": None, "seeds": 0, "of": 2}) == "never"


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> arms.Cell:
    """A cell whose photos are renders of the naive guess, and whose detector is small."""
    images, labels = arms.rendered(world.naive(5, 6))
    photos = sf.Photos(images, tuple(Path(f"{n}.jpg") for n in range(6)), (), np.full(6, ""), labels)
    monkeypatch.setattr(world, "reported", lambda data, report: photos)
    monkeypatch.setattr(world, "labelled", lambda data, label, report, draw: photos.take([draw, 1]))
    monkeypatch.setattr(arms.Cell, "task", property(lambda own: sf.Detect(
        world.CLASSES, steps=own.steps, augmented_copies=4, batch=2, upscale=0.25, backbone=SmallMaps)))
    return arms.Cell(tmp_path, tmp_path / "cells", 6, 1.0, 0, "naive", "val", Settings(), steps=3)


def test_a_cell_is_made_once(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    first = arms.run(cell)
    assert first["cost"]["renders"] == 6 + 8 and first["cost"]["trainings"] == 1
    assert first["code"] == arms.code() and len(first["code"]) == 32
    network, _ = arms.detector(cell)
    assert network.last.weight.std() > 0
    monkeypatch.setattr(arms, "train", lambda own: pytest.fail("trained again"))
    with monkeypatch.context() as now:
        now.setattr(arms, "detector", lambda own: pytest.fail("looked again"))
        assert arms.run(cell) == first
    (cell.folder / "val.json").unlink()  # stopped after the training: only the finds are made again
    with torch.no_grad():
        assert arms.run(cell) == first


def test_labels_go_on_from_the_arms_own_detector(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    both = arms.run(replace(cell, arm="wide+10"))
    assert both["cost"]["trainings"] == 2 and both["cost"]["renders"] == 14, "what it started from counts too"
    assert (replace(cell, arm="wide").folder / "detector.safetensors").exists()
    alone, longer = (arms.run(replace(cell, arm=arm)) for arm in ("real+10", "real-longer+10"))
    assert alone["cost"]["renders"] == 0 and alone["cost"]["trainings"] == 1
    assert longer["cost"]["renders"] == 0 and longer["cost"]["trainings"] == 2
    first, last = (arms.kept(replace(cell, arm=arm))[0] for arm in ("real+10", "real-longer+10"))
    assert not torch.equal(first["last.weight"], last["last.weight"])


def test_labels_are_gone_on_with_alone(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renders as the other half would hold the detector at their own boxes."""
    tune, given = sf.Detect.fine_tune, []
    monkeypatch.setattr(sf.Detect, "fine_tune", lambda *inputs: (given.append(inputs[2:]), tune(*inputs))[1])
    arms.run(replace(cell, arm="wide+10"))
    few = world.labelled(cell.data, "10", "val", 0)
    [(images, labels, _)] = given
    assert np.array_equal(images, few.images) and few.boxes is not None and len(labels) == len(few.boxes)


def test_relabelled_photos_come_from_the_learned_detector(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms, "sampler", lambda own: world.naive)
    monkeypatch.setattr(arms, "made", lambda own: {"renders": 1000, "trainings": 1, "cpu_seconds": 5.0})
    monkeypatch.setattr(world, "unlabelled", lambda data: world.reported(data, "val"))
    told = arms.run(replace(cell, arm="relabelled", steps=40))
    assert told["cost"]["renders"] == 1014 and told["cost"]["trainings"] == 3


def test_adapted_goes_on_with_photos_and_no_label(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "unlabelled", lambda data: replace(world.reported(data, "val"), boxes=None))
    told = arms.run(replace(cell, arm="wide-adapted"))
    assert told["cost"]["renders"] == 14 and told["cost"]["trainings"] == 1 + ROUNDS
    first, last = (arms.kept(replace(cell, arm=arm))[0] for arm in ("wide", "wide-adapted"))
    assert not torch.equal(first["last.weight"], last["last.weight"])
    longer = arms.run(replace(cell, arm="wide-longer"))
    assert longer["cost"] == {**told["cost"], "cpu_seconds": longer["cost"]["cpu_seconds"]}
    many = arms.run(replace(cell, arm="wide-many"))
    assert many["cost"]["renders"] == 6 * arms.MANY + 8 and many["cost"]["trainings"] == 1
    ten = arms.run(replace(cell, arm="wide-adapted+10"))
    assert ten["cost"]["trainings"] == 2 + ROUNDS


def test_rescaled_finds_are_as_large_as_labels(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector whose boxes are all too small, and more so those of platelets; it is sure of them, but for one."""
    truth = world.reported(cell.data, "val").boxes
    assert truth is not None and {"RBC", "Platelets"} <= set(truth.name)
    small = convention.rescaled(truth, {"RBC": 0.9, "WBC": 1.0, "Platelets": 0.7})
    small = replace(small, score=np.where(np.arange(len(small)) == 3, 0.2, 0.9))
    monkeypatch.setattr(sf.Detect, "predict", lambda own, network, images: small.take(np.arange(len(images)) % 6))
    monkeypatch.setattr(world, "labelled", lambda data, label, report, draw: world.reported(data, report))
    plain, large = (arms.run(replace(cell, arm=arm)) for arm in ("wide", "wide-rescaled"))
    assert not (replace(cell, arm="wide-rescaled").folder / "detector.safetensors").exists(), "it is that of wide"
    assert plain["AP50"]["Platelets"] < 0.9 < large["AP50"]["Platelets"] and plain["cost"] == large["cost"]
    whole = (truth.box[:, :2] > 12).all(1) & (truth.box[:, 2:] < np.array(world.SIZE[::-1]) - 12).all(1)
    found = arms.read_finds(replace(cell, arm="wide-rescaled").folder / "val.safetensors")
    assert found.box[whole] == pytest.approx(truth.box[whole], abs=1.5)
    with pytest.raises(ValueError, match="50 labelled photos cannot be looked at on the report 'few'"):
        arms.run(replace(cell, arm="wide-rescaled", report="few"))


def test_a_cell_that_may_not_read_labels(cell: arms.Cell) -> None:
    for arm, report in (("real+10", "few"), ("wide+25", "rest"), ("real+all", "rest")):
        with pytest.raises(ValueError, match=r"labelled photos cannot be looked at on the report .* take --report val"):
            arms.run(replace(cell, arm=arm, report=report))
    with pytest.raises(ValueError, match=r"an arm with 50 labelled photos cannot be looked at on the report 'rest'"):
        arms.run(replace(cell, arm="rewarded+10", report="rest"))
    world.check_labels("10", "rest")
    world.check_labels("all", "val")


def test_the_cameras_dust_is_taken_out_of_every_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    """... by the photos to match alone, whichever are asked for."""
    seen = []
    monkeypatch.setattr(world, "SIZE", (40, 60))

    def read(data: Path, size: Any, part: str) -> sf.Photos:
        seen.append(part)
        images = np.random.default_rng(len(part)).integers(90, 110, (60, *size, 3)).astype(np.uint8)
        images[:, 20:22, 30:32] //= 2
        return sf.Photos(images, tuple(Path(f"{n}.jpg") for n in range(60)), (), np.full(60, ""), boxes_of_none(60))

    monkeypatch.setattr(sf, "read_boxes", read)
    monkeypatch.setattr(sf, "read_part", read)
    data = Path("made up")
    for photos in (world.unlabelled(data), world.reported(data, "val"), world.reported(data, "few"),
                   world.labelled(data, "10", "val", 1)):
        assert photos.images[:, 20:22, 30:32].mean() > 80 and photos.images.mean() == pytest.approx(99.5, abs=1)
    assert seen == ["match", "match", "val", "few", "few"], "the pattern is made once, from the photos to match"
    shown = np.asarray(Image.open(io.BytesIO(picture.camera(data)))).astype(float)
    dust = [shown[20:22, x:x + 2].mean() for x in (30, 64 + 30, 128 + 30)]
    assert shown.shape == (40, 3 * 60 + 2 * 4, 3) and dust[0] < 60 and dust[1] < 40 and dust[2] > 80


def boxes_of_none(count: int) -> Boxes:
    return make_boxes(count, np.zeros(0, int), np.zeros((0, 4)), np.zeros(0, str))


def test_the_few_are_the_first_or_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_plan_begins_with_what_tells_most(cell: arms.Cell) -> None:
    order = list(study.plan(cell, [1.0, 1.6], 3, study.MAIN))
    assert [(c.prior, c.seed, c.arm) for c in order[:10]] == [(1.0, s, arm) for s in (0, 1) for arm in study.FIRST]
    assert len({c.folder for c in order}) == len(order) == 3 * (14 + 11), "arms of no prior once"
    assert {c.seed for c in order[:50]} == {0, 1}


def test_naive_scenes_decide_all_that_is_learned() -> None:
    tree = world.wide(1.0)
    assert set(world.NAIVE) == {a.name for a in tree.learned}
    table, ends = world.naive(1, 40).tables["image"], world.smear.ranges(1.0)
    for name, (low, high) in world.NAIVE.items():
        assert np.all((table[name] >= low) & (table[name] <= high))
        assert name in world.COUNTS or ends[name][0] <= low < high <= ends[name][1]


def test_swapped_scenes_take_one_half() -> None:
    tree = world.wide(1.0)
    for content in (True, False):
        image = world.swapped(tree, world.naive, content)(2, 30).tables["image"]
        own = world.naive(2, 30).tables["image"]
        for name in ("red_size", "n_white"):
            assert np.array_equal(image[name], own[name]) == content
        for name in ("red_r", "pallor_size"):
            assert np.array_equal(image[name], own[name]) != content


def test_finds_are_kept_as_they_are(pair: tuple[Boxes, Boxes], tmp_path: Path) -> None:
    found = replace(pair[0], box=pair[0].box.astype(np.float32).astype(float),
                    score=pair[0].score.astype(np.float32).astype(float))
    arms.write_finds(tmp_path / "finds.safetensors", found)
    back = arms.read_finds(tmp_path / "finds.safetensors")
    for name in ("image", "box", "score", "name"):
        assert np.array_equal(getattr(back, name), getattr(found, name))


def test_a_fit_of_other_settings_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "fit.json").write_text('{"settings": {"looks": 3}}')
    with pytest.raises(ValueError, match="learned with other settings; remove it"):
        fits.load(fits.Fit(tmp_path, tmp_path, 1.0, 0, Settings(warm_start="look")), "learned")


def test_a_fit_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fits.Fit(tmp_path, tmp_path / "fit", 1.0, 0, Settings(warm_start="look", looks=2))
    plan = [("look", 1), ("look", 2), ("read", 1), ("check", 1)]
    begun: list[int] = []

    def steps(*args: Any, state: Any, stop: int = 3, **more: Any) -> Iterator[Any]:
        begun.append(0 if state is None else int(state["piece"]) + 1)
        for number, (stage, done) in list(enumerate(plan))[begun[-1]:]:
            if number == stop:
                raise KeyboardInterrupt
            told = {"renders": 10 * (number + 1), "trainings": 1, "cpu_seconds": 1.0, "number": number}
            yield SimpleNamespace(
                stage=stage, done=done, record=lambda told=told: told,
                model=SimpleNamespace(state=lambda number=number: {"at": torch.tensor(number)}),
                state={"piece": torch.tensor(number), "reader:weight": torch.tensor(7.0)})

    monkeypatch.setattr(world, "unlabelled", lambda data: None)
    monkeypatch.setattr(sf, "fit_steps", steps)
    with pytest.raises(KeyboardInterrupt):
        fits.learned(fit)
    monkeypatch.setattr(sf, "fit_steps", partial(steps, stop=99))
    assert fits.cost(fit, "learned")["renders"] == 40 and begun == [0, 3]
    assert fits.cost(fit, "look-1")["renders"] == 10 and fits.cost(fit, "reader")["renders"] == 30
    assert [one["number"] for one in fits.record(fit)["trace"]] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="a fit of 2 looks has no distribution 'look-3'; it has learned, random"):
        fits.cost(fit, "look-3")
    assert begun == [0, 3], "a fit that is done is not begun again"


@pytest.fixture(scope="module")
def small_fit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fits.Fit]:
    """A fit of few renders to 8 photos, which are renders of the naive guess."""
    images, labels = arms.rendered(world.naive(5, 8))
    photos = sf.Photos(images, tuple(Path(f"{n}.jpg") for n in range(8)), (), np.full(8, ""), labels)
    settings = Settings(warm_start="look", steps=0, looks=1, look_renders=64, look_objects=False, reader_renders=16,
                        reader_epochs=1, check_renders=8, batch=64)
    with pytest.MonkeyPatch.context() as now:
        now.setattr(world, "unlabelled", lambda data: replace(photos, boxes=None))
        now.setattr(world, "labelled", lambda data, label, report, draw: photos)
        yield fits.Fit(Path("data"), tmp_path_factory.mktemp("fit"), 1.0, 0, settings)


@pytest.mark.parametrize("name", fits.SEARCHES)
def test_a_search_draws_no_fewer_than_the_whole_fit(small_fit: fits.Fit, monkeypatch: pytest.MonkeyPatch,
                                                    name: str) -> None:
    """Of its own: what the reader's training took comes on top."""
    for module in (fits, search):
        monkeypatch.setattr(module, "IMAGES", 8)
    read, whole, drawn = fits.cost(small_fit, "reader"), fits.cost(small_fit, "learned"), []
    render = sf.Shapes.__call__
    monkeypatch.setattr(sf.Shapes, "__call__", lambda own, scenes: (drawn.append(len(scenes)), render(own, scenes))[1])
    spent = fits.cost(small_fit, name)
    assert sum(drawn) >= whole["renders"] > read["renders"] > 0
    assert spent["renders"] == read["renders"] + sum(drawn) and spent["trainings"] == read["trainings"]


def test_the_distances_that_arms_end_at(small_fit: fits.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that changes nothing stands at the prior's."""
    for module in (fits, search):
        monkeypatch.setattr(module, "IMAGES", 8)
    told = summary.distances([SimpleNamespace(arm=arm, fit=small_fit) for arm in ("wide", "learned", *fits.SEARCHES)])
    assert set(told) == {"wide", "learned", "random", "cma", "photos"} and told["random"] <= told["wide"]
    assert told["photos"] < told["wide"]
    assert told["learned"] == fits.record(small_fit)["trace"][-1]["distance"]
    assert told["wide"] == fits.facts_of(small_fit, "random")["trace"][0]


def test_the_learned_distribution_goes_on(small_fit: fits.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a fit with these settings would have from its beginning; stopped, it goes on from its last step."""
    monkeypatch.setattr(fits, "REFINED", {"matched": {"steps": 1}, "rewarded": {"task_steps": 1, "task_renders": 8}})
    monkeypatch.setattr(fits, "REWARDING", sf.Detect(world.CLASSES, steps=8, augmented_copies=4, batch=2, upscale=0.25,
                                                     backbone=SmallMaps))
    for name, more in (("matched", {}), ("rewarded", {"labelled": world.labelled(Path(), "10", "val", 0),
                                                      "task": fits.REWARDING, "label_policy": world.KEEP})):
        *_, whole = sf.fit_steps(world.wide(1.0), world.renderer, world.unlabelled(Path()), seed=0,
                                 settings=replace(small_fit.settings, **fits.REFINED[name]), **more)
        steps = sf.fit_steps

        def stopped(*given: Any, steps: Any = steps, **more: Any) -> Iterator[sf.Step]:
            for number, step in enumerate(steps(*given, **more)):
                if number == 1:
                    raise KeyboardInterrupt
                yield step

        monkeypatch.setattr(sf, "fit_steps", stopped)
        with pytest.raises(KeyboardInterrupt):
            fits.load(small_fit, name)
        monkeypatch.setattr(sf, "fit_steps", steps)
        ours, theirs = fits.load(small_fit, name).state(), whole.model.state()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
        before = fits.load(small_fit, "learned").state()
        moved = any(not torch.equal(ours[key], value) for key, value in before.items())
        assert moved or name == "matched", "a step that leads away from the photos is not kept"
        assert fits.cost(small_fit, name)["renders"] == whole.renders


def test_a_policy_learns_the_counts_on(small_fit: fits.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "POLICY", fits.StructureSettings((64,), epochs=1, samples=2, steps=2))
    model = fits.load(small_fit, fits.STRUCTURED)
    assert model.structure is not None and fits.load(small_fit, "learned").structure is None
    spent, before = (fits.cost(small_fit, name) for name in (fits.STRUCTURED, "learned"))
    assert [spent[name] - before[name] for name in ("renders", "trainings")] == [64, 1]
    ours, theirs = (fits.load(small_fit, name).sample(4, 0).tables["image"] for name in (fits.STRUCTURED, "learned"))
    assert np.array_equal(ours["red"], theirs["red"]), "what is no count stays as it was learned"


def test_recounted_scenes_differ_in_one_count_alone() -> None:
    tree = world.wide(1.0)
    learned: world.Sampler = lambda seed, count: tree.sample(seed, count)  # noqa: E731
    ours, theirs = world.recounted(tree, learned, "n_platelet", np.array([0, 3]))(7, 50), learned(7, 50)
    a, b = (scenes.tables["image"] for scenes in (ours, theirs))
    assert set(np.asarray(a["n_platelet"]).tolist()) == {0, 3}
    assert all(np.array_equal(a[name], b[name]) for name in world.of_images(tree) if name != "n_platelet")
    assert len(ours.tables["platelet"]["x"]) == np.asarray(a["n_platelet"]).sum()


def test_scenes_with_the_platelets_of_labels(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Learned ones, for its detector and for what goes on from that; they read labels, which a report may forbid."""
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
        with pytest.raises(ValueError, match="50 labelled photos cannot be looked at on the report 'few'"):
            arms.run(replace(cell, arm=arm, report="few"))


def test_counts_are_compared(pair: tuple[Boxes, Boxes]) -> None:
    true = world.count(pair[1])
    assert true.sum() == len(pair[1]) and true[:, 0].sum() == (pair[1].name == "RBC").sum()
    told = counting.compared(true, {"wide, scenes": true[::-1] + 2, "learned, read": true - 1})
    assert told["wide, scenes"]["RBC"]["wasserstein"] == pytest.approx(2)
    assert "error" not in told["wide, scenes"]["RBC"], "scenes are of no photo"
    assert told["learned, read"]["WBC"]["error"] == -1 and told["learned, read"]["WBC"]["absolute error"] == 1


def test_counts_stand_beside_a_guess_of_the_labels_mean(monkeypatch: pytest.MonkeyPatch, cell: arms.Cell) -> None:
    true = np.array([[1, 0, 0], [5, 0, 2]])
    monkeypatch.setattr(counting, "labelled", lambda data: true)
    more = counting.compared(true, {"structured, scenes": true})
    told = summary.counted([[counting.compared(true, {})] * 2, [more]], cell)["counts"]
    assert list(told) == ["labels", "structured, scenes"]
    assert [told["labels"][name]["absolute error"] for name in world.CLASSES] == [2, 0, 1]
    assert "| labels | 3.0 ± 2.0, off by 2.0 | 0.0 ± 0.0, off by 0.0 | 1.0 ± 1.0, off by 1.0 |" in tables.counts(told)
    assert summary.counted([[], []], cell) == {}


def test_the_kinds_of_mistakes() -> None:
    """Ten by ten boxes; each find is named after why it is false."""
    def boxes(*rows: tuple[int, int, int, str, float]) -> Boxes:
        image, x, y, name, score = (np.array(column) for column in zip(*rows, strict=True))
        return make_boxes(2, image, np.stack([x, y, x + 10, y + 10], 1).astype(float), name, score.astype(float))

    truth = boxes((0, 50, 50, "RBC", 1), (0, 90, 50, "WBC", 1), (1, 50, 50, "RBC", 1))
    found = boxes((0, 51, 50, "RBC", 0.9), (0, 56, 50, "RBC", 0.8), (0, 52, 50, "RBC", 0.7),  # true, off, another's
                  (0, 0, 100, "RBC", 0.9), (0, 200, 100, "Platelets", 0.9), (0, 204, 100, "RBC", 0.5),
                  (1, 90, 50, "WBC", 0.9))
    told = mistakes.kinds(found, truth)
    assert told["RBC"] == {"box off": 2, "at the border": 1, "on another find": 1, "alone": 0, "missed": 1}
    assert told["WBC"] == {"box off": 0, "at the border": 0, "on another find": 0, "alone": 1, "missed": 1}
    assert told["Platelets"] == {"box off": 0, "at the border": 0, "on another find": 0, "alone": 1, "missed": 0}
    text = "\n".join(tables.mistakes({"wide": told, "adapted": told}))
    assert "| RBC, box off | 2 | 2 |" in text and "| all | 8 | 8 |" in text
    assert tables.mistakes({}) == []


def test_sizes_of_boxes(cell: arms.Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what gets a label in the arms' own renders; a grammar of smaller sizes has smaller ones."""
    samplers = {"naive": lambda own: world.naive, "wide": lambda own: world.wide(own.prior).sample}
    monkeypatch.setattr(world, "with_boxes", lambda data, part: world.reported(data, part))
    monkeypatch.setattr(arms, "sampler", lambda own: samplers[own.arm](own))
    large, small = (sizes.sizes([replace(cell, prior=prior)], ("naive", "wide")) for prior in (1.0, 0.5))
    labels = world.reported(cell.data, "val").boxes
    assert labels is not None and large["labels"]["RBC"]["mean"] == sizes.side(labels, "RBC") > 10
    assert large["naive"] == small["naive"] and large["naive"]["RBC"]["mean"] == pytest.approx(20, abs=4)
    assert 0 < small["wide"]["RBC"]["mean"] < large["wide"]["RBC"]["mean"]
    assert "| naive grammar | " in tables.sizes(large)[3] and tables.sizes({}) == []


def test_the_label_curve_is_shown_where_a_prior_has_one() -> None:
    """Photos alone have it once for all priors."""
    one = {"mAP50": {"mean": 0.5, "low": 0.25, "high": 0.75}, "mAP": 0.125}
    few = {"wide": one, "wide+10": one, "real+25": one, "real+all": one}
    assert tables.curve(few) == []
    lines = tables.curve({**few, "wide+all": one})
    value = "50.0 (25.0 to 75.0); 12.5"
    assert lines[2] == f"| wide | {value} | {value} |  |  |  | {value} |"
    assert lines[4] == f"| labels alone |  |  | {value} |  |  | {value} |"


def test_tables_go_between_their_marks() -> None:
    text = f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n"
    assert tables.put_into(text, "new\n") == f"before\n{tables.BEGIN}\nnew\n{tables.END}\nafter\n"
    assert tables.BEGIN in (study.HERE / "README.md").read_text()
    with pytest.raises(ValueError, match="the tables go between them"):
        tables.put_into("nothing", "new")


def test_the_verdict_names_the_best_control_and_is_as_sure_as_the_intervals() -> None:
    part: dict[str, Any] = {
        "arms": {arm: {"mAP50": {"mean": mean}}
                 for arm, mean in {"wide": 0.4, "wide-longer": 0.5, "adapted": 0.7}.items()},
        "adapted minus": {"wide": {"low": 0.2}, "wide-longer": {"low": 0.1}},
        "mistakes against wide": {"adapted": {"mean": 0.6}}}
    told = picture.verdict(part)
    assert "is better than every control: mean AP50 70.0, where the wide grammar has 40.0" in told and "60 %" in told
    assert told.endswith("The best control: wide grammar, trained on renders alone for as long, 50.0.")
    part["adapted minus"]["wide-longer"]["low"] = -0.1
    assert "is not clearly better than every control" in picture.verdict(part)
    del part["adapted minus"]["wide-longer"]
    assert picture.verdict(part).endswith("of the wide grammar's.")
