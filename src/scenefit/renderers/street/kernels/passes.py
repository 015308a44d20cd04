"""The kernels that are launched. Legend: S scenes; N pixels of all images, scene by scene, row by row; R rays.

The first pass casts a ray through the middle of each pixel; so ids and depth are exact. Occlusion is smoothed among
pixels of equal keys. Pixels at edges get more rays, whose colours are averaged.
"""

import warp as wp

from scenefit.renderers.street.kernels.geometry.ground import meet_ground
from scenefit.renderers.street.kernels.geometry.structs import Hit, World
from scenefit.renderers.street.kernels.geometry.traversal import meet_instance, meet_instances, out_of
from scenefit.renderers.street.kernels.projection import project, ray_through, spread, stretched
from scenefit.renderers.street.kernels.shading.shade import DIRECTIONS, shade
from scenefit.renderers.street.kernels.textures.noise import fraction
from scenefit.renderers.street.kernels.tone import tone

wp.set_module_options({"enable_backward": False})

EDGE_RAYS = wp.constant(3)  # more rays for a pixel at an edge
CONTRAST = wp.constant(0.08)  # difference of neighbouring colours, relative to their sum, below which no edge is seen
SMOOTH = wp.constant(0.85)  # cosine of the angle between normals from which on there is an edge
RADIUS = wp.constant(3)  # pixels over which occlusion is smoothed, to each side
SMOOTHED = wp.constant(0.3)  # metres of depth over which it is smoothed, so that shadows below distant cars stay dark
DARKEST = wp.constant(0.06)  # share of the sky's light that arrives where nothing is open
BRIGHTEST = wp.constant(4.0)  # times white, to which a ray of a pixel's mean is clipped
NEAR = wp.constant(0.1)  # metres before the camera, along the optical axis, where objects are cut off


@wp.struct
class Rays:
    """What rays found [R]: colours, smoothness keys, nodes, depth along the optical axis, normals."""

    direct: wp.array(dtype=wp.vec3)
    ambient: wp.array(dtype=wp.vec3)
    openness: wp.array(dtype=wp.float32)
    key: wp.array(dtype=wp.int32)
    id: wp.array(dtype=wp.int32)
    depth: wp.array(dtype=wp.float32)
    normal: wp.array(dtype=wp.vec3)


@wp.func
def random_state(key: wp.uint32, number: int) -> wp.uint32:
    return wp.rand_init(wp.int32(key), number)


@wp.func
def scattered(key: wp.uint32, row: int, column: int) -> wp.vec2:
    """Two numbers in 0..1 for a pixel; those of neighbours in a row are spread evenly (Roberts's R2 sequence, 2018)."""
    random = random_state(key, row)
    return wp.vec2(fraction(wp.randf(random) + 0.7548777 * float(column)),
                   fraction(wp.randf(random) + 0.5698403 * float(column)))


@wp.kernel
def cast(world: World, height: int, width: int, edges: wp.array(dtype=wp.int64), occlusion: int, rays: Rays):
    """One ray through the middle of each pixel, or, of each pixel of `edges`, EDGE_RAYS spread over it."""
    number = wp.tid()
    pixel = number
    x = float(0.5)
    y = float(0.5)
    if edges.shape[0] > 0:
        pixel = wp.int32(edges[number / EDGE_RAYS])
        sample = number % EDGE_RAYS
        x = (float(sample) + 0.5) / float(EDGE_RAYS)
        y = (float((sample * 2 + 1) % EDGE_RAYS) + 0.5) / float(EDGE_RAYS)
    scene = pixel / (height * width)
    inside = pixel - scene * height * width
    row = inside / width
    camera = world.cameras[scene]
    along = ray_through(camera, float(inside - row * width) + x, float(row) + y)
    length = wp.length(along)
    direction = along / length
    hit = meet_ground(world, world.roads[scene], camera.eye, direction)
    hit = meet_instances(world, scene, camera.eye, direction, NEAR * length, hit)
    shaded = shade(world, scene, hit, camera.eye, direction, wp.length(camera.right),
                   scattered(world.lights[scene].key, row, inside - row * width), occlusion)
    rays.direct[number] = shaded.direct
    rays.ambient[number] = shaded.ambient
    rays.openness[number] = shaded.openness
    rays.key[number] = shaded.key
    rays.id[number] = shaded.id
    rays.depth[number] = hit.distance / length
    # In the camera's coordinates: x right, y down, z forward.
    right = wp.normalize(camera.right)
    down = wp.normalize(camera.down)
    rays.normal[number] = wp.vec3(wp.dot(shaded.normal, right), wp.dot(shaded.normal, down),
                                  wp.dot(shaded.normal, wp.cross(right, down)))


