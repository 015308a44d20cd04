"""The target's scenes as photos that no grammar of this world describes, painted by other code.

What the grammar cannot express: the road bends; double lines, edge lines, worn wheel tracks, zebra crossings, lamp
posts; cars have round noses, windscreens, side windows and lights; roofs are hipped and shaded by the sun; trees are
clumps; shadows are soft; grass is patchy. A shape has the pixels that it covers by half or more and that no later one
takes. Legend: S scenes; H, W pixels; k corners, [k, 2] as (x, y) in pixels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter, zoom

from experiments.aerial2d.settings import PAINTS, ROOFS
from experiments.aerial2d.world import CLASSES, SIZE, target
from scenefit.scenes.scene import Node, Scene

Array = NDArray[Any]
SUPERSAMPLING = 4
NOTHING, ROAD, CAR, HOUSE, TREE = range(1 + len(CLASSES))
WHITE, YELLOW, DARK = (0.86, 0.86, 0.83), (0.85, 0.68, 0.2), (0.07, 0.09, 0.12)


def photos(seed: int, indices: Any, side: int = SIZE) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images [S, H, W, 3] and their class masks [S, H, W]. indices: scene numbers, or how many; a scene of a seed is
    the same in any batch, and has the attributes that `world.target` draws for it."""
    painted = [_paint(scene, side) for scene in target(side, seed, indices)]
    return np.stack([image for image, _ in painted]), np.stack([mask for _, mask in painted])


@dataclass(frozen=True, eq=False)
class Canvas:
    """image: 0..1, [H, W, 3].  classes: [H, W].  px: how many pixels are one pixel of an image of side 256.  sun: unit
    vector (x, y) in which shadows fall."""

    image: Array
    classes: Array
    px: float
    sun: Array

    def fill(self, corners: Array, colour: Any, kind: int | None, opacity: float = 1.0) -> None:
        """A polygon. kind: of its pixels; None leaves the classes."""
        side = len(self.image)
        low = np.clip(np.floor(corners.min(0)).astype(int) - 1, 0, side)
        high = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, side)
        if (high <= low).any():
            return
        at = slice(low[1], high[1]), slice(low[0], high[0])
        cover = _cover(corners - low, tuple(high - low))
        seen = opacity * cover[..., None]
        self.image[at] = self.image[at] * (1 - seen) + np.asarray(colour) * seen
        if kind is not None:
            self.classes[at][cover >= 0.5] = kind

    def shade(self, polygons: list[Array], height: float) -> None:
        """Soft shadows of flat polygons at this height, px."""
        side, scale = len(self.image), 2
        sheet = Image.new("L", (scale * side, scale * side))
        draw = ImageDraw.Draw(sheet)
        for corners in polygons:
            for share in np.linspace(0.2, 1, 5):
                draw.polygon([tuple(point) for point in (corners + share * height * self.sun) * scale], fill=255)
        soft = sheet.resize((side, side), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(1.2 * self.px))
        self.image[...] *= 1 - 0.48 * (np.asarray(soft) / 255)[..., None] * (0.95, 0.9, 0.8)


@dataclass(frozen=True, eq=False)
class Bend:
    """A road that bends by so many pixels in the middle of the image."""

    road: Node
    side: int
    bend: float

    def point(self, along: Any, left: Any) -> Array:
        """(x, y) [..., 2] of points in the coordinates of the road."""
        turn = np.deg2rad(self.road["angle"])
        left = left + self.bend * (1 - (2 * np.asarray(along) / self.side) ** 2)
        return np.stack([self.road["x"] + along * np.cos(turn) - left * np.sin(turn),
                         self.road["y"] - along * np.sin(turn) - left * np.cos(turn)], -1)

    def angle(self, along: float) -> float:
        return float(self.road["angle"] + np.rad2deg(np.arctan(-8 * self.bend * along / self.side**2)))

    def strip(self, start: float, stop: float, left: float, width: float) -> Array:
        """A piece of a band along the road, as a polygon."""
        along = np.linspace(start, stop, 2 + int(abs(stop - start) / self.side * 24))
        return np.concatenate([self.point(along, left - width / 2), self.point(along, left + width / 2)[::-1]])


