"""Light at a hit: sun with a shadow ray, the sky's light with an occlusion ray, what is mirrored, haze."""

import warp as wp

from scenefit.renderers.street.kernels.geometry.structs import Hit, Instance, Light, World
from scenefit.renderers.street.kernels.geometry.traversal import is_occluded, normal_out_of
from scenefit.renderers.street.kernels.shading.sky import ambient, is_below_skyline, mirrored, sky, woods
from scenefit.renderers.street.kernels.shading.surfaces import (
    FACADE,
    LEAF,
    ground_surface,
    marking_at,
    mesh_surface,
    road_place,
)
from scenefit.renderers.street.kernels.textures.surface import Surface

SHADOW_REACH = wp.constant(80.0)  # metres
OCCLUSION_REACH = wp.constant(5.0)  # metres
MIRROR_REACH = wp.constant(60.0)  # metres
OFFSET = wp.constant(4.0e-3)  # metres from a surface, where rays start
SKY_KEY, SKYLINE_KEY = wp.constant(-1), wp.constant(-2)
DIRECTIONS = wp.constant(343)


@wp.struct
class Shaded:
    """direct: light that does not depend on occlusion.  ambient: to be multiplied by openness.  openness: 1, or 0 where
    the occlusion ray met something.  key: equal for neighbouring pixels of one smooth surface.  id: of the node.
    normal: towards the camera, zero in the sky."""

    direct: wp.vec3
    ambient: wp.vec3
    normal: wp.vec3
    openness: wp.float32
    key: wp.int32
    id: wp.int32


@wp.func
def surface_key(owner: int, part: int, normal: wp.vec3) -> int:
    """Of an object or a strip, a part of its material, and one of DIRECTIONS directions."""
    toward = ((wp.int32(wp.round(normal[0] * 3.0)) + 3) * 49 + (wp.int32(wp.round(normal[1] * 3.0)) + 3) * 7
              + wp.int32(wp.round(normal[2] * 3.0)) + 3)
    return (owner * 64 + part) * DIRECTIONS + toward


@wp.func
def shade_sky(light: Light, direction: wp.vec3, pixel: float) -> Shaded:
    shaded = Shaded()
    shaded.openness = 1.0
    shaded.key = SKY_KEY
    if is_below_skyline(light, direction, pixel):
        shaded.key = SKYLINE_KEY
        shaded.direct = woods(light, direction, pixel)
    else:
        shaded.direct = sky(light, direction)
    return shaded


@wp.func
def smooth_normal(world: World, hit: Hit) -> wp.vec3:
    corner = world.meshes.faces[hit.face]
    normal = (hit.u * world.meshes.normals[corner[0]] + hit.v * world.meshes.normals[corner[1]]
              + (1.0 - hit.u - hit.v) * world.meshes.normals[corner[2]])
    return normal_out_of(world.instances[hit.instance], normal)


@wp.func
def lit_by_sun(world: World, scene: int, light: Light, start: wp.vec3, normal: wp.vec3, facing: wp.vec3) -> float:
    """The cosine of the sun's angle, 0 in the shadow."""
    cosine = wp.min(wp.dot(normal, light.sun), wp.dot(facing, light.sun) * 8.0)
    if cosine <= 0.0 or light.sun_colour[0] <= 0.0:
        return 0.0
    if is_occluded(world, scene, start, light.sun, SHADOW_REACH):
        return 0.0
    return cosine


@wp.func
def is_open(world: World, scene: int, start: wp.vec3, normal: wp.vec3, random: wp.vec2) -> float:
    """One ray towards the sky, by the cosine of its angle: 1, or 0 where it meets something near."""
    up = 1.0 - 2.0 * random[0]
    across = wp.sqrt(wp.max(1.0 - up * up, 0.0))
    turn = 2.0 * wp.pi * random[1]
    direction = wp.normalize(normal * 1.001 + wp.vec3(across * wp.cos(turn), across * wp.sin(turn), up))
    if is_occluded(world, scene, start, direction, OCCLUSION_REACH):
        return 0.0
    return 1.0


@wp.func
def crown_light(light: Light, instance: Instance, point: wp.vec3, normal: wp.vec3) -> wp.vec2:
    """Shares of the sun's and of the sky's light on a leaf. Leaves shine through, and shade one another; no rays
    compute that, as crowns have too many leaves: it follows from the place in the crown, taken for an ellipsoid.

    point: from the foot of the plant.
    """
    across = wp.max(0.25 * (instance.size[0] + instance.size[1]), 0.1)
    out = wp.vec3(point[0] / across, point[1] / across, 2.2 * point[2] / instance.size[2] - 1.2)
    outside = wp.min(wp.dot(out, out), 1.0)  # 0 in the middle, 1 where no leaves lie around
    lit = 0.6 + 0.4 * wp.dot(out, light.sun)
    sun = wp.max(lit, 0.0) * (0.45 + 0.4 * wp.dot(normal, light.sun))
    sky = (0.3 + 0.7 * outside) * (0.75 + 0.25 * wp.clamp(out[2], -1.0, 1.0))
    return wp.vec2(sun, sky)


