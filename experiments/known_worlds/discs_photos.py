"""Photos of the world `discs`, painted without any code of scenefit, and what is true of them.

Big orange discs and small blue beads lie on textured paper under a lamp. What the grammar (discs.py) cannot express:
the texture of paper and discs, shadows, highlights, uneven outlines, fibres, defocus, vignette, dust and JPEG.
"""

from functools import partial

import numpy as np

from experiments.known_worlds.photography import SUPERSAMPLING, Array, cover, expose, shrink, texture, window
from experiments.known_worlds.truth import Columns, TruePhoto, Truth, as_truth, draw_photos, draw_truth, generator

SIZE = 128  # side of the photos, px
MOST = 40  # of each kind in a photo
TINTS = {"disc": (1.0, 0.6, 0.3), "bead": (0.35, 0.65, 1.0)}  # red, green, blue relative to the brightness
LAMP_ANGLE = np.deg2rad(130.0)  # direction that the light comes from


def draw(rng: np.random.Generator) -> TruePhoto:
    """One true scene. Totals have peaks at 12 and 45; discs are half of the few and three tenths of the many. Two sizes
    of discs; brightness follows the lamp."""
    lamp = rng.uniform(0.40, 0.55) if rng.random() < 0.4 else rng.uniform(0.62, 0.85)
    many = rng.random() < 0.5
    total = max(rng.normal(*((45, 5) if many else (12, 3))), 1)
    discs = int(np.clip(np.rint(total * (0.3 if many else 0.5) + rng.normal(0, 1)), 0, MOST))
    beads = int(np.clip(np.rint(total) - discs, 0, MOST))
    dish = {"lamp": lamp, "warmth": np.clip(rng.normal(0.07, 0.035), -0.25, 0.25),
            "blur": np.clip(0.75 * np.exp(0.45 * rng.standard_normal()), 0.1, 2.5), "noise": rng.uniform(2.5, 6),
            "n_disc": discs, "n_bead": beads}
    small = rng.random(discs) < 0.45
    radius = np.where(small, rng.normal(4.6, 0.35, discs), rng.normal(8.2, 0.5, discs))
    return {"dish": dish,
            "disc": {**_placed(rng, discs), "radius": np.clip(radius, 3, 12),
                     "brightness": np.clip(0.3 + 0.7 * lamp + rng.normal(0, 0.04, discs), 0.1, 1),
                     "edge": rng.uniform(0.5, 1.2, discs), "elongation": 1.1 + 0.5 * rng.beta(2, 3, discs),
                     "angle": (rng.normal(35, 22, discs) + 180) % 360 - 180},
            "bead": {**_placed(rng, beads), "radius": np.clip(rng.normal(2.7, 0.35, beads), 1.5, 7),
                     "brightness": np.clip(0.1 + 0.75 * lamp + rng.normal(0, 0.06, beads), 0.1, 1),
                     "edge": rng.uniform(0.4, 1.0, beads)}}


def _placed(rng: np.random.Generator, count: int) -> Columns:
    return {"x": rng.uniform(0, SIZE, count), "y": rng.uniform(0, SIZE, count)}


true_scenes = partial(draw_truth, draw)


def photos(seed: int, count: int) -> tuple[Array, Truth]:
    """uint8 [N, H, W, 3] and what is true of them; the first photos of a seed are the same for every count."""
    scenes = draw_photos(draw, seed, count)
    return np.stack([paint(scene, generator(seed, row, 1), seed) for row, scene in enumerate(scenes)]), as_truth(scenes)


def paint(scene: TruePhoto, rng: np.random.Generator, camera: int) -> Array:
    """The photo uint8 [H, W, 3] of a scene. camera: its number."""
    dish, side = scene["dish"], SIZE * SUPERSAMPLING
    paper = 1 + 0.01 * texture(rng, (side, side), 3) + 0.025 * texture(rng, (side, side), 14)
    lamp, warmth = dish["lamp"], dish["warmth"]
    canvas = paper[..., None] * np.array([lamp * (1 + warmth), lamp, lamp * (1 - warmth)])
    speckle = texture(rng, (side, side), 1.6)
    for kind in ("disc", "bead"):
        for row in range(len(scene[kind]["x"])):
            one = {name: float(values[row]) for name, values in scene[kind].items()}
            paint_disc(canvas, one, np.array(TINTS[kind]), speckle, rng)
        if kind == "disc":
            for _ in range(rng.poisson(0.2 + 0.03 * (dish["n_disc"] + dish["n_bead"]))):
                _paint_fibre(canvas, lamp, rng)
    return expose(shrink(canvas), rng, blur=dish["blur"], noise=dish["noise"], camera=camera)


