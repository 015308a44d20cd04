"""The structure policy: an autoregressive distribution of a scene's structure, that is of learned counts, rules and
choices (after Meta-Sim2, Devaranjan et al., ECCV 2020).

Decisions are made in a fixed order: by depth, kind and node; of a node first its learned choices, then the learned
counts of its repeats, then its rule, where that is learned. A decision is categorical; its logits come from a small
network whose inputs are the decisions before: on the node itself, on its parent, the last of each kind of decision, and
how often each option was taken so far. So it can express joint and multimodal distributions of counts and kinds, which
independent probabilities for each symbol cannot (their counts are geometric).

The last layers' weights start at 0 and their biases at the grammar's logits, so the policy starts as the grammar
itself, as if it were pre-trained by likelihood on the grammar's samples.

Legend: S scenes; R decisions of all of them; D options of all kinds of decisions; T kinds of decisions; F inputs;
C context; n nodes of a group.
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
from scenefit.scenes.grammar.values import whole_ends
from scenefit.scenes.priors import Choice, Prior, pick
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import Ints, SceneBatch, Table

CHUNK = 64  # scenes a network processes at once, aligned on the scene index: results do not depend on the batch
HIDDEN = 64
MAX_OPTIONS = 1000  # of one decision
N_QUANTILES = 1 << 16  # of a count's prior, to estimate its probabilities


def whole_chunks(indices: Any) -> tuple[Ints, Ints]:
    """Scene indices [S], or how many, as an array, and the indices of all chunks that hold them, rising."""
    index = np.arange(indices) if np.ndim(indices) == 0 else np.asarray(indices, np.int64)
    return index, (np.unique(index // CHUNK)[:, None] * CHUNK + np.arange(CHUNK)).ravel()


@dataclass(frozen=True, eq=False)
class Decision:
    """One kind of decision. name: of the count or the choice, or "rule".

    odds: the grammar's probability of each option.  first: the index of its first option among those of all kinds of
    decisions.  choice: the prior of a choice.  low: the lowest count.
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
        """Option indices [n] -> values [n]: options, counts or rules."""
        return codes + self.low if self.choice is None else np.asarray(self.choice.options)[codes]

    def codes(self, nodes: NodeGroup | Table) -> Ints:
        """Indices of the options taken for these nodes of its kind [n]."""
        if self.name == "rule":
            return nodes.rule
        values = np.asarray(nodes.columns[self.name])
        return values - self.low if self.choice is None else self.choice.codes(values)


def decisions(grammar: Grammar) -> tuple[Decision, ...]:
    """All kinds of decisions of a grammar, in their order. ValueError for a count of more than 1000 values."""
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
    low, high = whole_ends(a)
    if high - low >= MAX_OPTIONS:
        raise ValueError(f"{a.kind}.{a.name} may take {high - low + 1} values, and a learned count at most "
                         f"{MAX_OPTIONS}; give it closer bounds")
    values = np.clip(a.prior.quantile((np.arange(N_QUANTILES) + 0.5) / N_QUANTILES), low, high)
    return np.bincount(values.astype(np.int64) - low, minlength=high - low + 1) / N_QUANTILES, None, low


