"""The road: from coordinates along it to the world's, and its strips. Legend: S scenes; n nodes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.renderers.street.layout.attributes import Floats


def to_world(curvature: Any, s: Any, t: Any) -> tuple[Floats, Floats, Floats]:
    """x, y and the road's heading in degrees, of points s metres along a centre line of this curvature, t to its left.

    The inverse of `kernels.geometry.road`.
    """
    turn = np.asarray(curvature * s, float)
    half = np.sinc(turn / (2 * np.pi))  # sin(turn / 2) / (turn / 2)
    x = s * np.sinc(turn / np.pi) - t * np.sin(turn)
    y = s * np.sin(turn / 2) * half + t * np.cos(turn)
    return x, y, np.rad2deg(turn)


def rise_at(strips: NDArray, scene_of_strip: NDArray[np.int64], scenes: int, scene: NDArray[np.int64],
            t: Floats) -> Floats:
    """How high the ground lies at t of these scenes [n]: the highest strip there. strips: as the struct `Strip`."""
    out = np.zeros(len(t))
    raised = np.flatnonzero(strips["rise"] > 0)
    count = np.bincount(scene_of_strip[raised], minlength=scenes)
    for number in range(count.max(initial=0)):  # the number-th raised strip of each scene that has so many
        first = np.cumsum(count) - count
        has = count[scene] > number
        strip = strips[raised[np.where(has, first[scene] + number, 0)]]
        on = has & (t >= strip["low"]) & (t < strip["high"])
        out = np.where(on, np.maximum(out, strip["rise"]), out)
    return out
