"""Scene graphs, held as columns.

A scene batch is one table for each kind of node; a single scene or node is a view of it. Legend: S scenes; n rows of
a table. Inside its scene a node has an id: the root is 0, parents come before their children, so an instance mask
holds the ids of what it shows and 0 for the rest.
"""

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.scenes.rng import Address, generator, scene_address

Ints = NDArray[np.int64]
N_NAMED = 12  # attributes that are named when a table or a node is printed


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """All nodes of one kind, sorted by depth. All arrays are [n].

    scene: row of the batch.  id: number inside the scene.  depth: 0 at the root.
    parent_kind, parent_row: the parent (index into the batch's kinds and row of that table; -1 at roots).
    address: key of the node's random numbers.  rule: the production rule it was expanded by, -1 if none.
    columns: attribute name -> values.
    """

    scene: Ints
    id: Ints
    depth: Ints
    parent_kind: Ints
    parent_row: Ints
    address: Address
    rule: Ints
    columns: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.scene)

    def __repr__(self) -> str:
        names, more = list(self.columns)[:N_NAMED], len(self.columns) - N_NAMED
        return f"Table({len(self)} nodes, {names}{f' and {more} more' if more > 0 else ''})"

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def _ipython_key_completions_(self) -> list[str]:
        """What a notebook completes after table[" with."""
        return list(self.columns)

    def __getitem__(self, name: str) -> Any:
        try:
            return self.columns[name]
        except KeyError:
            raise KeyError(f"no attribute {name!r} here; there are {sorted(self.columns)}") from None


@dataclass(frozen=True, eq=False, repr=False)
class SceneBatch:
    """Many scenes, identified by seed and index [S]. tables: kind -> Table."""

    seed: int
    index: Ints
    tables: Mapping[str, Table]

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return f"SceneBatch(seed={self.seed}, {len(self)} scenes, {self.node_count} nodes)"

    def __getitem__(self, row: int) -> "Scene":
        if not -len(self) <= row < len(self):
            raise IndexError(f"scene {row} of a batch of {len(self)}")
        return Scene(self, row % len(self))

    def __iter__(self) -> Iterator["Scene"]:
        return (Scene(self, row) for row in range(len(self)))

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self.tables)

    @cached_property
    def address(self) -> Address:
        """[S]"""
        return scene_address(self.seed, self.index)

    @property
    def node_count(self) -> int:
        return sum(len(table) for table in self.tables.values())

    def with_columns(self, columns: Mapping[str, Mapping[str, Any]]) -> "SceneBatch":
        """The same graphs with some columns replaced or added: kind -> name -> values [n]. ValueError if n differs."""
        for kind, several in columns.items():
            n = len(self._table(kind))
            for name, values in several.items():
                if len(values) != n:
                    raise ValueError(f"column {name} of {kind} needs {n} values, one for each node, got {len(values)}")
        tables = {kind: replace(table, columns={**table.columns, **columns.get(kind, {})})
                  for kind, table in self.tables.items()}
        return replace(self, tables=tables)

    def take(self, rows: Sequence[int] | Ints) -> "SceneBatch":
        """Some scenes of the batch, in the order of rows (numbers or a mask); each row at most once."""
        rows = rows_once(rows, len(self))
        new_row = np.full(len(self), -1, np.int64)
        new_row[rows] = np.arange(len(rows))
        keep = {kind: np.flatnonzero(new_row[table.scene] >= 0) for kind, table in self.tables.items()}
        moved = {}
        for kind, kept in keep.items():
            moved[kind] = np.full(len(self.tables[kind]), -1, np.int64)
            moved[kind][kept] = np.arange(len(kept))
        tables = {}
        for kind, table in self.tables.items():
            at = keep[kind]
            parent_kind, parent_row = table.parent_kind[at], table.parent_row[at].copy()
            for code, parent in enumerate(self.kinds):
                mine = parent_kind == code
                parent_row[mine] = moved[parent][parent_row[mine]]
            tables[kind] = Table(new_row[table.scene[at]], table.id[at], table.depth[at], parent_kind, parent_row,
                                 table.address[at], table.rule[at], {k: v[at] for k, v in table.columns.items()})
        return SceneBatch(self.seed, self.index[rows], tables)

    def rows(self) -> dict[str, NDArray[Any]]:
        """One row for each node, sorted by scene and id, as pandas.DataFrame and polars.DataFrame accept them.

        scene (its index), node, parent (a node of the scene, -1 at the root), kind, then one column for each
        attribute of any kind: float or string, NaN or "" where a kind does not have it; integer if it is in all kinds.
        """
        tables = self.tables.items()
        out = {"scene": np.concatenate([self.index[table.scene] for _, table in tables]),
               "node": np.concatenate([table.id for _, table in tables]),
               "parent": np.concatenate([self.parent_ids(kind) for kind, _ in tables]),
               "kind": np.concatenate([np.full(len(table), kind) for kind, table in tables])}
        for name in sorted({name for _, table in tables for name in table.columns}):
            out[name] = _stack([table.columns.get(name) for _, table in tables], [len(table) for _, table in tables])
        order = np.lexsort((out["node"], out["scene"]))
        return {name: column[order] for name, column in out.items()}

    @cached_property
    def _nodes_by_scene(self) -> tuple[Ints, Ints, Ints]:
        """All nodes by scene and id: kind code and row of each, and the first node of each scene [S + 1]."""
        sizes = [len(table) for table in self.tables.values()]
        scene = np.concatenate([table.scene for table in self.tables.values()])
        order = np.lexsort((np.concatenate([table.id for table in self.tables.values()]), scene))
        code = np.repeat(np.arange(len(sizes)), sizes)
        row = np.concatenate([np.arange(size) for size in sizes])
        return code[order], row[order], np.searchsorted(scene[order], np.arange(len(self) + 1))

    def _table(self, kind: str) -> Table:
        if kind not in self.tables:
            raise KeyError(f"no kind {kind!r} in these scenes; there are {list(self.tables)}")
        return self.tables[kind]

    def parent_ids(self, kind: str) -> Ints:
        """Id of the parent of each node of a kind [n], -1 at roots."""
        table = self._table(kind)
        out = np.full(len(table), -1, np.int64)
        for code, parent in enumerate(self.kinds):
            mine = table.parent_kind == code
            out[mine] = self.tables[parent].id[table.parent_row[mine]]
        return out


