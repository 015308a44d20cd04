"""What the formats of objects share: what becomes a label, the table of all objects, chunks, and reading back."""

import csv
import json
import pickle
import tracemalloc

import numpy as np
import pytest
from checks import contents
from painted import CLASSES, INFO, PARTS, SCENES, H, W, frames, half_seen, write
from PIL import Image
from toys import bars, dot

from scenefit.data.formats import FORMATS, LabelPolicy, as_format, label_boxes, voc_format
from scenefit.data.photos import read_boxes
from scenefit.generation.dataset import generate
from scenefit.nets.model import Model
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.priors import Choice, Uniform

OBJECTS = ["coco", "yolo", "voc", "kitti"]  # whose boxes are read again
ALL = [*OBJECTS, "coco-seg", "yolo-seg", "masks"]


def labels(keep, some=None):
    """(scene, box) of what becomes a label."""
    found = label_boxes(some or frames(), keep)
    return [(SCENES[i], *box) for i, box in zip(found.image, found.box.tolist(), strict=True)]


def test_labels_of_frames_without_a_file():
    found = label_boxes(frames())
    assert found.count == 3 and found.name.tolist() == ["star", "coin", "star", "star", "coin", "star", "star"]
    assert labels(LabelPolicy())[:2] == [(3, 3, 2, 11, 9), (3, 20, 12, 30, 20)]
    assert len(label_boxes(frames(classes={"star": np.full(6, "")}))) == 2


def test_what_is_kept():
    assert (3, 29, 0, 30, 1) in labels(LabelPolicy(min_pixels=1)) and (3, 29, 0, 30,
                                                                       1) not in labels(LabelPolicy(min_pixels=2))
    assert (4, 15, 0, 18, 20) in labels(LabelPolicy(min_side=3)) and (4, 15, 0, 18,
                                                                      20) not in labels(LabelPolicy(min_side=4))
    assert (3, 3, 2, 11, 9) in labels(LabelPolicy(max_truncation=0.301), half_seen())
    assert (3, 3, 2, 11, 9) not in labels(LabelPolicy(max_truncation=0.299), half_seen())
    assert (3, 3, 2, 11, 9) not in labels(LabelPolicy(min_visibility=0.51), half_seen())


def test_the_label_box_is_around_what_is_seen_or_around_all_inside_the_image():
    assert labels(LabelPolicy(), half_seen())[0] == (3, 3, 2, 11, 9)
    seen, whole = labels(LabelPolicy(), half_seen()), labels(LabelPolicy(box="amodal"), half_seen())
    assert whole[0] == (3, 2, 0, 14, 12.25)
    assert whole == [(scene, 2, 0, 14, 12.25) if box == [3, 2, 11, 9] else (scene, *box) for scene, *box in seen]
    wrong = frames(amodal={"star": np.tile([50.0, 0, 60, 20], (6, 1))}, area={"star": np.full(6, 200.0)})
    assert labels(LabelPolicy(box="amodal"), wrong)[0] == (3, 3, 0, 30, 20)  # around what is seen, whatever is said


def test_a_margin_widens_the_box_but_not_beyond_the_image():
    wide = [(scene, *np.round(box, 6)) for scene, *box in labels(LabelPolicy(margin=0.25))]
    assert wide[0] == (3, 1, 0.25, 13, 10.75) and wide[1] == (3, 17.5, 10, 30, 20)
    assert labels(LabelPolicy(margin=0.25, box="amodal"), half_seen())[0] == (3, 0, 0, 17, 15.3125)


@pytest.mark.parametrize("values, reason", [
    ({"min_pixels": 0}, "LabelPolicy needs min_pixels >= 1: .* got min_pixels=0"),
    ({"min_side": 0}, "LabelPolicy needs min_side >= 1 pixel, got min_side=0"),
    ({"min_visibility": 1.5}, r"LabelPolicy needs min_visibility in 0\.\.1, got min_visibility=1.5"),
    ({"max_truncation": -0.1}, r"LabelPolicy needs max_truncation in 0\.\.1, got max_truncation=-0.1"),
    ({"min_contrast": 2}, r"LabelPolicy needs min_contrast in 0\.\.1, got min_contrast=2"),
    ({"margin": -0.4}, r"LabelPolicy needs margins in -0.3\.\.1 of the box's sides, got margin=-0.4"),
    ({"min_visibility": float("nan")}, "got min_visibility=nan"),
    ({"box": "tight"}, "LabelPolicy needs box='visible' or box='amodal', got box='tight'")])
def test_keep_checks_its_values(values, reason):
    with pytest.raises(ValueError, match=reason):
        LabelPolicy(**values)


@pytest.mark.parametrize("name", [name for name in ALL if not name.startswith("coco")])
def test_the_table_holds_every_object_kept_or_not(tmp_path, name):
    out = write(FORMATS[name], tmp_path, half_seen())
    with open(out / "objects.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(row["scene"], row["node"], row["kept"]) for row in table] == [
        ("3", "1", "1"), ("3", "3", "1"), ("3", "5", "0"), ("4", "1", "1"), ("4", "2", "1"), ("4", "3", "1"),
        ("4", "5", "0"), ("900", "1", "1"), ("900", "2", "1"), ("900", "5", "0")]
    star = table[0]
    assert [star[key] for key in ("part", "name", "x0", "y0", "x1", "y1")] == ["train", "star", "3", "2", "11", "9"]
    assert [star[f"amodal_{key}"] for key in ("x0", "y0", "x1", "y1")] == ["2", "-4.5", "14", "12.25"]
    assert [star[key] for key in ("pixels", "area", "visibility", "truncation")] == ["56", "160", "0.5", "0.3"]
    assert all((out / row["file"]).is_file() for row in table) and b"\r" not in (out / "objects.csv").read_bytes()


