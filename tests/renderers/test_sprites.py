import numpy as np
import pytest
import torch
from checks import same_alone
from hypothesis import given, settings
from hypothesis import strategies as st

from scenefit.renderers import render, renderer_info
from scenefit.renderers.sprites import Sprites
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform


def world(count=1, root=None, **attributes):
    """A grammar of `count` things on a root."""
    return Grammar("image", {"image": root or {}, "thing": attributes}, [Rule("image", [repeat("thing", count)])])


def one(**attributes):
    return world(**attributes).sample(0, 1)


def grey(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def blob(size=16, sd=2.5):
    at = np.arange(size) + 0.5 - size / 2
    one_axis = np.exp(-0.5 * (at / sd) ** 2)
    skew = 1 + 0.3 * at[None, :] / size + 0.2 * at[:, None] / size
    return np.clip(one_axis[:, None] * one_axis[None, :] ** 0.5 * skew * 0.8, 0, 1)[None]


def disc(size=20, radius=7.0):
    at = np.arange(size) + 0.5 - size / 2
    return (np.hypot(at[:, None], at) < radius).astype(np.float32)[None]


def mixed(renderer_size=(30, 44)):
    """Scenes of every sort: two kinds, grey and colour, all attributes, several sizes."""
    rng = np.random.default_rng(5)
    attributes = {"x": Uniform(-10, 54), "y": Uniform(-10, 40), "angle": Angle(), "scale": Uniform(0.15, 2.5),
                  "opacity": Uniform(0.2, 1), "ink": Uniform(0.2, 1), "sprite": Integer(0, 2),
                  "height": Choice([0.0, 5.0])}
    grammar = Grammar("image", {"image": {"shade": Uniform(0, 200), "noise": Choice([0.0, 4.0]),
                                          "shadow": Choice([0.0, 0.4]), "shadow_angle": Angle()}, "a": attributes,
                                "b": {**attributes, **dict.fromkeys(("red", "green", "blue"), Uniform(-0.1, 1.1))}},
                      [Rule("image", [repeat("a", Integer(0, 4)), repeat("b", Integer(0, 3))])])
    renderer = Sprites(renderer_size, {"a": rng.random((3, 9, 12)), "b": rng.random((3, 16, 8, 4))},
                       labels={"a": ["p", "q", "r"]})
    return grammar, renderer


def naive(renderer, scenes, row):
    """One image by loops over pixels in float64, without supersampling or noise: [H, W, 3]."""
    height, width = renderer.size
    scene = scenes[row]
    canvas = np.full((height, width, 3), scene.root.values.get("shade", 0.0) / 255)
    root = scene.root.values
    for node in scene.nodes[1:]:
        turn, far = np.deg2rad(root.get("shadow_angle", 0)), node.values.get("height", 0)
        shifted = {"x": node.values.get("x", width / 2) + far * np.cos(turn), "ink": 0,
                   "y": node.values.get("y", height / 2) - far * np.sin(turn),
                   "opacity": node.values.get("opacity", 1) * root.get("shadow", 0)}
        _stamp(canvas, renderer.textures[node.kind], {**node.values, **shifted} if far else {"opacity": 0})
        _stamp(canvas, renderer.textures[node.kind], node.values)
    return canvas


def _stamp(canvas, textures, v):
    height, width = canvas.shape[:2]
    texture = np.asarray(textures[v.get("sprite", 0)], float)
    rgba = np.concatenate([np.ones((*texture.shape, 3)), texture[..., None]], 2) if texture.ndim == 2 else texture
    rgba = np.pad(np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], 2), ((1, 1), (1, 1), (0, 0)))
    h, w = texture.shape[:2]
    turn, scale = np.deg2rad(v.get("angle", 0)), v.get("scale", 1)
    tint = np.clip([v.get(name, 1) for name in ("red", "green", "blue")], 0, 1)
    for i, j in np.ndindex(height, width):
        dx, dy = j + 0.5 - v.get("x", width / 2), i + 0.5 - v.get("y", height / 2)
        u = (dx * np.cos(turn) - dy * np.sin(turn)) / scale + w / 2 - 0.5
        t = (dx * np.sin(turn) + dy * np.cos(turn)) / scale + h / 2 - 0.5
        if not (-1 < u < w and -1 < t < h):
            continue
        a, b = int(np.floor(u)), int(np.floor(t))
        fu, ft = u - a, t - b
        c = ((1 - ft) * ((1 - fu) * rgba[b + 1, a + 1] + fu * rgba[b + 1, a + 2])
             + ft * ((1 - fu) * rgba[b + 2, a + 1] + fu * rgba[b + 2, a + 2])) * v.get("opacity", 1)
        canvas[i, j] = canvas[i, j] * (1 - c[3]) + c[:3] * v.get("ink", 1) * tint


