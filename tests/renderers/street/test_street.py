"""`Street`: all tests that need its kernels, in one module, so that they are loaded once.

Ids and depth are compared with Embree's, through trimesh, for rays that are computed here.
"""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from checks import same_alone
from scipy.spatial.transform import Rotation
from trimesh.ray.ray_pyembree import RayMeshIntersector

import scenefit as sf
from scenefit.renderers import GrammarMismatch
from scenefit.renderers.label_checks import check_labels
from scenefit.renderers.street.layout.attributes import ROOT
from scenefit.renderers.street.mesh import MATERIALS, Mesh
from scenefit.renderers.street.models.buildings import facade

SIZE = HEIGHT, WIDTH = 48, 64
PLAIN = {"texture": 0.0, "haze": 0.0, "cloud": 0.0, "skyline": 0.0}
BLOCK = trimesh.creation.box([1, 1, 1]).apply_translation([0, 0, 0.5])
BALL = trimesh.creation.icosphere(2, 0.5).apply_translation([0, 0, 0.5])


def mesh_of(shape, material="matte", colour=(0.5, 0.5, 0.5)):
    flat = shape.copy()
    flat.unmerge_vertices()
    faces = len(flat.faces)
    return Mesh(flat.vertices, flat.faces, np.full(faces, MATERIALS.index(material)), np.tile(colour, (faces, 1)),
                flat.vertex_normals, flat.vertices[:, [0, 2]])


def card(side=3.0):
    """A leaf card that faces the camera, on the ground."""
    points = np.array([[0, -side / 2, 0], [0, side / 2, 0], [0, side / 2, side], [0, -side / 2, side]])
    return Mesh(points, [[0, 2, 1], [0, 3, 2]], np.full(2, MATERIALS.index("leaf")), np.full((2, 3), 0.4),
                np.tile([-1, 0, 0], (4, 1)), points[:, 1:])


MODELS = {"block": mesh_of(BLOCK, "paint", (1, 1, 1)), "ball": mesh_of(BALL), "leaf": card(),
          "house": mesh_of(BLOCK, "facade", (0.7, 0.6, 0.5))}
GROUND = {"lane": "road", "pavement": "pavement", "marking": "road"}
RENDERER = sf.Street(SIZE, MODELS, classes=GROUND, antialias=False, occlusion=False, depth=True)


def grammar(root=None, **nodes):
    """A street of the nodes of each kind: kind -> a list of their attributes."""
    symbols = {"street": {**PLAIN, **(root or {})}}
    for kind, several in nodes.items():
        columns = {name: np.array([node[name] for node in several]) for name in several[0]}
        symbols[kind] = {name: (lambda node, column=column: sf.Constant(column[node.number]))
                         for name, column in columns.items()}
    return sf.Grammar("street", symbols, [sf.Rule("street", [sf.repeat(kind, len(several))
                                                             for kind, several in nodes.items()])])


def scene(root=None, **nodes):
    return grammar(root, **nodes).sample(0, 1)


def wide():
    """Random blocks and balls on a road with raised strips, seen by random cameras."""
    place = {"s": sf.Uniform(3, 30), "t": sf.Uniform(-6, 6), "heading": sf.Angle(), "length": sf.Uniform(0.5, 4),
             "width": sf.Uniform(0.5, 2), "height": sf.Uniform(0.5, 3)}
    return sf.Grammar("street", {
        "street": {"camera_t": sf.Uniform(-2, 2), "camera_height": sf.Uniform(1, 3), "camera_pitch": sf.Uniform(-5, 20),
                   "camera_yaw": sf.Uniform(-20, 20), "camera_roll": sf.Uniform(-10, 10),
                   "field_of_view": sf.Uniform(40, 90), "noise": 3.0, "sun_azimuth": sf.Angle(),
                   "curvature": sf.Uniform(-0.01, 0.01)},
        "lane": {"t": 0.0, "width": 6.0},
        "pavement": {"t": sf.Choice([-4.5, 4.5]), "width": 3.0, "rise": sf.Uniform(0.1, 0.2)},
        "marking": {"t": sf.Uniform(-2, 2), "width": 0.5, "dash": 2.0, "gap": 2.0},
        "block": {**place, **{name: sf.Uniform(0, 1) for name in ("red", "green", "blue")}}, "ball": place,
        "house": {**place, "s": 35.0, "height": 6.0}, "leaf": place},
        [sf.Rule("street", ["lane", "pavement", "marking", "house", "leaf", *(sf.repeat(kind, count) for kind, count
                                                                              in (("block", 5), ("ball", 4)))])])


