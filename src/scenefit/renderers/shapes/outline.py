"""Rasterisation of soft shapes: outline, edge, and how strongly a shape colours each pixel.

Pixels are computed by sums, products, quotients and square roots alone, which are rounded in the same way whatever the
batch, so a scene has the same bytes in any batch. Legend: n shapes; g shapes rasterised together; h, w pixels of their
windows.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor
from torch.nn.functional import grid_sample

from scenefit.scenes.rng import Address, generator, uniform

Array = NDArray[Any]
Limits = tuple[float, float, float]

# name -> default, and the range that it is clipped to
ATTRIBUTES: Mapping[str, Limits] = {
    "radius": (10.0, 0.0, np.inf), "elongation": (1.0, 1.0, np.inf), "angle": (0.0, -np.inf, np.inf),
    "length": (0.0, 0.0, np.inf), "width": (0.0, 0.0, np.inf), "corner": (0.0, 0.0, 1.0), "power": (2.0, 2.0, np.inf),
    "sides": (0.0, 0.0, 12.0), "lobes": (0.0, 0.0, 12.0), "lobe": (0.3, 0.0, 0.9), "phase": (0.0, -np.inf, np.inf),
    "wobble": (0.0, 0.0, 0.3), "edge": (1.0, 0.1, np.inf), "defocus": (0.0, 0.0, np.inf), "hole": (0.0, 0.0, 0.95),
    "opacity": (1.0, 0.0, 1.0), "absorb": (0.0, 0.0, 1.0), "emit": (0.0, 0.0, 1.0), "shade": (0.5, 0.0, 1.0),
    "red": (0.5, 0.0, 1.0), "green": (0.5, 0.0, 1.0), "blue": (0.5, 0.0, 1.0), "pallor": (0.0, 0.0, 1.0),
    "pallor_size": (0.7, 0.1, 1.0), "rim": (0.0, -1.0, 1.0), "rim_width": (0.25, 0.02, 1.0), "bulge": (0.0, -1.0, 1.0),
    "grain": (0.0, 0.0, 1.0), "grain_size": (3.0, 0.5, np.inf), "grain_stretch": (1.0, 0.0, 1.0),
    "height": (0.0, 0.0, np.inf), "layer": (0.0, -np.inf, np.inf)}
# Values at which an attribute has no effect, so that its computation is skipped. The blur is the camera's.
OPTIONAL = {**{name: ATTRIBUTES[name][0] for name in ("power", "hole", "pallor", "rim", "bulge", "grain", "emit")},
            "blur": 0.0}
WOBBLES = (2, 3, 4)  # waves along the outline with random phases, which make it irregular
RECTANGLE = -1  # in place of a number of sides
MIN_RADIUS = 0.05  # of the radius: the smallest distance of an outline from its centre
TINY = 1e-6
BLUR_FACTOR = 4.4  # an edge e blurred by a Gaussian of s pixels is like one of sqrt(e**2 + BLUR_FACTOR s**2)
GRAIN = 256  # cells of the grain pattern on each axis


def with_rectangles(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """values, with the width of each rectangle, and half of its shorter side as its radius; nothing stretches it."""
    long = values["length"]
    boxes = long > 0
    if not bool(boxes.any()):
        return dict(values)
    wide = torch.where(values["width"] > 0, values["width"], long / values["elongation"])
    return {**values, "width": wide, "radius": torch.where(boxes, torch.minimum(long, wide) / 2, values["radius"]),
            "elongation": torch.where(boxes, torch.ones_like(long), values["elongation"])}


def waves(values: Mapping[str, Tensor], address: Address) -> Tensor:
    """The outline as a Fourier series of the direction: weights of cos and sin of each wave [n, 2, 12]; 0 is none."""
    lobes = values["lobes"].detach().round().long()
    lobe, phase = values["lobe"], torch.deg2rad(values["phase"])
    hit = torch.nn.functional.one_hot(lobes, 13)[:, 1:] * (lobe / 2)[:, None]
    series = torch.stack([hit * phase.cos()[:, None], hit * phase.sin()[:, None]], 1)
    part = np.zeros((len(address), 2, 12))
    scale = np.sqrt(sum(k**-2.0 for k in WOBBLES))
    if bool((values["wobble"].detach() > 0).any()) or values["wobble"].requires_grad:
        for k in WOBBLES:
            for row, name in enumerate(("cos", "sin")):
                part[:, row, k - 1] = ndtri(uniform(address, f"wobble {name} {k}")) / (k * scale)
    return series + values["wobble"][:, None, None] * torch.as_tensor(part, device=lobe.device)


def reach(values: Mapping[str, Tensor], series: Tensor) -> Array:
    """Largest distance from its centre at which a shape colours a pixel, or owns one after the blur, in pixels [n]."""
    number = {name: column.detach().cpu().numpy() for name, column in values.items()}
    root = np.sqrt(number["elongation"])
    corner = np.where(number["power"] > 2, np.hypot(root, 1 / root), root)
    sides = np.maximum(number["sides"], 3)
    corner *= np.where(number["sides"] > 0, apothem(sides) / np.cos(np.pi / sides), 1.0)
    far = np.where(number["length"] > 0, np.hypot(number["length"], number["width"]) / 2, number["radius"] * corner)
    wave = series.detach().square().sum(1).sqrt().sum(1).cpu().numpy()
    valley = np.where(number["lobes"] > 0, number["lobe"] / 2, 0.0)
    return far * (1 - valley + wave) + blurred_edge(values).detach().cpu().numpy() * root


def blurred_edge(values: Mapping[str, Tensor]) -> Tensor:
    """`edge` after the camera's blur, in pixels [n]; the cover of a straight outline is exact to within 0.02."""
    return (values["edge"].square() + BLUR_FACTOR * values["blur"].square()).sqrt()


