"""People: bodies posed by the places of their hands and feet; knees and elbows follow.

Proportions are shares of the stature, from common tables of anthropometry (Drillis and Contini 1966), for 1.75 m.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from scenefit.renderers.street.mesh import Mesh, join
from scenefit.renderers.street.models.primitives.solids import ball, box, loft, tube
from scenefit.renderers.street.models.primitives.triangles import WHITE, Array, Colour, moved, point

THIGH, SHIN, UPPER_ARM, FOREARM = 0.43, 0.43, 0.32, 0.26  # metres
SHOULDER, HIP, NECK = 0.5, 0.09, 0.56  # metres: shoulders above the pelvis, hips aside, neck above the pelvis
SHOE: Colour = (0.07, 0.06, 0.06)
# Rings of the torso: metres above the pelvis, half the width, half the depth, forward.
MALE = ((-0.09, 0.11, 0.09, 0), (0.0, 0.17, 0.12, -0.01), (0.1, 0.163, 0.115, 0), (0.2, 0.165, 0.115, 0.01),
        (0.36, 0.19, 0.125, 0.0), (0.46, 0.195, 0.11, -0.01), (0.52, 0.14, 0.085, -0.01), (0.56, 0.06, 0.06, 0))
FEMALE = ((-0.09, 0.11, 0.09, 0), (0.0, 0.18, 0.125, -0.015), (0.1, 0.155, 0.11, 0), (0.2, 0.135, 0.1, 0.01),
          (0.36, 0.16, 0.125, 0.025), (0.46, 0.165, 0.1, -0.01), (0.52, 0.12, 0.08, -0.01), (0.56, 0.05, 0.055, 0))


@dataclass(frozen=True)
class Look:
    """What a person looks like. torso: as `MALE`.  stature: metres.  coat: how far it hangs below the pelvis, metres.

    skirt: the same, of the second colour, over bare legs.  helmet: of the colour of the hair.
    """

    torso: tuple[tuple[float, float, float, float], ...] = MALE
    stature: float = 1.75
    skin: Colour = (0.78, 0.58, 0.47)
    hair: Colour = (0.12, 0.08, 0.06)
    coat: float = 0.0
    skirt: float = 0.0
    long_hair: bool = False
    rucksack: bool = False
    bag: bool = False
    helmet: bool = False


@dataclass(frozen=True)
class Pose:
    """Places in metres: x forward, y left, z up. Left and right are given by one row each.

    ankles, hands: [2][3].  toes: angles of the feet, degrees, down.  pelvis: x and z.  lean: of the torso, degrees
    forward.
    """

    ankles: tuple[tuple[float, float, float], tuple[float, float, float]] = ((0, 0.1, 0.08), (0, -0.1, 0.08))
    hands: tuple[tuple[float, float, float], tuple[float, float, float]] = ((0.03, 0.27, 0.84), (0.03, -0.27, 0.84))
    toes: tuple[float, float] = (0, 0)
    pelvis: tuple[float, float] = (0, 0.93)
    lean: float = 2.0


STANDING = Pose()
WALKING = Pose(ankles=((0.3, 0.08, 0.1), (-0.33, -0.08, 0.16)), hands=((-0.22, 0.27, 0.88), (0.26, -0.24, 0.93)),
               toes=(-15, 35), pelvis=(0, 0.9), lean=4)
STEPPING = Pose(ankles=((0.12, 0.08, 0.08), (-0.16, -0.08, 0.2)), hands=((-0.08, 0.27, 0.85), (0.12, -0.26, 0.87)),
                toes=(0, 40), pelvis=(0.02, 0.92), lean=4)
CALLING = replace(STEPPING, hands=((0.12, 0.1, 1.53), (0.08, -0.26, 0.86)))
WAITING = Pose(ankles=((0.06, 0.13, 0.08), (-0.04, -0.11, 0.08)), hands=((0.12, 0.14, 0.98), (0.1, -0.16, 0.97)))


def person(look: Look, pose: Pose) -> Mesh:
    """A person in a pose, not yet grounded."""
    root, lean = np.array([pose.pelvis[0], 0, pose.pelvis[1]]), np.deg2rad(pose.lean)
    spine, fore = np.array([np.sin(lean), 0, np.cos(lean)]), np.array([np.cos(lean), 0, -np.sin(lean)])
    parts = [moved(_torso(look), root, pitch=pose.lean)]
    bare = look.skirt > 0
    for side, ankle, hand, toe in zip((1, -1), pose.ankles, pose.hands, pose.toes, strict=True):
        hip = root + point(0, side * HIP, -0.02)
        knee = joint(hip, ankle, THIGH, SHIN, [1, side * 0.1, 0.2])
        parts.append(tube([hip, knee, ankle], [0.088, 0.062, 0.046], 6, "matte" if bare else "paint2",
                          look.skin if bare else WHITE, caps=(False, True)))
        parts.append(moved(tube([(-0.09, 0, -0.03), (0.03, 0, -0.02), (0.16, 0, -0.045)], [0.042, 0.05, 0.03], 6,
                                "matte", SHOE),
                           ankle, pitch=toe))
        wide = look.torso[5][1]
        collar = root + (SHOULDER - 0.01) * spine + point(0, side * (wide - 0.1), 0) - 0.01 * fore
        shoulder = collar + point(0, side * 0.095, 0) - 0.035 * spine
        elbow = joint(shoulder, hand, UPPER_ARM, FOREARM, [-1, side * 0.5, -0.2])
        thick = 1 if look.torso is MALE else 0.85
        parts.append(tube([collar, shoulder, elbow, hand], np.array([0.05, 0.06, 0.048, 0.038]) * thick, 6, "paint",
                          side=fore))
        parts.append(ball((0.045, 0.03, 0.055), hand + point(0.01, 0, -0.04), 5, 3, "matte", look.skin))
    parts += _head(look, root + NECK * spine, pose.lean)
    if look.rucksack:
        pack = loft([np.array([(-d, -w, z), (d, -w, z), (d, w, z), (-d, w, z)])
                     for z, w, d in ((0, 0.14, 0.07), (0.08, 0.16, 0.09), (0.3, 0.15, 0.08), (0.42, 0.1, 0.05))],
                    "matte", (0.1, 0.12, 0.16))
        parts.append(moved(pack, root + 0.1 * spine - 0.2 * fore, pitch=pose.lean))
    if look.bag:
        parts.append(box((0.34, 0.11, 0.28), pose.hands[1] + point(0.02, -0.02, -0.4), "matte", (0.24, 0.14, 0.09),
                         taper=0.85))
    return moved(join(parts), scale=look.stature / 1.75)


def _torso(look: Look) -> Mesh:
    """From the pelvis, the origin, to the neck; with what hangs from it."""
    rings = [*look.torso]
    names = ["paint2", *["paint"] * (len(rings) - 2)]
    hang = look.coat or look.skirt
    if hang:
        wide, deep = rings[1][1:3]
        rings = [(-hang, wide * 1.25, deep * 1.6, 0), (-hang * 0.45, wide * 1.15, deep * 1.35, 0), *rings[1:]]
        names = ["paint" if look.coat else "paint2"] * 3 + ["paint"] * (len(rings) - 4)
    turn = (np.arange(10) + 0.5) * 2 * np.pi / 10
    points = [np.stack([deep * np.cos(turn) + x, wide * np.sin(turn), np.full(10, z)], 1) for z, wide, deep, x in rings]
    return loft(points, np.array(names, object)[:, None], crease=60)


def _head(look: Look, neck: Array, lean: float) -> list[Mesh]:
    middle = neck + point(0.03 + 0.0015 * lean, 0, 0.15)
    parts = [tube([neck - point(0, 0, 0.05), middle - point(0.01, 0, 0.05)], [0.055, 0.05], 6, "matte", look.skin,
                  caps=(False, False)),
             ball((0.1, 0.078, 0.125), middle, 8, 6, "matte", look.skin),
             box((0.03, 0.03, 0.04), middle + point(0.095, 0, -0.03), "matte", look.skin, taper=0.4)]
    if look.helmet:
        shell = moved(ball((0.145, 0.1, 0.1), (0, 0, 0), 8, 3, "matte", look.hair, (0, 90)),
                      middle + point(-0.01, 0, 0.035), pitch=-5)
        return [*parts, shell]
    hair = moved(ball((0.108, 0.086, 0.112), (0, 0, 0), 8, 4, "matte", look.hair, (-15, 90)),
                 middle + point(-0.018, 0, 0.03), pitch=-32)
    parts.append(hair)
    if look.long_hair:
        parts.append(ball((0.08, 0.1, 0.17), middle + point(-0.055, 0, -0.06), 7, 4, "matte", look.hair))
    return parts


def joint(start: ArrayLike, end: ArrayLike, first: float, second: float, bend: ArrayLike) -> Array:
    """Where a limb of two parts bends, towards a direction; straight if its end is out of reach."""
    a, b, way = np.asarray(start, float), np.asarray(end, float), np.asarray(bend, float)
    distance = float(np.linalg.norm(b - a))
    along, reach = (b - a) / distance, min(distance, 0.999 * (first + second))
    share = (first**2 - second**2 + reach**2) / (2 * reach)
    out = way - (way @ along) * along
    return a + share * along + max(first**2 - share**2, 0) ** 0.5 * out / np.linalg.norm(out)
