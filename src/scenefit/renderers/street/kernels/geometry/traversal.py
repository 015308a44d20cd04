"""Rays against instances of meshes: through the tree of their boxes, then, in a mesh's own coordinates, its triangles.

A ray keeps its parameter in a mesh's coordinates, whatever the scale, so distances need no conversion.
"""

import warp as wp

from scenefit.renderers.street.kernels.geometry.structs import Hit, Instance, Meshes, World
from scenefit.renderers.street.kernels.textures.leaf import is_leaf

LEAF = wp.constant(9)  # number of "leaf" in MATERIALS
TRANSPARENT = wp.constant(3)  # cards that a ray may pass through, in each instance
STEP = wp.constant(1.0e-3)  # metres beyond a card


@wp.func
def backwards(vector: wp.vec3) -> wp.vec3:
    """In the tree's coordinates, whose x axis points backwards: Warp visits high x first, and so what is near."""
    return wp.vec3(-vector[0], vector[1], vector[2])


@wp.func
def into(instance: Instance, vector: wp.vec3) -> wp.vec3:
    """A direction in a mesh's own coordinates."""
    return wp.vec3((instance.cos * vector[0] + instance.sin * vector[1]) / instance.scale[0],
                   (instance.cos * vector[1] - instance.sin * vector[0]) / instance.scale[1],
                   vector[2] / instance.scale[2])


@wp.func
def out_of(instance: Instance, vector: wp.vec3) -> wp.vec3:
    """A direction in the world."""
    x = vector[0] * instance.scale[0]
    y = vector[1] * instance.scale[1]
    return wp.vec3(instance.cos * x - instance.sin * y, instance.sin * x + instance.cos * y,
                   vector[2] * instance.scale[2])


@wp.func
def normal_out_of(instance: Instance, normal: wp.vec3) -> wp.vec3:
    """A normal in the world: the inverse transpose of the mesh's transformation."""
    scale = instance.scale
    x = normal[0] / scale[0]
    y = normal[1] / scale[1]
    return wp.normalize(wp.vec3(instance.cos * x - instance.sin * y, instance.sin * x + instance.cos * y,
                                normal[2] / scale[2]))


@wp.func
def texture_at(meshes: Meshes, face: int, u: float, v: float) -> wp.vec2:
    corner = meshes.faces[face]
    return u * meshes.uv[corner[0]] + v * meshes.uv[corner[1]] + (1.0 - u - v) * meshes.uv[corner[2]]


@wp.func
def meet_instance(world: World, number: int, origin: wp.vec3, direction: wp.vec3, near: float, nearest: Hit) -> Hit:
    """The nearer of a hit and that of one instance, from a distance near on."""
    instance = world.instances[number]
    hit = nearest
    start = into(instance, origin - instance.place)
    along = into(instance, direction)
    passed = float(near)
    left = int(TRANSPARENT)
    while left >= 0:
        left -= 1
        found = wp.mesh_query_ray(instance.mesh, start + along * passed, along, hit.distance - passed)
        if found.result:
            face = instance.first_face + found.face
            solid = bool(True)
            if int(world.meshes.material[face]) == LEAF and left >= 0:
                solid = is_leaf(instance.key, texture_at(world.meshes, face, found.u, found.v))
            if solid:
                hit.distance = passed + found.t
                hit.instance = number
                hit.face = face
                hit.u = found.u
                hit.v = found.v
                hit.facing = found.normal
                left = -1
            passed += found.t + STEP
        else:
            left = -1
    return hit


@wp.func
def meet_instances(world: World, scene: int, origin: wp.vec3, direction: wp.vec3, near: float, nearest: Hit) -> Hit:
    """The nearest of a hit and those of a scene's instances, from a distance near on."""
    hit = nearest
    if world.roads[scene].instances > 0:
        root = wp.bvh_get_group_root(world.tree, scene)
        query = wp.bvh_query_ray(world.tree, backwards(origin), backwards(direction), root)
        number = int(0)
        while wp.bvh_query_next(query, number, hit.distance):
            hit = meet_instance(world, number, origin, direction, near, hit)
    return hit


@wp.func
def is_occluded(world: World, scene: int, origin: wp.vec3, direction: wp.vec3, reach: float) -> bool:
    """Whether an instance lies within reach. The ground does not count."""
    if world.roads[scene].instances == 0:
        return False
    nothing = Hit()
    nothing.distance = reach
    nothing.instance = -1
    root = wp.bvh_get_group_root(world.tree, scene)
    query = wp.bvh_query_ray(world.tree, backwards(origin), backwards(direction), root)
    number = int(0)
    while wp.bvh_query_next(query, number, reach):
        instance = world.instances[number]
        if instance.leaves == 1:
            hit = meet_instance(world, number, origin, direction, 0.0, nothing)
            if hit.instance >= 0:
                return True
        elif wp.mesh_query_ray_anyhit(instance.mesh, into(instance, origin - instance.place),
                                      into(instance, direction), reach):
            return True
    return False
