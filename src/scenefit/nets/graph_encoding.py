"""Scene batches as graph tensors, the inputs of the graph network; and the context of single nodes.

Legend: n nodes of a kind or a group; N nodes of all kinds, kind after kind; S scenes; d input columns of a kind; F
inputs of a context.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scenefit.scenes.attributes import Attribute, NodeGroup, View
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.rules import RULE
from scenefit.scenes.priors import Choice, Constant
from scenefit.scenes.scene import SceneBatch

REFERENCE = 256  # scenes whose spread sets the scale of each input


@dataclass(frozen=True, eq=False)
class Graph:
    """inputs: kind -> [n, d].  parent [N]: row of the parent among all N, the node itself at roots.  scene [N]."""

    inputs: Mapping[str, Tensor]
    parent: Tensor
    scene: Tensor
    scenes: int


@dataclass(frozen=True)
class Column:
    """How one attribute is encoded: "number" (centre, scale), "angle" (sin and cos) or "choice" (one-hot)."""

    name: str
    form: str
    centre: float = 0.0
    scale: float = 1.0
    prior: Choice | None = None

    @property
    def width(self) -> int:
        if self.prior is not None:
            return len(self.prior.options)
        return 2 if self.form == "angle" else 1


def columns(grammar: Grammar) -> dict[str, tuple[Column, ...]]:
    """The encoded attributes of each kind, numbers scaled by their mean and spread in a fixed sample of the grammar."""
    sample = grammar.sample(0, REFERENCE)
    return {kind: tuple(c for a in attributes.values() if (c := _column(a, sample.tables[kind][a.name])))
            for kind, attributes in grammar.attributes.items()}


def encode(scenes: SceneBatch, columns: Mapping[str, tuple[Column, ...]]) -> Graph:
    """Graph tensors of a scene batch, float32."""
    inputs, parent, scene = {}, [], []
    sizes = [len(table) for table in scenes.tables.values()]
    first = np.concatenate([[0], np.cumsum(sizes)])
    for number, (kind, table) in enumerate(scenes.tables.items()):
        blocks = [_block(column, np.asarray(table[column.name])) for column in columns[kind]]
        block = np.concatenate([np.ones((len(table), 1)), *blocks], axis=1)
        inputs[kind] = torch.from_numpy(block.astype(np.float32))
        own = first[number] + np.arange(len(table))
        parent.append(np.where(table.parent_kind < 0, own, first[table.parent_kind] + table.parent_row))
        scene.append(table.scene)
    return Graph(inputs, torch.from_numpy(np.concatenate(parent)), torch.from_numpy(np.concatenate(scene)),
                 len(scenes))


def outputs_by_chunk(network: Callable[[Mapping[str, Tensor], Tensor], Mapping[str, Tensor]], scenes: SceneBatch,
                     columns: Mapping[str, tuple[Column, ...]], chunk: int) -> dict[str, Tensor]:
    """A graph network's outputs for each kind [n, outputs], computed for this many scenes at a time."""
    graphs = (encode(scenes.take(range(at, at + chunk)), columns) for at in range(0, len(scenes), chunk))
    parts = [network(graph.inputs, graph.parent) for graph in graphs]
    out = {}
    for kind, table in scenes.tables.items():
        joined = torch.cat([part[kind] for part in parts])
        order = np.argsort(table.scene // chunk, kind="stable")  # rows as the chunks held them
        out[kind] = joined[torch.from_numpy(np.argsort(order, kind="stable"))]
    return out


class Contexts:
    """What an attribute may depend on, as inputs [n, F] of each node of a group: its number among its siblings, its own
    attributes, and, for each kind that can be above it, whether there is one, and the same of the nearest.

    One object serves one batch of scenes, whose groups may be in progress (`Grammar.decode`): attributes of ancestors
    are final then, and those of the node itself as far as `inputs_of` says.
    """

    def __init__(self, grammar: Grammar, columns: Mapping[str, tuple[Column, ...]]):
        self.grammar, self.columns, self.above = grammar, columns, ancestor_kinds(grammar)
        self._above: dict[tuple[str, int], np.ndarray] = {}

    def width(self, kind: str) -> int:
        """F of a kind."""
        return 1 + _width(self.columns[kind]) + sum(2 + _width(self.columns[above]) for above in self.above[kind])

    def inputs_of(self, a: Attribute) -> np.ndarray:
        """Which inputs [F] attribute a, or a kind's `rule_choice`, may use: those that are final before it is drawn.
        Learning leaves some as they are; counts and rules come first, from the root down; then all others, from the
        root down and in order."""
        names, structure = [*self.grammar.attributes[a.kind], RULE], a.count or a.name == RULE
        use, at = np.ones(self.width(a.kind), bool), 1
        for kind in (None, *self.above[a.kind]):  # None: the node itself
            at += 0 if kind is None else 2
            for column in self.columns[kind or a.kind]:
                other = self.grammar.attributes[kind or a.kind][column.name]
                before = kind is not None or names.index(other.name) < names.index(a.name)
                final = not (other.learned or other.conditional)
                counted = other.count and (before or not structure)
                use[at:at + column.width] = final or counted or (before and not structure)
                at += column.width
        return use

    def of(self, groups: Mapping[tuple[str, int], NodeGroup], group: NodeGroup) -> np.ndarray:
        """Inputs [n, F] of a group among the groups of its scenes."""
        key = group.kind, group.depth
        if key not in self._above:
            self._above[key] = self._of_ancestors(groups, group)
        return np.concatenate([self._own(groups, group), self._above[key]], axis=1)

    def _own(self, groups: Mapping[tuple[str, int], NodeGroup], group: NodeGroup) -> np.ndarray:
        number = np.log1p(View(self.grammar.kinds, groups, group).number)
        blocks = [_block(column, np.asarray(group.columns[column.name])) if column.name in group.columns
                  else np.zeros((len(group), column.width)) for column in self.columns[group.kind]]
        return np.concatenate([number[:, None], *blocks], axis=1)

    def _of_ancestors(self, groups: Mapping[tuple[str, int], NodeGroup], group: NodeGroup) -> np.ndarray:
        parts = {kind: np.zeros((len(group), 2 + _width(self.columns[kind]))) for kind in self.above[group.kind]}
        for kind, rows, at, above in _ancestors(groups, self.grammar.kinds, group):
            new = parts[kind][rows, 0] == 0  # not yet a nearer one of this kind
            parts[kind][rows[new], 0] = 1
            parts[kind][rows[new], 1:] = self._own(groups, above)[at[new]]
        return np.concatenate([np.zeros((len(group), 0)), *parts.values()], axis=1)


def ancestor_kinds(grammar: Grammar) -> dict[str, tuple[str, ...]]:
    """The kinds that can be above each kind."""
    above: dict[str, set[str]] = {kind: set() for kind in grammar.kinds}
    for _ in grammar.kinds:
        for rule in grammar.rules:
            for child in rule.child_kinds:
                above[child] |= {rule.head, *above[rule.head]}
    return {kind: tuple(k for k in grammar.kinds if k in several) for kind, several in above.items()}


def _ancestors(groups: Mapping[tuple[str, int], NodeGroup], kinds: tuple[str, ...],
               group: NodeGroup) -> Iterator[tuple[str, np.ndarray, np.ndarray, NodeGroup]]:
    """The ancestors of a group's nodes from their parents up: (kind, rows of the group, their ancestors' rows in the
    group above, that group)."""
    rows, kind, row = np.arange(len(group)), group.parent_kind, group.parent_row
    for depth in range(group.depth - 1, -1, -1):
        next_kind, next_row = np.empty_like(kind), np.empty_like(row)
        for code in np.unique(kind):
            mine, above = np.flatnonzero(kind == code), groups[kinds[code], depth]
            at = row[mine] - above.start
            next_kind[mine], next_row[mine] = above.parent_kind[at], above.parent_row[at]
            yield kinds[code], rows[mine], at, above
        kind, row = next_kind, next_row


def _width(columns: tuple[Column, ...]) -> int:
    return sum(column.width for column in columns)


def _column(a: Attribute, values: np.ndarray) -> Column | None:
    """None for uninformative attributes: constants, text that depends on other attributes, kinds without a sample."""
    if a.form == "choice":
        return Column(a.name, "choice", prior=a.choice)
    if isinstance(a.prior, Constant) or values.dtype.kind in "US" or len(values) == 0:
        return None
    if a.form == "angle":
        return Column(a.name, "angle")
    spread = float(np.std(values))
    return Column(a.name, "number", float(np.mean(values)), spread if spread > 0 else 1.0)


def _block(column: Column, values: np.ndarray) -> np.ndarray:
    """[n, width]"""
    if column.prior is not None:
        return np.eye(column.width)[column.prior.codes(values)].reshape(len(values), column.width)
    if column.form == "angle":
        turn = np.deg2rad(values.astype(float))
        return np.stack([np.sin(turn), np.cos(turn)], axis=1)
    return np.clip((values[:, None].astype(float) - column.centre) / column.scale, -5, 5)
