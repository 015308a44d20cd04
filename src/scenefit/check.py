"""Whether a scene file does what the rest relies on: bounds, labels, the same scene the same picture.

Legend: S scenes; m objects.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from scenefit.features import to_tensor
from scenefit.frame import Frames
from scenefit.grammar import Grammar, Unit
from scenefit.prior import Choice
from scenefit.renderers import Renderer, is_differentiable, name_scenes, render
from scenefit.scene import SceneBatch

ALONE = 8  # scenes drawn by themselves
MOVE = 0.37  # of the bounds: how far an attribute is moved to see whether images change
EDGE = 1e-6  # pixels that rounding may take a box beyond an edge
MODES = ("ok", "warning", "wrong")
COMPARED = ("images", "instances", "label")


@dataclass(frozen=True)
class Finding:
    """mode: "ok", "warning" (works, but may not be meant) or "wrong".  text: what was looked at, and what was found."""

    mode: str
    text: str


def check(grammar: Grammar, renderer: Renderer, n: int = 64, seed: int = 0) -> tuple[Frames, list[Finding]]:
    """Draw n scenes and look them over. RenderError where they cannot be drawn at all."""
    if n < 2:
        raise ValueError(f"check needs at least 2 scenes, got {n}")
    scenes = grammar.sample(seed, n)
    frames = render(renderer, scenes)
    findings: list[Finding] = []
    for look in (_bounds, _images, _labels, _boxes, _masks, _again, _alone, _gradient, _effects):
        findings += look(grammar, renderer, scenes, frames)
    return frames, findings


def _bounds(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Learned values inside their bounds; priors not cut by them."""
    _, units = grammar.decode(scenes, {})
    for a in grammar.learned:
        if a.key not in units or a.circular:
            continue
        values, unit = np.asarray(scenes.tables[a.kind][a.name]), units[a.key]
        if len(values) == 0:
            yield Finding("warning", f"{a.kind}.{a.name}: none of the {len(scenes)} scenes has a {a.kind}")
        elif np.any(values < unit.low) or np.any(values > unit.high):
            yield Finding("wrong", f"{a.kind}.{a.name}: values reach {values.min():.4g}..{values.max():.4g}, beyond "
                                   f"the bounds {np.min(unit.low):.4g}..{np.max(unit.high):.4g}")
        elif _cut(values, unit) > 0.1:
            yield Finding("warning", f"{a.kind}.{a.name}: {_cut(values, unit):.0%} of the prior lies beyond the bounds "
                                     f"{np.min(unit.low):.4g}..{np.max(unit.high):.4g}; widen the bounds, or narrow "
                                     "the prior")
    yield Finding("ok", f"{len(grammar.learned) + len(grammar.learned_heads)} learned attributes, all values in bounds"
                  if grammar.learned or grammar.learned_heads else "no attribute is learned: this scene can be sampled "
                  "and generated, but not fitted")


def _cut(values: np.ndarray, unit: Unit) -> float:
    """Share of the values [n] that stand on an end of their bounds, of numbers that are not whole."""
    return 0.0 if values.dtype.kind in "iu" else float(np.mean((values == unit.low) | (values == unit.high)))


