import numpy as np
import pytest
import torch
from blobs import make

import scenefit as sf
from scenefit.check import check
from scenefit.frame import Frames, make_frames
from scenefit.renderers import RenderError
from scenefit.scene_file import load_scene


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    scene = load_scene(make(tmp_path_factory.mktemp("world")) / "scene.py")
    return scene.grammar, scene.renderer


def findings(grammar, renderer, mode, n=16):
    return [finding.text for finding in check(grammar, renderer, n)[1] if finding.mode == mode]


def altered(renderer, **changes):
    """The renderer with parts of its frames changed, each by a function of the frames."""
    def other(scenes):
        frames = renderer(scenes)
        return Frames(**{**{name: getattr(frames, name) for name in Frames.__dataclass_fields__},
                         **{name: change(frames) for name, change in changes.items()}})
    return other


def test_a_good_scene_has_nothing_against_it(good):
    frames, found = check(*good, 16)
    assert len(frames) == 16 and {finding.mode for finding in found} == {"ok"}
    texts = [finding.text for finding in found]
    for text in ("2 learned attributes, all values in bounds", "16 images of 16 x 16 pixels (height x width)",
                 "labels of whole images: large, small", "16 objects of the classes blob",
                 "the same scenes give the same images, byte for byte"):
        assert text in texts


def test_random_renderers_are_found(good):
    grammar, renderer = good
    rng = np.random.default_rng(0)

    def noisy(scenes):
        frames = renderer(scenes)
        return make_frames(scenes, np.clip(frames.images / 255 + rng.random(), 0, 1), frames.instances)

    wrong = findings(grammar, noisy, "wrong")
    assert "the same scenes drawn twice differ (16 of 16, the first is scene 0 of seed 0); let random" in wrong[0]
    assert "scenes drawn alone differ from those drawn in a batch (8 of 8, the first is scene 0" in wrong[1]


def test_renderers_that_look_at_neighbours_are_found(good):
    grammar, renderer = good

    def company(frames):
        return frames.images + np.uint8(len(frames) % 7)

    wrong = findings(grammar, altered(renderer, images=company), "wrong")
    assert len(wrong) == 1 and "a scene must not depend on its neighbours" in wrong[0]


def test_another_size_each_time_is_found(good):
    grammar, _ = good
    calls = []

    def growing(scenes):
        calls.append(0)
        return make_frames(scenes, np.zeros((len(scenes), 4 + len(calls), 4)))

    assert any("drawn twice differ (16 of 16" in text for text in findings(grammar, growing, "wrong"))


def test_labels_that_are_missing_are_named(good):
    grammar, renderer = good

    def some(frames):
        return np.where(frames.scenes.index == 5, "", frames.label)

    assert findings(grammar, altered(renderer, label=some), "warning") == [
        "1 images have no label while others do, the first is scene 5 of seed 0"]
    blind = findings(grammar, lambda scenes: make_frames(scenes, renderer(scenes).images), "warning")
    assert any(text.startswith("no labels: neither classes of whole images nor masks of objects") for text in blind)


def test_dull_images_are_named(good):
    grammar, _ = good
    warnings = findings(grammar, lambda scenes: make_frames(scenes, np.zeros((len(scenes), 8, 8))), "warning")
    assert "all images are the same" in warnings
    assert "16 images show one plain colour, the first is scene 0 of seed 0" in warnings
    assert "moving image.shade, blob.x changes no image, so photos say nothing about it" in warnings


def test_boxes_that_do_not_fit_are_named(good):
    grammar, renderer = good

    def small(frames):
        return {"blob": np.tile([0.0, 0.0, 1.0, 1.0], (len(frames), 1))}

    def known(frames):
        return {"blob": np.full(len(frames), 16.0)}

    wrong = findings(grammar, altered(renderer, amodal=small, area=known), "wrong")
    assert wrong == ["16 objects are seen outside of their amodal box, the first is node 1 of scene 0 of seed 0"]


