"""Rules and counts of nodes that are no objects themselves, told by which of their children the photos show.

A bay of a car park has no pixels; whether it holds a car, a van or nothing is seen from the object at its place. Each
alternative is drawn once, for all nodes at a time, and the one whose children are there is chosen. The same is done for
renders of known truth, and the shares of the true alternatives are those that would be mistaken into the photos' ones.

Legend: S scenes; n nodes of a kind; A alternatives; V renders.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scenefit.inference.npe.cases import Case, Derived
from scenefit.inference.npe.matching import MIN_R2
from scenefit.inference.npe.places import TRIED, Placed, Places, image_attributes, join_places, places_of
from scenefit.inference.stages.problem import Problem
from scenefit.metrics.assignment import assign, join_extents, log_likelihood
from scenefit.metrics.prediction_correction import choice_posteriors, count_posteriors, draw_rows
from scenefit.nets.graph_encoding import ancestor_kinds
from scenefit.nets.object_targets import ObjectSpec, related_rows
from scenefit.scenes.attributes import Attribute, Key, View
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.derivation import node_groups
from scenefit.scenes.grammar.rules import RULE, rule_choice
from scenefit.scenes.grammar.values import draw_scenes, given_structure, learned_values, whole_ends
from scenefit.scenes.scene import Ints, SceneBatch

Floats = NDArray[np.float64]
MISSING = 0.5  # cost of a child that is not there, beside 1 to 1/2 for one that is, by its distance
MIN_AVOIDED = 0.1  # share of the errors of the most frequent rule that predictions have to avoid


@dataclass(frozen=True)
class Unknown:
    """A learned choice of rule, or count, of a kind that is no object. children: for each rule, or for the count, the
    kinds of objects below that have a place."""

    attribute: Attribute
    children: tuple[frozenset[str], ...]


def unknowns(grammar: Grammar, spec: ObjectSpec, placed: Sequence[str]) -> tuple[Unknown, ...]:
    """Those that the places of children tell, from the root down. Kinds that lead back to themselves are left out."""
    below = _below(grammar)
    found = []
    for kind in sorted(grammar.kinds, key=lambda kind: sum(kind in some for some in below.values())):
        if kind in (*spec.single, *spec.kinds) or kind in below[kind]:
            continue
        if kind in grammar.learned_heads:
            children = [set(rule.child_kinds).union(*(below[child] for child in rule.child_kinds)) & set(placed)
                        for rule in grammar.rules_of(kind)]
            if any(children):
                found.append(Unknown(rule_choice(grammar, kind), tuple(map(frozenset, children))))
        for a in grammar.attributes[kind].values():
            if a.count and a.learned:
                child = a.name.removeprefix("n_")
                if reached := ({child} | below[child]) & set(placed):
                    found.append(Unknown(a, (frozenset(reached),)))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Structure:
    """places: scenes -> the places of their objects."""

    grammar: Grammar
    spec: ObjectSpec
    unknown: tuple[Unknown, ...]
    placed: Placed
    places: Callable[[SceneBatch], Places]

    def renders(self, scenes: int, known: int) -> int:
        """At most, for so many scenes of photos and renders of known truth."""
        drawn = sum(sum(map(bool, one.children)) for one in self.unknown) + bool(self.placed.moving)
        return drawn * (scenes + known) + scenes

    def __call__(self, photos: Case, known: Case, truth: SceneBatch, random: np.random.Generator) -> Derived:
        """known: renders of known truth, drawn anew with what is predicted of their images. truth: their scenes."""
        seen: list[Places] = []
        truth = truth.take(known.image)
        inferred, renders = set(), 0
        known = replace(known, drawing=replace(known.drawing, by_node=given_structure(self.grammar, truth)))
        if self.placed.moving:
            photos, known = self._moved(photos, known, truth, random)
            inferred |= {a.key for a in self.placed.moving}
            renders += len(photos.image) + len(known.image)
        for one in self.unknown:
            key, infer = one.attribute.key, _rules if one.attribute.name == RULE else _counts
            values, drawn = infer(self, one, photos, known, truth, random)
            seen += drawn
            renders += sum(map(bool, one.children)) * (len(photos.image) + len(known.image))
            if values is not None:
                inferred.add(key)
                by_node = {**photos.drawing.by_node, key: values}
                photos = replace(photos, drawing=replace(photos.drawing, by_node=by_node))
        scenes = draw_scenes(self.grammar, photos.drawing)
        if not seen:
            seen, renders = [self.places(scenes)], renders + len(scenes)
        return Derived(scenes, photos.drawing.values, self._objects(scenes, join_places(seen), photos),
                       frozenset(inferred), renders)

    def _moved(self, photos: Case, known: Case, truth: SceneBatch, random: np.random.Generator) -> tuple[Case, Case]:
        """With the attributes that move the objects taken from a scene, of any image, whose places fit to the image's
        objects; how far the values predicted of an image may be wrong is known from the renders."""
        drawn = [self.drawn(case, {one.attribute.key: _most(one) for one in self.unknown}) for case in (photos, known)]
        units = np.concatenate([_units(self.grammar, self.placed.moving, scenes) for scenes, _ in drawn])
        true = _units(self.grammar, self.placed.moving, truth)
        circular = np.array([a.circular for a in self.placed.moving])
        predicted = np.array([a.key in photos.drawing.values and a.form != "choice" for a in self.placed.moving])
        off = _difference(units[len(photos.image):], true, circular)
        weight = predicted / np.maximum((off**2).mean(0), 1e-6)
        places = join_extents([replace(places.extents, image=places.extents.image + first)
                               for (_, places), first in zip(drawn, (0, len(photos.image)), strict=True)])
        out, first = [], 0
        for case in (photos, known):
            own = units[first:first + len(case.image)]
            first += len(case.image)
            fit = log_likelihood(case.found, case.objects.count, places, len(units))[case.image]
            for row in range(len(own)):
                fit[row] -= (_difference(units, own[row], circular) ** 2 * weight).sum(1) / 2
            chosen = draw_rows(np.exp(fit - fit.max(1, keepdims=True)), random.random(len(own)))
            empty = np.bincount(case.found.image, minlength=case.objects.count)[case.image] == 0
            values = np.where(empty[:, None], own, units[chosen])
            moved = {a.key: values[:, column] for column, a in enumerate(self.placed.moving)}
            out.append(replace(case, drawing=replace(case.drawing, values={**case.drawing.values, **moved})))
        return out[0], out[1]

    def _objects(self, scenes: SceneBatch, seen: Places, case: Case) -> dict[str, Ints]:
        """Of each node of the placed kinds, the row of its object."""
        out = {}
        for kind in self.placed.kinds:
            table, own = scenes.tables[kind], seen.where(seen.extents.kind == self.spec.kinds.index(kind))
            address, first = np.unique(own.address, return_index=True)
            at = np.minimum(np.searchsorted(address, table.address), max(len(address) - 1, 0))
            there = np.flatnonzero(address[at] == table.address) if len(address) else np.zeros(0, np.int64)
            rows = first[at[there]] if len(there) else there
            extents = replace(own.extents.take(rows), image=case.image[table.scene[there]])
            out[kind] = np.full(len(table), -1)
            out[kind][there] = assign(case.found, extents, table.scene[there])[0]
        return out

    def drawn(self, case: Case, given: Mapping[Key, int]) -> tuple[SceneBatch, Places]:
        """Scenes all of whose nodes have these rules or counts, and the places of their objects."""
        below = _below(self.grammar)
        under = set().union(*(below[kind] for kind, _ in given))
        by_node = {key: own for key, own in case.drawing.by_node.items() if key[0] not in under} | dict(given)
        scenes = draw_scenes(self.grammar, replace(case.drawing, by_node=by_node))
        return scenes, self.places(scenes)

    def owners(self, one: Unknown, scenes: SceneBatch, places: Places, children: frozenset[str]) -> tuple[Places, Ints]:
        """The places of children of the unknown's kind, and the rows of their parents."""
        owner = np.full(len(places.row), -1)
        for kind in children:
            mine = places.extents.kind == self.spec.kinds.index(kind)
            owner[mine] = related_rows(scenes, kind, one.attribute.kind)[places.row[mine]]
        return places.where(owner >= 0), owner[owner >= 0]


