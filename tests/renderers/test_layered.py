"""Several renderers in one image: the same as one where one can draw it all, and exact labels where others cover."""

import numpy as np
import pytest
import torch
from checks import same_alone

from scenefit.data.frames import Frame
from scenefit.renderers import RenderError, render, renderer_info
from scenefit.renderers.clutter import cluttered
from scenefit.renderers.each import each
from scenefit.renderers.layered import Layers
from scenefit.renderers.shapes import Shapes
from scenefit.renderers.sprites import Sprites
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Uniform

SIZE = 24, 32
PLACE = {"x": Uniform(0, 32), "y": Uniform(0, 24), "angle": Angle(), "layer": Integer(0, 3)}


def grammar(**root):
    colours = dict.fromkeys(("red", "green", "blue"), Uniform(0, 1))
    disc = {**PLACE, **colours, "radius": Uniform(3, 8), "opacity": Uniform(0.3, 1)}
    kinds = {"a": disc, "b": disc, "car": {**PLACE, **colours, "opacity": Uniform(0.3, 1)}, "box": PLACE}
    return Grammar("image", {"image": {"shade": 0.5, **root}, **kinds},
                   [Rule("image", [repeat(kind, Integer(0, 3)) for kind in kinds])])


SHAPES, A, B = (Shapes(SIZE, {kind: {} for kind in kinds}) for kinds in ("ab", "a", "b"))
CARS = Sprites(SIZE, {"car": np.ones((1, 6, 10))}, labels={"car": ["sedan"]})


@each
def boxes(scene):
    """Boxes of 6 px, in the order of their ids, without a word about what is hidden."""
    image, ids = np.full((*SIZE, 3), 0.25), np.zeros(SIZE, int)
    for node in scene.nodes:
        if node.kind == "box":
            x, y = int(node.values["x"]), int(node.values["y"])
            where = slice(max(y - 3, 0), y + 3), slice(max(x - 3, 0), x + 3)
            image[where], ids[where] = 0.75, node.id
    return Frame(image, ids)


def same(one, other):
    pairs = [(one.images, other.images), (one.instances, other.instances)]
    pairs += [(getattr(one.objects, name), getattr(other.objects, name)) for name in (
        "id", "name", "box", "amodal", "area", "visibility", "truncation")]
    return all(np.array_equal(left, right) for left, right in pairs)


@pytest.mark.parametrize("renderer", [
    SHAPES, CARS, Sprites(SIZE, {"car": np.random.default_rng(0).random((2, 8, 8, 4))}, label="car")])
def test_one_renderer_is_what_it_is_alone(renderer):
    scenes = grammar(blur=Uniform(0, 2), noise=Uniform(0, 9), light=0.2).sample(0, 12)
    assert same(Layers([renderer])(scenes), render(renderer, scenes))
    assert torch.equal(Layers([renderer]).draw(scenes), renderer.draw(scenes))


def test_two_renderers_of_shapes_are_one_whose_kinds_alternate():
    """Of one layer, those of the first renderer lie below; so each layer has one kind here."""
    scenes = grammar(blur=Uniform(0, 2), noise=Uniform(0, 9)).sample(1, 12)
    scenes = scenes.with_columns({kind: {"layer": 2 * scenes.tables[kind]["layer"] + odd}
                                  for odd, kind in enumerate("ab")})
    assert same(Layers([A, B])(scenes), SHAPES(scenes))
    assert torch.equal(Layers([B, A]).draw(scenes), SHAPES.draw(scenes))


@pytest.mark.parametrize("layer", [0, 2])
def test_masks_follow_the_layers_of_all_renderers(layer):
    """A car of layer 1 lies above a disc of layer 0, and below one of layer 2."""
    middle = {"x": 16.0, "y": 12.0}
    world = Grammar("image", {"image": {}, "a": {**middle, "radius": 4.0, "layer": layer, "red": 1.0, "green": 0.0,
                                                "blue": 0.0}, "car": {**middle, "layer": 1, "green": 0.0}},
                    [Rule("image", ["a", "car"])])
    for renderers in ([A, CARS], [CARS, A]):
        frames = render(Layers(renderers), world.sample(0, 1))
        top, objects = ("a" if layer == 2 else "sedan"), frames.objects
        assert objects.name[objects.id == frames.instances[0, 12, 16]] == [top]
        assert frames.images[0, 12, 16].tolist() == ([255, 0, 0] if layer == 2 else [255, 0, 255])
        assert objects.visibility[objects.name == top] == 1 > objects.visibility[objects.name != top]
        assert objects.amodal[objects.name == "sedan"].tolist() == [[11, 9, 21, 15]]