def _paint(scene: Scene, side: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng, px = scene.rng("other painter"), side / 256
    turn = np.deg2rad(scene.root["shadow_angle"])
    sun = np.array([np.cos(turn), -np.sin(turn)])
    canvas = Canvas(_grass(scene, rng, side), np.zeros((side, side), np.uint8), px, sun)
    bend = Bend(scene.of("road")[0], side, rng.choice([-1, 1]) * rng.uniform(0.015, 0.035) * side)
    houses = [(node, bend.point(node["along"], node["left"]), bend.angle(node["along"]) + node["turn"])
              for node in scene.of("house")]
    for node, _, _ in houses:
        _path(canvas, bend, node)
    _road(canvas, bend, rng)
    cars = [(node, bend.point(node["along"], node["left"]),
             bend.angle(node["along"]) + 90 * (1 - node["way"]) + node["heading"]) for node in scene.of("car")]
    bodies = [_turned(_body(node["length"], node["width"]), middle, angle) for node, middle, angle in cars]
    canvas.shade(bodies, 3 * px)
    for (node, middle, angle), body in zip(cars, bodies, strict=True):
        _car(canvas, node, middle, angle, body, rng)
    roofs = [_turned(_box(node["length"], node["width"]), middle, angle) for node, middle, angle in houses]
    canvas.shade(roofs, 11 * px)
    for node, middle, angle in houses:
        _house(canvas, node, middle, angle, rng)
    _lamps(canvas, bend, rng)
    clumps = [_clump(node, bend.point(node["along"], node["left"]), rng) for node in scene.of("tree")]
    canvas.shade([blob for clump in clumps for blob in clump], 8 * px)
    for node, clump in zip(scene.of("tree"), clumps, strict=True):
        _tree(canvas, node, clump, rng)
    return _exposed(canvas.image, rng, px), canvas.classes


def _grass(scene: Scene, rng: np.random.Generator, side: int) -> Array:
    """Blades, tufts and dry patches."""
    colour = np.array([scene.root[channel] for channel in ("red", "green", "blue")])
    blades, tufts = rng.standard_normal((side, side)), _clouds(rng, side, 2)
    dry = np.clip(_clouds(rng, side, 24) * 0.7 - 0.2, 0, 1)[..., None]
    light = 1 + 0.06 * blades + 0.09 * tufts
    return (colour * (1 - 0.5 * dry) + np.array([0.52, 0.47, 0.28]) * 0.5 * dry) * light[..., None]


def _clouds(rng: np.random.Generator, side: int, grain: float) -> Array:
    """Smooth random field [side, side] of unit variance. grain: px at the size 256."""
    sd = max(grain * side / 256, 0.4)
    step = max(1, int(sd / 3))
    small = gaussian_filter(rng.standard_normal((-(-side // step),) * 2), sd / step, mode="wrap")
    field = zoom(small, step, order=1)[:side, :side] if step > 1 else small
    return field / field.std()


def _road(canvas: Canvas, bend: Bend, rng: np.random.Generator) -> None:
    side, px, road = bend.side, canvas.px, bend.road
    width, lane, lanes, far = float(road["width"]), float(road["lane_width"]), int(road["lanes"]), 0.95 * bend.side
    grit = 1 + 0.05 * rng.standard_normal((side, side, 1)) + 0.04 * _clouds(rng, side, 6)[..., None]
    before = canvas.image.copy()
    canvas.fill(bend.strip(-far, far, 0, width), (0.62, 0.61, 0.58), ROAD)
    canvas.fill(bend.strip(-far, far, 0, width - 3 * px), np.full(3, road["shade"]) * (1, 0.99, 0.97), ROAD)
    for number in range(lanes):
        for wheel in (-0.22, 0.22):
            left = (number + 0.5 - lanes / 2 + wheel) * lane
            canvas.fill(bend.strip(-far, far, left, 0.14 * lane), (0, 0, 0), None, 0.12)
    on = canvas.classes == ROAD
    canvas.image[...] = np.where(on[..., None], canvas.image * grit, before * 0.3 + canvas.image * 0.7)
    for edge in (-1, 1):
        canvas.fill(bend.strip(-far, far, edge * (width / 2 - 3.4 * px), 1.1 * px), WHITE, ROAD, 0.8)
    for line in range(1, lanes):
        left = (line - lanes / 2) * lane
        if 2 * line == lanes:
            for aside in (-1.3, 1.3):
                canvas.fill(bend.strip(-far, far, left + aside * px, 1.1 * px), YELLOW, ROAD, 0.85)
            continue
        for start in np.arange(-far, far, 0.12 * side) + rng.uniform(0, 0.12) * side:
            canvas.fill(bend.strip(start, start + 0.045 * side, left, 1.5 * px), WHITE, ROAD, 0.8)
    if rng.random() < 0.6:
        start = rng.uniform(-0.4, 0.35) * side
        for left in np.arange(-width / 2 + 5 * px, width / 2 - 5 * px, 6.5 * px):
            canvas.fill(bend.strip(start, start + 15 * px, left + 1.8 * px, 3.6 * px), WHITE, ROAD, 0.85)


def _path(canvas: Canvas, bend: Bend, house: Node) -> None:
    """A gravel path from a house to the road."""
    ends = np.stack([bend.point(house["along"], house["left"]),
                     bend.point(house["along"], np.sign(house["left"]) * bend.road["width"] / 2)])
    along = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    across = 3 * canvas.px * np.array([-along[1], along[0]])
    canvas.fill(np.stack([ends[0] - across, ends[1] - across, ends[1] + across, ends[0] + across]),
                (0.68, 0.62, 0.52), None, 0.9)


def _body(length: float, width: float) -> Array:
    """The outline of a car ahead of whose middle lies x: a round, narrower nose and a rounded tail."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x, y = np.cos(turn), np.sin(turn)
    x, y = np.sign(x) * abs(x) ** 0.35, np.sign(y) * abs(y) ** 0.35
    return np.stack([x * length / 2, y * width / 2 * np.where(x > 0.5, 1 - 0.35 * (x - 0.5), 1)], 1)


def _car(canvas: Canvas, node: Node, middle: Array, angle: float, body: Array, rng: np.random.Generator) -> None:
    length, width = float(node["length"]), float(node["width"])
    paint = np.array(PAINTS[str(node["colour"])]) * node["brightness"]
    roof = (paint, np.full(3, 0.12), np.full(3, 0.85))[rng.choice(3, p=(0.5, 0.25, 0.25))]

    def part(points: Any, colour: Any, opacity: float = 1.0) -> None:
        canvas.fill(_turned(np.array(points) * (length, width), middle, angle), colour, CAR, opacity)

    canvas.fill(body, paint * 0.9, CAR)
    part([(0.2, -0.34), (0.46, -0.26), (0.46, 0.26), (0.2, 0.34)], np.minimum(paint * 1.08, 1))
    part([(0.08, -0.33), (0.24, -0.42), (0.24, 0.42), (0.08, 0.33)], DARK)
    part([(-0.26, -0.32), (-0.38, -0.38), (-0.38, 0.38), (-0.26, 0.32)], DARK, 0.9)
    for edge in (-1, 1):
        part([(0.06, 0.37 * edge), (0.2, 0.46 * edge), (-0.32, 0.46 * edge), (-0.26, 0.37 * edge)], DARK, 0.85)
        part([(0.44, 0.2 * edge), (0.49, 0.2 * edge), (0.48, 0.36 * edge), (0.42, 0.4 * edge)], (1, 0.98, 0.85))
        part([(-0.47, 0.2 * edge), (-0.5, 0.2 * edge), (-0.5, 0.4 * edge), (-0.47, 0.4 * edge)], (0.75, 0.1, 0.08))
    part([(0.08, -0.33), (-0.26, -0.32), (-0.26, 0.32), (0.08, 0.33)], roof)


def _house(canvas: Canvas, node: Node, middle: Array, angle: float, rng: np.random.Generator) -> None:
    """A hipped roof: four slopes that meet in a ridge, each as light as it faces the sun."""
    length, width = float(node["length"]), float(node["width"])
    colour = np.array(ROOFS[str(node["colour"])]) * node["brightness"]
    a, b, ridge = length / 2, width / 2, (length - width) / 2 + 0.12 * width
    slopes = {(0, 1): [(-a, b), (a, b), (ridge, 0), (-ridge, 0)], (0, -1): [(-a, -b), (a, -b), (ridge, 0), (-ridge, 0)],
              (1, 0): [(a, b), (a, -b), (ridge, 0)], (-1, 0): [(-a, b), (-a, -b), (-ridge, 0)]}
    canvas.fill(_turned(_box(length, width), middle, angle), colour * 0.8, HOUSE)
    for facing, corners in slopes.items():
        normal = _turned(np.array([facing], float), np.zeros(2), angle)[0]
        canvas.fill(_turned(np.array(corners), middle, angle), colour * (1.0 - 0.3 * float(normal @ canvas.sun)), HOUSE)
    for row in np.arange(-b + 2 * canvas.px, b, 3 * canvas.px):
        reach = a - (b - abs(row)) * 0.8
        tiles = _box(2 * reach, 0.7 * canvas.px) + np.array([0, row])
        canvas.fill(_turned(tiles, middle, angle), (0, 0, 0), None, 0.16)
    canvas.fill(_turned(_box(2 * ridge, 1.2 * canvas.px), middle, angle), np.minimum(colour * 1.3, 1), HOUSE, 0.8)
    at = np.array([rng.uniform(-0.2, 0.2) * length, 0.22 * width * rng.choice([-1, 1])])
    if rng.random() < 0.5:
        panels = _box(0.3 * length, 0.26 * width) + at
        canvas.fill(_turned(panels, middle, angle), (0.1, 0.14, 0.26), HOUSE)
    else:
        chimney = _turned(_box(4.5 * canvas.px, 4.5 * canvas.px) + at, middle, angle)
        canvas.fill(chimney + 3 * canvas.px * canvas.sun, (0, 0, 0), None, 0.4)
        canvas.fill(chimney, (0.5, 0.47, 0.44), HOUSE)


def _lamps(canvas: Canvas, bend: Bend, rng: np.random.Generator) -> None:
    px, edge = canvas.px, float(bend.road["width"]) / 2
    for along in np.arange(-0.7, 0.7, 0.35) * bend.side + rng.uniform(0, 0.3) * bend.side:
        foot, head = bend.point(along, edge + 2.5 * px), bend.point(along, edge - 5 * px)
        away = (head - foot) / np.linalg.norm(head - foot)
        across = np.array([-away[1], away[0]])
        shadow = np.stack([foot - 0.6 * px * across, foot + 14 * px * canvas.sun, foot + 0.6 * px * across])
        canvas.fill(shadow, (0, 0, 0), None, 0.35)
        canvas.fill(_line(foot, head, 1.1 * px), (0.75, 0.76, 0.78), NOTHING)
        canvas.fill(_line(head - 2 * px * away, head + 2.5 * px * away, 3 * px), (0.93, 0.93, 0.88), NOTHING)


def _clump(node: Node, middle: Array, rng: np.random.Generator) -> list[Array]:
    """Irregular blobs that together are a crown of about the tree's radius."""
    radius, turn = float(node["radius"]), np.linspace(0, 2 * np.pi, 7, endpoint=False) + rng.uniform(0, 1)
    far = rng.uniform(0.4, 0.65, 7)[:, None] * radius
    centres = np.concatenate([[middle], middle + far * np.stack([np.cos(turn), np.sin(turn)], 1)])
    return [_blob(centre, radius * rng.uniform(0.38, 0.52), rng) for centre in centres]


def _blob(centre: Array, radius: float, rng: np.random.Generator) -> Array:
    turn = np.linspace(0, 2 * np.pi, 18, endpoint=False)
    return centre + (radius * rng.uniform(0.86, 1.14, 18))[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)


def _tree(canvas: Canvas, node: Node, clump: list[Array], rng: np.random.Generator) -> None:
    """Dark below, lighter leaves towards the sun."""
    leaf = np.array([0.52, 0.94, 0.36]) * node["brightness"] * rng.uniform(0.85, 1.15, 3)
    for blob in clump:
        canvas.fill(blob, leaf * 0.55, TREE)
    for blob in clump:
        centre = blob.mean(0)
        for share, light in ((0.8, 0.8), (0.5, 1.08), (0.25, 1.3)):
            lit = centre + share * (blob - centre) - (1 - share) * 0.32 * np.ptp(blob[:, 0]) * canvas.sun
            canvas.fill(lit, leaf * light * rng.uniform(0.9, 1.1), None, 0.75)


def _exposed(image: Array, rng: np.random.Generator, px: float) -> NDArray[np.uint8]:
    """Slightly out of focus, with noise in each colour."""
    seen = gaussian_filter(image, (0.55 * px, 0.55 * px, 0)) + 0.014 * rng.standard_normal(image.shape)
    return np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8)


def _cover(corners: Array, size: tuple[int, ...]) -> Array:
    """Share of each pixel [height, width] that a polygon covers. size: width, height."""
    sheet = Image.new("L", (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING))
    ImageDraw.Draw(sheet).polygon([tuple(point) for point in corners * SUPERSAMPLING - 0.5], fill=255)
    return np.asarray(sheet.reduce(SUPERSAMPLING)) / 255


def _box(length: float, width: float) -> Array:
    return np.array([(-length, -width), (length, -width), (length, width), (-length, width)]) / 2


def _line(start: Array, stop: Array, width: float) -> Array:
    across = width / 2 * (np.array([[0, -1], [1, 0]]) @ (stop - start)) / np.linalg.norm(stop - start)
    return np.stack([start - across, stop - across, stop + across, start + across])


def _turned(points: Array, middle: Array, angle: float) -> Array:
    """Points (ahead, left) of something at `middle` that points in a direction, degrees counter-clockwise."""
    turn = np.deg2rad(angle)
    return middle + points @ np.array([[np.cos(turn), -np.sin(turn)], [-np.sin(turn), -np.cos(turn)]])
