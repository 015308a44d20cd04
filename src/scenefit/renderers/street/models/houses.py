"""Houses: terraces, detached houses, shops, flats, offices, a warehouse. Their fronts face right, towards -y.

Storeys of 2.6 to 3.2 m, plots of terraces 5 to 6 m wide, pitches of roofs 35 to 45 degrees, as usual in Europe.
"""

from functools import cache

import numpy as np

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.buildings import (
    GREY,
    PANE,
    SLATE,
    TILE,
    TRIM,
    balcony,
    band,
    bay,
    chimney,
    door,
    flat_roof,
    gable,
    outlines,
    rectangle,
    ribbons,
    ridge_roof,
    shop_front,
    turned,
    walls,
)
from scenefit.renderers.street.models.primitives.solids import box
from scenefit.renderers.street.models.primitives.triangles import Colour, grounded, moved


def terrace(houses: int, width: float = 5.2, depth: float = 8.5, eaves: float = 6.0, bays: int = 1,
            roof: Colour = SLATE) -> Mesh:
    """Houses in a row under one roof, each with a door, and a bay window of so many storeys (0: none)."""
    length, rise, front = houses * width, 0.8 * depth / 2, -depth / 2
    outline = rectangle(length, depth)
    parts = [walls(outline, 0, eaves), gable(outline[1], outline[2], eaves, rise),
             gable(outline[3], outline[0], eaves, rise),
             ridge_roof(length, depth, eaves, rise, colour=roof, side=0.1)]
    for number, x in enumerate(outlines([width] * houses)):
        parts.append(door(x + 0.32 * width, front))
        if bays:
            parts.append(bay(x - 0.18 * width, front, 2.75, bays))
        if number % 2 == 0:
            parts.append(chimney((x - 0.5 * width + 0.35, 0), eaves + rise - 0.8, eaves + rise + 1.1))
    return grounded(join(parts))


def town_house(houses: int = 2, width: float = 6.2, depth: float = 10.5, height: float = 9.8) -> Mesh:
    """Three storeys behind a parapet, with steps to the doors and ledges."""
    length, front = houses * width, -depth / 2
    outline = rectangle(length, depth)
    parts = [walls(outline, 0, height), *flat_roof(outline, height, 0.7), band(outline, 3.25, 0.16, 0.08),
             band(outline, height - 0.1, 0.22, 0.2)]
    for x in outlines([width] * houses):
        parts += [moved(door(x + 0.3 * width, front, 1.05, 2.3), (0, 0, 0.3)),
                  box((1.6, 1.1, 0.3), (x + 0.3 * width, front - 0.45, 0), "matte", GREY),
                  chimney((x - width / 2 + 0.4, 0), height, height + 2.0, (0.7, 1.6), 4)]
    return grounded(join(parts))


def detached(length: float = 9.5, depth: float = 8, eaves: float = 6.0, hip: float = 0, roof: Colour = TILE) -> Mesh:
    """A house by itself, with a porch, a bay and a chimney; hip: see `ridge_roof`."""
    outline, rise, front = rectangle(length, depth), 0.85 * depth / 2, -depth / 2
    parts = [walls(outline, 0, eaves), ridge_roof(length, depth, eaves, rise, hip, roof), door(0.1 * length, front),
             bay(-0.28 * length, front, 2.7), chimney((0.3 * length, 0.4), eaves + 0.6 * rise, eaves + rise + 0.9)]
    if not hip:
        parts += [gable(outline[1], outline[2], eaves, rise), gable(outline[3], outline[0], eaves, rise)]
    return grounded(join(parts))


def gable_front(length: float = 7.5, depth: float = 9.5, eaves: float = 5.9) -> Mesh:
    """A house whose gable faces the road, with a garage beside it."""
    outline, rise, front = rectangle(length, depth), 0.95 * length / 2, -depth / 2
    shed = moved(join([walls(rectangle(3.2, 6), 0, 2.5), *flat_roof(rectangle(3.2, 6), 2.5, 0.25),
                       box((2.5, 0.08, 2.1), (0, -3.0, 0), "matte", TRIM)]), (length / 2 + 1.6, 0.6, 0))
    parts = [walls(outline, 0, eaves), turned(ridge_roof(depth, length, eaves, rise, colour=TILE)),
             gable(outline[0], outline[1], eaves, rise),
             gable(outline[2], outline[3], eaves, rise), door(0.25 * length, front), bay(-0.2 * length, front, 2.7, 2),
             shed,
             chimney((-0.25 * length, 1.0), eaves + 0.3 * rise, eaves + rise + 0.7)]
    return grounded(join(parts))


def bungalow(length: float = 11.5, depth: float = 8) -> Mesh:
    front = -depth / 2
    return grounded(join([walls(rectangle(length, depth), 0, 3.0), ridge_roof(length, depth, 3.0, 2.4, 3.2, TILE),
                          door(0.5, front, hood=False),
                          bay(-3.4, front, 2.6), bay(3.6, front, 2.6), chimney((2, 0.5), 4.6, 6.1)]))