@wp.kernel
def smooth(key: wp.array(dtype=wp.int32), depth: wp.array(dtype=wp.float32), openness: wp.array(dtype=wp.float32),
           step: int, length: int, smoothed: wp.array(dtype=wp.float32)):
    """Mean openness of near pixels of one key along a row or a column. step: from one to the next; length: of all."""
    pixel = wp.tid()
    at = (pixel / step) % length
    total = float(0.0)
    count = float(0.0)
    for offset in range(wp.max(-RADIUS, -at), wp.min(RADIUS, length - 1 - at) + 1):
        other = pixel + offset * step
        near = key[other] == key[pixel] and wp.abs(depth[other] - depth[pixel]) < SMOOTHED
        if near or offset == 0:
            total += openness[other]
            count += 1.0
    smoothed[pixel] = total / count


@wp.func
def colour_of(rays: Rays, number: int, openness: float) -> wp.vec3:
    return rays.direct[number] + rays.ambient[number] * (DARKEST + (1.0 - DARKEST) * openness)


@wp.kernel
def combine(rays: Rays, openness: wp.array(dtype=wp.float32), colour: wp.array(dtype=wp.vec3)):
    pixel = wp.tid()
    colour[pixel] = colour_of(rays, pixel, openness[pixel])


@wp.func
def differ(rays: Rays, colour: wp.array(dtype=wp.vec3), one: int, other: int) -> bool:
    """Whether two pixels show different objects or materials, or surfaces at an angle, in different colours."""
    if rays.key[one] == rays.key[other]:
        return False
    apart = wp.abs(colour[one] - colour[other])
    together = colour[one] + colour[other]
    if wp.max(apart) < CONTRAST * wp.max(together):
        return False
    if rays.key[one] / DIRECTIONS != rays.key[other] / DIRECTIONS:
        return True
    return wp.dot(rays.normal[one], rays.normal[other]) < SMOOTH


@wp.kernel
def find_edges(rays: Rays, colour: wp.array(dtype=wp.vec3), height: int, width: int, edge: wp.array(dtype=wp.uint8)):
    """1 where a neighbour above, below, left or right differs."""
    pixel = wp.tid()
    column = pixel % width
    row = (pixel / width) % height
    found = bool(False)
    if column > 0:
        found = differ(rays, colour, pixel, pixel - 1)
    if column < width - 1 and not found:
        found = differ(rays, colour, pixel, pixel + 1)
    if row > 0 and not found:
        found = differ(rays, colour, pixel, pixel - width)
    if row < height - 1 and not found:
        found = differ(rays, colour, pixel, pixel + width)
    edge[pixel] = wp.uint8(found)


@wp.func
def openness_near(key: int, pixel: int, height: int, width: int, keys: wp.array(dtype=wp.int32),
                  openness: wp.array(dtype=wp.float32)) -> float:
    """That of a pixel, or of a neighbour with the same key as a ray; 1 where there is none."""
    if keys[pixel] == key:
        return openness[pixel]
    column = pixel % width
    row = (pixel / width) % height
    for down in range(wp.max(-1, -row), wp.min(1, height - 1 - row) + 1):
        for across in range(wp.max(-1, -column), wp.min(1, width - 1 - column) + 1):
            other = pixel + down * width + across
            if keys[other] == key:
                return openness[other]
    return 1.0


@wp.func
def clipped(colour: wp.vec3, gain: wp.vec3) -> wp.vec3:
    return wp.min(colour, wp.cw_div(wp.vec3(BRIGHTEST, BRIGHTEST, BRIGHTEST), gain))


@wp.kernel
def combine_edges(world: World, height: int, width: int, edges: wp.array(dtype=wp.int64), more: Rays,
                  keys: wp.array(dtype=wp.int32), openness: wp.array(dtype=wp.float32),
                  colour: wp.array(dtype=wp.vec3)):
    """The mean colour of a pixel's rays."""
    number = wp.tid()
    pixel = wp.int32(edges[number])
    gain = world.lights[pixel / (height * width)].gain
    total = clipped(colour[pixel], gain)
    for sample in range(number * EDGE_RAYS, (number + 1) * EDGE_RAYS):
        near = openness_near(more.key[sample], pixel, height, width, keys, openness)
        total += clipped(colour_of(more, sample, near), gain)
    colour[pixel] = total / float(EDGE_RAYS + 1)


