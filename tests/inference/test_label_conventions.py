"""Label policies planted in made-up labels are read back; what labels do not show stays at its default."""

from dataclasses import replace

import numpy as np
import pytest

import scenefit as sf
from scenefit.data.boxes import make_boxes
from scenefit.inference.conventions import conditions, describe, policy
from scenefit.inference.conventions.describe import Described, Readings
from scenefit.inference.conventions.policy import fit_label_policy, policy_of
from scenefit.nets.model import Model
from scenefit.nets.scene_distribution import SceneDistribution

SIZE, CLASSES = 128, ("cell", "dot")


def objects(seed, count):
    """True objects of `count` images: cells of some 20 px and dots of 8, a third of them partly hidden at one side,
    some at the border."""
    random = np.random.default_rng(seed)
    n = 20 * count
    kind = random.integers(0, 2, n)
    size = np.where(kind == 0, 20, 8) * random.uniform(0.8, 1.25, n)
    middle = random.uniform(0, SIZE, (n, 2))
    low, high = middle - size[:, None] / 2, middle + size[:, None] / 2
    whole = np.concatenate([low, high], 1).clip(0, SIZE)
    side = whole[:, 2:] - whole[:, :2]
    truncation = 1 - side.prod(1) / size**2
    hidden = np.where(random.random(n) < 0.35, random.uniform(0.1, 0.8, n), 0)
    visible, at = whole.copy(), random.integers(0, 4, n)
    visible[np.arange(n), at] += hidden * side[np.arange(n), at % 2] * np.where(at < 2, 1, -1)
    image = np.repeat(np.arange(count), 20)
    kept = side.min(1) > 2
    contrast = np.random.default_rng(1000 + seed).uniform(0, 0.8, n)
    return Described(count, image, kind, np.ones(n), whole, visible, 1 - hidden, truncation, contrast).where(kept)


def seen(truth, seed):
    """What a network says of these objects: boxes a little too wide, shares with an error of 0.1; and false objects."""
    random = np.random.default_rng(seed)
    n, side = len(truth), truth.whole[:, 2:] - truth.whole[:, :2]
    off = random.normal(0.02, 0.04, (n, 4)) * np.tile(side, 2) * [-1, -1, 1, 1]
    boxes = {"whole": truth.whole + off, "visible": truth.visible + off}
    told = {name: (getattr(truth, name) + random.normal(0, 0.1, n)).clip(0, 1) for name in ("visibility", "truncation")}
    told["contrast"] = (truth.contrast + np.random.default_rng(1000 + seed).normal(0, 0.03, n)).clip(0, 1)
    found = replace(truth, score=random.uniform(0.4, 1, n), **boxes, **told)
    false = random.random(n) < 0.1
    shift = np.where(false, 60, 0)[:, None]  # px: nothing is there
    return replace(found, whole=found.whole + shift, visible=found.visible + shift,
                   score=np.where(false, 0.3, found.score)), ~false


def planted(wanted, seed, count=10, scale=1.0):
    """Readings of `count` photos, and the labels that a policy gives their objects. scale: of the photos' objects."""
    renders, photos = objects(100 + seed, 80), objects(seed, count)
    if scale != 1:
        middle = np.tile((photos.whole[:, :2] + photos.whole[:, 2:]) / 2, 2)
        photos = replace(photos, whole=middle + scale * (photos.whole - middle),
                         visible=middle + scale * (photos.visible - middle))
    predicted, real = seen(renders, seed)
    rows = np.flatnonzero(real)
    found = Readings(seen(photos, seed + 50)[0], predicted, renders, np.stack([rows, rows], 1))
    box = photos.whole if wanted.box == "amodal" else photos.visible
    own = [wanted.of_class(CLASSES[kind]) for kind in photos.kind]
    more = np.array([one.margin for one in own])[:, None]
    box = box + np.tile(more * (box[:, 2:] - box[:, :2]), 2) * [-1, -1, 1, 1]
    bound = {name: np.array([getattr(one, name) for one in own]) for name in conditions.CONDITIONS}
    kept = ((photos.visibility >= bound["min_visibility"]) & (photos.truncation <= bound["max_truncation"])
            & ((photos.visible[:, 2:] - photos.visible[:, :2]).min(1) >= bound["min_side"])
            & (photos.contrast >= bound["min_contrast"]))
    names = np.array(CLASSES)[photos.kind[kept]]
    return found, make_boxes(count, photos.image[kept], box[kept], names)