def rays(root, size=SIZE):
    """Where the camera stands, and the direction of each pixel's ray, 1 along the optical axis [H * W, 3]."""
    (height, width), at = size, {name: limits[0] for name, limits in ROOT.items()} | root.values
    turn = Rotation.from_euler("ZYX", [at[f"camera_{axis}"] for axis in ("yaw", "pitch", "roll")], degrees=True)
    focal = width / 2 / np.tan(np.deg2rad(at["field_of_view"]) / 2)
    down, right = np.mgrid[:height, :width] + 0.5
    ahead = np.stack([np.ones(size), -(right - width / 2) / focal, -(down - height / 2) / focal], -1).reshape(-1, 3)
    return np.array([0.0, at["camera_t"], at["camera_height"]]), turn.apply(ahead)


def with_embree(one, shapes, ground):
    """Id and depth of each pixel. shapes: kind -> shape.  ground: further (id, shape)."""
    parts, owner = [shape for _, shape in ground], [np.full(len(shape.faces), node) for node, shape in ground]
    for kind, shape in shapes.items():
        for node in one.of(kind):
            angle, k = np.deg2rad(node.heading) + one.root.curvature * node.s, one.root.curvature
            x = np.sin(k * node.s) / k - node.t * np.sin(k * node.s)
            y = (1 - np.cos(k * node.s)) / k + node.t * np.cos(k * node.s)
            part = shape.copy().apply_scale([node.length, node.width, node.height])
            part.apply_transform(trimesh.transformations.rotation_matrix(angle, [0, 0, 1])).apply_translation([x, y, 0])
            parts.append(part)
            owner.append(np.full(len(part.faces), node.id))
    eye, along = rays(one.root)
    tracer = RayMeshIntersector(trimesh.util.concatenate(parts))
    where, ray, face = tracer.intersects_location(np.tile(eye, (len(along), 1)), along, multiple_hits=False)
    ids, depth = np.zeros(len(along), int), np.full(len(along), np.inf)
    ids[ray] = np.concatenate(owner)[face]
    depth[ray] = np.linalg.norm(where - eye, axis=1) / np.linalg.norm(along[ray], axis=1)
    return ids.reshape(SIZE), depth.reshape(SIZE)


def slab(low, high, rise):
    return trimesh.creation.box(bounds=[[-1e3, low, -1], [1e3, high, rise]])


def test_ids_and_depth_are_those_of_embree():
    world = wide()
    symbols = {kind: {a.name: a.prior for a in own.values() if not a.count} for kind, own in world.attributes.items()}
    flat = sf.Grammar("street", symbols | {"street": symbols["street"] | {"curvature": 1e-9}},
                      [sf.Rule("street", ["lane", "pavement", sf.repeat("block", 5), sf.repeat("ball", 4)])])
    bent = sf.Grammar("street", symbols, [sf.Rule("street", [sf.repeat("block", 6), sf.repeat("ball", 6)])])
    shapes = {"block": BLOCK, "ball": BALL}
    for one_world, strips in ((flat, True), (bent, False)):
        scenes = one_world.sample(1, 4)
        if strips:  # what stands on a raised strip stands higher; tested elsewhere
            scenes = scenes.with_columns({kind: {"t": scenes.tables[kind]["t"] / 3} for kind in shapes})
        frames = RENDERER(scenes)
        for row, one in enumerate(scenes):
            ground = [(0, slab(-1e3, 1e3, 0))]
            for strip in (*one.of("lane"), *one.of("pavement")) if strips else ():
                low, high = strip.t - strip.width / 2, strip.t + strip.width / 2
                ground.append((strip.id, slab(low, high, strip.rise if strip.kind == "pavement" else 1e-5)))
            ids, depth = with_embree(one, shapes, ground)
            same = frames.instances[row] == ids
            assert same.mean() >= 0.999
            near = same & (depth < 300)
            assert np.allclose(frames.pixels["depth"][row][near], depth[near], rtol=2e-3, atol=2e-3)
            assert near.mean() > 0.3 and len(np.unique(ids)) > 4


