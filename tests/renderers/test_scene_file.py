import hashlib
import pickle
import sys

import pytest

from scenefit.renderers import render
from scenefit.renderers.scene_file import SceneFileError, load_scene
from scenefit.scenes.grammar import Grammar

GOOD = """\
import numpy as np
from scenefit.scenes.grammar import Grammar
from scenefit.renderers.each import each

grammar = Grammar("table", {"table": {}})
VALUE = 1

@each
def renderer(scene):
    return np.full((4, 4), VALUE / 255)
"""


def write(folder, text, name="scene.py"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_a_scene_file_gives_grammar_and_renderer(tmp_path):
    path = write(tmp_path, GOOD)
    scene = load_scene(str(path))
    assert isinstance(scene.grammar, Grammar) and scene.path == path.resolve()
    assert scene.hash == hashlib.blake2b(GOOD.encode(), digest_size=16).hexdigest()
    assert scene.module.VALUE == 1
    assert render(scene.renderer, scene.grammar.sample(0, 2)).images.max() == 1
    assert pickle.loads(pickle.dumps(scene.renderer)) is scene.renderer


def test_a_changed_file_is_read_anew_at_once(tmp_path):
    path = write(tmp_path, GOOD)
    first = load_scene(path)
    write(tmp_path, GOOD.replace("VALUE = 1", "VALUE = 2"))
    second = load_scene(path)
    assert (first.module.VALUE, second.module.VALUE) == (1, 2) and first.hash != second.hash


def test_modules_beside_it_can_be_imported_and_never_mix(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / name, f"NAME = {name!r}", "beside.py")
        write(tmp_path / name, "import beside\n" + GOOD)
    before, modules = list(sys.path), set(sys.modules)
    scenes = [load_scene(tmp_path / name / "scene.py") for name in ("one", "two")]
    assert [scene.module.beside.NAME for scene in scenes] == ["one", "two"]
    assert sys.path == before and "beside" not in sys.modules
    assert scenes[0].module.__name__ != scenes[1].module.__name__
    assert {s.module.__name__ for s in scenes} <= set(sys.modules) - modules
    assert scenes[0].hash != scenes[1].hash, "what a scene file imports draws too"
    write(tmp_path / "two", "NAME = 'one'", "beside.py")
    assert load_scene(tmp_path / "two" / "scene.py").hash == scenes[0].hash


@pytest.mark.parametrize(("text", "message"), [
    ("x = 1\ngrammar = (\n", r"scene\.py, line 2: SyntaxError: '\(' was never closed"),
    ("x = 1\n\nx / 0\n", r"scene\.py, line 3: ZeroDivisionError: division by zero"),
    ("def f():\n    raise KeyError('k')\n\n\nf()\n", r"scene\.py, line 2: KeyError: 'k'"),
    ("import beside\n", r"scene\.py, line 1: ValueError: from beside"),
    ("import broken\n", r"broken\.py, line 1: SyntaxError"),
    ("import nowhere_at_all\n", r"scene\.py, line 1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
    ("import sys\nsys.exit(3)\n", r"scene\.py, line 2: it ends the program when imported \(exit 3\)"),
    ("\0", r"scene\.py.*null bytes"),
    (GOOD.replace("grammar =", "grammer ="), r"this one has no grammar; it defines .*'grammer'"),
    (GOOD.replace("def renderer", "def draw"), "this one has no renderer; it defines"),
    (GOOD + "grammar = {}\n", "grammar must be a scenefit.Grammar, got dict"),
    (GOOD + "renderer = 3\n", r"renderer must be a function or an object that draws scenes .*, got int"),
    (GOOD + "class renderer: pass\n", "got the class renderer itself; make one")])
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, message):
    write(tmp_path, "raise ValueError('from beside')\n", "beside.py")
    write(tmp_path, ")", "broken.py")
    before, modules = list(sys.path), set(sys.modules)
    with pytest.raises(SceneFileError, match=message):
        load_scene(write(tmp_path, text))
    assert sys.path == before and "beside" not in set(sys.modules) - modules


def test_files_that_are_none(tmp_path):
    with pytest.raises(SceneFileError, match=r"gone\.py: cannot be read \(No such file or directory\)"):
        load_scene(tmp_path / "gone.py")
    with pytest.raises(SceneFileError, match=r"a scene file is a Python file, whose name ends in \.py"):
        load_scene(tmp_path)
