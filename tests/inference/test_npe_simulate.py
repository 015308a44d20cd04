"""Parts of the method "npe" before and after its networks: simulated scenes and their objects, crops, matching of
predictions, posterior samples, and proposals."""

import numpy as np
import pytest
import torch

from scenefit.data.photos import as_photos
from scenefit.inference.npe import simulate as simulations
from scenefit.inference.npe.matching import match_objects, sure, thresholds
from scenefit.inference.npe.propose import MIXED, proposal, recounted, widened
from scenefit.inference.npe.simulate import crop_pixels, crops, simulate
from scenefit.inference.npe.train import SIDE, crop_side
from scenefit.inference.stages.problem import Budget, Problem
from scenefit.nets.attribute_regressor import regression_targets
from scenefit.nets.maximum_likelihood import fit_distribution
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import SEEN, ObjectSpec, TrueObjects, object_spec
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import batches, render
from scenefit.renderers.shapes import Shapes
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.grammar.values import redrawn, scenes_with
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned

SIZE = 40, 56
DISCS = Grammar("image", {"image": {"shade": learned(Uniform(0.3, 0.7))},
                          "disc": {"x": learned(Uniform(0, 56)), "y": learned(Uniform(0, 40)),
                                   "radius": learned(Uniform(3, 7)), "shade": learned(Choice([0.0, 1.0]))},
                          "bar": {"x": Uniform(0, 56), "y": learned(Uniform(0, 40)), "length": 12.0, "width": 4.0}},
                [Rule("image", [repeat("disc", learned(Integer(0, 4))), repeat("bar", Integer(0, 2))])])
SHAPES = Shapes(SIZE, {"disc": {}, "bar": {}}, solid=0.5)
SPEC = object_spec(DISCS, ["disc", "bar"], ["image"])
AT = {one.attribute.key: one.column for one in SPEC.attributes}


def problem(grammar: Grammar = DISCS, renderer=SHAPES, size=SIZE, n: int = 8) -> Problem:
    photos = render(renderer, grammar.sample(99, n)).images
    return Problem(grammar, renderer, as_photos(photos, size), None, None, None, None, Budget(), 0)


# ---------------------------------------------------------------------------------------------- simulated scenes

def test_values_of_objects_belong_to_their_boxes_in_any_chunks(monkeypatch):
    parts, found = [DISCS.sample(1, 30), DISCS.sample(2, 11)], []
    for at_once in (50, 7):
        monkeypatch.setattr(batches, "PIXELS", at_once * SIZE[0] * SIZE[1])
        found.append(simulate(problem(), SPEC, parts, 5))
    a, b = found
    assert len(a) == len(b) == 41
    np.testing.assert_array_equal(a.images, b.images)
    torch.testing.assert_close(a.truth, b.truth, equal_nan=True, rtol=0, atol=0)
    for name in ("image", "kind", "box", "values"):
        np.testing.assert_array_equal(getattr(a.objects, name), getattr(b.objects, name))
    objects, middle = a.objects, (a.objects.box[:, :2] + a.objects.box[:, 2:]) / 2
    inside = np.all((objects.box[:, :2] > 0) & (objects.box[:, 2:] < [SIZE[1], SIZE[0]]), axis=1)
    discs, bars = inside & (objects.kind == 0), inside & (objects.kind == 1)
    assert discs.sum() > 30 and bars.sum() > 10
    values = objects.values
    np.testing.assert_allclose(values[discs][:, [AT["disc", "x"], AT["disc", "y"]]] * [56, 40], middle[discs], atol=0.6)
    side = (objects.box[:, 2:] - objects.box[:, :2]).max(1)
    np.testing.assert_allclose(2 * (3 + 4 * values[discs, AT["disc", "radius"]]), side[discs], atol=1.2)
    np.testing.assert_allclose(values[bars, AT["bar", "y"]] * 40, middle[bars, 1], atol=0.6)
    assert np.isnan(values[objects.kind == 0][:, AT["bar", "y"]]).all()
    assert np.isnan(values[objects.kind == 1][:, AT["disc", "x"]]).all()
    expected = torch.cat([regression_targets(DISCS, problem().targets, scenes) for scenes in parts])
    torch.testing.assert_close(a.truth, expected, equal_nan=True)


