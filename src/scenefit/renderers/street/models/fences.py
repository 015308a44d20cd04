"""Fences, railings and walls along x, some metres long, to be set in a row."""

from functools import cache

import numpy as np

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.solids import box, rod
from scenefit.renderers.street.models.primitives.triangles import WHITE, Array, Colour, grounded

BRICK: Colour = (0.42, 0.25, 0.19)
STONE: Colour = (0.5, 0.48, 0.43)
WOOD: Colour = (0.42, 0.3, 0.2)
IRON: Colour = (0.04, 0.04, 0.045)
STEEL: Colour = (0.5, 0.52, 0.53)


def railing(length: float = 3.0, height: float = 1.05, step: float = 0.13, colour: Colour = IRON, post: float = 0.045,
            base: float = 0.0) -> list[Mesh]:
    """Thin bars between two rails and posts."""
    material = "matte" if colour is IRON else "metal"
    bars = [rod((x, 0, base + 0.1), (x, 0, base + height - 0.03), 0.011, 3, material, colour)
            for x in _steps(length, step)[1:-1]]
    posts = [box((post, post, height + 0.04), (x, 0, base), material, colour)
             for x in (-length / 2 + post / 2, length / 2 - post / 2)]
    rails = [box((length, 0.035, 0.04), (0, 0, z), material, colour) for z in (base + 0.1, base + height - 0.04)]
    return [*bars, *posts, *rails]


def boards(length: float = 5.4, height: float = 1.8) -> list[Mesh]:
    """Upright boards, every other one set back, between posts of concrete."""
    steps = _steps(length, 0.15)
    planks = [box((0.165, 0.02, height - 0.1), (x, 0.012 * (-1) ** k, 0.08), "matte",
                  np.array(WOOD) * (0.9 + 0.05 * (k * 7 % 5)))
              for k, x in enumerate((steps[1:] + steps[:-1]) / 2)]
    posts = [box((0.1, 0.1, height), (x, 0, 0), "matte", STONE)
             for x in np.linspace(-length / 2 + 0.05, length / 2 - 0.05, 4)]
    return [*planks, *posts]


def pickets(length: float = 4.0, height: float = 1.0) -> list[Mesh]:
    slats = [box((0.08, 0.02, height), (x, -0.03, 0.04), "paint", WHITE) for x in _steps(length, 0.16)[1:-1]]
    rails = [box((length, 0.04, 0.07), (0, 0, z), "paint", (0.9, 0.9, 0.9)) for z in (0.25, 0.75)]
    return [*slats, *rails, *(box((0.1, 0.1, height + 0.08), (x, 0, 0), "paint", WHITE)
                              for x in (-length / 2, 0, length / 2))]


def wall(length: float = 6.0, height: float = 1.2, thick: float = 0.23, colour: Colour = BRICK,
         piers: int = 3) -> list[Mesh]:
    """A wall with a coping and piers."""
    ends = np.linspace(-length / 2 + 0.2, length / 2 - 0.2, piers)
    return [box((length, thick, height), (0, 0, 0), "matte", colour),
            box((length, thick + 0.08, 0.07), (0, 0, height), "matte", STONE),
            *(box((0.4, thick + 0.14, height + 0.15), (x, 0, 0), "matte", np.array(colour) * 0.94) for x in ends),
            *(box((0.48, thick + 0.22, 0.1), (x, 0, height + 0.15), "matte", STONE, taper=0.7) for x in ends)]


def guard_rail(length: float = 4.0) -> list[Mesh]:
    """A crash barrier of steel on posts."""
    beam = [box((length, 0.05, 0.11), (0, -0.05, z), "metal", STEEL) for z in (0.45, 0.61)]
    return [*beam, box((length, 0.03, 0.27), (0, -0.02, 0.45), "metal", STEEL),
            *(box((0.1, 0.12, 0.72), (x, 0.05, 0), "metal", STEEL)
              for x in np.linspace(-length / 2 + 0.3, length / 2 - 0.3, 3))]


def _steps(length: float, step: float) -> Array:
    return np.linspace(-length / 2, length / 2, max(2, round(length / step) + 1))


@cache
def fences() -> dict[str, Mesh]:
    parts = {"railing": railing(), "guard railing": railing(2.0, 1.0, 0.12, STEEL), "boards": boards(),
             "pickets": pickets(), "brick wall": wall(),
             "high brick wall": wall(8, 2.0, 0.34, piers=4), "stone wall": wall(6, 0.9, 0.4, STONE, 0),
             "wall with railing": [*wall(4, 0.5, 0.23, piers=2), *railing(3.3, 0.75, 0.13, base=0.55)],
             "crash barrier": guard_rail()}
    return {name: grounded(join(part)) for name, part in parts.items()}
