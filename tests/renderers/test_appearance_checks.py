"""What `check` says of images: shares of objects that are hidden, outside, faint or small, and plain images."""

import numpy as np
import pytest

import scenefit as sf
from scenefit.data.frames import make_frames
from scenefit.renderers.appearance_checks import check_appearance
from scenefit.renderers.scene_checks import check_scene

GRAMMAR = sf.Grammar("image", {"image": {}, "coin": {}, "lid": {}}, [sf.Rule("image", ["coin", "lid"])])
SIDE = 20


def frames(covered: int = 0, outside: int = 0, faint: int = 0, small: int = 0, ground: float = 0.5, n: int = 10):
    """n images with a coin of 8 x 8 and a lid beside it. covered, outside, faint, small: in how many the coin is so."""
    scenes = GRAMMAR.sample(0, n)
    images, masks = np.full((n, SIDE, SIDE), ground), np.zeros((n, SIDE, SIDE), int)
    ids = {kind: table.id for kind, table in scenes.tables.items()}
    area, inside = np.full(n, 64.0), np.full(n, 64.0)
    for row in range(n):
        width = 8
        if row < outside:
            width, inside[row] = 1, 8.0
        if row < small:
            width, area[row], inside[row] = 1, 1.0, 1.0
        place = row, slice(2, 3 if row < small else 10), slice(0, width)
        images[place], masks[place] = (ground + 0.04 if row < faint else 0.9), ids["coin"][row]
        left = 1 if row < covered else 12
        place = row, slice(2, 10), slice(left, left + 8)
        images[place], masks[place] = 0.1, ids["lid"][row]
    return make_frames(scenes, images, masks, area={"coin": area}, inside={"coin": inside})


def warnings(made, parts=()):
    return [text for mode, text in check_appearance(made, parts) if mode == "warning"]


def test_a_good_scene_has_its_shares_said_and_no_warning() -> None:
    assert list(check_appearance(frames())) == [
        ("ok", "0% of the objects are mostly hidden, 0% mostly outside the image; 0% of the visible ones can hardly be "
               "seen")]


@pytest.mark.parametrize("what, text", [
    ("covered", "40% of the objects of coin are mostly hidden by others (less than 25% of each is visible); lower"),
    ("outside", "40% of the objects of coin lie mostly outside the image; narrow the range of their position, or set "
                "LabelPolicy(max_truncation=0.75)"),
    ("faint", "40% of the visible objects of coin can hardly be seen: their colour differs from their surroundings by "
              "less than 6%; change"),
    ("small", "40% of the visible objects of coin are under 2 pixels wide and high; raise the lower end"),
])
def test_each_fault_is_named_with_its_kind_and_share_from_a_share_on(what, text) -> None:
    (found,) = warnings(frames(**{what: 4}))
    assert found.startswith(text)
    assert warnings(frames(**{what: 2})) == [] and warnings(frames(**{what: 10}))[0].startswith("100%")
    assert warnings(frames(**{what: 4}), ["coin"]) == [], "a part has no pixels of its own"


def test_objects_that_leave_no_pixel_are_counted_where_the_renderer_gives_no_areas() -> None:
    made = frames()
    masks = np.where(np.isin(np.arange(10), [1, 2, 5, 7])[:, None, None], 0, made.instances)
    (coin, lid) = warnings(make_frames(made.scenes, made.images, masks))
    assert coin.startswith("40% of the objects of coin have no visible pixel: they are hidden by others, or outside")
    assert lid.startswith("40% of the objects of lid have no visible pixel")


def test_shares_are_of_the_objects_that_they_speak_of() -> None:
    """Three of the five coins that are visible at all are faint."""
    both = frames(covered=5, faint=8)
    assert [text[:40] for text in warnings(both)] == ["50% of the objects of coin are mostly hi",
                                                      "60% of the visible objects of coin can h"]


@pytest.mark.parametrize("word, ground, fix", [("black", 0.01, "raise"), ("white", 0.99, "lower")])
def test_plain_images_are_named_unless_an_object_shows(word, ground, fix) -> None:
    scenes = GRAMMAR.sample(3, 10)
    images = np.full((10, SIDE, SIDE), ground)
    images[:, 0, :5] = 0.5
    (found,) = warnings(make_frames(scenes, images))
    assert found == (f"10 of 10 images are nearly all {word} (99% of their pixels) and show no object, the first is "
                     f"scene 0 of seed 3; {fix} the range of the light or of the background")
    masks = np.zeros(images.shape, int)
    masks[:9, 0, :5] = scenes.tables["coin"].id[:9, None]
    assert warnings(make_frames(scenes, images, masks)) == []
    images[:, 10:12] = 0.5
    assert warnings(make_frames(scenes, images)) == []


def test_check_says_it() -> None:
    disc = {"x": 16.0, "y": 16.0, "radius": 5.0}
    grammar = sf.Grammar("image", {"image": {"shade": sf.learned(sf.Uniform(0.3, 0.7))},
                                   "under": {**disc, "shade": 0.0}, "over": {**disc, "shade": 1.0}},
                         [sf.Rule("image", ["under", "over"])])
    _, found = check_scene(grammar, sf.Shapes((32, 32), {"under": {}, "over": {}}), 8)
    assert any(finding.mode == "warning" and finding.text.startswith("100% of the objects of under are mostly hidden")
               for finding in found)
