"""Maps of a pretrained backbone that are computed once are those that the network would see."""

import numpy as np
import pytest
import torch

from scenefit.metrics.features import pretrained_maps, to_tensor
from scenefit.nets.frozen_maps import frozen_maps
from scenefit.nets.object_network import ObjectNetwork
from scenefit.nets.object_predictions import predict_objects
from scenefit.nets.object_targets import ObjectSpec

IMAGES = np.random.default_rng(0).integers(0, 255, (6, 96, 128, 3), np.uint8)


@pytest.fixture(scope="module")
def network() -> ObjectNetwork:
    backbone = pretrained_maps()
    if backbone is None:
        pytest.skip("needs the extra lite0")
    return ObjectNetwork(ObjectSpec(("disc",), ()), 1, 0, backbone).eval()


def test_maps_are_those_of_the_network_in_any_order(network):
    known = frozen_maps(network, IMAGES)
    rows = np.array([4, 0, 5])
    for got, own in zip(known.of(rows).chunk(1, 4), network.maps(to_tensor(IMAGES[rows])), strict=True):
        torch.testing.assert_close(got[:2].float(), own[1:].float(), atol=2e-2, rtol=2e-2)
        assert got.shape[0] == 4 and not got[2:].any(), "zeros where there are no more images"


def test_crops_are_parts_of_the_maps_at_every_level(network):
    known, corner = frozen_maps(network, IMAGES), np.array([[32, 0], [64, 32]])
    for level, got, stride in zip(known.levels, known.crops(np.array([1, 3]), corner, (64, 64)), known.strides,
                                  strict=True):
        assert got.shape == (2, level.shape[3], 64 // stride, 64 // stride)
        for n, (row, (x, y)) in enumerate(zip((1, 3), corner // stride, strict=True)):
            own = level[row, y:y + 64 // stride, x:x + 64 // stride]
            np.testing.assert_array_equal(got[n].permute(1, 2, 0).numpy(), own)
    whole = known.crops(np.array([2]), np.array([[0, 0]]), (96, 128))
    np.testing.assert_array_equal(whole[3][0].permute(1, 2, 0).numpy(), known.levels[3][2])


def test_predictions_from_known_maps_are_those_from_images(network):
    known = frozen_maps(network, IMAGES)
    plain, cached = predict_objects(network, IMAGES), predict_objects(network, IMAGES, known)
    np.testing.assert_allclose(cached.pooled, plain.pooled, atol=1e-2)
    assert len(plain.score) == len(cached.score)


def test_a_backbone_that_is_trained_has_none():
    assert frozen_maps(ObjectNetwork(ObjectSpec(("disc",), ()), 1, 0), IMAGES) is None


def test_large_images_are_seen_one_at_a_time_and_small_ones_many(network, monkeypatch):
    seen = []
    monkeypatch.setattr(ObjectNetwork, "maps", lambda self, images: (
        seen.append(images.shape), [torch.zeros(len(images), n, 2, 2) for n in network.backbone.channels])[1])
    monkeypatch.setattr(ObjectNetwork, "set_scale", lambda self, maps: None)
    for side, scaled, mapped in (((128, 128), [16, 16, 16, 16], [4, 4]), ((240, 320), [16, 16, 16, 16], [4, 4]),
                                 ((720, 1280), [1] * 5, [1] * 6)):
        images = np.zeros((64 if side[0] < 720 else 6, *side, 3), np.uint8)
        seen.clear()
        network.measure_scale(images)
        assert [shape[0] for shape in seen] == scaled
        seen.clear()
        frozen_maps(network, images[:6])
        assert [shape[0] for shape in seen] == mapped
