"""The loop: what a fit learns, and that it is the same each time, however it is cut."""

import json
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from quick import quick
from toys import Linear, Plain, UnreadableLabels, bars, dot, dots, one, pattern, photos

from scenefit.data.boxes import no_boxes
from scenefit.data.formats import LabelPolicy, label_boxes
from scenefit.data.photos import Photos, as_photos, read_photos
from scenefit.inference.fit import Step, fit, fit_steps
from scenefit.inference.npe import update
from scenefit.inference.npe.method import Npe
from scenefit.inference.settings import Settings, changed, flat, settings_from
from scenefit.inference.stages.former_methods import FormerMethod
from scenefit.inference.stages.meta_sim import MetaSim, NoMethod
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.inference.stages.problem import Problem, start
from scenefit.inference.stages.regressor import Regressor
from scenefit.inference.stages.structure import Structure
from scenefit.inference.stages.task_reward import TaskReward
from scenefit.metrics.features import pixels
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.maximum_likelihood import fit_distribution
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.renderers import RenderError
from scenefit.renderers.each import each
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned
from scenefit.tasks import Classify, Detect
from scenefit.tasks.from_labels import task_for_labels

RICH = Grammar("scene", {"scene": {"shade": learned(Normal(40, 9, 0, 80))},
                         "dot": {"x": learned(Normal(6, 2, 2, 14)), "y": learned(lambda d: Normal(d["x"], 1), (2, 14)),
                                 "angle": learned(Angle(0, 30)), "sprite": learned(Choice([0, 1]))}},
               [Rule("scene", ["dot"], learned=True),
                Rule("scene", [repeat("dot", learned(Integer(1, 2)))], learned=True)])
BLIND = {"features": lambda images: images.sum((1, 3)) @ torch.ones(16, 1) * torch.ones(1, 2)}  # how light it is


def some(grammar: Grammar, renderer, n: int = 24, seed: int = 99) -> Photos:
    """Labelled photos."""
    frames = renderer(grammar.sample(seed, n))
    return Photos(frames.images, tuple(Path(str(i)) for i in range(n)), (), frames.label)


def weights(step: Step) -> dict[str, torch.Tensor]:
    return step.model.state()


def untimed(step: Step) -> dict[str, torch.Tensor]:
    """What a resume needs, with 7 for NaN, which would equal nothing."""
    return {name: value.nan_to_num(7) for name, value in step.state.items() if "seconds" not in name}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---------------------------------------------------------------------------------------------- what is learned

@pytest.mark.parametrize("renderer, start_sd, mean, sd", [(dots(), 0.8, 10.0, 1.8), (Plain(dots()), 2.0, 6.0, 0.5)],
                         ids=["wider, exact", "narrower, score function"])
def test_mean_and_standard_deviation_reach_the_target(renderer, start_sd, mean, sd):
    def scene(prior, bounds):
        return dot(learned(prior, bounds) if bounds else prior)

    real = photos(scene(Normal(mean, sd, 1, 15), None), dots(), 200)
    settings = quick(regressor__epochs=4, method__rounds=2, method__renders=384, descent__steps=5,
                     validation_renders=256)
    model = fit(scene(Normal(8, start_sd), (1, 15)), renderer, real, settings=settings)
    x = model.sample(2000).tables["dot"]["x"]
    assert abs(x.mean() - mean) < 0.5
    assert abs(x.std() - sd) < 0.25 * sd and abs(x.std() - sd) < 0.4 * abs(start_sd - sd)


@pytest.mark.parametrize("gradient", ["pathwise", "finite-difference", "spsa", "score-function"])
def test_descent_alone_goes_down(gradient):
    """Without a warm start, in the features of the pixels."""
    real = photos(dot(Normal(9.5, 1, 1, 15)), dots(), 200)
    settings = quick("none", descent__steps=25, descent__gradient=gradient, descent__learning_rate=0.02,
                     validation_renders=128)
    steps = list(fit_steps(dot(learned(Normal(7, 1, 1, 15))), dots(), real, settings=settings, features=pixels(8)))
    match = [step.distance for step in steps if step.stage == "mmd-descent"]
    assert [step.stage for step in steps] == ["mmd-descent"] * 25 + ["keep-best", "validate"]
    assert np.mean(match[-5:]) < 0.5 * match[0] and steps[-1].distance < 0.5 * match[0]


