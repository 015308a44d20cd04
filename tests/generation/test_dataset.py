"""Writing a labelled data set."""

import json
import os

import numpy as np
import pytest
from checks import contents
from PIL import Image
from toys import bars, dot, randomise

import scenefit.generation.dataset
from scenefit.data.frames import make_frames
from scenefit.generation.dataset import generate, generate_steps
from scenefit.nets.model import Model
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import RenderError
from scenefit.scenes.priors import Choice, Uniform, learned
from scenefit.scenes.rng import derive_seed

GRAMMAR = dot(learned(Uniform(4, 12)), 8.0, sprite=learned(Choice([0, 1])))
N = 290  # five chunks


def model(seed: int = 0, change: float = 0.05) -> Model:
    distribution = SceneDistribution(GRAMMAR)
    randomise(distribution, change)
    return Model(distribution, seed)


class Failing:
    """Draws so many chunks, then dies."""

    def __init__(self, chunks: int):
        self.left, self.drawn = chunks, 0

    def __call__(self, scenes):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.drawn += len(scenes)
        return bars()(scenes)


@pytest.mark.parametrize("form", ["coco", "folder"])
def test_a_run_cut_anywhere_ends_in_the_same_bytes(tmp_path, form):
    generate(model(), bars(), N, tmp_path / "whole", form)
    for chunks in (0, 3):
        with pytest.raises(KeyboardInterrupt):
            generate(model(), Failing(chunks), N, tmp_path / f"cut{chunks}", form)
        again = Failing(9)
        generate(model(), again, N, tmp_path / f"cut{chunks}", form)
        assert again.drawn == N - 64 * chunks  # nothing is drawn twice
        assert contents(tmp_path / f"cut{chunks}") == contents(tmp_path / "whole")


