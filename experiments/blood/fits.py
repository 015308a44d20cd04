"""The learned distribution, and the two searches on the same distance at as many renders.

Each is kept, with what it cost; a fit that is stopped goes on from its last piece. The searches measure the distance
in the features of the fit's own reader, so its training counts for them too. Legend: D dimensions.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import scenefit as sf
from experiments.blood import world
from scenefit.address import derive, generator
from scenefit.cloud import places
from scenefit.features import to_tensor
from scenefit.files import write_json
from scenefit.infer import prior_at_knots
from scenefit.model import load_model
from scenefit.objective import Objective, objective
from scenefit.reader import Reader, is_grey, slots
from scenefit.search import FIRST_STEP, IMAGES, place, search
from scenefit.search import cost as search_cost
from scenefit.settings import Settings
from scenefit.tensor_file import read_tensors, write_tensors
from scenefit.transformer import Transformer

SEARCHES = ("random", "cma")
FIX = "remove its folder and run the same command again"


@dataclass(frozen=True)
class Fit:
    """data: the data set.  folder: where this fit is kept.  prior: the factor of all sizes."""

    data: Path
    folder: Path
    prior: float
    seed: int
    settings: Settings

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"


def load(fit: Fit, name: str) -> sf.Model:
    """"learned", "look-1" .., "random" or "cma"; made if it is not there."""
    make(fit, name)
    return load_model(world.wide(fit.prior), read_tensors(fit.path(name), FIX)[0], fit.seed)


def cost(fit: Fit, name: str) -> dict[str, Any]:
    """Its renders, trainings and CPU seconds."""
    make(fit, name)
    return read_tensors(fit.path(name), FIX)[1]["cost"]


def make(fit: Fit, name: str) -> None:
    """ValueError where what is kept was learned with other settings, or for a look that the settings do not have."""
    learned(fit)
    if name in SEARCHES and not fit.path(name).exists():
        torch.set_num_threads(1)
        searched(fit, name)
    if not fit.path(name).exists():
        raise ValueError(f"a fit of {fit.settings.looks} looks has no distribution {name!r}; it has learned, "
                         f"{', '.join(SEARCHES)} and look-1 to look-{fit.settings.looks}")


def record(fit: Fit) -> dict[str, Any]:
    """What is kept of the fit beside its distributions: its settings, cost and trace."""
    learned(fit)
    return json.loads((fit.folder / "fit.json").read_text())


def learned(fit: Fit) -> None:
    """Fit to the photos, keeping the distribution after each look, and the reader."""
    kept, under_way = fit.folder / "fit.json", fit.folder / "state.safetensors"
    if kept.exists():
        if json.loads(kept.read_text())["settings"] != fit.settings.record():
            raise ValueError(f"{fit.folder} was learned with other settings; remove it and the detectors that were "
                             "trained on it, or keep these cells elsewhere with --cells")
        return
    torch.set_num_threads(1)
    state, trace = None, []
    if under_way.exists():
        state, facts = read_tensors(under_way, FIX)
        state, trace = (state, facts["trace"]) if facts["settings"] == fit.settings.record() else (None, [])
    step = None
    for step in sf.fit_steps(world.wide(fit.prior), world.renderer, world.unlabelled(fit.data), seed=fit.seed,
                             settings=fit.settings, state=state):
        trace.append(step.record())
        facts = {"cost": {name: trace[-1][name] for name in ("renders", "trainings", "cpu_seconds")}}
        if step.stage == "look":
            write_tensors(fit.path(f"look-{step.done}"), step.model.state(), facts)
        if step.stage == "read":
            reader = {name.partition(":")[2]: v for name, v in step.state.items() if name.startswith("reader:")}
            write_tensors(fit.path("reader"), reader, facts)
        write_tensors(fit.path("learned"), step.model.state(), facts)
        write_tensors(under_way, step.state, {"settings": fit.settings.record(), "trace": trace})
    write_json(kept, {"settings": fit.settings.record(), "trace": trace})
    under_way.unlink(missing_ok=True)


def distance(fit: Fit) -> Objective:
    """The fit's own: the MMD in the features of its reader."""
    photos, tree = world.unlabelled(fit.data).images, world.wide(fit.prior)
    reader = Reader(world.SIZE, sum(slot.width for slot in slots(tree)), is_grey(photos), 0)
    reader.load_state_dict(read_tensors(fit.path("reader"), FIX)[0])
    return objective(reader.features, photos)


def searched(fit: Fit, name: str) -> None:
    """Shift and stretch every learned number, at no fewer renders than the fit took after the reader was trained."""
    began = time.process_time()
    read, full = cost(fit, "reader"), cost(fit, "learned")
    least = full["renders"] - read["renders"]
    tree, aim = world.wide(fit.prior), distance(fit)
    transformer = Transformer(tree, derive(fit.seed, "transformer"))
    each = IMAGES if name == "random" else search_cost(transformer)
    rounds = -(-least // each)
    steps = (drawn if name == "random" else search)(transformer, world.renderer, aim, fit.seed, rounds)
    trace = [float(value) for value in steps]
    write_tensors(fit.path(name), sf.Model(transformer, fit.seed).state(), {"trace": trace, "cost": {
        "renders": read["renders"] + rounds * each, "trainings": read["trainings"],
        "cpu_seconds": read["cpu_seconds"] + round(time.process_time() - began, 1)}})


def drawn(transformer: Transformer, renderer: Any, aim: Objective, seed: int, rounds: int) -> Iterator[float]:
    """Random search: settings of shift and stretch [D] drawn as CMA-ES draws its first ones; the first is no change.

    Yields the best distance after each; the transformer ends at the best.
    """
    scenes = transformer.grammar.sample(derive(seed, "search"), IMAGES)
    priors = {a.key: prior_at_knots(transformer, a, scenes) for a in transformer.numbers}
    random = generator(derive(seed, "random search"), "settings")
    best, best_at = np.inf, np.zeros(2 * len(transformer.numbers))
    for number in range(rounds):
        tried = np.clip(random.normal(0, FIRST_STEP, len(best_at)), -1, 1) * (number > 0)
        place(transformer, priors, tried)
        images = sf.render(renderer, transformer.sample(derive(seed, "search"), IMAGES)).images
        with torch.no_grad():
            loss = float(aim.loss(to_tensor(images)))
        if loss < best:
            best, best_at = loss, tried
        yield best
    place(transformer, priors, best_at)


def read_counts(fit: Fit, names: tuple[str, ...]) -> dict[str, list[float]] | None:
    """What the fit's last look found in each photo: the counts of these names; None where it holds no cloud."""
    tree = world.wide(fit.prior)
    cloud = load(fit, "learned").transformer.cloud
    if cloud is None:
        return None
    found = {}
    for number, a in enumerate(places(tree)):
        if a.name in names:
            low, high = a.bounds or a.prior.bounds  # type: ignore[union-attr]
            count = low + cloud.centre[:, number].clamp(0, 1).numpy() * (high - low + 1) - 0.5
            found[a.name] = np.clip(count, low, high).tolist()
    return found