def test_a_sprite_in_the_middle_keeps_its_pixels():
    texture = grey(1, 6, 10)
    frames = Sprites((8, 12), {"thing": texture})(one())
    assert np.array_equal(frames.images[0, 1:7, 1:11, 0], texture[0])
    assert frames.images[0].sum() == 3 * int(texture.sum())
    assert frames.images.shape == (1, 8, 12, 3)


def test_colour_textures_keep_their_pixels_and_blend_by_alpha():
    texture = grey(1, 4, 4, 4)
    texture[..., 3] = 255
    texture[0, 0, 0, 3] = 0
    image = Sprites((4, 4), {"thing": texture})(one(root={"shade": 77})).images[0]
    assert np.array_equal(image[1:], texture[0, 1:, :, :3])
    assert image[0, 0].tolist() == [77, 77, 77]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("shape", [(8, 8), (6, 10)])
def test_angles_turn_counter_clockwise_as_seen(turns, shape):
    texture = grey(1, *shape)
    image = Sprites((12, 12), {"thing": texture})(one(angle=90.0 * turns)).images[0, ..., 0]
    turned = np.rot90(texture[0], turns)
    top, left = (12 - turned.shape[0]) // 2, (12 - turned.shape[1]) // 2
    assert np.array_equal(image[top:top + turned.shape[0], left:left + turned.shape[1]], turned)


def test_x_goes_right_and_y_goes_down():
    texture = grey(1, 4, 4)
    image = Sprites((12, 16), {"thing": texture})(one(x=11, y=3)).images[0, ..., 0]
    assert np.array_equal(image[1:5, 9:13], texture[0])


def test_half_size_is_the_mean_of_four_and_double_size_has_four_times_the_ink():
    texture = grey(1, 8, 8)
    half = Sprites((8, 8), {"thing": texture}).draw(one(scale=0.5))[0, 0].numpy() * 255
    assert np.allclose(half[2:6, 2:6], texture[0].reshape(4, 2, 4, 2).mean(axis=(1, 3)), atol=1e-3)
    double = Sprites((24, 24), {"thing": texture}).draw(one(scale=2.0))[0, 0].sum() * 255
    assert double == pytest.approx(4 * int(texture.sum()), rel=1e-5)


