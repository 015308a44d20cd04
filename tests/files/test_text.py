"""Texts with file names that are not UTF-8."""

import os

from scenefit.files.text import printable


def test_bytes_that_are_not_utf8_are_escaped_and_all_else_stays():
    assert printable(os.fsdecode(b"caf\xe9/zq7 \xc3\xa9.png")) == "caf\\xe9/zq7 \xe9.png"
    assert printable("a lone \ud800") == "a lone \\ud800"
