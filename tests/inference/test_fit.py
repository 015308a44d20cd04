"""The loop: what a fit learns, and that it is the same each time, however it is cut."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toys import Linear, Plain, bars, dot, dots, one, pattern, photos

from scenefit.data.boxes import no_boxes
from scenefit.data.formats import LabelPolicy, label_boxes
from scenefit.data.photos import Photos, as_photos, read_photos
from scenefit.inference.fit import Step, fit, fit_steps, plan
from scenefit.inference.settings import Settings
from scenefit.metrics.features import pixels
from scenefit.nets.augmentation import NO_CHANGE
from scenefit.nets.centre_network import SmallMaps
from scenefit.renderers import RenderError
from scenefit.renderers.each import each
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Angle, Choice, Integer, Normal, Uniform, learned
from scenefit.tasks import Classify, Detect
from scenefit.tasks.from_labels import task_for_labels

QUICK = {"reads": 1, "reader_renders": 64, "reader_epochs": 1, "rounds": 2, "round_renders": 64, "steps": 3,
         "batch": 64, "task_steps": 2, "task_renders": 64, "check_renders": 64}
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


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---------------------------------------------------------------------------------------------- what is learned

@pytest.mark.parametrize("start_sd, mean, sd", [(0.8, 10.0, 1.8), (2.0, 6.0, 0.5)], ids=["wider", "narrower"])
@pytest.mark.parametrize("renderer", [dots(), Plain(dots())], ids=["exact", "score function"])
def test_mean_and_standard_deviation_reach_the_target(renderer, start_sd, mean, sd):
    def scene(prior, bounds):
        return dot(learned(prior, bounds) if bounds else prior)

    real = photos(scene(Normal(mean, sd, 1, 15), None), dots(), 300)
    settings = Settings(reads=2, reader_renders=768, reader_epochs=6, rounds=3, round_renders=256, steps=20, batch=64,
                        check_renders=256)
    model = fit(scene(Normal(8, start_sd), (1, 15)), renderer, real, settings=settings)
    x = model.sample(2000).tables["dot"]["x"]
    assert abs(x.mean() - mean) < 0.5
    assert abs(x.std() - sd) < 0.25 * sd and abs(x.std() - sd) < 0.4 * abs(start_sd - sd)


@pytest.mark.parametrize("gradient", ["exact", "finite", "simultaneous", "score"])
def test_descent_alone_goes_down(gradient):
    """Without a warm start, in the features of the pixels."""
    real = photos(dot(Normal(9.5, 1, 1, 15)), dots(), 200)
    settings = Settings(**{**QUICK, "warm_start": "none", "steps": 25, "check_renders": 128, "gradient": gradient,
                           "rate": 0.02})
    steps = list(fit_steps(dot(learned(Normal(7, 1, 1, 15))), dots(), real, settings=settings, features=pixels(8)))
    match = [step.distance for step in steps if step.stage == "match"]
    assert [step.stage for step in steps] == ["match"] * 25 + ["settle", "check"]
    assert np.mean(match[-5:]) < 0.5 * match[0] and steps[-1].distance < 0.5 * match[0]


def test_the_second_half_of_the_descent_is_averaged():
    steps = list(fit_steps(dot(learned(Uniform(2, 14))), dots(), photos(dot(Normal(9, 1)), dots(), 30),
                           settings=Settings(**{**QUICK, "steps": 6})))
    match = [step for step in steps if step.stage == "match"]
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
    settings = Settings(**QUICK, pretrain=1)
    real = renderer.renderer(grammar.sample(5, 30)).images
    steps = list(fit_steps(grammar, renderer, real, settings=settings))
    assert [(step.stage, step.done, step.of) for step in steps if step.stage != "focus"] == [
        ("pretrain", 1, 1), ("read", 1, 1), ("infer", 1, 2), ("infer", 2, 2), ("match", 1, 3), ("match", 2, 3),
        ("match", 3, 3), ("settle", 1, 1), ("check", 1, 1)]
    assert [step.number for step in steps] == list(range(len(steps)))
    assert renderer.drawn == steps[-1].renders
    assert steps[-1].trainings == sum(step.stage in ("read", "focus") for step in steps)
    assert all(b.renders >= a.renders and b.cpu_seconds >= a.cpu_seconds for a, b in pairwise(steps))
    record = steps[0].record()
    assert record["stage"] == "pretrain" and record["distance"] is None and record["score"] is None
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
    *_, last = fit_steps(grammar, renderer, real, settings=Settings(**QUICK))
    assert last.renders == len(drawn)


def test_the_model_of_a_step_is_that_steps():
    """A consumer may keep the best of them."""
    steps = list(fit_steps(dot(learned(Uniform(2, 14))), dots(), photos(dot(Normal(9, 1)), dots(), 30),
                           settings=Settings(**QUICK)))
    for step in steps:
        mine = {name.partition(":")[2]: value for name, value in step.state.items() if name.startswith("transformer:")}
        assert same(weights(step), mine)
    assert not same(weights(steps[0]), weights(steps[-1]))


def test_plans():
    def stages(read, labels, **settings):
        return list(dict.fromkeys(s for s, _, _ in plan(Settings(**settings), read, labels) if s != "focus"))

    assert stages(True, True) == ["read", "infer", "match", "settle", "task", "check"]
    assert stages(False, False) == ["read", "infer", "match", "settle", "check"]  # infer needs the reader all the same
    assert stages(False, True, warm_start="search", pretrain=5) == ["pretrain", "search", "match", "settle", "task",
                                                                    "check"]
    assert stages(True, True, warm_start="none", task="none") == ["read", "match", "settle", "check"]
    assert stages(False, False, warm_start="none", steps=0) == ["settle", "check"]


# ---------------------------------------------------------------------------------------------- the same each time

@pytest.mark.parametrize("choice", [
    {"warm_start": "infer", "gradient": "exact", "task": "credit", "pretrain": 1},
    {"warm_start": "search", "gradient": "finite", "task": "reinforce"},
    {"warm_start": "none", "gradient": "simultaneous", "task": "credit"},
    {"warm_start": "infer", "gradient": "score", "task": "none", "max_renders": 700},
    {"warm_start": "search", "gradient": "score", "task": "reinforce", "max_renders": 6000}], ids=lambda c: str(c))
def test_a_fit_cut_anywhere_ends_in_the_same_bytes(choice):
    renderer, few = bars(background="scene"), some(dot(8.0, sprite=Choice([0, 1])), bars(), 16)
    real, task = photos(RICH, renderer, 40), Classify(("", "lying", "standing"), epochs=1)

    def run(seed=3, state=None):
        return fit_steps(RICH, renderer, real, few, seed=seed, settings=Settings(**{**QUICK, **choice}), task=task,
                         state=state)

    whole = list(run())
    expected = weights(whole[-1])
    assert same(expected, weights(list(run())[-1]))
    first = {}  # the first and, where there are more, the last but one of each stage
    for step in whole[:-1]:
        first.setdefault((step.stage, step.done == 1), step)
    for step in first.values():
        state = {name: value.clone() for name, value in step.state.items()}
        rest = list(run(state=state))
        assert [s.number for s in rest] == [s.number for s in whole if s.number > step.number]
        assert same(expected, weights(rest[-1])), (step.stage, step.done)
        assert rest[-1].renders == whole[-1].renders and rest[-1].trainings == whole[-1].trainings
        np.testing.assert_array_equal([s.distance for s in rest], [s.distance for s in whole[len(whole) - len(rest):]])
    assert not same(expected, weights(list(run(seed=4))[-1]))


# ---------------------------------------------------------------------------------------------- limits

@pytest.mark.parametrize("gradient", ["exact", "finite", "score"])
@pytest.mark.parametrize("most", [40, 333, 700, 2500])
@pytest.mark.parametrize("warm_start", ["infer", "search"])
def test_no_more_is_rendered_than_allowed(gradient, most, warm_start):
    renderer, few = Counting(bars(background="scene")), some(dot(8.0, sprite=Choice([0, 1])), bars(), 8)
    settings = Settings(**{**QUICK, "reads": 2, "steps": 4}, gradient=gradient, warm_start=warm_start, max_renders=most)
    *_, last = fit_steps(RICH, renderer, photos(RICH, bars(background="scene"), 30), few, settings=settings,
                         task=Classify(("", "lying", "standing"), epochs=1))
    assert renderer.drawn == last.renders <= most
    assert last.stage == "check" and last.renders > most / 5


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


@pytest.mark.parametrize("most", [40, 100, 1000])
@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_no_more_is_rendered_than_allowed_where_every_stage_wants_more(most, rounds):
    renderer = Counting(bars(background="scene"))
    settings = Settings(max_renders=most, rounds=rounds, reader_epochs=1)
    *_, last = fit_steps(RICH, renderer, photos(RICH, bars(background="scene"), 30), settings=settings)
    assert renderer.drawn == last.renders <= most and last.renders > most / 2


@pytest.mark.parametrize("smallest", [4, 5])
def test_the_fewest_renders_do(smallest):
    settings = Settings(**{**QUICK, "reads": 2, "reader_renders": smallest, "round_renders": 2, "check_renders": 2})
    renderer = Counting(bars(background="scene"))
    steps = list(fit_steps(RICH, renderer, photos(RICH, bars(background="scene"), 4), settings=settings))
    assert {"read", "infer", "match", "settle", "check"} <= {step.stage for step in steps}
    assert renderer.drawn == steps[-1].renders and np.isfinite(steps[-1].distance)
    assert all(value.isfinite().all() for value in weights(steps[-1]).values())
    assert not same(weights(steps[0]), weights(steps[-1]))


def test_a_small_budget_still_learns():
    real = photos(dot(Normal(11, 0.5)), dots(), 100)
    model = fit(dot(learned(Uniform(2, 14))), dots(), real, settings=Settings(max_renders=1000))
    assert abs(model.sample(500).tables["dot"]["x"].mean() - 11) < 1


def test_no_more_time_is_taken_than_allowed():
    real = photos(dot(Normal(11, 0.5)), dots(), 30)
    steps = list(fit_steps(dot(learned(Uniform(2, 14))), dots(), real, settings=Settings(**QUICK, minutes=1e-9)))
    assert [step.stage for step in steps] == ["settle", "check"]
    spent = {**steps[0].state, "piece": torch.tensor(1), "seconds": torch.tensor(3600.0)}
    steps = list(fit_steps(dot(learned(Uniform(2, 14))), dots(), real, settings=Settings(**QUICK, minutes=59),
                           state=spent))
    assert [step.stage for step in steps] == ["settle", "check"]  # the time before the resume counts


# ---------------------------------------------------------------------------------------------- labels and the task

class Unreadable(Photos):
    """Photos whose labels nobody may look at."""

    @property
    def label(self):
        raise AssertionError("the labels of the photos to match were read")

    @label.setter
    def label(self, value):
        pass

    def __init__(self, images):
        for name, value in (("images", images), ("paths", ()), ("skipped", ())):
            object.__setattr__(self, name, value)


def test_the_labels_of_the_photos_to_match_are_never_read():
    grammar, renderer = dot(learned(Uniform(4, 12)), sprite=learned(Choice([0, 1]))), bars()
    real = Unreadable(photos(grammar, renderer, 30))
    with pytest.raises(AssertionError):
        _ = real.label
    for labelled in (None, some(grammar, renderer, 12)):
        assert fit(grammar, renderer, real, labelled, settings=Settings(**QUICK))


def test_the_labelled_photos_do_nothing_but_the_task():
    """Until the task's stage, a fit with them is the fit without."""
    grammar, renderer = dot(learned(Uniform(4, 12)), sprite=learned(Choice([0, 1]))), bars()
    real = photos(grammar, renderer, 30)
    plain, more = (list(fit_steps(grammar, renderer, real, few, settings=Settings(**QUICK)))
                   for few in (None, some(grammar, renderer, 12)))
    cut = [step.stage for step in more].index("task")
    assert same(weights(plain[cut - 1]), weights(more[cut - 1]))
    assert not same(weights(plain[-1]), weights(more[-1]))
    assert all(np.isnan(step.score) for step in plain) and 0 <= more[-2].score <= 1


