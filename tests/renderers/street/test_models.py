"""The standard models of streets: measures, contact with the ground, faces, materials; their primitives."""

from pathlib import Path

import numpy as np
import pytest

from scenefit.renderers.street.mesh import MATERIALS, Mesh
from scenefit.renderers.street.models import standard
from scenefit.renderers.street.models.people import FOREARM, UPPER_ARM, joint
from scenefit.renderers.street.models.primitives.cuts import cut, cut_out, decal
from scenefit.renderers.street.models.primitives.solids import ball, box, extrude, tube
from scenefit.renderers.street.models.primitives.triangles import both, grounded, make_mesh, mirrored, moved
from scenefit.renderers.street.models.trees import trees
from scenefit.renderers.street.models.vehicles.cars import CARS
from scenefit.renderers.street.models.vehicles.skin import Skin

# Kind -> least and greatest length, width and height in metres, most triangles, and materials that each model has.
KINDS = {
    "car": ((3.4, 1.8, 1.3), (5.5, 2.3, 1.95), 2800, {"paint", "glass", "metal", "rubber", "lamp", "matte"}),
    "van": ((4.2, 1.9, 1.7), (6.5, 2.6, 2.8), 3000, {"paint", "glass", "rubber", "lamp", "matte"}),
    "truck": ((6.0, 2.3, 2.2), (16.6, 3.1, 4.1), 2800, {"paint", "paint2", "glass", "rubber", "lamp"}),
    "bus": ((9.0, 2.5, 2.8), (13, 3.2, 4.5), 2800, {"paint", "glass", "rubber", "lamp"}),
    "cyclist": ((1.6, 0.4, 1.6), (1.9, 0.75, 2.0), 1500, {"paint", "paint2", "rubber", "metal", "matte"}),
    "pedestrian": ((0.25, 0.35, 1.1), (1.1, 0.8, 1.95), 750, {"paint", "paint2", "matte"}),
    "house": ((5, 6, 5), (30, 20, 18), 2800, {"paint"}),
    "tree": ((1.5, 0.6, 0.9), (12, 12, 15), 1800, set()),
    "pole": ((0.1, 0.2, 2.5), (1, 5, 12), 600, set()),
    "sign": ((0.05, 0.3, 0.7), (0.5, 2.4, 3.2), 200, set()),
    "fence": ((1.9, 0.03, 0.6), (10, 0.6, 2.4), 700, set()),
    "bollard": ((0.1, 0.1, 0.7), (0.5, 0.5, 1.1), 200, set()),
    "furniture": ((0.4, 0.3, 0.8), (4.5, 2, 2.8), 1500, set()),
}
PAGE = Path(__file__).parents[3] / "docs" / "street_models.md"
CARDS = {"tree"}  # kinds of cards and twigs that have no inside


def models() -> list[tuple[str, str, Mesh]]:
    return [(kind, name, mesh) for kind, meshes in standard().items() for name, mesh in meshes.items()]


def corners(mesh: Mesh) -> np.ndarray:
    return mesh.points[mesh.faces].astype(float)


def directions(mesh: Mesh) -> np.ndarray:
    """Unit normals of the faces."""
    a, b, c = corners(mesh).transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def volume(mesh: Mesh) -> float:
    a, b, c = corners(mesh).transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def area(mesh: Mesh, material: str | None = None) -> float:
    a, b, c = corners(mesh).transpose(1, 0, 2)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    return float(areas[slice(None) if material is None else mesh.material == MATERIALS.index(material)].sum())


def middle(mesh: Mesh, chosen: np.ndarray) -> np.ndarray:
    return corners(mesh)[chosen].mean((0, 1))


