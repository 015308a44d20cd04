"""Probabilistic scene grammars: symbols with attributes, weighted rules, repeats with a drawn count.

Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csgraph

from scenefit.scenes.arguments import brief, check_argument, first_few
from scenefit.scenes.attributes import (
    Array,
    Attribute,
    Key,
    NormalisedValues,
    View,
    draw,
    normalise,
    parse,
    parse_count,
    reflect,
    resolve,
)
from scenefit.scenes.fingerprint import fingerprint
from scenefit.scenes.grammar.derivation import (
    Decide,
    Derivation,
    Offsets,
    Repeat,
    Rule,
    join_columns,
    node_groups,
    repeat,
)
from scenefit.scenes.grammar.hierarchy import expanded
from scenefit.scenes.priors import Prior, Tabulated
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import Ints, SceneBatch

__all__ = ["Attribute", "Grammar", "NormalisedValues", "Offsets", "Repeat", "Rule", "View", "reflect", "repeat",
           "scene_indices"]

N_NAMED = 8  # kinds, and learned attributes, that are named when a grammar is printed
N_TRIAL_SCENES = 32  # sampled when a grammar is made, so that errors in conditional priors are raised there


@dataclass(frozen=True, repr=False)
class Grammar:
    """A probabilistic scene grammar, validated when made.

    start: the kind of the root.  symbols: kind -> attribute -> prior (see `learned`, `as_prior`); a function of the
    node gives a conditional prior: `lambda node: Uniform(0, node.parent["width"])`; it sees columns, may use the
    node's own earlier attributes and those of its ancestors.  rules: what a kind expands to; kinds without a rule
    are leaves.
    ValueError, naming what is wrong, for unknown kinds, bad bounds and grammars that never end.
    """

    start: str
    symbols: Mapping[str, Mapping[str, Any]]
    rules: Sequence[Rule] = ()
    attributes: Mapping[str, Mapping[str, Attribute]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_types(self)
        _check_names(self)
        object.__setattr__(self, "attributes", _parse(self))
        _check_ends(self)
        object.__setattr__(self, "attributes", _with_forms(self))

    def __repr__(self) -> str:
        some = ", ".join(self.kinds[:N_NAMED]) + (", ..." if len(self.kinds) > N_NAMED else "")
        return f"Grammar({self.start!r}, kinds: {some}; learned: {first_few(self.learned_names, N_NAMED) or 'nothing'})"

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self.symbols)

    @cached_property
    def learned(self) -> tuple[Attribute, ...]:
        """The learned attributes, counts among them."""
        return tuple(a for attributes in self.attributes.values() for a in attributes.values() if a.learned)

    @cached_property
    def learned_heads(self) -> tuple[str, ...]:
        """Kinds whose choice of rule is learned."""
        return tuple(kind for kind in self.kinds if any(r.learned for r in self.rules_of(kind)))

    @property
    def learned_names(self) -> list[str]:
        """What is learned, in words: "coin.radius", "rules of table"."""
        return [f"{a.kind}.{a.name}" for a in self.learned] + [f"rules of {kind}" for kind in self.learned_heads]

    @cached_property
    def prior_inputs(self) -> frozenset[Key]:
        """Attributes that conditional priors read, as observed on the trial scenes."""
        found: set[Key] = set()
        for _ in _resolved(self, found):
            pass
        return frozenset(found)

    def rules_of(self, kind: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.head == kind]

    def rule_probabilities(self, kind: str) -> Array:
        """Prior odds of a kind's rules, summing to 1."""
        weights = np.array([rule.weight for rule in self.rules_of(kind)], float)
        return weights / weights.sum()

    def sample(self, seed: int, indices: Any, offsets: Offsets | None = None,
               odds: Mapping[str, Any] | None = None, decide: Decide | None = None) -> SceneBatch:
        """Scenes of the given indices: the prior's, or, with offsets of counts and odds of rules, another structure.

        indices: integers >= 0 [S], or how many, counted from 0.  offsets: of counts: (kind, name) -> a number, or a
        function, see `decode`, that returns one a node [n].  odds: kind -> probabilities of its rules, likewise.
        decide: see `Derivation`; what it does not decide is sampled.
        ValueError if a scene grows without end.
        """
        rules = {kind: self.rules_of(kind) for kind in self.kinds}
        chances = {kind: self.rule_probabilities(kind) for kind in self.kinds if rules[kind]}
        for kind, given in (odds or {}).items():
            chances[kind] = given if callable(given) else _odds(self, kind, given)
        return Derivation(self.start, self.attributes, rules, chances, offsets or {}, seed, scene_indices(indices),
                      decide).derive()

    def decode(self, scenes: SceneBatch, offsets: Offsets) -> tuple[SceneBatch, dict[Key, NormalisedValues]]:
        """The same graphs with offsets added to their learned attributes, from the root down.

        Conditional priors are evaluated again with their parents' new values.  offsets: (kind, name) -> [n], in units
        of the bounds (a turn for angles), or a function of (all groups, the group in progress) that returns them; for a
        learned choice, the chosen codes; counts are for `sample`.  Returns the scenes and the `NormalisedValues` of
        every learned number except counts.  ValueError for offsets of a wrong key or shape.
        """
        _check_offsets(self, scenes, offsets)
        groups = node_groups(scenes)
        parts = {a.key: [NormalisedValues(*[np.zeros(0)] * 3)] for a in self.learned
                 if not a.count and a.form != "choice"}
        for group in groups.values():
            view = View(scenes.kinds, groups, group)
            for a in self.attributes[group.kind].values():
                if a.count or not (a.learned or a.conditional):
                    continue
                offset = offsets.get(a.key)
                if callable(offset):
                    offset = offset(groups, group)
                elif offset is not None:
                    offset = np.asarray(offset)[group.start:group.start + len(group)]
                group.columns[a.name], normalised = draw(a, view, uniform(group.address, a.name), offset)
                if normalised is not None:
                    parts[a.key].append(normalised)
        of_kind = {kind: [group for group in groups.values() if group.kind == kind] for kind in scenes.kinds}
        columns = {kind: join_columns(several) for kind, several in of_kind.items() if several}
        return scenes.with_columns(columns), {key: _join(several) for key, several in parts.items()}

    def normalised(self, scenes: SceneBatch) -> dict[Key, Array]:
        """The learned numbers of these scenes relative to their bounds, 0..1: (kind, name) -> [n].

        Integers lie at the middle of their bins.
        """
        groups = node_groups(scenes)
        parts = {a.key: [np.zeros(0)] for a in self.learned if a.form != "choice"}
        for group in groups.values():
            view = View(scenes.kinds, groups, group)
            for a in self.attributes[group.kind].values():
                if a.key in parts:
                    parts[a.key].append(normalise(a, view, np.asarray(group.columns[a.name])))
        return {key: np.concatenate(several) for key, several in parts.items()}

    def describe(self) -> dict[str, Any]:
        """The grammar in plain values, to compare and record: equal only if the grammars are (see `fingerprint`)."""
        return {
            "start": self.start,
            "symbols": {kind: {a.name: _describe(a) for a in attributes.values()}
                        for kind, attributes in self.attributes.items()},
            "rules": [f"{rule} (weight {rule.weight!r}{', learned' if rule.learned else ''})" for rule in self.rules],
            "order": [f"{kind}.{name}" for kind, attributes in self.attributes.items() for name in (*attributes, "")]}


