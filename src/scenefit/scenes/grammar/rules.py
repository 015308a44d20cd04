"""A kind's choice of rule as an attribute, so that it can be predicted and learned like any other choice."""

from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import Choice

RULE = "rule"  # no attribute may have this name, so that (kind, "rule") is a key of its own


def rule_choice(grammar: Grammar, kind: str) -> Attribute:
    """A learned choice among the numbers of the kind's rules, by their prior odds. Its key is (kind, "rule"); its
    values are `Table.rule`."""
    odds = grammar.rule_probabilities(kind)
    return Attribute(kind, RULE, Choice(range(len(odds)), tuple(odds)), True, None, form="choice")
