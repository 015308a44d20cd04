"""Cars on parking lots and roads, seen straight from above, at an unknown height: the wide grammar, no photo measured.

All that is learned belongs to the image. Lengths are in metres; the image's `scale`, in pixels per metre, makes pixels
of them. Roads and lots share a frame: u metres along `direction`, v metres to the left of it, from the pixel x0, y0. A
bay, a lane, a kerb and a spot are places where a car may stand; `there` says whether one does. See docs/aerial.md
"""

import numpy as np
from PIL import Image, ImageDraw

import scenefit as sf

SIZE = HEIGHT, WIDTH = 256, 256  # of the images
SCALE = 1.8, 13.3  # pixels per metre: a car of 4.5 m is 8 to 60 pixels long
COUNTS = {"lot": 2, "road": 2, "spot": 6, "tree": 16, "house": 10, "container": 3}  # the most of each in an image
PLACES = {"bay": 120, "lane": 48, "kerb": 48}  # of each lot, and of each road
# Metres: free ground beside a road; from car to car in a lane, and along a kerb; the strip beside a lane in which cars
# park; a painted line.
GAP, AHEAD, PARALLEL, STRIP, LINE = 2.0, 12.0, 6.2, 2.2, 0.12
# Red, green and blue of the ground, roofs, containers and paints of cars, whose shares are about those that makers of
# car paint publish each year: white, black, grey, silver, blue, red, brown, green, orange.
GROUND = {"grass": (0.30, 0.38, 0.18), "dry grass": (0.52, 0.47, 0.30), "soil": (0.48, 0.38, 0.29),
          "asphalt": (0.36, 0.36, 0.37), "concrete": (0.62, 0.61, 0.58)}
ROOFS = (0.55, 0.28, 0.20), (0.42, 0.24, 0.19), (0.33, 0.33, 0.36), (0.50, 0.48, 0.46), (0.72, 0.71, 0.68)
CONTAINERS = (0.15, 0.28, 0.50), (0.55, 0.18, 0.13), (0.25, 0.40, 0.30), (0.65, 0.65, 0.65)
PAINTS = np.array([(0.90, 0.90, 0.90), (0.08, 0.08, 0.09), (0.32, 0.33, 0.35), (0.66, 0.67, 0.69), (0.14, 0.22, 0.42),
                   (0.60, 0.09, 0.09), (0.40, 0.34, 0.27), (0.16, 0.30, 0.22), (0.80, 0.45, 0.10)])
SHARES = 35, 20, 18, 10, 8, 5, 2, 1, 1
WAYS = "red", "green", "blue"


def of(function):
    """A prior of one value, by a function of the node."""
    return lambda node: sf.Constant(np.asarray(function(node), float))


def at(root, u, v):
    """x and y, in pixels, of a point of the frame."""
    turn = np.deg2rad(root["direction"])
    return (root["x0"] + root["scale"] * (u * np.cos(turn) - v * np.sin(turn)),
            root["y0"] - root["scale"] * (u * np.sin(turn) + v * np.cos(turn)))


def back(root, x, y):
    """u and v of a pixel: the inverse of `at`."""
    turn = np.deg2rad(root["direction"])
    right, down = (x - root["x0"]) / root["scale"], (y - root["y0"]) / root["scale"]
    return right * np.cos(turn) - down * np.sin(turn), -right * np.sin(turn) - down * np.cos(turn)


def half(root, road, more=0.0):
    """Half the width of a road, and `more`; 0 where there is none. Road 0 lies along u, road 1 along v."""
    return np.where(root["n_road"] > road, root["lanes"] * root["lane_width"] / 2 + STRIP + more, 0)


def beside(node):
    """Metres from the nearest road, negative on it; far from all where there is none."""
    return np.minimum(*(np.where(node.root["n_road"] > road, np.abs(node[way]) - half(node.root, road), 1e3)
                        for road, way in enumerate("vu")))


def row(root):
    """Of a row of bays: metres from bay to bay, depth, shear of its lines, width of its aisle (wider at 90 degrees)."""
    slant, parallel = np.deg2rad(root["slant"]), root["slant"] == 0
    wide, long, sin = root["bay_width"], root["bay_length"], np.where(parallel, 1, np.sin(slant))
    return (np.where(parallel, long + 1, wide / sin), np.where(parallel, wide, long * sin + wide * np.cos(slant)),
            np.where(parallel, 0, np.cos(slant) / sin), np.where(root["slant"] == 90, 6.0, 4.0))


