import re

import numpy as np
import pytest
import torch
from blobs import make
from checks import altered_frames

import scenefit as sf
from scenefit.data.frames import make_frames
from scenefit.renderers import GrammarMismatch, RendererInfo, RenderError
from scenefit.renderers.scene_checks import _unused, check_scene
from scenefit.renderers.scene_file import load_scene
from scenes import coins, smear


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    scene = load_scene(make(tmp_path_factory.mktemp("world")) / "scene.py")
    return scene.grammar, scene.renderer


def findings(grammar, renderer, mode, n=16):
    return [finding.text for finding in check_scene(grammar, renderer, n)[1] if finding.mode == mode]


def altered(renderer, **changes):
    """The renderer with parts of its frames changed, each by a function of the frames."""
    def other(scenes):
        frames = renderer(scenes)
        return altered_frames(frames, **{name: change(frames) for name, change in changes.items()})
    return other


def test_a_good_scene_has_nothing_against_it(good):
    frames, found = check_scene(*good, 16)
    assert len(frames) == 16 and {finding.mode for finding in found} == {"ok"}
    texts = [finding.text for finding in found]
    for text in ("2 learned attributes, all values in bounds", "16 images of 16 x 16 pixels (height x width)",
                 "labels of whole images: large, small", "16 objects of the classes blob",
                 "the same scenes give the same images and labels, byte for byte",
                 "a scene alone gives the same image and labels as in a batch, byte for byte",
                 "scenes in another batch give the same images and labels, byte for byte"):
        assert text in texts


def test_random_renderers_are_found(good):
    grammar, renderer = good
    rng = np.random.default_rng(0)

    def noisy(scenes):
        frames = renderer(scenes)
        return make_frames(scenes, np.clip(frames.images / 255 + rng.random(), 0, 1), frames.instances)

    wrong = findings(grammar, noisy, "wrong")
    assert wrong[0].startswith("the same scenes drawn twice differ (16 of 16, the first is scene 0 of seed 0 in its "
                               "image); let random numbers come from scene.rng(name)")
    assert "scenes drawn alone differ from those drawn in a batch (8 of 8, the first is scene 0" in wrong[1]


def test_a_prior_that_draws_numbers_of_its_own_is_found():
    rng = np.random.default_rng(0)
    grammar = sf.Grammar("image", {"image": {"shade": lambda image: sf.Constant(rng.uniform(0, 60))}})
    plain = sf.each(lambda scene: np.full((8, 8), scene.root.shade / 60))
    assert findings(grammar, plain, "wrong")[0].startswith("the grammar gives other scenes for the same seed: a condit")


def test_renderers_that_look_at_neighbours_are_found(good):
    grammar, renderer = good

    def company(frames):
        return frames.images + np.uint8(len(frames) % 7)

    wrong = findings(grammar, altered(renderer, images=company), "wrong")
    assert len(wrong) == 2 and all("a scene must not depend on its neighbours" in text for text in wrong)
    assert wrong[0].startswith("scenes drawn alone differ from those drawn in a batch (8 of 8")
    assert wrong[1].startswith("scenes drawn in another batch differ (8 of 8, the first is scene 1 of seed 0 in its im")


def test_neighbours_that_only_a_batch_of_some_length_shows_are_found(good):
    """Scenes alone are right; those in a batch of another length are not."""
    grammar, renderer = good
    wrong = findings(grammar, altered(renderer, images=lambda f: f.images + np.uint8(len(f) == 8)), "wrong")
    assert len(wrong) == 1 and wrong[0].startswith("scenes drawn in another batch differ (8 of 8")


@pytest.mark.parametrize(("part", "text"), [("instances", "masks"), ("label", "label"), ("classes", "objects' name"),
                                            ("amodal", "objects' amodal"), ("area", "objects' area")])
def test_the_same_scene_with_other_labels_is_found(good, part, text):
    grammar, renderer = good
    calls = []

    def lie(frames):
        calls.append(0)
        n, later = len(frames), len(calls) > 1
        return {"instances": frames.instances * (not later), "label": np.where(later, "other", frames.label),
                "classes": {**frames.classes, "blob": np.full(n, "b" if later else "a")},
                "amodal": {"blob": np.tile([0.0, 0, 16 + later, 16], (n, 1))},
                "area": {"blob": np.full(n, 40.0 + later)}}[part]

    wrong = findings(grammar, altered(renderer, **{part: lie}), "wrong")
    assert any(found.startswith("the same scenes drawn twice differ (16 of 16, the first is scene 0 of seed 0 in its "
                                f"{text});") for found in wrong)
    assert any(f"in its {text}); a scene must not depend" in found for found in wrong)

