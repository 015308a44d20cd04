import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
from checks import same_alone

import scenefit as sf
from benchmarks.shapes import paint, smears
from scenefit.renderers import render, renderer_info
from scenefit.renderers.scene_file import load_scene
from scenefit.renderers.shapes import Shapes, camera, outline
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Constant, Integer, Normal, Uniform
from scenes import coins, smear

ROOT = Path(__file__).parents[2]
CONTINUOUS = {"x": Uniform(9, 21), "y": Uniform(8, 16), "radius": Uniform(4, 7), "elongation": Uniform(1.1, 1.6),
              "angle": Angle(), "power": Uniform(2.5, 5), "lobe": Uniform(0.1, 0.5), "phase": Angle(),
              "wobble": Uniform(0.02, 0.1), "edge": Uniform(0.8, 2), "hole": Uniform(0.1, 0.3),
              "opacity": Uniform(0.3, 0.9), "absorb": Uniform(0.2, 0.8), "emit": Uniform(0.2, 0.8),
              "red": Uniform(0.2, 0.8), "green": Uniform(0.2, 0.8), "blue": Uniform(0.2, 0.8),
              "pallor": Uniform(0.2, 0.8), "pallor_size": Uniform(0.5, 0.9), "rim": Uniform(-0.5, 0.5),
              "rim_width": Uniform(0.2, 0.5), "bulge": Uniform(-0.5, 0.5), "grain": Uniform(0.1, 0.3),
              "grain_size": Uniform(2, 4), "grain_stretch": Uniform(0.2, 0.8),
              "height": Uniform(2, 5)}
SEEN = {"red": Uniform(0.3, 0.6), "green": Uniform(0.3, 0.6), "blue": Uniform(0.3, 0.6), "grain": Uniform(0.05, 0.1),
        "grain_size": Uniform(2, 5), "light": Uniform(-0.3, 0.3), "light_angle": Angle(), "vignette": Uniform(0.1, 0.4),
        "shadow": Uniform(0.3, 0.6), "shadow_angle": Angle(),
        "blur": Uniform(0.7, 0.9), "red_gain": Uniform(0.8, 1.1), "green_gain": Uniform(0.8, 1.1),
        "blue_gain": Uniform(0.8, 1.1), "contrast": Uniform(0.7, 0.95), "noise": Uniform(1, 3)}


def world(count=1, root=None, **attributes):
    """A grammar of `count` things on a root."""
    return Grammar("image", {"image": root or {}, "thing": attributes}, [Rule("image", [repeat("thing", count)])])


def one(root=None, **attributes):
    return world(root=root or {"shade": 1.0}, **attributes).sample(0, 1)


def drawn(size=(32, 32), root=None, **attributes):
    """The only scene of one thing: image [H, W, 3] in 0..1, and frames."""
    renderer, scenes = Shapes(size, {"thing": {}}, solid=0.5), one(root, **attributes)
    return renderer.draw(scenes)[0].permute(1, 2, 0).numpy(), renderer(scenes)


def test_solid_says_how_much_of_a_soft_edge_is_the_shapes():
    scenes = one(x=16, y=16, radius=6, edge=4)
    areas = [int((Shapes((32, 32), {"thing": {}}, solid=solid)(scenes).instances > 0).sum())
             for solid in (0.1, 0.5, 0.9)]
    assert abs(areas[1] / (np.pi * 36) - 1) < 0.05 and areas[0] > 1.25 * areas[1] > 1.5 * areas[2]
    for wrong in (0, 1, float("nan")):
        with pytest.raises(ValueError, match="Shapes needs solid above 0 and below 1"):
            Shapes((8, 8), {"thing": {}}, solid=wrong)


@pytest.mark.parametrize("look", [{}, {"elongation": 1.6, "angle": 30}, {"hole": 0.4, "radius": 14}, {"sides": 5},
                                  {"edge": 4}])
def test_masks_are_of_what_the_blurred_image_shows(look):
    look = {"x": 20, "y": 20, "radius": 10, "edge": 1, "shade": 1.0, **look}
    for solid in (0.1, 0.5, 0.8):
        frames = Shapes((40, 40), {"thing": {}}, solid=solid)(one({"shade": 0.0, "blur": 2.0}, **look))
        seen, mask = frames.images[0, ..., 0] > 255 * solid, frames.instances[0] > 0
        sharp = Shapes((40, 40), {"thing": {}}, solid=solid)(one({"shade": 0.0}, **look)).instances[0] > 0
        assert (mask != seen).sum() < 0.12 * seen.sum()
        assert solid == 0.5 or (mask != seen).sum() < 0.5 * (sharp != seen).sum()


