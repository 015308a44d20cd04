"""Positions of siblings: what spacing and clusters do, and that nothing else changes."""

import re
import time

import numpy as np
import pytest
from checks import same_scenes
from scipy import stats
from scipy.spatial import cKDTree

import scenefit as sf
from scenefit.scenes.point_process import joint_positions
from scenefit.scenes.rng import scene_address

W, H = 160, 120
RANGES = {"x": sf.Uniform(0, W), "y": sf.Uniform(0, H)}


def cells(n=50, root=(), **given) -> sf.Grammar:
    return sf.Grammar("image", {"image": dict(root), "cell": {**sf.positions(**{**RANGES, **given})}},
                      [sf.Rule("image", [sf.repeat("cell", n)])])


def least_distances(scenes: sf.SceneBatch) -> np.ndarray:
    """The least distance of two cells in each scene [S], opposite edges joined, in units of the regular arrangement."""
    table = scenes.tables["cell"]
    found = []
    for row in range(len(scenes)):
        at = np.stack([table["x"], table["y"]], 1)[table.scene == row]
        found.append(cKDTree(at % [W, H], boxsize=[W, H]).query(at % [W, H], 2)[0][:, 1].min()
                     / np.sqrt(2 / 3**0.5 * W * H / len(at)))
    return np.array(found)


def test_no_spacing_is_independent_uniform_to_the_bit() -> None:
    plain = sf.Grammar("image", {"image": {}, "cell": RANGES}, [sf.Rule("image", [sf.repeat("cell", 50)])]).sample(0, 5)
    for given in ({"spacing": 0}, {"clusters": 0, "cluster_radius": 5}):
        table = cells(**given).sample(0, 5).tables["cell"]
        assert all(np.array_equal(table[axis], plain.tables["cell"][axis]) for axis in "xy")


@pytest.mark.parametrize("spacing, least", [(0.3, 0.29), (0.6, 0.55), (0.9, 0.65)])
def test_siblings_keep_the_distance_that_spacing_says(spacing, least) -> None:
    found = least_distances(cells(spacing=spacing).sample(0, 20))
    assert found.min() >= least and np.median(found) <= spacing * 1.01
    assert np.median(least_distances(cells(spacing=0).sample(0, 20))) < 0.15


@pytest.mark.parametrize("given", [{"spacing": 0.7}, {"clusters": sf.Integer(1, 3), "cluster_radius": 15},
                                   {"clusters": 2, "cluster_radius": 10, "spacing": 0.4}])
def test_each_coordinate_keeps_its_prior(given) -> None:
    """Also at the edges: of independent scenes, one cell each."""
    prior = sf.Normal(60, 20, 0, H)
    table = cells(8, **given, y=prior).sample(0, 1500).tables["cell"]
    first = np.flatnonzero(np.diff(table.scene, prepend=-1))
    assert stats.kstest(table["x"][first], stats.uniform(0, W).cdf).pvalue > 1e-3
    u = np.linspace(0.001, 0.999, 1999)
    assert stats.ks_2samp(table["y"][first], prior.quantile(u)).pvalue > 1e-3


def test_clusters_are_as_many_and_as_wide_as_they_say() -> None:
    grammar = cells(400, clusters=3, cluster_radius=2, x=sf.Uniform(0, 1000), y=sf.Uniform(0, 1000))
    table, spreads = grammar.sample(0, 30).tables["cell"], []
    for row in range(30):
        at = np.stack([table["x"], table["y"]], 1)[table.scene == row]
        near = cKDTree(at).query_ball_point(at, 15)
        groups = {tuple(sorted(some)) for some in near}
        if len(groups) == 3:  # centres far from one another
            spreads += [at[list(some)].std(axis=0).mean() for some in groups]
    assert len(spreads) > 60 and np.mean(spreads) == pytest.approx(2, rel=0.05)


def test_clusters_with_spacing_do_not_cross_the_image() -> None:
    scenes = cells(30, clusters=1, cluster_radius=8, spacing=0.3).sample(0, 100)
    table = scenes.tables["cell"]
    widths = [np.ptp(table["x"][table.scene == row]) for row in range(100)]
    assert max(widths) < 0.75 * W


