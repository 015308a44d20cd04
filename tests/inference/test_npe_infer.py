"""Inference and correction of the method "npe" on predictions made by hand: exact, biased, incomplete."""

from dataclasses import replace

import numpy as np
import pytest

from scenefit.inference.npe.diagnostics import r_squared
from scenefit.inference.npe.infer import assigned, infer
from scenefit.inference.npe.matching import Known, Predictions, single_targets
from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.inference.npe.statistics import moments
from scenefit.inference.npe.update import update
from scenefit.nets.attribute_regressor import regression_targets, targets
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import UNIT_SPREAD, TrueObjects, object_spec, true_values
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned

N, SIDE = 150, 1000.0


WIDE = {"shade": Uniform(0, 1), "light": Choice(["a", "b", "c"]), "turn": Angle(), "n": Integer(0, 12),
        "radius": Uniform(0, 1), "colour": Choice(["red", "blue"]), "heading": Angle(), "sides": Integer(3, 8),
        "size": Uniform(0, 1)}


def grammar_of(**changed) -> Grammar:
    """Discs of one kind in images; nothing has to be drawn, since places and predictions are made by hand."""
    prior = {**WIDE, **changed}
    return Grammar("image", {
        "image": {"shade": learned(prior["shade"], bounds=(0, 1)), "light": learned(prior["light"]),
                  "turn": learned(prior["turn"])},
        "disc": {"radius": learned(prior["radius"], bounds=(0, 1)), "colour": learned(prior["colour"]),
                 "heading": learned(prior["heading"]), "sides": learned(prior["sides"], bounds=(3, 8)),
                 "hidden": learned(Uniform(0, 1))},
        "core": {"size": learned(prior["size"], bounds=(0, 1))}},
        [Rule("image", [repeat("disc", learned(prior["n"], bounds=(0, 12)))]), Rule("disc", ["core"])])


PRIOR = grammar_of()
TRUTH = grammar_of(shade=Normal(0.7, 0.05), light=Choice(["a", "b", "c"], [6, 3, 1]), turn=Angle(170, 10),
                   n=Integer(2, 3), radius=Normal(0.3, 0.06), colour=Choice(["red", "blue"], [1, 9]),
                   heading=Angle(-40, 8), sides=Integer(5, 6), size=Normal(0.3, 0.06))
SPEC = object_spec(PRIOR, ["disc"], ["image"])
TARGETS = targets(PRIOR)
ALL = {a.key: 1.0 for a in PRIOR.learned if a.key != ("disc", "hidden")}


class World:
    """Predictions of scenes, made of their truth. bias: of numbers.  missed: share of objects."""

    def __init__(self, slope=1.0, offset=0.0, missed=0.0, noise=0.0):
        self.slope, self.offset, self.missed, self.noise = slope, offset, missed, noise

    def truth(self, scenes) -> TrueObjects:
        table = scenes.tables["disc"]
        order = np.argsort(table.scene, kind="stable")
        place = 20.0 * (1 + np.arange(len(order)))  # each at a place of its own
        box = np.stack([place, place, place + 10, place + 10], 1)
        values = true_values(SPEC, PRIOR, scenes)["disc"][order]
        return TrueObjects(table.scene[order], np.zeros(len(order), int), box, values)

    def predict(self, scenes, seed) -> Predictions:
        random, objects = np.random.default_rng(seed), self.truth(scenes)
        kept = random.random(len(objects.image)) >= self.missed
        outputs = np.zeros((kept.sum(), SPEC.outputs))
        for one in SPEC.attributes:
            values = objects.values[kept, one.column]
            if one.attribute.form == "choice":
                outputs[:, one.outputs] = np.eye(len(one.attribute.choice.options))[values.astype(int)]
            elif one.attribute.form == "angle":
                outputs[:, one.outputs] = angle_outputs(values)
            else:
                noise = self.noise * random.standard_normal(len(values))
                outputs[:, one.first] = (self.offset + self.slope * values + noise - 0.5) * UNIT_SPREAD
        image = regression_targets(PRIOR, TARGETS, scenes).double().numpy()
        for target, part in single_targets(SPEC, TARGETS):
            if target.attribute.form in ("number", "integer"):
                image[:, part] = self.offset + self.slope * image[:, part] + self.noise * random.standard_normal((N, 1))
        return Predictions(image, ObjectPredictions(
            N, objects.image[kept], objects.kind[kept], np.full(kept.sum(), 0.9), objects.box[kept], outputs,
            np.zeros((N, 0))))

    def infer(self, rounds=2, truth=TRUTH, visible=ALL, samples=4) -> PosteriorSamples:
        """Samples of the photos; from the second round on, renders are of the samples before."""
        scenes, photos = uniform_randomisation(PRIOR).sample(1, N), self.predict(truth.sample(99, N), 5)
        for number in range(rounds):
            known = Known([scenes], regression_targets(PRIOR, TARGETS, scenes).double().numpy(), self.truth(scenes))
            found = infer(PRIOR, TARGETS, SPEC, photos, self.predict(scenes, 6 + number), known, visible, samples,
                          number)
            scenes = found.scenes.take(np.arange(N) * samples)
        return found