def mixed():
    """Scenes of every sort, some without any shape."""
    some = {name: Choice([outline.ATTRIBUTES[name][0], float(prior.quantile(0.7))]) if name in outline.ATTRIBUTES
            else prior for name, prior in CONTINUOUS.items()}
    some |= {"x": Uniform(-30, 74), "y": Uniform(-30, 60), "radius": Uniform(0, 14),
             "sides": Choice([0, 3, 6], [2, 1, 1]), "lobes": Integer(0, 5), "layer": Integer(0, 1),
             "length": Choice([0, 15], [3, 1]), "width": Choice([0, 9]), "corner": Uniform(0, 1),
             "defocus": Choice([0, 0.6])}
    seen = {name: Choice([camera.ATTRIBUTES[name][0], float(prior.quantile(0.7))]) for name, prior in SEEN.items()}
    grammar = Grammar("image", {"image": seen, "a": some, "b": some, "core": {
        "x": lambda node: Normal(node.parent["x"], 3), "y": lambda node: Constant(node.parent["y"]), "radius": 4}},
        [Rule("image", [repeat("a", Integer(0, 4)), repeat("b", Integer(0, 3))]), Rule("b", ["core"])])
    return grammar, Shapes((30, 44), {"a": {}, "b": {"pallor": 0.3}, "core": {"shade": 0.0}}, parts=["core"])


@pytest.mark.parametrize("scene", [smear, coins])
def test_pixels_and_labels_are_those_of_a_plain_numpy_painter(scene):
    scenes = smears(2) if scene is smear else _quiet(coins.grammar.sample(0, 8))
    renderer = scene.renderer if scene is smear else Shapes(
        coins.renderer.size, {**coins.renderer.shapes, "number": {"lobes": 4, "shade": 0.1}}, parts=["number"])
    plain, frames = sf.each(lambda one_scene: paint(renderer, one_scene))(scenes), renderer(scenes)
    assert np.abs(plain.images.astype(int) - frames.images).max() <= 2
    assert (plain.instances != frames.instances).sum() <= 2
    for name in ("id", "name"):
        assert np.array_equal(getattr(plain.objects, name), getattr(frames.objects, name))
    assert np.abs(plain.objects.area - frames.objects.area).max() <= 2
    assert np.abs(plain.objects.amodal - frames.objects.amodal).max() <= 1


def _quiet(scenes):
    n = len(scenes.tables["number"])
    return scenes.with_columns({"number": {"red": np.full(n, 0.1), "green": np.full(n, 0.1), "blue": np.full(n, 0.2)}})


def test_same_bytes_whatever_the_batch():
    grammar, renderer = mixed()
    together = renderer(grammar.sample(0, 64))
    assert len(np.unique(together.images)) > 100 and 0 in np.bincount(together.objects.scene, minlength=64)
    assert same_alone(renderer, grammar, together, range(0, 64, 3))


def test_draw_and_call_agree():
    grammar, renderer = mixed()
    scenes = grammar.sample(1, 20)
    assert np.array_equal((renderer.draw(scenes).permute(0, 2, 3, 1).numpy() * 255).round(), renderer(scenes).images)
    assert len(render(renderer, scenes)) == 20 and renderer_info(renderer).differentiable


@pytest.mark.parametrize("form", ["lobes", "power", "sides"])
def test_gradients_are_those_of_finite_differences(form):
    """Of the camera's attributes and of things that overlap in one form, of the things' own attributes in all."""
    priors = dict(CONTINUOUS) | {"lobes": 3, "sides": 5 if form == "sides" else 0}
    count = 2 if form == "lobes" else 1
    scenes = world(count, SEEN, **priors).sample(1, 2)
    renderer = Shapes((24, 30), {"thing": {} if form == "power" else {"power": 2}})
    weight = torch.tensor(np.random.default_rng(0).standard_normal((2, 3, 24, 30)))
    names = [("thing", name) for name in CONTINUOUS] + [("image", name) for name in SEEN if form == "lobes"]

    def values(columns):
        """One of each scene."""
        nested = {kind: {n: c for (k, n), c in columns.items() if k == kind} for kind in ("thing", "image")}
        return (renderer._draw(scenes.with_columns(nested), torch.float64) * weight).sum((1, 2, 3))

    columns = {(k, n): torch.tensor(np.asarray(scenes.tables[k][n], float), requires_grad=True) for k, n in names}
    gradient = torch.autograd.grad(values(columns).sum(), list(columns.values()))
    for key, exact in zip(names, gradient, strict=True):
        flat = key[1] == "power" and form == "sides"  # a polygon has no power
        assert flat or exact.abs().max() > 1e-5, key
        for rows in torch.arange(len(exact)).reshape(2, -1).T:  # a node of each scene at once
            ends = []
            for step in (1e-6, -1e-6):
                moved = {k: column.detach().clone() for k, column in columns.items()}
                moved[key][rows] += step
                ends.append(values({k: column.requires_grad_() for k, column in moved.items()}).detach())
            slopes = (ends[0] - ends[1]) / 2e-6
            assert slopes.tolist() == pytest.approx(exact[rows].tolist(), rel=2e-4, abs=2e-6), key


