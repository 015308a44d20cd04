import pytest
import torch

from scenefit.strangers import FAR, farness, farthest

RENDERS = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))


def test_photos_like_the_renders_are_near_and_others_far():
    like = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    assert farness(like, RENDERS).median() == pytest.approx(1, abs=0.15)
    away = like.clone()
    away[[7, 30]] += torch.tensor([[8.0, 0, 0], [20.0, 0, 0]])
    found = farness(away, RENDERS)
    assert found[30] > found[7] > 3
    rows, every = farthest(away, RENDERS, 2)
    assert rows.tolist() == [30, 7] and torch.equal(every, found)
    assert len(farthest(away, RENDERS, 200)[0]) == int((found > FAR).sum()) < 30


def test_the_unit_is_the_renders_own_distance():
    """Whatever the features are scaled by; and a photo that is a render lies as near as its neighbours are."""
    photos = RENDERS[:20] + 0.5
    assert torch.allclose(farness(photos, RENDERS), farness(7 * photos, 7 * RENDERS), rtol=1e-4)
    corners = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    assert farness(torch.tensor([[0.0, 5.0]]), corners, near=1).tolist() == [4.0]
    assert farness(torch.tensor([[0.0, 3.0]]), corners, near=2).tolist() == pytest.approx([(2 + 5**0.5) / 2])


def test_too_few_renders():
    with pytest.raises(ValueError, match="farness needs more than 5 renders to tell what lies near, got 5"):
        farness(RENDERS, RENDERS[:5])
