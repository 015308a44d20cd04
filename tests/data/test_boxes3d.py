"""Boxes in space: corners, angles and projections worked out by hand."""

import numpy as np
import pytest
from painted import frames, half_seen

from scenefit.data.boxes3d import cameras, corners, object_boxes3d, observation_angle, project_boxes3d

AWAY = [1.5, 2, 4, 0, 1.5, 10, -np.pi / 2]  # a car of 1.5 x 2 x 4 m, 10 m ahead, that drives away
CAMERA = np.array([[100.0, 0, 50, 0], [0, 100, 40, 0], [0, 0, 1, 0]])


def test_corners():
    """It stands on the ground, y = 1.5, with its length along z."""
    found = corners([AWAY])[0]
    assert sorted(map(tuple, found.round(9).tolist())) == sorted(
        (x, y, z) for x in (-1, 1) for y in (0, 1.5) for z in (8, 12))
    assert (found[:4, 1] == 1.5).all() and corners(np.zeros((0, 7))).shape == (0, 8, 3)
    across = corners([[*AWAY[:6], 0.0]])[0]
    assert np.ptp(across, axis=0).round(9).tolist() == [4, 1.5, 2]
    turned = corners([[*AWAY[:6], np.pi / 6]])[0]
    ahead = turned[[0, 1]].mean(0) - turned[[2, 3]].mean(0)  # of the bottom
    assert ahead == pytest.approx([4 * np.cos(np.pi / 6), 0, -4 * np.sin(np.pi / 6)])


def test_the_observation_angle_is_the_same_wherever_an_object_looks_the_same():
    ray = np.deg2rad([-40, 0, 40])
    boxes = np.tile(AWAY, (3, 1))
    boxes[:, 3], boxes[:, 5], boxes[:, 6] = 10 * np.sin(ray), 10 * np.cos(ray), ray + 0.3
    assert observation_angle(boxes) == pytest.approx([0.3] * 3)
    assert observation_angle([1, 1, 1, -10, 0, 10, 3]) == pytest.approx(3 + np.pi / 4 - 2 * np.pi)


def test_projection():
    """The near side, 8 m away, is the largest: 100 * 1 / 8 to each side of the middle, and from the horizon down."""
    assert project_boxes3d([AWAY], CAMERA)[0] == pytest.approx([37.5, 40, 62.5, 40 + 150 / 8])
    two = np.stack([CAMERA, CAMERA + np.array([[0, 0, 5, 0], [0] * 4, [0] * 4])])
    assert project_boxes3d([AWAY, AWAY], two)[:, 0] == pytest.approx([37.5, 42.5])
    assert np.isnan(project_boxes3d([[1.5, 2, 4, 0, 1.5, 2, -np.pi / 2]], CAMERA)).all()


def test_boxes_of_objects():
    given = np.arange(42.0).reshape(6, 7)  # of stars, which are nodes 1 and 2 of each scene
    some = half_seen(nodes={"box3d": {"star": given}})
    found = object_boxes3d(some)
    is_star = some.objects.name == "star"
    assert np.isnan(found[~is_star]).all() and len(found) == len(some.objects)
    assert found[is_star].tolist() == [given[2 * scene + node - 1].tolist() for scene, node in
                                       zip(some.objects.scene[is_star], some.objects.id[is_star], strict=True)]
    assert object_boxes3d(some.take([2]))[0].tolist() == given[4].tolist()
    assert np.isnan(object_boxes3d(frames())).all()
    with pytest.raises(ValueError, match=r"box3d of star needs the shape \[n, 7\], got \[6, 6\]"):
        object_boxes3d(frames(nodes={"box3d": {"star": given[:, :6]}}))
    with pytest.raises(ValueError, match="box3d of star has infinite values; give NaN for a node without a box"):
        object_boxes3d(frames(nodes={"box3d": {"star": np.where(given == 8, np.inf, given)}}))


def test_cameras():
    given = np.tile(CAMERA, (3, 1, 1))
    assert cameras(frames()) is None
    assert np.array_equal(cameras(frames(nodes={"camera": {"sky": given}})), given)
    with pytest.raises(ValueError, match=r"camera needs one matrix \[3, 4\] for each scene, .* \[6, 3, 4\] of star"):
        cameras(frames(nodes={"camera": {"star": np.tile(CAMERA, (6, 1, 1))}}))
    with pytest.raises(ValueError, match="camera of sky has values that are not finite"):
        cameras(frames(nodes={"camera": {"sky": given * np.nan}}))
