"""The network of single objects: its targets on the grid, its losses, that it learns, what it predicts of images."""

import numpy as np
import pytest
import torch
from checks import same_weights
from toys import randomise

from scenefit.metrics.features import to_tensor
from scenefit.metrics.prediction_correction import angle_of
from scenefit.nets.centre_network import Targets, cell_owners
from scenefit.nets.object_network import ObjectNetwork, ObjectTargets, pooled, posterior_loss
from scenefit.nets.object_predictions import NMS_IOU, ObjectPredictions, no_objects, predict_objects
from scenefit.nets.object_targets import ObjectSpec, object_spec
from scenefit.nets.optimise import minimise
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Uniform, learned

SIDE, WIDE = 32, 64
GRAMMAR = Grammar("image", {"image": {}, "disc": {"shade": learned(Uniform(0, 1)), "turn": learned(Angle()),
                                                  "colour": learned(Choice(["red", "green", "blue"]))},
                            "bar": {"x": learned(Uniform(0, SIDE))}},
                  [Rule("image", [repeat("disc", Integer(0, 3)), repeat("bar", Integer(0, 3))])])
SPEC = object_spec(GRAMMAR, ["disc", "bar"], ["image"])
NAN = float("nan")


def boxes(*rows, images=1) -> Targets:
    """(image, box, code) of each."""
    box, code = torch.zeros(images, len(rows), 4), torch.full((images, len(rows)), -1)
    for at, (image, own, kind) in enumerate(rows):
        box[image, at], code[image, at] = torch.tensor(own), kind
    return Targets(box, code, torch.ones(2))


# ---------------------------------------------------------------------------------------------- cells and their objects

def test_each_cell_belongs_to_the_nearest_object_and_each_object_weighs_one():
    targets = boxes((0, [2.0, 2, 14, 14], 0), (0, [16.0, 16, 30, 30], 1), (1, [0.0, 4, 8, 12], 1), images=2)
    near, owner = cell_owners(targets, 4, 8, 8)
    for image, at, y, x in ((0, 0, 2, 2), (0, 1, 5, 5), (1, 2, 2, 1)):
        assert owner[image, y, x] == at and near[image, y, x] == near[image].max() > 0
        torch.testing.assert_close(near[image][owner[image] == at].sum(), torch.tensor(1.0))
    assert near[0, 7, 0] == 0 and near[1, :, 4:].sum() == 0


def test_objects_as_small_as_a_cell_or_with_their_centres_in_one_cell_keep_a_weight():
    near, owner = cell_owners(boxes((0, [9.0, 9, 10, 10], 0), (0, [13.0, 9, 14, 10], 1)), 4, 8, 8)
    assert owner[0, 2, 2] == 0 and owner[0, 2, 3] == 1
    near, owner = cell_owners(boxes((0, [9.0, 9, 11, 11], 0), (0, [9.0, 9, 11, 11], 1)), 4, 8, 8)
    torch.testing.assert_close(near.sum(), torch.tensor(1.0))  # one of the two
    near, _ = cell_owners(Targets(torch.zeros(3, 1, 4), torch.full((3, 1), -1), torch.ones(2)), 4, 8, 8)
    assert near.sum() == 0


# ---------------------------------------------------------------------------------------------- losses

def targets_of(values, image=((0.5,),)) -> ObjectTargets:
    return ObjectTargets(boxes((0, [4.0, 4, 14, 14], 0), (0, [18.0, 18, 28, 28], 1)),
                         torch.tensor([values], dtype=torch.float32), torch.tensor(image))


KNOWN = [[0.2, 0.6, 1.0, NAN], [NAN, NAN, NAN, 0.8]]


def loss_of(network, targets, images=None):
    images = torch.zeros(1, 3, SIDE, SIDE) if images is None else images
    return posterior_loss(network, network.maps(images), torch.tensor([[0.0, 0, SIDE, SIDE]]), targets)


def test_values_that_an_object_lacks_are_no_part_of_the_loss():
    """The gradient of the outputs of an attribute is 0 where no object has it, and finite everywhere."""
    network = ObjectNetwork(SPEC, 1, 0).eval()
    loss_of(network, targets_of([[0.2, 0.6, NAN, NAN], [NAN] * 4])).backward()
    gradient = network.values.bias.grad
    assert torch.all(gradient[:6] != 0) and torch.all(gradient[6:] == 0)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())
    whole, some = loss_of(network, targets_of([[NAN] * 4] * 2)), loss_of(network, targets_of(KNOWN))
    assert torch.isfinite(whole) and torch.isfinite(some) and some != whole


