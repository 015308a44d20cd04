"""The structure policy: starts as the grammar, does not depend on the batch, learns joint distributions."""

import numpy as np
import pytest
import torch
from toys import randomise, same_scenes

import scenefit as sf
from scenefit.inference.stages.structure import Structure, maximise_likelihood
from scenefit.nets.model import Model, load_model, load_structure
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.nets.structure_policy import StructurePolicy
from scenefit.scenes.attributes import NodeGroup

MOVING = sf.learned(sf.Normal(4, 0.1), bounds=(0, 8))


def small(most: int = 2) -> sf.Grammar:
    """A count and a kind for each: few enough structures to list them all."""
    dot = {"kind_of": sf.learned(sf.Choice(["a", "b"], [3, 1])), "x": MOVING}
    return sf.Grammar("image", {"image": {}, "dot": dot},
                      [sf.Rule("image", [sf.repeat("dot", sf.learned(sf.Integer(0, most)))])])


def deep() -> sf.Grammar:
    """Rules, counts and choices, on several levels, with a kind that leads back to itself."""
    return sf.Grammar("street", {
        "street": {"wide": sf.learned(sf.Choice([1, 2]))},
        "lane": {"way": sf.learned(sf.Choice(["up", "down"], [2, 1])), "length": sf.Uniform(1, 2)},
        "car": {"shade": sf.Choice([0, 1])}, "tree": {}},
        [sf.Rule("street", [sf.repeat("lane", sf.learned(sf.Integer(1, 2), bounds=(0, 3))), "tree"]),
         sf.Rule("lane", ["car"], 2, learned=True), sf.Rule("lane", ["car", "lane"], learned=True),
         sf.Rule("lane", [sf.repeat("car", sf.learned(sf.Integer(0, 2)))], learned=True)])


def randomised(grammar: sf.Grammar, scale: float = 0.3) -> StructurePolicy:
    structure = StructurePolicy(grammar, 1)
    randomise(structure, scale)
    return structure


def shapes(scenes: sf.SceneBatch) -> list[str]:
    """The structure of each scene of `small`, as a word: "ab" is two dots."""
    table = scenes.tables["dot"]
    return ["".join(table["kind_of"][table.scene == row]) for row in range(len(scenes))]


@pytest.mark.parametrize("grammar", [small(), deep()])
def test_starts_as_the_grammar(grammar: sf.Grammar) -> None:
    assert same_scenes(StructurePolicy(grammar, 5).sample(3, 500), grammar.sample(3, 500))
    assert not same_scenes(randomised(grammar).sample(3, 500), grammar.sample(3, 500))


def test_log_prob_at_the_start_is_the_grammar_s() -> None:
    scenes = small().sample(0, 200)
    odds = {"": 1 / 3, **{a: p / 3 for a, p in (("a", 0.75), ("b", 0.25))},
            **{a + b: p * q / 3 for a, p in (("a", 0.75), ("b", 0.25)) for b, q in (("a", 0.75), ("b", 0.25))}}
    wanted = np.log([odds[shape] for shape in shapes(scenes)])
    np.testing.assert_allclose(StructurePolicy(small()).log_prob(scenes).detach().numpy(), wanted, atol=1e-4)


def test_a_scene_is_the_same_in_any_batch() -> None:
    structure = randomised(deep())
    whole = structure.sample(7, 200)
    for rows in ([150], [3, 130, 64], list(range(63, 140))):
        assert same_scenes(structure.sample(7, rows), whole.take(rows))


def test_probabilities_sum_to_one_and_are_what_is_sampled() -> None:
    structure = randomised(small(), 0.2)
    scenes = structure.sample(0, 20_000)
    words, first, count = np.unique(shapes(scenes), return_index=True, return_counts=True)
    chance = structure.log_prob(scenes.take(first)).detach().exp().numpy()
    assert len(words) == 7  # "", a, b, aa, ab, ba, bb: in another order than the sampling's
    assert chance.sum() == pytest.approx(1, abs=1e-4)
    assert np.abs(chance - count / 20_000).sum() / 2 < 0.01
    assert np.ptp(chance) > 0.05


def test_decisions_depend_on_those_before() -> None:
    structure, scenes = randomised(deep(), 0.5), deep().sample(0, 300)
    parts = structure.log_probs(scenes)["lane", "way"]
    assert len(torch.unique((parts * 1e4).round())) > 20  # of a decision with two options


