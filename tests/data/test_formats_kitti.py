"""KITTI held against a reader written from the readme of its development kit."""

import os
from pathlib import Path

import numpy as np
import pytest
from checks import contents
from painted import SCENES, H, W, frames, half_seen, write
from PIL import Image

from scenefit.data.boxes3d import observation_angle, project_boxes3d
from scenefit.data.formats import FORMATS, LabelPolicy, kitti_format, label_boxes
from scenefit.data.formats.kitti_labels import MATRICES, label_line, occlusion_level
from scenefit.data.formats.kitti_reader import read_calibration, read_labels
from scenefit.data.photos import read_boxes

SAMPLE = Path(os.environ.get("SCENEFIT_DATA", "nowhere")) / "kitti_sample"  # three images of KITTI, for the last tests
CAMERA = np.array([[100.0, 0, 15, 0], [0, 100, 10, 0], [0, 0, 1, 0]])

COLUMNS = ("type", "truncated", "occluded", "alpha", "left", "top", "right", "bottom", "height", "width", "length", "x",
           "y", "z", "rotation_y")


def described(path):
    """The objects of a label file, by the readme: 15 values, one row an object."""
    return [dict(zip(COLUMNS, line.split(" "), strict=True)) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("box", ["visible", "amodal"])
def test_an_independent_reader_finds_every_box(tmp_path, box):
    assert H < W, "else x and y could change places unseen"
    out = write(kitti_format(LabelPolicy(box=box)), tmp_path, half_seen())
    for row, scene in enumerate(SCENES):
        wanted = label_boxes(half_seen(), LabelPolicy(box=box)).take([row])
        found = described(out / f"training/label_2/{scene:06d}.txt")
        assert [o["type"] for o in found] == wanted.name.tolist()
        boxes = np.array([[float(o[side]) for side in ("left", "top", "right", "bottom")] for o in found])
        assert np.abs(boxes - wanted.box).max() <= 0.005


def test_files_and_columns(tmp_path):
    out = write(FORMATS["kitti"], tmp_path, half_seen())
    assert sorted(contents(out)) == sorted([
        *(f"training/image_2/{scene:06d}.png" for scene in SCENES), "ImageSets/train.txt", "ImageSets/val.txt",
        *(f"training/label_2/{scene:06d}.txt" for scene in SCENES), "objects.csv", "provenance.json"])
    assert (out / "ImageSets/train.txt").read_text() == "000003\n000900\n"
    assert (out / "training/label_2/000003.txt").read_text() == (
        "star 0.30 1 -10 3.00 2.00 11.00 9.00 -1 -1 -1 -1000 -1000 -1000 -10\n"
        "coin 0.00 0 -10 20.00 12.00 30.00 20.00 -1 -1 -1 -1000 -1000 -1000 -10\n")
    hidden = frames(amodal={"star": np.tile([0.0, 0, 30, 20], (6, 1))}, area={"star": np.full(6, 560.0)})
    write(FORMATS["kitti"], tmp_path / "2", hidden)
    assert described(tmp_path / "2/training/label_2/000003.txt")[0]["occluded"] == "2"


def test_occlusion_levels():
    assert [occlusion_level(share) for share in (1, 0.9, 0.89, 0.5, 0.49, 0.1, 0.09)] == [0, 0, 1, 1, 2, 2, 3]


def in_space():
    """Half-seen frames whose first stars have a box in space, and their cameras."""
    boxes = np.tile([[1.5, 1.6, 4.0, -10, 1.7, 10, 3.0], [np.nan] * 7], (3, 1))
    return half_seen(nodes={"box3d": {"star": boxes}, "camera": {"sky": CAMERA + np.arange(3)[:, None, None]}})


def test_boxes_in_space_and_calibration(tmp_path):
    out = write(FORMATS["kitti"], tmp_path, in_space())
    assert (out / "training/label_2/000003.txt").read_text() == (  # alpha: 3 + pi / 4, less than a turn
        "star 0.30 1 -2.50 3.00 2.00 11.00 9.00 1.50 1.60 4.00 -10.00 1.70 10.00 3.00\n"
        "coin 0.00 0 -10 20.00 12.00 30.00 20.00 -1 -1 -1 -1000 -1000 -1000 -10\n")
    found = read_calibration(out / "training/calib/000004.txt")
    assert {name: matrix.shape for name, matrix in found.items()} == MATRICES
    assert np.array_equal(found.pop("P2"), CAMERA + 1)
    assert all(np.array_equal(matrix, np.eye(*matrix.shape)) for matrix in found.values())


def test_reading_back_what_is_written(tmp_path):
    boxes = read_boxes(write(FORMATS["kitti"], tmp_path, in_space()), (H, W)).boxes
    first = boxes.take([0])
    assert first.more["truncation"].tolist() == [0.3, 0] and first.more["occlusion"].tolist() == [1, 0]
    assert first.more["alpha"].tolist() == [-2.5, -10]
    assert first.more["box3d"].tolist() == [[1.5, 1.6, 4, -10, 1.7, 10, 3], [-1, -1, -1, -1000, -1000, -1000, -10]]
    assert boxes.where(boxes.name == "coin").more["truncation"].tolist() == [0] * int((boxes.name == "coin").sum())


@pytest.mark.parametrize("name", ["red star", "DontCare", "dont-care", "a\tb"])
def test_a_class_that_cannot_be_a_column_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(ValueError, match=r"scene 3 has the class .* which cannot be KITTI's type"):
        write(FORMATS["kitti"], tmp_path, frames(classes={"star": np.full(6, name)}))
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["DontCare", "dontcare", "Dont_Care", "DONTCARE", "Don't care", '"dont care"'])
def test_regions_in_any_writing_are_no_class(tmp_path, name):
    line = " 0.000e+00 0.0 -10 1.000e+01 10 5e1 30.000 -1 -1 -1 -1000 -1000 -1000 -10\n"
    (tmp_path / "zq7.txt").write_text(name + line + "dontcarecat" + line)
    found = read_labels(tmp_path / "zq7.txt")
    assert [(box.name, box.box) for box in found.boxes] == [("dontcarecat", (10, 10, 50, 30))] and found.regions == 1


