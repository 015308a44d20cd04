"""Renderers that draw one scene at a time, and `render`, which checks every renderer."""

import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
from checks import altered_frames

from scenefit.data.frames import Frame, make_frames
from scenefit.renderers import RendererInfo, RenderError, render, renderer_info
from scenefit.renderers.each import each
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Integer, Uniform

GRAMMAR = Grammar("table", {"table": {"shade": Uniform(0, 0.3)},
                            "coin": {"x": Uniform(-2, 18), "y": Uniform(2, 10), "r": Uniform(1, 3)}, "note": {}},
                  [Rule("table", [repeat("coin", Integer(0, 3)), repeat("note", 1)])])
SCENES = GRAMMAR.sample(0, [5, 6, 7, 40])


def boxes(scene, **change):
    image, masks = np.full((12, 16), scene.root.shade), np.zeros((12, 16), int)
    amodal, area = {}, {}
    for coin in scene.of("coin"):
        x0, y0, x1, y1 = (round(v) for v in (coin.x - coin.r, coin.y - coin.r, coin.x + coin.r, coin.y + coin.r))
        place = slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0))
        image[place], masks[place] = 0.9, coin.id
        amodal[coin.id], area[coin.id] = (x0, y0, x1, y1), (x1 - x0) * (y1 - y0)
    return replace(Frame(image, masks, label="coins", classes={c.id: "big" for c in scene.of("coin") if c.r > 2},
                         amodal=amodal, area=area), **change)


@each
def drawn(scene):
    """Boxes on a table."""
    return boxes(scene)


@each
def picture(scene):
    return np.full((4, 5, 3), 40, np.uint8)


def test_frames_of_single_scenes_become_columns():
    frames = render(drawn, SCENES)
    assert repr(frames) == "Frames(4 images of 12 x 16 pixels)"
    assert frames.images.shape == (4, 12, 16, 3) and frames.instances.dtype == np.int32
    assert frames.label.tolist() == ["coins"] * 4
    table = SCENES.tables["coin"]
    assert frames.classes["coin"].tolist() == ["big" if r > 2 else "coin" for r in table["r"]]
    assert frames.classes["note"].tolist() == ["note"] * 4
    for row, scene in enumerate(SCENES):
        want = boxes(scene)
        assert np.array_equal(frames.instances[row], want.instances)
        assert np.array_equal(frames.images[row, ..., 1], np.rint(want.image * 255))
        for node, place in zip(table.id[table.scene == row], np.flatnonzero(table.scene == row), strict=True):
            assert tuple(frames.amodal["coin"][place]) == want.amodal[node]
            assert frames.area["coin"][place] == want.area[node]


def test_more_pixels_and_node_labels():
    def deep(scene):
        coins = scene.of("coin")
        return Frame(np.zeros((6, 8)), pixels={"depth": np.full((6, 8), scene.index)},
                     nodes={"box3d": {c.id: np.full((8, 3), c.r) for c in coins[:2]},
                            "colour": {c.id: "red" for c in coins}})

    frames = render(each(deep), SCENES)
    coins = SCENES.tables["coin"]
    assert np.array_equal(frames.pixels["depth"][:, 0, 0], SCENES.index) and list(frames.nodes["box3d"]) == ["coin"]
    assert set(frames.nodes["colour"]["coin"]) == {"red"}
    rank = np.arange(len(coins)) - np.searchsorted(coins.scene, coins.scene)
    found = frames.nodes["box3d"]["coin"]
    assert np.array_equal(found[rank < 2], np.broadcast_to(coins["r"][rank < 2, None, None], found[rank < 2].shape))
    assert found.shape == (len(coins), 8, 3) and np.all(np.isnan(found[rank >= 2])) and np.any(rank >= 2)


@pytest.mark.parametrize(("more", "text"), [
    (lambda s: {"pixels": {"depth": np.zeros((6, 7))}}, r"pixels 'depth' need the shape of the image, \[6, 8, '...'\]"),
    (lambda s: {"pixels": {"depth": np.zeros((6, 8))} if s.index == 5 else {}},
     r"scene 6 .* its pixels are {}, but those of the first scene {'depth': \(6, 8\)}; each scene gives the same"),
    (lambda s: {"pixels": [np.zeros((6, 8))]}, "scene 5 .* does not fit: pixels needs a dictionary, got list"),
    (lambda s: {"nodes": {"pose": 3}}, "scene 5 .* does not fit: pose needs a dictionary, got int"),
    (lambda s: {"classes": "coin"}, "scene 5 .* does not fit: classes needs a dictionary, got str"),
    (lambda s: {"nodes": {"pose": {77: 1.0}}}, r"pose names node 77, but the objects are 1\.\."),
    (lambda s: {"nodes": {"pose": {1: 1.0 if s.index == 5 else [1.0, 2.0]}}},
     r"scene 6 .* pose of its nodes have the shapes \[\(\), \(2,\)\]; all nodes need the same")])
