"""Gradients through a renderer: each estimator against the analytic gradient, and against the others."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from toys import Linear, Plain, Weights, one, pattern, randomise, same_scenes

from scenefit.inference.gradients import GRADIENTS, cost, finite_difference, pathwise, score_function, spsa
from scenefit.inference.gradients.estimate import is_differentiable, leave_one_out, non_differentiable, perturbed
from scenefit.inference.gradients.pathwise import attach
from scenefit.metrics import features
from scenefit.metrics.features import pixels
from scenefit.metrics.objective import objective
from scenefit.nets.attribute_regressor import AttributeRegressor
from scenefit.nets.edit import Edit
from scenefit.nets.quantile_offsets import normal_score
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers import RenderError, batches
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.grammar.hierarchy import varying
from scenefit.scenes.grammar.positions import positions
from scenefit.scenes.log_priors import LogNormal, LogUniform
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned

MIDDLE = Normal(50, 8, 0, 100)  # 0.01 of its bounds is one grey level of the toy renderer, so rounding changes nothing
WEIGHT = np.random.default_rng(9).normal(size=(4, 4))
X, Y = pattern(1) / 2, pattern(2) / 2
X, Y = np.round(X * 255) / 255, np.round(Y * 255) / 255
YAW = np.ones((4, 4)) / 255 / 3.6
GRAMMAR = one(x=learned(MIDDLE), y=learned(MIDDLE), yaw=learned(Angle(0, 15)))
RENDERER = Linear({("dot", "x"): X, ("dot", "y"): Y, ("dot", "yaw"): YAW})
ANALYTIC = {("dot", "x"): 100 * (WEIGHT * X).sum(), ("dot", "y"): 100 * (WEIGHT * Y).sum(),
            ("dot", "yaw"): 360 * (WEIGHT * YAW).sum()}  # of a scene's loss, by its moves


def slopes(surrogate: torch.Tensor, edit: Edit) -> dict[tuple[str, str], np.ndarray]:
    """The estimated gradient to each node's move."""
    found = torch.autograd.grad(surrogate, list(edit.offsets.values()), retain_graph=True, allow_unused=True)
    return {key: None if g is None else g.numpy() for key, g in zip(edit.offsets, found, strict=True)}


@pytest.mark.parametrize("estimator", [pathwise, finite_difference])
def test_a_linear_renderer_gives_the_analytic_gradient(estimator):
    edit = SceneDistribution(GRAMMAR).edit(0, 20)
    estimate = estimator(GRAMMAR, RENDERER, edit, Weights(WEIGHT), 0)
    found = slopes(estimate.surrogate, edit)
    for key, expected in ANALYTIC.items():
        np.testing.assert_allclose(found[key], expected / 20, rtol=2e-3, atol=1e-6)
    drawn = RENDERER.draw(edit.scenes)
    assert estimate.loss == pytest.approx(float(Weights(WEIGHT).loss(drawn)), abs=0.02)