def angle_outputs(turns):
    angle = 2 * np.pi * turns - np.pi
    return np.stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)], 1)


def turned(values, mean):
    return (values - mean + 180) % 360 - 180


@pytest.mark.parametrize("world", [World(), World(0.6, 0.3), World(missed=0.3), World(0.8, -0.1, noise=0.05)],
                         ids=["exact", "biased", "objects missed", "noisy"])
def test_the_distribution_is_that_of_the_photos_whatever_the_predictions_bias(world):
    found, truth = world.infer(3), TRUTH.sample(99, N)
    assert found.inferred == set(ALL)
    image, disc, core = (found.scenes.tables[kind] for kind in ("image", "disc", "core"))
    assert abs(image["shade"].mean() - 0.7) < 0.03 and abs(image["shade"].std() / 0.05 - 1) < 0.5
    assert abs(disc["radius"].mean() - 0.3) < 0.03 and abs(disc["radius"].std() / 0.06 - 1) < 0.4
    assert abs(core["size"].mean() - 0.3) < 0.03
    count, expected = (np.bincount(s.tables["image"]["n_disc"], minlength=13) / len(s) for s in (found.scenes, truth))
    assert 0.5 * np.abs(count - expected).sum() < 0.2
    assert abs(np.mean(disc["colour"] == "blue") - 0.9) < 0.06
    assert abs(np.mean(disc["sides"]) - 5.5) < 0.25
    assert abs(np.mean(image["light"] == "a") - 0.6) < 0.1 and abs(np.mean(image["light"] == "c") - 0.1) < 0.08
    for values, mean, sd in ((image["turn"], 170, 10), (disc["heading"], -40, 8)):
        away = turned(values, mean)
        assert abs(np.median(away)) < 4 and np.mean(np.abs(away) < 4 * sd) > 0.9


def test_what_is_not_inferred_keeps_the_prior_to_the_bit():
    visible = {("disc", "colour"): 0.5}
    found = World().infer(1, visible=visible)
    distribution = update(SceneDistribution(PRIOR, 0), found, 0)
    assert found.inferred == {("disc", "colour")}
    prior, ours = SceneDistribution(PRIOR, 0).sample(3, 200), distribution.sample(3, 200)
    for kind in PRIOR.kinds:
        for name, column in ours.tables[kind].columns.items():
            if (kind, name) != ("disc", "colour"):
                np.testing.assert_array_equal(column, prior.tables[kind][name], err_msg=f"{kind}.{name}")
    assert abs(np.mean(ours.tables["disc"]["colour"] == "blue") - 0.9) < 0.05


def test_image_attributes_that_are_not_inferred_keep_the_priors_spread_beside_those_that_are():
    found = World().infer(1, visible={("image", "shade"): 0.9})
    distribution = update(SceneDistribution(PRIOR, 0), found, 0)
    count = distribution.sample(3, 1000).tables["image"]["n_disc"]
    assert abs(count.mean() - 6) < 0.5 and abs(count.std() - 3.74) < 0.4
    assert abs(distribution.sample(3, 1000).tables["image"]["shade"].mean() - 0.7) < 0.02


