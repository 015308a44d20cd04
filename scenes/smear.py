"""Blood smears under a microscope of unknown magnification, with an unknown stain: the wide grammar, no photo measured.

All that is learned belongs to the image (magnification, stain, light, camera); cells draw their own values around it.
Cells have sites that keep apart, evenly or clumped; the image's overlap says how far they stray from them.
"""

import scenefit as sf

SIZE = HEIGHT, WIDTH = 240, 320
KINDS = {"red": 80, "white": 5, "platelet": 20}  # and the most of each in an image
ORDER = "white", "red", "platelet"  # in which they take their sites
STEP = {"x": 0.7548776662466927, "y": 0.5698402909980532}  # of Roberts' R2 sequence
WAYS = {"red": "r", "green": "g", "blue": "b"}


def photo(node):
    """The image that a cell, or a part of a cell, stands in."""
    return node.parent if "red_size" in node.parent else node.parent.parent


def same(name):
    return lambda node: sf.Constant(photo(node)[name])


def near(name):
    """Around the image's `name`, 0 to 1, as far as its cells vary."""
    return lambda node: sf.Normal(photo(node)[name], photo(node)["variation"], 0, 1)


def radius(kind, mean):
    """Around a mean, as far as the image's things of the kind vary."""
    return lambda node: sf.Normal(mean(node), mean(node) * photo(node)[f"{kind}_spread"], 0.3 * mean(node),
                                  2 * mean(node))


def placed(kind, way, length):
    """Around its site: numbers that fill a range ever more evenly (Roberts 2018), thickened towards the clump."""
    before = [f"n_{other}" for other in ORDER[:ORDER.index(kind)]]

    def prior(node):
        image = photo(node)
        number = node.number + sum(image[name] for name in before)
        even = (image[f"start_{way}"] + STEP[way] * number) % 1
        centre = sf.Normal(image[f"clump_{way}"], WIDTH * image["scatter"], 0, length).quantile(even)
        return sf.Normal(centre, image["red_size"] * image["overlap"], 0, length)

    return prior


def look(kind):
    """Outline, stain and texture of a kind."""
    return {"angle": sf.Angle(), "elongation": lambda node: sf.Uniform(1, 1 + photo(node)[f"{kind}_stretch"]),
            **{name: same(f"{kind}_{name}") for name in ("wobble", "absorb", "grain")},
            **{name: near(f"{kind}_{end}") for name, end in {**WAYS, "opacity": "opacity"}.items()},
            **{name: same(name) for name in ("edge", "grain_size")}}


def ranges(scale):
    """What is learned of an image: attribute -> lowest and highest. Sizes are in pixels, colours 0 dark to 1 light."""
    found = dict.fromkeys(WAYS, (0, 1))  # of the background
    for kind in (*KINDS, "nucleus"):
        found |= {f"{kind}_{end}": (0, 1) for end in (*WAYS.values(), "absorb")}
        found |= {f"{kind}_opacity": (0.1, 1), f"{kind}_spread": (0.02, 0.4), f"{kind}_stretch": (0.02, 1),
                  f"{kind}_wobble": (0, 0.15), f"{kind}_grain": (0, 0.4)}
    return found | {
        "red_size": (0.04 * HEIGHT * scale, 0.40 * HEIGHT * scale), "white_ratio": (1, 4), "platelet_ratio": (0.1, 0.8),
        "nucleus_ratio": (0.4, 0.95), "lobe": (0, 0.9), "pallor": (0, 1), "pallor_size": (0.2, 1), "rim": (-0.6, 0.6),
        "scatter": (0.15, 2), "overlap": (0.01, 1), "variation": (0.01, 0.15), "edge": (0.3, 4), "grain": (0, 0.15),
        "grain_size": (1, 8), "light": (-0.5, 0.5), "vignette": (0, 0.8), "blur": (0, 3), "noise": (0, 25)}


def wide(scale=1.0):
    """The grammar; scale multiplies the range of every size."""
    kinds = {"image": {name: sf.learned(sf.Uniform(*ends)) for name, ends in ranges(scale).items()}}
    kinds["image"] |= {"light_angle": sf.Angle(), "clump_x": sf.Uniform(0, WIDTH), "clump_y": sf.Uniform(0, HEIGHT),
                       "start_x": sf.Uniform(0, 1), "start_y": sf.Uniform(0, 1)}
    sizes = {"red": lambda image: image["red_size"], "white": lambda image: image["red_size"] * image["white_ratio"],
             "platelet": lambda image: image["red_size"] * image["platelet_ratio"]}
    for kind, size in sizes.items():
        kinds[kind] = {"x": placed(kind, "x", WIDTH), "y": placed(kind, "y", HEIGHT), **look(kind),
                       "radius": radius(kind, lambda node, size=size: 0.5 * size(photo(node)))}
    kinds["red"] |= {name: same(name) for name in ("pallor", "pallor_size", "rim")}
    off = {way: (lambda node, way=way: sf.Normal(node.parent[way], 0.15 * node.parent["radius"])) for way in "xy"}
    kinds["nucleus"] = {**off, "lobes": sf.Integer(2, 5), "lobe": near("lobe"), "phase": sf.Angle(), **look("nucleus"),
                        "radius": radius("nucleus", lambda node: node.parent["radius"] * photo(node)["nucleus_ratio"])}
    many = [sf.repeat(kind, sf.learned(sf.Integer(0, most))) for kind, most in KINDS.items()]
    return sf.Grammar("image", kinds, [sf.Rule("image", many), sf.Rule("white", ["nucleus"])])


grammar = wide()
renderer = sf.Shapes(SIZE, {"red": {}, "white": {}, "nucleus": {}, "platelet": {}}, parts=["nucleus"],
                     classes={"red": "RBC", "white": "WBC", "platelet": "Platelets"})