@pytest.mark.parametrize("sd", [0.0, 1e-30, 0.01, 0.3])
def test_a_blur_of_nothing_leaves_the_image_and_has_a_gradient(sd):
    image = torch.from_numpy(np.random.default_rng(0).random((3, 6, 7)))
    blur = torch.tensor(sd, dtype=torch.float64, requires_grad=True)
    blurred = camera.gaussian_blur(image, blur)
    (slope,) = torch.autograd.grad(blurred.square().sum(), blur)
    assert torch.equal(blurred, image) == (sd < 0.1) and torch.isfinite(slope)
    assert (slope == 0) == (sd < 0.1)


def test_a_shadow_falls_beside_its_shape_and_has_no_pixels():
    attributes = {"x": 16, "y": 16, "radius": 3, "shade": 1.0, "edge": 0.1}
    image, frames = drawn(root={"shade": 0.8, "shadow": 0.5, "shadow_angle": 90}, **attributes, height=8)
    at = [image[y, x, 0] for y, x in ((8, 16), (16, 16), (20, 16), (16, 8))]
    assert at == pytest.approx([0.4, 1, 0.8, 0.8], abs=0.01), "above its shape, and nowhere else"
    plain_image, plain = drawn(root={"shade": 0.8}, **attributes, height=8)
    assert np.array_equal(frames.instances, plain.instances) and plain_image[8, 16, 0] == pytest.approx(0.8, abs=0.01)
    assert all(np.array_equal(getattr(frames.objects, name), getattr(plain.objects, name))
               for name in ("box", "amodal", "area", "visibility"))


def test_heights_that_are_learned_change_no_image():
    world = Grammar("image", {"image": {"shadow": 0.6}, "a": {"radius": 4, "height": Choice([0.0, 5.0])},
                              "b": {"radius": 4, "opacity": 0.4}}, [Rule("image", ["a", "b"])])
    scenes, renderer = world.sample(0, 6), Shapes((20, 30), {"a": {}, "b": {}})
    height = torch.tensor(scenes.tables["a"]["height"], requires_grad=True)
    assert torch.equal(renderer.draw(scenes.with_columns({"a": {"height": height}})), renderer.draw(scenes))


def test_parts_cast_shadows_below_their_parent_and_shadows_fall_on_lower_layers():
    cell = {"x": 10.0, "y": 10.0, "radius": 6.0, "shade": 1.0, "height": 2.0}
    core = {"x": 12.0, "y": 10.0, "radius": 2.0, "shade": 1.0, "height": 8.0}
    low = {"x": 22.0, "y": 10.0, "radius": 3.0, "shade": 1.0, "layer": -1}
    world = Grammar("image", {"image": {"shadow": 0.5}, "cell": cell, "core": core, "low": low},
                    [Rule("image", ["cell", "low"]), Rule("cell", ["core"])])
    renderer = Shapes((20, 30), {"cell": {}, "core": {}, "low": {}}, parts=["core"])
    frames = renderer(world.sample(0, 1))
    at = frames.images[0, 10, :, 0]
    assert at[14] == 255, "of the core, below its own cell"
    assert at[20] == 128 and frames.instances[0, 10, 20] == 2, "of the core, on what lies lower"
    assert frames.objects.area.tolist() == Shapes((20, 30), {"cell": {}, "low": {}})(
        world.sample(0, 1).with_columns({"image": {"shadow": np.zeros(1)}})).objects.area.tolist()


def test_every_continuous_attribute_is_among_those_whose_gradients_are_tested():
    assert set(outline.ATTRIBUTES) - set(CONTINUOUS) == {
        "sides", "lobes", "shade", "layer",
        "length", "width", "corner", "defocus"}  # in test_shapes_rectangles.py and test_shapes_focus.py
    assert set(camera.ATTRIBUTES) - set(SEEN) == {"shade"}


