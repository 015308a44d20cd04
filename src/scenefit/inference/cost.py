"""What a fit will cost, said before it begins: renders, CPU minutes, and memory.

Renders follow from the stages. Minutes are measured on a few renders: drawing them, a step of training of each network
at the size of its batches, predictions in one chunk of images; the settings say how often each happens. Memory follows
from a formula, see `memory`. The measurement has random numbers and networks of its own, so the fit stays the same.
Legend: H, W pixels.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import Photos
from scenefit.inference.arguments import prepared
from scenefit.inference.npe import method as npe
from scenefit.inference.npe.method import Npe, spec_of
from scenefit.inference.npe.predictor import REGRESSED, Predictor
from scenefit.inference.npe.simulate import Simulations, simulate
from scenefit.inference.npe.train import batch_of, crop_side, epochs_of, train_objects
from scenefit.inference.settings import Settings
from scenefit.inference.stages.problem import Problem, Stage, start, within_budget
from scenefit.inference.stages.regressor import Regressor
from scenefit.metrics.summary_statistics import histogram_for
from scenefit.nets.attribute_regressor import train, training_images
from scenefit.nets.frozen_maps import frozen_maps
from scenefit.nets.object_predictions import PIXELS
from scenefit.nets.object_targets import ObjectSpec
from scenefit.renderers import Renderer
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation

MAX_SECONDS = 3.0  # of drawing for the measurement
FIRST, MOST = 4, 128  # renders of the measurement
DENSITY_SECONDS = 0.1  # of fitting the distribution of one attribute to posterior samples, on a core of 3 GHz
TRAINED_BYTES = 1000  # of the network of objects for each pixel of a batch: its maps, their gradients and copies
PREDICTED_BYTES = 250  # likewise for each pixel of a chunk of images that are predicted
SPARE_BYTES = 150 * 2**20  # of statistics, charts of the report, and the summary


@dataclass(frozen=True)
class Cost:
    """renders: at most.  cpu_seconds, memory (bytes, at its peak): None for methods that are not measured."""

    renders: int
    cpu_seconds: float | None = None
    memory: int | None = None

    @property
    def text(self) -> str:
        """As one line for people."""
        parts = [f"at most {self.renders:,} renders"]
        if self.cpu_seconds is not None and self.memory is not None:
            long = self.cpu_seconds >= 90
            parts.append(f"about {self.cpu_seconds / 60:.0f} CPU minutes" if long else
                         f"about {max(self.cpu_seconds, 1):.0f} CPU seconds")
            parts.append(f"{self.memory / 2**30:.1f} GB of memory")
        return f"This fit will take {', '.join(parts)}."


def fit_cost(grammar: Grammar, renderer: Renderer, real: Photos, labelled: Any = None, *, seed: int = 0,
             settings: Settings | None = None, label_policy: LabelPolicy | None = None) -> Cost:
    """The cost of `fit` with these arguments, the report of `scenefit fit` included."""
    settings = Settings() if settings is None else settings
    problem, rendered = prepared(grammar, renderer, real, labelled, seed, settings, None, None, label_policy)
    stages = settings.stages(problem)
    renders, own = renders_of(problem, stages, rendered), settings.within_budget()
    if not isinstance(own.chosen, Npe) or any(one.steps and one.name not in (Npe.name, "keep-best", "validate")
                                              for one in stages):
        return Cost(renders)
    rounds = rounds_of(problem, stages, rendered)
    before = _resident()
    with torch.random.fork_rng(devices=[]):
        seconds = npe_seconds(problem, own.chosen, own.regressor, rounds)
    return Cost(renders, seconds, memory(problem, spec_of(problem), before))


def renders_of(problem: Problem, stages: tuple[Stage, ...], rendered: int) -> int:
    """How many images all steps render at most that the budget allows. rendered: to prepare the problem."""
    state = start(problem, rendered)
    for stage in stages:
        for step in range(stage.steps):
            if within_budget(problem, state, stage, step, 0.0):
                state = replace(state, renders=state.renders + stage.renders(problem, state, step))
    return state.renders


def rounds_of(problem: Problem, stages: tuple[Stage, ...], rendered: int) -> int:
    """How many rounds of "npe" the budget allows."""
    state, rounds = start(problem, rendered), 0
    for step in range(stages[0].steps):
        if within_budget(problem, state, stages[0], step, 0.0):
            state = replace(state, renders=state.renders + stages[0].renders(problem, state, step))
            rounds += 1
    return rounds


def npe_seconds(problem: Problem, settings: Npe, regressor: Regressor, rounds: int) -> float:
    """CPU seconds of a fit with "npe" and of its report."""
    spec, seed = spec_of(problem), problem.seed_of("npe cost")
    grammar = uniform_randomisation(problem.grammar)
    few = grammar.sample(seed, FIRST)
    each = _timed(lambda: list(problem.render(few))) / FIRST
    count = int(np.clip(MAX_SECONDS / max(each, 1e-6), FIRST, MOST))
    scenes = grammar.sample(seed, np.arange(FIRST, FIRST + count))
    drawn = _timed(lambda: list(problem.render(scenes))) / count
    found: list[Simulations] = []
    simulated = _timed(lambda: found.append(simulate(problem, spec, [scenes], seed))) / count
    training, mapped, predicting = _networks(problem, spec, found[0])  # of whole images alone, of objects too
    compared, single = npe.compared(spec, settings.simulated(problem)), sum(one.single for one in problem.targets)

    def a_round(trained: int, attributes: int, objects: bool) -> float:
        held_out, at_once = round(npe.HELD_OUT * trained), _at_once(problem, spec)
        regressed = min(max(REGRESSED, held_out), trained) if spec.kinds else held_out
        chunks = sum(-(-n // at_once) for n in [len(problem.images), regressed, *[compared] * npe.CORRECTIONS])
        epochs = epochs_of(regressor.epochs, trained - held_out)
        return ((trained + npe.CORRECTIONS * compared) * simulated + epochs * trained * training[0]
                + chunks * predicting[objects] + npe.CORRECTIONS * attributes * DENSITY_SECONDS
                + objects * max(trained - regressed, 0) * mapped)  # what is predicted has its maps already

    count, of_images = settings.simulated(problem), min(settings.of_images(problem, spec), rounds)
    of_objects = rounds - of_images
    steps = settings.steps * (1 + (of_objects - 1) / 2) if of_objects else 0  # later rounds take half as many
    checked = 4 * problem.budget.validation_renders  # keep-best, validation, and both sets of the summary
    photos = len(problem.images)
    kept = (rounds - 1) * photos * mapped if photos <= count else 0.0  # `photo_maps`: computed once
    return (of_images * a_round(count // 2, single, False)
            + of_objects * a_round(count, single + len(spec.attributes), True)
            + steps * training[1] + checked * (drawn + training[0]) - kept)


def _networks(problem: Problem, spec: ObjectSpec,
              simulated: Simulations) -> tuple[tuple[float, float], float, tuple[float, float]]:
    """CPU seconds of training: of the regressor for an image, of the network of objects for `steps_of(1)` steps; of the
    maps of an image; and of the predictions in a chunk of images, without objects and with them."""
    count, rows = len(simulated), np.arange(len(simulated))
    regressor = start(problem).regressor
    inputs = training_images(regressor, [simulated.images], count)

    def step_of_regressor() -> None:
        train(regressor, inputs, simulated.truth, 0, 1)

    step_of_regressor()  # PyTorch's first steps are slow
    an_image = _timed(step_of_regressor) / count
    network, a_step, mapped = None, 0.0, 0.0
    if spec.kinds:
        network = npe.fresh_network(problem, spec)
        maps = frozen_maps(network, simulated.images)
        if maps is not None:
            mapped = _timed(lambda: frozen_maps(network, simulated.images)) / count
        train_objects(network, simulated, rows, 1, 0, npe.FIRST_RATE, maps)
        times = batch_of(crop_side(simulated)) / min(batch_of(crop_side(simulated)), count)
        a_step = times * _timed(lambda: train_objects(network, simulated, rows, 2, 0, npe.FIRST_RATE, maps)) / 2
    images, colours = simulated.images[:_at_once(problem, spec)], histogram_for(simulated.images)
    whole, objects = (_timed(partial(Predictor(one, regressor, network, colours).statistics, images))
                      for one in (replace(spec, kinds=(), attributes=()), spec))
    return (an_image, a_step), mapped, (whole, objects)


def _at_once(problem: Problem, spec: ObjectSpec) -> int:
    """Images of a chunk in prediction."""
    return max(1, PIXELS // int(np.prod(problem.size))) if spec.kinds else FIRST


def memory(problem: Problem, spec: ObjectSpec, before: int) -> int:
    """Bytes at the fit's peak: what the process holds before it, in whose photos and libraries lie; the larger one
    of a batch of the network of objects in training and a chunk of images in prediction, so many bytes a pixel; and a
    spare part. Renders lie in files on the disk."""
    pixels = max(PIXELS, int(np.prod(problem.size)))
    return before + SPARE_BYTES + (max(2**18 * TRAINED_BYTES, pixels * PREDICTED_BYTES) if spec.kinds else 0)


def _timed(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _resident() -> int:
    """Bytes of memory that this process holds; 400 MB where the system does not say."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) * 1024
    except (OSError, StopIteration):
        return 400 * 2**20
