"""The grammar of the world `discs`: 0 to 80 soft discs of two kinds, all that is learned uniform within wide bounds.

True scenes and photos are in discs_photos.py, which shares no code with the renderer.
"""

from typing import Any

import scenefit as sf
from experiments.known_worlds.discs_photos import MOST, SIZE, TINTS

COLOURS = ("red", "green", "blue")


def grammar() -> sf.Grammar:
    return sf.Grammar("dish", {
        "dish": {
            "lamp": sf.learned(sf.Uniform(0.2, 1.0)), "warmth": sf.learned(sf.Uniform(-0.25, 0.25)),
            "red": lambda node: sf.Constant(node["lamp"] * (1 + node["warmth"])),
            "green": lambda node: sf.Constant(node["lamp"]),
            "blue": lambda node: sf.Constant(node["lamp"] * (1 - node["warmth"])),
            "blur": sf.learned(sf.Uniform(0, 2.5)), "noise": sf.learned(sf.Uniform(0, 12)),
        },
        "disc": {**_placed(), "radius": sf.learned(sf.Uniform(3, 12)), **_coloured("disc"),
                 "edge": sf.learned(sf.Uniform(0.3, 3)), "elongation": sf.learned(sf.Uniform(1, 2)),
                 "angle": sf.learned(sf.Angle())},
        "bead": {**_placed(), "radius": sf.learned(sf.Uniform(1.5, 7)), **_coloured("bead"),
                 "edge": sf.learned(sf.Uniform(0.3, 2))},
    }, [sf.Rule("dish", [sf.repeat(kind, sf.learned(sf.Integer(0, MOST))) for kind in TINTS])])


def renderer() -> sf.Shapes:
    return sf.Shapes((SIZE, SIZE), {kind: {} for kind in TINTS}, solid=0.5)


def _placed() -> dict[str, Any]:
    return {"x": sf.Uniform(0, SIZE), "y": sf.Uniform(0, SIZE)}


def _coloured(kind: str) -> dict[str, Any]:
    """Its brightness, and red, green and blue by the kind's tint."""
    def channel(tint: float) -> Any:
        return lambda node: sf.Constant(tint * node["brightness"])

    return {"brightness": sf.learned(sf.Uniform(0.1, 1)),
            **{name: channel(tint) for name, tint in zip(COLOURS, TINTS[kind], strict=True)}}