def test_a_target_of_the_image_that_a_scene_lacks_is_no_part_of_the_loss():
    network = ObjectNetwork(SPEC, 1, 0).eval()
    loss_of(network, targets_of(KNOWN, image=((NAN,),))).backward()
    assert torch.all(network.image.bias.grad == 0) and torch.isfinite(network.backbone.stem[0].weight.grad).all()


@pytest.mark.parametrize("spec", [SPEC, ObjectSpec(("disc", "bar"), ())], ids=["attributes", "none"])
def test_the_loss_of_images_without_objects_is_finite(spec):
    network = ObjectNetwork(spec, 1, 0)
    empty = ObjectTargets(Targets(torch.zeros(2, 1, 4), torch.full((2, 1), -1), torch.ones(2)),
                          torch.full((2, 1, spec.columns), NAN), torch.zeros(2, 1))
    maps = network.maps(torch.rand(2, 3, SIDE, SIDE))
    loss = posterior_loss(network, maps, torch.tensor([[0.0, 0, SIDE, SIDE]] * 2), empty)
    loss.backward()
    assert torch.isfinite(loss) and all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("size", [(32, 32), (16, 24), (8, 8), (33, 65)])
def test_images_as_small_as_one_cell_of_the_coarsest_map(size):
    network = ObjectNetwork(SPEC, 1, 0)
    maps = network.maps(torch.rand(2, 3, *size))
    assert torch.isfinite(pooled(maps)).all()
    network.image(pooled(maps)).sum().backward()
    assert torch.isfinite(network.backbone.stem[0].weight.grad).all()
    out = network.outputs(maps, torch.tensor([[0.0, 0, size[1], size[0]]] * 2))
    assert out.shape == (2, 2 + 4 + SPEC.outputs, -(-size[0] // 4), -(-size[1] // 4))


def test_the_same_seed_gives_the_same_network_and_no_other_random_number_moves():
    before = torch.random.get_rng_state()
    first, second, other = (ObjectNetwork(SPEC, 1, seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert same_weights(first, second) and not same_weights(first, other)


def test_the_place_of_a_crop_tells_where_in_the_image_its_cells_lie():
    """The outputs of a crop at some place are those that a crop further left has when it is moved."""
    network = ObjectNetwork(SPEC, 1, 0).eval()
    randomise(network)
    maps = network.maps(torch.rand(1, 3, SIDE, SIDE))

    def outputs(*place):
        return network.outputs(maps, torch.tensor([place], dtype=torch.float32))[:, 6:]

    here = outputs(0, 0, 100, 100)
    assert not torch.equal(here, outputs(50, 0, 100, 100)) and not torch.equal(here, outputs(0, 50, 100, 100))
    torch.testing.assert_close(here, outputs(0, 0, 100, 100))
    seen = []
    network.describe.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, -2:]))
    outputs(10, 20, 64, 128)
    x, y = seen[0][0, 0], seen[0][0, 1]
    assert x[0, 0] == (10 + 2) / 64 * 2 - 1 and y[3, 0] == (20 + 14) / 128 * 2 - 1


# ---------------------------------------------------------------------------------------------- learning

def picture(*discs) -> np.ndarray:
    """Discs (x, y, radius, colour) on grey [WIDE, WIDE, 3]."""
    out, (y, x) = np.full((WIDE, WIDE, 3), 90, np.uint8), np.mgrid[:WIDE, :WIDE]
    for at_x, at_y, radius, colour in discs:
        out[np.hypot(x + 0.5 - at_x, y + 0.5 - at_y) < radius] = colour
    return out


PICTURES = np.stack([picture((16, 16, 8, (200, 40, 40)), (46, 46, 8, (40, 40, 200))),
                     picture((46, 16, 8, (200, 40, 40)), (16, 46, 8, (40, 40, 200)))])
BOXES = [[[8.0, 8, 24, 24], [38.0, 38, 54, 54]], [[38.0, 8, 54, 24], [8.0, 38, 24, 54]]]
VALUES = [[[0.2, 0.6, 1.0, NAN], [NAN, NAN, NAN, 0.8]], [[0.7, 0.3, 2.0, NAN], [NAN, NAN, NAN, 0.25]]]


@pytest.fixture(scope="module")
def learned_by_heart() -> ObjectNetwork:
    """A network trained on two images, each with a red disc and a blue one, which it is told is a bar."""
    network, images = ObjectNetwork(SPEC, 1, 0), to_tensor(PICTURES)
    targets = ObjectTargets(Targets(torch.tensor(BOXES), torch.tensor([[0, 1]] * 2), torch.ones(2)),
                            torch.tensor(VALUES), torch.tensor([[-0.4], [0.6]]))
    place = torch.tensor([[0.0, 0, WIDE, WIDE]] * 2)
    minimise((posterior_loss(network, network.maps(images), place, targets) for _ in range(100)),
             torch.optim.AdamW(network.parameters(), 4e-3), 101, 0.2, 10.0)
    return network.eval()


def test_a_network_learns_images_by_heart(learned_by_heart):
    found = predict_objects(learned_by_heart, PICTURES)
    sure = found.where(found.score > 0.5)
    np.testing.assert_array_equal(sure.image, [0, 0, 1, 1])
    at = {one.attribute.name: one.outputs for one in SPEC.attributes}
    for image in range(2):
        disc, bar = (np.flatnonzero((sure.image == image) & (sure.kind == kind))[0] for kind in (0, 1))
        np.testing.assert_allclose(sure.box[[disc, bar]], BOXES[image], atol=1.5)
        shade, turn, colour, _ = VALUES[image][0]
        assert abs(sure.outputs[disc, at["shade"]][0] / 12**0.5 + 0.5 - shade) < 0.08
        assert abs(sure.outputs[bar, at["x"]][0] / 12**0.5 + 0.5 - VALUES[image][1][3]) < 0.08
        assert abs(angle_of(sure.outputs[[disc], at["turn"]])[0] - turn) < 0.03
        assert sure.outputs[disc, at["colour"]].argmax() == colour
    with torch.no_grad():
        values = learned_by_heart.image(pooled(learned_by_heart.maps(to_tensor(PICTURES))))
    np.testing.assert_allclose(values[:, 0], [-0.4, 0.6], atol=0.2)


# ---------------------------------------------------------------------------------------------- predictions

def same(a: ObjectPredictions, b: ObjectPredictions) -> None:
    for name in ("image", "kind", "score", "box", "outputs", "pooled"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.fixture(scope="module")
def untrained() -> ObjectNetwork:
    """A network with predictions of many objects in any image."""
    network = ObjectNetwork(SPEC, 1, 0)
    randomise(network, 0.2)
    with torch.no_grad():
        network.last.bias[:2] = 0
    return network.eval()


def test_neither_the_batch_nor_its_padding_changes_predictions(untrained, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (11, SIDE, SIDE, 3)).astype(np.uint8)
    images[10] = images[1]  # with objects: that of the last batch
    found = []
    for at_once in (4, 11, 3):
        monkeypatch.setattr("scenefit.nets.object_predictions.PIXELS", at_once * SIDE**2)
        found.append(predict_objects(untrained, images))
    assert found[0].count == 11 and set(found[0].image) >= {0, 1, 4, 5, 8, 10} and np.all(np.diff(found[0].image) >= 0)
    monkeypatch.setattr("scenefit.nets.object_predictions.PIXELS", 4 * SIDE**2)
    alone = predict_objects(untrained, images[5:6])  # padded with three black images
    fifth = found[0].where(found[0].image == 5)
    np.testing.assert_array_equal(alone.box, fifth.box)
    np.testing.assert_array_equal(alone.outputs, fifth.outputs)
    for other in found[1:]:  # of another size, the last bits may differ
        np.testing.assert_array_equal(other.image, found[0].image)
        np.testing.assert_allclose(other.box, found[0].box, atol=1e-3)
        np.testing.assert_allclose(other.outputs, found[0].outputs, atol=1e-3)


def test_predictions_of_an_image_overlap_little_whatever_their_kind_and_lie_inside(untrained):
    images = np.random.default_rng(1).integers(0, 256, (3, SIDE, 48, 3)).astype(np.uint8)
    found = predict_objects(untrained, images)
    assert len(found.score) > 6 and set(found.kind) <= {0, 1}
    assert np.all(found.box >= 0) and np.all(found.box[:, [0, 2]] <= 48) and np.all(found.box[:, [1, 3]] <= SIDE)
    for image in range(3):
        box = found.box[found.image == image]
        low, high = np.maximum(box[:, None, :2], box[None, :, :2]), np.minimum(box[:, None, 2:], box[None, :, 2:])
        shared, area = np.prod(np.maximum(high - low, 0), 2), np.prod(box[:, 2:] - box[:, :2], 1)
        overlap = shared / (area[:, None] + area[None] - shared)
        np.fill_diagonal(overlap, 0)
        assert overlap.max(initial=0) <= NMS_IOU + 1e-6


def test_images_without_objects_have_none(learned_by_heart):
    found = predict_objects(learned_by_heart, np.full((5, WIDE, WIDE, 3), 90, np.uint8))
    assert found.count == 5 and found.pooled.shape == (5, 2 * sum(SmallMaps.channels))
    assert np.isfinite(found.pooled).all() and found.outputs.shape[1] == SPEC.outputs
    none = found.where(found.score > 2)
    assert none.box.shape == (0, 4) and none.outputs.shape == (0, SPEC.outputs) and none.count == 5
    assert no_objects(5).pooled.shape == (5, 0) and len(no_objects(5).score) == 0
