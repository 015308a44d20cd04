"""Streets seen from behind a windscreen: structured domain randomisation (Prakash et al. 2019), wide ranges.

A scenario, such as a high street, sets the ranges of the road. The road has two sides. A side has strips, from the
centre line outwards: lanes, a cycle lane, a parking lane, a verge, a pavement; then come plots. A strip has slots, and
things stand in them (street_slots.py). Metres and degrees; s runs along the centre line from the camera, t to its left.

docs/street_ranges.md names the source of each range; no photo was measured. docs/street_tutorial.md shows how to change
country, scenarios and kinds.
"""

import numpy as np
import street_sizes as sizes
from street_slots import (
    any_colour,
    coloured,
    end_to_end,
    of,
    own,
    painted,
    root,
    row,
    sized,
    slot,
    strip,
    thing,
    uniform,
)

import scenefit as sf

SIZE = 180, 240  # height and width of the images
LANES, BOUNDARIES = 3, 4  # the most lanes of a side, and pieces of fence of a plot
SLOT, CLEAR = 14.0, 5.0  # of a lane, for two cars or one truck; what is free in front of the camera

# Ranges of each scenario. Shares, 0 to 1: of the sides that have `pavements`, `grass_verges`, `cycle_lanes` and
# `parking_lanes`; of the slots that hold `traffic`, `parked` cars, `walkers`, `trees`, houses (`built`) and `fences`.
# setback: of houses from the pavement.  gap: between houses.  houses: which stand there.
RESIDENTIAL = {
    "curvature": (-0.01, 0.01), "lanes": (1, 1), "lane_width": (2.75, 3.25), "median": (0, 0.3), "kerb": (0.05, 0.15),
    "verge_width": (0.9, 2.5), "grass_verges": (0, 1), "pavement_width": (1.5, 3), "pavements": (0.8, 1),
    "cycle_lanes": (0, 0.2), "parking_lanes": (0.3, 1), "parked": (0.1, 0.9), "traffic": (0, 0.4),
    "walkers": (0, 0.15), "trees": (0, 0.9), "built": (0.7, 1), "setback": (1, 8), "gap": (0, 6), "fences": (0, 1),
    "houses": ["detached", "hipped", "gable front", "bungalow", "cottages", "terrace",
               "terrace with bays", "town houses"]}
SCENARIOS = {
    "residential street": RESIDENTIAL,
    "high street": RESIDENTIAL | {
        "curvature": (-0.006, 0.006), "lanes": (1, 2), "lane_width": (2.75, 3.5), "verge_width": (0.9, 1.8),
        "grass_verges": (0, 0.1), "pavement_width": (2, 5), "pavements": (0.95, 1), "cycle_lanes": (0, 0.5),
        "parking_lanes": (0, 0.8), "parked": (0.2, 1), "traffic": (0.1, 0.9), "walkers": (0.05, 0.5),
        "trees": (0, 0.6), "built": (0.85, 1), "setback": (0, 1), "gap": (0, 1), "fences": (0, 0.05),
        "houses": ["shop", "shops", "shops with a parapet", "town houses", "flats", "office"]},
    "dual carriageway": RESIDENTIAL | {
        "curvature": (-0.004, 0.004), "lanes": (2, 3), "lane_width": (3, 3.75), "median": (1.2, 6),
        "verge_width": (1, 4), "pavements": (0, 0.8), "cycle_lanes": (0, 0.4), "parking_lanes": (0, 0.05),
        "traffic": (0.1, 0.9), "walkers": (0, 0.05), "built": (0, 0.8), "setback": (3, 12), "gap": (2, 15),
        "fences": (0, 0.6), "houses": ["flats", "office", "warehouse", "town houses", "detached", "bungalow"]},
    "rural road": RESIDENTIAL | {
        "curvature": (-0.008, 0.008), "lane_width": (2.75, 3.65), "kerb": (0, 0.02), "verge_width": (1, 4),
        "grass_verges": (0.9, 1), "pavements": (0, 0.2), "cycle_lanes": (0, 0.05), "parking_lanes": (0, 0.05),
        "parked": (0, 0.3), "traffic": (0, 0.5), "walkers": (0, 0.03), "built": (0, 0.25), "setback": (4, 12),
        "gap": (2, 15), "fences": (0, 0.7), "houses": ["detached", "gable front", "bungalow", "cottages", "warehouse"]},
}


def nearside(node):
    """1 where one drives on the right, -1 on the left."""
    return np.where(node["drives_on"] == "right", 1, -1)


