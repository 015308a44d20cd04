"""Labels from masks, against a count of pixels one by one."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scenefit.data.frames import Frame, Frames, make_frames, to_uint8
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Integer

NESTED = Grammar("table", {"table": {}, "plate": {}, "pea": {}},
                 [Rule("table", [repeat("plate", Integer(1, 2)), "pea"]),
                  Rule("plate", [repeat("pea", Integer(0, 2))])])
SCENES = NESTED.sample(0, 4)
SIZES = [len(scene.nodes) for scene in SCENES]


def blank(scenes: Any = SCENES, height: int = 5, width: int = 7) -> np.ndarray:
    return np.zeros((len(scenes), height, width, 3), np.uint8)


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """[4, H, W], with ids of the nodes of `SCENES`."""
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    one = [draw(st.lists(st.integers(0, size - 1), min_size=height * width, max_size=height * width)) for size in SIZES]
    return np.array(one, draw(st.sampled_from([np.int32, np.uint8, np.int64]))).reshape(4, height, width)


def naive(mask: np.ndarray, node: int) -> tuple[int, tuple[int, int, int, int]]:
    """Pixels and box of a node in one mask [H, W], one pixel at a time."""
    places = [(y, x) for y in range(mask.shape[0]) for x in range(mask.shape[1]) if mask[y, x] == node]
    if not places:
        return 0, (0, 0, 0, 0)
    ys, xs = [y for y, _ in places], [x for _, x in places]
    return len(places), (min(xs), min(ys), max(xs) + 1, max(ys) + 1)


@given(masks())
def test_what_is_seen_is_measured_in_the_masks(mask: np.ndarray) -> None:
    frames = make_frames(SCENES, np.zeros((*mask.shape, 3), np.uint8), mask)
    found = {(int(s), int(i)): m for m, (s, i) in enumerate(zip(frames.objects.scene, frames.objects.id, strict=True))}
    assert list(found) == sorted(found)
    o = frames.objects
    for s, size in enumerate(SIZES):
        assert (s, 0) not in found  # the root is no object: 0 is for none
        for node in range(1, size):
            pixels, box = naive(mask[s], node)
            assert ((s, node) in found) == (pixels > 0)
            if pixels:
                m = found[s, node]
                assert (o.pixels[m], tuple(o.box[m]), tuple(o.amodal[m]), o.area[m]) == (pixels, box, box, pixels)
                assert (o.visibility[m], o.truncation[m], o.name[m]) == (1, 0, SCENES[s].nodes[node].kind)


@given(masks(), st.data())
def test_whole_extents_are_joined_to_what_is_seen(mask: np.ndarray, data: st.DataObject) -> None:
    """Each pea is known whole, the plates are not."""
    n = len(SCENES.tables["pea"])
    inside = np.array(data.draw(st.lists(st.integers(0, 40), min_size=n, max_size=n)), float)
    area = inside + np.array(data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)))
    amodal = np.tile([-2.0, -1.0, 9.0, 8.0], (n, 1))
    frames = make_frames(SCENES, np.zeros((*mask.shape, 3), np.uint8), mask, amodal={"pea": amodal},
                         area={"pea": area}, inside={"pea": inside})
    o = frames.objects
    found = {(int(s), int(i)): m for m, (s, i) in enumerate(zip(o.scene, o.id, strict=True))}
    for row, (s, node) in enumerate(zip(SCENES.tables["pea"].scene, SCENES.tables["pea"].id, strict=True)):
        pixels, box = naive(mask[s], node)
        assert ((s, node) in found) == (pixels > 0 or area[row] > 0)
        if (s, node) not in found:
            continue
        m = found[s, node]
        within = max(inside[row], pixels)
        whole = max(area[row], within)
        assert (o.pixels[m], o.area[m], tuple(o.box[m]), tuple(o.amodal[m])) == (pixels, whole, box, (-2, -1, 9, 8))
        assert o.visibility[m] == pytest.approx(pixels / within if within else 0)
        assert o.truncation[m] == pytest.approx(1 - within / whole)
        assert 0 <= o.visibility[m] <= 1 and 0 <= o.truncation[m] <= 1


def two_peas() -> tuple[Any, np.ndarray]:
    """A scene of table 0, pea 1, pea 2, and a mask where pea 2 hides part of pea 1."""
    scenes = Grammar("table", {"table": {}, "pea": {}}, [Rule("table", ["pea", "pea"])]).sample(0, 1)
    mask = np.zeros((1, 5, 7), int)
    mask[0, 1:3, 0:2] = 1
    mask[0, 2:5, 1:4] = 2
    return scenes, mask


def test_hidden_and_cut_objects() -> None:
    scenes, mask = two_peas()
    frames = make_frames(scenes, blank(scenes), mask, amodal={"pea": [[-2, 1, 2, 4], [1, 2, 4, 5]]},
                         area={"pea": [12.0, 9.0]}, inside={"pea": [6.0, 9.0]})
    o = frames.objects
    assert o.pixels.tolist() == [3, 9] and len(o) == 2
    assert o.visibility.tolist() == [0.5, 1.0] and o.truncation.tolist() == [0.5, 0.0]
    assert o.box.tolist() == [[0, 1, 2, 3], [1, 2, 4, 5]]
    assert o.amodal.tolist() == [[-2, 1, 2, 4], [1, 2, 4, 5]]


def test_a_wholly_hidden_object_stays_an_object() -> None:
    scenes, mask = two_peas()
    mask[mask == 1] = 0
    frames = make_frames(scenes, blank(scenes), mask, amodal={"pea": [[0, 1, 2, 3], [1, 2, 4, 5]]},
                         area={"pea": [4.0, 9.0]})
    o = frames.objects
    assert o.pixels.tolist() == [0, 9] and o.visibility.tolist() == [0, 1] and o.truncation.tolist() == [0, 0]
    assert o.box.tolist()[0] == [0, 0, 0, 0] and o.amodal.tolist()[0] == [0, 1, 2, 3]


def test_what_the_renderer_does_not_know_is_what_is_seen() -> None:
    """NaN rows, a box without an area, and the reverse."""
    scenes, mask = two_peas()
    nothing = [np.nan] * 4
    o = make_frames(scenes, blank(scenes), mask, amodal={"pea": [nothing, nothing]}, area={"pea": [np.nan, 18]}).objects
    assert o.amodal.tolist() == o.box.tolist() and o.area.tolist() == [3, 18]
    assert o.visibility.tolist() == [1, 0.5] and o.truncation.tolist() == [0, 0]
    o = make_frames(scenes, blank(scenes), mask, amodal={"pea": [[0, 0, 4, 5], nothing]}).objects
    assert o.amodal.tolist() == [[0, 0, 4, 5], o.box.tolist()[1]] and o.area.tolist() == [3, 9]
    assert o.visibility.tolist() == [1, 1]


def test_no_masks_no_objects() -> None:
    frames = make_frames(SCENES, blank())
    assert len(frames.objects) == 0 and frames.objects.box.shape == (0, 4)
    assert frames.instances.shape == (4, 5, 7) and frames.instances.dtype == np.int32
    assert frames.label.tolist() == [""] * 4 and len(frames) == 4


def test_classes_and_labels() -> None:
    scenes, mask = two_peas()
    frames = make_frames(scenes, blank(scenes), mask, label=["lunch"], classes={"pea": ["green", "yellow"]})
    assert frames.objects.name.tolist() == ["green", "yellow"]
    assert frames.label.tolist() == ["lunch"] and frames.classes["table"].tolist() == ["table"]
    assert make_frames(SCENES, blank(), label=["a", None, "", 7]).label.tolist() == ["a", "", "", "7"]
    numbers = make_frames(scenes, blank(scenes), mask, classes={"pea": np.array([7, 8])})
    assert numbers.objects.name.tolist() == ["7", "8"]
    assert make_frames(scenes, blank(scenes), mask, classes={"pea": ["", "green pea"]}).classes["pea"].tolist() == [
        "", "green pea"]


@pytest.mark.parametrize("rows", [[2, 0], [1], [], [3, 2, 1, 0], [-1], [False, True, True, False]], ids=str)
def test_take(rows: Any) -> None:
    rng = np.random.default_rng(0)
    mask = np.stack([rng.integers(0, size, (5, 7)) for size in SIZES])
    n = {kind: len(table) for kind, table in SCENES.tables.items()}
    whole = make_frames(SCENES, rng.integers(0, 255, (4, 5, 7, 3)).astype(np.uint8), mask, label=list("abcd"),
                        classes={"pea": [f"pea {i}" for i in range(n["pea"])]},
                        amodal={"pea": np.arange(4) + np.arange(n["pea"])[:, None] * [[0, 0, 1, 1]]},
                        area={"pea": 50.0 + np.arange(n["pea"])}, inside={"pea": 40.0 + np.arange(n["pea"])},
                        pixels={"depth": rng.random((4, 5, 7)), "normals": rng.random((4, 5, 7, 3))},
                        nodes={"box3d": {"pea": rng.random((n["pea"], 8, 3))}, "colour": {"pea": ["green"] * n["pea"]}})
    part = whole.take(rows)
    order = np.arange(4)[rows if len(rows) else np.zeros(0, int)]
    assert part.scenes.index.tolist() == order.tolist() and part.label.tolist() == [list("abcd")[i] for i in order]
    assert np.array_equal(part.images, whole.images[order]) and np.array_equal(part.instances, whole.instances[order])
    for name in ("depth", "normals"):
        assert np.array_equal(part.pixels[name], whole.pixels[name][order])
    assert part.nodes["box3d"]["pea"].shape[1:] == (8, 3) and set(part.nodes["colour"]["pea"]) <= {"green"}
    for row, index in enumerate(order):
        ours, theirs = (frames.scenes.tables["pea"].scene == i for frames, i in ((part, row), (whole, index)))
        assert np.array_equal(part.nodes["box3d"]["pea"][ours], whole.nodes["box3d"]["pea"][theirs])
        mine, its = part.objects.scene == row, whole.objects.scene == index
        for name in ("id", "name", "box", "amodal", "pixels", "area", "visibility", "truncation"):
            assert np.array_equal(getattr(part.objects, name)[mine], getattr(whole.objects, name)[its]), name


def test_take_of_a_row_twice() -> None:
    with pytest.raises(ValueError, match="take needs each row at most once"):
        make_frames(SCENES, blank()).take([1, 1])


# Images

@pytest.mark.parametrize("shape", [(4, 5, 7), (4, 5, 7, 1), (4, 5, 7, 3)])
def test_grey_becomes_rgb(shape: tuple[int, ...]) -> None:
    grey = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    images = make_frames(SCENES, grey).images
    assert images.shape == (4, 5, 7, 3) and images.dtype == np.uint8
    assert np.array_equal(images, np.broadcast_to(grey.reshape(4, 5, 7, -1), images.shape))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_scaled_once_and_rounded(dtype: type) -> None:
    every = np.arange(256) / 255
    assert to_uint8(every.astype(dtype)).tolist() == list(range(256))
    assert to_uint8(np.array([0.5, 1.00005, -0.00005], dtype)).tolist() == [128, 255, 0]


def test_uint8_stays_the_same_array() -> None:
    image = np.zeros((2, 2), np.uint8)
    assert to_uint8(image) is image


IMAGES = {
    "an image holds NaN or infinite values": np.full((4, 5, 7), np.nan),
    "a float image needs values in 0..1, got 0..2; divide by 255, clip, or return uint8":
        np.linspace(0, 2, 140).reshape(4, 5, 7),
    "a float image needs values in 0..1, got -1..0; divide by 255, clip, or return uint8":
        np.linspace(-1, 0, 140).reshape(4, 5, 7),
    "an image needs uint8, or float in 0..1, got int64; .astype(np.uint8) converts values from 0 to 255":
        np.zeros((4, 5, 7), np.int64),
    "an image needs uint8, or float in 0..1, got uint16; .astype(np.uint8) converts values from 0 to 255":
        np.zeros((4, 5, 7), np.uint16),
    "an image needs uint8, or float in 0..1, got bool; .astype(float) makes black and white of it":
        np.zeros((4, 5, 7), bool),
    "an image needs uint8, or float in 0..1, got None": None,
    "an image needs uint8, or float in 0..1, got str 'zq7'": "zq7",
    "images need the shape [4, H, W] or [4, H, W, 3] for 4 scenes, got [3, 5, 7, 3]": np.zeros((3, 5, 7, 3), np.uint8),
    "images need the shape [4, H, W] or [4, H, W, 3] for 4 scenes, got [4, 5, 7, 4]": np.zeros((4, 5, 7, 4), np.uint8),
    "images need the shape [4, H, W] or [4, H, W, 3] for 4 scenes, got [5, 7]": np.zeros((5, 7), np.uint8),
}


@pytest.mark.parametrize("text", IMAGES)
def test_bad_images(text: str) -> None:
    with pytest.raises(ValueError) as error:
        make_frames(SCENES, IMAGES[text])
    assert str(error.value) == text


def test_one_infinite_value_is_enough() -> None:
    image = np.zeros((4, 5, 7))
    image[3, 4, 6] = np.inf
    with pytest.raises(ValueError, match="an image holds NaN or infinite values"):
        to_uint8(image)


# Masks and the rest

def wrong_mask(value: int, dtype: type = np.int32) -> np.ndarray:
    mask = np.zeros((4, 5, 7), dtype)
    mask[2, 1, 1] = value
    return mask


PARTS: dict[str, dict[str, Any]] = {
    "instances need the shape of the images, [4, 5, 7], got [4, 5, 6]": {"instances": np.zeros((4, 5, 6), int)},
    "instances need whole numbers (node ids, 0 for none), got float64; .astype(int) converts them":
        {"instances": np.zeros((4, 5, 7))},
    "instances need whole numbers (node ids, 0 for none), got object": {"instances": np.full((4, 5, 7), None)},
    "instances are true or false, which names no object: all objects of a scene would become one; give each pixel the "
    "id of the node seen in it, instances[inside] = node.id, and 0 where there is none":
        {"instances": wrong_mask(1) > 0},
    f"instances of scene 2 hold {SIZES[2]}, but its nodes are 0..{SIZES[2] - 1}; use node.id, and 0 where there is "
    "none": {"instances": wrong_mask(SIZES[2])},
    f"instances of scene 2 hold -1, but its nodes are 0..{SIZES[2] - 1}; use node.id, and 0 where there is none":
        {"instances": wrong_mask(-1)},
    "label needs 4 classes, one a scene, got 2": {"label": ["a", "b"]},
    "label needs 4 classes, one a scene, got str 'abcd'": {"label": "abcd"},
    "label needs 4 classes, one a scene, got int 3": {"label": 3},
    "a label is float 7.0, but a class needs a text, such as 'coin'; '' is for no class":
        {"label": ["a", None, "", 7.0]},
    "a class of pea is None, but a class needs a text, such as 'coin'; '' is for no class":
        {"classes": {"pea": ["zq7", None, "a", "b", "c"]}},
    "a class of pea is float nan, but a class needs a text, such as 'coin'; '' is for no class":
        {"classes": {"pea": np.full(5, np.nan)}},
    "a class of pea is bool True, but a class needs a text, such as 'coin'; '' is for no class":
        {"classes": {"pea": ["zq7", True]}},
    "a class of pea is bytes b'zq7', but a class needs a text, such as 'coin'; '' is for no class":
        {"classes": {"pea": np.array([b"zq7"])}},
    "a class of pea is 'zq7 ', which differs from 'zq7' in its spaces only; write 'zq7'":
        {"classes": {"pea": np.array(["zq7", "zq7 "])}},
    "a class of pea is 'a  b', which differs from 'a b' in its spaces only; write 'a b'":
        {"classes": {"pea": ["a  b"]}},
    "a class of pea is ' ', which differs from '' in its spaces only; write ''": {"classes": {"pea": [" "]}},
    "classes names the kind 'bean', but there are ['table', 'plate', 'pea']": {"classes": {"bean": ["a"]}},
    f"classes of pea needs the shape [{len(SCENES.tables['pea'])}], one row a node, got [1]":
        {"classes": {"pea": ["a"]}},
    f"amodal of pea needs the shape [{len(SCENES.tables['pea'])}, 4], one row a node, got [1, 4]":
        {"amodal": {"pea": [[0, 0, 1, 1]]}},
    f"area of pea needs the shape [{len(SCENES.tables['pea'])}], one row a node, got []": {"area": {"pea": 3.0}},
    "inside names the kind 'bean', but there are ['table', 'plate', 'pea']": {"inside": {"bean": [1]}},
    "pixels 'depth' needs numbers of the shape [4, 5, 7, '...'], one a pixel, got float64 [4, 5, 6]":
        {"pixels": {"depth": np.zeros((4, 5, 6))}},
    "pixels names 'instances', which has an argument of its own: instances=": {"pixels": {"instances": blank()}},
    f"nodes 'box3d' of pea needs the shape [{len(SCENES.tables['pea'])}, 6], one row a node, got [1, 6]":
        {"nodes": {"box3d": {"pea": np.zeros((1, 6))}}},
    "nodes 'box3d' of pea needs numbers or texts, got object": {"nodes": {"box3d": {"pea": [None]}}},
    "nodes 'box3d' names the kind 'bean', but there are ['table', 'plate', 'pea']": {"nodes": {"box3d": {"bean": [1]}}},
    "nodes names 'class', which has an argument of its own: classes=": {"nodes": {"class": {}}},
}


@pytest.mark.parametrize("text", PARTS)
def test_what_does_not_fit_the_scenes(text: str) -> None:
    with pytest.raises(ValueError) as error:
        make_frames(SCENES, blank(), **PARTS[text])
    assert str(error.value) == text


@pytest.mark.parametrize(("scenes", "got"), [(NESTED, "a value of type Grammar"), (SCENES[0], "a value of type Scene"),
                                             (blank(), r"an array of uint8 \[4, 5, 7, 3\]")])
def test_something_else_for_scenes(scenes: Any, got: str) -> None:
    with pytest.raises(ValueError, match=rf"^make_frames\(scenes, images, instances\): scenes needs .*; got {got}"):
        make_frames(scenes, blank())


def test_the_scene_is_named_by_its_index_not_its_row() -> None:
    with pytest.raises(ValueError, match="instances of scene 4711 hold 99"):
        make_frames(NESTED.sample(0, [4711]), np.zeros((1, 2, 2), np.uint8), np.full((1, 2, 2), 99))


def test_no_scenes_no_frames() -> None:
    frames = make_frames(NESTED.sample(0, 0), np.zeros((0, 5, 7), np.uint8), np.zeros((0, 5, 7), int))
    assert isinstance(frames, Frames) and len(frames) == 0 and len(frames.objects) == 0


def test_frames_objects_and_frame_are_printed_in_a_line() -> None:
    scenes, mask = two_peas()
    frames = make_frames(scenes, blank(scenes), mask, classes={"pea": ["", "zq7"]})
    assert repr(frames) == "Frames(1 image of 5 x 7 pixels)"
    assert repr(frames.objects) == "Objects(2: 1 without a class, 1 zq7)"
    assert repr(make_frames(SCENES, blank()).objects) == "Objects(0)"
    assert repr(Frame(blank()[0], mask[0], label="zq7", classes={1: "a"})) == (
        "Frame(an array of uint8 [5, 7, 3], label 'zq7', instances, classes)")


def test_frames_are_indexed_as_lists_and_arrays_are() -> None:
    frames = make_frames(SCENES, np.arange(4, dtype=np.uint8)[:, None, None] * np.ones((4, 5, 7), np.uint8))
    last, some, masked = frames[-1], frames[1:3], frames[np.array([True, False, False, True])]
    assert isinstance(last, Frames) and last.images[:, 0, 0, 0].tolist() == [3] and len(last.scenes) == 1
    assert some.images[:, 0, 0, 0].tolist() == [1, 2] and frames[[2, 0]].images[:, 0, 0, 0].tolist() == [2, 0]
    assert masked.images[:, 0, 0, 0].tolist() == [0, 3] and [len(one) for one in frames] == [1] * 4
    with pytest.raises(IndexError, match="4 of 4: the numbers are 0 to 3"):
        frames[4]


def test_a_notebook_shows_pictures() -> None:
    frames = make_frames(SCENES, blank())
    sheet, one = (Image.open(io.BytesIO(thing._repr_png_() or b"")) for thing in (frames, Frame(blank()[0])))
    assert sheet.size == (4 * 93 - 2, 65) and one.size == (7 * 27, 5 * 27)
    assert frames[[]]._repr_png_() is None and Frame(None)._repr_png_() is None
