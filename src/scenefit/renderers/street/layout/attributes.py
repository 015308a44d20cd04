"""All attributes that `Street` reads, and their columns as checked arrays. docs/street.md lists them with units.

Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.renderers.column import check_extent, read_column, to_numpy
from scenefit.scenes.rng import Address, fold_in, name_hash
from scenefit.scenes.scene import SceneBatch

Floats = NDArray[np.float64]
WHO = "Street"

# name -> default, and the range to which sampled values are clipped
Limits = tuple[float, float, float]
ANY = -np.inf, np.inf
LEVEL = 0.0, 1.0

CAMERA: Mapping[str, Limits] = {
    "camera_t": (0.0, *ANY), "camera_height": (1.6, *ANY), "camera_pitch": (0.0, -89.0, 89.0),
    "camera_yaw": (0.0, *ANY), "camera_roll": (0.0, *ANY), "field_of_view": (60.0, 5.0, 150.0)}
LIGHT: Mapping[str, Limits] = {
    "sun_azimuth": (60.0, *ANY), "sun_elevation": (40.0, 0.0, 90.0), "sun": (3.0, 0.0, 100.0), "sky": (1.0, 0.0, 100.0),
    "cloud": (0.3, *LEVEL), "warmth": (0.2, *LEVEL), "haze": (0.002, 0.0, 10.0), "exposure": (0.0, -10.0, 10.0),
    "contrast": (1.0, 0.1, 10.0), "noise": (0.0, 0.0, 255.0), "texture": (1.0, *LEVEL), "skyline": (2.0, 0.0, 30.0)}
ROAD: Mapping[str, Limits] = {
    "curvature": (0.0, -0.2, 0.2), "ground_red": (0.36, *LEVEL), "ground_green": (0.38, *LEVEL),
    "ground_blue": (0.26, *LEVEL)}
ROOT = {**CAMERA, **LIGHT, **ROAD}

# NaN: what the mesh, or the material, has.
PLACE: Mapping[str, Limits] = {
    "s": (np.nan, *ANY), "t": (np.nan, *ANY), "z": (0.0, *ANY), "heading": (0.0, *ANY),
    "length": (np.nan, 1e-3, np.inf), "width": (np.nan, 1e-3, np.inf), "height": (np.nan, 1e-3, np.inf),
    "there": (1.0, *ANY)}
PAINT: Mapping[str, Limits] = {
    "red": (0.8, *LEVEL), "green": (0.8, *LEVEL), "blue": (0.8, *LEVEL),
    "red2": (0.3, *LEVEL), "green2": (0.3, *LEVEL), "blue2": (0.3, *LEVEL)}
NODE = {**PLACE, **PAINT}
MODEL = "model"  # a number or a name

STRIP: Mapping[str, Limits] = {
    "t": (np.nan, *ANY), "width": (np.nan, 0.0, np.inf), "rise": (0.0, 0.0, 2.0), "dash": (3.0, 0.01, np.inf),
    "gap": (0.0, 0.0, np.inf), "there": (1.0, *ANY), "red": (np.nan, *LEVEL), "green": (np.nan, *LEVEL),
    "blue": (np.nan, *LEVEL)}
# Material of a strip -> its sRGB colour where a node has none.
STRIP_COLOURS: Mapping[str, tuple[float, float, float]] = {
    "asphalt": (0.36, 0.36, 0.37), "paving": (0.56, 0.55, 0.53), "kerb": (0.60, 0.59, 0.57),
    "grass": (0.35, 0.40, 0.24), "marking": (0.86, 0.86, 0.84), "matte": (0.50, 0.48, 0.45)}


def read(scenes: SceneBatch, kind: str, name: str, limits: Limits) -> Floats:
    """[n], clipped to its range; the default where the kind lacks it. ValueError, naming the scene, for what is no
    finite number."""
    default, low, high = limits
    column = read_column(scenes, kind, name, "cpu", WHO)
    if column is None:
        return np.full(len(scenes.tables[kind]), default)
    check_extent(scenes, kind, name, column, WHO, low, high)
    return np.clip(to_numpy(column), low, high)


def read_all(scenes: SceneBatch, kind: str, known: Mapping[str, Limits],
             needed: Sequence[str] = ()) -> dict[str, Floats]:
    """All attributes of a kind. ValueError for a kind without one that it needs."""
    for name in needed:
        if name not in scenes.tables[kind]:
            raise ValueError(f"Street needs {name} of {kind}, in metres ({', '.join(needed)} of each node that it "
                             f"draws); its attributes are {sorted(scenes.tables[kind])}")
    return {name: read(scenes, kind, name, limits) for name, limits in known.items()}


def dtype_of(struct: Any) -> np.dtype[Any]:
    """The type of an array of a struct of Warp's."""
    return np.dtype(struct.numpy_dtype())


def linear(red: Any, green: Any, blue: Any) -> NDArray[np.float32]:
    """sRGB levels in 0..1 as linear light [n, 3] (IEC 61966-2-1)."""
    levels = np.stack([red, green, blue], axis=-1)
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)


def keys(address: Address) -> NDArray[np.uint32]:
    """Keys of the kernels' random numbers, of scenes or of nodes."""
    return np.asarray(fold_in(address, name_hash("street")) >> np.uint64(32)).astype(np.uint32)