def row_v(root, lot, number):
    """The middle of a row of a lot. Two rows share an aisle; the next two stand back to back with them."""
    _, depth, _, aisle = row(root)
    first = lot["v"] - lot["depth"] / 2 + 1 + depth / 2
    return first + number // 2 * (2 * depth + aisle) + number % 2 * (depth + aisle)


def lot():
    """One on each side of road 0, of `rows` rows of `bays` bays. depth, length: of its asphalt, in metres."""
    def depth(node):
        _, deep, _, aisle = row(node.root)
        return (node["rows"] + 1) // 2 * (2 * deep + aisle) - node["rows"] % 2 * deep + 2

    def u(node):
        off = half(node.root, 1, node.root["pavement"]) + GAP + node["length"] / 2
        return np.where(node.root["n_road"] > 1, node["side"] * off, node["shift"] * node["length"])

    def v(node):
        return node["side"] * (half(node.root, 0, node.root["pavement"]) + GAP + node["depth"] / 2)

    return {"rows": sf.Integer(1, 5), "bays": sf.Integer(8, 24), "shift": sf.Uniform(-0.4, 0.4),
            "side": of(lambda node: 1 - 2 * node.number), "depth": of(depth),
            "length": of(lambda node: node["bays"] * row(node.root)[0] + row(node.root)[1] * row(node.root)[2] + 2),
            "u": of(u), "v": of(v)}


def place(u, v, heading, there):
    """heading: in degrees from `direction`.  there: whether a car stands there, if that is in the image."""
    def seen(node):
        x, y = at(node.root, node["u"], node["v"])
        off = np.maximum(np.abs(x - WIDTH / 2) - WIDTH / 2, np.abs(y - HEIGHT / 2) - HEIGHT / 2)
        return there(node) & (off < 1.5 * node.root["scale"])  # of cars further out, images show hardly a bumper

    return {"chance": sf.Uniform(0, 1), "aside": sf.Uniform(-1, 1), "turned": sf.Choice([0, 180]), "u": of(u),
            "v": of(v), "heading": of(heading), "there": of(seen)}


def bay():
    def line(node):
        return node.number // node.parent["bays"]

    def u(node):
        own = node.parent
        return own["u"] + row(node.root)[0] * (node.number % own["bays"] + 0.5 - own["bays"] / 2)

    return place(u, lambda node: row_v(node.root, node.parent, line(node)) + 0.3 * node["aside"],
                 lambda node: np.where(line(node) % 2, -1, 1) * node.root["slant"] + node["turned"] + 2 * node["aside"],
                 lambda node: (line(node) < node.parent["rows"]) & (node["chance"] < node.root["occupancy"]))


def roadside(ahead, left, heading, share):
    """A place on a road, so far ahead and to the left, in metres; none at a crossing. share: the image's attribute."""
    def crossing(node):
        return node.parent["number"] == 1

    def there(node):
        off = np.where(crossing(node), np.abs(node["v"]) - half(node.root, 0), np.abs(node["u"]) - half(node.root, 1))
        return (off > 4) & (node["chance"] < node.root[share])

    return place(lambda node: np.where(crossing(node), -left(node), ahead(node)),
                 lambda node: np.where(crossing(node), ahead(node), left(node)),
                 lambda node: 90 * node.parent["number"] + heading(node), there)