def test_reading(tmp_path):
    path = tmp_path / "0.txt"
    path.write_text("Car 0.00 0 1.85 387.63 181.54 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57 0.9\n\n"
                    "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n")
    found = read_labels(path)
    assert [(box.name, box.box) for box in found.boxes] == [("Car", (387.63, 181.54, 423.81, 203.12))]
    assert found.boxes[0].more == {"truncation": 0, "occlusion": 0, "alpha": 1.85,
                                   "box3d": [1.67, 1.87, 3.69, -16.53, 2.39, 58.49, 1.57]}
    assert found.regions == 1
    assert [box.box for box in found.ignored] == [(503.89, 169.71, 590.61, 190.13)]


@pytest.mark.parametrize(("content", "said"), [
    (b"Car 0 0 0 1 2 3 4\n", "0.txt, line 1: an object of KITTI has 15 columns, got 8"),
    (b"Car,0,0,-10,1,2,3,4\n", "0.txt, line 1: .*, got 1; separate them by blanks, not by commas"),
    (b"0 0 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10\n", "line 1: .*, got 14; the first, the class, is missing"),
    (b"0 3 Car 0 0 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10\n", "line 1: .*, got 17; it looks like KITTI's tracking"),
    (b"\nCar 0.00 0 1.85 387.63 high 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57\n",
     "0.txt, line 2: top needs a number, got 'high'"),
    (b"traffic light 0.00 0 -10 40 20 90 70 -1 -1 -1 -1000 -1000 -1000 -10\n",
     r"0.txt, line 1: truncated \(a class has no blanks\) needs a number, got 'light'"),
    (b"Car 0.00 0 1.85 387.63 181.54 423.81 203.12 1.67 1.87 3.69 -16.53 2.39 58.49 1.57 sure\n",
     "0.txt, line 1: score needs a number, got 'sure'"),
    (b"\xff\xfe\x00", "0.txt is no text in UTF-8")])
