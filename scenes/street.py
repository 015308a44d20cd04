"""Streets seen from behind a windscreen: structured domain randomisation (Prakash et al. 2019), wide ranges.

A scenario, such as a high street, sets the ranges of the road. The road has two sides; a side has strips, from the centre
line outwards: lanes, a cycle lane, a parking lane, a verge, a pavement; then come plots. On a strip lie **slots**,
stretches of it, end to end. A thing stands inside its slot, or is not there if it is too large for it, so that no two
intersect. Metres and degrees; s runs along the road from the camera, t to its left. docs/street_ranges.md names the source
of each range; no photo was measured. docs/street_tutorial.md shows how to change country, scenarios and kinds.
"""

import numpy as np

import scenefit as sf

SIZE = 180, 240  # height and width of the images
REACH = 110.0  # nothing stands farther ahead
LANES = 3  # of a side, at most
SLOT, CLEAR = 14.0, 5.0  # of a lane, for two cars or one truck; what is free in front of the camera
DEPTH = 13.0  # of the band in which houses stand
COUNTS = {"lane_slot": 8, "cyclist_slot": 9, "parking_bay": 18, "pedestrian_slot": 22, "tree_pit": 14, "post_slot": 14,
          "plot": 14}  # of each strip

# Ranges of each scenario. Shares, 0 to 1: `pavements`, `grass_verges`, `cycle_lanes` and `parking_lanes` of the sides;
# `traffic`, `parked`, `walkers`, `trees`, `built` and `fences` of the slots that hold something. setback: of houses from
# the pavement.  plot: its width, of which a house takes the share `fill`.
HOMES = {
    "lanes": (1, 1), "lane_width": (2.75, 3.25), "median": (0, 0.2), "curvature": (-0.01, 0.01), "kerb": (0.05, 0.15),
    "verge_width": (0.9, 2.5), "pavement_width": (1.5, 3), "pavements": (0.8, 1), "grass_verges": (0, 1),
    "cycle_lanes": (0, 0.2), "parking_lanes": (0.3, 1), "parked": (0.1, 0.9), "traffic": (0, 0.4), "walkers": (0, 0.15),
    "trees": (0, 0.9), "built": (0.7, 1), "setback": (1, 8), "storeys": (1, 4), "plot": (8, 18), "fill": (0.6, 1),
    "fences": (0, 1)}
SCENARIOS = {
    "residential street": HOMES,
    "high street": HOMES | {
        "lanes": (1, 2), "lane_width": (2.75, 3.5), "curvature": (-0.006, 0.006), "verge_width": (0.9, 1.8),
        "pavement_width": (2, 5), "pavements": (0.95, 1), "grass_verges": (0, 0.1), "cycle_lanes": (0, 0.5),
        "parking_lanes": (0, 0.8), "parked": (0.2, 1), "traffic": (0.1, 0.9), "walkers": (0.05, 0.5),
        "trees": (0, 0.6), "built": (0.85, 1), "setback": (0, 1), "storeys": (2, 6), "plot": (6, 18),
        "fill": (0.95, 1), "fences": (0, 0.05)},
    "dual carriageway": HOMES | {
        "lanes": (2, 3), "lane_width": (3, 3.75), "median": (1.2, 6), "curvature": (-0.004, 0.004),
        "verge_width": (1, 4), "pavements": (0, 0.8), "cycle_lanes": (0, 0.4), "parking_lanes": (0, 0.05),
        "traffic": (0.1, 0.9), "walkers": (0, 0.05), "built": (0, 0.8), "setback": (3, 12), "storeys": (1, 6),
        "plot": (12, 25), "fill": (0.5, 1), "fences": (0, 0.6)},
    "rural road": HOMES | {
        "lane_width": (2.75, 3.65), "curvature": (-0.008, 0.008), "kerb": (0, 0.02), "verge_width": (1, 4),
        "pavements": (0, 0.2), "grass_verges": (0.9, 1), "cycle_lanes": (0, 0.05), "parking_lanes": (0, 0.05),
        "parked": (0, 0.3), "traffic": (0, 0.5), "walkers": (0, 0.03), "built": (0, 0.25), "setback": (4, 12),
        "storeys": (1, 2), "plot": (12, 25), "fill": (0.4, 0.8), "fences": (0, 0.7)},
}

