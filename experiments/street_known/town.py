"""The targets: streets of one town, on one sunny evening, by one camera. Their truth is known, and no part of it comes
from scenes/street.py: things stand in queues and rows with random gaps, where that has slots.

`MISSPECIFIED` has the same distribution and, further, what that grammar cannot express: cars parked at an angle to the
kerb, trailers, the bonnet of the camera's own car, and a lens that is dark and blurred at its borders.
Metres and degrees; s along the centre line from the camera, t to its left. Legend: S scenes; H, W pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import scenefit as sf
from experiments.street_known.town_models import misfits, models, sizes

Conditional = Callable[[Any], sf.Prior]
TARGET, MISSPECIFIED = "target", "misspecified"
ROOM, FARTHEST = 5.0, 95.0  # metres of a queue for a vehicle, gaps excluded; nothing stands farther ahead
CARS, PEOPLE, HOUSES, TREES, POSTS = 10, 9, 8, 8, 4  # the most of a queue, of the street, of a side
ECHELON, BAYS = 40.0, 4.0  # of the misspecified target: degrees to the kerb at which cars are parked; metres for them


def around(mean: float, sd: float) -> sf.Normal:
    return sf.Normal(mean, sd, mean - 3 * sd, mean + 3 * sd)


# The distribution of the root's attributes. lane, parking, pavement: widths.  setback: of houses from the pavement.
# offset: of the camera, to the left of its lane's middle.  yards: lightness of the land beside the road.
ROOT: dict[str, Any] = {
    "curvature": around(-0.003, 0.001), "lane": around(3.0, 0.06), "parking": around(2.15, 0.04),
    "pavement": around(2.6, 0.12), "kerb": around(0.11, 0.01), "setback": sf.Uniform(0.2, 1.0),
    "asphalt": around(0.31, 0.02), "paving": around(0.52, 0.03), "lines": around(0.8, 0.03), "yards": around(0.9, 0.04),
    "offset": around(0.15, 0.08), "camera_height": around(1.42, 0.03), "camera_pitch": around(2.5, 0.6),
    "camera_yaw": around(-0.8, 0.5), "camera_roll": around(0.4, 0.3), "field_of_view": around(66, 1.0),
    "sun_azimuth": sf.Angle(38, sd=9), "sun_elevation": around(15, 2.0), "sun": around(3.4, 0.25),
    "cloud": around(0.25, 0.07), "warmth": around(0.42, 0.04), "haze": sf.Uniform(0.0012, 0.0022),
    "exposure": around(0.45, 0.1), "contrast": around(1.25, 0.04), "noise": around(3.0, 0.4),
    "texture": around(0.9, 0.03)}
# Queues of vehicles, in their order: t of their middles in lanes and in widths of the parking strip, heading, how many
# vehicles, metres to the first one, gaps between two.
QUEUES: dict[str, tuple[tuple[float, float], int, sf.Integer, sf.Uniform, sf.Uniform]] = {
    "ahead": ((-0.5, 0), 0, sf.Integer(1, 3), sf.Uniform(8, 16), sf.Uniform(5, 20)),
    "oncoming": ((0.5, 0), 180, sf.Integer(3, 7), sf.Uniform(-3, 8), sf.Uniform(2, 12)),
    "parked": ((-1, -0.5), 0, sf.Integer(5, 10), sf.Uniform(1, 7), sf.Uniform(0.6, 2)),
    "parked opposite": ((1, 0.5), 180, sf.Integer(0, 3), sf.Uniform(10, 30), sf.Uniform(0.6, 8))}
OTHERS = {"pedestrians": sf.Integer(3, 9), "trees": sf.Integer(4, 8), "posts": sf.Integer(1, 4)}
SPOTS = {"car": 14.0, "van": 2.0, "cyclist": 1.0}  # odds of what a place of a queue holds
PAINTS = {"silver": ((0.70, 0.71, 0.73), 30), "red": ((0.62, 0.08, 0.10), 22), "black": ((0.06, 0.06, 0.07), 20),
          "blue": ((0.16, 0.28, 0.52), 18), "white": ((0.88, 0.88, 0.88), 10)}
WALLS = {"plaster": (0.80, 0.74, 0.60), "brick": (0.50, 0.30, 0.24), "sandstone": (0.66, 0.56, 0.42)}
STRIPS = {"road": "asphalt", "footway": "paving", "dashes": "marking", "bay_line": "marking"}
CHANNELS = "red", "green", "blue"


def given(function: Callable[[Any], Any]) -> Conditional:
    return lambda node: sf.Constant(np.asarray(function(node)))


def scaled(function: Callable[[Any], Any], share: float) -> Conditional:
    return given(lambda node: share * function(node))


def column(rows: Any, number: int, which: Callable[[Any], Any]) -> Conditional:
    """A column of a table, in the row that a function of the node says."""
    return given(lambda node: np.asarray(rows)[which(node), number])


def grammar(target: str = TARGET) -> sf.Grammar:
    misfit = target == MISSPECIFIED
    street = {**ROOT, **({"parking": around(BAYS, 0.06)} if misfit else {}), **OTHERS,
              "camera_t": given(lambda node: node["offset"] - node["lane"] / 2),
              **{f"ground_{name}": scaled(lambda node: node["yards"], share)
                 for name, share in zip(CHANNELS, (0.50, 0.46, 0.36), strict=True)}}
    children: list[Any] = [
        "road", sf.repeat("footway", 2), "dashes", sf.repeat("bay_line", 2), sf.repeat("queue", len(QUEUES)),
        sf.repeat("pedestrian", PEOPLE), sf.repeat("tree", TREES), sf.repeat("terrace", 2), sf.repeat("pole", POSTS),
        sf.repeat("sign", 2), sf.repeat("furniture", 2)]
    spots = [sf.Rule("place", [kind], weight) for kind, weight in SPOTS.items()]
    if misfit:
        children.append("bonnet")
        spots.append(sf.Rule("place", ["trailer"], 3.0))
    return sf.Grammar("town", {
        "town": street, **_ground(), "queue": _queue(), "place": _place(), "car": _vehicle("car", misfit),
        "van": _vehicle("van", misfit), "cyclist": _cyclist(), "pedestrian": _pedestrian(), "tree": _tree(),
        "terrace": {"side": _side(), "begin": sf.Uniform(-25, -12)}, "house": _house(), "pole": _post(22, 1, "pole"),
        "sign": _post(30, -1, "sign"), "furniture": _post(26, 1, "furniture"), **(_misfits() if misfit else {}),
    }, [sf.Rule("town", children), sf.Rule("queue", [sf.repeat("place", CARS)]),
        sf.Rule("terrace", [sf.repeat("house", HOUSES)]), *spots])


def renderer(size: tuple[int, int], target: str = TARGET) -> Any:
    street = sf.Street(size, {**models(), **(misfits() if target == MISSPECIFIED else {})}, STRIPS)
    return Lens(street) if target == MISSPECIFIED else street


class Lens:
    """The images of a renderer, darker and less sharp towards their borders."""

    def __init__(self, street: sf.Street):
        self.street, self.info = street, street.info

    def __call__(self, scenes: sf.SceneBatch) -> sf.Frames:
        frames = self.street(scenes)
        return replace(frames, images=through_lens(frames.images))


def through_lens(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [S, H, W, 3]: down to 55 % of the light, and a blur of up to 1.2 pixels, in the corners."""
    height, width = images.shape[1:3]
    down, right = np.mgrid[:height, :width] + 0.5
    outwards = (((down / height - 0.5) ** 2 + (right / width - 0.5) ** 2) * 2)[..., None]
    blurred = gaussian_filter(images.astype(np.float32), (0, 1.2, 1.2, 0))
    return np.rint((1 - 0.45 * outwards) * (images + outwards * (blurred - images))).astype(np.uint8)


