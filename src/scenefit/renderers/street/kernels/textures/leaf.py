"""Leaves cut out of cards, by which few triangles look like a crown."""

import warp as wp

from scenefit.renderers.street.kernels.textures.noise import grain


@wp.func
def is_leaf(key: wp.uint32, uv: wp.vec2) -> bool:
    """Whether a card is solid at a point: clumps of leaves, of about the size of a hand."""
    point = wp.vec3(uv[0], uv[1], 0.5)
    return grain(key, point, 0.3, 0.0) + 0.7 * grain(key, point, 0.1, 0.0) > -0.08
