"""A grammar with other ranges: as wide as its bounds allow, or that shrunk about its centre.

The broad grammar is what networks are trained on before anything is known; the shrunk one is a control. A learned
distribution has to beat both the grammar and its shrunk broad prior before it may be called learned.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from scenefit.attribute import Attribute
from scenefit.grammar import Grammar, Repeat
from scenefit.prior import TURN, Angle, Choice, Integer, Learned, Prior, Uniform, as_prior


def broad(grammar: Grammar) -> Grammar:
    """Every learned attribute uniform over its bounds, learned rules equally likely."""
    return _change(grammar, lambda prior, bounds: _between(prior, bounds, 1.0))


def shrunk(grammar: Grammar, share: float = 0.25) -> Grammar:
    """The broad grammar with every range shrunk about its centre to a share of its width.

    Choices keep equal odds. Angles are centred where the prior is. ValueError unless 0 < share <= 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"shrunk needs 0 < share <= 1, got {share}")
    return _change(grammar, lambda prior, bounds: _between(prior, bounds, share))


def _change(grammar: Grammar, ranged: Callable[[Prior, Any], Prior]) -> Grammar:
    def changed(a: Attribute) -> Any:
        if not a.learned:
            return a.prior
        if isinstance(a.prior, Prior):
            return Learned(ranged(a.prior, a.bounds), a.bounds)
        conditional = a.prior
        return Learned(lambda node: ranged(as_prior(conditional(node)), a.bounds), a.bounds)  # type: ignore[arg-type]

    symbols = {kind: {a.name: changed(a) for a in attributes.values() if not a.count}
               for kind, attributes in grammar.attributes.items()}
    rules = []
    for rule in grammar.rules:
        children: list[str | Repeat] = []
        for child in rule.children:
            if isinstance(child, Repeat):
                child = Repeat(child.child, changed(grammar.attributes[rule.head][child.name]))
            children.append(child)
        equal = rule.learned and rule.weight > 0
        rules.append(replace(rule, children=children, weight=1.0 if equal else rule.weight))
    return Grammar(grammar.start, symbols, rules)


def _between(prior: Prior, bounds: Any, share: float) -> Prior:
    if isinstance(prior, Choice):
        return Choice(prior.options)
    if prior.circular:
        centre = prior.mean if isinstance(prior, Angle) else 0.0
        return Angle(centre, width=TURN * share)
    low, high = (np.asarray(b, float) for b in (bounds or prior.bounds))
    middle, half = (low + high) / 2, (high - low) / 2 * share
    if prior.discrete:
        return Integer(np.ceil(middle - half - 1e-9).astype(int), np.floor(middle + half + 1e-9).astype(int))
    return Uniform(middle - half, middle + half)