def test_more_pixels_and_node_labels_that_do_not_fit(more, text):
    with pytest.raises(RenderError, match=text):
        render(each(lambda scene: Frame(np.zeros((6, 8)), **more(scene))), SCENES)


def test_the_part_inside_the_image_follows_the_box():
    def cut(box):
        frame = each(lambda scene: Frame(np.zeros((10, 10)), None, amodal={1: box}, area={1: 40}))
        return render(frame, SCENES.take([3])).inside

    coins = len(SCENES.take([3]).tables["coin"])
    assert coins
    assert cut((0, 0, 8, 8))["coin"][0] == 40
    assert cut((-4, 2, 4, 6))["coin"][0] == 20
    assert cut((-5, -5, 5, 15))["coin"][0] == 10
    assert cut((20, 20, 30, 30))["coin"][0] == 0
    assert cut((3, 3, 3, 9))["coin"][0] == 0
    assert np.all(np.isnan(cut((0, 0, 8, 8))["coin"][1:])) and np.all(np.isnan(cut((0, 0, 8, 8))["note"]))


def test_truncated_and_whole_objects_are_labelled():
    found = render(drawn, GRAMMAR.sample(0, 200)).objects
    coins = found.name != "note"
    cut = (found.amodal[:, 0] < 0) | (found.amodal[:, 2] > 16) | (found.amodal[:, 1] < 0) | (found.amodal[:, 3] > 12)
    assert cut.sum() > 10
    assert np.all(found.truncation[cut & coins] > 0) and np.all(found.truncation[~cut & coins] == 0)


def test_an_image_alone_is_enough():
    frames = render(picture, SCENES)
    assert np.all(frames.images == 40) and frames.images.shape == (4, 4, 5, 3)
    assert len(frames.objects) == 0 and frames.label.tolist() == [""] * 4
    grey_and_colour = each(lambda scene: np.zeros((2, 2) if scene.index == 5 else (2, 2, 3)))
    assert render(grey_and_colour, SCENES).images.shape == (4, 2, 2, 3)


def test_the_function_keeps_its_name_and_can_be_pickled():
    assert drawn.__name__ == "drawn" and drawn.__doc__ == "Boxes on a table."
    assert pickle.loads(pickle.dumps(drawn)) is drawn
    assert renderer_info(drawn).size is None and not renderer_info(drawn).differentiable


def broken(value):
    """A renderer whose answer for scene 6 is value, or who raises it."""
    def picky(scene):
        if scene.index != 6:
            return boxes(scene)
        if isinstance(value, Exception):
            raise value
        return value(scene) if callable(value) else value
    return each(picky)


@pytest.mark.parametrize(("value", "text"), [
    (KeyError("oops"), "renderer picky raised KeyError: 'oops'"),
    (None, r"a Frame or an image \(uint8, or float in 0..1\) is needed, got None; does the function lack its return"),
    ("text", r"a Frame or an image .* is needed, got str 'text'"),
    ((np.zeros((12, 16)), None), r"got a tuple of 2; return scenefit.Frame\(image, instances\)"),
    (np.zeros((12, 16), int), r"an image needs uint8, or float in 0..1, got int64; .astype\(np.uint8\)"),
    (np.zeros((12, 16), bool), r"an image needs uint8, or float in 0..1, got bool; .astype\(float\)"),
    ({"image": 3}, "a Frame or an image .* is needed, got dict"),
    (np.full((12, 16), np.nan), "an image holds NaN or infinite values"),
    (np.full((12, 16), 200.0), r"needs values in 0..1, got 200..200; divide by 255"),
    (np.zeros((12, 16, 4)), r"needs the shape \[H, W\] or \[H, W, 3\], got \[12, 16, 4\]"),
    (np.zeros((9, 16)), r"its image is \[9, 16\], but that of the first scene \[12, 16\]; a renderer"),
    (lambda s: boxes(s, instances=np.zeros((3, 3), int)), r"the shape of the image, \[12, 16\], got \[3, 3\]"),
    (lambda s: boxes(s, instances=np.zeros((12, 16))), "instances need whole numbers .*, got float64"),
    (lambda s: boxes(s, instances=np.full((12, 16), 99)), r"hold 99..99, but the nodes are 0..\d+; use node.id"),
    (lambda s: boxes(s, instances=np.full((12, 16), -1)), "instances hold -1..-1, but the nodes are"),
    (lambda s: boxes(s, instances=boxes(s).instances > 0),
     "instances are true or false, which names no object: all objects of a scene would become one; give each pixel the "
     r"id of the node seen in it, instances\[inside\] = node.id, and 0 where there is none"),
    (lambda s: boxes(s, classes={1: None}), "the class of node 1 is None, but a class needs a text, such as 'coin'"),
    (lambda s: boxes(s, classes={1: b"zq7"}), "the class of node 1 is bytes b'zq7', but a class needs a text"),
    (lambda s: boxes(s, classes={1: 2.5}), "the class of node 1 is float 2.5, but a class needs a text"),
    (lambda s: boxes(s, classes={1: "zq7\t"}), r"node 1 is 'zq7\\t', which differs from 'zq7' in its spaces only"),
    (lambda s: boxes(s, label=False), "the label of its image is bool False, but a class needs a text"),
    (lambda s: boxes(s, classes={99: "x"}), r"classes names node 99, but the objects are 1..\d+; use node.id"),
    (lambda s: boxes(s, amodal={1: (0, 0, 1, 1)}, area=None), "node 1 has an amodal box only; the whole extent"),
    (lambda s: boxes(s, amodal=None, area={1: 3}), "node 1 has an area only"),
    (lambda s: boxes(s, amodal={1: (3, 0, 1, 1)}, area={1: 3}), r"box of node 1 needs x0 <= x1 .* \(3, 0, 1, 1\)"),
    (lambda s: boxes(s, amodal={1: (0, 0, 1, 1)}, area={1: np.nan}), "area of node 1 needs a number >= 0, got nan")])
