"""What a fit holds at one moment does not grow with the number of renders: neither masks, nor images, nor floats."""

import weakref
from collections import defaultdict
from dataclasses import replace

import pytest
from quick import quick

from scenefit.data.label_policy import label_boxes
from scenefit.data.photos import Photos
from scenefit.inference.fit import fit_steps
from scenefit.inference.gradients import GRADIENTS, estimate
from scenefit.inference.npe import train
from scenefit.inference.npe.method import Npe
from scenefit.inference.stages import regressor
from scenefit.metrics import features, summary_statistics
from scenefit.nets import attribute_regressor, object_predictions, structure_posterior
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.renderers import batches, render, renderer_info
from scenefit.renderers.shapes import Shapes
from scenefit.scenes.grammar import Grammar, Rule, repeat
from scenefit.scenes.priors import Integer, Uniform, learned
from scenefit.tasks import detection
from scenefit.tasks.detection import Detect

SIDE = 24
CHUNK = 8  # images that are drawn at once; every stage draws 64
GRAMMAR = Grammar("image", {"image": {"shade": learned(Uniform(0, 1))},
                            "coin": {"x": learned(Uniform(4, 20)), "y": Uniform(4, 20), "radius": Uniform(2, 4)}},
                  [Rule("image", [repeat("coin", learned(Integer(1, 3)))])])
FITS = {Npe(1, 64, 2, 2): {"regressor__epochs": 1},
        "meta-sim": {"method__pretraining": 1, "descent__steps": 1, "structure__renders": 64, "structure__rounds": 1,
                     "structure__epochs": 1, "structure__steps": 5, "task__steps": 1},
        **{("none", name): {"descent__steps": 1, "descent__gradient": name} for name in GRADIENTS}}


class Watch:
    """Counts rows of arrays and tensors that are alive, and keeps the most of each kind."""

    def __init__(self):
        self.alive, self.most, self.stage = defaultdict(list), {}, defaultdict(dict)

    def add(self, kind, array):
        self.alive[kind] = [(seen, n) for seen, n in self.alive[kind] if seen() is not None]
        self.alive[kind].append((weakref.ref(array), len(array)))
        self.most[kind] = max(self.most.get(kind, 0), sum(n for _, n in self.alive[kind]))
        return array

    def end(self, stage):
        for kind, most in self.most.items():
            self.stage[stage][kind] = max(self.stage[stage].get(kind, 0), most)
        self.most = {}


class Watched:
    """A renderer whose images and masks are watched."""

    def __init__(self, renderer, watch):
        self.renderer, self.watch = renderer, watch
        self.info = replace(renderer_info(renderer), draw=self.draw)

    def __call__(self, scenes):
        frames = self.renderer(scenes)
        self.watch.add("masks", frames.instances)
        self.watch.add("images", frames.images)
        return frames

    def draw(self, scenes):
        return self.watch.add("drawn", self.renderer.draw(scenes))


@pytest.mark.parametrize("method", FITS, ids=str)
def test_no_stage_holds_more_than_a_few_chunks_of_renders(method, monkeypatch):
    for module in (batches, features, object_predictions, train):
        monkeypatch.setattr(module, "PIXELS", CHUNK * SIDE**2, raising=False)
    monkeypatch.setattr(regressor, "MEASURED", CHUNK * SIDE**2, raising=False)
    for module in (attribute_regressor, structure_posterior):
        monkeypatch.setattr(module, "MAX_SIDE", 8)
    watch, to_tensor = Watch(), features.to_tensor
    for module in (features, attribute_regressor, estimate, detection, object_predictions, summary_statistics):
        monkeypatch.setattr(module, "to_tensor", lambda images: watch.add("floats", to_tensor(images)), raising=False)
    shapes = Shapes((SIDE, SIDE), {"coin": {}})
    photos, frames = (render(shapes, GRAMMAR.sample(seed, 6)) for seed in (5, 6))
    few = Photos(frames.images, (), (), frames.label, label_boxes(frames)) if method == "meta-sim" else None
    task = few and Detect(("coin",), 5, augmented_copies=1, backbone=SmallMaps)
    settings = quick(method[0] if isinstance(method, tuple) else method, **FITS[method])
    for step in fit_steps(GRAMMAR, Watched(shapes, watch), photos.images, few, task=task, settings=settings):
        watch.end(step.stage)
    first = "npe" if isinstance(method, Npe) else "train-regressor"
    assert {first, "keep-best", "validate"} <= set(watch.stage)
    for stage, most in watch.stage.items():
        for kind, rows in most.items():
            allowed = {"masks": 2, "images": 4, "floats": 5, "drawn": 2}[kind] * CHUNK
            assert 0 < rows <= allowed, f"{stage} held {rows} images of {kind} at once"