def _kerb(node: Any) -> Any:
    """From the centre line to the pavement."""
    return node.root["lane"] + node.root["parking"]


def _side() -> Conditional:
    """1 for the left, -1 for the right."""
    return given(lambda node: 1 - 2 * node.number)


def _grey(name: str, tint: tuple[float, float, float] = (1, 1, 1)) -> dict[str, Conditional]:
    return {channel: scaled(lambda node: node.root[name], share)
            for channel, share in zip(CHANNELS, tint, strict=True)}


def _ground() -> dict[str, dict[str, Any]]:
    def footway_t(node: Any) -> Any:
        return (1 - 2 * node.number) * (_kerb(node) + node["width"] / 2)

    return {"road": {"t": 0.0, "width": given(lambda node: 2 * _kerb(node)), **_grey("asphalt")},
            "footway": {"width": given(lambda node: node.root["pavement"] + node.root["setback"]),
                        "t": given(footway_t), "rise": given(lambda node: node.root["kerb"]),
                        **_grey("paving", (1.04, 1.0, 0.93))},
            "dashes": {"t": 0.0, "width": 0.12, "dash": 3.0, "gap": 4.5, **_grey("lines")},
            "bay_line": {"t": given(lambda node: (1 - 2 * node.number) * node.root["lane"]), "width": 0.1,
                         **_grey("lines")}}


