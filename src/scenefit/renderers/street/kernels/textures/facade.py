"""Walls of houses: plaster or brick, rows of windows, shop fronts. All numbers of a house are hashes of its key."""

import warp as wp

from scenefit.renderers.street.kernels.textures.noise import fraction, grains, hashed, within
from scenefit.renderers.street.kernels.textures.surface import Surface, matt

WALL = wp.constant(0.96)  # share of a house's length that has bays of windows; the rest is eaves and a plain edge
PLASTER, FRAME, PANE, SHOP = (wp.constant(number) for number in range(4))  # parts


@wp.func
def wall(key: wp.uint32, u: float, v: float, colour: wp.vec3, footprint: float) -> wp.vec3:
    """Brick in four houses of ten, else plaster, both with stains and a darker base."""
    stain = 1.0 + 0.13 * grains(key, wp.vec3(u, 0.5 * v, 0.0), 2.3, footprint)
    if hashed(key, 1, 0) < 0.4:
        row = wp.floor(v / 0.075)
        along = u / 0.225 + 0.5 * fraction(0.5 * row)
        fade = wp.clamp(1.4 - footprint / 0.075, 0.0, 1.0)
        tone = 0.5 * (hashed(key, wp.int32(row), wp.int32(wp.floor(along))) - 0.5)
        mortar = within(fraction(v / 0.075), 0.0, 0.13, footprint / 0.075)
        mortar = wp.max(mortar, within(fraction(along), 0.0, 0.045, footprint / 0.225))
        brick = colour * (1.0 + fade * tone)
        brick = wp.lerp(brick, wp.vec3(0.3, 0.29, 0.27), fade * 0.6 * mortar)
        return brick * stain
    base = within(v, -1.0, 0.5, footprint)
    return colour * (stain * (1.0 - 0.25 * base))


@wp.func
def shop_front(key: wp.uint32, u: float, v: float, colour: wp.vec3, footprint: float) -> Surface:
    """A sign above panes of glass; each shop of a house has its own tone."""
    width = 3.5 + 3.0 * hashed(key, 2, 0)
    shop = wp.int32(wp.floor(u / width))
    across = fraction(u / width) * width
    tone = 0.6 + 0.8 * hashed(key, 3, shop)
    surface = matt(colour * (0.5 * tone))
    surface.part = SHOP
    if v > 2.55:
        surface.albedo = colour * tone
        letters = within(v, 2.72, 2.95, footprint) * within(across, 0.8, width - 0.8, footprint)
        stroke = wp.step(hashed(key, shop, wp.int32(wp.floor(across / 0.16))) - 0.55)
        surface.albedo = wp.lerp(surface.albedo, wp.vec3(0.75, 0.73, 0.68), letters * stroke * 0.8)
    elif v > 0.45 and across > 0.15 and across < width - 0.15 and wp.abs(across - 0.6 * width) > 0.05:
        inside = wp.max(0.05 + 0.10 * grains(key, wp.vec3(u, v, 4.0), 0.8, footprint), 0.012)
        surface.albedo = wp.vec3(inside, 0.9 * inside, 0.75 * inside)
        surface.gloss = 0.06
        surface.part = PANE
    return surface


@wp.func
def room(key: wp.uint32, bay: int, storey: int, across: float, up: float, footprint: float) -> wp.vec3:
    """What is seen through a window: a dark room, lighter where its ceiling is seen; in some, curtains or a blind.

    across: 0 in the middle of the window to 1 at its sides.  up: 0 at its sill to 1.
    """
    chance = hashed(key, bay, storey)
    size = hashed(key, storey, bay)
    tone = 0.008 + 0.03 * fraction(chance * 13.0) * (0.4 + up * up)
    soft = 0.7 * footprint
    cloth = float(0.0)
    if chance < 0.35:
        cloth = within(across, 1.0 - 0.6 * size, 2.0, soft) * (0.75 + 0.25 * wp.sin(40.0 * across))
    elif chance < 0.5:
        cloth = within(up, 1.0 - 0.8 * size, 2.0, soft)
    tone += cloth * (0.06 + 0.3 * fraction(chance * 31.0))
    return wp.vec3(tone, 0.97 * tone, 0.9 * tone)


@wp.func
def window(key: wp.uint32, u: float, v: float, spacing: float, storey: float, surface_of_wall: Surface,
           footprint: float) -> Surface:
    """A window in the middle of each bay of a storey: frame, panes and sill; else the wall."""
    surface = surface_of_wall
    half = spacing * (0.18 + 0.12 * hashed(key, 4, 0))
    low = 0.75 + 0.25 * hashed(key, 4, 1)
    high = wp.min(low + 1.2 + 0.5 * hashed(key, 4, 2), storey - 0.25)
    across = wp.abs(fraction(u / spacing) - 0.5) * spacing
    up = fraction(v / storey) * storey
    if across < half + 0.08 and up > low - 0.09 and up < low:
        surface.albedo = wp.vec3(0.42, 0.41, 0.38)
        surface.part = FRAME
    elif across < half and up > low and up < high:
        surface.albedo = wp.vec3(0.62, 0.61, 0.58)
        if hashed(key, 4, 3) < 0.25:
            surface.albedo = wp.vec3(0.10, 0.08, 0.06)
        surface.part = FRAME
        bar = 0.03
        if hashed(key, 4, 4) < 0.5:
            bar = 0.0
        if across < half - 0.06 and across > bar and up > low + 0.06 and up < high - 0.06:
            surface.albedo = room(key, wp.int32(wp.floor(u / spacing)), wp.int32(wp.floor(v / storey)), across / half,
                                  (up - low) / (high - low), footprint)
            surface.gloss = 0.06
            surface.part = PANE
    return surface


@wp.func
def facade(key: wp.uint32, uv: wp.vec2, length: float, colour: wp.vec3, shop_colour: wp.vec3,
           footprint: float) -> Surface:
    """uv: metres along the wall, and above the ground.  length: of the house along the wall, with eaves."""
    wide = WALL * length
    spacing = wide / wp.max(wp.round(wide / (1.8 + 1.6 * hashed(key, 5, 0))), 1.0)
    storey = 2.7 + 0.7 * hashed(key, 5, 1)
    if hashed(key, 5, 2) < 0.35 and uv[1] < 3.1:
        return shop_front(key, uv[0], uv[1], shop_colour, footprint)
    surface = matt(wall(key, uv[0], uv[1], colour, footprint))
    if uv[0] > wide:
        return surface
    return window(key, uv[0], uv[1], spacing, storey, surface, footprint)
