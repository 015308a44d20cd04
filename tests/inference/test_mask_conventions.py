"""Borders and margins planted in class masks are read back from ten photos, whatever the sizes of the scene."""

from dataclasses import replace

import numpy as np
import pytest

import scenefit as sf
from scenefit.data.class_masks import ClassMasks
from scenefit.data.label_policy import label_masks
from scenefit.data.mask_outlines import redraw
from scenefit.data.photos import Photos
from scenefit.inference.conventions.masks import MIN_OUTLINE, MaskOutlines, read_outlines
from scenefit.inference.conventions.policy import NoClass, PolicyFit, fit_label_policy
from scenefit.nets.model import Model
from scenefit.nets.scene_distribution import SceneDistribution
from scenefit.run.label_policy_file import CorruptFile, read_policy_fit, write_policy_fit

SIZE = (64, 64)


def grammar(low, high):
    """Discs of these radii, dark and light ones, on grounds of any brightness."""
    disc = {"x": sf.Uniform(0, 64), "y": sf.Uniform(0, 64), "radius": sf.learned(sf.Uniform(low, high)),
            "red": sf.Uniform(0.1, 1), "green": sf.Uniform(0.1, 1), "edge": 0.6}
    return sf.Grammar("dish", {"dish": {"red": sf.Uniform(0.2, 0.7), "noise": 4.0}, "disc": disc},
                      [sf.Rule("dish", [sf.repeat("disc", sf.Integer(2, 5))])])


RENDERER = sf.Shapes(SIZE, {"disc": {}}, solid=0.5)
RENDERS = sf.render(RENDERER, grammar(4, 12).sample(1, 40))
TRUTH = label_masks(RENDERS, ["disc"])
PHOTOS = sf.render(RENDERER, grammar(7, 17).sample(2, 10))  # of larger discs


def drawn(margin, border):
    masks = label_masks(PHOTOS, ["disc"]).masks
    return ClassMasks(("disc",), np.stack([redraw(mask, ids, margin, border)
                                           for mask, ids in zip(masks, PHOTOS.instances, strict=True)]))


@pytest.mark.parametrize(("margin", "border"), [(0, 0), (0, 3), (0, 5), (2, 0), (-2, 0), (1, 4), (-1, 2), (3, 3)])
def test_what_was_planted_is_read_back(margin, border):
    found = read_outlines(PHOTOS.images, drawn(margin, border), RENDERS.images, TRUTH)
    assert found.border == border and found.is_read
    assert found.margin == pytest.approx(margin, abs=0.5) and found.error < 0.3
    assert found.policy(sf.LabelPolicy(min_side=2)) == sf.LabelPolicy(min_side=2, mask_border=border,
                                                                      mask_margin=margin)


def test_what_was_read_is_said():
    lines = read_outlines(PHOTOS.images, drawn(2, 3), RENDERS.images, TRUTH).lines(sf.LabelPolicy(mask_margin=2))
    assert lines[0] == "masks have a border of ignored pixels along outlines, 3 pixels wide"
    assert lines[1].startswith("masks are wider than what is visible by 2 pixels (+")
    found = MaskOutlines(0.0, -1.26, 0.2, 900)
    assert found.lines(found.policy(sf.LabelPolicy())) == [
        "masks have no border of ignored pixels",
        "masks are narrower than what is visible by 1.5 pixels (-1.3 pixels, standard error 0.2)"]
    plain = replace(found, margin=0.3)
    assert plain.policy(sf.LabelPolicy()) == sf.LabelPolicy()
    assert plain.lines(sf.LabelPolicy())[1] == ("masks are as wide as what is visible (+0.3 pixels, standard error "
                                                "0.2)")
    assert plain.policy(sf.LabelPolicy(mask_margin=3)).mask_margin == 0.5, "what was given gives way"
    unsure, given = replace(found, error=0.6), sf.LabelPolicy(mask_margin=-2.5)
    assert unsure.policy(sf.LabelPolicy()).mask_margin == 0 and unsure.policy(given) == given
    assert unsure.lines(given)[1] == ("masks are taken to be narrower than what is visible by 2.5 pixels: the photos "
                                      "do not surely tell otherwise (-1.3 pixels, standard error 0.6)")


