"""How far objects stand out from what is around them: nobody draws a box around what cannot be seen.

Legend: S frames; H, W pixels; m objects.
"""

import numpy as np
from numpy.typing import NDArray

from scenefit.frame import Frames

MARGIN, SHARE = 3, 0.1  # how far around an object is looked: pixels, and of its longer side
ENOUGH = 0.05  # of what is around an object: with less background in it, all counts


def contrast(frames: Frames) -> NDArray[np.float64]:
    """Of each of `frames.objects` [m]: how far its mean colour lies from that around it, in the channel where it is
    farthest, 0..1. Around it is the background near it, or whatever there is where hardly any is. 0 for what is hidden,
    1 for what fills the image."""
    objects = frames.objects
    found = np.zeros(len(objects))
    height, width = frames.images.shape[1:3]
    for m in np.flatnonzero(objects.pixels):
        x0, y0, x1, y1 = objects.box[m].astype(int)
        margin = MARGIN + int(SHARE * max(x1 - x0, y1 - y0))
        place = (objects.scene[m], slice(max(y0 - margin, 0), min(y1 + margin, height)),
                 slice(max(x0 - margin, 0), min(x1 + margin, width)))
        ids, colours = frames.instances[place], frames.images[place]
        own = ids == objects.id[m]
        around, free = ~own, ids == 0
        if free.sum() >= ENOUGH * around.sum():
            around = free
        found[m] = np.abs(colours[own].mean(0) - colours[around].mean(0)).max() / 255 if around.any() else 1.0
    return found