def _queue() -> dict[str, Any]:
    rows = list(QUEUES.values())

    def ends(priors: Sequence[Any]) -> Conditional:
        low, high = np.array([(prior.low, prior.high) for prior in priors]).T
        return lambda node: type(priors[0])(low[node.number], high[node.number])

    lanes, widths = np.array([row[0] for row in rows]).T
    headings, gaps = np.array([row[1] for row in rows]), np.array([(row[4].low, row[4].high) for row in rows])
    return {"many": ends([row[2] for row in rows]), "begin": ends([row[3] for row in rows]),
            "t": given(lambda node: lanes[node.number] * node.root["lane"]
                       + widths[node.number] * node.root["parking"]),
            "heading": given(lambda node: headings[node.number]),
            "parks": given(lambda node: widths[node.number] != 0),
            **{end: column(gaps, number, lambda node: node.number) for number, end in enumerate(("least", "most"))}}


def _behind(node: Any, metres: Any) -> Any:
    """Where each of some siblings of so many metres begins, behind the one before."""
    rows = np.zeros((int(node.family.max(initial=0)) + 1, int(node.number.max(initial=0)) + 1))
    rows[node.family, node.number] = metres
    return (np.cumsum(rows, axis=1) - rows)[node.family, node.number]


def _place() -> dict[str, Any]:
    return {"gap": lambda node: sf.Uniform(node.parent["least"], node.parent["most"]),
            "middle": given(lambda node: node.parent["begin"] + ROOM / 2 + _behind(node, ROOM + node["gap"])),
            "t": given(lambda node: node.parent["t"]), "heading": given(lambda node: node.parent["heading"]),
            "parks": given(lambda node: node.parent["parks"]),
            "there": given(lambda node: (node.number < node.parent["many"]) & (node["middle"] < FARTHEST))}


def _in_place(aside: float, turned: float) -> dict[str, Any]:
    """aside, turned: standard deviations."""
    return {"aside": around(0, aside), "turned": around(0, turned), "s": given(lambda node: node.parent["middle"]),
            "t": given(lambda node: node.parent["t"] + node["aside"]),
            "heading": given(lambda node: node.parent["heading"] + node["turned"]),
            "there": given(lambda node: node.parent["there"])}


def _sized(kind: str, scale: Any) -> dict[str, Any]:
    """Any model of the kind, at a scale."""
    names, measures = np.array(list(sizes(kind))), np.array(list(sizes(kind).values()))

    def side(number: int) -> Conditional:
        return given(lambda node: node["scale"] * measures[node["which"], number])

    return {"which": sf.Integer(0, len(names) - 1), "model": given(lambda node: names[node["which"]]), "scale": scale,
            **{name: side(number) for number, name in enumerate(("length", "width", "height"))}}