@wp.func
def shade(world: World, scene: int, hit: Hit, origin: wp.vec3, direction: wp.vec3, pixel: float, random: wp.vec2,
          occlusion: int) -> Shaded:
    """pixel: width of a pixel at a distance of 1.  random: two numbers in 0..1.  occlusion: 1 to cast its ray."""
    light = world.lights[scene]
    if hit.distance == wp.inf:
        return shade_sky(light, direction, pixel)
    road = world.roads[scene]
    point = origin + direction * hit.distance
    facing = hit.facing
    normal = hit.facing
    surface = Surface()
    id = int(0)
    owner = int(0)
    leaf = bool(False)
    if hit.instance >= 0:
        instance = world.instances[hit.instance]
        id = instance.id
        owner = id
        facing = normal_out_of(instance, hit.facing)
        normal = smooth_normal(world, hit)
        if wp.dot(facing, direction) > 0.0:
            facing = -facing
        if wp.dot(normal, facing) < 0.0:
            normal = -normal
        footprint = pixel * hit.distance / wp.max(-wp.dot(facing, direction), 0.15)
        leaf = int(world.meshes.material[hit.face]) == LEAF
        surface = mesh_surface(world, light, hit, point - instance.place, footprint)
    else:
        place = road_place(road, point)
        footprint = pixel * hit.distance / wp.max(-wp.dot(facing, direction), 0.15)
        marking = int(-1)
        if hit.kerb == 0:
            marking = marking_at(world, road, place)
        if marking >= 0:
            id = world.markings[marking].id
        elif hit.strip >= 0:
            id = world.strips[hit.strip].id
        owner = -2 - hit.strip
        surface = ground_surface(world, road, light, hit, place, marking, footprint)
    shaded = Shaded()
    shaded.id = id
    shaded.normal = normal
    shaded.openness = 1.0
    sun = float(0.0)
    start = point + facing * OFFSET
    if leaf:
        instance = world.instances[hit.instance]
        shares = crown_light(light, instance, point - instance.place, normal)
        sun = shares[0]
        shaded.openness = shares[1]
        shaded.key = surface_key(owner, surface.part, wp.vec3(0.0, 0.0, 0.0))
    else:
        sun = lit_by_sun(world, scene, light, start, normal, facing)
        if occlusion == 1:
            shaded.openness = is_open(world, scene, start, normal, random)
        shaded.key = surface_key(owner, surface.part, normal)
    direct = surface.glow + wp.cw_mul(surface.albedo, light.sun_colour) * sun
    soft = wp.cw_mul(surface.albedo, ambient(light, normal))
    if surface.sheen > 0.0:
        share = surface.sheen * wp.pow(wp.max(1.0 + wp.dot(direction, normal), 0.0), 6.0)
        ahead = wp.dot(direction, light.sun) + 2.0 * wp.abs(direction[2]) * light.sun[2]
        soft += light.horizon * share
        direct += light.sun_colour * (share * wp.step(-sun) * wp.pow(wp.max(ahead, 0.0), 12.0))
    if surface.gloss > 0.0:
        toward = direction - normal * (2.0 * wp.dot(direction, normal))
        grazing = wp.pow(1.0 - wp.clamp(-wp.dot(direction, normal), 0.0, 1.0), 5.0)
        share = surface.gloss + (1.0 - surface.gloss) * grazing
        glint = wp.pow(wp.max(wp.dot(toward, light.sun), 0.0), 120.0) * wp.step(-sun)
        direct = direct * (1.0 - share) + light.sun_colour * (glint * (2.0 + 12.0 * surface.gloss) * share)
        # Windows of walls would need too many rays: the other side of a street hides the lower sky.
        hidden = surface.part >= FACADE and toward[2] < 0.45
        if surface.part < FACADE and toward[2] > 0.03 and share > 0.2 * wp.max(surface.albedo):
            hidden = is_occluded(world, scene, start, toward, MIRROR_REACH)
        soft = soft * (1.0 - share) + mirrored(light, toward, hidden) * share
    clear = wp.exp(-hit.distance * light.haze)
    shaded.direct = direct * clear + light.horizon * (1.0 - clear)
    shaded.ambient = soft * clear
    return shaded
