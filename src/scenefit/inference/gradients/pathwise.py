"""The pathwise gradient, for renderers that are differentiable in the scene's columns.

Conditional priors are functions of numpy columns, so their slopes are taken by central differences of the decoding,
which costs no render.

Legend: n nodes of a kind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenefit.inference.gradients.estimate import Estimate, is_differentiable, non_differentiable, perturbed, score_term
from scenefit.metrics.features import in_steps
from scenefit.metrics.objective import Objective
from scenefit.nets.edit import Edit
from scenefit.renderers import GrammarMismatch, Renderer, RenderError, RendererTypeError, renderer_info, renderer_name
from scenefit.renderers.batches import scenes_at_once
from scenefit.scenes.attributes import Attribute, Key, NormalisedValues, moved
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.derivation import node_groups
from scenefit.scenes.grammar.positions import JointPosition
from scenefit.scenes.priors import wrap
from scenefit.scenes.scene import Ints, SceneBatch

NUDGE = 1e-4  # of the bounds


def pathwise(grammar: Grammar, renderer: Renderer, edit: Edit, objective: Objective, seed: int) -> Estimate:
    """TypeError if the renderer's info has no `draw`, or one without gradients; RenderError if what it returns does
    not fit."""
    draw = renderer_info(renderer).draw
    if draw is None:
        raise TypeError(f"{renderer} has no info.draw(scenes) -> torch images, which pathwise gradients need; "
                        'use gradient="spsa" or "score-function"')
    needed = any(is_differentiable(a) and len(edit.offsets[a.key]) for a in grammar.learned)
    drawing = _Drawing(renderer, draw, objective, needed)
    scenes, count = attach(grammar, edit), scenes_at_once(drawing.size(edit.scenes))
    if len(scenes) <= count:
        features = objective.extractor(drawing.images(scenes))
        loss = surrogate = objective.loss_of(features)
    else:
        loss, surrogate, features = _by_chunks(drawing, scenes, count)
    keys = non_differentiable(grammar)
    if keys:
        surrogate = surrogate + score_term(edit, keys, objective.witness_of(features.detach()))
    return Estimate(float(loss.detach()), surrogate, len(scenes))


@dataclass(frozen=True, eq=False)
class _Drawing:
    """draw: of the renderer's info.  needed: its images have to have a gradient."""

    renderer: Renderer
    draw: Callable[[SceneBatch], Tensor]
    objective: Objective
    needed: bool

    def images(self, scenes: SceneBatch) -> Tensor:
        """[S, 3, H, W]. RenderError, RendererTypeError."""
        images = _check(self._drawn(scenes), self.renderer, scenes)
        if self.needed and torch.is_grad_enabled() and not images.requires_grad:
            raise RendererTypeError(f"{renderer_name(self.renderer)}.draw returned images without a gradient; use "
                                    "torch operations on the columns of the scenes, or "
                                    'gradient="score-function"')
        return images

    @torch.no_grad()
    def size(self, scenes: SceneBatch) -> tuple[int, int]:
        """(height, width) of the images."""
        size = renderer_info(self.renderer).size
        if size is None:
            shape = self.images(scenes.take([0])).shape
            size = shape[2], shape[3]
        return size

    def _drawn(self, scenes: SceneBatch) -> Any:
        try:
            return self.draw(scenes)
        except (RenderError, GrammarMismatch):
            raise
        except Exception as error:
            raise RenderError(f"{renderer_name(self.renderer)}.draw raised {type(error).__name__}: {error}",
                              scenes.seed, scenes.index, scenes) from error


