"""Uniform domain randomisation of a grammar (Tobin et al. 2017, Mehta et al. 2019), and the same shrunk.

Networks are first trained on the uniform ranges. The shrunk ranges are a control: a learned distribution should beat
both the grammar's own prior and the shrunk uniform prior.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from scenefit.scenes.arguments import check_argument
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar, Repeat, Rule
from scenefit.scenes.log_priors import LogUniform
from scenefit.scenes.priors import TURN, Angle, Choice, Integer, Learned, Prior, Uniform, as_prior


def uniform_randomisation(grammar: Grammar) -> Grammar:
    """Every learned attribute uniform over its bounds, learned rules equally likely.

    Attributes on a logarithmic scale (`LogUniform`, `LogNormal`) become uniform in the logarithm.
    Rules and counts of recursive kinds stay as they are: with wider ones, derivations might not end.
    """
    return _change(grammar, lambda prior, bounds: _between(prior, bounds, 1.0))


def shrunk(grammar: Grammar, share: float = 0.25) -> Grammar:
    """Uniform randomisation with every range shrunk about its centre to a share of its width.

    Choices keep equal odds. Angles are centred where the prior is. ValueError unless 0 < share <= 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"shrunk needs 0 < share <= 1, got {share}")
    return _change(grammar, lambda prior, bounds: _between(prior, bounds, share))


def _change(grammar: Grammar, ranged: Callable[[Prior, Any], Prior]) -> Grammar:
    check_argument("uniform_randomisation(grammar), shrunk(grammar)", "grammar", grammar, isinstance(grammar, Grammar),
                   "a Grammar")

    def changed(a: Attribute) -> Any:
        if not a.learned:
            return a.prior
        if isinstance(a.prior, Prior):
            return Learned(ranged(a.prior, a.bounds), a.bounds)
        conditional = a.prior
        return Learned(lambda node: ranged(as_prior(conditional(node)), a.bounds), a.bounds)  # type: ignore[arg-type]

    symbols = {kind: {a.name: changed(a) for a in attributes.values() if not a.count}
               for kind, attributes in grammar.attributes.items()}
    recursive = _recursive(grammar)
    rules = [rule if rule.head in recursive else _widen(grammar, rule, changed) for rule in grammar.rules]
    return Grammar(grammar.start, symbols, rules)


def _widen(grammar: Grammar, rule: Rule, changed: Callable[[Attribute], Any]) -> Rule:
    children = [child if isinstance(child, str) else
                Repeat(child.child, changed(grammar.attributes[rule.head][child.name])) for child in rule.children]
    equal = rule.learned and rule.weight > 0
    return replace(rule, children=children, weight=1.0 if equal else rule.weight)


def _recursive(grammar: Grammar) -> set[str]:
    """Kinds that may lead back to themselves."""
    below = {kind: {child for rule in grammar.rules_of(kind) for child in rule.child_kinds} for kind in grammar.kinds}
    for _ in grammar.kinds:
        below = {kind: some.union(*(below[child] for child in some)) for kind, some in below.items()}
    return {kind for kind, some in below.items() if kind in some}


def _between(prior: Prior, bounds: Any, share: float) -> Prior:
    if isinstance(prior, Choice):
        return Choice(prior.options)
    if prior.circular:
        centre = prior.mean if isinstance(prior, Angle) else 0.0
        return Angle(centre, width=TURN * share)
    low, high = (np.asarray(b, float) for b in (bounds or prior.bounds))
    ends = low, high  # to which rounding must not add
    if prior.logarithmic:
        low, high = np.log(low), np.log(high)
    middle, half = (low + high) / 2, (high - low) / 2 * share
    if prior.logarithmic:
        return LogUniform(*(np.clip(np.exp(end), *ends) for end in (middle - half, middle + half)))
    if prior.discrete:
        # A narrow range may hold no integer: the two next to the centre always stay.
        lowest = np.minimum(np.ceil(middle - half - 1e-9), np.floor(middle))
        highest = np.maximum(np.floor(middle + half + 1e-9), np.ceil(middle))
        return Integer(lowest.astype(int), highest.astype(int))
    return Uniform(middle - half, middle + half)