@pytest.mark.parametrize(("change", "text"), [
    (lambda n, later: {"pixels": {"depth": np.full((n, 16, 16), float(later))}}, "depth"),
    (lambda n, later: {"pixels": {"depth": np.zeros((n, 16, 16))} if later else {}}, "depth"),
    (lambda n, later: {"nodes": {"pose": {"blob": np.full((n, 2), float(later))}}}, "objects' pose of blob"),
    (lambda n, later: {"nodes": {"pose": {"blob": np.full((n, 2), np.nan)} if later else {}}},
     "objects' pose of blob")])
def test_the_same_scene_with_other_pixels_or_node_labels_is_found(good, change, text):
    grammar, renderer = good
    calls = []

    def other(scenes):
        calls.append(0)
        return make_frames(scenes, renderer(scenes).images, **change(len(scenes), len(calls) > 1))

    wrong = findings(grammar, other, "wrong")
    assert any(found.startswith("the same scenes drawn twice differ (16 of 16, the first is scene 0 of seed 0 in its "
                                f"{text});") for found in wrong)
    assert findings(grammar, lambda scenes: make_frames(
        scenes, renderer(scenes).images, **change(len(scenes), True)), "wrong") == []  # NaN is not another value


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
    assert "16 images are of one plain colour, the first is scene 0 of seed 0" in warnings
    assert "changing image.shade, blob.x changes no image, so it cannot be learned" in warnings


def test_labels_that_do_not_conform_are_named(good):
    """Each lie on its own: test_conformance."""
    grammar, renderer = good

    def small(frames):
        return {"blob": np.tile([0.0, 0.0, 1.0, 1.0], (len(frames), 1))}

    wrong = findings(grammar, altered(renderer, amodal=small), "wrong")
    assert wrong == ["16 objects have visible pixels outside of their amodal box, the first is node 1 of scene 0 of "
                     "seed 0"]
    strange = altered(renderer, instances=lambda f: f.instances * np.where(f.scenes.index == 5, 9, 1)[:, None, None])
    assert findings(grammar, strange, "wrong") == [
        "scene 5 of seed 0 cannot be drawn: scene 5 of seed 0: renderer other returned frames that do not fit: "
        "instances of scene 5 hold 9, but its nodes are 0..1; use node.id, and 0 where there is none; replay with: "
        "grammar.sample(0, [5]), or, for scenes of a learned distribution, error.scenes"]


COINS = sf.Grammar("table", {"table": {}, "coin": {"x": sf.Uniform(4, 60), "y": sf.Uniform(4, 40)}, "note": {
    "x": sf.Uniform(4, 60), "y": sf.Uniform(4, 40)}}, [sf.Rule("table", [sf.repeat("coin", sf.Integer(0, 6)), "note"])])


def squares(number, alike=True):
    """A renderer of squares whose masks hold number(node)."""
    @sf.each
    def renderer(scene):
        image, masks = np.full((44, 64), 0.1), np.zeros((44, 64), int)
        for node in scene.nodes[1:]:
            place = (slice(int(node.y), int(node.y) + 4), slice(int(node.x), int(node.x) + 4)) if alike else (
                slice(node.id, node.id + 3), slice(4, 40))
            image[place], masks[place] = 0.5 + node.id / 20, number(node)
        return sf.Frame(image, masks)
    return renderer


@pytest.mark.parametrize(("number", "ids"), [(lambda node: 1, r"\[1\]"),
                                             (lambda node: 1 + (node.kind == "note"), r"\[1, 2\]")])
def test_masks_in_which_an_id_covers_many_objects_are_named(number, ids):
    told = [text for text in findings(COINS, squares(number), "warning") if text.startswith("an id seems")]
    assert len(told) == 1
    text = (rf"an id seems to cover several objects: the masks hold only the ids {ids}, in \d\.\d separate areas each "
            "on average, though scenes have up to 7 objects; a mask of 0 and 1, or of class numbers, names no single "
            "objects: give each pixel node.id")
    assert re.fullmatch(text, told[0])