def test_a_scene_has_the_same_bytes_in_any_batch():
    frames = sf.Street(SIZE, MODELS)(wide().sample(0, 4))
    assert same_alone(sf.Street(SIZE, MODELS), wide(), frames, [0, 3])
    assert np.array_equal(frames.images, sf.Street(SIZE, MODELS)(wide().sample(0, 4)).images)
    assert len({image.tobytes() for image in frames.images}) == 4


def test_strips_and_markings_follow_a_bend():
    bend = 0.02
    one = scene({"curvature": bend, "camera_pitch": 15.0, "camera_height": 3.0},
                lane=[{"t": 1.0, "width": 6.0}], marking=[{"t": 0.0, "width": 0.4, "dash": 3.0, "gap": 2.0}])
    frames = RENDERER(one)
    eye, along = rays(one[0].root)
    depth = frames.pixels["depth"][0].ravel()
    x, y, _ = (eye + along * np.where(np.isinf(depth), 0, depth)[:, None]).T
    t, s = 1 / bend - np.hypot(x, y - 1 / bend), np.arctan2(x, 1 / bend - y) / bend
    lane, marking = (one.tables[kind].id[0] for kind in ("lane", "marking"))
    expected = np.where((np.abs(t) < 0.2) & (np.mod(s, 5) < 3), marking, np.where(np.abs(t - 1) < 3, lane, 0))
    ground = np.isfinite(depth) & (depth < 25)
    assert (frames.instances[0].ravel() == expected)[ground].mean() > 0.995
    assert set(np.unique(expected[ground])) == {0, lane, marking}


def pixel_of(one, point):
    """Row and column of a point of the world."""
    eye, along = rays(one[0].root)
    apart = np.asarray(point, float) - eye
    cosine = along @ apart / np.linalg.norm(along, axis=1)
    return np.unravel_index(int(np.argmax(cosine)), SIZE)


def test_the_sun_casts_shadows_where_it_must():
    nodes = {"block": [{"s": 8.0, "t": 1.0, "height": 2.0}]}
    sunny = scene({"sun_azimuth": 90.0, "sun_elevation": 45.0, "camera_pitch": 10.0}, **nodes)
    image = RENDERER(sunny).images[0].astype(float).mean(-1)
    shadow, lit = image[pixel_of(sunny, (8, -0.5, 0))], image[pixel_of(sunny, (8, 2.5, 0))]
    beyond = image[pixel_of(sunny, (8, -2.0, 0))]  # the shadow is as long as the block is high
    assert shadow < 0.6 * lit and abs(beyond - lit) < 3
    overcast = scene({"sun": 0.0, "camera_pitch": 10.0}, **nodes)
    image = RENDERER(overcast).images[0].astype(float).mean(-1)
    assert abs(image[pixel_of(overcast, (8, -0.5, 0))] - image[pixel_of(overcast, (8, 2.5, 0))]) < 3


