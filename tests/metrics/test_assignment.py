"""Which object stands at which place."""

import numpy as np

from scenefit.metrics.assignment import STRAY, Extents, assign, log_likelihood


def squares(*rows):
    """(image, kind, x, y) of squares of 10 pixels."""
    image, kind, x, y = np.array(rows, float).reshape(-1, 4).T
    return Extents(image.astype(int), kind.astype(int), np.stack([x - 5, y - 5, x + 5, y + 5], 1))


def test_all_places_together_are_nearest_to_their_objects():
    """By turns of the nearest, the first place would take the object between both, and the second none."""
    objects, places = squares((0, 0, 14, 10), (0, 0, 9, 10)), squares((0, 0, 12, 10), (0, 0, 18, 10))
    found, distance = assign(objects, places, np.zeros(2, int))
    assert found.tolist() == [1, 0] and np.allclose(distance, [3 / 6, 4 / 6])


def test_objects_of_other_images_and_kinds_and_those_out_of_reach_are_not_assigned():
    objects = squares((1, 0, 10, 10), (0, 1, 30, 30), (0, 0, 57, 50))
    places = squares((0, 0, 10, 10), (0, 0, 30, 30), (0, 0, 50, 50), (1, 0, 10, 10))
    found, distance = assign(objects, places, places.image)
    assert found.tolist() == [-1, -1, -1, 0] and distance.tolist() == [1, 1, 1, 0]


def test_each_group_is_assigned_on_its_own_and_each_object_once_in_it():
    objects, places = squares((0, 0, 10, 10)), squares((0, 0, 10, 10), (0, 0, 11, 10), (0, 0, 12, 10))
    assert assign(objects, places, np.array([0, 1, 1]))[0].tolist() == [0, 0, -1]


def test_nothing_is_assigned_to_nothing():
    none = squares()
    assert assign(squares((0, 0, 1, 1)), none, np.zeros(0, int))[0].tolist() == []
    assert assign(none, squares((0, 0, 1, 1)), np.zeros(1, int))[0].tolist() == [-1]


def test_a_scene_is_likely_where_its_places_are_near_the_objects():
    """Image 0 has one object, whatever its kind, 2.5 px, one standard deviation, from scene 0; image 1 has none."""
    objects, places = squares((0, 1, 12.5, 10)), squares((0, 0, 10, 10), (1, 0, 40, 10))
    found = log_likelihood(objects, 2, places, 3)
    assert np.allclose(found, [[np.log(STRAY + np.exp(-0.5)), np.log(STRAY), np.log(STRAY)], [0, 0, 0]])
