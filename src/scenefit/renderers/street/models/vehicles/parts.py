"""Parts of motor vehicles: wheels and their arches, mirrors; outlines of lamps."""

import numpy as np

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.cuts import cut_out
from scenefit.renderers.street.models.primitives.solids import lathe, panel, tube
from scenefit.renderers.street.models.primitives.triangles import WHITE, Array, Colour, make_mesh, moved, point

GLASS: Colour = (0.05, 0.06, 0.07)
HEAD: Colour = (0.72, 0.74, 0.77)
TAIL: Colour = (0.55, 0.03, 0.03)
PLATES: dict[str, Colour] = {"white": (0.85, 0.85, 0.83), "yellow": (0.85, 0.68, 0.1)}
DARK: Colour = (0.02, 0.02, 0.02)
ARCH = 1.14  # radius of a wheel's arch, in units of the wheel's


def rectangle(left: float, right: float, low: float, high: float, corner: float = 0) -> Array:
    """Polygon with corners cut off."""
    c = corner
    if not c:
        return np.array([(left, low), (right, low), (right, high), (left, high)])
    return np.array([(left + c, low), (right - c, low), (right, low + c), (right, high - c), (right - c, high),
                     (left + c, high), (left, high - c), (left, low + c)])


def wheel_arch(left: Mesh, axle: float, radius: float, half_width: float, depth: float = 0.3) -> list[Mesh]:
    """The left half of a body with an opening above the wheel of an axle at x, and the opening's walls."""
    turn = np.linspace(0, np.pi, 9)
    arc = np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1)
    feet = np.array([[radius, -radius]]), np.array([[-radius, -radius]])
    middle = axle, radius / ARCH
    left = cut_out(left, "left", np.concatenate([feet[0], arc, feet[1]]) + middle, half_width * 0.6)
    wider = np.concatenate([feet[0] * [1, 0.3], arc, feet[1] * [1, 0.3]]) * 1.03 + middle
    outer, inner = (np.c_[wider[:, 0], np.full(len(wider), y), wider[:, 1]]
                    for y in (half_width * 0.96, half_width - depth))
    a, b, c, d = outer[:-1], outer[1:], inner[1:], inner[:-1]
    wall = make_mesh(np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]), "matte", DARK, 40)
    return [left, wall, panel(inner[::-1], "matte", DARK)]


def wheel(radius: float, width: float = 0.2, rim: float = 0.66, spokes: int = 5, sides: int = 12,
          colour: Colour = (0.5, 0.51, 0.53)) -> Mesh:
    """A wheel that rolls along x and shows its face to the left; its middle is the origin, its face at y = 0.

    rim: radius of the rim, in units of that of the tyre.  spokes: 0: a hub cap.
    """
    hub, dark = rim - 0.09, (0.05, 0.05, 0.055)
    profile = np.array([(1, -width / radius), (1, -0.04), (0.93, 0), (rim, 0), (hub, -0.04), (0, -0.08)]) * radius
    tyre = lathe(profile, sides, np.array(["rubber"] * 3 + ["metal", "matte"]),
                 np.array([(0.06, 0.06, 0.065)] * 3 + [colour, dark if spokes else colour]), 40)
    bars = []
    for turn in np.arange(spokes) * 2 * np.pi / spokes:
        out, side = point(np.cos(turn), np.sin(turn), -0.03), 0.1 * point(-np.sin(turn), np.cos(turn), 0)
        hub_side = point(0, 0, -0.03) + 1.3 * np.stack([-side, side])
        end = out * [rim, rim, 1] + np.stack([-side, side])
        bars.append(panel(np.array([hub_side[0], end[0], end[1], hub_side[1]]) * radius, "metal", colour))
    return moved(join([tyre, *bars]), roll=-90)


def left_wheel(x: float, half_width: float, radius: float, spokes: int = 5, width: float = 0.2) -> Mesh:
    return moved(wheel(radius, width, spokes=spokes), (x, half_width, radius))


def mirror(x: float, y: float, z: float, material: str = "paint", colour: Colour = WHITE,
           size: tuple[float, float, float] = (0.1, 0.2, 0.13)) -> Mesh:
    """The left mirror; its foot is at x, y, z."""
    length, width, height = size
    shell = tube([(x, y - 0.03, z), (x, y + 0.3 * width, z + 0.35 * height), (x - 0.02, y + width, z + 0.4 * height)],
                 [0.25 * height, 0.55 * height, 0.4 * height], 5, material, colour, side=(1, 0, 0),
                 flat=length / height)
    back, low, high, near, far = x - 0.62 * length, z, z + 0.7 * height, y + 0.3 * width, y + 0.95 * width
    glass = panel([(back, near, low), (back, near, high), (back, far, high), (back, far, low)], "metal",
                  (0.5, 0.55, 0.6))
    return join([shell, glass])
