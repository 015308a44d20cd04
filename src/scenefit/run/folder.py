"""The run folder: the inputs and results of a fit.

    settings.json            the configuration: settings, seed, grammar, scene file, photos (by their hash), versions
    flat_field.safetensors   the flat field that was found in the photos, and removed from them, if any
    steps.jsonl              one line per step of the fit
    checkpoint.safetensors   the state that a stopped fit resumes from; removed at its end
    model.safetensors        the learned distribution
    features.safetensors     the network whose features distances are measured in
    diagnostics.safetensors  what "npe" measured of its own predictions, and reconstructions of photos
    stages/                  networks of `scenefit train`, from which other trainings of the run go on; never deleted
    samples.safetensors, prior.png, learned.png, photos.png, summary.json, report.html, report.png, evaluation.json

Every file is written whole or not at all (lines of steps.jsonl after the checkpoint are dropped on resuming). No file
in a run folder is executed, and none is a pickle.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.data.formats import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.files.atomic import FULL, DiskFull, clear_leftovers, content_hash, write_json, write_text
from scenefit.files.json_files import CorruptFile, parse_json, read_bytes
from scenefit.files.plan import content
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.files.versions import other_python, versions
from scenefit.inference.fit import Step, fit_steps
from scenefit.inference.settings import Settings, settings_from
from scenefit.inference.stages.former_methods import FormerMethod, not_resumed
from scenefit.nets.attribute_regressor import AttributeRegressor
from scenefit.nets.model import Model, load_model
from scenefit.renderers import Renderer
from scenefit.renderers.scene_file import SceneFile, SceneFileError, load_scene
from scenefit.run.config import RunConfig, RunError, differences, read_config
from scenefit.run.diagnostics import Diagnostics, read_diagnostics
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.changes import grammar_changes
from scenefit.scenes.rng import derive_seed
from scenefit.tasks import Task

STEP = {"stage": (str,), "number": (int,), "done": (int,), "of": (int,), "renders": (int,),
        "distance": (int, float, type(None))}  # types of the values in a line of steps.jsonl
FLAT_FIELD = "flat_field.safetensors"
EVERY = 1.0  # seconds of work between checkpoints
START_OVER = "and run the same fit command again: it starts over, and its result is the same"


@dataclass(frozen=True)
class Run:
    """An opened run folder."""

    folder: Path
    config: RunConfig

    @property
    def settings(self) -> Settings:
        return settings_from(self.config.settings)

    @property
    def fitted(self) -> bool:
        return self.path("model.safetensors").exists()

    @property
    def keeps_flat_field(self) -> bool:
        """Whether the file of the flat field that was found in its photos is there, or none is needed."""
        return self.config.flat_field is None or self.path(FLAT_FIELD).exists()

    @property
    def finished(self) -> bool:
        return self.fitted and all(self.path(name).exists() for name in ("summary.json", "report.html", "report.png"))

    def path(self, name: str) -> Path:
        return self.folder / name


def find_run(folder: str | Path, wanted: RunConfig) -> Run | None:
    """The run in a folder; None where it is missing or empty, or of another fit that ended before its first step.

    Nothing is written.

    RunError if the run is of another fit, naming the differences, or the folder holds something else.
    """
    folder = Path(folder)
    if (folder / "settings.json").exists():
        run = open_run(folder)
        _check_method(run)
        differing = "\n  ".join(differences(run.config, wanted))
        if differing and _owner_of_results(run) == wanted.identity:
            raise RunError(f"{run.path('settings.json')} was changed: the results beside it are of the fit as given "
                           f"now. It differs in:\n  {differing}\nundo that change; nothing has to be fitted again")
        if differing and set(content(folder)) <= {"settings.json", FLAT_FIELD}:
            return None  # as where the first fit was refused by its task: nothing is lost
        if differing:
            raise RunError(f"{folder} holds a run of another fit. It differs in:\n  {differing}\ngive another folder "
                           "with --out, or remove this one")
        return run
    held = content(folder)
    if held:
        raise RunError(f"{folder} is not empty and not a run folder: it holds {', '.join(held[:3])}; give another "
                       "folder with --out")
    return None


def _check_method(run: Run) -> None:
    """RunError for a run whose method this version no longer has."""
    method = run.settings.chosen
    if isinstance(method, FormerMethod):
        raise RunError(f"{run.folder} {not_resumed(method.name)}")


def begin(folder: str | Path, wanted: RunConfig) -> Run:
    """Create a run folder, or open it if it exists and is of the same fit. RunError as of `find_run`."""
    run = find_run(folder, wanted)
    if run is None:
        run = Run(Path(folder), wanted)
        write_json(run.path("settings.json"), wanted.model_dump(mode="json"))
    return run


def open_run(folder: str | Path) -> Run:
    """Open a run folder. RunError, naming the file and what is wrong with it."""
    folder = Path(folder)
    path = folder / "settings.json"
    if not path.exists():
        raise RunError(f"{folder} is not a run folder: it has no settings.json; make one with: scenefit fit SCENE.py "
                       "--real DIR --out RUN")
    config = read_config(path)
    try:
        settings_from(config.settings)
    except ValueError as error:
        raise RunError(f"{path} is damaged, or of another version of scenefit (this is {version('scenefit')}): "
                       f"settings: {error}; remove the folder and run the same fit again") from error
    return Run(folder, config)


def scene_of(run: Run, given: str | Path | None = None) -> tuple[SceneFile, list[str]]:
    """The run's scene file, at its recorded path or another, and warnings.

    RunError if it is missing, lies in the run folder, or has another grammar than the run, naming the differences.
    """
    path = Path(given) if given else Path(run.config.scene.path)
    if not given and _passes_through(path, run.folder):
        raise RunError(f"{run.path('settings.json')} names a scene file in the run folder itself, {path}; no file in a "
                       "run folder is executed by default: give --scene FILE if you trust that file")
    if not path.exists():
        raise SceneFileError(f"{path}, the scene file of {run.folder}, does not exist; give --scene FILE" if not given
                             else f"{path} does not exist")
    scene = load_scene(path)
    check_grammar(run, scene.grammar, f"the grammar of {path}")
    if scene.hash == run.config.scene.hash:
        return scene, []
    return scene, [f"{path}, or what it imports, has changed since {run.folder} was begun; its grammar has not, but "
                   "what it draws may have"]


def check_grammar(run: Run, grammar: Grammar, name: str = "the grammar") -> None:
    """RunError, naming the differences, for another grammar than the run's."""
    changed = grammar_changes(run.config.grammar, grammar.describe())
    if changed:
        raise RunError(f"{name} is not the one that {run.folder} was fitted with. It differs in:\n  "
                       + "\n  ".join(changed) + f"\n{other_python(run.config.versions)}undo the change, or fit again "
                       "into another folder")


