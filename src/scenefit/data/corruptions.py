"""Common corruptions of photos (Hendrycks and Dietterich 2019) for renders: dust on the lens, and JPEG compression.

No scene describes these. A network or a regression that is trained on clean renders mistakes dust for small objects,
and compression for texture; one that is trained on corrupted renders does not. Legend: S images; H, W pixels.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.scenes.rng import derive_seed

MAX_DUST = 40  # grains in an image
DUST_RADIUS = 0.002, 0.012  # range, as a share of the image's shorter side
JPEG_QUALITY = 40, 95  # range


def corrupt(images: NDArray[np.uint8], seed: int, first: int = 0) -> NDArray[np.uint8]:
    """Images [S, H, W, 3] with random dust, then compressed. Image i depends on seed and first + i alone."""
    out = np.empty_like(images)
    for number, image in enumerate(images):
        rng = np.random.default_rng(derive_seed(seed, f"wear {first + number}"))
        out[number] = corrupt_image(image, rng)
    return out


def corrupt_image(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One image [H, W, 3], corrupted with these random numbers."""
    data = io.BytesIO()
    Image.fromarray(_dusty(image, rng)).save(data, "JPEG", quality=int(rng.integers(*JPEG_QUALITY, endpoint=True)))
    return np.asarray(Image.open(data))


def _dusty(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    dusty = image.astype(np.float32)
    colour = rng.uniform(0, 255, 3)  # grains are mostly of one colour
    for _ in range(int((MAX_DUST + 1) * rng.random() ** 2)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        radius = rng.uniform(*DUST_RADIUS) * min(height, width)
        left, top = max(int(x - radius - 1), 0), max(int(y - radius - 1), 0)
        window = dusty[top:int(y + radius + 2), left:int(x + radius + 2)]
        if window.size == 0:
            continue
        down, across = np.mgrid[:window.shape[0], :window.shape[1]]
        distance = np.hypot(across + left + 0.5 - x, down + top + 0.5 - y)
        cover = np.clip(radius + 0.5 - distance, 0, 1)[..., None] * rng.uniform(0.2, 1)
        window += cover * (np.clip(colour + rng.normal(0, 30, 3), 0, 255) - window)
    return dusty.round().astype(np.uint8)