def test_samples_of_a_photo_are_near_its_own_truth():
    """The posterior is that of each photo, not only right in the mean: samples follow the photos' predictions."""
    truth = TRUTH.sample(99, N)
    found = World().infer()
    np.testing.assert_array_equal(found.photo, np.repeat(np.arange(N), 4))
    shade, count = truth.tables["image"]["shade"][found.photo], truth.tables["image"]["n_disc"][found.photo]
    assert np.corrcoef(found.scenes.tables["image"]["shade"], shade)[0, 1] > 0.9
    assert np.mean(found.scenes.tables["image"]["n_disc"] == count) > 0.9
    table, real = found.scenes.tables["disc"], truth.tables["disc"]
    of_photo = np.bincount(real.scene, real["radius"], N) / np.bincount(real.scene, minlength=N)
    own = np.bincount(table.scene, table["radius"], 4 * N) / np.bincount(table.scene, minlength=4 * N)
    assert np.corrcoef(own, of_photo[found.photo])[0, 1] > 0.8


def test_the_same_seed_gives_the_same_samples():
    a, b = World().infer(1), World().infer(1)
    for kind in PRIOR.kinds:
        for name, column in a.scenes.tables[kind].columns.items():
            np.testing.assert_array_equal(column, b.scenes.tables[kind][name])


def test_photos_without_any_object_leave_attributes_of_objects_at_their_prior():
    truth = grammar_of(n=Integer(0, 0))
    found = World().infer(1, truth)
    assert not [key for key in found.inferred if key[0] in ("disc", "core")] and ("image", "n_disc") in found.inferred
    assert np.mean(found.scenes.tables["image"]["n_disc"] == 0) > 0.9


def test_a_part_that_no_render_shows_keeps_its_prior():
    """The discs of the photos have cores, those of the present distribution have none."""
    world, scenes = World(), uniform_randomisation(PRIOR).sample(1, N)
    truth = world.truth(scenes)
    column = next(one.column for one in SPEC.attributes if one.attribute.key == ("core", "size"))
    truth.values[:, column] = np.nan
    known = Known([scenes], regression_targets(PRIOR, TARGETS, scenes).double().numpy(), truth)
    photos, renders = world.predict(TRUTH.sample(99, N), 5), world.predict(scenes, 6)
    found = infer(PRIOR, TARGETS, SPEC, photos, renders, known, ALL, 2, 0)
    assert found.inferred == ALL.keys() - {("core", "size")}
    assert abs(found.scenes.tables["core"]["size"].std() - 12**-0.5) < 0.03


# ---------------------------------------------------------------------------------------------- what can be predicted

def r2_of(world, change=lambda predicted: None) -> dict:
    scenes = uniform_randomisation(PRIOR).sample(1, N)
    predicted = world.predict(scenes, 6)
    change(predicted)
    known = Known([scenes], regression_targets(PRIOR, TARGETS, scenes).double().numpy(), world.truth(scenes))
    return r_squared(TARGETS, SPEC, predicted, known, np.zeros(len(known.truth), int), None)


@pytest.mark.parametrize("world", [World(), World(0.6, 0.3), World(missed=0.3)], ids=["exact", "biased", "missed"])
def test_predictions_that_only_need_a_calibration_tell_all(world):
    found = r2_of(world)
    assert found.keys() == {a.key for a in PRIOR.learned}
    assert min(found.values()) > 0.999


def test_noise_lowers_r2_by_its_share_of_the_variance():
    found = r2_of(World(noise=0.3))
    assert abs(found["disc", "radius"] - 1 / (1 + 12 * 0.3**2)) < 0.06
    assert abs(found["image", "shade"] - 1 / (1 + 3 * 0.3**2)) < 0.1  # of -1..1