def _passes_through(path: Path, folder: Path) -> bool:
    """Whether a path, as written or where its links lead, lies in a folder, by whatever name the folder is called."""
    written = Path(os.path.abspath(path))
    places = {*path.absolute().parents, *written.parents, *written.resolve().parents,
              *(written.parent.resolve() / path.name).parents}
    return folder.resolve() in {place.resolve() for place in places}


def version_changes(run: Run) -> list[str]:
    """Warnings if the run was begun with other versions of scenefit or of its dependencies."""
    now = versions()
    return [f"{run.folder} was begun with {name} {before}, and this is {now.get(name)}: results may differ in their "
            "last digits" for name, before in run.config.versions.items() if now.get(name) != before]


def fit_run(run: Run, grammar: Grammar, renderer: Renderer, real: Photos, labelled: Photos | None = None,
            task: Task | None = None, label_policy: LabelPolicy | None = None) -> Iterator[Step]:
    """Fit or resume, saving steps and checkpoints; at the end write model and features. Yields as `fit_steps` does.

    Hold `lock(run.folder)` meanwhile. CorruptFile, RunError and DiskFull name the fix.
    """
    clear_leftovers(run.folder)
    if run.fitted:
        return
    state: Mapping[str, torch.Tensor] | None = _resume(run)
    saved, due = time.monotonic(), False
    for step in fit_steps(grammar, renderer, real, labelled, seed=run.config.seed, settings=run.settings, task=task,
                          label_policy=label_policy, state=state):
        due = step.done == step.of or time.monotonic() - saved >= EVERY
        _append(run.path("steps.jsonl"), json.dumps(step.record()) + "\n", due)
        state = step.state
        if due:
            write_tensors(run.path("checkpoint.safetensors"), state, {"run": run.config.identity})
            saved = time.monotonic()
        yield step
    assert state is not None
    _write_results(run, state)


def fit_model(run: Run, grammar: Grammar) -> Model:
    """The learned distribution. RunError if the fit is not finished; CorruptFile."""
    path = run.path("model.safetensors")
    if not path.exists():
        _check_method(run)
        done = steps(run)[-1:]
        where = f" (its last step is {done[0]['stage']} {done[0]['done']} of {done[0]['of']})" if done else ""
        raise RunError(f"{run.folder} is not finished{where}; run the same fit command again to resume")
    tensors, facts = read_tensors(path, _remake(path))
    _check_owner(run, path, facts)
    try:
        return load_model(grammar, tensors, run.config.seed)
    except (KeyError, ValueError) as error:
        raise CorruptFile(f"{path}: {error}; {_remake(path)}") from error


def fit_regressor(run: Run) -> AttributeRegressor:
    """The network whose features the run measured distances in. CorruptFile."""
    path = run.path("features.safetensors")
    tensors, facts = read_tensors(path, _remake(path))
    _check_owner(run, path, facts)
    try:
        regressor = AttributeRegressor(run.config.size, int(facts["readings"]), bool(facts["grey"]),
                                       derive_seed(run.config.seed, "reader"))
        regressor.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CorruptFile(f"{path} does not fit this version of scenefit: {error}; {_remake(path)}") from error
    return regressor


def fit_diagnostics(run: Run) -> Diagnostics | None:
    """What the fit measured of its own predictions; None of methods that measure nothing. CorruptFile."""
    path = run.path("diagnostics.safetensors")
    return read_diagnostics(path, run.config.identity, _remake(path))


