"""Data sets drawn by worker processes: the same bytes, whatever happens to the processes."""

import multiprocessing
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from checks import contents

import scenefit.executors.processes
from scenefit.data.formats import Format
from scenefit.data.formats import folder as folder_format
from scenefit.generation.dataset import generate, generate_steps
from scenefit.renderers import RenderError
from scenefit.renderers.clutter import cluttered
from scenefit.renderers.processes import Pool
from scenefit.renderers.scene_file import load_scene

N = 300  # five chunks
SCENE = """\
import os, signal, time
from pathlib import Path

import numpy as np
import scenefit as sf

grammar = sf.Grammar("zq7", {"zq7": {"shade": sf.learned(sf.Uniform(0, 90))},
                             "dot": {"x": sf.Integer(1, 6), "y": sf.Integer(1, 6)}}, [sf.Rule("zq7", ["dot"])])
HERE, leak = Path(__file__).parent, []

def renderer(scenes):
    if (HERE / "meet").exists():
        (HERE / f"inside-{os.getpid()}").touch()
        until = time.monotonic() + 60
        while len(list(HERE.glob("inside-*"))) < 2:
            if time.monotonic() > until:
                raise RuntimeError("nobody else was in the renderer")
            time.sleep(0.01)
    if (HERE / "kill").exists() and 200 in scenes.index:
        (HERE / "kill").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if (HERE / "hang").exists() and 100 in scenes.index:
        (HERE / f"hanging-{os.getpid()}").touch()
        time.sleep(600)
    if (HERE / "leak").exists():
        leak.append(np.ones(2**20))
    images = np.repeat(scenes.tables["zq7"]["shade"], 64).reshape(-1, 8, 8) / 255
    masks, dots = np.zeros(images.shape, int), scenes.tables["dot"]
    images[dots.scene, dots["y"], dots["x"]] = 1.0
    masks[dots.scene, dots["y"], dots["x"]] = dots.id
    return sf.make_frames(scenes, images, masks, label=["zq7"] * len(scenes))
"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.py"
    path.write_text(SCENE)
    return load_scene(path)


@pytest.fixture(scope="module")
def two(scene):
    with Pool(scene.path, workers=2) as pool:
        yield pool


@pytest.fixture(scope="module")
def whole(scene, tmp_path_factory):
    """The data set in one process."""
    return contents(generate(scene.grammar, scene.renderer, N, tmp_path_factory.mktemp("whole") / "out"))


@pytest.fixture
def flag(scene):
    """Makes the renderer do something, while a file of that name lies beside it."""
    def put(name):
        (scene.path.parent / name).touch()
        return scene.path.parent
    yield put
    for pattern in ("meet", "kill", "hang", "leak", "inside-*", "hanging-*"):
        for path in scene.path.parent.glob(pattern):
            path.unlink()


def test_two_workers_are_inside_the_renderer_at_the_same_moment(scene, two, flag, whole, tmp_path):
    folder = flag("meet")
    out = generate(scene.grammar, two, N, tmp_path / "out")
    assert contents(out) == whole
    assert len(list(folder.glob("inside-*"))) == 2 and not list(folder.glob(f"inside-{os.getpid()}"))


def test_bytes_do_not_depend_on_the_number_of_workers_or_their_replacement(scene, flag, whole, tmp_path):
    folder = flag("meet")
    with Pool(scene.path, workers=4, recycle=64) as pool:
        assert contents(generate(scene.grammar, pool, N, tmp_path / "out")) == whole
    assert len(list(folder.glob("inside-*"))) == 5, "each chunk is drawn by a process of its own"


def test_foreign_objects_are_drawn_by_workers(scene, two, tmp_path):
    want = contents(generate(scene.grammar, cluttered(scene.renderer, 0.5), 130, tmp_path / "one"))
    assert contents(generate(scene.grammar, cluttered(two, 0.5), 130, tmp_path / "two")) == want


@pytest.mark.parametrize("form", ["yolo-seg", "masks"])
def test_masks_and_polygons_do_not_depend_on_workers(scene, two, tmp_path, form):
    want = contents(generate(scene.grammar, scene.renderer, 130, tmp_path / "one", form))
    assert contents(generate(scene.grammar, two, 130, tmp_path / "two", form)) == want


def test_formats_that_are_saved_here_are_drawn_by_workers_too(scene, two, flag, tmp_path):
    own = Format("own", lambda *given: folder_format.save(*given), folder_format.finish)
    want = contents(generate(scene.grammar, scene.renderer, N, tmp_path / "one", own))
    folder = flag("meet")
    assert contents(generate(scene.grammar, two, N, tmp_path / "two", own)) == want
    assert len(list(folder.glob("inside-*"))) == 2
    broken = Format("own", lambda *given: [], folder_format.finish, portable=True)
    with pytest.raises(ValueError, match="the format own is portable=True, but its save cannot be sent to worker proc"):
        generate(scene.grammar, two, N, tmp_path / "three", broken)
    assert not (tmp_path / "three").exists()


def test_a_worker_that_is_killed_names_its_scenes_and_the_next_run_goes_on(scene, two, flag, whole, tmp_path):
    flag("kill")
    reason = "was ended by SIGKILL, which the operating system sends when memory runs out; fewer workers"
    with pytest.raises(RenderError, match=rf"scenes 192, 193, 194, ... 255 \(64\) of seed .* {reason}") as lost:
        generate(scene.grammar, two, N, tmp_path / "out")
    assert lost.value.indices == tuple(range(192, 256)) and "--recycle 64" in lost.value.reason
    written = sorted(path.stem for path in (tmp_path / "out").glob("*/*.png"))
    assert written == [f"{scene:08d}" for scene in range(192)], "all chunks before it, and none after"
    assert contents(generate(scene.grammar, scene.renderer, N, tmp_path / "out")) == whole


def test_a_killed_driver_leaves_no_worker_behind_and_nothing_that_counts(scene, flag, whole, tmp_path):
    """One of its two workers is killed with it, the other one hangs."""
    flag("meet")
    folder = flag("hang")
    driver = multiprocessing.get_context("fork").Process(target=partial(_generate, scene, tmp_path / "out"))
    driver.start()
    hanging = _wait_for(lambda: _pids(folder, "hanging-*"))
    _wait_for(lambda: (tmp_path / "out" / ".scenefit-rows" / "00000000.json").exists())
    workers = _pids(folder, "inside-*")
    assert len(workers) == 2 and hanging < workers and all(_is_running(pid) for pid in workers)
    for pid in (*workers - hanging, driver.pid):
        os.kill(pid, signal.SIGKILL)
    driver.join()
    _wait_for(lambda: not any(_is_running(pid) for pid in workers))
    for name in ("meet", "hang"):
        (folder / name).unlink()
    assert not list((tmp_path / "out").glob("*.json")) and len(list((tmp_path / "out").glob("*/*.png"))) == 64
    staging = tmp_path / "out" / ".scenefit-rows" / "00000064" / "files" / "train"
    staging.mkdir(parents=True, exist_ok=True)
    (staging / "00000064.png").write_bytes(b"half")
    again = []
    out = generate(scene.grammar, lambda some: again.append(len(some)) or scene.renderer(some), N, tmp_path / "out")
    assert sum(again) == N - 64 and contents(out) == whole


def _pids(folder, pattern):
    return {int(path.name.partition("-")[2]) for path in folder.glob(pattern)}


def _generate(scene, out):
    with Pool(scene.path, workers=2) as pool:
        generate(scene.grammar, pool, N, out)


def _wait_for(condition):
    until = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_growing_worker_is_warned_of(scene, flag, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(scenefit.executors.processes, "GROWTH", 2**24)
    flag("leak")
    with Pool(scene.path, workers=1) as pool, pytest.warns(UserWarning) as caught:
        out = generate(scene.grammar, pool, N, tmp_path / "out")
    assert contents(out) == whole and len(caught) == 1
    text = str(caught[0].message)
    assert "scene.py may leak memory. --recycle 256 (Python: recycle=256) replaces each worker" in text
    assert text.startswith("a worker process grew from ") and "MB over 256 scenes, and still grows" in text


def test_a_format_that_is_refused_leaves_nothing(scene, tmp_path):
    refused = Format("refused", _refuse, folder_format.finish, portable=True)
    with pytest.raises(ValueError, match="no format for zq7"):
        generate(scene.grammar, scene.renderer, N, tmp_path / "new" / "out", refused)
    assert not (tmp_path / "new").exists()


def _refuse(frames, out, part):
    (out / "half.txt").parent.mkdir(parents=True)
    (out / "half.txt").write_text("written before the error")
    raise ValueError(f"no format for {frames.label[0]}")


def test_damaged_rows_are_named_with_what_to_do(scene, whole, tmp_path):
    out, drawn = tmp_path / "zq7", []
    steps = generate_steps(scene.grammar, scene.renderer, N, out)
    next(steps), next(steps)
    steps.close()
    assert not [path for path in (out / ".scenefit-rows").iterdir() if path.is_dir()], "folders of finished chunks"
    rows, classes = (out / ".scenefit-rows" / name for name in ("00000064.json", "classes-00000064.json"))
    again = "delete it, and the same command draws its scenes again"
    for path, data, reason in ((rows, b"[]", "it is not what was written"), (rows, b"[" * 10**5, "it is not what"),
                               (classes, b"{", "it is no JSON"), (classes, b"[]", "it holds a list"),
                               (classes, b'{"names": 3, "rows": ""}', "it needs the names of classes and the hash"),
                               (out / ".scenefit-rows/plan.json", b"\xff", "it is no text in UTF-8")):
        kept = path.read_bytes()
        path.write_bytes(data)
        fix = again if path.name != "plan.json" else f"give another folder, or remove {out} if scenefit made it"
        with pytest.raises(ValueError, match=reason) as error:
            generate(scene.grammar, lambda some: drawn.append(some) or scene.renderer(some), N, out)
        assert str(error.value).startswith(f"{path} is damaged: ") and str(error.value).endswith(fix)
        assert not drawn, "before the other chunks are drawn"
        path.write_bytes(kept)
    rows.unlink()  # as it says
    (out / "train" / "00000064.png").unlink()
    assert contents(generate(scene.grammar, scene.renderer, N, out)) == whole