@pytest.mark.parametrize("task", ["credit", "reinforce"])
def test_the_reward_moves_the_scenes_that_earned_it(task):
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
    settings = Settings(**{**QUICK, "warm_start": "none", "steps": 0, "task_steps": 25, "rate": 0.02}, task=task,
                        task_weight=10.0)
    steps = list(fit_steps(grammar, bars(), real, some(grammar, bars(), 4), task=Right(), settings=settings, **BLIND))
    before, after = (step.model.sample(1000).tables["dot"]["x"].mean() for step in (steps[0], steps[-1]))
    assert after > before + (2 if task == "credit" else 0.2)
    assert [step.trainings for step in steps] == [0, *range(1, 26), 25]


def test_an_interrupted_task_keeps_its_average():
    grammar, renderer = dot(learned(Uniform(4, 12)), sprite=learned(Choice([0, 1]))), bars()
    settings = Settings(**{**QUICK, "task_steps": 9}, max_renders=1400)
    steps = list(fit_steps(grammar, renderer, photos(grammar, renderer, 30), some(grammar, renderer, 12),
                           settings=settings))
    last = [step for step in steps if step.stage == "task"][-1]
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
    with pytest.warns(UserWarning, match=r"1 files were skipped, the first: .*broken.jpg"):
        as_photos(tmp_path, (16, 16))
    for number in range(1, 5):
        (tmp_path / f"{number}.png").unlink()
    with pytest.raises(ValueError, match="at least 4"), pytest.warns(UserWarning):
        as_photos(tmp_path, (16, 16))


