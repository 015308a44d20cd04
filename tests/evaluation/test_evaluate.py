import json

import numpy as np
import pytest
import torch
from blobs import TRUTH, make

import scenefit as sf
from scenefit.data.photos import Photos
from scenefit.evaluation.evaluate import EvaluationSettings, evaluate, evaluate_steps, samplers
from scenefit.files.tensors import CorruptFile
from scenefit.metrics.features import pixels
from scenefit.nets.model import Model
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.renderers.batches import render_images
from scenefit.renderers.scene_file import load_scene
from scenefit.run.results import read_evaluation, read_progress, write_evaluation, write_progress


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return load_scene(make(tmp_path_factory.mktemp("world")) / "scene.py")


def photos(scene, seed, count):
    frames = scene.renderer(TRUTH.sample(seed, count))
    return Photos(frames.images, (), (), frames.label)


def moved(scene):
    """A model that has learned the truth: shade 40..60 of 0..60, x 9..12 of 2..13."""
    distribution = SceneDistribution(scene.grammar)
    for attribute, low, high in zip(distribution.numbers, (40 / 60, 7 / 11), (1, 10 / 11), strict=True):
        z = torch.linspace(-4, 4, 17, dtype=torch.float64)
        u = torch.special.ndtr(z)
        distribution.set_offsets(attribute, (low + u * (high - low) - u).numpy())
    return Model(distribution)


def test_the_learned_distribution_beats_grammar_and_control_where_it_should(scene):
    found = evaluate(moved(scene), scene.renderer, photos(scene, 1, 200), pixels(8), photos(scene, 2, 60),
                     EvaluationSettings(renders=128, images=128, repeats=2))
    d = found.distances
    assert d["learned"].mmd2 < 0.2 * min(d["grammar"].mmd2, d["shrunk"].mmd2)
    assert d["learned"].kid < 0.2 * min(d["grammar"].kid, d["shrunk"].kid) and d["learned"].kid_error > 0
    assert d["learned"].auc < d["grammar"].auc and d["grammar"].auc_low <= d["grammar"].auc <= d["grammar"].auc_high
    assert found.floor.low < found.floor.high and found.floor.size == 100
    assert {name: len(values) for name, values in found.values.items()} == {"grammar": 2, "shrunk": 2, "learned": 2}
    assert all(0 <= value <= 1 for values in found.values.values() for value in values)
    assert found.metric == "accuracy" and all(set(metrics) == {"accuracy"} for metrics in found.metrics.values())
    assert (found.labelled, found.images, found.photos, found.renders) == (60, 128, 200, 128)


def test_a_model_that_learned_nothing_scores_like_its_grammar(scene):
    found = evaluate(Model(SceneDistribution(scene.grammar)), scene.renderer, photos(scene, 1, 60), pixels(4),
                     settings=EvaluationSettings(renders=64))
    assert found.distances["learned"].mmd2 == pytest.approx(found.distances["grammar"].mmd2, rel=0.1)
    assert found.metrics == {} == found.values and found.metric == "" and found.labelled == 0


def test_the_same_seed_the_same_evaluation(scene):
    a, b, c = (evaluate(moved(scene), scene.renderer, photos(scene, 1, 30), pixels(4), photos(scene, 2, 20),
                        EvaluationSettings(renders=32, images=64, repeats=1, seed=seed)) for seed in (0, 0, 1))
    assert a == b != c


def test_repeats_train_from_other_weights_and_baselines_from_the_same(scene):
    class Listed:
        seeds: tuple = ()

        def labels(self, source, label_policy=None):
            return source.label

        def train(self, images, labels, seed):
            self.seeds += (seed,)

        def evaluate(self, network, images, labels):
            return {"share": 0.5}

    seen = []
    for seed in (0, 1):
        task = Listed()
        evaluate(moved(scene), scene.renderer, photos(scene, 1, 20), pixels(4), photos(scene, 2, 20),
                 EvaluationSettings(renders=32, images=32, repeats=2, seed=seed), task=task)
        seen.append(task.seeds)
    assert seen[0][:2] == seen[0][2:4] == seen[0][4:]
    assert len({*seen[0], *seen[1]}) == 4