def street(scenarios, drives_on):
    """Attributes of the root."""
    kinds = sf.Choice(list(scenarios))

    def by_scenario(name, prior=sf.Uniform):
        ends = np.transpose([ranges[name] for ranges in scenarios.values()])
        return lambda node: prior(*(end[kinds.codes(node["scenario"])] for end in ends))

    def camera_t(node):
        lane = node["median"] / 2 + (node["camera_lane"] + 0.5) * node["lane_width"]
        return node["camera_offset"] - nearside(node) * lane

    return {
        "scenario": sf.learned(kinds), "drives_on": sf.learned(sf.Choice(drives_on)),
        "lanes": by_scenario("lanes", sf.Integer),
        **{name: sf.learned(by_scenario(name)) for name in RESIDENTIAL if name not in ("lanes", "houses")},
        "cycle_lane_width": uniform(1.25, 2), "parking_lane_width": uniform(2, 2.7), "bay": uniform(6, 7),
        "riders": uniform(0, 0.6), "posts": uniform(0.1, 1), "lamps": sf.Choice(sizes.POLES),
        "tree_spacing": uniform(7.5, 15), "winter": sf.learned(sf.Choice([0, 1], [3, 1])),
        # Painted lines: whether there are some, what they measure, how light they are.
        "centre_lines": sf.Choice([0, 1], [1, 3]), "edge_lines": sf.Choice([0, 1]), "solid": sf.Choice([0, 1], [3, 1]),
        "yellow": sf.Choice([0, 1], [3, 1]), "line_width": uniform(0.1, 0.15), "dash": uniform(2, 6),
        "dash_gap": uniform(2, 9.15), "lines": uniform(0.5, 0.95),
        # Surfaces, 0 dark to 1 light.
        "asphalt": uniform(0.2, 0.5), "paving": uniform(0.35, 0.7),
        "cycle_paint": sf.Choice(range(len(sizes.CYCLE_PAINTS)), [3, 1, 1, 1]),
        "ground": sf.learned(sf.Choice(range(len(sizes.GROUND)))), "ground_shade": uniform(0.7, 1.2),
        **coloured(lambda node: sizes.GROUND[node["ground"]] * node["ground_shade"][:, None], "ground_"),
        # The camera, in one of the lanes.
        "camera_lane": lambda node: sf.Integer(0, node["lanes"] - 1), "camera_offset": uniform(-0.5, 0.5),
        "camera_t": of(camera_t), "camera_height": uniform(1.05, 2.33), "camera_pitch": uniform(-5, 9),
        "camera_yaw": uniform(-4, 4), "camera_roll": uniform(-2, 2), "field_of_view": uniform(40, 100),
        # Light and weather, and what the camera makes of them.
        "sun_azimuth": sf.learned(sf.Angle()), "sun_elevation": uniform(5, 65), "sun": uniform(0, 5),
        "cloud": uniform(0, 1), "warmth": uniform(0, 0.6), "haze": sf.learned(sf.LogUniform(1e-4, 4e-3)),
        "exposure": uniform(-0.7, 1.3), "contrast": uniform(0.7, 1.4), "noise": uniform(0, 8),
        "texture": uniform(0.3, 1), "skyline": uniform(0, 4),
    }


def side():
    """Side 0 is the camera's, side 1 that of the oncoming traffic. outwards: t by metres from the centre line. edge,
    kerb, front: metres from there to the end of the lanes, of the carriageway, of the pavement. first: where the first
    slot of a strip starts, in slots."""
    def width(name):
        return of(lambda node: np.where(node[f"{name}_chance"] < node.root[f"{name}s"], node.root[f"{name}_width"], 0))

    strips = "cycle_lane", "parking_lane", "pavement"
    return {
        "outwards": of(lambda node: nearside(node.root) * (2 * node.number - 1)),
        "heading": of(lambda node: 180 * node.number), "first": sf.Uniform(-1, 0),
        **{f"{name}_chance": sf.Uniform(0, 1) for name in strips}, **{name: width(name) for name in strips},
        "green": sf.Uniform(0, 1),
        "grass": of(lambda node: (node["green"] < node.root["grass_verges"]) | (node["pavement"] == 0)),
        "edge": of(lambda node: node.root["median"] / 2 + node.root["lanes"] * node.root["lane_width"]),
        "kerb": of(lambda node: node["edge"] + node["cycle_lane"] + node["parking_lane"]),
        "front": of(lambda node: node["kerb"] + node.root["verge_width"] + node["pavement"])}


