"""Probabilistic scene grammars: symbols with attributes, weighted rules, repeats with a drawn count.

Scenes grow level by level, many at once: every node of one kind and depth is drawn in a few array operations.
Legend: S scenes; n nodes of a kind; a "slab" is all nodes of one kind and depth.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.address import mix, name_hash, scene_address, uniform
from scenefit.prior import Choice, Conditional, Constant, Integer, Learned, Prior, as_prior, check_learnable, pick
from scenefit.scene import Ints, SceneBatch, Table

Array = NDArray[Any]
MOST_NODES = 100_000  # in one scene; a grammar that makes more is taken to be endless
MOST_DEPTH = 200


@dataclass(frozen=True)
class Repeat:
    """`count` children of one kind; count is an Integer prior, possibly learned, or a number."""

    child: str
    count: Any

    @property
    def name(self) -> str:
        """The attribute of the head that holds the drawn count."""
        return f"n_{self.child}"


def repeat(child: str, count: Any) -> Repeat:
    return Repeat(child, count)


@dataclass(frozen=True)
class Rule:
    """head -> children with a weight. A head with several rules draws one; learned: fitting may change the odds."""

    head: str
    children: Sequence[str | Repeat]
    weight: float = 1.0
    learned: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "children", tuple(self.children))
        if not (np.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"rule {self.head} -> {self._names()}: its weight must be >= 0, got {self.weight}")

    def _names(self) -> list[str]:
        return [child if isinstance(child, str) else f"repeat({child.child})" for child in self.children]


@dataclass(frozen=True)
class Attribute:
    """One attribute of one kind, as the grammar understands it."""

    kind: str
    name: str
    prior: Prior | Conditional
    learned: bool
    bounds: tuple[float, float] | None
    count: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.name

    @property
    def conditional(self) -> bool:
        return not isinstance(self.prior, Prior)


Moves = Mapping[tuple[str, str], Any]  # (kind, attribute) -> what to add to it, in units of its bounds


@dataclass(frozen=True, eq=False)
class Unit:
    """What it takes to move a learned attribute: value = low + fold(unit + move) * (high - low). All [n]."""

    unit: Array
    low: Array
    high: Array


@dataclass(frozen=True)
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
        object.__setattr__(self, "rules", tuple(self.rules))
        _check_names(self)
        parsed = {kind: {name: _attribute(kind, name, value) for name, value in attributes.items()}
                  for kind, attributes in self.symbols.items()}
        for rule in self.rules:
            for child in rule.children:
                if isinstance(child, Repeat):
                    _add_count(parsed, rule, child)
        object.__setattr__(self, "attributes", parsed)
        _check_ends(self)
        self.sample(0, np.arange(8))  # conditional priors are tried, so that mistakes show here

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

    def rules_of(self, kind: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.head == kind]

    def rule_probabilities(self, kind: str) -> Array:
        """Prior odds of a kind's rules, summing to 1."""
        weights = np.array([rule.weight for rule in self.rules_of(kind)], float)
        return weights / weights.sum()

    def sample(self, seed: int, indices: Any, moves: Moves | None = None,
               odds: Mapping[str, Array] | None = None) -> SceneBatch:
        """Scenes of the given indices: the prior's, or, with moves of counts and odds of rules, an edited structure.

        indices: whole numbers >= 0 [S], or how many, counted from 0.  moves: for counts, added to every node's.
        odds: kind -> probabilities of its rules.  ValueError if a scene grows without end.
        """
        index = _indices(indices)
        growing = _Growth(self, int(seed), index, moves or {}, odds or {})
        return growing.grow()

    def decode(self, scenes: SceneBatch, moves: Moves) -> tuple[SceneBatch, dict[tuple[str, str], Unit]]:
        """The same graphs with their learned attributes moved, from the root down.

        A conditional prior is asked again with its parents' moved values.  moves: (kind, name) -> [n], in units of
        the bounds (a turn for angles); for a learned choice, the chosen codes.  Returns the scenes and the `Unit` of
        every learned number.
        """
        columns: dict[str, dict[str, Array]] = {
            kind: {name: np.array(column) for name, column in table.columns.items()}
            for kind, table in scenes.tables.items()}
        units: dict[tuple[str, str], list[Unit]] = {}
        for kind, rows in slabs(scenes):
            table = scenes.tables[kind]
            for attribute in self.attributes[kind].values():
                if attribute.count:
                    continue
                if not (attribute.conditional or attribute.learned):
                    continue
                view = View(scenes.kinds, scenes.tables, columns, kind, rows)
                u = uniform(table.address[rows], attribute.name)
                values, unit = _draw(attribute, view, u, _at(moves.get(attribute.key), rows))
                columns[kind][attribute.name] = _put(columns[kind][attribute.name], rows, values)
                if unit is not None:
                    units.setdefault(attribute.key, []).append(unit)
        joined = {key: Unit(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("unit", "low", "high")))
                  for key, parts in units.items()}
        return scenes.with_columns(columns), joined

    def describe(self) -> dict[str, Any]:
        """The grammar in plain values, for comparing and recording: functions by their compiled code."""
        return {
            "start": self.start,
            "symbols": {kind: {a.name: _describe(a) for a in attributes.values()}
                        for kind, attributes in self.attributes.items()},
            "rules": [f"{r.head} -> {', '.join(r._names())} (weight {r.weight:g}{', learned' if r.learned else ''})"
                      for r in self.rules]}


