"""The scene distribution fitted to samples of scenes by maximum likelihood.

The marginal distribution of each attribute has a closed form: the weighted quantiles of a number, relative to the
median of its prior; the weighted shares of a choice's options. What it depends on is learned as a density of the
number's rank, or of the option, given the node's context (`conditional_offsets`).

Legend: S scenes; n nodes of a kind; M ranks; K knots.
"""

from collections.abc import Collection

import numpy as np
import torch
from scipy import special

from scenefit.nets.conditional_offsets import BINS, RANKS, ConditionalDensity
from scenefit.nets.conditional_training import NodeData, bins_of, train_density
from scenefit.nets.graph_encoding import Contexts
from scenefit.nets.graph_network import parameter_name
from scenefit.nets.quantile_offsets import KNOTS
from scenefit.nets.sampling import log_probabilities
from scenefit.nets.scene_distribution import SIGMA_FLOOR, SceneDistribution
from scenefit.scenes.attributes import Array, Attribute, Key, View, draw, normalise
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.derivation import node_groups
from scenefit.scenes.grammar.rules import rule_choice
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

EMPTY_BINS = 360  # of a turn, among which the emptiest place of angles is sought
SMOOTH = 8  # bins: standard deviation of the window for that
STEPS = 150  # of each stage of an attribute's training
PRIOR_SCENES = 64  # in which the form of a conditional prior is measured


def fit_distribution(distribution: SceneDistribution, scenes: SceneBatch, keys: Collection[Key], seed: int,
                     log_weight: Array | None = None, photo: Array | None = None,
                     steps: int = STEPS) -> SceneDistribution:
    """A copy whose attributes of these keys, (kind, name), are distributed as in scenes; all others stay as they are.
    The key (kind, "rule") is that of a kind's choice of rules, which depends on counts, numbers among siblings and
    attributes that are not learned.

    scenes: samples of photos' posteriors; their columns are the data.  log_weight [S]: of each scene, for importance
    weights; -inf leaves it out.  photo [S]: which photo each is of; by default each is of another, so it is needed
    wherever a photo has several: a dependence is kept only if photos that were held out confirm it.  steps: of each
    stage of an attribute's training (`conditional_training`); 0 leaves all independent of their context.
    Attributes that an aggregate posterior or a structure policy decides are left alone.
    ValueError for unknown keys, weights that are no numbers, or without a scene.
    """
    grammar, weight = distribution.grammar, _weights(distribution.grammar, scenes, keys, log_weight, photo)
    photo = np.arange(len(scenes)) if photo is None else np.asarray(photo)
    fitted, densities, contexts = distribution.copy(), {}, Contexts(grammar, distribution.columns)
    inputs = _inputs(contexts, scenes, {kind for kind, _ in keys}) if steps else {}
    for a in grammar.learned:
        table = scenes.tables[a.kind]
        own, own_seed = weight[table.scene], derive_seed(seed, f"{a.kind}.{a.name}")
        if a.key not in keys or fitted.is_decided(a) or not own.any():
            continue
        density = densities[a] = fitted.density(a).to(next(fitted.network.parameters()).device)
        _remove_network(fitted, a)
        code, share = _fit_marginal(fitted, a, density, scenes, own, own_seed)
        if steps:
            data = NodeData(inputs[a.kind], contexts.inputs_of(a), code, own, photo[table.scene], share)
            train_density(density, data, own_seed, steps)
    for kind in grammar.learned_heads if fitted.structure is None else ():
        table = scenes.tables[kind]
        own = weight[table.scene]
        if (kind, "rule") in keys and own.any():
            shares = np.bincount(table.rule, own, len(grammar.rules_of(kind))) / own.sum()
            with torch.no_grad():
                fitted.rules[parameter_name(kind)].copy_(log_probabilities(shares))
            rule = rule_choice(grammar, kind)
            density, own_seed = fitted.density(rule), derive_seed(seed, f"{kind}.{rule.name}")
            if steps and train_density(density, NodeData(inputs[kind], contexts.inputs_of(rule), table.rule, own,
                                                         photo[table.scene], shares), own_seed, steps):
                densities[rule] = density
    return fitted.with_conditional(densities) if densities else fitted


def weighted_quantiles(values: Array, weight: Array, ranks: Array) -> Array:
    """Quantiles of values [n] with weights [n] at ranks [M]: those of the middles of the weights, linear between."""
    order = np.argsort(values, kind="stable")
    weight = weight[order]
    middle = (np.cumsum(weight) - weight / 2) / weight.sum()
    return np.interp(ranks, middle[weight > 0], values[order][weight > 0])


def unwrap_at_emptiest(turns: Array, weight: Array) -> Array:
    """Angles [n], in turns, as numbers within one turn that begins where they are rarest."""
    share = np.bincount((turns % 1.0 * EMPTY_BINS).astype(int) % EMPTY_BINS, weight, EMPTY_BINS)
    window = np.exp(-0.5 * (np.minimum(np.arange(EMPTY_BINS), EMPTY_BINS - np.arange(EMPTY_BINS)) / SMOOTH) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(share) * np.fft.rfft(window), EMPTY_BINS)
    cut = (int(np.argmin(smooth)) + 0.5) / EMPTY_BINS
    return cut + (turns - cut) % 1.0


