"""Production rules, and the derivation of scenes by them.

Scenes are derived level by level, many at once: all nodes of one kind and depth, a group, are sampled in a few array
operations. Legend: S scenes; n nodes of a group.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np

from scenefit.scenes.arguments import brief, check_argument, is_finite
from scenefit.scenes.attributes import Array, Attribute, Key, NodeGroup, View, draw, parse_count
from scenefit.scenes.priors import pick
from scenefit.scenes.rng import fold_in, name_hash, scene_address, uniform
from scenefit.scenes.scene import Ints, SceneBatch, Table

MAX_NODES = 100_000  # in one scene; a grammar that makes more is refused as endless
MAX_DEPTH = 200

Offsets = Mapping[Key, Any]  # what to add to an attribute, in units of its bounds
Decide = Callable[[NodeGroup], Mapping[str, Array]]  # of a group to be sampled: name -> values [n]; "rule" -> rules [n]


@dataclass(frozen=True)
class Repeat:
    """`count` children of one kind; count is an Integer prior, possibly learned, or a number."""

    child: str
    count: Any

    @property
    def name(self) -> str:
        """The attribute of the head that holds the drawn count."""
        return f"n_{self.child}"

    def __str__(self) -> str:
        return f"repeat({self.child})"


def repeat(child: str, count: Any) -> Repeat:
    """`count` children of one kind in a rule; count is an Integer prior, possibly learned, or a whole number.

    ValueError for anything else.
    """
    check_argument("repeat(child, count)", "child", child, isinstance(child, str), "the name of a kind, such as 'coin'")
    try:
        parse_count(child, "count", count)
    except (TypeError, ValueError) as error:
        raise ValueError(f"repeat({child!r}, count): {error}") from None
    return Repeat(child, count)


@dataclass(frozen=True)
class Rule:
    """head -> children with a weight. A head with several rules draws one; learned: fitting may change the odds.

    TypeError unless children is a list of kinds and repeats; ValueError unless weight >= 0.
    """

    head: str
    children: Sequence[str | Repeat]
    weight: float = 1.0
    learned: bool = False

    def __post_init__(self) -> None:
        check_argument("Rule(head, children, weight)", "head", self.head, isinstance(self.head, str),
                       "the name of a kind, such as 'table'")
        given, fix = self.children, f"; write [{self.children!r}]" if isinstance(self.children, str | Repeat) else ""
        listed = isinstance(given, Iterable) and not isinstance(given, str | Mapping | Set)
        children = tuple(given) if listed else (None,)
        if not all(isinstance(c, str | Repeat) for c in children):
            raise TypeError(f"rule {self.head}: its children must be a list of kinds and repeats, got {given!r}{fix}")
        object.__setattr__(self, "children", children)
        if not (is_finite(self.weight) and self.weight >= 0):
            fix = f" (learned={self.weight} is an argument of its own)" if isinstance(self.weight, bool) else ""
            raise ValueError(f"rule {self}: its weight must be a finite number >= 0, got "
                             f"{brief(self.weight)}{fix}")

    @property
    def child_kinds(self) -> tuple[str, ...]:
        """The kinds of the children, those of repeats too."""
        return tuple(child if isinstance(child, str) else child.child for child in self.children)

    def __str__(self) -> str:
        return f"{self.head} -> [{', '.join(str(child) for child in self.children)}]"


@dataclass(eq=False)
class Derivation:
    """One derivation of a batch, in progress.

    attributes, rules, odds: of each kind; odds are the probabilities of its rules, or a function of
    (all groups, the group in progress) that returns those of each node [n, rules].  offsets: of counts.
    decide: the values that it returns for a group replace sampled ones.
    groups: sampled so far, by kind and depth.  total: nodes of each scene [S].
    """

    start: str
    attributes: Mapping[str, Mapping[str, Attribute]]
    rules: Mapping[str, Sequence[Rule]]
    odds: Mapping[str, Any]
    offsets: Offsets
    seed: int
    index: Ints
    decide: Decide | None = None
    groups: dict[tuple[str, int], NodeGroup] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kinds = tuple(self.attributes)
        self.sizes = dict.fromkeys(self.kinds, 0)
        self.total = np.zeros(len(self.index), np.int64)

    def derive(self) -> SceneBatch:
        """ValueError if a scene grows without end."""
        count = len(self.index)
        nothing = np.full(count, -1)
        address = fold_in(scene_address(self.seed, self.index), name_hash(self.start))
        level = {self.start: [{"scene": np.arange(count), "parent_kind": nothing, "parent_row": nothing,
                               "address": address}]}
        self._add(level[self.start][0]["scene"], np.ones(count, np.int64), 0)
        for depth in range(MAX_DEPTH + 1):
            following: dict[str, list[dict[str, Array]]] = {}
            for kind in [k for k in self.kinds if k in level]:
                columns = {key: np.concatenate([part[key] for part in level[kind]]) for key in level[kind][0]}
                group = self._draw(kind, depth, columns)
                for child, part in self._children(group):
                    following.setdefault(child, []).append(part)
            if not following:
                break
            level = following
        else:
            self._endless(depth + 1)
        return self._finish()

    def _draw(self, kind: str, depth: int, columns: dict[str, Array]) -> NodeGroup:
        """The attributes and the rule of every node of a group."""
        n = len(columns["scene"])
        group = NodeGroup(kind, depth, self.sizes[kind], columns["scene"], columns["parent_kind"],
                          columns["parent_row"], columns["address"], np.full(n, -1))
        self.sizes[kind] += n
        self.groups[kind, depth] = group
        decided = self.decide(group) if self.decide else {}
        view = View(self.kinds, self.groups, group)
        for attribute in self.attributes[kind].values():
            if attribute.name in decided:
                group.columns[attribute.name] = decided[attribute.name]
                continue
            offset = self.offsets.get(attribute.key) if attribute.count else None
            if callable(offset):
                offset = offset(self.groups, group)
            group.columns[attribute.name], _ = draw(attribute, view, uniform(group.address, attribute.name), offset)
        if "rule" in decided:
            group.rule = decided["rule"]
        elif self.rules[kind]:
            odds = self.odds[kind]
            odds = odds(self.groups, group) if callable(odds) else odds
            group.rule = pick(odds, uniform(group.address, "rule")).astype(np.int64)
        return group

    def _children(self, group: NodeGroup) -> Iterator[tuple[str, dict[str, Array]]]:
        """(kind, columns) of each entry of each rule's right side."""
        for number, rule in enumerate(self.rules[group.kind]):
            rows = np.flatnonzero(group.rule == number)
            if len(rows) == 0:
                continue
            # The k-th child of a kind has the same address whatever other kinds the rule has.
            seen: dict[str, Ints] = {}
            for entry in rule.children:
                child = entry if isinstance(entry, str) else entry.child
                count = np.ones(len(rows), np.int64) if isinstance(entry, str) else group.columns[entry.name][rows]
                first = seen.get(child, np.zeros(len(rows), np.int64))
                seen[child] = first + count
                if count.any():
                    self._add(group.scene[rows], count, group.depth + 1)
                    yield child, self._new_children(group, rows, child, count, first)

    def _new_children(self, group: NodeGroup, rows: Ints, child: str, count: Ints, first: Ints) -> dict[str, Array]:
        """count [rows] children of each of these rows, numbered from first [rows]."""
        parent = np.repeat(rows, count)
        ordinal = np.arange(len(parent)) + np.repeat(first - np.cumsum(count) + count, count)
        return {"scene": group.scene[parent],
                "parent_kind": np.full(len(parent), self.kinds.index(group.kind)),
                "parent_row": group.start + parent,
                "address": fold_in(fold_in(group.address[parent], name_hash(child)), ordinal)}

    def _add(self, scene: Ints, count: Ints, depth: int) -> None:
        """Count new nodes before they are created."""
        self.total += np.bincount(scene, count, len(self.total)).astype(np.int64)
        if self.total.max(initial=0) > MAX_NODES:
            self._endless(depth)

    def _endless(self, depth: int) -> NoReturn:
        row = int(np.argmax(self.total))
        raise ValueError(
            f"scene {int(self.index[row])} of seed {self.seed} grew to {int(self.total[row])} nodes at depth {depth} "
            f"without an end ({MAX_NODES} nodes and depth {MAX_DEPTH} are allowed); lower the counts, or the "
            "weight of the rules that lead back to their own head")

    def _finish(self) -> SceneBatch:
        tables = {}
        for kind in self.kinds:
            parts = [group for group in self.groups.values() if group.kind == kind] or [self._empty(kind)]
            fields = {name: np.concatenate([getattr(group, name) for group in parts])
                      for name in ("scene", "parent_kind", "parent_row", "address", "rule")}
            depth = np.repeat([group.depth for group in parts], [len(group) for group in parts])
            tables[kind] = Table(id=np.zeros(len(depth), np.int64), depth=depth, columns=join_columns(parts), **fields)
        return _number(SceneBatch(int(self.seed), self.index, tables))

    def _empty(self, kind: str) -> NodeGroup:
        """No nodes, but columns of the right type (float for conditional priors)."""
        none = np.zeros(0, np.int64)
        group = NodeGroup(kind, 0, 0, none, none, none, none.astype(np.uint64), none)
        view = View(self.kinds, self.groups, group)
        for a in self.attributes[kind].values():
            group.columns[a.name] = np.zeros(0) if a.conditional else draw(a, view, np.zeros(0))[0]
        return group


def join_columns(groups: Sequence[NodeGroup]) -> dict[str, Array]:
    """The columns of one kind's groups, end to end."""
    return {name: np.concatenate([group.columns[name] for group in groups]) for name in groups[0].columns}


def node_groups(scenes: SceneBatch) -> dict[tuple[str, int], NodeGroup]:
    """The groups of a scene batch by kind and depth, parents before children; columns are its own, not copies."""
    found = {}
    for kind, table in scenes.tables.items():
        edges = np.flatnonzero(np.diff(table.depth, prepend=-1, append=MAX_DEPTH + 1))
        for start, stop in pairwise(edges.tolist()):
            rows, depth = slice(start, stop), int(table.depth[start])
            found[kind, depth] = NodeGroup(kind, depth, start, table.scene[rows], table.parent_kind[rows],
                                           table.parent_row[rows], table.address[rows], table.rule[rows],
                                           {name: column[rows] for name, column in table.columns.items()})
    return dict(sorted(found.items(), key=lambda item: item[0][1]))  # stable: kinds keep their order


def _number(scenes: SceneBatch) -> SceneBatch:
    """Give each node its id: by scene, then depth, then kind, then the order of sampling."""
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