def test_what_each_refuses_names_the_scene(value, text):
    with pytest.raises(RenderError, match=text) as caught:
        render(broken(value), SCENES)
    error = caught.value
    assert (error.seed, error.indices) == (0, (6,))
    assert str(error).startswith("scene 6 of seed 0: ") and "replay with: grammar.sample(0, [6])" in str(error)
    assert error.scenes is not None and error.scenes.index.tolist() == [6]
    if isinstance(value, Exception):
        assert error.__cause__ is value


def test_an_empty_batch_has_no_size():
    with pytest.raises(RenderError, match="each needs at least one scene"):
        render(drawn, SCENES.take([]))


@pytest.mark.parametrize("bad", [[7], [6, 40], [5, 6, 7, 40]])
def test_a_batch_renderer_that_raises_is_asked_for_the_scene(bad):
    def flaky(scenes):
        if np.isin(scenes.index, bad).any():
            raise ZeroDivisionError("by zero")
        return drawn(scenes)

    with pytest.raises(RenderError, match=f"scene {bad[0]} of seed 0: renderer flaky raised ZeroDivisionError"):
        render(flaky, SCENES)


def test_a_renderer_that_ends_the_program_is_an_error():
    def leaves(scenes):
        sys.exit(0)

    for renderer in (leaves, each(leaves)):
        with pytest.raises(RenderError, match="raised SystemExit: 0"):
            render(renderer, SCENES)


def test_a_batch_renderer_that_fails_on_the_whole_only():
    def narrow(scenes):
        if len(scenes) > 2:
            raise MemoryError("too many")
        return drawn(scenes)

    with pytest.raises(RenderError, match=r"scenes 5, 6, 7, 40 of seed 0: .* too many; each half of these scenes"):
        render(narrow, SCENES)


def lie(**change):
    return lambda scenes: altered_frames(drawn(scenes), **change)


def mask_with(value):
    """Masks [4, 12, 16] with one wrong pixel, in the third scene."""
    masks = np.zeros((4, 12, 16), np.int32)
    masks[2, 3, 4] = value
    return masks


class Sized:
    info = RendererInfo(size=(10, 10))

    def __call__(self, scenes):
        return drawn(scenes)


