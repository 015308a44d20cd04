"""Photos of the world `car_park`, painted without any code of scenefit, and what is true of them.

A car park from above: four rows of eight bays, each with a car, a van or nothing, by odds that depend on the row. What
the grammar (car_park.py) cannot express: painted lines, shadows, rear windows, roofs, wheels, oil stains, motorcycles,
the texture of asphalt, defocus, vignette, noise and JPEG.
"""

from functools import partial

import numpy as np

from experiments.known_worlds.photography import SUPERSAMPLING, Array, cover, expose, shrink, texture, window
from experiments.known_worlds.truth import TruePhoto, Truth, as_truth, draw_photos, draw_truth, generator

SIZE = 160  # side of the photos, px
ROWS, BAYS = 4, 8
PITCH = (12.5, 12.5, 15.0, 15.0)  # of the bays of each row, px
WIDTH = {"car": 8.5, "van": 10.0}  # px
COLOURS = {"grey": (1.0, 1.0, 1.0), "red": (1.0, 0.35, 0.3), "blue": (0.35, 0.5, 1.0)}
OUTCOMES = ("car", "van", "empty")  # of a bay
ODDS = ((0.75, 0.10, 0.15), (0.60, 0.15, 0.25), (0.30, 0.40, 0.30), (0.10, 0.40, 0.50))  # by row
SUN = np.deg2rad(60.0)  # direction that the light comes from


def draw(rng: np.random.Generator) -> TruePhoto:
    """One true scene. Two positions of the rows; vehicles point either way; most paint is light or dark."""
    lot = {"angle": rng.normal(22, 9), "offset": rng.normal(-6 if rng.random() < 0.4 else 5, 1.5),
           "spacing": np.clip(rng.normal(34, 1.8), 27, 41), "shift": rng.uniform(-3, 3),
           "asphalt": np.clip(rng.normal(0.4, 0.06), 0.15, 0.8),
           "blur": np.clip(0.55 * np.exp(0.35 * rng.standard_normal()), 0.1, 1.8), "noise": rng.uniform(2, 6)}
    row = np.repeat(np.arange(ROWS), BAYS)
    rule = np.array([rng.choice(len(OUTCOMES), p=ODDS[number]) for number in row])
    along, across, middles = *directions(lot["angle"]), bay_middles(lot)
    photo: TruePhoto = {"lot": lot, "bay": {"row": row, "rule": rule}}
    for code, kind in enumerate(WIDTH):
        at = middles[rule == code]
        n = len(at)
        aside, ahead = rng.uniform(-1, 1, n), rng.uniform(-1.5, 1.5, n)
        x, y = (at + aside[:, None] * along + ahead[:, None] * across).T
        out = rng.random(n) < (0.35 if kind == "car" else 0.8)
        light = np.where(rng.random(n) < 0.4, rng.normal(0.25, 0.05, n), rng.normal(0.8, 0.07, n))
        photo[kind] = {"x": x, "y": y, "aside": aside, "ahead": ahead,
                       "heading": (rng.normal(0, 3, n) + 180 * out + 180) % 360 - 180,
                       "length": rng.normal(17.5, 0.9, n) if kind == "car" else rng.normal(25, 1.1, n),
                       "brightness": np.clip(light, 0.1, 1),
                       "colour": rng.choice(list(COLOURS), n, p=(0.6, 0.25, 0.15)), "edge": rng.uniform(0.4, 0.9, n)}
    return photo


def directions(angle: float) -> tuple[Array, Array]:
    """Unit vectors (x, y) along the rows and across them, angles counted anticlockwise while y points down."""
    turn = np.deg2rad(angle)
    return np.array([np.cos(turn), -np.sin(turn)]), np.array([-np.sin(turn), -np.cos(turn)])


def bay_middles(lot: dict[str, float]) -> Array:
    """(x, y) of the middle of each bay [ROWS * BAYS, 2], row by row."""
    along, across = directions(lot["angle"])
    row, bay = np.repeat(np.arange(ROWS), BAYS), np.tile(np.arange(BAYS), ROWS)
    over = ((ROWS - 1) / 2 - row) * lot["spacing"] + lot["offset"]
    side = (bay - (BAYS - 1) / 2) * np.array(PITCH)[row] + lot["shift"]
    return SIZE / 2 + over[:, None] * across + side[:, None] * along


true_scenes = partial(draw_truth, draw)


def photos(seed: int, count: int) -> tuple[Array, Truth]:
    """uint8 [N, H, W, 3] and what is true of them; the first photos of a seed are the same for every count."""
    scenes = draw_photos(draw, seed, count)
    return np.stack([paint(scene, generator(seed, row, 1), seed) for row, scene in enumerate(scenes)]), as_truth(scenes)


