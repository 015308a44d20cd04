"""Object detection: non-maximum suppression, augmentation, targets, and training on boxes of two colours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from checks import same_boxes, same_weights
from toys import BOX_IMAGE, coloured_boxes, dot, dots
from toys import COLOURS as CLASSES

from scenefit.data.boxes import Boxes, make_boxes, no_boxes
from scenefit.data.label_policy import LabelPolicy, label_boxes
from scenefit.data.photos import Photos
from scenefit.metrics.features import Lite0Maps, lite0
from scenefit.metrics.iou_and_nms import iou, nms
from scenefit.nets.augmentation import NO_CHANGE, Augment, augmented
from scenefit.nets.centre_network import Detector, Targets, class_weights, decode, loss
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.scenes.priors import Uniform
from scenefit.tasks import Detect, Task
from scenefit.tasks.training.dense_prediction import TrainingStep

QUICK = Detect(CLASSES, steps=120, batch=8, augmented_copies=1, learning_rate=1e-2, augment=NO_CHANGE,
               backbone=SmallMaps)
EVEN = torch.ones(2)


@pytest.fixture(scope="module")
def trained() -> Detector:
    return QUICK.train(*coloured_boxes(128, 0), 0)


# suppression

def slow(box: np.ndarray, score: np.ndarray, group: np.ndarray, most: float) -> list[int]:
    """One box at a time, with an overlap of its own."""
    kept: list[int] = []
    for row in sorted(range(len(box)), key=lambda row: (-score[row], row)):
        for other in kept:
            w = min(box[row, 2], box[other, 2]) - max(box[row, 0], box[other, 0])
            h = min(box[row, 3], box[other, 3]) - max(box[row, 1], box[other, 1])
            shared = max(w, 0) * max(h, 0)
            both = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (box[row], box[other])) - shared
            if group[row] == group[other] and shared / both > most:
                break
        else:
            kept.append(row)
    return kept


@pytest.mark.parametrize("seed", range(6))
def test_nms_is_that_of_one_box_at_a_time(seed):
    random = np.random.default_rng(seed)
    low, side = random.uniform(0, 40, (150, 2)), random.uniform(5, 30, (150, 2))
    box, score = np.concatenate([low, low + side], 1), random.integers(0, 20, 150) / 20  # with ties
    group = random.integers(0, 2, 150)
    for most in (0.2, 0.5, 0.8):
        found = nms(*(torch.from_numpy(v) for v in (box, score, group)), most)
        assert found.tolist() == slow(box, score, group, most)


def test_a_chain_of_overlaps_is_gone_through_to_its_end():
    """The first suppresses the second, so that the third stays, so that the fourth goes ..."""
    box = torch.tensor([[4.0 * n, 0, 4.0 * n + 10, 10] for n in range(30)])
    kept = nms(box, torch.linspace(1, 0, 30), torch.zeros(30), 0.3)
    assert kept.tolist() == list(range(0, 30, 2))
    assert nms(box[:0], torch.zeros(0), torch.zeros(0), 0.5).tolist() == []


def test_iou_by_hand():
    box = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10]])
    np.testing.assert_allclose(iou(box, box), [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]], atol=1e-6)


# augmentation

@pytest.mark.parametrize("change", [Augment(True, True, 0, 0, 0, 0, 0), Augment(False, False, 0.5, 0, 0, 0, 0),
                                    Augment(vertical_flip=True, corruptions=False)])
def test_boxes_follow_their_images(change):
    """The coloured parts of the changed image are where its boxes are."""
    images, boxes = coloured_boxes(12, 3, most=1)
    out, moved = augmented(images, boxes, change, 5, copies=3)
    assert len(out) == 36 and moved.count == 36 and not np.array_equal(out[:12], images)
    assert len(moved) > 25  # some are cut off
    for row in moved.image:
        coloured = np.abs(out[row, ..., 0].astype(int) - out[row, ..., 2]) > 90
        y, x = np.nonzero(coloured)
        box = moved.box[moved.rows(row)][0]
        np.testing.assert_allclose(box, [x.min(), y.min(), x.max() + 1, y.max() + 1], atol=1.6)


def test_no_change_changes_nothing():
    images, boxes = coloured_boxes(6, 0)
    out, out_boxes = augmented(images, boxes, NO_CHANGE, 0)
    assert np.array_equal(out, images) and same_boxes(out_boxes, boxes)


def test_a_copy_depends_on_its_number_alone():
    images, boxes = coloured_boxes(6, 0)
    out, _ = augmented(images, boxes, Augment(), 1)
    assert np.array_equal(augmented(images[:4], boxes.take(range(4)), Augment(), 1)[0], out[:4])
    assert not np.array_equal(augmented(images, boxes, Augment(), 2)[0], out)
    two = augmented(images, boxes, Augment(), 1, copies=2)[0]
    assert np.array_equal(two[:6], out) and not np.array_equal(two[6:], out)


def test_boxes_that_are_cut_off_are_dropped():
    images = np.full((40, 32, 32, 3), 100, np.uint8)
    boxes = make_boxes(40, np.repeat(np.arange(40), 2), [[0, 0, 6, 6], [10, 10, 22, 22]] * 40, ["red", "blue"] * 40)
    _, found = augmented(images, boxes, Augment(False, False, 0.8, 0, 0, 0, 0), 0)
    corner = np.bincount(found.image[found.name == "red"], minlength=40)
    assert 20 < corner.sum() < 40 and (np.bincount(found.image[found.name == "blue"]) == 1).all()
    assert found.box.min() >= 0 and found.box.max() <= 32


# targets, loss, peaks

def perfect(box: list[list[float]], code: list[int], size: tuple[int, int] = (12, 16)) -> torch.Tensor:
    """The outputs of a perfect network [1, 6, h, w]."""
    out = torch.full((1, 6, *size), -12.0)
    for (x0, y0, x1, y1), c in zip(box, code, strict=True):
        column, row = int((x0 + x1) / 8), int((y0 + y1) / 8)
        out[0, c, row, column] = 12
        for dy in range(-3, 4):  # boxes are learned near their centre
            for dx in range(-3, 4):
                if 0 <= row + dy < size[0] and 0 <= column + dx < size[1]:
                    x, y = (column + dx + 0.5) * 4, (row + dy + 0.5) * 4
                    sides = torch.tensor([x - x0, y - y0, x1 - x, y1 - y])
                    if (sides > 0).all():
                        out[0, 2:, row + dy, column + dx] = (sides / 4).log()
    return out


def test_perfect_outputs_have_no_loss_and_decode_to_the_boxes():
    box, code = [[3.0, 5, 25, 20], [30, 10, 38, 19], [41, 22, 62, 46]], [0, 1, 1]
    targets, out = Targets(torch.tensor([box]), torch.tensor([code]), EVEN), perfect(box, code)
    assert loss(out, targets, 2, 4)[0] < 0.01
    found, score, kind, _ = decode(out, 2, 4, 3)
    assert (score > 0.99).all() and sorted(kind[0].tolist()) == code
    order = found[0, :, 0].argsort()
    np.testing.assert_allclose(found[0][order], box, atol=1e-3)
    wrong = Targets(torch.tensor([box]), torch.tensor([[1, 1, 0]]), EVEN)
    moved = Targets(torch.tensor([box]) + torch.tensor([2.0, 0, 2, 0]), torch.tensor([code]), EVEN)
    nothing = torch.cat([torch.full((1, 2, 12, 16), -12.0), out[:, 2:]], 1)
    assert loss(nothing, targets, 2, 4)[0] > 20  # every object is missed
    assert loss(out, wrong, 2, 4)[0] > 5 and loss(out, moved, 2, 4)[0] > 0.3


def test_padding_and_empty_images_are_no_objects():
    box, code = [[3.0, 5, 25, 20]], [0]
    out = perfect(box, code)
    alone = loss(out, Targets(torch.tensor([box]), torch.tensor([code]), EVEN), 2, 4)
    padded = Targets(torch.tensor([[*box, [0, 0, 0, 0]]]), torch.tensor([[0, -1]]), EVEN)
    assert torch.allclose(loss(out, padded, 2, 4), alone) and padded.count().tolist() == [1]
    empty = QUICK.targets(no_boxes(1))
    assert loss(torch.full((1, 6, 12, 16), -12.0), empty, 2, 4)[0] < 1e-3


def test_a_cell_of_two_objects_is_trained_on_one_box():
    """Each object's box weighs the same, however large."""
    box = [[0.0, 0, 60, 44], [26, 18, 34, 26]]
    targets = Targets(torch.tensor([box]), torch.tensor([[0, 1]]), EVEN)
    out = torch.zeros(1, 6, 12, 16, requires_grad=True)
    loss(out, targets, 2, 4).sum().backward()
    assert torch.isfinite(out.grad).all() and out.grad.abs().sum() > 0


