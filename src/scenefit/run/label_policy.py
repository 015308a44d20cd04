"""The label policy of a run: the one that its fit read from labelled photos, or was given.

What is read from photos is kept in the run folder, because reading it takes a minute or more.
"""

import json
from pathlib import Path

import numpy as np

from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.files.atomic import content_hash
from scenefit.files.versions import versions
from scenefit.inference.conventions.policy import PolicyFit, fit_label_policy
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_parts
from scenefit.run.config import hash_photos
from scenefit.run.folder import Run, fit_model
from scenefit.run.label_policy_file import FILE, kept_label_policy, read_policy_fit, write_policy_fit
from scenefit.scenes.grammar import Grammar

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
        return read_policy_fit(path)
    found = fit_label_policy(model, renderer, labelled, seed, start)
    if path is not None:
        write_policy_fit(path, found)
    return found


def keep_label_policy(run: Run, grammar: Grammar, renderer: Renderer, labelled: Photos,
                      start: LabelPolicy | None) -> PolicyFit:
    """`run_label_policy` of the photos that the fit was given, as the policy of the run."""
    folder = run.path(STAGES)
    folder.mkdir(exist_ok=True)
    found = run_label_policy(run, grammar, renderer, labelled, run.config.seed, start, folder)
    write_policy_fit(run.path(FILE), found)
    return found


def policy_of(run: Run) -> LabelPolicy | None:
    """The label policy that holds for a run's renders unless another is given; None for the default. CorruptFile."""
    read = kept_label_policy(run.folder)
    return run.config.policy if read is None else read.policy