def _join(parts: Sequence[NormalisedValues]) -> NormalisedValues:
    return NormalisedValues(*(np.concatenate([getattr(part, name) for part in parts])
                              for name in ("value", "low", "high", "log_scaled")))


def _describe(attribute: Attribute) -> str:
    text = fingerprint(attribute.prior)
    return f"{'learned ' if attribute.learned else ''}{text}{f' in {attribute.bounds}' if attribute.bounds else ''}"


def _parse(grammar: Grammar) -> dict[str, dict[str, Attribute]]:
    """Every attribute of every kind; the counts of its repeats come last."""
    parsed = {kind: {name: parse(kind, name, value) for name, value in attributes.items()}
              for kind, attributes in expanded(grammar.start, grammar.symbols).items()}
    for rule in grammar.rules:
        for child in rule.children:
            if not isinstance(child, Repeat):
                continue
            try:
                count = parse_count(rule.head, child.name, child.count)
            except ValueError as error:
                raise ValueError(f"rule {rule}: {error}") from None
            if parsed[rule.head].setdefault(child.name, count) != count:
                raise ValueError(f"rule {rule}: {rule.head} already has an attribute {child.name}; repeats of the same "
                                 "child need the same count")
    return parsed


def _with_forms(grammar: Grammar) -> dict[str, dict[str, Attribute]]:
    """Every attribute, conditional ones with the form of the priors that they return for trial scenes.

    ValueError where the priors of a learned attribute are not of one form.
    """
    tried = {kind: dict(attributes) for kind, attributes in grammar.attributes.items()}
    for a, prior in _resolved(grammar):
        now, before = a.with_form_of(prior), tried[a.kind][a.name]
        if a.learned and before is not a and now != before:
            raise ValueError(f"{a.kind}.{a.name}: a learned attribute needs priors of one form (numbers, integers or "
                             "angles) for every node")
        tried[a.kind][a.name] = now
    return tried