def _coloured(palette: Any, shares: Any = None) -> dict[str, Any]:
    levels = np.array(palette)

    def channel(number: int) -> Conditional:
        return given(lambda node: np.clip(levels[node["paint"], number] * node["shade"], 0, 1))

    return {"paint": sf.Choice(range(len(levels)), shares), "shade": around(1, 0.05),
            **{name: channel(number) for number, name in enumerate(CHANNELS)}}


def _vehicle(kind: str, echelon: bool) -> dict[str, Any]:
    place = _in_place(0.1, 1.0)
    if echelon:
        place["heading"] = given(lambda node: node.parent["heading"] + node["turned"]
                                 - np.where(node.parent["parks"], ECHELON, 0.0))
    paints, shares = zip(*PAINTS.values(), strict=True)
    return {**place, **_sized(kind, around(1, 0.015)), **_coloured(paints, shares)}


def _clothes() -> dict[str, Any]:
    return {name: sf.Uniform(0.05, 0.45) for name in (*CHANNELS, *(f"{one}2" for one in CHANNELS))}


def _cyclist() -> dict[str, Any]:
    return {**_in_place(0.3, 2.0), "model": sf.Integer(0, len(models()["cyclist"]) - 1), **_clothes()}


def _pedestrian() -> dict[str, Any]:
    def t(node: Any) -> Any:
        return node["side"] * (_kerb(node) + node["across"] * node.root["pavement"])

    return {**_sized("pedestrian", around(1, 0.02)), "side": sf.Choice([-1, 1], [7, 3]), "s": sf.Uniform(5, 45),
            "across": sf.Uniform(0.3, 0.8), "t": given(t), "way": sf.Choice([0, 180]), "turned": around(0, 6),
            "heading": given(lambda node: node["way"] + node["turned"]), **_clothes(),
            "there": given(lambda node: node.number < node.root["pedestrians"])}


def _tree() -> dict[str, Any]:
    """Along the right kerb, 10 m apart."""
    return {**_sized("tree", sf.Uniform(0.75, 0.95)), "shift": around(0, 0.6),
            "s": given(lambda node: 9 + 10 * node.number + node["shift"]),
            "t": given(lambda node: -_kerb(node) - 0.45), "heading": sf.Angle(),
            "there": given(lambda node: node.number < node.root["trees"])}


def _house() -> dict[str, Any]:
    """A row on each side; fronts face the road."""
    def t(node: Any) -> Any:
        beyond = _kerb(node) + node.root["pavement"] + node.root["setback"]
        return node.parent["side"] * (beyond + node["width"] / 2)

    return {**_sized("house", sf.Uniform(0.95, 1.05)), "gap": sf.Uniform(0.0, 2.5),
            "s": given(lambda node: node.parent["begin"] + node["length"] / 2
                       + _behind(node, node["length"] + node["gap"])),
            "t": given(t), "heading": given(lambda node: 90 - 90 * node.parent["side"]),
            "there": given(lambda node: node["s"] < FARTHEST + 15), **_coloured(list(WALLS.values()))}


def _post(spacing: float, side: int, kind: str) -> dict[str, Any]:
    """Poles, signs and furniture at one kerb, at a spacing."""
    def heading(node: Any) -> Any:
        return np.zeros(len(node.number)) if kind == "sign" else np.full(len(node.number), 90 - 90 * side)

    return {"model": sf.Choice(list(models()[kind])), "shift": sf.Uniform(0, 8),
            "s": given(lambda node: 10 + spacing * node.number + node["shift"]),
            "t": given(lambda node: side * (_kerb(node) + 0.5)), "heading": given(heading),
            "there": given(lambda node: node.number < node.root["posts"])}


def _misfits() -> dict[str, dict[str, Any]]:
    return {"trailer": {**_in_place(0.1, 1.0), **_coloured([(0.85, 0.85, 0.82), (0.35, 0.38, 0.42)])},
            "bonnet": {"s": 1.2, "t": given(lambda node: node.root["camera_t"]), "z": 0.72, "red": 0.1, "green": 0.1,
                       "blue": 0.12}}