def test_occlusion_darkens_what_lies_close_to_objects():
    one = scene({"sun": 0.0, "camera_pitch": 15.0}, block=[{"s": 8.0, "t": 0.0, "z": 0.3, "length": 4.0, "width": 3.0}])
    below = pixel_of(one, (6.2, 0, 0))
    open_sky, occluded = (replace(RENDERER, occlusion=on)(one).images[0][below].mean() for on in (False, True))
    assert occluded < 0.85 * open_sky
    far = {"s": 12.0, "t": 0.0, "z": 0.4, "length": 4.0, "width": 3.0}
    beneath, beside = (pixel_of(scene(), place) for place in ((11.0, 0, 0), (8.0, 0, 0)))
    image = replace(RENDERER, occlusion=True)(scene({"sun": 0.0}, block=[far])).images[0].mean(-1)
    assert image[beneath] < 0.5 * image[beside], "the thin shadow below a distant object is dark, too"


def test_dark_paint_mirrors_what_hides_the_sky():
    black = {"s": 8.0, "t": 0.0, "height": 4.0, "width": 3.0, "red": 0.0, "green": 0.0, "blue": 0.0}
    behind = {**black, "s": -4.0, "height": 9.0, "width": 9.0}
    side = pixel_of(scene(), (7.5, 0, 3.4))
    sky, hidden = (RENDERER(scene({"sun": 0.0}, block=blocks)).images[0][side].mean() for blocks in
                   ([black], [black, behind]))
    assert 0 < hidden < 0.7 * sky


def test_hidden_and_outside_parts_count():
    wall = {"s": 6.0, "t": 0.75, "width": 1.5, "height": 3.0, "length": 0.2}
    car = {"s": 10.0, "t": 0.0, "width": 3.0, "height": 1.0, "length": 1.0}
    alone = RENDERER(scene(block=[car])).objects
    both = RENDERER(scene(block=[car, wall]))
    assert both.objects.amodal[0].tolist() == alone.amodal[0].tolist()
    assert both.objects.area[0] == alone.area[0] == alone.pixels[0] and alone.visibility[0] == 1
    assert both.objects.visibility[0] == both.objects.pixels[0] / alone.pixels[0] == pytest.approx(0.5, abs=0.1)
    assert np.abs(alone.amodal[0] - alone.box[0]).max() <= 1
    turned = RENDERER(scene({"camera_yaw": -30.0}, block=[car])).objects  # the middle on the left edge
    assert turned.truncation[0] == pytest.approx(0.5, abs=0.1) and turned.amodal[0, 0] < -3
    behind = RENDERER(scene(block=[car | {"s": -10.0}]))
    assert len(behind.objects) == 0 and np.isnan(behind.amodal["block"]).all()


def test_an_object_that_reaches_behind_the_camera_has_a_finite_box():
    beside = RENDERER(scene(block=[{"s": 0.0, "t": 3.0, "length": 16.0, "width": 1.0, "height": 1.0}])).objects
    assert np.isfinite(beside.amodal).all() and beside.truncation[0] > 0.5 and beside.pixels[0] > 0


def test_labels_agree_whatever_the_camera_sees():
    """Objects of any size around, behind and about cameras of any direction."""
    place = {"s": sf.Uniform(-8, 60), "t": sf.Uniform(-8, 8), "z": sf.Uniform(-1, 3), "heading": sf.Angle(),
             **{side: sf.LogUniform(0.05, 30) for side in ("length", "width", "height")}}
    root = {"camera_height": sf.Uniform(0.5, 6), "camera_pitch": sf.Uniform(-60, 60), "camera_yaw": sf.Angle(),
            "camera_roll": sf.Angle(), "field_of_view": sf.Uniform(5, 150), "curvature": sf.Uniform(-0.2, 0.2)}
    world = sf.Grammar("street", {"street": root, "block": place, "ball": place},
                       [sf.Rule("street", [sf.repeat("block", 12), sf.repeat("ball", 12)])])
    frames = RENDERER(world.sample(0, 100))
    assert [finding.text for finding in check_labels(frames) if finding.mode == "wrong"] == []
    near = frames.pixels["depth"].min(axis=(1, 2))
    assert near.min() == pytest.approx(0.1, abs=0.01) and (near < 0.2).sum() > 3


