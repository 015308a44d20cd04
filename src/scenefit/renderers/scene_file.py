"""Scene files: a Python file of the user's that defines `grammar` and `renderer`."""

import codecs
import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from scenefit.files.working_folder import users_working_folder
from scenefit.renderers import Renderer
from scenefit.renderers.beside import Beside
from scenefit.scenes.grammar import Grammar

AS_UTF8 = "save it as UTF-8"


class SceneFileError(ValueError):
    """A scene file that cannot be used."""


@dataclass(frozen=True, eq=False)
class SceneFile:
    """path: absolute.  hash: BLAKE2b, 32 hex digits, of the file and of the modules beside it that it imports at its
    top."""

    path: Path
    hash: str
    grammar: Grammar
    renderer: Renderer
    module: ModuleType


def load_scene(path: str | Path) -> SceneFile:
    """Import a scene file, always from its source, and take `grammar` and `renderer` from it.

    Modules beside it can be imported, at its top and inside functions; they are loaded anew for each scene file, so
    that those of two folders never mix.  SceneFileError, naming the file and the line, where it cannot be read, raises,
    or does not define the two.
    """
    path = Path(os.path.realpath(path))  # resolve() raises where links form a loop
    source = _read(path)
    module, beside = _run(path, source)
    grammar, renderer = (_defined(module, path, name) for name in ("grammar", "renderer"))
    if not isinstance(grammar, Grammar):
        raise SceneFileError(f"{path}: grammar must be a scenefit.Grammar, got {type(grammar).__name__}")
    if not callable(renderer) or isinstance(renderer, type):
        raise SceneFileError(f"{path}: renderer must be a function or an object that draws scenes (scenefit.Sprites, "
                             f"or a function decorated with @scenefit.each), got {_kind(renderer)}")
    return SceneFile(path, _digest(source, beside, path.parent), grammar, renderer, module)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise SceneFileError(f"{path} is a folder, and a scene file is a Python file; give the one in it, a name that "
                             "ends in .py")
    if path.suffix == ".ipynb":
        raise SceneFileError(f"{path} is a notebook, and a scene file is a Python file: write its cells to one with "
                             f"jupyter nbconvert --to script {path.name}, or pass grammar and renderer to scenefit.fit")
    if path.suffix != ".py":
        raise SceneFileError(f"{path}: a scene file is a Python file, whose name ends in .py")
    if path.exists() and not path.is_file():
        raise SceneFileError(f"{path} is a pipe or a device, and a scene file is a Python file")
    try:
        source = path.read_bytes()
    except OSError as error:
        raise SceneFileError(f"{path}: cannot be read ({error.strerror})") from error
    if not source.strip(b"\xef\xbb\xbf \t\r\n"):
        raise SceneFileError(f"{path} is empty: a scene file defines `grammar` and `renderer`")
    _check_text(path, source)
    return source


def _check_text(path: Path, source: bytes) -> None:
    """SceneFileError where Python cannot read a source as text."""
    if source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SceneFileError(f"{path} is in UTF-16, which Python does not read; {AS_UTF8}")
    if b"\0" in source:
        line = source[: source.index(b"\0")].count(b"\n") + 1
        raise SceneFileError(f"{path}, line {line}: null bytes: it is no Python text, or in UTF-16, which Python does "
                             f"not read; {AS_UTF8}")


def _digest(source: bytes, beside: Sequence[Path], folder: Path) -> str:
    digest = hashlib.blake2b(source, digest_size=16)
    for path in beside:
        digest.update(f"\n{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _run(path: Path, source: bytes) -> tuple[ModuleType, list[Path]]:
    """The module, and the files of those beside it that it imported."""
    name = f"scenefit_scene_{hashlib.blake2b(os.fsencode(path), digest_size=6).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module, beside = importlib.util.module_from_spec(spec), Beside(path.parent)
    vars(module)["__builtins__"] = beside.builtins
    sys.modules[name] = module  # dataclasses and pickle look a module up by its name
    try:
        # Compiled from the bytes that were hashed: a cached .pyc may be older, if the file changed within a second.
        with beside.importable(), users_working_folder():
            exec(compile(source, str(path), "exec"), module.__dict__)
    except KeyboardInterrupt:
        del sys.modules[name]
        raise
    except BaseException as error:  # SystemExit and those of the user's own, too
        del sys.modules[name]
        raise SceneFileError(_explain(path, error)) from error
    return module, beside.files


def _explain(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        file, line = error.filename, error.lineno
        if not file:  # of a module beside the scene file, where it has null bytes: Python names only who imports it
            file, line = f"{path}, or what it imports", (_lines(path, error) or [None])[-1]
        encoding = f"; {AS_UTF8}, or name its encoding in its first line, such as # -*- coding: latin-1 -*-"
        return (f"{file}{f', line {line}' if line else ''}: {type(error).__name__}: {error.msg}"
                f"{encoding if 'decode' in error.msg else f'; {AS_UTF8}' if 'null bytes' in error.msg else ''}")
    if isinstance(error, SystemExit):
        what = f"it ends the program when imported (exit {error.code}); put that under if __name__ == '__main__':"
    else:
        what = f"{type(error).__name__}: {error}"
    lines = _lines(path, error)
    return f"{path}{f', line {lines[-1]}' if lines else ''}: {what}"


def _lines(path: Path, error: BaseException) -> list[int | None]:
    return [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]


def _defined(module: ModuleType, path: Path, name: str) -> object:
    try:
        return vars(module)[name]
    except KeyError:
        public = sorted(n for n in vars(module) if not n.startswith("_"))
        raise SceneFileError(f"{path}: a scene file defines `grammar` and `renderer`, and this one has no {name}; it "
                             f"defines {public}") from None


def _kind(value: object) -> str:
    return f"the class {value.__name__} itself; make one" if isinstance(value, type) else type(value).__name__
