"""The code of docs/tutorial.md, run as written; only the fit is made smaller."""

import re
import sys
from pathlib import Path

import pytest
from PIL import Image
from quick import quick

import scenefit as sf

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


@pytest.fixture
def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


def test_the_tutorial(blocks, tmp_path, monkeypatch):
    scene, loop = blocks
    assert len([line for line in scene.splitlines() if line.strip()]) <= 40
    (tmp_path / "coins.py").write_text(scene)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    space: dict = {}
    exec(scene, space)
    truth = sf.Grammar("table", {"table": {"shade": sf.Uniform(60, 70)},
                                 "coin": {"x": sf.Uniform(5, 20), "y": sf.Uniform(5, 40), "r": sf.Uniform(5, 7),
                                          "gold": sf.Choice([True, False])}},
                       [sf.Rule("table", [sf.repeat("coin", sf.Integer(2, 3))])])
    (tmp_path / "photos").mkdir()
    for number, image in enumerate(sf.render(space["renderer"], truth.sample(1, 40)).images):
        Image.fromarray(image).save(tmp_path / "photos" / f"{number}.jpg")
    monkeypatch.setitem(sf.__dict__, "fit",
                        lambda *a, fit=sf.fit, **k: fit(*a, settings=quick(), **k))
    exec(loop, {})
    sys.modules.pop("coins")
    assert (tmp_path / "dataset" / "annotations" / "instances_train.json").exists()
    assert len(list((tmp_path / "dataset").rglob("*.png"))) == 200


def test_the_lines_in_the_readme(tmp_path, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", (PAGE.parents[1] / "README.md").read_text(), re.S)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        Image.new("L", (80, 64), 20 * number).save(tmp_path / "photos" / f"{number}.png")
    monkeypatch.setitem(sf.__dict__, "fit",
                        lambda *a, fit=sf.fit, **k: fit(*a, settings=quick(), **k))
    monkeypatch.setitem(sf.__dict__, "generate",
                        lambda model, renderer, n, generate=sf.generate, **k: generate(model, renderer, n // 100, **k))
    exec(block, {})
    assert len(list((tmp_path / "dataset").rglob("*.png"))) == 100
