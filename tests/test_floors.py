"""The architecture, kept by reading every file: imports point one way, files stay short, names say something."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import scenefit

SOURCE = Path(scenefit.__file__).parent

# Every module, or every package with all that is in it, stands on one floor (docs/architecture.md says why).
FLOORS = {
    # 1 values
    "address": 1, "boxes": 1, "prior": 1, "scene": 1, "frame": 1, "files": 1, "lock": 1, "fingerprint": 1,
    "spelling": 1,
    # 2 world
    "attribute": 2, "growth": 2, "grammar": 2, "ranges": 2, "photos": 2, "scene_file": 2, "renderers": 2, "formats": 2,
    "labelled": 2, "conformance": 2, "pictures": 2, "contrast": 2, "camera": 2,
    # 3 tensors
    "encoding": 3, "features": 3, "distance": 3, "strangers": 3, "objective": 3, "summary": 3, "wear": 3,
    "tensor_file": 3,
    # 4 learned
    "cloud": 4, "transformer": 4, "structure": 4, "recogniser": 4, "reader": 4, "tasks": 4,
    # 5 gradients
    "gradients": 5,
    # 6 loop
    "settings": 6, "pretrain": 6, "infer": 6, "look": 6, "search": 6, "model": 6, "learning": 6, "loop": 6,
    "dataset": 6,
    "structure_fit": 6, "structure_reward": 6,
    # 7 outside
    "check": 7, "export": 7, "record": 7, "run": 7, "score": 7, "score_file": 7, "retell": 7, "detections": 7,
    "detector_file": 7, "detector_stages": 7, "workers": 7, "report": 7,
    "cli": 7, "__main__": 7,
}
THIRD_PARTY = {1: {"numpy", "scipy"}, 2: {"numpy", "scipy"}}  # of the floors where it is limited
MORE = {"photos": {"PIL"}, "formats": {"PIL"}, "renderers": {"PIL", "torch"}}
OUTSIDE_ONLY = {"typer", "rich", "click", "jinja2", "plotly", "matplotlib"}  # what talks to people
NO_NAMES = {"manager", "trainer", "engine", "handler", "base", "utils", "helpers", "misc", "pipeline"}
MOST_LINES = 400


def files() -> dict[str, Path]:
    """Module (without the package's own name, "" for the package) -> file."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, tree: ast.AST, known: set[str]) -> tuple[set[str], set[str]]:
    """Modules of this package, and other packages, that a module imports, wherever in its code."""
    own, other = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f"{name} imports from {'.' * node.level}{node.module or ''}; write the whole name")
        if isinstance(node, ast.ImportFrom):
            home = (node.module or "").removeprefix("scenefit").lstrip(".")
            if (node.module or "").partition(".")[0] != "scenefit":
                other.add((node.module or "").partition(".")[0])
                continue
            for alias in node.names:
                below = f"{home}.{alias.name}".lstrip(".")
                own.add(below if below in known else home)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top, _, rest = alias.name.partition(".")
                (own if top == "scenefit" else other).add(rest if top == "scenefit" else top)
    return own - {name}, other


def floor(name: str, floors: Mapping[str, int]) -> int | None:
    """Of the module, or of the package it is in. The package itself stands above all."""
    while name and name not in floors:
        name = name.rpartition(".")[0]
    return floors.get(name)


def complaints(found: Mapping[str, tuple[set[str], set[str]]], floors: Mapping[str, int]) -> Iterator[str]:
    """found: module -> what it imports, of this package and of others."""
    for name, (own, other) in found.items():
        mine = floor(name, floors)
        if name == "":
            continue
        if mine is None:
            yield f"{name} stands on no floor: put it into FLOORS of tests/test_floors.py"
            continue
        for target in sorted(own):
            its = floor(target, floors)
            if target == "" or its is None or its > mine:
                yield f"{name} (floor {mine}) imports {target or 'scenefit'} (floor {its or 'above all'})"
        allowed = THIRD_PARTY.get(mine)
        for package in sorted(other - set(sys.stdlib_module_names)):
            top = name.partition(".")[0]
            if allowed is not None and package not in allowed | MORE.get(top, set()):
                yield f"{name} (floor {mine}) imports {package}, which does not belong there"
            if mine < 7 and package in OUTSIDE_ONLY:
                yield f"{name} (floor {mine}) imports {package}, which belongs to floor 7"
    try:
        TopologicalSorter({name: own for name, (own, _) in found.items() if name}).prepare()
    except CycleError as error:
        yield f"imports go in a circle: {' -> '.join(error.args[1])}"