def prepare(values: Mapping[str, Tensor], address: Address) -> dict[str, Tensor]:
    """values, and what `rasterise` needs of each shape computed from them in float64, all [n]."""
    turn, root = torch.deg2rad(values["angle"]), values["elongation"].sqrt()
    cos, sin = turn.cos(), turn.sin()
    corner = 2 ** (-2 / values["power"])
    valley = torch.where(values["lobes"] > 0, values["lobe"] / 2, torch.zeros_like(values["lobe"]))
    cells, stretch = 2 / GRAIN / values["grain_size"], root ** (1 - values["grain_stretch"])
    curve = values["corner"] * values["radius"]
    return {**values, "curve": curve, "half_length": values["length"] / 2 - curve,
            "half_width": values["width"] / 2 - curve,
            "u_across": cos / root, "u_down": -sin / root, "v_across": sin * root, "v_down": cos * root,
            "bend": 4 * (2 * corner - 1) / (corner * corner), "middle": 1 - valley,
            "steep": _steep(values["edge"], values["radius"]),
            "seen_steep": _steep(blurred_edge(values), values["radius"]),
            "cells_u": cells * stretch, "cells_v": cells / stretch,
            **{f"grain_{way}": torch.as_tensor(uniform(address, f"grain {way}") - 0.5, device=root.device)
               for way in "uv"}}


def _steep(edge: Tensor, radius: Tensor) -> Tensor:
    """Slope of the cover, per pixel: no edge is softer than the radius."""
    return 0.5 / torch.minimum(edge, radius.clamp(min=0.1))


def apothem(sides: Any) -> Any:
    """Of the regular polygon of the unit circle's area."""
    return np.sqrt(np.pi / (sides * np.tan(np.pi / sides)))