def test_objects_that_can_hardly_be_seen_are_background():
    """Two discs at one place: the lower one has no visible pixel."""
    grammar = Grammar("image", {"image": {"shade": learned(Uniform(0.2, 0.4))},
                                "disc": {"x": 20.0, "y": 20.0, "radius": 6.0}}, [Rule("image", ["disc", "disc"])])
    own = problem(grammar, Shapes(SIZE, {"disc": {}}))
    found = simulate(own, object_spec(grammar, ["disc"], ["image"]), [grammar.sample(0, 6)], 0).objects
    np.testing.assert_array_equal(found.image, np.arange(6))
    assert found.values.shape == (6, 0)


def test_renders_are_corrupted_only_where_there_are_objects():
    scenes = DISCS.sample(1, 12)
    clean = render(SHAPES, scenes).images
    none = simulate(problem(), ObjectSpec((), ()), [scenes], 0)
    np.testing.assert_array_equal(none.images, clean)
    assert len(none.objects.image) == 0 and none.objects.box.shape == (0, 4)
    assert not np.array_equal(simulate(problem(), SPEC, [scenes], 0).images, clean)


def test_renders_that_networks_learn_from_have_shadows_beside_objects_and_the_same_boxes(monkeypatch):
    monkeypatch.setattr(simulations, "corrupt", lambda images, *_: images)
    monkeypatch.setattr(simulations, "add_texture", lambda images, *_: images)
    scenes = DISCS.sample(1, 24)
    frames, found = render(SHAPES, scenes), simulate(problem(), SPEC, [scenes], 0)
    darker = (found.images.astype(int) - frames.images).min(3) < -5
    beside = (darker & (frames.instances == 0)).any((1, 2))
    assert 4 <= beside.sum() <= 18
    kept = SEEN.keeps(frames)
    np.testing.assert_allclose(found.objects.box, SEEN.boxes(frames)[kept])


def test_a_crop_shows_its_part_of_the_image_and_the_objects_centred_in_it():
    found, side = simulate(problem(), SPEC, [DISCS.sample(1, 30)], 5), (24, 32)
    rows = np.array([3, 7, 7, 20, 29, 0])
    place, targets = crops(found, SPEC, rows, side, np.random.default_rng(0))
    pixels = crop_pixels(found.images, rows, place[:, :2].long().numpy(), side)
    assert pixels.shape == (6, 3, 24, 32) and targets.boxes.code.shape == targets.values.shape[:2]
    torch.testing.assert_close(targets.image, found.truth[rows], equal_nan=True)
    assert len({tuple(p) for p in place.tolist()}) > 4
    shown = 0
    for n, row in enumerate(rows):
        left, top = place[n, :2].int().tolist()
        assert place[n, 2:].tolist() == [56, 40] and 0 <= left <= 56 - 32 and 0 <= top <= 40 - 24
        np.testing.assert_array_equal((pixels[n].permute(1, 2, 0) * 255).round().byte().numpy(),
                                      found.images[row, top:top + 24, left:left + 32])
        own = np.arange(len(found.objects.image))[found.objects.rows(row)]
        middle = (found.objects.box[own, :2] + found.objects.box[own, 2:]) / 2
        own = own[np.all((middle >= [left, top]) & (middle < [left + 32, top + 24]), axis=1)]
        there = targets.boxes.code[n] >= 0
        assert int(there.sum()) == len(own) and bool(there[:len(own)].all())
        np.testing.assert_allclose(targets.boxes.box[n][there].numpy() + [left, top] * 2, found.objects.box[own],
                                   atol=1e-4)
        np.testing.assert_array_equal(targets.boxes.code[n][there].numpy(), found.objects.kind[own])
        np.testing.assert_allclose(targets.values[n][there].numpy(), found.objects.values[own], atol=1e-6)
        assert torch.isnan(targets.values[n][~there]).all()
        shown += len(own)
    assert shown > 5


