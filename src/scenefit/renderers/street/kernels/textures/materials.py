"""Textures of all materials but asphalt and facades. point: in metres, in the world or along the road; footprint: of a
pixel."""

import warp as wp

from scenefit.renderers.street.kernels.textures.noise import fraction, grain, grains, hashed, within
from scenefit.renderers.street.kernels.textures.surface import Surface, matt


@wp.func
def paving(key: wp.uint32, point: wp.vec3, colour: wp.vec3, footprint: float) -> wp.vec3:
    """Slabs in a running bond, with dark joints."""
    size = 0.4 + 0.35 * hashed(key, 6, 0)
    row = wp.floor(point[1] / size)
    along = point[0] / (1.5 * size) + 0.5 * fraction(0.5 * row)
    joint = within(fraction(point[1] / size), 0.0, 0.02 / size, footprint / size)
    joint = wp.max(joint, within(fraction(along), 0.0, 0.015 / size, footprint / size))
    fade = wp.clamp(1.6 - footprint / size, 0.0, 1.0)
    tone = 0.25 * (hashed(key, wp.int32(wp.floor(along)), wp.int32(row)) - 0.5) * fade
    dirt = 0.25 * grains(key, point, 1.3, footprint) + 0.15 * grain(key, point, 0.06, footprint)
    return colour * ((1.0 + tone + dirt) * (1.0 - 0.45 * joint * fade))


@wp.func
def kerb(key: wp.uint32, point: wp.vec3, colour: wp.vec3, footprint: float) -> wp.vec3:
    joint = within(fraction(point[0]), 0.0, 0.02, footprint)
    return colour * ((1.0 + 0.35 * grain(key, point, 0.15, footprint)) * (1.0 - 0.4 * joint))


@wp.func
def grass(key: wp.uint32, point: wp.vec3, colour: wp.vec3, footprint: float) -> wp.vec3:
    """Blades, tufts and bare or dry patches."""
    dry = wp.clamp(0.5 + 1.2 * grains(key, point, 3.0, footprint), 0.0, 1.0)
    tone = 1.0 + 0.7 * grain(key, point, 0.05, footprint) + 0.45 * grain(key, point, 0.22, footprint)
    yellow = wp.cw_mul(colour, wp.vec3(1.5, 1.15, 0.9))
    return wp.lerp(colour, yellow, 0.6 * dry) * wp.max(tone, 0.15)


@wp.func
def weathered(key: wp.uint32, point: wp.vec3, colour: wp.vec3, below: wp.vec3, footprint: float) -> wp.vec3:
    """Road paint, rubbed off where tyres went."""
    rubbed = wp.clamp(-0.25 + 1.3 * grains(key, point, 0.35, footprint), 0.0, 1.0)
    return wp.lerp(colour, below, 0.8 * rubbed)


@wp.func
def roof(key: wp.uint32, uv: wp.vec2, colour: wp.vec3, footprint: float) -> wp.vec3:
    """Courses of tiles."""
    row = wp.floor(uv[1] / 0.25)
    fade = wp.clamp(1.5 - footprint / 0.25, 0.0, 1.0)
    tone = 0.3 * (hashed(key, wp.int32(wp.floor(uv[0] / 0.22 + 0.5 * fraction(0.5 * row))), wp.int32(row)) - 0.5)
    lap = 0.35 * (fraction(uv[1] / 0.25) - 0.5)
    moss = 0.25 * grains(key, wp.vec3(uv[0], uv[1], 2.0), 1.5, footprint)
    return colour * (1.0 + fade * (tone + lap) + moss)


@wp.func
def bark(key: wp.uint32, point: wp.vec3, colour: wp.vec3, footprint: float) -> wp.vec3:
    return colour * (1.0 + 0.7 * grain(key, wp.vec3(point[0], point[1], 0.25 * point[2]), 0.08, footprint))


@wp.func
def leaves(key: wp.uint32, point: wp.vec3, colour: wp.vec3, footprint: float) -> wp.vec3:
    """Each clump has its tone, and leaves mirror some of the sky, which makes them pale."""
    tone = 0.9 + 0.8 * grain(key, point, 0.2, footprint) + 0.4 * grain(key, point, 0.9, footprint)
    pale = 0.45 * colour[0] + 0.45 * colour[1] + 0.1 * colour[2]
    return wp.lerp(colour, wp.vec3(pale, pale, pale), 0.4) * wp.max(tone, 0.2)


@wp.func
def glossy(albedo: wp.vec3, gloss: float) -> Surface:
    surface = matt(albedo)
    surface.gloss = gloss
    return surface