def test_the_inputs_of_a_decision() -> None:
    """Of the scene "ab": the sort, the levels, itself, its parent, the last, how often so far, the place."""
    structure, scenes = StructurePolicy(small()), small().sample(0, 100)
    row = shapes(scenes).index("ab")
    trace = structure.replay(scenes)
    image, first, second = trace.inputs[trace.scene == row]
    count, none, two = structure.options, [0, 0, 0, 0, 0], [0, 0, 1, 0, 0]  # three counts, two kinds
    assert count == 5 and [d.name for d in structure.decisions] == ["n_dot", "kind_of"]
    log = np.log
    np.testing.assert_allclose(image, [1, 0, 0, 0, *none, *none, *none, *none, log(1), log(2), log(1)], atol=1e-6)
    np.testing.assert_allclose(first, [0, 1, 1, 0, *none, *two, *two, *(log(2) * np.array(two)),
                                       log(1), log(3), log(2)], atol=1e-6)
    last = [0, 0, 1, 1, 0]
    np.testing.assert_allclose(second, [0, 1, 1, 0, *none, *two, *last, *(log(2) * np.array(last)),
                                        log(2), log(2), log(2)], atol=1e-6)


def test_parts_sum_to_the_whole() -> None:
    structure, scenes = randomised(deep()), deep().sample(0, 150)
    parts = structure.log_probs(scenes)
    assert set(parts) == {("street", "wide"), ("street", "n_lane"), ("lane", "way"), ("lane", "n_car"),
                          ("lane", "rule")}
    total = torch.zeros(150)
    for (kind, _), score in parts.items():
        assert len(score) == len(scenes.tables[kind])
        total = total.index_add(0, torch.from_numpy(scenes.tables[kind].scene), score)
    torch.testing.assert_close(total, structure.log_prob(scenes))
    trace = structure.replay(scenes)
    some = torch.tensor([140, 3, 3, 77])
    torch.testing.assert_close(structure.log_prob(trace.take(some)), structure.log_prob(scenes)[some])


def test_log_probs_do_not_depend_on_the_batch() -> None:
    structure = randomised(deep())
    whole, part = structure.sample(2, 256), structure.sample(2, range(64, 128))
    rows = whole.tables["lane"].scene
    here = (rows >= 64) & (rows < 128)
    for key in (("lane", "way"), ("lane", "rule")):
        assert torch.equal(structure.log_probs(whole)[key][torch.from_numpy(here)], structure.log_probs(part)[key])


def test_learns_a_joint_distribution_that_independent_probabilities_cannot() -> None:
    """One dot or five, never another count; a lone dot is "a", and of five all but the last are "b"."""
    grammar = small(6)

    def decide(group: NodeGroup) -> dict[str, np.ndarray]:
        if group.kind == "image":
            return {"n_dot": np.where(np.arange(len(group)) % 3 == 0, 1, 5)}
        last = np.r_[group.scene[1:] != group.scene[:-1], True]
        return {"kind_of": np.where(last, "a", "b")}

    truth, structure = grammar.sample(0, 300, decide=decide), StructurePolicy(grammar)
    settings = Structure(samples=1, steps=60, learning_rate=2e-2)
    gain = maximise_likelihood(structure, structure.replay(truth), [(StructurePolicy(grammar), 1.0)], settings)
    learned = structure.sample(1, 2000)
    words, count = np.unique(shapes(learned), return_counts=True)
    shares = dict(zip(words.tolist(), count / 2000, strict=True))
    assert shares.get("a", 0) == pytest.approx(1 / 3, abs=0.04)
    assert shares.get("bbbba", 0) == pytest.approx(2 / 3, abs=0.04)
    assert gain > 3


def test_uninformative_photos_leave_the_distribution_as_it_was() -> None:
    """Posterior samples that are those of the renders, whatever the photo, carry no information."""
    rendered = small()  # three a's to one b
    even = sf.Grammar("image", {**rendered.symbols, "dot": {
        "kind_of": sf.learned(sf.Choice(["a", "b"])), "x": MOVING}}, rendered.rules)
    policy, settings = StructurePolicy(even), Structure(samples=16, steps=60, learning_rate=2e-2)
    samples = policy.replay(rendered.sample(0, 300 * 16))
    gain = maximise_likelihood(policy, samples, [(StructurePolicy(rendered), 1.0)], settings)
    share = (policy.sample(1, 2000).tables["dot"]["kind_of"] == "a").mean()
    assert share == pytest.approx(0.75, abs=0.07) and abs(gain) < 0.1


