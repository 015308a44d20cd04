"""The structure policy: how many nodes, by which rules, of which options, each decision seeing those before it.

A scene's structure is decided in a fixed order: by depth, kind and node; of a node first its learned choices, then the
learned counts of its repeats, then its rule, where that is learned. A decision is categorical; its logits come from a
small network that sees what was decided before: on the node itself, on its parent, last of each sort, and how often
each option was taken so far. So joint and multimodal distributions of counts and kinds can be expressed, which odds for
each symbol alone cannot (they give geometric counts). After Meta-Sim2 (Devaranjan et al., ECCV 2020).

The last layers start at zero and their biases at the grammar's log-odds, so the policy starts as the grammar itself:
the closed form of what likelihood pre-training on the grammar's samples would come to.

Legend: S scenes; R decisions of all of them; D options of all sorts of decisions; T sorts; F inputs; C context;
n nodes of a slab.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenefit.scenes.attributes import Array, Attribute, Key, NodeGroup
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.derivation import node_groups
from scenefit.scenes.priors import Choice, Prior, pick
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import Ints, SceneBatch, Table

CHUNK = 64  # scenes a network sees at once, aligned on the scene index: results never depend on the batch
HIDDEN = 64
MOST_OPTIONS = 1000  # of one decision
GRID = 1 << 16  # quantiles that a count's odds are read from


def whole_chunks(indices: Any) -> tuple[Ints, Ints]:
    """Scene indices [S], or how many, as an array, and the indices of all chunks that hold them, rising."""
    index = np.arange(indices) if np.ndim(indices) == 0 else np.asarray(indices, np.int64)
    return index, (np.unique(index // CHUNK)[:, None] * CHUNK + np.arange(CHUNK)).ravel()


@dataclass(frozen=True, eq=False)
class Decision:
    """One sort of decision. name: of the count or the choice, or "rule".

    odds: the grammar's, of each option.  choice: the prior of a choice.  low: the lowest count.  first: the place of
    its options among all.
    """

    kind: str
    name: str
    odds: Array
    first: int
    choice: Choice | None = None
    low: int = 0

    @property
    def key(self) -> Key:
        return self.kind, self.name

    def values(self, codes: Array) -> Array:
        """Codes [n] -> values [n]: options, counts or rules."""
        return codes + self.low if self.choice is None else np.asarray(self.choice.options)[codes]

    def codes(self, nodes: NodeGroup | Table) -> Ints:
        """What was decided for these nodes of its kind [n]."""
        if self.name == "rule":
            return nodes.rule
        values = np.asarray(nodes.columns[self.name])
        return values - self.low if self.choice is None else self.choice.codes(values)


def decisions(grammar: Grammar) -> tuple[Decision, ...]:
    """All sorts of decisions, in their order. ValueError for a count of more than 1000 values."""
    found: list[Decision] = []

    def add(kind: str, name: str, odds: Array, choice: Choice | None = None, low: int = 0) -> None:
        found.append(Decision(kind, name, odds, sum(len(d.odds) for d in found), choice, low))

    for kind in grammar.kinds:
        for a in grammar.attributes[kind].values():
            if a.learned and a.form == "choice":
                add(kind, a.name, a.choice.probabilities, a.choice)
            elif a.learned and a.count:
                add(kind, a.name, *_count_odds(a))
        if kind in grammar.learned_heads:
            add(kind, "rule", grammar.rule_probabilities(kind))
    return tuple(found)


def _count_odds(a: Attribute) -> tuple[Array, None, int]:
    assert isinstance(a.prior, Prior)
    low, high = (int(end) for end in a.bounds or a.prior.bounds)
    if high - low >= MOST_OPTIONS:
        raise ValueError(f"{a.kind}.{a.name} may take {high - low + 1} values, and a learned count at most "
                         f"{MOST_OPTIONS}; give it closer bounds")
    values = np.clip(a.prior.quantile((np.arange(GRID) + 0.5) / GRID), low, high)
    return np.bincount(values.astype(np.int64) - low, minlength=high - low + 1) / GRID, None, low


@dataclass(frozen=True, eq=False)
class Decisions:
    """All decisions of some scenes, scene by scene in their order.

    inputs [R, F]; sort [R]: which of `decisions`; code [R]: what was decided; scene [R]; row [R]: of the kind's table.
    count: S.
    """

    inputs: Tensor
    kind_of_decision: Tensor
    code: Tensor
    scene: Tensor
    row: Tensor
    count: int

    def __len__(self) -> int:
        return self.count

    def take(self, rows: Tensor) -> "Decisions":
        """Some of the scenes, in the order of rows; a scene may come more than once."""
        start = torch.searchsorted(self.scene, torch.arange(self.count + 1))
        size = (start[1:] - start[:-1])[rows]
        scene = torch.repeat_interleave(torch.arange(len(rows)), size)
        at = torch.arange(len(scene)) - (size.cumsum(0) - size)[scene] + start[rows][scene]
        return Decisions(self.inputs[at], self.kind_of_decision[at], self.code[at], scene, self.row[at], len(rows))


class StructurePolicy(nn.Module):
    """The policy of one grammar. context: numbers that every decision of a scene sees besides, see `reader`.

    ValueError if the grammar has no learned rule, count or choice.
    """

    def __init__(self, grammar: Grammar, seed: int = 0, context: int = 0, hidden: int = HIDDEN):
        super().__init__()
        self.grammar, self.context = grammar, context
        self.decisions = decisions(grammar)
        if not self.decisions:
            raise ValueError("no structure to learn: mark counts of repeats and choices with learned(...), or rules "
                             "with learned=True")
        self.options = sum(len(d.odds) for d in self.decisions)
        self.width = 2 * len(self.decisions) + 4 * self.options + 3
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.body = nn.Sequential(nn.Linear(self.width + context, hidden), nn.ReLU(),
                                      nn.Linear(hidden, hidden), nn.ReLU())
        self.leave = nn.ModuleList(nn.Linear(hidden, len(d.odds)) for d in self.decisions)
        for layer, decision in zip(self.leave, self.decisions, strict=True):
            assert isinstance(layer, nn.Linear)
            nn.init.zeros_(layer.weight)
            with torch.no_grad():
                layer.bias.copy_(torch.from_numpy(np.log(np.maximum(decision.odds, 1e-6))))

    @torch.no_grad()
    def sample(self, seed: int, indices: Any, context: Tensor | None = None) -> SceneBatch:
        """Scenes of these indices (or how many): structure by the policy, all else by the grammar.

        context [S, C], where the policy has one. A scene is the same in any batch. ValueError if a scene grows without
        end.
        """
        index, whole = whole_chunks(indices)
        place = np.searchsorted(whole, index)
        given = torch.zeros(whole.size, self.context)
        if context is not None:
            given[torch.from_numpy(place)] = context
        walk = _Walk(self, whole.size)

        def draw(slab: NodeGroup, sort: int, rows: Ints, inputs: Array) -> Ints:
            full = torch.zeros(whole.size, self.width + self.context)
            scene = torch.from_numpy(slab.scene[rows])
            full[scene] = torch.cat([torch.from_numpy(inputs), given[scene]], dim=1)
            logits = torch.empty(whole.size, len(self.decisions[sort].odds), dtype=torch.float64)
            for chunk in np.unique(slab.scene[rows] // CHUNK) * CHUNK:
                logits[chunk:chunk + CHUNK] = self.leave[sort](self.body(full[chunk:chunk + CHUNK])).double()
            odds = torch.softmax(logits[scene], dim=1).numpy()
            return pick(odds, uniform(slab.address[rows], self.decisions[sort].name))

        def decide(slab: NodeGroup) -> Mapping[str, Array]:
            codes = walk.slab(slab, draw)
            return {self.decisions[sort].name: self.decisions[sort].values(code) for sort, code in codes.items()}

        scenes = self.grammar.sample(seed, whole, decide=decide)
        return scenes if np.array_equal(whole, index) else scenes.take(place)

    def replay(self, scenes: SceneBatch) -> Decisions:
        """The decisions of these scenes, with what the network sees at each."""
        walk, parts = _Walk(self, len(scenes)), []

        def follow(slab: NodeGroup, sort: int, rows: Ints, inputs: Array) -> Ints:
            codes = self.decisions[sort].codes(slab)[rows].astype(np.int64)
            parts.append((inputs, np.full(len(rows), sort), codes, slab.scene[rows], slab.start + rows))
            return codes

        for slab in node_groups(scenes).values():
            walk.slab(slab, follow)
        inputs, sort, code, scene, row = (torch.from_numpy(np.concatenate(part)) for part in zip(*parts, strict=True))
        order = torch.argsort(scene, stable=True)
        return Decisions(inputs[order], sort[order], code[order], scene[order], row[order], len(scenes))

    def score(self, trace: Decisions, context: Tensor | None = None) -> Tensor:
        """Log-probability of each decision of a trace [R], with gradient to the policy and to context [S, C]."""
        inputs = trace.inputs if context is None else torch.cat([trace.inputs, context[trace.scene]], dim=1)
        hidden, out = self.body(inputs), torch.zeros(len(inputs))
        for number, layer in enumerate(self.leave):
            (rows,) = torch.nonzero(trace.kind_of_decision == number, as_tuple=True)
            logs = torch.log_softmax(layer(hidden[rows]), dim=1)
            out = out.index_put((rows,), logs.gather(1, trace.code[rows, None])[:, 0])
        return out

    def log_prob(self, scenes: SceneBatch | Decisions, context: Tensor | None = None) -> Tensor:
        """Log-probability of each scene's structure [S], with gradient."""
        trace = scenes if isinstance(scenes, Decisions) else self.replay(scenes)
        return torch.zeros(len(trace)).index_add(0, trace.scene, self.score(trace, context))

    def log_probs(self, scenes: SceneBatch) -> dict[Key, Tensor]:
        """Of each node's decisions, with gradient: (kind, name) -> [n], rules under (kind, "rule").

        The same to the last bit in any batch of whole chunks of scenes.
        """
        trace = self.replay(scenes)
        rows = torch.arange(len(scenes)).split(CHUNK)
        score, out = torch.cat([self.score(trace.take(part)) for part in rows]), {}
        for number, decision in enumerate(self.decisions):
            (mine,) = torch.nonzero(trace.kind_of_decision == number, as_tuple=True)
            empty = torch.zeros(len(scenes.tables[decision.kind]))
            out[decision.key] = empty.index_put((trace.row[mine],), score[mine])
        return out