def test_a_rare_class_has_a_greater_weight_and_an_absent_one_weight_one():
    weight = class_weights(torch.tensor([90, 10, 0]))
    assert torch.isclose(weight[1] / weight[0], torch.tensor(3.0)) and weight[2] == 1
    assert torch.isclose((weight * torch.tensor([90, 10, 0])).sum(), torch.tensor(100.0))
    assert class_weights(torch.zeros(2, dtype=torch.long)).tolist() == [1, 1]
    labels = make_boxes(2, [0, 0, 0, 0, 1], [[3.0, 5, 25, 20]] * 5, ["red"] * 4 + ["blue"])
    assert torch.allclose(QUICK.targets(labels).weight, class_weights(torch.tensor([4, 1])))


def test_weights_multiply_the_loss_of_their_class():
    box, code = [[3.0, 5, 25, 20], [30, 10, 38, 19]], [[0, 1]]
    out = torch.randn(1, 6, 12, 16, generator=torch.Generator().manual_seed(0))
    one, two, both = (loss(out, Targets(torch.tensor([box]), torch.tensor(code), torch.tensor(w)), 2, 4)
                      for w in ([1.0, 0.0], [0.0, 1.0], [1.0, 3.0]))
    assert torch.allclose(both, one + 3 * two) and one > 0 and two > 0