# Length, width and height of each model; a vehicle's differ from them by up to a twentieth.
CARS = {"city_car": (3.6, 1.64, 1.5), "hatchback": (4.2, 1.79, 1.46), "saloon": (4.7, 1.83, 1.44),
        "estate": (4.7, 1.83, 1.48), "suv": (4.5, 1.85, 1.66), "people_carrier": (4.7, 1.86, 1.75),
        "coupe": (4.4, 1.82, 1.34), "pickup": (5.3, 1.88, 1.82)}
VANS, TRUCKS, BUSES = {"van": (5.4, 2.0, 2.4)}, {"truck": (8.5, 2.45, 3.4)}, {"bus": (11.5, 2.5, 3.1)}
CYCLISTS = {"cyclist": (1.75, 0.6, 1.75)}
# Red, green and blue of car paints, with shares about as makers of paint publish them each year: white, black, grey,
# silver, blue, red, brown, green, orange. Of walls: brick, render, stone, concrete, timber. Of the ground beside.
PAINTS = np.array([(0.90, 0.90, 0.90), (0.08, 0.08, 0.09), (0.32, 0.33, 0.35), (0.66, 0.67, 0.69), (0.14, 0.22, 0.42),
                   (0.60, 0.09, 0.09), (0.40, 0.34, 0.27), (0.16, 0.30, 0.22), (0.80, 0.45, 0.10)])
SHARES = 35, 20, 18, 10, 8, 5, 2, 1, 1
WALLS = np.array([(0.55, 0.32, 0.24), (0.85, 0.82, 0.74), (0.66, 0.62, 0.54), (0.60, 0.60, 0.60), (0.45, 0.34, 0.25)])
GROUND = np.array([(0.32, 0.40, 0.20), (0.52, 0.47, 0.30), (0.46, 0.37, 0.28), (0.55, 0.53, 0.50)])
CYCLE_PAINTS = np.array([(1.0, 1.0, 1.0), (1.2, 0.6, 0.5), (0.6, 1.0, 0.6), (0.5, 0.8, 1.3)])  # plain, red, green, blue
YELLOW = 1.0, 0.75, 0.2
CHANNELS = "red", "green", "blue"


def of(function):
    """A prior of one value, by a function of the node."""
    return lambda node: sf.Constant(np.asarray(function(node)))


def uniform(low, high):
    return sf.learned(sf.Uniform(low, high))


def root(name):
    return lambda node: node.root[name]


def own(name):
    return lambda node: node.parent[name]


def coloured(levels, prefix=""):
    """red, green and blue, by a function of the node that returns them [n, 3]."""
    return {prefix + name: of(lambda node, number=number: np.clip(levels(node)[:, number], 0, 1))
            for number, name in enumerate(CHANNELS)}


def painted(palette, shares=None):
    """Paint from a palette, a little lighter or darker, and any second colour."""
    return {"paint": sf.learned(sf.Choice(range(len(palette)), shares)), "shade": sf.Normal(1, 0.1, 0.7, 1.3),
            **coloured(lambda node: palette[node["paint"]] * node["shade"][:, None]),
            **{f"{name}2": sf.Uniform(0.1, 0.9) for name in CHANNELS}}


def clothes():
    return {f"{name}{second}": sf.Uniform(0.03, 0.9) for second in ("", "2") for name in CHANNELS}


# Slots, and what stands in them.

def slot(start, metres, there, t=own("t"), width=own("width"), heading=own("heading"), **more):
    """A stretch of a strip: from start over so many metres of the centre line, so wide, its middle at t. there: whether
    something stands in it, if that is in reach.  tight: metres along its inner edge by metres of the centre line, below
    1 inside of a bend."""
    def tight(node):
        bend = node.root["curvature"]
        return 1 - bend * node["t"] - np.abs(bend) * node["width"] / 2

    return {"metres": of(metres), "start": of(start), "width": of(width), "t": of(t), "heading": of(heading),
            "tight": of(tight), "chance": sf.Uniform(0, 1), **more,
            "there": of(lambda node: there(node) & (node["start"] + node["metres"] < REACH))}


