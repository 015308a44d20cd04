"""The layout of the package, checked by reading every file: imports go down, chains and files stay short.

The rank of a module is the rank of its top folder (RANKS; docs/architecture.md says why). A module imports from folders
of a lower rank, or from its own top folder, and never in a circle. `scenefit/__init__.py` and `scenefit/__main__.py`
have no rank; nothing imports them.

No more than three files of one folder import one another in a row. A subfolder is a folder of its own for this rule,
and a package's `__init__.py` is a file of its own folder: `data/formats/__init__.py` belongs to data/formats, not data.
Only imports between two files of the same folder make a chain longer. Folders may not import each other in a circle
either, so that a long chain cannot be hidden in a pair of folders.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import scenefit

SOURCE = Path(scenefit.__file__).parent

RANKS = {"scenes": 1, "files": 1,
         "data": 2, "report": 2, "executors": 2,
         "renderers": 3, "metrics": 3,
         "nets": 4,
         "tasks": 5,
         "inference": 6, "evaluation": 6, "generation": 6,
         "run": 7,
         "cli": 8}
MAX_RANKS, MAX_CHAIN, MAX_LINES = 8, 3, 400
# Ranks 1 and 2 do without torch and other large packages, but for what is named here.
LIGHT_RANKS, LIGHT = {1, 2}, {"numpy", "scipy", "PIL"}
EXCEPTIONS = {"data.video": {"cv2"},                         # decodes videos
              "files.tensors": {"torch", "safetensors"},  # safetensors files of torch tensors
              "files.versions": {"torch"},                # its version is a part of every run's record
              "report.charts.static": {"matplotlib"},
              "report.charts.static_errors": {"matplotlib"},
              "report.page": {"jinja2", "markupsafe", "plotly"},
              "report.progress": {"IPython", "rich"}}
# Packages that talk to people, and the top folders that may import them.
OUTPUT = {"typer": {"cli"}, "rich": {"cli", "report"}, "click": {"cli"}, "jinja2": {"report"}, "plotly": {"report"},
          "matplotlib": {"report"}}
NO_NAMES = {"manager", "trainer", "engine", "handler", "base", "utils", "helpers", "misc", "pipeline",
            "retell", "stranger", "strangers", "slab", "wear", "worn", "surest", "unlearned", "lot"}


def files() -> dict[str, Path]:
    """Module (without the package's own name, "" for the package) -> file."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, tree: ast.AST, known: Iterable[str]) -> tuple[set[str], set[str]]:
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


def read_imports(sources: Mapping[str, str]) -> dict[str, tuple[set[str], set[str]]]:
    """Module -> what it imports, of this package and of others."""
    return {name: imports(name, ast.parse(source), sources) for name, source in sources.items()}


def folder_of(name: str, packages: Iterable[str]) -> str:
    """The folder that a module's file lies in: of a package, its own."""
    return name if name in packages else name.rpartition(".")[0]


def circles(graph: Mapping[str, Iterable[str]], what: str) -> Iterator[str]:
    try:
        TopologicalSorter({name: sorted(graph[name]) for name in sorted(graph)}).prepare()
    except CycleError as error:
        yield f"{what} import each other in a circle: {' -> '.join(reversed(error.args[1]))}"


def longest_chain(graph: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The longest path through a graph without circles; of those as long, the first by name."""
    @cache
    def start(name: str) -> tuple[str, ...]:
        return (name, *max(map(start, sorted(graph[name])), key=len, default=()))
    return max(map(start, sorted(graph)), key=len, default=())


def complaints(found: Mapping[str, tuple[set[str], set[str]]], packages: Iterable[str],
               ranks: Mapping[str, int] = RANKS) -> Iterator[str]:
    """found: module -> what it imports, of this package and of others. packages: modules that are folders."""
    if len(set(ranks.values())) > MAX_RANKS:
        yield f"there are {len(set(ranks.values()))} ranks; at most {MAX_RANKS}"
    inside = {name: own for name, (own, _) in found.items() if name not in ("", "__main__")}
    for name, own in inside.items():
        top = name.partition(".")[0]
        if top not in ranks or top not in packages:
            yield f"{name} has no rank: move it into a folder of RANKS in tests/test_floors.py, or add its folder there"
            continue
        for target in sorted(own):
            other = target.partition(".")[0]
            if other != top and ranks.get(other, MAX_RANKS + 1) >= ranks[top]:
                above = ranks.get(other, "above all")
                yield f"{name} (rank {ranks[top]}) imports {target or 'scenefit'} (rank {above})"
        for package in sorted(found[name][1] - set(sys.stdlib_module_names)):
            if ranks[top] in LIGHT_RANKS and package not in LIGHT | EXCEPTIONS.get(name, set()):
                yield f"{name} (rank {ranks[top]}) imports {package}; add it to EXCEPTIONS if it has to"
            elif top not in OUTPUT.get(package, {top}):
                yield f"{name} imports {package}, which belongs to {', '.join(sorted(OUTPUT[package]))}"
    homes = {name: folder_of(name, packages) for name in {*inside, *(t for own in inside.values() for t in own)}}
    loops = list(circles(inside, "files"))
    loops = loops or list(circles({home: {homes[t] for name, own in inside.items() if homes[name] == home for t in own}
                                   - {home} for home in homes.values()}, "folders"))
    yield from loops
    for home in sorted({homes[name] for name in inside}) if not loops else ():
        chain = longest_chain({name: {t for t in own if t in inside and homes[t] == home}
                               for name, own in inside.items() if homes[name] == home})
        if len(chain) > MAX_CHAIN:
            yield f"{home}: {len(chain)} files import one another in a row, at most {MAX_CHAIN}: {' -> '.join(chain)}"


def packages_of(known: Mapping[str, Path]) -> set[str]:
    return {name for name, path in known.items() if path.name == "__init__.py"}


def test_imports_go_down() -> None:
    known = files()
    found = read_imports({name: path.read_text() for name, path in known.items()})
    assert len(found) > 20 and found["scenes.grammar"][0] >= {"scenes.priors", "scenes.scene"}
    assert list(complaints(found, packages_of(known))) == []


def test_lists_hold_nothing_that_is_gone() -> None:
    found = read_imports({name: path.read_text() for name, path in files().items()})
    assert {top for top in RANKS if top not in found} == set()
    assert {name: packages for name, packages in EXCEPTIONS.items() if not found[name][1] >= packages} == {}


# What is wrong -> sources; a module whose name ends with "/" is a folder's `__init__`.
BROKEN: dict[str, dict[str, str]] = {
    "stray has no rank: move it into a folder of RANKS in tests/test_floors.py, or add its folder there": {"stray": ""},
    "new has no rank: move it into a folder of RANKS in tests/test_floors.py, or add its folder there": {"new/": ""},
    "scenes (rank 1) imports data.frames (rank 2)":
        {"scenes/": "from scenefit.data.frames import Frames", "data.frames": "", "data/": ""},
    "renderers.each (rank 3) imports inference.fit (rank 6)":
        {"renderers.each": "def f():\n    from scenefit.inference import fit", "renderers/": "", "inference/": "",
         "inference.fit": ""},
    "renderers (rank 3) imports metrics (rank 3)": {"renderers/": "import scenefit.metrics", "metrics/": ""},
    "metrics.mmd (rank 3) imports tasks (rank 5)":
        {"metrics/": "", "metrics.mmd": "if TYPE_CHECKING:\n    from scenefit.tasks import Task", "tasks/": ""},
    "run (rank 7) imports scenefit (rank above all)": {"run/": "import scenefit"},
    "scenes (rank 1) imports torch; add it to EXCEPTIONS if it has to": {"scenes/": "import torch.nn"},
    "data (rank 2) imports torch; add it to EXCEPTIONS if it has to": {"data/": "from torch import nn"},
    "files.tensors (rank 1) imports plotly; add it to EXCEPTIONS if it has to":
        {"files/": "", "files.tensors": "import torch, plotly"},
    "inference imports rich, which belongs to cli, report": {"inference/": "from rich.progress import track"},
    "cli imports plotly, which belongs to report": {"cli/": "import plotly.express"},
    "files import each other in a circle: scenes.a -> scenes.b -> scenes.a":
        {"scenes/": "", "scenes.a": "from scenefit.scenes import b", "scenes.b": "from scenefit.scenes.a import A"},
    "folders import each other in a circle: data -> data.formats -> data":
        {"data/": "", "data.formats/": "", "data.a": "import scenefit.data.formats.x", "data.formats.x": "",
         "data.formats.y": "import scenefit.data.b", "data.b": ""},
    "nets: 4 files import one another in a row, at most 3: nets -> nets.a -> nets.b -> nets.c":
        {"nets/": "from scenefit.nets.a import A", "nets.a": "from scenefit.nets.b import B",
         "nets.b": "from scenefit.nets import c", "nets.c": ""},
    "data.formats: 4 files import one another in a row, at most 3: "
    "data.formats -> data.formats.a -> data.formats.b -> data.formats.c":
        {"data/": "", "data.formats/": "import scenefit.data.formats.a, scenefit.data.formats.c",
         "data.formats.a": "from scenefit.data.formats.b import B", "data.formats.b": "import scenefit.data.formats.c",
         "data.formats.c": ""},
}


def complaints_about(sources: Mapping[str, str], ranks: Mapping[str, int] = RANKS) -> list[str]:
    named = {name.removesuffix("/"): source for name, source in sources.items()}
    return list(complaints(read_imports(named), {name[:-1] for name in sources if name.endswith("/")}, ranks))


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_layout_is_refused(text: str) -> None:
    assert complaints_about(BROKEN[text]) == [text]


def test_a_ninth_rank_is_refused() -> None:
    assert complaints_about({}, RANKS | {"roof": 9}) == ["there are 9 ranks; at most 8"]
    assert complaints_about({"roof/": ""}, {"roof": 9}) == []


def test_a_sound_layout_is_accepted() -> None:
    sources = {"renderers/": "import os", "renderers.sprites": "import torch\nfrom scenefit.renderers import render",
               "data/": "from PIL import Image", "report/": "", "report.page": "import jinja2",
               "files/": "", "files.tensors": "import torch\nfrom safetensors import safe_open",
               # three files in a row, a subfolder, and a lower folder
               "cli/": "from scenefit.cli.a import a", "cli.a": "from scenefit.cli.b import b", "cli.b":
               "import rich\nfrom scenefit.cli.sub.c import c", "cli.sub/": "", "cli.sub.c": "import scenefit.data",
               "": "from scenefit.cli import app", "__main__": "from scenefit.cli import app"}
    assert complaints_about(sources) == []


def test_relative_imports_are_refused() -> None:
    with pytest.raises(AssertionError, match=r"scene imports from \.prior; write the whole name"):
        imports("scene", ast.parse("from .prior import Prior"), set())


def test_the_first_two_ranks_import_no_slow_packages() -> None:
    light = [name for name in files() if RANKS.get(name.partition(".")[0]) in LIGHT_RANKS and name not in EXCEPTIONS]
    assert {"scenes.grammar", "data.frames", "report.content"} <= set(light)
    without_report = [n for n in light if n.partition(".")[0] != "report"]
    for names, absent in ((light, {"torch", "rich", "typer"}),
                          (without_report, {"torch", "scipy.stats", "plotly", "matplotlib"})):
        code = (f"import sys, importlib; [importlib.import_module(n) for n in {['scenefit.' + n for n in names]}];"
                f"import scenefit; print(sorted({absent} & set(sys.modules)))")
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert printed.strip() == "[]"


@pytest.mark.parametrize("name", files())
def test_files_are_short(name: str) -> None:
    lines = len(files()[name].read_text().splitlines())
    assert lines <= MAX_LINES, f"{name} has {lines} lines; split what has a name of its own"


def words(name: str) -> set[str]:
    """PhotoManager, photo_manager -> {photo, manager}"""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def test_words_of_a_name() -> None:
    assert words("PhotoManager") == words("_photo_manager2") == {"photo", "manager"}
    assert words("HTTPHandler") == {"http", "handler"} and words("rebase") == {"rebase"}


def vague_names(name: str, tree: ast.AST) -> list[str]:
    """Parts of a module's name, classes and functions whose name holds a word of NO_NAMES."""
    named = [node.name for node in ast.walk(tree)
             if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
    return [n for n in [*name.split("."), *named] if words(n) & NO_NAMES]


def test_vague_names_are_refused() -> None:
    source = "class Fit:\n    def train_engine(self):\n        def base(): ...\nasync def strangers(): ..."
    assert sorted(vague_names("nets.utils", ast.parse(source))) == ["base", "strangers", "train_engine", "utils"]


@pytest.mark.parametrize("name", files())
def test_names_say_what_they_do(name: str) -> None:
    assert vague_names(name, ast.parse(files()[name].read_text())) == []