def _resolved(grammar: Grammar, accessed: set[Key] | None = None) -> Iterator[tuple[Attribute, Prior]]:
    """Each conditional attribute with its prior for each group of the trial scenes. accessed: see `View`."""
    scenes = grammar.sample(0, N_TRIAL_SCENES)
    groups = node_groups(scenes)
    for group in groups.values():
        view = View(scenes.kinds, groups, group, accessed=accessed)
        for a in grammar.attributes[group.kind].values():
            if a.conditional:
                yield a, resolve(a, view)


def _check_types(grammar: Grammar) -> None:
    """ValueError, naming the argument, where one is something else. The rules become a tuple."""
    call, symbols, rules = "Grammar(start, symbols, rules)", grammar.symbols, grammar.rules
    check_argument(call, "start", grammar.start, isinstance(grammar.start, str), "the name of the root's kind")
    check_argument(call, "symbols", symbols, isinstance(symbols, Mapping),
                   "a dictionary from each kind to its attributes, such as {'coin': {'x': Uniform(0, 9)}}")
    for kind, attributes in symbols.items():
        check_argument(call, "symbols", kind, isinstance(kind, str) and kind == " ".join(kind.split()) != "",
                       "kinds that are texts, without spaces at their ends")
        check_argument(call, f"symbols[{kind!r}]", attributes, isinstance(attributes, Mapping),
                       "a dictionary from names of attributes to priors, {} for none")
    listed = isinstance(rules, Iterable) and not isinstance(rules, str | Mapping)
    object.__setattr__(grammar, "rules", tuple(rules) if listed else (rules,))
    for rule in grammar.rules if listed else (rules,):
        check_argument(call, "rules", rule, listed and isinstance(rule, Rule),
                       "a list of rules, such as [Rule('table', ['coin'])]")


def _check_names(grammar: Grammar) -> None:
    if grammar.start not in grammar.symbols:
        raise ValueError(f"start {grammar.start!r} is not among the symbols {list(grammar.symbols)}")
    for rule in grammar.rules:
        for name in [rule.head] + [c if isinstance(c, str) else c.child for c in rule.children]:
            if name not in grammar.symbols:
                raise ValueError(f"rule {rule} uses {name!r}, which is not among the symbols "
                                 f"{sorted(grammar.symbols)}; add it to symbols (with {{}} if it has no attributes)")
    for kind in grammar.symbols:
        rules = grammar.rules_of(kind)
        if rules and sum(rule.weight for rule in rules) <= 0:
            raise ValueError(f"the rules of {kind} have no positive weight")


