"""Looking at each photo on its own: the regression, and whole rounds on small scenes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from quick import quick
from test_aggregate_posterior import GRAMMAR

import scenefit as sf
from scenefit.data.boxes import make_boxes
from scenefit.data.photos import as_photos
from scenefit.inference.npe.method import load_network
from scenefit.inference.stages.problem import Budget, Problem, load, start, tensors
from scenefit.inference.stages.regression_abc import RegressionAbc, load_detector, normalised_image_attributes
from scenefit.inference.stages.regressor import Regressor
from scenefit.metrics.ridge import regress, select_by_r2
from scenefit.metrics.summary_statistics import SummaryStatistics, object_statistics, summary_statistics_for
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.renderers.batches import render_with_boxes

SIZE = 24


@sf.each
def blots(scene):
    """Dark discs of one size on a light ground."""
    down, right = np.mgrid[:SIZE, :SIZE] + 0.5
    image = np.full((SIZE, SIZE, 3), scene.root.light)
    masks = np.zeros((SIZE, SIZE), int)
    for blot in scene.of("blot"):
        inside = (right - blot.x) ** 2 + (down - blot.y) ** 2 < scene.root.radius ** 2
        image[inside] = scene.root.ink
        masks[inside] = blot.id
    return sf.Frame(image, masks)


def scene(light, ink, radius, count, learned=True):
    mark = sf.learned if learned else (lambda prior: prior)
    return sf.Grammar("image", {
        "image": {"light": mark(light), "ink": mark(ink), "radius": mark(radius)},
        "blot": {"x": sf.Uniform(0, SIZE), "y": sf.Uniform(0, SIZE)}},
        [sf.Rule("image", [sf.repeat("blot", mark(count))])])


WIDE = scene(sf.Uniform(0, 1), sf.Uniform(0, 1), sf.Uniform(1, 8), sf.Integer(0, 12))
SEEN = scene(sf.Uniform(0.7, 0.8), sf.Uniform(0.1, 0.3), sf.Uniform(2, 3), sf.Integer(4, 6), learned=False)


def linear(seed, count, noise):
    """known [S, 2] in 0..1; a summary [S, 12] that tells the first, with noise, and nothing of the second."""
    rng = np.random.default_rng(seed)
    known = rng.random((count, 2))
    summary = np.outer(known[:, 0], np.arange(1, 13)) + noise * rng.standard_normal((count, 12))
    return torch.from_numpy(summary).float(), known


def test_what_the_summary_tells_is_read_and_what_it_does_not_keeps_its_spread():
    (x, known), (photos, real) = linear(0, 800, 1.0), linear(1, 100, 1.0)
    reading = regress(x, known, photos)
    assert reading.r2[0] > 0.9 and abs(float(reading.r2[1])) < 0.05
    assert np.abs(reading.prediction[:, 0].numpy() - real[:, 0]).mean() < 0.08
    assert reading.prediction[:, 1].std() < 0.05 and abs(float(reading.residual[:, 1].std()) - 12**-0.5) < 0.02
    left = float((reading.residual[:, 0] ** 2).mean())
    assert abs(left / np.mean((reading.prediction[:, 0].numpy() - real[:, 0]) ** 2) - 1) < 0.5, "errors are honest"


def test_a_regression_is_not_believed_beyond_its_renders():
    x, known = linear(0, 400, 0.1)
    reading = regress(x, 0.4 + 0.2 * known, 3 * x[:20])
    assert reading.prediction[:, 0].min() >= 0.39 and reading.prediction[:, 0].max() <= 0.61


def test_an_attribute_of_which_little_is_told_is_not_moved_by_photos_that_differ():
    rng = np.random.default_rng(4)
    known, noise = rng.random((4000, 1)), rng.standard_normal((4000, 1))
    for share, moved in ((0.03, False), (0.15, True)):
        hint = np.sqrt(12 * share) * (known - 0.5) + np.sqrt(1 - share) * noise
        reading = regress(torch.from_numpy(hint).float(), known, torch.full((50, 1), 4.0))
        assert reading.r2[0] == pytest.approx(share, abs=0.03)
        assert bool((abs(reading.prediction - known.mean()) > 0.1).all()) is moved
        if not moved:
            assert abs(reading.prediction - known.mean()).max() < 1e-6, "the mean itself, and not nearly"
            assert reading.prediction.std() < 1e-6 and float(reading.residual.std()) == pytest.approx(known.std(),
                                                                                                      rel=0.01)


def test_each_attribute_is_read_from_what_tells_it_most():
    """One summary tells the first attribute, another the second."""
    random = torch.Generator().manual_seed(3)
    known = torch.rand(400, 2, generator=random, dtype=torch.float64)
    noise = torch.randn(450, 2, 8, generator=random)
    photos = torch.tensor([[0.2, 0.7]], dtype=torch.float64).expand(50, 2)
    both = torch.cat([known, photos]).float()
    pairs = [(part[:400], part[400:]) for part in (torch.cat([both[:, at:at + 1], noise[:, at]], 1) for at in (0, 1))]
    one, other = (regress(renders, known.numpy(), real) for renders, real in pairs)
    best = select_by_r2(one, other)
    assert one.r2[0] > 0.8 > 0.1 > one.r2[1] and other.r2[1] > 0.8 > 0.1 > other.r2[0]
    assert torch.equal(best.r2, torch.stack([one.r2[0], other.r2[1]]))
    assert torch.equal(best.prediction, torch.stack([one.prediction[:, 0], other.prediction[:, 1]], 1))
    assert torch.equal(best.residual, torch.stack([one.residual[:, 0], other.residual[:, 1]], 1))
    assert best.prediction.mean(0) == pytest.approx([0.2, 0.7], abs=0.1)
    hardly = replace(one, r2=one.r2 + 0.09, prediction=one.prediction + 1)
    assert torch.equal(select_by_r2(one, hardly).prediction, one.prediction), "a little more is not worth fewer numbers"


def test_what_the_scene_cannot_express_weighs_less():
    x, known = linear(0, 800, 1.0)
    photos, real = linear(1, 100, 1.0)
    photos[:, 6:] += 60  # dust, say
    blind, robust = (regress(x, known, photos, near).prediction[:, 0].numpy() for near in (None, 800))
    assert np.abs(robust - real[:, 0]).mean() < 0.5 * np.abs(blind - real[:, 0]).mean()


def problem(photos):
    return Problem(WIDE, blots, as_photos(photos, (SIZE, SIZE)), None, None, None, None, Budget(), 0)


@pytest.mark.parametrize("objects", [False, True])
def test_rounds_find_the_photos_distribution(objects, monkeypatch):
    photos, _ = render_with_boxes(blots, SEEN.sample(9, 40))
    given, method = problem(photos), RegressionAbc(4, 128, objects)
    monkeypatch.setattr("scenefit.inference.stages.regression_abc.Detect", lambda classes, **more: sf.Detect(
        classes, steps=4, augmented_copies=1, augment=NO_CHANGE))
    stage, _ = method.stages(given, Regressor())
    state, spent = start(given), []
    for step in range(stage.steps):
        before, state = state, stage.run(given, state, step)
        spent.append((state.renders - before.renders, state.trainings - before.trainings))
    table, prior = state.distribution.sample(5, 500).tables["image"], WIDE.sample(5, 500).tables["image"]
    assert abs(table["light"].mean() - 0.75) < 0.04 and table["light"].std() < 0.08
    assert abs(table["ink"].mean() - 0.2) < 0.1 and table["ink"].std() < 0.5 * prior["ink"].std()
    assert abs(table["radius"].mean() - 2.5) < 0.8 and table["radius"].std() < 0.7 * prior["radius"].std()
    assert abs(table["n_blot"].mean() - 5) < 0.8 < abs(prior["n_blot"].mean() - 5)
    assert table["n_blot"].std() < 0.6 * prior["n_blot"].std()
    assert spent == [(256, 0), (144, 0), (144 + 64 * objects, int(objects)), (144, 0)]
    assert (state.detector is not None) == objects


@sf.each
def flat_patches(scene):
    """Noise with a flat square anywhere, whose shade is the number of marbles: only a detector can know it."""
    random = np.random.default_rng(scene.index)
    image, masks = random.random((SIZE, SIZE)), np.zeros((SIZE, SIZE), int)
    down, right = random.integers(0, SIZE - 5, 2)
    image[down:down + 6, right:right + 6] = 0.2 + len(scene.of("marble")) / 20
    for column, marble in enumerate(scene.of("marble")):
        masks[12:16, column] = marble.id
    return sf.Frame(image, masks)


def one_box_a_marble(images):
    """A perfect detector's boxes: the flattest 4 x 4 pixels tell how many."""
    windows = np.lib.stride_tricks.sliding_window_view(images.mean(-1), (4, 4), (1, 2)).reshape(len(images), -1, 16)
    flattest = windows[np.arange(len(images)), windows.std(-1).argmin(1)].mean(1)
    count = ((flattest / 255 - 0.2) * 20).round().astype(int).clip(0)
    return make_boxes(len(images), np.repeat(np.arange(len(images)), count), np.tile([0.0, 0, 8, 8], (count.sum(), 1)),
                      ["marble"] * count.sum(), [0.9] * count.sum())


