"""What a texture tells of a point."""

import warp as wp


@wp.struct
class Surface:
    """albedo: linear.  gloss: share of the sky that it mirrors, seen straight on; 0 for a matt surface.  sheen: share
    of the light before it that a rough surface throws on, seen at a grazing angle.  glow: light that it sends out.
    part: which part of the material it is, such as a window's pane; edges between parts are anti-aliased."""

    albedo: wp.vec3
    gloss: wp.float32
    sheen: wp.float32
    glow: wp.vec3
    part: wp.int32


@wp.func
def matt(albedo: wp.vec3) -> Surface:
    surface = Surface()
    surface.albedo = albedo
    surface.gloss = 0.0
    surface.sheen = 0.0
    surface.glow = wp.vec3(0.0, 0.0, 0.0)
    surface.part = 0
    return surface
