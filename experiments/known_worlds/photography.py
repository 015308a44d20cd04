"""A camera of its own for the photos of known worlds: paper, edges, defocus, noise, dust and JPEG.

Imports nothing of scenefit, so that photos share no code with renders. Colours are floats [H, W, 3] in 0..1.
"""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft, ndimage, signal

Array = NDArray[Any]
EDGE_SD = 0.447  # standard deviation of the derivative of a smoothstep edge, in units of its half width
SUPERSAMPLING = 2


def texture(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Array:
    """Smooth random field [H, W] of mean 0 and unit variance; grain: standard deviation of its correlation, px."""
    waves = [np.exp(-2 * (np.pi * grain * frequency) ** 2)
             for frequency in (np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1]))]
    field = fft.irfft2(fft.rfft2(rng.standard_normal(shape)) * waves[0] * waves[1], shape)
    return (field - field.mean()) / field.std()


def cover(inside: Array, edge: Any) -> Array:
    """Cover 0..1 at signed distances from an outline, positive inside, px. An exponential edge, unlike the polynomial
    one of the renderer, of the same standard deviation; edge: half width, px."""
    scaled = np.asarray(inside) / (EDGE_SD / np.sqrt(2) * edge)
    tail = 0.5 * np.exp(-np.abs(scaled))
    return np.where(scaled > 0, 1 - tail, tail)


def window(x: float, y: float, reach: float, shape: tuple[int, int]) -> tuple[tuple[slice, slice], Array, Array]:
    """Rows and columns of a canvas around a point, and the distances of their centres from it, px."""
    height, width = shape
    top, bottom = max(int(y - reach), 0), min(int(y + reach) + 2, height)
    left, right = max(int(x - reach), 0), min(int(x + reach) + 2, width)
    down, across = np.mgrid[top:max(bottom, top), left:max(right, left)] + 0.5
    return (slice(top, max(bottom, top)), slice(left, max(right, left))), across - x, down - y


def shrink(canvas: Array, factor: int = SUPERSAMPLING) -> Array:
    """Means of factor x factor pixels."""
    height, width = canvas.shape[0] // factor, canvas.shape[1] // factor
    return canvas.reshape(height, factor, width, factor, -1).mean((1, 3))


def expose(scene: Array, rng: np.random.Generator, *, blur: float, noise: float, camera: int) -> Array:
    """The photo uint8 [H, W, 3] of a scene [H, W, 3]: defocus, vignette, dust, noise, JPEG.

    blur: standard deviation of the defocus, px.  noise: of the sensor noise at mid-grey, grey levels.  camera: number
    of the camera, which its dust belongs to.
    """
    image = defocus(scene, blur)
    image = image * vignette(image.shape[:2])[..., None] * dust(camera, image.shape[0], image.shape[1])[..., None]
    return jpeg(to_bytes(image + sensor_noise(image, rng, noise)), int(rng.integers(82, 94)))


def defocus(image: Array, sd: float) -> Array:
    """Blurred by a disc of standard deviation sd, px; the border is reflected."""
    radius = 2 * sd
    if radius < 0.3:
        return image
    taps = int(np.ceil(radius))
    down, across = np.mgrid[-taps:taps + 1, -taps:taps + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(down, across), 0, 1)
    wide = np.pad(image, ((taps, taps), (taps, taps), (0, 0)), "reflect")
    return signal.fftconvolve(wide, (kernel / kernel.sum())[..., None], mode="valid", axes=(0, 1))


@lru_cache(maxsize=4)
def vignette(shape: tuple[int, int]) -> Array:
    """Light that reaches each pixel, by the fourth power of the cosine: in the corners 0.86 of that in the middle. Its
    mean is 1, so that a scene's true brightness is that of the photo."""
    down, across = (np.linspace(-1, 1, side) for side in shape)
    squared = (down[:, None] ** 2 + across[None] ** 2) / 2
    light = (1 + 0.078 * squared) ** -2.0
    return light / light.mean()


@lru_cache(maxsize=16)
def dust(camera: int, height: int, width: int) -> Array:
    """Factor [H, W] of the blurred dust of one camera, at the same places in all of its photos."""
    rng, clear = np.random.default_rng([camera, 77]), np.ones((height, width))
    for _ in range(5):
        at, dx, dy = window(rng.uniform(0, width), rng.uniform(0, height), 12, (height, width))
        clear[at] *= 1 - rng.uniform(0.05, 0.2) * np.exp(-(dx**2 + dy**2) / (2 * rng.uniform(1.0, 2.5) ** 2))
    return clear


def sensor_noise(image: Array, rng: np.random.Generator, sd: float) -> Array:
    """Shot noise: stronger where it is light, a part of it in each colour alone, neighbours slightly correlated by
    demosaicing; its mean square over colours at mid-grey is that of sd grey levels."""
    both = rng.standard_normal((*image.shape[:2], 1)) * 0.8 + rng.standard_normal(image.shape) * 0.6
    both = ndimage.uniform_filter(both, (1, 2, 1), mode="reflect") * 0.4 + both * 0.75
    return both * (sd / 255) * np.sqrt(0.3 + 1.4 * np.clip(image, 0, 1))


def to_bytes(image: Array) -> NDArray[np.uint8]:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """image after JPEG compression."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
