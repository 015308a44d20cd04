"""Asphalt of roads: chippings, worn tracks, patches, joints, cracks and covers. All sizes in metres."""

import warp as wp

from scenefit.renderers.street.kernels.textures.noise import flat_grain, fraction, hashed, within

PATCH = wp.constant(wp.vec2(9.0, 2.3))  # cells along and across the road, in which there may be a patch
COVER = wp.constant(wp.vec2(13.0, 1.9))  # cells with at most one manhole cover
JOINT = wp.constant(3.3)  # between joints of the paver's lanes


@wp.func
def asphalt(key: wp.uint32, point: wp.vec3, colour: wp.vec3, footprint: float) -> wp.vec3:
    """point: (s, t, 0)."""
    place = wp.vec2(point[0], point[1])
    rough = 0.35 * flat_grain(key, place, 0.03, footprint) + 0.2 * flat_grain(key, place, 0.22, footprint)
    along = wp.vec2(0.04 * place[0], place[1])
    worn = 0.28 * flat_grain(key, along, 0.8, footprint) + 0.16 * flat_grain(key, along, 0.25, footprint)
    cloudy = flat_grain(key, wp.vec2(0.3 * place[0], place[1]), 2.4, footprint)
    tone = wp.max(1.0 + rough + worn + 0.3 * cloudy, 0.25)
    tone *= patch(key, place, footprint)
    if footprint < 0.4:  # farther away, what is thin does not show
        tone *= joint(key, place, footprint) * cover(key, place, footprint)
    if cloudy > 0.05 and footprint < 0.4:
        tone *= cracks(key, place, wp.min(cloudy * 5.0 - 0.25, 1.0), footprint)
    return colour * tone


@wp.func
def patch(key: wp.uint32, place: wp.vec2, footprint: float) -> float:
    """A mended rectangle with a sealed edge, darker or lighter than the rest, in one cell of six."""
    i = wp.int32(wp.floor(place[0] / PATCH[0]))
    j = wp.int32(wp.floor(place[1] / PATCH[1]))
    chance = hashed(key, i, j)
    if chance > 0.17:
        return 1.0
    length = 0.8 + 30.0 * chance
    u = fraction(place[0] / PATCH[0]) * PATCH[0] - 1.0
    v = fraction(place[1] / PATCH[1]) * PATCH[1] - 0.2
    width = 0.7 + 1.2 * hashed(key, j, i)
    inside = within(u, 0.0, length, footprint) * within(v, 0.0, width, footprint)
    seal = inside - within(u, 0.05, length - 0.05, footprint) * within(v, 0.05, width - 0.05, footprint)
    tone = 0.62 + 0.5 * fraction(chance * 97.0)
    return 1.0 + (tone - 1.0) * inside - 0.35 * seal


@wp.func
def joint(key: wp.uint32, place: wp.vec2, footprint: float) -> float:
    """A dark line between the paver's lanes, which is straight but for small bends."""
    bend = 0.05 * flat_grain(key, wp.vec2(place[0], 0.0), 1.5, footprint)
    at = fraction((place[1] + bend) / JOINT + hashed(key, 7, 0)) * JOINT
    return 1.0 - 0.35 * within(at, 0.0, 0.035, footprint)


@wp.func
def cover(key: wp.uint32, place: wp.vec2, footprint: float) -> float:
    """A round iron lid with a dark gap about it, in one cell of seven."""
    i = wp.int32(wp.floor(place[0] / COVER[0]))
    j = wp.int32(wp.floor(place[1] / COVER[1]))
    if hashed(key, i + 31, j + 57) > 0.15:
        return 1.0
    u = fraction(place[0] / COVER[0]) * COVER[0] - 1.0 - 9.0 * hashed(key, j, i + 3)
    v = fraction(place[1] / COVER[1]) * COVER[1] - 0.95
    radius = wp.sqrt(u * u + v * v)
    return 1.0 - 0.3 * within(radius, -1.0, 0.34, footprint) - 0.35 * within(radius, 0.29, 0.34, footprint)


@wp.func
def cracks(key: wp.uint32, place: wp.vec2, strength: float, footprint: float) -> float:
    """Thin lines, where noise changes its sign."""
    level = flat_grain(key, place, 1.3, footprint) + 0.35 * flat_grain(key, place, 0.3, footprint)
    return 1.0 - 0.5 * strength * within(level, -0.008, 0.008, footprint)
