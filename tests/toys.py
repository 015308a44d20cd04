"""Small grammars, renderers and objectives that several test files share."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from checks import same_scenes
from torch import Tensor

from scenefit.data.boxes import Boxes, make_boxes
from scenefit.data.class_masks import ClassMasks
from scenefit.data.frames import Frames, make_frames
from scenefit.data.photos import Photos
from scenefit.renderers import RendererInfo, renderer_info
from scenefit.renderers.sprites import Sprites
from scenefit.scenes.grammar import Grammar, Rule
from scenefit.scenes.priors import learned
from scenefit.scenes.scene import SceneBatch

SIDE = 16
COLOURS, BOX_IMAGE = ("red", "blue"), 48


class Linear:
    """A renderer that is linear in its attributes: grey = base + sum of pattern * value, all in 0..1.

    patterns: (kind, attribute) -> [H, W]. With patterns in whole 255ths and values that move by whole numbers, the
    rounding to 8 bits changes no difference of images.
    """

    def __init__(self, patterns: Mapping[tuple[str, str], Any], base: float = 0.5):
        self.patterns = {key: torch.as_tensor(np.asarray(p)).double() for key, p in patterns.items()}
        self.size = tuple(next(iter(self.patterns.values())).shape)
        self.base = base
        self.drawn = 0
        self.info = RendererInfo(self.size, self.draw)

    def draw(self, scenes: SceneBatch) -> Tensor:
        image = torch.full((len(scenes), *self.size), self.base, dtype=torch.float64)
        for (kind, name), pattern in self.patterns.items():
            table = scenes.tables[kind]
            total = torch.zeros(len(scenes), dtype=torch.float64).index_add(
                0, torch.from_numpy(table.scene), torch.as_tensor(table[name]).double())
            image = image + total[:, None, None] * pattern
        return image[:, None].expand(-1, 3, -1, -1).float()

    def __call__(self, scenes: SceneBatch) -> Frames:
        self.drawn += len(scenes)
        return make_frames(scenes, np.clip(self.draw(scenes)[:, 0].numpy(), 0, 1))


class Plain:
    """Another renderer without its `draw`, and a count of the images drawn."""

    def __init__(self, renderer: Any):
        self.renderer, self.info, self.drawn = renderer, replace(renderer_info(renderer), draw=None), 0

    def __call__(self, scenes: SceneBatch) -> Frames:
        self.drawn += len(scenes)
        return self.renderer(scenes)


class Weights:
    """An objective that is linear in the images: its gradient to each image is `weight` [H, W] / scenes."""

    def __init__(self, weight: Any):
        self.weight = torch.as_tensor(np.asarray(weight)).float()

    def extractor(self, images: Tensor) -> Tensor:
        return (images[:, 0] * self.weight).sum((1, 2))[:, None]

    def witness_of(self, features: Tensor) -> Tensor:
        return features[:, 0]

    def loss_of(self, features: Tensor) -> Tensor:
        return self.witness_of(features).mean()

    def witness(self, images: Tensor) -> Tensor:
        return self.witness_of(self.extractor(images))

    def loss(self, images: Tensor) -> Tensor:
        return self.witness(images).mean()


def pattern(seed: int, side: int = 4) -> np.ndarray:
    """[side, side] of -2..2 in 255ths."""
    return np.random.default_rng(seed).integers(-2, 3, (side, side)) / 255


def one(**attributes: Any) -> Grammar:
    """A root with one child, "dot"."""
    return Grammar("scene", {"scene": {}, "dot": attributes}, [Rule("scene", ["dot"])])


def dot(x: Any, y: Any = 8.0, **more: Any) -> Grammar:
    """One soft dot on black, for `dots()`."""
    return one(x=x, y=y, **more)


def dots(**more: Any) -> Sprites:
    """16 x 16 pixels, a soft round texture for the kind "dot"."""
    away = np.hypot(*np.mgrid[-3:4, -3:4])
    return Sprites((SIDE, SIDE), {"dot": np.clip(1.2 - away / 3, 0, 1)[None]}, **more)


def bars(**more: Any) -> Sprites:
    """Two classes for the kind "dot": lying and standing bars; the image has the class of its one dot."""
    lying = np.zeros((7, 7))
    lying[2:5] = 1.0
    return Sprites((SIDE, SIDE), {"dot": np.stack([lying, lying.T])}, labels={"dot": ["lying", "standing"]},
                   label="dot", **more)


def coloured_boxes(count: int, seed: int, most: int = 4) -> tuple[np.ndarray, Boxes]:
    """Red and blue boxes of 8 to 20 pixels that do not overlap, on grey: images [count, 48, 48, 3]."""
    random = np.random.default_rng(seed)
    images = random.integers(90, 130, (count, BOX_IMAGE, BOX_IMAGE, 3)).astype(np.uint8)
    rows = []
    for image in range(count):
        taken = np.zeros((BOX_IMAGE, BOX_IMAGE), bool)
        for _ in range(random.integers(1, most + 1)):
            (w, h), code = random.integers(8, 21, 2), random.integers(2)
            x, y = random.integers(0, BOX_IMAGE - w), random.integers(0, BOX_IMAGE - h)
            if not taken[y:y + h, x:x + w].any():
                taken[y:y + h, x:x + w] = True
                images[image, y:y + h, x:x + w] = [(220, 30, 30), (30, 30, 220)][code]
                rows.append((image, (x, y, x + w, y + h), COLOURS[code]))
    return images, make_boxes(count, *zip(*rows, strict=True))


def coloured_masks(count: int, seed: int, classes: tuple[str, ...] = COLOURS) -> tuple[np.ndarray, ClassMasks]:
    """`coloured_boxes` with masks."""
    images, boxes = coloured_boxes(count, seed)
    masks = np.zeros(images.shape[:3], np.uint8)
    for image, box, name in zip(boxes.image, boxes.box.astype(int), boxes.name.tolist(), strict=True):
        masks[image, box[1]:box[3], box[0]:box[2]] = classes.index(name) + 1
    return images, ClassMasks(classes, masks)


def photos(grammar: Grammar, renderer: Any, n: int, seed: int = 99) -> np.ndarray:
    """uint8 [n, H, W, 3] of another seed's scenes."""
    return renderer(grammar.sample(seed, n)).images


def randomise(module: torch.nn.Module, scale: float = 0.3, seed: int = 0) -> None:
    """Give every parameter something else, so that no test passes because all is zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in module.parameters():
            value.add_(scale * torch.randn(value.shape, generator=generator))


def of_scene(scenes: SceneBatch, kind: str, index: int) -> np.ndarray:
    """Rows of one scene's nodes of a kind."""
    (row,) = np.flatnonzero(scenes.index == index)
    return np.flatnonzero(scenes.tables[kind].scene == row)


__all__ = ["BOX_IMAGE", "COLOURS", "SIDE", "Linear", "Plain", "Weights", "bars", "coloured_boxes", "dot", "dots",
           "learned", "of_scene", "one", "pattern", "photos", "randomise", "same_scenes"]


class UnreadableLabels(Photos):
    """Photos whose labels nobody may read."""

    @property
    def label(self):
        raise AssertionError("a label of the photos to match was read")

    @label.setter
    def label(self, value):
        pass

    def __init__(self, images):
        for name, value in (("images", images), ("paths", ()), ("skipped", ())):
            object.__setattr__(self, name, value)
