"""The background behind the shapes, and the camera: light, blur, colour cast, contrast and noise.

Each scene is computed alone, so that it has the same bytes in any batch. Legend: S scenes; H, W pixels.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.renderers.shapes.outline import GRAIN, Limits, straight_pattern
from scenefit.scenes.rng import Address, generator, uniform

# name -> default, and the range that it is clipped to
ATTRIBUTES: Mapping[str, Limits] = {
    "shade": (0.9, 0.0, 1.0), "red": (0.9, 0.0, 1.0), "green": (0.9, 0.0, 1.0), "blue": (0.9, 0.0, 1.0),
    "grain": (0.0, 0.0, 1.0), "grain_size": (8.0, 0.5, np.inf), "light": (0.0, -1.0, 1.0),
    "light_angle": (0.0, -np.inf, np.inf), "vignette": (0.0, 0.0, 1.0),
    "shadow": (0.0, 0.0, 1.0), "shadow_angle": (0.0, -np.inf, np.inf), "blur": (0.0, 0.0, np.inf),
    "red_gain": (1.0, 0.0, 4.0), "green_gain": (1.0, 0.0, 4.0), "blue_gain": (1.0, 0.0, 4.0),
    "contrast": (1.0, 0.0, 4.0), "noise": (0.0, 0.0, np.inf)}
MIN_BLUR = 0.05  # pixels; less is not computed
SHARP = 0.01  # pixels: of less, the weight of the next pixel is 0 in any precision


def background(values: Mapping[str, Tensor], address: Address, size: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """[S, 3, H, W]. values: attribute -> [S]."""
    (height, width), device = size, values["red"].device
    y, x = (torch.arange(length, device=device, dtype=dtype) for length in size)
    colour = torch.stack([values[name] for name in ("red", "green", "blue")], 1).to(dtype)[:, :, None, None]
    slow = any(values[name].requires_grad for name in ("grain", "grain_size"))
    canvas = colour.expand(-1, 3, height, width).clone() if slow or colour.requires_grad else \
        torch.empty((len(colour), 3, height, width), dtype=dtype, device=device).copy_(colour)
    factors = {}
    for row in range(len(colour)):
        if _is_used(values["grain"][row]):
            cell, start = values["grain_size"][row].to(dtype), float(GRAIN * uniform(address[row], "grain"))
            rough = straight_pattern(x / cell + start, y / cell + start)
            factors[row] = (1 + values["grain"][row].to(dtype) * rough).clamp(min=0)
    if slow or canvas.requires_grad:
        return torch.stack([image * factors[row] if row in factors else image for row, image in enumerate(canvas)])
    for row, factor in factors.items():
        canvas[row] *= factor
    return canvas


def apply_camera(canvas: Tensor, values: Mapping[str, Tensor], address: Address) -> Iterator[Tensor]:
    """Each image of canvas [S, 3, H, W] as the camera records it, in 0..1: [3, H, W]. canvas may be changed."""
    across, down = _coordinates(canvas)
    for row, image in enumerate(canvas):
        yield _record(image, {name: column[row] for name, column in values.items()}, address[row], across, down)


def _coordinates(canvas: Tensor) -> tuple[Tensor, Tensor]:
    """Of the pixels, from the middle: across [W] and down [H, 1], where a corner is at distance 1."""
    height, width = canvas.shape[2:]
    half = float(np.hypot(height, width)) / 2
    across = (torch.arange(width, device=canvas.device, dtype=canvas.dtype) + 0.5 - width / 2) / half
    down = (torch.arange(height, device=canvas.device, dtype=canvas.dtype) + 0.5 - height / 2) / half
    return across, down[:, None]


def _record(image: Tensor, one: Mapping[str, Tensor], address: np.uint64, across: Tensor, down: Tensor) -> Tensor:
    """One image [3, H, W], which may be changed."""
    dtype = image.dtype
    if _is_used(one["blur"], MIN_BLUR):
        image = gaussian_blur(image, one["blur"].to(dtype))
    if _is_used(one["light"]) or _is_used(one["vignette"]):
        turn = torch.deg2rad(one["light_angle"])
        slope_x, slope_y = (one["light"] * turn.cos()).to(dtype), (one["light"] * -turn.sin()).to(dtype)
        vignette = one["vignette"].to(dtype)
        field = (1 + across * slope_x - across * across * vignette) + (down * slope_y - down * down * vignette)
        image = _times(image, field)
    contrast = one["contrast"]
    gain = torch.stack([one[name] for name in ("red_gain", "green_gain", "blue_gain")])
    if _is_used(contrast - 1) or bool((gain != 1).any()) or gain.requires_grad:
        image = _plus(_times(image, (gain * contrast).to(dtype)[:, None, None]), (0.5 * (1 - contrast)).to(dtype))
    if _is_used(one["noise"]):
        grain = torch.as_tensor(noise(address, image.shape[1], image.shape[2]), device=image.device).to(dtype)
        image = _plus(image, grain * (one["noise"] / 255).to(dtype))
    return image.clamp(0, 1) if image.requires_grad else image.clamp_(0, 1)


def noise(address: np.uint64, height: int, width: int) -> NDArray[np.float32]:
    """Nearly normal numbers of unit variance [H, W], none beyond 3.5: sums of four random bytes, which are fast."""
    four = np.frombuffer(generator(address, "noise").bytes(4 * height * width), np.uint8).reshape(4, height, width)
    total = four[0].astype(np.int16)
    for part in four[1:]:
        total += part
    return (total.astype(np.float32) - np.float32(510)) * np.float32(1 / np.sqrt((256**2 - 1) / 3))


def gaussian_blur(image: Tensor, sd: Tensor) -> Tensor:
    """image [C, H, W] convolved with a Gaussian of sd >= 0 pixels; the border is repeated."""
    taps = min(int(np.ceil(3 * float(sd.detach()))), 3 * max(image.shape[1:]))
    at = torch.arange(taps + 1, device=image.device, dtype=image.dtype)
    weight = torch.exp(-0.5 * (at / sd.clamp(min=SHARP)) ** 2)  # without 0 / 0, and with a gradient of 0
    weight = weight / (2 * weight.sum() - weight[0])
    return _pass(_pass(image, weight, 2), weight, 1)


def _pass(image: Tensor, weight: Tensor, axis: int) -> Tensor:
    taps, length = len(weight) - 1, image.shape[axis]
    pad = (taps, taps, 0, 0) if axis == 2 else (0, 0, taps, taps)
    wide = torch.nn.functional.pad(image[None], pad, "replicate")[0]
    out = image * weight[0]
    for tap in range(1, taps + 1):
        both = wide.narrow(axis, taps - tap, length) + wide.narrow(axis, taps + tap, length)
        out = _plus(out, _times(both, weight[tap]))
    return out


def _times(image: Tensor, factor: Tensor) -> Tensor:
    """In place where no gradient is needed: the same numbers with less memory traffic."""
    return image * factor if image.requires_grad or factor.requires_grad else image.mul_(factor)


def _plus(image: Tensor, term: Tensor) -> Tensor:
    return image + term if image.requires_grad or term.requires_grad else image.add_(term)


def _is_used(value: Tensor, threshold: float = 0.0) -> bool:
    return value.requires_grad or abs(float(value)) > threshold