def test_the_second_half_of_the_descent_is_averaged():
    steps = list(fit_steps(dot(learned(Uniform(2, 14))), dots(), photos(dot(Normal(9, 1)), dots(), 30),
                           settings=quick(descent__steps=6)))
    match = [step for step in steps if step.stage == "mmd-descent"]
    for name in match[-1].model.state():
        if f"average:{name}" in match[-1].state:
            mean = torch.stack([step.model.state()[name] for step in match[3:]]).mean(0)
            assert torch.allclose(match[-1].state[f"average:{name}"], mean, atol=1e-6)
            assert torch.equal(match[2].state[f"average:{name}"], match[2].model.state()[name])
    x = [step.model.state()["curves.dot/x"] for step in match]
    assert len({tuple(value.tolist()) for value in x}) == 6  # every step moved


# ---------------------------------------------------------------------------------------------- the stream of steps

def test_a_step_says_what_was_done_and_what_it_took():
    grammar, renderer = one(x=learned(Uniform(0, 100))), Plain(Linear({("dot", "x"): pattern(1, 8) / 4}))
    settings = quick(MetaSim(1))
    real = renderer.renderer(grammar.sample(5, 30)).images
    steps = list(fit_steps(grammar, renderer, real, settings=settings))
    assert [(step.stage, step.done, step.of) for step in steps] == [
        ("pretraining", 1, 1), ("train-regressor", 1, 1), ("mmd-descent", 1, 3), ("mmd-descent", 2, 3),
        ("mmd-descent", 3, 3), ("keep-best", 1, 1), ("validate", 1, 1)]
    assert [step.number for step in steps] == list(range(len(steps)))
    assert renderer.drawn == steps[-1].renders
    assert steps[-1].trainings == sum(step.stage == "train-regressor" for step in steps)
    assert all(b.renders >= a.renders and b.cpu_seconds >= a.cpu_seconds for a, b in pairwise(steps))
    record = steps[0].record()
    assert record["stage"] == "pretraining" and record["distance"] is None and record["metric"] is None
    assert isinstance(steps[-1].record()["distance"], float)


def test_the_scene_drawn_to_see_the_size_is_counted():
    drawn = []

    @each
    def renderer(scene):
        drawn.append(scene.index)
        image = np.zeros((8, 8))
        image[2:6, int(scene.of("dot")[0].x)] = 1.0
        return image

    grammar = one(x=learned(Uniform(0, 7.99)))
    real = renderer(grammar.sample(5, 20)).images
    drawn.clear()
    *_, last = fit_steps(grammar, renderer, real, settings=quick())
    assert last.renders == len(drawn)


def test_the_model_of_a_step_is_that_steps():
    """A consumer may keep the best of them."""
    steps = list(fit_steps(dot(learned(Uniform(2, 14))), dots(), photos(dot(Normal(9, 1)), dots(), 30),
                           settings=quick()))
    for step in steps:
        mine = {name.partition(":")[2]: value for name, value in step.state.items() if name.startswith("transformer:")}
        assert same(weights(step), mine)
    assert not same(weights(steps[0]), weights(steps[-1]))


def test_the_stages_of_each_method():
    def stages(method, labelled=False, **more):
        grammar, renderer = dot(learned(Uniform(2, 14)), sprite=learned(Choice([0, 1]))), bars()
        few, features = (some(grammar, renderer, 8) if labelled else None), more.pop("features", None)
        steps = fit_steps(grammar, renderer, photos(grammar, renderer, 8), few, features=features,
                          settings=quick(method, **more))
        return list(dict.fromkeys(step.stage for step in steps))

    end = ["mmd-descent", "keep-best", "validate"]
    assert stages("auto") == stages("npe", features=pixels(4)) == ["npe", *end]
    assert stages("npe", True, descent__steps=0) == ["npe", "keep-best", "task-reward", "validate"]
    assert stages("meta-sim", True, method__pretraining=1) == [
        "pretraining", "train-regressor", "mmd-descent", "keep-best", "task-reward", "validate"]
    assert stages("none", True, task__gradient="none") == ["train-regressor", *end]
    assert stages("none", features=pixels(4), descent__steps=0) == ["keep-best", "validate"]


@pytest.mark.parametrize("method", ["npe", "meta-sim"])
def test_a_stage_renders_at_most_what_it_declares(method):
    grammar = Grammar("scene", {"scene": {"shade": learned(Normal(40, 9, 0, 80))},
                                "dot": {"x": learned(Uniform(2, 14)), "angle": learned(Angle(0, 30))}},
                      [Rule("scene", [repeat("dot", learned(Integer(1, 2)))])])
    renderer = Counting(bars(background="scene"))
    settings = quick(method, structure__renders=64, structure__epochs=1, descent__steps=2)
    real = as_photos(photos(grammar, bars(background="scene"), 12), (16, 16))
    problem = Problem(grammar, renderer, real, None, None, None, None, settings.budget(), 0)
    state = start(problem)
    for stage in settings.stages(problem):
        for step in range(stage.steps):
            before, counted, declared = renderer.drawn, state.renders, stage.renders(problem, state, step)
            state = stage.run(problem, state, step)
            drawn = renderer.drawn - before
            assert drawn == state.renders - counted, stage.name
            if not stage.required:
                assert drawn <= declared, stage.name


