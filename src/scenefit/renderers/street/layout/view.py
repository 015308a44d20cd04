"""Cameras and lights of scenes. Legend: S scenes."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scenefit.renderers.street.layout.attributes import Floats

# Linear colours of the sky, clear and overcast, where its strength is 1; of the sun, white and warm.
ZENITH = np.array([(0.16, 0.32, 0.70), (0.70, 0.73, 0.78)])
HORIZON = np.array([(0.78, 0.86, 0.95), (0.86, 0.87, 0.89)])
SUN = np.array([(1.0, 0.97, 0.92), (1.0, 0.66, 0.36)])
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear sRGB (IEC 61966-2-1)
AIR = 0.07, 0.30  # share of the sun's light that air at the zenith and at the horizon scatters
BALANCE = 0.6  # share of a colour cast, in logarithms, that the camera's white balance removes
DARK = 1e-3  # light below which exposure does not follow


def axes(root: Mapping[str, Floats]) -> Floats:
    """Directions of each camera in the world [S, 3, 3]: rows right, down, forward. ISO 8855: positive pitch looks down,
    positive roll leans to the right."""
    yaw, pitch, roll = (np.deg2rad(root[f"camera_{name}"]) for name in ("yaw", "pitch", "roll"))
    forward = np.stack([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), -np.sin(pitch)], axis=-1)
    level = np.stack([-np.sin(yaw), np.cos(yaw), np.zeros_like(yaw)], axis=-1)  # to the left, without roll
    upright = np.cross(forward, level)
    left = np.cos(roll)[:, None] * level + np.sin(roll)[:, None] * upright
    return np.stack([-left, -np.cross(forward, left), forward], axis=1)


def focal_length(root: Mapping[str, Floats], width: int) -> Floats:
    """In pixels [S]."""
    return width / 2 / np.tan(np.deg2rad(root["field_of_view"]) / 2)


def cameras(root: Mapping[str, Floats], size: tuple[int, int], dtype: np.dtype) -> NDArray:
    """[S], as the struct `Camera` of the kernels."""
    height, width = size
    out = np.zeros(len(root["camera_t"]), dtype)
    right, down, forward = np.moveaxis(axes(root), 1, 0)
    pixel = 1 / focal_length(root, width)[:, None]
    out["eye"] = np.stack([np.zeros_like(root["camera_t"]), root["camera_t"], root["camera_height"]], axis=-1)
    out["corner"] = forward - pixel * (width / 2 * right + height / 2 * down)
    out["right"], out["down"] = pixel * right, pixel * down
    return out


def lights(root: Mapping[str, Floats], key: NDArray[np.uint32], dtype: np.dtype) -> NDArray:
    """[S], as the struct `Light`. The exposure is metered: at 0 stops, a grey card on the sunny road is mid-grey."""
    out = np.zeros(len(key), dtype)
    azimuth, elevation = np.deg2rad(root["sun_azimuth"]), np.deg2rad(root["sun_elevation"])
    flat = np.cos(elevation)
    out["sun"] = np.stack([np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(elevation)], axis=-1)
    cloud, warmth, sky = (root[name][:, None] for name in ("cloud", "warmth", "sky"))
    sun = root["sun"][:, None] * (SUN[0] * (1 - warmth) + SUN[1] * warmth)
    glow = 1 + 0.5 * warmth * (SUN[1] - 1)  # of the horizon
    air = sun * np.sin(elevation)[:, None]
    zenith = sky * (ZENITH[0] * (1 - cloud) + ZENITH[1] * cloud) + AIR[0] * air
    horizon = sky * (HORIZON[0] * (1 - cloud) + HORIZON[1] * cloud) * glow + AIR[1] * air
    out["sun_colour"], out["zenith"], out["horizon"] = sun, zenith, horizon
    arriving = np.maximum(sun * np.sin(elevation)[:, None] + (zenith + horizon) / 2, DARK)
    level = arriving @ LUMINANCE
    cast = arriving / level[:, None]
    out["gain"] = (2.0 ** root["exposure"] / level)[:, None] / cast ** BALANCE
    for name in ("cloud", "haze", "texture", "contrast", "noise"):
        out[name] = root[name]
    out["skyline"] = np.tan(np.deg2rad(root["skyline"]))
    out["key"] = key
    return out
