"""Cars and vans, built from a table of measures."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.cuts import cut, cut_out, decal
from scenefit.renderers.street.models.primitives.solids import panel, tube
from scenefit.renderers.street.models.primitives.triangles import Array, Colour, both, grounded, point
from scenefit.renderers.street.models.vehicles.parts import (
    ARCH,
    GLASS,
    HEAD,
    PLATES,
    TAIL,
    left_wheel,
    mirror,
    rectangle,
    wheel_arch,
)
from scenefit.renderers.street.models.vehicles.skin import BLACK, GAP, Line, Skin, end_window, gaps, plate, side_window

Span = tuple[float, float]
PLASTIC: Colour = (0.09, 0.09, 0.095)


@dataclass(frozen=True)
class Car:
    """Measures of a car; places are metres behind its nose, heights metres above ground.

    top, belt, ground: see `Skin`; ground is the height of the sills.  width: without mirrors.  screen, rear: from the
    base to the head of the windscreen and of the rear window.  windows: of one side.  doors: gaps between them.
    panes: windows of rear doors that stand upright, (nearest and farthest from the middle, low, high).
    bed: of a pickup, (front, rear, height of its floor).
    bow, stern: how round nose and tail are from above.  bumper: height up to which both are of black plastic; 0: none.
    spokes: of the wheels; 0: hub caps.  rails: on the roof.
    head, tail: lamps, (nearest and farthest from the middle, low, high).  grille: (half the width, low, high).
    """

    top: Line
    belt: Span
    ground: float
    width: float
    axles: Span
    wheel: float
    screen: Span
    rear: Span | None
    windows: tuple[Span, ...]
    doors: tuple[float, ...]
    head: tuple[float, float, float, float]
    tail: tuple[float, float, float, float]
    grille: tuple[float, float, float]
    plate: str = "white"
    lean: float = 0.36
    bow: float = 1.0
    panes: tuple[tuple[float, float, float, float], ...] = ()
    bed: tuple[float, float, float] | None = None
    stern: float = 1.0
    bumper: float = 0.0
    spokes: int = 5
    rails: bool = False


def build(car: Car) -> Mesh:
    skin = _skin(car)
    half = car.width / 2
    left = _windows(skin.left(), car, skin)
    left = _lamps(left, car, skin)
    beds = []
    if car.bed:
        left, bed = _bed(left, car, skin)
        beds = [bed]
    parts = beds + _lines(left, car, skin)
    for place in car.axles:
        left, *walls = wheel_arch(left, skin.x(place), car.wheel * ARCH, half)
        parts += [*walls, left_wheel(skin.x(place), half - 0.025, car.wheel, car.spokes)]
    behind = car.screen[0] + 0.42
    y, z = skin.section(behind)[5]
    parts += [left, mirror(skin.x(behind), y - 0.02, z)]
    if car.rails:
        feet = np.array([(skin.x(place), *skin.section(place)[7])
                         for place in np.linspace(car.screen[1] + 0.25, skin.length - 0.7, 4)])
        parts.append(tube(feet + point(0, 0.07, 0) + np.outer([0, 1, 1, 0], [0, 0, 0.045]), 0.018, 4, "metal",
                          (0.35, 0.35, 0.37)))
    front = plate(skin, 1, car.grille[1] - 0.075, PLATES["white"])
    rear = plate(skin, -1, (car.tail[2] + car.tail[3]) / 2 - 0.08, PLATES[car.plate])
    return grounded(join([*both(join(parts)), front, rear]))


def _skin(car: Car) -> Skin:
    end, half, low = car.top[-1][0], car.width / 2, car.ground
    belt = ((0, car.belt[0] - 0.1), (car.screen[0], car.belt[0]), (end, car.belt[1]))
    bottom = ((0, low + 0.07), (0.12, low + 0.01), (0.4, low), (end - 0.5, low + 0.02), (end - 0.12, low + 0.06),
              (end, low + 0.12))
    plan = ((0, 1 - 0.3 * car.bow), (0.06, 1 - 0.21 * car.bow), (0.18, 1 - 0.11 * car.bow), (0.42, 0.965), (0.9, 1),
            (end - 1.1, 1), (end - 0.5, 1 - 0.03 * car.stern), (end - 0.15, 1 - 0.09 * car.stern),
            (end - 0.04, 1 - 0.15 * car.stern), (end, 1 - 0.22 * car.stern))
    return Skin(car.top, belt, bottom, tuple((place, share * half) for place, share in plan), car.lean)


def _windows(left: Mesh, car: Car, skin: Skin) -> Mesh:
    for span in car.windows:
        left = cut(left, "left", side_window(skin, *span), "glass", GLASS)
    for (_, first), (second, _) in pairwise(car.windows):
        post = rectangle(skin.x(second), skin.x(first), skin.at("belt", first) + 0.04, skin.at("top", first) - 0.11)
        left = cut(left, "left", post, "matte", BLACK)
    left = cut(left, "front", end_window(skin, *car.screen), "glass", GLASS, skin.x(car.screen[1] + 0.2))
    for pane in car.panes:
        left = cut(left, "rear", rectangle(*pane), "glass", GLASS, skin.length / 2 - 0.5)
    return cut(left, "rear", end_window(skin, *car.rear), "glass", GLASS) if car.rear else left


def _bed(left: Mesh, car: Car, skin: Skin) -> tuple[Mesh, Mesh]:
    """The left half of a body with its bed cut out, and the left half of the bed."""
    front, rear, floor = car.bed or (0, 0, 0)
    x1, x0, y = skin.x(front), skin.x(rear), car.width / 2 - 0.13
    left = cut_out(left, "top", [(x0, -1), (x1, -1), (x1, y), (x0, y)])
    rim = np.array([(x0, 0), (x1, 0), (x1, y), (x0, y)])
    low, high = (np.c_[rim, np.full(4, z)] for z in (floor, skin.at("top", rear) - 0.03))
    walls = [panel([low[b], low[a], high[a], high[b]], "paint", (0.5, 0.5, 0.5)) for a, b in ((1, 2), (2, 3), (3, 0))]
    return left, join([panel(low, "matte", (0.1, 0.1, 0.1)), *walls])


def _lamps(left: Mesh, car: Car, skin: Skin) -> Mesh:
    """Lamps, grille, bumpers and air intakes cut into the left half of a body."""
    nose, tail, half = skin.x(0.9), skin.length / 2 - 0.9, car.width / 2
    if car.bumper:
        left = cut(left, "front", rectangle(-1, half, 0, car.bumper), "matte", PLASTIC, nose)
        left = cut(left, "rear", rectangle(-1, half, 0, car.bumper), "matte", PLASTIC, tail)
        for x0, x1 in ((skin.x(0.42), skin.x(-0.1)), (skin.x(skin.length + 0.1), skin.x(skin.length - 0.4))):
            left = cut(left, "left", rectangle(x0, x1, 0, car.bumper), "matte", PLASTIC)
    near, far, low, high = car.head
    lens = np.array([(near, low), (near, high - 0.03), (far, high + 0.02), (far, low + 0.04)])
    left = cut(left, "front", lens, "lamp", tuple(0.6 * level for level in HEAD), nose)
    left = cut(left, "front", 0.6 * lens + 0.4 * lens.mean(0), "lamp", HEAD, nose)
    near, far, low, high = car.tail
    left = cut(left, "rear", rectangle(near, far, low, high), "lamp", TAIL, tail)
    left = cut(left, "left", rectangle(-skin.length / 2, skin.x(skin.length - 0.17), low, high), "lamp", TAIL)
    middle, part = near + 0.55 * (far - near), 0.28 * (high - low)
    left = cut(left, "rear", rectangle(near, middle, low + part, low + 2 * part), "lamp", (0.8, 0.72, 0.68), tail)
    across, low, high = car.grille
    left = cut(left, "front", rectangle(-across, across, low, high), "matte", BLACK, nose)
    base = car.ground + 0.13
    intake = np.array([(-0.48, base), (0.48, base), (0.4, base + 0.1), (-0.4, base + 0.1)])
    left = cut(left, "front", intake, "matte", BLACK, nose)
    return cut(left, "rear", rectangle(-0.45, 0.45, base + 0.02, base + 0.1), "matte", BLACK, tail)


def _lines(left: Mesh, car: Car, skin: Skin) -> list[Mesh]:
    """Gaps around doors and the boot's lid, and handles, on the left half of a body."""
    found = gaps(left, skin, car.doors, car.ground + 0.13)
    low, wide = max(car.bumper, car.ground + 0.3), 0.62 * car.width / 2
    if not car.rear:  # two doors that open sideways
        heights = np.linspace(low, skin.at("top", skin.length - 0.12) - 0.12, 6)
        found.append(_line(left, np.stack([np.full(6, GAP / 2), heights], 1), (GAP / 2, 0)))
    else:
        glass = min(car.tail[3], skin.at("top", car.rear[0])) - 0.03
        heights, across = np.linspace(low, glass, 5), np.linspace(0.001, wide, 5)
        found.append(_line(left, np.stack([np.full(5, wide), heights], 1), (GAP / 2, 0)))
        found.append(_line(left, np.stack([across, np.full(5, low)], 1), (0, GAP / 2)))
    for place in car.doors[1:]:
        z = skin.at("belt", place) - 0.1
        handle = [(skin.x(place) + 0.06, z), (skin.x(place) + 0.22, z)]
        found.append(decal(left, "left", np.add(handle, (0, 0.014)), np.add(handle, (0, -0.014)), "matte", BLACK,
                           0.012))
    return found


def _line(left: Mesh, middle: Array, half: Span) -> Mesh:
    """A dark line at the rear; half: half its width, aside and up."""
    return decal(left, "rear", middle + np.array(half), middle - np.array(half), "matte", BLACK, 0.008)