def test_each_scene_has_its_own_gradient():
    grammar, renderer = mixed()
    scenes = grammar.sample(0, 12)
    table = scenes.tables["a"]
    busiest = int(np.bincount(table.scene).argmax())

    def gradient(shift):
        x = torch.tensor(table["x"], dtype=torch.float32)
        x[table.scene == busiest] += shift
        x.requires_grad_()
        images = renderer.draw(scenes.with_columns({"a": {"x": x}}))
        assert images.dtype == torch.float32 and images.shape == (12, 3, 30, 44)
        return torch.autograd.grad(images.square().sum(), x)[0][table.scene != busiest]

    assert torch.equal(gradient(0.0), gradient(1.7)) and gradient(0.0).abs().max() > 0


@pytest.mark.parametrize(("absorb", "want"), [(0.0, 0.4), (1.0, 0.6 * 0.4 * 0.4), (0.5, None)])
def test_paint_covers_and_stains_multiply(absorb, want):
    renderer = Shapes((16, 16), {"thing": {"shade": 0.4, "radius": 5}})
    image = renderer.draw(world(2, {"shade": 0.6}, absorb=absorb).sample(0, 1))[0, 0]
    once = 0.4 * (0.5 + 0.5 * 0.6)
    want = 0.4 * (0.5 + 0.5 * once) if want is None else want
    assert float(image[8, 8]) == pytest.approx(want, abs=1e-6)
    assert float(image[0, 0]) == pytest.approx(0.6, abs=1e-6)


def test_opacity_edge_pallor_rim_bulge_and_ring_say_what_a_pixel_is():
    def line(**attributes):
        return drawn((41, 41), root={"shade": 0.8}, radius=12.0, shade=0.4, **attributes)[0][20, 20:, 0]

    assert line(edge=0.1)[[0, 11, 13]] == pytest.approx([0.4, 0.4, 0.8])
    assert line(edge=3.0)[[8, 12, 15]] == pytest.approx([0.4, 0.6, 0.8], abs=1e-6)
    assert line(opacity=0.25)[0] == pytest.approx(0.7)
    assert line(pallor=0.5, pallor_size=0.5)[[0, 6]] == pytest.approx([0.6, 0.4], abs=1e-6)
    assert line(rim=0.5, rim_width=0.5, edge=0.1)[[0, 6, 9]] == pytest.approx([0.4, 0.4, 0.4 * 1.125], abs=1e-6)
    assert line(bulge=0.5)[[0, 6]] == pytest.approx([0.6, 0.4 * 1.375], abs=1e-6)
    assert line(hole=0.5, edge=1.0)[[0, 4, 6, 8]] == pytest.approx([0.8, 0.8, 0.6, 0.4], abs=1e-6)


def test_angles_turn_counter_clockwise_as_seen_and_elongation_keeps_the_area():
    _, frames = drawn((64, 64), radius=12.0, elongation=4.0, angle=90.0)
    assert frames.objects.amodal[0] == pytest.approx([26, 8, 38, 56], abs=1)
    assert float(frames.objects.area[0]) == pytest.approx(np.pi * 144, rel=0.02)
    tilted = drawn((64, 64), radius=12.0, elongation=4.0, angle=45.0)[1].instances[0]
    assert tilted[20, 44] == 1 and tilted[44, 44] == 0  # up to the right


@pytest.mark.parametrize(("attributes", "area"), [
    ({}, np.pi * 225), ({"sides": 3}, np.pi * 225), ({"sides": 4, "angle": 20.0}, np.pi * 225),
    ({"lobes": 5, "lobe": 0.3, "edge": 0.1}, 0.734 * np.pi * 225), ({"power": 60.0}, 895),
    ({"hole": 0.6}, np.pi * 225 * 0.64), ({"opacity": 0.1}, np.pi * 225)])
def test_outlines_have_their_areas(attributes, area):
    assert float(drawn((80, 80), radius=15.0, **attributes)[1].objects.area[0]) == pytest.approx(area, rel=0.02)


def test_squares_lobes_and_wobble_have_their_outlines():
    square = drawn((64, 64), radius=15.0, power=1000.0)[1].objects
    assert square.amodal[0] == pytest.approx([17, 17, 47, 47], abs=1)
    mask = drawn((64, 64), radius=20.0, lobes=3, lobe=0.6, phase=0.0)[1].instances[0]
    turn = np.deg2rad(np.arange(360))
    at = mask[(32 + 14 * np.sin(turn)).astype(int), (32 + 14 * np.cos(turn)).astype(int)]
    assert (np.diff(np.append(at, at[0])) == 1).sum() == 3 and at[0] == at[120] == 1 and at[60] == 0
    areas = Shapes((48, 48), {"thing": {"radius": 14.0, "wobble": 0.1}}, solid=0.5)(world().sample(0, 40)).objects.area
    assert len(np.unique(areas)) > 10 and np.mean(areas) == pytest.approx(np.pi * 196 * 1.01, rel=0.02)


