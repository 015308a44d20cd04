"""Foreign objects in renders: what they change in images, masks and labels."""

import numpy as np
import pytest
from toys import dot, dots

import scenefit as sf
from scenefit.data import clutter
from scenefit.data.clutter import add_clutter

GRAMMAR = sf.Grammar("ground", {"ground": {"shade": sf.Uniform(60, 200)}, "box": {"x": sf.Integer(0, 40)}},
                     [sf.Rule("ground", [sf.repeat("box", sf.Integer(0, 3))])])
SIDE = 48


@sf.each
def boxes(scene):
    """Boxes of 8 x 12 pixels on noise, without areas; the last one is above."""
    image = np.full((SIDE, SIDE), scene.root.shade / 255) + scene.rng("noise").normal(0, 0.02, (SIDE, SIDE))
    instances = np.zeros((SIDE, SIDE), int)
    for box in scene.of("box"):
        image[10:22, box.x:box.x + 8], instances[10:22, box.x:box.x + 8] = 0.1, box.id
    return sf.Frame(np.clip(image, 0, 1), instances, pixels={"depth": image})


def labels(frames):
    found = sf.label_boxes(frames)
    return [found.image.tolist(), found.box.tolist(), found.name.tolist()]


def test_share_of_the_images_that_are_changed():
    frames = sf.render(boxes, GRAMMAR.sample(0, 80))
    same = add_clutter(frames, 0)
    assert np.array_equal(same.images, frames.images) and np.array_equal(same.instances, frames.instances)
    assert labels(same) == labels(frames)
    for share, low, high in ((1, 80, 80), (0.25, 10, 34)):
        found = add_clutter(frames, share)
        changed = (found.images != frames.images).any((1, 2, 3))
        assert low <= changed.sum() <= high
        assert np.array_equal(found.instances[~changed], frames.instances[~changed])
        assert not np.array_equal(found.instances[changed], frames.instances[changed])
    assert found.pixels["depth"] is frames.pixels["depth"] and found.scenes is frames.scenes


def test_an_image_is_the_same_in_any_batch_and_another_with_another_seed():
    scenes = GRAMMAR.sample(0, 12)
    whole = add_clutter(sf.render(boxes, scenes), 0.5)
    some = add_clutter(sf.render(boxes, scenes.take([7, 2])), 0.5)
    assert np.array_equal(whole.images[[7, 2]], some.images) and np.array_equal(whole.instances[[7, 2]], some.instances)
    assert labels(whole[[7, 2]]) == labels(some)
    blank = [sf.make_frames(GRAMMAR.sample(seed, 4), np.zeros((4, SIDE, SIDE))) for seed in (0, 1)]
    assert not np.array_equal(*(add_clutter(frames, 1).images for frames in blank))


def test_what_is_covered_is_no_longer_of_the_object():
    frames = sf.render(boxes, GRAMMAR.sample(0, 80))
    found = add_clutter(frames, 1)
    gone = found.instances != frames.instances
    assert (found.instances[gone] == 0).all() and 0.02 < gone.sum() / (frames.instances > 0).sum() < 0.3
    change = np.abs(found.images.astype(int) - frames.images).max(3)
    assert (change[gone] > 0).mean() > 0.98, "a colour may be that of the object"
    far = (change > 0).mean((1, 2))
    assert np.median(far) > 0.002 and far.max() < 0.6
    before, after = frames.objects, found.objects
    assert np.array_equal(before.id, after.id) and np.array_equal(before.area, after.area)
    assert np.array_equal(before.amodal, after.amodal) and (after.visibility <= before.visibility).all()


def covered(monkeypatch, frames, rows):
    """The frames with one foreign object that covers these rows of pixels."""
    def paste(image, instances, *_):
        image[rows], instances[rows] = 9, 0

    monkeypatch.setattr(clutter, "_paste", paste)
    return add_clutter(frames, 1)


@pytest.mark.parametrize("areas", [True, False])
def test_a_half_covered_object_has_half_its_visibility_and_a_covered_one_no_label(monkeypatch, areas):
    """Whether or not the renderer gives the areas of whole objects."""
    scenes = dot(8.0).sample(0, 2)
    masks = np.zeros((2, 16, 16), int)
    masks[:, 4:12, 3:9] = scenes.tables["dot"].id[:, None, None]
    whole = {"area": {"dot": np.array([48.0, 96.0])}, "amodal": {"dot": np.array([[3, 4, 9, 12], [-3, 4, 9, 12.0]])},
             "inside": {"dot": np.array([48.0, 48.0])}} if areas else {}
    frames = sf.make_frames(scenes, np.zeros(masks.shape), masks, **whole)
    half = covered(monkeypatch, frames, slice(0, 8))
    assert half.objects.visibility.tolist() == [0.5, 0.5] and half.objects.box.tolist() == [[3, 8, 9, 12]] * 2
    assert half.objects.truncation.tolist() == ([0, 0.5] if areas else [0, 0])
    assert len(sf.label_boxes(half)) == 2 and not len(sf.label_boxes(half, sf.LabelPolicy(min_visibility=0.6)))
    assert sf.label_boxes(half, sf.LabelPolicy(box="amodal")).box[0].tolist() == [3, 4, 9, 12]
    hidden = covered(monkeypatch, frames, slice(0, 16))
    assert hidden.objects.visibility.tolist() == [0, 0] and not len(sf.label_boxes(hidden))


def test_scenes_without_objects(monkeypatch):
    scenes = sf.Grammar("ground", {"ground": {}}, []).sample(0, 3)
    frames = add_clutter(sf.make_frames(scenes, np.zeros((3, 20, 20))), 1)
    assert (frames.images > 0).any((1, 2, 3)).all() and not len(frames.objects)


def test_masks_of_sprites_keep_their_areas():
    frames = sf.render(dots(), dot(sf.Uniform(4, 12)).sample(0, 30))
    found = add_clutter(frames, 1)
    assert np.array_equal(found.objects.area, frames.objects.area) and found.objects.visibility.min() < 0.9
