"""What annotators may go by, predicted for each object of a photo: its box with and without hidden parts, and how much
of it is hidden, cut off by the image's border, or hardly visible.

One network is trained on renders, where all of that is known. Legend: S renders; N photos; H, W pixels; m objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy, contrast
from scenefit.files.scratch import release, scratch_array, take_rows
from scenefit.inference.npe.matching import match_objects
from scenefit.inference.npe.simulate import Simulations, corrupted_images
from scenefit.inference.npe.train import N_SCALE, backbone_for, train_objects
from scenefit.nets.frozen_maps import frozen_maps
from scenefit.nets.object_network import ObjectNetwork
from scenefit.nets.object_predictions import ObjectPredictions, predict_objects
from scenefit.nets.object_targets import UNIT_SPREAD, ObjectAttribute, ObjectSpec, TrueObjects
from scenefit.renderers import Renderer
from scenefit.renderers.batches import render_parts
from scenefit.scenes.attributes import Attribute
from scenefit.scenes.priors import Uniform
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

Floats = NDArray[np.float64]
HIDDEN = ("left", "top", "right", "bottom")  # hidden part at each side, as a share of the whole object's box
DESCRIPTORS = (*HIDDEN, "visibility", "truncation", "contrast")  # all in 0..1
EVERY = LabelPolicy(min_visibility=0.1, box="amodal")  # objects that the network is trained to find
HELD_OUT = 4  # each fourth render
STEPS, RATE = 600, 4e-3


@dataclass(frozen=True, eq=False)
class Described:
    """Objects of N images, sorted by image. image, kind [m]: kind among the classes.  score [m]: confidence, 1 for true
    ones.  whole, visible [m, 4]: box of the object with its hidden parts, clipped to the image, and of what is seen.
    visibility, truncation, contrast [m]: see `LabelPolicy`."""

    count: int
    image: NDArray[np.int64]
    kind: NDArray[np.int64]
    score: Floats
    whole: Floats
    visible: Floats
    visibility: Floats
    truncation: Floats
    contrast: Floats

    def __len__(self) -> int:
        return len(self.image)

    def where(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> "Described":
        return Described(self.count, *(getattr(self, one.name)[mask] for one in fields(self)[1:]))


@dataclass(frozen=True, eq=False)
class Readings:
    """photos: objects predicted in the photos.  renders: in held-out renders.  truth: what these show.  pairs [p, 2]:
    rows of `renders` and `truth` that belong together."""

    photos: Described
    renders: Described
    truth: Described
    pairs: NDArray[np.int64]


def read(renderer: Renderer, scenes: SceneBatch, photos: NDArray[np.uint8], classes: Sequence[str],
         seed: int) -> Readings:
    """Describe the objects of photos uint8 [N, H, W, 3] by a network that is trained on renders of the scenes."""
    spec, size = _spec(classes), (photos.shape[1], photos.shape[2])
    simulated = _simulate(renderer, scenes, size, spec, seed)
    network = ObjectNetwork(spec, 1, derive_seed(seed, "conventions"), backbone_for(size))
    held = np.arange(len(simulated)) % HELD_OUT == 1
    rows = np.flatnonzero(~held)
    network.measure_scale(simulated.images[rows[:N_SCALE]])
    maps = frozen_maps(network, simulated.images)
    train_objects(network, simulated, rows, STEPS, derive_seed(seed, "conventions"), RATE, maps)
    others = np.flatnonzero(held)
    found = predict_objects(network, take_rows(simulated.images, others), None if maps is None else maps.of(others))
    truth = simulated.objects.of(others)
    pairs = np.stack(match_objects(found, truth), 1)
    return Readings(_predicted(predict_objects(network, photos)), _predicted(found), _true(truth, len(others)), pairs)


def _spec(classes: Sequence[str]) -> ObjectSpec:
    unit = (Attribute("object", name, Uniform(0, 1), True, (0, 1)) for name in DESCRIPTORS)
    return ObjectSpec(tuple(classes), tuple(ObjectAttribute("object", a, number, 2 * number)
                                            for number, a in enumerate(unit)))


def _simulate(renderer: Renderer, scenes: SceneBatch, size: tuple[int, int], spec: ObjectSpec,
              seed: int) -> Simulations:
    """Renders, corrupted as photos are, and their objects."""
    images, done, parts = scratch_array((len(scenes), *size, 3), np.uint8), 0, []
    for frames in render_parts(renderer, scenes, size):
        images[done:done + len(frames)] = corrupted_images(frames, seed, done)
        release(images)
        parts.append(_objects(frames, spec, done))
        done += len(frames)
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Simulations([scenes], images, TrueObjects(*columns), torch.full((len(scenes), 1), float("nan")))


def _objects(frames: Frames, spec: ObjectSpec, first: int) -> tuple[NDArray[Any], ...]:
    """image, kind, box and values of the objects that can be seen."""
    objects = frames.objects
    place = {name: code for code, name in enumerate(spec.kinds)}
    kind = np.array([place.get(str(name), -1) for name in objects.name], np.int64)
    kept = EVERY.keeps(frames) & (kind >= 0)
    whole, seen = EVERY.boxes(frames)[kept], objects.box[kept]
    size = np.tile(whole[:, 2:] - whole[:, :2], 2)
    hidden = np.abs(seen - whole) / size
    values = np.column_stack([hidden, objects.visibility[kept], objects.truncation[kept], contrast(frames)[kept]])
    return first + objects.scene[kept], kind[kept], whole, np.clip(values, 0, 1)


def _predicted(found: ObjectPredictions) -> Described:
    values = np.clip(found.outputs[:, 0:2 * len(DESCRIPTORS):2] / UNIT_SPREAD + 0.5, 0, 1)
    return _described(found.count, found.image, found.kind, found.score, found.box, values)


def _true(truth: TrueObjects, count: int) -> Described:
    return _described(count, truth.image, truth.kind, np.ones(len(truth.image)), truth.box, truth.values)


def _described(count: int, image: NDArray[np.int64], kind: NDArray[np.int64], score: Floats, whole: Floats,
               values: Floats) -> Described:
    size = np.tile(whole[:, 2:] - whole[:, :2], 2)
    seen = whole + values[:, :4] * size * np.array([1, 1, -1, -1])
    return Described(count, image, kind, score, whole, seen, *values[:, 4:].T)