@pytest.mark.parametrize("renderer", [squares(lambda node: node.id), squares(lambda node: 1, alike=False)])
def test_masks_that_may_be_right_are_not_named(renderer):
    """Ids of nodes; and one area, of which other nodes may be hidden parts."""
    assert not [text for text in findings(COINS, renderer, "warning") if text.startswith("an id seems")]


@pytest.mark.parametrize("mask", [lambda masks: masks > 0, lambda masks: masks / 1, lambda masks: masks[:-1]])
def test_masks_of_another_type_or_shape_end_the_check_with_the_reason(mask):
    renderer = sf.each(lambda scene: sf.Frame(np.zeros((8, 8)), mask(np.ones((8, 8), int))))
    with pytest.raises(RenderError, match=r"instances (are true or false|need whole numbers|need the shape of the im)"):
        check_scene(COINS, renderer, 4)


def test_absurd_numbers_are_named_with_their_scenes():
    for value in (1e308, 1e30):
        grammar = sf.Grammar("image", {"image": {}, "dot": {"x": sf.Choice([8.0, value]), "radius": 3.0}},
                             [sf.Rule("image", ["dot"])])
        frames, found = check_scene(grammar, sf.Shapes((16, 16), {"dot": {}}), 16)
        wrong = [finding.text for finding in found if finding.mode == "wrong"]
        far = np.flatnonzero(grammar.sample(0, 16).tables["dot"]["x"] == value)
        assert len(frames) == 16 - len(far) > 1 and len(wrong) == 4
        assert f"scene {far[0]} of seed 0 cannot be drawn" in wrong[0]
        assert re.search(rf"dot\.x is 1e\+\d+ in scene {far[0]} of seed 0 \(node 1\); Shapes needs a number from "
                         r"-1e\+09 to 1e\+09; bound its prior", wrong[0])


def test_objects_that_are_never_seen_are_named(good):
    grammar, renderer = good
    more = sf.Grammar("image", {**grammar.symbols, "ghost": {}, "moon": {"x": sf.learned(sf.Uniform(0, 1))}},
                      [sf.Rule("image", ["blob", "ghost"])])
    warnings = findings(more, renderer, "warning")
    assert "no ghost is ever visible: none has a pixel in the masks" in warnings
    assert "moon.x: none of the 16 scenes has a moon" in warnings

    def whole(frames):
        return {"ghost": np.full(len(frames), 9.0)}

    assert "50% of the objects have no visible pixel: they are hidden, or outside the image" in findings(
        more, altered(renderer, area=whole), "warning")


def test_what_is_no_object_need_not_be_seen(good):
    """A row of objects, which the renderer does not draw, and a kind without a class; but not a kind that it misses."""
    grammar, renderer = good
    more = sf.Grammar("image", {**grammar.symbols, "row": {}, "stripe": {}, "ghost": {}},
                      [sf.Rule("image", ["row", "stripe", "ghost"]), sf.Rule("row", ["blob"])])
    drawn = {"image": frozenset({"shade"}), "blob": frozenset({"x", "half"}), "stripe": frozenset()}

    def nameless(scenes):
        frames = renderer(scenes)
        return make_frames(scenes, frames.images, frames.instances, classes={"stripe": np.full(len(scenes), "")})

    def unseen():
        return [text.split()[1] for text in findings(more, nameless, "warning") if "is ever visible" in text]

    assert unseen() == ["row", "ghost"]
    nameless.info = RendererInfo(attributes=lambda root: drawn)
    assert unseen() == ["ghost"]


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
        "no blob is ever visible: none has a pixel in the masks"] * 0 + [
        "changing image.tilt changes no image, so it cannot be learned"]


class Drawn:
    """A differentiable renderer whose two faces may differ."""

    def __init__(self, off):
        self.off = off
        self.info = RendererInfo(draw=self.draw)

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


def test_what_cannot_be_drawn_at_all_is_an_error(good):
    grammar, _ = good

    def broken(scenes):
        raise ValueError("no")

    with pytest.raises(RenderError, match="scene 0 of seed 0"):
        check_scene(grammar, broken)
    with pytest.raises(ValueError, match="a check needs at least 2 scenes, got 1"):
        check_scene(*good, 1)


