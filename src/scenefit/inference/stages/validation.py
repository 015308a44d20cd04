"""Measurements of the distance on scenes that nothing was fitted on: keep-best after a descent, validate at the end."""

from dataclasses import replace

import torch

from scenefit.inference.stages.problem import NAN, Problem, Stage, State, distance, moved, set_parameters
from scenefit.metrics.features import features_of_chunks


def measured(problem: Problem, state: State, purpose: str) -> tuple[State, float]:
    """The distance of fresh renders of the present distribution; the same purpose has the same scenes, so that only
    what was changed differs."""
    scenes = state.distribution.sample(problem.seed_of(purpose), problem.budget.validation_renders)
    objective = distance(problem, state)
    (features,) = features_of_chunks(problem.render(scenes), objective.extractor)
    measured = float(objective.loss_of(features))
    return replace(state, renders=state.renders + len(scenes)), measured


def keep_best(problem: Problem, descends: bool) -> Stage:
    """Keep the descent's average or where it started from, whichever lies closer to the photos on fresh scenes.
    descends: whether there is a descent."""
    once = problem.budget.validation_renders
    return Stage("keep-best", 1, _keep_best, lambda *_: once * (1 + descends), 2 * once, required=True)


def validation(problem: Problem) -> Stage:
    """The distance of the result, on scenes that nothing was fitted or chosen on."""
    once = problem.budget.validation_renders
    return Stage("validate", 1, _validate, lambda *_: once, once, required=True)


@torch.no_grad()
def _keep_best(problem: Problem, state: State, step: int) -> State:
    descended = any(not torch.equal(state.average[name], value) for name, value in state.start.items())
    best, least = state.distribution, float("inf")
    for values in (state.start, state.average) if descended else (state.start,):
        candidate = set_parameters(state.distribution, values)
        state, found = measured(problem, replace(state, distribution=candidate), "settle")
        if found <= least or values is state.start:
            best, least = candidate, found
    return moved(state, best, distance=least)


@torch.no_grad()
def _validate(problem: Problem, state: State, step: int) -> State:
    state, found = measured(problem, replace(state, distribution=set_parameters(state.distribution, state.average)),
                               "check")
    return replace(state, distance=found, metric=NAN)
