"""A street as a first guess writes it: a straight road, cars anywhere on it, houses and trees in rows, one camera.

Renderer, kinds and attributes are those of scenes/street.py, to compare with. Ranges are guesses; things may intersect.
"""

import numpy as np

import scenefit as sf

LANE, PAVEMENT = 3.5, 2.0  # metres; one lane each way, and the pavements beside them
CHANNELS = "red", "green", "blue"


def strip(side, inner, outer, **more):
    """From so many metres to the left (side 1) or right (-1) of the centre line to so many."""
    return {"t": side * (inner + outer) / 2, "width": outer - inner, **more}


def standing(t, **more):
    return {"s": sf.Uniform(0, 80), "t": t, **more}


def colours():
    return {name: sf.Uniform(0, 1) for name in CHANNELS}


def beside(metres):
    """On either side of the road, so many metres from the centre line."""
    return sf.Choice([-metres, metres])


grammar = sf.Grammar(
    start="street",
    symbols={
        "street": {"camera_t": -LANE / 2, "camera_height": 1.5, "camera_pitch": sf.learned(sf.Uniform(0, 4)),
                   "field_of_view": 60.0, "sun_azimuth": 60.0, "sun_elevation": 50.0},
        "left_lane": strip(1, 0, LANE), "right_lane": strip(-1, 0, LANE),
        "left_pavement": strip(1, LANE, LANE + PAVEMENT, rise=0.12),
        "right_pavement": strip(-1, LANE, LANE + PAVEMENT, rise=0.12),
        "centre_line": {"t": 0.0, "width": 0.12, "dash": 3.0, "gap": 3.0},
        "car": {"s": sf.learned(sf.Uniform(6, 60)), "t": sf.learned(sf.Uniform(-LANE + 1, LANE - 1)),
                "heading": lambda car: sf.Normal(np.where(car["t"] > 0, 180, 0), 3),
                "model": sf.Choice(["hatchback", "saloon", "estate"]), **colours()},
        "pedestrian": standing(beside(LANE + PAVEMENT / 2), heading=sf.Angle(), **colours()),
        "tree": standing(beside(LANE + 0.6), height=sf.Uniform(5, 8)),
        "house": {"s": lambda house: sf.Constant(12.0 * (house.number // 2)),
                  "t": lambda house: sf.Constant(np.where(house.number % 2, 1, -1) * (LANE + PAVEMENT + 9)),
                  "heading": lambda house: sf.Constant(np.where(house.number % 2, 0, 180)), "model": "detached",
                  "height": sf.Uniform(8, 11)},
    },
    rules=[sf.Rule("street", [
        "left_lane", "right_lane", "left_pavement", "right_pavement", "centre_line",
        sf.repeat("car", sf.learned(sf.Integer(1, 8))), sf.repeat("pedestrian", sf.Integer(0, 4)),
        sf.repeat("tree", sf.Integer(0, 8)), sf.repeat("house", 16)])],
)
renderer = sf.Street((180, 240), strips={"left_lane": "asphalt", "right_lane": "asphalt", "left_pavement": "paving",
                                         "right_pavement": "paving", "centre_line": "marking"})
