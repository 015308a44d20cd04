"""From photos to a structure policy, end to end on a toy world."""

import numpy as np
import pytest
import torch
from quick import quick
from toys import bars, same_scenes

import scenefit as sf
from scenefit.inference.stages.structure import Structure, by_distribution, fit_structure
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.nets.structure_policy import StructurePolicy
from scenefit.nets.structure_posterior import N_SUMMARY, StructurePosterior, train
from scenefit.scenes.attributes import NodeGroup

PLACES = sf.Uniform(4, 12)
GRAMMAR = sf.Grammar("scene", {"scene": {}, "dot": {"sprite": sf.learned(sf.Choice([0, 1])), "x": PLACES, "y": PLACES}},
                     [sf.Rule("scene", [sf.repeat("dot", sf.learned(sf.Integer(0, 2)))])])
QUICK = Structure(1024, epochs=4, samples=4, steps=40, learning_rate=2e-2)


def truth(seed: int, count: int) -> sf.SceneBatch:
    """Nothing at all (0.3), or two dots (0.7) that are standing."""
    def decide(group: NodeGroup) -> dict[str, np.ndarray]:
        if group.kind == "scene":
            return {"n_dot": np.where(np.arange(len(group)) % 10 < 3, 0, 2)}
        return {"sprite": np.ones(len(group), np.int64)}

    return GRAMMAR.sample(seed, count, decide=decide)


def shares(scenes: sf.SceneBatch) -> np.ndarray:
    return np.bincount(scenes.tables["scene"]["n_dot"], minlength=3) / len(scenes)


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return bars()(truth(99, 300)).images


def test_learns_counts_and_kinds_from_photos(photos: np.ndarray) -> None:
    steps = list(fit_structure(GRAMMAR, bars(), photos, seed=1, settings=QUICK))
    learned = steps[-1].structure.sample(0, 2000)
    assert np.abs(shares(learned) - [0.3, 0, 0.7]).sum() / 2 < 0.1
    assert learned.tables["dot"]["sprite"].mean() > 0.9
    assert [(step.done, step.of, step.renders) for step in steps] == [(1, 2, 1024), (2, 2, 2048)]
    assert steps[0].gain > 0.3 and not any(p.requires_grad for p in steps[-1].structure.parameters())
    read = steps[-1].posterior.sample_posterior(photos[:30], 5, 0)
    standing = steps[-1].posterior.context(photos)[:, N_SUMMARY + 1].numpy()  # the sum of the channel of dots
    assert np.corrcoef(standing, truth(99, 300).tables["scene"]["n_dot"])[0, 1] > 0.9
    count = read.tables["scene"]["n_dot"].reshape(30, 5)
    assert (count == truth(99, 300).tables["scene"]["n_dot"][:30, None]).mean() > 0.8


def test_same_seed_same_bytes(photos: np.ndarray) -> None:
    brief = Structure(128, epochs=1, samples=2, steps=3)
    runs = [[*fit_structure(GRAMMAR, bars(), photos, seed=seed, settings=brief)][-1] for seed in (1, 1, 2)]
    states = [run.structure.state_dict() for run in runs]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not all(torch.equal(value, states[2][name]) for name, value in states[0].items())


def test_later_rounds_render_what_was_learned(photos: np.ndarray) -> None:
    drawn: list[tuple[float, int]] = []

    def draw(structure: StructurePolicy, seed: int, indices: np.ndarray) -> sf.SceneBatch:
        drawn.append((float(structure.leave[0].bias.detach().std()), len(indices)))
        return structure.sample(seed, indices)

    brief = Structure(64, epochs=1, samples=2, steps=5)
    list(fit_structure(GRAMMAR, bars(), photos, draw=draw, settings=brief))
    assert [n for _, n in drawn] == [64, 48, 16] and drawn[0][0] == drawn[2][0] < 1e-3 < drawn[1][0]


def test_starts_where_it_is_told_and_leaves_that_alone(photos: np.ndarray) -> None:
    brief = Structure(64, rounds=1, epochs=1, samples=2, steps=1, learning_rate=1e-9)
    start = StructurePolicy(GRAMMAR)
    torch.nn.init.constant_(start.leave[0].bias, 1.0)
    (step,) = fit_structure(GRAMMAR, bars(), photos, start=start, settings=brief)
    assert same_scenes(step.structure.sample(0, 64), start.sample(0, 64))
    assert float(start.leave[0].bias.detach().sum()) == 3.0


