"""Production rules, and how scenes grow by them.

Scenes grow level by level, many at once: every node of one kind and depth, a slab, is drawn in a few array
operations. Legend: S scenes; n nodes of a slab.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np

from scenefit.scenes.attributes import Array, Attribute, Key, NodeGroup, View, draw
from scenefit.scenes.priors import pick
from scenefit.scenes.rng import fold_in, name_hash, scene_address, uniform
from scenefit.scenes.scene import Ints, SceneBatch, Table

MOST_NODES = 100_000  # in one scene; a grammar that makes more is taken to be endless
MOST_DEPTH = 200

Offsets = Mapping[Key, Any]  # what to add to an attribute, in units of its bounds
Decide = Callable[[NodeGroup], Mapping[str, Array]]  # of a slab to be drawn: name -> values [n]; "rule" -> rules [n]


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
    """`count` children of one kind in a rule; count is an Integer prior, possibly learned, or a number."""
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
        if isinstance(self.children, str | Repeat) or not all(isinstance(c, str | Repeat) for c in self.children):
            raise TypeError(f"rule {self.head}: its children must be a list of kinds and repeats, "
                            f"got {self.children!r}")
        object.__setattr__(self, "children", tuple(self.children))
        if not (np.isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"rule {self}: its weight must be a finite number >= 0, got {self.weight}")

    def __str__(self) -> str:
        return f"{self.head} -> [{', '.join(str(child) for child in self.children)}]"


@dataclass(eq=False)
class Derivation:
    """One sampling under way.

    attributes, rules, odds: of each kind; odds are the probabilities of its rules.  moves: of counts.
    decide: what it returns for a slab is taken instead of what would be drawn.
    level: the parts of the slabs to draw next, by kind.  slabs: those drawn, by kind and depth.
    total: nodes of each scene [S].
    """

    start: str
    attributes: Mapping[str, Mapping[str, Attribute]]
    rules: Mapping[str, Sequence[Rule]]
    odds: Mapping[str, Array]
    moves: Offsets
    seed: int
    index: Ints
    decide: Decide | None = None
    slabs: dict[tuple[str, int], NodeGroup] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kinds = tuple(self.attributes)
        self.sizes = dict.fromkeys(self.kinds, 0)
        self.total = np.zeros(len(self.index), np.int64)

    def grow(self) -> SceneBatch:
        """ValueError if a scene grows without end."""
        count = len(self.index)
        nothing = np.full(count, -1)
        address = fold_in(scene_address(self.seed, self.index), name_hash(self.start))
        level = {self.start: [{"scene": np.arange(count), "parent_kind": nothing, "parent_row": nothing,
                               "address": address}]}
        self._add(level[self.start][0]["scene"], np.ones(count, np.int64), 0)
        for depth in range(MOST_DEPTH + 1):
            following: dict[str, list[dict[str, Array]]] = {}
            for kind in [k for k in self.kinds if k in level]:
                columns = {key: np.concatenate([part[key] for part in level[kind]]) for key in level[kind][0]}
                slab = self._draw(kind, depth, columns)
                for child, part in self._children(slab):
                    following.setdefault(child, []).append(part)
            if not following:
                break
            level = following
        else:
            self._endless(depth + 1)
        return self._finish()

    def _draw(self, kind: str, depth: int, columns: dict[str, Array]) -> NodeGroup:
        """The attributes and the rule of every node of a slab."""
        n = len(columns["scene"])
        slab = NodeGroup(kind, depth, self.sizes[kind], columns["scene"], columns["parent_kind"], columns["parent_row"],
                         columns["address"], np.full(n, -1))
        self.sizes[kind] += n
        self.slabs[kind, depth] = slab
        decided = self.decide(slab) if self.decide else {}
        view = View(self.kinds, self.slabs, slab)
        for attribute in self.attributes[kind].values():
            if attribute.name in decided:
                slab.columns[attribute.name] = decided[attribute.name]
                continue
            move = self.moves.get(attribute.key) if attribute.count else None
            if callable(move):
                move = move(slab.address)
            slab.columns[attribute.name], _ = draw(attribute, view, uniform(slab.address, attribute.name), move)
        if "rule" in decided:
            slab.rule = decided["rule"]
        elif self.rules[kind]:
            slab.rule = pick(self.odds[kind], uniform(slab.address, "rule")).astype(np.int64)
        return slab

    def _children(self, slab: NodeGroup) -> Iterator[tuple[str, dict[str, Array]]]:
        """(kind, columns) of each entry of each rule's right side."""
        for number, rule in enumerate(self.rules[slab.kind]):
            rows = np.flatnonzero(slab.rule == number)
            if len(rows) == 0:
                continue
            # The k-th child of a kind keeps its address whatever kinds stand beside it.
            seen: dict[str, Ints] = {}
            for entry in rule.children:
                child = entry if isinstance(entry, str) else entry.child
                count = np.ones(len(rows), np.int64) if isinstance(entry, str) else slab.columns[entry.name][rows]
                first = seen.get(child, np.zeros(len(rows), np.int64))
                seen[child] = first + count
                if count.any():
                    self._add(slab.scene[rows], count, slab.depth + 1)
                    yield child, self._born(slab, rows, child, count, first)

    def _born(self, slab: NodeGroup, rows: Ints, child: str, count: Ints, first: Ints) -> dict[str, Array]:
        """count [rows] children of each of these rows, numbered from first [rows]."""
        parent = np.repeat(rows, count)
        ordinal = np.arange(len(parent)) + np.repeat(first - np.cumsum(count) + count, count)
        return {"scene": slab.scene[parent],
                "parent_kind": np.full(len(parent), self.kinds.index(slab.kind)),
                "parent_row": slab.start + parent,
                "address": fold_in(fold_in(slab.address[parent], name_hash(child)), ordinal)}

    def _add(self, scene: Ints, count: Ints, depth: int) -> None:
        """Count new nodes before they are made."""
        self.total += np.bincount(scene, count, len(self.total)).astype(np.int64)
        if self.total.max(initial=0) > MOST_NODES:
            self._endless(depth)

    def _endless(self, depth: int) -> NoReturn:
        row = int(np.argmax(self.total))
        raise ValueError(
            f"scene {int(self.index[row])} of seed {self.seed} grew to {int(self.total[row])} nodes at depth {depth} "
            f"without an end ({MOST_NODES} nodes and depth {MOST_DEPTH} are the most); lower the counts, or the "
            "weight of the rules that lead back to their own head")

    def _finish(self) -> SceneBatch:
        tables = {}
        for kind in self.kinds:
            parts = [slab for slab in self.slabs.values() if slab.kind == kind] or [self._empty(kind)]
            fields = {name: np.concatenate([getattr(slab, name) for slab in parts])
                      for name in ("scene", "parent_kind", "parent_row", "address", "rule")}
            depth = np.repeat([slab.depth for slab in parts], [len(slab) for slab in parts])
            tables[kind] = Table(id=np.zeros(len(depth), np.int64), depth=depth, columns=join_columns(parts), **fields)
        return _number(SceneBatch(int(self.seed), self.index, tables))

    def _empty(self, kind: str) -> NodeGroup:
        """No nodes, but columns of the right type (a conditional prior's is taken to be float)."""
        none = np.zeros(0, np.int64)
        slab = NodeGroup(kind, 0, 0, none, none, none, none.astype(np.uint64), none)
        view = View(self.kinds, self.slabs, slab)
        for a in self.attributes[kind].values():
            slab.columns[a.name] = np.zeros(0) if a.conditional else draw(a, view, np.zeros(0))[0]
        return slab


def join_columns(slabs: Sequence[NodeGroup]) -> dict[str, Array]:
    """The columns of one kind's slabs, end to end."""
    return {name: np.concatenate([slab.columns[name] for slab in slabs]) for name in slabs[0].columns}


def node_groups(scenes: SceneBatch) -> dict[tuple[str, int], NodeGroup]:
    """The slabs of a scene batch by kind and depth, parents before children; columns are its own, not copies."""
    found = {}
    for kind, table in scenes.tables.items():
        edges = np.flatnonzero(np.diff(table.depth, prepend=-1, append=MOST_DEPTH + 1))
        for start, stop in pairwise(edges.tolist()):
            rows, depth = slice(start, stop), int(table.depth[start])
            found[kind, depth] = NodeGroup(kind, depth, start, table.scene[rows], table.parent_kind[rows],
                                           table.parent_row[rows], table.address[rows], table.rule[rows],
                                           {name: column[rows] for name, column in table.columns.items()})
    return dict(sorted(found.items(), key=lambda item: item[0][1]))  # stable: kinds keep their order


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