def rasterise(values: Mapping[str, Tensor], series: Tensor | None, order: int, sides: int, used: Mapping[str, bool],
         dx: Tensor, dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """seen, covered and ink [g, h, w] of shapes with the same number of sides, or all RECTANGLE, and of waves.

    values: of `prepare`, [g, 1, 1].  series: [g, 2, 12] or None.  used: which of `OPTIONAL` have an effect.  dx [g, 1,
    w], dy [g, h, 1]: from the centre, in pixels.
    seen: the cover after the camera's blur, 0 outside, 1 inside.  covered: the part of the light below that is hidden.
    ink: the amount of colour that is added; the same object as covered where all values are the same.
    """
    u = dx * values["u_across"] + dy * values["u_down"]
    v = dx * values["v_across"] + dy * values["v_down"]
    away = _away(u, v, values, sides, used["power"])
    radius = values["radius"]
    if series is not None:
        radius = radius * _wave(u, v, series, order, values, away)
    hole = radius * values["hole"] if used["hole"] else None
    cover = _cover(away, radius, hole, values["steep"])
    seen = _cover(away, radius, hole, values["seen_steep"]) if used["blur"] else cover
    alpha = cover * values["opacity"]
    light = _light(values, used, away, radius)
    if used["pallor"]:
        near = away / (radius * values["pallor_size"] + TINY)
        fade = (1 - near * near).clamp(min=0)
        alpha = alpha * (1 - values["pallor"] * (fade * fade))
    if used["grain"]:
        right, down = values["cells_u"], values["cells_v"]
        rough = 1 + values["grain"] * pattern(
            dx * (values["u_across"] * right) + (dy * (values["u_down"] * right) + values["grain_u"]),
            dx * (values["v_across"] * down) + (dy * (values["v_down"] * down) + values["grain_v"]))
        light = rough if light is None else light * rough
    covered = alpha * (1 - values["emit"]) if used["emit"] else alpha
    return seen, covered, alpha if light is None else alpha * light.clamp(min=0)


def _away(u: Tensor, v: Tensor, values: Mapping[str, Tensor], sides: int, square: bool) -> Tensor:
    """Distance from the centre in the norm whose unit ball is the shape: round, squarish or a polygon. Of a
    rectangle, its radius plus the signed distance from its outline, in pixels: negative inside."""
    if sides == RECTANGLE:
        right, down = u.abs() - values["half_length"], v.abs() - values["half_width"]
        beyond, below = right.clamp(min=0), down.clamp(min=0)
        outside = (beyond * beyond + below * below + TINY**2).sqrt()
        return outside + torch.maximum(right, down).clamp(max=0) + (values["radius"] - values["curve"])
    if sides:
        far = None
        for number in range(sides):
            turn = 2 * np.pi * number / sides
            side = u * float(np.cos(turn)) + v * float(np.sin(turn))
            far = side if far is None else torch.maximum(far, side)
        assert far is not None
        return far * float(1 / apothem(sides))
    uu, vv = u * u, v * v
    both = uu + vv
    if square:  # Fernandez-Guasti's squircle, with the corners of the superellipse of that power
        both = (both + ((both * both - values["bend"] * (uu * vv)).clamp(min=0) + TINY**2).sqrt()) * 0.5
    return (both + TINY).sqrt()


def _wave(u: Tensor, v: Tensor, series: Tensor, order: int, values: Mapping[str, Tensor], away: Tensor) -> Tensor:
    """The outline's distance from the centre in each direction, of the radius; by Clenshaw's recurrence."""
    length = (u * u + v * v + TINY).sqrt()
    c, s = u / length, v / length
    twice = 2 * c
    cos, cos_last, sin, sin_last = series[:, 0, order - 1, None, None], None, series[:, 1, order - 1, None, None], None
    for k in range(order - 2, -1, -1):
        a, b = series[:, 0, k, None, None], series[:, 1, k, None, None]
        cos, cos_last = twice * cos + (a if cos_last is None else a - cos_last), cos
        sin, sin_last = twice * sin + (b if sin_last is None else b - sin_last), sin
    total = c * cos + s * sin
    if cos_last is not None:
        total = total - cos_last
    return (total + values["middle"]).clamp(min=MIN_RADIUS)


def _cover(away: Tensor, radius: Tensor, hole: Tensor | None, steep: Tensor) -> Tensor:
    """0 outside the outline and inside the hole, 1 between them, with soft edges."""
    cover = _soft((radius - away) * steep)
    return cover if hole is None else cover * _soft((away - hole) * steep)


def _soft(share: Tensor) -> Tensor:
    """Smoothstep: from 0 to 1 as share goes from -0.5 to 0.5."""
    t = (share + 0.5).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _light(values: Mapping[str, Tensor], used: Mapping[str, bool], away: Tensor, radius: Tensor) -> Tensor | None:
    """Factor of the colour by the rim and the bulge; None for 1 everywhere."""
    if not (used["rim"] or used["bulge"]):
        return None
    near, light = away / (radius + TINY), None
    if used["rim"]:
        ramp = ((near - 1) / values["rim_width"] + 1).clamp(0, 1)
        light = 1 + values["rim"] * (ramp * ramp)
    if used["bulge"]:
        round_ = 1 + values["bulge"] * (1 - near * near).clamp(min=0)
        light = round_ if light is None else light * round_
    return light


def pattern(u: Tensor, v: Tensor) -> Tensor:
    """Random grain of about unit variance at u, v [g, h, w], which go from -1 to 1 across the tile."""
    grid = torch.stack([u, v], -1)
    tile = torch.as_tensor(_tile(), dtype=u.dtype, device=u.device).expand(len(u), 1, GRAIN, GRAIN)
    return grid_sample(tile, grid, "bilinear", "reflection", align_corners=False)[:, 0]


def straight_pattern(u: Tensor, v: Tensor) -> Tensor:
    """The same grain, periodic, on the grid of columns u [w] and rows v [h], in cells: [h, w]."""
    tile = torch.as_tensor(_tile()[0, 0], dtype=u.dtype, device=u.device)
    return _along(_along(tile, v).T.contiguous(), u).T


def _along(tile: Tensor, at: Tensor) -> Tensor:
    """Rows of tile at [k], interpolated linearly."""
    first = at.detach().floor()
    share, row = (at - first)[:, None], first.long()
    return tile[row % GRAIN] * (1 - share) + tile[(row + 1) % GRAIN] * share


@lru_cache(maxsize=1)
def _tile() -> Array:
    return 1.5 * generator(np.uint64(0), "grain").standard_normal((1, 1, GRAIN, GRAIN)).clip(-2, 2)
