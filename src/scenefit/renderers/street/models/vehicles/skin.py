"""Skins of motor vehicles, lofted over cross-sections that follow from outlines; windows and gaps in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from scenefit.renderers.street.mesh import Mesh
from scenefit.renderers.street.models.primitives.cuts import decal
from scenefit.renderers.street.models.primitives.solids import box, loft
from scenefit.renderers.street.models.primitives.triangles import WHITE, Array, Colour, left_half

Line = Sequence[tuple[float, float]]  # points (metres behind the nose, metres up or aside)
BLACK: Colour = (0.035, 0.035, 0.04)
GAP = 0.01  # metres, of doors: twice the real one, so that it shows as a line


@dataclass(frozen=True)
class Skin:
    """Outlines of a body, as its maker draws them. Metres; the nose is at 0, the tail at the end of each line.

    top: the body's upper edge from the side: bonnet, windscreen, roof, rear window, boot.  belt: the lower edge of the
    side windows.  bottom: the body's lower edge.  plan: half the width, from above.  lean: by how much the side windows
    lean inward, metres a metre.  round: radius, about, of the edge between the side windows and the roof.
    """

    top: Line
    belt: Line
    bottom: Line
    plan: Line
    lean: float = 0.38
    round: float = 0.07

    @property
    def length(self) -> float:
        return self.top[-1][0]

    def x(self, behind: float) -> float:
        """Forward of the middle, of a place behind the nose."""
        return self.length / 2 - behind

    def at(self, line: str, behind: float) -> float:
        places, values = np.array(getattr(self, line)).T
        return float(np.interp(behind, places, values))

    def section(self, behind: float) -> Array:
        """Left half of the cross-section [9, 2]: y and z, from the underside over the side to the roof's middle."""
        width, low, high = (self.at(line, behind) for line in ("plan", "bottom", "top"))
        belt = min(self.at("belt", behind), high - 0.03)
        glass = high - belt
        roof = np.clip((glass - 0.08) / 0.25, 0, 1)  # 0: bonnet or boot, 1: roof above windows
        edge = (1 - roof) * 0.88 * width + roof * (0.95 * width - self.lean * glass)
        drop = (1 - roof) * 0.35 * glass + roof * self.round
        crown = (1 - roof) * 0.1 * glass + roof * 0.2 * self.round
        inner = (1 - roof) * 0.6 * width + roof * (edge - 1.7 * self.round)
        return np.array([(0, low), (0.93 * width, low), (0.97 * width, low + 0.15 * min(0.3, belt - low)),
                         (width, low + 0.55 * (belt - low)), (0.985 * width, belt - 0.04 * min(1, 3 * (belt - low))),
                         (0.955 * width, belt), (edge, high - drop), (inner, high - crown), (0, high)])

    def left(self, step: float = 0.6) -> Mesh:
        """The left half of the surface, of paint, and black below."""
        places = [place for place, _ in self.top]
        for first, second in pairwise(tuple(places)):
            places += np.linspace(first, second, int(np.ceil((second - first) / step)) + 1)[1:-1].tolist()
        rings = []
        for behind in sorted(places, reverse=True):
            half = self.section(behind)
            ring = np.concatenate([half[:0:-1] * [-1, 1], half[:-1]])
            rings.append(np.c_[np.full(len(ring), self.x(behind)), ring])
        strips = np.array(["paint"] * 6 + ["matte"] * 4 + ["paint"] * 6)
        colours = np.array([WHITE] * 6 + [BLACK] * 4 + [WHITE] * 6)
        return left_half(loft(rings, strips, colours, 32))


def side_window(skin: Skin, front: float, rear: float, above: float = 0.04, below: float = 0.11,
                corner: float = 0.05) -> Array:
    """Polygon, seen from the left, of a window between two places behind the nose; corners are cut off."""
    places = np.array([front, *(p for p, _ in skin.top if front + 0.05 < p < rear - 0.05), rear])
    upper = [(p, max(skin.at("top", p) - below, skin.at("belt", p) + above + 0.02)) for p in places]
    ends = [(places[0] + corner, skin.at("belt", places[0]) + above),
            (places[-1] - corner, skin.at("belt", rear) + above)]
    rear_up = [upper[-1], (rear, skin.at("belt", rear) + above + corner)]
    outline = [ends[0], (front, ends[0][1] + min(corner, upper[0][1] - ends[0][1])), *upper[:-1], *rear_up, ends[1]]
    return np.array([(skin.x(p), z) for p, z in outline])


def end_window(skin: Skin, low: float, high: float, pillar: float = 0.07) -> Array:
    """Polygon from the front of the windscreen, or of the rear window, between two places behind the nose."""
    (base, z0), (head, z1) = ((skin.section(place)[6, 0] - pillar, skin.at("top", place) + lift)
                              for place, lift in ((low, 0.02), (high, -0.035)))
    return np.array([(base, z0), (head, z1), (-head, z1), (-base, z0)])


def gaps(left: Mesh, skin: Skin, places: Sequence[float], low: float) -> list[Mesh]:
    """Gaps between doors: dark lines up to the windows, at places behind the nose."""
    found = []
    for place in places:
        heights = np.linspace(low, skin.at("belt", place) - 0.01, 6)
        one, other = (np.c_[np.full(6, skin.x(place) + side), heights] for side in (-GAP / 2, GAP / 2))
        found.append(decal(left, "left", one, other, "matte", BLACK, 0.007))
    return found


def plate(skin: Skin, end: float, height: float, colour: Colour) -> Mesh:
    """A number plate of 0.52 x 0.11 m at the nose (end 1) or the tail (end -1)."""
    places = np.linspace(0, 0.5, 51) if end > 0 else skin.length - np.linspace(0, 0.5, 51)
    place = next(p for p in places if skin.at("bottom", p) < height - 0.03 < skin.at("top", p))
    return box((0.03, 0.52, 0.11), (skin.x(place), 0, height - 0.055), "matte", colour)
