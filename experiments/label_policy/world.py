"""Photos of two worlds, and the boxes that annotators with a certain policy would draw.

cells: soft cells and dots that overlap, rendered by `Shapes` at parameters within the grammar's prior, and corrupted.
discs: the photos of `experiments.known_worlds`, painted without any code of scenefit. What is visible of a disc is
where no later one is painted; its outline is the ellipse without its unevenness. Legend: N photos; m objects.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.ndimage import binary_dilation

import scenefit as sf
from experiments.known_worlds import discs, discs_photos
from experiments.known_worlds.truth import Array, TruePhoto, draw_photos, generator
from scenefit.data.boxes import Boxes, make_boxes
from scenefit.data.corruptions import add_texture, corrupt
from scenefit.data.label_policy import contrast
from scenefit.data.shading import add_shading
from scenefit.scenes.rng import derive_seed

SIZE = 128
PRIOR = {"cell": {"radius": (5, 18), "elongation": (1, 1.6), "red": (0.3, 1), "green": (0, 0.8), "blue": (0, 0.8)},
         "dot": {"radius": (2, 7), "elongation": (1, 1.6), "red": (0, 0.8), "green": (0, 0.8), "blue": (0.2, 1)}}
TRUE = {"cell": {"radius": (8, 13), "elongation": (1, 1.3), "red": (0.5, 0.9), "green": (0.2, 0.5), "blue": (0.2, 0.5)},
        "dot": {"radius": (3, 5), "elongation": (1, 1.3), "red": (0.1, 0.4), "green": (0.1, 0.4), "blue": (0.4, 0.9)}}
COUNTS = {"cell": ((5, 40), (14, 30)), "dot": ((0, 10), (1, 6))}  # of the prior, and the true ones
Paint = Callable[[TruePhoto, np.random.Generator, int], Array]
CLASSES = {"cells": ("cell", "dot"), "discs": ("bead", "disc")}


@dataclass(frozen=True, eq=False)
class Objects:
    """What is true of the objects of N photos. image, name [m]; whole, visible [m, 4]: boxes, the first clipped to the
    image; pixels, visibility, truncation, contrast [m]: see `LabelPolicy`."""

    count: int
    image: Array
    name: Array
    whole: Array
    visible: Array
    pixels: Array
    visibility: Array
    truncation: Array
    contrast: Array


@dataclass(frozen=True)
class World:
    """photos: (seed, count) -> images uint8 [N, H, W, 3] and their objects."""

    grammar: sf.Grammar
    renderer: sf.Shapes
    photos: Callable[[int, int], tuple[Array, Objects]]


def learned(world: World, seed: int, photos: int) -> tuple[sf.Model, int]:
    """The distribution that a fit with default settings to so many unlabelled photos learns, and its CPU seconds."""
    began = time.process_time()
    model = sf.fit(world.grammar, world.renderer, world.photos(derive_seed(seed, "unlabelled"), photos)[0], seed=seed)
    return model, round(time.process_time() - began)


def labels(objects: Objects, policy: sf.LabelPolicy) -> Boxes:
    """The boxes of annotators who follow the policy."""
    size = objects.visible[:, 2:] - objects.visible[:, :2]
    each = [policy.of_class(str(name)) for name in objects.name]

    def bound(name: str) -> Array:
        return np.array([getattr(own, name) for own in each])

    kept = ((objects.pixels >= bound("min_pixels")) & (objects.visibility >= bound("min_visibility"))
            & (objects.truncation <= bound("max_truncation")) & (size.min(1) >= bound("min_side"))
            & (objects.contrast >= bound("min_contrast")))
    box = (objects.whole if policy.box == "amodal" else objects.visible)[kept]
    share = np.array([own.margin for own in each])[kept].reshape(-1, 1)
    more = share * (box[:, 2:] - box[:, :2])
    box = np.concatenate([box[:, :2] - more, box[:, 2:] + more], 1).clip(0, SIZE)
    return make_boxes(objects.count, objects.image[kept], box, objects.name[kept])


def cells() -> World:
    return World(cells_grammar(False), _renderer(), rendered)


def _renderer() -> sf.Shapes:
    return sf.Shapes((SIZE, SIZE), {kind: {} for kind in PRIOR}, solid=0.5)


def cells_grammar(true: bool, ranges: Mapping[str, Mapping[str, tuple[float, float]]] = TRUE) -> sf.Grammar:
    """The prior; or the true distribution, with these ranges."""
    def drawn(prior: tuple[float, float], real: tuple[float, float]) -> object:
        return sf.Uniform(*real) if true else sf.learned(sf.Uniform(*prior))

    place = {"x": sf.Uniform(0, SIZE), "y": sf.Uniform(0, SIZE), "angle": sf.Angle()}
    kinds = {kind: {**place, "edge": drawn((0.3, 2), ranges[kind].get("edge", (0.5, 1.2))),
                    **{name: drawn(PRIOR[kind][name], ranges[kind][name]) for name in PRIOR[kind]}} for kind in PRIOR}
    dish = {**{name: drawn((0.5, 1), (0.8, 0.9)) for name in ("red", "green", "blue")},
            "blur": drawn((0, 1.5), (0.4, 0.9)), "noise": drawn((0, 10), (2, 6))}
    many = [sf.repeat(kind, sf.Integer(*real) if true else sf.learned(sf.Integer(*prior)))
            for kind, (prior, real) in COUNTS.items()]
    return sf.Grammar("dish", {"dish": dish, **kinds}, [sf.Rule("dish", many)])


def rendered(seed: int, count: int, ranges: Mapping[str, Mapping[str, tuple[float, float]]] = TRUE
             ) -> tuple[Array, Objects]:
    """Photos of the world cells, with these ranges."""
    frames = sf.render(_renderer(), cells_grammar(True, ranges).sample(seed, count))
    images = corrupt(add_texture(add_shading(frames.images, frames.instances, seed), seed), seed)
    o, seen = frames.objects, frames.objects.pixels > 0
    found = Objects(count, o.scene, o.name, o.amodal.clip(0, SIZE), o.box, o.pixels, o.visibility, o.truncation,
                    contrast(frames))
    return images, _where(found, seen)


def painted(paint: Paint = discs_photos.paint) -> World:
    """paint: (scene, random numbers, camera) -> photo, such as `discs_photos.paint`."""
    return World(discs.grammar(), discs.renderer(), partial(_painted, paint=paint))


def _painted(seed: int, count: int, paint: Paint) -> tuple[Array, Objects]:
    scenes = draw_photos(discs_photos.draw, seed, count)
    images = np.stack([paint(scene, generator(seed, row, 1), seed) for row, scene in enumerate(scenes)])
    parts = [_objects(row, scene, images[row]) for row, scene in enumerate(scenes)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    found = Objects(count, *columns)
    return images, _where(found, found.pixels > 0)


def _objects(row: int, scene: TruePhoto, image: Array) -> tuple[Array, ...]:
    """Columns of `Objects` of one photo: kinds are painted one after the other, each object above those before."""
    at = np.stack(np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5), -1)
    masks, boxes, names, areas = [], [], [], []
    for kind in discs_photos.TINTS:
        for number in range(len(scene[kind]["x"])):
            one = {name: float(values[number]) for name, values in scene[kind].items()}
            stretch, turn = one.get("elongation", 1.0), np.deg2rad(one.get("angle", 0.0))
            a, b = one["radius"] * np.sqrt(stretch), one["radius"] / np.sqrt(stretch)
            dx, dy = at[..., 0] - one["x"], at[..., 1] - one["y"]
            u, v = dx * np.cos(turn) - dy * np.sin(turn), dx * np.sin(turn) + dy * np.cos(turn)
            masks.append((u / a) ** 2 + (v / b) ** 2 <= 1)
            half = np.hypot(a * np.cos(turn), b * np.sin(turn)), np.hypot(a * np.sin(turn), b * np.cos(turn))
            boxes.append([one["x"] - half[0], one["y"] - half[1], one["x"] + half[0], one["y"] + half[1]])
            names.append(kind)
            areas.append(np.pi * a * b)
    above = np.zeros((SIZE, SIZE), bool)
    seen = []
    for mask in reversed(masks):
        seen.insert(0, mask & ~above)
        above |= mask
    whole = np.array(boxes).reshape(-1, 4)
    inside = np.array([mask.sum() for mask in masks], float)
    pixels = np.array([mask.sum() for mask in seen])
    visible = np.array([_box(part, box) for part, box in zip(seen, whole, strict=True)]).reshape(-1, 4)
    return (np.full(len(names), row), np.array(names, np.str_), whole.clip(0, SIZE), visible, pixels,
            pixels / np.maximum(inside, 1), (1 - inside / np.array(areas)).clip(0, 1),
            np.array([_contrast(image, part, ~above) for part in seen]))


def _contrast(image: Array, mask: Array, free: Array) -> float:
    """Difference of an object's mean colour from that of the background within 4 pixels, 0..1; 1 without background."""
    around = binary_dilation(mask, iterations=4) & free
    if not (mask.any() and around.any()):
        return 1.0
    return float(np.abs(image[mask].mean(0) - image[around].mean(0)).max() / 255)


def _box(mask: Array, whole: Array) -> Array:
    """Around the pixels; where they reach the outline, the outline's own side."""
    if not mask.any():
        return np.zeros(4)
    y, x = np.nonzero(mask)
    box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], float)
    return np.where(np.abs(box - whole) <= 1, whole, box).clip(0, SIZE)


def _where(objects: Objects, mask: Array) -> Objects:
    return Objects(objects.count, *(getattr(objects, name)[mask] for name in (
        "image", "name", "whole", "visible", "pixels", "visibility", "truncation", "contrast")))


WORLDS = {"cells": cells, "discs": painted}