def fitted(wanted, seed, **more):
    found, labels = planted(wanted, seed, **more)
    return policy_of(found, labels, CLASSES)


def test_default_labels_leave_the_default():
    assert sum(fitted(sf.LabelPolicy(), seed).policy == sf.LabelPolicy() for seed in range(10)) >= 9


def test_the_kind_of_boxes_is_read_from_hidden_parts():
    assert sum(fitted(sf.LabelPolicy(box="amodal"), seed).policy.box == "amodal" for seed in range(10)) >= 9


@pytest.mark.parametrize("margins", [{"cell": 0.1, "dot": 0.2}, {"cell": -0.08, "dot": 0.3},
                                     {"cell": 1.0, "dot": 0.7}])
def test_margins_are_read_class_by_class(margins):
    for seed in range(5):
        found = fitted(sf.LabelPolicy(by_class={name: {"margin": share} for name, share in margins.items()}), seed)
        assert all(abs(found.policy.of_class(name).margin - share) < 0.03 for name, share in margins.items())


@pytest.mark.parametrize(("name", "value", "low", "high"), [
    ("min_visibility", 0.6, 0.4, 0.8), ("max_truncation", 0.1, 0.05, 0.2), ("min_side", 9, 8, 10),
    ("min_contrast", 0.2, 0.15, 0.3)])
def test_conditions_are_read_from_what_has_no_label(name, value, low, high):
    results = [fitted(sf.LabelPolicy(**{name: value}), seed) for seed in range(5)]
    assert sum(low <= getattr(one.policy, name) <= high for one in results) >= 4
    assert all(name in one.gains and any("have no label with" in line for line in one.lines()) for one in results[:1])


@pytest.mark.parametrize(("name", "value"), [("min_visibility", 0.6), ("max_truncation", 0.1), ("min_contrast", 0.2)])
def test_conditions_of_one_class_are_read(name, value):
    """Also where it is the other class that is exempt from what holds for all."""
    default = getattr(sf.LabelPolicy(), name)
    for of in CLASSES:
        results = [fitted(sf.LabelPolicy(by_class={of: {name: value}}), seed, count=20) for seed in range(5)]
        told = [{one: getattr(result.policy.of_class(one), name) for one in CLASSES} for result in results]
        assert sum(one[of] != default and all(one[other] == default for other in CLASSES if other != of)
                   for one in told) >= 4
    starts = "dot: objects have no label with", "cell: objects have a label however"
    assert any(line.startswith(starts) for result in results for line in result.lines())


def test_predictions_of_a_class_are_compared_with_those_of_the_class():
    """The network takes cells for 2 pixels narrower than they are, and dots for 2 pixels wider, also in renders."""
    def told(found):
        off = np.where(found.kind == 0, -1, 1)[:, None] * [-1, -1, 1, 1]
        middle = np.tile((found.visible[:, :2] + found.visible[:, 2:]) / 2, 2)
        low, high = np.minimum(found.visible + off, middle - 0.5), np.maximum(found.visible + off, middle + 0.5)
        return replace(found, visible=np.where(np.arange(4) < 2, low, high))

    results = []
    for seed in range(10):
        found, labels = planted(sf.LabelPolicy(min_side=9), seed)
        found = replace(found, photos=told(found.photos), renders=told(found.renders))
        results.append(policy_of(found, labels, CLASSES))
    assert sum(list(one.gains) == ["min_side"] and one.policy.min_side in (8, 10) for one in results) >= 9