def _by_chunks(drawing: _Drawing, scenes: SceneBatch, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, a surrogate with its gradient, and the images' features [S, F], of more scenes than are drawn at once.

    They are drawn twice: first for the features, which the loss depends on together, then, with a gradient, chunk by
    chunk, each with its part of the loss's gradient.
    """
    step = in_steps(drawing.objective.extractor)
    parts = np.array_split(np.arange(len(scenes)), -(-len(scenes) // count))
    with torch.no_grad():
        inputs = torch.cat([step.reduce(drawing.images(scenes.take(rows))) for rows in parts])
    leaf = inputs.requires_grad_(True)
    features = step.rest(leaf)
    loss = drawing.objective.loss_of(features)
    (by_input,) = torch.autograd.grad(loss, leaf)
    columns = {(kind, name): values for kind, table in scenes.tables.items() for name, values in table.columns.items()
               if isinstance(values, Tensor) and values.requires_grad}
    gradient = {key: torch.zeros_like(values) for key, values in columns.items()}
    for rows in parts:
        at = {kind: torch.from_numpy(np.flatnonzero(np.isin(table.scene, rows)))
              for kind, table in scenes.tables.items()}
        leaves = {key: values.detach()[at[key[0]]].requires_grad_(True) for key, values in columns.items()}
        grouped: dict[str, dict[str, Any]] = {}
        for (kind, name), values in leaves.items():
            grouped.setdefault(kind, {})[name] = values
        images = drawing.images(scenes.take(rows).with_columns(grouped))
        found = torch.autograd.grad(step.reduce(images), list(leaves.values()), by_input[rows[0]:rows[-1] + 1],
                                    allow_unused=True)
        for key, values in zip(leaves, found, strict=True):
            if values is not None:
                gradient[key][at[key[0]]] = values
    surrogate = sum(((values * gradient[key]).sum() for key, values in columns.items()), torch.zeros(()))
    return loss, surrogate, features


def _check(images: Any, renderer: Renderer, scenes: SceneBatch) -> Tensor:
    """images, if they are what draw(scenes) has to return; else RenderError."""
    name, reason, size = f"{renderer_name(renderer)}.draw", "", renderer_info(renderer).size
    if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[:2] != (len(scenes), 3):
        got = list(images.shape) if isinstance(images, Tensor) else type(images).__name__
        reason = f"must return a tensor [{len(scenes)}, 3, H, W], got {got}"
    elif size is not None and tuple(size) != images.shape[2:]:
        reason = f"returned images of {tuple(images.shape[2:])}, but its info.size is {tuple(size)} (height, width)"
    elif not bool(images.isfinite().all()):
        scenes = scenes.take(np.flatnonzero(~images.detach().isfinite().flatten(1).all(1).cpu().numpy()))
        reason = "returned NaN or infinity"
    if reason:
        raise RenderError(f"{name} {reason}", scenes.seed, scenes.index, scenes)
    return images.cpu()


def attach(grammar: Grammar, edit: Edit) -> SceneBatch:
    """The edit's scenes, with the columns that depend on its offsets as tensors [n], float32, with gradient."""
    columns: dict[Key, Tensor] = {}
    for a in grammar.learned:
        if is_differentiable(a):
            slope = _own_slope(a, edit.normalised[a.key], edit.offsets[a.key].detach().numpy())
            columns[a.key] = _along(_value(edit, a.key), slope, edit.offsets[a.key])
    conditional = [a.key for attributes in grammar.attributes.values() for a in attributes.values()
                   if a.conditional and _is_number(edit, a.key)]
    if conditional:
        for source in (a for a in grammar.learned if is_differentiable(a)):
            _through_parents(grammar, edit, source, conditional, columns)
    grouped: dict[str, dict[str, Any]] = {}
    for (kind, name), column in columns.items():
        grouped.setdefault(kind, {})[name] = column
    return edit.scenes.with_columns(grouped)


def _own_slope(a: Attribute, prior: NormalisedValues, offset: np.ndarray) -> np.ndarray:
    """d value / d offset [n]; reflection at the bounds flips its sign."""
    sign = np.ones(len(offset)) if a.circular else np.where((prior.value + offset) % 2 < 1, 1.0, -1.0)
    if not np.any(prior.log):
        return sign * (prior.high - prior.low)
    ratio = np.where(prior.log, prior.high / np.where(prior.log, prior.low, 1), np.e)
    value = moved("number", prior, offset)
    return sign * np.where(prior.log, value * np.log(ratio), prior.high - prior.low)


def _through_parents(grammar: Grammar, edit: Edit, source: Attribute, targets: list[Key],
                     columns: dict[Key, Tensor]) -> None:
    """Add to the columns of targets their derivative by the source attribute of ancestors, one depth at a time."""
    for (kind, depth), group in node_groups(edit.scenes).items():
        if kind != source.kind:
            continue
        rows, nudge = slice(group.start, group.start + len(group)), np.zeros(len(edit.scenes.tables[kind]))
        nudge[rows] = NUDGE
        up, down = perturbed(grammar, edit, {source.key: nudge}), perturbed(grammar, edit, {source.key: -nudge})
        for target in targets:
            change = (np.asarray(up.tables[target[0]][target[1]], float) - down.tables[target[0]][target[1]])
            if grammar.attributes[target[0]][target[1]].circular:
                change = wrap(change)
            elif isinstance(grammar.attributes[target[0]][target[1]].prior, JointPosition):
                values = np.asarray(up.tables[target[0]][target[1]], float)  # some step over an edge to the other side
                change[np.abs(change) > 0.5 * np.ptp(values)] = 0.0
            if target == source.key:
                change[rows] = 0.0  # its own slope is known exactly
            at = np.flatnonzero(change)
            if len(at) == 0:
                continue
            above = _ancestors(edit.scenes, target[0], at, depth)
            slope = torch.from_numpy(change[at] / (2 * NUDGE)).float()
            offset = edit.offsets[source.key][torch.from_numpy(above)]
            column = columns.get(target, _value(edit, target))
            columns[target] = column.index_add(0, torch.from_numpy(at), slope * _zero(offset))


def _ancestors(scenes: SceneBatch, kind: str, rows: Ints, depth: int) -> Ints:
    """Rows, in their own tables, of the ancestors at a depth (a node is its own ancestor at its depth)."""
    kinds, code = scenes.kinds, np.full(len(rows), scenes.kinds.index(kind))
    rows = rows.copy()
    while True:
        below = np.zeros(len(rows), bool)
        for number, name in enumerate(kinds):
            mine = code == number
            below[mine] = scenes.tables[name].depth[rows[mine]] > depth
        if not below.any():
            return rows
        for number in np.unique(code[below]):
            mine = below & (code == number)
            table = scenes.tables[kinds[number]]
            code[mine], rows[mine] = table.parent_kind[rows[mine]], table.parent_row[rows[mine]]


def _along(value: Tensor, slope: np.ndarray, offset: Tensor) -> Tensor:
    """value, with slope as its derivative by offset."""
    return value + torch.from_numpy(slope).float() * _zero(offset)


def _zero(offset: Tensor) -> Tensor:
    """Zeros with the gradient of offset, in float32 as columns are (an aggregate posterior makes offsets float64)."""
    return (offset - offset.detach()).float()


def _value(edit: Edit, key: Key) -> Tensor:
    return torch.from_numpy(np.asarray(edit.scenes.tables[key[0]][key[1]], np.float64)).float()


def _is_number(edit: Edit, key: Key) -> bool:
    return np.asarray(edit.scenes.tables[key[0]][key[1]]).dtype.kind == "f"
