"""The Python of README and docs/, run as printed: blocks of a page share a namespace. Fits, data sets and trainings are
made small. A fence "python no-run" is left out."""

import re
import shlex
import shutil
import sys
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.main import get_command

import scenefit as sf
from scenefit.cli import app
from scenefit.cli.options import settings
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.tasks.detector_file import TrainedDetector
from scenefit.tasks.onnx_detector import onnx_detector

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BESIDE = [ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "experiments").glob("*/README.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.S | re.M)
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.S | re.M)
RENDERS = 400  # of a fit
WITH_CODE = {"README.md", "aerial.md", "architecture.md", "few-labels.md", "formats.md", "many-objects.md",
             "methods.md", "notebook.md", "renderers.md", "shapes.md", "street.md", "street_models.md",
             "street_tutorial.md", "tutorial.md"}


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with photos, and with photos and boxes in the layouts that the pages name."""
    rng = np.random.default_rng(0)
    dots = sf.Grammar("dish", {"dish": {}, "dot": {"x": sf.Uniform(8, 56), "y": sf.Uniform(8, 56), "radius": 7}},
                      [sf.Rule("dish", [sf.repeat("dot", sf.Integer(1, 3))])])
    renderer = sf.Shapes(size=(64, 64), shapes={"dot": {"shade": 0.3}}, classes={"dot": "RBC"})
    (tmp_path / "photos").mkdir()
    for number in range(12):
        image = rng.integers(40, 200, 3) + rng.integers(-20, 20, (64, 80, 3))
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(tmp_path / "photos" / f"{number}.png")
    sf.generate(dots, renderer, 12, out=tmp_path / "val", format="coco")
    sf.generate(dots, renderer, 12, out=tmp_path / "cells", format="voc")
    names = sorted(path.stem for path in (tmp_path / "cells" / "JPEGImages").iterdir())
    for part in ("few", "match"):
        (tmp_path / "cells" / "ImageSets" / f"{part}.txt").write_text("\n".join(names[:6]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for path in (ROOT / "scenes").glob("street*.py"):
        shutil.copy(path, tmp_path)
    yield tmp_path
    for name in ("coins", "street", "street_slots", "street_sizes"):
        sys.modules.pop(name, None)


@pytest.fixture
def small(monkeypatch):
    """sf.fit, sf.fit_steps, sf.generate and sf.Detect at a small size."""
    def small_settings(given):
        given = sf.Settings() if given is None else given
        method = replace(given.method, rounds=1, steps=2) if isinstance(given.method, sf.Npe) else given.method
        return replace(given, method=method, regressor=replace(given.regressor, epochs=1), max_renders=RENDERS)

    def fitted(fit):
        return lambda *a, settings=None, **k: fit(*a, settings=small_settings(settings), **k)

    for name in ("fit", "fit_steps"):
        monkeypatch.setitem(sf.__dict__, name, fitted(getattr(sf, name)))
    monkeypatch.setitem(sf.__dict__, "Detect", partial(sf.Detect, steps=20, batch=4, augmented_copies=1,
                                                       backbone=SmallMaps))
    generate = sf.generate
    monkeypatch.setitem(sf.__dict__, "generate",
                        lambda model, renderer, n, **k: generate(model, renderer, min(n, 20), **k))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, folder, small, capsys):
    space: dict = {"__name__": page.stem}
    for number, block in enumerate(blocks(page)):
        if page.name == "tutorial.md" and number == 0:
            (folder / "coins.py").write_text(block)
        if "detector.onnx" in block:
            task = sf.Detect(("RBC",))
            network = task.fresh(0)
            torch.nn.init.zeros_(network.last.bias)  # so that it finds something
            (folder / "detector.onnx").write_bytes(onnx_detector(TrainedDetector(task, network, (48, 64), 0.02)))
        exec(compile(block, f"{page.name}, block {number + 1}", "exec"), space)
    if "out=\"dataset/\"" in page.read_text():
        assert len(list((folder / "dataset").rglob("*.png"))) == 20
        assert (folder / "dataset" / "annotations" / "instances_train.json").exists()


def test_pages_with_code_are_all_found():
    assert {page.name for page in PAGES if blocks(page)} == WITH_CODE


def test_the_first_scene_has_forty_lines():
    first = blocks(ROOT / "docs" / "tutorial.md")[0]
    assert len([line for line in first.splitlines() if line.strip()]) <= 40


def commands(page: Path) -> list[list[str]]:
    """The scenefit commands of a page, as words."""
    lines = "".join(SHELL.findall(page.read_text())).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines if not line.startswith("git ")]
    return [line[1:] for line in words if line[:1] == ["scenefit"]]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_exist(page):
    known = get_command(app).commands
    for name, *words in commands(page):
        options = {option for parameter in known[name].params for option in parameter.opts + parameter.secondary_opts}
        assert {word for word in words if word.startswith("-")} <= options
        given = list(pairwise(words))
        settings(dict(given).get("--method"), {}, [value for word, value in given if word == "--set"])


def test_the_options_that_pages_name_exist():
    known = {option for command in get_command(app).commands.values() for parameter in command.params
             for option in parameter.opts + parameter.secondary_opts}
    for page in PAGES:
        assert set(re.findall(r"`(--[a-z-]+)", page.read_text())) <= known, page.name


def test_the_reading_list_is_as_long_as_it_says():
    rows = re.findall(r"^\| `([\w/]+\.py)` \| .* \| (\d+) \| (?:`(\w+)`|the end) \|$",
                      (ROOT / "docs" / "architecture.md").read_text(), re.M)
    assert len(rows) == 8
    total = 0
    for file, length, end in rows:
        lines = (ROOT / "src" / "scenefit" / file).read_text().splitlines()
        assert abs(len(lines) - int(length)) <= 0.1 * len(lines), f"{file} has {len(lines)} lines"
        total += next(n for n, line in enumerate(lines) if line.startswith(f"def {end}(")) if end else len(lines)
    assert total <= 1600, f"the reading list has {total} lines"


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_api_pages_list_every_public_name():
    pages = "".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    listed = re.findall(r"^::: scenefit\.(\w+)$", pages, re.M)
    assert sorted(listed) == sorted(sf.__all__)


@pytest.mark.parametrize("page", [*PAGES, *BESIDE], ids=lambda page: "/".join(page.parts[-2:]))
def test_links_lead_to_files(page):
    """As the repository shows them; `make docs` checks them, and anchors, once more on the site."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