@pytest.mark.parametrize("scale", [0.04, 0.1, 0.3, 0.6])
def test_small_sprites_keep_their_ink(scale):
    texture = grey(1, 40, 40)
    ink = Sprites((40, 40), {"thing": texture}).draw(one(scale=scale, x=20.3, y=19.1, angle=20.0))[0, 0].sum() * 255
    assert float(ink) == pytest.approx(scale**2 * int(texture.sum()), rel=0.05)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_pixels_are_those_of_a_naive_loop(index):
    grammar, renderer = mixed((14, 18))
    scenes = grammar.sample(3, [index])
    rng = np.random.default_rng(index)
    scenes = scenes.with_columns({"image": {"noise": np.zeros(1)}, **{
        kind: {"scale": rng.uniform(0.71, 1.5, len(scenes.tables[kind])),
               "x": rng.uniform(-3, 21, len(scenes.tables[kind])), "y": rng.uniform(-3, 17, len(scenes.tables[kind]))}
        for kind in "ab"}})
    got = renderer.draw(scenes)[0].permute(1, 2, 0).numpy()
    assert np.abs(got - naive(renderer, scenes, 0)).max() < 2e-5


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("scale", [1.2, 0.45])
def test_gradients_are_those_of_finite_differences(colour, scale):
    texture = blob()
    if colour:
        texture = np.stack([texture * 0.9, texture * 0.5, 1 - texture, texture], -1)
    scales, part = Uniform(0.9 * scale, 1.1 * scale), Uniform(0.3, 0.9)
    scenes = world(count=2, root={"shade": Uniform(30, 90), "shadow": Uniform(0.3, 0.8), "shadow_angle": Angle()},
                   height=Uniform(2, 4), x=Uniform(6, 14), y=Uniform(5, 13), angle=Angle(),
                   scale=scales, opacity=part, ink=part, red=part, green=part, blue=part).sample(1, 3)
    renderer = Sprites((18, 20), {"thing": texture})
    weight = torch.tensor(np.random.default_rng(0).standard_normal((3, 3, 18, 20)))
    names = [("thing", n) for n in ("x", "y", "angle", "scale", "opacity", "ink", "red", "green", "blue", "height")]
    names += [("image", n) for n in ("shade", "shadow", "shadow_angle")]

    def value(columns):
        nested = {kind: {n: c for (k, n), c in columns.items() if k == kind} for kind in ("thing", "image")}
        return (renderer._draw(scenes.with_columns(nested), torch.float64) * weight).sum()

    columns = {(k, n): torch.tensor(scenes.tables[k][n], requires_grad=True) for k, n in names}
    gradient = torch.autograd.grad(value(columns), list(columns.values()))
    for key, exact in zip(names, gradient, strict=True):
        for at in range(len(exact)):
            ends = []
            for step in (1e-6, -1e-6):
                moved = columns[key].detach().clone()
                moved[at] += step
                ends.append(value({**columns, key: moved}).item())
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(exact[at].item(), rel=1e-4, abs=1e-6), key


def test_draw_has_gradients_in_float32_columns_and_each_scene_has_its_own():
    scenes = world(count=2, x=Uniform(6, 14)).sample(0, 5)
    renderer = Sprites((18, 20), {"thing": blob()})
    assert renderer_info(renderer).differentiable and renderer_info(renderer).size == (18, 20)

    def gradient(shift):
        x = torch.tensor(scenes.tables["thing"]["x"], dtype=torch.float32)
        x[scenes.tables["thing"].scene == 3] += shift
        x.requires_grad_()
        images = renderer.draw(scenes.with_columns({"thing": {"x": x}}))
        assert images.dtype == torch.float32 and images.shape == (5, 3, 18, 20)
        return torch.autograd.grad(images.square().sum(), x)[0][scenes.tables["thing"].scene != 3]

    assert torch.equal(gradient(0.0), gradient(1.7))
    assert gradient(0.0).abs().max() > 0


@pytest.mark.parametrize("size", [(30, 44), (200, 300)])
def test_same_bytes_whatever_the_batch(size):
    grammar, renderer = mixed(size)
    together = renderer(grammar.sample(0, 64))
    assert same_alone(renderer, grammar, together, range(0, 64, 5))


def test_draw_and_call_agree():
    grammar, renderer = mixed()
    scenes = grammar.sample(0, 9)
    drawn = (renderer.draw(scenes).permute(0, 2, 3, 1).numpy() * 255).round()
    assert np.array_equal(drawn, renderer(scenes).images)


