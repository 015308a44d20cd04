"""Semantic segmentation: labels, augmentation of masks, training on boxes of two colours, and what tasks share."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from checks import same_weights
from toys import BOX_IMAGE, coloured_masks, dot, dots
from toys import COLOURS as CLASSES

from scenefit.data.boxes import make_boxes
from scenefit.data.class_masks import IGNORED, ClassMasks
from scenefit.data.photos import Photos
from scenefit.nets.augmentation import NO_CHANGE, Augment, augmented, augmented_masks
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.nets.segmentation_network import Segmenter, at_pixels
from scenefit.scenes.priors import Uniform
from scenefit.tasks import PredictsBoxes, Segment, headline
from scenefit.tasks.from_labels import renders_to_choose, task_for_labels
from scenefit.tasks.rendering import render_labelled

QUICK = Segment(CLASSES, steps=80, batch=8, augmented_copies=1, learning_rate=1e-2, augment=NO_CHANGE,
                backbone=SmallMaps)


@pytest.fixture(scope="module")
def trained() -> Segmenter:
    return QUICK.train(*coloured_masks(64, 0), 0)


def test_a_trained_network_finds_the_pixels_of_each_class(trained):
    metrics = QUICK.evaluate(trained, *coloured_masks(40, 1))
    assert list(metrics) == ["mIoU", *(f"IoU {name}" for name in CLASSES), *(f"pixel AP {name}" for name in CLASSES)]
    assert headline(metrics) == pytest.approx(np.mean([metrics[f"IoU {name}"] for name in CLASSES]))
    assert metrics["mIoU"] > 0.8 and min(metrics[f"pixel AP {name}"] for name in CLASSES) > 0.9
    swapped = coloured_masks(40, 1, CLASSES[::-1])
    assert QUICK.evaluate(trained, swapped[0], ClassMasks(CLASSES, swapped[1].masks))["mIoU"] < 0.1


def test_lite0_stays_frozen_or_learns_too():
    short = Segment(CLASSES, steps=2, batch=4, augmented_copies=1, augment=NO_CHANGE)
    data = coloured_masks(4, 0)
    fresh, head, whole = short.fresh(0), short.train(*data, 0), replace(short, train_backbone=True).train(*data, 0)
    assert same_weights(head.backbone, fresh.backbone) and not same_weights(whole.backbone, fresh.backbone)
    assert not same_weights(head, fresh)


def test_the_same_seed_gives_the_same_network_and_pixels_do_not_depend_on_other_images(trained):
    short = replace(QUICK, steps=3)
    assert same_weights(*(short.train(*coloured_masks(16, 0), 0) for _ in range(2)))
    assert not same_weights(*(short.train(*coloured_masks(16, 0), seed) for seed in range(2)))
    images, _ = coloured_masks(21, 2)
    every = QUICK.segment(trained, images)
    assert (QUICK.segment(trained, images[18:]).masks == every.masks[18:]).all()
    assert every.classes == CLASSES and every.masks.shape == images.shape[:3]


def test_ignored_pixels_are_neither_trained_on_nor_evaluated(trained):
    images, masks = coloured_masks(32, 3)
    half = masks.masks.copy()
    half[:, :, :BOX_IMAGE // 2] = IGNORED
    other = np.where(half == IGNORED, IGNORED, 0).astype(np.uint8)
    targets, out = QUICK.targets(masks), trained(QUICK.maps(trained, images)).detach()
    part = replace(targets, masks=torch.from_numpy(half))
    assert (part.count() < targets.count()).all()
    assert (QUICK.loss(trained, out, part) < QUICK.loss(trained, out, targets)).all()
    assert not QUICK.loss(trained, out, QUICK.targets(ClassMasks(CLASSES, np.full_like(half, IGNORED)))).any()
    assert np.isnan(QUICK.evaluate(trained, images, ClassMasks(CLASSES, other))["mIoU"])


def test_pixels_of_rare_classes_weigh_more():
    """Inversely to the square root of how many there are, 1 in the mean, at most 5; ignored ones have no say."""
    mask = np.zeros((1, 10, 10), np.uint8)
    mask[0, :1], mask[0, 1:5], mask[0, 9] = 1, 2, IGNORED
    weight = QUICK.targets(ClassMasks(CLASSES, mask)).weight.double()
    np.testing.assert_allclose(weight / weight[0], [1, 2, 1])
    np.testing.assert_allclose((weight * torch.tensor([40.0, 10.0, 40.0])).sum(), 90, rtol=1e-6)
    lone = np.zeros((1, 100, 100), np.uint8)
    lone[0, 0, 0] = 1
    assert QUICK.targets(ClassMasks(CLASSES, lone)).weight.tolist() == [pytest.approx(1, abs=0.02), 5, 0]


def test_unsure_pixels_are_no_pseudo_labels(trained):
    images, _ = coloured_masks(8, 4)
    sure = QUICK.pseudo_labels(trained, images, 0.9).masks
    every = QUICK.segment(trained, images).masks
    assert 0 < (sure == IGNORED).mean() < 0.5
    assert (sure == every)[sure != IGNORED].all()


def test_fine_tuning_and_self_training_go_on_from_a_network(trained):
    """With names swapped, fine-tuning learns the new ones."""
    images, masks = coloured_masks(24, 5, CLASSES[::-1])
    renamed = ClassMasks(CLASSES, masks.masks)
    tuned = replace(QUICK, steps=240).fine_tune(trained, images, renamed, 0)
    assert QUICK.evaluate(tuned, images, renamed)["mIoU"] > 0.5 > QUICK.evaluate(trained, images, renamed)["mIoU"]
    again = replace(QUICK, steps=12).self_train(trained, images, 0, *coloured_masks(24, 6), rounds=1)
    assert not same_weights(again, trained) and QUICK.evaluate(again, *coloured_masks(24, 7))["mIoU"] > 0.7


def test_labels_are_those_of_renders_and_of_photos():
    frames = dots(labels={"dot": ["red"]})(dot(Uniform(4, 12)).sample(0, 6))
    labels = QUICK.labels(frames)
    assert labels.classes == CLASSES and ((labels.masks == CLASSES.index("red") + 1) == (frames.instances > 0)).all()
    other = Photos(frames.images, masks=ClassMasks(("sky", "red"), np.where(labels.masks > 0, 2, 1).astype(np.uint8)))
    assert (QUICK.labels(other).masks == labels.masks).all()
    with pytest.raises(ValueError, match=r"\['sky'\], none of which is among the task's, \['red', 'blue'\]"):
        QUICK.labels(Photos(frames.images, masks=ClassMasks(("sky",), labels.masks)))
    with pytest.raises(ValueError, match="the 6 labelled photos have no labels; segmentation needs photos with class"):
        QUICK.labels(Photos(frames.images))


def test_wrong_labels_are_refused():
    images, masks = coloured_masks(2, 0)
    with pytest.raises(ValueError, match="labels needs ClassMasks"):
        QUICK.train(images, masks.masks, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="of_classes"):
        QUICK.train(images, ClassMasks(("a", "b"), masks.masks), 0)
    with pytest.raises(ValueError, match="images and a mask of each"):
        QUICK.train(images[:1], masks, 0)


def test_labels_in_another_order_of_classes_are_not_compared(trained):
    images, masks = coloured_masks(4, 0)
    for method in (QUICK.score, QUICK.evaluate):
        with pytest.raises(ValueError, match=r"classes \['blue', 'red'\], and the task \['red', 'blue'\]: .*"
                                             r"labels.of_classes\(task.classes\) renumbers"):
            method(trained, images, masks.of_classes(CLASSES[::-1]))
    own, more = (QUICK.evaluate(trained, images, labels) for labels in (
        masks, ClassMasks((*CLASSES, "sky"), np.where(masks.masks == 0, 3, masks.masks).astype(np.uint8))))
    assert more["IoU sky"] == more["pixel AP sky"] == 0 and more["mIoU"] == pytest.approx(own["mIoU"] * 2 / 3)


def test_no_images_have_no_masks_and_no_iou(trained):
    images, masks = coloured_masks(2, 0)
    found = QUICK.segment(trained, images[:0])
    assert found.classes == CLASSES and found.masks.shape == (0, *images.shape[1:3]) and found.masks.dtype == np.uint8
    assert len(QUICK.score(trained, images[:0], masks.take([]))) == 0
    assert np.isnan(list(QUICK.evaluate(trained, images[:0], masks.take([])).values())).all()


def test_there_are_no_more_classes_than_values_of_a_mask():
    names = tuple(map(str, range(255)))
    assert Segment(names[:254]).classes == names[:254]
    with pytest.raises(ValueError, match="at most 254 classes, as a class mask has no values for more; got 255"):
        Segment(names)


def test_masks_move_with_their_images_as_boxes_do():
    """A box of one colour stays where its mask and its box are."""
    images = np.full((1, 40, 40, 3), 40, np.uint8)
    images[0, 8:20, 5:15] = 220
    masks = ClassMasks(("box",), (images[..., 0] > 100).astype(np.uint8))
    boxes = make_boxes(1, [0], [(5, 8, 15, 20)], ["box"])
    change = replace(NO_CHANGE, flip=True, vertical_flip=True, scale=0.5)
    moved, found = augmented_masks(images, masks, change, 3, copies=12)
    away = (moved[..., 0] > 130) != (found.masks == 1)
    inside = found.masks != IGNORED
    assert (away & inside).sum() < 0.02 * inside.sum() and (found.masks == IGNORED).any()
    assert len({found.masks[n].tobytes() for n in range(12)}) > 8
    assert (augmented(images, boxes, change, 3, copies=12)[0] == moved).all()
    same, kept = augmented_masks(images, masks, replace(Augment(), flip=False, scale=0), 0)
    assert (kept.masks == masks.masks).all() and (same != images).any()


def test_outputs_lie_at_the_centres_of_their_cells():
    """A ramp over the cells is the same ramp over the pixels, but at the border."""
    cells = (torch.arange(6.0) + 0.5).expand(1, 1, 5, 6) * 4
    pixels = at_pixels(cells, 4, (18, 23))
    assert pixels.shape == (1, 1, 18, 23)
    np.testing.assert_allclose(pixels[0, 0, 9, 2:22], np.arange(2, 22) + 0.5, atol=1e-5)


def test_influence_of_images_with_wrong_labels_is_less():
    images, truth = coloured_masks(60, 0)
    wrong = truth.masks.copy()
    wrong[:15] = np.where(wrong[:15] == 1, 2, np.where(wrong[:15] == 2, 1, 0))
    task = replace(QUICK, learning_rate=5e-3, steps=40)
    credit, score = task.influence(images, ClassMasks(CLASSES, wrong), *coloured_masks(20, 1), 0)
    assert credit.shape == (60,) and credit[:15].mean() < credit[15:].mean() - 0.5
    assert score == task.evaluate(task.train(images, ClassMasks(CLASSES, wrong), 0), *coloured_masks(20, 1))["mIoU"]


def test_masks_of_photos_ask_for_segmentation():
    grammar, renderer = dot(Uniform(4, 12)), dots(labels={"dot": ["red"]})
    images, labels = render_labelled(Segment(("red", "sky")), renderer, grammar.sample(3, 8))
    photos = Photos(images, masks=labels)
    task = task_for_labels(photos, grammar, renderer)
    assert task == Segment(("red",)) and not isinstance(task, PredictsBoxes) and renders_to_choose(photos) > 0
    none = Photos(images, masks=ClassMasks(("red",), np.zeros_like(labels.masks)))
    with pytest.raises(ValueError, match="masks that show no class, so there is no class to segment"):
        task_for_labels(none, grammar, renderer)
    with pytest.raises(ValueError, match=r"the masks of the labelled photos are of the classes \['sun'\]"):
        task_for_labels(Photos(images, masks=ClassMasks(("sun",), labels.masks)), grammar, renderer)
