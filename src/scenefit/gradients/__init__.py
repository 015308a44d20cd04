"""Gradients through a renderer, side by side behind one choice."""

from scenefit.gradients.estimate import Estimate, Estimator, smooth
from scenefit.gradients.exact import exact
from scenefit.gradients.finite_difference import finite_difference
from scenefit.gradients.score_function import score_function
from scenefit.gradients.simultaneous import simultaneous
from scenefit.grammar import Grammar
from scenefit.transformer import Edit

GRADIENTS: dict[str, Estimator] = {"exact": exact, "finite": finite_difference, "simultaneous": simultaneous,
                                   "score": score_function}



def cost(name: str, grammar: Grammar, edit: Edit) -> int:
    """Images that a gradient takes for an edit."""
    numbers = [len(edit.moves[a.key]) for a in grammar.learned if smooth(a)]
    more = {"finite": 2 * sum(numbers), "simultaneous": 2 * len(edit.scenes) if numbers else 0}
    return len(edit.scenes) + more.get(name, 0)


__all__ = ["GRADIENTS", "Estimate", "Estimator", "cost", "exact", "finite_difference", "score_function", "simultaneous"]