def test_draws_with_a_transformer_s_edits() -> None:
    grammar = sf.Grammar("scene", {"scene": {}, "dot": {"x": sf.learned(4.0, bounds=(0, 16))}},
                         [sf.Rule("scene", [sf.repeat("dot", sf.learned(sf.Integer(1, 2)))])])
    distribution, structure = SceneDistribution(grammar), StructurePolicy(grammar)
    distribution.shift_offsets(grammar.learned[1], 0.5)
    scenes = by_distribution(distribution)(structure, 3, range(10, 40))
    assert scenes.tables["dot"]["x"].mean() == pytest.approx(12, abs=0.2)
    np.testing.assert_array_equal(scenes.tables["scene"]["n_dot"], structure.sample(3, range(10, 40)).tables["scene"][
        "n_dot"])


def test_what_it_says_when_it_cannot(photos: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"photos need uint8 \[N, H, W, 3\], at least 2, got float64 \[300, 16"):
        next(fit_structure(GRAMMAR, bars(), photos / 255))
    with pytest.raises(ValueError, match=r"structure\.renders must be 0, or at least 64 renders a round, got 32"):
        Structure(32)
    with pytest.raises(ValueError, match=r"structure\.epochs must be positive, got 0"):
        Structure(epochs=0)


def test_an_object_stands_in_its_cell_and_channels() -> None:
    scenes = GRAMMAR.sample(0, 40)
    regressor = StructurePosterior(GRAMMAR, (16, 16), True, 0)
    lesson = regressor.training_batch(bars()(scenes))
    assert lesson.objects.shape == (40, 2 + 2 + 3, 2, 2) and lesson.images.shape == (40, 1, 16, 16)
    table, found = scenes.tables["dot"], bars()(scenes).objects
    lone = np.flatnonzero(np.bincount(table.scene, minlength=40) == 1)
    for row in lone:
        (at,), (seen,) = np.flatnonzero(table.scene == row), np.flatnonzero(found.scene == row)
        x0, y0, x1, y1 = found.box[seen]
        wanted = torch.zeros(7, 2, 2)
        channels = [1, 2 + regressor.policy.decisions[1].first + table["sprite"][at]]
        wanted[channels, int((y0 + y1) / 16), int((x0 + x1) / 16)] = 1
        assert torch.equal(lesson.objects[row].float(), wanted)
    assert len(lone) > 5 and not lesson.objects[np.flatnonzero(np.bincount(table.scene, minlength=40) == 0)].any()


def test_an_image_is_read_the_same_in_any_batch(photos: np.ndarray) -> None:
    regressor = StructurePosterior(GRAMMAR, (16, 16), True, 0)
    assert torch.equal(regressor.context(photos)[70:75], regressor.context(photos[70:75]))
    with pytest.raises(ValueError, match=r"the structure posterior is trained on at least 64 renders, got 20"):
        train(regressor, regressor.training_batch(bars()(GRAMMAR.sample(0, 20))), 0, 1)


def test_fit_learns_the_structure_as_a_stage_and_resumes_to_the_same_bytes():
    def dots(count):
        return sf.Grammar("image", {"image": {"grey": sf.learned(sf.Uniform(0, 1))},
                                    "dot": {"x": sf.Uniform(2, 14), "y": sf.Uniform(2, 14)}},
                          [sf.Rule("image", [sf.repeat("dot", count)])])

    @sf.each
    def renderer(scene):
        image, masks = np.full((16, 16), 0.2 * scene.root.grey), np.zeros((16, 16), int)
        for dot in scene.of("dot"):
            image[int(dot.y), int(dot.x)], masks[int(dot.y), int(dot.x)] = 1, dot.id
        return sf.Frame(image, masks)

    grammar = dots(sf.learned(sf.Integer(0, 4)))
    photos = sf.render(renderer, dots(sf.Integer(2, 2)).sample(9, 40)).images
    settings = quick(structure__renders=1024, method__rounds=1, descent__steps=1)
    steps = list(sf.fit_steps(grammar, renderer, photos, settings=settings))
    assert [s.stage for s in steps] == ["npe", "structure", "mmd-descent", "keep-best", "validate"]
    assert steps[1].renders - steps[0].renders == 2048
    assert steps[0].model.structure is None and steps[-1].model.structure is not None
    share = np.mean(steps[-1].model.sample(400).tables["image"]["n_dot"] == 2)
    assert share > 0.8, "one in five in the grammar, all in the photos"
    again = list(sf.fit_steps(grammar, renderer, photos, settings=settings, state=steps[1].state))
    for name, value in steps[-1].model.state().items():
        assert torch.equal(value, again[-1].model.state()[name]), name
