"""The scene files scenes/street.py and scenes/street_naive.py: where things stand, and what `Street` reads of them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from scenefit.renderers.scene_file import load_scene
from scenefit.renderers.street.layout.attributes import NODE, ROOT, STRIP
from scenefit.scenes.attributes import View
from scenefit.scenes.grammar.derivation import node_groups

SCENES_FOLDER = Path(__file__).parents[2] / "scenes"
street, street_naive = (load_scene(SCENES_FOLDER / f"{name}.py").module for name in ("street", "street_naive"))
SCENES = 48
VEHICLES = "car", "van", "truck", "bus", "cyclist"
OFF_THE_ROAD = "pedestrian", "tree", "pole", "sign", "bollard", "furniture", "house", "fence"
KINDS = VEHICLES + OFF_THE_ROAD


@pytest.fixture(scope="module")
def scenes():
    return street.grammar.sample(3, SCENES)


def there(scenes, kind):
    """Rows of the things that are there."""
    return np.flatnonzero(scenes.tables[kind]["there"] > 0)


def ground(scenes, kind):
    """Metres of ground that things of a kind take along their length and width [n], without mirrors and crowns."""
    table = scenes.tables[kind]
    names = ("foot", "foot") if "foot" in table else ("length", "body" if "body" in table else "width")
    return [table[name] for name in names]


def outlines(scenes, kind):
    """Of the things that are there: scene [n], corners in the world [n, 4, 2]."""
    table, rows = scenes.tables[kind], there(scenes, kind)
    long, wide = (side[rows, None] / 2 for side in ground(scenes, kind))
    scene, s, t = table.scene[rows], table["s"][rows], table["t"][rows]
    bend = scenes.tables["street"]["curvature"][scene]
    middle = np.stack([np.sin(bend * s) * (1 / bend - t), 1 / bend - np.cos(bend * s) * (1 / bend - t)], axis=-1)
    turn = bend * s + (0 if "foot" in table else np.deg2rad(table["heading"][rows]))  # a foot: a square around a disc
    ahead, left = (np.stack([np.cos(angle), np.sin(angle)], axis=-1) for angle in (turn, turn + np.pi / 2))
    corners = [middle + a * long * ahead + b * wide * left for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    return scene, np.stack(corners, axis=1)


def overlap(a, b):
    """How far convex outlines [n, 4, 2] reach into each other, in metres; below 0 where an axis separates them."""
    depth = np.full(len(a), np.inf)
    for outline in (a, b):
        edges = np.roll(outline, -1, axis=1) - outline
        edges /= np.linalg.norm(edges, axis=-1, keepdims=True)
        for number in range(4):
            normal = np.stack([-edges[:, number, 1], edges[:, number, 0]], axis=-1)
            first, second = (np.einsum("nkc,nc->nk", corners, normal) for corners in (a, b))
            depth = np.minimum(depth, np.minimum(first.max(1) - second.min(1), second.max(1) - first.min(1)))
    return depth


def edited(scenes):
    """Scenes as a fit may change them: every learned number somewhere else in its range."""
    rng = np.random.default_rng(0)
    counts = {a.key for a in street.grammar.learned if a.count}
    offsets = {key: rng.uniform(-1, 1, len(values)) for key, values in street.grammar.normalised(scenes).items()
               if key not in counts}
    return street.grammar.decode(scenes, offsets)[0]


@pytest.mark.parametrize("change", [lambda scenes: scenes, edited], ids=["prior", "edited"])
def test_no_two_things_intersect(scenes, change):
    changed = change(scenes)
    found = [outlines(changed, kind) for kind in KINDS]
    scene, corners = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kind = np.repeat(KINDS, [len(rows) for rows, _ in found])
    rows = [np.flatnonzero(scene == one) for one in range(SCENES)]
    first, second = np.concatenate([np.stack([own[i] for i in np.triu_indices(len(own), 1)]) for own in rows], axis=1)
    depth = overlap(corners[first], corners[second])
    worst = np.argmax(depth)
    assert len(depth) > 50_000 and (kind == "car").sum() > 500
    assert depth[worst] < 0.01, f"{kind[first[worst]]} and {kind[second[worst]]} of scene {scene[first[worst]]}"


def test_overlaps_are_found(scenes):
    """What the test above measures, of cars moved ahead by three quarters of their length, and by more than that."""
    _, corners = outlines(scenes, "car")
    long = corners[:, :1] - corners[:, 3:]
    assert np.allclose(overlap(corners, corners + 0.75 * long), np.linalg.norm(long[:, 0], axis=-1) / 4)
    assert np.all(overlap(corners, corners + 1.01 * long) < 0)


def side_of(scenes, kind):
    """Rows of the table of sides that the things of a kind belong to [n]."""
    table = scenes.tables[kind]
    kinds, rows = table.parent_kind.copy(), table.parent_row.copy()
    for _ in range(6):
        for code, name in enumerate(scenes.kinds):
            mine = np.flatnonzero(kinds == code) if name != "side" else ()
            if len(mine):
                above, at = scenes.tables[name], rows[mine]
                kinds[mine], rows[mine] = above.parent_kind[at], above.parent_row[at]
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_things_stand_on_their_side_of_the_kerb(scenes, kind):
    table, rows = scenes.tables[kind], there(scenes, kind)
    side, sides = side_of(scenes, kind)[rows], scenes.tables["side"]
    outwards = table["t"][rows] * sides["outwards"][side]  # metres from the centre line, towards its side
    half = ground(scenes, kind)[1][rows] / 2
    kerb, inner = sides["kerb"][side], scenes.tables["street"]["median"][table.scene[rows]] / 2
    assert len(rows) > 10
    if kind in VEHICLES:
        assert np.all(outwards + half <= kerb) and np.all(outwards - half >= inner)
    else:
        assert np.all(outwards - half >= kerb - 1e-9)
    if kind in ("house", "fence"):
        assert np.all(outwards - half >= sides["front"][side] - 1e-9)


def test_one_drives_on_the_right_or_on_the_left(scenes):
    root = scenes.tables["street"]
    right = np.where(root["drives_on"] == "right", 1, -1)
    assert set(right) == {1, -1} and np.all(root["camera_t"] * right < 0)
    for kind in VEHICLES:
        table, rows = scenes.tables[kind], there(scenes, kind)
        on_lane = np.isin(table.parent_kind[rows], [scenes.kinds.index(name) for name in ("car_slot", "lane_slot")])
        rows = rows[on_lane]
        forwards = np.abs((table["heading"][rows] + 180) % 360 - 180) < 5
        assert np.array_equal(forwards, table["t"][rows] * right[table.scene[rows]] < 0)
        assert np.all(forwards | (np.abs(table["heading"][rows] - 180) < 5))
        assert 0 < forwards.mean() < 1


def test_the_road_before_the_camera_is_free(scenes):
    root = scenes.tables["street"]
    for kind in VEHICLES:
        table, rows = scenes.tables[kind], there(scenes, kind)
        near = np.abs(table["t"][rows] - root["camera_t"][table.scene[rows]]) < 1
        rear = table["s"][rows] - ground(scenes, kind)[0][rows] / 2
        assert np.all(rear[near] >= street.CLEAR)


def test_crowns_reach_neither_houses_nor_the_camera(scenes):
    table, root = scenes.tables["tree"], scenes.tables["street"]
    rows = there(scenes, "tree")
    scene, crown = table.scene[rows], np.maximum(table["length"], table["width"])[rows] / 2
    assert np.all(np.hypot(table["s"][rows], table["t"][rows] - root["camera_t"][scene]) > crown)
    side, sides = side_of(scenes, "tree")[rows], scenes.tables["side"]
    on_verge = np.array(table["foot"][rows] == 0.5)
    outwards = table["t"][rows] * sides["outwards"][side]
    assert 0 < on_verge.mean() < 1
    assert np.all((outwards + crown <= sides["front"][side] + root["setback"][scene] + 1e-9)[on_verge])


def test_houses_face_the_road(scenes):
    table, rows = scenes.tables["house"], there(scenes, "house")
    assert np.array_equal(table["heading"][rows], np.where(table["t"][rows] > 0, 0, 180))


def test_few_things_are_left_out_because_their_slot_is_too_small():
    scenes = street.grammar.sample(5, 64)
    taken, left_out = 0, 0
    for kind in KINDS:
        table = scenes.tables[kind]
        slots = np.zeros(len(table), bool)
        for code, name in enumerate(scenes.kinds):
            mine = table.parent_kind == code
            if mine.any():
                slots[mine] = scenes.tables[name]["there"][table.parent_row[mine]] > 0
        taken, left_out = taken + slots.sum(), left_out + (slots & (table["there"] == 0)).sum()
    assert 0 < left_out < 0.01 * taken


def test_the_same_scene_has_the_same_bytes_alone(scenes):
    alone = street.grammar.sample(3, [5])
    for kind, table in scenes.tables.items():
        for name, column in table.columns.items():
            assert alone.tables[kind][name].tobytes() == column[table.scene == 5].tobytes(), f"{kind}.{name}"


@pytest.mark.parametrize("file", [street, street_naive])
def test_all_attributes_are_read(file):
    read = file.renderer.attributes(file.grammar.start)
    for kind, attributes in file.grammar.attributes.items():
        inputs = {name for owner, name in file.grammar.prior_inputs if owner == kind}
        counts = {a.name for a in attributes.values() if a.count}
        assert set(attributes) - counts <= read.get(kind, frozenset()) | inputs, kind


def test_the_renderer_clips_no_value(scenes):
    limits = {"street": ROOT, **dict.fromkeys(street.renderer.materials, STRIP), **dict.fromkeys(KINDS, NODE)}
    for kind, table in scenes.tables.items():
        drawn = np.asarray(table["there"] > 0) if "there" in table else np.ones(len(table), bool)
        for name, (_, low, high) in limits.get(kind, {}).items():
            if name in table:
                values = table[name][drawn]
                assert np.all((values >= low) & (values <= high)), f"{kind}.{name}: {values.min()} to {values.max()}"


@pytest.mark.parametrize("file", [street, street_naive])
def test_models_exist_and_have_the_sizes_that_slots_are_made_for(file):
    scenes, meshes = file.grammar.sample(0, 32), file.renderer.meshes()
    for kind in set(meshes) & set(scenes.kinds):
        table = scenes.tables[kind]
        models = table["model"] if "model" in table else np.zeros(len(table), int)
        for model in np.unique(models):
            mesh = meshes[kind][model] if models.dtype.kind == "U" else list(meshes[kind].values())[model]
            mine = models == model
            for name, natural in zip(("length", "width", "height"), mesh.size, strict=True):
                if name in table and "scale" in table:
                    ratio = table[name][mine] / table["scale"][mine] / natural
                    assert ratio.min() > 0.85 and ratio.max() < 1.15, f"{name} of {model}"


def test_bends_shorten_slots(scenes):
    """Inside a bend, a slot's inner edge is shorter than the centre line, by the share that the node says."""
    for (kind, _), group in node_groups(scenes).items():
        if kind == "parking_bay":
            root = View(scenes.kinds, node_groups(scenes), group).root
            left = root["curvature"] * group.columns["t"] > 0
            assert left.any() and np.all(group.columns["tight"][left] < 1) and np.all(group.columns["tight"] > 0.5)


@pytest.mark.parametrize("name", ["street", "street_naive"])
def test_scene_files_need_no_warp(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "warp", None)
    assert len(load_scene(SCENES_FOLDER / f"{name}.py").grammar.sample(0, 1)) == 1