# the task

def ap(task: Detect, network: Detector, images: np.ndarray, labels: Boxes) -> float:
    return task.evaluate(network, images, labels)["mAP50"]


def test_it_learns_predicts_and_evaluates(trained):
    images, truth = coloured_boxes(32, 1)
    assert ap(QUICK, trained, images, truth) > 0.9
    swapped = make_boxes(32, truth.image, truth.box, np.where(truth.name == "red", "blue", "red"))
    assert ap(QUICK, trained, images, swapped) < 0.4
    assert ap(QUICK, QUICK.fresh(0).eval(), images, truth) < 0.2
    found = QUICK.predict(trained, images)
    for row in range(32):
        assert (np.diff(found.score[found.rows(row)]) <= 0).all()
    assert found.box.min() >= 0 and found.box.max() <= BOX_IMAGE
    checked: Task = QUICK  # fits the protocol
    assert callable(checked.influence)


def test_labels_are_the_boxes_of_renders_and_of_photos():
    frames = dots(labels={"dot": ["red"]})(dot(Uniform(4, 12)).sample(0, 6))
    policy = LabelPolicy(margin=1.0)
    boxes = QUICK.labels(frames, policy)
    assert same_boxes(boxes, label_boxes(frames, policy)) and len(boxes) == 6
    assert not same_boxes(boxes, QUICK.labels(frames))
    photos = Photos(frames.images, (), (), frames.label, boxes)
    assert QUICK.labels(photos) is boxes
    with pytest.raises(ValueError, match="the 6 labelled photos have no labels; a detector needs photos with boxes"):
        QUICK.labels(replace(photos, boxes=None))
    for source in (frames, photos):
        with pytest.raises(ValueError, match=r"boxes of \['red'\] are not among the classes \['blue'\]"):
            replace(QUICK, classes=("blue",)).labels(source)


def test_detections_do_not_depend_on_the_other_images(trained):
    images, _ = coloured_boxes(21, 2)
    every = QUICK.predict(trained, images)
    assert same_boxes(QUICK.predict(trained, images[18:]), every.take(range(18, 21)))
    assert len(QUICK.predict(trained, images[:0])) == 0
    assert np.bincount(replace(QUICK, max_detections=1).predict(trained, images).image).max() == 1


def test_upscaling_brings_boxes_back_to_the_image(trained):
    """A network of large images knows small ones that are upscaled: their boxes, and what it is trained on."""
    task, (images, truth) = replace(QUICK, upscale=2.0), coloured_boxes(32, 1)
    small, own = images[:, ::2, ::2], make_boxes(32, truth.image, truth.box / 2, truth.name)
    assert ap(task, trained, small, own) > 0.9 > 0.2 > ap(QUICK, trained, small, own)
    large, upscaled, plain = (
        float(some._mean_loss(trained, [(some._source(trained, pixels, boxes, 0), torch.arange(32))]))
        for some, pixels, boxes in ((QUICK, images, truth), (task, small, own), (QUICK, small, own)))
    assert upscaled < 1.5 * large < plain / 2