@dataclass(frozen=True, repr=False)
class Node:
    """A view of one node: node.x or node["x"], node.kind, node.id, node.parent (None at the root)."""

    batch: SceneBatch = field(repr=False)
    kind: str
    row: int

    @property
    def id(self) -> int:
        return int(self.batch.tables[self.kind].id[self.row])

    @property
    def parent(self) -> "Node | None":
        table = self.batch.tables[self.kind]
        if table.parent_kind[self.row] < 0:
            return None
        return Node(self.batch, self.batch.kinds[table.parent_kind[self.row]], int(table.parent_row[self.row]))

    @property
    def values(self) -> dict[str, Any]:
        return {name: self[name] for name in self.batch.tables[self.kind].columns}

    def __getitem__(self, name: str) -> Any:
        value = self.batch.tables[self.kind][name][self.row]
        return value.item() if isinstance(value, np.generic) else value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(f"{self.kind}: {error.args[0]}") from None

    def __repr__(self) -> str:
        names = list(self.batch.tables[self.kind].columns)
        shown = [f"{name}={self[name]:.4g}" if isinstance(self[name], float) else f"{name}={self[name]!r}"
                 for name in names[:N_NAMED]]
        more = [f"{len(names) - N_NAMED} more"] if len(names) > N_NAMED else []
        return f"Node({', '.join([f'{self.kind!r}, id={self.id}', *shown, *more])})"

    def __dir__(self) -> list[str]:
        """Its attributes, and what every node has: what editors and notebooks complete."""
        return [*self.batch.tables[self.kind].columns, "id", "kind", "parent", "values", "rng"]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.batch.tables[self.kind].columns)

    def rng(self, name: str) -> np.random.Generator:
        """Random numbers that belong to this node."""
        return generator(self.batch.tables[self.kind].address[self.row], name)


@dataclass(frozen=True, repr=False)
class Scene:
    """A view of one scene of a batch."""

    batch: SceneBatch
    row: int

    def __repr__(self) -> str:
        counts = {kind: int((table.scene == self.row).sum()) for kind, table in self.batch.tables.items()}
        return f"Scene({self.index} of seed {self.seed}{''.join(f', {n} {kind}' for kind, n in counts.items() if n)})"

    @property
    def seed(self) -> int:
        return self.batch.seed

    @property
    def index(self) -> int:
        return int(self.batch.index[self.row])

    @cached_property
    def nodes(self) -> list[Node]:
        """By id: the root first, parents before children."""
        code, row, start = self.batch._nodes_by_scene
        mine, kinds = slice(start[self.row], start[self.row + 1]), self.batch.kinds
        return [Node(self.batch, kinds[k], r) for k, r in zip(code[mine].tolist(), row[mine].tolist(), strict=True)]

    @property
    def root(self) -> Node:
        return self.nodes[0]

    def of(self, kind: str) -> list[Node]:
        """The nodes of one kind, by id."""
        self.batch._table(kind)
        return [node for node in self.nodes if node.kind == kind]

    def rng(self, name: str) -> np.random.Generator:
        """Random numbers that belong to this scene, e.g. for a renderer's noise."""
        return generator(self.batch.address[self.row], name)


def row_numbers(rows: Any, n: int) -> Ints:
    """Rows of n, given as numbers (from the end if negative) or as a mask [n], as numbers >= 0. IndexError for rows
    outside."""
    rows = np.asarray(rows)
    return np.arange(n)[rows if rows.size or rows.dtype == bool else rows.astype(np.int64)]


def rows_of(key: Any, n: int) -> Ints:
    """Rows of n by what stands in square brackets: a number, a slice, numbers or a mask. IndexError for rows outside,
    also the one that ends a loop."""
    if isinstance(key, slice):
        return np.arange(n)[key]
    if np.ndim(key) == 0:
        key = operator.index(key)
        if not -n <= key < n:
            raise IndexError(f"{key} of {n}: the numbers are 0 to {n - 1}" if n else f"{key} of none")
        return np.array([key % n])
    return row_numbers(key, n)


def rows_once(rows: Any, n: int) -> Ints:
    """The same; ValueError for a row twice."""
    rows = row_numbers(rows, n)
    if len(np.unique(rows)) != len(rows):
        raise ValueError("take needs each row at most once")
    return rows


def _stack(parts: list[Any], sizes: list[int]) -> NDArray[Any]:
    """Columns of several tables end to end; NaN, or "" for strings, for a table that lacks the column."""
    text = any(part is not None and part.dtype.kind in "US" for part in parts)
    whole = not text and all(part is not None and part.dtype.kind in "iu" for part in parts)
    fill: Any = "" if text else np.nan
    filled = [np.full(size, fill) if part is None else part for part, size in zip(parts, sizes, strict=True)]
    if text:
        return np.concatenate([np.asarray(part).astype(str) for part in filled])
    return np.concatenate([part.astype(np.int64 if whole else np.float64) for part in filled])
