"""Roads from above with cars, houses and trees: the grammar and its renderer, and the scenes of the target.

All that stands on or beside the road is placed in the road's coordinates: `along` it, counted from the middle, and
`left` of its middle line, in pixels. Legend: S scenes; H, W pixels; n nodes of a kind.
"""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

import scenefit as sf
from experiments.aerial2d.settings import CARS, COUNTS, GROUPS, LANES, PAINTS, ROOFS, ROWS
from scenefit.data.label_policy import label_masks
from scenefit.scenes.attributes import NodeGroup
from scenefit.scenes.rng import uniform

Array = NDArray[Any]
Conditional = Callable[[Any], sf.Prior]
SIZE = 256  # side of the images, px
CLASSES = ("road", "car", "house", "tree")  # numbered from 1 in class masks
CHANNELS = ("red", "green", "blue")
LEAF = (0.42, 0.86, 0.34)  # colour of trees of brightness 1
DASHES = 8  # of a line between lanes
GOLDEN = 0.6180339887498949
PARTS_OF = {"dash": "road", "glass": "car", "top": "car", "slope": "house", "chimney": "house"}


def grammar(side: int = SIZE, setting: str = "handmade", learned: Collection[str] = GROUPS,
            others: str = "") -> sf.Grammar:
    """setting: "handmade" or "wide", the priors of `settings.ROWS`.  learned: groups of attributes that are learned;
    the others keep their prior.  others: the setting of these, where it is another one."""
    def prior(row: Any) -> Any:
        if row.group in learned:
            return sf.learned(row.prior(setting, side), row.bounds(side))
        return row.prior(others or setting, side)

    def of(kind: str) -> dict[str, Any]:
        return {name: prior(row) for name, row in ROWS[kind].items()}

    many = [sf.repeat(kind, prior(row)) for kind, row in COUNTS.items()]
    return sf.Grammar("image", {
        "image": {**of("image"), "noise": sf.Uniform(2, 5)},
        "road": {**of("road"), **_road(side)},
        "dash": _dash(side),
        "car": {**of("car"), **_car(side)}, "glass": _glass(), "top": _top(),
        "house": {**of("house"), **_house(side)}, "slope": _slope(), "chimney": _chimney(),
        "tree": {**of("tree"), **_tree(side)},
    }, [sf.Rule("image", ["road"]), sf.Rule("road", [sf.repeat("dash", DASHES * (max(LANES) - 1)), *many]),
        sf.Rule("car", ["glass", "top"]), sf.Rule("house", ["slope", "chimney"])])


def renderer(side: int = SIZE) -> sf.Shapes:
    px = side / 256
    return sf.Shapes((side, side), {
        "road": {"edge": 0.7, "rim": 0.35, "rim_width": 0.05, "grain": 0.05, "grain_size": 2 * px, "layer": 0},
        "dash": {"edge": 0.6, "shade": 0.92},
        "car": {"corner": 0.45, "edge": 0.7, "height": 4 * px, "layer": 1},
        "glass": {"corner": 0.4, "edge": 0.6, "red": 0.10, "green": 0.13, "blue": 0.17},
        "top": {"corner": 0.35, "edge": 0.6},
        "house": {"edge": 0.7, "grain": 0.06, "grain_size": 1.5 * px, "height": 13 * px, "layer": 2},
        "slope": {"edge": 0.7, "shade": 0.0, "opacity": 0.34},
        "chimney": {"edge": 0.6, "red": 0.45, "green": 0.26, "blue": 0.2},
        "tree": {"wobble": 0.06, "lobes": 9, "lobe": 0.14, "bulge": 0.3, "rim": -0.35, "rim_width": 0.5, "grain": 0.3,
                 "grain_size": 2.5 * px, "edge": 0.9, "height": 9 * px, "layer": 3},
    }, camera={"grain": 0.06, "grain_size": 3 * px, "shadow": 0.5, "blur": 0.5 * px}, parts=list(PARTS_OF), solid=0.5)


def target(side: int, seed: int, indices: Any, changed: Collection[str] = GROUPS) -> sf.SceneBatch:
    """Scenes of the target, for `renderer`. indices: scene numbers, or how many.  changed: groups of attributes whose
    distribution is the target's; the others are as made by hand."""
    def decide(group: NodeGroup) -> dict[str, Array]:
        rows = {name: row for name, row in ROWS.get(group.kind, {}).items() if row.group in changed}
        found = {name: row.prior("target", side).quantile(uniform(group.address, name)) for name, row in rows.items()}
        if group.kind == "road" and "counts" in changed:
            low, high = np.array([CARS[lanes] for lanes in found["lanes"]]).T
            many = {"car": sf.Integer(low, high), **{kind: COUNTS[kind].target for kind in ("house", "tree")}}
            found |= {f"n_{kind}": prior.quantile(uniform(group.address, f"n_{kind}")).astype(np.int64)
                      for kind, prior in many.items()}
        return found

    return grammar(side).sample(seed, indices, decide=decide)