def test_baselines_share_their_addresses(scene):
    drawn = {name: sample(3, 5) for name, sample in samplers(moved(scene)).items()}
    assert {batch.seed for batch in drawn.values()} == {3}
    assert len({tuple(batch.address) for batch in drawn.values()}) == 1
    shade = drawn["shrunk"].tables["image"]["shade"]
    assert shade.min() >= 22.5 and shade.max() <= 37.5


def test_drawing_in_parts_is_drawing_at_once(scene):
    scenes = scene.grammar.sample(0, 300)
    images, labels = render_images(scene.renderer, scenes)
    frames = scene.renderer(scenes)
    assert np.array_equal(images, frames.images) and np.array_equal(labels, frames.label)


@pytest.mark.parametrize("done", [0, 1, 3, 4, 8, 9])
def test_an_evaluation_that_was_stopped_goes_on_and_ends_in_the_same(scene, tmp_path, done):
    class Counted(sf.Classify):
        trained = 0

        def train(self, *given):
            Counted.trained += 1
            return super().train(*given)

    few = photos(scene, 2, 20)
    task = Counted(tuple(sorted(set(few.label))), epochs=1)

    def steps(start=None):
        return evaluate_steps(moved(scene), scene.renderer, photos(scene, 1, 20), pixels(4), few,
                              EvaluationSettings(renders=32, images=32, repeats=2), task=task, start=start)

    whole = list(steps())
    assert [step.done for step in whole] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9] and {step.of for step in whole} == {9}
    path, plan, kept = tmp_path / "part", {"seed": 0}, None
    if done:
        write_progress(path, whole[done - 1], plan)
        kept = read_progress(path, plan)
        assert kept == whole[done - 1] and read_progress(path, {"seed": 1}) is None
    Counted.trained = 0
    rest = list(steps(kept))
    assert rest == whole[done:] and Counted.trained == min(6, 9 - done)


def test_damaged_progress_says_what_to_do(scene, tmp_path):
    path = tmp_path / "part"
    assert read_progress(path, {}) is None
    path.write_bytes(b"{}")
    with pytest.raises(CorruptFile, match=r"part is damaged: .*; delete it: the evaluation starts over"):
        read_progress(path, {})


def test_too_few_photos(scene):
    with pytest.raises(ValueError, match="an evaluation needs at least 10 photos, got 9"):
        evaluate(moved(scene), scene.renderer, photos(scene, 1, 9), pixels(4))


def test_images_without_labels_cannot_train(scene):
    def blind(scenes):
        return sf.make_frames(scenes, scene.renderer(scenes).images)

    with pytest.raises(ValueError, match="this task needs a class for every image"):
        evaluate(moved(scene), blind, photos(scene, 1, 20), pixels(4), photos(scene, 2, 20),
                 EvaluationSettings(renders=32, images=32))


def test_an_evaluation_comes_back_from_its_file(scene, tmp_path):
    path = tmp_path / "evaluation.json"
    assert read_evaluation(path) is None
    found = evaluate(moved(scene), scene.renderer, photos(scene, 1, 20), pixels(4),
                     settings=EvaluationSettings(renders=32), notes=("seen",))
    write_evaluation(path, found)
    assert read_evaluation(path) == found and found.notes == ["seen"]
    plain = json.loads(path.read_text())
    del plain["distances"]["shrunk"]
    path.write_text(json.dumps(plain))
    with pytest.raises(CorruptFile, match=r"evaluation\.json is damaged: it needs the baselines grammar, shrunk, le"):
        read_evaluation(path)
    path.write_text('{"features": "run"}')
    with pytest.raises(CorruptFile, match=r"evaluation\.json is damaged: photos: Field required; delete it, or"):
        read_evaluation(path)
