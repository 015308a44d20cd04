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


def load_model(path: str | Path, length: float | None = None, forward: str = "z", up: str = "y") -> Mesh:
    """A mesh from a file, standing on the ground below its middle.

    length: in metres, to which it is scaled; None where the file is in metres.  forward, up: axes of the file along
    which the model faces, and which points up: "x", "-x", "y", "-y", "z" or "-z"; by default those of glTF.
    Triangles whose material is named after glass, tyres, lamps, metal or paint get that material, all others "matte".
    Colours are those of materials, times the mean colour of their textures, or those of vertices; images of textures
    are not drawn.
    FileNotFoundError; ImportError without trimesh; ValueError for axes that do not fit, for a file that trimesh cannot
    read, and for one without triangles.
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
    try:
        loaded: Any = trimesh.load(str(path), force="scene")
    except Exception as error:  # each reader has its own
        raise ValueError(f"load_model cannot read {path}, {error}; save it as glTF (.glb) or OBJ") from error
    parts = [part for part in loaded.dump() if isinstance(part, trimesh.Trimesh)]
    for part in parts:
        part.update_faces(part.nondegenerate_faces())
    parts = [part for part in parts if len(part.faces)]
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
    colour = np.ones(3) if image is None else np.asarray(image.convert("RGB"), float).mean(axis=(0, 1)) / 255
    factor, diffuse = (getattr(material, text, None) for text in ("baseColorFactor", "diffuse"))
    if factor is not None:
        return kind, colour * _encoded(np.asarray(factor, float)[:3] / 255)  # linear in glTF
    if image is None:
        colour = np.array(GREY) if diffuse is None else np.asarray(diffuse, float)[:3] / 255
    return kind, colour


def _encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB of linear light (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