def test_objects_tell_what_statistics_of_the_image_do_not(monkeypatch):
    def marbles(count):
        return sf.Grammar("image", {"image": {}, "marble": {}}, [sf.Rule("image", [sf.repeat("marble", count)])])

    monkeypatch.setattr(sf.Detect, "train", lambda task, images, boxes, seed: task.fresh(seed))
    monkeypatch.setattr(sf.Detect, "predict", lambda task, network, images: one_box_a_marble(images))
    grammar = marbles(sf.learned(sf.Integer(0, 12)))
    photos, found = flat_patches(marbles(sf.Integer(5, 6)).sample(9, 40)).images, []
    for objects in (False, True):
        given = Problem(grammar, flat_patches, as_photos(photos, (SIZE, SIZE)), None, None, None, None, Budget(), 0)
        stage, _ = RegressionAbc(4, 128, objects).stages(given, Regressor())
        state = start(given)
        for step in range(stage.steps):
            state = stage.run(given, state, step)
        found.append(state.distribution.sample(5, 500).tables["image"]["n_marble"])
    without, with_objects = found
    assert abs(with_objects.mean() - 5.5) < 0.4 and with_objects.std() < 1.0 and without.std() > 1.8


def test_a_fit_that_looks_resumes_to_the_same_bytes():
    photos, _ = render_with_boxes(blots, SEEN.sample(9, 12))
    settings = quick(RegressionAbc(3, 64, False), descent__steps=2)
    steps = list(sf.fit_steps(WIDE, blots, photos, seed=3, settings=settings))
    assert [s.stage for s in steps] == ["abc"] * 3 + ["train-regressor", "mmd-descent", "mmd-descent", "keep-best",
                                                    "validate"]
    assert steps[2].renders - steps[1].renders == 72
    again = list(sf.fit_steps(WIDE, blots, photos, seed=3, settings=settings, state=steps[2].state))
    for name, value in steps[-1].model.state().items():
        assert torch.equal(value, again[-1].model.state()[name]), name