def test_objects_of_a_function_are_pasted_at_their_layer_and_whole_extents_are_its_own():
    scenes = grammar().sample(2, 40)
    frames, alone = render(Layers([boxes, CARS]), scenes), boxes(scenes)
    assert set(frames.objects.name) >= {"box", "sedan"}
    assert (frames.images[frames.instances == 0] == 64).mean() > 0.95, "its image is the background; cars are soft"
    box = frames.objects.name == "box"
    place = (100 * one.objects.scene + one.objects.id for one in (alone, frames))
    seen = np.isin(next(place), next(place)[box])
    assert np.array_equal(frames.objects.amodal[box], alone.objects.amodal[seen])
    assert np.array_equal(frames.objects.area[box], alone.objects.area[seen])
    assert (frames.objects.visibility[box] < 1).any(), "cars cover some of them"
    layer = np.zeros((40, 20))
    for kind in ("box", "car"):
        table = scenes.tables[kind]
        layer[table.scene, table.id] = np.where(kind == "car", 0.5, 0) + table["layer"]
    only_cars, at = CARS(scenes).instances, np.arange(40)[:, None, None]
    both = (only_cars > 0) & (alone.instances > 0)
    higher = np.where(layer[at, only_cars] > layer[at, alone.instances], only_cars, alone.instances)
    assert both.any() and np.array_equal(frames.instances[both], higher[both])


@pytest.mark.parametrize("renderers", [[boxes, A, CARS, B], [CARS, A, B], [B, CARS, boxes, A]])
def test_same_bytes_whatever_the_batch(renderers):
    world, renderer = grammar(blur=Uniform(0, 2), noise=Uniform(0, 9)), Layers(renderers)
    together = renderer(world.sample(0, 32))
    assert same_alone(renderer, world, together, range(0, 32, 3))
    if boxes not in renderers:
        drawn = renderer.draw(world.sample(0, 32)).permute(0, 2, 3, 1)
        assert np.array_equal((drawn * 255).round().numpy(), together.images)


def test_the_first_renderer_gives_the_background():
    """As a function that draws nothing else, also where nothing lies on it; layers may be any numbers."""
    world = grammar(shade=51.0, light=0.3)
    scenes = world.sample(4, 120)
    scenes = scenes.with_columns({kind: {"layer": np.random.default_rng(0).random(len(scenes.tables[kind]))}
                                  for kind in ("a", "b", "car")})
    plain = each(lambda scene: np.full((*SIZE, 3), 51, np.uint8))
    assert same(Layers([CARS, A, B])(scenes), Layers([plain, CARS, A, B])(scenes))
    counts = sum(np.bincount(scenes.tables[kind].scene, minlength=120) for kind in ("a", "b", "car"))
    assert (counts == 0).any() and (counts > 4).any()


def test_one_camera_holds_for_all():
    scenes = grammar().sample(5, 8)
    fixed = {"blur": 2, "shadow": 0.5, "shadow_angle": 200, "noise": 4}
    tall = {"height": 4.0}
    first, second = Shapes(SIZE, {"a": tall}, camera=fixed), Shapes(SIZE, {"b": tall})
    scenes = scenes.with_columns({kind: {"layer": 2 * scenes.tables[kind]["layer"] + odd}
                                  for odd, kind in enumerate("ab")})
    assert same(Layers([first, second])(scenes), Shapes(SIZE, {"a": tall, "b": tall}, camera=fixed)(scenes))
    high = scenes.with_columns({"car": {"height": np.full(len(scenes.tables["car"]), 5.0)}})
    assert not np.array_equal(Layers([first, CARS])(high).images, Layers([first, CARS])(scenes).images), "cars' shadows"
    assert np.array_equal(Layers([second, CARS])(high).images, Layers([second, CARS])(scenes).images)


def test_labels_of_whole_images_are_those_of_the_first_renderer_that_has_one():
    some = each(lambda scene: Frame(np.zeros((*SIZE, 3)), label="day" if scene.index % 2 else None))
    others = each(lambda scene: Frame(np.zeros((*SIZE, 3)), label="some other time"))
    scenes, both = grammar().sample(0, 4), Layers([some, others])
    assert both(scenes).label.tolist() == ["some other time", "day"] * 2
    assert both(scenes.take([0, 2])).label.tolist() == ["some other time"] * 2
    assert Layers([others, some])(scenes).label.tolist() == ["some other time"] * 4


def test_layers_of_layers_are_layers():
    scenes = grammar(noise=9.0).sample(6, 8)
    assert same(Layers([Layers([A, CARS]), B])(scenes), Layers([A, CARS, B])(scenes))


def test_an_empty_batch():
    assert Layers([CARS, A])(grammar().sample(0, 0)).images.shape == (0, *SIZE, 3)


