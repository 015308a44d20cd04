from dataclasses import asdict, replace

import numpy as np
import pytest

from scenefit.data.boxes import make_boxes
from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.evaluation.evaluate import Predictions
from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.inference.conventions.policy import PolicyFit
from scenefit.report.content import LabelConvention, SizeGroup
from scenefit.run.error_analysis import analyse_errors
from scenefit.run.evaluation import detections_content, origin_of
from scenefit.run.results import read_detections, write_detections

TRUTH = make_boxes(4, [0, 0, 1, 3], [[0, 0, 10, 10], [20, 0, 30, 10], [0, 0, 8, 8], [5, 5, 15, 15]], ["a"] * 4)
PHOTOS = Photos(np.arange(4, dtype=np.uint8)[:, None, None, None].repeat(40, 1).repeat(40, 2).repeat(3, 3), (), (),
                np.full(4, ""), TRUTH)
GOOD = Predictions(make_boxes(4, [0, 0, 1, 2, 3], [[0, 0, 10, 10], [20, 0, 30, 9], [0, 0, 8, 8], [0, 0, 5, 5],
                                             [5, 5, 15, 15]], ["a"] * 5, [0.9, 0.2, 0.8, 0.7, 0.6]), 0.5)
POOR = Predictions(make_boxes(4, [0, 0, 2], [[0, 0, 10, 10], [30, 30, 40, 40], [0, 0, 5, 5]], ["a"] * 3,
                             [0.3, 0.9, 0.8]), 0.1)


def test_each_model_is_counted_from_its_own_threshold_on():
    told = detections_content(PHOTOS, {"grammar": POOR, "learned": GOOD})
    poor, good = told.baselines
    assert (poor.baseline, poor.counts, good.counts) == ("grammar", (1, 2, 3), (3, 1, 1))
    assert told.photos == 4 and told.images[:, 0, 0, 0].tolist() == [0, 1, 3], "photos without a box are not shown"
    assert [len(part) for part in good.box] == [1, 1, 1]
    assert [sorted(part.tolist()) for part in poor.true] == [[False, True], [], []]
    assert [part.tolist() for part in good.hit] == [[True, False], [True], [True]]
    assert [part.tolist() for part in poor.hit] == [[True, False], [False], [False]]


def test_equal_recall_looks_at_all_detections():
    told = detections_content(PHOTOS, {"grammar": POOR, "learned": GOOD})
    assert told.recalls == (0.5, 0.8, 0.9)
    assert told.baselines[0].false_at == [None, None, None] and told.baselines[1].false_at == [0, 1, 1]


@pytest.mark.parametrize(("part", "value"), [
    ("baseline", None), ("counts", ("x", 1, 2)), ("counts", ()), ("true", []), ("hit", []), ("false_at", [1]),
    ("threshold", "x")])
def test_parts_that_do_not_belong_together_are_named(tmp_path, part, value):
    told, path = detections_content(PHOTOS, {"learned": GOOD}, n_shown=2), tmp_path / "zq7.safetensors"
    write_detections(path, told, "me")
    tensors, facts = read_tensors(path, "")
    facts["baselines"][0][part] = value
    write_tensors(path, tensors, facts)
    with pytest.raises(CorruptFile, match=r"zq7\.safetensors is damaged: a part of it has another form.*; delete it"):
        read_detections(path, "me")


CONVENTION = LabelConvention("by policy", PHOTOS.images[:2], [TRUTH.box[:2], np.zeros((0, 4))])


def test_mistakes_and_conventions_come_back(tmp_path):
    path = tmp_path / "detections.safetensors"
    errors = analyse_errors({"grammar": POOR.boxes, "learned": GOOD.boxes}, TRUTH)
    told = replace(detections_content(PHOTOS, {"learned": GOOD}), errors=errors, convention=CONVENTION)
    write_detections(path, told, "me")
    back = read_detections(path, "me")
    assert asdict(back.errors) == asdict(errors) and isinstance(back.errors.sizes[0], SizeGroup)
    assert back.convention.text == "by policy" and np.array_equal(back.convention.renders, PHOTOS.images[:2])
    assert [part.tolist() for part in back.convention.box] == [part.tolist() for part in CONVENTION.box]
    write_detections(path, detections_content(PHOTOS, {"learned": GOOD}), "me")
    assert read_detections(path, "me").errors is None, "as of an earlier version"


@pytest.mark.parametrize(("part", "value", "text"), [
    ("errors", {}, "at: Field required"), ("errors", {"at": "x"}, "at: Input should be a valid number"),
    ("errors", {"levels": [1.0]}, "each of 1 levels"), ("errors", {"baselines": [{}]}, "baselines.0.baseline: Field"),
    ("convention", 3, "another form"), ("convention", ["by policy", [[]]], "labelled renders need boxes each")])
def test_damaged_mistakes_and_conventions_are_named(tmp_path, part, value, text):
    path, errors = tmp_path / "zq7.safetensors", analyse_errors({"learned": GOOD.boxes}, TRUTH)
    write_detections(path, replace(detections_content(PHOTOS, {"learned": GOOD}), errors=errors, convention=CONVENTION),
                     "me")
    tensors, facts = read_tensors(path, "")
    facts[part] = {**facts[part], **value} if isinstance(value, dict) and value else value
    write_tensors(path, tensors, facts)
    with pytest.raises(CorruptFile, match=rf"zq7\.safetensors is damaged: .*{text}.*; delete it"):
        read_detections(path, "me")


def test_it_comes_back_from_its_file(tmp_path):
    path = tmp_path / "detections.safetensors"
    assert read_detections(path, "me") is None
    told = detections_content(PHOTOS, {"grammar": POOR, "learned": GOOD}, n_shown=2)
    write_detections(path, told, "me")
    back = read_detections(path, "me")
    assert back is not None and np.array_equal(back.images, told.images) and len(told.images) == 2
    assert back.baselines[0].counts == (1, 2, 3) and back.baselines[1].false_at == [0, 1, 1] and back.note == told.note
    for one, other in zip(back.baselines, told.baselines, strict=True):
        assert one.threshold == other.threshold
        for name in ("box", "true", "hit"):
            assert all(np.array_equal(a, b) for a, b in zip(getattr(one, name), getattr(other, name), strict=True))
    assert read_detections(path, "another") is None
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(CorruptFile, match="delete it, or run scenefit evaluate again"):
        read_detections(path, "me")


def test_the_report_says_where_its_label_policy_comes_from():
    """A fit that read nothing from its labels has read no policy, though it keeps the one that it began with."""
    default, amodal = LabelPolicy(), LabelPolicy(box="amodal")
    read, nothing = (PolicyFit(amodal, {}, {}, {}, (), 30, matched) for matched in (20, 3))
    assert origin_of(amodal, read, amodal) == origin_of(amodal, read, None) == "read from labelled photos by the fit"
    assert origin_of(amodal, nothing, amodal) == origin_of(amodal, None, amodal) == "that of the fit"
    assert origin_of(default, read, amodal) == origin_of(default, None, None) == "default"
    assert origin_of(LabelPolicy(margin=0.1), read, None) == "given to scenefit evaluate"
