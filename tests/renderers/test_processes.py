import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from scenefit.cli.console import explain
from scenefit.data.frames import make_frames
from scenefit.executors.processes import WorkerLost
from scenefit.renderers import RenderError, render
from scenefit.renderers.chunks import chunk_rows, join, part_of
from scenefit.renderers.processes import Pool
from scenefit.renderers.scene_file import SceneFileError, load_scene
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Integer, Uniform

SCENE = """\
import numpy as np
import scenefit as sf

grammar = sf.Grammar("image", {"image": {}, "a": {"x": sf.Integer(0, 16), "z": sf.Uniform(1, 9)},
                               "b": {"y": sf.Integer(0, 16)}},
                     [sf.Rule("image", [sf.repeat("a", sf.Integer(0, 3)), sf.repeat("b", sf.Integer(0, 2))])])

def renderer(scenes):
    masks, depth = np.zeros((len(scenes), 20, 20), int), np.full((len(scenes), 20, 20), np.inf)
    a, b = scenes.tables["a"], scenes.tables["b"]
    for scene, node, x, z in zip(a.scene, a.id, a["x"], a["z"]):
        masks[scene, 2:9, x:x + 4], depth[scene, 2:9, x:x + 4] = node, z
    for scene, node, y in zip(b.scene, b.id, b["y"]):
        masks[scene, y:y + 4, 5:8] = node
    full = np.stack([a["x"], np.full(len(a), 2), a["x"] + 4, np.full(len(a), 9)], 1)
    return sf.make_frames(scenes, 1 / (1 + depth), masks, label=np.where(masks.any((1, 2)), "some", "no objects"),
                          classes={"a": np.where(a["z"] > 5, "a long name", "c")}, amodal={"a": full},
                          area={"a": np.full(len(a), 28.0)}, inside={"a": np.full(len(a), 28.0)},
                          pixels={"depth": depth}, nodes={"box3d": {"a": a["z"][:, None] + np.arange(6)}})
"""

ODD = """\
import ctypes, os, time
import numpy as np
from scenefit.data.frames import make_frames
from scenefit.scenes.grammar import Grammar

grammar = Grammar("image", {"image": {"then": 0.0}})

class Own(BaseException):
    pass

def renderer(scenes):
    then = scenes.tables["image"]["then"]
    if (then == 1).any():
        raise ValueError("as asked")
    if (then == 2).any():
        os._exit(7)
    if (then == 3).any():
        time.sleep(600)
    if (then == 4).any():
        ctypes.PyDLL(None).sleep(600)  # no other thread runs meanwhile
    if (then == 5).any():
        raise Own("as asked")
    if (then == 6).any():
        raise KeyboardInterrupt
    return make_frames(scenes, np.zeros((len(scenes), 2, 2)))
"""
ODD_GRAMMAR = Grammar("image", {"image": {"then": 0.0}})


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.py"
    path.write_text(SCENE)
    return path


@pytest.fixture(scope="module")
def scene(path):
    return load_scene(path)


@pytest.fixture(scope="module")
def odd_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("odd") / "odd.py"
    path.write_text(ODD)
    return path


@pytest.fixture(scope="module")
def pool(path):
    with Pool(path, workers=2, timeout=30) as pool:
        yield pool


@pytest.fixture(scope="module")
def odd_pool(odd_path):
    with Pool(odd_path, workers=2) as pool:
        yield pool


def odd(indices, what, which=()):
    """Scenes, some of which make the renderer misbehave."""
    scenes = ODD_GRAMMAR.sample(2, indices)
    return scenes.with_columns({"image": {"then": np.where(np.isin(scenes.index, which), what, 0.0)}})


