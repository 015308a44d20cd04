"""What a training says in words."""

import numpy as np

from scenefit.data.boxes import make_boxes
from scenefit.tasks.training.pseudo_labels import describe_boxes


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
