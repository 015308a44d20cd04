"""Common corruptions of photos (Hendrycks and Dietterich 2019) for renders: faint texture, dust on the lens, and JPEG
compression.

No scene describes these. A network or a regression that is trained on clean renders mistakes texture for noise, dust
for small objects, and compression for texture; one that is trained on corrupted renders does not. Legend: S images;
H, W pixels.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scenefit.scenes.rng import derive_seed

MAX_DUST = 40  # grains in an image
DUST_RADIUS = 0.002, 0.012  # range, as a share of the image's shorter side
JPEG_QUALITY = 40, 95  # range
TEXTURED = 0.5  # share of the images that get texture
MAX_CONTRAST = 0.05  # of texture: its standard deviation as a share of the brightness
TEXTURE_GRAIN = 0.6, 6.0  # range of its correlation, pixels


def corrupt(images: NDArray[np.uint8], seed: int, first: int = 0) -> NDArray[np.uint8]:
    """Images [S, H, W, 3] with random dust, then compressed. Image i depends on seed and first + i alone."""
    out = np.empty_like(images)
    for number, image in enumerate(images):
        rng = np.random.default_rng(derive_seed(seed, f"wear {first + number}"))
        out[number] = corrupt_image(image, rng)
    return out


def add_texture(images: NDArray[np.uint8], seed: int, first: int = 0) -> NDArray[np.uint8]:
    """Images [S, H, W, 3], half of them with a faint smooth texture all over. Image i depends on seed and first + i."""
    out = images.copy()
    for number, image in enumerate(images):
        rng = np.random.default_rng(derive_seed(seed, f"texture {first + number}"))
        if rng.random() < TEXTURED:
            contrast, grain = rng.uniform(0, MAX_CONTRAST), np.exp(rng.uniform(*np.log(TEXTURE_GRAIN)))
            field = 1 + contrast * texture(rng, image.shape[:2], grain)
            out[number] = np.clip(image * field[..., None], 0, 255).round()
    return out


def texture(rng: np.random.Generator, shape: tuple[int, ...], grain: float) -> NDArray[np.float64]:
    """Gaussian random field [H, W] of mean 0 and unit variance, smoothed by a Gaussian of `grain` pixels."""
    down, across = (np.exp(-2 * (np.pi * grain * frequency) ** 2)
                    for frequency in (np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])))
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * down[:, None] * across, shape)
    return (field - field.mean()) / max(field.std(), 1e-12)


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