@pytest.mark.parametrize("gradient, batch", [("pathwise", 64), ("finite-difference", 64), ("spsa", 64),
                                             ("score-function", 512)])
def test_a_descent_goes_on_from_abc(gradient, batch):
    """ABC moves the roots' attributes, and children follow; the descent alone moves the discs, to the right."""
    def grammar(shade, size, x):
        return sf.Grammar("image", {
            "image": {"shade": sf.learned(shade), "size": sf.learned(size)},
            "disc": {"x": x, "y": sf.Uniform(0, SIZE),
                     "radius": lambda node: sf.Normal(node.parent["size"], 0.2, 1, 9)}},
            [sf.Rule("image", ["disc", "disc"])])

    renderer = sf.Shapes((SIZE, SIZE), {"disc": {"shade": 0.1}})
    truth = grammar(sf.Uniform(0.7, 0.8), sf.Uniform(3, 4), sf.Uniform(14, 22))
    photos = sf.render(renderer, truth.sample(9, 24)).images
    settings = quick(RegressionAbc(1, 64, False), regressor__epochs=3, descent__steps=6, descent__batch=batch,
                     descent__gradient=gradient, descent__learning_rate=0.02)
    wide = grammar(sf.Uniform(0.2, 0.9), sf.Uniform(2, 8), sf.learned(sf.Normal(10, 3, 0, SIZE)))
    steps = list(sf.fit_steps(wide, renderer, photos, settings=settings))
    (abc,), match = ([step for step in steps if step.stage == stage] for stage in ("abc", "mmd-descent"))
    before, after = (step.model.sample(500).tables["disc"]["x"].mean() for step in (abc, match[-1]))
    assert abs(before - 10) < 0.5 and after > before + 0.8
    assert match[-1].distance < 0.7 * match[0].distance