def test_finite_differences_follow_the_curvature_of_the_distance():
    """With the MMD, where the gradient to the images is not constant, exact and finite agree scene by scene."""
    goal = objective(pixels(4), Plain(RENDERER)(GRAMMAR.sample(5, 100)).images)
    distribution = SceneDistribution(GRAMMAR)
    distribution.set_offsets(GRAMMAR.attributes["dot"]["x"], np.full(17, 0.1))
    edit = distribution.edit(0, 64)
    found = [slopes(estimator(GRAMMAR, RENDERER, edit, goal, 0).surrogate, edit)
             for estimator in (pathwise, finite_difference)]
    for key in ANALYTIC:
        assert np.linalg.norm(found[0][key] - found[1][key]) < 0.1 * np.linalg.norm(found[0][key])  # 8 bits


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize("extractor", [pixels(3), AttributeRegressor((4, 4), 2, False, 0).features])
def test_estimates_of_scenes_drawn_some_at_a_time_are_those_of_all_at_once(name, extractor, street, monkeypatch):
    names = [a.key for a in street.learned if is_differentiable(a)]
    renderer = Linear({key: pattern(number) for number, key in enumerate(names)})
    goal = objective(extractor, np.random.default_rng(4).integers(0, 256, (9, 4, 4, 3)).astype(np.uint8))
    found = []
    for pixels_at_once in (2**22, 5 * 16):
        monkeypatch.setattr(batches, "PIXELS", pixels_at_once)
        monkeypatch.setattr(features, "PIXELS", pixels_at_once // 2)
        edit = SceneDistribution(street).edit(0, 17)
        estimate = GRADIENTS[name](street, renderer, edit, goal, 0)
        found.append((estimate.loss, estimate.renders, slopes(estimate.surrogate, edit)))
    (loss, renders, once), (later, again, parts) = found
    assert loss == pytest.approx(later, abs=1e-6) and renders == again
    for key, values in once.items():
        assert (values is None) == (parts[key] is None)
        if values is not None:
            np.testing.assert_allclose(parts[key], values, rtol=1e-4, atol=1e-7)


def test_simultaneous_perturbation_is_right_in_the_mean():
    distribution, found = SceneDistribution(GRAMMAR), {key: [] for key in ANALYTIC}
    for seed in range(20):
        edit = distribution.edit(seed, 64)
        estimate = spsa(GRAMMAR, RENDERER, edit, Weights(WEIGHT), seed)
        for key, values in slopes(estimate.surrogate, edit).items():
            found[key] += (64 * values).tolist()
    for key, expected in ANALYTIC.items():
        error = np.std(found[key]) / np.sqrt(len(found[key]))
        assert error > 0 and abs(np.mean(found[key]) - expected) < 4 * error
    assert max(abs(expected) / (np.std(found[key]) / np.sqrt(1280)) for key, expected in ANALYTIC.items()) > 10


def test_the_score_function_is_right_in_the_mean():
    distribution = SceneDistribution(GRAMMAR)
    for a in GRAMMAR.learned:
        distribution.set_sigma(a, 0.05)
    edit = distribution.edit(0, 200 * 64)
    goal = Weights(WEIGHT)
    score_function(GRAMMAR, RENDERER, edit, goal, 0).surrogate.backward()
    witness = leave_one_out(goal.witness(RENDERER.draw(edit.scenes))).numpy()
    for key, expected in ANALYTIC.items():
        noise = normal_score(edit.scenes.tables["dot"].address, f"{key[1]}/edit")
        error = np.std(witness * noise / 0.05) / np.sqrt(len(witness))
        found = float(distribution.curves["/".join(key)].grad[0])
        assert abs(found - expected) < 4 * error
    assert abs(float(distribution.curves["dot/x"].grad[0])) > 8 * error


def test_the_score_function_of_the_mmd_is_the_exact_gradient_in_the_mean():
    grammar = one(x=learned(MIDDLE))
    renderer = Linear({("dot", "x"): X})
    goal = objective(pixels(4), renderer(one(x=Normal(65, 8, 0, 100)).sample(5, 300)).images)
    found = {pathwise: [], score_function: []}
    for estimator, values in found.items():
        for seed in range(24):
            distribution = SceneDistribution(grammar)
            distribution.set_sigma(grammar.learned[0], 0.05)
            estimator(grammar, renderer, distribution.edit(seed, 256), goal, 0).surrogate.backward()
            values.append(float(distribution.curves["dot/x"].grad[0]))
    means = {e: np.mean(v) for e, v in found.items()}
    errors = {e: np.std(v) / np.sqrt(len(v)) for e, v in found.items()}
    assert abs(means[pathwise] - means[score_function]) < 4 * np.hypot(*errors.values()) + 0.01 * abs(means[pathwise])
    assert means[pathwise] < -10 * errors[score_function]  # towards the photos


# --------------------------------------------------------------------------------------- scenes keep to themselves

class Square(Weights):
    """Not linear, but each scene still has a loss of its own."""

    def witness_of(self, features: torch.Tensor) -> torch.Tensor:
        return super().witness_of(features) ** 2


class Brighter(Linear):
    """The same renderer, but one scene looks otherwise."""

    def draw(self, scenes):
        return super().draw(scenes) + 0.1 * torch.from_numpy(scenes.index == 7).float()[:, None, None, None]


@pytest.mark.parametrize("estimator", [pathwise, finite_difference, spsa])
def test_the_gradient_of_a_scene_does_not_move_when_another_changes(estimator):
    edit, found = SceneDistribution(GRAMMAR).edit(0, 12), []
    for renderer in (RENDERER, Brighter({("dot", "x"): X, ("dot", "y"): Y, ("dot", "yaw"): YAW})):
        found.append(slopes(estimator(GRAMMAR, renderer, edit, Square(WEIGHT), 0).surrogate, edit))
    for key in ANALYTIC:
        same = np.isclose(found[0][key], found[1][key], rtol=1e-4)
        assert same.tolist() == [index != 7 for index in range(12)]


# --------------------------------------------------------------------------------------- nothing is left shifted

@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
@pytest.mark.parametrize("name", GRADIENTS)
def test_scenes_and_moves_are_as_before(name, street):
    distribution = SceneDistribution(street)
    randomise(distribution, 0.1)
    edit = distribution.edit(0, 8)
    for table in edit.scenes.tables.values():
        for column in table.columns.values():
            column.flags.writeable = False  # a change in place raises
    before = distribution.edit(0, 8)
    renderer = Linear({("car", "side"): X / 255, ("road", "width"): Y / 255})
    GRADIENTS[name](street, renderer, edit, Weights(WEIGHT), 0).surrogate.backward()
    assert same_scenes(edit.scenes, before.scenes)
    assert all(torch.equal(edit.offsets[key], before.offsets[key]) for key in edit.offsets)


# --------------------------------------------------------------------------------------- jumps

def bag() -> Grammar:
    return Grammar("bag", {"bag": {"n": learned(Integer(0, 3)), "c": learned(Choice([0, 1, 2]))},
                           "coin": {"x": learned(MIDDLE)}},
                   [Rule("bag", [repeat("coin", learned(Integer(0, 2)))], learned=True),
                    Rule("bag", ["coin"], learned=True)])


def test_what_is_smooth_and_what_jumps(street):
    assert {a.key for a in street.learned if is_differentiable(a)} == {("road", "width"), ("lane", "offset"), ("car",
                                                                                                               "side"),
                                                            ("car", "yaw")}
    assert set(non_differentiable(street)) == {("lane", "n_car"), ("car", "doors"), ("car", "colour"), ("lane", "rule")}
    steps = one(n=learned(lambda dot: Integer(0, 3)), x=learned(lambda dot: Uniform(0, 3)))
    assert non_differentiable(steps) == [("dot", "n")]  # known by what the function returned


def test_every_estimator_learns_jumps_by_the_same_score_function():
    grammar = bag()
    renderer = Linear({("bag", "n"): 10 * X, ("bag", "c"): 10 * Y, ("coin", "x"): X / 4})
    found = {}
    for name, estimator in GRADIENTS.items():
        distribution = SceneDistribution(grammar)
        estimator(grammar, renderer, distribution.edit(0, 64), Weights(WEIGHT), 0).surrogate.backward()
        found[name] = {"n": distribution.curves["bag/n"].grad[:2], "c": distribution.logits["bag/c"].grad,
                       "count": distribution.curves["bag/n_coin"].grad[:2],
                       "rules": next(iter(distribution.rules.values())).grad}
    for name in GRADIENTS:
        for part, gradient in found["score-function"].items():
            assert float(gradient.abs().max()) > 0
            np.testing.assert_allclose(found[name][part], gradient, rtol=0.05, atol=0.01)


@pytest.mark.parametrize("name", ["finite-difference", "spsa", "score-function"])
@pytest.mark.parametrize("grammar", [GRAMMAR, bag(), one(c=learned(Choice([0, 1])))], ids=["three", "bag", "no number"])
def test_renders_are_counted_as_they_are_drawn(name, grammar):
    kind = "coin" if "coin" in grammar.kinds else "dot"
    first = next(iter(grammar.symbols[kind]))
    renderer, edit = Linear({(kind, first): X}), SceneDistribution(grammar).edit(0, 10)
    estimate = GRADIENTS[name](grammar, renderer, edit, Weights(WEIGHT), 0)
    assert renderer.drawn == estimate.renders == cost(name, grammar, edit)
    assert cost("pathwise", grammar, edit) == pathwise(grammar, renderer, edit, Weights(WEIGHT), 0).renders == 10


def test_leave_one_out():
    reward = torch.tensor([1.0, 2.0, 6.0], requires_grad=True)
    assert leave_one_out(reward).tolist() == [-3.0, -1.5, 4.5] and not leave_one_out(reward).requires_grad
    assert leave_one_out(torch.tensor([3.0])).tolist() == [3.0]


# --------------------------------------------------------------------------------------- conditional priors, folding

def chain(**symbols: dict) -> Grammar:
    """A root kind, its child, its grandchild ..., in the order given."""
    kinds = list(symbols)
    return Grammar(kinds[0], symbols, [Rule(a, [repeat(b, 2)]) for a, b in pairwise(kinds)])


BODY = Grammar("body", {"body": {"x": learned(Normal(0, 3, -50, 50))},
                        "limb": {"x": learned(lambda limb: Normal(limb.parent["x"], 1), bounds=(-50, 50)),
                                 "far": lambda limb: Normal(limb.parent["x"] * limb["x"] / 10, 1)}},
               [Rule("body", ["limb", "limb"]), Rule("limb", ["limb"], 1), Rule("limb", [], 1)])
CONDITIONAL = {
    "child not learned": chain(a={"w": learned(Uniform(2, 5))}, b={"x": lambda b: Uniform(0, b.parent["w"])}),
    "child learned": chain(a={"w": learned(Uniform(2, 5))}, b={"x": learned(lambda b: Uniform(-1, b.parent["w"]))}),
    "own earlier": one(p=learned(Normal(3, 1, 0, 9)), q=lambda d: Normal(d["p"] ** 2, 1),
                       r=learned(lambda d: Normal(d["q"] * d["p"], 1), bounds=(-99, 99))),
    "grandparent": chain(a={"w": learned(Uniform(2, 5))}, b={"h": learned(lambda b: Uniform(0, b.parent["w"]))},
                         c={"x": lambda c: Normal(c.parent.parent["w"] * c.parent["h"], 0.5),
                            "y": learned(lambda c: Uniform(0, c.parent["h"] + c.parent.parent["w"]))}),
    "recursive": BODY,
    "angles at the seam": chain(a={"yaw": learned(Angle(179, 4))}, b={"yaw": lambda b: Angle(b.parent["yaw"], 4)},
                                c={"yaw": learned(lambda c: Angle(c.parent["yaw"], 4))}),
    "logarithmic": chain(a={"w": learned(LogUniform(2, 50))},
                         b={"x": learned(lambda b: LogNormal(b.parent["w"], 1, 1, 99))}),
    "varying": chain(a={}, b={"x": learned(varying(LogUniform(2, 50), spread=Uniform(0.1, 0.5)))}),
    "angle of its own": one(yaw=learned(lambda d: Angle(0, 90)))}


def measure(scenes, weights) -> torch.Tensor | float:
    """A smooth function of all columns; angles enter by their sine."""
    total = 0.0
    for (kind, name), weight in weights.items():
        column = scenes.tables[kind][name]
        column = column.double() if isinstance(column, torch.Tensor) else torch.from_numpy(np.asarray(column, float))
        value = torch.sin(torch.deg2rad(column)) if name == "yaw" else column
        total = total + (torch.from_numpy(weight) * value).sum()
    return total


@pytest.mark.parametrize("scale", [0.02, 1.0], ids=["within bounds", "folded many times"])
@pytest.mark.parametrize("name", CONDITIONAL)
def test_exact_slopes_through_conditional_priors_are_those_of_finite_differences(name, scale):
    grammar = CONDITIONAL[name]
    distribution = SceneDistribution(grammar)
    randomise(distribution, scale)
    edit, rng = distribution.edit(1, 5), np.random.default_rng(0)
    weights = {(kind, column): rng.normal(size=len(table)) for kind, table in edit.scenes.tables.items()
               for column in table.columns if np.asarray(table[column]).dtype.kind == "f"}
    found = slopes(measure(attach(grammar, edit), weights), edit)
    step, compared = 1e-5, 0
    for a in grammar.learned:
        if a.count:
            continue
        for row in range(len(edit.offsets[a.key])):
            nudge = np.zeros(len(edit.offsets[a.key]))
            nudge[row] = step
            sides = [measure(perturbed(grammar, edit, {a.key: sign * nudge}), weights) for sign in (1, -1)]
            expected = float(sides[0] - sides[1]) / (2 * step)
            np.testing.assert_allclose(found[a.key][row], expected, rtol=5e-3, atol=5e-3)
            compared += 1
    assert compared > 4


def test_a_child_that_steps_over_the_seam_has_no_jump_in_its_slope():
    grammar = chain(a={"yaw": learned(Angle(180, 1e-3))}, b={"yaw": lambda b: Angle(b.parent["yaw"], 1e-3)})
    distribution = SceneDistribution(grammar)
    distribution.set_sigma(grammar.learned[0], 0)
    edit = distribution.edit(0, 200)
    yaw = edit.scenes.tables["b"]["yaw"]
    assert np.sum(np.abs(np.abs(yaw) - 180) < 0.03) > 10  # so near that the nudge of the slope crosses
    found = slopes(attach(grammar, edit).tables["b"]["yaw"].sum(), edit)["a", "yaw"]
    np.testing.assert_allclose(found, 2 * 360, rtol=1e-3)  # two children each


def test_a_sibling_that_is_pushed_over_an_edge_has_no_jump_in_its_slope():
    place = positions(x=Uniform(0, 9), spacing=learned(Uniform(0, 0.9)))
    grammar, n = Grammar("a", {"a": {}, "b": place}, [Rule("a", [repeat("b", 10)])]), 4000
    edit, key = SceneDistribution(grammar).edit(0, n), ("a", "b_spacing")
    up, down = (np.asarray(perturbed(grammar, edit, {key: np.full(n, step)}).tables["b"]["x"])
                for step in (1e-4, -1e-4))
    assert np.any(np.abs(up - down) > 8)
    assert np.abs(slopes(attach(grammar, edit).tables["b"]["x"].sum(), edit)[key]).max() < 9 / 2e-4 / 10


def test_a_folded_value_has_the_slope_of_its_reflection():
    grammar = one(x=learned(MIDDLE))
    distribution, (a,) = SceneDistribution(grammar), grammar.learned
    for shift, sign in ((0.0, 1), (1.0, -1), (2.0, 1), (-1.0, -1)):
        distribution.set_offsets(a, np.full(17, shift))
        edit = distribution.edit(0, 10)
        renderer = Linear({("dot", "x"): X})
        for estimator in (pathwise, finite_difference):
            found = slopes(estimator(grammar, renderer, edit, Weights(WEIGHT), 0).surrogate, edit)["dot", "x"]
            np.testing.assert_allclose(found, sign * ANALYTIC["dot", "x"] / 10, rtol=2e-3)


# --------------------------------------------------------------------------------------- what does not fit

def test_exact_needs_a_draw_that_fits():
    edit = SceneDistribution(GRAMMAR).edit(0, 4)

    class Bad(Linear):
        def __init__(self, change):
            super().__init__({("dot", "x"): X})
            self.change = change

        def draw(self, scenes):
            return self.change(super().draw(scenes))

    def spoil(images):
        return images + torch.tensor([0.0, 0.0, float("nan"), 0.0])[:, None, None, None]

    def fail(images):
        raise KeyError("oops")

    for change, error, text in ((fail, RenderError, "Bad.draw raised KeyError: 'oops'"),
                                (lambda i: i[:, :, :2], RenderError, r"Bad.draw returned images of \(2, \d\), but its "
                                                                     r"info.size is \(\d, \d\) \(height, width\)"),
                                (lambda i: i.permute(0, 2, 3, 1), RenderError, r"must return a tensor \[4, 3, H, W\]"),
                                (lambda i: i.detach().numpy(), RenderError, "got ndarray"),
                                (spoil, RenderError, "scene 2 of seed 0: Bad.draw returned NaN or infinity"),
                                (lambda i: i.detach(), TypeError, "images without a gradient; use torch operations")):
        with pytest.raises(error, match=text):
            pathwise(GRAMMAR, Bad(change), edit, Weights(WEIGHT), 0)
    with pytest.raises(TypeError, match=r"has no info.draw\(scenes\).*\"spsa\" or \"score-function\""):
        pathwise(GRAMMAR, Plain(RENDERER), edit, Weights(WEIGHT), 0)
