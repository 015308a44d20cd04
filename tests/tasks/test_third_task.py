"""A task of a user's own, counting objects, goes through the fit, the evaluation and the report as the two built-in
tasks do: its four functions are all that it needs."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from blobs import call, fit_command, make
from quick import quick
from toys import Plain, dots

from scenefit.data.boxes import no_boxes
from scenefit.data.frames import Frames
from scenefit.data.label_policy import label_boxes
from scenefit.data.photos import Photos
from scenefit.evaluation.evaluate import EvaluationSettings, evaluate
from scenefit.inference.fit import fit_steps
from scenefit.metrics.features import pixels
from scenefit.run.folder import open_run, scene_of
from scenefit.run.report import report_content
from scenefit.run.results import read_evaluation, write_evaluation
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Integer, Uniform, learned
from scenefit.tasks import Task, headline, predict_boxes
from scenefit.tasks.rendering import join_labels, render_labelled

GRAMMAR = Grammar("scene", {"scene": {}, "dot": {"x": learned(Uniform(1, 15)), "y": Uniform(1, 15)}},
                  [Rule("scene", [repeat("dot", learned(Integer(1, 6)))])])


@dataclass(frozen=True)
class Count:
    """Counts objects from the mean brightness of an image: count = slope * brightness."""

    limit: int = 20

    def labels(self, source, label_policy=None):
        boxes = label_boxes(source, label_policy) if isinstance(source, Frames) else source.boxes
        counts = np.bincount(boxes.image, minlength=boxes.count)
        if counts.max() > self.limit:
            raise ValueError(f"{counts.max()} objects in an image, at most {self.limit} can be counted")
        return counts

    def train(self, images, labels, seed):
        light = images.mean((1, 2, 3))
        return float((light * labels).sum() / (light**2).sum())

    def evaluate(self, network, images, labels):
        error = np.abs(network * images.mean((1, 2, 3)) - labels)
        return {"share within one": float((error < 1).mean()), "minus error": -float(error.mean())}

    def influence(self, images, labels, photos, photo_labels, seed):
        network = self.train(images, labels, seed)
        near = -np.abs(labels - photo_labels.mean())  # renders with as many objects as photos have
        return torch.from_numpy(near).float(), headline(self.evaluate(network, photos, photo_labels))


TASK: Task = Count()


def photos(count: int, seed: int) -> Photos:
    frames = dots()(Grammar("scene", {"scene": {}, "dot": {"x": Uniform(9, 15), "y": Uniform(1, 15)}},
                            [Rule("scene", [repeat("dot", Integer(4, 6))])]).sample(seed, count))
    return Photos(frames.images, (), (), frames.label, label_boxes(frames))


@pytest.mark.parametrize("reward", ["influence", "reinforce"])
def test_it_goes_through_fit_evaluation_and_report(reward, tmp_path):
    few, real = photos(12, 1), photos(40, 2)
    settings = quick("none", descent__steps=1, task__gradient=reward, task__steps=3)
    renderer = Plain(dots())
    steps = list(fit_steps(GRAMMAR, renderer, real, few, settings=settings, task=TASK, features=pixels(4)))
    assert [0 < step.metric <= 1 for step in steps if step.stage == "task-reward"] == [True] * 3
    assert steps[-1].renders == renderer.drawn, "no render is made to find out what the task is"

    found = evaluate(steps[-1].model, dots(), real, pixels(4), few,
                     EvaluationSettings(renders=32, images=300, repeats=2), task=TASK)
    assert found.metric == "share within one" and list(found.metrics) == ["grammar", "shrunk", "learned"]
    assert all(list(metrics) == ["share within one", "minus error"] for metrics in found.metrics.values())
    assert [len(values) for values in found.values.values()] == [2, 2, 2]
    assert min(found.values["grammar"]) > 0.5 and max(found.metrics["grammar"]["minus error"]) < 0

    call(*fit_command(make(tmp_path), tmp_path / "run", steps=1))
    run = open_run(tmp_path / "run")
    write_evaluation(run.path("evaluation.json"), found)
    assert read_evaluation(run.path("evaluation.json")) == found
    content = report_content(run, scene_of(run)[0])
    assert content.table.metric == "share within one" and content.detections is None
    assert [list(row.values) for row in content.table.rows] == list(found.values.values())


def test_labels_that_it_cannot_use_end_a_fit_before_any_training():
    renderer = Plain(dots())
    with pytest.raises(ValueError, match="objects in an image, at most 2 can be counted"):
        list(fit_steps(GRAMMAR, renderer, photos(20, 2), photos(12, 1), task=Count(2),
                       settings=quick()))
    assert renderer.drawn <= 160  # what the first round renders to train on


def test_renders_come_with_their_labels_in_parts():
    scenes = GRAMMAR.sample(3, 300)
    images, labels = render_labelled(TASK, dots(), scenes)
    frames = dots()(scenes)
    assert np.array_equal(images, frames.images) and np.array_equal(labels, TASK.labels(frames))
    boxes = label_boxes(frames)
    joined = join_labels([boxes.take(range(256)), no_boxes(2), boxes.take(range(256, 300))])
    assert joined.count == 302 and np.array_equal(joined.box, boxes.box) and np.array_equal(joined.name, boxes.name)
    assert np.array_equal(joined.image, boxes.image + 2 * (boxes.image >= 256))


def test_a_task_that_predicts_no_boxes_has_none_to_show():
    def never():
        raise AssertionError("no validation image is needed")

    assert predict_boxes(TASK, 0.1, photos(2, 0).images, never) is None
