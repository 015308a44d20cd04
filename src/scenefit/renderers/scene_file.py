"""Scene files: a Python file of the user's that defines `grammar` and `renderer`."""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from scenefit.renderers import Renderer
from scenefit.scenes.grammar import Grammar


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

    Modules beside it can be imported at its top; they are loaded anew for each scene file, so that those of two
    folders never mix.  SceneFileError, naming the file and the line, where it cannot be read, raises, or does not
    define the two.
    """
    path = Path(path).resolve()
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
    if path.suffix != ".py":
        raise SceneFileError(f"{path}: a scene file is a Python file, whose name ends in .py")
    try:
        return path.read_bytes()
    except OSError as error:
        raise SceneFileError(f"{path}: cannot be read ({error.strerror})") from error


def _digest(source: bytes, beside: Sequence[Path], folder: Path) -> str:
    digest = hashlib.blake2b(source, digest_size=16)
    for path in beside:
        digest.update(f"\n{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _run(path: Path, source: bytes) -> tuple[ModuleType, list[Path]]:
    """The module, and the files of those beside it that it imported."""
    name = f"scenefit_scene_{hashlib.blake2b(str(path).encode(), digest_size=6).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    before, folder, beside = dict(sys.modules), str(path.parent), []
    sys.modules[name] = module  # dataclasses and pickle look a module up by its name
    sys.path.insert(0, folder)
    try:
        # Compiled from the bytes that were hashed: a cached .pyc may be older, if the file changed within a second.
        exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise SceneFileError(_explain(path, error)) from error
    finally:
        sys.path.remove(folder)
        for other, file in _imported_beside(before, path).items():
            del sys.modules[other]
            beside.append(file)
    return module, sorted(file for file in beside if file.is_file())


def _imported_beside(before: dict[str, ModuleType], path: Path) -> dict[str, Path]:
    """Modules imported since, from the folder of path, with their files: another folder may hold others of the same
    names."""
    found = {}
    for name, module in sys.modules.items():
        file = getattr(module, "__file__", None)
        if name not in before and file and Path(file).resolve() != path and path.parent in Path(file).resolve().parents:
            found[name] = Path(file).resolve()
    return found


def _explain(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.filename or path}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    if isinstance(error, SystemExit):
        what = f"it ends the program when imported (exit {error.code}); put that under if __name__ == '__main__':"
    else:
        what = f"{type(error).__name__}: {error}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}{f', line {lines[-1]}' if lines else ''}: {what}"


def _defined(module: ModuleType, path: Path, name: str) -> object:
    try:
        return vars(module)[name]
    except KeyError:
        public = sorted(n for n in vars(module) if not n.startswith("_"))
        raise SceneFileError(f"{path}: a scene file defines `grammar` and `renderer`, and this one has no {name}; it "
                             f"defines {public}") from None


def _kind(value: object) -> str:
    return f"the class {value.__name__} itself; make one" if isinstance(value, type) else type(value).__name__