def test_areas_of_large_objects_are_estimated():
    near = {"s": 4.0, "t": 0.0, "width": 3.0, "height": 2.0, "length": 1.0}
    hidden = {"s": 6.0, "t": 0.0, "width": 4.0, "height": 2.5, "length": 1.0}
    alone, both = RENDERER(scene(block=[hidden])).objects, RENDERER(scene(block=[near, hidden])).objects
    assert both.visibility[1] < 0.5 and both.area[1] == pytest.approx(alone.area[0], rel=0.03)


def test_box3d_is_that_of_kitti():
    nodes = [{"s": 20.0, "t": 3.0, "heading": 0.0, "length": 4.0, "width": 1.8, "height": 1.5},
             {"s": 20.0, "t": -2.0, "heading": 90.0, "length": 4.0, "width": 1.8, "height": 1.5}]
    boxes = RENDERER(scene({"camera_t": 1.0, "camera_height": 1.6}, block=nodes)).nodes["box3d"]["block"]
    expected = [[1.5, 1.8, 4.0, -2.0, 1.6, 20.0, -np.pi / 2], [1.5, 1.8, 4.0, 3.0, 1.6, 20.0, np.pi]]
    assert np.allclose(np.abs(boxes[1, 6]), np.pi) and np.allclose(boxes[:, :6], np.array(expected)[:, :6], atol=1e-5)
    assert boxes[0, 6] == pytest.approx(-np.pi / 2)


def test_the_camera_projects_box3d_to_amodal_boxes():
    place = {"s": sf.Uniform(8, 40), "t": sf.Uniform(-6, 6), "heading": sf.Angle(), "length": 4.0, "width": 2.0}
    root = {"camera_t": 1.0, "camera_yaw": sf.Uniform(-20, 20), "field_of_view": sf.Uniform(30, 90)}
    frames = RENDERER(sf.Grammar("street", {"street": root, "block": place},
                                 [sf.Rule("street", [sf.repeat("block", 4)])]).sample(0, 8))
    height, width, length, x, y, z, turn = frames.nodes["box3d"]["block"].T[..., None]
    along, across = (sign * side / 2 for sign, side in zip(np.array(
        [[1, 1, -1, -1] * 2, [1, -1] * 4]), (length, width), strict=True))
    up = np.repeat([0, 1], 4) * height
    corners = np.stack([x + along * np.cos(turn) + across * np.sin(turn), y - up,
                        z - along * np.sin(turn) + across * np.cos(turn), np.ones_like(up)], axis=-1)
    camera = frames.nodes["camera"]["street"][frames.scenes.tables["block"].scene]
    seen = np.einsum("nij,nkj->nki", camera, corners)
    at = seen[..., :2] / seen[..., 2:]
    assert list(frames.nodes["camera"]) == ["street"]
    known = np.isfinite(frames.amodal["block"]).all(axis=1)
    assert known.sum() > 20
    projected, amodal = (np.clip(boxes[known], 0, [WIDTH, HEIGHT] * 2) for boxes in (
        np.concatenate([at.min(1), at.max(1)], axis=1), frames.amodal["block"]))
    assert np.allclose(projected, amodal, atol=0.01)


def test_nodes_stand_on_raised_ground_unless_they_are_not_there():
    strip, node = {"t": 4.0, "width": 3.0, "rise": 0.2}, {"s": 15.0, "t": 4.0, "z": 0.1, "there": 1}
    frames = RENDERER(scene(pavement=[strip], block=[node, node | {"there": 0}]))
    assert frames.nodes["box3d"]["block"][0, 4] == pytest.approx(1.6 - 0.3)
    assert np.isnan(frames.nodes["box3d"]["block"][1]).all()
    assert sorted(frames.objects.name) == ["block", "pavement"]


def test_leaves_are_cut_out():
    one = scene(leaf=[{"s": 6.0, "t": 0.0}], block=[{"s": 9.0, "t": 0.0, "width": 6.0, "height": 5.0, "length": 0.5}])
    ids = RENDERER(one).instances[0]
    leaf, block = (one.tables[kind].id[0] for kind in ("leaf", "block"))
    rows, columns = np.nonzero(ids == leaf)
    inside = ids[rows.min():rows.max(), columns.min():columns.max()]
    assert 0.2 < (inside == leaf).mean() < 0.9 and (inside == block).any()