def cars_by_lanes() -> Array:
    """P(cars | lanes) of the target, [lanes in the order of LANES, 0 to the most cars of the wide prior]."""
    table = np.zeros((len(LANES), int(COUNTS["car"].wide.bounds[1]) + 1))
    for row, lanes in enumerate(LANES):
        low, high = CARS[lanes]
        table[row, low:high + 1] = 1 / (high + 1 - low)
    return table


def truth(side: int, seed: int, count: int) -> dict[str, Array]:
    """"kind.attribute" -> values in so many scenes of the target [n], of all that can be learned."""
    tables = target(side, seed, count).tables
    found = {f"{kind}.{name}": np.asarray(tables[kind][name]) for kind, rows in ROWS.items() for name in rows}
    return found | {f"road.n_{kind}": np.asarray(tables["road"][f"n_{kind}"]) for kind in COUNTS}


def class_masks(frames: sf.Frames) -> NDArray[np.uint8]:
    """[S, H, W]: 0 the ground, then the classes in the order of CLASSES, of all objects, however little is seen."""
    return label_masks(frames, CLASSES, sf.LabelPolicy(min_pixels=1, min_visibility=0)).masks


def _road(side: int) -> dict[str, Any]:
    """visible: length of its middle line inside the image; centre: the middle of that piece, along the road."""
    def ends(node: Any) -> tuple[Array, Array]:
        turn = np.deg2rad(node["angle"])
        steps = [np.where(abs(step) < 1e-9, 1e-9, step) for step in (np.cos(turn), -np.sin(turn))]
        crossings = [np.sort([-node[way] / step, (side - node[way]) / step], axis=0)
                     for way, step in zip("xy", steps, strict=True)]
        return np.max([first for first, _ in crossings], 0), np.min([last for _, last in crossings], 0)

    return {"x": lambda node: sf.Constant(side / 2 - node["offset"] * np.sin(np.deg2rad(node["angle"]))),
            "y": lambda node: sf.Constant(side / 2 - node["offset"] * np.cos(np.deg2rad(node["angle"]))),
            "visible": lambda node: sf.Constant(np.subtract(*ends(node)[::-1])),
            "centre": lambda node: sf.Constant(np.mean(ends(node), 0)),
            "width": lambda node: sf.Constant(node["lanes"] * node["lane_width"]), "length": 1.45 * side,
            "first_lane": sf.Integer(0, max(LANES) - 1), "first_side": sf.Integer(0, 1), "stagger": sf.Uniform(0, 1),
            **{f"{kind}_start": sf.Uniform(-1, 1) for kind in COUNTS}}


def _placed(along: Callable[[Any], Array], left: Callable[[Any], Array]) -> dict[str, Conditional]:
    """Where a child of the road lies, in the road's coordinates and in the image's. along, left: of the node, px."""
    def x(node: Any) -> sf.Prior:
        road, turn = node.parent, np.deg2rad(node.parent["angle"])
        return sf.Constant(road["x"] + node["along"] * np.cos(turn) - node["left"] * np.sin(turn))

    def y(node: Any) -> sf.Prior:
        road, turn = node.parent, np.deg2rad(node.parent["angle"])
        return sf.Constant(road["y"] - node["along"] * np.sin(turn) - node["left"] * np.cos(turn))

    return {"along": lambda node: sf.Constant(along(node)), "left": lambda node: sf.Constant(left(node)),
            "x": x, "y": y}


def _in_rows(kind: str, rows: Callable[[Any], Array], row: Callable[[Any], Array]) -> Callable[[Any], Array]:
    """Where children of the road stand along it, one behind the other in some parallel rows: at the spacing of their
    kind, or closer where else they would not fit in the image; the first ones anywhere that leaves room for all."""
    def along(node: Any) -> Array:
        road = node.parent
        ranks = np.ceil(road[f"n_{kind}"] / rows(node))
        spacing = np.minimum(road[f"{kind}_spacing"], road["visible"] / np.maximum(ranks, 1))
        uneven = (road["stagger"] + GOLDEN * row(node)) % 1 - 0.5  # rows are not abreast
        rank = node.number // rows(node) - (ranks - 1) / 2 + 0.6 * uneven
        start = road["centre"] + 0.5 * (road["visible"] - ranks * spacing) * road[f"{kind}_start"]
        return start + rank * spacing + node["ahead"]

    return along


