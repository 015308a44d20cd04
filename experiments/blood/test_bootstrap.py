"""experiments/blood without its data: average precision, paired resamples, counts, types of errors, tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.blood import arms, bootstrap, counting, error_types, picture, study, summary, tables, world
from experiments.blood.bootstrap import Figure
from scenefit.data.boxes import Boxes, make_boxes
from scenefit.inference.settings import Settings
from scenefit.metrics.average_precision import average_precision, best_threshold, match_boxes

PHOTOS = 12


def boxes(random: np.random.Generator, truth: Boxes | None = None) -> Boxes:
    """Labels in 12 photos or, given the labels, detections of some of them and false ones; scores have ties."""
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
    evaluated = bootstrap.evaluate(found, truth, world.CLASSES, 0.5)
    samples = bootstrap.resamples(PHOTOS, 3, 6)
    ours = evaluated.ap50(np.vstack([np.ones(PHOTOS), samples.photos]))
    for weights, row in zip([np.ones(PHOTOS), *samples.photos], ours, strict=True):
        drawn = np.repeat(np.arange(PHOTOS), weights.astype(int))
        theirs = average_precision(found.take(drawn), truth.take(drawn), world.CLASSES)["AP50"]
        # COCO orders equal scores by image, so there is a small tolerance.
        np.testing.assert_allclose(row, [theirs[name] for name in world.CLASSES], atol=0.01)
    assert ours[0] == pytest.approx([average_precision(found, truth, world.CLASSES)["AP50"][n] for n in world.CLASSES])
    assert ours[0].min() > 0.2 and ours[0].max() < 0.95, "the case is trivial"


def test_a_class_without_truth_has_no_average_precision(pair: tuple[Boxes, Boxes]) -> None:
    found, truth = pair
    evaluated = bootstrap.evaluate(found, truth.where(truth.name != "WBC"), world.CLASSES, 0.5)
    assert np.isnan(evaluated.ap50(np.ones((1, PHOTOS)))[0]).tolist() == [False, True, False]
    nothing = bootstrap.evaluate(found.where(found.name == "RBC"), truth, world.CLASSES, 0.5)
    assert nothing.ap50(np.ones((1, PHOTOS)))[0, 1:].tolist() == [0.0, 0.0]


def test_counts_are_those_of_the_threshold(pair: tuple[Boxes, Boxes]) -> None:
    found, truth = pair
    threshold = best_threshold(match_boxes(found, truth))
    evaluated = bootstrap.evaluate(found, truth, world.CLASSES, threshold)
    assert tuple(evaluated.counts.sum((0, 1))) == evaluated.match.counts(threshold)
    photo = found.take([3]), truth.take([3])
    assert tuple(evaluated.counts[3].sum(0)) == match_boxes(*photo).counts(threshold)


def test_resamples_are_paired() -> None:
    samples = bootstrap.resamples(20, 5, 400)
    assert np.all(samples.photos.sum(1) == 20) and np.allclose(samples.seeds.sum(1), 1)
    assert len({tuple(row) for row in samples.seeds}) > 50, "seeds are drawn too"
    hard = np.random.default_rng(1).normal(0, 1, (5, 20))  # difficulty of photos and seeds, shared by both arms
    one, other = (Figure(values.mean(1), samples.mean(values @ samples.photos.T / 20))
                  for values in (hard + 0.1, hard))
    paired = one.minus(other).record()
    assert paired["mean"] == pytest.approx(0.1) and paired["low"] == pytest.approx(0.1)
    alone = one.record()
    assert alone["low"] < alone["mean"] - 0.1 < alone["mean"] + 0.1 < alone["high"]


def test_an_interval_has_the_width_of_photos_and_seeds() -> None:
    samples = bootstrap.resamples(50, 5, 4000)
    random = np.random.default_rng(2)
    photos, seeds = random.normal(0, 1, 50), random.normal(0, 0.3, 5)
    values = seeds[:, None] + photos
    spread = samples.mean(values @ samples.photos.T / 50).std()
    assert spread == pytest.approx(np.sqrt(photos.var() / 50 + seeds.var(ddof=1) / 5), rel=0.1)
    two = bootstrap.resamples(1, 2, 4000)
    assert two.mean(np.array([[[0.0]], [[1.0]]]) * two.photos.T[:, None])[:, 0].std() == pytest.approx(0.5, rel=0.1)


def test_the_gap_is_a_ratio_of_means() -> None:
    def figure(*values: float) -> Figure:
        return Figure(np.array(values), np.full(10, np.mean(values)))

    own = {arm: {"mAP50": figure(*values), "mistakes": figure(100.0, 200.0)} for arm, values in {
        "wide": (0.5, 0.6), "adapted": (0.7, 0.8), "real+all": (0.9, 0.8)}.items()}
    own["adapted"] |= {"mistakes": figure(60.0, 60.0), summary.SELF_TRAINING_ERRORS: figure(30.0, 60.0)}
    own["wide"][summary.SELF_TRAINING_ERRORS] = figure(50.0, 70.0)
    result = summary.comparisons(own)
    errors = result[f"{summary.SELF_TRAINING_ERRORS} against wide"]
    assert [errors[of]["mean"] for of in ("own", "same")] == pytest.approx([0.3, 0.75])
    assert result["gap closed"]["adapted"]["mean"] == pytest.approx(0.2 / 0.3)
    assert result["adapted minus"]["wide"]["mean"] == pytest.approx(0.2)
    assert result["mistakes against wide"]["adapted"]["mean"] == pytest.approx(0.4)
    met = {one["goal"].split(" (")[0]: one["met"] for one in summary.goals({"prior 1.6": result}, [1.6])}
    assert met == {"without labels: closes at least 60 % of the gap": "yes",
                   "false and missed detections: at most half of the wide grammar's": "yes"}
    result["gap closed"]["adapted"] |= {"mean": 0.62, "low": 0.55}
    result["mistakes against wide"]["adapted"] |= {"mean": 0.52}
    again = summary.goals({"prior 1.6": result}, [1.6])
    assert [one["met"] for one in again] == ["on the mean", "no"]
    assert "best ceiling" not in result
    own |= {"wide+all": {"mAP50": figure(0.95, 0.95), "mistakes": figure(1.0, 1.0)}}
    result = summary.comparisons(own)
    assert result["best ceiling"]["arm"] == "wide+all"
    assert result["best ceiling"]["gap closed"]["mean"] == pytest.approx(0.2 / 0.4)
    assert "gap closed for longer" not in result
    own |= {arm: {"mAP50": figure(value, value), "mistakes": figure(1.0, 1.0)}
            for arm, value in zip(summary.ALL_LONGER, (0.6, 0.7, 0.85), strict=True)}
    assert summary.comparisons(own)["gap closed for longer"]["mean"] == pytest.approx(0.4)


def test_false_detections_at_a_recall_count_the_seeds_that_reach_it() -> None:
    assert summary.false_at_recall([{"0.5": 10, "0.8": None}, {"0.5": 20, "0.8": 90}]) == {
        "0.5": {"mean": 15.0, "seeds": 2, "of": 2}, "0.8": {"mean": 90.0, "seeds": 1, "of": 2}}
    assert tables.false_text({"mean": 15.0, "seeds": 2, "of": 2}) == "15"
    assert tables.false_text({"mean": 90.0, "seeds": 1, "of": 2}) == "90 (1 of 2 seeds)"
    assert tables.false_text({"mean": None, "seeds": 0, "of": 2}) == "not reached"


def test_predictions_are_written_without_loss(pair: tuple[Boxes, Boxes], tmp_path: Path) -> None:
    found = replace(pair[0], box=pair[0].box.astype(np.float32).astype(float),
                    score=pair[0].score.astype(np.float32).astype(float))
    arms.write_predictions(tmp_path / "val.safetensors", found)
    back = arms.read_predictions(tmp_path / "val.safetensors")
    for name in ("image", "box", "score", "name"):
        assert np.array_equal(getattr(back, name), getattr(found, name))


def test_counts_are_compared(pair: tuple[Boxes, Boxes]) -> None:
    true = world.count(pair[1])
    assert true.sum() == len(pair[1]) and true[:, 0].sum() == (pair[1].name == "RBC").sum()
    result = counting.compared(true, {"wide, scenes": true[::-1] + 2, "learned, read": true - 1})
    assert result["wide, scenes"]["RBC"]["wasserstein"] == pytest.approx(2)
    assert "error" not in result["wide, scenes"]["RBC"], "scenes belong to no photo"
    assert result["learned, read"]["WBC"]["error"] == -1 and result["learned, read"]["WBC"]["absolute error"] == 1


def test_counts_are_compared_with_a_constant_prediction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = arms.Cell(tmp_path, tmp_path, 6, 1.0, 0, "naive", "val", Settings())
    true = np.array([[1, 0, 0], [5, 0, 2]])
    monkeypatch.setattr(counting, "labelled", lambda data: true)
    more = counting.compared(true, {"structured, scenes": true})
    result = summary.mean_counts([[counting.compared(true, {})] * 2, [more]], cell)["counts"]
    assert list(result) == ["labels", "structured, scenes"]
    assert [result["labels"][name]["absolute error"] for name in world.CLASSES] == [2, 0, 1]
    lines = tables.counts(result)
    assert "| labels | 3.0 ± 2.0, MAE 2.0 | 0.0 ± 0.0, MAE 0.0 | 1.0 ± 1.0, MAE 1.0 |" in lines
    assert lines[3].startswith("| structured: scenes, objects with a label | 3.0 ± 2.0, W 0.0 |")
    assert summary.mean_counts([[], []], cell) == {}


def test_the_types_of_errors() -> None:
    """Ten by ten boxes, one false detection of each type and a missed label."""
    def boxes(*rows: tuple[int, int, int, str, float]) -> Boxes:
        image, x, y, name, score = (np.array(column) for column in zip(*rows, strict=True))
        return make_boxes(2, image, np.stack([x, y, x + 10, y + 10], 1).astype(float), name, score.astype(float))

    truth = boxes((0, 50, 50, "RBC", 1), (0, 90, 50, "WBC", 1), (1, 50, 50, "RBC", 1))
    found = boxes((0, 51, 50, "RBC", 0.9), (0, 56, 50, "RBC", 0.8), (0, 52, 50, "RBC", 0.7),  # true, off, another's
                  (0, 0, 100, "RBC", 0.9), (0, 200, 100, "Platelets", 0.9), (0, 204, 100, "RBC", 0.5),
                  (1, 90, 50, "WBC", 0.9))
    result = error_types.count_errors(found, truth)
    assert result["RBC"] == {"box off": 2, "at the border": 1, "on another find": 1, "alone": 0, "missed": 1}
    assert result["WBC"] == {"box off": 0, "at the border": 0, "on another find": 0, "alone": 1, "missed": 1}
    assert result["Platelets"] == {"box off": 0, "at the border": 0, "on another find": 0, "alone": 1, "missed": 0}
    text = "\n".join(tables.error_table({"wide": result, "adapted": result}))
    assert "| RBC, inaccurate box | 2 | 2 |" in text and "| all | 8 | 8 |" in text
    assert tables.error_table({}) == []


def test_the_label_curve_is_shown_where_a_prior_has_one() -> None:
    """Arms with labelled photos alone do not count: they are the same for all priors."""
    one = {"mAP50": {"mean": 0.5, "low": 0.25, "high": 0.75}, "mAP": 0.125}
    few = {"wide": one, "wide+10": one, "real+25": one, "real+all": one}
    assert tables.curve(few) == []
    lines = tables.curve({**few, "wide+all": one})
    value = "50.0 (25.0 to 75.0); 12.5"
    assert lines[2] == f"| wide, then labels | {value} | {value} |  |  |  | {value} |"
    assert lines[4] == f"| labels alone |  |  | {value} |  |  | {value} |"


def test_tables_go_between_their_marks() -> None:
    text = f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n"
    assert tables.put_into(text, "new\n") == f"before\n{tables.BEGIN}\nnew\n{tables.END}\nafter\n"
    assert tables.BEGIN in (study.HERE / "README.md").read_text()
    with pytest.raises(ValueError, match=r"README.md has no line .* add both where the tables go"):
        tables.put_into("nothing", "new")


def test_the_verdict_names_the_best_control_and_follows_the_intervals() -> None:
    part: dict[str, Any] = {
        "arms": {arm: {"mAP50": {"mean": mean}}
                 for arm, mean in {"wide": 0.4, "wide-longer": 0.5, "adapted": 0.7}.items()},
        "adapted minus": {"wide": {"low": 0.2}, "wide-longer": {"low": 0.1}},
        "mistakes against wide": {"adapted": {"mean": 0.6}}}
    result = picture.verdict(part)
    assert "is better than every control: mean AP50 70.0, compared with 40.0 for the wide grammar" in result
    assert "60 %" in result
    assert result.endswith('The best control is "wide grammar, trained longer on renders alone" with 50.0.')
    part["adapted minus"]["wide-longer"]["low"] = -0.1
    assert "is not significantly better than every control" in picture.verdict(part)
    del part["adapted minus"]["wide-longer"]
    assert picture.verdict(part).endswith("of the wide grammar's.")