def test_a_rare_small_class_keeps_its_labels_where_small_objects_of_another_have_none():
    results = []
    for seed in range(10):
        found, labels = planted(sf.LabelPolicy(by_class={"cell": {"min_side": 20}}), seed)
        random = np.random.default_rng(seed)
        rare = (found.photos.kind == 0) | (random.random(len(found.photos)) < 0.1)
        dots = found.photos.where((found.photos.kind == 1) & rare)
        near = [(np.abs(dots.whole[dots.image == image] - box).max(1) < 4).any() or name == "cell"
                for image, box, name in zip(labels.image, labels.box, labels.name, strict=True)]
        few = replace(found, photos=found.photos.where(rare))
        results.append(policy_of(few, labels.where(np.array(near)), CLASSES).policy)
    assert sum(one.of_class("dot").min_side == 1 and 16 <= one.of_class("cell").min_side <= 24 for one in results) >= 9


def test_labels_left_out_at_random_are_no_condition():
    for seed in range(5):
        found, labels = planted(sf.LabelPolicy(), seed)
        some = labels.where(np.random.default_rng(seed).random(len(labels)) < 0.2)
        assert policy_of(found, some, CLASSES).gains == {}


def test_of_two_classes_labelled_at_different_shares_neither_has_a_condition_of_its_own():
    for seed in range(10):
        found, labels = planted(sf.LabelPolicy(), seed, count=20)
        share = np.where(labels.name == "cell", 0.5, 0.95)
        some = labels.where(np.random.default_rng(seed).random(len(labels)) < share)
        assert not any(": " in name for name in policy_of(found, some, CLASSES).gains)


def test_labels_of_large_objects_only_are_no_margin():
    """Where predicted sizes say little, labelled objects are larger than they are predicted, for they were chosen."""
    def told(found, seed):
        middle = np.tile((found.whole[:, :2] + found.whole[:, 2:]) / 2, 2)
        side = np.array([20, 8])[found.kind] * np.random.default_rng(seed).uniform(0.9, 1.1, len(found))
        box = middle + side[:, None] / 2 * [-1, -1, 1, 1]
        return replace(found, whole=box, visible=box)

    for seed in range(5):
        found, labels = planted(sf.LabelPolicy(min_side=9), seed, count=40)
        same = replace(found, photos=told(found.photos, seed), renders=told(found.renders, 50 + seed))
        result = policy_of(same, labels, CLASSES, sf.LabelPolicy(min_side=9))
        assert abs(result.margins["dot"]) < 0.03


def test_sizes_that_renders_do_not_have_cannot_be_told_from_a_margin():
    found = fitted(sf.LabelPolicy(by_class={"cell": {"margin": 0.15}}), 0, scale=2.0)
    assert found.outside == CLASSES and found.policy == sf.LabelPolicy()
    assert sum("cannot be told apart" in line for line in found.lines()) == 2


def test_a_given_start_stays_where_labels_say_nothing():
    start = sf.LabelPolicy(min_pixels=9, by_class={"other": {"margin": 0.1}})
    found, labels = planted(sf.LabelPolicy(), 3)
    assert policy_of(found, labels, CLASSES, start).policy == start


@pytest.mark.parametrize(("start", "line"), [
    (sf.LabelPolicy(margin=0.1), "cell: boxes have no margin"),
    (sf.LabelPolicy(by_class={"cell": {"margin": 0.1}, "dot": {"margin": 0.2}}), "dot: boxes have no margin"),
    (sf.LabelPolicy(min_visibility=0.6), "objects have a label however little is visible"),
    (sf.LabelPolicy(max_truncation=0.05), "objects have a label however much lies outside the image"),
    (sf.LabelPolicy(min_side=12), "objects have a label however small"),
    (sf.LabelPolicy(min_contrast=0.2), "objects have a label however faint")])
def test_a_given_start_gives_way_where_labels_differ(start, line):
    found, labels = planted(sf.LabelPolicy(), 3)
    result = policy_of(found, labels, CLASSES, start)
    assert line in result.lines() and all(result.policy.of_class(name) == sf.LabelPolicy() for name in CLASSES)