def test_later_ids_and_higher_layers_cover_and_parts_belong_to_their_parents():
    cell = {"x": Choice([14.0]), "y": 10.0, "radius": 6.0, "layer": 0}
    core = {"x": lambda node: Constant(node.parent["x"]), "y": 10.0, "radius": 3.0}
    grammar = Grammar("image", {"image": {}, "cell": cell, "core": core},
                      [Rule("image", ["cell", "cell"]), Rule("cell", ["core"])])
    renderer = Shapes((20, 30), {"cell": {"shade": 0.6, "edge": 0.1}, "core": {"shade": 0.1, "edge": 0.1}},
                      parts=["core"], classes={"cell": "Cell"})
    scenes = grammar.sample(0, 1).with_columns({"cell": {"x": np.array([11.0, 18.0])},
                                                "core": {"x": np.array([11.0, 18.0])}})
    frames = renderer(scenes)
    assert frames.instances[0, 10, [4, 6, 11, 13, 18, 25]].tolist() == [0, 1, 1, 2, 2, 0]
    assert set(np.unique(frames.instances)) == {0, 1, 2}
    assert frames.objects.name.tolist() == ["Cell", "Cell"] and frames.objects.id.tolist() == [1, 2]
    assert frames.images[0, 10, 11, 0] == 26 and frames.images[0, 10, 13, 0] == 153  # the later cell hides a core
    higher = renderer(scenes.with_columns({"cell": {"layer": np.array([1, 0])}}))
    assert higher.instances[0, 10, [13, 18]].tolist() == [1, 2] and higher.images[0, 10, 13, 0] == 26


@pytest.mark.parametrize("symbols", ["pq", "qp"])
@pytest.mark.parametrize("rule", ["pq", "qp"])
@pytest.mark.parametrize("parts", ["pq", ""])
def test_what_stands_later_in_symbols_is_painted_later(symbols, rule, parts):
    looks = {"p": {"radius": 6.0, "shade": 0.0}, "q": {"radius": 6.0, "shade": 1.0}}
    grammar = Grammar("image", {"image": {}, **{kind: looks[kind] for kind in symbols}, "cell": {}},
                      [Rule("image", ["cell"] if parts else list(rule)), Rule("cell", list(rule))])
    image = Shapes((32, 32), {"q": {}, "cell": {}, "p": {}}, parts=list(parts))(grammar.sample(0, 1)).images[0]
    assert image[16, 16, 0] == (255 if symbols[-1] == "q" else 0)


@pytest.mark.parametrize(("x", "shift"), [(16.0, 0), (16.0, 5), (2.0, -5), (2.0, -400)])
def test_parts_that_stick_out_count_in_box_and_area_of_their_parent(x, shift):
    """Two parts that overlap each other, beside or inside a square of 8 pixels; each pixel counts once."""
    square = {"y": 16.0, "power": 100.0, "edge": 0.1}
    part = {**square, "x": lambda node: Constant(node.parent["x"] + shift), "radius": 2.0}
    grammar = Grammar("image", {"image": {}, "cell": {**square, "x": x, "radius": 4.0}, "core": part},
                      [Rule("image", ["cell"]), Rule("cell", ["core", "core"])])
    frames = Shapes((32, 32), {"cell": {}, "core": {}}, parts=["core"])(grammar.sample(0, 1))
    canvas = np.zeros((32, 1000), bool)  # 500 columns of it left of the image
    canvas[12:20, 500 + int(x) - 4:500 + int(x) + 4] = True
    canvas[14:18, 500 + int(x) + shift - 2:500 + int(x) + shift + 2] = True
    seen = np.flatnonzero(canvas.any(axis=0)) - 500
    found = frames.objects
    assert found.amodal.tolist() == [[seen[0], 12, seen[-1] + 1, 20]] and found.area.tolist() == [canvas.sum()]
    inside = canvas[:, 500:532].sum()
    assert found.pixels.tolist() == [inside] and found.visibility.tolist() == [1.0]
    assert found.truncation.tolist() == pytest.approx([1 - inside / canvas.sum()])


@pytest.mark.parametrize(("x", "y"), [(0, 16), (32, 0), (-3, 34), (500, 16), (-4000, 9000)])
def test_shapes_that_the_image_cuts_have_whole_boxes_and_areas(x, y):
    _, whole = drawn((32, 32), radius=6.0, x=16.0, y=16.0)
    found = drawn((32, 32), radius=6.0, x=float(x), y=float(y))[1].objects
    assert found.area.tolist() == whole.objects.area.tolist()
    assert found.amodal.tolist() == [[x - 6, y - 6, x + 6, y + 6]]
    assert found.truncation.tolist() == pytest.approx([1 - found.pixels[0] / found.area[0]])
    assert found.visibility.tolist() == [1.0 if found.pixels[0] else 0.0]