@pytest.mark.parametrize("steps", range(1, 8))
def test_any_number_of_steps_is_a_training(steps):
    assert same_weights(*(replace(QUICK, steps=steps).train(*coloured_boxes(4, 0), 0) for _ in range(2)))


def test_the_same_seed_gives_the_same_bytes_and_a_fresh_network():
    task, data = replace(QUICK, steps=6, augment=Augment(), augmented_copies=40), coloured_boxes(24, 0)
    state = torch.random.get_rng_state()
    first = task.train(*data, 5)
    task.train(*coloured_boxes(8, 4), 5)
    assert same_weights(task.train(*data, 5), first) and not same_weights(task.train(*data, 6), first)
    assert same_weights(task.fresh(5), task.fresh(5)) and not same_weights(task.fresh(5), task.fresh(6))
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_longer_training_sees_more_copies_of_each_image(trained, monkeypatch):
    """Few copies that are seen often are learned by heart; further training is shorter, and needs fewer."""
    seen = []

    def augmented(images, labels, augment, seed, copies):
        seen.append(copies)
        return images, labels

    monkeypatch.setattr("scenefit.tasks.detection.augmented", augmented)
    task, data = replace(QUICK, steps=1, augmented_copies=36), coloured_boxes(4, 0)
    task.train(*data, 0)
    task.fine_tune(trained, *data, 0, *data)
    assert seen == [9, 3, 3]
    assert Detect(CLASSES).augmented_copies == 4 * Detect(CLASSES).steps


def test_fine_tuning_leaves_the_first_network_alone(trained):
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    images, truth = coloured_boxes(16, 7)
    swapped = make_boxes(16, truth.image, truth.box, np.where(truth.name == "red", "blue", "red"))
    tuned = replace(QUICK, steps=60).fine_tune(trained, images, swapped, 0)
    assert all(torch.equal(value, before[name]) for name, value in trained.state_dict().items())
    assert ap(QUICK, tuned, images, swapped) > 0.5 > ap(QUICK, trained, images, swapped)
    mixed = replace(QUICK, steps=9).fine_tune(trained, images, swapped, 0, *coloured_boxes(16, 8))
    assert not same_weights(mixed, replace(QUICK, steps=9).fine_tune(trained, images, swapped, 0))


def test_self_training_on_photos_of_another_look_forgets_nothing(trained):
    """Photos with frames of red and blue that are no objects."""
    images, truth = coloured_boxes(32, 7)
    photos, real = coloured_boxes(32, 8)
    photos = photos.copy()
    photos[:, :2], photos[:, :, -2:] = (160, 60, 60), (60, 60, 160)
    adapted = QUICK.self_train(trained, photos, 0, images, truth, 1)
    assert ap(QUICK, adapted, photos, real) >= ap(QUICK, trained, photos, real) - 0.02
    assert ap(QUICK, adapted, images, truth) > 0.9
    brief = replace(QUICK, steps=6)
    assert same_weights(*(brief.self_train(trained, photos, 0, images, truth, 1) for _ in range(2)))


def test_self_training_takes_confident_predictions_as_labels_anew_each_round(trained, monkeypatch):
    (images, truth), (photos, _) = coloured_boxes(16, 7), coloured_boxes(8, 8)
    seen: list[tuple[Boxes, Boxes, int]] = []
    features: list[object] = []

    def source(self, network, renders, own, seed):
        assert renders is images and own is truth
        features.append(object())
        return features[-1]

    def training(self, given, labels, seed, network, rendered, parts):
        assert given is photos and rendered is features[0]
        seen.append((labels, self.predict(network, photos), seed))
        yield TrainingStep(network if len(seen) > 1 else other, 1, 1, 0.0, labels)

    other = QUICK.fresh(3)
    monkeypatch.setattr(Detect, "_source", source)
    monkeypatch.setattr(Detect, "train_steps", training)
    assert QUICK.self_train(trained, photos, 5, images, truth, min_confidence=0.4) is other
    for labels, found, _ in seen:
        assert labels.score.tolist() == found.score[found.score >= 0.4].tolist()
    assert len(seen) == 2 and len(seen[0][0]) > 8 and seen[0][2] != seen[1][2], "the second turn is the tuned one's"
    assert len(features) == 1, "of the renders, once for all turns"


