"""Task-independent summary statistics of an image: colour histogram, power spectrum, CNN feature maps.

Legend: S images; H, W pixels; N photos; F statistics.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scenefit.files.scratch import release
from scenefit.metrics.features import Lite0Maps, compute, images_at_once, to_tensor

Images = NDArray[np.uint8]
CHUNK = 16
NETWORK_SIDE = 144  # pixels of the shorter side of the network's input
CELLS = 7  # of the colour histogram, per axis
REACH = 3.2  # standard deviations of the photos' colours that the histogram spans
RINGS = 16  # of the power spectrum
QUANTILES = torch.linspace(0.02, 0.98, 9)
PATCH = 8  # pixels: side of the patches in which differences between neighbours are averaged
PATCH_QUANTILES = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
SCALES = 1, 2, 4  # pixels that are averaged before


@dataclass(frozen=True, eq=False)
class ColourHistogram:
    """images uint8 [S, H, W, 3] -> square roots of the shares of colours, float32 [S, CELLS**3].

    centre [3], axes [3, 3]: of the photos' colours, which the histogram is aligned with.
    """

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]

    def __call__(self, images: Images) -> NDArray[np.float32]:
        out = np.empty((len(images), CELLS**3), np.float32)
        for row, image in enumerate(images):
            colour = (image[::2, ::2].reshape(-1, 3) / 255.0 - self.centre) @ self.axes
            cell = np.floor((np.clip(colour / REACH, -1, 1) + 1) / 2 * CELLS * 0.9999).astype(np.int64)
            code = (cell[:, 0] * CELLS + cell[:, 1]) * CELLS + cell[:, 2]
            out[row] = np.sqrt(np.bincount(code, minlength=CELLS**3) / len(code))
        return out


def histogram_for(photos: Images) -> ColourHistogram:
    """That which resolves the colours of these photos [N, H, W, 3]."""
    pixels = photos[:, ::8, ::8].reshape(-1, 3) / 255.0
    spread, axes = np.linalg.eigh(np.cov(pixels.T) + 1e-4 * np.eye(3))
    return ColourHistogram(pixels.mean(axis=0), axes / np.sqrt(spread))


@dataclass(frozen=True, eq=False)
class SummaryStatistics:
    """images uint8 [S, H, W, 3] -> statistics float32 [S, F]: of a network's feature maps (where the extra `lite0` is
    installed), colours, sharpness and scale."""

    histogram: ColourHistogram
    maps: nn.Module | None

    @torch.no_grad()
    def __call__(self, images: Images) -> Tensor:
        parts = []
        for first in range(0, len(images), CHUNK):
            part = images[first:first + CHUNK]
            count = len(part)
            if count < CHUNK:  # pad: the last bits of sums differ with the batch size
                part = np.concatenate([part, np.zeros((CHUNK - count, *part.shape[1:]), np.uint8)])
            pixels = to_tensor(part)
            statistics = [_colours(pixels), _sharpness(pixels), torch.from_numpy(self.histogram(part))]
            if self.maps is not None:
                statistics.append(_pooled(self.maps, pixels))
            parts.append(torch.cat(statistics, 1)[:count])
            release(images)
        return torch.cat(parts)

def colour_and_sharpness(images: Images) -> Tensor:
    """Statistics float32 [S, F] of colours, sharpness and noise alone; an image's do not depend on the others."""
    return compute(lambda pixels: torch.cat([_colours(pixels), _sharpness(pixels), _patches(pixels)], 1), images,
                   chunk=images_at_once(images.shape[1:3], CHUNK))


def summary_statistics_for(photos: Images) -> SummaryStatistics:
    """Statistics whose histogram resolves the colours of these photos [N, H, W, 3]."""
    try:
        maps: nn.Module | None = Lite0Maps().requires_grad_(False)
    except ImportError:
        maps = None
    return SummaryStatistics(histogram_for(photos), maps)


def _pooled(maps: nn.Module, pixels: Tensor) -> Tensor:
    """Mean, spread and maximum of each map."""
    scale = NETWORK_SIDE / min(pixels.shape[2:])
    if scale < 1:
        size = [round(side * scale) for side in pixels.shape[2:]]
        pixels = F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
    return torch.cat([part for m in maps(pixels)
                      for part in (m.mean((2, 3)), m.std((2, 3), correction=0), m.amax((2, 3)))], 1)


def _colours(pixels: Tensor) -> Tensor:
    """Quantiles of each channel, of their differences and of the brightness, and their covariance."""
    height, width = pixels.shape[2:]
    small = F.adaptive_avg_pool2d(pixels, (max(height // 4, 1), max(width // 4, 1)))
    red, green, blue = small[:, 0], small[:, 1], small[:, 2]
    mixed = torch.stack([red - green, blue - green, (red + green + blue) / 3], 1)
    both = torch.cat([small, mixed], 1).flatten(2)
    quantiles = both.quantile(QUANTILES, 2).permute(1, 0, 2).flatten(1)
    apart = mixed.flatten(2) - mixed.flatten(2).mean(2, keepdim=True)
    return torch.cat([quantiles, (apart @ apart.transpose(1, 2) / apart.shape[2]).flatten(1) * 10], 1)


def _sharpness(pixels: Tensor) -> Tensor:
    """Logarithms of the power in rings of the spectrum, and of quantiles of differences between neighbours."""
    grey = pixels.mean(1)
    power = torch.fft.rfft2(grey - grey.mean((1, 2), keepdim=True)).abs() ** 2
    down, across = torch.fft.fftfreq(grey.shape[1])[:, None], torch.fft.rfftfreq(grey.shape[2])[None]
    ring = torch.bucketize((down**2 + across**2).sqrt(), torch.logspace(-2.4, -0.3, RINGS + 1))
    rings = [power[:, ring == k].sum(1) / max(int((ring == k).sum()), 1) for k in range(1, RINGS + 1)]
    steps = (pixels[..., ::2, 1::2] - pixels[..., ::2, :-1:2]).abs().mean(1).flatten(1).quantile(QUANTILES, 1).T
    return torch.cat([torch.log(torch.stack(rings, 1) + 1e-3) / 3, torch.log(steps + 1e-3)], 1)


def _patches(pixels: Tensor) -> Tensor:
    """Logarithms of quantiles, over patches, of the differences between neighbouring pixels, in brightness and in
    colour. Those of flat patches tell of noise and those of edges of blur, whatever else the image shows."""
    out = []
    for values in (pixels.mean(1, keepdim=True), pixels[:, :1] - pixels[:, 2:]):
        for scale in SCALES:
            if min(values.shape[2:]) < 2 * PATCH:
                continue
            v = F.avg_pool2d(values, scale)
            rise, fall = v[..., 1:, 1:] - v[..., :-1, :-1], v[..., 1:, :-1] - v[..., :-1, 1:]
            crossed = (v[..., 1:, 1:] - v[..., 1:, :-1] - v[..., :-1, 1:] + v[..., :-1, :-1]) / 2
            for power in (crossed**2, (rise**2 + fall**2) / 2):
                each = F.avg_pool2d(power, PATCH // scale).flatten(1)
                out.append(torch.log(each.quantile(PATCH_QUANTILES, 1).T + 1e-6) / 2)
    return torch.cat(out, 1) if out else pixels.new_zeros((len(pixels), 0))