def _beside(kind: str, depth: str) -> dict[str, Conditional]:
    """Alternately on both sides of the road. depth: attribute whose half is added to the distance, "" for none."""
    def row(node: Any) -> Array:
        return (node.number + node.parent["first_side"]) % 2

    def left(node: Any) -> Array:
        half = node[depth] / 2 if depth else 0.0
        return (1 - 2 * row(node)) * (node.parent["width"] / 2 + node["distance"] + half)

    return _placed(_in_rows(kind, lambda node: 2, row), left)


def _dash(side: int) -> dict[str, Any]:
    """Those of lines that the road lacks are not seen: they have no opacity."""
    def left(node: Any) -> Array:
        return (node.number // DASHES + 1 - node.parent["lanes"] / 2) * node.parent["lane_width"]

    return {**_placed(lambda node: (node.number % DASHES - (DASHES - 1) / 2) * 0.18 * side, left),
            "angle": _same("angle"), "length": 0.08 * side, "width": max(0.008 * side, 1),
            "opacity": lambda node: sf.Constant(0.9 * (node.number // DASHES < node.parent["lanes"] - 1))}


def _car(side: int) -> dict[str, Any]:
    """On the right half of the road they drive along it, on the left half against it. aside: to the driver's right.
    heading: of the car, relative to its lane."""
    def lane(node: Any) -> Array:
        return (node.number + node.parent["first_lane"]) % node.parent["lanes"]

    def left(node: Any) -> Array:
        return (lane(node) + 0.5 - node.parent["lanes"] / 2) * node.parent["lane_width"] - node["way"] * node["aside"]

    return {"way": lambda node: sf.Constant(np.where(lane(node) < node.parent["lanes"] / 2, 1, -1)),
            **_placed(_in_rows("car", lambda node: node.parent["lanes"], lane), left),
            "angle": lambda node: sf.Constant(node.parent["angle"] + 90 * (1 - node["way"]) + node["heading"]),
            **_coloured(PAINTS)}


def _house(side: int) -> dict[str, Any]:
    return {**_beside("house", "width"), **_coloured(ROOFS),
            "angle": lambda node: sf.Constant(node.parent["angle"] + node["turn"])}


def _tree(side: int) -> dict[str, Any]:
    return {**_beside("tree", ""), **{channel: lambda node, tint=tint: sf.Constant(tint * node["brightness"])
                                      for channel, tint in zip(CHANNELS, LEAF, strict=True)}}


def _coloured(tints: dict[str, tuple[float, ...]]) -> dict[str, Conditional]:
    def channel(number: int) -> Conditional:
        def prior(node: Any) -> sf.Prior:
            tint = sum((np.asarray(node["colour"]) == name) * one[number] for name, one in tints.items())
            return sf.Constant(node["brightness"] * tint)
        return prior

    return {name: channel(number) for number, name in enumerate(CHANNELS)}


def _same(name: str, share: float = 1.0) -> Conditional:
    return lambda node: sf.Constant(share * node.parent[name])


def _part(length: float, width: float, ahead: float = 0.0, left: float = 0.0) -> dict[str, Conditional]:
    """A rectangle on a rectangle. All in shares of its length (length, ahead) and width."""
    def x(node: Any) -> sf.Prior:
        of, turn = node.parent, np.deg2rad(node.parent["angle"])
        return sf.Constant(of["x"] + ahead * of["length"] * np.cos(turn) - left * of["width"] * np.sin(turn))

    def y(node: Any) -> sf.Prior:
        of, turn = node.parent, np.deg2rad(node.parent["angle"])
        return sf.Constant(of["y"] - ahead * of["length"] * np.sin(turn) - left * of["width"] * np.cos(turn))

    return {"x": x, "y": y, "angle": _same("angle"), "length": _same("length", length), "width": _same("width", width)}


def _glass() -> dict[str, Any]:
    return _part(0.6, 0.86, ahead=-0.06)


def _top() -> dict[str, Any]:
    return {**_part(0.32, 0.74, ahead=-0.1), **{channel: _same(channel, 0.9) for channel in CHANNELS}}


def _slope() -> dict[str, Any]:
    return _part(1.0, 0.5, left=-0.25)


def _chimney() -> dict[str, Any]:
    return _part(0.1, 0.14, ahead=0.28, left=0.14)