Chooser = Callable[[NodeGroup, int, Ints, Array], Ints]  # slab, sort, rows [r] of it, inputs [r, F] -> codes [r]


class _Walk:
    """Goes through the decisions of many scenes at once, in their order, and knows what was decided before.

    last, seen: [S, D], what each sort decided last, and how often each option was taken.  level: [S, T], the place of
    the last code among the options, 0..1.  own: kind, depth -> [n, D], what was decided on each node.
    """

    def __init__(self, structure: StructurePolicy, scenes: int):
        self.structure, self.decisions = structure, structure.decisions
        self.last = np.zeros((scenes, structure.options), np.float32)
        self.seen = np.zeros((scenes, structure.options), np.float32)
        self.level = np.zeros((scenes, len(self.decisions)), np.float32)
        self.own: dict[tuple[int, int], tuple[int, Array]] = {}

    def slab(self, slab: NodeGroup, choose: Chooser) -> dict[int, Ints]:
        """Decide on every node of a slab: sort -> codes [n]."""
        own = np.zeros((len(slab), self.structure.options), np.float32)
        kinds = self.structure.grammar.kinds
        self.own[kinds.index(slab.kind), slab.depth] = slab.start, own
        sorts = [number for number, decision in enumerate(self.decisions) if decision.kind == slab.kind]
        codes = {sort: np.zeros(len(slab), np.int64) for sort in sorts}
        if not sorts or not len(slab):
            return codes
        above, size = self._above(slab), np.bincount(slab.scene, minlength=len(self.last))
        order = np.argsort(slab.scene, kind="stable")
        rank = np.empty(len(slab), np.int64)
        rank[order] = np.arange(len(slab)) - (np.cumsum(size) - size)[slab.scene[order]]
        by_rank = np.argsort(rank, kind="stable")
        for rows in np.split(by_rank, np.cumsum(np.bincount(rank))[:-1]):
            scene = slab.scene[rows]
            place = np.log1p([rank[rows], size[scene] - rank[rows], np.full(len(rows), slab.depth)]).T
            for sort in sorts:
                one = np.zeros((len(rows), len(self.decisions)), np.float32)
                one[:, sort] = 1
                inputs = np.concatenate([one, self.level[scene], own[rows], above[rows], self.last[scene],
                                         np.log1p(self.seen[scene]), place.astype(np.float32)], axis=1)
                code = codes[sort][rows] = choose(slab, sort, rows, inputs)
                self._note(sort, scene, code, own, rows)
        return codes

    def _note(self, sort: int, scene: Ints, code: Ints, own: Array, rows: Ints) -> None:
        """Every scene is here once at most."""
        decision = self.decisions[sort]
        first, count = decision.first, len(decision.odds)
        own[rows, first + code] = 1
        self.seen[scene, first + code] += 1
        self.last[scene, first:first + count] = 0
        self.last[scene, first + code] = 1
        self.level[scene, sort] = code / max(count - 1, 1)

    def _above(self, slab: NodeGroup) -> Array:
        """What was decided on the parents [n, D]."""
        out = np.zeros((len(slab), self.structure.options), np.float32)
        for kind in np.unique(slab.parent_kind[slab.parent_kind >= 0]):
            mine = slab.parent_kind == kind
            start, decided = self.own[int(kind), slab.depth - 1]
            out[mine] = decided[slab.parent_row[mine] - start]
        return out
