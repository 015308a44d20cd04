"""Coins on a table, seen from above, drawn by `Shapes`: what docs/shapes.md builds."""

import scenefit as sf

HEIGHT, WIDTH = 120, 160

grammar = sf.Grammar(
    start="table",
    symbols={
        "table": {
            "red": sf.learned(sf.Uniform(0.2, 0.7)), "green": sf.learned(sf.Uniform(0.1, 0.5)), "blue": 0.15,
            "light": sf.Uniform(0, 0.5), "light_angle": sf.Angle(), "blur": sf.learned(sf.Uniform(0, 1.5)),
            "noise": sf.learned(sf.Uniform(0, 8)),
        },
        "coin": {
            "x": sf.Uniform(0, WIDTH), "y": sf.Uniform(0, HEIGHT), "radius": sf.learned(sf.Uniform(8, 20)),
            "red": sf.Uniform(0.6, 0.9), "green": lambda node: sf.Constant(0.8 * node["red"]), "blue": 0.35,
        },
        "number": {
            "x": lambda node: sf.Constant(node.parent["x"]), "y": lambda node: sf.Constant(node.parent["y"]),
            "radius": lambda node: sf.Constant(0.45 * node.parent["radius"]), "angle": sf.Angle(),
        },
        "crumb": {"x": sf.Uniform(0, WIDTH), "y": sf.Uniform(0, HEIGHT), "angle": sf.Angle()},
    },
    rules=[
        sf.Rule("table", [sf.repeat("coin", sf.learned(sf.Integer(1, 6))), sf.repeat("crumb", sf.Integer(0, 4))]),
        sf.Rule("coin", ["number"]),
    ],
)

renderer = sf.Shapes(
    size=(HEIGHT, WIDTH),
    shapes={
        "coin": {"edge": 0.7, "rim": 0.3, "rim_width": 0.15, "grain": 0.05},
        "number": {"sides": 5, "opacity": 0.35, "shade": 0.1},
        "crumb": {"radius": 2.5, "wobble": 0.2, "elongation": 1.5, "red": 0.8, "green": 0.6, "blue": 0.3},
    },
    camera={"grain": 0.08, "grain_size": 4, "vignette": 0.2},
    parts=["number"],
)