def row(share, metres, every=None, after=0.0, **more):
    """Slots along a strip of a side, of so many metres, of which the share, an attribute of the root, is taken. every:
    metres from one to the next.  after: how far behind its start the first begins, as a share of that."""
    every = every or metres

    def start(node):
        return (node.number + after + node.parent.parent["first"]) * every(node)

    return slot(start, metres, lambda node: node.parent["there"] & (node["chance"] < node.root[share]), **more)


def thing(size, aside=sf.Uniform(-1, 1), face=lambda node: 0.0, turn=0.0, across=False, gap=0.5):
    """What stands in a slot. size: attributes, such as length, width and height; `foot`, if it may face anywhere: metres
    of ground that it takes each way. Without one it takes its length along the slot and its width, or, where it faces
    `across`, the other way round.

    aside: from one edge of the slot, -1, to the other, 1.  face: degrees from the slot's heading to its own.  turn:
    degrees more, at most; without a foot, half of the free width is kept for it.  gap: metres free to the next slot.
    """
    half = turn and "foot" not in size

    def spare(node):
        """Metres left free along and across the slot, below 0 where it is too small. In a bend, ends stand out."""
        sides = [node[name] for name in (("foot", "foot") if "foot" in size else ("length", "width"))]
        long, wide = sides[::-1] if across else sides
        ends = np.abs(node.root["curvature"]) * long**2 / 4 / node.parent["tight"]
        return node.parent["metres"] - (long + gap) / node.parent["tight"], node.parent["width"] - wide - ends

    def s(node):
        return node.parent["start"] + node.parent["metres"] / 2 + (node["ahead"] - 0.5) * np.maximum(spare(node)[0], 0)

    def t(node):
        return node.parent["t"] + node["aside"] * np.maximum(spare(node)[1], 0) / (4 if half else 2)

    def heading(node):
        most = turn
        if half:
            most = np.minimum(turn, np.rad2deg(np.arcsin(np.clip(spare(node)[1] / 2 / node["length"], 0, 1))))
        return node.parent["heading"] + face(node) + node["turned"] * most

    return {**size, "ahead": sf.Uniform(0, 1), "aside": aside, "turned": sf.Uniform(-1, 1), "s": of(s), "t": of(t),
            "heading": of(heading), "there": of(lambda node: node.parent["there"] & (np.minimum(*spare(node)) > -1e-6))}


def vehicle(models, colours):
    kinds, sizes = sf.Choice(list(models)), np.array(list(models.values()))
    return thing({"model": sf.learned(kinds), "scale": sf.Uniform(0.95, 1.05),
                  **{name: of(lambda node, number=number: node["scale"] * sizes[kinds.codes(node["model"]), number])
                     for number, name in enumerate(("length", "width", "height"))}, **colours}, turn=2.0)


# The road.

def nearside(node):
    """1 where one drives on the right, -1 on the left."""
    return np.where(node["drives_on"] == "right", 1, -1)


