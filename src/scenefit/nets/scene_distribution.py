"""The learned distribution of scenes: scenes of the grammar, edited (the "distribution transformer" of Kar et al. 2019,
section 3.2).

A learned number is offset from its prior's value by

    offset = quantile_offset(z) + network(graph) + sigma * noise,

in units of the attribute's bounds (a turn for angles). z is the value's normal score in its prior, so the quantile
offset (`quantile_offsets`) shifts, stretches and reshapes the marginal distribution; the graph network adds what
depends on the rest of the scene; the noise has a floor, so that a log-probability exists and a constant prior can be
widened. A learned choice has logits, to which the network adds. All start at 0: the edit is the identity in the mean.
Where a distribution was fitted to samples (`maximum_likelihood`), z is the score of the value's rank given its context.

Legend: S scenes; n nodes of a kind; K knots.
"""

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from scipy import special
from torch import Tensor, nn

from scenefit.nets.aggregate_posterior import AggregatePosterior, image_attributes
from scenefit.nets.conditional_offsets import ConditionalDensity, GroupEdits
from scenefit.nets.edit import Edit
from scenefit.nets.graph_encoding import Contexts, columns, outputs_by_chunk
from scenefit.nets.graph_network import GraphNetwork, parameter_name
from scenefit.nets.quantile_offsets import N_KNOTS, fit_coefficients, from_median, normal_score, quantile_offset
from scenefit.nets.sampling import log_probabilities, probabilities, sample_choices, sample_normal
from scenefit.nets.structure_policy import CHUNK, StructurePolicy, whole_chunks
from scenefit.scenes.attributes import Attribute, Key, NodeGroup, View
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.rules import RULE
from scenefit.scenes.rng import uniform
from scenefit.scenes.scene import SceneBatch

SIGMA_FLOOR = 1e-3  # of the bounds
SIGMA_START = 1e-2
NETWORK_SCALE = 0.1  # the network's outputs are offsets in tenths of the bounds


