"""Between the world and the image: rays through points of the image, points of the world in it, boxes around them."""

import warp as wp

from scenefit.renderers.street.kernels.geometry.structs import Camera

SAMPLES = wp.constant(32)  # rays to each side of an object's box, by which its area is measured


@wp.func
def ray_through(camera: Camera, x: float, y: float) -> wp.vec3:
    """Towards a point of the image, with a length of 1 along the optical axis."""
    return camera.corner + camera.right * x + camera.down * y


@wp.func
def project(camera: Camera, point: wp.vec3) -> wp.vec3:
    """Column, row and depth of a point of the world before the camera."""
    apart = point - camera.eye
    focal = 1.0 / wp.length(camera.right)
    right = camera.right * focal
    down = camera.down * focal
    forward = wp.cross(right, down)
    depth = wp.dot(apart, forward)
    centre = wp.vec2(-wp.dot(camera.corner, right), -wp.dot(camera.corner, down)) * focal
    return wp.vec3(centre[0] + focal * wp.dot(apart, right) / depth, centre[1] + focal * wp.dot(apart, down) / depth,
                   depth)


@wp.func
def stretched(box: wp.vec4, camera: Camera, point: wp.vec3) -> wp.vec4:
    """A box (x0, y0, x1, y1) that holds a point, too."""
    at = project(camera, point)
    return wp.vec4(wp.min(box[0], at[0]), wp.min(box[1], at[1]), wp.max(box[2], at[0]), wp.max(box[3], at[1]))


@wp.func
def spread(low: float, high: float) -> wp.vec3:
    """Where rays along one side of a box begin, how far they are apart, and how many there are."""
    first = wp.floor(low)
    pixels = wp.ceil(high) - first
    if pixels <= float(SAMPLES):
        return wp.vec3(first, 1.0, pixels)
    return wp.vec3(low, (high - low) / float(SAMPLES), float(SAMPLES))
