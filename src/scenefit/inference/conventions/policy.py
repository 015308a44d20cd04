"""The label policy that fits to a few labelled photos: which objects their annotators labelled, and with which boxes.

Objects are predicted in the photos and compared with the labels, as true objects of renders are with predicted ones.
Each part of the policy stays at its default unless the labels say otherwise. Legend: m predicted objects; p pairs of a
predicted object and its label, or the true one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes
from scenefit.data.class_masks import ClassMasks, join_class_masks
from scenefit.data.label_policy import MIN_MARGIN, LabelPolicy, condition_text, label_masks
from scenefit.data.photos import Photos
from scenefit.inference.conventions.conditions import (
    CONDITIONS,
    MIN_LABELS,
    NEAREST,
    fit_conditions,
    fulfilled,
    nearest,
    with_value,
)
from scenefit.inference.conventions.describe import Described, Readings, read
from scenefit.inference.conventions.masks import MaskOutlines, read_outlines
from scenefit.inference.npe.matching import match_objects
from scenefit.nets.model import Model
from scenefit.nets.object_predictions import ObjectPredictions
from scenefit.nets.object_targets import TrueObjects
from scenefit.renderers import Renderer
from scenefit.renderers.batches import frame_size, render_parts
from scenefit.scenes.arguments import check_argument, check_renderer
from scenefit.scenes.rng import derive_seed

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
CALL = "fit_label_policy(model, renderer, labelled)"
OUTLINED = 100  # renders, and photos with class masks at most, whose edges are compared
RENDERS = 600  # that the network learns from and is checked on
SHOWN = 32  # renders, to see which classes there are
BOX_GAIN = 3.0  # of the log likelihood, for which the kind of boxes leaves its default
MIN_SCORE = 0.2  # of predicted objects
LEAST_MARGIN, LEAST_PIXELS, SURE = 0.02, 0.3, 2.5  # least margin, also in pixels, and in its standard errors
QUANTILES = 0.5, 0.75, 0.9, 0.97  # of the predicted hidden parts: sides are compared with sides that are alike
FLAT = 0.1  # share of a flat density, so that no single label decides
TAILS, MAX_OUTSIDE = (0.01, 0.99), 0.2  # quantiles of sizes in renders, and the share of objects that may lie beyond
OUTWARDS = np.array([-1, -1, 1, 1])


class NoClass(ValueError):
    """Labels are of no class that renders have."""


@dataclass(frozen=True)
class PolicyFit:
    """policy: the fitted one.  gains: by which each part that left its default raises the log likelihood of the labels,
    given the others; "RBC: min_side" is of one class.  margins, errors: of each class with labels enough, and the
    standard error.  outside: classes whose objects in photos are smaller or larger than in renders, so that a margin
    and wrong sizes of the scene cannot be told apart; they keep their margin.  labels, matched: their number, and how
    many of them lie where objects are predicted.  outlines: what class masks tell, in place of all but the policy."""

    policy: LabelPolicy
    gains: Mapping[str, float]
    margins: Mapping[str, float]
    errors: Mapping[str, float]
    outside: tuple[str, ...]
    labels: int
    matched: int
    outlines: MaskOutlines | None = None

    @property
    def is_read(self) -> bool:
        """Whether there were labels enough at predicted objects; without them the policy is the one given as start."""
        return self.matched >= MIN_LABELS if self.outlines is None else self.outlines.is_read

    def lines(self) -> list[str]:
        """The policy in words."""
        policy = self.policy
        if self.outlines is not None:
            return self.outlines.lines(policy)
        if self.labels < MIN_LABELS:
            return [f"nothing can be read from so few labels: {self.labels}, of at least {MIN_LABELS}"]
        if not self.is_read:
            return [f"nothing can be read from the labels: objects are predicted at only {self.matched} of them"]
        out = ["boxes go around the whole object, with its hidden parts" if policy.box == "amodal" else
               "boxes go around what is visible of an object"]
        for name, share in self.margins.items():
            if name in self.outside:
                out.append(f"{name}: sizes in the photos lie outside those of renders; whether boxes have a margin "
                           f"({share:+.2f} of a side) or the scene's sizes are wrong cannot be told apart")
            elif "margin" in policy.classes.get(name, {}):
                chosen = policy.of_class(name).margin
                out.append(f"{name}: boxes are {'wider' if chosen > 0 else 'narrower'} by {abs(chosen):.2f} of the "
                           f"object's width and height at each side (standard error {self.errors[name]:.3f})"
                           if chosen else f"{name}: boxes have no margin")
            else:
                given = policy.of_class(name).margin
                out.append(f"{name}: boxes have {f'a margin of {given:g}' if given else 'no margin'}; that of the "
                           f"labels ({round(share, 2) + 0.0:+.2f}, standard error {self.errors[name]:.3f}) hardly "
                           "differs")
        for key in self.gains:
            of, _, name = key.rpartition(": ")
            if name in CONDITIONS:
                value = getattr(policy.of_class(of) if of else policy, name)
                but = not of and any(other.endswith(f": {name}") for other in self.gains)
                out.append((f"{of}: " if of else "") + ("other objects" if but else "objects")
                           + f" have {condition_text(name, value)}")
        return out


def fit_label_policy(model: Model, renderer: Renderer, labelled: Photos, seed: int = 0,
                     start: LabelPolicy | None = None) -> PolicyFit:
    """The policy by which the boxes of labelled photos were drawn; ten photos with some tens of boxes are enough. One
    network is trained on renders of the model's scenes, about a CPU minute. start: what holds unless labels differ. Of
    photos with class masks and no boxes, mask_border and mask_margin are read, in seconds.

    ValueError for photos without boxes and masks, or of another size than renders; NoClass.
    """
    check_argument(CALL, "model", model, isinstance(model, Model),
                   "a model, as scenefit.fit or scenefit.load returns it")
    check_renderer(CALL, renderer)
    check_argument(CALL, "labelled", labelled, isinstance(labelled, Photos),
                   "Photos, as scenefit.read_few(folder, (height, width)) returns them")
    check_argument(CALL, "start", start, start is None or isinstance(start, LabelPolicy),
                   "scenefit.LabelPolicy(...), or None")
    boxes, masks = labelled.boxes, labelled.masks if labelled.boxes is None else None
    names = masks.present if masks is not None else () if boxes is None else tuple(boxes.name.tolist())
    if not names:
        raise ValueError(f"the {len(labelled)} labelled photos have no box and no mask that shows a class, so no label "
                         "policy can be read from them; give photos with boxes or class masks")
    size, theirs = frame_size(model.grammar, renderer), labelled.images.shape[1:3]
    if size != theirs:
        raise ValueError(f"the labelled photos are of {theirs[0]} x {theirs[1]} pixels, and renders of {size[0]} x "
                         f"{size[1]}; read them at the renders' size: scenefit.read_few(folder, {size})")
    shown = model.sample(SHOWN, derive_seed(seed, "classes"))
    drawn = {str(name) for frames in render_parts(renderer, shown, size) for name in frames.objects.name}
    classes = sorted(set(names) & drawn)
    if not classes:
        raise NoClass(f"the labels of the photos are of the classes {sorted(set(names))}, and {SHOWN} renders have "
                      f"{sorted(drawn - {''})}; name them alike, or do not read the policy (--no-read-policy)")
    if masks is not None:
        return _of_masks(model, renderer, labelled.images, masks, start or LabelPolicy(), seed)
    assert boxes is not None
    labels = boxes.where(np.isin(boxes.name, classes))
    if len(labels) < MIN_LABELS:  # without the network, as nothing would be read
        return PolicyFit(start or LabelPolicy(), {}, {}, {}, (), len(labels), 0)
    scenes = model.sample(RENDERS, derive_seed(seed, "label policy"))
    return policy_of(read(renderer, scenes, labelled.images, classes, seed), labels, classes, start)


def _of_masks(model: Model, renderer: Renderer, images: NDArray[np.uint8], masks: ClassMasks, start: LabelPolicy,
              seed: int) -> PolicyFit:
    """Of class masks, at most `OUTLINED`, evenly spread. The edges of photos are compared with renders whose masks show
    all that is visible of objects."""
    rows = masks.labelled
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), OUTLINED)).astype(int)]
    scenes = model.sample(OUTLINED, derive_seed(seed, "label policy"))
    plain = replace(start, mask_margin=0.0, mask_border=0.0)
    drawn = [(frames.images, label_masks(frames, masks.present, plain))
             for frames in render_parts(renderer, scenes, (images.shape[1], images.shape[2]))]
    found = read_outlines(images[rows], masks.take(rows), np.concatenate([part for part, _ in drawn]),
                          join_class_masks([part for _, part in drawn]))
    return PolicyFit(found.policy(start), {}, {}, {}, (), 0, 0, found)


def policy_of(found: Readings, labels: Boxes, classes: Sequence[str], start: LabelPolicy | None = None) -> PolicyFit:
    """The same from what was read. labels: of the photos, of these classes."""
    start = start or LabelPolicy()
    sure = found.photos.where(found.photos.score >= MIN_SCORE)
    rows, theirs = _pairs(sure, labels, classes)
    if min(len(rows), len(found.pairs)) < MIN_LABELS:
        return PolicyFit(start, {}, {}, {}, (), len(labels), len(rows))
    mine, boxes = sure.where(rows), labels.box[theirs]
    every = found.pairs
    policy, gains = fit_conditions(found, sure, np.isin(np.arange(len(sure)), rows), start, classes)
    kept = fulfilled(found.truth, policy, classes)[found.pairs[:, 1]]
    if kept.sum() >= MIN_LABELS:  # labels are compared with what would have one in renders
        found = replace(found, pairs=found.pairs[kept])
    given = {name: own["box"] for name, own in start.classes.items() if "box" in own}  # these keep their kind of boxes
    free = np.array([name not in given for name in classes])[mine.kind]
    kind, gain = _box_kind(found, mine.where(free), boxes[free], start)
    kinds = {name: given.get(name, kind) for name in classes}
    margins, errors, outside = {}, {}, []
    for code, name in enumerate(classes):
        own, of_renders = mine.kind == code, found.renders.kind[found.pairs[:, 0]] == code
        if min(own.sum(), of_renders.sum()) >= MIN_LABELS:
            margins[name], errors[name] = _margin(found, mine.where(own), boxes[own], of_renders, kinds[name])
            alike = every[found.renders.kind[every[:, 0]] == code, 0]
            if _beyond(found.renders.where(alike), mine.where(own)) > MAX_OUTSIDE:
                outside.append(name)
    size = {name: float(np.median(_side(mine.where(mine.kind == classes.index(name))))) for name in margins}
    read_ones = {}
    for name, share in margins.items():
        least = max(SURE * errors[name], LEAST_MARGIN, LEAST_PIXELS / size[name])
        if name not in outside and abs(share - start.of_class(name).margin) > least:
            read_ones[name] = round(min(max(share, MIN_MARGIN), 1.0), 3) if abs(share) > least else 0.0
    policy = replace(policy, box=kind)
    for name, share in read_ones.items():
        policy = with_value(policy, name, "margin", share)
    gains = {**({"box": gain} if kind != start.box else {}), **gains}
    return PolicyFit(policy, gains, margins, errors, tuple(outside), len(labels), len(rows))


def _pairs(found: Described, labels: Boxes, classes: Sequence[str]) -> tuple[Rows, Rows]:
    """Rows of predicted objects and of labels that belong together. Annotators may mean either box, so centres are
    compared with one between both."""
    kind = np.array([list(classes).index(str(name)) for name in labels.name], np.int64)
    none = np.zeros((len(found), 0))
    between = ObjectPredictions(found.count, found.image, found.kind, found.score, (found.whole + found.visible) / 2,
                                none, np.zeros((found.count, 0)))
    return match_objects(between, TrueObjects(labels.image, kind, labels.box, np.zeros((len(labels), 0))))


def _outwards(box: Floats, base: Floats) -> Floats:
    """How far each side of a box [p, 4] lies outside of another, as a share of the width or height of that."""
    return (box - base) * OUTWARDS / np.tile(np.maximum(base[:, 2:] - base[:, :2], 1), 2)


def _side(found: Described) -> Floats:
    """Mean of width and height [m], pixels."""
    return (found.whole[:, 2:] - found.whole[:, :2]).mean(1)


def _box_kind(found: Readings, mine: Described, boxes: Floats, start: LabelPolicy) -> tuple[str, float]:
    """Of both kinds of boxes the one that the labels [p, 4] fit to, and its gain over the default. How far inside of a
    predicted whole box each side lies is known from renders for both kinds, given the predicted hidden part there."""
    renders, truth = found.renders.where(found.pairs[:, 0]), found.truth.where(found.pairs[:, 1])
    hidden = -_outwards(renders.visible, renders.whole)
    edges = np.quantile(hidden, QUANTILES)
    part = np.searchsorted(edges, -_outwards(mine.visible, mine.whole))
    of_renders = np.searchsorted(edges, hidden)
    usual = {"visible": -_outwards(truth.visible, renders.whole), "amodal": -_outwards(truth.whole, renders.whole)}
    inside = -_outwards(boxes, mine.whole)
    for code in np.unique(mine.kind):  # less the class's margin, which sides tell that are hardly hidden
        own, theirs = mine.kind == code, truth.kind == code
        shown, seen = part[own] == 0, of_renders[theirs] == 0
        if min(shown.sum(), seen.sum()) >= MIN_LABELS:
            inside[own] -= np.median(inside[own][shown]) - np.median(usual["visible"][theirs][seen])
    gain = 0.0
    for number in range(len(edges) + 1):
        amodal, visible = (_density(usual[kind][of_renders == number], inside[part == number])
                           for kind in ("amodal", "visible"))
        gain += float((np.log(amodal) - np.log(visible)).sum())
    gain, other = (gain, "amodal") if start.box == "visible" else (-gain, "visible")
    return (other, gain) if gain > BOX_GAIN else (start.box, gain)


def _density(samples: Floats, at: Floats) -> Floats:
    """Density of samples [n] at these values [m], which lie in about -1..1; a Gaussian kernel."""
    if not len(samples):
        return np.ones(len(at))
    width = max(0.53 * float(samples.std()) * len(samples) ** -0.2, 0.01)  # half of Silverman's: peaks are sharp
    near = np.exp(-(((at[:, None] - samples[None]) / width) ** 2) / 2).mean(1) / (width * (2 * np.pi) ** 0.5)
    return (1 - FLAT) * near + FLAT


def _margin(found: Readings, mine: Described, boxes: Floats, of_renders: NDArray[np.bool_],
            kind: str) -> tuple[float, float]:
    """By how much labels [p, 4] of one class are wider than its objects, and the standard error. Predicted boxes are
    themselves too wide or narrow, by what they are in renders for objects of that size."""
    p, q = found.pairs[of_renders].T
    renders, own = found.renders.where(p), "whole" if kind == "amodal" else "visible"
    usual = _outwards(getattr(found.truth, own)[q], getattr(renders, own)).mean(1)
    less = _nearest_medians(_side(mine), _side(renders), usual)  # how far true boxes lie outside of predicted ones
    each = (_outwards(boxes, getattr(mine, own)).mean(1) - less) / (1 + 2 * less)  # of true sides, not predicted ones
    margin = float(np.median(each))
    spread = 1.4826 * float(np.median(np.abs(each - margin)))
    return margin, 1.2533 * spread / len(each) ** 0.5  # of a median


def _nearest_medians(at: Floats, x: Floats, y: Floats) -> Floats:
    """Of each value [m] the median y of the `NEAREST` samples [n] with the nearest x."""
    order, first = nearest(at, x)
    return np.array([np.median(y[order[row:row + NEAREST]]) for row in first])


def _beyond(renders: Described, mine: Described) -> float:
    """Share of predicted objects smaller or larger than nearly all that are predicted in renders."""
    low, high = np.quantile(_side(renders), TAILS)
    return float(((_side(mine) < low) | (_side(mine) > high)).mean())