def _images(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    height, width = frames.images.shape[1:3]
    if all(np.array_equal(frames.images[0], image) for image in frames.images):
        yield Finding("warning", "all images are the same")
    blank = [row for row, image in enumerate(frames.images) if np.ptp(image) == 0]
    if blank:
        yield Finding("warning", f"{len(blank)} images show one plain colour, the first is "
                                 f"{name_scenes(scenes.seed, scenes.index[blank[:1]])}")
    yield Finding("ok", f"{len(frames)} images of {height} x {width} pixels (height x width)")


def _labels(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """What there is to train on."""
    named = frames.label != ""
    if named.any() and not named.all():
        row = int(np.flatnonzero(~named)[0])
        yield Finding("warning", f"{int((~named).sum())} images have no label while others do, the first is "
                                 f"{name_scenes(scenes.seed, scenes.index[[row]])}")
    classes = sorted(set(frames.objects.name.tolist()) - {""})
    if named.any():
        labels = sorted(set(frames.label[named].tolist()))
        yield Finding("ok", f"labels of whole images: {_few(labels)}")
    if len(frames.objects):
        yield Finding("ok", f"{len(frames.objects)} objects of the classes {_few(classes)}")
    if not named.any() and not len(frames.objects):
        yield Finding("warning", "no labels: neither classes of whole images nor masks of objects; data sets made from "
                                 "this scene have nothing to train on")
    seen = frames.objects.pixels > 0
    masked = set(zip(frames.objects.scene[seen].tolist(), frames.objects.id[seen].tolist(), strict=True))
    for kind, table in scenes.tables.items():
        nodes = set(zip(table.scene.tolist(), table.id.tolist(), strict=True))
        if masked and kind != grammar.start and nodes and not nodes & masked:
            yield Finding("warning", f"no {kind} is ever seen: none has a pixel in the masks")


def _boxes(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Boxes inside the image, around their masks, none empty."""
    o, (height, width) = frames.objects, frames.images.shape[1:3]
    seen = o.pixels > 0
    box, amodal = o.box, o.amodal
    wrong = [
        ("have an empty box", seen & ((box[:, 2:] <= box[:, :2]).any(axis=1))),
        ("have a box beyond the image", seen & ((box < 0).any(1) | (box[:, 2] > width) | (box[:, 3] > height))),
        ("are seen outside of their amodal box", seen & ((box[:, :2] < amodal[:, :2] - 1 - EDGE).any(axis=1)
                                                         | (box[:, 2:] > amodal[:, 2:] + 1 + EDGE).any(axis=1)))]
    found = [Finding("wrong", f"{int(which.sum())} objects {text}, the first is {_object(frames, which)}")
             for text, which in wrong if which.any()]
    yield from found
    if not found and len(o):
        yield Finding("ok", "boxes lie inside their images and around their masks")
    hidden = ~seen
    if len(o) and hidden.mean() > 0.2:
        yield Finding("warning", f"{hidden.mean():.0%} of the objects are not seen at all: they are hidden, or outside "
                                 "the image")


def _masks(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Each object once, and its box as its mask says, measured here on its own."""
    o = frames.objects
    pairs = set(zip(o.scene.tolist(), o.id.tolist(), strict=True))
    bad = len(pairs) != len(o)
    for m in np.flatnonzero(o.pixels > 0):
        rows, columns = np.nonzero(frames.instances[o.scene[m]] == o.id[m])
        own = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None
        bad |= own is None or tuple(o.box[m].tolist()) != own or len(rows) != o.pixels[m]
    if bad:
        yield Finding("wrong", "boxes and masks do not agree: ids are not unique, or a box is not around its mask")
    elif len(o):
        yield Finding("ok", "ids are unique, and each box is that of its mask")


def _again(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    same = _same(frames, render(renderer, grammar.sample(scenes.seed, len(scenes))))
    if same.all():
        yield Finding("ok", "the same scenes give the same images, byte for byte")
    else:
        yield Finding("wrong", f"the same scenes drawn twice differ ({int((~same).sum())} of {len(same)}, the first is "
                               f"{_first(scenes, ~same)}); let random numbers come from scene.rng(name), and keep no "
                               "state between scenes")


def _alone(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    rows = np.unique(np.linspace(0, len(scenes) - 1, min(ALONE, len(scenes))).astype(int))
    same = np.array([_same(frames.take([row]), render(renderer, scenes.take([row])))[0] for row in rows])
    if same.all():
        yield Finding("ok", "a scene alone gives the same image as in a batch, byte for byte")
    else:
        yield Finding("wrong", f"scenes drawn alone differ from those drawn in a batch ({int((~same).sum())} of "
                               f"{len(rows)}, the first is {name_scenes(scenes.seed, scenes.index[rows[~same][:1]])}); "
                               "a scene must not depend on its neighbours")


def _gradient(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """A differentiable renderer's draw() shows what its frames show."""
    if not is_differentiable(renderer):
        return
    draw: Callable[[SceneBatch], torch.Tensor] = renderer.draw  # type: ignore[attr-defined]
    with torch.no_grad():
        gap = (draw(scenes).cpu() - to_tensor(frames.images)).abs().amax(dim=(1, 2, 3)).numpy()
    if gap.max() > 2 / 255:
        yield Finding("wrong", f"draw() and the frames differ by {gap.max() * 255:.0f} grey levels of 255, most in "
                               f"{_first(scenes, gap == gap.max())}")
    else:
        yield Finding("ok", "draw(), which gradients go through, shows the same images")


def _effects(grammar: Grammar, renderer: Renderer, scenes: SceneBatch, frames: Frames) -> Iterator[Finding]:
    """Whether each learned attribute changes any image; one that does not cannot be learned from photos."""
    few = scenes.take(np.arange(min(ALONE, len(scenes))))
    before = render(renderer, grammar.decode(few, {})[0]).images
    blind = []
    for a in grammar.learned:
        nodes = len(few.tables[a.kind])
        if a.count or nodes == 0:
            continue
        move: Any = np.full(nodes, MOVE)
        if isinstance(a.prior, Choice):
            codes = a.prior.codes(np.asarray(few.tables[a.kind][a.name]))
            move = (codes + 1) % len(a.prior.options)
        if np.array_equal(before, render(renderer, grammar.decode(few, {a.key: move})[0]).images):
            blind.append(f"{a.kind}.{a.name}")
    if blind:
        yield Finding("warning", f"moving {_few(blind)} changes no image, so photos say nothing about it")


def _same(a: Frames, b: Frames) -> np.ndarray:
    """Which frames are the same [S]; renders of another shape are all different."""
    out = np.ones(len(a), bool)
    for name in COMPARED:
        ours, theirs = getattr(a, name), getattr(b, name)
        if ours.shape != theirs.shape:
            return np.zeros(len(a), bool)
        out &= (ours == theirs).reshape(len(a), -1).all(axis=1)
    return out


def _first(scenes: SceneBatch, which: np.ndarray) -> str:
    return name_scenes(scenes.seed, scenes.index[np.flatnonzero(which)[:1]])


def _object(frames: Frames, which: np.ndarray) -> str:
    m = int(np.flatnonzero(which)[0])
    o, scenes = frames.objects, frames.scenes
    return f"node {int(o.id[m])} of {name_scenes(scenes.seed, scenes.index[o.scene[[m]]])}"


def _few(names: list[str], shown: int = 8) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
