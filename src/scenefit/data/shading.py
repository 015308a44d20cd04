"""Random shading of the objects of renders, and shadows beside them: domain randomisation (Tobin et al. 2017).

Many renderers draw objects in flat colours and without shadows. To a network that was trained on such renders alone, a
dark object of a photo and its shadow are one larger object, and a bright one with dark rims is a smaller one. Labels
stay as they are, and so does each object's mean brightness, except where light pixels are clipped. Legend: S images; H,
W pixels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scenefit.scenes.rng import derive_seed

Floats = NDArray[np.float64]
SHADOWED, SHADED = 0.5, 0.5  # shares of the images
MAX_OBJECT = 0.25  # share of an image: what covers more is ground, and casts no shadow
MAX_OFFSET = 0.25  # of a shadow from its object, as a share of the objects' size
MAX_OPACITY = 0.7
SOFTNESS = 0.03, 0.12  # range of a shadow's blur (standard deviation), as a share of the objects' size
CONTACT = 0.5  # share of the shadowed images in which objects are dark around, on all sides
MAX_RIM = 0.4  # by which rims are darker
RIM = 0.07, 0.25  # range of their width, as a share of the objects' size
MAX_UNEVEN = 0.12  # standard deviation of the unevenness of objects
GRAIN = 0.15, 0.5  # range of its correlation, as a share of the objects' size


def add_shading(images: NDArray[np.uint8], instances: NDArray[np.int32], seed: int,
                first: int = 0) -> NDArray[np.uint8]:
    """Images [S, H, W, 3], half of them with shadows of all objects in one direction, and half with uneven objects and
    dark rims. instances [S, H, W]: ids of objects, 0 for none. Image i depends on seed and first + i alone."""
    out = images.copy()
    for number, (image, instance) in enumerate(zip(images, instances, strict=True)):
        rng = np.random.default_rng(derive_seed(seed, f"shading {first + number}"))
        shadowed, shaded = rng.random() < SHADOWED, rng.random() < SHADED
        ids, size = objects_and_side(instance)
        if size and (shadowed or shaded):
            flat = np.ones(ids.shape)
            gain = (_shadow(ids, size, rng) if shadowed else flat) * (_shades(ids, size, rng) if shaded else flat)
            out[number] = np.clip(image * gain[..., None], 0, 255).round()
    return out


def objects_and_side(ids: NDArray[np.int32]) -> tuple[NDArray[np.int32], float]:
    """The ids without those of large things, and the side of a square as large as the median object, px; 0 without
    objects."""
    pixels = np.bincount(ids.ravel())
    pixels[0] = 0
    kept = (pixels > 0) & (pixels <= MAX_OBJECT * ids.size)
    return np.where(kept[ids], ids, 0), float(np.median(pixels[kept]) ** 0.5) if kept.any() else 0.0


def _shadow(ids: NDArray[np.int32], size: float, rng: np.random.Generator) -> Floats:
    """Factor of the brightness of each pixel [H, W]: at most 1, and 1 on objects."""
    mask = (ids > 0).astype(float)
    turn, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0, MAX_OFFSET) * size
    shadow = ndimage.shift(mask, (offset * np.sin(turn), offset * np.cos(turn)), order=1)
    if rng.random() < CONTACT:
        shadow = np.maximum(shadow, rng.random() * ndimage.maximum_filter(mask, 3))
    soft = ndimage.gaussian_filter(shadow, max(rng.uniform(*SOFTNESS) * size, 0.3))
    return 1 - rng.uniform(0, MAX_OPACITY) * (1 - mask) * soft


def _shades(ids: NDArray[np.int32], size: float, rng: np.random.Generator) -> Floats:
    """Factor of the brightness of each pixel [H, W]: its mean is 1 over each object, and it is 1 elsewhere. Objects
    that touch have a rim around both."""
    mask = ids > 0
    inside = np.full(mask.shape, np.inf) if mask.all() else ndimage.distance_transform_edt(mask)
    rim = rng.uniform(0, MAX_RIM) * np.exp(-np.maximum(inside - 0.5, 0) / (rng.uniform(*RIM) * size))
    field = ndimage.gaussian_filter(rng.standard_normal(ids.shape), rng.uniform(*GRAIN) * size)
    gain = np.maximum(1 - rim + rng.uniform(0, MAX_UNEVEN) * field / max(field.std(), 1e-9), 0.1)
    mean = np.bincount(ids.ravel(), gain.ravel()) / np.maximum(np.bincount(ids.ravel()), 1)
    return np.where(mask, gain / np.maximum(mean, 1e-9)[ids], 1.0)