def test_nothing_to_draw():
    image, frames = drawn(radius=0.0)
    assert len(frames.objects) == 0 and image.min() == 1.0
    assert len(drawn(opacity=0.0)[1].objects) == 0
    renderer = Shapes((8, 8), {"thing": {}})
    assert renderer(world(0).sample(0, 2)).images[0, 0, 0].tolist() == [230, 230, 230]
    assert renderer.draw(world().sample(0, 0)).shape == (0, 3, 8, 8) and len(renderer(world().sample(0, 0))) == 0


def test_the_camera_blurs_shades_tints_and_adds_noise():
    plain = {"shade": 0.5}
    sharp, soft = (drawn((64, 64), {**plain, "blur": blur}, radius=12.0, shade=0.0)[0] for blur in (0.0, 2.0))
    assert soft.mean() == pytest.approx(sharp.mean(), abs=1e-4)
    assert np.abs(np.diff(soft[32, :, 0])).max() < 0.5 * np.abs(np.diff(sharp[32, :, 0])).max()
    dark = drawn((60, 80), {**plain, "vignette": 0.5}, opacity=0.0)[0]
    assert dark[30, 40, 0] == pytest.approx(0.5, abs=1e-3) and dark[0, 0, 0] == pytest.approx(0.25, abs=0.01)
    lit = drawn((60, 80), {**plain, "light": 0.5, "light_angle": 90.0}, opacity=0.0)[0]
    assert lit[0, :, 0].min() > 0.6 and lit[-1, :, 0].max() < 0.4
    cast = drawn(root={**plain, "red_gain": 1.2, "contrast": 0.5}, opacity=0.0)[0][0, 0]
    assert cast == pytest.approx([0.5 * 0.6 + 0.25, 0.5, 0.5])
    noisy = drawn((100, 100), {**plain, "noise": 10.0}, opacity=0.0)[1].images[0].astype(float)
    assert noisy[..., 0].std() == pytest.approx(10, rel=0.05) and noisy.mean() == pytest.approx(127.5, abs=0.6)
    rough = drawn((100, 100), {**plain, "grain": 0.2, "grain_size": 1.0}, opacity=0.0)[0]
    assert rough[..., 0].std() == pytest.approx(0.1, rel=0.6)


@pytest.mark.parametrize(("attributes", "text"), [
    ({"radius": -1.0}, r"thing\.radius is -1 in scene 0 of seed 0 \(node 1\); Shapes needs a number >= 0"),
    ({"elongation": 0.0}, r"thing\.elongation is 0 in scene 0 .* needs a number >= 1 \(length over width\)"),
    ({"radius": 1e6}, r"a thing of scene 0 of seed 0 \(node 1\) is \d+ pixels across, more than 8 times the image "
     r"\(256\); bound its radius or length, elongation, edge and defocus, and the camera's blur"),
    ({"red": "blue"}, r"needs thing\.red to be a number")])
def test_bad_values_are_named(attributes, text):
    with pytest.raises(ValueError, match=text):
        drawn(**attributes)


def test_bad_values_of_a_whole_kind_are_named():
    for name, value, text in (("radius", -1, "a number >= 0 for radius, got -1"),
                              ("elongation", 0.5, r"a number >= 1 \(length over width\) for elongation, got 0.5")):
        with pytest.raises(ValueError, match=rf"shapes\['thing'\] needs {text}"):
            Shapes((8, 8), {"thing": {name: value}})


@pytest.mark.parametrize("name", ["x", "radius", "edge", "red"])
def test_what_is_not_finite_is_named(name):
    scenes = one().with_columns({"thing": {name: np.array([np.nan])}})
    with pytest.raises(ValueError, match=rf"thing\.{name} is nan in scene 0 of seed 0 \(node 1\); Shapes needs a f"):
        Shapes((8, 8), {"thing": {}})(scenes)


ABSURD = (1e10, 1e30, -1e308, np.inf, -np.inf, np.nan, np.longdouble("1e400"))
BOUNDED = ("x", "y", "radius", "elongation", "angle", "phase", "edge", "grain_size")
NEED = "(a finite number|a number from .*; bound its prior|a number >= .*)"


def with_value(kind, name, value):
    return one().with_columns({"thing": {"radius": np.array([3.0])}, kind: {name: np.array([value])}})


