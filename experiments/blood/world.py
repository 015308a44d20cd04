"""Photos, label conventions and hand-made scenes of the experiment.

The wide grammar is that of scenes/smear.py. Legend: S scenes; N photos; m boxes; C classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from scenefit.data.flat_field import find_flat_field
from scenefit.scenes.attributes import NodeGroup
from scenefit.scenes.priors import Prior
from scenefit.scenes.rng import generator, uniform
from scenes import smear

SIZE = smear.SIZE
CLASSES = ("RBC", "WBC", "Platelets")
COUNTS = {"n_red": "RBC", "n_white": "WBC", "n_platelet": "Platelets"}  # count of the scene -> class of the labels
MATCHED, FEW, HELD_OUT = "match", "few", "val"  # list files of the data set
ALL = 205  # labelled photos of FEW and MATCHED

# The naive grammar: a narrow guess from haematology textbooks, written without looking at a photo. The field of view is
# assumed to be 100 micrometres high, which gives 2.4 pixels per micrometre. Colours: 0 dark to 1 light.
NAIVE: dict[str, tuple[float, float]] = {
    # Bright field: a nearly white background, uniform illumination, a sharp camera with little noise.
    "red": (0.92, 0.98), "green": (0.88, 0.95), "blue": (0.88, 0.95), "light": (-0.1, 0.1), "vignette": (0, 0.2),
    "blur": (0.3, 1), "noise": (2, 8), "edge": (0.5, 1.5), "grain": (0, 0.03), "grain_size": (1, 3),
    "variation": (0.02, 0.06), "scatter": (1, 2), "overlap": (0.05, 0.3),
    # Red cells: 7 to 8 micrometres, round, pink from eosin, pale in the middle third, many in a single layer.
    "n_red": (40, 70), "red_size": (16.8, 19.2), "red_spread": (0.03, 0.08), "red_stretch": (0.02, 0.15),
    "red_wobble": (0, 0.03), "red_grain": (0, 0.05), "red_r": (0.82, 0.94), "red_g": (0.55, 0.72),
    "red_b": (0.58, 0.75), "red_opacity": (0.5, 0.8), "red_absorb": (0.3, 0.7), "pallor": (0.3, 0.6),
    "pallor_size": (0.3, 0.5), "rim": (0, 0.2),
    # White cells: 10 to 15 micrometres, pale blue-grey; up to two, because photos are taken where there are some.
    "n_white": (0, 2), "white_ratio": (1.35, 2), "white_spread": (0.05, 0.15), "white_stretch": (0.02, 0.15),
    "white_wobble": (0, 0.05), "white_grain": (0, 0.1), "white_r": (0.72, 0.85), "white_g": (0.68, 0.8),
    "white_b": (0.8, 0.92), "white_opacity": (0.5, 0.8), "white_absorb": (0.3, 0.7),
    # Nuclei of white cells: more than half of the cell, lobed, dark purple.
    "nucleus_ratio": (0.55, 0.8), "lobe": (0.2, 0.6), "nucleus_spread": (0.05, 0.15), "nucleus_stretch": (0.02, 0.3),
    "nucleus_wobble": (0, 0.05), "nucleus_grain": (0, 0.15), "nucleus_r": (0.33, 0.5), "nucleus_g": (0.15, 0.3),
    "nucleus_b": (0.48, 0.65), "nucleus_opacity": (0.8, 1), "nucleus_absorb": (0.3, 0.7),
    # Platelets: 2 to 3 micrometres, irregular, granular, purple; about one per ten red cells.
    "n_platelet": (3, 9), "platelet_ratio": (0.27, 0.4), "platelet_spread": (0.1, 0.25), "platelet_stretch": (0.1, 0.5),
    "platelet_wobble": (0, 0.08), "platelet_grain": (0.05, 0.2), "platelet_r": (0.55, 0.7),
    "platelet_g": (0.4, 0.55), "platelet_b": (0.62, 0.8), "platelet_opacity": (0.6, 0.9),
    "platelet_absorb": (0.3, 0.7),
}


@dataclass(frozen=True)
class Setting:
    """Settings that a user might change by hand. clean: whether the pattern that the photos share is removed from them,
    as `scenefit fit` does by default."""

    clean: bool = True
    renderer: sf.Shapes = smear.renderer
    policy: sf.LabelPolicy = field(default_factory=sf.LabelPolicy)


DEFAULT = Setting()
# Chosen by looking at labelled photos. According to the data's own page, red cells that overlap or touch the border
# often have no box.
HAND = Setting(policy=sf.LabelPolicy(min_visibility=0.5, max_truncation=0.1, min_contrast=0.06, box="amodal"))


def wide(scale: float) -> sf.Grammar:
    """The wide grammar with all size ranges multiplied by scale."""
    return smear.wide(scale)


def naive(seed: int, count: Any) -> sf.SceneBatch:
    """Scenes of the naive grammar: so many, or those of these indices."""
    def decide(group: NodeGroup) -> Mapping[str, Any]:
        if group.kind != "image":
            return {}
        values: dict[str, Any] = {}
        for name, bounds in NAIVE.items():
            prior: Prior = sf.Integer(*map(int, bounds)) if name in COUNTS else sf.Uniform(*bounds)
            values[name] = prior.quantile(uniform(group.address, f"naive {name}"))
        return values

    return wide(1.0).sample(seed, count, decide=decide)


@cache
def pattern(data: Path) -> np.ndarray | None:
    """Flat field of the microscope's camera [H, W, 3], found in the matched photos."""
    return find_flat_field(sf.read_part(data, SIZE, MATCHED).images)


