"""Contrast: what nobody can see gets no label. Margins of boxes."""

import json
import re

import numpy as np
import pytest

import scenefit as sf
from scenefit.data.formats import LabelPolicy, label_boxes
from scenefit.data.frames import make_frames
from scenefit.data.label_policy import contrast, policy_of_record

GRAMMAR = sf.Grammar("image", {"image": {}, "thing": {}}, [sf.Rule("image", [sf.repeat("thing", 4)])])
SIZE = 40


def frames():
    """On grey 100: one 40 levels brighter in blue, one the same as the ground, one not there, one on the first."""
    scenes = GRAMMAR.sample(0, 1)
    first, same, _, inner = scenes.tables["thing"].id
    image = np.full((1, SIZE, SIZE, 3), 100, np.uint8)
    masks = np.zeros((1, SIZE, SIZE), int)
    image[0, 2:18, 2:18, 2], masks[0, 2:18, 2:18] = 140, first
    masks[0, 25:35, 25:35] = same
    image[0, 8:10, 8:10], masks[0, 8:10, 8:10] = (100, 100, 60), inner
    return make_frames(scenes, image, masks)


def test_a_policy_in_words():
    assert LabelPolicy().words == ("Boxes go around what is visible of an object, with no margin. No label if: fewer "
                                   "than 4 visible pixels, or less than 5 % visible.")
    told = LabelPolicy(1, 0, 3, 0.1, 0.06, "amodal", by_class={
        "RBC": {"margin": 0.1, "min_visibility": 0.57, "max_truncation": 1.0}, "WBC": {"box": "visible"}}).words
    assert told == ("Boxes go around the whole object, hidden parts too, with no margin. No label if: fewer than 1 "
                    "visible pixels, or a visible side under 3 pixels, or more than 10 % outside the image, or a "
                    "contrast under 0.06. RBC: a margin of 10 % of the box at each side; labels however much lies "
                    "outside the image; no label if: less than 57 % visible. WBC: boxes around what is visible of an "
                    "object.")


def test_contrast_is_to_the_background_or_where_there_is_none_to_what_lies_around():
    assert np.allclose(contrast(frames()), [40 / 255, 0, 80 / 255])


def test_what_cannot_be_seen_becomes_no_label():
    assert len(label_boxes(frames())) == 3
    kept = label_boxes(frames(), LabelPolicy(min_contrast=0.06))
    assert kept.box.tolist() == [[2, 2, 18, 18], [8, 8, 10, 10]]
    assert len(label_boxes(frames(), LabelPolicy(min_contrast=0.2))) == 1


def test_one_that_fills_the_image_is_kept():
    scenes = GRAMMAR.sample(0, 1)
    masks = np.full((1, SIZE, SIZE), scenes.tables["thing"].id[0])
    whole = make_frames(scenes, np.zeros((1, SIZE, SIZE, 3), np.uint8), masks)
    assert contrast(whole).tolist() == [1]


def test_a_class_may_have_a_margin_of_its_own_also_a_negative_one():
    plain = label_boxes(frames())
    wider = label_boxes(frames(), LabelPolicy(margin=0.1, by_class={"thing": {"margin": -0.25}}))
    assert np.allclose(wider.box[0], [6, 6, 14, 14]) and len(plain) == len(wider)
    assert np.allclose(label_boxes(frames(), LabelPolicy(margin=-0.25)).box, wider.box)
    assert np.allclose(label_boxes(frames(), LabelPolicy(by_class={"other": {"margin": 0.5}})).box, plain.box)


def test_a_class_may_have_conditions_and_boxes_of_its_own():
    plain = label_boxes(frames())
    for own in ({"min_contrast": 0.2}, {"min_pixels": 5}, {"min_side": 3}):
        of_class = LabelPolicy(by_class={"thing": own})
        assert label_boxes(frames(), of_class).box.tolist() == label_boxes(frames(), LabelPolicy(**own)).box.tolist()
        assert len(label_boxes(frames(), of_class)) < len(plain)
        assert label_boxes(frames(), LabelPolicy(by_class={"other": own})).box.tolist() == plain.box.tolist()
        back = LabelPolicy(**own, by_class={"thing": {name: getattr(LabelPolicy(), name) for name in own}})
        assert label_boxes(frames(), back).box.tolist() == plain.box.tolist()
    assert LabelPolicy(by_class={"a": {"box": "amodal"}}).of_class("a") == LabelPolicy(box="amodal")
    with pytest.raises(ValueError, match=r"by_class with settings among min_pixels, .*, box, got least"):
        LabelPolicy(by_class={"a": {"least": 1}})
    assert LabelPolicy(by_class={"a": {}}) == LabelPolicy(), "nothing is said of it"
    numbers = LabelPolicy(by_class={"a": {"margin": np.float32(0.5), "min_side": np.int64(3)}})
    assert json.loads(json.dumps(numbers.to_dict()))["by_class"] == {"a": {"margin": 0.5, "min_side": 3}}
    for wrong in ({"": {"margin": 0.1}}, {1: {"margin": 0.1}}, [("a", {"margin": 0.1}), ("a", {"box": "amodal"})]):
        with pytest.raises(ValueError, match="by_class with names of classes, each of them once, got"):
            LabelPolicy(by_class=wrong)
    with pytest.raises(ValueError, match=r"min_visibility in 0..1, got min_visibility=2 for 'a'"):
        LabelPolicy(by_class={"a": {"min_visibility": 2}})


def test_a_policy_survives_json_and_has_a_hash():
    policy = LabelPolicy(by_class={"b": {"margin": 0.1, "box": "amodal"}, "a": {"margin": -0.05}})
    assert policy == LabelPolicy(**json.loads(json.dumps(policy.to_dict()))) == LabelPolicy(by_class=policy.by_class)
    assert hash(policy) == hash(LabelPolicy(by_class={"a": {"margin": -0.05}, "b": {"box": "amodal", "margin": 0.1}}))
    assert policy_of_record({**LabelPolicy().to_dict(), "margins": {"a": 0.1}}) == LabelPolicy(
        by_class={"a": {"margin": 0.1}}), "of a former version"
    assert policy_of_record(policy.to_dict()) == policy
    assert "by_class" not in LabelPolicy().to_dict()  # as before there were any


@pytest.mark.parametrize("given, got", [
    ({"by_class": None}, "None"), ({"by_class": 0.1}, "float 0.1"), ({"by_class": {"a": "wide"}}, "dict {'a': 'wide'}"),
    ({"by_class": ["cell"]}, "list ['cell']"), ({"margin": None}, "None"), ({"min_pixels": "4"}, "str '4'")])
def test_what_is_no_number_is_refused(given, got):
    what = ('by_class with settings for each class, such as {"RBC": {"margin": 0.1}}' if "by_class" in given
            else "a number for .*")
    with pytest.raises(ValueError, match=f"^LabelPolicy needs {what}, got {re.escape(got)}$"):
        LabelPolicy(**given)


@pytest.mark.parametrize("given", [{"margin": -0.4}, {"by_class": {"thing": {"margin": 1.5}}}])
def test_margins_beyond_their_bounds_are_refused(given):
    with pytest.raises(ValueError, match=r"margins in -0.3..1"):
        LabelPolicy(**given)
