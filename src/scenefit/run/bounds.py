"""Which bounds of learned attributes are limits of the quantity itself, so that nobody can widen them."""

import numpy as np

from scenefit.renderers import Renderer
from scenefit.renderers.shapes import Shapes, camera, outline


def is_natural(renderer: Renderer, root: str, kind: str, name: str, low: float, high: float, side: str) -> bool:
    """Whether the bound at a side ("low" or "high") of an attribute's range low..high is such a limit.

    Of `Shapes`, the range that values are clipped to decides. Of other renderers, and of attributes that only other
    attributes use: 0 as the lower bound, which most often is a quantity that cannot be negative, and both bounds of a
    fraction, 0..1. root: the kind of the grammar's root.
    """
    if isinstance(renderer, Shapes):
        own = {"x": (0.0, -np.inf, np.inf), "y": (0.0, -np.inf, np.inf), **outline.ATTRIBUTES}
        known = own if kind in renderer.shapes else camera.ATTRIBUTES if kind == (renderer.background or root) else {}
        if name in known:
            _, least, most = known[name]
            return low <= least if side == "low" else high >= most
    return low == 0 if side == "low" else (low, high) == (0, 1)
