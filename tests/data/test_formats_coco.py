"""COCO files hold against pycocotools: masks, boxes, areas; and against hand-painted objects."""

import contextlib
import io
import json
import pickle

import numpy as np
import painted
import pytest
from checks import contents
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from painted import CLASSES, INFO, PARTS, H, W, frames, half_seen, masks
from pycocotools import mask as reference
from pycocotools.coco import COCO

from scenefit.data.formats import FORMATS, LabelPolicy, coco_format
from scenefit.data.formats.coco import encode_mask, finish, save

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # inside pycocotools

def write(out, some=None, form=None):
    painted.write(form or FORMATS["coco"], out, some)
    return {part: load(out, part) for part in ("train", "val")}


def load(out, part):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(out / f"annotations/instances_{part}.json"))


@pytest.mark.parametrize("name", ["coco", "coco-seg"])
def test_pycocotools_reads_back_every_mask_box_and_area(name, tmp_path):
    seen = set()
    for part, coco in write(tmp_path, form=FORMATS[name]).items():
        for annotation in coco.loadAnns(coco.getAnnIds()):
            row = [4, 5, 901].index(annotation["image_id"])
            assert PARTS[row] == part
            mask = masks()[row] == annotation["node"]
            assert np.array_equal(coco.annToMask(annotation), mask)
            assert isinstance(annotation["segmentation"], list) == (name == "coco-seg")
            rle = coco.annToRLE(annotation)
            assert annotation["bbox"] == reference.toBbox(rle).tolist()
            assert annotation["area"] == reference.area(rle) == mask.sum()
            assert annotation["iscrowd"] == 0
            seen.add((annotation["image_id"], annotation["node"]))
    assert seen == {(4, 1), (4, 3), (5, 1), (5, 2), (5, 3), (901, 1), (901, 2)}


def test_ids_names_and_classes(tmp_path):
    train, val = write(tmp_path).values()
    assert [(image["id"], image["file_name"]) for image in train.dataset["images"]] == [
        (4, "00000003.png"), (901, "00000900.png")]
    assert val.dataset["images"] == [{"id": 5, "file_name": "00000004.png", "width": W, "height": H}]
    assert [(c["id"], c["name"]) for c in train.dataset["categories"]] == [(1, "star"), (2, "coin"), (3, "never")]
    assert val.dataset["categories"] == train.dataset["categories"]
    assert [a["id"] for a in train.dataset["annotations"]] == [1, 2, 6, 7]  # in the order of the scenes
    assert [a["id"] for a in val.dataset["annotations"]] == [3, 4, 5]
    assert [(a["node"], a["category_id"]) for a in val.dataset["annotations"]] == [(1, 1), (2, 1), (3, 2)]
    assert all((tmp_path / "train" / image["file_name"]).is_file() for image in train.dataset["images"])
    assert json.loads((tmp_path / "provenance.json").read_text()) == INFO
    with contextlib.redirect_stdout(io.StringIO()):
        train.info()


def test_whole_extent_visibility_and_truncation_are_extra_keys(tmp_path):
    star, coin = write(tmp_path, half_seen())["train"].dataset["annotations"][:2]
    assert (star["node"], star["amodal_bbox"], star["visibility"], star["truncation"]) == (
        1, [2.0, -4.5, 12.0, 16.75], 0.5, 0.3)
    assert (star["bbox"], star["visible_bbox"], star["area"]) == ([3, 2, 8, 7], [3, 2, 8, 7], 56)
    star = write(tmp_path, half_seen(), coco_format(LabelPolicy(box="amodal")))["train"].dataset["annotations"][0]
    assert (star["bbox"], star["visible_bbox"], star["area"]) == ([2, 0, 12, 12.25], [3, 2, 8, 7], 56)
    assert (coin["amodal_bbox"], coin["visibility"], coin["truncation"]) == ([20.0, 12.0, 10.0, 8.0], 1.0, 0.0)


