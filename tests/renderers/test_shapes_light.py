import numpy as np
import pytest

from scenefit.renderers.shapes import Shapes
from scenefit.scenes.grammar import Grammar, Rule

PAIR = {"a": {"x": 14.0, "red": 0.3, "green": 0.1, "blue": 0.0}, "b": {"x": 26.0, "red": 0.2, "green": 0.0, "blue": 0.4}}


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
    lamps = [drawn({kind: {"radius": 3.0, "shade": shade, "emit": 1.0} for kind in kinds}, camera={"blur": 3.0})[0].max()
             for kinds, shade in (("ab", 0.8), ("a", 0.8), ("a", 1.0))]
    assert lamps[0] == pytest.approx(2 * lamps[1], rel=1e-4) and lamps[0] > 1.5 * lamps[2]