# ---------------------------------------------------------------------------------------------- the same each time

@pytest.mark.parametrize("choice", [
    {"method": "npe", "descent__gradient": "pathwise"},
    {"method": MetaSim(1), "descent__gradient": "pathwise"},
    {"method": "none", "descent__gradient": "finite-difference", "task__gradient": "reinforce"},
    {"method": "none", "descent__gradient": "spsa"},
    {"method": "npe", "descent__gradient": "score-function", "task__gradient": "none", "max_renders": 1000},
    {"method": MetaSim(1), "descent__gradient": "score-function", "task__gradient": "reinforce", "max_renders": 6000}],
                         ids=lambda c: str(c))
def test_a_fit_cut_anywhere_ends_in_the_same_bytes(choice, monkeypatch):
    monkeypatch.setattr(update, "fit_distribution", partial(fit_distribution, steps=2))
    renderer, few = bars(background="scene"), some(dot(8.0, sprite=Choice([0, 1])), bars(), 16)
    real, task = photos(RICH, renderer, 40), Classify(("", "lying", "standing"), epochs=1)

    def run(seed=3, state=None):
        return fit_steps(RICH, renderer, real, few, seed=seed, settings=quick(**choice), task=task,
                         state=state)

    whole = list(run())
    expected = weights(whole[-1])
    assert same(untimed(whole[0]), untimed(next(run())))
    first = {}  # the first and, where there are more, the last but one of each stage
    for step in whole[:-1]:
        first.setdefault((step.stage, step.done == 1), step)
    for step in first.values():
        state = {name: value.clone() for name, value in step.state.items()}
        rest = list(run(state=state))
        assert [s.number for s in rest] == [s.number for s in whole if s.number > step.number]
        assert same(expected, weights(rest[-1])), (step.stage, step.done)
        assert same(untimed(rest[-1]), untimed(whole[-1])), (step.stage, step.done)
        assert rest[-1].renders == whole[-1].renders and rest[-1].trainings == whole[-1].trainings
        np.testing.assert_array_equal([s.distance for s in rest], [s.distance for s in whole[len(whole) - len(rest):]])
    assert not same(weights(whole[0]), weights(next(run(seed=4))))


# ---------------------------------------------------------------------------------------------- limits

@pytest.mark.parametrize("method, most, gradient", [
    ("none", 40, "pathwise"), ("none", 700, "finite-difference"), ("none", 2500, "score-function"),
    ("meta-sim", 333, "pathwise"), ("npe", 700, "score-function"), ("npe", 2500, "finite-difference")])
def test_no_more_is_rendered_than_allowed(method, most, gradient):
    renderer, few = Counting(bars(background="scene")), some(dot(8.0, sprite=Choice([0, 1])), bars(), 8)
    settings = quick(method, descent__steps=4, descent__gradient=gradient, max_renders=most)
    *_, last = fit_steps(RICH, renderer, photos(RICH, bars(background="scene"), 30), few, settings=settings,
                         task=Classify(("", "lying", "standing"), epochs=1))
    assert renderer.drawn == last.renders <= most
    assert last.stage == "validate" and last.renders > most / 5


class Counting:
    """Sprites that count what they draw."""

    def __init__(self, renderer):
        self.renderer, self.info, self.drawn = renderer, replace(renderer.info, draw=self.draw), 0

    def __call__(self, scenes):
        self.drawn += len(scenes)
        return self.renderer(scenes)

    def draw(self, scenes):
        self.drawn += len(scenes)
        return self.renderer.draw(scenes)


@pytest.mark.parametrize("most", [40, 1000])
def test_no_more_is_rendered_than_allowed_where_every_stage_wants_more(most):
    renderer = Counting(bars(background="scene"))
    settings = Settings(NoMethod(), Regressor(epochs=1), max_renders=most)
    *_, last = fit_steps(RICH, renderer, photos(RICH, bars(background="scene"), 30), settings=settings)
    assert renderer.drawn == last.renders <= most and last.renders > most / 5


@pytest.mark.parametrize("smallest", [4, 5])
def test_the_fewest_renders_do(smallest):
    settings = quick("none", regressor__renders=smallest, validation_renders=2)
    renderer = Counting(bars(background="scene"))
    steps = list(fit_steps(RICH, renderer, photos(RICH, bars(background="scene"), 4), settings=settings))
    assert {"train-regressor", "mmd-descent", "keep-best", "validate"} == {step.stage for step in steps}
    assert renderer.drawn == steps[-1].renders and np.isfinite(steps[-1].distance)
    assert all(value.isfinite().all() for value in weights(steps[-1]).values())
    assert not same(weights(steps[0]), weights(steps[-1]))


