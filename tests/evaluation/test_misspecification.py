import numpy as np
import pytest
import torch

from scenefit.evaluation.misspecification import THRESHOLD, farthest, outlier_score, outlier_scores, standardise

RENDERS = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))


def test_one_in_a_hundred_is_far_where_photos_are_as_renders_are():
    like = torch.randn(4000, 3, generator=torch.Generator().manual_seed(1))
    assert 0 < (outlier_score(like, RENDERS) > THRESHOLD).float().mean() < 0.03
    like[7] += torch.tensor([8.0, 0, 0])
    assert outlier_score(like, RENDERS)[7] > 2


def test_the_unit_is_the_renders_own_distance():
    """Whatever the features are scaled by; and a photo that is a render lies as near as its neighbours are."""
    photos = RENDERS[:20] + 0.5
    assert torch.allclose(outlier_score(photos, RENDERS), outlier_score(7 * photos, 7 * RENDERS), rtol=1e-4)
    corners = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    assert outlier_score(torch.tensor([[0.0, 5.0]]), corners, n_neighbours=1).tolist() == [4.0]
    assert outlier_score(torch.tensor([[0.0, 3.0]]), corners, 2).tolist() == pytest.approx([(2 + 5**0.5) / 2])


def test_numbers_are_weighed_by_the_renders_spread_and_cut():
    photos, renders = standardise(torch.tensor([[1e9, 5.0, 1.0]]), torch.tensor([[0.0, 5, 0], [2, 5, 4]]))
    assert photos.shape == (1, 2) and photos[0, 0] == 4 and photos[0, 1] == pytest.approx(-1 / 8**0.5)
    assert renders.std(0).tolist() == pytest.approx([1, 1])


def test_images_that_are_drawn_otherwise_are_found():
    """Of forty grey ones with grain, one has a white square and one is red."""
    random = np.random.default_rng(0)
    images = random.normal(random.uniform(80, 140, (240, 1, 1, 1)), 10, (240, 32, 32, 1)).clip(0, 255)
    images = images.astype(np.uint8).repeat(3, 3)
    photos = images[:40].copy()
    photos[7, 8:24, 8:24], photos[30, ..., 1:] = 255, 0
    [found] = outlier_scores(photos, images[40:])
    rows = farthest(found, 6)
    assert set(rows[:2]) == {7, 30} and len(rows) <= 6
    assert (found > THRESHOLD).sum() <= 5 and found[rows[0]] >= found[rows[1]] > THRESHOLD
    both = outlier_scores(photos, images[40:140], images[40:])
    assert np.array_equal(both[1], found) and not np.array_equal(both[0], found)


def test_too_few_renders():
    with pytest.raises(ValueError, match="outlier scores with 5 neighbours need more than 5 renders, got 5"):
        outlier_score(RENDERS, RENDERS[:5])
