"""Bicycles: for the town, for touring, racing and rough ground.

Measures of common frame sizes: wheels of 0.68 m (622 mm rims), wheelbase 1.02 to 1.1 m.
"""

from dataclasses import dataclass

import numpy as np

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.solids import box, lathe, loft, panel, rod, tube
from scenefit.renderers.street.models.primitives.triangles import Colour, moved, point

RADIUS = 0.34
REAR, FRONT, CRANK = (-0.52, RADIUS), (0.54, RADIUS), (-0.1, 0.28)  # x and z
BLACK: Colour = (0.05, 0.05, 0.055)
STEEL: Colour = (0.38, 0.39, 0.4)
RUBBER: Colour = (0.06, 0.06, 0.06)


@dataclass(frozen=True)
class Bicycle:
    """saddle, head: x and z of the saddle and of the upper end of the steering tube.  grips: x, half the distance, z.

    step: height of the top tube at the seat, as a share of the saddle's height.
    """

    saddle: tuple[float, float] = (-0.3, 0.94)
    head: tuple[float, float] = (0.36, 0.84)
    grips: tuple[float, float, float] = (0.3, 0.29, 1.02)
    step: float = 0.9
    colour: Colour = (0.12, 0.14, 0.2)
    tyre: float = 0.019
    mudguards: bool = True
    basket: bool = False


CITY = Bicycle(colour=(0.1, 0.2, 0.14), basket=True, step=0.55, grips=(0.22, 0.29, 1.06))
TOURER = Bicycle(colour=(0.35, 0.06, 0.06))
RACER = Bicycle(saddle=(-0.3, 0.98), head=(0.37, 0.86), grips=(0.5, 0.21, 0.88), colour=(0.7, 0.72, 0.75), tyre=0.013,
                mudguards=False)
MOUNTAIN = Bicycle(grips=(0.36, 0.32, 1.0), colour=(0.08, 0.08, 0.09), tyre=0.028, step=0.8, mudguards=False)


def bicycle(bike: Bicycle) -> Mesh:
    """A bicycle without rider."""
    rear, front, crank = (np.array([x, 0, z]) for x, z in (REAR, FRONT, CRANK))
    saddle, head = np.array([bike.saddle[0], 0, bike.saddle[1]]), np.array([bike.head[0], 0, bike.head[1]])
    seat = crank + (saddle - crank) * bike.step
    low = head + (front - head) * 0.3
    bars = [(crank, saddle, 0.016), (seat, head, 0.017), (crank, low, 0.02), (head - point(0.01, 0, -0.06), low, 0.02)]
    parts = [rod(a, b, r, 5, "matte", bike.colour) for a, b, r in bars]
    for side in (0.055, -0.055):
        for a, b in ((rear, crank), (rear, seat), (front, low)):
            parts.append(rod(a + point(0, side, 0), b + point(0, 0.3 * side, 0), 0.011, 4, "matte", bike.colour))
    x, half, z = bike.grips
    stem = head + point(0.02, 0, 0.06)
    ahead, between = x + 0.06, 0.5 * (z + stem[2])
    bend = np.array([(x, half, z), (ahead, 0.4 * half, between), stem, (ahead, -0.4 * half, between), (x, -half, z)])
    parts += [tube(bend, 0.013, 4, "matte", BLACK, side=(1, 0, 0)), moved(_wheel(bike), front),
              moved(_wheel(bike), rear)]
    top = np.array([(0.14, 0.03, 0), (0.02, 0.07, 0), (-0.12, 0.08, 0), (-0.12, -0.08, 0), (0.02, -0.07, 0),
                    (0.14, -0.03, 0)])
    parts.append(loft([saddle + top * [0.8, 0.5, 1], saddle + top + [0, 0, 0.06]], "matte", BLACK))
    parts.append(moved(lathe([(0.1, -0.006), (0.1, 0.006)], 8, "matte", BLACK), crank + point(0, -0.05, 0), roll=90))
    for side, way in ((0.1, 1), (-0.1, -1)):
        pedal = crank + point(0.12 * way, side, -0.12 * way)
        parts += [rod(crank + point(0, 0.6 * side, 0), pedal - point(0, 0.2 * side, 0), 0.01, 4, "metal", STEEL),
                  box((0.09, 0.09, 0.025), pedal + point(0, 0.2 * side, -0.01), "matte", BLACK)]
    if bike.mudguards:
        parts += [moved(_mudguard(40, 170), rear), moved(_mudguard(60, 150), front),
                  box((0.03, 0.06, 0.07), rear + point(-0.31, 0, 0.16), "lamp", (0.6, 0.04, 0.04))]
    if bike.basket:
        parts.append(box((0.24, 0.36, 0.22), (0.5, 0, 0.86), "matte", (0.36, 0.24, 0.13), taper=1.15))
    return join(parts)


def _wheel(bike: Bicycle) -> Mesh:
    """A tyre, a rim, a hub and a few spokes that stand for all; it rolls along x about the origin."""
    turn = np.arange(18) * 2 * np.pi / 18
    circle = np.stack([np.cos(turn), np.zeros(18), np.sin(turn)], 1)
    rows = np.array([circle * r + [0, y, 0] for r, y in ((RADIUS - 0.042, 0), (RADIUS - 0.022, bike.tyre), (RADIUS, 0),
                                                          (RADIUS - 0.022, -bike.tyre), (RADIUS - 0.042, 0))])
    parts = [loft(rows[k:k + 2], "rubber" if 0 < k < 3 else "metal", RUBBER if 0 < k < 3 else STEEL, 70,
                  (False, False))
             for k in range(4)]
    for angle in np.arange(8) * np.pi / 4:
        way, over = np.array([np.cos(angle), 0, np.sin(angle)]), np.array([-np.sin(angle), 0, np.cos(angle)])
        parts.append(panel([-0.003 * over, (RADIUS - 0.04) * way - 0.003 * over, (RADIUS - 0.04) * way + 0.003 * over],
                           "metal", STEEL))
    hub = moved(lathe([(0.022, -0.05), (0.022, 0.05)], 5, "metal", STEEL), roll=90)
    return join([*parts, hub])


def _mudguard(first: float, last: float) -> Mesh:
    turn = np.deg2rad(np.linspace(first, last, 6))
    arc = np.stack([np.cos(turn), np.zeros(6), np.sin(turn)], 1) * (RADIUS + 0.02)
    return tube(arc, 0.012, 4, "matte", BLACK, flat=2.4)