def test_a_small_budget_still_learns():
    real = photos(dot(Normal(11, 0.5)), dots(), 100)
    settings = Settings(max_renders=1000)
    model = fit(dot(learned(Uniform(2, 14))), dots(), real, settings=settings)
    assert abs(model.sample(500).tables["dot"]["x"].mean() - 11) < 1


def test_no_more_time_is_taken_than_allowed():
    real = photos(dot(Normal(11, 0.5)), dots(), 30)
    steps = list(fit_steps(dot(learned(Uniform(2, 14))), dots(), real, settings=quick(minutes=1e-9)))
    assert [step.stage for step in steps] == ["keep-best", "validate"]
    spent = {**steps[0].state, "piece": torch.tensor(1), "seconds": torch.tensor(3600.0)}
    steps = list(fit_steps(dot(learned(Uniform(2, 14))), dots(), real, settings=quick(minutes=59),
                           state=spent))
    assert [step.stage for step in steps] == ["keep-best", "validate"]  # the time before the resume counts


# ---------------------------------------------------------------------------------------------- labels and the task

def test_the_labels_of_the_photos_to_match_are_never_read():
    grammar, renderer = dot(learned(Uniform(4, 12)), sprite=learned(Choice([0, 1]))), bars()
    real = UnreadableLabels(photos(grammar, renderer, 30))
    with pytest.raises(AssertionError):
        _ = real.label
    for labelled in (None, some(grammar, renderer, 12)):
        assert fit(grammar, renderer, real, labelled, settings=quick())


def test_the_labelled_photos_do_nothing_but_the_task():
    """Until the task's stage, a fit with them is the fit without."""
    grammar, renderer = dot(learned(Uniform(4, 12)), sprite=learned(Choice([0, 1]))), bars()
    real = photos(grammar, renderer, 30)
    plain, more = (list(fit_steps(grammar, renderer, real, few, settings=quick()))
                   for few in (None, some(grammar, renderer, 12)))
    cut = [step.stage for step in more].index("task-reward")
    assert same(weights(plain[cut - 1]), weights(more[cut - 1]))
    assert not same(weights(plain[-1]), weights(more[-1]))
    assert all(np.isnan(step.metric) for step in plain) and 0 <= more[-2].metric <= 1


@pytest.mark.parametrize("method, task", [("none", "influence"), ("none", "reinforce"), ("npe", "influence")])
def test_the_reward_moves_the_scenes_that_earned_it(method, task):
    """What the distance cannot see, the task asks for: bars further right."""
    grammar = dot(learned(Normal(7, 1, 1, 15)), sprite=learned(Choice([0, 1])), angle=learned(Angle(0, 5)))

    class Right:
        """A task whose reward is how far right the light stands."""

        def labels(self, source, label_policy=None):
            return source.label

        def influence(self, images, labels, few, few_labels, seed):
            across = torch.from_numpy(images[..., 0].astype(np.float32)).sum(1)
            reward = (across * torch.arange(16.0)).sum(1) / across.sum(1)
            return reward, float(reward.mean())

        def train(self, images, labels, seed):
            return self.influence(images, labels, None, None, 0)[1]

        def evaluate(self, network, images, labels):
            return {"light": network}

    real = photos(grammar, bars(), 60)
    settings = quick(method, descent__steps=0, task__steps=25, descent__learning_rate=0.02, task__gradient=task,
                     task__weight=10.0)
    steps = list(fit_steps(grammar, bars(), real, some(grammar, bars(), 4), task=Right(), settings=settings, **BLIND))
    kept = next(step for step in steps if step.stage == "keep-best")
    before, after = (step.model.sample(1000).tables["dot"]["x"].mean() for step in (kept, steps[-1]))
    assert after > before + (1.5 if task == "influence" else 0.2)
    assert [step.trainings - kept.trainings for step in steps[kept.number:]] == [0, *range(1, 26), 25]


def test_an_interrupted_task_keeps_its_average():
    grammar, renderer = dot(learned(Uniform(4, 12)), sprite=learned(Choice([0, 1]))), bars()
    settings = quick("none", task__steps=9, max_renders=1400)
    steps = list(fit_steps(grammar, renderer, photos(grammar, renderer, 30), some(grammar, renderer, 12),
                           settings=settings))
    last = [step for step in steps if step.stage == "task-reward"][-1]
    assert last.done < 9
    average = {name.partition(":")[2]: value for name, value in last.state.items() if name.startswith("average:")}
    assert same(weights(steps[-1]), average)