def failing(renderer, bad, least=1):
    """Fails on those scenes, in batches of at least so many."""
    def other(scenes):
        if len(scenes) >= least and np.isin(bad, scenes.index).any():
            raise ValueError("too dark")
        return renderer(scenes)
    return other


def test_scenes_that_cannot_be_drawn_do_not_hide_the_others(good):
    grammar, renderer = good
    frames, found = check_scene(grammar, failing(renderer, [0, 3, 4, 9]), 16)
    assert frames.scenes.index.tolist() == [1, 2, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15]
    assert np.array_equal(frames.images, renderer(grammar.sample(0, frames.scenes.index)).images)
    wrong = [finding.text for finding in found if finding.mode == "wrong"]
    for text, i in zip(wrong, (0, 3, 4), strict=False):
        assert text.startswith(f"scene {i} of seed 0 cannot be drawn: scene {i} of seed 0: renderer other raised "
                               f"ValueError: too dark; replay with: grammar.sample(0, [{i}])")
    assert wrong[3] == "4 of 16 scenes cannot be drawn, 3 are named"
    assert "the same scenes give the same images and labels, byte for byte" in [finding.text for finding in found]


def test_scenes_of_another_size_do_not_hide_the_others(good):
    grammar, renderer = good
    small = sf.each(lambda scene: renderer(scene.batch.take([scene.row])).images[0, :8 if scene.index == 0 else 16])
    frames, found = check_scene(grammar, small, 16)
    assert frames.scenes.index.tolist() == list(range(1, 16))
    assert found[0].text == "scene 0 of seed 0 cannot be drawn with the others: its image is [8, 16], but theirs are " \
                            "[16, 16]"


def test_scenes_that_cannot_be_drawn_together(good):
    grammar, renderer = good
    frames, found = check_scene(grammar, failing(renderer, [5], least=4), 16)
    assert len(frames) == 1 and found[0].text.startswith(
        "scenes that can be drawn alone cannot be drawn together: scene")
    assert "renderer other raised ValueError: too dark" in found[0].text


def test_a_later_failure_is_a_finding_too(good):
    grammar, renderer = good
    wrong = findings(grammar, lambda scenes: 1 / 0 if len(scenes) == 1 else renderer(scenes), "wrong")
    assert len(wrong) == 1 and wrong[0].startswith(
        "scenes that could be drawn could not be drawn again: scene 0 of seed 0: renderer <lambda> raised ZeroDivision")


def test_a_kind_that_the_grammar_lacks_blames_no_scene():
    grammar = sf.Grammar("tray", {"tray": {}, "tablet": {"radius": 3.0}}, [sf.Rule("tray", ["tablet"])])
    with pytest.raises(GrammarMismatch) as error:
        check_scene(grammar, sf.Shapes((16, 16), {"tabblet": {}}), 4)
    assert str(error.value) == ("Shapes draws 'tabblet', but no symbol of the grammar is named tabblet: there are "
                                "['tray', 'tablet']; did you mean 'tablet'?")


def test_attributes_that_nothing_uses_are_named():
    """Misspelt ones; not those that a prior reads, whether of its own node, the parent or the parent's parent."""
    def size(node):
        return sf.Constant(node["mean"] + node.parent["size"] + node.parent.parent["zoom"])

    grammar = sf.Grammar("tray", {
        "tray": {"zoom": 1.0, "lihgt": 0.2}, "row": {"size": 1.0, "note": 7.0},
        "tablet": {"mean": 1.0, "radius": size, "raduis": sf.Uniform(8, 12), "batch_number": sf.Integer(0, 9)}},
        [sf.Rule("tray", ["row"]), sf.Rule("row", [sf.repeat("tablet", 2)])])
    assert grammar.prior_inputs == {("tablet", "mean"), ("row", "size"), ("tray", "zoom")}
    renderer = sf.Shapes((32, 32), {"tablet": {}})
    assert [text for text in findings(grammar, renderer, "warning", 4) if "uses" in text] == [
        "neither the renderer nor a prior uses tray.lihgt; did you mean 'light'?",
        "neither the renderer nor a prior uses tablet.raduis",
        "neither the renderer nor a prior uses tablet.batch_number"]
    for scene in (coins, smear):
        assert not list(_unused(scene.grammar, scene.renderer, scene.grammar.sample(0, 2), None))


