"""From linear light to levels of an image."""

import warp as wp


@wp.func
def encode(value: float) -> float:
    """sRGB of linear light (IEC 61966-2-1)."""
    if value <= 0.0031308:
        return 12.92 * value
    return 1.055 * wp.pow(value, 1.0 / 2.4) - 0.055


@wp.func
def tone(value: float, contrast: float) -> float:
    """A film-like curve, which keeps a grey card (0.18) as it is, then sRGB, then an S-curve around the middle."""
    level = wp.clamp(encode(1.0 - wp.exp(-1.1025 * wp.max(value, 0.0))), 0.0, 1.0)
    if contrast == 1.0:
        return level
    up = wp.pow(level, contrast)
    return up / (up + wp.pow(1.0 - level, contrast))
