"""All attributes that `Street` reads: default, and the range to which sampled values are clipped. docs/street.md lists
them with units."""

from collections.abc import Mapping

import numpy as np

Limits = tuple[float, float, float]
ANY = -np.inf, np.inf
LEVEL = 0.0, 1.0

CAMERA: Mapping[str, Limits] = {
    "camera_t": (0.0, *ANY), "camera_height": (1.6, *ANY), "camera_pitch": (0.0, -89.0, 89.0), "camera_yaw": (0.0, *ANY),
    "camera_roll": (0.0, *ANY), "field_of_view": (60.0, 5.0, 150.0)}
LIGHT: Mapping[str, Limits] = {
    "sun_azimuth": (60.0, *ANY), "sun_elevation": (40.0, 0.0, 90.0), "sun": (3.0, 0.0, 100.0), "sky": (1.0, 0.0, 100.0),
    "cloud": (0.3, *LEVEL), "warmth": (0.2, *LEVEL), "haze": (0.002, 0.0, 10.0), "exposure": (0.0, -10.0, 10.0),
    "contrast": (1.0, 0.1, 10.0), "noise": (0.0, 0.0, 255.0), "texture": (1.0, 0.0, 2.0)}
ROAD: Mapping[str, Limits] = {
    "curvature": (0.0, -0.2, 0.2), "ground_red": (0.36, *LEVEL), "ground_green": (0.38, *LEVEL),
    "ground_blue": (0.26, *LEVEL)}
ROOT = {**CAMERA, **LIGHT, **ROAD}

# NaN: what the mesh, or the material, has.
PLACE: Mapping[str, Limits] = {
    "s": (np.nan, *ANY), "t": (np.nan, *ANY), "z": (0.0, *ANY), "heading": (0.0, *ANY), "length": (np.nan, 1e-3, np.inf),
    "width": (np.nan, 1e-3, np.inf), "height": (np.nan, 1e-3, np.inf), "there": (1.0, *ANY)}
PAINT: Mapping[str, Limits] = {
    "red": (0.8, *LEVEL), "green": (0.8, *LEVEL), "blue": (0.8, *LEVEL), "red2": (0.3, *LEVEL), "green2": (0.3, *LEVEL),
    "blue2": (0.3, *LEVEL)}
NODE = {**PLACE, **PAINT}
MODEL = "model"  # a number or a name

STRIP: Mapping[str, Limits] = {
    "t": (np.nan, *ANY), "width": (np.nan, 0.0, np.inf), "rise": (0.0, 0.0, 2.0), "dash": (3.0, 0.01, np.inf),
    "gap": (0.0, 0.0, np.inf), "there": (1.0, *ANY), "red": (np.nan, *LEVEL), "green": (np.nan, *LEVEL),
    "blue": (np.nan, *LEVEL)}
# Material of a strip -> its sRGB colour where a node has none.
STRIP_COLOURS: Mapping[str, tuple[float, float, float]] = {
    "asphalt": (0.36, 0.36, 0.37), "paving": (0.56, 0.55, 0.53), "kerb": (0.60, 0.59, 0.57), "grass": (0.33, 0.42, 0.20),
    "marking": (0.86, 0.86, 0.84), "matte": (0.50, 0.48, 0.45)}
