"""Foreign objects (distractors: Tremblay et al. 2018) pasted into renders, which no scene describes.

Photos show more than a grammar knows: stains, fibres, crumbs, the edge of something else. A detector that has seen none
of these takes them for objects. They are drawn after rendering, above everything, and the masks of what they cover are
cleared before labels are derived. Legend: H, W pixels; h, w pixels of a window.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scenefit.data.corruptions import texture
from scenefit.data.frames import Frames
from scenefit.data.shading import objects_and_side
from scenefit.scenes.rng import generator, uniform

Floats = NDArray[np.float64]
MOST = 8  # foreign objects in an image; each number from 1 is as likely
LEAST_SIDE, MOST_SIDE = 3, 2.5  # range of their sides: pixels, and a multiple of the median side of the image's objects
BARE_SIDE = 0.1  # the median side where an image has no object, as a share of its shorter side
OPACITY = 0.4, 1.0  # range
HIDES = 0.5  # opacity from which a pixel belongs to the foreign object
EDGE = 0.5, 4.0  # range of the width of the edge, px
OWN_COLOUR = 0.5  # share with a colour near one of the image's own; the others have any
COLOUR_CHANGE = 25  # standard deviation of the difference from the own colour, grey levels
TEXTURED, MOST_TEXTURE = 0.5, 40  # share with a texture; its largest standard deviation, grey levels


def add_clutter(frames: Frames, share: float) -> Frames:
    """The frames, this share of them with foreign objects. What is added to an image depends on the image, on the seed
    of its scene and on the scene's index.

    Where the renderer does not give the whole extent of an object, it is what was visible before. Pixels other than
    "instances", such as "depth", stay as they are."""
    address = frames.scenes.address
    images, instances = frames.images.copy(), frames.instances.copy()
    for row in np.flatnonzero(uniform(address, "cluttered") < share):
        rng = generator(address[row], "foreign objects")
        side = objects_and_side(instances[row])[1] or BARE_SIDE * min(instances.shape[1:])
        own = images[row].reshape(-1, 3)
        own = own[rng.integers(len(own), size=MOST)].astype(float)  # of the image before it is cluttered
        for colour in own[:rng.integers(1, MOST + 1)]:
            _paste(images[row], instances[row], side, colour, rng)
    return replace(frames, images=images, pixels={**frames.pixels, "instances": instances},
                   nodes={**frames.nodes, **_extents(frames)})


def _paste(image: NDArray[np.uint8], instances: NDArray[np.int32], typical: float, own: Floats,
           rng: np.random.Generator) -> None:
    """Draw one foreign object into image [H, W, 3] and instances [H, W]. typical: side of the objects.  own: a colour
    of the image [3]."""
    height, width = instances.shape
    side = np.exp(rng.uniform(np.log(LEAST_SIDE), np.log(max(MOST_SIDE * typical, LEAST_SIDE))))
    x, y, reach = rng.uniform(0, width), rng.uniform(0, height), int(side) + 4
    at = (slice(max(int(y) - reach, 0), min(int(y) + reach + 1, height)),
          slice(max(int(x) - reach, 0), min(int(x) + reach + 1, width)))
    down, across = np.mgrid[at] + 0.5
    dx, dy, turn = across - x, down - y, rng.uniform(0, 2 * np.pi)
    u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    inside = FORMS[rng.integers(len(FORMS))](u, v, side / 2, rng)
    edge = min(np.exp(rng.uniform(*np.log(EDGE))), side / 3)
    cover = np.clip(inside / edge + 0.5, 0, 1) * rng.uniform(*OPACITY)
    colour = own + rng.normal(0, COLOUR_CHANGE, 3) if rng.random() < OWN_COLOUR else rng.uniform(0, 255, 3)
    pattern = np.zeros(cover.shape)
    if rng.random() < TEXTURED:
        pattern = rng.uniform(0, MOST_TEXTURE) * texture(rng, cover.shape, rng.uniform(0.6, side / 4))
    painted = np.clip(colour + pattern[..., None], 0, 255)
    image[at] = (image[at] + cover[..., None] * (painted - image[at])).round()
    instances[at][cover >= HIDES] = 0


def _blob(u: Floats, v: Floats, radius: float, rng: np.random.Generator) -> Floats:
    """Smooth and uneven. Of this and the other forms: how far each pixel of a window [h, w] lies inside the outline,
    px, negative outside. u, v: its place relative to the middle.  radius: half the longest side."""
    around = np.arctan2(v, u)
    uneven = sum(rng.uniform(0, 0.5 / order) * np.cos(order * around + rng.uniform(0, 2 * np.pi))
                 for order in range(2, 6))
    return radius * 0.75 * (1 + uneven) - np.hypot(u, v * rng.uniform(1, 2))


def _streak(u: Floats, v: Floats, radius: float, rng: np.random.Generator) -> Floats:
    """Long, thin and bent, such as a fibre."""
    half = max(radius * rng.uniform(0.04, 0.25), 0.5)
    return np.minimum(half - np.abs(v - rng.uniform(-0.5, 0.5) * u**2 / radius), radius - np.abs(u))


def _polygon(u: Floats, v: Floats, radius: float, rng: np.random.Generator) -> Floats:
    """Three to six straight sides."""
    sides = rng.integers(3, 7)
    normals = 2 * np.pi * (np.arange(sides) + rng.uniform(-0.3, 0.3, sides)) / sides
    away = [far - u * np.cos(normal) - v * np.sin(normal)
            for far, normal in zip(radius * rng.uniform(0.4, 0.8, sides), normals, strict=True)]
    return np.minimum(np.min(away, 0), radius - np.hypot(u, v))


def _blotch(u: Floats, v: Floats, radius: float, rng: np.random.Generator) -> Floats:
    """Ragged, in pieces or with holes."""
    ragged = texture(rng, u.shape, max(radius * rng.uniform(0.1, 0.4), 0.6))
    return radius * (0.6 + 0.35 * ragged) - np.hypot(u, v)


FORMS: tuple[Callable[[Floats, Floats, float, np.random.Generator], Floats], ...] = (_blob, _streak, _polygon, _blotch)


def _extents(frames: Frames) -> dict[str, dict[str, Floats]]:
    """"amodal" and "area" of all nodes: as the renderer gives them, else of the visible pixels; NaN without either."""
    objects, tables = frames.objects, frames.scenes.tables
    row = np.full((len(frames), 1 + max(int(table.id.max(initial=0)) for table in tables.values())), -1)
    row[objects.scene, objects.id] = np.arange(len(objects))
    amodal, area = (np.concatenate([values, np.full((1, *values.shape[1:]), np.nan)])  # the last row: of no object
                    for values in (objects.amodal, objects.area))
    rows = {kind: row[table.scene, table.id] for kind, table in tables.items()}
    return {"amodal": {kind: amodal[at] for kind, at in rows.items()},
            "area": {kind: area[at] for kind, at in rows.items()}}