def test_labelled_photos_that_do_not_fit():
    grammar, real = dot(learned(Uniform(2, 14))), photos(dot(Uniform(2, 14)), dots(), 5)
    with pytest.raises(ValueError, match="labelled needs a folder with one subfolder a class, a data set of boxes, or "
                       "Photos with a label or boxes each"):
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
    settings = Settings(**{**QUICK, "warm_start": "none", "steps": 0, "task_steps": 6, "rate": 0.05}, task="credit",
                        task_weight=10.0)
    steps = list(fit_steps(grammar, bars(), photos(grammar, bars(), 20), few, task=task, settings=settings, **BLIND))
    before, after = ((step.model.sample(500).tables["dot"]["sprite"] == 1).mean() for step in (steps[0], steps[-1]))
    assert abs(before - 0.5) < 0.1 and after > 0.8
    assert steps[-1].trainings == 6 and all(0 <= step.score <= 1 for step in steps if step.stage == "task")


def test_the_reward_is_a_detectors_average_precision(monkeypatch):
    grammar, measured, evaluate = dot(learned(Normal(7, 1, 1, 15))), [], Detect.evaluate

    def recorded(task, network, images, labels):
        measured.append(evaluate(task, network, images, labels))
        return measured[-1]

    monkeypatch.setattr(Detect, "evaluate", recorded)
    settings = Settings(**{**QUICK, "warm_start": "none", "steps": 0}, task="reinforce")
    plain, more = (list(fit_steps(grammar, dots(), photos(grammar, dots(), 20), some, task=replace(TINY, steps=40),
                                  settings=settings)) for some in (None, boxed(grammar, dots())))
    scores = [step.score for step in more if step.stage == "task"]
    assert scores == [next(iter(values.values())) for values in measured[:2]] and more[-1].trainings >= 3
    assert len(scores) == 2 and max(scores) > 0 and not same(weights(plain[-1]), weights(more[-1]))