# ---------------------------------------------------------------------------------------------- what does not fit

def test_nothing_to_learn():
    with pytest.raises(ValueError, match=r"nothing to learn: mark attributes with learned\(\.\.\.\)"):
        fit(dot(Uniform(2, 14)), dots(), np.zeros((4, 16, 16, 3), np.uint8))


@pytest.mark.parametrize("real", [np.zeros((4, 15, 16, 3), np.uint8), np.zeros((4, 16, 16), np.uint8),
                                  np.zeros((4, 16, 16, 3)), np.zeros((1, 16, 16, 3), np.uint8)])
def test_photos_of_another_shape(real):
    text = r"real needs a folder, Photos or at least 4 uint8 images \[N, 16, 16, 3\], got "
    with pytest.raises(ValueError, match=text):
        fit(dot(learned(Uniform(2, 14))), dots(), real)
    with pytest.raises(ValueError, match=text):
        fit(dot(learned(Uniform(2, 14))), dots(), Photos(real, (), (), np.array([])))


def test_photos_from_a_folder(tmp_path):
    images = photos(dot(Uniform(2, 14)), dots(), 5)
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    assert np.array_equal(as_photos(tmp_path, (16, 16)).images, images)
    thinned = as_photos(str(tmp_path), (16, 16), 4).images
    assert len(thinned) == 4 and all(any(np.array_equal(a, b) for b in images) for a in thinned)
    assert np.array_equal(as_photos(images, (16, 16), 4).images, images[[0, 1, 2, 4]])
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    with pytest.warns(UserWarning, match=r"1 skipped: .*broken.jpg"):
        as_photos(tmp_path, (16, 16))
    for number in range(1, 5):
        (tmp_path / f"{number}.png").unlink()
    with pytest.raises(ValueError, match="at least 4"), pytest.warns(UserWarning):
        as_photos(tmp_path, (16, 16))


def test_labelled_photos_that_do_not_fit():
    grammar, real = dot(learned(Uniform(2, 14))), photos(dot(Uniform(2, 14)), dots(), 5)
    with pytest.raises(ValueError, match="labelled needs a folder with one subfolder a class, a data set of boxes or "
                       "masks, or Photos with a label, boxes or a mask each"):
        fit(grammar, dots(), real, Photos(real, (), (), np.array(["a", "", "b", "a", "b"])))
    with pytest.raises(ValueError, match="labelled needs a folder"):
        fit(grammar, dots(), real, real)
    with pytest.raises(ValueError, match=r"labelled photos need the renderer's size \(16, 16\), got \(8, 8\)"):
        fit(grammar, dots(), real, Photos(real[:, :8, :8], (), (), np.array(["a"] * 5)))


def boxed(grammar: Grammar, renderer, n: int = 12, seed: int = 99) -> Photos:
    """Photos with boxes."""
    frames = renderer(grammar.sample(seed, n))
    return Photos(frames.images, tuple(Path(str(i)) for i in range(n)), (), np.full(n, ""), label_boxes(frames))


TINY = Detect(("dot",), steps=4, batch=8, augmented_copies=1, augment=NO_CHANGE, backbone=SmallMaps)


def test_boxes_reward_the_scenes_of_a_detector():
    """Labelled photos show standing bars alone: renders of standing bars are what helps a detector there."""
    place = Uniform(6, 10)
    task = Detect(("lying", "standing"), steps=20, batch=8, augmented_copies=1, learning_rate=1e-2, augment=NO_CHANGE,
                  backbone=SmallMaps)
    grammar, few = dot(place, sprite=learned(Choice([0, 1]))), boxed(dot(place, sprite=Choice([1])), bars())
    settings = quick("none", descent__steps=0, task__steps=6, descent__learning_rate=0.05, task__weight=10.0)
    steps = list(fit_steps(grammar, bars(), photos(grammar, bars(), 20), few, task=task, settings=settings, **BLIND))
    before, after = ((step.model.sample(500).tables["dot"]["sprite"] == 1).mean() for step in (steps[0], steps[-1]))
    assert abs(before - 0.5) < 0.1 and after > 0.8
    assert steps[-1].trainings == 6 and all(0 <= step.metric <= 1 for step in steps if step.stage == "task-reward")


