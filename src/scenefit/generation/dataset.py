"""Writes a labelled data set of renders of a learned distribution, chunk by chunk.

The rows of each chunk are saved in a file of their own; finished chunks are skipped when the same command runs again,
and the annotation files are written at the end. So a killed run resumes, and its result is the same. Legend: n scenes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from scenefit.data.formats import Format, as_format
from scenefit.files.atomic import clear_leftovers, content_hash, write_json
from scenefit.files.lock import NAME as LOCK
from scenefit.files.plan import content, holds_plan
from scenefit.nets.model import Model, PriorModel
from scenefit.renderers import Renderer, render
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.rng import scene_address, uniform
from scenefit.scenes.scene import SceneBatch

CHUNK = 64
VALIDATION = 0.1  # share of the scenes in the val part
ROWS = ".rows"  # folder of the chunks' rows, until the data set is finished


@dataclass(frozen=True)
class Progress:
    """written, of: images so far and in all."""

    written: int
    of: int


def generate(model: Model | PriorModel | Grammar, renderer: Renderer, n: int, out: str | Path,
             format: Format | str = "coco", *, validation: float = VALIDATION, info: dict[str, Any] | None = None,
             drawn_by: str | None = None) -> Path:
    """Write n labelled images below out; see `generate_steps`."""
    for _ in generate_steps(model, renderer, n, out, format, validation=validation, info=info, drawn_by=drawn_by):
        pass
    return Path(out)


def generate_steps(model: Model | PriorModel | Grammar, renderer: Renderer, n: int, out: str | Path,
                   format: Format | str = "coco", *,
                   validation: float = VALIDATION, info: dict[str, Any] | None = None,
                   drawn_by: str | None = None) -> Iterator[Progress]:
    """Write a data set of scenes 0..n-1 of the model, or of a grammar's prior, yielding after each chunk.

    format: "coco", "folder" or a `Format`.  validation: share of the scenes in the val part.  info: further
    entries of provenance.json.  drawn_by: a hash of the renderer, so that another renderer does not resume a data set.
    ValueError if n < 1, info has a reserved name, or out holds something else.
    """
    if n < 1:
        raise ValueError(f"generate needs n >= 1 images, got {n}")
    if not 0 <= validation < 1:
        raise ValueError(f"validation needs a share in 0..1 (1 excluded), got {validation}")
    form, out = as_format(format), Path(out)
    model = PriorModel(model) if isinstance(model, Grammar) else model
    plan = {"n": n, "format": form.name, "validation": validation, "seed": model.seed,
            "model": _fingerprint(model), "drawn_by": drawn_by, "grammar": model.grammar.describe(), **form.settings}
    taken = sorted(set(plan) & set(info or {}))
    if taken:
        raise ValueError(f"info must not have {', '.join(taken)}: provenance.json has its own")
    if _claim(out, plan):
        yield Progress(n, n)
        return
    for first in range(0, n, CHUNK):
        kept = out / ROWS / f"{first:08d}.json"
        if not kept.exists():
            try:
                scenes = model.sample(np.arange(first, min(first + CHUNK, n)))
                rows = form.save(render(renderer, scenes), out, parts(scenes, validation))
                write_json(out / ROWS / f"classes-{first:08d}.json", sorted({name for row in rows
                                                                             for name in row["classes"]}))
                write_json(kept, rows)  # after the classes: a chunk with rows is complete
            except Exception:
                _release(out)
                raise
        yield Progress(min(first + CHUNK, n), n)
    form.finish(out, _rows(out), _classes(out), {**plan, "versions": {"scenefit": version("scenefit")}, **(info or {})})
    _tidy(out)


def parts(scenes: SceneBatch, validation: float) -> list[str]:
    """The part, train or val, of each scene, decided by the scene's own address."""
    is_val = uniform(scene_address(scenes.seed, scenes.index), "part") < validation
    return ["val" if one else "train" for one in is_val]


def _fingerprint(model: Model | PriorModel) -> str:
    return content_hash(b"".join(value.numpy().tobytes() for value in model.state().values()))


def _claim(out: Path, plan: dict[str, Any]) -> bool:
    """Claim the folder out for this data set. True if it is complete already. ValueError if it holds something else."""
    provenance, claim = out / "provenance.json", out / ROWS / "plan.json"
    for path in (provenance, claim):
        if holds_plan(path, plan, out, "another data set"):
            clear_leftovers(out)
            if path is provenance:
                _tidy(out)
            return path is provenance
    check_out(out)
    write_json(claim, plan)
    return False


def check_out(out: Path) -> None:
    """ValueError where a folder holds anything but a data set of scenefit, finished or begun. Nothing is written."""
    if content(out) and not any((out / name).exists() for name in ("provenance.json", ROWS)):
        raise ValueError(f"{out} is not empty and holds no data set of scenefit; give another folder")


def _release(out: Path) -> None:
    """Release the folder if nothing was written into it."""
    if {path.name for path in out.iterdir()} <= {ROWS, LOCK} and not any(_rows(out)):
        _tidy(out)


def _rows(out: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((out / ROWS).glob("[0-9]*.json")):
        yield from json.loads(path.read_text())


def _classes(out: Path) -> list[str]:
    """All classes of the data set, sorted, from files beside the rows, which are then parsed only once."""
    return sorted({name for path in (out / ROWS).glob("classes-*.json") for name in json.loads(path.read_text())})


def _tidy(out: Path) -> None:
    folder = out / ROWS
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
