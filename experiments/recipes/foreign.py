"""Photos of the world `foreign`, painted without any code of scenefit: the scenes of the world `discs`, and what their
grammar cannot express.

Discs and beads have other tints than the grammar's. They lie on streaked, stained ground under light from one side,
among leaves, washers, twigs and nuts of similar sizes, which lie below all of them. Legend: N photos; H, W pixels.
"""

import numpy as np

from experiments.known_worlds.discs_photos import SIZE, TINTS, paint_disc
from experiments.known_worlds.photography import SUPERSAMPLING, Array, cover, expose, shrink, texture, window
from experiments.known_worlds.truth import TruePhoto

SIDE = SIZE * SUPERSAMPLING
FOREIGN = 3, 9  # range of their number in a photo
HALF = 3.0, 11.0  # range of half of their length, px
COLOURS = ((0.25, 0.45, 0.15), (0.45, 0.3, 0.15), (0.55, 0.55, 0.6), (0.75, 0.35, 0.25), (0.2, 0.2, 0.25))


def paint(scene: TruePhoto, rng: np.random.Generator, camera: int) -> Array:
    """The photo uint8 [H, W, 3] of a scene. camera: its number."""
    dish = scene["dish"]
    canvas = _ground(rng) * dish["lamp"]
    for _ in range(rng.integers(*FOREIGN, endpoint=True)):
        _paint_foreign(canvas, dish["lamp"], rng)
    speckle = texture(rng, (SIDE, SIDE), 1.6)
    for kind, tint in TINTS.items():
        shifted = np.array(tint) * rng.uniform(0.7, 1.4, 3)
        for row in range(len(scene[kind]["x"])):
            one = {name: float(values[row]) for name, values in scene[kind].items()}
            paint_disc(canvas, one, shifted, speckle, rng)
    return expose(shrink(canvas * _light(rng)), rng, blur=dish["blur"], noise=dish["noise"], camera=camera)


def _ground(rng: np.random.Generator) -> Array:
    """Colour [SIDE, SIDE, 3] of the ground: bent streaks of light and dark, and up to five stains."""
    down, across = np.mgrid[:SIDE, :SIDE] / SUPERSAMPLING
    turn = rng.uniform(0, np.pi)
    bent = down * np.cos(turn) + across * np.sin(turn) + 6 * texture(rng, (SIDE, SIDE), 40)
    streaks = np.sin(2 * np.pi * bent / rng.uniform(6, 20)) + 0.5 * texture(rng, (SIDE, SIDE), 2)
    dark = 1 - rng.uniform(0.04, 0.12) * (1 + streaks)
    for _ in range(rng.integers(0, 5, endpoint=True)):
        x, y = rng.uniform(0, SIZE, 2)
        inside = rng.uniform(5, 18) - np.hypot(across - x, down - y) + 2 * texture(rng, (SIDE, SIDE), 12)
        dark = dark * (1 - rng.uniform(0.1, 0.45) * cover(inside, rng.uniform(0.8, 5)))
    return dark[..., None] * np.array([1.15, 0.95, 0.7]) * rng.uniform(0.9, 1.1, 3)


def _light(rng: np.random.Generator) -> Array:
    """Factor [SIDE, SIDE, 1] of the light, from one side."""
    down, across = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    turn = rng.uniform(0, 2 * np.pi)
    return 1 + rng.uniform(0, 0.7) * (down * np.cos(turn) + across * np.sin(turn))[..., None]


def _paint_foreign(canvas: Array, lamp: float, rng: np.random.Generator) -> None:
    """A leaf, a washer, a twig or a nut on the supersampled canvas, with a shadow."""
    half = rng.uniform(*HALF)
    at, dx, dy = window(*rng.uniform(0, SIDE, 2), SUPERSAMPLING * (half * 1.3 + 3), canvas.shape[:2])
    if dx.size == 0:
        return
    dx, dy, turn = dx / SUPERSAMPLING, dy / SUPERSAMPLING, rng.uniform(0, 2 * np.pi)
    u, v = dx * np.cos(turn) - dy * np.sin(turn), dx * np.sin(turn) + dy * np.cos(turn)
    away = np.hypot(u, v)
    shapes = {"leaf": 0.9 * half - np.hypot(u, np.abs(v) + 0.5 * half),
              "washer": 0.18 * half - np.abs(away - 0.7 * half),
              "twig": np.maximum(np.minimum(0.8 - np.abs(v), half - np.abs(u)),
                                 np.minimum(0.7 - np.abs(v - np.abs(u)), half / 2 - np.abs(u))),
              "nut": np.minimum(0.6 * half - np.maximum(np.abs(u), np.abs(v)), away - 0.25 * half)}
    inside = shapes[rng.choice(list(shapes))]
    canvas[at] *= (1 - 0.2 * cover(inside + 0.8, 1.5))[..., None]
    colour = lamp * np.array(COLOURS[rng.integers(len(COLOURS))]) * rng.uniform(0.7, 1.5)
    light = 1 + rng.uniform(0, 0.3) * u / half + 0.08 * texture(rng, u.shape, 2)
    seen = cover(inside, rng.uniform(0.4, 1))[..., None]
    canvas[at] = canvas[at] * (1 - seen) + light[..., None] * colour * seen
