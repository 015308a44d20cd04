"""Warnings point at the line of the program that called scenefit."""

import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scenefit as sf
from scenefit.data.photos import as_photos
from scenefit.files.caller import warn

SIZE = (12, 16)


def here():
    return inspect.stack()[1].lineno


@pytest.mark.parametrize("read", [sf.read_photos, sf.read_labelled, as_photos])
def test_a_warning_points_at_the_line_that_reads_the_photos(tmp_path, read):
    for number in range(4):
        path = tmp_path / f"cell/{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((*SIZE, 3), number, np.uint8)).save(path)
    Image.fromarray(np.full(SIZE, 4000, np.uint16)).save(tmp_path / "cell/zq7.png")
    with pytest.warns(UserWarning, match="16-bit photo") as said:
        read(tmp_path, SIZE)
        line = here() - 1
    assert [(one.filename, one.lineno) for one in said] == [(__file__, line)]


def test_a_warning_is_shown_once_a_line():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        for _ in range(3):
            warn("zq7")
    assert [str(one.message) for one in said] == ["zq7"]


def test_nothing_in_scenefit_counts_stack_levels():
    source = Path(sf.__file__).parent
    calls = [path.name for path in source.rglob("*.py") if re.search(r"warnings\.warn\(|stacklevel", path.read_text())]
    assert calls == ["caller.py"], "files.caller.warn points at the user's line from any depth"
