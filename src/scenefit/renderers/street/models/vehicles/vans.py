"""Vans: small van, panel vans, minibus. Measures as makers' data sheets give them for each class."""

from functools import cache

from scenefit.renderers.street.mesh import Mesh
from scenefit.renderers.street.models.vehicles.car import Car, build

LARGE_TOP = ((0, 0.62), (0.03, 0.8), (0.1, 1.0), (0.4, 1.12), (0.8, 1.24), (1.2, 1.62), (1.6, 1.99), (1.9, 2.18),
             (2.3, 2.3),
             (2.9, 2.32), (4.0, 2.32), (5.25, 2.31), (5.4, 2.26), (5.46, 2.14), (5.5, 1.1), (5.53, 0.7))
VANS = {
    # 4.38 x 1.81 x 1.84 m, wheelbase 2.73 m
    "small van": Car(
        top=((0, 0.62), (0.03, 0.76), (0.1, 0.88), (0.35, 0.98), (0.85, 1.09), (1.3, 1.43), (1.65, 1.68), (1.95, 1.78),
             (2.4, 1.83),
             (3.2, 1.84), (4.1, 1.82), (4.22, 1.77), (4.3, 1.66), (4.35, 1.0), (4.38, 0.62)),
        belt=(1.0, 1.02), ground=0.19, width=1.81, axles=(0.9, 3.63), wheel=0.317, screen=(0.85, 1.65), rear=None,
        panes=((0.06, 0.66, 1.12, 1.58),), windows=((1.15, 1.4), (1.48, 2.3)), doors=(1.4, 2.35, 3.2),
        head=(0.48, 0.84, 0.74, 0.92), tail=(0.74, 0.92, 0.75, 1.35), grille=(0.42, 0.66, 0.8), lean=0.18, stern=0.45,
                     bumper=0.6,
                     spokes=0),
    # 5.53 x 2.06 x 2.32 m, wheelbase 3.30 m, tyres 235/65 R 16
    "panel van": Car(
        top=LARGE_TOP, belt=(1.2, 1.22), ground=0.26, width=2.06, axles=(1.02, 4.32), wheel=0.356, screen=(0.8, 1.62),
                     rear=None,
        panes=((0.08, 0.74, 1.3, 1.86),), windows=((1.12, 1.38), (1.46, 2.3)), doors=(1.38, 2.36, 3.6),
        head=(0.56, 0.94, 0.88, 1.1), tail=(0.84, 1.02, 0.85, 1.45), grille=(0.5, 0.74, 0.98), lean=0.12, stern=0.45,
                     bumper=0.6,
                     spokes=0),
    # the same with closed rear doors
    "courier van": Car(
        top=tuple((place, z + 0.22 * (z > 2)) for place, z in LARGE_TOP), belt=(1.2, 1.22), ground=0.26, width=2.06,
        axles=(1.02, 4.32), wheel=0.356, screen=(0.8, 1.62), rear=None, windows=((1.12, 1.38), (1.46, 2.3)),
        doors=(1.38, 2.36, 3.6), head=(0.56, 0.94, 0.88, 1.1), tail=(0.84, 1.02, 0.85, 1.45), grille=(0.5, 0.74, 0.98),
        plate="yellow", lean=0.1, stern=0.45, bumper=0.6, spokes=6),
    # the same with seats
    "minibus": Car(
        top=LARGE_TOP, belt=(1.2, 1.22), ground=0.26, width=2.06, axles=(1.02, 4.32), wheel=0.356, screen=(0.8, 1.62),
                   rear=None,
        panes=((0.08, 0.78, 1.3, 1.95),), windows=((1.12, 1.38), (1.46, 2.3), (2.38, 3.35), (3.42, 4.35), (4.42, 5.2)),
        doors=(1.38, 2.36, 3.4), head=(0.56, 0.94, 0.88, 1.1), tail=(0.84, 1.02, 0.85, 1.45), grille=(0.5, 0.74, 0.98),
        lean=0.12, stern=0.45, bumper=0.6, spokes=0),
}


@cache
def vans() -> dict[str, Mesh]:
    return {name: build(van) for name, van in VANS.items()}