def keep_flat_field(run: Run, field: NDArray[np.float32] | None) -> None:
    """Write the flat field [H, W, 3] that was found in the fit's photos, or remove what another fit left."""
    if field is None:
        run.path(FLAT_FIELD).unlink(missing_ok=True)
    else:
        write_tensors(run.path(FLAT_FIELD), {"flat_field": torch.tensor(field)}, {})


def kept_flat_field(run: Run) -> NDArray[np.float32] | None:
    """The flat field [H, W, 3] of a run; None where its photos were not corrected, or by that of a given folder, which
    is not kept. CorruptFile."""
    path = run.path(FLAT_FIELD)
    if run.config.flat_field is None or not path.exists():
        return None
    fix = "delete it and run the same fit command again, which writes it anew; nothing is fitted again"
    tensors, _ = read_tensors(path, fix)
    tensor = tensors.get("flat_field", torch.zeros(0))
    if tensor.dtype != torch.float32 or content_hash(tensor.numpy()) != run.config.flat_field:
        raise CorruptFile(f"{path} is not the flat field that {run.path('settings.json')} names; {fix}")
    return np.asarray(tensor.numpy())


def steps(run: Run, upto: int | None = None) -> list[dict[str, Any]]:
    """The lines of steps.jsonl, or those up to a step of this number. CorruptFile."""
    path = run.path("steps.jsonl")
    found, fix = [], _remake(run.path("model.safetensors") if run.fitted else path)
    lines = read_bytes(path, fix).split(b"\n") if path.exists() else []
    for number, line in enumerate(lines[:-1], 1):  # the last is cut short, or empty
        step = parse_json(line, f"{path}, line {number},", fix, dict)
        reason = _misfit(step)
        if reason:
            raise CorruptFile(f"{path}, line {number}, is damaged: {reason}; {fix}")
        if upto is not None and step["number"] > upto:
            break
        found.append(step)
    return found


def _misfit(step: dict[str, Any]) -> str:
    """What is wrong with a line of steps.jsonl; "" if nothing."""
    for name, kinds in STEP.items():
        if name not in step or not isinstance(step[name], kinds) or isinstance(step[name], bool):
            return f"{name} should be {' or '.join(kind.__name__ for kind in kinds)}"
    return ""


def _resume(run: Run) -> dict[str, torch.Tensor] | None:
    """The state of the last checkpoint, after cutting steps.jsonl back to it; None if there is none."""
    path = run.path("checkpoint.safetensors")
    if not path.exists():
        run.path("steps.jsonl").unlink(missing_ok=True)
        return None
    state, facts = read_tensors(path, _remake(path))
    _check_owner(run, path, facts)
    if "piece" not in state:
        raise CorruptFile(f"{path} is damaged: it has no number of a step; {_remake(path)}")
    kept = steps(run, int(state["piece"]))
    if not kept or kept[-1]["number"] != int(state["piece"]):
        raise CorruptFile(f"{run.path('steps.jsonl')} lacks steps before the checkpoint; {_remake(path)}")
    write_text(run.path("steps.jsonl"), "".join(json.dumps(step) + "\n" for step in kept))
    return state


def _write_results(run: Run, state: Mapping[str, torch.Tensor]) -> None:
    """Write features and model from the last state, without any times."""
    regressor, model, measured = (
        {name.partition(":")[2]: value for name, value in state.items() if name.startswith(part)}
        for part in ("reader:", "transformer:", "diagnostics:"))
    owner = {"run": run.config.identity}
    grey = regressor["body.0.weight"].shape[1] == 1
    write_tensors(run.path("features.safetensors"), regressor,
                  {**owner, "readings": len(regressor["out.bias"]), "grey": grey})
    if measured:
        write_tensors(run.path("diagnostics.safetensors"), measured, owner)
    write_tensors(run.path("model.safetensors"), model, owner)
    run.path("checkpoint.safetensors").unlink(missing_ok=True)


def _append(path: Path, line: str, sync: bool) -> None:
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            if sync:  # a checkpoint must not reach the disk before its steps
                os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFull(error.errno, f"no space left to write {path}; all up to the last checkpoint is saved; free "
                                    "some space on that disk and run the same command again") from error


def _check_owner(run: Run, path: Path, facts: Mapping[str, Any]) -> None:
    if facts.get("run") != run.config.identity:
        settings = run.path("settings.json")
        raise CorruptFile(f"{path} belongs to another run than {settings}: one of the two was changed, or copied from "
                          f"another run. Undo that, {settings} first; only where that cannot be done, {_remake(path)}")


def _owner_of_results(run: Run) -> str | None:
    """The run that the results in its folder, or the last checkpoint, are of; None where there are none."""
    for name in ("model.safetensors", "checkpoint.safetensors"):
        with suppress(CorruptFile):
            return str(read_tensors(run.path(name), "")[1].get("run"))
    return None


def _remake(path: Path) -> str:
    if path.name in ("model.safetensors", "features.safetensors", "diagnostics.safetensors"):
        return f"delete {path.with_name('model.safetensors')} {START_OVER}"
    return f"delete {path.with_name('checkpoint.safetensors')} {START_OVER}"
