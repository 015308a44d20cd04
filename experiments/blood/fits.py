"""The learned distribution, three that go on from it, and two searches on the same distance at as many renders.

Each is kept, with what it cost; a fit that is stopped goes on from its last piece. The searches measure the distance
in the features of the fit's own reader, so all that its training took counts for them, beside as many renders of their
own as the whole fit took. Legend: D dimensions.
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
from experiments.blood import world
from scenefit.files.atomic import write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.inference.settings import Settings, changed
from scenefit.inference.stages import cma_es
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
# What goes on from the learned distribution: down its distance; by what 10 labelled photos say of single scenes.
REFINED: dict[str, dict[str, Any]] = {"matched": {"descent.steps": 60},
                                      "rewarded": {"task.steps": 10, "task.renders": 256}}
STRUCTURED, POLICY = "structured", Structure(8_000)  # learned, its counts by a policy; as README says
REWARDING = sf.Detect(world.CLASSES, steps=200, augmented_copies=256, augment=Augment(vertical_flip=True,
                                                                                      corruptions=True))
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


def rounds(fit: Fit) -> int:
    """Of ABC."""
    return fit.settings.chosen.rounds  # type: ignore[attr-defined]


def load(fit: Fit, name: str) -> sf.Model:
    """"learned", "look-1" .., STRUCTURED, a name of SEARCHES or REFINED; made if it is not there."""
    make(fit, name)
    return load_model(world.wide(fit.prior), read_tensors(fit.path(name), FIX)[0], fit.seed)


def cost(fit: Fit, name: str) -> dict[str, Any]:
    """Its renders, trainings and CPU seconds."""
    return facts_of(fit, name)["cost"]


def facts_of(fit: Fit, name: str) -> dict[str, Any]:
    """Its cost and trace."""
    make(fit, name)
    return read_tensors(fit.path(name), FIX)[1]


def make(fit: Fit, name: str) -> None:
    """ValueError where what is kept was learned with other settings, or for a look that the settings do not have."""
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
        raise ValueError(f"a fit of {rounds(fit)} rounds has no distribution {name!r}; it has learned, "
                         f"{', '.join((*SEARCHES, *REFINED, STRUCTURED))} and look-1 to look-{rounds(fit)}")


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
    for step, facts in steps(fit, fit.settings, under_way):
        if step.stage == "abc":
            write_tensors(fit.path(f"look-{step.done}"), step.model.state(), facts)
        if step.stage == "train-regressor":
            write_tensors(fit.path("reader"), part(step.state, "reader"), facts)
        write_tensors(fit.path("learned"), step.model.state(), facts)
    write_json(kept, {"settings": fit.settings.record(), "trace": facts["trace"]})
    under_way.unlink(missing_ok=True)


def refined(fit: Fit, name: str) -> None:
    """Go on from the learned distribution, with the fit's own photos and reader."""
    under_way, few = fit.folder / f"{name}-state.safetensors", None
    if name == "rewarded":
        few = world.labelled(fit.data, str(world.FIRST), "val", fit.seed)
    *_, (step, facts) = steps(fit, changed(fit.settings, REFINED[name]), under_way, after_reader(fit), labelled=few,
                              task=REWARDING, label_policy=world.KEEP)
    write_tensors(fit.path(name), step.model.state(), facts)
    under_way.unlink(missing_ok=True)


def structured(fit: Fit) -> None:
    """Learn on how many there are, by a policy that has the scene so far in view; the rest stays as it was learned."""
    model, before = load(fit, "learned"), cost(fit, "learned")
    *_, step = fit_structure(
        model.grammar, world.renderer, world.unlabelled(fit.data).images, seed=derive_seed(fit.seed, "structure"),
        draw=by_distribution(model.distribution), settings=POLICY)
    model = sf.Model(model.distribution.with_structure(step.structure), model.seed)
    write_tensors(fit.path(STRUCTURED), model.state(), {"cost": {
        "renders": before["renders"] + step.renders, "trainings": before["trainings"] + step.of,
        "cpu_seconds": before["cpu_seconds"] + round(step.cpu_seconds, 1)}})


def steps(fit: Fit, settings: Settings, under_way: Path, begin: Mapping[str, Tensor] | None = None,
          **more: Any) -> Iterator[tuple[sf.Step, dict[str, Any]]]:
    """Each step of a fit with its cost and the trace so far; stopped, it goes on from the last that was kept."""
    state, trace = begin, []
    if under_way.exists():
        saved, facts = read_tensors(under_way, FIX)
        if facts["settings"] == settings.record():
            state, trace = saved, facts["trace"]
    for step in sf.fit_steps(world.wide(fit.prior), world.renderer, world.unlabelled(fit.data), seed=fit.seed,
                             settings=settings, state=state, **more):
        trace.append(step.record())
        yield step, {"cost": {name: trace[-1][name] for name in ("renders", "trainings", "cpu_seconds")},
                     "trace": list(trace)}
        write_tensors(under_way, step.state, {"settings": settings.record(), "trace": trace})