# What a side has: lines, lanes, plots.

def line(u, there, gap=lambda node: 0.0, yellow=lambda node: False):
    """Painted, u metres beside the centre line."""
    def level(node):
        return node.root["lines"][:, None] * np.where(np.reshape(yellow(node), (-1, 1)), sizes.YELLOW, 1)

    return {"t": of(lambda node: node.parent["outwards"] * u(node)), "width": of(root("line_width")),
            "dash": of(root("dash")), "gap": of(gap), "there": of(there), **coloured(level)}


def centre_line():
    """Beside a median; else one for both sides, or, where it is solid, the half of a double line."""
    def u(node):
        median = node.root["median"]
        return np.where(median > 1, median / 2 + 0.3, np.where(node.root["solid"] > 0, median / 2, 0))

    def gap(node):
        return np.where((node.root["solid"] > 0) | (node.root["median"] > 1), 0, node.root["dash_gap"])

    return line(u, root("centre_lines"), gap, lambda node: node.root["yellow"] > 0)


def lane():
    """Lane 0 is next to the centre line. first: where its first slot starts."""
    def first(node):
        ours = (node.parent["heading"] == 0) & (node.number == node.root["camera_lane"])
        return np.where(ours, CLEAR, -SLOT) + SLOT * node["phase"]

    def t(node):
        return node.parent["outwards"] * (node.root["median"] / 2 + (node.number + 0.5) * node.root["lane_width"])

    return {"t": of(t), "width": of(root("lane_width")), "heading": of(own("heading")), "phase": sf.Uniform(0, 1),
            "first": of(first), "there": of(lambda node: node.number < node.root["lanes"])}


def lane_slot():
    return slot(start=lambda node: node.parent["first"] + SLOT * node.number, metres=lambda node: SLOT,
                there=lambda node: node.parent["there"] & (node["chance"] < node.root["traffic"]))


def car_slot():
    """Half of a lane's slot."""
    return slot(start=lambda node: node.parent["start"] + SLOT / 2 * node.number, metres=lambda node: SLOT / 2,
                there=lambda node: node.parent.parent["there"] & (node["chance"] < node.root["traffic"]))


def tree_pit():
    """crown: of a tree on a verge, up to its neighbours, to the houses and to the camera."""
    def crown(node):
        wall = node.parent.parent["pavement"] + node.root["setback"]
        ahead = np.maximum(np.maximum(node["start"], -node["start"] - node["metres"]), 0)
        camera = np.hypot(ahead, np.abs(node["t"] - node.root["camera_t"]) - node["width"] / 2)
        return np.minimum(node.root["tree_spacing"] - 0.5, 2 * np.minimum(wall, camera))

    return row("trees", metres=lambda node: 0.6 * node.root["tree_spacing"], every=root("tree_spacing"), verge=1,
               crown=of(crown))


def plot(scenarios):
    """What a house and the gap to the next one take, behind the pavement: plots are as wide as their houses ask for."""
    kinds, longest = sf.Choice(list(scenarios)), max(len(ranges["houses"]) for ranges in scenarios.values())
    houses = np.array([np.resize(ranges["houses"], longest) for ranges in scenarios.values()])

    def start(node):
        return end_to_end(node, node["metres"]) - 20 * (1 + node.parent["first"])  # the first behind the camera

    def metres(node):
        return node["along"] / node["tight"] + node.root["gap"]

    def width(node):
        return node["deep"] + np.abs(node.root["curvature"]) * node["along"] ** 2 / 2  # ends stand out in a bend

    def t(node):
        return node["edge"] + node.parent["outwards"] * (node.root["setback"] + node["width"] / 2)

    house = {"which": sf.Integer(0, longest - 1), "scale": sf.Uniform(0.9, 1.1),
             "house": of(lambda node: houses[kinds.codes(node.root["scenario"]), node["which"]]),
             **sized(sizes.HOUSES, ("along", "deep"), "house"), "outwards": of(own("outwards")),
             "edge": of(lambda node: node.parent["outwards"] * node.parent["front"]),
             "fenced": sf.Uniform(0, 1), "fence": sf.Choice(sizes.FENCES)}
    return house | slot(start, metres, there=lambda node: node["chance"] < node.root["built"], t=t, width=width,
                        heading=lambda node: 90 - 90 * node.parent["outwards"])


