"""The flat field through the command line: found in photos, kept by runs and detectors, removed by later commands."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from blobs import SCENE, call, contents, fit_command
from PIL import Image

import scenefit as sf
from scenefit.cli.train import new_task
from scenefit.data.photos import read_few, read_photos
from scenefit.files.atomic import content_hash
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.generation.dataset import generate
from scenefit.nets.model import PriorModel
from scenefit.renderers.scene_file import load_scene
from scenefit.run.config import hash_photos
from scenefit.run.folder import kept_flat_field, open_run
from scenefit.run.report import report_content
from scenefit.tasks import Detect

SIZE, FOUND = (32, 32), "The photos share spots at the same places, such as dust on the camera (0.59 % of the pixels)"
ANYWHERE = (SCENE.replace("(16, 16)", str(SIZE)).replace("sf.Uniform(2, 13)", "sf.Uniform(6, 26)")
            .replace("sf.Integer(2, 3)", 'sf.Integer(4, 7), "y": sf.Uniform(7, 25)').replace("(0, 60)", "(90, 160)")
            .replace("slice(8 - half, 8 + half)", "slice(int(blob.y) - half, int(blob.y) + half)"))
DUST = slice(4, 5), slice(24, 26)
SMALL = ["--backbone", "small", "--steps", 20]


def soil(path):
    image = np.array(Image.open(path).convert("RGB"))
    image[DUST] = image[DUST] * 0.4
    Image.fromarray(image).save(path)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """scene.py; real/ (48 photos) and few/ (12, Pascal VOC) of a camera with dust; clean/, the first without."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "scene.py").write_text(ANYWHERE)
    scene = load_scene(folder / "scene.py")
    for name in ("clean", "real"):
        (folder / name).mkdir()
        for number, image in enumerate(scene.renderer(scene.grammar.sample(5, 48)).images):
            Image.fromarray(image).save(folder / name / f"{number:02}.png")
    generate(PriorModel(scene.grammar, 1), scene.renderer, 12, folder / "few", "voc", validation=0)
    for path in [*(folder / "real").iterdir(), *(folder / "few" / "JPEGImages").iterdir()]:
        soil(path)
    return folder