def paint_disc(canvas: Array, one: dict[str, float], tint: Array, speckle: Array, rng: np.random.Generator) -> None:
    """A disc or bead with its shadow, on the supersampled canvas."""
    scale, radius, stretch = SUPERSAMPLING, one["radius"], one.get("elongation", 1.0)
    reach = scale * (radius * np.sqrt(stretch) * 1.15 + 4 * one["edge"] + 2)
    at, dx, dy = window(one["x"] * scale, one["y"] * scale, reach, canvas.shape[:2])
    if dx.size == 0:
        return
    dx, dy = dx / scale, dy / scale
    waves = rng.uniform(0, 2 * np.pi, 3)
    inside = _inside(dx, dy, radius, stretch, one.get("angle", 0.0), waves)
    to_lamp = (dx * np.cos(LAMP_ANGLE) - dy * np.sin(LAMP_ANGLE)) / radius
    offset = 0.12 * radius
    below = _inside(dx + offset * np.cos(LAMP_ANGLE), dy - offset * np.sin(LAMP_ANGLE), radius, stretch,
                    one.get("angle", 0.0), waves)
    canvas[at] *= (1 - 0.22 * cover(below, one["edge"] + 0.8))[..., None]
    light = 1 + 0.05 * speckle[at] + 0.1 * np.clip(to_lamp, -1, 1) - 0.12 * np.exp(-(inside / (0.18 * radius)) ** 2)
    spot = (dx / radius - 0.35 * np.cos(LAMP_ANGLE)) ** 2 + (dy / radius + 0.35 * np.sin(LAMP_ANGLE)) ** 2
    colour = (one["brightness"] * light)[..., None] * tint + 0.12 * one["brightness"] * np.exp(-spot / 0.05)[..., None]
    seen = cover(inside, one["edge"])[..., None]
    canvas[at] = canvas[at] * (1 - seen) + colour * seen


def _inside(dx: Array, dy: Array, radius: float, stretch: float, angle: float, waves: Array) -> Array:
    """Signed distance from an uneven ellipse, px, positive inside. angle: of its long side, degrees anticlockwise."""
    turn = np.deg2rad(angle)
    u, v = dx * np.cos(turn) - dy * np.sin(turn), dx * np.sin(turn) + dy * np.cos(turn)
    a, b = radius * np.sqrt(stretch), radius / np.sqrt(stretch)
    away = np.sqrt((u / a) ** 2 + (v / b) ** 2) + 1e-6
    steep = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2) / away + 1e-6
    around = np.arctan2(v, u)
    uneven = 0.025 * sum(np.cos(k * around + wave) for k, wave in zip((3, 4, 6), waves, strict=True))
    return (1 + uneven - away) / steep


def _paint_fibre(canvas: Array, lamp: float, rng: np.random.Generator) -> None:
    """A short bent fibre, which the grammar lacks."""
    scale, length = SUPERSAMPLING, rng.uniform(8, 20)
    at, dx, dy = window(*rng.uniform(0, SIZE * scale, 2), scale * (length / 2 + 4), canvas.shape[:2])
    if dx.size == 0:
        return
    turn, bend = rng.uniform(0, np.pi), rng.uniform(-0.02, 0.02)
    u, v = ((dx * np.cos(turn) - dy * np.sin(turn)) / scale, (dx * np.sin(turn) + dy * np.cos(turn)) / scale)
    inside = np.minimum(0.7 - np.abs(v - bend * u**2), length / 2 - np.abs(u))
    seen = 0.8 * cover(inside, 0.6)[..., None]
    canvas[at] = canvas[at] * (1 - seen) + lamp * np.array([0.45, 0.5, 0.4]) * rng.uniform(0.6, 1.1) * seen
