"""The fit, three stages that continue it, and two searches on the same distance with as many renders.

Each result is kept with its cost; an interrupted fit resumes from its last step. The searches measure the distance in
the features of the fit's regressor, so the cost of training it is added to theirs; each has at least as many renders of
its own as the whole fit. Legend: D dimensions.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import scenefit as sf
from experiments.blood import search, world
from scenefit.files.atomic import write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.inference.settings import Settings, changed
from scenefit.inference.stages.structure import Structure, by_distribution, fit_structure
from scenefit.metrics.features import to_tensor
from scenefit.metrics.objective import Objective, objective
from scenefit.nets.aggregate_posterior import image_attributes
from scenefit.nets.attribute_regressor import AttributeRegressor, is_grey, targets
from scenefit.nets.augmentation import Augment
from scenefit.nets.model import load_model
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.rng import derive_seed, generator

SEARCHES = ("random", "cma")
# Stages that continue the fit: MMD descent; task reward from 10 labelled photos.
REFINED: dict[str, dict[str, Any]] = {"matched": {"descent.steps": 60},
                                      "rewarded": {"task.steps": 10, "task.renders": 256}}
STRUCTURED, POLICY = "structured", Structure(8_000)  # the learned distribution with a structure policy for its counts
REWARDING = sf.Detect(world.CLASSES, steps=200, augmented_copies=256, augment=Augment(vertical_flip=True,
                                                                                      corruptions=True))
FIX = "remove its folder and run the same command again"


@dataclass(frozen=True)
class Fit:
    """data: folder of the data set.  folder: of this fit's files.  prior: factor of all size ranges."""

    data: Path
    folder: Path
    prior: float
    seed: int
    settings: Settings

    def path(self, name: str) -> Path:
        """File of a distribution or network of this fit."""
        return self.folder / f"{name}.safetensors"


def rounds(fit: Fit) -> int:
    """Number of rounds of the method."""
    return fit.settings.chosen.rounds  # type: ignore[attr-defined]


def load(fit: Fit, name: str) -> sf.Model:
    """A learned distribution, computed if necessary: "learned", "round-1" (after round 1) ..., STRUCTURED, or a name of
    SEARCHES or REFINED."""
    make(fit, name)
    return load_model(world.wide(fit.prior), read_tensors(fit.path(name), FIX)[0], fit.seed)


def cost(fit: Fit, name: str) -> dict[str, Any]:
    """Renders, trainings and CPU seconds of a distribution."""
    return facts_of(fit, name)["cost"]


def facts_of(fit: Fit, name: str) -> dict[str, Any]:
    """Cost and trace of a distribution."""
    make(fit, name)
    return read_tensors(fit.path(name), FIX)[1]


def make(fit: Fit, name: str) -> None:
    """Compute a distribution if it is not there. ValueError for an unknown name, for a round that the settings do not
    have, and if the kept fit was made with other settings."""
    learned(fit)
    if fit.path(name).exists():
        return
    torch.set_num_threads(1)
    if name in SEARCHES:
        searched(fit, name)
    elif name in REFINED:
        refined(fit, name)
    elif name == STRUCTURED:
        structured(fit)
    else:
        raise ValueError(f"a fit with {rounds(fit)} rounds has no distribution {name!r}; choose from learned, "
                         f"{', '.join((*SEARCHES, *REFINED, STRUCTURED))} and round-1 to round-{rounds(fit)}")


def record(fit: Fit) -> dict[str, Any]:
    """Settings and trace of the fit, computed if necessary."""
    learned(fit)
    return json.loads((fit.folder / "fit.json").read_text())


def learned(fit: Fit) -> None:
    """Fit to the photos if that has not been done; keep the distribution after each round, and the regressor.

    ValueError if the kept fit was made with other settings.
    """
    path, checkpoint = fit.folder / "fit.json", fit.folder / "state.safetensors"
    if path.exists():
        if json.loads(path.read_text())["settings"] != fit.settings.record():
            raise ValueError(f"{fit.folder} was fitted with other settings; remove it and the detectors that were "
                             "trained on it, or choose another folder with --cells")
        return
    torch.set_num_threads(1)
    for step, facts in steps(fit, fit.settings, checkpoint):
        if step.stage == "npe":
            write_tensors(fit.path(f"round-{step.done}"), step.model.state(), facts)
            write_tensors(fit.path("reader"), part(step.state, "reader"), facts)
        write_tensors(fit.path("learned"), step.model.state(), facts)
    write_json(path, {"settings": fit.settings.record(), "trace": facts["trace"]})
    checkpoint.unlink(missing_ok=True)


def refined(fit: Fit, name: str) -> None:
    """Continue from the learned distribution, with the fit's photos and regressor."""
    checkpoint, few = fit.folder / f"{name}-state.safetensors", None
    if name == "rewarded":
        few = world.labelled(fit.data, str(world.FIRST), "val", fit.seed)
    *_, (step, facts) = steps(fit, changed(fit.settings, REFINED[name]), checkpoint, after_regressor(fit),
                              labelled=few, task=few and REWARDING, label_policy=world.KEEP)
    write_tensors(fit.path(name), step.model.state(), facts)
    checkpoint.unlink(missing_ok=True)


def structured(fit: Fit) -> None:
    """Learn the counts with a structure policy, conditional on the scene so far; keep the rest of the distribution."""
    model, before = load(fit, "learned"), cost(fit, "learned")
    *_, step = fit_structure(
        model.grammar, world.renderer, world.unlabelled(fit.data).images, seed=derive_seed(fit.seed, "structure"),
        draw=by_distribution(model.distribution), settings=POLICY)
    model = sf.Model(model.distribution.with_structure(step.structure), model.seed)
    write_tensors(fit.path(STRUCTURED), model.state(), {"cost": {
        "renders": before["renders"] + step.renders, "trainings": before["trainings"] + step.of,
        "cpu_seconds": before["cpu_seconds"] + round(step.cpu_seconds, 1)}})


