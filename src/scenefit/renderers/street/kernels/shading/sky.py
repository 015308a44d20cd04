"""The sky: a gradient from the horizon to the zenith, clouds on a plane overhead, a glow around the sun."""

import warp as wp

from scenefit.renderers.street.kernels.geometry.structs import Light
from scenefit.renderers.street.kernels.textures.noise import grains

CLOUD_HEIGHT = wp.constant(0.12)  # keeps the plane of clouds finite at the horizon

FAR = wp.constant(600.0)  # metres to the skyline
SUNLIT = wp.constant(0.22)  # share of the sun's light that clouds send down


@wp.func
def gradient(light: Light, direction: wp.vec3) -> wp.vec3:
    low = wp.pow(1.0 - wp.clamp(direction[2], 0.0, 1.0), 4.0)
    return wp.lerp(light.zenith, light.horizon, low)


@wp.func
def sky(light: Light, direction: wp.vec3) -> wp.vec3:
    colour = gradient(light, direction)
    up = wp.max(direction[2], 0.0)
    near_sun = wp.max(wp.dot(direction, light.sun), 0.0)
    if light.cloud > 0.0 and direction[2] > 0.0:
        over = up + CLOUD_HEIGHT
        place = wp.vec3(direction[0] / over, direction[1] / over, 0.0)
        thickness = grains(light.key, place, 1.1, 0.25 * CLOUD_HEIGHT / over)
        cover = wp.smoothstep(0.0, 0.5, thickness + 1.3 * light.cloud - 0.65)
        bright = light.horizon * (1.05 - 0.35 * wp.clamp(thickness + light.cloud - 0.4, 0.0, 1.0))
        bright += light.sun_colour * (SUNLIT * (0.3 + light.sun[2]))
        colour = wp.lerp(colour, bright, cover * wp.min(up * 12.0, 1.0))
    return colour + light.sun_colour * (0.12 * wp.pow(near_sun, 24.0))


@wp.func
def is_below_skyline(light: Light, direction: wp.vec3, pixel: float) -> bool:
    """Whether woods and hills at the horizon hide the sky. pixel: width of a pixel at a distance of 1."""
    flat = wp.length(wp.vec2(direction[0], direction[1]))
    if direction[2] > light.skyline * flat:
        return False
    place = wp.vec3(direction[0] / flat, direction[1] / flat, 0.0)
    hills = grains(light.key, place, 0.4, pixel) + 0.3 * grains(light.key, place, 0.025, pixel)
    return direction[2] < light.skyline * flat * wp.clamp(0.5 + 0.7 * hills, 0.1, 1.0)


@wp.func
def woods(light: Light, direction: wp.vec3, pixel: float) -> wp.vec3:
    """The skyline's colour, behind haze."""
    tone = 1.0 + 0.6 * grains(light.key, direction, 0.03, pixel)
    lit = wp.cw_mul(wp.vec3(0.055, 0.065, 0.035), light.zenith + light.horizon + light.sun_colour * 0.5) * tone
    return wp.lerp(light.horizon, lit, wp.exp(-FAR * light.haze))


@wp.func
def mirrored(light: Light, direction: wp.vec3, hidden: bool) -> wp.vec3:
    """What a glossy surface mirrors: the sky, its clouds blurred, above a skyline, above the ground; or what hides the
    sky, all of one dark tone."""
    street = (light.horizon + light.zenith) * 0.06 + light.sun_colour * 0.02
    if hidden:
        return street
    clouds = light.horizon + light.sun_colour * (SUNLIT * light.sun[2])
    above = wp.lerp(gradient(light, direction), clouds, 0.7 * light.cloud)
    return wp.lerp(street, above, wp.smoothstep(-0.02, 0.35, direction[2]))


@wp.func
def ambient(light: Light, normal: wp.vec3) -> wp.vec3:
    """Light from the sky, and from the ground below, on a surface."""
    above = 0.5 + 0.5 * normal[2]
    return (light.zenith + light.horizon) * (0.5 * above) + light.horizon * (0.22 * (1.0 - above))
