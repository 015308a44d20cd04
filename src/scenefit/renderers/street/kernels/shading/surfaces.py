"""The surface at a hit: its material's texture, in a point of the road or of a mesh."""

import warp as wp

from scenefit.renderers.street.kernels.geometry.road import offset_of, station_of
from scenefit.renderers.street.kernels.geometry.structs import Hit, Instance, Light, Road, Strip, World
from scenefit.renderers.street.kernels.geometry.traversal import texture_at
from scenefit.renderers.street.kernels.textures.asphalt import asphalt
from scenefit.renderers.street.kernels.textures.facade import facade
from scenefit.renderers.street.kernels.textures.materials import (
    bark,
    glossy,
    grass,
    kerb,
    leaves,
    paving,
    roof,
    weathered,
)
from scenefit.renderers.street.kernels.textures.noise import fraction, grain, hashed, within
from scenefit.renderers.street.kernels.textures.surface import Surface, matt

# Numbers of names in `scenefit.renderers.street.mesh.MATERIALS`; a test compares them.
(MATTE, PAINT, PAINT2, GLASS, METAL, RUBBER, LAMP, FACADE, ROOF, LEAF, BARK, ASPHALT, PAVING, KERB, GRASS,
 MARKING) = (wp.constant(number) for number in range(16))
SHINING = wp.constant(0.35)  # share of vehicles whose red lamps shine
KERB_WIDTH = wp.constant(0.13)  # metres of a raised strip's edges
KERB_COLOUR = wp.constant(wp.vec3(0.30, 0.295, 0.285))


@wp.func
def ground_texture(key: wp.uint32, material: int, place: wp.vec3, colour: wp.vec3, footprint: float) -> wp.vec3:
    """place: (s, t, 0)."""
    if material == ASPHALT:
        return asphalt(key, place, colour, footprint)
    if material == PAVING:
        return paving(key, place, colour, footprint)
    if material == KERB:
        return kerb(key, place, colour, footprint)
    if material == GRASS:
        return grass(key, place, colour, footprint)
    return colour * (1.0 + 0.3 * grain(key, place, 0.5, footprint))


@wp.func
def painted(marking: Strip, place: wp.vec3, footprint: float) -> float:
    """1 where a marking lies, 0 beside it, between at its edges."""
    cover = within(place[1], marking.low, marking.high, footprint)
    if marking.gap > 0.0:
        period = marking.dash + marking.gap
        cover *= within(fraction(place[0] / period) * period, 0.0, marking.dash, footprint)
    return cover


@wp.func
def marking_at(world: World, road: Road, place: wp.vec3) -> int:
    """The number of the last marking that covers a place, -1 for none."""
    found = int(-1)
    for number in range(road.first_marking, road.end_marking):
        marking = world.markings[number]
        if place[1] >= marking.low and place[1] < marking.high and painted(marking, place, 0.0) > 0.5:
            found = number
    return found


@wp.func
def road_place(road: Road, point: wp.vec3) -> wp.vec3:
    return wp.vec3(station_of(road.curvature, point[0], point[1]), offset_of(road.curvature, point[0], point[1]), 0.0)


@wp.func
def ground_surface(world: World, road: Road, light: Light, hit: Hit, place: wp.vec3, marking: int,
                   footprint: float) -> Surface:
    if hit.strip < 0:
        flat = road.ground
        textured = grass(light.key, place, flat, footprint)
        return matt(wp.lerp(flat, textured, light.texture))
    strip = world.strips[hit.strip]
    material = strip.material
    flat = strip.colour
    inside = wp.min(place[1] - strip.low, strip.high - place[1])
    part = int(0)
    if strip.rise > 0.05 and material != GRASS and (hit.kerb == 1 or inside < KERB_WIDTH):
        material = KERB
        flat = KERB_COLOUR
        part = 1 + hit.kerb
    surface = matt(wp.lerp(flat, ground_texture(light.key, material, place, flat, footprint), light.texture))
    surface.part = part
    if material == ASPHALT:
        surface.sheen = light.texture * (0.05 + 0.15 * hashed(light.key, 8, 0))
    if marking >= 0 and hit.kerb == 0:
        stripe = world.markings[marking]
        coat = weathered(light.key, place, stripe.colour, surface.albedo, footprint)
        surface.albedo = wp.lerp(stripe.colour, coat, light.texture)
        surface.part = 3
    return surface


@wp.func
def along_wall(size: wp.vec3, normal: wp.vec3) -> float:
    """What a size or scale is in the direction in which a wall runs. normal: the wall's, in the mesh's coordinates."""
    across = wp.abs(normal[0])
    along = wp.abs(normal[1])
    if across + along < 1.0e-3:
        return size[0]
    return (along * size[0] + across * size[1]) / (across + along)


@wp.func
def in_metres(instance: Instance, normal: wp.vec3, uv: wp.vec2) -> wp.vec2:
    """Coordinates of a wall's texture after its mesh was scaled, so that windows keep their size."""
    return wp.vec2(uv[0] * along_wall(instance.scale, normal), uv[1] * instance.scale[2])


@wp.func
def mesh_surface(world: World, light: Light, hit: Hit, point: wp.vec3, footprint: float) -> Surface:
    instance = world.instances[hit.instance]
    material = int(world.meshes.material[hit.face])
    flat = world.meshes.colour[hit.face]
    uv = texture_at(world.meshes, hit.face, hit.u, hit.v)
    key = instance.key
    surface = matt(flat)
    surface.part = material
    if material == PAINT:
        return with_part(glossy(wp.cw_mul(flat, instance.paint), 0.04), material)
    if material == PAINT2:
        return with_part(matt(wp.cw_mul(flat, instance.paint2)), material)
    if material == GLASS:
        return with_part(glossy(flat * 0.3, 0.08), material)
    if material == METAL:
        return with_part(glossy(flat * 0.5, 0.35), material)
    if material == LAMP:
        surface = with_part(glossy(flat * 1.2, 0.05), material)
        if flat[0] > 4.0 * flat[1] and hashed(key, 9, 0) < SHINING:
            surface.glow = flat * 2.0
        return surface
    textured = flat * (1.0 + 0.25 * grain(key, point, 0.2, footprint))
    if material == FACADE:
        flat = wp.cw_mul(flat, instance.paint)
        front = facade(key, in_metres(instance, hit.facing, uv), along_wall(instance.size, hit.facing), flat,
                       instance.paint2, footprint)
        surface.gloss = front.gloss * light.texture
        surface.part = material + 16 * front.part
        textured = front.albedo
    elif material == ROOF:
        textured = roof(key, in_metres(instance, hit.facing, uv), flat, footprint)
    elif material == LEAF:
        textured = leaves(key, point, flat, footprint)
    elif material == BARK:
        textured = bark(key, point, flat, footprint)
    elif material >= ASPHALT:
        textured = ground_texture(key, material, wp.vec3(uv[0], uv[1], 0.0), flat, footprint)
    surface.albedo = wp.lerp(flat, textured, light.texture)
    return surface


@wp.func
def with_part(surface: Surface, part: int) -> Surface:
    other = surface
    other.part = part
    return other
