"""Settings of fits that take a second or two."""

from typing import Any

from scenefit.inference.settings import Settings, changed, flat

QUICK = {"regressor.renders": 64, "regressor.epochs": 1, "method.rounds": 2, "method.renders": 64, "method.steps": 2,
         "method.samples": 2, "descent.steps": 3, "descent.batch": 64, "task.steps": 2, "task.renders": 64,
         "validation_renders": 64}


def quick(method: Any = "npe", **changes: Any) -> Settings:
    """Of a method, by its name or as its own settings, which then stay. changes: by their paths, with "__" in place of
    the dot: descent__steps=5."""
    base = Settings(method)
    known = {path: value for path, value in QUICK.items() if path in flat(base)
             and (isinstance(method, str) or not path.startswith("method."))}
    return changed(base, {**known, **{path.replace("__", "."): value for path, value in changes.items()}})
