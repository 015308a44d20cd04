"""Outlines of class masks: distances to them, masks that are wider or narrower than what is visible, and the border of
ignored pixels that many annotators leave along them, as Pascal VOC's do.

Legend: H, W pixels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scenefit.data.class_masks import IGNORED, NONE

Mask = NDArray[np.uint8]
Floats = NDArray[np.float64]
FAR = 1e6  # pixels, where there is no outline


def distance(inside: NDArray[np.bool_]) -> Floats:
    """Of the centre of each pixel to the outline between inside and outside [H, W], pixels; negative inside. The border
    of the image is no outline."""
    if inside.all() or not inside.any():
        return np.full(inside.shape, -FAR if inside.all() else FAR)
    out: Floats = np.where(inside, 0.5 - ndimage.distance_transform_edt(inside),
                           ndimage.distance_transform_edt(~inside) - 0.5)
    return out


def redraw(mask: Mask, instances: NDArray[np.int32], margin: float, border: float) -> Mask:
    """The mask of one image [H, W] as an annotator draws it who widens all objects by a margin in pixels, or narrows
    them (below 0), and then leaves a border of ignored pixels, so many wide, along outlines and between objects.

    instances: ids of objects [H, W].  Pixels that an object gains have the class of the nearest one.
    """
    objects = mask != NONE
    if not objects.any() or not (margin or border):
        return mask
    beyond, out, ids = distance(objects) - margin, mask.copy(), np.where(objects, instances, 0)
    if margin > 0:
        nearest = ndimage.distance_transform_edt(~objects, return_distances=False, return_indices=True)
        gained = ~objects & (beyond < 0)
        source = tuple(axis[gained] for axis in nearest)
        out[gained], ids[gained] = mask[source], instances[source]
    out[beyond >= 0] = NONE
    if border:
        ignored = (beyond >= -border / 2) & (beyond < border / 2)
        between = _between(ids)
        if between.any():
            ignored |= (ids > 0) & (beyond < 0) & (ndimage.distance_transform_edt(~between) + 0.5 < border / 2)
        out[ignored] = IGNORED
    return out


def _between(ids: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Pixels of an object beside a pixel of another one [H, W]. ids: 0 for none."""
    found = np.zeros(ids.shape, bool)
    for values, out in ((ids, found), (ids.T, found.T)):
        differ = (values[1:] != values[:-1]) & (values[1:] > 0) & (values[:-1] > 0)
        out[1:] |= differ
        out[:-1] |= differ
    return found
