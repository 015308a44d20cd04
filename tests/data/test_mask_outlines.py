"""Class masks with a margin and an ignored border."""

import numpy as np
import pytest

import scenefit as sf
from scenefit.data.class_masks import IGNORED
from scenefit.data.label_policy import LabelPolicy, label_masks, policy_of_record
from scenefit.data.mask_outlines import FAR, distance, redraw

IDS = np.zeros((12, 20), np.int32)
IDS[:, 4:10], IDS[:, 10:14] = 7, 9  # two objects side by side
MASK = np.where(IDS == 7, 1, np.where(IDS == 9, 2, 0)).astype(np.uint8)


def row(margin, border, mask=MASK, ids=IDS):
    found = redraw(mask, ids, margin, border)
    assert (found == found[:1]).all() and found.dtype == np.uint8
    return "".join({0: ".", IGNORED: "#"}.get(value, str(value)) for value in found[0].tolist())


@pytest.mark.parametrize(("margin", "border", "expected"), [
    (0, 0, "....1111112222......"), (2, 0, "..11111111222222...."), (-1, 0, ".....11111222......."),
    (0, 1, "....#11111222#......"), (0, 2, "...##1111##22##....."), (0, 4, "..####11########...."),
    (2, 2, ".##111111##2222##..."), (-9, 0, "...................."), (-9, 2, "....................")])
def test_objects_become_wider_and_get_a_border(margin, border, expected):
    assert row(margin, border) == expected


def test_what_is_ignored_grows_as_ignored_and_images_without_objects_stay():
    assert row(1, 0, np.where(MASK == 2, IGNORED, MASK).astype(np.uint8)) == "...1111111#####....."
    for mask in (np.zeros_like(MASK), np.ones_like(MASK)):
        assert (redraw(mask, np.zeros_like(IDS), 3, 0) == mask).all()
        assert (distance(mask > 0) == (-FAR if mask.any() else FAR)).all()
    assert (redraw(np.ones_like(MASK), IDS, 0, 4) == np.where(np.abs(np.arange(20) - 9.5) < 2, IGNORED, 1)).all(), \
        "between two objects alone"


def test_masks_of_renders_have_the_policys():
    grammar = sf.Grammar("image", {"image": {}, "dot": {"x": sf.Uniform(10, 22), "y": 16, "radius": 6}},
                         [sf.Rule("image", ["dot"])])
    frames = sf.render(sf.Shapes((32, 32), {"dot": {}}), grammar.sample(0, 3))
    plain = label_masks(frames, ["dot"])
    drawn = label_masks(frames, ["dot"], LabelPolicy(mask_margin=2, mask_border=2))
    for before, after, ids in zip(plain.masks, drawn.masks, frames.instances, strict=True):
        assert (after == redraw(before, ids, 2, 2)).all() and (after == IGNORED).sum() > 40
        assert ((after == 1) | (after == IGNORED)).sum() > (before == 1).sum() + 60
    assert (label_masks(frames, ["dot"], LabelPolicy(margin=0.2)).masks == plain.masks).all()


def test_a_policy_without_them_is_recorded_as_before():
    assert "mask_margin" not in LabelPolicy().to_dict() and "mask_border" not in LabelPolicy(margin=0.1).to_dict()
    policy = LabelPolicy(mask_margin=-1.5, mask_border=5)
    assert policy_of_record(policy.to_dict()) == policy and policy.to_dict()["mask_margin"] == -1.5
    assert policy.mask_words.startswith(
        "Masks show what is visible of an object, narrower by 1.5 pixels. Along outlines, 5 pixels are ignored. All "
        "pixels of an object are ignored if it has:")
    assert "pixels." not in LabelPolicy().mask_words and "mask" not in policy.words
    for wrong, text in (({"mask_border": -1}, r"mask_border in 0\.\.64 pixels"),
                        ({"mask_margin": 65}, "mask_margin in"),
                        ({"mask_margin": "1"}, "a number for mask_margin"),
                        ({"by_class": {"a": {"mask_margin": 1}}}, "settings among")):
        with pytest.raises(ValueError, match=text):
            LabelPolicy(**wrong)
