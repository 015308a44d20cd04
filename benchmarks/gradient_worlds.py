"""The worlds of benchmarks/gradients.py: a tray of twelve tiles with 100 learned attributes, and a street with ten.

Every learned attribute has a uniform prior. Its true distribution lies at 0.3 or 0.7 of the prior's range, with a
standard deviation of a tenth of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import scenefit as sf
from scenefit.metrics.wasserstein import wasserstein
from scenefit.scenes.rng import derive_seed

Range = tuple[float, float]
Samples = Mapping[tuple[str, str], Any]
CENTRES, SPREAD = (0.3, 0.7), 0.1  # of a prior's range
SAMPLED, TRUE_SCENES = 1000, 4000  # of a learned distribution and the prior; of the truth
CELL, COLUMNS, ROWS = 24, 4, 3  # px; cells of the tray
COLOURS = ((0.85, 0.2, 0.2), (0.2, 0.7, 0.2), (0.2, 0.3, 0.85), (0.85, 0.8, 0.2), (0.8, 0.3, 0.75), (0.25, 0.75, 0.8),
           (0.9, 0.55, 0.2), (0.5, 0.3, 0.2), (0.25, 0.25, 0.25), (0.2, 0.45, 0.45), (0.45, 0.25, 0.7),
           (0.5, 0.6, 0.25))
TINT = 0.25  # by which a tile's colour may differ from its own of `COLOURS`
CHANNELS = ("red", "green", "blue")


@dataclass(frozen=True, eq=False)
class World:
    """ranges: kind -> learned attribute -> bounds of its prior; the first kind is the root.  fixed: kind -> attributes
    that are not learned.  children: of the root.  size: (height, width) of the images.  make: its renderer.  cap:
    renders after which a fit counts as not having arrived.  differentiable: the renderer is."""

    name: str
    ranges: Mapping[str, Mapping[str, Range]]
    fixed: Mapping[str, Mapping[str, Any]]
    children: Sequence[Any]
    size: tuple[int, int]
    make: Callable[[], Any] = field(repr=False)
    cap: int = 500_000
    differentiable: bool = False

    @property
    def learned(self) -> int:
        """How many attributes are learned."""
        return sum(map(len, self.ranges.values()))

    def prior(self) -> sf.Grammar:
        return self._grammar(lambda low, high, _: sf.learned(sf.Uniform(low, high)))

    def truth(self, seed: int) -> sf.Grammar:
        """Which end of the ranges it lies at depends on the seed."""
        random = np.random.default_rng(derive_seed(seed, "truth"))
        centres = {(kind, name): random.choice(CENTRES) for kind, own in self.ranges.items() for name in own}
        return self._grammar(lambda low, high, key: sf.Normal(low + centres[key] * (high - low), SPREAD * (high - low),
                                                              low, high))

    def _grammar(self, prior: Callable[[float, float, tuple[str, str]], Any]) -> sf.Grammar:
        root = next(iter(self.ranges))
        kinds = {kind: {**self.fixed.get(kind, {}),
                        **{name: prior(*bounds, (kind, name)) for name, bounds in self.ranges.get(kind, {}).items()}}
                 for kind in (*self.ranges, *(kind for kind in self.fixed if kind not in self.ranges))}
        return sf.Grammar(root, kinds, [sf.Rule(root, list(self.children))])

    def samples(self, scenes: sf.SceneBatch) -> Samples:
        """The values of all learned attributes, by key."""
        return {(kind, name): scenes.tables[kind][name] for kind, own in self.ranges.items() for name in own}


@dataclass(frozen=True, eq=False)
class Distance:
    """Of a learned distribution to the truth: Wasserstein-1 of each attribute, over that of the prior.

    truth: its samples.  prior: distance of the prior by key.
    """

    world: World
    truth: Samples
    prior: Mapping[tuple[str, str], float]

    def __call__(self, model: Any) -> tuple[float, float]:
        """Mean and median over attributes. model: of a fit."""
        found = self.world.samples(model.sample(SAMPLED))
        ratios = [wasserstein(found[key], true) / self.prior[key] for key, true in self.truth.items()]
        return float(np.mean(ratios)), float(np.median(ratios))


def distance_to_truth(world: World, seed: int) -> Distance:
    truth = world.samples(world.truth(seed).sample(derive_seed(seed, "true scenes"), TRUE_SCENES))
    prior = world.samples(world.prior().sample(derive_seed(seed, "prior"), TRUE_SCENES))
    return Distance(world, truth, {key: wasserstein(prior[key], true) for key, true in truth.items()})


def tray() -> World:
    """Twelve rectangles in cells of 24 pixels, each of a kind of its own, with eight attributes; four of the image."""
    ranges: dict[str, dict[str, Range]] = {
        "tray": {**dict.fromkeys(CHANNELS, (0.6, 1.0)), "vignette": (0.0, 0.6)}}
    for number, colour in enumerate(COLOURS):
        x, y = CELL * (number % COLUMNS + 0.5), CELL * (number // COLUMNS + 0.5)
        ranges[f"tile{number}"] = {
            "x": (x - 4, x + 4), "y": (y - 4, y + 4), "length": (10, 20), "width": (4, 9), "angle": (-60, 60),
            **{name: (max(c - TINT, 0), min(c + TINT, 1)) for name, c in zip(CHANNELS, colour, strict=True)}}
    tiles, size = [kind for kind in ranges if kind != "tray"], (ROWS * CELL, COLUMNS * CELL)
    return World("shapes", ranges, {}, tiles, size, lambda: sf.Shapes(size, {kind: {} for kind in tiles}),
                 differentiable=True)


def street() -> World:
    """A car between houses: four attributes of camera and light, six of the car. One ray a pixel, with shadows."""
    def sides(away: float) -> Any:
        return lambda node: sf.Constant(np.where(node.number % 2, away, -away))

    size = (72, 96)
    ranges = {"street": {"camera_height": (1.2, 2.4), "camera_pitch": (-4.0, 8.0), "sun_elevation": (10.0, 60.0),
                         "exposure": (-1.0, 1.0)},
              "car": {"s": (7.0, 16.0), "t": (-3.0, 0.5), "heading": (-40.0, 40.0),
                      **dict.fromkeys(CHANNELS, (0.0, 1.0))}}
    fixed: dict[str, dict[str, Any]] = {
        "street": {"camera_t": -1.5}, "car": {"model": 0}, "lane": {"t": sides(1.75), "width": 3.5},
        "pavement": {"t": sides(5.0), "width": 3.0, "rise": 0.12}, "marking": {"t": 0.0, "width": 0.12},
        "house": {"s": lambda node: sf.Constant(8 + 12.0 * (node.number // 2)), "t": sides(12.0), "length": 11.0,
                  "heading": lambda node: sf.Constant(np.where(node.number % 2, 0.0, 180.0))}}
    children = [sf.repeat("lane", 2), sf.repeat("pavement", 2), "marking", "car", sf.repeat("house", 6)]
    return World("street", ranges, fixed, children, size,
                 lambda: sf.Street(size, antialias=False, occlusion=False), cap=30_000)


WORLDS = {world.name: world for world in (tray(), street())}