def shops(count: int, width: float = 6.0, depth: float = 11, height: float = 9.2, pitched: bool = True) -> Mesh:
    """Shops in a row, with two storeys above them. The facade begins above the shops."""
    length, front = count * width, -depth / 2
    outline = rectangle(length, depth)
    parts = [walls(outline, 3.2, height), *(box((length - 0.02, depth - 0.02, 3.2), (0, 0, 0), "paint",
                                                (0.8, 0.8, 0.8)),)]
    tones = (1.0, 0.6, 1.6, 0.8, 0.45)
    for number, x in enumerate(outlines([width] * count)):
        parts.append(shop_front(x, front, width, tones[number % 5], (0.75, 0.25, 0.5)[number % 3], number % 3 == 1))
    if pitched:
        rise = 0.6 * depth / 2
        parts += [ridge_roof(length, depth, height, rise, side=0.08), gable(outline[1], outline[2], height, rise),
                  gable(outline[3], outline[0], height, rise), chimney((-length / 2 + 0.5, 0), height + rise - 0.8,
                                                                       height + rise + 1.3, (0.7, 1.5), 4)]
    else:
        parts += [*flat_roof(outline, height, 0.8), band(outline, height - 0.15, 0.25, 0.2)]
    return grounded(join(parts))


def flats(length: float = 21, depth: float = 12, storeys: int = 5) -> Mesh:
    """A block of flats with columns of balconies, an entrance and a house for the lift on its roof."""
    height, front = 2.8 * storeys + 0.4, -depth / 2
    outline = rectangle(length, depth)
    parts = [walls(outline, 0, height), *flat_roof(outline, height, 0.5),
             box((3.2, 4, 2.2), (2, 1, height), "matte", GREY)]
    for x in (-0.33 * length, 0.33 * length):
        parts += [balcony(x, front, 2.8 * storey + 0.2) for storey in range(1, storeys)]
    parts += [box((3.0, 0.12, 2.7), (0, front, 0), "glass", PANE), box((3.6, 1.8, 0.2), (0, front - 0.8, 2.75), "matte",
                                                                       TRIM)]
    return grounded(join(parts))


def office(length: float = 24, depth: float = 14, storeys: int = 4) -> Mesh:
    """Bands of windows over a ground floor of glass."""
    outline, high = rectangle(length, depth), 3.6
    ground = box((length - 0.6, depth - 0.6, high), material="glass", colour=PANE)
    posts = [box((0.4, 0.4, high), (x, -depth / 2 + 0.3, 0), "matte", GREY)
             for x in np.linspace(-length / 2 + 0.3, length / 2 - 0.3, 6)]
    return grounded(join([ground, *posts, *ribbons(outline, high, storeys - 1, 3.4),
                          *flat_roof(outline, high + 3.4 * (storeys - 1), 0.6),
                          box((6, 5, 1.8), (4, 1, high + 3.4 * (storeys - 1)), "matte", GREY)]))


def warehouse(length: float = 28, depth: float = 18, eaves: float = 6.5) -> Mesh:
    """Clad in metal of the first colour over brick of the second, with roller doors."""
    front = -depth / 2
    doors = [box((3.6, 0.12, 4.2), (x, front, 0), "metal", (0.5, 0.5, 0.5)) for x in (-0.3 * length, 0, 0.3 * length)]
    clad = box((length, depth, eaves - 1.2), (0, 0, 1.2), "paint")
    ribs = [box((0.06, 0.08, eaves - 1.2), (x, front, 1.2), "paint", (0.8, 0.8, 0.8))
            for x in np.linspace(-length / 2 + 0.5, length / 2 - 0.5, 28)]
    return grounded(join([box((length - 0.1, depth - 0.1, 1.2), material="paint2"), clad, *ribs, *doors,
                          ridge_roof(length, depth, eaves, 1.7, colour=(0.42, 0.43, 0.45), side=0.2),
                          box((6, 0.1, 1.0), (0.3 * length, front - 0.02, eaves - 1.4), "paint2")]))


@cache
def houses() -> dict[str, Mesh]:
    return {"terrace": terrace(4), "terrace with bays": terrace(3, 5.8, 9.5, 6.2, 2, TILE),
            "cottages": terrace(3, 4.6, 6.5, 3.3, 0),
            "town houses": town_house(), "detached": detached(), "hipped": detached(10, 8.5, 6.0, 3.6),
            "gable front": gable_front(),
            "bungalow": bungalow(), "shop": shops(1), "shops": shops(4),
            "shops with a parapet": shops(3, 6.6, 12, 10.2, False),
            "flats": flats(), "office": office(), "warehouse": warehouse()}