def structure_of(problem: Problem, spec: ObjectSpec, placed: Placed) -> Structure:
    """What can be found where these kinds have places."""
    return Structure(problem.grammar, spec, unknowns(problem.grammar, spec, placed.kinds), placed,
                     partial(places_of, problem.renderer, problem.size, spec))


def all_placed(grammar: Grammar, spec: ObjectSpec) -> Placed:
    """The most that could have places: for the number of renders."""
    return Placed(spec.kinds, moving := image_attributes(grammar, spec), (2 + len(moving)) * TRIED)


def _rules(structure: Structure, one: Unknown, photos: Case, known: Case, truth: SceneBatch,
           random: np.random.Generator) -> tuple[Ints | None, list[Places]]:
    """The rule of each node [n], None where photos do not tell, and the places of all children that it may have."""
    (mine, drawn), (theirs, _) = _chosen(structure, one, photos), _chosen(structure, one, known)
    true = truth.tables[one.attribute.kind].rule
    seen, known_seen = mine >= 0, theirs >= 0
    options = np.eye(len(one.children))
    if not seen.any() or not known_seen.any():
        return None, drawn
    wrong = (theirs[known_seen] != true[known_seen]).mean()
    usual = 1 - np.bincount(true[known_seen]).max() / known_seen.sum()
    if wrong > (1 - MIN_AVOIDED) * usual:
        return None, drawn
    odds = choice_posteriors(options[mine[seen]], options[theirs[known_seen]], true[known_seen],
                             _numbers(draw_scenes(structure.grammar, photos.drawing), one.attribute.kind)[seen])
    every = np.tile(odds.mean(0), (len(mine), 1))
    every[seen] = odds
    return draw_rows(every, random.random(len(mine))), drawn