def test_influence_is_that_of_the_last_layers_gradients():
    """Computed anew with autograd, image by image, over the moments of the training."""
    task, data, real = replace(QUICK, steps=8), coloured_boxes(20, 0), coloured_boxes(6, 1)
    credit, score = task.influence(*data, *real, 3)
    expected = np.zeros(20)
    for network, *_ in task.train_steps(*data, 3, parts=4):
        def gradient(images: np.ndarray, labels: Boxes, row: int, network: Detector = network) -> torch.Tensor:
            network.zero_grad()
            out = network(task.maps(network, images[row:row + 1]))
            loss(out, task.targets(labels).take(torch.tensor([row])), 2, 4).sum().backward()
            weight = network.last.weight.grad[:, :, 0, 0]
            return torch.cat([weight, network.last.bias.grad[:, None]], 1).flatten()

        along = torch.stack([gradient(*real, row) for row in range(6)]).mean(0).double().numpy()
        own = torch.stack([gradient(*data, row) for row in range(20)]).double().numpy()
        moments = own.T @ own / 20
        straight = np.linalg.inv(moments + 0.1 * np.trace(moments) / len(along) * np.eye(len(along))) @ along
        expected += own @ straight / (own @ straight).std(ddof=1)
        network.zero_grad()
    np.testing.assert_allclose(credit, expected / expected.std(ddof=1), rtol=0.02, atol=0.02)
    assert score == ap(task, task.train(*data, 3), *real)


def test_images_with_wrong_labels_have_less_influence():
    """The plain product of the gradients does not see them."""
    images, truth = coloured_boxes(80, 0)
    bad = truth.image < 20
    name = np.where(bad & (truth.name == "red"), "blue", np.where(bad, "red", truth.name))
    task = replace(QUICK, learning_rate=5e-3, steps=60)
    credit, _ = task.influence(images, make_boxes(80, truth.image, truth.box, name), *coloured_boxes(24, 1), 0)
    assert credit.std() == pytest.approx(1, abs=0.01)
    assert credit[:20].mean() < credit[20:].mean() - 0.5


def test_errors_say_what_to_do():
    images, truth = coloured_boxes(4, 0)
    with pytest.raises(ValueError, match=r"boxes of \['blue'\] are not among the classes \['red'\]; name every class"):
        replace(QUICK, classes=("red",)).train(images, truth, 0)
    with pytest.raises(ValueError, match=r"got 3 images and boxes of 4"):
        QUICK.train(images[:3], truth, 0)


@pytest.mark.parametrize("size", [(16, 16), (37, 50), (64, 48)])
def test_any_size_of_image(trained, size):
    images = np.random.default_rng(0).integers(90, 130, (3, *size, 3)).astype(np.uint8)
    images[1, 3:13, 4:14], images[2, 2:12, 5:15] = (220, 30, 30), (30, 30, 220)
    found = QUICK.predict(trained, images)
    assert found.count == 3
    sure = found.where(found.score > 0.4)
    assert list(zip(sure.image.tolist(), sure.name.tolist(), strict=True)) == [(1, "red"), (2, "blue")]
    wanted = torch.tensor([[4.0, 3, 14, 13], [5, 2, 15, 12]])
    assert iou(torch.from_numpy(sure.box).float(), wanted).diagonal().min() > 0.5


def test_lite0_stays_frozen_or_learns_too():
    task = Detect(CLASSES, steps=2, batch=4, augmented_copies=1, augment=NO_CHANGE)
    data = coloured_boxes(4, 0)
    fresh, network = task.fresh(0), task.train(*data, 0)
    assert same_weights(network.backbone, fresh.backbone) and not same_weights(network.tower, fresh.tower)
    tuned = replace(task, train_backbone=True).train(*data, 0)
    assert not same_weights(tuned.backbone, fresh.backbone)
    maps = task.maps(network, data[0])
    assert [m.shape[1:] for m in maps] == [(24, 12, 12), (40, 6, 6), (112, 3, 3), (320, 2, 2)]


def test_the_pyramid_is_that_of_lite0():
    images = torch.from_numpy(coloured_boxes(2, 0)[0]).permute(0, 3, 1, 2)
    images = images[:, :, :, :40].repeat(1, 1, 2, 2) / 255  # 96 x 80
    for layer, found in zip((2, 4, 10, 15), Lite0Maps()(images), strict=True):
        torch.testing.assert_close(found.mean((2, 3)), lite0(layer)(images), rtol=1e-3, atol=1e-3)
