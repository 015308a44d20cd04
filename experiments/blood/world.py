"""Scenes and photos of the experiment: the naive guess, scenes with one half of their attributes swapped, the splits.

The wide grammar is that of scenes/smear.py. Legend: S scenes.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from scenefit.scenes.attributes import NodeGroup
from scenefit.scenes.priors import Prior
from scenefit.scenes.rng import derive_seed, generator, uniform
from scenes import smear

SIZE = smear.SIZE
CLASSES = ("RBC", "WBC", "Platelets")
COUNTS = {"n_red": "RBC", "n_white": "WBC", "n_platelet": "Platelets"}  # of the scene -> class of the labels
# What people would see, and draw a box around; the data's own page says that red cells which overlap or touch the
# border often have none.
KEEP = sf.LabelPolicy(min_visibility=0.5, max_truncation=0.1, min_contrast=0.06, box="amodal")
FIRST = 10  # labelled photos that the report "rest" leaves to the arms
MATCHED, FEW = "match", "few"
ALL = "all"
# Ends of the names of attributes that say what is there, not how it looks.
CONTENT = ("red_size", "ratio", "spread", "stretch", "wobble", "lobe", "scatter", "overlap", *COUNTS)

# The naive grammar: a narrow guess from textbooks of haematology, written before a photo was looked at. A field at high
# magnification is taken to be 100 micrometres high, so 2.4 pixels a micrometre. Colours: 0 dark to 1 light.
NAIVE: dict[str, tuple[float, float]] = {
    # Bright field: a nearly white ground, even light, a sharp and quiet camera.
    "red": (0.92, 0.98), "green": (0.88, 0.95), "blue": (0.88, 0.95), "light": (-0.1, 0.1), "vignette": (0, 0.2),
    "blur": (0.3, 1), "noise": (2, 8), "edge": (0.5, 1.5), "grain": (0, 0.03), "grain_size": (1, 3),
    "variation": (0.02, 0.06), "scatter": (1, 2), "overlap": (0.05, 0.3),
    # Red cells: 7 to 8 micrometres, round, pink of eosin, pale in the middle third, a single layer of many.
    "n_red": (40, 70), "red_size": (16.8, 19.2), "red_spread": (0.03, 0.08), "red_stretch": (0.02, 0.15),
    "red_wobble": (0, 0.03), "red_grain": (0, 0.05), "red_r": (0.82, 0.94), "red_g": (0.55, 0.72),
    "red_b": (0.58, 0.75), "red_opacity": (0.5, 0.8), "red_absorb": (0.3, 0.7), "pallor": (0.3, 0.6),
    "pallor_size": (0.3, 0.5), "rim": (0, 0.2),
    # White cells: 10 to 15 micrometres, pale blue-grey; one or two, for photos are taken where there are some.
    "n_white": (0, 2), "white_ratio": (1.35, 2), "white_spread": (0.05, 0.15), "white_stretch": (0.02, 0.15),
    "white_wobble": (0, 0.05), "white_grain": (0, 0.1), "white_r": (0.72, 0.85), "white_g": (0.68, 0.8),
    "white_b": (0.8, 0.92), "white_opacity": (0.5, 0.8), "white_absorb": (0.3, 0.7),
    # Their nuclei: half to most of the cell, lobed, dark purple.
    "nucleus_ratio": (0.55, 0.8), "lobe": (0.2, 0.6), "nucleus_spread": (0.05, 0.15), "nucleus_stretch": (0.02, 0.3),
    "nucleus_wobble": (0, 0.05), "nucleus_grain": (0, 0.15), "nucleus_r": (0.33, 0.5), "nucleus_g": (0.15, 0.3),
    "nucleus_b": (0.48, 0.65), "nucleus_opacity": (0.8, 1), "nucleus_absorb": (0.3, 0.7),
    # Platelets: 2 to 3 micrometres, irregular, granular, purple; one for some ten red cells.
    "n_platelet": (3, 9), "platelet_ratio": (0.27, 0.4), "platelet_spread": (0.1, 0.25), "platelet_stretch": (0.1, 0.5),
    "platelet_wobble": (0, 0.08), "platelet_grain": (0.05, 0.2), "platelet_r": (0.55, 0.7),
    "platelet_g": (0.4, 0.55), "platelet_b": (0.62, 0.8), "platelet_opacity": (0.6, 0.9),
    "platelet_absorb": (0.3, 0.7),
}

Sampler = Callable[[int, int], sf.SceneBatch]  # seed, how many -> scenes


renderer = smear.renderer


def wide(scale: float) -> sf.Grammar:
    return smear.wide(scale)


def naive(seed: int, count: int) -> sf.SceneBatch:
    """Scenes of the naive guess."""
    def decide(slab: NodeGroup) -> Mapping[str, Any]:
        if slab.kind != "image":
            return {}
        found: dict[str, Any] = {}
        for name, ends in NAIVE.items():
            prior: Prior = sf.Integer(*map(int, ends)) if name in COUNTS else sf.Uniform(*ends)
            found[name] = prior.quantile(uniform(slab.address, f"naive {name}"))
        return found

    return wide(1.0).sample(seed, count, decide=decide)


def swapped(tree: sf.Grammar, learned: Sampler, content: bool) -> Sampler:
    """Scenes of the wide grammar, but with the learned content (sizes, forms, counts), or else the learned look."""
    names = [name for name in of_images(tree) if name.endswith(CONTENT) == content]

    def sample(seed: int, count: int) -> sf.SceneBatch:
        table = learned(seed, count).tables[tree.start]
        return decided(tree, derive_seed(seed, "swapped"), count, {name: np.asarray(table[name]) for name in names})

    return sample


def recounted(tree: sf.Grammar, learned: Sampler, name: str, true: np.ndarray) -> Sampler:
    """Learned scenes, but the count of this name is drawn from true ones [n]."""
    def sample(seed: int, count: int) -> sf.SceneBatch:
        table = learned(seed, count).tables[tree.start]
        values = {own: np.asarray(table[own]) for own in of_images(tree)}
        values[name] = generator(seed, f"true {name}").choice(true, count)
        return decided(tree, derive_seed(seed, "recounted"), count, values)

    return sample


def of_images(tree: sf.Grammar) -> list[str]:
    """What is learned of an image."""
    return [a.name for a in tree.learned if a.kind == tree.start]


def decided(tree: sf.Grammar, seed: int, count: int, values: Mapping[str, np.ndarray]) -> sf.SceneBatch:
    """Scenes of the grammar whose images have these values [S]."""
    return tree.sample(seed, count, decide=lambda slab: values if slab.kind == tree.start else {})


@cache
def pattern(data: Path) -> np.ndarray:
    """Of the microscope's camera [H, W, 3], from the photos to match: its dust is taken out of all photos."""
    return sf.flat_field(sf.read_part(data, SIZE, MATCHED).images)