def garden():
    """A third of a plot that has no house. crown: as wide as it."""
    return slot(start=lambda node: node.parent["start"] + node.number * node["metres"],
                metres=lambda node: node.parent["metres"] / 3,
                there=lambda node: (node.parent["there"] == 0) & (node["chance"] < node.root["trees"]),
                t=lambda node: node.parent["edge"] + node.parent["outwards"] * 10, width=lambda node: 16.0,
                verge=0, crown=of(lambda node: node["metres"] * node["tight"] - 0.5))


def boundary():
    """About 5 m of the edge of a plot, along the pavement."""
    def pieces(node):
        return np.clip(np.rint(node.parent["metres"] / 5), 1, BOUNDARIES)

    return slot(start=lambda node: node.parent["start"] + node.number * node["metres"],
                metres=lambda node: node.parent["metres"] / pieces(node),
                there=lambda node: (node.number < pieces(node)) & (node["chance"] < node.root["fences"]),
                t=lambda node: node.parent["edge"] + node.parent["outwards"] * node["width"] / 2,
                width=lambda node: np.minimum(node.root["setback"], 1), chance=of(own("fenced")))


# What stands in slots.

def vehicle(models, shares=None):
    """shares: of the paints."""
    return thing({"model": sf.learned(sf.Choice(list(models))), "scale": sf.Uniform(0.95, 1.02),
                  **sized(models, ("length", "body", "height")), "width": of(lambda node: node["body"] + sizes.MIRRORS),
                  **painted(sizes.PAINTS, shares)}, turn=2.0)


def tree():
    """Smaller where its slot leaves no room for its crown. On a verge trunks keep apart, elsewhere crowns."""
    species = np.array(sizes.SPECIES)
    crowns = np.vectorize(lambda name: max(sizes.TREES[name][:2]))(species)

    def of_species(table):
        return lambda node: table[node.parent["verge"], node.root["winter"], node["species"]]

    def scale(node):
        return np.minimum(node["grown"], node.parent["crown"] / of_species(crowns)(node))

    def foot(node):
        return np.where(node.parent["verge"] > 0, 0.5, np.maximum(node["length"], node["width"]))

    return thing({"species": sf.Integer(0, species.shape[-1] - 1), "grown": sf.Uniform(0.6, 1.2), "scale": of(scale),
                  "model": of(of_species(species)), **sized(sizes.TREES), "foot": of(foot)}, turn=180.0)


def house():
    return thing({"model": of(own("house")), "scale": of(own("scale")), **sized(sizes.HOUSES), **painted(sizes.WALLS)},
                 aside=of(lambda node: -node.parent["outwards"]), gap=0.0)


def fence():
    return thing({"model": of(lambda node: node.parent.parent["fence"]), "body": 0.5,
                  "length": of(lambda node: node.parent["metres"] * node.parent["tight"])},
                 aside=of(lambda node: -node.parent.parent["outwards"]), gap=0.0)


