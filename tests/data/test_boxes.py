"""Boxes: sorted, checked, taken by image."""

import numpy as np
import pytest

from scenefit.data.boxes import join_boxes, make_boxes, no_boxes

BOXES = make_boxes(3, [2, 0, 2], [[0, 0, 4, 4], [1, 1, 3, 2], [5, 5, 6, 9]], ["a", "b", "c"], [0.1, 0.2, 0.3])


def test_boxes_are_sorted_by_image_and_keep_their_order_within_one():
    assert BOXES.image.tolist() == [0, 2, 2]
    assert BOXES.name.tolist() == ["b", "a", "c"] and BOXES.score.tolist() == [0.2, 0.1, 0.3]
    assert BOXES.name[BOXES.rows(2)].tolist() == ["a", "c"] and len(BOXES.name[BOXES.rows(1)]) == 0


def test_images_are_taken_in_any_order_and_more_than_once():
    taken = BOXES.take([2, 1, 0, 2])
    assert taken.count == 4 and taken.image.tolist() == [0, 0, 2, 3, 3]
    assert taken.name.tolist() == ["a", "c", "b", "a", "c"]
    masked = BOXES.take(np.array([True, False, False]))
    assert masked.count == 1 and masked.name.tolist() == ["b"]
    assert len(no_boxes(2).take([1])) == 0
    assert BOXES.take([]).count == 0


def test_boxes_are_kept_by_mask_and_moved():
    assert BOXES.where(BOXES.score > 0.15).name.tolist() == ["b", "c"]
    assert BOXES.scaled(2, (1, -1)).box[0].tolist() == [3, 1, 7, 3]


def test_further_values_stay_with_their_boxes():
    more = make_boxes(3, [2, 0, 2], BOXES.box, BOXES.name, more={"far": [3, 1, 4], "place": np.arange(6).reshape(3, 2)})
    assert more.more["far"].tolist() == [1, 3, 4] and more.more["place"].tolist() == [[2, 3], [0, 1], [4, 5]]
    assert more.take([2, 0]).more["far"].tolist() == [3, 4, 1]
    assert more.where(more.image == 2).scaled(2).more["place"].tolist() == [[0, 1], [4, 5]]
    joined = join_boxes([more, no_boxes(1), more.take([0])])
    assert joined.more["far"].tolist() == [1, 3, 4, 1] and joined.count == 5
    assert join_boxes([more, BOXES]).more == {} and join_boxes([no_boxes(1)]).more == {}
    with pytest.raises(ValueError, match=r"boxes need one far each, 1, got \[2\]"):
        make_boxes(1, [0], [[0, 0, 1, 1]], ["a"], more={"far": [1, 2]})


def test_scores_are_one_for_labels():
    assert make_boxes(1, [0], [[0, 0, 1, 1]], ["a"]).score.tolist() == [1.0]


@pytest.mark.parametrize(("image", "box", "name", "text"), [
    ([3], [[0, 0, 1, 1]], ["a"], "box 0 belongs to image 3, but there are 3"),
    ([0], [[1, 0, 1, 1]], ["a"], "box 0 needs x0 < x1"),
    ([0], [[0, 0, np.nan, 1]], ["a"], "box 0 needs x0 < x1"),
    ([0], [[0, 0, 1, 1]], [""], "box 0 needs a class and a finite score, got '' and 1.0"),
    ([0, 1], [[0, 0, 1, 1]], ["a"], "one image, box, name and score each"),
])
def test_what_is_no_box_is_named(image, box, name, text):
    with pytest.raises(ValueError, match=text):
        make_boxes(3, image, box, name)


def test_a_score_is_a_number():
    with pytest.raises(ValueError, match="box 1 needs a class and a finite score, got 'b' and nan"):
        make_boxes(1, [0, 0], [[0, 0, 1, 1]] * 2, ["a", "b"], [0.5, np.nan])


def test_boxes_are_printed_in_a_line():
    names = ["b", "a", "b"] + [f"c{i}" for i in range(9)]
    boxes = make_boxes(3, np.zeros(12), np.tile([0, 0, 1, 1], (12, 1)), names)
    assert repr(boxes) == "Boxes(12 in 3 images: 2 b, 1 a, 1 c0, 1 c1, 1 c2, 1 c3 and 5 classes more)"
    assert repr(make_boxes(2, [], np.zeros((0, 4)), [])) == "Boxes(0 in 2 images)"
