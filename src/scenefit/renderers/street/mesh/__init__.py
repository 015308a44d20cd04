"""Meshes of the street's models: triangles with materials, colours, normals and coordinates of textures.

Legend: V vertices; F triangles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MATERIALS = ("matte", "paint", "paint2", "glass", "metal", "rubber", "lamp", "facade", "roof", "leaf", "bark",
             "asphalt", "paving", "kerb", "grass", "marking")
# Name of an array -> its type, and the shape of its rows.
ARRAYS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "points": (np.float32, (3,)), "faces": (np.int32, (3,)), "material": (np.uint8, ()), "colour": (np.float32, (3,)),
    "normals": (np.float32, (3,)), "uv": (np.float32, (2,))}
OF_FACES = ("faces", "material", "colour")  # the others have a row a vertex


@dataclass(frozen=True, eq=False, repr=False)
class Mesh:
    """Triangles of one model, in metres: x forward, y left, z up, origin on the ground below its middle.

    points: float32 [V, 3].  faces: int32 [F, 3], counter-clockwise seen from outside.  material: uint8 [F], numbers of
    `MATERIALS`.
    colour: float32 [F, 3], sRGB in 0..1; multiplied by the node's paint where the material is "paint", by its second
    colour where it is "paint2".
    normals: float32 [V, 3], for smooth shading.  uv: float32 [V, 2], coordinates of textures, in metres.
    ValueError for other shapes, numbers that are not finite, colours beyond 0..1, and faces or materials that do not
    exist.
    """

    points: NDArray[np.float32]
    faces: NDArray[np.int32]
    material: NDArray[np.uint8]
    colour: NDArray[np.float32]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, (dtype, row) in ARRAYS.items():
            values = np.asarray(getattr(self, name))
            rows = len(self.faces) if name in OF_FACES else len(self.points)
            if values.shape != (rows, *row):
                raise ValueError(f"Mesh needs {name} of the shape {[rows, *row]}, got {list(values.shape)}")
            if not np.isfinite(values).all():
                raise ValueError(f"Mesh needs finite numbers, got {name} with NaN or infinity")
            object.__setattr__(self, name, np.ascontiguousarray(values, dtype))
        if not len(self.faces):
            raise ValueError("Mesh needs at least one triangle, got none")
        if self.faces.min() < 0 or self.faces.max() >= len(self.points):
            raise ValueError(f"Mesh needs faces of its {len(self.points)} points, got numbers from {self.faces.min()} "
                             f"to {self.faces.max()}")
        if self.colour.min() < 0 or self.colour.max() > 1:
            raise ValueError(f"Mesh needs colours in 0..1, got {self.colour.min():g} to {self.colour.max():g}")
        if self.material.max() >= len(MATERIALS):
            raise ValueError(f"Mesh needs materials below {len(MATERIALS)}, numbers of MATERIALS, got "
                             f"{self.material.max()}")

    def __repr__(self) -> str:
        return f"Mesh({len(self.faces)} triangles, {' x '.join(f'{side:.2f}' for side in self.size)} m)"

    @property
    def size(self) -> tuple[float, float, float]:
        """Length, width and height, in metres: extents along x, y and z."""
        length, width, height = np.ptp(self.points, axis=0).tolist()
        return length, width, height


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several, their triangles in order. ValueError for none."""
    if not len(meshes):
        raise ValueError("join needs at least one mesh, got none")
    first = np.cumsum([0, *(len(mesh.points) for mesh in meshes[:-1])])
    rows = {name: np.concatenate([getattr(mesh, name) for mesh in meshes]) for name in ARRAYS if name != "faces"}
    faces = np.concatenate([mesh.faces + start for mesh, start in zip(meshes, first.tolist(), strict=True)])
    return Mesh(faces=faces, **rows)