def test_predictions_that_tell_nothing_and_an_axis_without_its_direction():
    random, at = np.random.default_rng(0), {one.attribute.name: one.outputs for one in SPEC.attributes}

    def change(predicted):
        outputs = predicted.objects.outputs
        outputs[:, at["radius"]] = random.standard_normal(outputs[:, at["radius"]].shape)
        outputs[:, at["colour"]] = random.random(outputs[:, at["colour"]].shape)
        outputs[:, at["heading"]][:, :2] = 0  # the axis alone

    found = r2_of(World(), change)
    assert abs(found["disc", "radius"]) < 0.05 and found["disc", "colour"] < 0.2 and found["disc", "heading"] > 0.999


def test_mean_and_spread_of_the_objects_of_each_image():
    image, value = np.array([0, 0, 2, 2, 2]), np.array([1.0, 3.0, 5.0, 5.0, 5.0])
    np.testing.assert_allclose(moments(image, value, 4), [[2, 1], [3.5, 0.5], [5, 0], [3.5, 0.5]])
    np.testing.assert_array_equal(moments(image[:0], value[:0], 3), np.zeros((3, 2)))


# ---------------------------------------------------------------------------------------------- kinds of one node

def test_an_image_attribute_whose_nodes_are_not_in_the_scenes_order():
    """A leaf under the image or under a frame: one in each scene, but the table lists those of the frames apart."""
    def grammar(prior):
        return Grammar("image", {"image": {}, "frame": {}, "leaf": {"x": learned(prior, bounds=(0, 1)),
                                                                    "c": learned(Choice(["a", "b"], [1, 1]))}},
                       [Rule("image", ["leaf"], learned=True), Rule("image", ["frame"], learned=True),
                        Rule("frame", ["leaf"])])

    own, spec = grammar(Uniform(0, 1)), object_spec(grammar(Uniform(0, 1)), [], ["image", "leaf"])
    found, empty = targets(own), ObjectPredictions(N, *[np.zeros(0, int)] * 2, np.zeros(0), np.zeros((0, 4)),
                                                   np.zeros((0, 0)), np.zeros((N, 0)))
    photos, renders = grammar(Normal(0.7, 0.1)).sample(9, N), own.sample(1, N)
    assert np.any(np.diff(renders.tables["leaf"].scene) < 0)
    of_photos, of_renders = (regression_targets(own, found, s).double().numpy() for s in (photos, renders))
    known = Known([renders], of_renders, TrueObjects(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)),
                                                     np.zeros((0, 0))))
    samples = infer(own, found, spec, Predictions(of_photos, empty), Predictions(of_renders, empty), known,
                    {("leaf", "x"): 1.0, ("leaf", "c"): 1.0}, 2, 0)
    leaf, real = samples.scenes.tables["leaf"], photos.tables["leaf"]
    x, c = np.empty(N), np.empty(N, "U1")
    x[real.scene], c[real.scene] = real["x"], real["c"]
    assert np.corrcoef(leaf["x"], x[samples.photo[leaf.scene]])[0, 1] > 0.95
    assert np.mean(leaf["c"] == c[samples.photo[leaf.scene]]) > 0.9


def test_samples_err_as_predictions_do_also_where_renders_lack_the_node():
    """A leaf in half of the renders; predictions that err, and are the same for all photos."""
    def grammar(weight):
        return Grammar("image", {"image": {}, "leaf": {"x": learned(Uniform(0, 1))}},
                       [Rule("image", ["leaf"]), Rule("image", [], weight=weight)])

    own = grammar(1e-9)
    spec, found, scenes = object_spec(own, [], ["image", "leaf"]), targets(own), grammar(1.0).sample(1, 1000)
    truth = regression_targets(own, found, scenes).double().numpy()
    renders = np.nan_to_num(truth) + 0.5 * np.random.default_rng(2).standard_normal(truth.shape)
    empty = ObjectPredictions(1000, *[np.zeros(0, int)] * 2, np.zeros(0), np.zeros((0, 4)), np.zeros((0, 0)),
                              np.zeros((1000, 0)))
    none = TrueObjects(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)), np.zeros((0, 0)))
    samples = infer(own, found, spec, Predictions(np.zeros_like(truth), empty), Predictions(renders, empty),
                    Known([scenes], truth, none), {("leaf", "x"): 0.6}, 2, 0)
    there = np.isfinite(truth[:, 0])
    assert 0.4 < there.mean() < 0.6
    unexplained = 1 - np.corrcoef(truth[there, 0], renders[there, 0])[0, 1] ** 2
    assert samples.scenes.tables["leaf"]["x"].std() == pytest.approx(12**-0.5 * unexplained**0.5, rel=0.1)


