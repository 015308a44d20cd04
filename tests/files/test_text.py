"""Texts with file names that are not UTF-8, and counts."""

import os

import pytest

from scenefit.files.text import counted, printable, read_text


def test_bytes_that_are_not_utf8_are_escaped_and_all_else_stays():
    assert printable(os.fsdecode(b"caf\xe9/zq7 \xc3\xa9.png")) == "caf\\xe9/zq7 \xe9.png"
    assert printable("a lone \ud800") == "a lone \\ud800"


@pytest.mark.parametrize("data, reason", [
    ("caf\xe9".encode("utf-16"), "is no text in UTF-8: it begins as UTF-16 does; save it as UTF-8"),
    (b"0 0.5\n" + bytes(9), "is no text: it has bytes of 0; copy it again, or save it as UTF-8"),
    (b"one\ncaf\xe9\n", r"is no text in UTF-8: line 2 has b'\xe9'; save it as UTF-8")])
def test_what_is_no_utf8_is_named_with_the_fix(tmp_path, data, reason):
    (tmp_path / "zq7.txt").write_bytes(data)
    with pytest.raises(ValueError) as error:
        read_text(tmp_path / "zq7.txt")
    assert str(error.value) == f"{tmp_path / 'zq7.txt'} {reason}"


def test_counts_are_singular_or_plural():
    assert [counted(n, "photo") for n in (0, 1, 2000)] == ["0 photos", "1 photo", "2,000 photos"]
    assert [counted(n, "photo has", "photos have") for n in (1, 2)] == ["1 photo has", "2 photos have"]