def first_faces(mesh: Mesh, origins: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """The face that each ray meets first, -1 for none."""
    a, b, c = corners(mesh).transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    facing = ways @ normals.T
    distance = ((a - origins[:, None]) * normals).sum(2) / np.where(np.abs(facing) < 1e-12, np.inf, facing)
    place = origins[:, None] + distance[..., None] * ways[:, None] - a
    square = (normals**2).sum(1)
    u, v = (np.cross(place, c - a) * normals).sum(2) / square, (np.cross(b - a, place) * normals).sum(2) / square
    distance = np.where((u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0), distance, np.inf)
    return np.where(np.isfinite(distance).any(1), distance.argmin(1), -1)


def test_the_page_lists_all_models():
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    listed = {row[1].strip(" `"): row[2].strip().split(", ") for row in rows if row[1].strip(" `") in KINDS}
    assert listed == {kind: list(meshes) for kind, meshes in standard().items()}


def test_all_kinds_have_several_models():
    assert set(standard()) == set(KINDS)
    assert {kind: len(meshes) for kind, meshes in standard().items() if len(meshes) < 3} == {}


def test_changing_what_is_given_changes_no_later_models():
    given = standard()
    hatchback = given["car"].pop("hatchback")
    assert standard()["car"]["hatchback"] is hatchback


@pytest.mark.parametrize("kind", KINDS)
def test_models_have_real_measures_few_triangles_and_their_materials(kind):
    low, high, most, materials = KINDS[kind]
    for name, mesh in standard()[kind].items():
        assert (np.array(low) <= mesh.size).all() and (mesh.size <= np.array(high)).all(), (name, mesh.size)
        assert len(mesh.faces) <= most, (name, len(mesh.faces))
        assert {MATERIALS[number] for number in np.unique(mesh.material)} >= materials, name


def test_models_stand_on_the_ground_about_the_origin():
    for kind, name, mesh in models():
        assert abs(mesh.points[:, 2].min()) < 1e-5, (kind, name)
        assert np.abs(mesh.points.min(0) + mesh.points.max(0))[:2].max() < 1e-4, (kind, name)


def test_normals_are_of_unit_length_and_point_as_their_faces_do():
    for kind, name, mesh in models():
        assert np.abs(np.linalg.norm(mesh.normals, axis=1) - 1).max() < 1e-5, (kind, name)
        hard = mesh.material != MATERIALS.index("leaf")
        agree = (mesh.normals[mesh.faces].mean(1) * directions(mesh)).sum(1)[hard]
        assert agree.min(initial=1) > 0.5, (kind, name, agree.min())


def test_colours_are_levels():
    assert all(mesh.colour.min() >= 0 and mesh.colour.max() <= 1 for _, _, mesh in models())


def test_models_of_a_kind_differ():
    for meshes in standard().values():
        shapes = {(mesh.points.tobytes(), mesh.colour.tobytes()) for mesh in meshes.values()}
        assert len(shapes) == len(meshes)


def test_faces_are_seen_from_outside():
    """Rays from around and above meet the front of the first face, but for edges of thin parts."""
    rng = np.random.default_rng(0)
    for kind, name, mesh in models():
        if kind in CARDS:
            continue
        targets, ways = corners(mesh)[rng.integers(0, len(mesh.faces), 60)].mean(1), rng.normal(size=(60, 3))
        ways[:, 2] = -np.abs(ways[:, 2])
        faces = first_faces(mesh, targets - 40 * ways, ways)
        met = faces >= 0
        fronts = (directions(mesh)[faces[met]] * ways[met]).sum(1) < 0
        assert met.sum() >= 55 and fronts.mean() > 0.94, (kind, name, met.sum(), fronts.mean())


def test_vehicles_face_forwards():
    for kind in ("car", "van", "truck", "bus"):
        for name, mesh in standard()[kind].items():
            lamps = mesh.material == MATERIALS.index("lamp")
            red = lamps & (mesh.colour[:, 0] > 3 * mesh.colour[:, 2]) & (mesh.colour[:, 1] < 0.1)
            assert middle(mesh, red)[0] < -0.4 * mesh.size[0] < 0 < middle(mesh, lamps & ~red)[0], (kind, name)


def test_cars_are_symmetric():
    for name, mesh in standard()["car"].items():
        assert abs(middle(mesh, np.ones(len(mesh.faces), bool))[1]) < 1e-3, name


def test_signs_face_backwards_and_houses_turn_their_doors_right():
    for name, mesh in standard()["sign"].items():
        shown, ways = mesh.material == MATERIALS.index("matte"), directions(mesh)[:, 0]
        assert (shown & (ways < -0.99)).sum() > (shown & (ways > 0.99)).sum() or name == "advertisement", name
    for name in ("terrace", "detached", "bungalow", "shop"):
        mesh = standard()["house"][name]
        assert middle(mesh, mesh.material == MATERIALS.index("paint2"))[1] < -0.4 * mesh.size[1], name


def test_the_bar_of_no_stopping_falls_to_the_right():
    """As those who read the sign see it."""
    x, y, z = standard()["sign"]["no stopping"].points.T
    bar = x < x.min() + 1e-4
    assert np.corrcoef(-y[bar], z[bar])[0, 1] < -0.9


def test_walls_have_textures_in_metres():
    mesh = standard()["house"]["flats"]
    wall = mesh.faces[mesh.material == MATERIALS.index("facade")]
    heights, places = mesh.uv[wall][..., 1], mesh.points[wall][..., 2]
    assert np.abs(heights - places).max() < 1e-4
    spans = np.ptp(mesh.points[wall][..., :2], axis=1).max(1)
    assert np.abs(np.ptp(mesh.uv[wall][..., 0], axis=1) - spans).max() < 1e-3


def test_trees_are_the_same_each_time():
    again = trees.__wrapped__()
    for name, mesh in standard()["tree"].items():
        assert mesh.points.tobytes() == again[name].points.tobytes(), name
        assert mesh.colour.tobytes() == again[name].colour.tobytes(), name


def test_cars_have_the_measures_of_their_tables():
    for name, car in CARS.items():
        mesh = standard()["car"][name]
        body = mesh.material == MATERIALS.index("paint")
        assert abs(mesh.size[0] - car.top[-1][0]) < 0.06, name  # plates stand out by some centimetres
        assert np.ptp(mesh.points[mesh.faces[mesh.material == MATERIALS.index("rubber")]][..., 1]) < car.width
        assert np.ptp(mesh.points[mesh.faces[body]][..., 2]) > 0.8 * (mesh.size[2] - car.ground), name


def test_sections_are_as_wide_and_high_as_the_outlines():
    skin = Skin(((0, 1), (4, 1.4)), ((0, 0.8), (4, 0.8)), ((0, 0.2), (4, 0.2)), ((0, 0.9), (4, 0.9)))
    half = skin.section(4)
    assert np.allclose(half.min(0), (0, 0.2)) and np.allclose(half.max(0), (0.9, 1.4))
    assert skin.length == 4 and skin.x(1) == 1


# ---- primitives


def test_solids_are_closed_and_turned_outward():
    assert volume(box((2, 3, 4))) == pytest.approx(24, rel=1e-5)
    assert volume(moved(box((2, 3, 4)), (5, 1, 2), 30, 20, 10, 2)) == pytest.approx(192, rel=1e-5)
    assert volume(mirrored(box((2, 3, 4), (0, 5, 0)))) == pytest.approx(24, rel=1e-5)
    assert volume(ball((1, 2, 3), sides=40, rings=30)) == pytest.approx(8 * np.pi, rel=0.02)
    assert volume(extrude([(0, 0), (1, 0), (1, 1), (0, 1)], 0, 2)) == pytest.approx(2, rel=1e-5)
    for way in ((0, 0, 3.0), (3.0, 0, 0), (0, 3.0, 0), (1.0, -2.0, 2.0)):
        assert volume(tube([(0, 0, 0), way], 0.5, 24)) == pytest.approx(0.25 * np.pi * 3, rel=0.03)


def test_creases():
    flat, smooth = make_mesh(corners(box((1, 1, 1))), crease=30), make_mesh(corners(box((1, 1, 1))), crease=120)
    assert len(flat.faces) == 12 and len(flat.points) == 24 and (np.abs(flat.normals).max(1) > 0.999).all()
    assert (np.abs(smooth.normals).max(1) < 0.999).all()


def test_triangles_without_area_are_left_out():
    assert len(make_mesh([[(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 0, 0), (1, 0, 0), (2, 0, 0)]]).faces) == 1


def test_a_cut_keeps_the_surface():
    cube = box((2, 2, 2))
    diamond = [(0.5, 1), (0, 1.5), (-0.5, 1), (0, 0.5)]
    for view in ("front", "rear", "left", "right"):
        for polygon in (diamond, diamond[::-1]):  # in either direction
            done = cut(cube, view, polygon, "glass")
            assert area(done, "glass") == pytest.approx(0.5, rel=1e-4) and area(done) == pytest.approx(24, rel=1e-4)
            assert volume(done) == pytest.approx(8, rel=1e-4)
    assert area(cut_out(cube, "left", diamond)) == pytest.approx(23.5, rel=1e-4)
    assert area(cut(cube, "top", [(-5, -5), (5, -5), (5, 5), (-5, 5)], "glass"), "glass") == pytest.approx(4, rel=1e-4)


def test_a_cut_splits_no_face_that_the_polygon_does_not_reach():
    cube = box((2, 2, 2))
    assert len(cut(cube, "front", [(3, 3), (4, 3), (4, 4)], "glass").faces) == len(cube.faces)
    assert area(cut(cube, "front", [(0, 0.5), (0.5, 0.5), (0, 1)], "glass", beyond=1.5), "glass") == 0


def test_decals_lie_on_the_surface_and_show_their_front():
    cube = box((2, 2, 2))
    for view, axis, way in (("front", 0, 1), ("rear", 0, -1), ("left", 1, 1), ("right", 1, -1)):
        strip = decal(cube, view, [(0, 0.5), (0, 1.5)], [(0.1, 0.5), (0.1, 1.5)], lift=0.01)
        assert np.allclose(strip.points[:, axis], 1.01 * way, atol=1e-5)
        assert (directions(strip)[:, axis] * way > 0.99).all()
    with pytest.raises(ValueError, match="1 of 2 points of a decal miss the mesh"):
        decal(cube, "front", [(0, 0.5), (0, 2.5)], [(0.1, 0.5), (0.1, 1.5)])


def test_moved_meshes():
    nose = moved(box((4, 1, 1)), pitch=90)  # nose down
    assert np.allclose(nose.size, (1, 1, 4), atol=1e-5) and nose.points[:, 0].min() > -1e-5
    assert np.allclose(grounded(moved(box((1, 2, 3)), (7, 8, 9))).points.min(0), (-0.5, -1, 0), atol=1e-5)
    assert len(both(box((1, 1, 1)))) == 2


def test_a_joint_is_where_both_parts_of_a_limb_end():
    shoulder, hand = np.zeros(3), np.array([0.2, 0.1, -0.4])
    elbow = joint(shoulder, hand, UPPER_ARM, FOREARM, [-1, 0, 0])
    assert np.linalg.norm(elbow) == pytest.approx(UPPER_ARM) and np.linalg.norm(hand - elbow) == pytest.approx(FOREARM)
    assert elbow[0] < 0.5 * hand[0]
    assert np.isfinite(joint(shoulder, 5 * hand, UPPER_ARM, FOREARM, [-1, 0, 0])).all()