def test_the_reward_is_a_detectors_average_precision(monkeypatch):
    grammar, measured, evaluate = dot(learned(Normal(7, 1, 1, 15))), [], Detect.evaluate

    def recorded(task, network, images, labels):
        measured.append(evaluate(task, network, images, labels))
        return measured[-1]

    monkeypatch.setattr(Detect, "evaluate", recorded)
    settings = quick("none", descent__steps=0, task__gradient="reinforce")
    plain, more = (list(fit_steps(grammar, dots(), photos(grammar, dots(), 20), some, settings=settings,
                                  task=some and replace(TINY, steps=40))) for some in (None, boxed(grammar, dots())))
    scores = [step.metric for step in more if step.stage == "task-reward"]
    assert scores == [next(iter(values.values())) for values in measured[:2]] and more[-1].trainings >= 3
    assert len(scores) == 2 and max(scores) > 0 and not same(weights(plain[-1]), weights(more[-1]))


@pytest.mark.parametrize("task", ["influence", "reinforce"])
def test_a_task_gets_the_boxes_of_its_renders_and_photos(task):
    """What the distance cannot see, a task on boxes asks for: dots further right."""
    grammar, keep = dot(learned(Normal(7, 1, 1, 15)), angle=learned(Angle(0, 5))), LabelPolicy(box="amodal")
    few = boxed(grammar, dots())

    class Right:
        def labels(self, source, label_policy=None):
            return source.boxes if source is few else label_boxes(source, label_policy)

        def influence(self, images, labels, real, real_labels, seed):
            assert real_labels is few.boxes and labels.count == len(images) == len(labels), "one dot an image"
            light = images[..., 0].sum(1) / images[..., 0].sum((1, 2), keepdims=True)[:, 0]
            assert np.abs(labels.box[:, [0, 2]].mean(1) - light @ (np.arange(16) + 0.5)).max() < 1
            reward = torch.from_numpy(labels.box[:, [0, 2]].mean(1))
            return reward.float(), float(reward.mean())

        def train(self, images, labels, seed):
            return self.influence(images, labels, None, few.boxes, 0)[1]

        def evaluate(self, network, images, labels):
            assert labels is few.boxes
            return {"light": network}

    settings = quick("none", descent__steps=0, task__steps=25, descent__learning_rate=0.02, task__gradient=task,
                     task__weight=10.0)
    steps = fit_steps(grammar, dots(), photos(grammar, dots(), 20), few, task=Right(), settings=settings,
                      label_policy=keep, **BLIND)
    scores = [step.metric for step in steps if step.stage == "task-reward"]
    assert np.mean(scores[-5:]) > np.mean(scores[:5]) + 0.3


def test_the_task_is_that_of_the_labels(monkeypatch):
    grammar = dot(learned(Uniform(2, 14)))
    few = boxed(grammar, dots())
    task = task_for_labels(few, grammar, dots())
    assert isinstance(task, Detect) and task.classes == ("dot",)
    named = [replace(few, boxes=replace(few.boxes, name=np.full(len(few.boxes), name))) for name in ("spot", "dot")]
    mixed = replace(few, boxes=replace(few.boxes, name=np.array(["spot"] + ["dot"] * (len(few.boxes) - 1))))
    with pytest.raises(ValueError, match=r"of the classes \['spot'\], but the renderer's objects of \['dot'\]; name"):
        fit(grammar, dots(), few.images, named[0], settings=quick())
    with pytest.warns(UserWarning, match=r"no render has an object of \['spot'\], classes of the labelled photos"):
        assert task_for_labels(mixed, grammar, dots()).classes == ("dot", "spot")
    with pytest.raises(ValueError, match="the 12 labelled photos have no box at all, so there is no class to detect"):
        task_for_labels(replace(few, boxes=no_boxes(12)), grammar, dots())
    classes = Photos(few.images, (), (), np.array(["b", "a"] * 6))
    assert task_for_labels(classes, grammar, dots(), "meta") == Classify(("a", "b"), device="meta")
    with pytest.raises(ValueError, match="the 12 labelled photos have no box at all, so no detector can be evaluated "
                                         "on them; give photos with boxes, or leave labelled= out"):
        fit(grammar, dots(), few.images, replace(few, boxes=no_boxes(12)))


def test_a_list_in_a_data_set_names_the_photos_and_no_label_is_opened(tmp_path):
    """Their annotation files cannot even be parsed."""
    for folder in ("JPEGImages", "Annotations", "ImageSets"):
        (tmp_path / folder).mkdir()
    images = photos(dot(Uniform(2, 14)), dots(), 6)
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "JPEGImages" / f"{number}.png")
        (tmp_path / "Annotations" / f"{number}.xml").write_text("<no label")
    listed = tmp_path / "ImageSets" / "match.txt"
    listed.write_text("5\n0\n2\n3\n")
    assert np.array_equal(as_photos(listed, (16, 16)).images, images[[5, 0, 2, 3]])
    found = read_photos(listed, (16, 16), 2)
    assert np.array_equal(found.images, images[[5, 3]]) and found.boxes is None
    with pytest.raises(ValueError, match=r"5\.xml is no XML"):
        fit(dot(learned(Uniform(2, 14))), dots(), listed, listed)