def _chosen(structure: Structure, one: Unknown, case: Case) -> tuple[Ints, list[Places]]:
    """Of each node [n], the rule whose children are there, -1 where none would be seen."""
    parts: list[tuple[Places, Ints, Ints]] = []
    every: list[Places] = []
    n = 0
    for number, children in enumerate(one.children):
        if children:
            scenes, places = structure.drawn(case, {one.attribute.key: number})
            own, owner = structure.owners(one, scenes, places, children)
            parts.append((own, owner, np.full(len(owner), number)))
            every.append(places)
            n = len(scenes.tables[one.attribute.kind])
    joined, owner, rule = join_places([p[0] for p in parts]), *(np.concatenate([p[i] for p in parts]) for i in (1, 2))
    extents = replace(joined.extents, image=case.image[joined.extents.image])
    rows, distance = assign(case.found, extents, joined.extents.image)
    score, count = np.zeros((n, len(one.children))), np.zeros((n, len(one.children)))
    np.add.at(score, (owner, rule), np.where(rows >= 0, 1 - distance / 2, -MISSING))
    np.add.at(count, (owner, rule), 1)
    best = np.argmax(score - 1e-6 * count, axis=1)
    return np.where(count.any(1), best, -1), every


def _most(one: Unknown) -> int:
    """The rule, or count, of the most children."""
    if one.attribute.name == RULE:
        return int(np.argmax([len(some) for some in one.children]))
    return whole_ends(one.attribute)[1]


def _units(grammar: Grammar, attributes: Sequence[Attribute], scenes: SceneBatch) -> Floats:
    """Normalised values, or numbers of options, of attributes of which each scene has one [S, A]."""
    own, out = learned_values(grammar, scenes), np.full((len(scenes), len(attributes)), 0.5)
    for column, a in enumerate(attributes):
        out[scenes.tables[a.kind].scene, column] = own[a.key]
    return out


def _difference(a: Floats, b: Floats, circular: NDArray[np.bool_]) -> Floats:
    return np.where(circular, (a - b + 0.5) % 1.0 - 0.5, a - b)


def _numbers(scenes: SceneBatch, kind: str) -> Ints:
    """Which place among its siblings, and its parent's among those, each node has: a number [n] for each."""
    groups, parts = node_groups(scenes), []
    for group in groups.values():
        if group.kind == kind:
            view = View(scenes.kinds, groups, group)
            parts.append(np.stack([view.number, view.parent.number], 1))
    return np.unique(np.concatenate(parts), axis=0, return_inverse=True)[1].reshape(-1)


def _counts(structure: Structure, one: Unknown, photos: Case, known: Case, truth: SceneBatch,
            random: np.random.Generator) -> tuple[Ints | None, list[Places]]:
    """The count of each node [n], None where photos do not tell, and the places of all children that it may have."""
    low, high = whole_ends(one.attribute)
    (mine, drawn), (theirs, _) = _counted(structure, one, photos, high), _counted(structure, one, known, high)
    true = np.asarray(truth.tables[one.attribute.kind][one.attribute.name]) - low
    seen, known_seen = np.isfinite(mine), np.isfinite(theirs)
    if not seen.any() or not known_seen.any():
        return None, drawn
    predicted, counts = theirs[known_seen], true[known_seen]
    if predicted.std() * counts.std() > 0 and np.corrcoef(predicted, counts)[0, 1] ** 2 < MIN_R2:
        return None, drawn
    odds = count_posteriors(mine[seen] - low, predicted - low, counts, high - low + 1)
    every = np.tile(odds.mean(0), (len(mine), 1))
    every[seen] = odds
    return low + draw_rows(every, random.random(len(mine))), drawn


def _counted(structure: Structure, one: Unknown, case: Case, most: int) -> tuple[Floats, list[Places]]:
    """Of each node [n], how many children are there; NaN where none would be seen."""
    scenes, places = structure.drawn(case, {one.attribute.key: most})
    own, owner = structure.owners(one, scenes, places, one.children[0])
    extents = replace(own.extents, image=case.image[own.extents.image])
    rows, _ = assign(case.found, extents, own.extents.image)
    n = len(scenes.tables[one.attribute.kind])
    there = np.bincount(owner[rows >= 0], minlength=n).astype(float)
    return np.where(np.bincount(owner, minlength=n) > 0, there, np.nan), [places]


def _below(grammar: Grammar) -> dict[str, set[str]]:
    """The kinds that can be below each kind."""
    above = ancestor_kinds(grammar)
    return {kind: {other for other in grammar.kinds if kind in above[other]} for kind in grammar.kinds}
