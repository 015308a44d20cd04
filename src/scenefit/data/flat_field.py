"""Flat-field correction: removes what all photos have at the same position, such as dust, scratches and dead pixels.

As in microscopy, but the flat field is estimated from photos of scenes instead of an empty one (Peng et al. 2017 do so
for shading). It needs no label and no renderer. A static scene would become part of the flat field: do not use it for
videos, nor for objects that are always in the middle. Legend: N photos; H, W pixels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from scenefit.files.scratch import release, scratch_array
from scenefit.scenes.arguments import check_argument

IMAGES = "uint8 images [N, H, W, 3], such as scenefit.read_photos(folder, size).images"
MIN_PHOTOS = 20  # needed to separate the flat field from the scenes
MAX_PHOTOS = 200  # used: more hardly improve the estimate
REACH = 1 / 30  # of the shorter side: larger structures may be light of the scene, and are removed in part only
MIN_LIGHT = 16.0  # of 255: below this, rounding noise looks like a pattern
MAX_GAIN = 4.0  # a pixel that hardly receives light cannot be restored
N_ERRORS = 4.0  # standard errors by which a pixel has to differ
PASSES = 3  # a grain darkens the surroundings that it is compared with; further passes correct that
MEDIAN_ERROR = 1.4826 * 1.2533  # standard error of a median = this * median absolute deviation / sqrt(N)
# A pattern of the camera, as `find_flat_field` understands it: few strong spots, which nearly all photos show.
STRONG = 0.05  # logarithm of the sensitivity
MAX_STRONG = 0.02  # share of the pixels; more is content that the photos share, such as objects in the middle
# Correlation, and strength beside the pattern's, from which on a photo shows it; share of the photos that have to.
SHOWN, MIN_STRENGTH, MIN_SHOWING = 0.4, 0.5, 0.75
SHIFTS = [(down, across) for down in (-5, -3, -1, 1, 3, 5) for across in (-7, -5, -3, -1, 1, 3, 5, 7)]  # see `_shows`
LIMIT = 0.1  # of residuals in that correlation, so that edges of objects do not decide


def flat_field(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The camera's relative sensitivity at each pixel, estimated from photos [N, H, W, 3]: its logarithm [H, W, 3].

    0 where photos do not agree, as after the camera was moved, and where they are dark. Needs 2 bytes of memory for
    each value of up to 200 photos. ValueError for fewer than 20 photos, or images of another shape.
    """
    check_argument("flat_field(images)", "images", images, isinstance(images, np.ndarray), IMAGES)
    if images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"photos need the shape [N, H, W, 3], got {list(images.shape)}")
    if len(images) < MIN_PHOTOS:
        raise ValueError(f"a flat field is what many photos have in common, and {len(images)} are too few; "
                         f"give at least {MIN_PHOTOS} of the same camera, or leave the flat field out")
    rows = np.linspace(0, len(images) - 1, min(MAX_PHOTOS, len(images))).astype(int)
    reach = _reach(images[0])
    residual = np.empty((len(rows), *images.shape[1:]), np.float16)
    for number, row in enumerate(rows):
        residual[number] = _small(np.log(images[row].astype(np.float32) + 1))
    shared = np.stack([_shared(residual[:, line]) for line in range(residual.shape[1])])
    middle = np.stack([np.median(images[rows, line], axis=0) for line in range(images.shape[1])])
    shared[gaussian_filter(middle, reach, mode="nearest") < MIN_LIGHT] = 0
    field = shared
    for _ in range(PASSES):
        field = shared + gaussian_filter(field, reach, mode="nearest")
    limit = np.log(MAX_GAIN)
    return np.where(shared == 0, 0, field.clip(-limit, limit)).astype(np.float32)


