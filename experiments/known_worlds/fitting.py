"""Runs the fit of a cell: what it cost, how near it came after each step, and its last state."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import scenefit as sf
from experiments.known_worlds import uncorrected
from experiments.known_worlds.score import Samples, of_scenes, ratios
from experiments.known_worlds.truth import Array
from experiments.known_worlds.world import World
from scenefit.inference.arguments import prepared
from scenefit.nets.model import PriorModel
from scenefit.scenes.rng import derive_seed

SCENES, TRUE_SCENES = 1000, 4000  # of the learned distribution and the prior; of the truth
TRUE_SEED = 2**20  # of the truth's samples: none of the photos'
MOST_SECONDS = 1200  # CPU time, after which a fit is stopped at the next step and measured as it is
MORE_RENDERS = 1.05  # the trace has a point wherever a fit has rendered so many times as many images as at the last one


@dataclass(frozen=True, eq=False)
class Fitted:
    """model: the learned distribution.  last: the last step, None without a fit.  cpu_seconds: of the fit alone.
    stopped: why it was stopped early.  trace: after its steps, "stage", "renders", "cpu_seconds", and the "median" and
    "worst" ratio of visible attributes."""

    model: Any
    last: Any = None
    cpu_seconds: float = 0.0
    renders: int = 0
    stopped: str = ""
    trace: list[dict[str, Any]] = field(default_factory=list)


def fitted(world: World, method: str, settings: sf.Settings, images: Array, seed: int) -> Fitted:
    """Fit photos uint8 [N, H, W, 3]. The time that the trace takes is not counted."""
    start = Fitted(PriorModel(world.grammar, seed))
    if method == "prior":
        return start
    prior, truth = reference(world, seed)
    done, began = start, time.process_time()
    for step in steps(world, method, settings, images, seed):
        spent, trace = time.process_time() - began, list(done.trace)
        if not trace or step.renders >= MORE_RENDERS * trace[-1]["renders"]:
            trace.append({"stage": step.stage, "renders": step.renders, "cpu_seconds": round(spent, 1),
                          **ratios(world.targets, world.visible, learned(world, step.model), prior, truth)})
        late = spent > MOST_SECONDS
        stopped = f"after {MOST_SECONDS} CPU seconds, at {step.stage} {step.done} of {step.of}" if late else ""
        done = Fitted(step.model, step, spent, step.renders, stopped, trace)
        if late:
            break
        began = time.process_time() - spent
    return done


def steps(world: World, method: str, settings: sf.Settings, images: Array, seed: int) -> Iterator[Any]:
    """Those of a fit, in turn."""
    if method != uncorrected.NAME:
        return sf.fit_steps(world.grammar, world.renderer, images, seed=seed, settings=settings)
    problem, rendered = prepared(world.grammar, world.renderer, images, None, seed, settings, None, None, None)
    own = settings.within_budget()
    return uncorrected.fit_steps(problem, own.method, own.regressor, rendered)


def reference(world: World, seed: int) -> tuple[Samples, Samples]:
    """Samples of the prior and of the truth."""
    scenes = world.grammar.sample(derive_seed(seed, "prior"), SCENES)
    return of_scenes(scenes, world.more(scenes)), world.true_scenes(TRUE_SEED, TRUE_SCENES)


def learned(world: World, model: Any) -> Samples:
    scenes = model.sample(SCENES)
    return of_scenes(scenes, world.more(scenes))


def diagnostics(last: Any) -> Mapping[str, float]:
    """Single numbers that a fit with "npe" measured of its predictions, such as "cover50:disc.radius"."""
    found = {} if last is None else last.state
    return {key.partition(":")[2]: float(value) for key, value in found.items()
            if key.startswith("diagnostics:") and value.numel() == 1}
