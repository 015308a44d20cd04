"""The method "npe" as a whole: it comes near the truth, resumes to the same bytes, spends what it declares, and copes
with scenes that lack what it works on."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from checks import same_tensors
from quick import quick
from scipy import stats
from toys import UnreadableLabels

from scenefit.data.frames import Frame
from scenefit.data.photos import as_photos
from scenefit.inference.fit import fit_steps
from scenefit.inference.npe import diagnostics, infer, method, predictor, train, update
from scenefit.inference.npe.method import Npe, spec_of
from scenefit.inference.npe.simulate import simulate
from scenefit.inference.settings import Settings
from scenefit.inference.stages.problem import Budget, Problem, start
from scenefit.inference.stages.regressor import Regressor
from scenefit.nets import object_predictions
from scenefit.nets.maximum_likelihood import fit_distribution
from scenefit.nets.object_network import ObjectNetwork
from scenefit.nets.object_targets import object_spec
from scenefit.renderers import RendererInfo
from scenefit.renderers.each import each
from scenefit.renderers.shapes import Shapes
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.log_priors import LogUniform
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned

SIDE = 32
PLACE = {"x": Uniform(4, 28), "y": Uniform(4, 28)}
SHADE = {"shade": learned(Uniform(0, 1))}


def fit(grammar, renderer, real, settings, **more):
    return list(fit_steps(grammar, renderer, real, settings=settings, **more))


# ---------------------------------------------------------------------------------------------- nearer to the truth

def discs(count, radius, shade) -> Grammar:
    return Grammar("image", {"image": {"shade": 0.3},
                             "disc": {"x": Uniform(0, 48), "y": Uniform(0, 48), "edge": 1.5,
                                      "radius": learned(radius, bounds=(2, 7)),
                                      "shade": learned(shade, bounds=(0.4, 1))}},
                   [Rule("image", [repeat("disc", learned(count, bounds=(0, 6)))])])


def test_counts_sizes_and_brightness_of_soft_discs_come_near_the_truth(monkeypatch):
    monkeypatch.setattr(train, "PIXELS", 16 * 48**2)
    monkeypatch.setattr(object_predictions, "PIXELS", 60 * 48**2)
    monkeypatch.setattr(method, "COMPARED", 60)
    prior = discs(Integer(0, 6), Uniform(2, 7), Uniform(0.4, 1))
    truth, renderer = discs(Integer(1, 3), Normal(3, 0.4), Normal(0.8, 0.05)), Shapes((48, 48), {"disc": {}})
    settings = Settings(Npe(1, 200, 60, 3), Regressor(epochs=2), validation_renders=64)
    last = fit(prior, renderer, renderer(truth.sample(9, 80)).images, settings)[-1]
    of_prior, of_truth, found = (source.sample(5, 1000) for source in (prior, truth, last.model.distribution))
    for kind, name in (("image", "n_disc"), ("disc", "radius"), ("disc", "shade")):
        before, after = (stats.wasserstein_distance(scenes.tables[kind][name], of_truth.tables[kind][name])
                         for scenes in (of_prior, found))
        assert after < 0.5 * before, name
        assert float(last.state[f"diagnostics:r2:{kind}.{name}"]) > 0.3


# ---------------------------------------------------------------------------------------------- the smallest fits

@pytest.fixture
def tiny(monkeypatch):
    """Settings of a fit of two rounds that learns next to nothing, but in all its parts."""
    monkeypatch.setattr(train, "PIXELS", 4 * SIDE**2)
    monkeypatch.setattr(train, "CROPS", 4)
    monkeypatch.setattr(object_predictions, "PIXELS", 16 * SIDE**2)
    monkeypatch.setattr(diagnostics, "MIN_OBJECTS", 2)
    monkeypatch.setattr(method, "COMPARED", 24)
    monkeypatch.setattr(method, "COMPARED_SMALL", 24)
    for module in (method, infer):
        monkeypatch.setattr(module, "MIN_R2", -np.inf)  # whatever was learned is used
    monkeypatch.setattr(update, "fit_distribution", partial(fit_distribution, steps=2))
    return Settings(Npe(2, 64, 3, 2), Regressor(epochs=1), validation_renders=32)


RULES = Grammar("image", {
    "image": {**SHADE, "turn": learned(Angle(0, 30)), "weather": learned(Choice(["sun", "rain"]))},
    "red coin": {**PLACE, **SHADE, "radius": learned(Uniform(2, 5)), "angle": learned(Angle()),
                 "sides": learned(Integer(3, 6)), "layer": learned(Choice([0, 1]))},
    "coin.hole": {**PLACE, "radius": learned(lambda hole: Uniform(1, hole.parent["radius"])), "shade": 0.1}},
    [Rule("image", ["red coin"], learned=True), Rule("image", ["red coin", "red coin"], learned=True),
     Rule("red coin", ["coin.hole"], learned=True), Rule("red coin", [], learned=True)])
RULES_SHAPES = Shapes((SIDE, SIDE), {"red coin": {}, "coin.hole": {}}, parts=["coin.hole"])


def test_a_fit_cut_after_any_step_ends_in_the_same_bytes(tiny):
    """Kinds with a space and a dot, all forms of attributes, conditional ones, parts, and learned rules. Labels of the
    photos are never read."""
    real = UnreadableLabels(RULES_SHAPES(RULES.sample(9, 12)).images)
    run = partial(fit, RULES, RULES_SHAPES, real, tiny)
    whole = run()
    check_model(whole[-1].model, RULES)
    assert [step.stage for step in whole] == ["npe", "npe", "keep-best", "validate"]
    assert any(name.startswith("posterior:") for name in whole[0].state)
    assert "diagnostics:r2:image.shade" in whole[0].state
    for step in whole[:-1]:
        rest = run(state={name: value.clone() for name, value in step.state.items()})
        assert [s.number for s in rest] == [s.number for s in whole if s.number > step.number]
        assert same_tensors(rest[-1].model.state(), whole[-1].model.state()), step.stage
        assert rest[-1].renders == whole[-1].renders and rest[-1].distance == whole[-1].distance
    first = next(fit_steps(RULES, RULES_SHAPES, real, settings=tiny, seed=4))
    assert not same_tensors(first.model.state(), whole[0].model.state())


# ---------------------------------------------------------------------------------------------- scenes that are hard

def image(kinds, rules, root=SHADE, size=(SIDE, SIDE), shapes=None, **more):
    """A grammar and `Shapes`."""
    return Grammar("image", {"image": root, **kinds}, rules), Shapes(size, shapes or {k: {} for k in kinds}, **more)


SEVERAL = learned(Integer(1, 4))


def coins(coin, count=SEVERAL, **more):
    return image({"coin": {**PLACE, "radius": Uniform(2, 5), **coin}}, [Rule("image", [repeat("coin", count)])], **more)


@each
def without_masks(scene):
    pixels = np.full((SIDE, SIDE), scene.root.shade)
    for coin in scene.of("coin"):
        pixels[int(coin.y) - 2:int(coin.y) + 2, int(coin.x) - 2:int(coin.x) + 2] = coin.shade
    return Frame(pixels)


SIZE = {"radius": learned(Uniform(2, 5))}
HARD = {
    "no learned attribute of objects": coins({}),
    "only learned attributes of objects": coins(SIZE, count=Integer(2, 2), root={"shade": 0.3}),
    "nothing visible": coins({**SHADE, "opacity": 0.0}),
    "no masks": (coins(SHADE)[0], without_masks),
    "conditional": image(
        {"row": {"y": learned(Uniform(4, 28))},
         "coin": {"x": Uniform(4, 28), "y": learned(lambda coin: Normal(coin.parent["y"], 1, 0, SIDE)),
                  "radius": learned(lambda coin: Uniform(2, 2 + coin.parent["y"] / 8))}},
        [Rule("image", [repeat("row", learned(Integer(0, 2)))]), Rule("row", [repeat("coin", learned(Integer(0, 3)))])],
        shapes={"coin": {}}),
    "names of several lines": coins(SHADE, classes={"coin": "a coin\nof two lines"}),
    "one by its prior, more by its bounds": image(
        {"coin": {**PLACE, **SIZE}}, [Rule("image", [repeat("coin", learned(Integer(1, 1), bounds=(0, 3)))])]),
    "objects within objects": image(
        {"coin": {**PLACE, **SHADE}, "dot": {"x": lambda dot: Uniform(dot.parent["x"] - 1, dot.parent["x"] + 1),
                                            "y": Uniform(4, 28), "radius": 1.5, **SHADE}},
        [Rule("image", [repeat("coin", learned(Integer(1, 3)))]),
         Rule("coin", [repeat("dot", learned(Integer(0, 2)))])]),
    "recursive": image({"coin": {**PLACE, **SIZE}}, [Rule("image", ["coin"]), Rule("coin", ["coin"], learned=True),
                                                     Rule("coin", [], learned=True)]),
    "one large object": image({"coin": {**PLACE, "radius": learned(LogUniform(4, 20))}}, [Rule("image", ["coin"])],
                              size=(40, 72)),
    "8 pixels": coins({"x": Uniform(0, 8), "y": Uniform(0, 8), "radius": learned(Uniform(1, 3))}, size=(8, 8)),
}


def check_model(model, grammar):
    """Its parameters are numbers, and its scenes lie within their bounds."""
    assert all(torch.isfinite(p).all() for p in model.distribution.parameters() if p.numel())
    scenes = model.sample(64)
    assert all(np.all((u >= 0) & (u <= 1)) for u in grammar.normalised(scenes).values())


@pytest.mark.parametrize("name", HARD)
def test_scenes_that_are_hard(name, tiny):
    grammar, renderer = HARD[name]
    *_, last = fit(grammar, renderer, renderer(grammar.sample(9, 12)).images, replace(tiny, method=Npe(1, 64, 3, 2)))
    check_model(last.model, grammar)
    without = name in ("nothing visible", "no masks")
    assert without != any(key.startswith("posterior:") for key in last.state)


def test_a_kind_that_no_photo_shows_and_four_photos(tiny):
    def two(rods):
        return image({"coin": {**PLACE, **SIZE}, "rod": {**PLACE, **SHADE}},
                     [Rule("image", [repeat("coin", learned(Integer(1, 3))),
                                     repeat("rod", learned(rods, bounds=(0, 3)))])])

    grammar, renderer = two(Integer(0, 3))
    real = renderer(two(Integer(0, 0))[0].sample(9, 4)).images
    with pytest.warns(UserWarning, match="Only 4 photos"):
        *_, last = fit(grammar, renderer, real, tiny)
    check_model(last.model, grammar)


def test_the_first_round_predicts_attributes_of_whole_images_alone_from_half_as_many_renders(tiny):
    grammar, renderer = coins(SIZE)
    first, second, *_ = fit(grammar, renderer, renderer(grammar.sample(9, 12)).images, tiny)
    inferred = [{key.rpartition(":")[2] for key, value in step.state.items()
                 if key.startswith("diagnostics:inferred:") and value} for step in (first, second)]
    assert inferred == [{"image.shade"}, {"image.shade", "image.n_coin"}]
    assert int(first.state["diagnostics:simulated:"][0]) == 32 and int(second.state["diagnostics:simulated:"][0]) == 64


def test_held_out_renders_alone_may_be_enough_for_the_regressions(tiny, monkeypatch):
    """As with the default number of renders of 128x128 pixels."""
    monkeypatch.setattr(predictor, "REGRESSED", 12)
    grammar, renderer = discs(Integer(0, 6), Uniform(2, 7), Uniform(0.4, 1)), Shapes((48, 48), {"disc": {}})
    settings = replace(tiny, method=Npe(1, 64, 3, 2))
    *_, last = fit(grammar, renderer, renderer(grammar.sample(9, 12)).images, settings)
    assert int(last.state["diagnostics:simulated:"][0]) == 64


def test_photos_of_one_colour(tiny):
    """Some of them fit; all of them are an error that says so."""
    grammar, renderer = coins(SHADE)
    real = renderer(grammar.sample(9, 12)).images
    real[::2] = 80
    settings = replace(tiny, method=Npe(1, 64, 3, 2))
    check_model(fit(grammar, renderer, real, settings)[-1].model, grammar)
    real[:] = 80
    with pytest.raises(ValueError, match="the photos' features are all the same"):
        fit(grammar, renderer, real, settings)


def test_large_images_are_trained_on_crops(monkeypatch):
    """At 1280x720 a batch of training holds 16 crops of 128 pixels."""
    grammar, renderer = image({"coin": {"x": Uniform(0, 1280), "y": Uniform(0, 720), "radius": Uniform(6, 20)}},
                              [Rule("image", [repeat("coin", learned(Integer(3, 6)))])], size=(720, 1280))
    photos = as_photos(np.zeros((4, 720, 1280, 3), np.uint8), (720, 1280))
    problem = Problem(grammar, renderer, photos, None, None, None, None, Budget(), 0)
    spec, given, crops = object_spec(grammar, ["coin"], ["image"]), [], train.crops
    monkeypatch.setattr(train, "crops", lambda *all_of_it: given.append(all_of_it[2:4]) or crops(*all_of_it))
    simulated, network = simulate(problem, spec, [grammar.sample(0, 17)], 0), ObjectNetwork(spec, 2, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train.train_objects(network, simulated, np.arange(1, 17), 1, 0, 1e-3)
    ((rows, side),) = given
    assert side == (128, 128) and sorted(rows) == list(range(1, 17))
    sides = (32, 32), (128, 128), (240, 320), (720, 1280)
    assert [train.steps_of(300, own) for own in sides] == [300, 300, 1200, 1200]
    assert not same_tensors(before, network.state_dict()) and not network.training


# ---------------------------------------------------------------------------------------------- what it spends

class Counting:
    """A renderer that counts what it draws."""

    def __init__(self, renderer):
        self.renderer, self.info, self.drawn = renderer, RendererInfo(renderer.info.size), 0

    def __call__(self, scenes):
        self.drawn += len(scenes)
        return self.renderer(scenes)


@pytest.mark.parametrize("masks", [True, False], ids=["objects", "none"])
def test_a_stage_renders_what_it_declares(tiny, masks):
    grammar, renderer = coins(SHADE) if masks else coins({**SHADE, "opacity": 0.0})
    real, counting = renderer(grammar.sample(9, 12)).images, Counting(renderer)
    problem = Problem(grammar, counting, as_photos(real, (SIDE, SIDE)), None, None, None, None, tiny.budget(), 0)
    state, stages = start(problem), tiny.stages(problem)
    assert counting.drawn == tiny.chosen.prepared  # to see which kinds are objects
    for stage in stages:
        for step in range(stage.steps):
            before, counted = counting.drawn, state.renders
            declared = stage.renders(problem, state, step)  # which may draw some, to see where scenes place objects
            state = stage.run(problem, state, step)
            assert counting.drawn - before == state.renders - counted
            assert stage.required or counting.drawn - before <= declared


def rounds_of(grammar, renderer, settings):
    """Which rounds of a fit to 12 photos predict objects, and which may be the last."""
    real = as_photos(renderer(grammar.sample(9, 12)).images, (SIDE, SIDE))
    problem = Problem(grammar, renderer, real, None, None, None, None, Budget(), 0)
    spec, rounds = spec_of(problem), range(settings.rounds)
    return ([step >= settings.of_images(problem, spec) for step in rounds],
            [settings.may_end(problem, spec, step) for step in rounds])


def test_images_alone_are_learned_first_and_objects_in_three_rounds_of_five():
    noise = {"noise": learned(Uniform(0, 9))}
    both, objects = coins(SHADE, root={**SHADE, **noise}), coins(SHADE, root={"shade": 0.3})
    assert rounds_of(*both, Npe(5)) == ([False, False, True, True, True], [False, False, False, True, True])
    one = [False] + [True] * 4, [False, False, True, True, True]
    assert rounds_of(*coins(SHADE), Npe(5)) == one, "a single attribute of the image takes one round"
    assert rounds_of(*both, Npe(3)) == ([False, True, True], [False, False, True])
    assert rounds_of(*both, Npe(1)) == ([True], [True])
    assert rounds_of(*objects, Npe(4)) == ([True] * 4, [False, True, True, True])
    coin = {**PLACE, "radius": Uniform(2, 5), **SHADE}
    kinds = image({"coin": coin, "bead": coin}, [Rule("image", [repeat(kind, 2) for kind in ("coin", "bead")])],
                  root={**SHADE, **noise})
    assert rounds_of(*kinds, Npe(5)) == ([False, False, True, True, True], [False] * 4 + [True])
    assert rounds_of(*coins({**SHADE, "opacity": 0.0}), Npe(3)) == ([True] * 3, [False, True, True])


@pytest.mark.parametrize("rounds, ends", [(3, False), (4, True)])
def test_rounds_end_early_only_before_the_last_one(rounds, ends, tiny, monkeypatch):
    """Objects without attributes of the image: any round but the first may be the last."""
    monkeypatch.setattr(method, "MIN_GAIN", -1.0)  # no correction gains enough
    monkeypatch.setattr(method, "inferred_before", lambda state, key: state.trainings >= 2)  # nothing new since
    grammar, renderer = coins(SHADE, root={"shade": 0.3})
    real = renderer(grammar.sample(9, 12)).images
    last = fit(grammar, renderer, real, replace(tiny, method=replace(tiny.chosen, rounds=rounds)))[-1]
    assert ("diagnostics:stopped:" in last.state) == ends
    assert "diagnostics:photos:" in last.state, "reconstructions are made in the last round, whichever it is"


@pytest.mark.parametrize("above, ends", [(0.0, False), (np.inf, True)])
def test_rounds_end_when_predictions_are_as_near_as_those_of_a_random_split(above, ends, tiny, monkeypatch):
    monkeypatch.setattr(method, "MIN_GAIN", np.inf)  # each correction gains enough
    monkeypatch.setattr(method, "MAX_CHANCE_RATIO", above)
    monkeypatch.setattr(method, "inferred_before", lambda state, key: state.trainings >= 2)
    grammar, renderer = coins(SHADE, root={"shade": 0.3})
    real = renderer(grammar.sample(9, 12)).images
    last = fit(grammar, renderer, real, replace(tiny, method=replace(tiny.chosen, rounds=4)))[-1]
    assert ("diagnostics:stopped:" in last.state) == ends


@pytest.mark.parametrize("left, rounds", [(0.4, 2), (0.25, 4)])
def test_rounds_end_when_one_leaves_as_much_as_the_round_before(left, rounds, tiny, monkeypatch):
    """Although its own first distance, by another network, was larger. Later rounds halve what is left."""
    given = [0.5, 0.3, 0.6, left, *(left / 2**k for k in range(1, 9))]
    taken = iter(given)
    monkeypatch.setattr(method, "distance_of_predictions", lambda *predictions: next(taken))
    monkeypatch.setattr(method, "MAX_CHANCE_RATIO", 0.0)
    monkeypatch.setattr(method, "inferred_before", lambda state, key: state.trainings >= 1)
    grammar, renderer = coins(SHADE, root={"shade": 0.3})
    real = renderer(grammar.sample(9, 12)).images
    fit(grammar, renderer, real, replace(tiny, method=replace(tiny.chosen, rounds=4)))
    assert len(given) - len(list(taken)) == 2 * rounds, "two corrections of each round"


@pytest.mark.parametrize("most", [314, 1000])
@pytest.mark.parametrize("kind", ["objects", "none", "places"])
def test_no_more_is_rendered_than_allowed(most, kind, monkeypatch):
    monkeypatch.setattr(update, "fit_distribution", partial(fit_distribution, steps=0))
    monkeypatch.setattr(train, "PIXELS", 4 * SIDE**2)
    monkeypatch.setattr(object_predictions, "PIXELS", 64 * SIDE**2)
    at = {"x": lambda coin: Uniform(8 + 12 * coin.number, 8.01 + 12 * coin.number), "y": 16.0}
    grammar, renderer = {"objects": lambda: coins(SHADE), "none": lambda: coins({**SHADE, "opacity": 0.0}),
                         "places": lambda: coins({**at, **SHADE}, count=2, root={"shade": 0.3})}[kind]()
    counting = Counting(renderer)
    settings = Settings(Npe(3, 0, 2, 2), Regressor(epochs=1), max_renders=most)
    *_, last = fit(grammar, counting, renderer(grammar.sample(9, 12)).images, settings)
    assert counting.drawn == last.renders <= most
    assert last.renders > most / 2


def test_a_budget_of_twice_what_a_fit_takes_takes_nothing_away():
    problem = SimpleNamespace(size=(240, 320), budget=Budget(512, 2 * 7000, None))
    assert Npe().simulated(problem) == Npe().preferred(problem)
    assert Npe().within(2 * 7000) == Npe()


def test_a_budget_without_room_for_one_round_is_refused():
    """It names the least that has room: `test_no_more_is_rendered_than_allowed` learns with it."""
    grammar, renderer = coins(SHADE)
    real = renderer(grammar.sample(9, 12)).images
    for most in (40, 313):
        text = f"max_renders={most} is too few for a single round of npe, which takes 314 here"
        with pytest.raises(ValueError, match=text):
            fit(grammar, renderer, real, Settings(Npe(), max_renders=most))


def test_kinds_of_objects_are_those_that_show():
    def kinds(grammar, renderer, size=(SIDE, SIDE)):
        real = as_photos(np.zeros((4, *size, 3), np.uint8), size)
        return spec_of(Problem(grammar, renderer, real, None, None, None, None, Budget(), 0)).kinds

    assert kinds(*coins(SHADE)) == ("coin",)
    assert kinds(RULES, RULES_SHAPES) == ("red coin",)  # a part is none
    assert kinds(*HARD["nothing visible"]) == kinds(*HARD["no masks"]) == ()
    assert kinds(*image({"coin": {**PLACE, **SIZE}}, [Rule("image", ["coin"])])) == ()  # single, in a small image
    assert kinds(*HARD["one large object"], (40, 72)) == ("coin",)


@pytest.mark.parametrize("make, text", [
    (lambda: Npe(rounds=0), "method.rounds must be at least 1, got 0"),
    (lambda: Npe(samples=0), "method.samples must be at least 1, got 0"),
    (lambda: Npe(steps=0), "method.steps must be at least 1, got 0"),
    (lambda: Npe(rounds=2.5), "rounds"), (lambda: Npe(renders=10), "renders must be 0, or at least")])
def test_settings_that_make_no_sense(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_the_settings_by_name():
    assert quick("npe").chosen == Npe(2, 64, 2, 2)
