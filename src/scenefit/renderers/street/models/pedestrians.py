"""Pedestrians: men and women, walking, standing and waiting, in jackets and coats, with bags."""

from functools import cache

from scenefit.renderers.street.mesh import Mesh
from scenefit.renderers.street.models.people import (
    CALLING,
    FEMALE,
    STANDING,
    STEPPING,
    WAITING,
    WALKING,
    Look,
    person,
)
from scenefit.renderers.street.models.primitives.triangles import grounded

TAN, DARK = (0.6, 0.42, 0.31), (0.3, 0.19, 0.13)
BLACK, BROWN, BLOND, GREY = (0.05, 0.04, 0.04), (0.2, 0.12, 0.07), (0.62, 0.48, 0.28), (0.55, 0.55, 0.55)
WOMAN = Look(torso=FEMALE, stature=1.65, long_hair=True)
PEOPLE = {
    "man walking": (Look(stature=1.78, hair=BROWN), WALKING),
    "man stepping": (Look(skin=TAN, hair=BLACK), STEPPING),
    "man standing": (Look(stature=1.8, skin=DARK, hair=BLACK), STANDING),
    "man calling": (Look(stature=1.76), CALLING),
    "man in a coat": (Look(stature=1.79, hair=GREY, coat=0.42), WALKING),
    "man with a rucksack": (Look(stature=1.77, hair=BROWN, rucksack=True), WALKING),
    "woman walking": (Look(torso=FEMALE, stature=1.66, long_hair=True, hair=BLOND, bag=True), WALKING),
    "woman stepping": (Look(torso=FEMALE, stature=1.63, skin=TAN, long_hair=True, hair=BLACK), STEPPING),
    "woman in a coat": (Look(torso=FEMALE, stature=1.64, hair=BROWN, long_hair=True, coat=0.5, bag=True), STEPPING),
    "woman in a skirt": (Look(torso=FEMALE, stature=1.67, hair=BLOND, long_hair=True, skirt=0.42), WALKING),
    "woman waiting": (Look(torso=FEMALE, stature=1.62, skin=DARK, hair=BLACK, coat=0.2), WAITING),
    "child": (Look(torso=FEMALE, stature=1.25, hair=BROWN, rucksack=True), STEPPING),
}


@cache
def pedestrians() -> dict[str, Mesh]:
    return {name: grounded(person(look, pose)) for name, (look, pose) in PEOPLE.items()}
