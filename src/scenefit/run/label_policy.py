"""The label policy of a run: the one that its fit read from labelled photos, or was given.

What is read from photos is kept in the run folder, because reading it takes a minute or more.
"""

import json
import math
from pathlib import Path

import numpy as np

from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.files.atomic import content_hash, write_json
from scenefit.files.json_files import CorruptFile, read_json
from scenefit.files.versions import versions
from scenefit.inference.conventions.policy import PolicyFit, fit_label_policy
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_parts
from scenefit.run.config import hash_photos
from scenefit.run.folder import Run, fit_model
from scenefit.scenes.grammar import Grammar

AGAIN = "delete it: the policy is read from the labels again"
FILE = "label_policy.json"  # what the fit read
STAGES = "stages"  # the folder of what commands after the fit keep
DRAWN = 8  # renders by which a renderer is known again: a scene file may have changed since the fit


def run_label_policy(run: Run, grammar: Grammar, renderer: Renderer, labelled: Photos, seed: int,
                     start: LabelPolicy | None, folder: Path | None) -> PolicyFit:
    """`fit_label_policy` of a run's model, or what an earlier command kept of it in the folder. folder: None where
    nothing can be written.  CorruptFile."""
    model = fit_model(run, grammar)
    drawn = list(render_parts(renderer, model.sample(DRAWN), run.config.size))
    images, masks = (np.concatenate([getattr(part, name) for part in drawn]) for name in ("images", "instances"))
    names = [name for part in drawn for name in part.objects.name.tolist()]
    facts = json.dumps([content_hash(run.path("model.safetensors").read_bytes()), content_hash(images),
                        content_hash(masks), names, hash_photos(labelled), seed,
                        (start or LabelPolicy()).to_dict(), versions()])
    path = None if folder is None else folder / f"label-policy-{content_hash(facts.encode())}.json"
    if path is not None and path.exists():
        return _read(path)
    found = fit_label_policy(model, renderer, labelled, seed, start)
    if path is not None:
        _write(path, found)
    return found


def keep_label_policy(run: Run, grammar: Grammar, renderer: Renderer, labelled: Photos,
                      start: LabelPolicy | None) -> PolicyFit:
    """`run_label_policy` of the photos that the fit was given, as the policy of the run."""
    folder = run.path(STAGES)
    folder.mkdir(exist_ok=True)
    found = run_label_policy(run, grammar, renderer, labelled, run.config.seed, start, folder)
    _write(run.path(FILE), found)
    return found


def kept_label_policy(run: Run) -> PolicyFit | None:
    """What the fit read from labelled photos, if it did. CorruptFile."""
    path = run.path(FILE)
    return _read(path) if path.exists() else None


def policy_of(run: Run) -> LabelPolicy | None:
    """The label policy that holds for a run's renders unless another is given; None for the default. CorruptFile."""
    read = kept_label_policy(run)
    return run.config.policy if read is None else read.policy


def _write(path: Path, found: PolicyFit) -> None:
    write_json(path, {**vars(found), "policy": found.policy.to_dict()})


def _read(path: Path) -> PolicyFit:
    kept = read_json(path, AGAIN, dict)
    try:
        return _checked(PolicyFit(**{**kept, "policy": LabelPolicy(**kept["policy"]),
                                     "outside": tuple(kept["outside"])}))
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFile(f"{path} is damaged ({error}); {AGAIN}") from error


def _checked(found: PolicyFit) -> PolicyFit:
    """The same. ValueError where its values are none that `fit_label_policy` gives."""
    for name in ("gains", "margins", "errors"):
        values = getattr(found, name)
        if not (isinstance(values, dict) and all(isinstance(v, int | float) and math.isfinite(v)
                                                 for v in values.values())):
            raise ValueError(f"its {name} must be numbers by their names")
    if not (set(found.outside) <= set(found.margins) == set(found.errors)):
        raise ValueError("its margins, errors and outside must be of the same classes")
    if not all(type(count) is int for count in (found.labels, found.matched)):
        raise ValueError("its labels and matched must be whole numbers")
    return found
