"""What `make test` and .ci/run promise: all that is imported is installed, and no test is skipped unseen."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {"scenefit", "experiments", "benchmarks", "scenes", "tests"}
NOT_INSTALLED = {"bpy", "IPython"}  # imported inside a function, only where Blender or a notebook runs it


def names(requirements: list[str]) -> set[str]:
    """Names of distributions, as package indexes compare them."""
    found = {re.split(r"[\s<>=!~\[;]", one)[0] for one in requirements}
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


@cache
def imported(folder: Path) -> set[str]:
    """Packages that the Python files below a folder import, wherever in their code."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                found.add((node.module or "").partition(".")[0])
            elif isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
    return found


distributions = cache(packages_distributions)  # it reads the records of all that is installed


def missing(packages: set[str], installed: set[str], local: set[str]) -> set[str]:
    """Packages of no distribution that is installed by these names."""
    homes = distributions()
    other = packages - set(sys.stdlib_module_names) - OWN - local - NOT_INSTALLED
    return {package for package in other if not names(homes.get(package, ["nothing"])) & installed}


def test_make_test_installs_all_that_is_imported() -> None:
    base, extras = names(PROJECT["dependencies"]), PROJECT["optional-dependencies"]
    install = re.search(r"--editable '\.\[([\w,]+)\]'", (ROOT / "Makefile").read_text())
    assert install and install[1] == "dev"
    dev = base | names(extras["dev"])
    local = {path.stem for folder in ("tests", "scenes") for path in (ROOT / folder).rglob("*.py")}
    for folder in ("src", "tests", "experiments", "benchmarks", "scenes"):
        assert missing(imported(ROOT / folder), dev, local) == set(), folder
    optional = set().union(*(names(extras[extra]) for extra in ("lite0", "detect", "onnx", "street", "video", "demo")))
    assert optional <= dev, "tests of optional parts are skipped without them"
    of_source = set().union(*(names(extras[extra]) for extra in ("lite0", "detect", "onnx", "street", "video")))
    checks = {"onnxruntime"}  # of what was written, where it is installed
    assert missing(imported(ROOT / "src"), base | of_source | checks, set()) == set()
    assert {"pytest-xdist", "pytest-cov", "ruff", "mypy"} <= dev


def test_a_missing_package_is_named() -> None:
    assert missing({"torch", "numpy", "os", "scenefit", "toys", "unknown"}, {"numpy"}, {"toys"}) == {"torch", "unknown"}
    assert names(["mkdocstrings[python]>=1", "Pytest_Cov", "torch<3; python_version > '3'"]) == {
        "mkdocstrings", "pytest-cov", "torch"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Pytest's own report of two tests, of which one is skipped for the reason REASON."""
    folder = tmp_path_factory.mktemp("skipped")
    case = 'import pytest\n@pytest.mark.skipif(True, reason="REASON")\ndef test_it(): pass\ndef test_other(): pass\n'
    (folder / "test_some.py").write_text(case)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV_"))}
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={folder}",
                    f"--junitxml={folder / 'report.xml'}", str(folder)], check=True, capture_output=True, env=env)
    return (folder / "report.xml").read_text()


@pytest.mark.parametrize("reason, code", [("no GPU", 0), ("SCENEFIT_DATA names no folder with bccd", 0),
                                          ("could not import 'efficientnet_lite_pytorch'", 1)])
def test_ci_allows_no_other_skip(tmp_path: Path, report: str, reason: str, code: int) -> None:
    assert "REASON" in report
    (tmp_path / "report.xml").write_text(report.replace("REASON", reason))
    checked = subprocess.run([str(ROOT / ".ci" / "run"), "--check", str(tmp_path / "report.xml")], capture_output=True,
                             text=True)
    assert checked.returncode == code, checked.stderr
    first, *more = checked.stdout.splitlines()
    assert first.startswith("2 tests, 1 skipped, ")
    assert [line for line in more if line] == ([f"test_some::test_it: {reason}"] if code else [])


def test_ci_fails_without_any_test(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text("<testsuites/>")
    assert subprocess.run([str(ROOT / ".ci" / "run"), "--check", str(tmp_path / "report.xml")],
                          capture_output=True).returncode == 1