@pytest.mark.parametrize("value", [1e308, -1e30])
def test_absurd_numbers_of_any_attribute_are_named_or_clipped_and_never_crash(value):
    """Of a shape and of the camera. A limit on the side of the value clips it."""
    place = {"x": (0.0, -np.inf, np.inf), "y": (0.0, -np.inf, np.inf)}
    for kind, limits in (("thing", {**place, **outline.ATTRIBUTES}), ("image", camera.ATTRIBUTES)):
        for name, (_, low, high) in limits.items():
            scenes, renderer = with_value(kind, name, value), Shapes((8, 8), {"thing": {}})
            endless = np.isinf(high if value > 0 else low) and name not in ("layer", "power")
            if endless or (value < 0 and name in ("radius", "elongation", "length", "width")):
                with pytest.raises(ValueError, match=rf"^{kind}\.{name} is \S+ in scene 0 .*; Shapes needs {NEED}$"):
                    renderer(scenes)
            else:
                assert len(renderer(scenes)) == 1


@pytest.mark.parametrize(("kind", "name", "node"), [("thing", "x", 1), ("image", "noise", 0)])
def test_absurd_numbers_are_named_for_images_and_gradients_alike(kind, name, node):
    for value in ABSURD:
        if value < 0 and np.isfinite(value) and name == "noise":
            continue  # clipped to 0
        for draw in (Shapes((8, 8), {"thing": {}}), Shapes((8, 8), {"thing": {}}).draw):
            with pytest.raises(ValueError, match=rf"^{kind}\.{name} is .* 0 \(node {node}\); Shapes needs {NEED}$"):
                draw(with_value(kind, name, value))


@pytest.mark.parametrize("name", BOUNDED)
def test_far_but_sane_numbers_are_drawn(name):
    value = {"radius": 30.0, "edge": 20.0, "elongation": 3.0}.get(name, 9e8)
    frames = Shapes((8, 8), {"thing": {}})(one().with_columns({"thing": {name: np.array([value])}}))
    assert np.isfinite(frames.objects.amodal).all()


@pytest.mark.parametrize("value", [10**400, Decimal("1e400"), "3", True, None, np.array([1.0]), np.inf, 1e30])
def test_what_all_shapes_of_a_kind_cannot_share_is_named(value):
    with pytest.raises(ValueError, match=r"shapes\['thing'\] needs a (finite number for edge|number from 0.1 to 1e)"):
        Shapes((8, 8), {"thing": {"edge": value}})
    with pytest.raises(ValueError, match=r"camera needs a (finite number|number from 0 to 1e\+09) for noise"):
        Shapes((8, 8), {"thing": {}}, camera={"noise": value})
    with pytest.raises(ValueError, match="Shapes needs solid above 0 and below 1"):
        Shapes((8, 8), {"thing": {}}, solid=value)


def test_numbers_of_numpy_are_numbers():
    assert Shapes((8, 8), {"thing": {"radius": np.int64(2), "shade": np.float32(0.5)}}).shapes["thing"]["radius"] == 2


@pytest.mark.parametrize("change", [{"classes": "zq7"}, {"classes": None}, {"parts": "thing"}, {"parts": None}])
def test_dictionaries_and_lists_are_asked_for(change):
    text = rf"^Shapes\(size, shapes\): {next(iter(change))} needs a (dictionary from|list of)"
    with pytest.raises(ValueError, match=text):
        Shapes((8, 8), {"thing": {}}, **change)


@pytest.mark.parametrize("name", [None, 2.5, b"zq7", " zq7"])
def test_classes_of_kinds_are_texts(name):
    with pytest.raises(ValueError, match=r"^classes\['thing'\] is .*(a class needs a text|differs from 'zq7')"):
        Shapes((8, 8), {"thing": {}}, classes={"thing": name})


def test_values_outside_their_range_are_clipped():
    for name, wild, clipped in (("opacity", 3.0, 1.0), ("absorb", -1.0, 0.0), ("pallor", 9.0, 1.0), ("edge", 0.0, 0.1),
                                ("power", 0.5, 2.0), ("wobble", 2.0, 0.3), ("red", 7.0, 1.0)):
        assert np.array_equal(drawn(**{name: wild})[0], drawn(**{name: clipped})[0]), name