def test_the_sun_shines_between_leaves():
    sunny = scene({"sun_azimuth": 0.0, "sun_elevation": 45.0, "camera_pitch": 20.0}, leaf=[{"s": 8.0, "t": 0.0}])
    image = RENDERER(sunny).images[0].astype(float).mean(-1)
    shade = [image[pixel_of(sunny, (x, y, 0))] for x in np.arange(5.5, 7.5, 0.1) for y in np.arange(-1, 1, 0.1)]
    lit = image[pixel_of(sunny, (4, 0, 0))]
    assert 0.2 < np.mean(np.array(shade) < 0.6 * lit) < 0.9


def test_normals_are_those_of_the_camera():
    one = scene(block=[{"s": 8.0, "t": 0.0}])
    normal, depth = (RENDERER(one).pixels[name][0] for name in ("normal", "depth"))
    assert np.allclose(normal[-1], [0, -1, 0], atol=1e-6) and np.isinf(depth[0]).all() and not normal[0].any()
    assert np.allclose(normal[pixel_of(one, (7.5, 0, 0.5))], [0, 0, -1], atol=1e-6)


def test_the_skyline_hides_the_sky_up_to_its_height():
    bare, wooded = (RENDERER(scene({"skyline": height})).images[0].astype(int) for height in (0.0, 10.0))
    horizon, highest = HEIGHT // 2, HEIGHT // 2 - int(np.tan(np.deg2rad(10)) * WIDTH / 2 / np.tan(np.deg2rad(30))) - 1
    changed = (bare != wooded).any(-1)
    assert changed[horizon - 1].all() and (wooded[horizon - 1] < bare[horizon - 1] - 30).all()
    assert not changed[horizon:].any() and not changed[:highest - 1].any() and changed[:horizon - 4].any()


def test_without_texture_surfaces_are_flat():
    nodes = {"house": [{"s": 8.0, "t": 0.0, "width": 8.0, "height": 5.0}], "lane": [{"t": 0.0, "width": 6.0}]}
    root = {"sun": 0.0, "camera_pitch": 20.0}
    flat, rough = (RENDERER(scene({**root, "texture": texture}, **nodes)) for texture in (0.0, 1.0))
    for node in (1, 2):
        levels = [frames.images[0][frames.instances[0] == node].astype(int).std(axis=0).max()
                  for frames in (flat, rough)]
        assert levels[0] < 1 < levels[1]


def test_no_window_is_cut_at_the_edge_of_a_wall():
    world = sf.Grammar("street", {"street": {"sun": 0.0, "camera_height": 6.0, "haze": 0.0, "skyline": 0.0},
                                  "wall": {"s": 10.0, "t": 0.0}}, [sf.Rule("street", ["wall"])])
    wall = facade((0, 5), (0, -5), 0, 12)
    frames = replace(RENDERER, size=(96, 128), models={"wall": wall}, classes={})(world.sample(0, 24))
    grey = np.where(frames.instances > 0, frames.images.astype(float).mean(-1), np.nan)[:, :55]  # above shop fronts
    width = np.isfinite(grey[:, 30]).sum(axis=1)
    first = np.isfinite(grey[:, 30]).argmax(axis=1)
    for column in (first + 1, first + width - 2):  # 0.15 m from the edges
        edge = grey[np.arange(24), :, column]
        assert (np.nanmin(edge, axis=1) > 0.7 * np.nanmedian(edge, axis=1)).all()
    assert (np.nanmin(grey, axis=(1, 2)) < 0.6 * np.nanmedian(grey, axis=(1, 2))).all(), "there are windows"