def street(scenarios):
    """Attributes of the root."""
    kinds = sf.Choice(list(scenarios))

    def by_scenario(name, prior=sf.Uniform):
        ends = np.transpose([ranges[name] for ranges in scenarios.values()])
        return lambda node: prior(*(end[kinds.codes(node["scenario"])] for end in ends))

    def camera_t(node):
        lane = node["median"] / 2 + (node["camera_lane"] + 0.5) * node["lane_width"]
        return node["camera_offset"] - nearside(node) * lane

    return {
        "scenario": sf.learned(kinds), "drives_on": sf.learned(sf.Choice(["right", "left"])),
        "lanes": by_scenario("lanes", sf.Integer), "storeys": sf.learned(by_scenario("storeys", sf.Integer)),
        **{name: sf.learned(by_scenario(name)) for name in HOMES if name not in ("lanes", "storeys")},
        "cycle_lane_width": uniform(1.5, 2), "parking_lane_width": uniform(2, 2.5), "bay": uniform(6, 6.7),
        "riders": uniform(0, 0.4), "posts": uniform(0.1, 1), "tree_spacing": uniform(7.5, 15),
        "storey_height": uniform(2.6, 3.5),
        # Painted lines: whether there are some, what they measure, how light they are.
        "centre_lines": sf.Choice([0, 1], [1, 3]), "edge_lines": sf.Choice([0, 1]), "yellow": sf.Choice([0, 1], [3, 1]),
        "solid": sf.Choice([0, 1], [3, 1]), "line_width": uniform(0.1, 0.2), "dash": uniform(2, 6),
        "dash_gap": uniform(2, 9), "lines": uniform(0.5, 0.95),
        # Surfaces, 0 dark to 1 light.
        "asphalt": uniform(0.2, 0.5), "paving": uniform(0.35, 0.7),
        "cycle_paint": sf.Choice(range(len(CYCLE_PAINTS)), [3, 1, 1, 1]),
        "ground": sf.learned(sf.Choice(range(len(GROUND)))), "ground_shade": uniform(0.7, 1.2),
        **coloured(lambda node: GROUND[node["ground"]] * node["ground_shade"][:, None], "ground_"),
        # The camera, in one of the lanes.
        "camera_lane": lambda node: sf.Integer(0, node["lanes"] - 1), "camera_offset": uniform(-0.5, 0.5),
        "camera_t": of(camera_t), "camera_height": uniform(1.05, 2.33), "camera_pitch": uniform(-5, 9),
        "camera_yaw": uniform(-4, 4), "camera_roll": uniform(-2, 2), "field_of_view": uniform(40, 100),
        # Light and weather, and what the camera makes of them.
        "sun_azimuth": sf.learned(sf.Angle()), "sun_elevation": uniform(5, 65), "sun": uniform(0, 5),
        "cloud": uniform(0, 1), "warmth": uniform(0, 0.6), "haze": sf.learned(sf.LogUniform(1e-4, 4e-3)),
        "exposure": uniform(-1.5, 1.5), "contrast": uniform(0.7, 1.6), "noise": uniform(0, 8),
        "texture": uniform(0.3, 1.5),
    }


def side():
    """Side 0 is the camera's, side 1 that of the oncoming traffic. outwards: t by metres from the centre line. edge,
    kerb, front: metres from there to the end of the lanes, of the carriageway, of the pavement."""
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


def strip(inner, outer, there=lambda node: True, **more):
    """From so many metres beside the centre line to so many, functions of its side."""
    return {"t": of(lambda node: node.parent["outwards"] * (inner(node.parent) + outer(node.parent)) / 2),
            "width": of(lambda node: outer(node.parent) - inner(node.parent)), "heading": of(own("heading")),
            "there": of(lambda node: there(node) & (node["width"] > 0)), **more}


def line(u, there, gap=lambda node: 0.0, yellow=lambda node: False):
    """Painted, u metres beside the centre line."""
    def level(node):
        return node.root["lines"][:, None] * np.where(np.reshape(yellow(node), (-1, 1)), YELLOW, 1)

    return {"t": of(lambda node: node.parent["outwards"] * u(node)), "width": of(root("line_width")),
            "dash": of(root("dash")), "gap": of(gap), "there": of(there), **coloured(level)}


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
    return slot(lambda node: node.parent["first"] + SLOT * node.number, lambda node: SLOT,
                lambda node: node.parent["there"] & (node["chance"] < node.root["traffic"]))


def car_slot():
    """Half of a lane's slot."""
    return slot(lambda node: node.parent["start"] + SLOT / 2 * node.number, lambda node: node.parent["metres"] / 2,
                lambda node: node.parent.parent["there"] & (node["chance"] < node.root["traffic"]))


def crown(node):
    """Of a tree in a verge: up to its neighbours and to the houses."""
    side = node.parent.parent
    wall = side["front"] + node.root["setback"] - side["kerb"] - node.root["verge_width"] / 2
    return np.minimum(node.root["tree_spacing"] - 0.5, 2 * wall)


