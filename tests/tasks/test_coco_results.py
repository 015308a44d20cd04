"""found.json as other programs read it: whole sets, and results with the ids of an annotation file."""

import contextlib
import io
import json

import numpy as np
import pytest
import toys
from blobs import call, contents
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import scenefit as sf
from scenefit.data.boxes import make_boxes
from scenefit.metrics.average_precision import average_precision
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks.coco_results import match_ids
from scenefit.tasks.detector_file import TrainedDetector
from scenefit.tasks.training.network_file import write_trained

COUNT, SIZE = 12, toys.BOX_IMAGE


def noisy(truth):
    """Detections as a detector makes them: boxes a little off, some missed, some of nothing."""
    random = np.random.default_rng(0)
    kept = truth.where(random.random(len(truth)) < 0.9)
    box = (kept.box + random.normal(0, 2, kept.box.shape)).clip(0, SIZE)
    corner = random.uniform(0, 30, (COUNT, 2))
    image = np.concatenate([kept.image, np.arange(COUNT)])
    return make_boxes(COUNT, image, np.concatenate([box, np.hstack([corner, corner + 12])]),
                      [*kept.name, *random.choice(toys.COLOURS, COUNT)], random.uniform(0.03, 1, len(image)))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """photos/deep/, a detector, and like.json with ids and categories of its own in another order."""
    folder = tmp_path_factory.mktemp("world")
    images, truth = toys.coloured_boxes(COUNT, 3)
    (folder / "photos/deep").mkdir(parents=True)
    names = [f"deep/{number:02}.png" for number in range(COUNT)]
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image).save(folder / "photos" / name)
    task = sf.Detect(toys.COLOURS, backbone=SmallMaps)
    write_trained(folder / "d.safetensors", TrainedDetector(task, task.fresh(0), (SIZE, SIZE), 0.5))
    (folder / "like.json").write_text(json.dumps(annotations(truth, names, [900 - 7 * i for i in range(COUNT)],
                                                             {"blue": 40, "red": 3})))
    (folder / "own.json").write_text(json.dumps(annotations(truth, names, range(1, COUNT + 1), {"red": 1, "blue": 2})))
    return folder, truth


def annotations(truth, names, ids, categories):
    size = truth.box[:, 2:] - truth.box[:, :2]
    return {"images": [{"id": own, "file_name": name, "width": SIZE, "height": SIZE}
                       for own, name in zip(ids, names, strict=True)][::-1],
            "categories": [{"id": own, "name": name} for name, own in categories.items()],
            "annotations": [{"id": row + 1, "image_id": ids[truth.image[row]], "iscrowd": 0,
                             "category_id": categories[str(truth.name[row])], "area": float(size[row].prod()),
                             "bbox": [*truth.box[row, :2].tolist(), *size[row].tolist()]} for row in range(len(truth))]}