@pytest.mark.parametrize(("given", "text"), [
    ({"size": (0, 4)}, r"needs size=\(height, width\), both whole numbers >= 1, got \(0, 4\)"),
    ({"size": 160}, r"needs size=\(height, width\), both whole numbers >= 1, got 160"),
    ({"size": (120.5, 160)}, r"both whole numbers >= 1, got \(120\.5, 160\)"),
    ({"shapes": {}}, "needs shapes of at least one kind"),
    ({"shapes": ["thing"]}, r"needs shapes of at least one kind, .*: shapes=\{'coin': \{\}\}, got \['thing'\]"),
    ({"shapes": {"thing": None}}, r"shapes\['thing'\] needs attributes with their numbers, .*, got None"),
    ({"shapes": {"thing": {"red": 300}}}, r"needs a number from 0 to 1 for red \(0 is dark, 1 is light\), got 300"),
    ({"shapes": {"thing": {"power": 1}}}, "needs a number >= 2 for power, got 1"),
    ({"camera": {"shade": 230}}, r"camera needs a number from 0 to 1 for shade .*, got 230"),
    ({"shapes": {"thing": {"colour": 1}}}, r"shapes\['thing'\] has no attribute 'colour'; there are \['absorb'"),
    ({"shapes": {"thing": {"raduis": 1}}}, r"has no attribute 'raduis'; did you mean 'radius'\?; there are"),
    ({"shapes": {"thing": {"radius": float("nan")}}}, "needs a finite number for radius, got nan"),
    ({"camera": {"zoom": 1}}, "camera has no attribute 'zoom'"),
    ({"parts": ["core"]}, r"parts names the kind 'core', but the shapes are \['thing'\]"),
    ({"classes": {"core": "x"}}, "classes names the kind 'core'")])
def test_bad_renderers_are_named(given, text):
    with pytest.raises(ValueError, match=text):
        Shapes(**{"size": (8, 8), "shapes": {"thing": {}}, **given})


def test_scenes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"draws 'cat', but no symbol of the grammar is named cat: there are \['im"):
        Shapes((8, 8), {"cat": {}})(one())
    with pytest.raises(ValueError, match="the root 'image' cannot be a shape"):
        Shapes((8, 8), {"image": {}})(one())
    with pytest.raises(ValueError, match="its parent 'image' is not drawn"):
        Shapes((8, 8), {"thing": {}}, parts=["thing"])(one())
    with pytest.raises(ValueError, match="background names the kind 'sky'"):
        Shapes((8, 8), {"thing": {}}, background="sky")(one())


def test_a_kind_may_fix_what_its_nodes_leave_open():
    renderer = Shapes((16, 16), {"thing": {"radius": 3, "red": 0.2}}, camera={"shade": 0.25}, solid=0.5)
    frames = renderer(world(green=0.8).sample(0, 1))
    assert frames.objects.amodal.tolist() == [[5, 5, 11, 11]]
    assert frames.images[0, 8, 8].tolist() == [51, 204, 128] and frames.images[0, 0, 0].tolist() == [64, 64, 64]
    assert renderer(world(radius=5.0).sample(0, 1)).objects.amodal.tolist() == [[3, 3, 13, 13]]


def test_the_wide_smears():
    scene = load_scene(ROOT / "scenes" / "smear.py")
    learned = {a.name for a in scene.grammar.learned}
    assert {a.kind for a in scene.grammar.learned} == {"image"} and len(learned) > 50
    for scale in (0.6, 1.0, 1.6):
        image = smear.wide(scale).sample(0, 400).tables["image"]
        assert image["red_size"].min() == pytest.approx(9.6 * scale, rel=0.2)
        assert image["red_size"].max() == pytest.approx(96 * scale, rel=0.02)
    frames = scene.renderer(scene.grammar.sample(0, 4))
    assert set(frames.objects.name) <= {"RBC", "WBC", "Platelets"} and frames.images.shape == (4, 240, 320, 3)


def test_the_page_runs_and_lists_every_attribute(tmp_path):
    page = (ROOT / "docs" / "shapes.md").read_text()
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert sum(block.count("\n") for block in code) < 60
    (tmp_path / "coins.py").write_text(code[0])
    found = load_scene(tmp_path / "coins.py")
    frames = found.renderer(found.grammar.sample(0, 3))
    assert np.array_equal(frames.images, coins.renderer(coins.grammar.sample(0, 3)).images)
    assert set(frames.objects.name) == {"coin", "crumb"}
    space = dict(vars(found.module))
    exec(code[1], space)
    apples = Shapes(found.renderer.size, {"apple": {}})(space["grammar"].sample(0, 100)).objects
    assert len(apples) > 500 and apples.visibility.min() == 1, "they do not overlap"
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\S+) \|$", page.partition("## The background's")[0], re.MULTILINE))
    assert {name: float(rows[name]) for name in outline.ATTRIBUTES} == {
        name: limits[0] for name, limits in outline.ATTRIBUTES.items()}
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\S+) \|$", page.partition("## The background's")[2], re.MULTILINE))
    assert {name: float(rows[name]) for name in camera.ATTRIBUTES} == {
        name: limits[0] for name, limits in camera.ATTRIBUTES.items()}
