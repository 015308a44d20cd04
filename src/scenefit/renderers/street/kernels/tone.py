"""From linear light to levels of an image."""

import warp as wp

GREY = wp.constant(0.4613)  # level of a grey card, of 18 % in linear light
STEEPNESS = wp.constant(1.25)  # slope at mid-grey where the contrast is 1, relative to sRGB
# Reinhard's extended curve (2002): the light that is white, and a scale with which a grey card stays as it is.
WHITE, SCALE = wp.constant(1.44), wp.constant(1.112)


@wp.func
def encode(value: float) -> float:
    """sRGB of linear light (IEC 61966-2-1)."""
    if value <= 0.0031308:
        return 12.92 * value
    return 1.055 * wp.pow(value, 1.0 / 2.4) - 0.055


@wp.func
def tone(value: float, contrast: float) -> float:
    """A shoulder up to white, 3 stops above a grey card, then sRGB, then an S-curve about the level of a grey card:
    cameras show shadows darker, and lights whiter, than sRGB does."""
    scaled = SCALE * wp.max(value, 0.0)
    level = wp.clamp(encode(scaled * (1.0 + scaled / (WHITE * WHITE * SCALE * SCALE)) / (1.0 + scaled)), 0.0, 1.0)
    up = wp.pow(level / GREY, STEEPNESS * contrast)
    return up / (up + wp.pow((1.0 - level) / (1.0 - GREY), STEEPNESS * contrast) * (1.0 - GREY) / GREY)