def unlabelled(data: Path) -> sf.Photos:
    """The photos to match; no label file is opened."""
    return sf.read_part(data, SIZE, MATCHED).correct_flat_field(pattern(data))


def with_boxes(data: Path, part: str) -> sf.Photos:
    """The photos of a part of the data set, with their labels."""
    return sf.read_boxes(data, SIZE, part).correct_flat_field(pattern(data))


def reported(data: Path, report: str) -> sf.Photos:
    """The photos that arms are held against: "val", or for development the few, or the few without their first 10."""
    photos = with_boxes(data, "val" if report == "val" else FEW)
    return photos.take(np.arange(FIRST, len(photos))) if report == "rest" else photos


def check_labels(label: str, report: str) -> None:
    """ValueError where an arm would train on photos of the report, or on labels that development may not read."""
    if report == "val" or (report == "rest" and label == str(FIRST)):
        return
    raise ValueError(f"an arm with {label} labelled photos cannot be looked at on the report {report!r}: its labels "
                     "are of the same photos, or of those to match; take --report val, or for "
                     f"{FIRST} labels --report rest")


def labelled(data: Path, label: str, report: str, draw: int) -> sf.Photos:
    """So many labelled photos: of the few, then of those to match. "all": both, 205.

    draw: 0 takes the first ones in their fixed order, others draw them by lot; 100 and all read labels of photos that
    are otherwise matched without labels, so they stand only in the label curve and as the ceiling.
    """
    check_labels(label, report)
    few = with_boxes(data, FEW)
    few = few.take(order(len(few), 0 if report == "rest" else draw))
    count = None if label == ALL else int(label)
    if count is not None and count <= len(few):
        return few.take(np.arange(count))
    match = with_boxes(data, MATCHED)
    return joined(few, match.take(order(len(match), draw)[:None if count is None else count - len(few)]))


def codes(boxes: sf.Boxes) -> np.ndarray:
    """The place of each box's class in `CLASSES` [m]. ValueError for another class."""
    return np.array([CLASSES.index(str(name)) for name in boxes.name], np.int64)


def count(boxes: sf.Boxes) -> np.ndarray:
    """Boxes of each class in each image [N, C]."""
    out = np.zeros((boxes.count, len(CLASSES)), int)
    np.add.at(out, (boxes.image, codes(boxes)), 1)
    return out


def order(count: int, draw: int) -> np.ndarray:
    """Rows in their fixed order for draw 0, else by lot."""
    return np.arange(count) if draw == 0 else generator(draw, "draw of labelled photos").permutation(count)


def joined(first: sf.Photos, second: sf.Photos) -> sf.Photos:
    """Both sets, one after the other."""
    assert first.boxes is not None and second.boxes is not None
    pair = first.boxes, second.boxes
    boxes = sf.Boxes(len(first) + len(second), np.concatenate([pair[0].image, pair[1].image + len(first)]),
                     *(np.concatenate([getattr(one, name) for one in pair]) for name in ("box", "name", "score")))
    return sf.Photos(np.concatenate([first.images, second.images]), first.paths + second.paths,
                     first.skipped + second.skipped, np.concatenate([first.label, second.label]), boxes)