@pytest.mark.parametrize(("renderer", "text"), [
    (lambda scenes: np.zeros((4, 12, 16, 3), np.uint8), "must return Frames .* got ndarray; if it draws one scene"),
    (lambda scenes: None, r"must return Frames .* got None \(does it lack its return\?\)"),
    (lambda scenes: (1, 2), r"must return Frames .* got a tuple of 2 \(return scenefit.make_frames\(scenes, images, "),
    (lambda scenes: drawn(scenes.take([0, 1])), "returned 2 images for 4 scenes"),
    (lambda scenes: drawn(scenes.take([1, 0, 2, 3])), "returned frames of other scenes: scenes 6, 5, 7, 40 of seed 0"),
    (lambda scenes: make_frames(GRAMMAR.sample(1, scenes.index), np.zeros((4, 3, 3))), "of other scenes: .* of seed 1"),
    (lie(images=np.zeros((4, 12, 16, 3))), r"must return uint8 images \[4, H, W, 3\], got float64 \[4, 12, 16, 3\]"),
    (lie(images=np.zeros((4, 12, 16), np.uint8)), r"must return uint8 images \[4, H, W, 3\], got uint8 \[4, 12, 16\]"),
    (lie(instances=np.zeros((4, 3, 3), np.int32)), r"must return pixels 'instances' \[4, 12, 16\], got \[4, 3, 3\]"),
    (lie(label=np.array(["a"])), r"must return 4 labels, got 1"),
    (lie(label=None), r"must return 4 labels as an array of texts, '' for none, got None"),
    (lie(label=np.zeros(4)), r"must return 4 labels as an array of texts, '' for none, got an array of float64 \[4\]"),
    (lie(instances=mask_with(99)), r"frames that do not fit: instances of scene 7 hold 99, but its nodes are 0..\d+;"),
    (lie(instances=mask_with(-1)), r"frames that do not fit: instances of scene 7 hold -1, but its nodes are 0..\d+;"),
    (lie(instances=np.zeros((4, 12, 16))), r"instances need whole numbers \(node ids, 0 for none\), got float64"),
    (lie(instances=np.ones((4, 12, 16), bool)), "do not fit: instances are true or false, which names no object"),
    (lie(instances=np.full((4, 12, 16), None)), r"must return pixels 'instances' \[4, 12, 16\]"),
    (lie(instances=None), r"must return an array of pixels 'instances', got None"),
    (lie(classes={"table": np.full(4, None), "coin": None, "note": None}),
     r"must return class of table as an array of numbers or texts, got an array of object \[4\]"),
    (lie(classes={**drawn(SCENES).classes, "table": np.arange(4)}), "must return the class of table as texts, got int"),
    (lie(classes={**drawn(SCENES).classes, "table": np.full(4, "zq7 ")}),
     r"do not fit: a class of table is 'zq7 ', which differs from 'zq7' in its spaces only; write 'zq7'"),
    (lie(amodal={"table": np.zeros((4, 3))}), r"must return amodal of table as numbers \[4, 4\], got float64 \[4, 3\]"),
    (lie(area={"table": [1, 2, 3, 4]}), r"must return area of table as an array of numbers or texts, got list \[1, 2"),
    (lambda scenes: replace(drawn(scenes), scenes=GRAMMAR),
     "must return frames of the scenes that it was called with, got a value of type Grammar"),
    (lie(area={"coin": np.zeros(77)}), r"returned 77 rows of area for the \d+ nodes of coin"),
    (Sized(), r"Sized has info.size \(10, 10\) \(height, width\), but returned images of \(12, 16\)")])
def test_a_renderer_that_lies_is_found_out(renderer, text):
    with pytest.raises(RenderError, match=text) as caught:
        render(renderer, SCENES)
    assert caught.value.indices == (5, 6, 7, 40)


def test_errors_cross_processes_with_their_scenes():
    error = RenderError("why", 3, range(70))
    error.add_note("a note")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) and copy.seed == 3 and copy.indices == tuple(range(70))
    assert copy.__notes__ == ["a note"]
    assert str(error).startswith("scenes 0, 1, 2, ... 69 (70) of seed 3: why; replay with: grammar.sample(3, [0, 1,")


def test_a_forgotten_decorator_is_named():
    with pytest.raises(RenderError, match=r"no attribute 'root' \(a function that draws one scene at a time needs"):
        render(lambda scene: scene.root, SCENES)


@pytest.mark.parametrize(("arguments", "text"), [
    ((SCENES, drawn), r"renderer needs a renderer: a function below @scenefit.each, .*; got a value of type SceneBat"),
    ((drawn, GRAMMAR), r"scenes needs scenes, as grammar.sample\(seed, 8\) returns; got a value of type Grammar"),
    ((drawn, SCENES[0]), r"scenes needs scenes, as .*; got a value of type Scene$"),
    ((drawn, 8), r"scenes needs scenes, as .*; got int 8"),
    ((Sized, SCENES), r"renderer needs a renderer: .*; got the class Sized"),
    ((None, SCENES), r"renderer needs a renderer: .*; got None")])
def test_arguments_of_render_that_are_something_else(arguments, text):
    with pytest.raises(ValueError, match=rf"^render\(renderer, scenes\): {text}"):
        render(*arguments)


@pytest.mark.parametrize("function", [SCENES, GRAMMAR, "picture", None])
def test_each_takes_a_function(function):
    with pytest.raises(ValueError, match=r"^each\(function\): function needs a function of one scene, and stands abo"):
        each(function)
