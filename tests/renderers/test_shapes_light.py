import numpy as np
import pytest

from scenefit.renderers.shapes import Shapes
from scenefit.scenes.grammar import Grammar, Rule

PAIR = {"a": {"x": 14.0, "red": 0.3, "green": 0.1, "blue": 0.0},
        "b": {"x": 26.0, "red": 0.2, "green": 0.0, "blue": 0.4}}


def drawn(kinds, size=(30, 40), camera=None):
    """Image [H, W, 3] in 0..1 and frames of one node of each kind, in this order."""
    grammar = Grammar("image", {"image": {}, **{kind: {} for kind in kinds}}, [Rule("image", list(kinds))])
    renderer, scenes = Shapes(size, kinds, camera={"shade": 0.0, **(camera or {})}), grammar.sample(0, 1)
    return renderer.draw(scenes)[0].permute(1, 2, 0).numpy(), renderer(scenes)


def pair(order="ab", **attributes):
    return drawn({kind: {"radius": 10.0, **PAIR[kind], **attributes} for kind in order}, camera={"shade": 0.2})


def colours(image):
    return [image[15, column].tolist() for column in (8, 20, 32)]  # of the one, of both, of the other


def test_light_adds_to_what_lies_below_in_any_order():
    for opacity in (1.0, 0.5):
        image, frames = pair(emit=1.0, opacity=opacity)
        a, b = ([PAIR[kind][name] * opacity for name in ("red", "green", "blue")] for kind in "ab")
        expected = [np.add(0.2, a), np.add(np.add(0.2, a), b), np.add(0.2, b)]
        assert np.allclose(colours(image), expected, atol=1e-6)
        assert np.allclose(pair("ba", emit=1.0, opacity=opacity)[0], image, atol=1e-6)
        assert np.array_equal(frames.instances, pair()[1].instances), "its labels are those of opaque shapes"
    assert np.allclose(colours(pair(emit=1.0, absorb=1.0)[0]), colours(pair(emit=1.0)[0])), "light hides nothing"


@pytest.mark.parametrize("absorb", [0.0, 0.7])
def test_between_0_and_1_both_images_are_mixed(absorb):
    covering, adding, mixed = (drawn({"a": {"radius": 10.0, "emit": emit, "absorb": absorb, "rim": 0.3, **PAIR["a"]}},
                                     camera={"shade": 0.3})[0] for emit in (0.0, 1.0, 0.25))
    assert np.allclose(mixed, 0.75 * covering + 0.25 * adding, atol=1e-6) and np.abs(covering - adding).max() > 0.1


def test_bright_lamps_saturate_after_the_blur():
    """Two lamps of 0.8 on each other shine with 1.6, so that more light is left after a blur than of one of 1."""
    lamps = [drawn({kind: {"radius": 3.0, "shade": shade, "emit": 1.0} for kind in kinds}, camera={"blur": 3.0})[0]
             .max() for kinds, shade in (("ab", 0.8), ("a", 0.8), ("a", 1.0))]
    assert lamps[0] == pytest.approx(2 * lamps[1], rel=1e-4) and lamps[0] > 1.5 * lamps[2]


def grain_of(**attributes):
    """The texture of a wide shape: factor of the colour, around 1."""
    look = {"radius": 70.0, "shade": 0.4, "grain": 0.1, "grain_size": 4.0, **attributes}
    return drawn({"a": look}, (60, 60), {"shade": 0.4})[0][..., 0] / 0.4


def sizes(texture):
    """Length scales along rows and columns: spread over the spread of slopes."""
    return [texture.std() / np.diff(texture, axis=axis).std() for axis in (1, 0)]


def test_grains_keep_their_size_on_long_shapes():
    plain, stretched, round_, between = (sizes(grain_of(elongation=e, grain_stretch=s)) for e, s in (
        (1.0, 1.0), (9.0, 1.0), (9.0, 0.0), (9.0, 0.5)))
    assert round_ == pytest.approx(plain, rel=0.15), "as without elongation"
    assert stretched[0] > 2 * plain[0] and stretched[1] < 0.7 * plain[1]
    assert plain[0] < between[0] < stretched[0]
    rectangle = grain_of(length=90.0, elongation=1.4)
    assert sizes(rectangle) == pytest.approx(plain, rel=0.15), "a rectangle never stretches its grains"


def test_grains_turn_with_their_shape():
    """A quarter turn of the shape turns its texture: the same pixels on other axes."""
    first, turned = (grain_of(elongation=3.0, grain_stretch=0.0, angle=angle) for angle in (0.0, 90.0))
    assert np.allclose(np.rot90(first), turned, atol=1e-4)