@pytest.mark.parametrize("box, expected", [(0, (128, 128)), (30, (128, 128)), (60, (192, 192)), (400, (720, 1216))])
def test_crops_hold_large_objects_and_are_no_larger_than_images(box, expected):
    """At 1280x720 a batch of training holds as many pixels as of small images."""
    class Wide:
        images = np.broadcast_to(np.zeros((1, 1, 1, 3), np.uint8), (4, 720, 1280, 3))
        objects = TrueObjects(np.arange(1 if box else 0), np.zeros(1 if box else 0, int),
                              np.array([[5.0, 5, 5 + box, 6]] if box else np.zeros((0, 4))), np.zeros((1, 0)))

    assert SIDE == 128 and crop_side(Wide()) == expected


# ---------------------------------------------------------------------------------------------- matching

def predicted(*rows, count=2) -> ObjectPredictions:
    """(image, kind, score, box) of each."""
    image, kind, score, box = (np.array(column) for column in zip(*rows, strict=True))
    return ObjectPredictions(count, image, kind, score.astype(float), box.astype(float), np.zeros((len(rows), 0)),
                             np.zeros((count, 0)))


TRUE = TrueObjects(np.array([0, 0, 1]), np.array([0, 1, 0]),
                   np.array([[10.0, 10, 20, 20], [12, 10, 22, 20], [40, 40, 44, 44]]), np.zeros((3, 0)))


def test_each_prediction_gets_the_nearest_true_object_of_its_kind_that_is_free():
    found = predicted((0, 0, 0.3, [10, 10, 20, 20]), (0, 0, 0.9, [11, 10, 21, 20]), (0, 1, 0.5, [11, 10, 21, 20]),
                      (1, 1, 0.9, [40, 40, 44, 44]), (1, 0, 0.2, [42, 40, 46, 44]))
    rows, real = match_objects(found, TRUE)
    assert sorted(zip(rows.tolist(), real.tolist(), strict=True)) == [(1, 0), (2, 1), (4, 2)]
    rows, real = match_objects(found, TRUE, same_kind=False)  # the surest first, whatever its kind
    assert sorted(zip(rows.tolist(), real.tolist(), strict=True)) == [(1, 0), (2, 1), (3, 2)]


def test_predictions_far_from_any_object_and_images_without_objects_match_nothing():
    far = predicted((0, 0, 0.9, [15, 10, 25, 20]), (1, 0, 0.9, [43, 40, 47, 44]))  # 5 and 3 pixels: 4 and 2 are allowed
    assert len(match_objects(far, TRUE)[0]) == 0
    none = TrueObjects(*(np.zeros((0, *more), int) for more in ((), (), (4,), (0,))))
    assert len(match_objects(far, none)[0]) == 0
    assert len(match_objects(far.where(np.zeros(2, bool)), TRUE)[0]) == 0


def test_the_threshold_of_each_kind_maximises_f1():
    found = predicted((0, 0, 0.9, [10, 10, 20, 20]), (1, 0, 0.6, [40, 40, 44, 44]), (1, 0, 0.4, [0, 0, 5, 5]),
                      (0, 1, 0.8, [0, 0, 5, 5]), (0, 1, 0.3, [12, 10, 22, 20]))
    least = thresholds(SPEC, found, TRUE)
    np.testing.assert_allclose(least, [0.6, 0.3])
    np.testing.assert_array_equal(sure(found, least).score, [0.9, 0.6, 0.8, 0.3])
    nothing = found.where(found.kind == 5)
    np.testing.assert_array_equal(thresholds(SPEC, nothing, TRUE), [0.5, 0.5])


# ---------------------------------------------------------------------------------------------- posterior samples

NESTED = Grammar("road", {
    "road": {"width": learned(Uniform(6, 12)), "light": learned(Choice(["day", "dusk", "night"])),
             "heading": learned(Angle(0, 30))},
    "lane": {"offset": learned(lambda lane: Uniform(-lane.parent["width"], lane.parent["width"]))},
    "car": {"side": learned(lambda car: Normal(car.parent["offset"], 2.0), bounds=(-40, 40)),
            "room": lambda car: Uniform(0, car.parent.parent["width"]), "doors": learned(Integer(2, 5)),
            "colour": learned(Choice(["red", "grey"]))}},
    [Rule("road", [repeat("lane", Integer(1, 3))]), Rule("lane", [repeat("car", learned(Integer(0, 3)))], learned=True),
     Rule("lane", [], learned=True)])