def plot():
    """A band of ground for a house, which faces the road."""
    def start(node):
        return (node.number - 1 + node.parent["first"]) * node.root["plot"]

    return slot(start, root("plot"), lambda node: node["chance"] < node.root["built"],
                lambda node: node.parent["outwards"] * (node.parent["front"] + node.root["setback"] + DEPTH / 2),
                lambda node: DEPTH, lambda node: -90 * node.parent["outwards"])


def boundary():
    """Of a plot, along the pavement."""
    return slot(own("start"), own("metres"), lambda node: node["chance"] < node.root["fences"],
                lambda node: node.parent.parent["outwards"] * (node.parent.parent["front"] + node["width"] / 2),
                lambda node: np.minimum(node.root["setback"], 2), lambda node: node.parent.parent["heading"])


def garden():
    """Half of a plot without a house."""
    def inside(node):
        return (node.parent["there"] == 0) & (node["chance"] < node.root["trees"])

    return slot(lambda node: node.parent["start"] + node.number * node["metres"], lambda node: node.parent["metres"] / 2,
                inside, trunk=0.0, crown=of(lambda node: node["metres"] * node["tight"] - 0.5))


def tree():
    return thing({
        "widest": sf.Uniform(3, 9), "width": of(lambda node: np.minimum(node["widest"], node.parent["crown"])),
        "length": of(lambda node: node["width"]), "slender": sf.Uniform(1.1, 1.8),
        "height": of(lambda node: np.maximum(node["width"] * node["slender"], 3)),
        "foot": of(lambda node: np.where(node.parent["trunk"] > 0, 0.5, node["width"]))}, turn=180.0)


def house():
    def height(node):
        return np.maximum(node.root["storeys"] - node["lower"], 1) * node.root["storey_height"] + node["roof"]

    return thing({"length": sf.Uniform(7, 11), "lower": sf.Choice([0, 1], [3, 1]), "roof": sf.Uniform(0.5, 3),
                  "width": of(lambda node: node.parent["metres"] * node.parent["tight"] * node.root["fill"]),
                  "height": of(height), **painted(WALLS)},
                 aside=of(lambda node: -node.parent.parent["outwards"]), across=True, gap=0.0)


def fence():
    return thing({"height": sf.Uniform(0.8, 2), "width": 0.1,
                  "length": of(lambda node: node.parent["metres"] * node.parent["tight"])},
                 aside=of(lambda node: -node.parent.parent.parent["outwards"]), gap=0.0)


