"""The known worlds: for each a grammar, a renderer, photos whose truth is known, and what is scored.

Which attributes are visible was measured before the first fit (visibility.py) and stands in visible.json: those that a
regressor trained on 5,000 photos with their truth predicts with an R2 of `VISIBLE` or more on held-out photos.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from experiments.known_worlds import car_park, car_park_photos, discs, discs_photos
from experiments.known_worlds.score import Samples, Target, of_truth
from experiments.known_worlds.truth import Array, Truth
from scenefit.scenes.attributes import NodeGroup

HERE = Path(__file__).parent
VISIBLE = 0.3  # R2 from which an attribute is visible
LEAST_C2ST = 0.75  # below, photos are too much like renders for a test of misspecification

Photos = Callable[[int, int], tuple[Array, Any]]


@dataclass(frozen=True, eq=False)
class World:
    """photos: (seed, count) -> images uint8 [N, H, W, 3] and their truth.  true_scenes: (seed, count) -> samples of the
    truth without images.  pairs: of attributes whose dependence is reported.  more: columns of scenes that are scored
    and no attributes, "kind.attribute" -> values [n]."""

    name: str
    grammar: sf.Grammar
    renderer: Any
    photos: Photos
    true_scenes: Callable[[int, int], Samples]
    targets: Sequence[Target]
    pairs: Sequence[tuple[str, str]] = ()
    more: Callable[[sf.SceneBatch], dict[str, Array]] = lambda scenes: {}

    @property
    def visible(self) -> dict[str, bool]:
        """"kind.attribute" -> whether photos show it; only of worlds that visible.json names."""
        known = recorded().get(self.name, {"r2": {}})["r2"]
        return {key: r2 >= VISIBLE for key, r2 in known.items()}


@cache
def recorded() -> dict[str, Any]:
    """visible.json; {} before the first measurement."""
    path = HERE / "visible.json"
    return json.loads(path.read_text()) if path.exists() else {}


def targets_of(grammar: sf.Grammar, axes: Sequence[str] = ()) -> tuple[Target, ...]:
    """All learned attributes. axes: "kind.attribute" of angles of which half a turn makes no difference."""
    out = []
    for a in grammar.learned:
        form = "count" if a.count else {"angle": "angle", "choice": "choice"}.get(a.form, "number")
        out.append(Target(a.kind, a.name, form, 180.0 if f"{a.kind}.{a.name}" in axes else 360.0))
    return tuple(out)


def rendered_truth(world: World, truth: Truth, seed: int) -> sf.SceneBatch:
    """The true scenes as scenes of the grammar, for its renderer; attributes that depend on others are computed."""
    def decide(group: NodeGroup) -> dict[str, Array]:
        if group.kind not in truth.columns:
            return {}
        if len(group) != len(truth.photo[group.kind]) or np.any(group.scene != truth.photo[group.kind]):
            raise ValueError(f"{world.name}: the nodes {group.kind} of the truth are not sorted as the grammar derives "
                             "them; sort them by photo, then by parent")
        return dict(truth.columns[group.kind])

    return world.grammar.sample(seed, len(truth), decide=decide)


def build_discs(data: Path | None, seed: int) -> World:
    """The same for every seed."""
    tree = discs.grammar()
    total = Target("dish", "n_disc+n_bead", "count")
    return World("discs", tree, discs.renderer(), discs_photos.photos,
                 lambda seed, count: of_truth(discs_photos.true_scenes(seed, count)),
                 (*targets_of(tree, ["disc.angle"]), total),
                 [("disc.brightness", "dish.lamp"), ("bead.brightness", "dish.lamp")])


def build_car_park(data: Path | None, seed: int) -> World:
    """The same for every seed. What stands in a bay is scored alone and together with the bay's row."""
    tree = car_park.grammar()
    counts = [Target("lot", f"n_{kind}", "count") for kind in car_park_photos.WIDTH]
    odds = [Target("bay", "rule", "choice", given=given) for given in ("", "bay.row")]
    return World("car_park", tree, car_park.renderer(), car_park_photos.photos,
                 lambda seed, count: of_truth(car_park_photos.true_scenes(seed, count)),
                 (*targets_of(tree), *odds, *counts), more=car_park.bays)


PAINTED: dict[str, Callable[[Path | None, int], World]] = {"discs": build_discs, "car_park": build_car_park}