@pytest.mark.parametrize(("at", "value", "text"), [
    (0, 90.0, "1 objects have an empty box, the first is node 1 of scene 0 of seed 0"),
    (2, 90.0, "1 objects have a box beyond the image, the first is node 1 of scene 0 of seed 0"),
    (1, 7.0, "boxes and masks do not agree: ids are not unique, or a box is not around its mask")])
def test_boxes_that_are_wrong_are_named(good, at, value, text):
    grammar, renderer = good

    def other(scenes):
        frames = renderer(scenes)
        frames.objects.box[0, at] = value
        return frames

    assert text in findings(grammar, other, "wrong")


def test_objects_that_are_never_seen_are_named(good):
    grammar, renderer = good
    more = sf.Grammar("image", {**grammar.symbols, "ghost": {}, "moon": {"x": sf.learned(sf.Uniform(0, 1))}},
                      [sf.Rule("image", ["blob", "ghost"])])
    warnings = findings(more, renderer, "warning")
    assert "no ghost is ever seen: none has a pixel in the masks" in warnings
    assert "moon.x: none of the 16 scenes has a moon" in warnings

    def whole(frames):
        return {"ghost": np.full(len(frames), 9.0)}

    assert "50% of the objects are not seen at all: they are hidden, or outside the image" in findings(
        more, altered(renderer, area=whole), "warning")


def test_bounds_that_cut_the_prior_are_named(good):
    _, renderer = good
    grammar = sf.Grammar("image", {"image": {"shade": sf.learned(sf.Normal(0, 30), bounds=(0, 60))},
                                   "blob": {"x": sf.Uniform(2, 13), "half": sf.learned(sf.Integer(2, 3))}},
                         [sf.Rule("image", ["blob"])])
    warnings = findings(grammar, renderer, "warning", 64)
    assert len(warnings) == 1
    assert warnings[0].startswith("image.shade: ") and "of the prior lies beyond the bounds 0..60" in warnings[0]


def test_nothing_learned_and_learned_choices(good):
    _, renderer = good
    still = sf.Grammar("image", {"image": {"shade": sf.Uniform(0, 60)}, "blob": {"x": 4.0, "half": 2}},
                       [sf.Rule("image", ["blob"])])
    assert any("can be sampled and generated, but not fitted" in text for text in findings(still, renderer, "ok"))
    chosen = sf.Grammar("image", {"image": {"shade": sf.learned(sf.Choice([0.0, 50.0])),
                                            "tilt": sf.learned(sf.Angle())}, "blob": {"x": 4.0, "half": 2}},
                        [sf.Rule("image", [sf.repeat("blob", sf.learned(sf.Integer(1, 1 + 1)))])])
    assert findings(chosen, renderer, "warning") == [
        "no blob is ever seen: none has a pixel in the masks"] * 0 + [
        "moving image.tilt changes no image, so photos say nothing about it"]


class Drawn:
    """A differentiable renderer whose two faces may differ."""

    def __init__(self, off):
        self.off = off

    def __call__(self, scenes):
        return make_frames(scenes, np.repeat(scenes.tables["a"]["x"], 16).reshape(-1, 4, 4))

    def draw(self, scenes):
        grey = torch.as_tensor(scenes.tables["a"]["x"]).float()[:, None, None, None].expand(-1, 3, 4, 4).clone()
        grey[0] += self.off
        return grey


def test_what_gradients_go_through_is_compared(good):
    grammar = sf.Grammar("a", {"a": {"x": sf.learned(sf.Uniform(0, 0.5))}})
    assert findings(grammar, Drawn(0.0), "wrong") == []
    wrong = findings(grammar, Drawn(0.1), "wrong")
    assert len(wrong) == 1 and wrong[0].startswith("draw() and the frames differ by 2") and "scene 0" in wrong[0]


def test_what_cannot_be_drawn_is_an_error(good):
    grammar, _ = good

    def broken(scenes):
        raise ValueError("no")

    with pytest.raises(RenderError, match="scene 0 of seed 0"):
        check(grammar, broken)
    with pytest.raises(ValueError, match="check needs at least 2 scenes, got 1"):
        check(*good, 1)
