"""Cyclists: people on bicycles for the town, for touring, racing and rough ground."""

from functools import cache

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.bicycles import CITY, CRANK, MOUNTAIN, RACER, TOURER, Bicycle, bicycle
from scenefit.renderers.street.models.people import FEMALE, Look, Pose, person
from scenefit.renderers.street.models.primitives.triangles import grounded


def cyclist(look: Look, bike: Bicycle, lean: float) -> Mesh:
    """A person riding a bicycle: hips on the saddle, hands on the grips, feet on the pedals."""
    x, half, z = bike.grips
    left, right = ((CRANK[0] + 0.12 * way - 0.05, 0.11 * way, CRANK[1] - 0.12 * way + 0.1) for way in (1, -1))
    pose = Pose(ankles=(left, right), hands=((x - 0.01, half - 0.03, z + 0.06), (x - 0.01, 0.03 - half, z + 0.06)),
                toes=(5, 20), pelvis=(bike.saddle[0] - 0.02, bike.saddle[1] + 0.13), lean=lean)
    return grounded(join([person(look, pose), bicycle(bike)]))


RIDERS = {
    "man on a tourer": (Look(hair=(0.2, 0.12, 0.07)), TOURER, 28),
    "woman on a city bicycle": (Look(torso=FEMALE, stature=1.75, hair=(0.62, 0.48, 0.28), long_hair=True), CITY, 14),
    "racer": (Look(hair=(0.85, 0.85, 0.85), helmet=True), RACER, 48),
    "man with a rucksack": (Look(skin=(0.6, 0.42, 0.31), hair=(0.1, 0.1, 0.12), helmet=True, rucksack=True), MOUNTAIN,
                            36),
    "woman in a coat": (Look(torso=FEMALE, hair=(0.2, 0.12, 0.07), long_hair=True, coat=0.22), CITY, 12),
    "man on a mountain bicycle": (Look(skin=(0.3, 0.19, 0.13), hair=(0.05, 0.04, 0.04)), MOUNTAIN, 32),
}


@cache
def cyclists() -> dict[str, Mesh]:
    return {name: cyclist(*rider) for name, rider in RIDERS.items()}
