"""The scene file scenes/street.py: where things stand."""

import numpy as np
import pytest

import scenefit as sf
from scenes import street

SCENES = 48
VEHICLES = "car", "van", "truck", "bus", "cyclist"
THINGS = *VEHICLES, "pedestrian", "tree", "pole", "sign", "bollard", "house", "fence"


@pytest.fixture(scope="module")
def scenes():
    return street.grammar.sample(3, SCENES)


def there(scenes, kind):
    """The table's rows of the things that are there."""
    return np.flatnonzero(scenes.tables[kind]["there"] > 0)


def footprints(scenes, kind):
    """Of the things of a kind that are there: scene [n], corners on the ground in the world [n, 4, 2]."""
    table, rows = scenes.tables[kind], there(scenes, kind)
    sides = [np.asarray(table["foot" if "foot" in table else name])[rows] for name in ("length", "width")]
    scene, s, t = table.scene[rows], table["s"][rows], table["t"][rows]
    bend = np.where(scenes.tables["street"]["curvature"] == 0, 1e-12, scenes.tables["street"]["curvature"])[scene]
    turn = bend * s + np.deg2rad(table["heading"][rows])
    middle = np.stack([np.sin(bend * s) * (1 / bend - t), 1 / bend - np.cos(bend * s) * (1 / bend - t)], axis=-1)
    ahead, left = (np.stack([np.cos(turn), np.sin(turn)], -1), np.stack([-np.sin(turn), np.cos(turn)], -1))
    corners = [middle + a * sides[0][:, None] / 2 * ahead + b * sides[1][:, None] / 2 * left
               for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    return scene, np.stack(corners, axis=1)


def depth_of_overlap(a, b):
    """How far convex outlines [n, 4, 2] reach into each other, in metres; below 0 where an axis separates them."""
    depth = np.full(len(a), np.inf)
    for outline in (a, b):
        edges = np.roll(outline, -1, axis=1) - outline
        normals = np.stack([-edges[..., 1], edges[..., 0]], -1) / np.maximum(np.linalg.norm(edges, axis=-1), 1e-9)[..., None]
        for number in range(4):
            first, second = (np.einsum("nkc,nc->nk", outline, normals[:, number]) for outline in (a, b))
            depth = np.minimum(depth, np.minimum(first.max(1) - second.min(1), second.max(1) - first.min(1)))
    return depth


def test_no_two_things_intersect(scenes):
    found = [footprints(scenes, kind) for kind in THINGS]
    kind = np.repeat(np.arange(len(THINGS)), [len(scene) for scene, _ in found])
    scene, outline = (np.concatenate(parts) for parts in zip(*found, strict=True))
    pairs = np.concatenate([np.stack(np.triu_indices((scene == one).sum(), 1), 1).reshape(-1, 2)
                            + 0 * one for one in range(0)] or [np.zeros((0, 2), int)])
    for one in range(SCENES):
        rows = np.flatnonzero(scene == one)
        pairs = np.concatenate([pairs, rows[np.stack(np.triu_indices(len(rows), 1), 1)]])
    depth = depth_of_overlap(outline[pairs[:, 0]], outline[pairs[:, 1]])
    worst = np.argmax(depth)
    assert len(pairs) > 50_000
    assert depth[worst] < 0.01, f"{[THINGS[kind[row]] for row in pairs[worst]]} in scene {scene[pairs[worst, 0]]}"
