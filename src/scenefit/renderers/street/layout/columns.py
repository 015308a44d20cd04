"""Attributes of nodes as checked arrays, and colours as the kernels need them.

Legend: S scenes; n nodes of a kind.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.renderers.column import check_extent, read_column, to_numpy
from scenefit.renderers.street.layout.attributes import Limits
from scenefit.scenes.rng import Address, fold_in, name_hash
from scenefit.scenes.scene import SceneBatch

Floats = NDArray[np.float64]
WHO = "Street"


def read(scenes: SceneBatch, kind: str, name: str, limits: Limits) -> Floats:
    """[n], clipped to its range; the default where the kind lacks it. ValueError, naming the scene, for what is no
    finite number."""
    default, low, high = limits
    column = read_column(scenes, kind, name, "cpu", WHO)
    if column is None:
        return np.full(len(scenes.tables[kind]), default)
    check_extent(scenes, kind, name, column, WHO, low, high)
    return np.clip(to_numpy(column), low, high)


def read_all(scenes: SceneBatch, kind: str, known: Mapping[str, Limits], needed: Sequence[str] = ()) -> dict[str, Floats]:
    """All attributes of a kind. ValueError for a kind without one that it needs."""
    for name in needed:
        if name not in scenes.tables[kind]:
            raise ValueError(f"Street needs {name} of {kind}, in metres ({', '.join(needed)} of each node that it "
                             f"draws); its attributes are {sorted(scenes.tables[kind])}")
    return {name: read(scenes, kind, name, limits) for name, limits in known.items()}


def linear(red: Any, green: Any, blue: Any) -> NDArray[np.float32]:
    """sRGB levels in 0..1 as linear light [n, 3] (IEC 61966-2-1)."""
    levels = np.stack([red, green, blue], axis=-1)
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)


def keys(address: Address) -> NDArray[np.uint32]:
    """Keys of the kernels' random numbers, of scenes or of nodes."""
    return np.asarray(fold_in(address, name_hash("street")) >> np.uint64(32)).astype(np.uint32)
