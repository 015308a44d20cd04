"""Scene batches as graph tensors, the inputs of the graph network.

Legend: n nodes of a kind; N nodes of all kinds, kind after kind; S scenes; d input columns of a kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar
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