class SceneDistribution(nn.Module):
    """A learned distribution over the scenes of one grammar. Its parameters are what a fit learns.

    curves: of each learned number, the coefficients of its quantile offset [2 + K].  log_sigma: log(sigma - floor) of
    its noise.  logits, rules: of learned choices and rules.  network: the graph network.
    structure: a policy that decides rules, counts and choices in place of logits and offsets of their own, or None.
    aggregate_posterior: the distribution of the root's numbers in place of their priors, or None; saved as "cloud".
    conditional: the densities, given their context, of attributes fitted to samples; by name, or empty.
    """

    def __init__(self, grammar: Grammar, seed: int = 0):
        super().__init__()
        self.grammar = grammar
        self.image_attributes = image_attributes(grammar)
        self.columns = columns(grammar)
        self.numbers = tuple(a for a in grammar.learned if a.form != "choice")
        self.choices = tuple(a for a in grammar.learned if a.form == "choice")
        self.curves = nn.ParameterDict({_name(a): nn.Parameter(torch.zeros(2 + N_KNOTS)) for a in self.numbers})
        self.log_sigma = nn.ParameterDict({
            _name(a): nn.Parameter(torch.tensor(float(np.log(SIGMA_START - SIGMA_FLOOR)))) for a in self.numbers})
        self.logits = nn.ParameterDict({_name(a): nn.Parameter(log_probabilities(a.choice.probabilities))
                                        for a in self.choices})
        self.rules = nn.ParameterDict({parameter_name(kind): nn.Parameter(log_probabilities(
            grammar.rule_probabilities(kind))) for kind in grammar.learned_heads})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = GraphNetwork({k: 1 + sum(c.width for c in cs) for k, cs in self.columns.items()},
                                        {k: sum(_width(a) for a in self._edited(k)) for k in grammar.kinds})

    @property
    def structure(self) -> StructurePolicy | None:
        return cast("StructurePolicy | None", self._modules.get("structure"))

    @property
    def aggregate_posterior(self) -> AggregatePosterior | None:
        return cast("AggregatePosterior | None", self._modules.get("cloud"))

    @property
    def conditional(self) -> Mapping[str, ConditionalDensity]:
        found = cast("nn.ModuleDict | None", self._modules.get("conditional"))
        return {} if found is None else {name: cast(ConditionalDensity, part) for name, part in found.items()}

    def with_structure(self, policy: StructurePolicy) -> "SceneDistribution":
        """The same distribution, sharing its parameters, with this policy for rules, counts and choices."""
        return self._with("structure", policy)

    def with_aggregate_posterior(self, posterior: AggregatePosterior) -> "SceneDistribution":
        """The same distribution, sharing its parameters, whose scenes start from this posterior."""
        return self._with("cloud", posterior)

    def with_conditional(self, densities: Mapping[Attribute, ConditionalDensity]) -> "SceneDistribution":
        """The same distribution, sharing its parameters, with these densities of attributes, beside those it has."""
        named = {_name(a): density for a, density in densities.items()}
        return self._with("conditional", nn.ModuleDict({**self.conditional, **named}))

    def density(self, a: Attribute) -> ConditionalDensity:
        """An attribute's density before it is fitted."""
        return ConditionalDensity(a.form, Contexts(self.grammar, self.columns).width(a.kind), _width(a))

    def is_decided(self, a: Attribute) -> bool:
        """Whether the structure policy or the aggregate posterior decides an attribute, and not its own parameters."""
        if (a.count or a.form == "choice") and self.structure is not None:
            return True
        return self.aggregate_posterior is not None and a in self.image_attributes

    def _with(self, name: str, module: nn.Module) -> "SceneDistribution":
        out = copy.copy(self)
        out._modules = {**self._modules, name: module}
        return out

    def sigma(self, attribute: Attribute) -> Tensor:
        """Standard deviation of the noise, in units of the bounds."""
        return SIGMA_FLOOR + self.log_sigma[_name(attribute)].exp()

    def set_sigma(self, attribute: Attribute, sigma: float) -> None:
        """Set the noise's standard deviation, not below its floor."""
        with torch.no_grad():
            self.log_sigma[_name(attribute)].fill_(float(np.log(max(sigma - SIGMA_FLOOR, 1e-6))))

    def offset(self, attribute: Attribute, z: np.ndarray) -> Tensor:
        """The quantile offset [n] at normal scores z [n], in units of the bounds; linear beyond the knots."""
        return quantile_offset(self.curves[_name(attribute)], z)

    def set_offsets(self, attribute: Attribute, offsets: np.ndarray) -> None:
        """Make offset(attribute, KNOTS) equal offsets [K]."""
        with torch.no_grad():
            self.curves[_name(attribute)].copy_(fit_coefficients(offsets))

    def shift_offsets(self, attribute: Attribute, shift: float) -> None:
        """Add a constant, in units of the bounds, to an attribute's quantile offset."""
        with torch.no_grad():
            self.curves[_name(attribute)][0] += shift

    def odds(self, attribute: Attribute) -> np.ndarray:
        """Probabilities of a learned choice's options, without the network's part."""
        return probabilities(self.logits[_name(attribute)])

    def set_odds(self, attribute: Attribute, odds: np.ndarray) -> None:
        """Set the odds of a learned choice's options; they need not sum to 1."""
        with torch.no_grad():
            self.logits[_name(attribute)].copy_(log_probabilities(odds / odds.sum()))

    def copy(self) -> "SceneDistribution":
        """The same, with parameters of its own."""
        shared = {id(part): part for part in (self.grammar, self.columns, self.numbers, self.choices,
                                              self.image_attributes)}
        return copy.deepcopy(self, shared)

    def sample(self, seed: int, indices: Any) -> SceneBatch:
        """Scenes of these indices [S], or how many, without gradients. ValueError if a scene grows without end."""
        with torch.no_grad():
            return self.edit(seed, indices).scenes

    def edit(self, seed: int, indices: Any) -> Edit:
        """Scenes of these indices [S], or how many, with gradients. A scene is the same in any batch."""
        index, whole = whole_chunks(indices)
        edit = self._edit(seed, whole)
        return edit if np.array_equal(whole, index) else edit.take(np.searchsorted(whole, index))

    def reconstruction_loss(self, seed: int, index: np.ndarray) -> Tensor:
        """Mean square of the network's outputs for scenes of the grammar: 0 for the identity."""
        outputs = outputs_by_chunk(self.network, self.grammar.sample(seed, index), self.columns, CHUNK)
        return torch.cat([out.flatten() for out in outputs.values()]).square().mean()

    def _edit(self, seed: int, index: np.ndarray) -> Edit:
        """Of whole chunks. First the structure, with all else from the grammar; then the rest, with it in view."""
        proposal, log_probs = _sample_structure(self, seed, index)
        outputs = outputs_by_chunk(self.network, proposal, self.columns, CHUNK)
        starts = _starts(self, proposal.tables[self.grammar.start].address)
        offsets: dict[Key, Tensor] = {}
        codes: dict[Key, np.ndarray] = {}
        given: dict[Key, GroupEdits] = {}
        contexts = Contexts(self.grammar, self.columns)
        for kind in self.grammar.kinds:
            table, at = proposal.tables[kind], 0
            for a in self._edited(kind):
                out = outputs[kind][:, at:at + _width(a)]
                at += _width(a)
                if (density := self._density_of(a)) is not None:
                    given[a.key] = GroupEdits(a, density, contexts, CHUNK, partial(_sample_group, self, a, out))
                elif a.form != "choice":
                    offsets[a.key], log_probs[a.key] = self._sample_offset(a, NETWORK_SCALE * out[:, 0], table.address)
                    if a.key in starts:
                        offsets[a.key] = offsets[a.key] + torch.from_numpy(starts[a.key])
                elif self.structure is None:
                    codes[a.key], log_probs[a.key] = sample_choices(self.logits[_name(a)] + out,
                                                                    uniform(table.address, a.name))
                else:
                    codes[a.key] = a.choice.codes(np.asarray(table[a.name]))
        plain = {key: offset.detach().numpy().astype(np.float64) for key, offset in offsets.items()}
        scenes, normalised = self.grammar.decode(proposal, {**plain, **codes, **given})
        for key, edits in given.items():
            log_probs[key] = torch.cat([torch.zeros(0), *edits.log_probs])
            if edits.attribute.form == "choice":
                codes[key] = np.concatenate([np.zeros(0, np.int64), *edits.codes])
            else:
                offsets[key] = torch.cat([torch.zeros(0), *edits.offsets])
        return Edit(scenes, offsets, codes, normalised, log_probs)

    def _sample_offset(self, a: Attribute, network: Any, address: np.ndarray,
                       z: np.ndarray | None = None) -> tuple[Tensor, Tensor]:
        """Offsets [n] with a reparametrised gradient, and their log-probabilities [n]. network: its part of them.
        z [n]: normal scores, the values' own by default."""
        mean = self.offset(a, normal_score(address, a.name) if z is None else z) + network
        return sample_normal(mean, self.sigma(a), normal_score(address, f"{a.name}/edit"))

    def _density_of(self, a: Attribute) -> ConditionalDensity | None:
        """The conditional density of an attribute, unless something else decides it."""
        return None if self.is_decided(a) else self.conditional.get(_name(a))

    def _edited(self, kind: str) -> list[Attribute]:
        return [a for a in self.grammar.attributes[kind].values() if a.learned and not a.count]


