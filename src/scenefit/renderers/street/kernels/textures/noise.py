"""Random numbers and smooth noise by position."""

import warp as wp


@wp.func
def hashed(key: wp.uint32, i: int, j: int) -> float:
    """A number in 0..1 for a key and two whole numbers."""
    return wp.randf(wp.rand_init(wp.int32(key), i * 7919 + j))


@wp.func
def grain(key: wp.uint32, point: wp.vec3, size: float, footprint: float) -> float:
    """Perlin noise in about -0.7..0.7, of grains of a size in metres; it fades where a pixel covers more than a grain.

    footprint: metres that a pixel covers.
    """
    fade = wp.clamp(1.5 - footprint / size, 0.0, 1.0)
    if fade <= 0.0:
        return 0.0
    return fade * wp.noise(wp.rand_init(wp.int32(key)), point / size)


@wp.func
def grains(key: wp.uint32, point: wp.vec3, size: float, footprint: float) -> float:
    """Three octaves of noise, the coarsest of a size in metres."""
    return (grain(key, point, size, footprint) + 0.5 * grain(key, point, 0.45 * size, footprint)
            + 0.25 * grain(key, point, 0.2 * size, footprint))


@wp.func
def flat_grain(key: wp.uint32, point: wp.vec2, size: float, footprint: float) -> float:
    """`grain` in a plane, which is faster."""
    fade = wp.clamp(1.5 - footprint / size, 0.0, 1.0)
    if fade <= 0.0:
        return 0.0
    return fade * wp.noise(wp.rand_init(wp.int32(key)), point / size)


@wp.func
def within(x: float, low: float, high: float, footprint: float) -> float:
    """1 from low to high, 0 outside, with edges as soft as a pixel is wide."""
    soft = wp.max(footprint, 1.0e-4)
    return wp.clamp((x - low) / soft + 0.5, 0.0, 1.0) * wp.clamp((high - x) / soft + 0.5, 0.0, 1.0)


@wp.func
def fraction(x: float) -> float:
    return x - wp.floor(x)
