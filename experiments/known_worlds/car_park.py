"""The grammar of the world `car_park`: rows of bays, each with a car, a van or nothing, as oriented rectangles.

Rows and bays have no pixels of their own; which row a bay is in is known by its number. True scenes and photos are in
car_park_photos.py, which shares no code with the renderer.
"""

from typing import Any

import numpy as np

import scenefit as sf
from experiments.known_worlds.car_park_photos import BAYS, COLOURS, PITCH, ROWS, SIZE, WIDTH

LENGTHS = {"car": (12, 24), "van": (16, 34)}  # px
CHANNELS = ("red", "green", "blue")


def grammar() -> sf.Grammar:
    return sf.Grammar("lot", {
        "lot": {"angle": sf.learned(sf.Uniform(-80, 80)), "offset": sf.learned(sf.Uniform(-15, 15)),
                "spacing": sf.learned(sf.Uniform(26, 42)), "shift": sf.Uniform(-3, 3),
                "asphalt": sf.learned(sf.Uniform(0.1, 0.9)),
                **{name: lambda node: sf.Constant(node["asphalt"]) for name in CHANNELS},
                "blur": sf.learned(sf.Uniform(0, 2)), "noise": sf.learned(sf.Uniform(0, 10))},
        "row": {"over": lambda row: sf.Constant(((ROWS - 1) / 2 - row.number) * row.parent["spacing"]
                                                + row.parent["offset"]),
                "pitch": lambda row: sf.Constant(np.array(PITCH)[row.number])},
        "bay": {"side": lambda bay: sf.Constant((bay.number - (BAYS - 1) / 2) * bay.parent["pitch"]
                                                + bay.parent.parent["shift"])},
        "car": _vehicle("car"), "van": _vehicle("van"),
        "car windscreen": _windscreen("car"), "van windscreen": _windscreen("van"),
    }, [sf.Rule("lot", [sf.repeat("row", ROWS)]), sf.Rule("row", [sf.repeat("bay", BAYS)]),
        *(sf.Rule("bay", children, learned=True) for children in (["car"], ["van"], [])),
        *(sf.Rule(kind, [f"{kind} windscreen"]) for kind in WIDTH)])


def renderer() -> sf.Shapes:
    glass = {"edge": 0.5, "red": 0.1, "green": 0.13, "blue": 0.17}
    return sf.Shapes((SIZE, SIZE), {**{kind: {"width": width, "corner": 0.4} for kind, width in WIDTH.items()},
                                    **{f"{kind} windscreen": glass for kind in WIDTH}},
                     solid=0.5, parts=[f"{kind} windscreen" for kind in WIDTH])


def bays(scenes: sf.SceneBatch) -> dict[str, Any]:
    """Row and rule of each bay [n]: 0 a car, 1 a van, 2 nothing."""
    return {"bay.row": np.arange(len(scenes.tables["bay"])) // BAYS % ROWS, "bay.rule": scenes.tables["bay"].rule}


def _vehicle(kind: str) -> dict[str, Any]:
    """heading: relative to the direction across the rows, degrees."""
    def place(way: int) -> Any:
        def prior(node: Any) -> sf.Prior:
            lot, row = node.parent.parent.parent, node.parent.parent
            turn = np.deg2rad(lot["angle"])
            along, across = (np.cos(turn), -np.sin(turn)), (-np.sin(turn), -np.cos(turn))
            return sf.Constant(SIZE / 2 + (node.parent["side"] + node["aside"]) * along[way]
                               + (row["over"] + node["ahead"]) * across[way])
        return prior

    def channel(number: int) -> Any:
        def prior(node: Any) -> sf.Prior:
            tint = sum((np.asarray(node["colour"]) == name) * tints[number] for name, tints in COLOURS.items())
            return sf.Constant(node["brightness"] * tint)
        return prior

    return {"aside": sf.Uniform(-1, 1), "ahead": sf.Uniform(-1.5, 1.5), "x": place(0), "y": place(1),
            "heading": sf.learned(sf.Angle()), "length": sf.learned(sf.Uniform(*LENGTHS[kind])),
            "angle": lambda node: sf.Constant(90 + node.parent.parent.parent["angle"] + node["heading"]),
            "brightness": sf.learned(sf.Uniform(0.05, 1)), "colour": sf.learned(sf.Choice(list(COLOURS))),
            **{name: channel(number) for number, name in enumerate(CHANNELS)}, "edge": sf.learned(sf.Uniform(0.3, 1.5))}


def _windscreen(kind: str) -> dict[str, Any]:
    """Ahead of the vehicle's middle, so that its heading shows."""
    def ahead(name: str, way: Any) -> Any:
        return lambda node: sf.Constant(node.parent[name] + 0.22 * node.parent["length"]
                                        * way(np.deg2rad(node.parent["angle"])))

    return {"x": ahead("x", np.cos), "y": ahead("y", lambda turn: -np.sin(turn)),
            "angle": lambda node: sf.Constant(node.parent["angle"]),
            "length": lambda node: sf.Constant(0.13 * node.parent["length"]), "width": 0.76 * WIDTH[kind]}