@wp.kernel
def develop(world: World, pixels: int, colour: wp.array(dtype=wp.vec3), image: wp.array2d(dtype=wp.uint8)):
    """Exposure, tone curve and sensor noise: bytes [N, 3] of linear colours [N]. pixels: of an image."""
    pixel = wp.tid()
    scene = pixel / pixels
    light = world.lights[scene]
    random = random_state(light.key + wp.uint32(1), pixel - scene * pixels)
    for channel in range(3):
        level = 255.0 * tone(colour[pixel][channel] * light.gain[channel], light.contrast)
        if light.noise > 0.0:
            level += light.noise * wp.randn(random)
        image[pixel, channel] = wp.uint8(wp.clamp(wp.round(level), 0.0, 255.0))


@wp.kernel
def find_boxes(world: World, boxes: wp.array(dtype=wp.vec4)):
    """The box around each whole instance in the image plane, x0 > x1 behind the camera.

    A projected mesh has the box of its convex hull; where a hull reaches behind the camera, the plane of depth NEAR
    cuts the segments between its corners.
    """
    number = wp.tid()
    instance = world.instances[number]
    camera = world.cameras[instance.scene]
    box = wp.vec4(wp.inf, wp.inf, -wp.inf, -wp.inf)
    for corner in range(instance.first_corner, instance.end_corner):
        point = instance.place + out_of(instance, world.meshes.corners[corner])
        depth = project(camera, point)[2]
        if depth >= NEAR:
            box = stretched(box, camera, point)
        else:
            for other in range(instance.first_corner, instance.end_corner):
                before = instance.place + out_of(instance, world.meshes.corners[other])
                ahead = project(camera, before)[2]
                if ahead > NEAR:
                    box = stretched(box, camera, wp.lerp(point, before, (NEAR - depth) / (ahead - depth)))
    boxes[number] = box


@wp.kernel
def count_rays(world: World, height: int, width: int, ids: wp.array(dtype=wp.int32), boxes: wp.array(dtype=wp.vec4),
               hits: wp.array2d(dtype=wp.int32), spacing: wp.array2d(dtype=wp.vec2)):
    """Rays that would meet an instance, were it alone, where it is not seen: [.., 0] of those spread over the part of
    its box inside the image, [.., 1] of those over the whole box, where they lie outside. spacing: pixels between rays.

    ids: of the first pass, which tells where an instance is seen. A box of up to SAMPLES pixels has a ray through the
    middle of each pixel, so its count is exact.
    """
    number, outside, line = wp.tid()
    box = boxes[number]
    right = float(width)
    bottom = float(height)
    if outside == 0:
        box = wp.vec4(wp.max(box[0], 0.0), wp.max(box[1], 0.0), wp.min(box[2], right), wp.min(box[3], bottom))
    elif box[0] >= 0.0 and box[1] >= 0.0 and box[2] <= right and box[3] <= bottom:
        return
    if box[0] >= box[2] or box[1] >= box[3]:
        return
    across = spread(box[0], box[2])
    down = spread(box[1], box[3])
    if line >= wp.int32(down[2]):
        return
    spacing[number, outside] = wp.vec2(across[1], down[1])
    instance = world.instances[number]
    camera = world.cameras[instance.scene]
    y = down[0] + (float(line) + 0.5) * down[1]
    first = (instance.scene * height + wp.int32(wp.floor(y))) * width
    found = int(0)
    for column in range(wp.int32(across[2])):
        x = across[0] + (float(column) + 0.5) * across[1]
        within_image = x >= 0.0 and y >= 0.0 and x < right and y < bottom
        seen = bool(False)
        if within_image:
            seen = ids[first + wp.int32(wp.floor(x))] == instance.id
        if (outside == 0) == within_image and not seen:
            nothing = Hit()
            nothing.distance = wp.inf
            along = ray_through(camera, x, y)
            length = wp.length(along)
            hit = meet_instance(world, number, camera.eye, along / length, NEAR * length, nothing)
            if hit.distance < wp.inf:
                found += 1
    if found > 0:
        wp.atomic_add(hits, number, outside, found)
