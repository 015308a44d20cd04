"""Gradient estimators for the distance between renders and photos (Mohamed et al. 2020), chosen by name."""

from scenefit.inference.gradients.estimate import Estimate, Estimator, is_differentiable
from scenefit.inference.gradients.finite_difference import finite_difference
from scenefit.inference.gradients.pathwise import pathwise
from scenefit.inference.gradients.score_function import score_function
from scenefit.inference.gradients.spsa import spsa
from scenefit.nets.edit import Edit
from scenefit.scenes.grammar import Grammar

GRADIENTS: dict[str, Estimator] = {"pathwise": pathwise, "finite-difference": finite_difference, "spsa": spsa,
                                   "score-function": score_function}


def cost(name: str, grammar: Grammar, edit: Edit) -> int:
    """How many images an estimator renders for an edit."""
    numbers = [len(edit.offsets[a.key]) for a in grammar.learned if is_differentiable(a)]
    more = {"finite-difference": 2 * sum(numbers), "spsa": 2 * len(edit.scenes) if numbers else 0}
    return len(edit.scenes) + more.get(name, 0)


__all__ = ["GRADIENTS", "Estimate", "Estimator", "cost", "finite_difference", "pathwise", "score_function", "spsa"]