def steps(fit: Fit, settings: Settings, checkpoint: Path, start: Mapping[str, Tensor] | None = None,
          **more: Any) -> Iterator[tuple[sf.Step, dict[str, Any]]]:
    """Each step of a fit with its cost and the trace so far. It resumes from the checkpoint, if there is one with the
    same settings, else from the state start."""
    state, trace = start, []
    if checkpoint.exists():
        saved, facts = read_tensors(checkpoint, FIX)
        if facts["settings"] == settings.record():
            state, trace = saved, facts["trace"]
    for step in sf.fit_steps(world.wide(fit.prior), world.renderer, world.unlabelled(fit.data), seed=fit.seed,
                             settings=settings, state=state, **more):
        trace.append(step.record())
        yield step, {"cost": {name: trace[-1][name] for name in ("renders", "trainings", "cpu_seconds")},
                     "trace": list(trace)}
        write_tensors(checkpoint, step.state, {"settings": settings.record(), "trace": trace})


def after_regressor(fit: Fit) -> dict[str, Tensor]:
    """State of the fit after the rounds of its method, to continue from with other settings."""
    model, spent = load(fit, "learned"), cost(fit, "reader")
    state = {f"transformer:{name}": value for name, value in model.state().items()}
    state |= {f"reader:{name}": value for name, value in read_tensors(fit.path("reader"), FIX)[0].items()}
    for copy in ("average", "warm"):
        state |= {f"{copy}:{name}": value.detach().clone() for name, value in model.distribution.named_parameters()}
    numbers = {"baseline": np.nan, "cpu_seconds": spent["cpu_seconds"], "seconds": 0.0}
    return {**state, "counts": torch.tensor([spent["renders"], spent["trainings"]]),
            "piece": torch.tensor(rounds(fit) - 1),
            **{name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}}


def part(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Tensors of one network in a fit's state."""
    return {key.partition(":")[2]: value for key, value in state.items() if key.startswith(f"{name}:")}


def distance(fit: Fit) -> Objective:
    """The fit's distance to the photos: MMD in the features of its regressor."""
    photos, tree = world.unlabelled(fit.data).images, world.wide(fit.prior)
    regressor = AttributeRegressor(world.SIZE, sum(target.width for target in targets(tree)), is_grey(photos), 0)
    regressor.load_state_dict(read_tensors(fit.path("reader"), FIX)[0])
    return objective(regressor.features, photos)


def searched(fit: Fit, name: str) -> None:
    """Search shift and scale of every learned number, with at least as many renders as the whole fit."""
    began = time.process_time()
    regressor, min_renders = cost(fit, "reader"), cost(fit, "learned")["renders"]
    tree, aim = world.wide(fit.prior), distance(fit)
    distribution = SceneDistribution(tree, derive_seed(fit.seed, "transformer"))
    per_step = search.N_IMAGES if name == "random" else search.cost(distribution)
    count = -(-min_renders // per_step)
    strategy = random_search if name == "random" else generations
    found = list(strategy(distribution, aim, fit.seed, count))
    trace = [float(distance) for distance, _ in found]
    write_tensors(fit.path(name), sf.Model(found[-1][1], fit.seed).state(), {"trace": trace, "cost": {
        "renders": regressor["renders"] + count * per_step, "trainings": regressor["trainings"],
        "cpu_seconds": regressor["cpu_seconds"] + round(time.process_time() - began, 1)}})


Found = Iterator[tuple[float, SceneDistribution]]  # after each step, the lowest distance so far and its distribution


def generations(distribution: SceneDistribution, aim: Objective, seed: int, count: int) -> Found:
    """CMA-ES."""
    strategy = search.Search(distribution, seed)
    for _ in range(count):
        strategy.generation(world.renderer, aim)
        yield strategy.least, strategy.best()


def random_search(distribution: SceneDistribution, aim: Objective, seed: int, count: int) -> Found:
    """Random search over shift and scale [D], sampled like the first candidates of CMA-ES. The first candidate is the
    unchanged distribution."""
    strategy = search.Search(distribution, seed)
    random = generator(derive_seed(seed, "random search"), "settings")
    for number in range(count):
        candidate = np.clip(random.normal(0, search.FIRST_STEP, len(strategy.candidate)), -1, 1) * (number > 0)
        images = sf.render(world.renderer, strategy.apply(candidate).sample(strategy.seed, search.N_IMAGES)).images
        with torch.no_grad():
            loss = float(aim.loss(to_tensor(images)))
        if loss < strategy.least:
            strategy.least, strategy.candidate = loss, candidate
        yield strategy.least, strategy.best()


def posterior_counts(fit: Fit, names: tuple[str, ...]) -> dict[str, list[float]] | None:
    """Posterior means of these counts for each photo, from the fit's last round; None without an aggregate
    posterior."""
    tree = world.wide(fit.prior)
    posterior = load(fit, "learned").distribution.aggregate_posterior
    if posterior is None:
        return None
    result = {}
    for number, a in enumerate(image_attributes(tree)):
        if a.name in names:
            low, high = a.bounds or a.prior.bounds  # type: ignore[union-attr]
            unit = posterior.centre[:, number].clamp(0, 1).numpy()  # samples, those of a photo side by side
            count = np.clip(low + unit * (high - low + 1) - 0.5, low, high)
            result[a.name] = count.reshape(len(world.unlabelled(fit.data)), -1).mean(1).tolist()
    return result