def lane():
    """Cars keep to the right."""
    def ahead(node):
        lanes = node.root["lanes"]
        return AHEAD * (node.number // lanes + 0.5 - PLACES["lane"] / lanes / 2) + 3 * node["aside"]

    def left(node):
        return node.root["lane_width"] * (node.number % node.root["lanes"] + 0.5 - node.root["lanes"] / 2)

    return roadside(ahead, left, lambda node: np.where(left(node) > 0.1, 180, 0) + node["aside"], "traffic")


def kerb():
    return roadside(lambda node: PARALLEL * (node.number // 2 + 0.5 - PLACES["kerb"] / 4) + 0.5 * node["aside"],
                    lambda node: np.where(node.number % 2, 1, -1) * (half(node.root, 0) - STRIP / 2),
                    lambda node: node["turned"] + node["aside"], "kerbside")


def spot():
    """Anywhere off the roads, on the sides of road 0 that have no lot."""
    def there(node):
        return (node.root["n_lot"] <= np.where(node["v"] > 0, 0, 1)) & (beside(node) > node.root["pavement"] + 2.5)

    return {"right": sf.Uniform(0, WIDTH), "below": sf.Uniform(0, HEIGHT), "any": sf.Angle(),
            **place(lambda node: back(node.root, node["right"], node["below"])[0],
                    lambda node: back(node.root, node["right"], node["below"])[1], lambda node: node["any"], there)}


def car():
    """A car where its place has one, else nothing: opacity 0 is no object. Metres of passenger cars, and of vans and
    small trucks: from makers' data sheets."""
    def sized(car, van):
        """Of each: mean, standard deviation, least and most."""
        return lambda node: sf.Normal(*(np.where(node["van"], *both) for both in zip(van, car, strict=True)))

    def pixels(name):
        return of(lambda node: np.where(node["opacity"] > 0, node[name] * node.root["scale"], 0.1))

    def way(number):
        """Of a car that is there; others lie outside, where they cost least."""
        return of(lambda node: np.where(node["opacity"] > 0, at(node.root, node.parent["u"], node.parent["v"])[number],
                                        -99))

    return {"opacity": of(lambda node: node.parent["there"]), "x": way(0), "y": way(1),
            "angle": of(lambda node: node.root["direction"] + node.parent["heading"]), "chance": sf.Uniform(0, 1),
            "van": of(lambda node: node["chance"] < node.root["vans"]),
            "metres": sized((4.4, 0.4, 3.5, 5.3), (5.6, 0.7, 4.9, 7.5)),
            "metres_wide": sized((1.8, 0.08, 1.6, 2.0), (2.1, 0.15, 1.9, 2.5)),
            "length": pixels("metres"), "width": pixels("metres_wide"),
            # A shadow is the moved outline; further away, it would part from its car.
            "height": of(lambda node: node["opacity"] * node.root["scale"] * np.minimum(
                np.where(node["van"], 2.2, 1.3) * node.root["sun"], node["metres_wide"])),
            "paint": sf.Choice(range(len(PAINTS)), SHARES), "shine": sf.Normal(1, 0.15, 0.6, 1.4),
            **{f"shift{way}": sf.Normal(0, 0.02, -0.06, 0.06) for way in range(3)},
            **{name: of(lambda node, way=way: np.clip(PAINTS[node["paint"], way] * node["shine"]
                                                      + node[f"shift{way}"], 0, 1)) for way, name in enumerate(WAYS)}}


def part(ahead, long, wide, factor, plus):
    """A rectangle on a car, of a car and of a van each: its middle ahead of the car's, its length and its width, of the
    car's. factor, plus: its colour, of the car's."""
    def pick(node, both):
        return np.where(node.parent["van"], *both[::-1])

    def middle(name, step):
        return of(lambda node: node.parent[name] + pick(node, ahead) * node.parent["length"]
                  * step(np.deg2rad(node.parent["angle"])))

    return {"x": middle("x", np.cos), "y": middle("y", lambda turn: -np.sin(turn)),
            "angle": of(lambda node: node.parent["angle"]), "opacity": of(lambda node: node.parent["opacity"]),
            "length": of(lambda node: pick(node, long) * node.parent["length"]),
            "width": of(lambda node: pick(node, wide) * node.parent["width"]),
            **{name: of(lambda node, name=name: np.clip(factor * node.parent[name] + plus, 0, 1)) for name in WAYS}}


def tree():
    """Crowns of 3 to 10 m, none in the middle of a road."""
    return {"x": sf.Uniform(0, WIDTH), "y": sf.Uniform(0, HEIGHT), "angle": sf.Angle(), "light": sf.Uniform(0.6, 1.2),
            "olive": sf.Uniform(-0.05, 0.07), "u": of(lambda node: back(node.root, node["x"], node["y"])[0]),
            "v": of(lambda node: back(node.root, node["x"], node["y"])[1]),
            "opacity": of(lambda node: beside(node) >= 0), "crown": sf.Uniform(1.5, 5),
            "radius": of(lambda node: np.where(node["opacity"] > 0, node["crown"] * node.root["scale"], 0.1)),
            "height": of(lambda node: node["opacity"] * node["crown"] * 1.2 * node.root["sun"] * node.root["scale"]),
            "grain_size": of(lambda node: 0.6 * node.root["scale"]), "edge": of(lambda node: 0.3 * node.root["scale"]),
            **{name: of(lambda node, share=share, more=more: (share + more * node["olive"]) * node["light"]
                        * node.root["ground_shade"])
               for name, share, more in zip(WAYS, (0.20, 0.29, 0.14), (1, 0, 0.5), strict=True)}}


def oblong(long, wide, **more):
    """A rectangle along the frame. long, wide: in metres."""
    return {"x": sf.Uniform(0, WIDTH), "y": sf.Uniform(0, HEIGHT), "across": sf.Choice([0, 1]), "long": long,
            "wide": wide, **more}


def building(high, colours):
    return {"high": high, "colour": sf.Choice(range(len(colours))), "light": sf.Uniform(0.8, 1.2)}


def uniform(low, high):
    return sf.learned(sf.Uniform(low, high))


IMAGE = {
    "scale": sf.learned(sf.LogUniform(*SCALE)),
    "x0": sf.Uniform(0, WIDTH), "y0": sf.Uniform(0, HEIGHT), "direction": sf.Angle(),
    # Shares: of the bays, of the places in lanes and along kerbs that hold a car; of vans and small trucks among cars.
    "occupancy": uniform(0.05, 1), "traffic": uniform(0, 0.7), "kerbside": uniform(0, 0.9), "vans": uniform(0, 0.3),
    # Metres and degrees. Lanes of 2.5 to 3.75 m, bays of 2.3 to 2.6 m by 4.8 to 5.5 m: design guides of roads and
    # parking, in Germany RASt 06 and EAR 05.
    "lanes": sf.Choice([1, 2, 4], [1, 3, 1]), "lane_width": uniform(2.5, 3.75), "bay_width": uniform(2.3, 2.7),
    "bay_length": uniform(4.8, 5.5), "slant": sf.learned(sf.Choice([90, 60, 45, 0], [5, 1, 1, 1])),
    # Sizes that differ between places, so they tell little of the scale: metres of a pavement and of a dash, the gap
    # between dashes by their length, and the size of the ground's texture. Of repaired asphalt, the share and metres.
    "pavement": sf.Uniform(1, 4), "dash": sf.Uniform(2, 6), "gap": sf.Uniform(1, 3), "patchy": sf.LogUniform(0.4, 2.5),
    "repairs": sf.Uniform(0.001, 0.08), "repair": sf.Uniform(2, 6),
    # Ground: 0 dark to 1 light; `greener`, how much greener; `lines`, how fresh the paint is; `grain`, how uneven.
    "ground": sf.learned(sf.Choice(list(GROUND))), "ground_shade": uniform(0.75, 1.2), "asphalt": uniform(0.22, 0.55),
    "greener": uniform(-0.3, 0.3), "lines": uniform(0, 1), "grain": uniform(0, 0.12),
    # `shadow` is how much light shadows take, `sun` their length by height: 2.2 with the sun 24 degrees high. Their
    # direction is any, as photos of one day tell little of the next. The rest is the camera's; haze lowers `contrast`.
    "shadow": uniform(0, 0.75), "shadow_angle": sf.Angle(), "sun": uniform(0.1, 2.2),
    "brightness": uniform(0.65, 1.3), "warmth": uniform(-0.12, 0.12), "contrast": uniform(0.5, 1.3),
    **{f"{way}_gain": of(lambda image, tilt=tilt: image["brightness"] * (1 + tilt * image["warmth"]))
       for way, tilt in zip(WAYS, (1, 0, -1), strict=True)},
    "blur": uniform(0, 1.5), "noise": uniform(0, 10),
}


grammar = sf.Grammar(
    start="image",
    symbols={
        "image": IMAGE,
        "lot": lot(), "road": {"number": of(lambda node: node.number)}, "bay": bay(), "lane": lane(), "kerb": kerb(),
        "spot": spot(),
        "patch": oblong(sf.Uniform(10, 60), sf.Uniform(6, 30), material=sf.Choice(list(GROUND))),
        "house": oblong(sf.Uniform(8, 20), sf.Uniform(6, 12), **building(sf.Uniform(3, 8), ROOFS)),
        "container": oblong(sf.Choice([6.1, 12.2]), 2.4, **building(2.6, CONTAINERS)),
        "car": car(),
        "hood": part((0.36, 0.44), (0.22, 0.08), (0.80, 0.80), 1.06, 0.05),
        "glass": part((-0.06, 0.32), (0.60, 0.13), (0.86, 0.86), 0.08, 0.14),
        "roof": part((-0.10, -0.11), (0.33, 0.74), (0.72, 0.94), 1.04, 0.03),
        "tree": tree(),
    },
    rules=[
        sf.Rule("image", [*(sf.repeat(kind, sf.learned(sf.Integer(0, most)) if most else 0)
                            for kind, most in COUNTS.items()), sf.repeat("patch", sf.Integer(0, 3))]),
        sf.Rule("lot", [sf.repeat("bay", PLACES["bay"])]),
        sf.Rule("road", [sf.repeat("lane", PLACES["lane"]), sf.repeat("kerb", PLACES["kerb"])]),
        *(sf.Rule(kind, ["car"]) for kind in ("bay", "lane", "kerb", "spot")),
        sf.Rule("car", ["hood", "glass", "roof"]),
    ],
)


def cover(distance, scale):
    """How much of a pixel lies inside an outline, by its distance from it in metres, positive inside."""
    return np.clip(0.5 + distance * scale, 0, 1)


def stripe(away, scale):
    """Of a painted line, by the distance from its middle; a line may be thinner than a pixel."""
    return cover(LINE / 2 - away, scale) + cover(LINE / 2 + away, scale) - 1


def paint(image, colour, share, texture=1.0):
    """Over image [3, H, W], on the share of each pixel [H, W]."""
    for channel, level in zip(image, colour, strict=True):
        channel += share * (level * texture - channel)


def rough(random, cell):
    """Smooth random numbers of unit variance [H, W] that change over about `cell` pixels."""
    cell = max(cell, 1.0)
    coarse = random.standard_normal((int(HEIGHT / cell) + 3, int(WIDTH / cell) + 3)).astype(np.float32)
    size = int(coarse.shape[1] * cell), int(coarse.shape[0] * cell)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))[:HEIGHT, :WIDTH]


