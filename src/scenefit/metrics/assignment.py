"""Which detected object stands at which expected place: an assignment of least distance, image by image; and how well
all objects of an image fit to the places of a scene.

Legend: m objects; s places; N images; S scenes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MIN_REACH = 2.0  # pixels between the centres of an object and its place, and a share of the place's longer side
REACH_SHARE = 0.6
PRECISION = 0.25  # standard deviation of an object's distance to its place, as a share of the place's longer side
STRAY = 0.05  # likelihood, beside 1 at its place, of an object that belongs to no place


@dataclass(frozen=True, eq=False)
class Extents:
    """Objects or places in images. image, kind [m]; box [m, 4]."""

    image: Ints
    kind: Ints
    box: Floats

    @property
    def centre(self) -> Floats:
        """x, y [m, 2]"""
        return (self.box[:, :2] + self.box[:, 2:]) / 2

    def take(self, rows: NDArray[Any]) -> "Extents":
        """Those of these rows, or where a mask is true."""
        return Extents(self.image[rows], self.kind[rows], self.box[rows])

    @property
    def reach(self) -> Floats:
        """The largest distance [m] of what is assigned, px."""
        return np.maximum(MIN_REACH, REACH_SHARE * (self.box[:, 2:] - self.box[:, :2]).max(1, initial=0))


def join_extents(parts: Sequence[Extents]) -> Extents:
    """All of them, their images numbered as they are."""
    return Extents(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("image", "kind", "box")))


def assign(objects: Extents, places: Extents, group: Ints) -> tuple[Ints, Floats]:
    """Of each place [s], the row of the object of its kind and image that is assigned to it, -1 for none, and their
    distance as a share of the place's reach, 1 for none.

    group [s]: places of one group compete for the objects of their image, each of which is assigned once in a group.
    """
    found, distance = np.full(len(group), -1), np.ones(len(group))
    order = np.argsort(objects.image, kind="stable")
    image, middle, centre, reach = objects.image[order], objects.centre, places.centre, places.reach
    by_group = np.argsort(group, kind="stable")
    for rows in np.split(by_group, np.flatnonzero(np.diff(group[by_group])) + 1) if len(group) else ():
        first, last = np.searchsorted(image, [places.image[rows[0]], places.image[rows[0]] + 1])
        mine = order[first:last]
        apart = np.linalg.norm(middle[mine, None] - centre[None, rows], axis=2) / reach[rows]
        apart[(apart > 1) | (objects.kind[mine][:, None] != places.kind[rows])] = 1.0
        for one, place in zip(*linear_sum_assignment(apart), strict=True):
            if apart[one, place] < 1:
                found[rows[place]], distance[rows[place]] = mine[one], apart[one, place]
    return found, distance


def log_likelihood(objects: Extents, images: int, places: Extents, scenes: int) -> Floats:
    """Of the objects of each image at the places of each scene [N, S], up to a constant of each image: every object
    lies near its nearest place, whatever its kind, or is a stray one."""
    out, middle, centre = np.zeros((images, scenes)), objects.centre, places.centre
    spread = PRECISION * (places.box[:, 2:] - places.box[:, :2]).max(1, initial=0)
    order = np.argsort(places.image, kind="stable")
    for scene, rows in enumerate(np.split(order, np.searchsorted(places.image[order], np.arange(1, scenes)))):
        near = np.zeros(len(middle))
        if len(rows) and len(middle):
            apart, at = cKDTree(centre[rows]).query(middle)
            near = np.exp(-((apart / spread[rows[at]]) ** 2) / 2)
        out[:, scene] = np.bincount(objects.image, np.log(STRAY + near), images)
    return out