def test_a_renderer_that_gives_nan_is_named_with_its_scene():
    @each
    def renderer(scene):
        return np.full((8, 8), np.nan if scene.index == 5 else 0.5)

    with pytest.raises(RenderError, match=r"scene 5 of seed \d+: the renderer returned what does not fit"):
        fit(one(x=learned(Uniform(0, 1))), renderer, np.zeros((4, 8, 8, 3), np.uint8), settings=quick())


@pytest.mark.parametrize("make, text", [
    (lambda: Descent(gradient="best"), "descent.gradient must be one of auto, pathwise, finite-difference, spsa, "
                                       "score-function, got 'best'"),
    (lambda: Settings("infer"), "method must be one of auto, npe, meta-sim, none, or the settings of one, got 'infer'"),
    (lambda: TaskReward("detect"), "task.gradient must be one of influence, reinforce, none, got 'detect'"),
    (lambda: Descent(batch=100), "descent.batch must be a multiple of 64, got 100"),
    (lambda: Descent(batch=0), "descent.batch must be a multiple of 64, got 0"),
    (lambda: Regressor(renders=3), "regressor.renders must be at least 4, got 3"),
    (lambda: Settings("abc"), "the method abc was removed; use npe, the default, which learns attributes of"),
    (lambda: MetaSim(pretraining=-1), "method.pretraining must be at least 0, got -1"),
    (lambda: Settings(validation_renders=1), "validation_renders must be at least 2, got 1"),
    (lambda: TaskReward(renders=1), "task.renders must be at least 2, got 1"),
    (lambda: Settings(max_photos=1), "max_photos must be at least 4, got 1"),
    (lambda: Regressor(epochs=0), "regressor.epochs must be at least 1, got 0"),
    (lambda: Descent(steps=-5), "descent.steps must be at least 0, got -5"),
    (lambda: Descent(learning_rate=0.0), "descent.learning_rate must be above 0 and at most 1, in units of the bounds, "
                                         "got 0.0"),
    (lambda: Descent(learning_rate=1e9), "descent.learning_rate must be above 0 and at most 1, in units of the bounds, "
                                         "got 1000000000.0"),
    (lambda: TaskReward(weight=-1), "task.weight must be at least 0, got -1"),
    (lambda: TaskReward(weight=float("nan")), "task.weight must be at least 0, got nan"),
    (lambda: TaskReward(weight=float("inf")), "task.weight needs a finite number, got inf"),
    (lambda: Settings(device="zq7"), "device must be cpu, cuda or a certain GPU such as cuda:1, got 'zq7'"),
    (lambda: Structure(renders=63), "structure.renders must be 0, or at least 64 renders a round, got 63"),
    (lambda: Structure(epochs=0), "structure.epochs must be positive, got 0"),
    (lambda: Settings(max_renders=39), "max_renders must be at least 40, got 39"),
    (lambda: Settings(minutes=0), "minutes must be positive, got 0"),
    (lambda: Settings(minutes=float("nan")), "minutes must be positive, got nan"),
    (lambda: Settings(Npe), r"or the settings of one, .*, got the class Npe itself; make one"),
    (lambda: Settings(None), r"method needs one of the names auto, .*, got None"),
    (lambda: Settings(Descent()), "method Descent lacks name, descent_steps, check, within, stages"),
    (lambda: Settings(descent=Descent), r"descent needs the settings scenefit.Descent\(...\), got the class Descent"),
    (lambda: Settings(task=None), r"task needs the settings scenefit.TaskReward\(...\), got None"),
    (lambda: Settings(max_photos="9"), "max_photos needs a whole number, got '9'"),
    (lambda: Settings(max_renders=99.5), "max_renders needs a whole number, got 99.5"),
    (lambda: Settings(minutes="9"), "minutes needs a number, got '9'"),
    (lambda: Descent(steps=2.5), "descent.steps needs a whole number, got 2.5"),
    (lambda: Descent(gradient=None), "descent.gradient needs a text, got None"),
    (lambda: Regressor(epochs=None), "regressor.epochs needs a whole number, got None"),
    (lambda: Structure(renders=True), "structure.renders needs a whole number, got True"),
    (lambda: TaskReward(weight="much"), "task.weight needs a number, got 'much'"),
    (lambda: Npe(rounds="2"), "method.rounds needs a whole number, got '2'"),
    (lambda: MetaSim(pretraining=0.5), "method.pretraining needs a whole number, got 0.5"),
    (lambda: settings_from({"method": "npe"}), "method needs its name and settings, got 'npe'"),
    (lambda: settings_from({"method": {"name": ["npe"]}}), r"method must be one of auto, .*, got \['npe'\]"),
    (lambda: settings_from({"max_photos": {"of": 9}}), "max_photos needs a whole number, got {'of': 9}")])
