"""Coordinates along a road of constant curvature: s metres along its centre line, t metres to its left.

The formulas are those of a circle through the origin, written so that they hold for curvature 0 too. `layout.to_world`
is the inverse.
"""

import warp as wp


@wp.func
def offset_of(curvature: float, x: float, y: float) -> float:
    """t of a point."""
    inside = 1.0 - 2.0 * curvature * y + curvature * curvature * (x * x + y * y)
    return (2.0 * y - curvature * (x * x + y * y)) / (1.0 + wp.sqrt(wp.max(inside, 0.0)))


@wp.func
def station_of(curvature: float, x: float, y: float) -> float:
    """s of a point."""
    across = 1.0 - curvature * y
    if wp.abs(curvature * x) < 1.0e-3 * wp.abs(across):  # where the angle is too small to divide by
        return x / across
    return wp.atan2(curvature * x, across) / curvature


@wp.func
def leftwards(curvature: float, x: float, y: float) -> wp.vec3:
    """The direction across the road at a point, to the left."""
    return wp.normalize(wp.vec3(-curvature * x, 1.0 - curvature * y, 0.0))
