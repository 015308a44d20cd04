"""Depth and normals as images, beside the files of a format."""

import json
import warnings

import numpy as np
import pytest
from painted import SCENES, H, W, frames, write
from PIL import Image

from scenefit.data.formats import FORMATS
from scenefit.data.formats.depth import depth_image, with_depth
from scenefit.data.image_files import find_photos
from scenefit.data.photos import read_few


def seen(**more):
    """Frames with depth: 0.5 m a row, but the first row 10 m, 300 m, infinite, 0, NaN and 1 mm away."""
    depth = np.tile(np.arange(H)[:, None] / 2.0, (3, 1, W))
    depth[:, 0, :6] = 10, 300, np.inf, 0, np.nan, 0.001
    classes = {"star": np.full(6, "car"), "coin": np.full(9, "person")}
    return frames(pixels={"depth": depth, **more}, label=["zq7"] * 3, classes=classes)


def test_depth_is_written_as_kitti_does(tmp_path):
    out = write(with_depth(FORMATS["kitti"]), tmp_path, seen(), classes=["car", "person"])
    with Image.open(out / "depth/000900.png") as image:
        found = np.asarray(image)
        assert image.mode.startswith("I;16") and found.dtype == np.uint16 and found.shape == (H, W)
    assert found[0, :6].tolist() == [2560, 0, 0, 0, 0, 1]
    assert found[1:, 0].tolist() == (128 * np.arange(1, H)).tolist()
    assert not (out / "normals").exists() and json.loads((out / "depth/encoding.json").read_text())["none"][0] == "0"


def test_the_farthest_depth():
    last = np.full((3, H, W), 65535 / 256)
    last[:, 0] = 65535.6 / 256
    image = depth_image(frames(pixels={"depth": last}))
    assert image[0, 0, 0] == 0 and image[0, 1, 0] == 65535


@pytest.mark.parametrize(("dtype", "value", "expected"), [(np.float64, 1e300, 0), (np.float64, -np.inf, 0),
                                                          (np.float32, 3e38, 0), (np.float16, 255.9, 65504),
                                                          (np.uint8, 255, 65280), (np.int64, -1, 0)])
def test_depth_of_any_type_without_a_warning(dtype, value, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (depth_image(frames(pixels={"depth": np.full((3, H, W), value, dtype)})) == expected).all()


def test_normals(tmp_path):
    normal = np.zeros((3, H, W, 3))
    normal[:, :, 1], normal[:, :, 2], normal[:, :, 3] = (0, -1, 0), (0.6, 0, -0.8 + 1e-6), np.nan
    out = write(with_depth(FORMATS["coco"]), tmp_path, seen(normal=normal), classes=["car", "person"])
    found = np.asarray(Image.open(out / "normals" / f"{SCENES[0]:08d}.png"))
    assert found[5, :4].tolist() == [[0, 0, 0], [128, 0, 128], [204, 128, 26], [0, 0, 0]]


def test_what_cannot_be_written(tmp_path):
    form = with_depth(FORMATS["coco"])
    with pytest.raises(ValueError, match=r"depth is asked for \(--depth\), and the renderer gives none"):
        write(form, tmp_path, frames())
    with pytest.raises(ValueError, match=r"'depth' needs the shape \[3, 20, 30\] to be written, got \[3, 20, 30, 1\]"):
        write(form, tmp_path, frames(pixels={"depth": np.ones((3, H, W, 1))}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_the_data_set_is_read_as_without(tmp_path, name):
    form = with_depth(FORMATS[name])
    assert form.settings["depth"] is True and form.portable
    normal = np.tile([0.0, 0, -1], (3, H, W, 1))
    out = write(form, tmp_path / "zq7", seen(normal=normal), classes=["zq7"] if name == "folder" else ["car", "person"])
    assert [path for path in find_photos(out)[0] if path.parent.name in ("depth", "normals")] == []
    found = read_few(out, (H, W))
    assert len(found) == 3 and np.array_equal(sorted(found.images.sum((1, 2, 3))), sorted(seen().images.sum((1, 2, 3))))
