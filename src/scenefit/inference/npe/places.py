"""Where scenes place their objects, seen by rendering them; and of which kinds the place follows from the image.

In a car park a vehicle stands where its bay is; which of the predicted objects a node stands for is then known from its
place. Coins lie anywhere, and their places tell nothing. Legend: S scenes; m objects; n nodes of a kind.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.inference.stages.problem import Problem, State
from scenefit.metrics.assignment import Extents, assign, join_extents
from scenefit.nets.object_targets import SEEN, ObjectSpec, rows_of_objects
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_parts
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.grammar.values import Drawing, draw_scenes, given_structure, learned_values
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import Ints, SceneBatch

TRIED = 32  # scenes that are drawn twice
MIN_PLACED = 0.5  # share of the objects that the image places, of those that do not match by chance
MIN_EXCESS = 0.05  # of matched objects, over those of another image


@dataclass(frozen=True, eq=False)
class Places:
    """Visible objects of scenes. extents: their image is the scene, their kind that among the spec's.  address [m]: of
    each node.  row [m]: in its kind's table."""

    extents: Extents
    address: NDArray[np.uint64]
    row: Ints

    def where(self, mask: NDArray[np.bool_]) -> "Places":
        return Places(self.extents.take(mask), self.address[mask], self.row[mask])


def join_places(parts: list[Places]) -> Places:
    return Places(join_extents([part.extents for part in parts]), np.concatenate([part.address for part in parts]),
                  np.concatenate([part.row for part in parts]))


def places_of(renderer: Renderer, size: tuple[int, int], spec: ObjectSpec, scenes: SceneBatch) -> Places:
    """The places of the objects of these scenes, rendered in chunks."""
    place = np.array([spec.kinds.index(kind) if kind in spec.kinds else -1 for kind in scenes.kinds])
    parts, done = [], 0
    for frames in render_parts(renderer, scenes, size):
        code, row = rows_of_objects(frames)
        kept = SEEN.keeps(frames) & (place[code] >= 0)
        whole = {k: np.flatnonzero((t.scene >= done) & (t.scene < done + len(frames)))
                 for k, t in enumerate(scenes.tables.values()) if place[k] >= 0}
        own = np.array([whole[k][r] for k, r in zip(code[kept], row[kept], strict=True)], np.int64)
        address = np.array([scenes.tables[scenes.kinds[k]].address[r] for k, r in zip(code[kept], own, strict=True)],
                           np.uint64)
        parts.append(Places(Extents(done + frames.objects.scene[kept], place[code][kept], SEEN.boxes(frames)[kept]),
                            address, own))
        done += len(frames)
        del frames  # with its masks, before the next are drawn
    return join_places(parts)


@dataclass(frozen=True)
class Placed:
    """kinds: of objects whose places follow from the image.  moving: the image's attributes that they follow from.
    renders: that showed it."""

    kinds: tuple[str, ...] = ()
    moving: tuple[Attribute, ...] = ()
    renders: int = 0


def placed_kinds(grammar: Grammar, renderer: Renderer, size: tuple[int, int], spec: ObjectSpec,
                 seed: int) -> "Placed":
    """The kinds of objects whose places follow from the attributes of the image: drawn again with the same of these and
    other random numbers, they stand where they stood, and not where those of another image do. `TRIED` renders, twice
    and, if there are such kinds, once for each attribute."""
    if not spec.kinds:
        return Placed()
    scenes = grammar.sample(seed, TRIED)
    before = places_of(renderer, size, spec, scenes).extents
    same = same_image(grammar, scenes, spec.single, derive_seed(seed, "again"))
    again = places_of(renderer, size, spec, draw_scenes(grammar, same)).extents
    other = replace(again, image=(again.image + 1) % TRIED)
    own, chance = (assign(before, extents, extents.image)[0] >= 0 for extents in (again, other))
    found = []
    for code, kind in enumerate(spec.kinds):
        mine = again.kind == code
        if mine.any() and own[mine].mean() - chance[mine].mean() > max(MIN_EXCESS,
                                                                       MIN_PLACED * (1 - chance[mine].mean())):
            found.append(kind)
    if not found:
        return Placed(renders=2 * TRIED)
    moving = []
    for a in grammar.learned:
        if a.key in same.values:  # of another image, all else being the same
            changed = replace(same, values={**same.values, a.key: np.roll(same.values[a.key], 1)})
            moved = places_of(renderer, size, spec, draw_scenes(grammar, changed)).extents
            there = assign(before, moved, moved.image)[0] >= 0
            if len(there) == 0 or there.mean() < own.mean() - MIN_EXCESS:
                moving.append(a)
    return Placed(tuple(found), tuple(moving), (2 + len(same.values)) * TRIED)


def same_image(grammar: Grammar, scenes: SceneBatch, single: tuple[str, ...], seed: int) -> Drawing:
    """A drawing of the same structure and the same learned attributes of the kinds of which each scene has one node."""
    own, values = learned_values(grammar, scenes), {}
    for a in grammar.learned:
        if a.kind in single and not a.count:
            values[a.key] = np.full(len(scenes), np.nan)
            values[a.key][scenes.tables[a.kind].scene] = own[a.key]
    return Drawing(seed, len(scenes), values, by_node=given_structure(grammar, scenes))


def image_attributes(grammar: Grammar, spec: ObjectSpec) -> tuple[Attribute, ...]:
    """Learned attributes of which each scene has one, without counts."""
    return tuple(a for a in grammar.learned if a.kind in spec.single and not a.count)


def find_placed(problem: Problem, spec: ObjectSpec) -> Placed:
    """Those of a fit's scenes, whose attributes are uniform within all bounds."""
    return placed_kinds(uniform_randomisation(problem.grammar), problem.renderer, problem.size, spec,
                        problem.seed_of("places"))


def with_placed(problem: Problem, spec: ObjectSpec, state: State, placed: Placed) -> State:
    """The state that later rounds know this of; the renders are counted once."""
    keys = [a.key for a in problem.grammar.learned]
    known = {"placed:kinds": torch.tensor([spec.kinds.index(kind) for kind in placed.kinds], dtype=torch.long),
             "placed:moving": torch.tensor([keys.index(a.key) for a in placed.moving], dtype=torch.long)}
    return replace(state, renders=state.renders + placed.renders, diagnostics={**state.diagnostics, **known})


def known_placed(problem: Problem, spec: ObjectSpec, state: State) -> Placed | None:
    """What an earlier round found; None before the first."""
    if "placed:kinds" not in state.diagnostics:
        return None
    kinds, moving = (state.diagnostics[f"placed:{name}"].tolist() for name in ("kinds", "moving"))
    return Placed(tuple(spec.kinds[code] for code in kinds), tuple(problem.grammar.learned[row] for row in moving))