class View(Mapping[str, Array]):
    """What a conditional prior sees: the columns of some nodes, and of their parents. node["x"] is [n]."""

    def __init__(self, kinds: Sequence[str], tables: Mapping[str, Any], columns: Mapping[str, Mapping[str, Array]],
                 kind: str, rows: Any):
        self._kinds, self._tables, self._columns, self._kind = kinds, tables, columns, kind
        self._rows = np.arange(len(tables[kind].scene))[rows]

    def __getitem__(self, name: str) -> Array:
        try:
            return self._columns[self._kind][name][self._rows]
        except KeyError:
            raise KeyError(f"{self._kind} has no attribute {name!r} (yet): a prior may use earlier attributes of its "
                           f"node, {sorted(self._columns[self._kind])}, and all of node.parent") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns[self._kind])

    def __len__(self) -> int:
        return len(self._columns[self._kind])

    @property
    def parent(self) -> "View | _Mixed":
        table = self._tables[self._kind]
        codes, rows = table.parent_kind[self._rows], table.parent_row[self._rows]
        if len(codes) == 0:
            return _Mixed([], codes)
        if codes[0] < 0:
            raise KeyError(f"{self._kind} is the root: it has no parent")
        found = np.unique(codes)
        views = [(codes == code, View(self._kinds, self._tables, self._columns, self._kinds[code], rows[codes == code]))
                 for code in found]
        return views[0][1] if len(views) == 1 else _Mixed(views, codes)


class _Mixed:
    """Parents of several kinds: a column is gathered from each."""

    def __init__(self, views: list[tuple[Array, View]], codes: Array):
        self._views, self._n = views, len(codes)

    def __getitem__(self, name: str) -> Array:
        out = np.zeros(self._n)
        for mask, view in self._views:
            out[mask] = view[name]
        return out

    @property
    def parent(self) -> "_Mixed":
        return _Mixed([(mask, view.parent) for mask, view in self._views], np.empty(self._n))  # type: ignore[misc]


def slabs(scenes: SceneBatch) -> Iterator[tuple[str, slice]]:
    """(kind, rows) of every kind and depth, parents before children."""
    found = []
    for order, (kind, table) in enumerate(scenes.tables.items()):
        if len(table) == 0:
            continue
        edges = np.flatnonzero(np.diff(table.depth)) + 1
        for start, stop in zip([0, *edges], [*edges, len(table)], strict=True):
            found.append((int(table.depth[start]), order, kind, slice(int(start), int(stop))))
    return ((kind, rows) for _, _, kind, rows in sorted(found, key=lambda f: f[:2]))


def fold(x: Any) -> Any:
    """Brings any number into 0..1 by reflection at both ends; the identity inside. numpy or torch."""
    return 1 - abs(1 - x % 2)