def _fit_marginal(fitted: SceneDistribution, a: Attribute, density: ConditionalDensity, scenes: SceneBatch,
                  weight: Array, seed: int) -> tuple[Array, Array]:
    """Give an attribute the shares of its options, or its quantiles: the curve as far as it can, the density's table
    the rest. Returns each node's option or bin of ranks [n], and the share of each [B]."""
    if a.form == "choice":
        code = a.choice.codes(np.asarray(scenes.tables[a.kind][a.name]))
        fitted.set_odds(a, np.bincount(code, weight, len(a.choice.options)))
        return code, fitted.odds(a)
    values = _residuals(fitted.grammar, scenes, a, np.random.default_rng(seed))
    values = unwrap_at_emptiest(values, weight) if a.circular else values
    form = _prior_form(fitted.grammar, a, scenes, special.ndtr(KNOTS))
    fitted.set_offsets(a, weighted_quantiles(values, weight, special.ndtr(KNOTS)) - form)
    fitted.set_sigma(a, SIGMA_FLOOR)
    with torch.no_grad():
        curve = fitted.offset(a, special.ndtri(RANKS)).double().numpy()
        density.table.copy_(torch.from_numpy(weighted_quantiles(values, weight, RANKS) - curve))
    return bins_of(_ranks(values, weight)), np.full(BINS, 1 / BINS)


def _ranks(values: Array, weight: Array) -> Array:
    """The rank, 0..1, of each value [n] among all."""
    order = np.argsort(values, kind="stable")
    ranks = np.empty(len(values))
    ranks[order] = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    return ranks


def _inputs(contexts: Contexts, scenes: SceneBatch, kinds: Collection[str]) -> dict[str, Array]:
    """Contexts [n, F] of the nodes of these kinds."""
    groups = node_groups(scenes)
    parts = {kind: [np.zeros((0, contexts.width(kind)))] for kind in kinds}
    for group in groups.values():
        if group.kind in kinds:
            parts[group.kind].append(contexts.of(groups, group))
    return {kind: np.concatenate(several) for kind, several in parts.items()}


def _remove_network(fitted: SceneDistribution, a: Attribute) -> None:
    """Set the graph network's part of an attribute to 0."""
    at = 0
    for other in fitted.grammar.attributes[a.kind].values():
        width = len(other.choice.options) if other.form == "choice" else 1
        if other.key == a.key and not a.count:
            with torch.no_grad():
                for parameter in fitted.network.leave[parameter_name(a.kind)].parameters():
                    parameter[at:at + width] = 0
        at += width if other.learned and not other.count else 0


def _residuals(grammar: Grammar, scenes: SceneBatch, a: Attribute, random: np.random.Generator) -> Array:
    """A number's values [n] less the median of each node's prior, in units of the bounds; angles within half a turn.

    Integers lie anywhere in their bins, so that their distribution has no steps.
    """
    groups, parts = node_groups(scenes), [np.zeros(0)]
    for group in groups.values():
        if group.kind == a.kind:
            view = View(scenes.kinds, groups, group)
            middle = draw(a, view, np.full(len(group), 0.5))[1]
            assert middle is not None
            value = normalise(a, view, np.asarray(group.columns[a.name])) - middle.value
            if a.form == "integer":
                value = value + (random.random(len(group)) - 0.5) / (middle.high - middle.low + 1)
            parts.append((value + 0.5) % 1.0 - 0.5 if a.circular else value)
    return np.concatenate(parts)


def _prior_form(grammar: Grammar, a: Attribute, scenes: SceneBatch, ranks: Array) -> Array:
    """The prior's quantiles at ranks [K] less its median, in units of the bounds; of a conditional prior, their mean
    over some scenes."""
    if not a.conditional:
        ends = draw(a, None, np.append(ranks, 0.5))[1]  # type: ignore[arg-type]
        assert ends is not None
        form = np.unwrap(ends.value, period=1.0) if a.circular else ends.value
        return form[:-1] - form[len(ranks) // 2] if a.circular else form[:-1] - form[-1]
    some = scenes.take(range(min(len(scenes), PRIOR_SCENES)))
    groups, total, count = node_groups(some), np.zeros(len(ranks)), 0
    for group in groups.values():
        if group.kind == a.kind:
            view = View(some.kinds, groups, group)
            at = [draw(a, view, np.full(len(group), rank))[1] for rank in ranks]
            values = np.stack([each.value for each in at if each is not None])
            values = np.unwrap(values, period=1.0, axis=0) if a.circular else values
            total, count = total + (values - values[len(ranks) // 2]).sum(axis=1), count + len(group)
    return total / max(count, 1)


def _weights(grammar: Grammar, scenes: SceneBatch, keys: Collection[Key], log_weight: Array | None,
             photo: Array | None) -> Array:
    """Weights [S] whose greatest is 1. ValueError, see `fit_distribution`."""
    known = {a.key for a in grammar.learned} | {(kind, "rule") for kind in grammar.learned_heads}
    unknown = sorted(set(keys) - known)
    if unknown:
        raise ValueError(f"fit_distribution(keys): {unknown} are not among the learned attributes {sorted(known)}; "
                         "name attributes that are wrapped in learned(...)")
    if len(scenes) == 0:
        raise ValueError("fit_distribution(scenes): there is no scene; at least one posterior sample is needed")
    for name, given in (("log_weight", log_weight), ("photo", photo)):
        if given is not None and np.shape(given) != (len(scenes),):
            raise ValueError(f"fit_distribution({name}): one number for each of the {len(scenes)} scenes is needed, "
                             f"got an array of shape {np.shape(given)}")
    if log_weight is None:
        return np.ones(len(scenes))
    log_weight = np.asarray(log_weight, float)
    if np.isnan(log_weight).any() or not np.isfinite(log_weight.max()):
        raise ValueError("fit_distribution(log_weight): log-weights must be finite numbers, or -inf to leave a scene "
                         f"out, and one of them finite; got {log_weight}")
    return np.exp(log_weight - log_weight.max())