def wanted_of(grammar, scenes, seed):
    random, values = np.random.default_rng(seed), {}
    for a in grammar.learned:
        n = len(scenes.tables[a.kind])
        if not a.count:
            values[a.key] = (random.integers(0, len(a.choice.options), n).astype(float) if a.form == "choice"
                             else random.uniform(0.02, 0.98, n))
    return values


def test_scenes_get_the_wanted_values_whatever_their_priors_depend_on():
    scenes = NESTED.sample(4, 60)
    wanted = wanted_of(NESTED, scenes, 0)
    out = scenes_with(NESTED, scenes, wanted)
    units = NESTED.normalised(out)
    for a in NESTED.learned:
        if a.count:
            np.testing.assert_array_equal(out.tables[a.kind][a.name], scenes.tables[a.kind][a.name])
        elif a.form == "choice":
            np.testing.assert_array_equal(a.choice.codes(out.tables[a.kind][a.name]), wanted[a.key])
        elif a.form == "integer":
            np.testing.assert_array_equal(out.tables[a.kind][a.name], 2 + np.floor(wanted[a.key] * 4))
        else:
            np.testing.assert_allclose(units[a.key], wanted[a.key], atol=1e-7, err_msg=a.name)
    lane = out.tables["lane"]
    width = out.tables["road"]["width"][lane.scene]
    np.testing.assert_allclose(lane["offset"], (2 * wanted["lane", "offset"] - 1) * width, atol=1e-6)
    room, old = (s.tables["car"]["room"] / s.tables["road"]["width"][s.tables["car"].scene] for s in (out, scenes))
    np.testing.assert_allclose(room, old, atol=1e-9)  # what is not learned follows its parents


def test_values_that_nothing_tells_stay_the_priors():
    scenes = NESTED.sample(4, 60)
    cars, lanes = len(scenes.tables["car"]), len(scenes.tables["lane"])
    wanted = {("car", "doors"): np.full(cars, np.nan), ("car", "colour"): np.full(cars, np.nan),
              ("lane", "offset"): np.where(np.arange(lanes) % 2, np.nan, 0.5), ("road", "heading"): np.full(60, np.nan)}
    out = scenes_with(NESTED, scenes, wanted)
    np.testing.assert_allclose(out.tables["road"]["heading"], scenes.tables["road"]["heading"])
    for kind, name in (("car", "doors"), ("car", "colour"), ("road", "width"), ("road", "light")):
        np.testing.assert_array_equal(out.tables[kind][name], scenes.tables[kind][name], err_msg=name)
    own = np.arange(lanes) % 2 == 1
    np.testing.assert_allclose(out.tables["lane"]["offset"][own], scenes.tables["lane"]["offset"][own])
    assert np.abs(out.tables["lane"]["offset"][~own]).max() < 1e-9


# ---------------------------------------------------------------------------------------------- proposals

def narrow() -> SceneDistribution:
    """A distribution far from the prior: wide roads at night, lanes on the left, grey cars with 2 doors."""
    scenes = NESTED.sample(8, 400)
    random = np.random.default_rng(0)
    units = {"width": 0.9, "heading": 0.7, "offset": 0.2, "side": 0.5, "doors": 0.1}
    codes = {"light": 2, "colour": 1}
    n = {kind: len(scenes.tables[kind]) for kind in NESTED.kinds}
    values = {a.key: (np.full(n[a.kind], codes[a.name]).astype(float) if a.form == "choice" else
                      np.clip(random.normal(units[a.name], 0.01, n[a.kind]), 0, 1))
              for a in NESTED.learned if not a.count}
    return fit_distribution(SceneDistribution(NESTED, 0), scenes_with(NESTED, scenes, values), values.keys(), 0,
                            steps=0)