def test_imports_point_one_way() -> None:
    known = files()
    found = {name: imports(name, ast.parse(path.read_text()), set(known)) for name, path in known.items()}
    assert len(found) > 20 and found["grammar"][0] >= {"prior", "scene"}
    assert list(complaints(found, FLOORS)) == []


BROKEN: dict[str, dict[str, str]] = {
    "stray stands on no floor: put it into FLOORS of tests/test_floors.py": {"stray": ""},
    "frame (floor 1) imports grammar (floor 2)": {"frame": "from scenefit.scenes.grammar import Grammar",
                                                  "grammar": ""},
    "frame (floor 1) imports loop (floor 6)": {"frame": "def f():\n    from scenefit import loop", "loop": ""},
    "renderers.each (floor 2) imports tasks.classify (floor 4)":
        {"renderers.each": "import scenefit.tasks.classification", "tasks.classify": ""},
    "loop (floor 6) imports scenefit (floor above all)": {"loop": "import scenefit"},
    "prior (floor 1) imports torch, which does not belong there": {"prior": "import torch.nn"},
    "photos (floor 2) imports torch, which does not belong there": {"photos": "from torch import nn"},
    "prior (floor 1) imports PIL, which does not belong there": {"prior": "from PIL import Image"},
    "loop (floor 6) imports rich, which belongs to floor 7": {"loop": "from rich.progress import track"},
    "imports go in a circle: scene -> prior -> scene":
        {"scene": "from scenefit import prior", "prior": "from scenefit.scenes.scene import Scene"},
}


@pytest.mark.parametrize("text", BROKEN)
def test_what_would_be_found(text: str) -> None:
    sources = BROKEN[text]
    found = {name: imports(name, ast.parse(source), set(sources)) for name, source in sources.items()}
    assert list(complaints(found, FLOORS)) == [text]


def test_what_is_allowed() -> None:
    sources = {"renderers.sprites": "import torch\nfrom scenefit.renderers import render", "renderers": "import os",
               "photos": "from PIL import Image", "report.page": "import rich\nfrom scenefit.report import story",
               "report.story": "", "": "from scenefit.cli import app"}
    assert list(complaints({n: imports(n, ast.parse(s), set(sources)) for n, s in sources.items()}, FLOORS)) == []
    with pytest.raises(AssertionError, match=r"scene imports from \.prior; write the whole name"):
        imports("scene", ast.parse("from .prior import Prior"), set())


def test_the_first_two_floors_need_no_torch() -> None:
    light = [name for name in files() if (floor(name, FLOORS) or 9) <= 2 and not name.startswith("renderers.")]
    code = (f"import sys, importlib; [importlib.import_module(n) for n in {['scenefit.' + name for name in light]}];"
            "import scenefit; print(sorted({'torch', 'rich', 'typer', 'plotly'} & set(sys.modules)))")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]" and "grammar" in light


@pytest.mark.parametrize("name", files())
def test_files_are_short(name: str) -> None:
    lines = len(files()[name].read_text().splitlines())
    assert lines <= MOST_LINES, f"{name} has {lines} lines; split what has a name of its own"


def words(name: str) -> set[str]:
    """PhotoManager, photo_manager -> {photo, manager}"""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_words_of_a_name() -> None:
    assert words("PhotoManager") == words("_photo_manager2") == {"photo", "manager"}
    assert words("HTTPHandler") == {"http", "handler"} and words("rebase") == {"rebase"}


@pytest.mark.parametrize("name", files())
def test_names_say_something(name: str) -> None:
    tree = ast.parse(files()[name].read_text())
    named = [node.name for node in ast.walk(tree)
             if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
    wrong = [n for n in [*name.split("."), *named] if words(n) & NO_NAMES]
    assert wrong == [], f"{name}: names that do not say what they do: {wrong}"
