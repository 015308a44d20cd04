"""`Photos` as people handle them: in square brackets, printed, shown in a notebook."""

import io

import numpy as np
import pytest
from PIL import Image

from scenefit.data.boxes import make_boxes
from scenefit.data.image_files import Skipped
from scenefit.data.photos import Photos

FILES = ("zq0.png", "zq1.png", "zq2.png", "zq3.png")


def some(n: int = 4, boxes: bool = False) -> Photos:
    images = np.full((n, 6, 8, 3), np.arange(n)[:, None, None, None], np.uint8)
    corners = [[0, 0, 1 + i, 2] for i in range(n)]
    return Photos(images, FILES[:n], (), np.array([f"class{i}" for i in range(n)] if not boxes else [""] * n, np.str_),
                  make_boxes(n, range(n), corners, [f"kind{i}" for i in range(n)]) if boxes else None)


@pytest.mark.parametrize("key, rows", [
    (0, [0]), (-1, [3]), (np.int64(2), [2]), (slice(1, 3), [1, 2]), (slice(None, None, -1), [3, 2, 1, 0]),
    ([2, 0], [2, 0]), (np.array([True, False, False, True]), [0, 3]), ([], [])])
def test_square_brackets_give_photos_with_their_files_labels_and_boxes(key, rows):
    for photos in (some(), some(boxes=True)):
        taken = photos[key]
        assert isinstance(taken, Photos) and taken.images[:, 0, 0, 0].tolist() == rows
        assert taken.paths == tuple(FILES[row] for row in rows)
        assert taken.label.tolist() == photos.label[rows].tolist()
        if photos.boxes is not None:
            assert taken.boxes.image.tolist() == list(range(len(rows)))
            assert taken.boxes.name.tolist() == [f"kind{row}" for row in rows]


def test_a_mask_takes_where_it_is_true():
    assert some().take(np.array([False, True, False, True])).paths == ("zq1.png", "zq3.png")


def test_a_loop_ends_after_the_last_photo_and_numbers_outside_are_named():
    assert [one.paths for one in some()] == [(name,) for name in FILES]
    for key in (4, -5):
        with pytest.raises(IndexError, match=f"{key} of 4: the numbers are 0 to 3"):
            some()[key]
    with pytest.raises(TypeError, match="'str' object cannot be interpreted as an integer"):
        some()["zq0.png"]


def test_photos_are_printed_in_a_line():
    skipped = (Skipped(FILES[0], "broken"),)
    plain = Photos(some().images, (), (), np.full(4, ""))
    assert repr(plain) == "Photos(4 images of 6 x 8 pixels)"
    assert repr(some(boxes=True)) == "Photos(4 images of 6 x 8 pixels, 4 boxes of kind0, kind1, kind2 and 1 more)"
    assert repr(some(boxes=True)[2]) == "Photos(1 image of 6 x 8 pixels, 1 box of kind2)"
    assert repr(some(2)) == "Photos(2 images of 6 x 8 pixels, labels of class0, class1)"
    assert repr(some(1)) == "Photos(1 image of 6 x 8 pixels, labels of class0)"
    assert repr(Photos(plain.images, (), skipped, plain.label)) == "Photos(4 images of 6 x 8 pixels, 1 skipped)"
    assert repr(plain[[]]) == "Photos(0 images of 6 x 8 pixels)"


def test_a_notebook_shows_photos_as_a_picture():
    picture = np.asarray(Image.open(io.BytesIO(some(2)._repr_png_())))
    assert {0, 1} <= set(picture[:, :, 0].ravel().tolist())
    assert some()[[]]._repr_png_() is None, "then it shows the text"