@sf.each
def ground(scene):
    """Ground, roads, lots and houses. They are no objects: none has pixels in the masks."""
    root, scale = scene.root, scene.root["scale"]
    down, right = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32) + 0.5
    u, v = (metres.astype(np.float32) for metres in back(root, right, down))
    image = np.broadcast_to(np.reshape(GROUND[root["ground"]], (3, 1, 1)), (3, HEIGHT, WIDTH)).astype(np.float32)
    taken = np.zeros((HEIGHT, WIDTH), bool)  # by what houses do not stand on

    def rectangle(node):
        sides = (node["wide"], node["long"]) if node["across"] else (node["long"], node["wide"])
        middle = back(root, node["x"], node["y"])
        return middle, sides, np.minimum(sides[0] / 2 - np.abs(u - middle[0]), sides[1] / 2 - np.abs(v - middle[1]))

    for node in scene.of("patch"):
        paint(image, GROUND[node["material"]], cover(rectangle(node)[2], scale))
    cell = root["patchy"] * scale
    wild = rough(scene.rng("coarse"), 4 * cell) + rough(scene.rng("fine"), 0.5 * cell)
    image[1] += np.float32(root["greener"]) * (image.max(0) - image.min(0))  # grey ground stays grey
    image *= np.float32(root["ground_shade"]) * (1 + np.float32(root["grain"]) * wild)

    asphalt, white = root["asphalt"] * np.array([1.0, 1.0, 1.02]), (0.85, 0.85, 0.82)
    even = 1 + 0.3 * root["grain"] * (rough(scene.rng("stains"), 2 * cell) + rough(scene.rng("grit"), 1))
    cells = tuple((way // long).astype(int) % 64 for way, long in ((u, root["repair"]), (v, root["repair"] / 2)))
    even *= 1 - 0.4 * np.clip(1 - scene.rng("repairs").random((64, 64))[cells] / root["repairs"], 0, 1)
    roads = [(v, u, half(root, 0)), (u, v, half(root, 1))][:root["n_road"]]
    for aside, _, wide in roads:
        paint(image, GROUND["concrete"], cover(wide + root["pavement"] - np.abs(aside), scale))
        taken |= np.abs(aside) < wide + root["pavement"]
    for aside, _, wide in roads:
        paint(image, asphalt, cover(wide - np.abs(aside), scale), even)
    pitch, depth, shear, _ = row(root)
    for node in scene.of("lot"):
        from_u, from_v = u - node["u"], v - node["v"]
        inside = np.minimum(node["length"] / 2 - np.abs(from_u), node["depth"] / 2 - np.abs(from_v))
        paint(image, asphalt, cover(inside, scale), even)
        taken |= inside > 0
        for number in range(node["rows"]):
            off = v - row_v(root, node, number)
            along = (from_u - (1 - 2 * (number % 2)) * shear * off) / pitch + node["bays"] / 2
            near = np.abs(along - np.clip(np.rint(along), 0, node["bays"])) * pitch / np.hypot(1, shear)
            paint(image, white, root["lines"] * stripe(near, scale) * cover(depth / 2 - np.abs(off), scale))
    for number, (aside, ahead, _) in enumerate(roads):
        open_ = cover(np.abs(ahead) - half(root, 1 - number), scale)
        dashes = np.where(ahead % (root["dash"] * (1 + root["gap"])) < root["dash"], 1.0, 0.0)
        for line in range(root["lanes"] + 1):
            dashed = 0 < line < root["lanes"] and (root["lanes"], line) != (4, 2)
            near = np.abs(aside - (line - root["lanes"] / 2) * root["lane_width"])
            paint(image, white, root["lines"] * stripe(near, scale) * open_ * (dashes if dashed else 1))

    fall = np.deg2rad(root["shadow_angle"] - root["direction"])
    spots = [spot for spot in scene.of("spot") if spot["there"]]
    for node in [*scene.of("house"), *scene.of("container")]:
        middle, sides, inside = rectangle(node)
        if (taken & (inside > 0)).any() or any(max(abs(spot["u"] - middle[0]) - sides[0] / 2,
                                                   abs(spot["v"] - middle[1]) - sides[1] / 2) < 3 for spot in spots):
            continue
        taken |= inside > 0
        far = node["high"] * root["sun"]
        image *= 1 - root["shadow"] * swept(root, middle, sides, far * np.cos(fall), far * np.sin(fall))
        colour = np.array((CONTAINERS if node.kind == "container" else ROOFS)[node["colour"]]) * node["light"]
        off_u, off_v = u - middle[0], v - middle[1]
        across, along, sun = (off_v, u, np.sin(fall)) if sides[0] > sides[1] else (off_u, v, np.cos(fall))
        lit = 1 - 0.3 * np.sign(across) * sun * root["shadow"] * (node.kind == "house")  # two sides of a roof
        paint(image, colour, cover(inside, scale), lit * (1 + 0.05 * np.sin(2 * np.pi * along / 0.8)))
    return np.clip(image, 0, 1).transpose(1, 2, 0)


def swept(root, middle, sides, du, dv):
    """The shadow of a box, as the share of each pixel [H, W]: its outline moved to u + du, v + dv, and all between."""
    (a, b), (c, d) = middle, (sides[0] / 2, sides[1] / 2)
    near, far = ([at(root, a + i * c + k * du, b + j * d + k * dv) for i, j in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
                 for k in (0, 1))
    mask = Image.new("L", (2 * WIDTH, 2 * HEIGHT))
    for shape in (far, *([near[k], near[k - 1], far[k - 1], far[k]] for k in range(4))):
        ImageDraw.Draw(mask).polygon([(2 * x, 2 * y) for x, y in shape], fill=255)
    return np.asarray(mask.reduce(2)) / 255


ground.info = sf.RendererInfo(SIZE, parts=["lot", "road", "bay", "lane", "kerb", "spot", "patch", "house", "container"],
                              attributes=lambda root: {root: frozenset(IMAGE)})
# Trees have the class "", so they get no label. Vans and small trucks count as cars; for a class of their own, copy the
# kind car and its parts as a kind van, and give each place two rules: sf.Rule("bay", ["van"], weight=0.1), and so on.
renderer = sf.Layers([ground, sf.Shapes(
    SIZE, {"car": {"corner": 0.45, "edge": 0.5, "bulge": 0.06, "layer": 1}, "hood": {"corner": 0.5, "edge": 0.5},
           "glass": {"corner": 0.35, "edge": 0.5}, "roof": {"corner": 0.35, "edge": 0.5, "bulge": 0.1},
           "tree": {"wobble": 0.1, "lobes": 7, "lobe": 0.15, "grain": 0.35, "bulge": 0.35, "layer": 2}},
    parts=["hood", "glass", "roof"], classes={"tree": ""})])