def same(a, b):
    assert a.scenes is b.scenes
    for name in ("images", "instances", "label"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    for name in ("classes", "amodal", "area", "inside"):
        ours, theirs = getattr(a, name), getattr(b, name)
        assert sorted(ours) == sorted(theirs)
        assert all(np.array_equal(ours[k], theirs[k]) for k in ours), name
    assert list(a.pixels) == list(b.pixels) == ["instances", "depth"]
    assert np.array_equal(a.pixels["depth"], b.pixels["depth"]) and np.isfinite(a.pixels["depth"]).any()
    assert np.array_equal(a.nodes["box3d"]["a"], b.nodes["box3d"]["a"]) and a.nodes["box3d"]["a"].shape[1:] == (6,)


def test_same_bytes_as_without_a_pool(pool, path, scene):
    for index in (np.arange(150), [70, 3, 200, 64, 63, 5], [9]):
        scenes = scene.grammar.sample(4, index)
        want = render(scene.renderer, scenes)
        for renderer in (pool, Pool(path, workers=0)):
            same(render(renderer, scenes), want)


def test_tensors_with_a_gradient_are_drawn_too(pool, scene):
    scenes = scene.grammar.sample(0, 3)
    z = torch.tensor(scenes.tables["a"]["z"], requires_grad=True)
    frames = render(pool, scenes.with_columns({"a": {"z": z}}))
    assert np.array_equal(frames.images, scene.renderer(scenes).images)


def test_an_error_names_its_scene_and_the_pool_goes_on(odd_pool):
    for then, name in ((5, "Own"), (1, "ValueError")):
        for renderer in (load_scene(odd_pool.scene_path).renderer, odd_pool):
            with pytest.raises(RenderError, match=f"scene 101 of seed 2: the renderer raised {name}: as asked") as e:
                render(renderer, odd(130, then, [101]))
    assert e.value.indices == (101,)
    assert 'raise ValueError("as asked")' in e.value.__notes__[0]
    assert len(render(odd_pool, odd(130, 1))) == 130


def test_a_worker_that_dies_names_its_scenes(odd_pool):
    with pytest.raises(RenderError, match=r"scenes 64, 65, 66, ... 127 \(64\) of seed 2: the worker process that drew "
                                          r"them died \(exit code 7\); find the scene by drawing them with workers=0"):
        render(odd_pool, odd(130, 2, [101]))


def test_a_worker_that_hangs_is_ended(odd_pool):
    render(odd_pool, odd([1, 70], 0))
    odd_pool.timeout = 0.5
    processes = [worker.process for worker in odd_pool._processes.alive]
    hint = r"give them more time with --timeout \(Python: Pool\(timeout=\)\), which counts for up to 64 scenes together"
    with pytest.raises(RenderError, match=rf"scene 70 of seed 2: .* took more than 0.5 s; {hint}"):
        render(odd_pool, odd([1, 70], 3, [70]))
    odd_pool.timeout = 300
    assert len(processes) == 2 and not any(process.is_alive() for process in processes)


def test_ctrl_c_ends_the_workers_through_their_parent_only(odd_pool):
    render(odd_pool, odd([1, 70], 0))
    processes = [worker.process for worker in odd_pool._processes.alive]
    for process in processes:
        os.kill(process.pid, signal.SIGINT)  # a terminal sends it to all
    assert len(render(odd_pool, odd([1, 70], 0))) == 2
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        odd_pool(odd([1, 70], 3, [1, 70]))
    assert len(processes) == 2 and not any(process.is_alive() for process in processes)


def test_a_scene_file_that_fails_in_the_worker(tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0")
    with (Pool(tmp_path / "broken.py", workers=2) as pool,
          pytest.raises(SceneFileError, match=r"broken\.py, line 1: ZeroDivisionError")):
        pool(odd([1], 0))


@pytest.mark.parametrize("end, text", [
    ("os._exit(3)", r"died \(exit code 3\) before its first scene; does this program guard its start"),
    ("os.kill(os.getpid(), 9)", r"was ended by SIGKILL, which the operating system sends when memory runs out before "
                                r"its first scene; run the same command again, with fewer --workers")])
def test_a_worker_that_never_starts(tmp_path, end, text):
    (tmp_path / "gone.py").write_text(f"import os\n{end}")
    with (Pool(tmp_path / "gone.py", workers=1) as pool,
          pytest.raises(WorkerLost, match=rf"a worker process for .*gone\.py {text}") as raised):
        pool(odd([1], 0))
    assert "Internal error" not in explain(raised.value)


def test_a_scene_file_of_a_worker_that_raises_keyboard_interrupt(tmp_path):
    """A worker ignores Ctrl-C, so it is the file's own."""
    (tmp_path / "zq7.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(SceneFileError, match=r"zq7\.py raises KeyboardInterrupt when imported"):
        Pool(tmp_path / "zq7.py", workers=1)._processes.load()
    (tmp_path / "zq7.py").write_text(ODD)
    draw = Pool(tmp_path / "zq7.py", workers=1)._processes.load()
    with pytest.raises(RenderError, match="the renderer raises KeyboardInterrupt"):
        draw((render, odd([6], 6, [6])))


MOVING = """\
import os
import numpy as np
import scenefit as sf

os.chdir("zq7")  # where the textures are
grammar = sf.Grammar("image", {"image": {}})

def renderer(scenes):
    return sf.make_frames(scenes, np.full((len(scenes), 2, 2), float(open("shade.txt").read())))
"""


def test_a_scene_file_that_changes_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zq7").mkdir()
    (tmp_path / "zq7/shade.txt").write_text("0.5")
    (tmp_path / "moving.py").write_text(MOVING)
    scene = load_scene("moving.py")
    assert os.getcwd() == str(tmp_path)
    want = render(scene.renderer, scene.grammar.sample(0, 2))
    with Pool("moving.py", workers=1) as pool:
        assert np.array_equal(render(pool, scene.grammar.sample(0, 2)).images, want.images)
    assert want.images.min() == 128 and os.getcwd() == str(tmp_path)


def test_no_worker_outlives_its_parent(odd_path, tmp_path):
    script = tmp_path / "main.py"
    script.write_text(f"""
import numpy as np
from scenefit.scenes.grammar import Grammar
from scenefit.renderers.processes import Pool
if __name__ == "__main__":
    scenes = Grammar("image", {{"image": {{"then": 0.0}}}}).sample(0, [1, 70])
    with Pool({str(odd_path)!r}, workers=2) as pool:
        pool(scenes)
        print(*[worker.process.pid for worker in pool._processes.alive], flush=True)
        pool(scenes.with_columns({{"image": {{"then": np.array([4.0, 3.0])}}}}))  # both hang
""")
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    time.sleep(0.2)
    assert len(pids) == 2 and all(running(pid) for pid in pids)
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(running(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker is still there"
        time.sleep(0.05)


def running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_pool_refuses(path):
    with pytest.raises(ValueError, match="Pool needs workers >= 0 and timeout > 0, got workers=-1"):
        Pool(path, workers=-1)
    with pytest.raises(ValueError, match="timeout=0"):
        Pool(path, workers=2, timeout=0)
    with pytest.raises(ValueError, match="Pool needs recycle >= 1 scenes, or None, got recycle=0"):
        Pool(path, workers=2, recycle=0)


def test_chunks_are_those_of_the_index():
    scenes = Grammar("a", {"a": {}}).sample(0, [200, 3, 130, 63, 64, 131])
    assert [rows.tolist() for rows in chunk_rows(scenes)] == [[1, 3], [4], [2, 5], [0]]


def test_parts_that_know_more_or_less_are_joined():
    grammar = Grammar("a", {"a": {}, "b": {"x": Uniform(0, 1)}}, [Rule("a", [repeat("b", Integer(1, 3))])])
    scenes = grammar.sample(0, [64, 1, 65, 2])
    chunks = chunk_rows(scenes)
    parts = []
    for rows in chunks:
        part = scenes.take(rows)
        x = part.tables["b"]["x"]
        known = {"amodal": {"b": np.repeat(x[:, None], 4, 1)}, "area": {"b": x}} if part.index[0] < 64 else {}
        parts.append(part_of(make_frames(part, np.zeros((2, 3, 3)), **known)))
    joined, table = join(scenes, chunks, parts), scenes.tables["b"]
    first = np.isin(table.scene, [1, 3])
    assert np.array_equal(joined.area["b"][first], table["x"][first]) and np.all(np.isnan(joined.area["b"][~first]))
    assert joined.amodal["b"].shape == (len(table), 4)


def test_pixels_and_node_labels_that_differ_between_chunks():
    grammar = Grammar("a", {"a": {}, "b": {}}, [Rule("a", ["b"])])
    scenes = grammar.sample(0, [1, 70])
    chunks = chunk_rows(scenes)

    def joined(*given):
        return join(scenes, chunks, [part_of(make_frames(scenes.take(rows), np.zeros((1, 3, 3)), **more))
                                     for rows, more in zip(chunks, given, strict=True)])

    flat, deep = np.zeros((1, 3, 3)), np.zeros((1, 3, 3, 2))
    with pytest.raises(RenderError, match=r"scene 70 of seed 0: they have the pixels \['instances'\], but the other "
                                          r"scenes \['depth', 'instances'\]"):
        joined({"pixels": {"depth": flat}}, {})
    with pytest.raises(RenderError, match=r"their pixels 'depth' have rows of the shape \[3, 3, 2\], but .* \[3, 3\]"):
        joined({"pixels": {"depth": flat}}, {"pixels": {"depth": deep}})
    with pytest.raises(RenderError, match=r"their nodes 'pose' of b have rows of the shape \[\], but .* \[2\]"):
        joined({"nodes": {"pose": {"b": [[1, 2]]}}}, {"nodes": {"pose": {"b": [1]}}})
    some = joined({"nodes": {"colour": {"b": ["red"]}, "pose": {"b": [[1, 2]]}}}, {})
    assert some.nodes["colour"]["b"].tolist() == ["red", ""]
    assert np.array_equal(some.nodes["pose"]["b"], [[1, 2], [np.nan, np.nan]], equal_nan=True)


def test_sizes_that_differ_between_chunks():
    scenes = Grammar("a", {"a": {}}).sample(0, [1, 70])
    chunks = chunk_rows(scenes)
    parts = [part_of(make_frames(scenes.take(rows), np.zeros((1, 3 + i, 3)))) for i, rows in enumerate(chunks)]
    with pytest.raises(RenderError, match=r"scene 70 of seed 0: their images are \(4, 3\) .* other scenes \(3, 3\)"):
        join(scenes, chunks, parts)