def after_reader(fit: Fit) -> dict[str, Tensor]:
    """The state of the fit after ABC and the training of its regressor, to go on from with other settings."""
    model, spent = load(fit, "learned"), cost(fit, "reader")
    found = {f"transformer:{name}": value for name, value in model.state().items()}
    found |= {f"reader:{name}": value for name, value in read_tensors(fit.path("reader"), FIX)[0].items()}
    for copy in ("average", "warm"):
        found |= {f"{copy}:{name}": value.detach().clone() for name, value in model.distribution.named_parameters()}
    double = {"baseline": np.nan, "cpu_seconds": spent["cpu_seconds"], "seconds": 0.0}
    return {**found, "counts": torch.tensor([spent["renders"], spent["trainings"]]),
            "piece": torch.tensor(rounds(fit)), **{name: torch.tensor(value, dtype=torch.float64)
                                                          for name, value in double.items()}}


def part(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """What a fit's state holds of one of its networks."""
    return {key.partition(":")[2]: value for key, value in state.items() if key.startswith(f"{name}:")}


def distance(fit: Fit) -> Objective:
    """The fit's own: the MMD in the features of its reader."""
    photos, tree = world.unlabelled(fit.data).images, world.wide(fit.prior)
    regressor = AttributeRegressor(world.SIZE, sum(target.width for target in targets(tree)), is_grey(photos), 0)
    regressor.load_state_dict(read_tensors(fit.path("reader"), FIX)[0])
    return objective(regressor.features, photos)


def searched(fit: Fit, name: str) -> None:
    """Shift and stretch every learned number, at no fewer renders than the whole fit took."""
    began = time.process_time()
    read, least = cost(fit, "reader"), cost(fit, "learned")["renders"]
    tree, aim = world.wide(fit.prior), distance(fit)
    distribution = SceneDistribution(tree, derive_seed(fit.seed, "transformer"))
    each = cma_es.N_IMAGES if name == "random" else cma_es.cost(distribution)
    count = -(-least // each)
    steps = (drawn if name == "random" else generations)(distribution, aim, fit.seed, count)
    found = list(steps)
    trace = [float(distance) for distance, _ in found]
    write_tensors(fit.path(name), sf.Model(found[-1][1], fit.seed).state(), {"trace": trace, "cost": {
        "renders": read["renders"] + count * each, "trainings": read["trainings"],
        "cpu_seconds": read["cpu_seconds"] + round(time.process_time() - began, 1)}})


Search = Iterator[tuple[float, SceneDistribution]]  # the least distance after each step, and where it was found


def generations(distribution: SceneDistribution, aim: Objective, seed: int, count: int) -> Search:
    """CMA-ES, as the method "cma-es" does it."""
    search = cma_es.Search(distribution, seed)
    for _ in range(count):
        search.generation(world.renderer, aim)
        yield search.least, search.best()


def drawn(distribution: SceneDistribution, aim: Objective, seed: int, count: int) -> Search:
    """Random search: settings of shift and stretch [D] drawn as CMA-ES draws its first ones; the first is no change."""
    search = cma_es.Search(distribution, seed)
    random = generator(derive_seed(seed, "random search"), "settings")
    for number in range(count):
        tried = np.clip(random.normal(0, cma_es.FIRST_STEP, len(search.candidate)), -1, 1) * (number > 0)
        images = sf.render(world.renderer, search.apply(tried).sample(search.seed, cma_es.N_IMAGES)).images
        with torch.no_grad():
            loss = float(aim.loss(to_tensor(images)))
        if loss < search.least:
            search.least, search.candidate = loss, tried
        yield search.least, search.best()


def read_counts(fit: Fit, names: tuple[str, ...]) -> dict[str, list[float]] | None:
    """What the fit's last look found in each photo: the counts of these names; None where it holds no cloud."""
    tree = world.wide(fit.prior)
    posterior = load(fit, "learned").distribution.aggregate_posterior
    if posterior is None:
        return None
    found = {}
    for number, a in enumerate(image_attributes(tree)):
        if a.name in names:
            low, high = a.bounds or a.prior.bounds  # type: ignore[union-attr]
            count = low + posterior.centre[:, number].clamp(0, 1).numpy() * (high - low + 1) - 0.5
            found[a.name] = np.clip(count, low, high).tolist()
    return found