def test_keep_decides_what_becomes_a_label(tmp_path):
    def nodes(form, some=None):
        return [label["node"] for row in form.save(some or frames(), tmp_path, PARTS) for label in row["objects"]]

    assert nodes(coco_format(LabelPolicy(min_pixels=1, min_visibility=0))) == [1, 3, 5, 1, 2, 3, 5, 1, 2, 5]
    assert nodes(coco_format(LabelPolicy(min_pixels=24))) == [1, 3, 1, 2, 3, 1, 2]
    assert nodes(coco_format(LabelPolicy(min_pixels=25))) == [1, 1, 2, 1, 2]
    hidden = frames(amodal={"star": np.tile([0.0, 0, 30, 20], (6, 1))}, area={"star": np.full(6, 560.0)})
    assert nodes(coco_format(LabelPolicy(min_visibility=0.1)), hidden) == [1, 3, 1, 2, 3]
    assert nodes(coco_format(LabelPolicy(min_visibility=0.1001)), hidden) == [3, 2, 3]
    assert nodes(coco_format(), frames(classes={"star": np.full(6, "")})) == [3, 3]


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(deadline=None, max_examples=200)
@given(shapes.flatmap(lambda shape: arrays(bool, shape, elements=st.booleans(), fill=st.booleans())))
def test_rle_is_pycocotools_own(mask):
    ours, theirs = encode_mask(mask), reference.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert ours == {"size": theirs["size"], "counts": theirs["counts"].decode()}
    assert np.array_equal(reference.decode(ours), mask)


@pytest.mark.parametrize("ink", [[], [0], [-1], slice(None), [17, 17 + 16, 17 + 48], slice(0, None, 1009),
                                 slice(5, 90_000), [31, 32, 33, 1055, 1056, 40_000]])
def test_rle_of_long_and_lone_runs(ink):
    mask = np.zeros(300 * 400, bool)
    mask[ink] = True
    for shape in [(300, 400), (1, 120_000), (120_000, 1)]:
        theirs = reference.encode(np.asfortranarray(mask.reshape(shape).astype(np.uint8)))
        assert encode_mask(mask.reshape(shape))["counts"] == theirs["counts"].decode()


def test_chunks_in_any_size_and_a_second_run_give_the_same_bytes(tmp_path):
    write(tmp_path / "one")
    rows = [row for i in range(3) for row in save(frames().take([i]), tmp_path / "two", [PARTS[i]])]
    (tmp_path / "two/annotations").mkdir()
    (tmp_path / "two/annotations/.scenefit-1-ab.part").write_bytes(b"left by a killed process")
    for _ in range(2):
        finish(tmp_path / "two", iter(rows), CLASSES, INFO)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "one")) == 6


def test_parts_without_images_are_valid_files(tmp_path):
    finish(tmp_path, iter([]), CLASSES, INFO)
    for part in ("train", "val"):
        dataset = load(tmp_path, part).dataset
        assert dataset["images"] == dataset["annotations"] == [] and len(dataset["categories"]) == 3


def test_an_interrupted_finish_writes_no_annotations(tmp_path):
    rows = save(frames(), tmp_path, PARTS)

    def cut():
        yield rows[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finish(tmp_path, cut(), CLASSES, INFO)
    assert not [name for name in contents(tmp_path) if not name.endswith(".png")]
    with pytest.raises(ValueError, match=r"scene 3 has the class 'coin', which is not among the data set's classes"):
        finish(tmp_path, iter(rows), ["star"], INFO)
    with pytest.raises(ValueError, match="classes must differ from each other"):
        finish(tmp_path, iter(rows), ["star", "star"], INFO)
    with pytest.raises(ValueError, match="part needs 'train' or 'val'"):
        save(frames(), tmp_path, ["train", "val", "test"])
    assert not [name for name in contents(tmp_path) if not name.endswith(".png")]


def test_a_coco_format_can_be_sent_to_another_process():
    form = pickle.loads(pickle.dumps(coco_format(LabelPolicy(min_pixels=9))))
    assert form.save.keywords == {"label_policy": LabelPolicy(min_pixels=9), "ending": "png"}
