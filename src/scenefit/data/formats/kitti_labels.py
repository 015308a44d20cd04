"""The text of KITTI's label files and calibration files.

A label is one line: type, truncated (0..1), occluded (0..3), alpha (radians), then left, top, right, bottom in pixels
(right and bottom just outside, so that right - left is the width, as KITTI's evaluation takes them), then height,
width, length (m), x, y, z (m) and rotation_y (radians) of the box in space (see `scenefit.data.boxes3d`). What is not
known is -10 for the angles, -1 for the sides and -1000 for the place.
A calibration file holds the projections P0 to P3 [3, 4] of the cameras, the rotation R0_rect [3, 3], and Tr_velo_to_cam
and Tr_imu_to_velo [3, 4], row by row. Labels refer to the image of P2.
Format: the readme of KITTI's object development kit, https://www.cvlibs.net/datasets/kitti/eval_object.php
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NOTHING = "DontCare"  # a region that is ignored in the evaluation
UNKNOWN_ANGLE = -10.0
UNKNOWN_3D = (-1.0, -1.0, -1.0, -1000.0, -1000.0, -1000.0, UNKNOWN_ANGLE)
SEEN = (0.9, 0.5, 0.1)  # least visibility of objects that are fully, partly and largely seen
MATRICES = {"P0": (3, 4), "P1": (3, 4), "P2": (3, 4), "P3": (3, 4), "R0_rect": (3, 3), "Tr_velo_to_cam": (3, 4),
            "Tr_imu_to_velo": (3, 4)}  # of a calibration file


def is_nothing(name: str) -> bool:
    """Whether a class means DontCare, as other programs write it: dontcare, Dont_Care, "Don't care"."""
    return "".join(filter(str.isalnum, name.lower())) == NOTHING.lower()


def occlusion_level(visibility: float) -> int:
    """0: at least 90 % are visible; 1: at least half; 2: at least a tenth; 3: less, too little to tell, which KITTI
    calls unknown."""
    return sum(visibility < least for least in SEEN)


def label_line(name: str, truncation: float, occlusion: int, alpha: float, box: Sequence[float],
               box3d: Sequence[float]) -> str:
    """One object. alpha and box3d: NaN, or KITTI's own values, where they are not known."""
    alpha, *space = (unknown if math.isnan(value) else value for value, unknown in
                     zip((alpha, *box3d), (UNKNOWN_ANGLE, *UNKNOWN_3D), strict=True))
    return " ".join([name, _text(truncation, -1), str(int(occlusion)), _text(alpha, UNKNOWN_ANGLE),
                     *(f"{value:.2f}" for value in box), *map(_text, space, UNKNOWN_3D)]) + "\n"


def _text(value: float, unknown: float) -> str:
    """To hundredths, as KITTI's own; what is not known as a whole number."""
    return f"{value:.0f}" if value == unknown else f"{value:.2f}"


def calibration_text(camera: NDArray[np.float64]) -> str:
    """The calibration of one image, with P2 [3, 4]. Renders have no other camera, and neither laser scanner nor
    inertial sensor: what refers to these is an identity."""
    matrices = {name: camera if name == "P2" else np.eye(*shape) for name, shape in MATRICES.items()}
    return "".join(f"{name}: {' '.join(f'{value:.12e}' for value in values.ravel())}\n"
                   for name, values in matrices.items())
