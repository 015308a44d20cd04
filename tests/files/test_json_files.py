"""Reading JSON: every way in which a file can be damaged is named, with the file and what to do."""

import pytest

from scenefit.files.json_files import CorruptFile, read_json
from scenefit.files.plan import holds_plan

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


def test_a_byte_order_mark_is_no_damage(tmp_path):
    (tmp_path / "zq7.json").write_bytes(b"\xef\xbb\xbf[1, 2]")
    assert read_json(tmp_path / "zq7.json", "", list) == [1, 2]