def test_later_ids_cover_earlier_ones():
    texture = np.full((1, 6, 6), 255, np.uint8)
    scenes = world(count=2, x=Choice([8.0]), y=8.0, ink=Uniform(0, 1)).sample(0, 1)
    scenes = scenes.with_columns({"thing": {"x": np.array([8.0, 10.0]), "ink": np.array([0.2, 0.6])}})
    frames = Sprites((16, 16), {"thing": texture})(scenes)
    assert frames.instances[0, 8, 4:14].tolist() == [0, 1, 1, 2, 2, 2, 2, 2, 2, 0]
    assert frames.images[0, 8, 5:13, 0].tolist() == [51, 51, 153, 153, 153, 153, 153, 153]
    found = frames.objects
    assert found.pixels.tolist() == [12, 36] and found.area.tolist() == [36, 36]
    assert found.amodal.tolist() == [[5, 5, 11, 11], [7, 5, 13, 11]]
    assert found.box.tolist() == [[5, 5, 7, 11], [7, 5, 13, 11]]
    assert found.visibility.tolist() == pytest.approx([12 / 36, 1])


@pytest.mark.parametrize(("x", "y", "inside"), [(0, 8, 18), (16, 0, 9), (20, 8, 0), (-400, 900, 0), (8, 8, 36)])
def test_boxes_and_areas_of_cut_sprites_are_whole(x, y, inside):
    frames = Sprites((16, 16), {"thing": np.full((1, 6, 6), 255, np.uint8)})(one(x=x, y=y))
    found = frames.objects
    assert found.amodal.tolist() == [[x - 3, y - 3, x + 3, y + 3]]
    assert found.area.tolist() == [36] and found.pixels.tolist() == [inside]
    assert found.truncation.tolist() == pytest.approx([1 - inside / 36])
    assert found.visibility.tolist() == [1.0 if inside else 0.0]


def test_half_a_pixel_is_not_covered():
    found = Sprites((16, 16), {"thing": np.full((1, 6, 6), 255, np.uint8)})(one(x=8.5, y=8.0)).objects
    assert found.amodal.tolist() == [[6, 5, 11, 11]] and found.area.tolist() == [30]