@pytest.fixture(autouse=True)
def quick(tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    monkeypatch.setattr("scenefit.cli.train.new_task", partial(new_task, augmented_copies=1, batch=8))


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    said = call(*fit_command(world, folder, steps=1))
    assert f"{FOUND}; they are removed from the photos. --flat-field none keeps them." in said
    return folder


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


@pytest.fixture(scope="module")
def field(world):
    found = sf.find_flat_field(read_photos(world / "real", SIZE).images)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def detector(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("detector") / "d.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scenefit.cli.train.new_task", partial(new_task, augmented_copies=1, batch=8))
        call("train", run, "-n", 16, "--out", path, *SMALL)
    return path


def flat(text):
    return " ".join(text.replace("│", " ").split())


def given_to(name, monkeypatch, *command):
    """The arguments of a function when a command calls it, and ends there."""
    given = []

    def stop(*args, **more):
        given.append(args)
        raise ValueError("zq7")

    with monkeypatch.context() as patch:
        patch.setattr(name, stop)
        said = call(*command, code=1)
    assert "zq7" in said
    return given[0], said


def shown(images):
    """How much darker than beside it the place of the dust is."""
    return 1 - images[:, *DUST].mean() / images[:, 2:8, 22:28].mean()


def test_a_fit_removes_what_its_photos_share_and_keeps_it(world, run, field, tmp_path):
    kept = read_tensors(run / "flat_field.safetensors", "")[0]["flat_field"].numpy()
    assert np.array_equal(kept, field) and np.array_equal(kept_flat_field(open_run(run)), field)
    record = open_run(run).config
    assert record.flat_field == content_hash(field)
    real = read_photos(world / "real", SIZE)
    assert record.real.hash == hash_photos(real.remove_flat_field(field)) != hash_photos(real)
    assert shown(real.images) > 0.5 and shown(real.remove_flat_field(field).images) < 0.1
    content = report_content(open_run(run), load_scene(world / "scene.py"))
    assert content.facts["removed from photos"] == FOUND.removeprefix("The photos share ")
    before = contents(run)
    assert "is finished" in call(*fit_command(world, run, steps=1)) and contents(run) == before


def test_labelled_photos_of_a_fit_are_cleaned_too(world, field, monkeypatch):
    args, _ = given_to("scenefit.run.config.make_config", monkeypatch,
                       *fit_command(world, "run", "--labelled", world / "few"))
    few = read_few(world / "few", SIZE)
    assert shown(few.images) > 0.5 and np.array_equal(args[6].images, few.remove_flat_field(field).images)


def test_photos_without_a_pattern_are_left_alone_and_nothing_is_said(world, monkeypatch):
    for place, more in (("clean", []), ("real", ["--flat-field", "none"])):
        args, said = given_to("scenefit.run.config.make_config", monkeypatch,
                              *fit_command(world, "run", "--real", world / place, *more))
        assert "share" not in said and np.array_equal(args[4].images, read_photos(world / place, SIZE).images)
        assert args[-2] is None


def test_a_folder_named_none_is_still_a_folder(world, monkeypatch):
    shutil.copytree(world / "real", "none")
    args, said = given_to("scenefit.run.config.make_config", monkeypatch,
                          *fit_command(world, "run", "--flat-field", "./none"))
    photos = read_photos("none", SIZE)
    wanted = sf.flat_field(photos.images)
    assert args[-2] == content_hash(wanted) and "share" not in said
    assert np.array_equal(args[4].images, photos.correct_flat_field(wanted).images), "every photo is corrected"


def test_a_stopped_fit_goes_on_with_the_same_field(world, run, monkeypatch):
    fits = []
    for _ in range(2):
        fits.append(given_to("scenefit.run.folder.fit_run", monkeypatch, *fit_command(world, "run", steps=1))[0])
        assert Path("run/flat_field.safetensors").read_bytes() == (run / "flat_field.safetensors").read_bytes()
    assert np.array_equal(fits[0][3].images, fits[1][3].images)


def test_a_fit_that_ended_before_its_first_step_makes_way_for_one_without_a_field(world, monkeypatch):
    stop = partial(given_to, "scenefit.run.folder.fit_run", monkeypatch)
    stop(*fit_command(world, "run"))
    stop(*fit_command(world, "run", "--flat-field", "none"))
    assert [path.name for path in Path("run").glob("*.safetensors")] == []


def test_a_fit_of_an_earlier_version_says_what_differs(world, copy):
    """It did not look for a field."""
    record = json.loads((copy / "settings.json").read_text()) | {"flat_field": None}
    (copy / "settings.json").write_text(json.dumps(record))
    (copy / "flat_field.safetensors").unlink()
    said = flat(call(*fit_command(world, copy, steps=1), code=1))
    assert "flat field (--flat-field): not corrected -> " in said and "--flat-field none does not correct it" in said


def test_a_damaged_or_lost_field_is_written_anew_by_the_same_fit(world, run, copy, field):
    path = copy / "flat_field.safetensors"
    evaluate = ["evaluate", copy, "--real", world / "real", "--renders", 32]
    write_tensors(path, {"flat_field": read_tensors(path, "")[0]["flat_field"] + 1}, {})
    assert "copy/flat_field.safetensors is not the flat field that" in flat(call(*evaluate, code=1))
    path.write_bytes(b"zq7")
    said = flat(call(*evaluate, code=1))
    assert "flat_field.safetensors is damaged" in said and "delete it and run the same fit command again" in said
    path.unlink()
    assert kept_flat_field(open_run(copy)) is None, "as of a run of an earlier version"
    assert "photos were corrected for the camera's dust, and these are not corrected" in flat(call(*evaluate))
    assert "is finished" in call(*fit_command(world, copy, steps=1))
    assert path.read_bytes() == (run / "flat_field.safetensors").read_bytes()
    (copy / "evaluation.json").unlink()
    assert contents(copy) == contents(run)


def test_commands_on_a_run_remove_its_field(world, copy, field, monkeypatch):
    real, few = read_photos(world / "real", SIZE), read_few(world / "few", SIZE)
    args, said = given_to("scenefit.run.evaluation.evaluate_run", monkeypatch, "evaluate", copy, "--real",
                          world / "real", "--labelled", world / "few")
    assert "--flat-field" not in said
    for photos, raw in ((args[3], real), (args[4], few)):
        assert np.array_equal(photos.images, raw.remove_flat_field(field).images) and shown(photos.images) < 0.1
    args, said = given_to("scenefit.run.report.write_summary", monkeypatch, "report", copy, "--real", world / "real")
    assert np.array_equal(args[3].images, real.remove_flat_field(field).images) and "--flat-field" not in said
    args, said = given_to("scenefit.run.report.write_summary", monkeypatch, "report", copy, "--real", world / "real",
                          "--flat-field", "none")
    assert np.array_equal(args[3].images, real.images)
    assert "photos were corrected for the camera's dust, and these are not corrected" in flat(said)
    args, said = given_to("scenefit.tasks.training_stages.train_stages", monkeypatch, "train", copy, "-n", 16,
                          "--real", world / "real", "--labelled", world / "few", "--no-read-policy", "--no-select",
                          "--out", "d.safetensors", *SMALL)
    data = args[1]
    assert np.array_equal(data.photos, real.remove_flat_field(field).images) and "share" not in said
    assert shown(data.labelled[0]) < 0.1


def test_train_on_photos_alone_or_on_a_data_set_finds_the_field_itself(world, field, monkeypatch):
    stop = partial(given_to, "scenefit.tasks.training_stages.train_stages", monkeypatch)
    scene = load_scene(world / "scene.py")
    generate(PriorModel(scene.grammar, 3), scene.renderer, 48, "many", "voc", validation=0)
    for path in Path("many/JPEGImages").iterdir():
        soil(path)
    args, said = stop("train", "--labelled-only", "many", "--out", "d.safetensors", *SMALL)
    assert FOUND in said and shown(args[1].rendered[0]) < 0.1
    args, said = stop("train", "--labelled-only", "many", "--flat-field", "none", "--out", "d.safetensors", *SMALL)
    assert FOUND not in said and shown(args[1].rendered[0]) > 0.5
    args, said = stop("train", world / "few", "--real", world / "real", "--labelled", world / "few", "--out",
                      "d.safetensors", *SMALL)
    assert FOUND in said and shown(args[1].photos) < 0.1 and shown(args[1].labelled[0]) < 0.1
    args, said = stop("train", world / "few", "--labelled", world / "few", "--out", "d.safetensors", *SMALL)
    assert FOUND not in said and shown(args[1].labelled[0]) > 0.5, "12 photos tell nothing"


def test_a_detector_keeps_the_field_of_its_run_and_removes_it(world, detector, field, monkeypatch):
    trained = sf.load_detector(detector)
    assert np.array_equal(trained.flat_field, field) and trained.corrected and not trained.lost_flat_field
    predict, seen = Detect.predict, []
    monkeypatch.setattr(Detect, "predict", lambda self, network, images: (seen.append(images),
                                                                          predict(self, network, images))[1])
    real = read_photos(world / "real", SIZE)
    for more, wanted in (([], real.remove_flat_field(field)), (["--flat-field", "none"], real),
                         (["--flat-field", world / "real"], real.correct_flat_field(sf.flat_field(real.images)))):
        seen.clear()
        shutil.rmtree("out", ignore_errors=True)
        said = flat(call("detect", detector, world / "real", "--no-pictures", "--out", "out", *more))
        assert np.array_equal(np.concatenate(seen), wanted.images)
        warned = "these are not corrected; without --flat-field, detect corrects them" in said
        assert warned == (more == ["--flat-field", "none"])
    seen.clear()
    trained.predict(real)
    said = call("evaluate", detector, "--labelled", world / "few", "--out", "e.json")
    assert np.array_equal(seen[0], real.remove_flat_field(field).images) and "flat-field" not in said
    assert shown(seen[1]) < 0.1 and json.loads(Path("e.json").read_text())["flat_field"] is True
    said = flat(call("evaluate", detector, "--labelled", world / "few", "--flat-field", "none"))
    assert "was trained on flat-field corrected photos; treat these likewise: leave out --flat-field" in said
    assert shown(seen[2]) > 0.5


def test_what_is_found_in_a_photo_does_not_depend_on_others(world, detector):
    """With and without dust, in one folder and alone."""
    Path("mixed").mkdir()
    for number in range(3):
        shutil.copy(world / "real" / f"{number:02}.png", f"mixed/soiled{number}.png")
        shutil.copy(world / "clean" / f"{number + 3:02}.png", f"mixed/clean{number}.png")
    call("detect", detector, "mixed", "--no-pictures", "--out", "all")
    found = {}
    for path in sorted(Path("mixed").iterdir()):
        Path(path.stem).mkdir()
        shutil.copy(path, path.stem)
        call("detect", detector, path.stem, "--no-pictures", "--out", f"{path.stem}-found")
        found[path.name] = boxes(f"{path.stem}-found")[path.name]
    assert found == boxes("all") and sum(map(len, found.values())) > 3
    trained, photos = replace(sf.load_detector(detector), threshold=0.0), read_photos("mixed", SIZE)
    together = trained.predict(photos)
    for row in range(6):
        assert together.take([row]).to_bytes() == trained.predict(photos[row]).to_bytes()


def boxes(folder):
    value = json.loads((Path(folder) / "found.json").read_text())
    names = {one["id"]: one["file_name"] for one in value["images"]}
    return {name: [(one["bbox"], one["score"]) for one in value["annotations"] if names[one["image_id"]] == name]
            for name in names.values()}


def test_a_detector_of_an_earlier_version_asks_for_the_folder(world, detector):
    tensors, metadata = read_tensors(detector, "")
    tensors.pop("flat_field")
    write_tensors("old.safetensors", tensors, metadata)
    trained = sf.load_detector("old.safetensors")
    assert trained.flat_field is None and trained.lost_flat_field
    trained.save("again.safetensors")
    assert sf.load_detector("again.safetensors").lost_flat_field
    said = flat(call("detect", "old.safetensors", world / "real", "--no-pictures", "--out", "a"))
    assert f"these are not corrected; --flat-field {world / 'real'} corrects them" in said
    said = flat(call("evaluate", "old.safetensors", "--labelled", world / "few"))
    assert "was trained on flat-field corrected photos; treat these likewise: give --flat-field DIR" in said
    assert "not corrected" not in call("detect", "old.safetensors", world / "real", "--no-pictures", "--out", "b",
                                       "--flat-field", world / "real")
