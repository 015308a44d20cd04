"""Contact sheets of a few images, for notebooks."""

import io

import numpy as np
import pytest
from PIL import Image

from scenefit.data.contact_sheet import contact_sheet_png


def shown(images):
    return np.asarray(Image.open(io.BytesIO(contact_sheet_png(images))))


def test_images_are_side_by_side_in_their_order():
    images = np.arange(9, dtype=np.uint8)[:, None, None, None] * np.full((9, 24, 48, 3), 20, np.uint8)
    sheet = shown(images)
    assert sheet.shape == (2 * 48 + 2, 8 * 98 - 2, 3), "two rows of 48 x 96 pixels, as 24 x 48 are doubled"
    assert [sheet[10, 98 * k + 10, 0] for k in range(8)] == list(range(0, 160, 20)) and sheet[60, 10, 0] == 160
    assert sheet[60, 98 + 10].tolist() == [255] * 3, "the second row has one image"


@pytest.mark.parametrize("size", [(180, 320), (1, 4000), (3, 2)])
def test_sheets_stay_small(size):
    images = np.random.default_rng(0).integers(0, 255, (33, *size, 3), np.uint8)
    assert max(shown(images).shape) <= 8 * 98 and len(contact_sheet_png(images)) < 1_000_000
    assert max(shown(images[:1]).shape) <= 2 * 96


def test_no_image_makes_no_sheet():
    assert contact_sheet_png(np.zeros((0, 8, 8, 3), np.uint8)) is None
