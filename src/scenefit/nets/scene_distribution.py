"""The distribution transformer: a graph network that edits the learned attributes of scene graphs.

An edit of a number is move = curve(z) + network(graph) + sigma * noise, in units of the attribute's bounds (a turn for
angles), added to the prior's own value. z is the value's place in its prior as a standard normal deviate. The curve is
a + b z + a bend, linear between knots, so that moving, stretching and reshaping a distribution each take a few numbers;
the network adds what depends on the rest of the scene; the noise has a floor, so that a log-probability exists and a
constant prior can be widened. All start at nothing: the edit is the identity in the mean (cf. Kar et al. 2019,
section 3.2).

Legend: S scenes; n nodes of a kind; K knots.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenefit.nets.aggregate_posterior import AggregatePosterior, empty_aggregate_posterior, image_attributes
from scenefit.nets.graph_encoding import columns, encode
from scenefit.nets.graph_network import GraphNetwork, _key
from scenefit.nets.quantile_offsets import BEND, KNOTS, N_KNOTS, REACH, normal_score
from scenefit.nets.structure_policy import CHUNK, StructurePolicy, decisions
from scenefit.scenes.attributes import Attribute, NormalisedValues
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.priors import pick
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import SceneBatch

Key = tuple[str, str]
SIGMA_FLOOR = 1e-3  # of the bounds
SIGMA_START = 1e-2
NETWORK_SCALE = 0.1  # outputs of the network are moves in tenths of the bounds
@dataclass(frozen=True, eq=False)
class Edit:
    """What the transformer chose, sampled once. scenes: the edited ones.

    moves: (kind, name) -> [n], with gradient, of every learned number but counts.  codes: the same for choices.
    units: see `Unit`.  log_probs: (kind, name) -> [n] of these very values, with gradient; rules under (kind, "rule").
    """

    scenes: SceneBatch
    offsets: Mapping[Key, Tensor]
    codes: Mapping[Key, np.ndarray]
    normalised: Mapping[Key, NormalisedValues]
    log_probs: Mapping[Key, Tensor]

    def log_prob(self, keys: Iterable[Key] | None = None) -> Tensor:
        """Of each scene [S], over all that was chosen or over some of it."""
        total = torch.zeros(len(self.scenes))
        for key in self.log_probs if keys is None else keys:
            total = total.index_add(0, torch.from_numpy(self.scenes.tables[key[0]].scene), self.log_probs[key])
        return total


class SceneDistribution(nn.Module):
    """Edits scenes of one grammar. Its parameters are what `fit` learns.

    structure: where there is one, rules, counts and choices are its, and the rest is edited; else each has odds or a
    curve of its own.  cloud: where there is one, the root's numbers start from it instead of from their priors.
    """

    structure: StructurePolicy | None
    cloud: AggregatePosterior | None

    def __init__(self, grammar: Grammar, seed: int = 0):
        super().__init__()
        self.grammar, self.structure, self.cloud = grammar, None, None
        self.places = image_attributes(grammar)
        self.columns = columns(grammar)
        self.numbers = tuple(a for a in grammar.learned if a.form != "choice")
        self.choices = tuple(a for a in grammar.learned if a.form == "choice")
        self.curves = nn.ParameterDict({_name(a): nn.Parameter(torch.zeros(2 + N_KNOTS)) for a in self.numbers})
        self.log_sigma = nn.ParameterDict({
            _name(a): nn.Parameter(torch.tensor(float(np.log(SIGMA_START - SIGMA_FLOOR)))) for a in self.numbers})
        self.logits = nn.ParameterDict({_name(a): nn.Parameter(_log(_odds(a))) for a in self.choices})
        self.rules = nn.ParameterDict({_key(kind): nn.Parameter(_log(grammar.rule_probabilities(kind)))
                                       for kind in grammar.learned_heads})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = GraphNetwork({k: 1 + sum(c.width for c in cs) for k, cs in self.columns.items()},
                                        {k: self._outputs(k) for k in grammar.kinds})

    def sigma(self, attribute: Attribute) -> Tensor:
        """Standard deviation of an edit's noise, in units of the bounds."""
        return SIGMA_FLOOR + self.log_sigma[_name(attribute)].exp()

    def offset(self, attribute: Attribute, z: np.ndarray) -> Tensor:
        """The move [n] of values at place z [n] of their prior; beyond the knots it goes on straight."""
        place = (torch.from_numpy(z) + REACH) * ((N_KNOTS - 1) / (2 * REACH))
        left = place.floor().clamp(0, N_KNOTS - 2).long()
        part = (place - left).float()
        curve = self.curves[_name(attribute)]
        bend = curve[2 + left] * (1 - part) + curve[3 + left] * part
        return curve[0] + curve[1] * torch.from_numpy(z).float() + BEND * bend

    def set_offsets(self, attribute: Attribute, moves: np.ndarray) -> None:
        """Make curve(KNOT_PLACES) equal moves [K]."""
        weight = np.exp(-0.25 * KNOTS**2)
        slope, level = np.polyfit(KNOTS, moves, 1, w=weight)
        bend = (moves - level - slope * KNOTS) / BEND
        with torch.no_grad():
            self.curves[_name(attribute)].copy_(torch.from_numpy(np.concatenate([[level, slope], bend])))

    def shift_offsets(self, attribute: Attribute, move: float) -> None:
        """Add a constant, in units of the bounds, to an attribute's curve."""
        with torch.no_grad():
            self.curves[_name(attribute)][0] += move

    def odds(self, attribute: Attribute) -> np.ndarray:
        """Probabilities of a learned choice's options, the network's part aside."""
        return torch.softmax(self.logits[_name(attribute)].detach().double(), 0).numpy()

    def set_odds(self, attribute: Attribute, odds: np.ndarray) -> None:
        """Set the odds of a learned choice's options; they need not sum to 1."""
        with torch.no_grad():
            self.logits[_name(attribute)].copy_(_log(odds / odds.sum()))

    def set_sigma(self, attribute: Attribute, sigma: float) -> None:
        """Set the noise's standard deviation, not below its floor."""
        with torch.no_grad():
            self.log_sigma[_name(attribute)].fill_(float(np.log(max(sigma - SIGMA_FLOOR, 1e-6))))

    def allocate(self, state: Mapping[str, Tensor]) -> None:
        """A structure and a cloud, to be filled, where a saved state holds them."""
        if decisions(self.grammar) and any(name.startswith("structure.") for name in state):
            self.structure = StructurePolicy(self.grammar)
        if "cloud.centre" in state and "cloud.error" in state:
            self.cloud = empty_aggregate_posterior(self.grammar, len(state["cloud.centre"]), len(state["cloud.error"]))

    def edit(self, seed: int, indices: Any, structure: StructurePolicy | None = None) -> Edit:
        """Sample scenes of these indices from the learned distribution. structure: instead of its own."""
        index = np.arange(indices) if np.ndim(indices) == 0 else np.asarray(indices, np.int64)
        whole = np.unique(index // CHUNK)[:, None] * CHUNK + np.arange(CHUNK)
        edit = self._edit(seed, whole.ravel(), structure or self.structure)
        if np.array_equal(whole.ravel(), index):
            return edit
        return _take(edit, np.searchsorted(whole.ravel(), index))

    def sample(self, seed: int, indices: Any) -> SceneBatch:
        """Scenes of the learned distribution, without gradients."""
        with torch.no_grad():
            return self.edit(seed, indices).scenes

    def reconstruction_loss(self, seed: int, index: np.ndarray) -> Tensor:
        """Mean square of what the network does to scenes of the grammar: 0 for the identity."""
        outputs = self._run(self.grammar.sample(seed, index))
        return torch.cat([out.flatten() for out in outputs.values()]).square().mean()

    def _edit(self, seed: int, index: np.ndarray, structure: StructurePolicy | None) -> Edit:
        moves: dict[Key, Tensor] = {}
        codes: dict[Key, np.ndarray] = {}
        log_probs: dict[Key, Tensor] = {}
        if structure is None:
            prior = self._structure(seed, index, log_probs)
        else:
            prior = structure.sample(seed, index)
            log_probs.update(structure.log_probs(prior))
        outputs = self._run(prior)
        starts = self._starts(prior.tables[self.grammar.start].address)
        for kind in self.grammar.kinds:
            address, at = prior.tables[kind].address, 0
            for a in self._edited(kind):
                out = outputs[kind][:, at:at + _width(a)]
                at += _width(a)
                if a.form == "choice" and structure is not None:
                    codes[a.key] = a.choice.codes(np.asarray(prior.tables[kind][a.name]))
                elif a.form == "choice":
                    codes[a.key], log_probs[a.key] = self._choose(a, out, address)
                else:
                    moves[a.key], log_probs[a.key] = self._move(a, NETWORK_SCALE * out[:, 0], address)
                    if a.key in starts:
                        moves[a.key] = moves[a.key] + torch.from_numpy(starts[a.key])
        plain = {key: move.detach().numpy().astype(np.float64) for key, move in moves.items()}
        scenes, units = self.grammar.decode(prior, {**plain, **codes})
        return Edit(scenes, moves, codes, units, log_probs)

    def _structure(self, seed: int, index: np.ndarray, log_probs: dict[Key, Tensor]) -> SceneBatch:
        """Scenes with learned rules and counts, their other attributes the prior's."""
        rules = {kind: self.rules[_key(kind)] for kind in self.grammar.learned_heads}
        odds = {kind: torch.softmax(logits.detach().double(), 0).numpy() for kind, logits in rules.items()}
        counts = [a for a in self.numbers if a.count]

        def mover(a: Attribute) -> Any:
            def move(address: np.ndarray) -> np.ndarray:
                own = self._move(a, 0.0, address)[0].detach().numpy().astype(np.float64)
                return own + self._starts(address).get(a.key, 0.0) if a.kind == self.grammar.start else own

            return move

        scenes = self.grammar.sample(seed, index, {a.key: mover(a) for a in counts},
                                     odds)
        for a in counts:
            log_probs[a.key] = self._move(a, 0.0, scenes.tables[a.kind].address)[1]
        for kind, logits in rules.items():
            log_probs[kind, "rule"] = torch.log_softmax(logits, 0)[torch.from_numpy(scenes.tables[kind].rule)]
        return scenes

    def _move(self, a: Attribute, out: Any, address: np.ndarray) -> tuple[Tensor, Tensor]:
        """A move [n] with a reparametrised gradient, and the log-probability [n] of the value it took."""
        mean, sigma = self.offset(a, normal_score(address, a.name)) + out, self.sigma(a)
        move = mean + sigma * torch.from_numpy(normal_score(address, f"{a.name}/edit").astype(np.float32))
        # Detached: a log-probability of a sample that still follows its mean has no gradient at all.
        return move, _normal(move.detach(), mean, sigma)

    def _starts(self, address: np.ndarray) -> Mapping[Key, np.ndarray]:
        """The cloud's moves of the root's numbers [S]; none without one."""
        return {} if self.cloud is None else self.cloud.offsets(self.places, address)

    def _choose(self, a: Attribute, out: Tensor, address: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """Codes [n] of a choice and their log-probability [n]."""
        log_odds = torch.log_softmax(self.logits[_name(a)] + out, dim=1)
        odds = log_odds.detach().double().exp().numpy()
        codes = pick(odds / odds.sum(axis=1, keepdims=True), uniform(address, a.name))
        return codes, log_odds.gather(1, torch.from_numpy(codes)[:, None])[:, 0]

    def _edited(self, kind: str) -> list[Attribute]:
        return [a for a in self.grammar.attributes[kind].values() if a.learned and not a.count]

    def _outputs(self, kind: str) -> int:
        return sum(_width(a) for a in self._edited(kind))

    def _run(self, prior: SceneBatch) -> dict[str, Tensor]:
        """The network's outputs for each kind [n, outputs], computed chunk by chunk."""
        parts = [self.network(encode(prior.take(range(at, at + CHUNK)), self.columns))
                 for at in range(0, len(prior), CHUNK)]
        out = {}
        for kind, table in prior.tables.items():
            joined = torch.cat([part[kind] for part in parts])
            order = np.argsort(table.scene // CHUNK, kind="stable")  # rows as the chunks held them
            out[kind] = joined[torch.from_numpy(np.argsort(order, kind="stable"))]
        return out


def _take(edit: Edit, rows: np.ndarray) -> Edit:
    keep = np.zeros(len(edit.scenes), bool)
    keep[rows] = True
    at = {kind: np.flatnonzero(keep[table.scene]) for kind, table in edit.scenes.tables.items()}
    units = {k: NormalisedValues(u.unit[at[k[0]]], u.low[at[k[0]]], u.high[at[k[0]]]) for k,
             u in edit.normalised.items()}
    return Edit(edit.scenes.take(rows), {k: move[torch.from_numpy(at[k[0]])] for k, move in edit.offsets.items()},
                {k: codes[at[k[0]]] for k, codes in edit.codes.items()}, units,
                {k: score[torch.from_numpy(at[k[0]])] for k, score in edit.log_probs.items()})


def _name(attribute: Attribute) -> str:
    return _key(attribute.kind, attribute.name)


def _width(attribute: Attribute) -> int:
    return len(attribute.choice.options) if attribute.form == "choice" else 1


def _odds(attribute: Attribute) -> np.ndarray:
    return attribute.choice.probabilities


def _log(probabilities: Any) -> Tensor:
    return torch.from_numpy(np.log(np.maximum(probabilities, 1e-6))).float()


def _normal(value: Tensor, mean: Tensor, sigma: Tensor) -> Tensor:
    return -0.5 * ((value - mean) / sigma) ** 2 - sigma.log() - 0.5 * float(np.log(2 * np.pi))
