"""What a training says in words."""

import numpy as np

from scenefit.data.boxes import make_boxes
from scenefit.data.class_masks import ClassMasks
from scenefit.tasks.segmentation import Segment
from scenefit.tasks.training.pseudo_labels import describe_boxes, describe_masks
from scenefit.tasks.training_texts import disjoint_classes, unmeasured, unset_thresholds


def boxes(count, **numbers):
    """So many boxes of each class, over `count` images."""
    names = np.repeat(list(numbers), list(numbers.values()))
    return make_boxes(count, np.arange(len(names)) % count, np.tile([0, 0, 4, 4], (len(names), 1)), names)


def test_self_training_warns_of_classes_with_none_too_many_and_too_few():
    rendered = boxes(10, red=100, white=10, platelet=10, dust=30)
    said = describe_boxes(boxes(20, red=150, platelet=70, dust=12), rendered, "render")[1]
    assert [text.split(";")[0] for text in said] == [
        "0.6 pseudo-labels of dust in a photo, and 3.0 labels in each render",
        "3.5 pseudo-labels of platelet in a photo, and 1.0 labels in each render",
        "no pseudo-label of white, though renders show it"]
    assert describe_boxes(boxes(20, red=150, white=20, platelet=20, dust=60), rendered, "render")[1] == []


def masks(*values):
    """Masks of the classes car and road, of one row each."""
    return ClassMasks(("car", "road"), np.array(values, np.uint8)[:, None])


def test_self_training_on_masks_tells_shares_and_warns_of_them():
    rendered = masks([1, 1, 2, 2, 0, 0, 0, 0, 0, 0])
    found, warnings = describe_masks(masks([1, 1, 1, 1, 1, 2, 255, 255, 0, 0]), rendered, "render")
    assert found == "pseudo-labels (confidence 0.5 or more) on 80.0% of the pixels of 1 photo: 50.0% car, 10.0% road"
    assert [text.split(";")[0] for text in warnings] == [
        "pseudo-labels of car on 50.0% of a photo, and labels on 20.0% of each render"]
    assert describe_masks(masks([1] + [255] * 9), rendered, "render")[1][-1].startswith("no pseudo-label of road")


def test_figures_of_a_network_name_its_thresholds():
    assert unmeasured(0.5, 3, alone=True).startswith("Its confidence threshold, 0.50, was chosen on the 3 ")
    assert unmeasured((0.5, 0.25), 3, alone=False).startswith("Its confidence thresholds, 0.50, 0.25, were chosen on ")


def test_classes_without_a_threshold_of_their_own_are_named():
    task, labels = Segment(("car", "road")), masks([1, 1, 0, 255])
    assert unset_thresholds(task, (0.3, 0.5), labels).endswith("do not show road, so this threshold is 0.5")
    assert unset_thresholds(task, (0.3, 0.5), masks([1, 2])) == unset_thresholds(task, 0.5, labels) == ""


def test_labelled_photos_with_none_of_the_rendered_classes_are_warned_of():
    said = disjoint_classes(["dot"], ["coin", "bill"], "render")
    assert "renders show dot, the photos bill, coin; " in said and "name them alike" in said
    assert disjoint_classes(["dot"], ["coin", "dot"], "render") == ""