def test_the_policy_gradient_is_right() -> None:
    """The mean of reward * grad log p over samples is the gradient of the mean reward, here by enumeration."""
    structure, many = randomised(small()), 40_000
    scenes = structure.sample(0, many)
    words = np.array(shapes(scenes))
    _, first, code = np.unique(words, return_index=True, return_inverse=True)
    reward = torch.tensor([0.5 * len(word) + 2.0 * word.count("b") for word in words[first]])
    exact = (structure.log_prob(scenes.take(np.sort(first))).exp() * reward[np.argsort(first)]).sum()
    weight = structure.leave[0].weight
    (wanted,) = torch.autograd.grad(exact, weight)
    sampled = (reward[code] - reward[code].mean()) * structure.log_prob(scenes)
    (found,) = torch.autograd.grad(sampled.mean(), weight)
    assert float(wanted.norm()) > 0.05
    assert float((found - wanted).norm()) < 0.1 * float(wanted.norm())


def test_given_decisions_replace_the_drawn_ones() -> None:
    grammar = deep()
    given = {"lane": ("rule", 0), "street": ("n_lane", 2)}

    def decide(group: NodeGroup) -> dict[str, np.ndarray]:
        return {name: np.full(len(group), value) for name, value in [given[group.kind]]} if group.kind in given else {}

    scenes = grammar.sample(0, 50, decide=decide)
    assert (scenes.tables["lane"].rule == 0).all() and len(scenes.tables["lane"]) == len(scenes.tables["car"]) == 100
    plain = grammar.sample(0, 50).tables["street"]["wide"]
    np.testing.assert_array_equal(scenes.tables["street"]["wide"], plain)


def test_a_model_draws_the_structure_first_and_edits_the_rest() -> None:
    grammar = small()
    distribution, structure = SceneDistribution(grammar), randomised(grammar)
    distribution.shift_offsets(next(a for a in grammar.learned if a.name == "x"), 0.25)
    plain = Model(distribution, 0)
    model = plain.copy()
    model = Model(model.distribution.with_structure(structure), model.seed)
    scenes, drawn = model.sample(200, seed=4), structure.sample(4, 200)
    assert plain.structure is None and shapes(plain.sample(200, seed=4)) != shapes(scenes)
    assert shapes(scenes) == shapes(drawn)
    assert np.mean(scenes.tables["dot"]["x"]) == pytest.approx(6, abs=0.1)  # 4, and a quarter of 0..8
    assert same_scenes(model.sample([130, 7], seed=4), scenes.take([130, 7]))
    assert same_scenes(load_model(grammar, model.state(), 0).sample(200, seed=4), scenes)
    assert same_scenes(model.copy().sample(200, seed=4), scenes)


def test_an_edit_carries_the_policy_s_log_probabilities() -> None:
    grammar = small()
    structure = randomised(grammar)
    distribution = SceneDistribution(grammar).with_structure(structure)
    edit = distribution.edit(4, 70)
    keys = [("image", "n_dot"), ("dot", "kind_of")]
    torch.testing.assert_close(edit.log_prob(keys), structure.log_prob(edit.scenes))
    edit.log_prob(keys).sum().backward()
    assert structure.leave[0].weight.grad is not None and float(structure.leave[0].weight.grad.abs().sum()) > 0
    assert distribution.logits["dot/kind_of"].grad is None


def test_errors_say_what_is_wrong() -> None:
    bare = sf.Grammar("image", {"image": {"x": MOVING}})
    with pytest.raises(ValueError, match=r"no structure to learn: mark counts of repeats and choices with learned"):
        StructurePolicy(bare)
    with pytest.raises(ValueError, match=r"image.n_dot may take 2001 values, and a learned count at most 1000; give"):
        StructurePolicy(small(2000))
    state = StructurePolicy(small()).state_dict()
    with pytest.raises(ValueError, match=r"the saved structure does not fit the grammar: body.0.weight should be"):
        load_structure(small(3), state)
    state["leave.0.bias"] = torch.full((3,), float("nan"))
    with pytest.raises(ValueError, match=r"the saved structure is damaged: leave.0.bias holds NaN"):
        load_structure(small(), state)
    with pytest.raises(ValueError, match=r"the saved model does not fit the grammar: it has \['structure"):
        load_model(bare, {**SceneDistribution(bare).state_dict(), "structure.leave.0.bias": torch.zeros(3)}, 0)