@dataclass(frozen=True, eq=False)
class Decisions:
    """All decisions of some scenes, scene by scene in their order.

    inputs [R, F]; kind_of_decision [R]: which of `decisions`; code [R]: the index of the option taken; scene [R];
    row [R]: of the node in its kind's table.  count: S.
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
    """The policy of one grammar. context: how many numbers all decisions of a scene take as inputs besides, such as an
    image's features (`structure_posterior`).

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
        position = np.searchsorted(whole, index)
        given = torch.zeros(whole.size, self.context)
        if context is not None:
            given[torch.from_numpy(position)] = context
        walk = _Walk(self, whole.size)

        def sample_codes(group: NodeGroup, number: int, rows: Ints, inputs: Array) -> Ints:
            full = torch.zeros(whole.size, self.width + self.context)
            scene = torch.from_numpy(group.scene[rows])
            full[scene] = torch.cat([torch.from_numpy(inputs), given[scene]], dim=1)
            logits = torch.empty(whole.size, len(self.decisions[number].odds), dtype=torch.float64)
            for chunk in np.unique(group.scene[rows] // CHUNK) * CHUNK:
                logits[chunk:chunk + CHUNK] = self.leave[number](self.body(full[chunk:chunk + CHUNK])).double()
            odds = torch.softmax(logits[scene], dim=1).numpy()
            return pick(odds, uniform(group.address[rows], self.decisions[number].name))

        def decide(group: NodeGroup) -> Mapping[str, Array]:
            codes = walk.decide(group, sample_codes)
            return {self.decisions[number].name: self.decisions[number].values(code) for number, code in codes.items()}

        scenes = self.grammar.sample(seed, whole, decide=decide)
        return scenes if np.array_equal(whole, index) else scenes.take(position)

    def replay(self, scenes: SceneBatch) -> Decisions:
        """The decisions of these scenes, with the network's inputs at each."""
        walk, parts = _Walk(self, len(scenes)), []

        def follow(group: NodeGroup, number: int, rows: Ints, inputs: Array) -> Ints:
            codes = self.decisions[number].codes(group)[rows].astype(np.int64)
            parts.append((inputs, np.full(len(rows), number), codes, group.scene[rows], group.start + rows))
            return codes

        for group in node_groups(scenes).values():
            walk.decide(group, follow)
        inputs, kind, code, scene, row = (torch.from_numpy(np.concatenate(part)) for part in zip(*parts, strict=True))
        order = torch.argsort(scene, stable=True)
        return Decisions(inputs[order], kind[order], code[order], scene[order], row[order], len(scenes))

    def decision_log_probs(self, made: Decisions, context: Tensor | None = None) -> Tensor:
        """Log-probabilities of decisions made [R], with gradient to the policy and to context [S, C]."""
        inputs = made.inputs if context is None else torch.cat([made.inputs, context[made.scene]], dim=1)
        hidden, out = self.body(inputs), torch.zeros(len(inputs))
        for number, layer in enumerate(self.leave):
            (rows,) = torch.nonzero(made.kind_of_decision == number, as_tuple=True)
            logs = torch.log_softmax(layer(hidden[rows]), dim=1)
            out = out.index_put((rows,), logs.gather(1, made.code[rows, None])[:, 0])
        return out

    def log_prob(self, scenes: SceneBatch | Decisions, context: Tensor | None = None) -> Tensor:
        """Log-probability of each scene's structure [S], with gradient."""
        made = scenes if isinstance(scenes, Decisions) else self.replay(scenes)
        return torch.zeros(len(made)).index_add(0, made.scene, self.decision_log_probs(made, context))

    def log_probs(self, scenes: SceneBatch) -> dict[Key, Tensor]:
        """Of each node's decisions, with gradient: (kind, name) -> [n], rules under (kind, "rule").

        The same to the last bit in any batch of whole chunks of scenes.
        """
        made = self.replay(scenes)
        rows = torch.arange(len(scenes)).split(CHUNK)
        log_probs, out = torch.cat([self.decision_log_probs(made.take(part)) for part in rows]), {}
        for number, decision in enumerate(self.decisions):
            (mine,) = torch.nonzero(made.kind_of_decision == number, as_tuple=True)
            empty = torch.zeros(len(scenes.tables[decision.kind]))
            out[decision.key] = empty.index_put((made.row[mine],), log_probs[mine])
        return out


# Nodes, the number of the kind of decision, rows [r] of the nodes, inputs [r, F] -> codes [r].
Chooser = Callable[[NodeGroup, int, Ints, Array], Ints]


class _Walk:
    """Makes the decisions of many scenes at once, in their order, keeping the decisions before as inputs.

    last, taken [S, D]: the last decision of each kind (one-hot), and how often each option was taken.  level [S, T]:
    the index of the last option over that of the highest, 0..1.  own: kind, depth -> [n, D], the decisions on each node
    (one-hot).
    """

    def __init__(self, structure: StructurePolicy, scenes: int):
        self.structure, self.decisions = structure, structure.decisions
        self.last = np.zeros((scenes, structure.options), np.float32)
        self.taken = np.zeros((scenes, structure.options), np.float32)
        self.level = np.zeros((scenes, len(self.decisions)), np.float32)
        self.own: dict[tuple[int, int], tuple[int, Array]] = {}

    def decide(self, group: NodeGroup, choose: Chooser) -> dict[int, Ints]:
        """Decide on every node of a group: number of the kind of decision -> codes [n].

        The nodes of one scene come one after the other, those of all scenes side by side.
        """
        own = np.zeros((len(group), self.structure.options), np.float32)
        kinds = self.structure.grammar.kinds
        self.own[kinds.index(group.kind), group.depth] = group.start, own
        numbers = [number for number, decision in enumerate(self.decisions) if decision.kind == group.kind]
        codes = {number: np.zeros(len(group), np.int64) for number in numbers}
        if not numbers or not len(group):
            return codes
        parents, size = self._of_parents(group), np.bincount(group.scene, minlength=len(self.last))
        order = np.argsort(group.scene, kind="stable")
        rank = np.empty(len(group), np.int64)
        rank[order] = np.arange(len(group)) - (np.cumsum(size) - size)[group.scene[order]]
        by_rank = np.argsort(rank, kind="stable")
        for rows in np.split(by_rank, np.cumsum(np.bincount(rank))[:-1]):
            scene = group.scene[rows]
            position = np.log1p([rank[rows], size[scene] - rank[rows], np.full(len(rows), group.depth)]).T
            for number in numbers:
                one = np.zeros((len(rows), len(self.decisions)), np.float32)
                one[:, number] = 1
                inputs = np.concatenate([one, self.level[scene], own[rows], parents[rows], self.last[scene],
                                         np.log1p(self.taken[scene]), position.astype(np.float32)], axis=1)
                code = codes[number][rows] = choose(group, number, rows, inputs)
                self._record(number, scene, code, own, rows)
        return codes

    def _record(self, number: int, scene: Ints, code: Ints, own: Array, rows: Ints) -> None:
        """Keep decisions of one kind, of which each scene has at most one here."""
        decision = self.decisions[number]
        first, count = decision.first, len(decision.odds)
        own[rows, first + code] = 1
        self.taken[scene, first + code] += 1
        self.last[scene, first:first + count] = 0
        self.last[scene, first + code] = 1
        self.level[scene, number] = code / max(count - 1, 1)

    def _of_parents(self, group: NodeGroup) -> Array:
        """The decisions on the nodes' parents [n, D]."""
        out = np.zeros((len(group), self.structure.options), np.float32)
        for kind in np.unique(group.parent_kind[group.parent_kind >= 0]):
            mine = group.parent_kind == kind
            start, decided = self.own[int(kind), group.depth - 1]
            out[mine] = decided[group.parent_row[mine] - start]
        return out