def unlabelled(data: Path, setting: Setting = DEFAULT) -> sf.Photos:
    """The matched photos. No label file is opened."""
    return _corrected(sf.read_part(data, SIZE, MATCHED), data, setting)


def with_boxes(data: Path, part: str, setting: Setting = DEFAULT) -> sf.Photos:
    """Photos of a part of the data set ("match", "few" or "val"), with their labels."""
    return _corrected(sf.read_boxes(data, SIZE, part), data, setting)


def labelled(data: Path, count: int, draw: int, setting: Setting = DEFAULT) -> sf.Photos:
    """Labelled photos: at most 50 of `few.txt`, drawn anew for each draw, or all 205 of `few.txt` and `match.txt`.
    Draw 0 takes the first ones in their fixed order. ValueError for another count."""
    few = with_boxes(data, FEW, setting)
    if count == ALL:
        return concatenated(few, with_boxes(data, MATCHED, setting))
    if count > len(few):
        raise ValueError(f"labelled photos are at most {len(few)}, or all {ALL}, got {count}")
    order = np.arange(len(few)) if draw == 0 else generator(draw, "draw of labelled photos").permutation(len(few))
    return few.take(order[:count])


def codes(boxes: sf.Boxes) -> np.ndarray:
    """Index of each box's class in `CLASSES` [m]. ValueError for another class."""
    return np.array([CLASSES.index(str(name)) for name in boxes.name], np.int64)


def count(boxes: sf.Boxes) -> np.ndarray:
    """Number of boxes of each class in each image [N, C]."""
    out = np.zeros((boxes.count, len(CLASSES)), int)
    np.add.at(out, (boxes.image, codes(boxes)), 1)
    return out


def concatenated(first: sf.Photos, second: sf.Photos) -> sf.Photos:
    """The photos of first, then those of second."""
    assert first.boxes is not None and second.boxes is not None
    pair = first.boxes, second.boxes
    boxes = sf.Boxes(len(first) + len(second), np.concatenate([pair[0].image, pair[1].image + len(first)]),
                     *(np.concatenate([getattr(one, name) for one in pair]) for name in ("box", "name", "score")))
    return sf.Photos(np.concatenate([first.images, second.images]), first.paths + second.paths,
                     first.skipped + second.skipped, np.concatenate([first.label, second.label]), boxes)


def _corrected(photos: sf.Photos, data: Path, setting: Setting) -> sf.Photos:
    return photos.remove_flat_field(pattern(data)) if setting.clean else photos
