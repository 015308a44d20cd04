"""Reading JSON: every way in which a file can be damaged is named, with the file and what to do."""

import os

import pytest

from scenefit.files.json_files import CorruptFile, read_json
from scenefit.files.lock import NAME, lock
from scenefit.files.plan import holds_plan
from scenefit.files.tensors import read_tensors
from scenefit.renderers.scene_file import SceneFileError, load_scene

DAMAGE = {"nested too deeply": b"[" * 200_000, "no JSON": b"{", "no text in UTF-8": b'{"a": "\xe9"}',
          "holds a list, and needs an object": b"[]", "holds null, and needs": b"null", "it holds a text": b'"x"',
          "holds a number": b"3", "holds true or false": b"true"}


@pytest.mark.parametrize(("what", "data"), DAMAGE.items())
def test_damage_is_named(tmp_path, what, data):
    path = tmp_path / "zq7.json"
    path.write_bytes(data)
    with pytest.raises(CorruptFile, match=f"zq7.json is damaged.*{what}.*; restore it"):
        read_json(path, "restore it from a copy", dict)
    with pytest.raises(ValueError, match=f"{what}.*; give another folder, or remove {tmp_path} if"):
        holds_plan(path, {"n": 1}, tmp_path, "another data set")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(CorruptFile, match=r"zq7.json cannot be read \(No such file.*restore it"):
        read_json(tmp_path / "zq7.json", "restore it")
    with pytest.raises(CorruptFile, match=r"cannot be read \(Is a directory\); restore it"):
        read_json(tmp_path, "restore it")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    """Wherever a file is read: of JSON, of tensors, a scene file; and as the lock, where it stays."""
    for name in ("zq7", "zq7.py", NAME):
        os.mkfifo(tmp_path / name)
    for reading in (read_json, read_tensors):
        with pytest.raises(CorruptFile, match=r"zq7 is a pipe or a device, and a file is needed; restore it"):
            reading(tmp_path / "zq7", "restore it")
    with pytest.raises(SceneFileError, match=r"zq7\.py is a pipe or a device, and a scene file is a Python file"):
        load_scene(tmp_path / "zq7.py")
    with pytest.raises(FileExistsError, match="was not made by scenefit"), lock(tmp_path):
        pass
    assert (tmp_path / NAME).is_fifo()


def test_a_byte_order_mark_is_no_damage(tmp_path):
    (tmp_path / "zq7.json").write_bytes(b"\xef\xbb\xbf[1, 2]")
    assert read_json(tmp_path / "zq7.json", "", list) == [1, 2]