def test_exposure_is_metered_and_noise_has_its_strength():
    grey = {"ground_red": 0.4613, "ground_green": 0.4613, "ground_blue": 0.4613, "warmth": 0.0}
    for light in ({}, {"sun": 0.0}, {"sky": 0.3, "sun_elevation": 20.0}):
        road = RENDERER(scene({**grey, **light})).images[0, -8:].astype(float)
        assert road.mean() == pytest.approx(0.4613 * 255, abs=6)
    brighter = RENDERER(scene({**grey, "exposure": 1.0})).images[0, -8:].astype(float)
    noisy = RENDERER(scene({**grey, "noise": 8.0})).images[0, -8:].astype(float)
    white = RENDERER(scene({**grey, "exposure": 3.0})).images[0, -8:].astype(float)
    assert white.mean() > 252, "3 stops above mid-grey"
    assert brighter.mean() > 1.3 * road.mean() and noisy.std(axis=(0, 1)).mean() == pytest.approx(8, rel=0.1)


def test_only_edges_are_anti_aliased():
    one = scene(block=[{"s": 8.0, "t": 0.3, "heading": 30.0}])
    sharp, smooth = RENDERER(one), replace(RENDERER, antialias=True)(one)
    changed = (sharp.images != smooth.images).any(-1)[0]
    ids = sharp.instances[0]
    shown = np.where(np.isinf(sharp.pixels["depth"][0]), -1, ids)  # the sky, the ground, the block
    inner = np.zeros(SIZE, bool)
    around = np.stack([shown[:-2, 1:-1], shown[2:, 1:-1], shown[1:-1, :-2], shown[1:-1, 2:]])
    inner[1:-1, 1:-1] = (around == shown[1:-1, 1:-1]).all(0)
    block = inner & (ids > 0)
    assert changed.sum() > 10 and not changed[inner & ~block].any() and np.array_equal(ids, smooth.instances[0])


def test_labels_are_those_of_other_renderers():
    objects = {"block", "round thing", "house", "leaf"}
    for classes, ground in ((GROUND, {"road", "pavement"}), ({}, set())):
        frames = sf.render(replace(RENDERER, classes={"ball": "round thing", **classes}), wide().sample(0, 6))
        assert set(sf.label_boxes(frames).name) == set(frames.objects.name) - {""} == objects | ground
        seen = frames.instances[frames.objects.scene[0]]
        assert np.isin(frames.scenes.tables["lane"].id[0], seen) == bool(ground)
    from scenefit.renderers.scene_checks import check_scene

    _, findings = check_scene(wide(), RENDERER, n=8)
    assert [finding.text for finding in findings if finding.mode == "wrong"] == []
    assert not any("neither the renderer" in finding.text for finding in findings)


def test_tensors_stay_on_the_device():
    traced = RENDERER.tensors(wide().sample(0, 2))
    assert traced.image.dtype == torch.uint8 and traced.image.shape == (2, *SIZE, 3)
    assert np.array_equal(traced.image.numpy(), RENDERER(wide().sample(0, 2)).images)
    assert len(RENDERER(wide().sample(0, 0))) == 0
    assert RENDERER.info.to("cpu").device == "cpu" and RENDERER.info.size == SIZE


def test_colours_of_nodes_are_those_of_their_paint():
    node = {"s": 8.0, "t": 0.0, "red": 0.9, "green": 0.1, "blue": 0.1}
    one = scene({"sun": 0.0, "warmth": 0.0}, block=[node])
    red, green, _ = RENDERER(one).images[0][RENDERER(one).instances[0] == 1].mean(0)
    assert red > 2 * green