def _check_ends(grammar: Grammar) -> None:
    """A branching process ends in finite mean time iff the spectral radius of its mean is below 1.

    It is measured for each set of kinds that lead to one another.
    """
    mean = _mean_children(grammar)
    count, group = csgraph.connected_components(mean > 0, directed=True, connection="strong")
    for number in range(count):
        rows = np.flatnonzero(group == number)
        radius = max(abs(np.linalg.eigvals(mean[np.ix_(rows, rows)])))
        if radius >= 1 - 1e-9:
            cycle = ", ".join(grammar.kinds[row] for row in rows)
            raise ValueError(f"the grammar never ends: {cycle} lead back to themselves with {radius:.4g} children of "
                             "their own kind on average, and it must be below 1; lower the weight of those rules")


def _mean_children(grammar: Grammar) -> Array:
    """[kinds, kinds]: how many children of each kind a node has on average."""
    index = {kind: number for number, kind in enumerate(grammar.kinds)}
    mean = np.zeros((len(index), len(index)))
    for kind in grammar.kinds:
        rules = grammar.rules_of(kind)
        for rule, chance in zip(rules, grammar.rule_probabilities(kind) if rules else (), strict=True):
            for child in rule.children if chance > 0 else ():
                if isinstance(child, str):
                    mean[index[kind], index[child]] += chance
                else:
                    mean[index[kind], index[child.child]] += chance * _mean_count(grammar.attributes[kind][child.name])
    return mean


def _mean_count(count: Attribute) -> float:
    prior = count.prior
    assert isinstance(prior, Prior)
    if isinstance(prior, Tabulated) and count.bounds is None:
        return float(prior.dist.mean())
    values = prior.quantile((np.arange(1024) + 0.5) / 1024)
    return float(np.mean(values if count.bounds is None else np.clip(values, *count.bounds)))


def _check_offsets(grammar: Grammar, scenes: SceneBatch, offsets: Offsets) -> None:
    known = {a.key: a for a in grammar.learned}
    for key, offset in offsets.items():
        if key not in known:
            raise ValueError(f"offsets of {key}, which is not a learned attribute; there are {sorted(known)}")
        if known[key].count or callable(offset):
            continue
        n = len(scenes.tables[key[0]])
        if np.shape(offset) != (n,) or not np.all(np.isfinite(offset)):
            raise ValueError(f"offsets of {key} need {n} finite numbers, one for each node, got {offset}")


def _odds(grammar: Grammar, kind: str, given: Any) -> Array:
    count = len(grammar.rules_of(kind)) if kind in grammar.symbols else 0
    odds = np.asarray(given, float)
    if count == 0 or odds.shape != (count,) or not np.all(np.isfinite(odds)) or odds.min() < 0 or odds.sum() <= 0:
        raise ValueError(f"odds of {kind} need {count} numbers >= 0 with a positive sum, one for each of its rules, "
                         f"got {given}")
    return odds / odds.sum()


def scene_indices(indices: Any) -> Ints:
    """Indices [S] from their list, or how many. ValueError unless they are whole numbers >= 0."""
    if np.ndim(indices) == 0:
        whole = isinstance(indices, int | np.integer) and not isinstance(indices, bool)
        check_argument("sample(seed, indices)", "indices", indices, whole and int(indices) >= 0,
                       "a number of scenes >= 0, or a list of their indices")
        return np.arange(indices)
    index = np.asarray(indices)
    if index.size == 0:
        index = index.astype(np.int64)
    if index.ndim != 1 or index.dtype.kind not in "iu" or index.min(initial=0) < 0 or (
            index.max(initial=0) >= 2**63):
        raise ValueError(f"scene indices must be integers >= 0, got {brief(indices)}")
    return index.astype(np.int64)
