"""The command line, mostly in this process."""

import json
import os
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from blobs import QUICK, SCENE, call, contents, fit_command, pixels
from checks import altered_frames
from PIL import Image, ImageColor
from toys import dot, dots
from typer.testing import CliRunner

from scenefit.cli import app, console, options
from scenefit.cli.check import boxed_sheet
from scenefit.renderers import RenderError
from scenefit.renderers.scene_file import load_scene
from scenefit.report import progress as progress_bars
from scenefit.report.overlay import COLOURS


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "run"
    call(*fit_command(world, run, "--labelled", world / "few"))
    return run


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCENEFIT_DEBUG", raising=False)


def scene_file(folder, old, new):
    path = folder / "changed.py"
    assert old in SCENE
    path.write_text(SCENE.replace(old, new))
    return path


@pytest.mark.parametrize("command", ["check", "sample", "fit", "generate", "evaluate", "report", "export", "train",
                                     "detect"])
def test_help_has_an_example(command):
    assert f"  scenefit {command} " in call(command, "--help")
    assert command in call("--help")


def test_help_answers_without_torch():
    code = ("import sys; from scenefit.cli import app\ntry: app(['fit', '--help'])\n"
            "except SystemExit: print({'torch', 'numpy', 'scipy'} & set(sys.modules), file=sys.stderr)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == "set()\n"


def test_version_and_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["scenefit", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("scenefit", run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("scenefit 0.")


def test_from_a_fit_to_a_data_set(world, whole, tmp_path):
    call("generate", whole, "-n", 10, "--format", "folder", "--out", "data")
    found = json.loads((tmp_path / "data" / "provenance.json").read_text())
    assert found["n"] == 10 and found["run"] == str(whole) and found["real"]["count"] == 40
    assert found["scene"] == str(world / "scene.py") and found["drawn_by"] == load_scene(world / "scene.py").hash
    assert len(list((tmp_path / "data").rglob("*.png"))) == 10
    assert "10 images in data" in call("generate", whole, "-n", 10, "--format", "folder", "--out", "data")
    assert "data holds another data set (it differs in: n)" in call(
        "generate", whole, "-n", 11, "--format", "folder", "--out", "data", code=1)


def test_seed_0_is_a_seed(world, tmp_path):
    call(*fit_command(world, "none", steps=1))
    call(*fit_command(world, "zero", "--seed", "0", steps=1))
    call(*fit_command(world, "one", "--seed", "1", steps=1))
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("none", "zero", "one")]
    assert models[0] == models[1] != models[2]


def test_a_data_set_with_jpeg_images(world, tmp_path):
    call("generate", world / "scene.py", "-n", 2, "--format", "voc", "--image-format", "jpg", "--out", "data")
    assert [path.suffix for path in (tmp_path / "data/JPEGImages").iterdir()] == [".jpg"] * 2
    for words, text in ((["--image-format", "zq7"], "--image-format must be one of png, jpg, got zq7"),
                        (["--format", "kitti", "--image-format", "jpg"], "the images of KITTI are PNG")):
        said = call("generate", world / "scene.py", "-n", 2, *words, "--out", "other", code=2 - ("kitti" in words))
        assert text in " ".join(said.replace("│", " ").split())


def test_depth_of_a_renderer_that_has_none(world, tmp_path):
    said = call("generate", world / "scene.py", "-n", 2, "--depth", "--out", "data", code=1)
    assert "depth is asked for (--depth), and the renderer gives none" in said and not (tmp_path / "data").exists()


def test_workers_give_the_same_bytes(world, whole, tmp_path):
    call("generate", whole, "-n", 70, "--out", "data")
    call("generate", whole, "-n", 70, "--out", "spread", "--workers", 2)
    assert contents(tmp_path / "data") == contents(tmp_path / "spread")


def test_the_report_shows_the_run(world, whole):
    page = (whole / "report.html").read_text()
    for text in ("Distribution of scene, learned from 40 photos", "image.shade", "blob.x", f"{world / 'real'}", "seed"):
        assert text in page
    before = (whole / "report.html").read_bytes(), (whole / "report.png").read_bytes()
    (whole / "report.html").unlink()
    assert f"Report: {whole / 'report.html'}" in call("report", whole)
    assert ((whole / "report.html").read_bytes(), (whole / "report.png").read_bytes()) == before


def test_a_lost_summary_is_measured_again(world, whole):
    path = whole / "summary.json"
    good = path.read_bytes()
    path.write_text("{")
    assert "summary.json is damaged" in call("report", whole, code=1)
    call("report", whole, "--real", world / "real")
    assert path.read_bytes() == good


def test_evaluate_prints_and_writes(world, whole):
    said = call("evaluate", whole, "--real", world / "real", "--labelled", world / "few", "--renders", 32, "--images",
                64, "--repeats", 2)
    for text in ("40 photos, 32 renders each, features: run", "grammar", "shrunk", "learned", "floor", "KID", "AUC",
                 "accuracy on 12 labelled photos", "the photos that the fit was made with", "the fit was opt"):
        assert text in said
    found = json.loads((whole / "evaluation.json").read_text())
    assert [len(found["metrics"][arm]["accuracy"]) for arm in ("grammar", "shrunk", "learned")] == [2, 2, 2]
    call("report", whole)
    page = (whole / "report.html").read_text()
    assert "lowest to highest of 2 trainings on 64 images each" in page and "the fit was optimised" in page
    said = call("evaluate", whole, "--real", world / "real", "--renders", 32, "--features", "pixels")
    assert "features: pixels" in said and "accuracy" not in said
    assert "--features must be one of run, lite0, pixels, got inception" in call(
        "evaluate", whole, "--real", world / "real", "--features", "inception", code=2)
    (whole / "evaluation.json").unlink()
    call("report", whole)


def test_export_writes_the_distribution(whole, tmp_path):
    assert "Computing the distribution of 200 scenes" in call("export", whole, "--scenes", 200)
    found = json.loads((whole / "distribution.json").read_text())
    assert found["attributes"]["blob.x"]["bounds"] == [2, 13]
    (whole / "distribution.json").unlink()
    call("export", whole, "--out", "deep/d.json", "--scenes", 200)
    assert json.loads((tmp_path / "deep" / "d.json").read_text()) == found


def test_sample_shows_the_prior(world, tmp_path):
    said = call("sample", world / "scene.py", "--csv", "scenes.csv", "-n", 6, "--out", "sheets")
    for text in ("image.shade", "Uniform(low=0, high=60)", "blob.half", "Integer(low=2, high=3)", "the prior's"):
        assert text in said
    assert "Scenes: scenes.csv (6 scenes, 12 rows)" in said
    rows = (tmp_path / "scenes.csv").read_text().splitlines()
    assert rows[0].startswith("scene,node,parent,kind") and len(rows) == 13
    assert pixels(tmp_path / "sheets" / "scene_sample.png").shape[2] == 3


def test_sample_of_all_sorts_of_attributes(tmp_path):
    path = tmp_path / "sorts.py"
    path.write_text(SCENE.replace('"half": sf.Integer(2, 3)}', '"half": sf.Integer(2, 3), "w": sf.Choice(["a", "b"]), '
                                  '"g": lambda b: sf.Uniform(0, b["x"]), "n": sf.learned(sf.Normal(0, 1), (-2, 2))}, '
                                  '"never": {"z": 1.0}'))
    said = call("sample", path, "-n", 4)
    for text in ("conditional", "-2 to 2", "a 48%", "none", "Normal(mean=0, sd=1) "):
        assert text in said


def test_sample_of_angles(tmp_path):
    """Around the whole circle quantiles say nothing, whether the prior is conditional or not."""
    path = tmp_path / "angles.py"
    path.write_text(SCENE.replace('"half": sf.Integer(2, 3)}', '"half": sf.Integer(2, 3), "any": sf.Angle(), '
                                  '"too": lambda b: sf.Angle(b["x"]), "near": sf.Angle(170, 10), '
                                  '"half_turn": sf.Angle(0, width=180)}'))
    rows = {name: line for line in call("sample", path, "-n", 4).splitlines() for name in
            ("blob.any", "blob.too", "blob.near", "blob.half_turn") if name in line}
    assert "any direction" in rows["blob.any"] and "any direction" in rows["blob.too"]
    assert "any direction" not in rows["blob.near"] + rows["blob.half_turn"]
    assert "185.9" in rows["blob.near"], "values that cross 180 stay together"


def test_check_passes_a_good_scene(world, tmp_path):
    said = call("check", world / "scene.py", "--n", 16)
    assert "WRONG" not in said and "warning" not in said
    assert "Contact sheet: scene_check.png" in said
    sheet = pixels(tmp_path / "scene_check.png")
    assert of_colour(sheet, COLOURS[0]) > 16 * 8 and of_colour(sheet, COLOURS[1]) == 0, "boxes are drawn"


def of_colour(image, colour):
    """Number of pixels."""
    return int(np.all(image == ImageColor.getrgb(colour), axis=-1).sum())


def test_the_sheet_of_a_check_has_a_colour_for_each_class():
    frames = dots()(dot(8.0).sample(0, 9))
    plain = np.asarray(boxed_sheet(altered_frames(frames, instances=np.zeros_like(frames.instances))))
    sheet = np.asarray(boxed_sheet(altered_frames(frames, classes={
        "scene": np.full(9, ""), "dot": np.array(["", "a", "b"] * 3)})))
    grid, legend = np.split(sheet, [len(plain)])
    assert len(legend) and plain.shape[1:] == grid.shape[1:], "without objects there is no legend"
    for code, colour in enumerate(COLOURS[:3]):
        assert of_colour(grid[:99, 100 * code:100 * code + 100], colour) == of_colour(grid[:99, :300], colour) > 50
        assert of_colour(legend, colour) > 50
    assert of_colour(sheet, COLOURS[3]) == 0


def test_check_fails_a_bad_scene(tmp_path):
    path = scene_file(tmp_path, "image[place]", "image += np.random.rand() / 100\n    image[place]")
    said = call("check", path, code=1)
    assert "WRONG   the same scenes drawn twice differ" in said and "has 3 errors, see above" in said


BROKEN = {
    "raise": ('return sf.Frame(image', 'if scene.index == 3: raise KeyError("wheel")\n    return sf.Frame(image',
              "the renderer raised KeyError: 'wheel'"),
    "nan": ('return sf.Frame(image', 'if scene.index == 3: image[0, 0] = np.nan\n    return sf.Frame(image',
            "the renderer returned what does not fit: an image holds NaN or infinite values"),
    "shape": ('return sf.Frame(image', 'if scene.index == 3: return sf.Frame(image[:8])\n    return sf.Frame(image',
              "its image is [8, 16], but that of the first scene [16, 16]")}


def test_of_several_scenes_that_fail_one_is_rendered_alone():
    said = console._unrendered(RenderError("zq7", 7, (3, 4)))
    assert said.startswith("scenes 3, 4 of seed 7: zq7\nTo render one of these scenes alone: scenefit sample SCENE.py "
                           "--seed 7 --index 3 (")


@pytest.mark.parametrize("what", BROKEN)
def test_a_renderer_that_fails_is_named_with_seed_and_index(world, tmp_path, what):
    old, new, reason = BROKEN[what]
    path = scene_file(tmp_path, old, new)
    said = call("check", path, code=1)
    assert "WRONG   scene 3 of seed 0 cannot be drawn" in said and ", see above" in said
    assert "Contact sheet: changed_check.png" in said and (tmp_path / "changed_check.png").exists()
    if what != "shape":
        said = call("sample", path, "--index", 3, code=1)
        assert said.startswith("error: scene 3 of seed 0: ") and reason in said and "Traceback" not in said
        assert "To render this scene alone: scenefit sample SCENE.py --seed 0 --index 3 (it samples the prior" in said
        call("sample", path, "--index", 4)
    said = call("fit", path, "--real", world / "real", "--out", "run", *QUICK, code=1)
    assert "error: scene 3 of seed " in said and reason in said


def test_check_knows_of_a_renderer_in_workers_what_it_knows_without(tmp_path):
    path = tmp_path / "tray.py"
    path.write_text("import scenefit as sf\n"
                    "grammar = sf.Grammar('tray', {'tray': {}, 'tablet': {'raduis': sf.Uniform(8, 12)}, 'mark': {}},\n"
                    "                     [sf.Rule('tray', ['tablet']), sf.Rule('tablet', ['mark'])])\n"
                    "renderer = sf.Shapes((32, 32), {'tablet': {}, 'mark': {'radius': 2}}, parts=['mark'])\n")
    said = call("check", path, "-n", 2)
    assert "warning neither the renderer nor a prior uses tablet.raduis; did you mean 'radius'?" in said
    assert "no mark is ever visible" not in said and call("check", path, "-n", 2, "--workers", 1) == said


def test_a_kind_that_the_grammar_lacks_is_named_and_no_scene_is(world, tmp_path):
    path = tmp_path / "tray.py"
    path.write_text("import scenefit as sf\n"
                    "grammar = sf.Grammar('tray', {'tray': {'shade': sf.learned(sf.Uniform(0, 1))}, 'tablet': {}},\n"
                    "                     [sf.Rule('tray', ['tablet'])])\n"
                    "renderer = sf.Shapes((16, 16), {'tabblet': {}})\n")
    for line in (("check", path), ("check", path, "--workers", 1), ("sample", path),
                 ("fit", path, "--real", world / "real", "--out", "run", *QUICK)):
        said = call(*line, code=1)
        assert "error: Shapes draws 'tabblet', but no symbol of the grammar is named tabblet" in said
        assert "did you mean 'tablet'?" in said and "scene 0" not in said and "--index" not in said


def test_an_empty_photo_folder(world, tmp_path):
    (tmp_path / "empty").mkdir()
    said = call("fit", world / "scene.py", "--real", "empty", "--out", "run", *QUICK, code=1)
    assert "error: no readable photo in empty" in said and "no file was skipped" in said
    assert not (tmp_path / "run").exists()
    Image.new("L", (20, 20)).save(tmp_path / "empty" / "one.png")
    said = call("fit", world / "scene.py", "--real", "empty", "--out", "run", *QUICK, code=1)
    assert "error: empty holds 1 readable photo; learning a distribution needs at least 4" in said


def test_a_broken_photo_among_good_ones(world, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in (world / "real").iterdir():
        (photos / path.name).write_bytes(path.read_bytes())
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    said = call("fit", world / "scene.py", "--real", "photos", "--out", "run", *QUICK, "--steps", 1)
    assert "warning: skipped photos/broken.jpg: " in said
    record = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert record["real"]["count"] == 40 and record["real"]["skipped"][0][0] == "photos/broken.jpg"
    assert "Skipped 1 of the real photos: broken.jpg (" in (tmp_path / "run/report.html").read_text()


def test_photos_that_read_nearly_black_are_named(world, tmp_path):
    for path in (world / "real").iterdir():
        values = np.array(Image.open(path).convert("L"), np.uint16) * 16
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(values).save(tmp_path / "photos" / path.name)
    said = call("fit", world / "scene.py", "--real", "photos", "--out", "run", *QUICK, "--steps", 1,
                "--max-renders", 400)
    assert said.count("warning: 40 16-bit photos of photos have no value above 4,095") == 1


def test_a_run_among_the_photos_is_refused(world, whole, tmp_path):
    for name in ("real", "few"):
        shutil.copytree(world / name, tmp_path / name)
    shutil.copytree(whole, tmp_path / "real/runs/one")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    evaluate, report = ["evaluate", "link/runs/one", "--real"], ["report", "real/runs/one", "--real"]
    fit = ["fit", world / "scene.py", *QUICK, "--real"]
    elsewhere, alone = "give --out a folder elsewhere", "give a folder that holds only photos, or move the"
    for command, fix in (([*fit, "real", "--out", "real/run"], elsewhere), ([*fit, "link", "--out", "real"], elsewhere),
                         ([*fit, "real", "--labelled", "few", "--out", "few/small/a"], elsewhere),
                         ([*evaluate, "real"], alone), ([*evaluate, world / "real", "--labelled", "."], alone),
                         ([*report, "real"], alone), ([*report, world / "real", "--flat-field", "real"], alone)):
        said = " ".join(call(*command, code=2).replace("│", " ").split())
        assert "where its images would be read as photos" in said and fix in said
    assert not (tmp_path / "real/run").exists()
    call(*fit, "real", "--out", "real/.run", "--steps", 1, "--max-renders", 400)


def test_budgets_are_kept_and_told(world, tmp_path):
    call(*fit_command(world, "run", "--max-renders", 320, steps=50))
    found = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert found["renders"] <= 320
    assert "The budget left out 50 steps, of stages that it did not" in (tmp_path / "run/report.html").read_text()


@pytest.mark.parametrize(("options", "text"), [
    (["--device", "tpu"], "--device must be one of auto, cpu, cuda, got tpu"),
    (["--gradient", "guess"], "descent.gradient must be one of auto, pathwise, finite-difference, spsa, "
                              "score-function, got 'guess'"),
    (["--method", "look"], "method must be one of auto, npe, meta-sim, none, or"),
    (["--method", "abc"], "the method abc was removed; use npe, the default, which learns attributes of images and of"),
    (["--set", "descent.batch=100"], "descent.batch must be a multiple of 64, got 100"),
    (["--set", "descent.batch=many"], "--set descent.batch=many: descent.batch needs a value of type int"),
    (["--set", "descent.learning_rate=fast"],
     "--set descent.learning_rate=fast: descent.learning_rate needs a value of type float"),
    (["--set", "descent.learning_rate=-1"],
     "descent.learning_rate must be above 0 and at most 1, in units of the bounds, got -1.0"),
    (["--set", "descent.steps=3"], "--set descent.steps=3: descent.steps has an option of its own; give --steps 3"),
    (["--set", "max_renders=50"], "max_renders has an option of its own; give --max-renders 50"),
    (["--set", "method=npe"], "method has an option of its own; give --method npe"),
    (["--method", ""], "method must be one of auto, npe, meta-sim, none, or"),
    (["--method", "none", "--set", "method.rounds=2"], "--set method.rounds=2: settings that can be set so are"),
    (["--set", "nonsense"], "--set nonsense: settings that can be set so are"),
    (["--seed", "-1"], "greater than or equal to 0"),
    (["--max-renders", "0"], "max_renders must be at least 40, got 0")])
def test_wrong_usage_is_exit_code_2(world, options, text):
    said = call("fit", world / "scene.py", "--real", world / "real", "--out", "run", *options, code=2)
    assert text in " ".join(said.replace("│", " ").split())


def test_numbers_without_a_default_can_be_set():
    chosen = options.settings(None, {}, ["method.rounds=2", "descent.learning_rate=0.02"])
    assert chosen.method.rounds == 2 and chosen.descent.learning_rate == 0.02


def test_what_cannot_work_is_said_before_the_work(world, tmp_path):
    said = call("fit", world / "scene.py", "--real", world / "real", "--out", tmp_path / "few", "--method", "npe",
                "--max-renders", 90, code=1)
    assert "max_renders=90 is too few for a single round of npe, which takes 314 here" in " ".join(said.split())
    assert not (tmp_path / "few" / "steps.jsonl").exists()
    bare = scene_file(tmp_path, ', label="small" if half == 2 else "large"', "")
    said = call("fit", bare, "--real", world / "real", "--labelled", world / "few", "--out", "bare", *QUICK, code=1)
    assert "error: this task needs a class for every image, and some renders have none; let the renderer" in said
    said = call(*fit_command(world, "run", "--gradient", "pathwise"), code=1)
    assert 'error: gradient="pathwise" needs a renderer whose info has draw(scenes) -> torch images' in said
    assert not (tmp_path / "run" / "steps.jsonl").exists() and not (tmp_path / "bare" / "steps.jsonl").exists()


def test_a_file_where_a_folder_is_needed_and_the_other_way_round(world, whole, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    assert "error: file is a file; give the path of a folder" in call(*fit_command(world, "file"), code=1)
    assert "error: file is a file; give" in call("generate", whole, "-n", 3, "--out", "file", code=1)
    said = call("export", whole, "--out", "folder", code=1)
    assert "Is a directory: 'folder'" in said and ".part" not in said


def test_other_wrong_usage(whole):
    wanted = "folder, coco, yolo, voc, kitti, coco-seg, yolo-seg, masks, cityscapes"
    assert f"--format must be one of {wanted}, got kitty" in " ".join(
        call("generate", whole, "-n", 3, "--out", "x", "--format", "kitty", code=2).split())
    assert "not a run folder" in call("generate", "nowhere", "-n", 3, "--out", "x", code=1)


def test_a_missing_gpu(world, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = call(*fit_command(world, "run", "--device", "cuda"), code=1)
    assert "error: --device cuda: CUDA is not available (" in said and "use --device cpu" in said
    assert options.resolve("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert options.resolve("auto") == options.resolve("cuda") == "cuda"


def test_a_renderer_goes_to_the_device_if_it_can(world, tmp_path):
    path = tmp_path / "sprites.py"
    path.write_text("import numpy as np\nimport scenefit as sf\n"
                    "grammar = sf.Grammar('i', {'i': {}, 'a': {'x': sf.learned(sf.Uniform(2, 6))}}, "
                    "[sf.Rule('i', ['a'])])\n"
                    "renderer = sf.Sprites((8, 8), {'a': np.ones((1, 3, 3))})\n")
    scene = load_scene(path)
    scenes = scene.grammar.sample(0, 3)
    with options.drawing(scene, device="meta") as placed:
        assert placed.device == placed.info.device == "meta"
        assert placed.info.size == (8, 8) and placed.info.differentiable
    with options.drawing(scene, options.Workers(2)) as spread:
        assert torch.equal(spread.info.draw(scenes), scene.renderer.draw(scenes))
    with pytest.raises(Exception, match="--timeout and --recycle: only for worker processes; give --workers 1 or more"):
        options.Workers(timeout=2.0, recycle=640)
    with options.drawing(scene, options.Workers(1, 2.0, 65)) as spread:
        assert spread.timeout == 2.0 and spread._processes.recycle == 2, "chunks of 64"
    with pytest.raises(Exception, match="--workers 2 and --device cuda exclude each other"):
        options.drawing(scene, options.Workers(2), "cuda").__enter__()
    with pytest.raises(ValueError, match="the scene's renderer cannot choose its device, as its info has no `to`"):
        options.drawing(load_scene(world / "scene.py"), device="cuda").__enter__()
    with options.drawing(load_scene(world / "scene.py"), device="cuda", networks=True) as still:
        assert still.__name__ == "renderer", "the networks move alone"
    with options.drawing(scene, options.Workers(1), "cuda", networks=True) as spread:
        assert spread.info.device == "cpu" and spread.info.to is None, "the fit does not move it either"


def test_data_of_a_scene_files_prior(world, tmp_path):
    call("generate", world / "scene.py", "-n", 8, "--format", "folder", "--out", "prior")
    found = json.loads((tmp_path / "prior" / "provenance.json").read_text())
    assert len(list((tmp_path / "prior").rglob("*.png"))) == 8 and "run" not in found
    assert found["scene"] == str(world / "scene.py") and found["grammar"]
    for name in ("one", "again"):
        call("generate", world / "scene.py", "-n", 8, "--format", "folder", "--out", name, "--seed", 1)
    call("generate", world / "scene.py", "-n", 8, "--format", "folder", "--out", "zero", "--seed", 0)
    data = {name: contents(tmp_path / name) for name in ("prior", "zero", "one", "again")}
    assert data["prior"] == data["zero"] and data["one"] == data["again"] and data["one"] != data["zero"]


def test_the_seed_of_generated_data_is_that_of_a_runs_fit(whole):
    said = call("generate", whole, "-n", 2, "--out", "data", "--seed", 1, code=2)
    assert "--seed is for a scene file" in said and not os.path.exists("data")


def test_a_changed_scene_file(world, whole, tmp_path):
    path = scene_file(tmp_path, "sf.Uniform(2, 13)", "sf.Uniform(2, 12)")
    said = call("generate", whole, "-n", 3, "--out", "data", "--scene", path, code=1)
    assert "blob.x: learned Uniform(low=2, high=13) -> learned Uniform(low=2, high=12)" in said
    path = scene_file(tmp_path, "0.9", "0.8")
    said = call("generate", whole, "-n", 3, "--out", "data", "--scene", path)
    assert f"warning: {path}, or what it imports, has changed since {whole} was begun" in said
    said = call("generate", whole, "-n", 3, "--out", "data", "--scene", scene_file(tmp_path, "0.9", "0.7"), code=1)
    assert "data holds another data set (it differs in: drawn_by)" in said


def test_a_scene_changed_under_an_unfinished_fit(world, tmp_path):
    run = tmp_path / "run"
    call(*fit_command(world, run, "--max-renders", 400))
    (run / "report.html").unlink()
    path = scene_file(tmp_path, "0.9", "0.8")
    said = call("fit", path, "--real", world / "real", "--out", run, "--steps", 2, *QUICK, "--max-renders", 400)
    changed = f"warning: {path}, or what it imports, has changed since {run} was begun"
    assert changed in said
    said = call("fit", path, "--real", world / "real", "--out", run, "--steps", 2, *QUICK, "--max-renders", 400)
    assert changed in said and f"to fit anew, remove {run}" in said and "is finished" in said


def test_errors_keep_their_traceback_where_asked_for(world, monkeypatch):
    result = CliRunner().invoke(app, ["report", "nowhere"], env={"SCENEFIT_DEBUG": "1"})
    assert "RunError" in repr(result.exception)
    os.environ.pop("SCENEFIT_DEBUG", None)
    assert call("report", "nowhere", code=1).startswith("error: nowhere is not a run folder")


def test_a_log_is_told_now_and_then_how_far_it_is(capsys, monkeypatch):
    for every, lines in ((1e9, []), (0.0, ["look 1/4  25%  9 renders", "look 2/4  50%  9 renders"])):
        monkeypatch.setattr(progress_bars, "EVERY", every)
        with console.bar(("renders",)) as progress:
            shown = progress.add_task("fit", total=4, renders="")
            for done in (1, 2):
                progress.update(shown, completed=done, description=f"look {done}/4", renders="9 renders")
        said = capsys.readouterr().err.splitlines()
        assert [line for line in said if "━" not in line and line.strip()] == lines


def test_an_internal_error_asks_for_a_report():
    assert console.explain(ZeroDivisionError("division by zero")) == (
        "ZeroDivisionError: division by zero\nInternal error; please report it. Set SCENEFIT_DEBUG=1 to see the "
        "traceback.")


def test_a_finished_run_with_a_damaged_model_is_not_finished(world, whole, tmp_path):
    for name in ("model.safetensors", "features.safetensors"):
        run = tmp_path / name
        shutil.copytree(whole, run)
        path = run / name
        path.write_bytes(path.read_bytes()[:-7])
        said = call(*fit_command(world, run, "--labelled", world / "few"), code=1)
        assert f"{name} is damaged" in said and "is finished" not in said and "run the same fit command again" in said
    assert f"{whole} is finished" in call(*fit_command(world, whole, "--labelled", world / "few"))


def test_no_bar_stands_above_an_early_error(world, capsys):
    said = call(*fit_command(world, "run", "--gradient", "pathwise"), code=1)
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("warning: ")]
    assert lines[0].startswith("error: ") and "%" not in said
    with pytest.raises(ValueError), console.bar() as progress:
        progress.add_task("fit", total=4, completed=2)
        raise ValueError
    assert "50%" in capsys.readouterr().err, "what was done stays to be seen"
