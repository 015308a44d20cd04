"""Where a ray meets the ground: strips along the road, some of them raised behind a kerb, and flat land beside it.

Nothing is triangulated: a raised strip is met on its top plane, or on its kerb, between top plane and ground.
"""

import warp as wp

from scenefit.renderers.street.kernels.geometry.road import leftwards, offset_of
from scenefit.renderers.street.kernels.geometry.structs import Hit, Road, World


@wp.func
def offset_at(road: Road, origin: wp.vec3, direction: wp.vec3, height: float) -> float:
    """t where a ray that points down is at a height."""
    point = origin + direction * ((height - origin[2]) / direction[2])
    return offset_of(road.curvature, point[0], point[1])


@wp.func
def meet_ground(world: World, road: Road, origin: wp.vec3, direction: wp.vec3) -> Hit:
    hit = Hit()
    hit.distance = wp.inf
    hit.instance = -1
    hit.strip = -1
    hit.facing = wp.vec3(0.0, 0.0, 1.0)
    if direction[2] >= 0.0 or origin[2] <= 0.0:
        return hit
    hit.distance = -origin[2] / direction[2]
    below = offset_at(road, origin, direction, 0.0)
    above = float(below)
    height = float(0.0)
    for number in range(road.first_strip, road.end_strip):
        strip = world.strips[number]
        if strip.rise != height:
            height = strip.rise
            above = offset_at(road, origin, direction, height)
        distance = (height - origin[2]) / direction[2]
        if distance >= 0.0 and distance <= hit.distance and above >= strip.low and above < strip.high:
            hit.distance = distance
            hit.strip = number
            hit.kerb = 0
            hit.facing = wp.vec3(0.0, 0.0, 1.0)
        edge = wp.where(above > below, strip.high, strip.low)
        # Between top plane and ground, a ray's t is nearly linear in its length, as the rise is small.
        if height > 0.0 and (above - edge) * (below - edge) < 0.0:
            share = (edge - above) / (below - above)
            at = distance + share * (-origin[2] / direction[2] - distance)
            if at > 0.0 and at < hit.distance:
                hit.distance = at
                hit.strip = number
                hit.kerb = 1
                point = origin + direction * at
                hit.facing = leftwards(road.curvature, point[0], point[1]) * wp.sign(above - below)
    return hit
