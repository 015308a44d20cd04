"""Strips along a road, slots on strips, and things in slots, for scenes/street.py.

A slot is a stretch of a strip. A thing stands inside its slot, or is not there if it is too large for it. Strips lie
side by side and slots end to end, so no two things intersect. Nothing is drawn again until it fits: each attribute
keeps its prior, and every scene costs the same.

A node is seen as columns, one entry for each node of a kind. Metres and degrees; s along the centre line from the
camera, t to its left.
"""

import numpy as np

import scenefit as sf

REACH = 110.0  # nothing stands farther ahead
CHANNELS = "red", "green", "blue"


def of(function):
    """A prior of one value, by a function of the node."""
    return lambda node: sf.Constant(np.asarray(function(node)))


def uniform(low, high):
    return sf.learned(sf.Uniform(low, high))


def root(name):
    return lambda node: node.root[name]


def own(name):
    """The parent's attribute."""
    return lambda node: node.parent[name]


def coloured(levels, prefix=""):
    """red, green and blue, by a function of the node that returns them [n, 3]."""
    return {prefix + name: of(lambda node, number=number: np.clip(levels(node)[:, number], 0, 1))
            for number, name in enumerate(CHANNELS)}


def any_colour(second=""):
    """Of any lightness, and not too bright a colour. second: "2" for a second colour."""
    def channel(node):
        light = node[f"light{second}"]
        return sf.Uniform(np.maximum(light - 0.2, 0), light + 0.2)

    return {f"light{second}": sf.Uniform(0.03, 0.8), **{f"{name}{second}": channel for name in CHANNELS}}


def painted(palette, shares=None):
    """Paint from a palette, a little lighter or darker, and any second colour."""
    return {"paint": sf.learned(sf.Choice(range(len(palette)), shares)), "shade": sf.Normal(1, 0.1, 0.7, 1.3),
            **coloured(lambda node: palette[node["paint"]] * node["shade"][:, None]), **any_colour("2")}


def sized(models, names=("length", "width", "height"), model="model"):
    """Attributes by name: the sizes of a node's model, times its `scale`. models: name -> sizes."""
    kinds, sizes = sf.Choice(list(models)), np.array(list(models.values()))
    return {name: of(lambda node, number=number: node["scale"] * sizes[kinds.codes(node[model]), number])
            for number, name in enumerate(names)}


def strip(inner, outer, there=lambda node: True, **more):
    """From so many metres beside the centre line to so many, functions of its side."""
    return {"t": of(lambda node: node.parent["outwards"] * (inner(node.parent) + outer(node.parent)) / 2),
            "width": of(lambda node: outer(node.parent) - inner(node.parent)),
            "there": of(lambda node: there(node) & (node["width"] > 0)), **more}


def slot(start, metres, there, t=None, width=None, heading=None, chance=None, **more):
    """A stretch of a strip: from start over so many metres of the centre line, its middle at t. t, width, heading: by
    default those of the strip.  there: whether something stands in it, if that is in reach.  chance: a prior of a
    number for `there` to compare, by default any from 0 to 1.

    Its attribute tight: metres along its inner edge by metres of the centre line, below 1 inside of a bend.
    """
    def tight(node):
        bend = node.root["curvature"]
        return 1 - bend * node["t"] - np.abs(bend) * node["width"] / 2

    return {"chance": chance or sf.Uniform(0, 1), "width": of(width or own("width")), "t": of(t or own("t")),
            "heading": of(heading or own("heading")), "tight": of(tight), "metres": of(metres), "start": of(start),
            "there": of(lambda node: there(node) & (node["start"] + node["metres"] < REACH)), **more}


def row(share, metres, every=None, after=0.0, heading=lambda node: node.parent.parent["heading"], **more):
    """Slots along a strip of a side, of so many metres, of which the share, an attribute of the root, is taken. every:
    metres from one to the next.  after: how far behind its start the first begins, as a share of that."""
    every = every or metres

    def start(node):
        return (node.number + after + node.parent.parent["first"]) * every(node)

    return slot(start, metres, lambda node: node.parent["there"] & (node["chance"] < node.root[share]), heading=heading,
                **more)


def end_to_end(node, metres):
    """Where each of some siblings of so many metres starts, if the first starts at 0."""
    rows = np.zeros((node.family.max(initial=0) + 1, node.number.max(initial=0) + 1))
    rows[node.family, node.number] = metres
    return (np.cumsum(rows, axis=1) - rows)[node.family, node.number]


def thing(size, aside=None, face=lambda node: 0.0, turn=0.0, gap=0.5):
    """What stands in a slot. size: attributes, such as length, width and height. It takes its length along the slot and
    its width, or its `body` without mirrors; with a `foot`, so many metres each way, wherever it faces.

    aside: from one edge of the slot, -1, to the other, 1.  face: degrees from the slot's heading to its own.  turn:
    degrees more, at most; without a foot, half of the free width is kept for it.  gap: metres free to the next slot.
    """
    taken = ("foot", "foot") if "foot" in size else ("length", "body" if "body" in size else "width")
    kept = turn and "foot" not in size

    def spare(node):
        """Metres left free along and across the slot, below 0 where it is too small. In a bend, ends stand out."""
        long, wide = (node[name] for name in taken)
        ends = np.abs(node.root["curvature"]) * long**2 / 4 / node.parent["tight"]
        return node.parent["metres"] - (long + gap) / node.parent["tight"], node.parent["width"] - wide - ends

    def s(node):
        return node.parent["start"] + node.parent["metres"] / 2 + (node["ahead"] - 0.5) * np.maximum(spare(node)[0], 0)

    def t(node):
        return node.parent["t"] + node["aside"] * np.maximum(spare(node)[1], 0) / (4 if kept else 2)

    def heading(node):
        most = turn
        if kept:
            most = np.minimum(turn, np.rad2deg(np.arcsin(np.clip(spare(node)[1] / 2 / node["length"], 0, 1))))
        return node.parent["heading"] + face(node) + node["turned"] * most

    return {**size, "ahead": sf.Uniform(0, 1), "aside": aside or sf.Uniform(-1, 1), "turned": sf.Uniform(-1, 1),
            "s": of(s), "t": of(t), "heading": of(heading),
            "there": of(lambda node: node.parent["there"] & (np.minimum(*spare(node)) > -1e-6))}