def test_a_proposal_lies_near_the_distribution_mixed_and_uniform():
    distribution, uniform = narrow(), uniform_randomisation(NESTED)
    near, mixed, wide = proposal(distribution, uniform, {"car"}, {}, 400, 3)
    assert (len(near), len(mixed), len(wide)) == (260, 100, 40)
    units = [NESTED.normalised(scenes) for scenes in (near, mixed, wide)]
    for key, sd in ((("road", "width"), 0.02), (("lane", "offset"), 0.02)):
        own = distribution.grammar.normalised(distribution.sample(5, 400))[key]
        assert own.std() < 0.03
        assert abs(units[0][key].mean() - own.mean()) < 0.02 and 0.03 < units[0][key].std() < 0.06  # widened
        assert abs(units[1][key].mean() - own.mean()) < 0.02 and units[1][key].std() < own.std() + sd  # as it is
        assert abs(units[2][key].std() - 12**-0.5) < 0.08  # the prior
    side = [unit["car", "side"] for unit in units]  # of objects
    assert side[0].std() < 0.06 and abs(side[1].std() - 12**-0.5) < 0.04
    night = [np.mean(scenes.tables["road"]["light"] == "night") for scenes in (near, mixed, wide)]
    assert abs(night[0] - (1 - MIXED * 2 / 3)) < 0.08 and night[1] > 0.97 and night[2] < 0.5
    assert [len(part) for part in proposal(distribution, uniform, (), {}, 400, 3)] == [360, 40]  # no objects


@pytest.mark.parametrize("change", [
    lambda grammar, scenes, seed: widened(grammar, scenes, {}, seed),
    lambda grammar, scenes, seed: redrawn(grammar, scenes, {a.key for a in grammar.learned if not a.count}, seed),
], ids=["widened", "redrawn"])
def test_proposals_stay_within_the_bounds_and_keep_the_graphs(change):
    scenes = NESTED.sample(4, 200)
    out = change(NESTED, scenes, 1)
    for kind in NESTED.kinds:
        np.testing.assert_array_equal(out.tables[kind].address, scenes.tables[kind].address)
    assert all(np.all((u >= 0) & (u <= 1)) for u in NESTED.normalised(out).values())
    assert np.abs(out.tables["lane"]["offset"]).max() <= out.tables["road"]["width"].max()
    assert not np.array_equal(out.tables["road"]["width"], scenes.tables["road"]["width"])


def test_numbers_and_counts_are_widened_by_the_error_of_their_predictions():
    grammar = Grammar("tray", {"tray": {"light": learned(Uniform(0, 1))}, "nut": {"size": learned(Uniform(0, 1))}},
                      [Rule("tray", [repeat("nut", learned(Integer(0, 40)))])])
    scenes = grammar.sample(0, 400, decide=lambda group: {"n_nut": np.full(len(group), 10)} if group.kind == "tray"
                            else {})
    scenes = scenes_with(grammar, scenes, {("tray", "light"): np.full(400, 0.5), ("nut", "size"): np.full(4000, 0.3)})
    count = ("tray", "n_nut")
    assert recounted(grammar, scenes, {count: 0.0}, 1) is scenes
    more = recounted(grammar, scenes, {count: 0.1}, 1)
    assert more.tables["tray"]["n_nut"].std() == pytest.approx(4.1, abs=0.5)
    assert more.tables["tray"]["n_nut"].mean() == pytest.approx(10, abs=0.8)
    assert np.abs(more.tables["nut"]["size"] - 0.3).max() < 1e-6 > np.abs(more.tables["tray"]["light"] - 0.5).max()
    assert widened(grammar, scenes, {}, 1).tables["tray"]["light"].std() < 0.05
    assert widened(grammar, scenes, {("tray", "light"): 0.15}, 1).tables["tray"]["light"].std() > 0.12
    assert recounted(NESTED, (nested := NESTED.sample(0, 20)), dict.fromkeys((a.key for a in NESTED.learned), 1.0),
                     0) is nested, "counts below the root hang together with those of the root"


def test_widened_angles_cross_the_seam():
    grammar = Grammar("a", {"a": {"turn": learned(Angle(178, 2))}}, [])
    turn = widened(grammar, grammar.sample(0, 500), {}, 1).tables["a"]["turn"]
    away = (turn - 178 + 180) % 360 - 180
    assert 5 < away.std() < 30 and abs(away.mean()) < 3 and np.abs(turn).max() <= 180