def ap50(truth, found):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(truth))
        evaluation = COCOeval(truth, found(truth), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[1]


def test_pycocotools_scores_found_json_as_scenefit_does(world, tmp_path, monkeypatch):
    folder, truth = world
    monkeypatch.setattr(sf.Detect, "predict", lambda *_: noisy(truth))
    command = ["detect", folder / "d.safetensors", folder / "photos", "--no-pictures", "--out"]
    call(*command, tmp_path / "own")
    call(*command, tmp_path / "like", "--like", folder / "like.json")
    own, like = (tmp_path / name / "found.json" for name in ("own", "like"))
    expected = average_precision(noisy(truth), truth, toys.COLOURS)["mAP50"]
    assert 0.4 < expected < 0.95
    assert ap50(folder / "like.json", lambda truth: truth.loadRes(str(like))) == pytest.approx(expected, abs=1e-9)
    assert ap50(folder / "own.json", lambda _: COCO(str(own))) == pytest.approx(expected, abs=1e-9)
    rows = json.loads(like.read_text())
    assert set(rows[0]) == {"image_id", "category_id", "bbox", "score"} and len(rows) == len(noisy(truth))
    assert {row["image_id"] for row in rows} == {900 - 7 * i for i in range(COUNT)}
    assert ap50(folder / "like.json", lambda truth: truth.loadRes([row for row in rows if row["score"] >= 0.5])
                ) < expected - 0.01, "what a cut at the threshold would lose"


def test_one_folder_takes_both_kinds_without_another_detection(world, tmp_path, monkeypatch):
    folder, truth = world
    monkeypatch.setattr(sf.Detect, "predict", lambda *_: noisy(truth))
    command = ["detect", folder / "d.safetensors", folder / "photos", "--out", tmp_path / "out"]
    call(*command)
    whole = contents(tmp_path / "out")
    monkeypatch.setattr(sf.Detect, "predict", None)
    call(*command, "--like", folder / "like.json")
    assert {name for name, data in contents(tmp_path / "out").items() if whole[name] != data} == {"found.json"}
    call(*command)
    assert contents(tmp_path / "out") == whole


def like(folder, names, **more):
    path = folder / "zq7.json"
    path.write_text(json.dumps({"images": [{"id": number, "file_name": name} for number, name in enumerate(names, 5)],
                                "categories": [{"id": 0, "name": "red"}, {"id": 1, "name": "blue"}], **more}))
    return path


def test_photos_are_matched_by_path_then_by_name(tmp_path):
    path = like(tmp_path, ["a.png", "val\\b.png", "./x/c.png", "y/c.png", "n\u0303.png"])
    found = match_ids(path, ["a.png", "x/c.png", "sub/b.png", "y/c.png"], ("blue",))
    assert found.image == {"a.png": 5, "x/c.png": 7, "sub/b.png": 6, "y/c.png": 8} and found.category == {"blue": 1}
    assert found.absent == ["n\u0303.png"]
    assert match_ids(path, ["\u00f1.png"], ()).image == {"\u00f1.png": 9}
    twins = ["\u00f1.png", "n\u0303.png", "x\\y.png"]
    assert match_ids(like(tmp_path, twins), twins, ()).image == {name: 5 + row for row, name in enumerate(twins)}
    ids = like(tmp_path, [], images=[{"id": "0007", "file_name": "a.png"}], categories=[{"id": "x", "name": "red"}])
    found = match_ids(ids, ["a.png"], ("red",))
    assert (found.image, found.category) == ({"a.png": "0007"}, {"red": "x"}), "as the file writes them"


@pytest.mark.parametrize(("photos", "classes", "more", "text"), [
    (["a.png", "b.png", "c.png", "d.png", "e.png"], (), {}, "does not list 4 photos of 5, such as b.png, c.png, d.png "
     "and 1 more; give the annotation file of these photos, or a folder that holds only photos that it lists"),
    (["c.png"], (), {"images": [{"id": 1, "file_name": "x/c.png"}, {"id": 2, "file_name": "y/c.png"}]},
     "does not tell photos of the same name apart: c.png may be its x/c.png, y/c.png; give the folder from which"),
    (["x/a.png", "y/a.png"], (), {}, "apart: x/a.png, y/a.png may be its a.png; give the folder from which"),
    (["b.png"], (), {"images": [{"id": 1, "file_name": "b.png"}, {"id": 2, "file_name": "./b.png"}]},
     "lists one photo twice, as b.png, ./b.png; leave one of them out"),
    (["a.png", "x/a.png"], (), {}, "does not list 1 photo of 2, such as x/a.png"),
    (["a.png"], ("red", "van"), {}, "has no category van, which the detector finds; its categories are red, blue"),
    (["a.png"], ("red",), {"categories": [{"id": 1, "name": "red"}, {"id": 2, "name": "red"}]},
     "has 2 categories of the name red, with the ids 1, 2; leave all but one of them out"),
    (["a.png"], (), {"images": 3}, "is no annotation file of COCO: it has no list 'images'"),
    (["a.png"], (), {"categories": [{"id": 1}]}, "entry 1 of categories has no name")])
def test_what_cannot_be_matched_is_refused(tmp_path, photos, classes, more, text):
    with pytest.raises(ValueError) as error:
        match_ids(like(tmp_path, ["a.png"], **more), photos, classes)
    assert "zq7.json" in str(error.value) and text in str(error.value)


def test_wrong_files_are_named_before_the_detection_and_absent_photos_after_it(world, tmp_path, monkeypatch):
    folder, truth = world
    monkeypatch.setattr(sf.Detect, "predict", lambda *_: pytest.fail("long work"))
    command = ["detect", folder / "d.safetensors", folder / "photos", "--out", tmp_path / "out", "--like"]
    (tmp_path / "list.json").write_text("[]")
    for name, text in (("list.json", "it holds a list, and needs an object"), ("zq8.json", "zq8.json cannot be read"),
                       (folder / "d.safetensors", "d.safetensors is damaged: it is no")):
        assert text in call(*command, tmp_path / name, code=1) and not (tmp_path / "out").exists()
    monkeypatch.setattr(sf.Detect, "predict", lambda *_: noisy(truth))
    data = json.loads((folder / "like.json").read_text())
    more = [{"id": number, "file_name": f"zq{number}.png"} for number in (1, 2)]
    (tmp_path / "more.json").write_text(json.dumps({**data, "images": data["images"] + more}))
    said = call(*command, tmp_path / "more.json")
    assert f"more.json lists 2 photos that {folder / 'photos'} does not hold, such as zq1.png, zq2.png" in said