def kinds_of(scenarios):
    """kind -> attributes, from the root to the leaves."""
    def grey(name, tint):
        return coloured(lambda node: node.root[name][:, None] * (tint(node) if callable(tint) else tint))

    def inner_edge(node):
        return node.root["median"] / 2

    def kerb(side):
        return side["kerb"]

    def outer_verge(side):
        return side["front"] - side["pavement"]

    raised, paving = {"rise": of(root("kerb"))}, grey("paving", (1.02, 1, 0.96))
    trees = root("tree_spacing")
    return {
        "street": street(scenarios),
        "median": {"t": 0.0, "width": of(own("median")), "there": of(lambda node: node["width"] > 1), **raised},
        "side": side(),
        "carriageway": strip(lambda side: 0, kerb, **grey("asphalt", (1, 1, 1.02))),
        "lane": lane(), "lane_slot": lane_slot(), "car_slot": car_slot(),
        "centre_line": line(lambda node: inner_edge(node) + np.where(node.root["median"] > 1, 0.3, 0),
                            root("centre_lines"),
                            lambda node: np.where((node.root["solid"] > 0) | (node.root["median"] > 1), 0,
                                                  node.root["dash_gap"]), lambda node: node.root["yellow"] > 0),
        "lane_line": line(lambda node: inner_edge(node) + (node.number + 1) * node.root["lane_width"],
                          lambda node: node.number < node.root["lanes"] - 1, root("dash_gap")),
        "edge_line": line(lambda node: node.parent["edge"] - node.root["line_width"],
                          lambda node: (node.root["edge_lines"] > 0) | (node.parent["cycle_lane"] > 0)),
        "cycle_lane": strip(lambda side: side["edge"], lambda side: side["edge"] + side["cycle_lane"], rise=0.003,
                            **grey("asphalt", lambda node: CYCLE_PAINTS[node.root["cycle_paint"]])),
        "cyclist_slot": row("riders", lambda node: 12.0),
        "parking_lane": strip(lambda side: side["kerb"] - side["parking_lane"], kerb),
        "parking_bay": {"against": sf.Choice([0, 180], [4, 1]),
                        **row("parked", root("bay"), heading=lambda node: node.parent["heading"] + node["against"])},
        "verge": strip(kerb, outer_verge, **raised, **paving),
        "grass": strip(kerb, outer_verge, own("grass"), rise=of(lambda node: node.root["kerb"] + 0.01)),
        "tree_pit": row("trees", lambda node: 0.6 * trees(node), trees, trunk=1.0, crown=of(crown)),
        "post_slot": row("posts", lambda node: 0.4 * trees(node), trees, after=0.6),
        "pavement": strip(outer_verge, lambda side: side["front"], **raised, **paving),
        "pedestrian_slot": row("walkers", lambda node: 5.0),
        "plot": plot(), "boundary": boundary(), "garden": garden(),
        # Things that stand in slots.
        "car": vehicle(CARS, painted(PAINTS, SHARES)), "van": vehicle(VANS, painted(PAINTS, SHARES)),
        "truck": vehicle(TRUCKS, painted(PAINTS)), "bus": vehicle(BUSES, painted(PAINTS)),
        "cyclist": vehicle(CYCLISTS, clothes()),
        "pedestrian": thing({"foot": 0.7, "height": sf.Normal(1.7, 0.12, 1.3, 2), "way": sf.Choice([0, 180]),
                             **clothes()}, face=lambda node: node["way"], turn=25.0),
        "tree": tree(), "house": house(), "fence": fence(),
        "pole": thing({"foot": 0.3, "height": sf.Uniform(5, 10)}),
        "sign": thing({"foot": 0.8, "height": sf.Uniform(2.2, 3.2)}, face=lambda node: 180.0, turn=5.0),
        "bollard": thing({"foot": 0.3, "height": sf.Uniform(0.8, 1.2)}),
    }


def grammar_of(scenarios=SCENARIOS):
    def slots(kind):
        return sf.repeat(kind, COUNTS[kind])

    def one_of(slot, **weights):
        """Which thing is in a slot: as likely as its weight, at first."""
        return [sf.Rule(slot, [kind], weight, learned=True) for kind, weight in weights.items()]

    return sf.Grammar("street", kinds_of(scenarios), [
        sf.Rule("street", ["median", sf.repeat("side", 2)]),
        sf.Rule("side", ["carriageway", sf.repeat("lane", LANES), sf.repeat("lane_line", LANES - 1), "centre_line",
                         "edge_line", "cycle_lane", "parking_lane", "verge", "grass", "pavement", slots("plot")]),
        sf.Rule("lane", [slots("lane_slot")]),
        sf.Rule("lane_slot", [sf.repeat("car_slot", 2)], 8, learned=True), *one_of("lane_slot", truck=1, bus=1),
        *one_of("car_slot", car=12, van=2, cyclist=1),
        sf.Rule("cycle_lane", [slots("cyclist_slot")]), sf.Rule("cyclist_slot", ["cyclist"]),
        sf.Rule("parking_lane", [slots("parking_bay")]), *one_of("parking_bay", car=8, van=1),
        sf.Rule("verge", [slots("tree_pit"), slots("post_slot")]), sf.Rule("tree_pit", ["tree"]),
        *one_of("post_slot", pole=2, sign=1, bollard=2),
        sf.Rule("pavement", [slots("pedestrian_slot")]), sf.Rule("pedestrian_slot", ["pedestrian"]),
        sf.Rule("plot", ["house", "boundary", sf.repeat("garden", 2)]), sf.Rule("boundary", ["fence"]),
        sf.Rule("garden", ["tree"]),
    ])


grammar = grammar_of()