WRONG = {
    "Street has no model 'bal' of thing; did you mean 'ball'?; there are ['block', 'ball']":
        ({}, {"thing": [{"s": 5.0, "t": 0.0, "model": "bal"}]}),
    "Street has 2 models of thing, 0 to 1 (block, ball), but thing.model is 2 in scene 0 of seed 0":
        ({}, {"thing": [{"s": 5.0, "t": 0.0, "model": 2}]}),
    "Street has no meshes for the kind 'tram'; pass models={'tram': mesh}, or rename the kind; there are meshes for":
        ({}, {"tram": [{"s": 5.0, "t": 0.0}]}),
    "camera_height is -1 m, but the ground below the camera lies at 0 m: Street needs a camera above it":
        ({"camera_height": -1.0}, {}),
    "camera_height is 0.1 m, but the ground below the camera lies at 0.15 m":
        ({"camera_height": 0.1}, {"pavement": [{"t": 0.0, "width": 2.0, "rise": 0.15}]}),
    "Street needs s of thing, in metres (s, t of each node that it draws); its attributes are ['t']":
        ({}, {"thing": [{"t": 0.0}]}),
    "Street needs thing.s to be a number, got <U3 values": ({}, {"thing": [{"s": "far", "t": 0.0}]}),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_does_not_fit_is_refused(text):
    root, nodes = WRONG[text]
    renderer = replace(RENDERER, models={"thing": {name: MODELS[name] for name in ("block", "ball")}})
    with pytest.raises((ValueError, sf.RenderError)) as caught:
        renderer(scene(root, **nodes))
    assert text in str(caught.value)


def test_to_know_kinds_and_attributes_makes_no_mesh(monkeypatch):
    from scenefit.renderers.street import models

    expected = list(models.standard())
    monkeypatch.setattr(models, "standard", lambda: pytest.fail("made all models"))
    assert sf.Street(SIZE).kinds == expected and set(expected) <= set(sf.Street(SIZE).attributes("road"))
    assert sf.Street(SIZE, MODELS).kinds == list(MODELS)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"Street needs strips of asphalt, .* got 'lava' for 'lane'"):
        sf.Street(SIZE, MODELS, strips={"lane": "lava"})
    with pytest.raises(ValueError, match=r"Street needs a scenefit\.Mesh, or several, for each kind"):
        sf.Street(SIZE, {"car": "a mesh"})
    with pytest.raises(ValueError, match=r"Street needs a scenefit\.Mesh, or several, for each kind, got None"):
        sf.Street(SIZE, {"car": None})
    for name in ("models", "strips", "classes"):
        with pytest.raises(ValueError, match=rf"Street.*: {name} needs a dictionary from kinds to .*; got str 'car'"):
            replace(RENDERER, **{name: "car"})
    with pytest.raises(GrammarMismatch, match=r"neither meshes nor strips for the kind 'bal' of classes=; did"):
        replace(RENDERER, classes={"bal": "thing"})(scene())
    with pytest.raises(GrammarMismatch, match=r"both meshes and strips for the kind 'ball'; leave it out"):
        replace(RENDERER, strips={"ball": "grass"}, classes={})(scene(ball=[{"s": 5.0, "t": 0.0, "width": 1.0}]))
    with pytest.raises(ValueError, match=r"Street needs size=\(height, width\)"):
        sf.Street((0, 4))
    with pytest.raises(ValueError, match="Street cannot render on 'tpu'; Warp has cpu"):
        replace(RENDERER, device="tpu")(scene())


def test_numbers_of_materials_agree():
    from scenefit.renderers.street.kernels.geometry import traversal
    from scenefit.renderers.street.kernels.shading import surfaces

    assert [getattr(surfaces, name.upper()) for name in MATERIALS] == list(range(len(MATERIALS)))
    assert MATERIALS[traversal.LEAF] == "leaf"


def test_without_warp_an_error_says_what_to_install():
    code = ("import sys; sys.modules['warp'] = None  # as if it were not installed\n"
            "import scenefit as sf\n"
            "renderer, *_ = sf.Street((8, 8), {}), sf.Mesh, sf.load_model\n"
            "for draw in (renderer, renderer.tensors):\n"
            "    try: draw(sf.Grammar('street', {'street': {}}, []).sample(0, 1))\n"
            "    except ImportError as error: print(error)")
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.splitlines()
    assert printed == 2 * ['Street needs Warp: pip install "scenefit[street]"']
