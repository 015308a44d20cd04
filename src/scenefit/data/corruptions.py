"""What real photos have that no scene describes: dust on the lens, and compression.

A network or a regression that learns from clean renders takes dust for small objects, and compression for texture.
One that has seen worn renders does not. Legend: S images; H, W pixels.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.scenes.rng import derive_seed

MOST_DUST = 40  # grains in an image
GRAIN = 0.002, 0.012  # radius, as a part of the image's shorter side
QUALITY = 40, 95  # of JPEG


def corrupt(images: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Images [S, H, W, 3] with dust of any number, colour and density, then compressed. Image i follows seed and i."""
    out = np.empty_like(images)
    for number, image in enumerate(images):
        out[number] = corrupt_image(image, np.random.default_rng(derive_seed(seed, f"wear {number}")))
    return out


def corrupt_image(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One image [H, W, 3], worn by these random numbers."""
    held = io.BytesIO()
    Image.fromarray(_dusty(image, rng)).save(held, "JPEG", quality=int(rng.integers(*QUALITY, endpoint=True)))
    return np.asarray(Image.open(held))


def _dusty(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    soiled = image.astype(np.float32)
    colour = rng.uniform(0, 255, 3)  # mostly of one kind
    for _ in range(int((MOST_DUST + 1) * rng.random() ** 2)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        radius = rng.uniform(*GRAIN) * min(height, width)
        left, top = max(int(x - radius - 1), 0), max(int(y - radius - 1), 0)
        window = soiled[top:int(y + radius + 2), left:int(x + radius + 2)]
        if window.size == 0:
            continue
        down, across = np.mgrid[:window.shape[0], :window.shape[1]]
        apart = np.hypot(across + left + 0.5 - x, down + top + 0.5 - y)
        cover = np.clip(radius + 0.5 - apart, 0, 1)[..., None] * rng.uniform(0.2, 1)
        window += cover * (np.clip(colour + rng.normal(0, 30, 3), 0, 255) - window)
    return soiled.round().astype(np.uint8)