def test_photos_whose_edges_are_unlike_those_of_renders_tell_no_margin():
    noise = np.random.default_rng(0).integers(0, 255, PHOTOS.images.shape, np.uint8)
    found = read_outlines(noise, drawn(2, 3), RENDERS.images, TRUTH)
    assert (found.border, found.margin) == (3, None)
    assert "cannot be read: the edges in the photos are not like" in found.lines(found.policy(sf.LabelPolicy()))[1]
    assert found.policy(sf.LabelPolicy(mask_margin=1)).mask_margin == 1


@pytest.mark.filterwarnings("error")
def test_flat_images_and_outlines_among_ignored_pixels_tell_no_margin():
    flat, masks = np.full_like(PHOTOS.images, 90), drawn(0, 0)
    alone = np.full((1, *SIZE), 255, np.uint8)
    alone[0, 30, 30], alone[0, 0, 0] = 1, 0
    for photos, renders in ((flat, RENDERS.images), (PHOTOS.images, np.full_like(RENDERS.images, 90))):
        found = read_outlines(photos, masks, renders, TRUTH)
        assert (found.border, found.margin) == (0, None) and found.is_read
    more = ClassMasks(masks.classes, np.concatenate([masks.masks, alone]))
    assert read_outlines(np.concatenate([PHOTOS.images, flat[:1]]), more, RENDERS.images, TRUTH).margin == 0


def test_few_masks_and_wide_ignored_areas_tell_nothing():
    few = read_outlines(PHOTOS.images[:1], ClassMasks(("disc",), np.zeros((1, *SIZE), np.uint8)), RENDERS.images, TRUTH)
    assert few.policy(sf.LabelPolicy(mask_border=2)) == sf.LabelPolicy(mask_border=2) and not few.is_read
    assert few.lines(sf.LabelPolicy()) == [f"nothing can be read from masks with so few pixels at outlines: 0, of at "
                                           f"least {MIN_OUTLINE}"]
    masks = drawn(0, 0).masks.copy()
    masks[:, :20] = 255
    assert read_outlines(PHOTOS.images, ClassMasks(("disc",), masks), RENDERS.images, TRUTH).border == 0


def test_so_many_photos_are_read_that_are_evenly_spread(monkeypatch):
    monkeypatch.setattr("scenefit.inference.conventions.policy.OUTLINED", 4)
    masks, rows = drawn(0, 3), np.array([1, 3, 6, 9])
    masks.masks[0] = 0  # shows no class
    photos = Photos(PHOTOS.images, masks=masks)
    found = fit_label_policy(Model(SceneDistribution(grammar(4, 12), 0), 0), RENDERER, photos).outlines
    assert found.pixels == read_outlines(photos.images[rows], masks.take(rows), RENDERS.images, TRUTH).pixels


def test_the_policy_of_photos_with_masks_is_fitted_and_kept(tmp_path):
    model = Model(SceneDistribution(grammar(4, 12), 0), 0)
    photos = Photos(PHOTOS.images, masks=drawn(2, 3))
    found = fit_label_policy(model, RENDERER, photos, start=sf.LabelPolicy(min_visibility=0.3))
    assert found.policy == sf.LabelPolicy(min_visibility=0.3, mask_margin=2, mask_border=3) and found.is_read
    assert fit_label_policy(model, RENDERER, photos, start=sf.LabelPolicy(min_visibility=0.3)) == found, "the same seed"
    path = tmp_path / "zq7.json"
    write_policy_fit(path, found)
    assert read_policy_fit(path) == found and read_policy_fit(path).lines() == found.lines()
    kept = path.read_text()
    for wrong in ('"x"', "null"):
        path.write_text(kept.replace('"border": 3.0', f'"border": {wrong}'))
        with pytest.raises(CorruptFile, match=r"zq7\.json is damaged \(its outlines must be numbers"):
            read_policy_fit(path)
    with pytest.raises(NoClass, match=r"of the classes \['cat'\], and 32 renders have \['disc'\]"):
        fit_label_policy(model, RENDERER, replace(photos, masks=ClassMasks(("cat",), photos.masks.masks)))
    empty = replace(photos, masks=ClassMasks(("disc",), np.zeros_like(photos.masks.masks)))
    with pytest.raises(ValueError, match="have no box and no mask that shows a class"):
        fit_label_policy(model, RENDERER, empty)
    write_policy_fit(path, PolicyFit(sf.LabelPolicy(), {}, {}, {}, (), 3, 0))
    assert "outlines\": {" not in path.read_text() and read_policy_fit(path).outlines is None