def test_settings_that_make_no_sense(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_arguments_of_a_fit_that_make_no_sense():
    grammar, real = dot(learned(Uniform(2, 14))), np.random.default_rng(0).integers(0, 255, (8, 16, 16, 3), np.uint8)
    few = some(dot(learned(Uniform(2, 14)), sprite=learned(Choice([0, 1]))), bars(), 4)
    first = next(fit_steps(grammar, dots(), real, settings=quick()))

    class Half:
        def labels(self, source, label_policy=None):
            raise AssertionError("the task is looked at first")

    for given, text in (({"settings": Npe()}, r"settings needs scenefit.Settings\(...\), in which a method "
                                                        r"alone goes as .*; got a value of type Npe"),
                        ({"state": first.model.state()}, "state needs the `state` of a Step, got dict without"),
                        ({"state": first}, "state needs the `state` of a Step, got Step without"),
                        ({"state": first.state, "settings": quick("none")},
                         r"state is of another fit: it was made with the method npe \(npe: 2, mmd-descent: 3.*\)"
                         r", and these settings make the method none \(.*; give the settings that it was made with"),
                        ({"state": first.state, "settings": quick(descent__steps=7)}, "these .* mmd-descent: 7"),
                        ({"labelled": few, "task": Half()}, "task Half lacks influence; scenefit.Task describes"),
                        ({"labelled": few, "task": Classify}, "task Classify is a class; make one"),
                        ({"labelled": few, "task": Half(), "settings": quick(task__gradient="reinforce")},
                         'task Half lacks train, evaluate; .* and task.gradient="reinforce" needs labels, train')):
        with pytest.raises(ValueError, match=text):
            fit_steps(grammar, dots(), real, **{"settings": quick(), **given})
    for other in (dot(3.0, learned(Uniform(2, 14))), dot(learned(Uniform(2, 14)), learned(Uniform(2, 14)))):
        with pytest.raises(ValueError, match=r"the saved state does not fit the grammar: curves.dot/y should be"):
            next(fit_steps(other, dots(), real, settings=quick(), state=first.state))


def test_settings_as_plain_values():
    for some in (Settings(), quick("none", descent__steps=3, device="cuda"), Settings(MetaSim(7))):
        plain = json.loads(json.dumps(some.record()))
        assert settings_from(plain) == some and plain["method"]["name"] == some.chosen.name
    assert Settings("auto") == Settings(Npe())
    assert Settings(max_renders=10**6).within_budget().regressor == Regressor()
    with pytest.raises(ValueError, match=r"method must be one of auto, .*, got 'look'"):
        settings_from({"method": {"name": "look"}})
    for plain, text in (({"round_renders": 5}, "there is no setting round_renders; did you mean 'max_renders'"),
                        ({"descent": {"stepz": 5}}, r"there is no setting descent\.stepz; did you mean 'steps'"),
                        ({"method": {"name": "npe", "zq7": 5}}, r"there is no setting method\.zq7")):
        with pytest.raises(ValueError, match=text):
            settings_from(plain)


def test_single_settings_by_their_paths():
    base = Settings("npe")
    assert flat(base)["method.rounds"] == Npe.rounds and flat(base)["descent.steps"] is None
    assert "method.pretraining" not in flat(base)
    some = changed(base, {"method.rounds": 2, "descent.steps": 5, "minutes": 3.0, "descent.batch": 64})
    assert (some.chosen.rounds, some.descent.steps, some.descent.batch, some.minutes) == (2, 5, 64, 3.0)
    with pytest.raises(KeyError, match=r"method\.pretraining"):
        changed(base, {"method.pretraining": 2})


def test_settings_of_a_former_method_are_read_and_refuse_to_fit():
    plain = {"method": {"name": "abc", "rounds": 6, "renders": 1000},
             "regressor": {"rounds": 3, "renders": 99, "epochs": 2}}
    found = settings_from(plain)
    assert found.chosen == FormerMethod("abc", {"rounds": 6, "renders": 1000}) and found.regressor == Regressor(99, 2)
    with pytest.raises(ValueError, match="the method abc was removed; use npe, the default, which learns attributes"):
        fit(dot(learned(Uniform(2, 14))), dots(), np.zeros((4, 16, 16, 3), np.uint8), settings=found)