def _name(attribute: Attribute) -> str:
    return parameter_name(attribute.kind, attribute.name)


def _sample_structure(distribution: SceneDistribution, seed: int,
                      index: np.ndarray) -> tuple[SceneBatch, dict[Key, Tensor]]:
    """Scenes with learned rules and counts, their other attributes the grammar's, and log-probabilities."""
    if distribution.structure is not None:
        scenes = distribution.structure.sample(seed, index)
        return scenes, distribution.structure.log_probs(scenes)
    log_probs: dict[Key, Tensor] = {}
    rules = {kind: distribution.rules[parameter_name(kind)] for kind in distribution.grammar.learned_heads}
    contexts = Contexts(distribution.grammar, distribution.columns)
    parts: dict[Key, list[Tensor]] = {a.key: [torch.zeros(0)] for a in distribution.numbers if a.count}
    counts = {a.key: partial(_count_offset, distribution, a, contexts, parts[a.key])
              for a in distribution.numbers if a.count}
    given: dict[str, list[Tensor]] = {kind: [logits.new_zeros(0, len(logits))] for kind, logits in rules.items()}
    odds = {kind: _rule_odds(distribution, kind, contexts, given[kind]) for kind in rules}
    scenes = distribution.grammar.sample(seed, index, counts, odds)
    log_probs |= {key: torch.cat(several) for key, several in parts.items()}
    for kind, logits in rules.items():
        rule = torch.from_numpy(scenes.tables[kind].rule)
        log_probs[kind, RULE] = (torch.log_softmax(logits + torch.cat(given[kind]), 1).gather(1, rule[:, None])[:, 0]
                                 if callable(odds[kind]) else torch.log_softmax(logits, 0)[rule])
    return scenes, log_probs


