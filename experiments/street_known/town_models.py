"""Meshes of the targets: bodies, clothes, houses and trees that scenes/street.py has not. Metres.

The primitives are those of the standard models, the measures are not. Vans, cyclists, poles, signs and furniture are
standard ones; of the last three, models that scenes/street.py does not use.
"""

from functools import cache

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models import standard
from scenefit.renderers.street.models.houses import detached, flats, shops, terrace, town_house
from scenefit.renderers.street.models.people import FEMALE, STANDING, STEPPING, WAITING, WALKING, Look, person
from scenefit.renderers.street.models.primitives.solids import box
from scenefit.renderers.street.models.primitives.triangles import grounded, moved
from scenefit.renderers.street.models.trees import Tree, leafy
from scenefit.renderers.street.models.vehicles.car import Car, build

# Length, width and height; where hood, roof and boot end and their heights, metres behind the nose and above ground.
NOTCHBACK, TALL_HATCHBACK, CROSSOVER, MINIVAN = "notchback", "tall hatchback", "crossover", "minivan"
BODIES = {NOTCHBACK: ((4.42, 1.74, 1.46), (1.16, 0.95), (1.95, 3.05), (3.72, 1.02)),
          TALL_HATCHBACK: ((3.98, 1.72, 1.54), (0.92, 1.02), (1.62, 3.38), (3.84, 1.02)),
          CROSSOVER: ((4.32, 1.8, 1.62), (1.08, 1.08), (1.82, 3.5), (4.14, 1.12)),
          MINIVAN: ((4.62, 1.82, 1.68), (0.82, 1.08), (1.72, 4.05), (4.48, 1.12))}


def body(size: tuple[float, float, float], hood: tuple[float, float], roof: tuple[float, float],
         boot: tuple[float, float]) -> Mesh:
    """A car from a few measures."""
    (length, width, height), (base, low), (first, last), (end, deck) = size, hood, roof, boot
    middle = (first + last) / 2
    top = ((0, 0.55), (0.03, 0.68), (0.1, low - 0.2), (0.36, low - 0.1), (base, low),
           ((base + first) / 2, (low + height) / 2), (first, height - 0.09), (first + 0.35, height - 0.02),
           (middle + 0.25, height), (last, height - 0.06), ((last + end) / 2, (height + deck) / 2), (end, deck),
           (length - 0.05, deck - 0.08 if length - end > 0.5 else 0.84), (length - 0.02, 0.72), (length, 0.54))
    post = first + 0.36 * (last - first)
    return build(Car(
        top=top, belt=(low - 0.08, low - 0.02), ground=0.2, width=width, axles=(0.86, length - 0.82), wheel=0.31,
        screen=(base, first), rear=(end - 0.02, last), windows=((base + 0.34, post), (post + 0.08, last - 0.1)),
        doors=(base + 0.22, post + 0.04, last), head=(0.44, 0.8, low - 0.28, low - 0.14),
        tail=(0.55, 0.86, deck - 0.26, deck - 0.05), grille=(0.4, 0.55, 0.68), spokes=6))


TREES = {"plane": Tree(9, 6, 2.9, 0.2, limbs=11, cards=11, clump=1.6, colour=(0.24, 0.32, 0.14)),
         "hornbeam": Tree(8, 4, 2.4, 0.14, limbs=12, cards=9, clump=1.2, taper=0.3)}
LOOKS = {"man in a long coat": (Look(stature=1.83, coat=0.6, hair=(0.3, 0.2, 0.1)), STEPPING),
         "short man": (Look(stature=1.66, skin=(0.7, 0.5, 0.4), rucksack=True), STANDING),
         "woman in a long skirt": (Look(torso=FEMALE, stature=1.7, skirt=0.7, long_hair=True, bag=True), STEPPING),
         "woman in trousers": (Look(torso=FEMALE, stature=1.6, hair=(0.4, 0.15, 0.08), long_hair=True), WAITING),
         "boy": (Look(stature=1.42, skin=(0.6, 0.42, 0.31)), WALKING)}
UNUSED = {"pole": ("double lamp post",), "sign": ("ahead only", "street name", "direction", "keep left"),
          "furniture": ("bench", "cabinet", "wheelie bin", "phone box")}


@cache
def models() -> dict[str, dict[str, Mesh]]:
    """Kind -> name -> mesh."""
    known = standard()
    return {
        "car": {name: body(*measures) for name, measures in BODIES.items()},
        "van": {name: known["van"][name] for name in ("small van", "panel van")}, "cyclist": known["cyclist"],
        "pedestrian": {name: grounded(person(look, pose)) for name, (look, pose) in LOOKS.items()},
        "house": {"row of cottages": terrace(3, 6.4, 9.5, 7.4, 0), "pair of shops": shops(2, 7.4, 12, 7.6, False),
                  "corner house": town_house(1, 9, 11, 11.5), "low flats": flats(17, 11, 4),
                  "villa": detached(11.5, 9.5, 7.2, 3.0)},
        "tree": {name: leafy(name, tree) for name, tree in TREES.items()},
        **{kind: {name: known[kind][name] for name in names} for kind, names in UNUSED.items()}}


@cache
def misfits() -> dict[str, dict[str, Mesh]]:
    """The kinds of the misspecified target that the grammar lacks: boxes on wheels, and what the camera's own car
    shows of itself."""
    wheels = [moved(box((0.62, 0.2, 0.62), (0, 0, 0), "rubber", (0.05, 0.05, 0.05)), (0, side, 0)) for side in (-1, 1)]
    trailer = grounded(join([box((4.6, 2.1, 1.7), (0, 0, 0.55), "paint"), *wheels,
                             box((1.4, 0.12, 0.12), (2.9, 0, 0.5), "metal", (0.3, 0.3, 0.3))]))
    bonnet = grounded(box((0.9, 1.7, 0.12), (0, 0, 0), "paint", taper=0.9))
    return {"trailer": {"box": trailer}, "bonnet": {"flat": bonnet}}


@cache
def sizes(kind: str) -> dict[str, tuple[float, float, float]]:
    """Name -> length, width and height of the models of a kind."""
    return {name: mesh.size for name, mesh in models()[kind].items()}