def test_a_run_cut_while_it_finishes_goes_on(tmp_path, monkeypatch):
    generate(model(), bars(), N, tmp_path / "whole")
    for name in ("remove_rows", "read_rows"):
        with monkeypatch.context() as patch:
            patch.setattr(scenefit.generation.dataset, name, lambda out: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                generate(model(), bars(), N, tmp_path / name)
        generate(model(), Failing(0), N, tmp_path / name)
        assert contents(tmp_path / name) == contents(tmp_path / "whole")


def test_what_a_killed_writer_left_is_cleared(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        generate(model(), Failing(2), N, tmp_path / "out")
    (tmp_path / "out" / "train" / ".scenefit-1-abc.part").write_bytes(b"half")
    generate(model(), bars(), N, tmp_path / "out")
    assert not [name for name in contents(tmp_path / "out") if ".part" in name or ".rows" in name]


def test_a_complete_folder_is_left_alone(tmp_path):
    generate(model(), bars(), N, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert [p.written for p in generate_steps(model(), Failing(0), N, tmp_path / "out")] == [N]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_progress_is_told_after_each_chunk(tmp_path):
    steps = generate_steps(model(), bars(), 130, tmp_path / "out")
    assert [(p.written, p.of) for p in steps] == [(64, 130), (128, 130), (130, 130)]


@pytest.mark.parametrize("cut", [True, False], ids=["begun", "complete"])
def test_another_data_set_in_the_same_folder_is_refused(tmp_path, cut):
    out = tmp_path / "out"
    if cut:
        with pytest.raises(KeyboardInterrupt):
            generate(model(), Failing(2), N, out)
    else:
        generate(model(), bars(), N, out)
    before = contents(out)
    for other, n, form, share, text in ((model(change=0.2), N, "coco", 0.1, "model"),
                                        (model(1), N, "coco", 0.1, "seed"),
                                        (model(), N + 1, "coco", 0.1, "n"), (model(), N, "folder", 0.1, "format"),
                                        (model(), N, "coco", 0.2, "validation")):
        with pytest.raises(ValueError, match=rf"holds another data set \(it differs in: {text}\); give another folder"):
            generate(other, bars(), n, out, form, validation=share)
    with pytest.raises(ValueError, match=r"it differs in: drawn_by"):
        generate(model(), bars(), N, out, drawn_by="another renderer")
    assert contents(out) == before


def test_a_folder_that_nothing_was_written_to_is_free_for_another(tmp_path):
    def broken(scenes):
        raise KeyError("colour")

    with pytest.raises(RenderError):
        generate(model(), broken, 10, tmp_path / "out")
    generate(model(), bars(), 10, tmp_path / "out", "folder")
    assert (tmp_path / "out" / "provenance.json").exists()


def test_data_of_the_prior_alone(tmp_path):
    generate(GRAMMAR, bars(), 70, tmp_path / "out")
    written = [Image.open(path) for path in sorted((tmp_path / "out").rglob("*.png"))]
    seed = derive_seed(0, "model")
    wanted = sorted(image.tobytes() for image in bars()(GRAMMAR.sample(seed, 70)).images)
    assert sorted(np.asarray(image).tobytes() for image in written) == wanted
    with pytest.raises(ValueError, match=r"it differs in: model"):
        generate(model(), bars(), 70, tmp_path / "out")


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match="is not empty and holds no data set of scenefit"):
        generate(model(), bars(), 10, tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"x"}


@pytest.mark.parametrize("names", [(".rows/zq7.txt",), (".lock",), (".scenefit-rows/zq7.txt", "zq7.tex"),
                                   (".rows/plan.json", ".rows/00000000.json")])
def test_files_of_the_user_are_left_alone(tmp_path, names):
    for name in names:
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("{}")
    before = contents(tmp_path / "out")
    with pytest.raises(ValueError, match="out is not empty and holds no data set of scenefit; give another folder"):
        generate(model(), bars(), 10, tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_what_lies_among_the_rows_by_mistake_stays(tmp_path):
    (tmp_path / "out/.scenefit-rows").mkdir(parents=True)
    (tmp_path / "out/.scenefit-rows/zq7.txt").write_text("mine")
    generate(model(), bars(), 10, tmp_path / "out")
    assert (tmp_path / "out/.scenefit-rows/zq7.txt").read_text() == "mine"
    assert sorted(path.name for path in (tmp_path / "out/.scenefit-rows").iterdir()) == ["zq7.txt"]


@pytest.mark.parametrize("form", ["coco", "yolo", "voc", "kitti", "masks"])
def test_a_renderer_without_masks_is_told_of_at_once(tmp_path, form):
    drawn = []

    def unmasked(scenes, **more):
        drawn.append(len(scenes))
        return make_frames(scenes, np.zeros((len(scenes), 8, 8)), **more)

    def labelled(scenes):
        return unmasked(scenes, label=["zq7"] * len(scenes))

    what = f"the renderer gives no masks: no pixel of the first 64 scenes belongs to an object, so --format {form} has"
    with pytest.raises(ValueError, match=rf"{what} no boxes .* a label as a whole; give --format folder \(Python:"):
        generate(GRAMMAR, labelled, N, tmp_path / "new/out", form)
    assert drawn == [64] and not (tmp_path / "new").exists()
    with pytest.warns(UserWarning, match=rf"{what} no boxes to write; if these images show .*instances=") as told:
        steps = generate_steps(GRAMMAR, unmasked, N, tmp_path / "out", form)
        next(steps)
        assert len(told) == 1, "after the first chunk"
        assert [step.written for step in steps][-1] == N and len(told) == 1
    generate(GRAMMAR, labelled, 70, tmp_path / "named", "folder")
    assert len(list((tmp_path / "named").glob("*/zq7/*.png"))) == 70


def test_depth_is_written_where_it_is_asked_for(tmp_path):
    def deep(scenes):
        images = np.zeros((len(scenes), 8, 8))
        return make_frames(scenes, images, np.ones(images.shape, int), pixels={"depth": images + 2})

    plain = generate(GRAMMAR, deep, 3, tmp_path / "plain")
    out = generate(GRAMMAR, deep, 3, tmp_path / "deep", depth=True)
    assert (np.asarray(Image.open(out / "depth/00000002.png")) == 512).all()
    own = {name: data for name, data in contents(out).items() if not name.startswith("depth/")}
    assert own.keys() == contents(plain).keys() and len(contents(out)) == len(own) + 4
    assert json.loads((out / "provenance.json").read_text())["depth"] is True
    with pytest.raises(ValueError, match=r"holds another data set \(it differs in: depth\)"):
        generate(GRAMMAR, deep, 3, out)


def test_a_renderer_that_changes_the_working_folder_moves_only_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zq7").mkdir()
    seen = []

    def moving(scenes):
        seen.append(os.getcwd())
        os.chdir(tmp_path / "zq7")
        return bars()(scenes)

    generate(GRAMMAR, moving, 130, "out")
    assert os.getcwd() == str(tmp_path) and sorted(os.listdir(tmp_path)) == ["out", "zq7"]
    assert os.listdir(tmp_path / "zq7") == [] and len(list((tmp_path / "out").glob("*/*.png"))) == 130
    assert seen == [str(tmp_path), str(tmp_path / "zq7"), str(tmp_path / "zq7")], "it finds the folder that it chose"


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_val_part_is_its_share_of_the_scenes_and_stays_when_more_are_written(tmp_path, share):
    def parts(n):
        out = generate(model(), bars(), n, tmp_path / str(n), "folder", validation=share)
        return {path.name: path.parts[-3] for path in out.rglob("*.png")}

    small, large = parts(70), parts(300)
    assert len(large) == 300 and small.items() <= large.items()
    val = np.mean([part == "val" for part in large.values()])
    assert val == 0 if share == 0 else abs(val - share) < 4 * np.sqrt(share * (1 - share) / 300)


def test_labels_and_images_are_those_of_the_scenes(tmp_path):
    m = model()
    out = generate(m, bars(), 40, tmp_path / "out", "folder", validation=0.3)
    frames = bars()(m.sample(40))
    for path in out.rglob("*.png"):
        row = int(path.stem)
        assert path.parent.name == frames.label[row]
        assert np.array_equal(np.asarray(Image.open(path)), frames.images[row])


def test_provenance_says_where_it_came_from(tmp_path):
    out = generate(model(seed=7), bars(), 20, tmp_path / "out", info={"run": "runs/1"})
    told = json.loads((out / "provenance.json").read_text())
    assert told["seed"] == 7 and told["n"] == 20 and told["format"] == "coco" and told["run"] == "runs/1"
    assert told["versions"]["scenefit"] and told["grammar"] == json.loads(json.dumps(GRAMMAR.describe()))
    with pytest.raises(ValueError, match=r"info must not have n, seed: provenance\.json has its own"):
        generate(model(), bars(), 20, tmp_path / "more", info={"seed": 1, "n": 3, "x": 2})
    assert not (tmp_path / "more").exists()


def test_numbers_that_make_no_sense(tmp_path):
    with pytest.raises(ValueError, match="n needs a whole number >= 1, of images; got int 0"):
        generate(model(), bars(), 0, tmp_path / "out")
    for share in (-0.1, 1.0):
        with pytest.raises(ValueError, match=rf"validation needs a share in 0..1 \(1 excluded\), got {share}"):
            generate(model(), bars(), 5, tmp_path / "out", validation=share)
    with pytest.raises(ValueError, match="no format 'voc9'"):
        generate(model(), bars(), 5, tmp_path / "out", "voc9")
    assert not (tmp_path / "out").exists()


def test_rows_are_parsed_once(tmp_path, monkeypatch):
    """Their classes lie in files of their own."""
    parsed = []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda text: parsed.append(bytes(text)) or loads(text))
    generate(model(), bars(), N, tmp_path / "out")
    rows = [text for text in parsed if b'"objects"' in text]
    assert len(rows) == -(-N // 64) == len(set(rows))
    assert sum(len(text) for text in parsed if text not in rows) < 0.02 * sum(len(text) for text in rows)