def test_what_cannot_be_read_is_named(tmp_path, content, said):
    path = tmp_path / "0.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_labels(path)


def test_calibration_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "0.txt"
    path.write_text("\nP0: 1 2\n")
    with pytest.raises(ValueError, match=r"0\.txt, line 2: P0 has 12 numbers, got 2"):
        read_calibration(path)
    path.write_text("P2: 1 0 0 0 0 1 0 0 0 0 one 0\n")
    with pytest.raises(ValueError, match=r"0\.txt, line 1: P2 needs a number, got 'one'"):
        read_calibration(path)
    path.write_text("P_rect_02: 1 0 0 0 0 1 0 0 0 0 1 0\n")
    with pytest.raises(ValueError, match=r"0\.txt has none of the matrices P0, P1, .*; give a file of its folder"):
        read_calibration(path)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="SCENEFIT_DATA names no folder with kitti_sample")
def test_labels_of_kitti_are_written_as_they_were_read():
    for path in sorted(SAMPLE.glob("label_2/*.txt")):
        found = read_labels(path)
        assert "".join(label_line(one.name, one.more["truncation"], one.more["occlusion"], one.more["alpha"], one.box,
                                  one.more["box3d"]) for one in (*found.boxes, *found.ignored)) == path.read_text()


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="SCENEFIT_DATA names no folder with kitti_sample")
def test_boxes_in_space_of_kitti_project_to_its_boxes():
    """To a tenth of the sides of these, which people drew: the pedestrian's needs as much, the others' a thirtieth."""
    seen = 0
    for path in sorted(SAMPLE.glob("label_2/*.txt")):
        camera = read_calibration(SAMPLE / "calib" / path.name)["P2"]
        for one in read_labels(path).boxes:
            projected, box = project_boxes3d([one.more["box3d"]], camera)[0], np.array(one.box)
            sides = np.tile(box[2:] - box[:2], 2)
            assert (np.abs(projected - box) / sides).max() < 0.1
            assert observation_angle(one.more["box3d"]) == pytest.approx(one.more["alpha"], abs=0.02)
            seen += 1
    assert seen == 6


def test_regions_and_scale_of_photos(tmp_path):
    """Photos of 40 x 20 pixels at half their size, 2 pixels cropped at each side: regions move with them."""
    unknown = "-1 -1 -1 -1000 -1000 -1000 -10\n"
    for folder in ("image_2", "label_2"):
        (tmp_path / folder).mkdir()
    for row, regions in enumerate((["0 0 10 10", "0 0 3 20", "4 nan 6 8"], [], ["30 2 39 18", "34 0 60 8"])):
        Image.fromarray(np.full((20, 40, 3), row, np.uint8)).save(tmp_path / f"image_2/{row}.png")
        (tmp_path / f"label_2/{row}.txt").write_text(f"car 0 3 -10 9 1 30 9 {unknown}" + "".join(
            f"DontCare -1 -1 -10 {region} {unknown}" for region in regions))
    photos = read_boxes(tmp_path, (10, 16))
    assert photos.scale.tolist() == [0.5] * 3 and photos.boxes.more["occlusion"].tolist() == [3] * 3
    assert photos.ignored.image.tolist() == [0, 2, 2]
    assert photos.ignored.box.tolist() == [[0, 0, 3, 5], [13, 1, 16, 9], [15, 0, 16, 4]]
    assert photos[2:].ignored.image.tolist() == [0, 0] and photos[2:].scale.tolist() == [0.5]