def test_attributes_that_are_not_finite_are_named():
    grammar = sf.Grammar("image", {"image": {"glow": np.inf, "shade": sf.learned(sf.Uniform(0, 1))}})
    plain = sf.each(lambda scene: np.full((8, 8), scene.root.shade))
    assert findings(grammar, plain, "warning", 4)[0] == (
        "image.glow is inf in scene 0 of seed 0 (node 0); give its prior finite bounds")


def many(n):
    """A grammar of n learned attributes, and a renderer in whose images every other one shows; drawn: scenes so far."""
    grammar = sf.Grammar("image", {"image": {}, "dot": {f"a{i}": sf.learned(sf.Uniform(0, 1)) for i in range(n)}},
                         [sf.Rule("image", ["dot"])])
    drawn = []

    def renderer(scenes):
        drawn.append(len(scenes))
        dots = scenes.tables["dot"]
        return make_frames(scenes, np.stack([dots[f"a{i}"] for i in range(0, n, 2)], 1)[:, None, :])

    return grammar, renderer, drawn


def test_the_work_of_a_check_grows_with_the_number_of_attributes(monkeypatch):
    decoded = []
    decode = sf.Grammar.decode
    monkeypatch.setattr(sf.Grammar, "decode", lambda *args: decoded.append(0) or decode(*args))
    work = {}
    for n in (100, 400):
        grammar, renderer, drawn = many(n)
        decoded.clear()
        told = findings(grammar, renderer, "warning", 8)
        assert ("changing dot.a1, dot.a3, dot.a5, dot.a7, dot.a9, dot.a11, dot.a13, dot.a15 and "
                f"{n // 2 - 8} more changes no image, so it cannot be learned") in told
        work[n] = len(decoded), sum(drawn)
    assert work[400][0] == work[100][0] <= 3, "attributes that no prior reads are changed without evaluating all again"
    assert work[400][1] - work[100][1] == 300, "one scene for each attribute, and one batch for all without effect"


def test_attributes_that_priors_read_have_an_effect_through_others():
    grammar = sf.Grammar("image", {"image": {"width": sf.learned(sf.Uniform(4, 8)),
                                             "idle": sf.learned(sf.Uniform(0, 1)),
                                             "x": sf.learned(lambda image: sf.Uniform(0, image["width"])),
                                             "spare": sf.learned(lambda image: sf.Uniform(0, image["idle"] + 1)),
                                             "material": sf.learned(sf.Choice(["wood", "steel"]))}})
    plain = sf.each(lambda scene: np.full((8, 8), scene.root.x / 8))
    assert findings(grammar, plain, "warning", 8) == [
        "8 images are of one plain colour, the first is scene 0 of seed 0",
        "no labels: neither classes of whole images nor masks of objects; data sets made from this scene have nothing "
        "to train on", "changing image.idle, image.spare, image.material changes no image, so it cannot be learned"]


def test_an_attribute_that_few_scenes_show_has_an_effect():
    """b shows in scenes of a large enough a only."""
    symbols = {"image": {name: sf.learned(sf.Uniform(0, 1)) for name in ("a", "b", "c")}}
    grammar = sf.Grammar("image", symbols)
    scenes = grammar.sample(0, 8).tables["image"]["a"]
    assert scenes[1] < 0.7 < scenes.max(), "b is changed in the second scene first"
    shown = sf.each(lambda scene: np.stack([np.full((4, 4), value) for value in (
        scene.root.a, scene.root.b * (scene.root.a > 0.7), 0)], -1))
    assert "changing image.c changes no image, so it cannot be learned" in findings(grammar, shown, "warning", 8)


def test_many_attributes_that_nothing_uses_are_counted():
    grammar = sf.Grammar("image", {"image": {}, "dot": {f"a{i}": 0.0 for i in range(50)}}, [sf.Rule("image", ["dot"])])
    told = [text for text in findings(grammar, sf.Shapes((8, 8), {"dot": {}}), "warning", 2) if "neither" in text]
    assert len(told) == 21 and told[-1] == "neither the renderer nor a prior uses 30 more attributes of dot"
