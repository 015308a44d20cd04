"""Step 1 of a round: scenes of a proposal, rendered, and corrupted as cameras corrupt, with what their objects are.

Legend: S scenes; H, W pixels; n crops; M objects of a crop at most; A columns of values; m objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scenefit.data.corruptions import add_texture, corrupt
from scenefit.data.frames import Frames
from scenefit.data.shading import add_shading
from scenefit.files.scratch import release, scratch_array
from scenefit.inference.stages.problem import Problem
from scenefit.nets.attribute_regressor import regression_targets
from scenefit.nets.centre_network import Targets, class_weights
from scenefit.nets.object_network import ObjectTargets
from scenefit.nets.object_targets import SEEN, ObjectSpec, TrueObjects, rows_of_objects, true_values
from scenefit.renderers.batches import render_parts
from scenefit.scenes.scene import SceneBatch


@dataclass(frozen=True, eq=False)
class Simulations:
    """scenes: S in all.  images: uint8 [S, H, W, 3], in a `scratch_array`, corrupted where there are objects.  objects:
    visible in them.  truth [S, R]: of `Problem.targets`."""

    scenes: Sequence[SceneBatch]
    images: NDArray[np.uint8]
    objects: TrueObjects
    truth: torch.Tensor

    @property
    def part(self) -> NDArray[np.int64]:
        """Of each image [S], which of `scenes` it shows."""
        return np.repeat(np.arange(len(self.scenes)), [len(scenes) for scenes in self.scenes])

    def __len__(self) -> int:
        return len(self.images)


def simulate(problem: Problem, spec: ObjectSpec, parts: Sequence[SceneBatch], seed: int,
             corrupted: bool | None = None) -> Simulations:
    """Render scenes of one proposal or several. corrupted: with shadows and shading, and as cameras do; by default
    where objects are predicted."""
    count, done, corrupted = sum(map(len, parts)), 0, bool(spec.kinds) if corrupted is None else corrupted
    images = scratch_array((count, *problem.size, 3), np.uint8)
    found: list[tuple[NDArray[Any], ...]] = []
    for scenes in parts:
        for frames in render_parts(problem.renderer, scenes, problem.size):
            problem.check(frames)
            images[done:done + len(frames)] = corrupted_images(frames, seed, done) if corrupted else frames.images
            release(images)
            if spec.kinds:
                found.append(_objects(problem, spec, frames, done))
            done += len(frames)
            del frames  # with its masks, before the next are drawn
    none = np.zeros(0), np.zeros(0), np.zeros((0, 4)), np.zeros((0, spec.columns))
    image, kind, box, values = (np.concatenate(column) for column in zip(none, *found, strict=True))
    truth = torch.cat([regression_targets(problem.grammar, problem.targets, scenes) for scenes in parts])
    return Simulations(parts, images, TrueObjects(image.astype(np.int64), kind.astype(np.int64), box, values), truth)


def corrupted_images(frames: Frames, seed: int, first: int) -> NDArray[np.uint8]:
    """The images with what photos have and few renderers draw. first: number of the first one."""
    shaded = add_shading(frames.images, frames.instances, seed, first)
    return corrupt(add_texture(shaded, seed, first), seed, first)


def _objects(problem: Problem, spec: ObjectSpec, frames: Frames, first: int) -> tuple[NDArray[Any], ...]:
    """image, kind, box and values of the objects that can be seen."""
    code, row = rows_of_objects(frames)
    place = np.array([spec.kinds.index(kind) if kind in spec.kinds else -1 for kind in frames.scenes.kinds])
    kept = SEEN.keeps(frames) & (place[code] >= 0)
    values = true_values(spec, problem.grammar, frames.scenes)
    of_kind = [values[kind] for kind in spec.kinds]
    own = np.array([of_kind[place[k]][r] for k, r in zip(code[kept], row[kept], strict=True)])
    return (first + frames.objects.scene[kept], place[code][kept], SEEN.boxes(frames)[kept],
            own.reshape(int(kept.sum()), spec.columns))


def crops(simulations: Simulations, spec: ObjectSpec, rows: NDArray[np.int64], side: tuple[int, int],
          random: np.random.Generator, unit: int = 1) -> tuple[torch.Tensor, ObjectTargets]:
    """A random crop of side (height, width) of each of these images [n], at multiples of `unit` pixels: its place
    (left, top, image width, image height) [n, 4], and the objects whose centres lie in it."""
    height, width = simulations.images.shape[1:3]
    left, top = (unit * random.integers(0, (whole - part) // unit + 1, len(rows))
                 for whole, part in ((width, side[1]), (height, side[0])))
    objects, mine = simulations.objects, []
    for row, x, y in zip(rows, left, top, strict=True):
        own = np.arange(len(objects.image))[objects.rows(row)]
        middle = (objects.box[own, :2] + objects.box[own, 2:]) / 2 - [x, y]
        mine.append(own[((middle >= 0) & (middle < [side[1], side[0]])).all(1)])
    most = max(1, max(map(len, mine)))
    box, code = torch.zeros(len(rows), most, 4), torch.full((len(rows), most), -1)
    values = torch.full((len(rows), most, spec.columns), float("nan"))
    for n, own in enumerate(mine):
        shifted = objects.box[own] - np.array([left[n], top[n]] * 2)
        box[n, :len(own)] = torch.from_numpy(shifted).float()
        code[n, :len(own)] = torch.from_numpy(objects.kind[own])
        values[n, :len(own)] = torch.from_numpy(objects.values[own]).float()
    weight = class_weights(torch.bincount(torch.from_numpy(objects.kind), minlength=len(spec.kinds)))
    place = torch.from_numpy(np.stack([left, top, np.full(len(rows), width), np.full(len(rows), height)], 1)).float()
    return place, ObjectTargets(Targets(box, code, weight), values, simulations.truth[rows])


def crop_pixels(images: NDArray[np.uint8], rows: NDArray[np.int64], corner: NDArray[np.int64],
                side: tuple[int, int]) -> torch.Tensor:
    """Crops of side (height, width) of these images [n], at corners (left, top) [n, 2]: float32 [n, 3, h, w], 0..1."""
    pixels = np.stack([images[row, y:y + side[0], x:x + side[1]] for row, (x, y) in zip(rows, corner, strict=True)])
    release(images)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