def _rule_odds(distribution: SceneDistribution, kind: str, contexts: Contexts, given: list[Tensor]) -> Any:
    """The probabilities of a kind's rules, or, where they depend on the context, a function that returns those of a
    group's nodes and appends what the context adds to their log-odds."""
    logits, density = distribution.rules[parameter_name(kind)], distribution.conditional.get(parameter_name(kind, RULE))
    if density is None:
        return probabilities(logits)

    def odds(groups: Mapping[tuple[str, int], NodeGroup], group: NodeGroup) -> np.ndarray:
        more = density.log_odds(contexts.of(groups, group), group.scene // CHUNK)
        given.append(torch.from_numpy(more).float())
        return torch.softmax(logits.detach().double() + torch.from_numpy(more), 1).numpy()

    return odds


def _count_offset(distribution: SceneDistribution, a: Attribute, contexts: Contexts, log_probs: list[Tensor],
                  groups: Mapping[tuple[str, int], NodeGroup], group: NodeGroup) -> np.ndarray:
    """Offsets [n] of a group's counts, which see no network, as the scene is only made. Their log-probabilities are
    appended."""
    u, density = uniform(group.address, a.name), distribution._density_of(a)
    rank, change = u, np.zeros(len(u))
    if density is not None:
        x = contexts.of(groups, group) if density.depends else np.zeros((len(group), 0))
        rank = density.ranks(u, x, group.scene // CHUNK)
        change = density.quantile(rank) + from_median(a, None, u)
    elif a.kind == distribution.grammar.start:
        change = _starts(distribution, group.address).get(a.key, change)
    offset, log_prob = distribution._sample_offset(a, 0.0, group.address, special.ndtri(rank))
    log_probs.append(log_prob)
    return offset.detach().numpy().astype(np.float64) + change


def _starts(distribution: SceneDistribution, address: np.ndarray) -> Mapping[Key, np.ndarray]:
    """Offsets [S] that take the root's numbers from their priors to the aggregate posterior."""
    posterior = distribution.aggregate_posterior
    return {} if posterior is None else posterior.offsets(distribution.image_attributes, address)


def _sample_group(distribution: SceneDistribution, a: Attribute, network: Tensor, view: View, group: NodeGroup,
                  given: np.ndarray) -> tuple[Any, Tensor]:
    """Codes or offsets [n] of a group, given the log-odds or ranks of their conditional densities, and their
    log-probabilities [n]. network [all nodes, outputs]: its part."""
    u, network = uniform(group.address, a.name), network[group.start:group.start + len(group)]
    if a.form == "choice":
        return sample_choices(distribution.logits[_name(a)] + network + torch.from_numpy(given).float(), u)
    offset, log_prob = distribution._sample_offset(a, NETWORK_SCALE * network[:, 0], group.address,
                                                   special.ndtri(given))
    change = distribution.conditional[_name(a)].quantile(given) + from_median(a, view, u)
    return offset + torch.from_numpy(change), log_prob


def _width(attribute: Attribute) -> int:
    return len(attribute.choice.options) if attribute.form == "choice" else 1