def test_rows_of_a_kind_at_several_depths_keep_their_own_labels():
    grammar = Grammar("image", {"image": {}, "thing": {"x": Uniform(0, 30), "sprite": Integer(0, 2)}},
                      [Rule("image", ["thing"]), Rule("thing", [repeat("thing", 1)], 0.4), Rule("thing", [], 0.6)])
    scenes = grammar.sample(0, 12)
    table = scenes.tables["thing"]
    assert np.any(np.diff(table.scene) < 0)
    texture = np.zeros((3, 2, 12), np.uint8)
    for width, one_texture in zip((2, 6, 10), texture, strict=True):
        one_texture[:, 6 - width // 2:6 + width // 2] = 255
    frames = Sprites((8, 30), {"thing": texture}, {"thing": ["2", "6", "10"]})(scenes)
    want = np.array([2, 6, 10])[table["sprite"]]
    assert frames.classes["thing"].tolist() == [str(w) for w in want]
    assert np.abs((frames.amodal["thing"][:, [0, 2]]).mean(axis=1) - table["x"]).max() <= 0.5
    assert np.abs(np.diff(frames.amodal["thing"][:, [0, 2]])[:, 0] - want).max() <= 1


@settings(max_examples=20, deadline=None)
@given(st.floats(-8, 40), st.floats(-8, 40), st.floats(-180, 180), st.floats(0.5, 2.5))
def test_extents_are_those_of_the_same_sprite_on_an_endless_image(x, y, angle, scale):
    renderer, large = (Sprites(size, {"thing": disc()}) for size in ((32, 32), (160, 160)))
    found = renderer(one(x=x, y=y, angle=angle, scale=scale)).objects
    whole = large(one(x=x + 64, y=y + 64, angle=angle, scale=scale)).objects
    assert np.abs(found.area - whole.pixels).max() <= 2  # ties, as x + 64 rounds
    assert np.abs(found.amodal - (whole.box - 64)).max() <= 1
    inside = large(one(x=x + 64, y=y + 64, angle=angle, scale=scale)).instances[0, 64:96, 64:96].sum()
    assert abs(int(found.pixels[0]) - int(inside)) <= 2


def test_a_disc_has_the_area_of_a_disc():
    found = Sprites((64, 64), {"thing": disc(40, 18.0)})(one(angle=33.0, scale=0.8, x=30.4)).objects
    assert float(found.area[0]) == pytest.approx(np.pi * (18 * 0.8) ** 2, rel=0.01)
    assert found.amodal[0] == pytest.approx([16, 17.6, 44.8, 46.4], abs=1.0)


def test_shadows_fall_in_one_direction_and_have_no_pixels():
    attributes = {"x": Choice([4.0, 9.0]), "y": 8.0, "height": 4.0, "red": 1.0, "green": 0.2}
    scenes = world(count=2, root={"shade": 200, "shadow": 0.5, "shadow_angle": 270}, **attributes).sample(0, 4)
    renderer = Sprites((18, 14), {"thing": np.ones((1, 2, 2))}, labels={"thing": ["car"]})
    frames, plain = renderer(scenes), renderer(scenes.with_columns({"image": {"shadow": np.zeros(4)}}))
    below = np.zeros((18, 14), bool)
    below[11:13] = True  # 4 px
    x = (scenes.tables["thing"]["x"].reshape(4, 2)).astype(int)
    for row in range(4):
        shadow = below & np.isin(np.arange(14), [x[row] - 1, x[row]])
        both = below & np.isin(np.arange(14), [x[row, 0] - 1, x[row, 0]]) if x[row, 0] == x[row, 1] else ~below & below
        want = np.where(both, 50, np.where(shadow, 100, plain.images[row, ..., 0]))
        assert np.array_equal(frames.images[row, ..., 0], want)
    deep = renderer(scenes.with_columns({"image": {"shadow": np.full(4, 1.5)}}))
    assert deep.images[..., 0][frames.images[..., 0] == 100].max() == 0, "clipped to 1"
    height = torch.tensor(scenes.tables["thing"]["height"], requires_grad=True)
    assert torch.equal(renderer.draw(scenes.with_columns({"thing": {"height": height}})), renderer.draw(scenes))
    assert np.array_equal(frames.instances, plain.instances) and frames.objects.name.tolist() == ["car"] * 8
    assert np.array_equal(frames.objects.area, plain.objects.area)
    assert np.array_equal(frames.objects.visibility, plain.objects.visibility)


def test_white_textures_take_the_colour_of_their_node():
    scenes = world(count=2, x=Choice([2.0, 6.0]), red=1.0, green=0.5, blue=7.0).sample(0, 8)
    images = Sprites((4, 8), {"thing": np.ones((1, 2, 2))})(scenes).images
    seen = images.reshape(-1, 3)[images.any(-1).ravel()]
    assert len(seen) and (seen == [255, 128, 255]).all(), "of half a level, rounded to even; a colour is clipped to 1"


def test_masks_ignore_opacity_and_ink_but_not_their_absence():
    renderer = Sprites((8, 8), {"thing": np.full((1, 4, 4), 255, np.uint8)})
    assert renderer(one(opacity=0.1, ink=0.0)).objects.pixels.tolist() == [16]
    assert len(renderer(one(opacity=0.0)).objects) == 0


def test_classes_and_the_label_of_the_image():
    scenes = world(count=Integer(1, 2), sprite=Integer(0, 2)).sample(0, 20)
    renderer = Sprites((8, 8), {"thing": np.full((3, 4, 4), 255, np.uint8)}, {"thing": [7, 8, 9]}, label="thing")
    frames = render(renderer, scenes)
    table = scenes.tables["thing"]
    assert frames.classes["thing"].tolist() == [str(7 + s) for s in table["sprite"]]
    for row in range(20):
        mine = table["sprite"][table.scene == row]
        assert frames.label[row] == (str(7 + mine[0]) if len(mine) == 1 else "")
    assert set(frames.label) > {"", "7"}
    assert set(render(Sprites((8, 8), {"thing": grey(3, 4, 4)}), scenes).objects.name) <= {"thing"}


def test_shade_is_clipped_and_may_belong_to_another_kind():
    grammar = Grammar("image", {"image": {}, "ground": {"shade": Normal(0, 5)}, "thing": {}},
                      [Rule("image", ["ground", "thing"])])
    scenes = grammar.sample(0, 50)
    frames = Sprites((8, 8), {"thing": np.zeros((1, 2, 2))}, background="ground")(scenes)
    want = np.rint(np.maximum(scenes.tables["ground"]["shade"], 0))
    assert np.array_equal(frames.images, np.broadcast_to(want[:, None, None, None], (50, 8, 8, 3)))
    assert (want == 0).sum() > 5 and (want > 0).sum() > 5


def test_noise_belongs_to_the_scene_and_has_its_spread():
    grammar = world(root={"shade": 128, "noise": 6.0})
    renderer = Sprites((40, 40), {"thing": np.zeros((1, 2, 2))})
    images = renderer(grammar.sample(0, 4)).images
    assert images[..., 0].astype(float).std() == pytest.approx(6, rel=0.05)
    assert abs(images.mean() - 128) < 0.5
    assert np.array_equal(renderer(grammar.sample(0, [2])).images[0], images[2])
    assert not np.array_equal(images[2], images[3])
    assert not np.array_equal(renderer(grammar.sample(1, [2])).images[0], images[2])


def test_scenes_without_sprites_and_batches_without_scenes():
    renderer = Sprites((6, 8), {"thing": grey(1, 4, 4)}, label="thing")
    frames = renderer(world(count=0, root={"shade": 9.0}).sample(0, 3))
    assert np.all(frames.images == 9) and len(frames.objects) == 0 and frames.label.tolist() == ["", "", ""]
    assert renderer(world().sample(0, 0)).images.shape == (0, 6, 8, 3)


@pytest.mark.parametrize(("change", "text"), [
    ({"size": (0, 4)}, r"Sprites needs size=\(height, width\), both whole numbers >= 1, got \(0, 4\)"),
    ({"textures": {"thing": grey(4, 4)}}, r"\['thing'\] need the shape \[N, h, w\] or \[N, h, w, 4\], got \[4, 4\]"),
    ({"textures": {"thing": np.full((1, 4, 4), 7.0)}}, r"need uint8, or float in 0..1, got 7..7"),
    ({"textures": {"thing": np.full((1, 4, 4), np.nan)}}, "need uint8, or float in 0..1"),
    ({"labels": {"thing": ["a"]}}, r"labels\['thing'\] needs one class a texture, got 1 for 2 textures"),
    ({"labels": {"other": ["a"]}}, r"labels\['other'\] needs one class a texture, got 1 for 0 textures"),
    ({"label": "other"}, r"label names the kind 'other', but there are textures of \['thing'\] only")])
def test_what_sprites_refuses_when_made(change, text):
    with pytest.raises(ValueError, match=text):
        Sprites(**{"size": (4, 4), "textures": {"thing": grey(2, 4, 4)}, **change})


@pytest.mark.parametrize(("columns", "text"), [
    ({"x": [1.0, np.nan]}, r"thing.x is nan in scene 8 of seed 5 \(node 1\); Sprites needs a finite number"),
    ({"scale": [-1.0, 1.0]}, r"thing.scale is -1 in scene 7 of seed 5 \(node 1\); Sprites needs a number >= 0"),
    ({"sprite": [0, 2]}, r"thing.sprite is 2 in scene 8 of seed 5 \(node 1\); Sprites needs a whole number in 0..1"),
    ({"sprite": [0.5, 0]}, r"thing.sprite is 0.5 in scene 7"),
    ({"angle": ["up", "down"]}, "Sprites needs thing.angle to be a number, got <U4 values")])
def test_what_sprites_refuses_in_a_scene(columns, text):
    scenes = world().sample(5, [7, 8]).with_columns({"thing": {k: np.array(v) for k, v in columns.items()}})
    with pytest.raises(ValueError, match=text):
        Sprites((4, 4), {"thing": grey(2, 4, 4)})(scenes)


def test_kinds_that_do_not_fit():
    with pytest.raises(ValueError, match=r"textures of 'car', but no symbol of the grammar is named car: there are"):
        Sprites((4, 4), {"car": grey(1, 4, 4)})(one())
    with pytest.raises(ValueError, match="the root 'image' cannot be a sprite"):
        Sprites((4, 4), {"image": grey(1, 4, 4)})(one())
    with pytest.raises(ValueError, match="background names the kind 'sky'"):
        Sprites((4, 4), {"thing": grey(1, 4, 4)}, background="sky")(one())
    with pytest.raises(ValueError, match="background 'thing': a scene has one at most"):
        Sprites((4, 4), {"thing": grey(1, 4, 4)}, background="thing")(world(count=2, shade=1.0).sample(0, 1))
    with pytest.raises(ValueError, match="textures of at least one kind"):
        Sprites((4, 4), {})(one())


ABSURD = (1e10, 1e30, 1e308, -1e30, -1e308, np.inf, -np.inf, np.nan, np.longdouble("1e400"))
CLIPPED = {"opacity", "ink", "shade"}


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize("name", ["x", "y", "angle", "scale", "sprite", "opacity", "ink", "shade", "noise"])
def test_absurd_numbers_are_named_or_clipped_and_never_crash(name, value):
    kind = "image" if name in ("shade", "noise") else "thing"
    scenes = one().with_columns({kind: {name: np.array([value])}})
    renderer = Sprites((8, 8), {"thing": np.full((1, 4, 4), 255, np.uint8)})
    if name in CLIPPED and np.isfinite(float(value)):
        assert np.isfinite(renderer.draw(scenes).numpy()).all() and len(renderer(scenes)) == 1
        return
    for draw in (renderer, renderer.draw):
        with pytest.raises(ValueError, match=rf"{kind}\.{name} is \S+ in scene 0 of seed 0 \(node [01]\); Sprites need"
                                             "s (a finite number|a number from -?.* to 1e.09; bound|a whole number)"):
            draw(scenes)


def test_a_sprite_much_larger_than_the_image_is_named():
    renderer = Sprites((8, 8), {"thing": np.full((1, 4, 4), 255, np.uint8)})
    assert len(renderer(one(scale=8.0)).objects) == 1
    text = (r"thing\.scale is 500 in scene 0 of seed 0 \(node 1\); Sprites needs a scale below 9\.051, at which a "
            "texture is 8 times as large as the image; bound its prior")
    with pytest.raises(ValueError, match=text):
        renderer(one(scale=500.0))


@pytest.mark.parametrize("name", [None, 2.5, b"zq7", "zq7 "])
def test_classes_of_textures_are_texts(name):
    with pytest.raises(ValueError, match=r"^a class in labels\['thing'\] is .*(a class needs a text|differs from)"):
        Sprites((4, 4), {"thing": grey(2, 4, 4)}, {"thing": ["a", name]})


@pytest.mark.parametrize("change", [{"textures": grey(2, 4, 4)}, {"textures": None}, {"labels": ["a", "b"]}])
def test_dictionaries_are_asked_for(change):
    text = rf"^Sprites\(size, textures, labels\): {next(iter(change))} needs a dictionary from kinds, such as"
    with pytest.raises(ValueError, match=text):
        Sprites(**{"size": (4, 4), "textures": {"thing": grey(2, 4, 4)}, **change})
