"""What `import scenefit` gives: each name imports, and type checkers see it with its own type."""

import ast
import re
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from mypy import api

import scenefit

SOURCE = Path(scenefit.__file__)


def for_type_checkers() -> dict[str, str]:
    """Public name -> module, as `if TYPE_CHECKING:` of the package imports it."""
    tree = ast.parse(SOURCE.read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(block.body)
    assert all(alias.asname == alias.name for node in imports for alias in node.names), "`as` marks a name as exported"
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def test_all_is_what_is_exported() -> None:
    assert scenefit.__all__ == sorted(scenefit._HOME)
    assert for_type_checkers() == {name: f"scenefit.{home}" for name, home in scenefit._HOME.items()}
    star: dict[str, object] = {}
    exec("from scenefit import *", star)
    assert set(star) - {"__builtins__"} == set(scenefit.__all__) == set(dir(scenefit))


@pytest.mark.parametrize("name", scenefit.__all__)
def test_each_name_imports(name: str) -> None:
    value = getattr(scenefit, name)
    assert value is getattr(import_module(f"scenefit.{scenefit._HOME[name]}"), name)
    assert value.__module__ in sys.modules and value.__doc__, "documented"


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="scenefit has no 'gues'; there are Angle, Boxes, "):
        _ = scenefit.gues


def test_a_misspelt_name_is_suggested_and_the_version_is_there() -> None:
    with pytest.raises(AttributeError, match=r"has no 'read_photo'; did you mean 'read_photos'\? There are Angle, "):
        _ = scenefit.read_photo
    assert scenefit.__version__ == version("scenefit")


def revealed(names: list[str], folder: Path) -> dict[str, str]:
    """Name -> its type in the package scenefit, by mypy; other packages are left out, for time."""
    user, config = folder / "user.py", folder / "mypy.ini"
    user.write_text("import scenefit\n" + "".join(f"reveal_type(scenefit.{name})\n" for name in names))
    config.write_text(f"[mypy]\nmypy_path = {SOURCE.parents[1]}\nignore_missing_imports = True\n"
                      "follow_imports = silent\n[mypy-torch.*,numpy.*,scipy.*,PIL.*]\nfollow_imports = skip\n")
    printed, errors, _ = api.run([str(user), "--config-file", str(config), "--cache-dir", str(folder / "cache"),
                                  "--no-error-summary"])
    assert not errors
    lines = re.findall(r'user\.py:(\d+): (?:note: Revealed type is "(.*)"|error: (.*))', printed)
    return {names[int(number) - 2]: kind or error for number, kind, error in lines}


def test_a_type_checker_sees_each_name(tmp_path: Path) -> None:
    found = revealed([*scenefit.__all__, "gues"], tmp_path)
    assert found.pop("gues") == "Any", "through __getattr__"
    assert list(found) == scenefit.__all__
    for name, kind in found.items():
        assert kind.startswith(("def ", "Overload(", "type[")), f"{name}: {kind}"
    assert found["Grammar"].endswith("-> scenefit.scenes.grammar.Grammar")
    assert "-> scenefit.nets.model.Model" in found["fit"]
