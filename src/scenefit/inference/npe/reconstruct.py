"""Reconstructions: renders of the scenes near the mode of single photos' posteriors, to lay beside the photos.

Positions are often not learned, so an object of such a scene would stand anywhere. Where an attribute of its kind moves
the centre of its box along a line, as a regression on renders shows, it is set to the predicted centre.
Legend: P photos; n nodes of a kind; H, W pixels.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.data.frames import Frames
from scenefit.inference.npe.posterior import PosteriorSamples
from scenefit.inference.stages.problem import Problem
from scenefit.nets.object_targets import SEEN, rows_of_objects
from scenefit.renderers.batches import render_parts
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.values import learned_values, scenes_with
from scenefit.scenes.scene import SceneBatch

Floats = NDArray[np.float64]
Images = NDArray[np.uint8]
N_PHOTOS = 8
N_MEASURED = 24  # renders, in which lines are measured
MIN_PLACED = 20  # objects of a kind
MIN_R2 = 0.95  # of a line
MAX_SIDE = 320  # pixels of the longer side, to which reconstructions and their photos are reduced


class Line(NamedTuple):
    """Centre of a box by an attribute, in pixels: offset + slope * attribute. low, high: the attribute's range."""

    name: str
    slope: float
    offset: float
    low: float
    high: float


Lines = Mapping[str, tuple[Line | None, Line | None]]


def chosen_photos(count: int) -> NDArray[np.int64]:
    """Rows of at most P of so many photos, evenly spread."""
    return np.unique(np.linspace(0, count - 1, N_PHOTOS).astype(int))


def reconstructions(problem: Problem, samples: PosteriorSamples, measured: SceneBatch) -> Images:
    """Renders uint8 [P, h, w, 3] of posterior samples, one for each of P photos. measured: scenes that are rendered to
    measure what moves objects."""
    lines = lines_of(problem.grammar, render_parts(problem.renderer, measured, problem.size))
    scenes = placed(problem.grammar, samples.scenes, samples.box, lines)
    return reduced(np.concatenate(list(problem.render(scenes))))


def lines_of(grammar: Grammar, parts: Iterable[Frames]) -> Lines:
    """What moves the centre of the box in x and in y, of each kind with enough objects that the image's edge does not
    cut. Only attributes of the grammar count: a renderer may return scenes with more, as where it chose the places."""
    middles: dict[str, list[Floats]] = {}
    columns: dict[str, dict[str, list[Floats]]] = {}
    for frames in parts:
        code, row = rows_of_objects(frames)
        box = SEEN.boxes(frames)
        height, width = frames.images.shape[1:3]
        whole = SEEN.keeps(frames) & (box[:, :2] > 0).all(1) & (box[:, 2:] < [width, height]).all(1)
        for number, kind in enumerate(frames.scenes.kinds):
            own = whole & (code == number)
            middles.setdefault(kind, []).append((box[own, :2] + box[own, 2:]) / 2)
            for name, values in frames.scenes.tables[kind].columns.items():
                if name in grammar.attributes[kind] and np.asarray(values).dtype.kind in "if" and np.ndim(values) == 1:
                    columns.setdefault(kind, {}).setdefault(name, []).append(np.asarray(values, float)[row[own]])
    joined = {kind: np.concatenate(several) for kind, several in middles.items()}
    return {kind: (_line(columns[kind], middle[:, 0]), _line(columns[kind], middle[:, 1]))
            for kind, middle in joined.items() if len(middle) >= MIN_PLACED and kind in columns}


def _line(columns: Mapping[str, list[Floats]], place: Floats) -> Line | None:
    best: tuple[float, Line] | None = None
    for name, several in columns.items():
        values = np.concatenate(several)
        if len(values) == len(place) and _varies(values) and _varies(place):
            slope, offset = np.polyfit(values, place, 1)
            r2 = 1 - float(((place - offset - slope * values) ** 2).mean() / place.var())
            if r2 >= MIN_R2 and (best is None or r2 > best[0]):
                best = r2, Line(name, float(slope), float(offset), float(values.min()), float(values.max()))
    return None if best is None else best[1]


def _varies(values: Floats) -> bool:
    """By more than rounding: a line through equal values has no slope."""
    return bool(np.ptp(values) > 1e-9 * np.abs(values).max())


def placed(grammar: Grammar, scenes: SceneBatch, box: Mapping[str, Floats], lines: Lines) -> SceneBatch:
    """The scenes with the objects that have a box [n, 4] moved to its centre; what depends on their place follows.

    Objects without a box stay, and all of a kind of which no attribute moves the centre."""
    columns: dict[str, dict[str, NDArray[np.generic]]] = {}
    for kind, boxes in box.items():
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        for axis, line in enumerate(lines.get(kind, (None, None))):
            if line is not None:
                before = np.asarray(scenes.tables[kind][line.name])
                wanted = np.clip((middle[:, axis] - line.offset) / line.slope, line.low, line.high)
                value = np.where(np.isfinite(wanted), wanted, before)
                whole = before.dtype.kind == "i"
                columns.setdefault(kind, {})[line.name] = np.rint(value).astype(before.dtype) if whole else value
    if not columns:
        return scenes
    own = learned_values(grammar, scenes)
    values = {a.key: own[a.key] for a in grammar.learned if not a.count and a.name not in columns.get(a.kind, {})}
    moved = scenes.with_columns(columns)
    # Attributes that depend on the place are drawn anew, learned ones with the values that they had.
    return scenes_with(grammar, moved, values)


def reduced(images: Images) -> Images:
    """Images [P, H, W, 3], scaled down to `MAX_SIDE`."""
    share = MAX_SIDE / max(images.shape[1:3])
    if share >= 1:
        return images
    size = (round(images.shape[2] * share), round(images.shape[1] * share))
    return np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)) for image in images])
