"""Class masks of renders and of photos."""

import numpy as np
import pytest

import scenefit as sf
from scenefit.data.class_masks import IGNORED, MAX_CLASSES, ClassMasks, join_class_masks
from scenefit.data.label_policy import label_masks
from scenefit.data.photos import Photos

GRAMMAR = sf.Grammar("yard", {"yard": {}, "coin": {}, "leaf": {}}, [sf.Rule("yard", ["coin", "leaf"])])


@sf.each
def renderer(scene: sf.Scene) -> sf.Frame:
    """A coin of 4 x 4 pixels, all but a column of it under a leaf of 5 x 3."""
    instances = np.zeros((8, 8), int)
    coin, leaf = scene.of("coin")[0].id, scene.of("leaf")[0].id
    instances[2:6, 1:5] = coin
    instances[2:7, 2:5] = leaf
    return sf.Frame(instances / 8, instances, amodal={coin: (1, 2, 5, 6)}, area={coin: 16})


def frames() -> sf.Frames:
    return sf.render(renderer, GRAMMAR.sample(0, 3))


def test_each_pixel_has_the_class_of_the_object_it_shows() -> None:
    found = label_masks(frames(), ("leaf", "coin"))
    assert found.classes == ("leaf", "coin") and found.masks.dtype == np.uint8
    assert (found.masks[:, 2:7, 2:5] == 1).all() and (found.masks[:, 2:6, 1] == 2).all()
    assert np.bincount(found.masks.ravel()).tolist() == [3 * (64 - 19), 3 * 15, 3 * 4]


def test_objects_without_a_label_are_ignored_and_those_of_other_classes_are_none() -> None:
    found = label_masks(frames(), ("coin",), sf.LabelPolicy(min_visibility=0.5))
    assert (found.masks[:, 2:6, 1] == IGNORED).all() and not found.masks[:, 2:7, 2:5].any()


def test_classes_are_renumbered() -> None:
    masks = ClassMasks(("leaf", "coin"), np.array([[[0, 1], [2, IGNORED]]], np.uint8))
    assert masks.of_classes(("coin", "nail")).masks.tolist() == [[[0, 0], [1, IGNORED]]]
    assert masks.of_classes(("leaf", "coin")) is masks
    assert masks.present == ("leaf", "coin") and masks.of_classes(("coin", "nail")).present == ("coin",)


def test_masks_follow_their_photos() -> None:
    masks = ClassMasks(("coin",), np.arange(2, dtype=np.uint8)[:, None, None] * np.ones((2, 4, 4), np.uint8))
    photos = Photos(np.zeros((2, 4, 4, 3), np.uint8), masks=masks)
    turned = photos.take([1, 0, 1]).masks
    assert turned is not None and turned.masks[:, 0, 0].tolist() == [1, 0, 1]
    assert "class masks of coin" in repr(photos)
    assert join_class_masks([masks, turned]).masks[:, 0, 0].tolist() == [0, 1, 1, 0, 1]
    assert masks.to_bytes() != turned.to_bytes() != ClassMasks(("leaf",), turned.masks).to_bytes()


NONE = np.zeros((1, 1, 1), np.uint8)
MANY = tuple(map(str, range(MAX_CLASSES + 1)))


@pytest.mark.parametrize(("classes", "masks", "message"), [
    (("coin",), NONE + np.uint8(2), "0 for no class, 1 to 1 for coin, or 255 for pixels that are ignored, got 2"),
    (("coin", "coin"), NONE, "different names"), (("",), NONE, "none of them empty"),
    (MANY, NONE, "255 classes are too many, class masks hold at most 254"),
    (("coin",), NONE[0], r"uint8 numbers \[N, H, W\]"), (("coin",), NONE + 0.5, "uint8 numbers")])
def test_wrong_masks_are_refused(classes: tuple[str, ...], masks: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClassMasks(classes, masks)


def test_too_many_classes_are_refused_and_those_of_no_pixel_are_not_joined() -> None:
    one, other = (ClassMasks(tuple(f"{letter}{i}" for i in range(200)), np.array([[[150, 0, 255]]], np.uint8))
                  for letter in "ab")
    with pytest.raises(ValueError, match="400 classes are too many"):
        one.of_classes(one.classes + other.classes)
    both = join_class_masks([one, other])
    assert both.classes == ("a149", "b149") and both.masks.tolist() == [[[1, 0, 255]], [[2, 0, 255]]]
    full = [ClassMasks(part.classes, np.arange(1, 201, dtype=np.uint8)[None, None]) for part in (one, other)]
    with pytest.raises(ValueError, match="400 classes are too many, class masks hold at most 254; choose some"):
        join_class_masks(full)


def test_masks_of_other_classes_are_joined_with_the_classes_of_all():
    one = ClassMasks(("a", "b"), np.array([[[1, 2, 0, 255]]], np.uint8))
    other = ClassMasks(("c", "b"), np.array([[[1, 2, 0, 255]]], np.uint8))
    both = join_class_masks([one, other])
    assert both.classes == ("a", "b", "c") and both.masks.tolist() == [[[1, 2, 0, 255]], [[3, 2, 0, 255]]]
    assert both.shares().tolist() == [1 / 8, 2 / 8, 1 / 8]
    none = ClassMasks(("a",), np.array([[[0, 255]], [[1, 0]]], np.uint8))
    assert none.labelled.tolist() == [1]