def kinds_of(scenarios=SCENARIOS, drives_on=("right", "left")):
    """kind -> attributes, from the root to the leaves."""
    def grey(name, tint=lambda node: 1.0):
        return coloured(lambda node: node.root[name][:, None] * tint(node) * np.ones(3))

    def at(name):
        return lambda side: side[name]

    def verge_end(side):
        return side["front"] - side["pavement"]

    def to_the_road(node):
        """From the heading of a lane; models that have a front turn it right."""
        return 90 + 90 * nearside(node.root)

    raised, clothes = {"rise": of(root("kerb"))}, any_colour() | any_colour("2")
    return {
        "street": street(scenarios, drives_on), "side": side(),
        # Strips and lines, which are drawn, and logical ones, which only have slots: lane, parking_lane.
        "median": {"t": 0.0, "width": of(own("median")), "there": of(lambda node: node["width"] > 1), **raised},
        "carriageway": strip(lambda side: 0 * side["kerb"], at("kerb"), **grey("asphalt")),
        "lane": lane(), "lane_slot": lane_slot(), "car_slot": car_slot(),
        "centre_line": centre_line(),
        "lane_line": line(lambda node: node.root["median"] / 2 + (node.number + 1) * node.root["lane_width"],
                          lambda node: node.number < node.root["lanes"] - 1, root("dash_gap")),
        "edge_line": line(lambda node: node.parent["edge"] - node.root["line_width"],
                          lambda node: (node.root["edge_lines"] > 0) | (node.parent["cycle_lane"] > 0)),
        "cycle_lane": strip(at("edge"), lambda side: side["edge"] + side["cycle_lane"], rise=0.003,
                            **grey("asphalt", lambda node: sizes.CYCLE_PAINTS[node.root["cycle_paint"]])),
        "cyclist_slot": row("riders", metres=lambda node: 12.0),
        "parking_lane": strip(lambda side: side["kerb"] - side["parking_lane"], at("kerb")),
        "parking_bay": {"against": sf.Choice([0, 180], [4, 1]), **row(
            "parked", root("bay"), heading=lambda node: node.parent.parent["heading"] + node["against"])},
        "verge": strip(at("kerb"), verge_end, **raised, **grey("paving")),
        "grass": strip(at("kerb"), verge_end, own("grass"), rise=of(lambda node: node.root["kerb"] + 0.01)),
        "tree_pit": tree_pit(),
        "post_slot": row("posts", metres=lambda node: 0.4 * node.root["tree_spacing"], every=root("tree_spacing"),
                         after=0.6),
        "pavement": strip(verge_end, at("front"), **raised, **grey("paving")),
        "pedestrian_slot": row("walkers", metres=lambda node: 5.0),
        "plot": plot(scenarios), "garden": garden(), "boundary": boundary(),
        # Things.
        "car": vehicle(sizes.CARS, sizes.SHARES), "van": vehicle(sizes.VANS, sizes.SHARES),
        "truck": vehicle(sizes.TRUCKS), "bus": vehicle(sizes.BUSES),
        "cyclist": thing({"model": sf.Integer(0, 5), "length": 1.76, "width": 0.6, **clothes}, turn=4.0),
        "pedestrian": thing({"model": sf.Integer(0, 11), "foot": 0.9, "way": sf.Choice([0, 180]), **clothes},
                            face=lambda node: node["way"], turn=25.0),
        "tree": tree(), "house": house(), "fence": fence(),
        "pole": thing({"model": of(root("lamps")), "foot": 0.5}, face=to_the_road),
        "furniture": thing({"model": sf.Choice(sizes.FURNITURE), "foot": 0.8}, face=to_the_road),
        "sign": thing({"model": sf.Choice(sizes.SIGNS), "foot": 0.8}, turn=5.0),
        "bollard": thing({"model": sf.Integer(0, 4), "foot": 0.4}),
    }


def rules():
    def one_of(slot, **weights):
        """Which kind of thing is in a slot; the weights are learned."""
        return [sf.Rule(slot, [kind], weight, learned=True) for kind, weight in weights.items()]

    return [
        sf.Rule("street", ["median", sf.repeat("side", 2)]),
        sf.Rule("side", ["carriageway", "cycle_lane", "parking_lane", "verge", "grass", "pavement", "centre_line",
                         "edge_line", sf.repeat("lane_line", LANES - 1), sf.repeat("lane", LANES),
                         sf.repeat("plot", 16)]),
        sf.Rule("lane", [sf.repeat("lane_slot", 8)]),
        sf.Rule("lane_slot", [sf.repeat("car_slot", 2)], 8, learned=True), *one_of("lane_slot", truck=1, bus=1),
        *one_of("car_slot", car=12, van=2, cyclist=1),
        sf.Rule("cycle_lane", [sf.repeat("cyclist_slot", 9)]), sf.Rule("cyclist_slot", ["cyclist"]),
        sf.Rule("parking_lane", [sf.repeat("parking_bay", 18)]), *one_of("parking_bay", car=8, van=1),
        sf.Rule("verge", [sf.repeat("tree_pit", 14), sf.repeat("post_slot", 14)]), sf.Rule("tree_pit", ["tree"]),
        *one_of("post_slot", pole=2, sign=1, bollard=2, furniture=1),
        sf.Rule("pavement", [sf.repeat("pedestrian_slot", 22)]), sf.Rule("pedestrian_slot", ["pedestrian"]),
        sf.Rule("plot", ["house", sf.repeat("garden", 3), sf.repeat("boundary", BOUNDARIES)]),
        sf.Rule("garden", ["tree"]), sf.Rule("boundary", ["fence"]),
    ]


grammar = sf.Grammar("street", kinds_of(), rules())
renderer = sf.Street(SIZE, strips={
    "carriageway": "asphalt", "cycle_lane": "asphalt", "verge": "paving", "pavement": "paving", "grass": "grass",
    "median": "grass", "centre_line": "marking", "lane_line": "marking", "edge_line": "marking"})