@pytest.mark.parametrize("task", ["credit", "reinforce"])
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

    settings = Settings(**{**QUICK, "warm_start": "none", "steps": 0, "task_steps": 25, "rate": 0.02}, task=task,
                        task_weight=10.0)
    scores = [step.score for step in fit_steps(grammar, dots(), photos(grammar, dots(), 20), few, task=Right(),
                                               settings=settings, label_policy=keep, **BLIND) if step.stage == "task"]
    assert np.mean(scores[-5:]) > np.mean(scores[:5]) + 0.3


def test_the_task_is_that_of_the_labels(monkeypatch):
    grammar = dot(learned(Uniform(2, 14)))
    few = boxed(grammar, dots())
    task = task_for_labels(few, grammar, dots())
    assert isinstance(task, Detect) and task.classes == ("dot",)
    named = [replace(few, boxes=replace(few.boxes, name=np.full(len(few.boxes), name))) for name in ("spot", "dot")]
    mixed = replace(few, boxes=replace(few.boxes, name=np.array(["spot"] + ["dot"] * (len(few.boxes) - 1))))
    with pytest.raises(ValueError, match=r"of the classes \['spot'\], but the renderer's objects of \['dot'\]; name"):
        fit(grammar, dots(), few.images, named[0], settings=Settings(**QUICK))
    with pytest.warns(UserWarning, match=r"no render has an object of \['spot'\], classes of the labelled photos"):
        assert task_for_labels(mixed, grammar, dots()).classes == ("dot", "spot")
    with pytest.raises(ValueError, match="the 12 labelled photos have no box at all, so there is no class to detect"):
        task_for_labels(replace(few, boxes=no_boxes(12)), grammar, dots())
    classes = Photos(few.images, (), (), np.array(["b", "a"] * 6))
    assert task_for_labels(classes, grammar, dots(), "meta") == Classify(("a", "b"), device="meta")
    with pytest.raises(ValueError, match="the 12 labelled photos have no box at all, so no detector can be "
                                         "evaluated on them"):
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
        fit(one(x=learned(Uniform(0, 1))), renderer, np.zeros((4, 8, 8, 3), np.uint8), settings=Settings(**QUICK))