def find_flat_field(images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """The flat field of photos [N, H, W, 3] where they share spots that can hardly be content, such as dust; else None.

    The spots cover at most a fiftieth of the image, and three quarters of every other photo show those of the remaining
    ones. None also for fewer than 40 photos. ValueError for images of another shape.
    """
    check_argument("find_flat_field(images)", "images", images, isinstance(images, np.ndarray), IMAGES)
    if len(images) < 2 * MIN_PHOTOS:
        return None
    found = flat_field(images[::2])
    strong = _strong(found).mean()
    if not 0 < strong <= MAX_STRONG or np.mean(shows_flat_field(images[1::2], found)) < MIN_SHOWING:
        return None
    return flat_field(images)


def shows_flat_field(images: NDArray[np.uint8], field: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each photo shows the strong spots of a flat field [H, W, 3] [N]. A photo of another camera, or before it
    was cleaned, hardly ever does."""
    at = np.nonzero(_strong(field))
    spots = _small(field)[at].clip(-LIMIT, LIMIT)
    shown = np.zeros(len(images), bool)
    for number, image in enumerate(images):
        shown[number] = _shows(_small(np.log(image.astype(np.float32) + 1)).clip(-LIMIT, LIMIT), at, spots)
        release(images)
    return shown


def remove_flat_field(images: NDArray[np.uint8], field: NDArray[np.float32]) -> NDArray[np.uint8]:
    """`correct_flat_field` of those photos [N, H, W, 3] that show the flat field; the others as they are."""
    corrected = correct_flat_field(images, field)
    for number in np.flatnonzero(~shows_flat_field(images, field)):
        corrected[number] = images[number]
    return corrected


def describe_spots(field: NDArray[np.float32]) -> str:
    """What a flat field [H, W, 3] shows, in a few words."""
    return f"spots at the same places, such as dust on the camera ({100 * _strong(field).mean():.2g} % of the pixels)"


def correct_flat_field(images: NDArray[np.uint8], field: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Photos [N, H, W, 3] divided by a flat field [H, W, 3] (its logarithm). ValueError for photos of another size."""
    call = "correct_flat_field(images, field)"
    check_argument(call, "images", images, isinstance(images, np.ndarray), IMAGES)
    check_argument(call, "field", field, isinstance(field, np.ndarray), "the array that flat_field(images) returns")
    if images.shape[1:] != field.shape:
        raise ValueError(f"a flat field of {field.shape[:2]} pixels cannot correct photos of {images.shape[1:3]}; "
                         "bring the photos to the size that it was made from")
    gain = np.exp(-field)
    out = scratch_array(images.shape, np.uint8)
    for number, image in enumerate(images):
        out[number] = np.clip(np.rint((image + np.float32(1)) * gain - 1), 0, 255).astype(np.uint8)
        release(out)
        release(images)
    return out


def _shows(small: NDArray[np.float32], at: tuple[NDArray[np.intp], ...], spots: NDArray[np.float32]) -> bool:
    """Whether small structures [H, W, 3] are like the spots at these pixels: correlated with them, about as strong, and
    more like them than those at any of the shifted pixels are, where likeness is chance."""
    (height, width), step = small.shape[:2], 2 * _reach(small)[0] + 1
    own, size = small[at], float((spots * spots).sum())
    likeness = float((own * spots).sum())
    if not likeness >= max(SHOWN * np.sqrt(size * float((own * own).sum())), MIN_STRENGTH * size) > 0:
        return False
    shifts = {(round(down * step) % height, round(across * step) % width) for down, across in SHIFTS} - {(0, 0)}
    return all(float((small[(at[0] + down) % height, (at[1] + across) % width] * spots).sum()) < likeness
               for down, across in shifts)


def _strong(field: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The pixels [H, W] of strong spots."""
    return np.abs(field).max(2) > STRONG


def _shared(residual: NDArray[np.float16]) -> NDArray[np.float32]:
    """Medians over the first axis, shrunk towards 0 by `N_ERRORS` standard errors (soft thresholding)."""
    values = residual.astype(np.float32)
    middle = np.median(values, axis=0)
    error = MEDIAN_ERROR * np.median(np.abs(values - middle), axis=0) / np.sqrt(len(values))
    return np.sign(middle) * np.maximum(np.abs(middle) - N_ERRORS * error, 0)


def _small(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """The small structures of an image [H, W, 3]."""
    return light - gaussian_filter(light, _reach(light), mode="nearest")


def _reach(image: NDArray[np.generic]) -> tuple[float, float, float]:
    return (REACH * min(image.shape[:2]),) * 2 + (0.0,)
