"""Trees in leaf and bare, bushes and hedges.

A crown is a cloud of cards, out of which the shader cuts leaves; they are lit as the ball on which they lie. Heights
and spreads are those of grown street trees.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from scenefit.renderers.street.mesh import MATERIALS, Mesh, join
from scenefit.renderers.street.models.primitives.solids import box, tube
from scenefit.renderers.street.models.primitives.triangles import (
    Array,
    Colour,
    from_corners,
    grounded,
    make_mesh,
    moved,
)
from scenefit.scenes.rng import generator

GREEN: Colour = (0.2, 0.3, 0.1)
BARK: Colour = (0.3, 0.26, 0.22)


@dataclass(frozen=True)
class Tree:
    """height: metres.  spread: of the crown, metres.  clear: height below the crown.  trunk: radius at its foot.

    limbs: number of branches that carry a clump of leaves.  cards: in each clump.  clump: its radius, metres.
    taper: 0 for a round crown, 1 for one that ends in a point.  colour: of the leaves.
    """

    height: float
    spread: float
    clear: float
    trunk: float
    limbs: int = 9
    cards: int = 11
    clump: float = 1.3
    taper: float = 0.0
    colour: Colour = GREEN
    bark: Colour = BARK


def leafy(name: str, tree: Tree) -> Mesh:
    rng = generator(0, f"tree {name}")
    crown = (tree.height - tree.clear) / 2
    middle = np.array([0, 0, tree.height - crown])
    top = np.array([*rng.normal(0, 0.03 * tree.height, 2), tree.height - 0.35 * crown])
    stem = np.array([(0, 0, 0), (0, 0, 0.4 * tree.clear), 0.5 * (middle + top) * [1, 1, 0]
                     + [0, 0, tree.clear + 0.4 * crown], top])
    parts = [tube(stem, tree.trunk * np.array([1.25, 0.95, 0.7, 0.15]), 6, "bark", tree.bark)]
    for number, way in enumerate(_directions(tree.limbs)):
        rise = 0.5 + 0.5 * way[2]
        reach = (tree.spread / 2 - 0.75 * tree.clump) * (1 - tree.taper * rise) * rng.uniform(0.85, 1.1)
        end = middle + way * [reach, reach, crown - 0.8 * tree.clump]
        foot = np.array([0, 0, tree.clear * 0.8 + 0.5 * rise * crown])
        if number % 2 == 0:
            parts.append(tube([foot, 0.5 * (foot + end) + [0, 0, 0.12 * reach], end],
                              tree.trunk * np.array([0.45, 0.3, 0.1]), 4, "bark",
                              tree.bark, caps=(False, False)))
        size = tree.clump * (1 - 0.55 * tree.taper * rise) * rng.uniform(0.85, 1.2)
        parts.append(_clump(rng, end, size, tree.cards, middle, tree.colour))
    return grounded(join(parts))


def _directions(number: int) -> Array:
    """Unit vectors spread evenly over a ball: on a Fibonacci spiral."""
    z = 1 - 2 * (np.arange(number) + 0.5) / number
    turn = np.arange(number) * np.pi * (3 - np.sqrt(5))
    return np.stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z], 1)


def _clump(rng: np.random.Generator, centre: Array, radius: float, number: int, crown: Array, colour: Colour,
           card: float = 0.7) -> Mesh:
    """Cards on a ball; card: half their size, in units of its radius."""
    out = _directions(number) + rng.normal(0, 0.25, (number, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    places = centre + out * radius * rng.uniform(0.35, 0.8, (number, 1))
    tilt = out + rng.normal(0, 0.55, (number, 3))
    across = np.cross(tilt, rng.normal(size=(number, 3)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    along = np.cross(across, tilt / np.linalg.norm(tilt, axis=1, keepdims=True))
    size = card * radius * rng.uniform(0.8, 1.2, (number, 1))
    shape = rng.uniform(0.65, 1.1, (4, number, 1))
    corners = np.stack([places + size * (a * across + b * along) * shape[k] for k, (a, b) in
                        enumerate(((1, 0), (0.1, 1), (-1, 0.1), (0, -1)))], 1)
    uv = np.stack([((corners - places[:, None]) * axis[:, None]).sum(2) for axis in (across, along)], 2)
    uv = uv + rng.uniform(0, 50, (number, 1, 2))
    # Leaves are lit as a ball, so that a crown has a bright and a dark side.
    lit = (corners - crown) / np.linalg.norm(corners - crown, axis=2, keepdims=True) + 0.7 * out[:, None] + [0, 0, 0.25]
    lit /= np.linalg.norm(lit, axis=2, keepdims=True)
    rows = np.concatenate([corners, lit, uv], 2)
    shade = np.clip(rng.normal(1, 0.12, (number, 1)) + 0.18 * out[:, 2:], 0.55, 1.4)
    return from_corners(np.concatenate([rows[:, [0, 1, 2]], rows[:, [0, 2, 3]]]),
                        np.full(2 * number, MATERIALS.index("leaf")),
                        np.clip(np.tile(np.array(colour) * shade, (2, 1)), 0, 1))


def bare(name: str, height: float, spread: float, clear: float, trunk: float, limbs: int, bark: Colour = BARK) -> Mesh:
    """A tree in winter: limbs, branches, and twigs of one triangle each."""
    rng = generator(0, f"tree {name}")
    top = np.array([*rng.normal(0, 0.02 * height, 2), height * 0.8])
    parts = [tube([(0, 0, 0), (0, 0, 0.5 * clear), 0.5 * top + [0, 0, 0.1 * clear], top],
                  trunk * np.array([1.3, 1, 0.75, 0.2]), 6, "bark", bark)]
    twigs: list[Array] = []
    middle = np.array([0, 0, clear + 0.5 * (height - clear)])
    half = np.array([spread / 2, spread / 2, (height - clear) / 2])
    for number in range(limbs):
        turn, rise = number * 2.4 + rng.normal(0, 0.2), (number + 0.5) / limbs
        foot = np.array([0, 0, clear + 0.6 * rise * (height * 0.8 - clear)]) + top * [rise, rise, 0] * 0.5
        angle = np.deg2rad(15 + 65 * rise)
        way = np.array([np.cos(turn) * np.cos(angle), np.sin(turn) * np.cos(angle), np.sin(angle)])
        end = middle + half * way * 0.72
        knee = 0.5 * (foot + end) + rng.normal(0, 0.03 * height, 3) - [0, 0, 0.04 * height]
        parts.append(tube([foot, knee, end], trunk * np.array([0.5, 0.34, 0.12]), 4, "bark", bark, caps=(False, False)))
        for branch in range(6):
            share = 0.3 + 0.7 * (branch + 0.5) / 6
            start = foot + (knee - foot) * 2 * share if share < 0.5 else knee + (end - knee) * (2 * share - 1)
            toward = way + rng.normal(0, 0.6, 3) + [0, 0, 0.25]
            reach = 0.34 * half.mean() * rng.uniform(0.7, 1.25)
            tip = start + toward / np.linalg.norm(toward) * reach
            tip = middle + (tip - middle) / max(1, np.linalg.norm((tip - middle) / half))
            parts.append(tube([start, tip], trunk * np.array([0.2, 0.05]), 3, "bark", bark, caps=(False, False)))
            twigs += _twigs(rng, start, tip, half.mean(), 13)
    return grounded(join([*parts, make_mesh(np.array(twigs), "bark", np.array(bark) * 0.9, 1)]))


def _twigs(rng: np.random.Generator, start: Array, tip: Array, scale: float, number: int) -> list[Array]:
    """Triangles [3, 3] that stand off a branch."""
    way = (tip - start) / np.linalg.norm(tip - start)
    found = []
    for share in np.linspace(0.25, 1, number):
        foot = start + (tip - start) * share
        out = way * 0.8 + rng.normal(0, 0.65, 3) + [0, 0, 0.15]
        out /= np.linalg.norm(out)
        side = np.cross(out, rng.normal(size=3))
        side *= 0.024 / np.linalg.norm(side)
        found.append(np.array([foot - side, foot + side, foot + out * scale * rng.uniform(0.14, 0.3)]))
    return found


def bush(name: str, size: ArrayLike, number: int = 5, cards: int = 18, colour: Colour = GREEN) -> Mesh:
    """Clumps of leaves that touch the ground; size: length, width, height in metres."""
    rng, (length, width, height) = generator(0, f"bush {name}"), np.asarray(size, float)
    parts = []
    radius = min(height, width) * 0.5
    for share in (np.arange(number) + 0.5) / number - 0.5:
        centre = np.array([share * (length - radius), rng.uniform(-0.3, 0.3) * (width - radius),
                           height - radius * rng.uniform(1.0, 1.4)])
        parts += [_clump(rng, centre, radius * 1.05, cards, np.array([0, 0, 0.3 * height]), colour, 0.48),
                  _clump(rng, centre * [1.1, 1.1, 0.4], radius, cards, np.array([0, 0, 0.3 * height]), colour, 0.48)]
    leaves = join(parts)
    return grounded(moved(leaves, scale=np.array([length, width, height]) / leaves.size))


def hedge(length: float = 6.0, width: float = 0.7, height: float = 1.3) -> Mesh:
    """A clipped hedge: a dark body within leaves."""
    rng = generator(0, "hedge")
    body = box((length - 0.16, width - 0.16, height - 0.08), material="matte", colour=np.array(GREEN) * 0.45)
    shell = box((length, width, height), material="leaf", colour=GREEN, taper=0.97)
    tufts = [_clump(rng, np.array([x, rng.uniform(-0.2, 0.2) * width, height - 0.08]), 0.2, 5, np.array([x, 0, 0.5]),
                    GREEN)
             for x in np.linspace(-length / 2 + 0.25, length / 2 - 0.25, 9)]
    return grounded(join([body, shell, *tufts]))


TREES = {
    "lime": Tree(11, 7.5, 2.6, 0.22, limbs=13, cards=10, clump=1.75),
    "oak": Tree(10, 10.5, 2.2, 0.32, limbs=15, cards=10, clump=1.9, colour=(0.18, 0.26, 0.09), bark=(0.25, 0.22, 0.18)),
    "maple": Tree(7.5, 5.2, 2.1, 0.13, limbs=9, cards=11, clump=1.35, colour=(0.26, 0.33, 0.1)),
    "young tree": Tree(4.8, 2.6, 1.9, 0.06, limbs=8, cards=11, clump=0.75, colour=(0.25, 0.36, 0.13)),
    "poplar": Tree(14, 3.4, 1.4, 0.2, limbs=14, cards=8, clump=1.35, taper=0.5, colour=(0.2, 0.3, 0.12)),
    "fir": Tree(11, 5.6, 0.5, 0.18, limbs=26, cards=8, clump=1.25, taper=0.9, colour=(0.1, 0.18, 0.1),
                bark=(0.22, 0.17, 0.13)),
}


@cache
def trees() -> dict[str, Mesh]:
    return {**{name: leafy(name, tree) for name, tree in TREES.items()},
            "bare tree": bare("bare tree", 10, 8, 2.4, 0.2, 12),
            "bare young tree": bare("bare young tree", 6, 3.6, 1.9, 0.08, 8),
            "bush": bush("bush", (2.2, 1.8, 1.5)),
            "shrubs": bush("shrubs", (4.5, 1.4, 1.1), 8, colour=(0.17, 0.24, 0.09)), "hedge": hedge()}