@pytest.mark.parametrize("given, text", [
    ({"gradient": "best"}, "gradient must be one of auto, exact, finite, simultaneous, score, got 'best'"),
    ({"warm_start": None}, "warm_start must be one of infer, look, search, none, got None"),
    ({"task": "detect"}, "task must be one of credit, reinforce, none, got 'detect'"),
    ({"batch": 100}, "batch must be a multiple of 64, got 100"),
    ({"batch": 0}, "batch must be a multiple of 64, got 0"),
    ({"reader_renders": 3}, "reader_renders must be at least 4, got 3"),
    ({"round_renders": 0}, "round_renders must be at least 2, got 0"),
    ({"check_renders": 1}, "check_renders must be at least 2, got 1"),
    ({"task_renders": 1}, "task_renders must be at least 2, got 1"),
    ({"most_photos": 1}, "most_photos must be at least 4, got 1"),
    ({"reads": 0}, "reads must be at least 1, got 0"),
    ({"reader_epochs": 0}, "reader_epochs must be at least 1, got 0"),
    ({"rounds": -1}, "rounds must be at least 0, got -1"), ({"steps": -5}, "steps must be at least 0, got -5"),
    ({"rate": 0.0}, "rate must be above 0 and at most 1, in units of the bounds, got 0.0"),
    ({"rate": 1e9}, "rate must be above 0 and at most 1, in units of the bounds, got 1000000000.0"),
    ({"task_weight": -1}, "task_weight must be at least 0, got -1"),
    ({"max_renders": 39}, "max_renders must be at least 40, got 39"),
    ({"max_renders": 50, "rounds": 6}, "max_renders must be at least 60, got 50"),
    ({"minutes": 0}, "minutes must be positive, got 0"),
    ({"minutes": float("nan")}, "minutes must be positive, got nan")])
def test_settings_that_make_no_sense(given, text):
    with pytest.raises(ValueError, match=text):
        Settings(**given)


def test_settings_as_plain_values():
    assert Settings(**Settings(steps=3).record()) == Settings(steps=3)
    assert Settings(max_renders=10**6).within_budget() == Settings(max_renders=10**6)