@pytest.mark.parametrize(("name", "value"), [("min_side", 10), ("min_visibility", 0.7), ("min_contrast", 0.3)])
def test_what_is_given_for_one_class_gives_way_where_labels_differ(name, value):
    found, labels = planted(sf.LabelPolicy(), 3)
    result = policy_of(found, labels, CLASSES, sf.LabelPolicy(by_class={"cell": {name: value}}))
    assert all(result.policy.of_class(one) == sf.LabelPolicy() for one in CLASSES)
    assert any(line.startswith("cell: objects have a label however") for line in result.lines())


def test_a_class_whose_kind_of_boxes_is_given_keeps_it():
    start = sf.LabelPolicy(by_class={"cell": {"box": "amodal"}})
    found, labels = planted(sf.LabelPolicy(), 1, count=20)
    _, of_cells = planted(sf.LabelPolicy(box="amodal"), 1, count=20)
    cells, others = of_cells.name == "cell", labels.name != "cell"
    both = make_boxes(20, np.concatenate([of_cells.image[cells], labels.image[others]]),
                      np.concatenate([of_cells.box[cells], labels.box[others]]),
                      np.concatenate([of_cells.name[cells], labels.name[others]]))
    told = policy_of(found, both, CLASSES, start)
    result = told.policy
    assert (result.of_class("cell").box, result.of_class("dot").box) == ("amodal", "visible")
    assert all(abs(result.of_class(one).margin) < 0.03 for one in CLASSES)
    amodal = policy_of(found, of_cells, CLASSES, sf.LabelPolicy(box="amodal"))
    visible = policy_of(found, labels, CLASSES)
    assert (told.margins["cell"], told.margins["dot"]) == (amodal.margins["cell"], visible.margins["dot"])


def test_a_given_start_that_labels_follow_stays():
    start = sf.LabelPolicy(min_visibility=0.6, margin=0.1)
    found, labels = planted(start, 3)
    result = policy_of(found, labels, CLASSES, start)
    assert result.policy == start and result.gains == {}


def test_predicted_sizes_are_compared_with_predicted_ones():
    """Dots below 9 pixels have no label; the network's boxes of the others are as much too wide as in renders."""
    assert sum(fitted(sf.LabelPolicy(min_side=9), seed).outside == () for seed in range(5)) >= 4


def disc_world():
    grammar = sf.Grammar("dish", {"dish": {}, "cell": {"x": sf.Uniform(8, 56), "y": sf.Uniform(8, 56), "red": 0.9,
                                                       "radius": sf.learned(sf.Uniform(5, 9))}},
                         [sf.Rule("dish", [sf.repeat("cell", sf.Integer(2, 5))])])
    return grammar, sf.Shapes((64, 64), {"cell": {}})


def test_the_policy_of_rendered_photos_is_the_same_for_the_same_seed(monkeypatch):
    monkeypatch.setattr(policy, "RENDERS", 24)
    monkeypatch.setattr(describe, "STEPS", 4)
    grammar, renderer = disc_world()
    frames = sf.render(renderer, grammar.sample(5, 4))
    photos = sf.Photos(frames.images, (), (), frames.label, sf.label_boxes(frames))
    model = Model(SceneDistribution(grammar, 0), 0)
    first, second = (fit_label_policy(model, renderer, photos) for _ in range(2))
    assert first == second and first.labels == len(photos.boxes) and first.policy == sf.LabelPolicy()
    monkeypatch.setattr(policy, "read", None)
    few = fit_label_policy(model, renderer, replace(photos, boxes=photos.boxes.where(np.arange(len(photos.boxes)) < 7)))
    assert few.lines() == ["nothing can be read from so few labels: 7, of at least 8"]
    with pytest.raises(ValueError, match="have no box and no mask that shows a class, so no label policy"):
        fit_label_policy(model, renderer, sf.Photos(frames.images))
    renamed = replace(photos.boxes, name=np.full(len(photos.boxes), "other"))
    with pytest.raises(policy.NoClass, match=r"are of the classes \['other'\], and 32 renders have \['cell'\]"):
        fit_label_policy(model, renderer, replace(photos, boxes=renamed))
    with pytest.raises(ValueError, match=r"of 64 x 60 pixels, and renders of 64 x 64; read them at the renders' size"):
        fit_label_policy(model, renderer, replace(photos, images=photos.images[:, :, :60]))