@pytest.mark.parametrize("box", ["visible", "amodal"])
@pytest.mark.parametrize("name", OBJECTS)
def test_what_is_written_is_read_again(tmp_path, name, box):
    keep = LabelPolicy(min_pixels=1, box=box)
    write(as_format(name, keep), tmp_path, half_seen())
    rows = {"train": [0, 2], "val": [1], None: [0, 2, 1] if name in ("coco", "yolo") else [0, 1, 2]}
    room = {"coco": 1e-3, "yolo": 1e-5, "voc": 0.5 if box == "amodal" else 0, "kitti": 0.01}[name]
    for part, chosen in rows.items():
        photos, wanted = read_boxes(tmp_path, (H, W), part), label_boxes(half_seen(), keep).take(chosen)
        assert photos.skipped == () and np.array_equal(photos.images, half_seen().images[chosen])
        assert photos.boxes.image.tolist() == wanted.image.tolist()
        assert photos.boxes.name.tolist() == wanted.name.tolist()
        assert np.abs(photos.boxes.box - wanted.box).max() <= room


@pytest.mark.parametrize("name", OBJECTS)
def test_images_without_objects_and_parts_without_images(tmp_path, name):
    some = frames(classes={"star": np.full(6, ""), "coin": np.full(9, "")})
    write(FORMATS[name], tmp_path, some, parts=["val"] * 3, classes=[])
    photos = read_boxes(tmp_path, (H, W))
    assert len(photos) == 3 and len(photos.boxes) == 0 and photos.skipped == ()
    with pytest.raises(ValueError, match=r"lists no photo in its part 'train'; no file was skipped"):
        read_boxes(tmp_path, (H, W), "train")


@pytest.mark.parametrize("form", [*(FORMATS[name] for name in ALL), voc_format(ending="jpg")])
def test_chunks_in_any_size_and_a_second_run_give_the_same_bytes(tmp_path, form):
    write(form, tmp_path / "one")
    rows = [row for i in range(3) for row in form.save(frames().take([i]), tmp_path / "two", [PARTS[i]])]
    form.save(frames().take([1]), tmp_path / "two", ["val"])
    (tmp_path / "two" / ".scenefit-1-ab.part").write_bytes(b"left by a killed process")
    for _ in range(2):
        form.finish(tmp_path / "two", iter(rows), CLASSES, INFO)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert json.loads((tmp_path / "one/provenance.json").read_text()) == INFO


@pytest.mark.parametrize("name", ALL)
def test_an_interrupted_finish_leaves_the_data_set_incomplete(tmp_path, name):
    form = FORMATS[name]
    rows = form.save(frames(), tmp_path, PARTS)
    before = contents(tmp_path)

    def cut():
        yield rows[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        form.finish(tmp_path, cut(), CLASSES, INFO)
    with pytest.raises(ValueError, match=r"scene 3 has the class 'coin', which is not among the data set's classes"):
        form.finish(tmp_path, iter(rows), ["star"], INFO)
    assert contents(tmp_path) == before
    with pytest.raises(ValueError, match="part needs 'train' or 'val'"):
        form.save(frames(), tmp_path, ["train", "val", "test"])


@pytest.mark.parametrize("name", [*OBJECTS, "masks"])
def test_finish_needs_no_more_memory_for_more_rows(tmp_path, monkeypatch, name):
    form = FORMATS[name]
    for module in ("yolo", "voc_masks"):  # thousands of small files
        monkeypatch.setattr(f"scenefit.data.formats.{module}.write_all", lambda write, files: None)
    row = form.save(frames(), tmp_path, PARTS)[1]

    def peak(count):
        tracemalloc.start()
        form.finish(tmp_path, ({**row, "scene": i} for i in range(count)), CLASSES, INFO)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few = peak(200)
    assert min(peak(1200), peak(1200)) < few + 200_000  # twice: another thread may allocate too


def test_formats_can_be_sent_to_another_process():
    for name in ALL:
        form = pickle.loads(pickle.dumps(as_format(name, LabelPolicy(min_pixels=9))))
        assert form.save.keywords["label_policy"] == LabelPolicy(min_pixels=9)


@pytest.mark.parametrize("name", ALL[1:])
def test_a_run_cut_anywhere_ends_in_the_same_bytes(tmp_path, name):
    model = Model(SceneDistribution(dot(Uniform(4, 12), sprite=Choice([0, 1]))), 0)

    def cut(scenes):
        if scenes.index[0] >= 64:
            raise KeyboardInterrupt
        return bars()(scenes)

    generate(model, bars(), 150, tmp_path / "whole", name)
    with pytest.raises(KeyboardInterrupt):
        generate(model, cut, 150, tmp_path / "cut", name)
    generate(model, bars(), 150, tmp_path / "cut", name)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert json.loads((tmp_path / "cut/provenance.json").read_text())["label_policy"]["min_pixels"] == 4
    with pytest.raises(ValueError, match=r"holds another data set \(it differs in: label_policy\)"):
        generate(model, bars(), 150, tmp_path / "cut", as_format(name, LabelPolicy(min_pixels=5)))
    if name != "masks":
        assert len(read_boxes(tmp_path / "cut", (16, 16)).boxes) == len(label_boxes(bars()(model.sample(150))))


def test_an_image_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "train").write_text("in the way")
    with pytest.raises(OSError, match="train"):
        FORMATS["coco"].save(frames(), tmp_path, PARTS)


def test_images_are_exact(tmp_path):
    out = write(FORMATS["kitti"], tmp_path)
    assert np.array_equal(np.asarray(Image.open(out / "training/image_2/000900.png")), frames().images[2])
