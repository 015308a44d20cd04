"""What a fit lowers."""

import numpy as np
import pytest
import torch
from toys import dot, dots, photos

from scenefit.metrics.features import pixels, to_tensor
from scenefit.metrics.mmd import kernel, mmd2, witness
from scenefit.metrics.objective import objective
from scenefit.scenes.priors import Uniform

GRAMMAR = dot(Uniform(3, 13))


def test_loss_and_witness_are_the_mmds():
    real, drawn = photos(GRAMMAR, dots(), 50), to_tensor(photos(GRAMMAR, dots(), 40, seed=1))
    goal, extract = objective(pixels(4), real), pixels(4)
    assert torch.equal(goal.loss(drawn), mmd2(extract(drawn), kernel(extract(to_tensor(real)))))
    assert torch.equal(goal.witness(drawn), witness(extract(drawn), kernel(extract(to_tensor(real)))))


def test_the_features_of_the_photos_are_computed_once():
    seen = []

    def extractor(images):
        seen.append(len(images))  # whole chunks of 64, padded
        return pixels(4)(images)

    goal = objective(extractor, photos(GRAMMAR, dots(), 50))
    assert sum(seen) == 64
    for _ in range(3):
        goal.loss(torch.rand(8, 3, 16, 16))
    assert seen[-3:] == [8, 8, 8] and sum(seen) == 88


def test_the_loss_has_a_gradient_to_every_image():
    goal = objective(pixels(4), photos(GRAMMAR, dots(), 50))
    images = to_tensor(photos(dot(Uniform(3, 5)), dots(), 20)).requires_grad_(True)
    goal.loss(images).backward()
    assert bool((images.grad.flatten(1).abs().max(1).values > 0).all())


def test_photos_without_a_difference_are_refused():
    with pytest.raises(ValueError, match="features are all the same"):
        objective(pixels(4), np.zeros((5, 16, 16, 3), np.uint8))
