"""Random shadows beside the objects of renders, and shading of the objects."""

import numpy as np

from scenefit.data import shading
from scenefit.data.shading import add_shading

COUNT, SIDE = 40, 48
IDS = np.zeros((COUNT, SIDE, SIDE), np.int32)
IDS[:, 10:20, 8:20], IDS[:, 28:38, 24:40] = 1, 3
IMAGES = np.where(IDS[..., None] > 0, 120, 200).astype(np.uint8).repeat(3, axis=3)


def test_an_image_is_shaded_the_same_in_any_batch_with_the_same_seed_and_not_with_another():
    found = add_shading(IMAGES, IDS, 0)
    assert np.array_equal(found[:3], add_shading(IMAGES[:3], IDS[:3], 0))
    assert np.array_equal(found[7:9], add_shading(IMAGES[7:9], IDS[7:9], 0, 7))
    assert not np.array_equal(found, add_shading(IMAGES, IDS, 1))
    assert np.ptp(found, axis=3).max() == 0, "of brightness, not of colour"


def test_shadows_lie_beside_objects_on_half_of_the_images(monkeypatch):
    monkeypatch.setattr(shading, "SHADED", 0.0)
    change = add_shading(IMAGES, IDS, 0)[..., 0].astype(int) - IMAGES[..., 0]
    assert (change[IDS > 0] == 0).all() and change.max() == 0
    dark = change.min((1, 2)) < -4
    assert 10 <= dark.sum() <= 30
    far = np.ones((SIDE, SIDE), bool)
    far[3:27, 1:27], far[21:45, 17:47] = False, False
    assert np.abs(change[:, far]).max() <= 2
    first, second = change[:, 8:22, 6:22], change[:, 26:40, 22:42]  # both objects' lie on the same side
    side = [part[:, :, -2:].mean((1, 2)) - part[:, :, :2].mean((1, 2)) for part in (first, second)]
    assert np.corrcoef(side[0][dark], side[1][dark])[0, 1] > 0.9


def test_shaded_objects_keep_their_mean_brightness(monkeypatch):
    monkeypatch.setattr(shading, "SHADOWED", 0.0)
    found = add_shading(IMAGES, IDS, 0)[..., 0].astype(float)
    assert (found[IDS == 0] == 200).all()
    for one in (1, 3):
        pixels = found[:, IDS[0] == one]
        np.testing.assert_allclose(pixels.mean(1), 120, atol=0.6)
        assert 10 <= (pixels.std(1) > 1).sum() <= 30


def test_ground_and_images_without_objects_stay_as_they_are():
    whole = np.where(IDS > 0, 0, 5).astype(np.int32)  # an object that nearly fills the image
    for ids in (whole, np.zeros_like(IDS)):
        assert np.array_equal(add_shading(IMAGES, ids, 0), IMAGES)
