"""Writes a labelled data set of renders of a learned distribution, chunk by chunk.

The rows of each chunk are saved in a file of their own; finished chunks are skipped when the same command runs again,
and the annotation files are written at the end. So a killed run resumes, and its result is the same. Where the renderer
is a `Pool`, its workers draw and encode several chunks at once. Legend: n scenes.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from scenefit.data.formats import FORMATS, Format, as_format
from scenefit.data.formats.depth import with_depth
from scenefit.files.atomic import clear_leftovers, content_hash, write_json
from scenefit.files.caller import warn
from scenefit.files.lock import lock
from scenefit.files.plan import content, holds_plan
from scenefit.generation.chunks import (
    CHUNK,
    FOLDER,
    PLAN,
    is_written,
    publish,
    read_classes,
    read_rows,
    remove_rows,
    remove_staged,
    write_in_place,
    write_staged,
)
from scenefit.generation.randomised import RandomisedModel
from scenefit.nets.model import Model, PriorModel
from scenefit.renderers import Renderer, renderer_info
from scenefit.renderers.batches import render_each
from scenefit.renderers.processes import Pool
from scenefit.scenes.arguments import check_argument, check_renderer
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.scene import SceneBatch

AnyModel = Model | PriorModel | RandomisedModel
VALIDATION = 0.1  # share of the scenes in the val part


@dataclass(frozen=True)
class Progress:
    """written, of: images so far and in all."""

    written: int
    of: int


def generate(model: AnyModel | Grammar, renderer: Renderer, n: int, out: str | Path,
             format: Format | str = "coco", *, validation: float = VALIDATION, info: dict[str, Any] | None = None,
             drawn_by: str | None = None, image_format: str = "png", depth: bool = False,
             progress: bool = True) -> Path:
    """Write n labelled images below out, and return it; see `generate_steps` for the other arguments.

        scenefit.generate(model, renderer, 10_000, "dataset/", format="coco")

    progress: show a bar, where standard error is a terminal or in a notebook; False shows none.
    """
    steps = generate_steps(model, renderer, n, out, format, validation=validation, info=info, drawn_by=drawn_by,
                           image_format=image_format, depth=depth)
    if progress:
        from scenefit.report.progress import images_shown

        steps = images_shown(steps)
    for _ in steps:
        pass
    return Path(out)


def generate_steps(model: AnyModel | Grammar, renderer: Renderer, n: int, out: str | Path,
                   format: Format | str = "coco", *,
                   validation: float = VALIDATION, info: dict[str, Any] | None = None,
                   drawn_by: str | None = None, image_format: str = "png", depth: bool = False,
                   ) -> Iterator[Progress]:
    """Write a data set of scenes 0..n-1 of the model, or of a grammar's prior, yielding after each chunk.

    format: "coco", "folder" or a `Format`.  validation: share of the scenes in the val part.  info: further
    entries of provenance.json.  drawn_by: a hash of the renderer, so that another renderer does not resume a data set.
    image_format: "png", without loss, or "jpg" of quality 95, which not every format has.  depth: also write depth, and
    normals where the renderer gives them (see `scenefit.data.formats.depth`).
    ValueError if n < 1, info has a reserved name, or out holds something else, which is then left as it is; Busy if
    another process is writing into out.
    """
    _check_kinds(model, renderer, n, out, format, validation, info)
    n = int(n)
    if not 0 <= validation < 1:
        raise ValueError(f"validation needs a share in 0..1 (1 excluded), got {validation}")
    form, out = as_format(format, image_format=image_format), Path(out)
    form = with_depth(form) if depth else form
    model = PriorModel(model) if isinstance(model, Grammar) else model
    plan = {"n": n, "format": form.name, "validation": validation, "seed": model.seed,
            "model": _fingerprint(model), "drawn_by": drawn_by, "grammar": model.grammar.describe(),
            "randomised": model.settings() if isinstance(model, RandomisedModel) else None,  # None counts as missing,
            "clutter": renderer_info(renderer).clutter or None,  # as in data sets of former versions
            "depth": None, **form.settings}
    taken = sorted(set(plan) & set(info or {}))
    if taken:
        raise ValueError(f"info must not have {', '.join(taken)}: provenance.json has its own")
    _check_portable(form, renderer)
    if _holds(out, plan) and not (out / FOLDER).exists():
        yield Progress(n, n)
        return
    with lock(out):
        yield from _steps(model, renderer, n, out, form, validation, plan, info or {})


def _check_kinds(model: Any, renderer: Any, n: Any, out: Any, format: Any, validation: Any, info: Any) -> None:
    """ValueError, naming the argument and what it takes."""
    call = "generate(model, renderer, n, out, format)"
    check_argument(call, "model", model, isinstance(model, AnyModel | Grammar),
                   "a model, as scenefit.fit returns it, or a scenefit.Grammar for scenes of its prior")
    check_renderer(call, renderer)
    whole = isinstance(n, int | np.integer) and not isinstance(n, bool)
    check_argument(call, "n", n, whole and n >= 1, "a whole number >= 1, of images")
    check_argument(call, "out", out, isinstance(out, str | PathLike), 'the name of a folder, such as "dataset/"')
    check_argument(call, "format", format, isinstance(format, str | Format),
                   f"one of {', '.join(FORMATS)}, or a scenefit.data.formats.Format")
    check_argument(call, "validation", validation, isinstance(validation, int | float), "a share in 0..1 (1 excluded)")
    check_argument(call, "info", info, info is None or isinstance(info, dict), "a dictionary, or None")


def _steps(model: AnyModel, renderer: Renderer, n: int, out: Path, form: Format, validation: float,
           plan: dict[str, Any], info: dict[str, Any]) -> Iterator[Progress]:
    """`generate_steps` in a folder that no other process writes into."""
    if _claim(out, plan):
        yield Progress(n, n)
        return
    try:
        missing = dict.fromkeys(first for first in range(0, n, CHUNK) if not is_written(out, first))
        batches = (model.sample(np.arange(first, min(first + CHUNK, n))) for first in missing)
        written = _written(form, renderer, out, validation, batches)
        for first in range(0, n, CHUNK):
            warning = next(written) if first in missing else ""
            if warning:
                warn(warning)
            yield Progress(min(first + CHUNK, n), n)
    except Exception:
        _release(out)
        raise
    form.finish(out, read_rows(out), read_classes(out), {**plan, "versions": {"scenefit": version("scenefit")}, **info})
    remove_rows(out)


def _written(form: Format, renderer: Renderer, out: Path, validation: float, batches: Iterator[SceneBatch],
             ) -> Iterator[str]:
    """Write a chunk of each batch, in their order, and yield its warning ("" for none) once it is complete."""
    if not form.portable:
        yield from (write_in_place(form, frames, out, validation) for frames in render_each(renderer, batches))
        return
    work = partial(write_staged, form.save, form.name, out.absolute(), validation)
    done = (renderer.stream(work, batches) if isinstance(renderer, Pool) else
            ((batch, work(renderer, batch)) for batch in batches))
    for batch, warning in done:
        publish(out, int(batch.index[0]))
        yield warning


def _check_portable(form: Format, renderer: Renderer) -> None:
    if isinstance(renderer, Pool) and form.portable:
        try:
            pickle.dumps(form.save)
        except Exception as error:
            raise ValueError(f"the format {form.name} is portable=True, but its save cannot be sent to worker "
                             f"processes ({error}); define it at the top of a module, or leave out portable") from error


def _fingerprint(model: AnyModel) -> str:
    return content_hash(b"".join(value.numpy().tobytes() for value in model.state().values()))


def _holds(out: Path, plan: dict[str, Any]) -> bool:
    """Whether the folder out holds this data set, complete. Changes nothing. ValueError if it holds something else."""
    if holds_plan(out / "provenance.json", plan, out, "another data set"):
        return True
    if holds_plan(out / FOLDER / PLAN, plan, out, "another data set"):
        return False
    check_out(out)
    return False


def _claim(out: Path, plan: dict[str, Any]) -> bool:
    """Claim the folder out for this data set. True if it is complete already. ValueError if it holds something else."""
    if _holds(out, plan):
        clear_leftovers(out)
        remove_rows(out)
        return True
    if (out / FOLDER / PLAN).exists():
        clear_leftovers(out)
        remove_staged(out)
    else:
        if (out / FOLDER).exists():  # of a process that was killed before it wrote the plan
            remove_rows(out)
        write_json(out / FOLDER / PLAN, plan)
    return False


def check_out(out: Path) -> None:
    """ValueError where a folder holds anything but a data set of scenefit, finished or begun. Nothing is written."""
    if not (out / "provenance.json").exists() and not (out / FOLDER / PLAN).exists() and set(content(out)) - {FOLDER}:
        raise ValueError(f"{out} is not empty and holds no data set of scenefit; give another folder")


def _release(out: Path) -> None:
    """Release the folder if nothing was written into it."""
    if set(content(out)) <= {FOLDER}:
        remove_rows(out)