def test_gradients_pass_through_what_lies_above():
    scenes, renderer = grammar().sample(3, 6), Layers([A, CARS, B])
    names = [("a", "red"), ("a", "x"), ("car", "green"), ("car", "y"), ("b", "radius")]
    columns = {key: torch.tensor(np.asarray(scenes.tables[key[0]][key[1]], float), requires_grad=True) for key in names}

    def value(columns):
        nested = {kind: {n: c for (k, n), c in columns.items() if k == kind} for kind in ("a", "b", "car")}
        return renderer._paint(scenes.with_columns(nested), torch.float64, False)[0].square().sum()

    exact = torch.autograd.grad(value(columns), list(columns.values()))
    for (key, column), gradient in zip(columns.items(), exact, strict=True):
        assert gradient.abs().max() > 0, key
        for at in range(0, len(column), 3):
            ends = []
            for step in (1e-6, -1e-6):
                moved = column.detach().clone()
                moved[at] += step
                ends.append(value({**columns, key: moved}).item())
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(gradient[at].item(), rel=1e-4, abs=1e-5), key


def test_what_is_known_of_it():
    info = renderer_info(Layers([A, CARS]))
    assert info.size == SIZE and info.differentiable and info.device == "cpu" and info.to is not None
    assert renderer_info(info.to("cpu")).differentiable
    assert not renderer_info(Layers([boxes, A])).differentiable
    known = renderer_info(Layers([A, B])).attributes("image")
    assert "radius" in known["a"] and "blur" in known["image"]
    assert "ink" in renderer_info(Layers([A, CARS])).attributes("image")["car"]
    assert renderer_info(Layers([boxes, CARS])).attributes is None


def test_further_pixels_and_labels_are_kept():
    @each
    def deep(scene):
        ids = np.zeros(SIZE, int)
        ids[:, :16] = 1
        return Frame(np.zeros((*SIZE, 3)), ids, label="night", nodes={"speed": {1: 3.0}},
                     pixels={"depth": np.full(SIZE, 2.5), "floor": np.ones(SIZE, int)})

    world = Grammar("image", {"image": {}, "road": {}, "a": {"x": 0.0, "y": 12.0, "radius": 5.0}},
                    [Rule("image", ["road", "a"])])
    frames = render(Layers([deep, A]), world.sample(0, 2))
    covered = frames.instances == 2
    depth = frames.pixels["depth"]
    assert covered.any() and np.isnan(depth[covered]).all() and (depth[~covered] == 2.5).all()
    assert (frames.pixels["floor"] == ~covered).all() and frames.label.tolist() == ["night"] * 2
    assert frames.nodes["speed"]["road"].tolist() == [3.0, 3.0]
    with pytest.raises(RenderError, match="'depth' is given by two renderers; leave it out of one of them"):
        render(Layers([deep, each(lambda scene: Frame(np.zeros((*SIZE, 3)), pixels={"depth": np.zeros(SIZE)}))]),
               world.sample(0, 1))


@pytest.mark.parametrize(("given", "text"), [
    ([], "a list of renderers, at least one"), ((one for one in [A, CARS]), "a list of renderers"),
    ([A, cluttered(CARS)], "without foreign objects; add them above all others"),
    (A, "a list of renderers"), ([A, 3], "a list of renderers"),
    ([A, Shapes((9, 9), {"b": {}})], "needs renderers of one size, got")])
def test_what_layers_refuses(given, text):
    with pytest.raises((ValueError, TypeError), match=text):
        Layers(given)


def test_a_kind_that_two_renderers_draw_is_named():
    with pytest.raises(RenderError, match="a is drawn by two renderers, the second is Shapes; leave it out of one"):
        render(Layers([A, SHAPES]), grammar().sample(0, 8))


def test_functions_of_another_size_are_named():
    small = each(lambda scene: np.zeros((9, 9, 3)))
    for renderers in ([A, small], [small, A], [small, CARS], [small, boxes]):
        with pytest.raises(RenderError, match=r"images of one size, got \[\(9, 9\), \(24, 32\)\]"):
            render(Layers(renderers), grammar().sample(0, 1))


@pytest.mark.parametrize(("layer", "text"), [("low", "needs box.layer to be a number"), (np.inf, "a finite number")])
def test_layers_that_are_no_numbers_are_named(layer, text):
    scenes = grammar().sample(2, 4)
    scenes = scenes.with_columns({"box": {"layer": np.full(len(scenes.tables["box"]), layer)}})
    with pytest.raises(RenderError, match=text):
        render(Layers([boxes, A]), scenes)


def test_choices_of_layers_may_be_negative():
    world = Grammar("image", {"image": {}, "a": {"radius": 40.0, "layer": Choice([-5.0])}, "car": {}},
                    [Rule("image", ["car", "a"])])
    assert set(np.unique(render(Layers([A, CARS]), world.sample(0, 1)).instances)) == {1, 2}
