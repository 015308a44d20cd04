"""The camera's own pattern, planted on photos of moving blobs, is found and taken out."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import scenefit as sf
from scenefit.data.flat_field import (
    MIN_PHOTOS,
    correct_flat_field,
    find_flat_field,
    flat_field,
    remove_flat_field,
    shows_flat_field,
)

SIDE = 60


def photos(count: int, seed: int = 0) -> np.ndarray:
    """Blobs at random places, in random light: no two photos share anything."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    light = np.empty((count, SIDE, SIDE, 3))
    for one in light:
        one[:] = rng.uniform(120, 220, 3)
        for _ in range(8):
            place, radius = rng.uniform(0, SIDE, 2), rng.uniform(3, 9)
            one[np.hypot(x - place[0], y - place[1]) < radius] = rng.uniform(60, 220, 3)
        one += rng.normal(0, 2, one.shape)
    return light


def dust() -> np.ndarray:
    """What is let through [SIDE, SIDE, 3]: a grain, and a dead pixel of one colour."""
    y, x = np.mgrid[:SIDE, :SIDE]
    through = np.ones((SIDE, SIDE, 3))
    through[np.hypot(x - 40, y - 15) < 2.5] = 0.6
    through[50, 10, 2] = 0.3
    return through


def as_bytes(light: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def test_dust_is_found_and_taken_out_and_nothing_else_is_touched():
    clean = photos(60)
    soiled, pure = as_bytes(clean * dust()), as_bytes(clean)
    field = flat_field(soiled)
    assert field.shape == (SIDE, SIDE, 3) and field.dtype == np.float32
    there = dust() < 1
    assert np.median(field[there]) == pytest.approx(np.log(0.6), abs=0.1)
    assert field[50, 10].argmin() == 2 and field[50, 10, 2] < np.log(0.5)
    back = correct_flat_field(soiled, field)
    before, after = (np.abs(images.astype(float) - pure)[:, there].mean() for images in (soiled, back))
    assert before > 50 and after < 0.3 * before
    far = np.hypot(*(np.mgrid[:SIDE, :SIDE] - np.array([15, 40])[:, None, None])) > 8
    far[45:56, 5:16] = False
    assert (field[far] != 0).mean() < 0.01 and np.abs(back.astype(int) - soiled)[:, far].max() <= 6


def test_photos_that_were_not_in_view_are_mended_too():
    field = flat_field(as_bytes(photos(60) * dust()))
    clean = photos(10, seed=1)
    soiled, there = as_bytes(clean * dust()), dust() < 1
    after = np.abs(correct_flat_field(soiled, field).astype(float) - as_bytes(clean))[:, there].mean()
    assert after < 0.3 * np.abs(soiled.astype(float) - as_bytes(clean))[:, there].mean()


def test_a_camera_that_shares_nothing_has_no_field():
    """Dust that moves from photo to photo belongs to the scene."""
    rng = np.random.default_rng(2)
    moved = as_bytes(np.stack([one * np.roll(dust(), tuple(rng.integers(0, SIDE, 2)), (0, 1)) for one in photos(60)]))
    field = flat_field(moved)
    assert (field != 0).mean() < 0.005 and np.abs(correct_flat_field(moved, field).astype(int) - moved).max() <= 6


@pytest.mark.parametrize("light", [0.5, 0.7, 1.0, 3.0])
def test_noise_of_dark_photos_is_no_pattern(light):
    """Whole numbers near 0 are skewed: their medians differ from place to place by chance, and by much."""
    rng = np.random.default_rng(4)
    dark = rng.poisson(light, (60, SIDE, SIDE, 3))
    for one in dark:
        x, y = rng.integers(0, SIDE - 12, 2)
        one[y:y + 12, x:x + 12] = 180
    dark = as_bytes(dark)
    assert np.abs(correct_flat_field(dark, flat_field(dark)).astype(int) - dark).max() <= 8


def test_a_pixel_that_sees_nothing_is_not_blown_up():
    dead = as_bytes(photos(60))
    dead[:, 30, 30] = 0
    field = flat_field(dead)
    assert field[30, 30].max() < -1 and correct_flat_field(dead, field)[:, 30, 30].max() <= 3


def test_large_grains_are_taken_out_in_part_only():
    """What is much larger than the reach may be light of the scene. A rim is left where it was cut off."""
    y, x = np.mgrid[:SIDE, :SIDE]
    apart = np.hypot(x - 40, y - 15)
    clean = photos(60)
    soiled = as_bytes(clean * np.where(apart < 6, 0.6, 1)[..., None])
    back, pure = correct_flat_field(soiled, flat_field(soiled)).astype(float), as_bytes(clean).astype(float)
    inside = np.abs(back - pure)[:, apart < 6].mean()
    assert inside < 0.7 * np.abs(soiled - pure)[:, apart < 6].mean()
    assert np.abs(back - pure)[:, (apart > 7) & (apart < 12)].mean() < 10, "a rim, but a faint one"


def test_many_photos_are_thinned_evenly(monkeypatch):
    monkeypatch.setattr("scenefit.data.flat_field.MAX_PHOTOS", 30)
    some = as_bytes(photos(59) * dust())
    assert np.array_equal(flat_field(some), flat_field(some[::2]))


def test_black_and_white_stay_in_range():
    extreme = np.zeros((30, 12, 12, 3), np.uint8)
    extreme[:, 6:] = 255
    back = correct_flat_field(extreme, np.full((12, 12, 3), -5.0, np.float32))
    assert (back[:, 6:] == 255).all() and np.isfinite(flat_field(extreme)).all()


def test_wrong_use_is_told():
    with pytest.raises(ValueError, match=f"{MIN_PHOTOS - 1} are too few; give at least {MIN_PHOTOS}"):
        flat_field(as_bytes(photos(MIN_PHOTOS - 1)))
    with pytest.raises(ValueError, match=r"need the shape \[N, H, W, 3\], got \[30, 9, 9\]"):
        flat_field(np.zeros((30, 9, 9), np.uint8))
    with pytest.raises(ValueError, match=r"of \(8, 9\) pixels cannot correct photos of \(60, 60\)"):
        correct_flat_field(as_bytes(photos(1)), np.zeros((8, 9, 3), np.float32))


def test_photos_keep_all_but_their_images(tmp_path):
    images = as_bytes(photos(MIN_PHOTOS) * dust())
    some = sf.Photos(images, tuple(tmp_path / f"{i}.png" for i in range(MIN_PHOTOS)), (), np.full(MIN_PHOTOS, "cell"))
    assert some.correct_flat_field(None) is some
    flat = some.correct_flat_field(sf.flat_field(images))
    assert np.array_equal(flat.images, sf.correct_flat_field(images, sf.flat_field(images)))
    assert flat.paths == some.paths and flat.label is some.label and flat.hash != some.hash


def test_only_a_pattern_of_few_spots_that_the_photos_show_is_found():
    dusty = as_bytes(photos(60) * dust())
    found = find_flat_field(dusty)
    assert found is not None and np.array_equal(found, flat_field(dusty))
    assert find_flat_field(as_bytes(photos(60))) is None, "photos share nothing"
    assert find_flat_field(dusty[:2 * MIN_PHOTOS - 1]) is None, "too few to tell"
    assert find_flat_field(np.concatenate([dusty[:30], as_bytes(photos(60, 1))[:30]])) is None, "half show it"
    order = np.random.default_rng(0).permutation(60)
    most = np.concatenate([dusty[:40], as_bytes(photos(60, 1))[:20]])[order]
    assert (flat_field(most) != 0).any() and find_flat_field(most) is None, "two thirds show it"
    centred = photos(60)
    centred[:, 20:40, 20:40] *= 0.5
    centred[:, ::4] *= 0.8
    assert find_flat_field(as_bytes(centred)) is None, "content at the same place"


@pytest.mark.parametrize(("grains", "most"), [(1, 0.1), (3, 0.05), (10, 0.02)])
def test_texture_is_hardly_ever_taken_for_dust(grains, most):
    """A few grains are few numbers, which texture is like by chance."""
    rng = np.random.default_rng(grains)
    through = np.ones((SIDE, SIDE, 3))
    for y, x in rng.integers(3, SIDE - 6, (grains, 2)):
        through[y:y + 3, x:x + 3] = 0.7
    smooth = gaussian_filter(rng.normal(0, 1, (120, SIDE, SIDE, 1)), (0, 1.5, 1.5, 0))
    texture = 160 * np.exp(0.1 * smooth / smooth.std()) * np.ones(3)
    field = flat_field(as_bytes(texture * through))
    assert shows_flat_field(as_bytes(texture[:60] * through), field).mean() > 0.7
    assert shows_flat_field(as_bytes(texture[60:]), field).mean() <= most


def test_photos_of_another_camera_are_left_as_they_are():
    own, other = as_bytes(photos(60) * dust()), as_bytes(photos(20, 3))
    field = find_flat_field(own)
    assert field is not None
    assert shows_flat_field(own, field).mean() > 0.95 and shows_flat_field(other, field).mean() < 0.1
    fainter = as_bytes(photos(20, 3) * (1 - (1 - dust()) / 5))
    assert shows_flat_field(fainter, field).mean() < 0.1, "correcting them would leave bright spots"
    left = remove_flat_field(other, field)
    assert (left != other).any((1, 2, 3)).mean() < 0.1
    assert np.array_equal(remove_flat_field(own, field)[:5], correct_flat_field(own, field)[:5])
    one = sf.Photos(own, (), (), np.full(60, ""))
    assert np.array_equal(one.remove_flat_field(field).images, remove_flat_field(own, field))
    assert one.remove_flat_field(None) is one
