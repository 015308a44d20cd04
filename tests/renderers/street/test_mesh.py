"""Meshes, and models read from files."""

import numpy as np
import pytest
import trimesh
from PIL import Image

import scenefit as sf
from scenefit.renderers.street.mesh import MATERIALS, Mesh, join

GOOD = {"points": [[0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 3]], "faces": [[0, 2, 1], [0, 1, 3]], "material": [0, 3],
        "colour": np.ones((2, 3)), "normals": np.tile([0, 0, 1.0], (4, 1)), "uv": np.zeros((4, 2))}


def test_a_mesh_has_a_size_and_types():
    mesh = Mesh(**GOOD)
    assert mesh.size == (2, 1, 3) and repr(mesh) == "Mesh(2 triangles, 2.00 x 1.00 x 3.00 m)"
    assert mesh.points.dtype == np.float32 and mesh.faces.dtype == np.int32 and mesh.material.dtype == np.uint8


def test_joined_meshes_keep_their_triangles():
    one = Mesh(**GOOD)
    both = join([one, one])
    assert np.array_equal(both.points[both.faces[2:]], one.points[one.faces]) and len(both.faces) == 4
    with pytest.raises(ValueError, match="join needs at least one mesh, got none"):
        join([])


@pytest.mark.parametrize(("change", "text"), [
    ({"points": np.zeros((4, 2))}, r"Mesh needs points of the shape \[4, 3\], got \[4, 2\]"),
    ({"colour": np.ones((3, 3))}, r"Mesh needs colour of the shape \[2, 3\], got \[3, 3\]"),
    ({"uv": np.full((4, 2), np.nan)}, "Mesh needs finite numbers, got uv with NaN or infinity"),
    ({"faces": [[0, 1, 4], [0, 1, 2]]}, "Mesh needs faces of its 4 points, got numbers from 0 to 4"),
    ({"faces": np.zeros((0, 3)), "material": [], "colour": np.zeros((0, 3))}, "Mesh needs at least one triangle"),
    ({"colour": [[0, 0, 0], [255, 0, 0]]}, "Mesh needs colours in 0..1, got 0 to 255"),
    ({"material": [0, 16]}, "Mesh needs materials below 16, numbers of MATERIALS, got 16")])
def test_what_is_no_mesh_is_refused(change, text):
    with pytest.raises(ValueError, match=text):
        Mesh(**{**GOOD, **change})


def car_file(path, texture=None):
    """A body of 4 m along z, 1 m high along y, one corner at the origin, with a glass roof on it. texture: its grey."""
    parts = trimesh.Scene()
    image = None if texture is None else Image.new("L", (2, 2), texture)
    for name, bounds, colour in (("body paint", [[0, 0, 0], [2, 1, 4]], [147, 3, 0, 255]),
                                 ("window glass", [[0.5, 1, 1], [1.5, 1.5, 3]], [20, 30, 40, 255])):
        part = trimesh.creation.box(bounds=bounds)
        part.faces = [*part.faces, [0, 0, 1]]  # a triangle without area
        material = trimesh.visual.material.PBRMaterial(name=name, baseColorFactor=colour, baseColorTexture=image)
        part.visual = trimesh.visual.TextureVisuals(uv=np.zeros((len(part.vertices), 2)), material=material)
        parts.add_geometry(part)
    parts.export(path)


def test_a_model_of_a_file_stands_on_the_ground(tmp_path):
    car_file(tmp_path / "car.glb")
    mesh = sf.load_model(tmp_path / "car.glb", length=4.4)
    assert len(mesh.faces) == 24 and mesh.size == pytest.approx((4.4, 2.2, 1.65))
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    assert np.allclose(low + high, [0, 0, high[2]], atol=1e-5) and low[2] == 0
    assert {MATERIALS[number] for number in mesh.material} == {"paint", "glass"}
    painted = mesh.material == MATERIALS.index("paint")
    seen = [200, 28, 0]  # of 147, 3, 0 in linear light
    assert np.allclose(mesh.colour[painted] * 255, seen, atol=1)
    car_file(tmp_path / "textured.glb", texture=51)
    assert np.allclose(sf.load_model(tmp_path / "textured.glb").colour[painted] * 255, np.array(seen) / 5, atol=1)
    corner = mesh.points[mesh.faces]
    outwards = np.einsum("fi,fi->f", np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]),
                         mesh.normals[mesh.faces].sum(axis=1))
    assert (outwards > 0).all(), "faces keep their outside"
    backwards = sf.load_model(tmp_path / "car.glb", forward="-z")
    assert np.allclose(backwards.points, mesh.points / 1.1 * [-1, -1, 1], atol=1e-5)


def test_models_that_do_not_fit_are_refused(tmp_path):
    car_file(tmp_path / "car.glb")
    with pytest.raises(FileNotFoundError, match="load_model: there is no file"):
        sf.load_model(tmp_path / "bus.glb")
    with pytest.raises(ValueError, match="load_model needs two different axes"):
        sf.load_model(tmp_path / "car.glb", forward="y", up="-y")
    with pytest.raises(ValueError, match="load_model needs length > 0 metres, got -1"):
        sf.load_model(tmp_path / "car.glb", length=-1)
    (tmp_path / "points.obj").write_text("v 0 0 0\nv 1 0 0\n")
    with pytest.raises(ValueError, match=r"points.obj has no triangles"):
        sf.load_model(tmp_path / "points.obj")
    (tmp_path / "broken.glb").write_text("not a model")
    with pytest.raises(ValueError, match=r"load_model cannot read .*broken.glb, .*; save it as glTF \(.glb\) or OBJ"):
        sf.load_model(tmp_path / "broken.glb")