@dataclass
class _Growth:
    """State of one sampling: the slabs grown so far, by kind."""

    grammar: Grammar
    seed: int
    index: Ints
    moves: Moves
    odds: Mapping[str, Array]
    parts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def grow(self) -> SceneBatch:
        kinds = self.grammar.kinds
        count = len(self.index)
        start = {"scene": np.arange(count), "parent_kind": np.full(count, -1), "parent_row": np.full(count, -1),
                 "address": mix(scene_address(self.seed, self.index), name_hash(self.grammar.start))}
        level: dict[str, list[dict[str, Any]]] = {self.grammar.start: [start]}
        total = np.zeros(count, np.int64)
        for depth in range(MOST_DEPTH + 1):
            following: dict[str, list[dict[str, Any]]] = {}
            for kind in kinds:
                if kind in level:
                    slab = {key: np.concatenate([part[key] for part in level[kind]]) for key in level[kind][0]}
                    np.add.at(total, slab["scene"], 1)
                    for child, part in self._expand(kind, slab, depth):
                        following.setdefault(child, []).append(part)
            level = {kind: parts for kind, parts in following.items() if sum(len(p["scene"]) for p in parts)}
            if not level:
                return self._finish()
            if total.max() > MOST_NODES:
                break
        row = int(np.argmax(total))
        raise ValueError(f"scene {int(self.index[row])} of seed {self.seed} grew to {int(total[row])} nodes at depth "
                         f"{depth} without an end; lower the weight of the rules that lead back to their own head")

    def _expand(self, kind: str, slab: dict[str, Any], depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """Draw the attributes and the rule of a slab, then yield its children."""
        grammar = self.grammar
        n, base = len(slab["scene"]), self.sizes.get(kind, 0)
        slab["depth"] = np.full(n, depth)
        slab["columns"] = {}
        self.parts.setdefault(kind, []).append(slab)
        self.sizes[kind] = base + n
        tables = {k: _Partial(parts) for k, parts in self.parts.items()}
        columns = {k: table.columns for k, table in tables.items()}
        for attribute in grammar.attributes[kind].values():
            view = View(grammar.kinds, tables, columns, kind, slice(base, base + n))
            move = self.moves.get(attribute.key) if attribute.count else None
            values, _ = _draw(attribute, view, uniform(slab["address"], attribute.name),
                              move(slab["address"]) if callable(move) else move)
            slab["columns"][attribute.name] = values
            columns[kind] = {name: np.concatenate([p["columns"][name] for p in self.parts[kind]])
                             for name in slab["columns"]}
        rules = grammar.rules_of(kind)
        slab["rule"] = np.full(n, -1)
        if rules:
            odds = self.odds.get(kind, grammar.rule_probabilities(kind))
            slab["rule"] = pick(odds, uniform(slab["address"], "rule")).astype(np.int64)
        for number, rule in enumerate(rules):
            rows = np.flatnonzero(slab["rule"] == number)
            seen: dict[str, Array] = {}
            for child in rule.children:
                yield self._children(kind, base, slab, rows, child, seen)

    def _children(self, kind: str, base: int, slab: dict[str, Any], rows: Array, child: str | Repeat,
                  seen: dict[str, Array]) -> tuple[str, dict[str, Any]]:
        """One entry of a rule's right side. The k-th child of a kind keeps its address whatever stands beside it."""
        name = child if isinstance(child, str) else child.child
        count = np.ones(len(rows), np.int64) if isinstance(child, str) else slab["columns"][child.name][rows]
        if count.sum() > MOST_NODES * len(self.index):
            raise ValueError(f"{kind}: {int(count.max())} children of kind {name}; a scene holds {MOST_NODES} at most")
        first = seen.get(name, np.zeros(len(rows), np.int64))
        seen[name] = first + count
        parent = np.repeat(rows, count)
        ordinal = np.arange(len(parent)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
        return name, {"scene": slab["scene"][parent],
                      "parent_kind": np.full(len(parent), self.grammar.kinds.index(kind)),
                      "parent_row": base + parent,
                      "address": mix(mix(slab["address"][parent], name_hash(name)), ordinal)}

    def _finish(self) -> SceneBatch:
        tables = {}
        for kind in self.grammar.kinds:
            parts = self.parts.get(kind, [])
            names = self.grammar.attributes[kind]
            join: dict[str, Any] = {key: np.concatenate([p[key] for p in parts]) if parts else np.zeros(0, np.int64)
                                    for key in ("scene", "depth", "parent_kind", "parent_row", "address", "rule")}
            columns = {name: np.concatenate([p["columns"][name] for p in parts]) if parts else np.zeros(0)
                       for name in names}
            join["address"] = join["address"].astype(np.uint64)
            tables[kind] = Table(id=np.zeros(len(join["scene"]), np.int64), columns=columns, **join)
        return _number(SceneBatch(self.seed, self.index, tables))


class _Partial:
    """Columns of a kind's slabs so far, with the few fields that a View reads."""

    def __init__(self, parts: list[dict[str, Any]]):
        self.scene = np.concatenate([p["scene"] for p in parts])
        self.parent_kind = np.concatenate([p["parent_kind"] for p in parts])
        self.parent_row = np.concatenate([p["parent_row"] for p in parts])
        names = set.intersection(*(set(p["columns"]) for p in parts))
        self.columns = {name: np.concatenate([p["columns"][name] for p in parts]) for name in names}


def _number(scenes: SceneBatch) -> SceneBatch:
    """Give each node its id: by scene, then depth, then kind, then the order of drawing."""
    tables = scenes.tables
    scene = np.concatenate([t.scene for t in tables.values()])
    depth = np.concatenate([t.depth for t in tables.values()])
    order = np.lexsort((depth, scene))  # stable, so kinds and rows keep their order
    first = np.searchsorted(scene[order], np.arange(len(scenes)))
    number = np.empty(len(scene), np.int64)
    number[order] = np.arange(len(scene)) - first[scene[order]]
    edges = np.cumsum([len(t) for t in tables.values()])[:-1]
    ids = np.split(number, edges)
    return replace(scenes, tables={kind: replace(table, id=part)
                                   for (kind, table), part in zip(tables.items(), ids, strict=True)})


def _draw(attribute: Attribute, view: View, u: Array, move: Any) -> tuple[Array, Unit | None]:
    """Values of one attribute [n] and, where it is learned, its Unit. move None leaves the prior's value exactly."""
    prior = _resolve(attribute, view)
    values = prior.quantile(u)
    if not attribute.learned:
        return values, None
    if isinstance(prior, Choice):
        return (values if move is None else np.asarray(prior.options)[np.asarray(move)]), None
    if prior.circular:
        unit, low, high = (values + 180.0) / 360.0, np.full(len(u), -180.0), np.full(len(u), 180.0)
        moved = values if move is None else low + ((unit + move) % 1.0) * 360.0
        return moved, Unit(unit, low, high)
    low, high = (np.broadcast_to(np.asarray(b, float), u.shape) for b in (attribute.bounds or prior.bounds))
    if prior.discrete:
        whole = prior.quantile(u)
        span = high - low + 1
        # A whole number is a bin of the unit interval; the draw's own place in its bin keeps the map smooth.
        unit = (whole - low + (u * span) % 1.0) / span
        moved = whole if move is None else low + np.minimum(np.floor(fold(unit + move) * span), span - 1)
        return moved.astype(np.int64), Unit(unit, low, high)
    values = np.clip(values, low, high)
    unit = (values - low) / (high - low)
    return (values if move is None else low + fold(unit + move) * (high - low)), Unit(unit, low, high)


def _resolve(attribute: Attribute, view: View) -> Prior:
    if isinstance(attribute.prior, Prior):
        return attribute.prior
    where = f"{attribute.kind}.{attribute.name}"
    try:
        prior = as_prior(attribute.prior(view))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ValueError(f"the conditional prior of {where} failed: {text}") from error
    if not isinstance(prior, Prior):
        raise ValueError(f"the conditional prior of {where} must return a prior, got a function")
    if attribute.learned and isinstance(prior, Choice):
        raise ValueError(f"{where}: a learned choice needs the same options for every node; make it a plain Choice")
    if attribute.learned:
        check_learnable(prior, attribute.bounds)
    return prior


def _attribute(kind: str, name: str, value: Any) -> Attribute:
    where = f"{kind}.{name}"
    if not name.isidentifier() or name.startswith("_") or name in RESERVED:
        raise ValueError(f"{where}: an attribute's name must be a Python name without leading underscore, and none of "
                         f"{sorted(RESERVED)}")
    try:
        if isinstance(value, Learned):
            return Attribute(kind, name, value.prior, True, value.bounds)
        return Attribute(kind, name, as_prior(value), False, None)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None


RESERVED = {"id", "kind", "parent", "values", "rng", "batch", "row", "rule", "scene", "node"}


def _add_count(parsed: dict[str, dict[str, Attribute]], rule: Rule, child: Repeat) -> None:
    where = f"rule {rule.head} -> {rule._names()}"
    attribute = _attribute(rule.head, child.name, child.count)
    prior = attribute.prior
    if not isinstance(prior, Prior):
        raise ValueError(f"{where}: the count of a repeat must be a prior of its own, not a function of the node")
    whole = prior.discrete and not isinstance(prior, Choice)
    if isinstance(prior, Constant):
        whole = isinstance(prior.value, (int, np.integer)) or float(prior.value).is_integer()
        prior = _integer(prior)
    low = (attribute.bounds or prior.bounds)[0]
    if not whole or low < 0:
        raise ValueError(f"{where}: the count of a repeat must be whole numbers >= 0, got {child.count}")
    if child.name in parsed[rule.head] and parsed[rule.head][child.name] != replace(attribute, prior=prior, count=True):
        raise ValueError(f"{where}: {rule.head} already has an attribute {child.name}; repeats of the same child need "
                         "the same count")
    parsed[rule.head][child.name] = replace(attribute, prior=prior, count=True)


def _integer(prior: Constant) -> Prior:
    """A constant count as an Integer prior of one value."""
    return Integer(int(prior.value), int(prior.value))


def _check_names(grammar: Grammar) -> None:
    if grammar.start not in grammar.symbols:
        raise ValueError(f"start {grammar.start!r} is not among the symbols {list(grammar.symbols)}")
    known = set(grammar.symbols)
    for rule in grammar.rules:
        for name in [rule.head] + [c if isinstance(c, str) else c.child for c in rule.children]:
            if name not in known:
                raise ValueError(f"rule {rule.head} -> {rule._names()} uses {name!r}, which is not among the symbols "
                                 f"{sorted(known)}; add it to symbols (with {{}} if it has no attributes)")
    for kind in known:
        rules = grammar.rules_of(kind)
        if rules and sum(rule.weight for rule in rules) <= 0:
            raise ValueError(f"the rules of {kind} have no positive weight")


def _check_ends(grammar: Grammar) -> None:
    """A branching process ends with certainty, and in finite mean time, iff the spectral radius of its mean is < 1."""
    kinds = {kind: i for i, kind in enumerate(grammar.kinds)}
    mean = np.zeros((len(kinds), len(kinds)))
    for kind, i in kinds.items():
        rules = grammar.rules_of(kind)
        for rule, p in zip(rules, grammar.rule_probabilities(kind) if rules else (), strict=True):
            for child in rule.children:
                name = child if isinstance(child, str) else child.child
                mean[i, kinds[name]] += p * (1.0 if isinstance(child, str) else _mean_count(grammar, kind, child))
    radius = max(abs(np.linalg.eigvals(mean)), default=0.0)
    if radius >= 1 - 1e-9:
        cycle = [kind for kind, i in kinds.items() if np.linalg.matrix_power(mean + 0.0, len(kinds))[i].sum() > 0]
        raise ValueError(f"the grammar never ends: {cycle} lead back to themselves with {radius:.2f} children of their "
                         "own kind on average, and it must be below 1; lower the weight of those rules")


def _mean_count(grammar: Grammar, kind: str, child: Repeat) -> float:
    prior = grammar.attributes[kind][child.name].prior
    assert isinstance(prior, Prior)
    return float(np.mean(prior.quantile((np.arange(256) + 0.5) / 256)))


def _indices(indices: Any) -> Ints:
    index = np.arange(indices) if np.ndim(indices) == 0 else np.asarray(indices)
    if index.dtype.kind not in "iu" or (index.size and index.min() < 0):
        raise ValueError(f"scene indices must be whole numbers >= 0, got {indices}")
    return index.astype(np.int64)


def _at(move: Any, rows: slice) -> Any:
    return None if move is None else np.asarray(move)[rows]


def _put(column: Array, rows: slice, values: Array) -> Array:
    """column with values in rows; strings may need room."""
    out = column.astype(np.promote_types(column.dtype, values.dtype))
    out[rows] = values
    return out


def _describe(attribute: Attribute) -> str:
    prior = attribute.prior
    if isinstance(prior, Prior):
        text = repr(prior)
    else:
        code = getattr(prior, "__code__", None)
        inner = [c.co_code.hex() if hasattr(c, "co_code") else c for c in code.co_consts] if code else []
        text = f"function {code.co_code.hex()} {inner} {code.co_names}" if code else repr(prior)
    return f"{'learned ' if attribute.learned else ''}{text}{f' in {attribute.bounds}' if attribute.bounds else ''}"