def test_strength_is_an_attribute_of_the_image_that_moves_cells_smoothly() -> None:
    grammar = cells(spacing=sf.learned(sf.Uniform(0.2, 0.6)), clusters=sf.learned(sf.Integer(0, 3)),
                    cluster_radius=sf.LogUniform(2, 20))
    assert grammar.learned_names == ["image.cell_spacing", "image.cell_clusters"]
    scenes = grammar.sample(0, 20)
    assert same_scenes(grammar.decode(scenes, {})[0], scenes)
    key = ("image", "cell_spacing")
    moved = [grammar.decode(scenes, {key: np.full(20, step)})[0].tables["cell"]["x"] for step in (-1e-4, 0, 1e-4)]
    steps = np.abs(np.diff(moved, axis=0))
    assert 0 < np.quantile(steps, 0.99) < 0.5
    assert sf.uniform_randomisation(grammar).learned_names == grammar.learned_names
    assert "by cell_spacing and cell_clusters" in grammar.attributes["cell"]["x"].prior.text


def test_a_scene_is_the_same_in_any_batch() -> None:
    grammar = cells(sf.Integer(0, 40), spacing=sf.Uniform(0, 1), clusters=sf.Integer(0, 3), cluster_radius=9)
    scenes = grammar.sample(0, 60)
    for some in ([17], [3, 17, 50], range(30, 60)):
        assert same_scenes(grammar.sample(0, list(some)), scenes.take(list(some)))
    back = grammar.sample(0, list(range(60))[::-1])
    for row in range(60):
        at, other = (one.tables["cell"]["y"][one.tables["cell"].scene == place]
                     for one, place in ((scenes, row), (back, 59 - row)))
        assert at.tolist() == other.tolist()


def test_siblings_are_one_parents_children() -> None:
    """Two rows of cars, placed along one coordinate that depends on their row; rows do not see each other."""
    grammar = sf.Grammar(
        "image", {"image": {}, "row": {"length": sf.Uniform(50, 100)},
                  "car": sf.positions(along=lambda car: sf.Uniform(0, car.parent["length"]), spacing=0.9)},
        [sf.Rule("image", ["row", "row"]), sf.Rule("row", [sf.repeat("car", 5)])])
    tables = grammar.sample(0, 20).tables
    car, row = tables["car"], tables["row"]
    along = np.sort(car["along"].reshape(40, 5) / row["length"][car.parent_row].reshape(40, 5), axis=1)
    gaps = np.diff(np.concatenate([along, along[:, :1] + 1], axis=1), axis=1)
    assert gaps.min() > 0.12 and gaps.max() < 0.4
    assert len({tuple(np.round(one, 6)) for one in along}) == 40


def test_hundreds_of_crowded_scenes_take_no_loop_over_objects() -> None:
    n, families = 300 * 100, np.repeat(np.arange(300), 100)
    address = scene_address(0, np.arange(n))
    start = time.process_time()
    joint_positions(address, families, ("x", "y"), np.full((300, 2), 64.0), np.full(300, 0.5), np.zeros(300, int),
                    np.zeros(300))
    assert time.process_time() - start < 3  # 0.3 s here


X = sf.Uniform(0, 9)


@pytest.mark.parametrize("make, text", [
    (lambda: sf.positions(x=X), "needs coordinates with their priors, and spacing or clusters"),
    (lambda: sf.positions(spacing=1), "needs coordinates with their priors"),
    (lambda: sf.positions(x=X, spacing=sf.Uniform(0, 2)), "spacing needs numbers in 0..1, such as Uniform(0, 1), got "),
    (lambda: sf.positions(x=X, spacing=lambda node: X), "spacing needs a prior of its own, not a function of the node"),
    (lambda: sf.positions(x=X, clusters=2), "needs clusters and cluster_radius together"),
    (lambda: sf.positions(x=X, clusters=sf.Uniform(0, 2), cluster_radius=1), "clusters needs whole numbers >= 0"),
    (lambda: sf.positions(x=X, clusters=1, cluster_radius=-1), "cluster_radius needs numbers >= 0"),
    (lambda: sf.positions(x=sf.learned(X), spacing=1), "x cannot be learned, since all siblings are placed together"),
    (lambda: sf.positions(x=4, spacing=1), "x needs a prior of numbers, such as Uniform(0, 64), got Constant(value=4)"),
    (lambda: sf.positions(a=sf.Angle(), spacing=1), "a needs a prior of numbers"),
    (lambda: sf.learned(sf.positions(x=X, spacing=1)["x"]), "write positions(..., spacing=learned(Uniform(0, 1)))"),
    (lambda: sf.Grammar("i", {"i": {}, "c": {"z": sf.positions(x=X, spacing=1)["x"]}}, [sf.Rule("i", ["c"])]),
     "the attribute z holds the coordinate 'x' of positions(...); keep the names"),
    (lambda: sf.Grammar("i", {"i": sf.positions(x=X, spacing=1)}), "is of several objects in an image, but an image"),
    (lambda: cells(root={"cell_spacing": 1}, spacing=1), "cell.x: image has an attribute cell_spacing already"),
])
def test_error_texts(make, text) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        make()
