import hashlib
import os
import pickle
import sys
from pathlib import Path

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


def test_modules_beside_it_can_be_imported_when_it_draws(tmp_path):
    """By the scene file, by a module beside it, and relatively inside a package; again where its top imports it too."""
    (tmp_path / "zq7kit").mkdir()
    write(tmp_path / "zq7kit", "def shade():\n    from .deep import SHADE\n    return SHADE\n", "__init__.py")
    write(tmp_path / "zq7kit", "SHADE = 9\n", "deep.py")
    write(tmp_path, "def shade():\n    import zq7kit\n    return zq7kit.shade()\n", "zq7top.py")
    text = GOOD.replace("    return", "    import zq7top, zq7late, json\n    assert json.dumps(1) == '1'\n"
                        "    VALUE = zq7top.shade() + zq7late.LATE\n    return")
    write(tmp_path, "LATE = 2\n", "zq7late.py")
    before = list(sys.path), list(sys.path_hooks), set(sys.modules)
    scene = load_scene(write(tmp_path, "import zq7top\n" + text))
    for _ in range(2):
        assert render(scene.renderer, scene.grammar.sample(0, 2)).images.max() == 11
    assert (list(sys.path), list(sys.path_hooks), set(sys.modules) - {scene.module.__name__}) == before
    other = write(tmp_path / "other", text)
    write(tmp_path / "other", "def shade():\n    return 20\n", "zq7top.py")
    write(tmp_path / "other", "LATE = 3\n", "zq7late.py")
    two = load_scene(other)
    assert [render(one.renderer, one.grammar.sample(0, 1)).images.max() for one in (two, scene)] == [23, 11]


def test_packages_of_an_environment_in_its_folder_are_not_beside_it(tmp_path, monkeypatch):
    write(tmp_path / "venv", "HERE = 1\n", "zq7installed.py")
    monkeypatch.syspath_prepend(tmp_path / "venv")
    scene = load_scene(write(tmp_path, "import zq7installed\n" + GOOD))
    assert sys.modules.pop("zq7installed") is scene.module.zq7installed
    assert scene.hash == load_scene(tmp_path / "scene.py").hash
    assert scene.hash == hashlib.blake2b((tmp_path / "scene.py").read_bytes(), digest_size=16).hexdigest()


def test_encodings_that_python_reads_are_read(tmp_path):
    text = GOOD + "NAME = 'caf\xe9'\n"
    for data in (b"\xef\xbb\xbf" + text.encode(), b"# -*- coding: latin-1 -*-\n" + text.encode("latin-1")):
        (tmp_path / "zq7.py").write_bytes(data)
        assert load_scene(tmp_path / "zq7.py").module.NAME == "caf\xe9"


@pytest.mark.parametrize(("data", "message"), [
    ("x = 1\n".encode("utf-16"), r"zq7\.py is in UTF-16, which Python does not read; save it as UTF-8"),
    ("x = 1".encode("utf-16-le"), r"zq7\.py, line 1: null bytes: it is no Python text, or in UTF-16.*; save it as"),
    (b"x = 1\n\ny = '\xe9'\n", r"zq7\.py, line 3: SyntaxError: .*0xe9.*; save it as UTF-8, or name its encoding in"),
    (b"import zq7beside", r"zq7\.py, or what it imports, line 1: SyntaxError: .*null bytes; save it as UTF-8"),
    (b"\xef\xbb\xbf \n", r"zq7\.py is empty: a scene file defines `grammar` and `renderer`"),
    (b"class Stop(BaseException): pass\n\nraise Stop(7)", r"zq7\.py, line 3: Stop: 7")])
def test_texts_that_python_does_not_read_say_how_to_save_them(tmp_path, data, message):
    (tmp_path / "zq7beside.py").write_bytes("x = 1\n".encode("utf-16-le"))
    (tmp_path / "zq7.py").write_bytes(data)
    with pytest.raises(SceneFileError, match=message):
        load_scene(tmp_path / "zq7.py")


def test_a_folder_whose_name_is_not_utf8(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/zq7\xe9"))
    scene = load_scene(write(folder, GOOD))
    assert render(scene.renderer, scene.grammar.sample(0, 2)).images.max() == 1


def test_files_that_are_none(tmp_path):
    with pytest.raises(SceneFileError, match=r"gone\.py: cannot be read \(No such file or directory\)"):
        load_scene(tmp_path / "gone.py")
    with pytest.raises(SceneFileError, match=r"is a folder, and a scene file is a Python file; give the one in it"):
        load_scene(tmp_path)
    with pytest.raises(SceneFileError, match=r"zq7\.ipynb is a notebook.*jupyter nbconvert --to script zq7\.ipynb"):
        load_scene(write(tmp_path, "{}", "zq7.ipynb"))
    with pytest.raises(SceneFileError, match=r"zq7\.txt: a scene file is a Python file, whose name ends in \.py"):
        load_scene(write(tmp_path, GOOD, "zq7.txt"))
