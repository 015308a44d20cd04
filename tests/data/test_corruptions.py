"""Wear: dust and compression on renders."""

from dataclasses import replace

import numpy as np

from scenefit.data.boxes import make_boxes
from scenefit.data.corruptions import MAX_CONTRAST, add_texture, corrupt
from scenefit.nets.augmentation import NO_CHANGE, augmented

PLAIN = np.full((12, 60, 80, 3), 128, np.uint8)


def test_an_image_is_worn_the_same_in_any_batch_with_the_same_seed_and_not_with_another():
    images = corrupt(PLAIN, 0)
    assert np.array_equal(images, corrupt(PLAIN, 0)) and np.array_equal(images[:3], corrupt(PLAIN[:3], 0))
    assert not np.array_equal(images, corrupt(PLAIN, 1))
    assert images.shape == PLAIN.shape and images.dtype == np.uint8 and (PLAIN == 128).all()


def test_dust_is_small_and_of_many_amounts():
    large = np.full((12, 240, 320, 3), 128, np.uint8)
    soiled = (np.abs(corrupt(large, 0).astype(int) - 128).max(3) > 20).mean((1, 2))
    assert 0.001 < soiled.max() < 0.02 and soiled.min() < 0.1 * soiled.max()


def test_compression_leaves_what_is_large():
    images = np.zeros((4, 64, 64, 3), np.uint8)
    images[:, 16:48, 16:48] = 200
    found = corrupt(images, 3)
    assert abs(float(np.median(found[:, 20:44, 20:44])) - 200) < 4 and not np.array_equal(found, images)


def test_texture_is_faint_on_half_of_the_images_and_the_same_in_any_batch():
    plain = np.full((40, 48, 48, 3), 100, np.uint8)
    found = add_texture(plain, 0)
    assert np.array_equal(found[:3], add_texture(plain[:3], 0))
    assert np.array_equal(found[7:8], add_texture(plain[:1], 0, 7))
    spread = found.astype(float).std((1, 2, 3))
    assert 10 <= (spread > 0).sum() <= 30 and spread.max() < 100 * MAX_CONTRAST + 1
    assert (plain == 100).all()
    assert np.ptp(found, axis=3).max() == 0, "of brightness, not of colour"


def test_a_detector_may_learn_from_worn_images_with_the_same_boxes():
    boxes = make_boxes(12, [0, 5], [[1, 2, 9, 12], [30, 8, 50, 40]], ["a", "b"])
    plain, _ = augmented(PLAIN, boxes, NO_CHANGE, 4)
    found, kept = augmented(PLAIN, boxes, replace(NO_CHANGE, corruptions=True), 4)
    assert np.array_equal(plain, PLAIN) and not np.array_equal(found, PLAIN)
    assert np.array_equal(kept.box, boxes.box) and np.array_equal(kept.image, boxes.image)