def paint(scene: TruePhoto, rng: np.random.Generator, camera: int) -> Array:
    """The photo uint8 [H, W, 3] of a scene. camera: its number."""
    lot, side = scene["lot"], SIZE * SUPERSAMPLING
    ground = 1 + 0.03 * texture(rng, (side, side), 3) + 0.05 * texture(rng, (side, side), 24)
    canvas = lot["asphalt"] * ground[..., None] * np.ones(3)
    _paint_ground(canvas, scene, rng)
    boxes = [(kind, {name: values[n] for name, values in scene[kind].items()})
             for kind in WIDTH for n in range(len(scene[kind]["x"]))]
    for kind, one in boxes:
        shadow = one["x"] - 1.6 * np.cos(SUN), one["y"] + 1.6 * np.sin(SUN)
        _box(canvas, shadow, 90 + lot["angle"] + one["heading"], (one["length"], WIDTH[kind]), 1.2, (0, 0, 0), 0.5)
    for kind, one in boxes:
        _paint_vehicle(canvas, kind, one, 90 + lot["angle"] + one["heading"])
    return expose(shrink(canvas), rng, blur=lot["blur"], noise=lot["noise"], camera=camera)


def _paint_ground(canvas: Array, scene: TruePhoto, rng: np.random.Generator) -> None:
    """Lines between the bays, oil stains, and a motorcycle in a few empty bays."""
    lot, middles = scene["lot"], bay_middles(scene["lot"])
    along, _ = directions(lot["angle"])
    white = np.full(3, min(lot["asphalt"] + 0.25, 1.0))
    for bay, (middle, rule) in enumerate(zip(middles, scene["bay"]["rule"], strict=True)):
        row = bay // BAYS
        for side in (-0.5, 0.5) if bay % BAYS == 0 else (0.5,):
            _box(canvas, middle + side * PITCH[row] * along, 90 + lot["angle"], (20, 0.9), 0.5, white, 0.55)
        if rng.random() < 0.3:
            _box(canvas, middle + rng.normal(0, 2, 2), 0, (4, 3), 2.5, (0, 0, 0), 0.2)
        if OUTCOMES[rule] == "empty" and rng.random() < 0.12:
            angle = 90 + lot["angle"] + rng.normal(0, 15)
            _box(canvas, middle, angle, (9, 2.6), 0.7, (0.12, 0.1, 0.1), 0.95)
            _box(canvas, middle, angle + 90, (4.5, 1.2), 0.6, (0.3, 0.1, 0.1), 0.9)


def _paint_vehicle(canvas: Array, kind: str, one: dict[str, float], angle: float) -> None:
    length, width = float(one["length"]), WIDTH[kind]
    paint = one["brightness"] * np.array(COLOURS[str(one["colour"])])
    turn = np.deg2rad(angle)
    nose = np.array([np.cos(turn), -np.sin(turn)])
    middle = np.array([one["x"], one["y"]])
    for end in (0.3, -0.3):
        _box(canvas, middle + end * length * nose, angle, (3, width + 1.2), 0.5, (0.05, 0.05, 0.05), 0.9)  # wheels
    _box(canvas, middle, angle, (length, width), one["edge"], 0.92 * paint, 1.0, corner=2.2)
    roof = -0.05 if kind == "car" else -0.12
    _box(canvas, middle + roof * length * nose, angle, (0.4 * length, 0.72 * width), 0.6,
         np.minimum(1.12 * paint, 1), 1.0, corner=1)
    _box(canvas, middle + 0.22 * length * nose, angle, (0.13 * length, 0.76 * width), 0.5, (0.1, 0.13, 0.17), 0.95)
    _box(canvas, middle - 0.36 * length * nose, angle, (0.06 * length, 0.6 * width), 0.5, (0.16, 0.19, 0.22), 0.5)


def _box(canvas: Array, middle: Array | tuple[float, float], angle: float, sides: tuple[float, float], edge: float,
         colour: Array | tuple[float, ...], opacity: float, corner: float = 0.4) -> None:
    """A rectangle with round corners. sides: along angle and across it, px.  corner: radius, px."""
    scale, (length, width) = SUPERSAMPLING, sides
    reach = scale * (np.hypot(length, width) / 2 + 4 * edge + 1)
    at, dx, dy = window(middle[0] * scale, middle[1] * scale, reach, canvas.shape[:2])
    if dx.size == 0:
        return
    turn, dx, dy = np.deg2rad(angle), dx / scale, dy / scale
    u = np.abs(dx * np.cos(turn) - dy * np.sin(turn)) - (length / 2 - corner)
    v = np.abs(dx * np.sin(turn) + dy * np.cos(turn)) - (width / 2 - corner)
    outside = np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0) - corner
    seen = opacity * cover(-outside, edge)[..., None]
    canvas[at] = canvas[at] * (1 - seen) + np.asarray(colour) * seen
