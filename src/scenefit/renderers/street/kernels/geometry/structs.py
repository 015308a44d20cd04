"""What the kernels are given of a batch of scenes. World: x forward, y left, z up, metres; colours are linear."""

import warp as wp


@wp.struct
class Camera:
    """A pixel's ray has the direction corner + column * right + row * down, of length 1 along the optical axis."""

    eye: wp.vec3
    corner: wp.vec3
    right: wp.vec3
    down: wp.vec3


@wp.struct
class Light:
    """sun: towards it.  skyline: its height at a distance of 1.  key: of the scene's random numbers.  gain: of exposure
    and white balance, for each colour."""

    sun: wp.vec3
    sun_colour: wp.vec3
    zenith: wp.vec3
    horizon: wp.vec3
    cloud: wp.float32
    haze: wp.float32
    skyline: wp.float32
    texture: wp.float32
    gain: wp.vec3
    contrast: wp.float32
    noise: wp.float32
    key: wp.uint32


@wp.struct
class Road:
    """Strips first_strip .. end_strip - 1, by height; markings likewise; instances of the scene; colour beside it."""

    curvature: wp.float32
    first_strip: wp.int32
    end_strip: wp.int32
    first_marking: wp.int32
    end_marking: wp.int32
    instances: wp.int32
    ground: wp.vec3


@wp.struct
class Strip:
    """From low to high metres left of the centre line. dash, gap: of a marking, gap 0 for a solid one.  id: 0 where it
    has no label."""

    low: wp.float32
    high: wp.float32
    rise: wp.float32
    dash: wp.float32
    gap: wp.float32
    colour: wp.vec3
    material: wp.int32
    id: wp.int32


@wp.struct
class Instance:
    """A mesh that stands somewhere: scaled, turned by (cos, sin) about z, moved. first_*: its model's in `Meshes`.
    size: length, width and height.  leaves: 1 where it has some."""

    place: wp.vec3
    cos: wp.float32
    sin: wp.float32
    scale: wp.vec3
    size: wp.vec3
    paint: wp.vec3
    paint2: wp.vec3
    mesh: wp.uint64
    leaves: wp.int32
    first_face: wp.int32
    first_corner: wp.int32
    end_corner: wp.int32
    scene: wp.int32
    id: wp.int32
    key: wp.uint32


@wp.struct
class Meshes:
    """All models end to end. corners: of their convex hulls."""

    faces: wp.array(dtype=wp.vec3i)
    material: wp.array(dtype=wp.uint8)
    colour: wp.array(dtype=wp.vec3)
    normals: wp.array(dtype=wp.vec3)
    uv: wp.array(dtype=wp.vec2)
    corners: wp.array(dtype=wp.vec3)


@wp.struct
class World:
    """A batch: cameras, lights and roads [S]; strips, markings and instances of all scenes; tree: of the instances'
    boxes, with a group for each scene, x backwards."""

    cameras: wp.array(dtype=Camera)
    lights: wp.array(dtype=Light)
    roads: wp.array(dtype=Road)
    strips: wp.array(dtype=Strip)
    markings: wp.array(dtype=Strip)
    instances: wp.array(dtype=Instance)
    tree: wp.uint64
    meshes: Meshes


@wp.struct
class Hit:
    """What a ray meets first. distance: infinite for the sky.  instance: -1 for the ground, whose strip is -1 beside
    the road.  u, v: barycentric coordinates in a face.  facing: the face's normal, or that of the ground."""

    distance: wp.float32
    instance: wp.int32
    face: wp.int32
    u: wp.float32
    v: wp.float32
    facing: wp.vec3
    strip: wp.int32
    kerb: wp.int32
