"""Which objects of renders become labels, and which box they get (an annotation policy).

Legend: S frames; H, W pixels; m objects.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes, make_boxes
from scenefit.data.frames import Frames

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


BOXES = ("visible", "amodal")


@dataclass(frozen=True)
class LabelPolicy:
    """Which objects become labels, and which box they get. The rest stay in the image without a label.

    min_pixels: seen in at least so many.  min_visibility: at least this share of the extent inside the image is seen.
    min_side: what is seen is at least so many pixels wide and high.  max_truncation: at most this share of the object
    lies outside the image.  min_contrast: it stands out by at least so much from what is around it, 0..1 (see
    `scenefit.contrast`); 0.06 leaves out what can hardly be seen.  box: "visible", around what is seen, or "amodal",
    around the whole object, hidden parts too, as far as it lies inside the image; annotators do either, so take what
    those of your photos did.  margin: the box is wider at each side by this share of its width, and so is its height;
    people who draw boxes by hand leave some 0.05.
    """

    min_pixels: int = 4
    min_visibility: float = 0.05
    min_side: int = 1
    max_truncation: float = 1.0
    min_contrast: float = 0.0
    box: str = "visible"
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.min_pixels < 1:
            raise ValueError(f"Keep needs min_pixels >= 1: an object that is not seen has no label, "
                             f"got min_pixels={self.min_pixels}")
        if self.min_side < 1:
            raise ValueError(f"Keep needs min_side >= 1 pixel, got min_side={self.min_side}")
        for name in ("min_visibility", "max_truncation", "min_contrast"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Keep needs {name} in 0..1, got {name}={getattr(self, name)}")
        if not 0 <= self.margin <= 1:
            raise ValueError(f"Keep needs a margin in 0..1 of the box's sides, got margin={self.margin}")
        if self.box not in BOXES:
            raise ValueError(f"Keep needs box='visible' or box='amodal', got box={self.box!r}")

    def of(self, frames: Frames) -> NDArray[np.bool_]:
        """Whether each of the frames' objects becomes a label [m]; one whose class is "" never does."""
        objects = frames.objects
        seen = (objects.pixels >= self.min_pixels) & (objects.visibility >= self.min_visibility)
        large = (objects.box[:, 2:] - objects.box[:, :2] >= self.min_side).all(axis=1)
        kept = seen & large & (objects.truncation <= self.max_truncation) & (objects.name != "")
        return kept & (contrast(frames) >= self.min_contrast) if self.min_contrast else kept

    def boxes(self, frames: Frames) -> NDArray[np.float64]:
        """The box that each object which is seen gets as a label [m, 4]: inside the image, around what is seen."""
        objects, edge = frames.objects, np.array(frames.images.shape[2:0:-1])
        low, high = objects.box[:, :2], objects.box[:, 2:]
        if self.box == "amodal":
            low = np.minimum(np.clip(objects.amodal[:, :2], 0, edge), low)
            high = np.maximum(np.clip(objects.amodal[:, 2:], 0, edge), high)
        more = self.margin * (high - low)
        low, high = np.clip(low - more, 0, edge), np.clip(high + more, 0, edge)
        return np.concatenate([low, high], axis=1)

    def settings(self) -> dict[str, Any]:
        """For `Format.settings`."""
        return {"label_policy": asdict(self)}


def label_boxes(frames: Frames, label_policy: LabelPolicy | None = None) -> Boxes:
    """The labels of frames as boxes alone, without a file: what any of the formats would write."""
    label_policy, objects = label_policy or LabelPolicy(), frames.objects
    kept, box = label_policy.of(frames), label_policy.boxes(frames)
    return make_boxes(len(frames), objects.scene[kept], box[kept], objects.name[kept])