def test_the_detector_is_kept_for_a_resume():
    photos, _ = render_with_boxes(blots, SEEN.sample(9, 8))
    given = problem(photos)
    detector = load_detector(given, sf.Detect(("blot",)).fresh(1).state_dict())
    found = load(given, tensors(replace(start(given), detector=detector)), load_detector, load_network).detector
    assert load(given, tensors(start(given)), load_detector, load_network).detector is None and found is not None
    for name, value in detector.state_dict().items():
        assert torch.equal(value, found.state_dict()[name])


def test_a_scene_without_root_attributes_is_told_what_to_use():
    grammar = sf.Grammar("a", {"a": {}, "b": {"x": sf.learned(sf.Uniform(0, 1))}}, [sf.Rule("a", ["b"])])
    black = sf.each(lambda scene: np.zeros((SIZE, SIZE)))
    with pytest.raises(ValueError, match=r"no learned number at its root, 'a'; use method=\"moment-matching\""):
        next(sf.fit_steps(grammar, black, np.zeros((8, SIZE, SIZE, 3), np.uint8),
                          settings=sf.Settings("abc")))


def test_truth_is_the_place_within_the_bounds():
    scenes = GRAMMAR.sample(0, 5)
    assert np.allclose(normalised_image_attributes(GRAMMAR, scenes)[:, 0], scenes.tables["image"]["light"] / 10)


def test_a_summary_is_the_same_in_any_batch_and_tells_colours_apart():
    images, _ = render_with_boxes(blots, WIDE.sample(1, 20))
    summary = summary_statistics_for(images)
    whole = summary(images)
    assert torch.equal(whole[3:5], summary(images[3:5])) and torch.isfinite(whole).all()
    plain = SummaryStatistics(summary.histogram, None)
    assert plain(images).shape[1] < whole.shape[1]
    grey, other = np.full((1, SIZE, SIZE, 3), 100, np.uint8), np.full((1, SIZE, SIZE, 3), (100, 100, 140), np.uint8)
    assert not torch.allclose(plain(grey), plain(other))


def test_objects_are_described_by_class():
    images = np.full((3, 20, 30, 3), 50, np.uint8)
    images[0, 4:14, 6:16] = (200, 100, 0)
    found = make_boxes(3, [0, 0, 2], [[6, 4, 16, 14], [0, 0, 4, 2], [0, 0, 4, 2]], ["a", "b", "b"], [0.9, 0.05, 0.6])
    described = object_statistics(images, found, ("a", "b"))
    assert described.shape[0] == 3 and torch.isfinite(described).all()
    width = described.shape[1] // 2
    a = described[0, :width]
    assert torch.allclose(a[:5], torch.tensor([0.9**0.5, 1.0, 1.0, 1.0, 1.0]))
    assert torch.allclose(a[6:9], torch.tensor([200, 100, 0]) / 255, atol=1e-4)
    assert torch.allclose(a[9:12], torch.zeros(3), atol=1e-4)
    assert torch.isclose(a[-2], torch.tensor(10.0).log()) and a[-1] == 0
    assert not described[0, width:].any() and not described[1].any(), "an unsure or absent one says nothing"
    assert described[2, width:][4] == 1
