"""Contrast: what nobody can see gets no label. Margins of boxes."""

import json
import re

import numpy as np
import pytest

import scenefit as sf
from scenefit.data.formats import LabelPolicy, label_boxes
from scenefit.data.frames import make_frames
from scenefit.data.label_policy import contrast

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
    told = LabelPolicy(1, 0, 3, 0.1, 0.06, "amodal", margins={"RBC": 0.1}).words
    assert told == ("Boxes go around the whole object, hidden parts too, with a margin of 0 % (RBC 10 %) of the box at "
                    "each side. No label if: fewer than 1 visible pixels, or a visible side under 3 pixels, or more "
                    "than 10 % outside the image, or a contrast under 0.06.")


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
    plain, wider = label_boxes(frames()), label_boxes(frames(), LabelPolicy(margin=0.1, margins={"thing": -0.25}))
    assert np.allclose(wider.box[0], [6, 6, 14, 14]) and len(plain) == len(wider)
    assert np.allclose(label_boxes(frames(), LabelPolicy(margin=-0.25)).box, wider.box)
    assert np.allclose(label_boxes(frames(), LabelPolicy(margins={"other": 0.5})).box, plain.box)


def test_a_policy_survives_json_and_has_a_hash():
    policy = LabelPolicy(margins={"b": 0.1, "a": -0.05})
    assert policy == LabelPolicy(**json.loads(json.dumps(policy.to_dict()))) == LabelPolicy(margins=policy.margins)
    assert hash(policy) == hash(LabelPolicy(margins={"a": -0.05, "b": 0.1}))
    assert "margins" not in LabelPolicy().to_dict()  # as before there were any


@pytest.mark.parametrize("given, got", [
    ({"margins": None}, "None"), ({"margins": 0.1}, "float 0.1"), ({"margins": {"a": "wide"}}, "dict {'a': 'wide'}"),
    ({"margins": ["cell"]}, "list ['cell']"), ({"margin": None}, "None"), ({"min_pixels": "4"}, "str '4'")])
def test_what_is_no_number_is_refused(given, got):
    what = 'margins with a number for each class, such as {"RBC": 0.1}' if "margins" in given else "a number for .*"
    with pytest.raises(ValueError, match=f"^LabelPolicy needs {what}, got {re.escape(got)}$"):
        LabelPolicy(**given)


@pytest.mark.parametrize("given", [{"margin": -0.4}, {"margins": {"thing": 1.5}}])
def test_margins_beyond_their_bounds_are_refused(given):
    with pytest.raises(ValueError, match=r"margins in -0.3..1"):
        LabelPolicy(**given)