def test_a_kind_whose_prior_holds_one_but_whose_bounds_allow_more_is_none_of_the_image():
    """Each scene of the prior has one disc; scenes of the uniform proposal have 0 to 4."""
    own = Grammar("image", {"image": {"shade": learned(Uniform(0, 1))}, "disc": {"radius": learned(Uniform(0, 1))}},
                  [Rule("image", [repeat("disc", learned(Integer(1, 1), bounds=(0, 4)))])])
    found, scenes = targets(own), uniform_randomisation(own).sample(1, N)
    predicted = np.nan_to_num(regression_targets(own, found, scenes).double().numpy())
    empty = ObjectPredictions(N, *[np.zeros(0, int)] * 2, np.zeros(0), np.zeros((0, 4)), np.zeros((0, 2)),
                              np.zeros((N, 0)))
    spec = object_spec(own, ["disc"], ["image"])
    known = Known([scenes], regression_targets(own, found, scenes).double().numpy(),
                  TrueObjects(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)), np.zeros((0, 1))))
    samples = infer(own, found, spec, Predictions(predicted, empty), Predictions(predicted, empty), known,
                    {a.key: 1.0 for a in own.learned}, 2, 0)
    assert ("disc", "radius") not in samples.inferred and ("image", "shade") in samples.inferred


# ---------------------------------------------------------------------------------------------- objects for nodes

def test_nodes_get_the_objects_of_their_own_photo_the_surest_first():
    found = ObjectPredictions(3, np.array([0, 0, 0, 2]), np.zeros(4, int), np.array([0.3, 0.9, 0.6, 0.5]),
                              np.zeros((4, 4)), np.zeros((4, 0)), np.zeros((3, 0)))
    photo = np.array([0, 0, 1, 2])  # two samples of photo 0, one of the others
    scene = np.array([3, 0, 0, 1, 1, 1, 1, 3, 2])  # of each node, in any order
    chosen = assigned(scene, photo, found, np.random.default_rng(0))
    np.testing.assert_array_equal(chosen[scene == 0], [1, 2])
    np.testing.assert_array_equal(chosen[scene == 1][:3], [1, 2, 0])
    assert chosen[scene == 1][3] in (0, 1, 2)  # one of the photo's again
    np.testing.assert_array_equal(chosen[scene == 3], [3, 3])
    assert 0 <= chosen[scene == 2][0] < 4  # of any photo
    several = assigned(np.zeros(200, int), np.array([1]), replace(found), np.random.default_rng(0))
    assert set(several) == {0, 1, 2, 3}


def test_what_an_earlier_round_inferred_stays_where_a_later_one_is_blind():
    scenes, visible = TRUTH.sample(3, N), dict.fromkeys(ALL, 0.05)
    known = Known([scenes], regression_targets(PRIOR, TARGETS, scenes).double().numpy(), World().truth(scenes))
    photos = World().predict(uniform_randomisation(PRIOR).sample(9, N), 5)  # far away, but nothing says how far
    found = infer(PRIOR, TARGETS, SPEC, photos, World().predict(scenes, 6), known, visible, 4, 0)
    assert found.inferred == set(ALL)
    for kind, name in ALL:
        before, after = scenes.tables[kind][name], found.scenes.tables[kind][name]
        if before.dtype.kind == "U":
            assert all(abs(np.mean(after == option) - np.mean(before == option)) < 0.1 for option in set(before))
        else:
            assert abs(after.mean() - before.mean()) < 0.25 * before.std() and 0.8 < after.std() / before.std() < 1.25
