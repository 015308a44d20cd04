"""Modules beside a scene file: it imports them as if its folder were on the path, at its top and inside functions.

They are in `sys.modules` only while an import runs, so that those of two folders never mix.
"""

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import machinery
from pathlib import Path
from types import ModuleType
from typing import Any


class Beside:
    """The modules of a folder.  modules: those imported so far, by name.  builtins: a module that is run with them
    finds the others whenever it imports them."""

    def __init__(self, folder: Path):
        self.folder, self.modules = folder, dict[str, ModuleType]()
        self.builtins = {**vars(builtins), "__import__": self._import}
        self._hook = _path_hook(self.builtins)
        self._importing = False
        inner = (Path(path).resolve() for path in sys.path)
        self._others = [path for path in inner if folder in path.parents]  # a virtual environment in the folder

    @property
    def files(self) -> list[Path]:
        """The files of the modules, sorted."""
        found = (Path(getattr(module, "__file__", None) or self.folder).resolve() for module in self.modules.values())
        return sorted(path for path in found if path.is_file())

    @contextmanager
    def importable(self) -> Iterator[None]:
        """The folder first on the path and its modules in `sys.modules`; both as before afterwards."""
        if self._importing:
            yield
            return
        before, folder = dict(sys.modules), str(self.folder)
        sys.modules.update(self.modules)
        sys.path.insert(0, folder)
        sys.path_hooks.insert(0, self._find)
        self._forget_finders()
        self._importing = True
        try:
            yield
        finally:
            self._importing = False
            with suppress(ValueError):  # the scene file has changed these lists itself
                sys.path.remove(folder)
            with suppress(ValueError):
                sys.path_hooks.remove(self._find)
            self._forget_finders()
            self._take_out(before)

    def _import(self, name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        top = name.partition(".")[0]
        if level == 0 and top in sys.modules and top not in self.modules:  # as nearly always
            return builtins.__import__(name, globals_, locals_, fromlist, level)
        module = self.modules.get(name) if level == 0 else None
        if module is not None and all(hasattr(module, part) for part in fromlist or ()):  # imported before
            return module if fromlist else self.modules[top]
        with self.importable():
            return builtins.__import__(name, globals_, locals_, fromlist, level)

    def _find(self, path: str) -> Any:
        if not self._is_inside(path):
            raise ImportError(f"{path} is not in {self.folder}")
        return self._hook(path)

    def _take_out(self, before: dict[str, ModuleType]) -> None:
        """The folder's modules from `sys.modules` into `modules`."""
        for name, module in list(sys.modules.items()):
            if before.get(name) is not module and (place := _place(module)) and self._is_inside(place):
                self.modules[name] = module
        for name in self.modules:
            if name in before:
                sys.modules[name] = before[name]
            else:
                sys.modules.pop(name, None)

    def _is_inside(self, path: str) -> bool:
        places = {found := Path(path).resolve(), *found.parents}
        return self.folder in places and not places & {*self._others}

    def _forget_finders(self) -> None:
        """Those of the folder that Python keeps: they import with other builtins."""
        for path in [path for path in sys.path_importer_cache if path.startswith(str(self.folder))]:
            del sys.path_importer_cache[path]


def _path_hook(own: dict[str, Any]) -> Any:
    """Python's finder of modules in a folder, whose modules are run with these builtins."""

    class Loader(machinery.SourceFileLoader):
        def exec_module(self, module: ModuleType) -> None:
            vars(module)["__builtins__"] = own
            super().exec_module(module)

    return machinery.FileFinder.path_hook((machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
                                          (Loader, machinery.SOURCE_SUFFIXES),
                                          (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES))


def _place(module: ModuleType) -> str | None:
    """The file of a module, or the folder of a package without one."""
    return getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
