"""What photos of different scenes share at the same place belongs to the camera: dust, scratches, dead pixels.

Flat-field correction as microscopes have it, but from photos of scenes in place of an empty one (as Peng et al. 2017
do for shading). No label, and no renderer, is needed. A scene that stands still belongs to the camera then: this is not
for videos, nor for objects that are always in the middle. Legend: N photos; H, W pixels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

LEAST = 20  # photos, to tell the camera from the scene
MOST = 200  # photos that are looked at: more hardly tell more
REACH = 1 / 30  # of the shorter side: what is much larger may be light of the scene, and is taken out in part only
DARK = 16.0  # of 255: where there is less light around, noise in whole numbers looks like a pattern
MOST_GAIN = 4.0  # a pixel that hardly sees anything cannot tell what was there
SURE = 4.0  # standard errors that a pixel has to differ by
PASSES = 3  # a grain darkens the surroundings that it is held against; these take that out
MEDIAN_ERROR = 1.4826 * 1.2533  # standard error of a median, of the median absolute deviation and the root of N


def flat_field(photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much light the camera lets through at each place, for photos [N, H, W, 3]: its logarithm [H, W, 3].

    0 where photos do not agree, as after a camera was moved, and where they are dark. Takes 2 bytes a value of up to
    200 photos. ValueError for fewer than 20 photos, or images of another shape.
    """
    if photos.ndim != 4 or photos.shape[3] != 3:
        raise ValueError(f"photos need the shape [N, H, W, 3], got {list(photos.shape)}")
    if len(photos) < LEAST:
        raise ValueError(f"the camera's own pattern shows in what many photos share, and {len(photos)} are too few; "
                         f"give at least {LEAST} of the same camera, or leave the flat field out")
    rows = np.linspace(0, len(photos) - 1, min(MOST, len(photos))).astype(int)
    reach = (REACH * min(photos.shape[1:3]),) * 2 + (0.0,)
    apart = np.empty((len(rows), *photos.shape[1:]), np.float16)
    for number, row in enumerate(rows):
        light = np.log(photos[row].astype(np.float32) + 1)
        apart[number] = light - gaussian_filter(light, reach, mode="nearest")
    shared = np.stack([_shared(apart[:, line]) for line in range(apart.shape[1])])
    middle = np.stack([np.median(photos[rows, line], axis=0) for line in range(photos.shape[1])])
    shared[gaussian_filter(middle, reach, mode="nearest") < DARK] = 0
    field = shared
    for _ in range(PASSES):
        field = shared + gaussian_filter(field, reach, mode="nearest")
    most = np.log(MOST_GAIN)
    return np.where(shared == 0, 0, field.clip(-most, most)).astype(np.float32)


def correct_flat_field(photos: NDArray[np.uint8], field: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Photos [N, H, W, 3] without the camera's pattern [H, W, 3]. ValueError for photos of another size."""
    if photos.shape[1:] != field.shape:
        raise ValueError(f"a flat field of {field.shape[:2]} pixels cannot correct photos of {photos.shape[1:3]}; "
                         "bring the photos to the size that it was made from")
    gain = np.exp(-field)
    out = np.empty_like(photos)
    for number, photo in enumerate(photos):
        out[number] = np.clip(np.rint((photo + np.float32(1)) * gain - 1), 0, 255).astype(np.uint8)
    return out


def _shared(apart: NDArray[np.float16]) -> NDArray[np.float32]:
    """Medians over the first axis, drawn towards 0 by what chance alone may do."""
    values = apart.astype(np.float32)
    middle = np.median(values, axis=0)
    error = MEDIAN_ERROR * np.median(np.abs(values - middle), axis=0) / np.sqrt(len(values))
    return np.sign(middle) * np.maximum(np.abs(middle) - SURE * error, 0)
