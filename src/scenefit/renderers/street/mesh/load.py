"""Meshes from files of other programs (glTF, OBJ and others), by trimesh."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.renderers.street.mesh import MATERIALS, Mesh, join

AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1), "-x": (-1, 0, 0), "-y": (0, -1, 0), "-z": (0, 0, -1)}
# Words in names of materials -> the material; the first that fits.
WORDS = {"glass": "glass", "window": "glass", "windscreen": "glass", "windshield": "glass", "tyre": "rubber",
         "tire": "rubber", "rubber": "rubber", "chrome": "metal", "metal": "metal", "rim": "metal", "light": "lamp",
         "lamp": "lamp", "paint": "paint", "body": "paint", "leaf": "leaf", "leaves": "leaf"}
GREY = (0.5, 0.5, 0.5)


def load_model(path: str | Path, length: float | None = None, forward: str = "x", up: str = "y") -> Mesh:
    """A mesh from a file, standing on the ground below its middle.

    length: in metres, to which it is scaled; None where the file is in metres.  forward, up: axes of the file along
    which the model faces, and which points up: "x", "-x", "y", "-y", "z" or "-z". In glTF, "y" is up, and most models
    face along "z".
    Triangles whose material is named after glass, tyres, lamps, metal or paint get that material, all others "matte".
    Colours are those of materials, the mean colour of their textures, or those of vertices; images of textures are not
    drawn.
    FileNotFoundError; ImportError without trimesh; ValueError for axes that do not fit, and for no triangles.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"load_model: there is no file {path}")
    if forward not in AXES or up not in AXES or forward[-1] == up[-1]:
        raise ValueError(f"load_model needs two different axes of {', '.join(AXES)}, got forward={forward!r} and "
                         f"up={up!r}")
    if length is not None and not 0 < length < np.inf:
        raise ValueError(f"load_model needs length > 0 metres, got {length!r}")
    try:
        import trimesh
    except ImportError as error:
        raise ImportError('load_model needs trimesh: pip install "scenefit[street]"') from error
    loaded: Any = trimesh.load(str(path), force="scene")
    parts = [part for part in loaded.dump() if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if not parts:
        raise ValueError(f"load_model: {path} has no triangles")
    ahead, above = np.array(AXES[forward], float), np.array(AXES[up], float)
    turn = np.stack([ahead, np.cross(above, ahead), above])
    return _standing(join([_part(part, turn) for part in parts]), length)


def _standing(mesh: Mesh, length: float | None) -> Mesh:
    """Scaled to a length, moved so that its lowest point lies at 0, and the middle of its box above the origin."""
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    if length is not None and not high[0] > low[0]:
        raise ValueError("load_model: the model has no length along its forward axis; give another axis")
    scale = 1.0 if length is None else length / float(high[0] - low[0])
    ground = np.array([*(low[:2] + high[:2]) / 2, low[2]])
    return Mesh((mesh.points - ground) * scale, mesh.faces, mesh.material, mesh.colour, mesh.normals, mesh.uv * scale)


def _part(part: Any, turn: NDArray[np.float64]) -> Mesh:
    """A mesh of trimesh in our axes. turn: rows of the new axes in the old ones."""
    points, normals = part.vertices @ turn.T, part.vertex_normals @ turn.T
    name, colour = _look(part)
    count = len(part.faces)
    return Mesh(points, part.faces, np.full(count, MATERIALS.index(name)), np.broadcast_to(colour, (count, 3)), normals,
                points[:, [0, 2]])


def _look(part: Any) -> tuple[str, NDArray[np.float64]]:
    """Material and sRGB colours [3] or [F, 3]."""
    visual = part.visual
    material = getattr(visual, "material", None)
    if material is None:
        return "matte", np.asarray(visual.face_colors, float)[:, :3] / 255
    name = str(getattr(material, "name", "") or "").lower()
    kind = next((one for word, one in WORDS.items() if word in name), "matte")
    image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    if image is not None:
        return kind, np.asarray(image.convert("RGB"), float).mean(axis=(0, 1)) / 255
    colour = getattr(material, "baseColorFactor", None)
    colour = getattr(material, "diffuse", None) if colour is None else colour
    if colour is None:
        return kind, np.array(GREY)
    colour = np.asarray(colour, float)[:3]
    return kind, colour / 255 if colour.max() > 1 else colour
