"""Which objects of renders become labels, and which box they get (an annotation policy).

Legend: S frames; H, W pixels; m objects.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes, make_boxes
from scenefit.data.frames import Frames
from scenefit.scenes.arguments import check_argument, describe_value

MARGIN, MARGIN_SHARE = 3, 0.1  # width of the surroundings of an object: pixels, plus a share of its longer side
MIN_BACKGROUND = 0.05  # share of the surroundings: with less background among them, all of them count


def contrast(frames: Frames) -> NDArray[np.float64]:
    """Of each of `frames.objects` [m]: the difference between its mean colour and that of its surroundings, in the
    channel with the largest difference, 0..1. The surroundings are the background near it, or everything near it where
    there is hardly any background. 0 for hidden objects, 1 for those that fill the image."""
    objects = frames.objects
    out = np.zeros(len(objects))
    height, width = frames.images.shape[1:3]
    for m in np.flatnonzero(objects.pixels):
        x0, y0, x1, y1 = objects.box[m].astype(int)
        margin = MARGIN + int(MARGIN_SHARE * max(x1 - x0, y1 - y0))
        window = (objects.scene[m], slice(max(y0 - margin, 0), min(y1 + margin, height)),
                 slice(max(x0 - margin, 0), min(x1 + margin, width)))
        ids, colours = frames.instances[window], frames.images[window]
        own = ids == objects.id[m]
        around, free = ~own, ids == 0
        if free.sum() >= MIN_BACKGROUND * around.sum():
            around = free
        out[m] = np.abs(colours[own].mean(0) - colours[around].mean(0)).max() / 255 if around.any() else 1.0
    return out


BOXES = ("visible", "amodal")
MIN_MARGIN = -0.3  # two of them leave 40 % of a side


@dataclass(frozen=True)
class LabelPolicy:
    """Which objects become labels, and their boxes. All other objects stay in the images without a label.

    min_pixels: least number of visible pixels.  min_visibility: least visible share of the extent inside the image.
    min_side: least width and height of the visible part in pixels.  max_truncation: largest share of the object that
    may lie outside the image.  min_contrast: least difference from its surroundings, 0..1 (see `contrast`); 0.06 drops
    objects that can hardly be seen.  box: "visible", around the visible part, or "amodal", around the whole object
    with its hidden parts, clipped to the image; choose what the annotators of your photos did.  margin: the box is
    extended at each side by this share of its width or height; boxes drawn by hand have some 0.05, and those that leave
    out a soft edge have less than 0.  margins: of some classes, in place of margin: {class: share}, or pairs.
    """

    min_pixels: int = 4
    min_visibility: float = 0.05
    min_side: int = 1
    max_truncation: float = 1.0
    min_contrast: float = 0.0
    box: str = "visible"
    margin: float = 0.0
    margins: Mapping[str, float] | tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        for name in ("min_pixels", "min_side", "min_visibility", "max_truncation", "min_contrast", "margin"):
            if not isinstance(getattr(self, name), Real):
                raise ValueError(f"LabelPolicy needs a number for {name}, got {describe_value(getattr(self, name))}")
        if self.min_pixels < 1:
            raise ValueError(f"LabelPolicy needs min_pixels >= 1: an object that is not visible has no label, "
                             f"got min_pixels={self.min_pixels}")
        if self.min_side < 1:
            raise ValueError(f"LabelPolicy needs min_side >= 1 pixel, got min_side={self.min_side}")
        for name in ("min_visibility", "max_truncation", "min_contrast"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"LabelPolicy needs {name} in 0..1, got {name}={getattr(self, name)}")
        pairs = _pairs(self.margins)
        object.__setattr__(self, "margins", tuple(pairs))  # so that it has a hash
        for name, share in [("margin", self.margin), *((f"the margin of {name!r}", share) for name, share in pairs)]:
            if not MIN_MARGIN <= share <= 1:
                raise ValueError(f"LabelPolicy needs margins in {MIN_MARGIN}..1 of the box's sides, got {name}={share}")
        if self.box not in BOXES:
            raise ValueError(f"LabelPolicy needs box='visible' or box='amodal', got box={self.box!r}")

    def keeps(self, frames: Frames) -> NDArray[np.bool_]:
        """Whether each of the frames' objects becomes a label [m]; one whose class is "" never does."""
        objects = frames.objects
        seen = (objects.pixels >= self.min_pixels) & (objects.visibility >= self.min_visibility)
        large = (objects.box[:, 2:] - objects.box[:, :2] >= self.min_side).all(axis=1)
        kept = seen & large & (objects.truncation <= self.max_truncation) & (objects.name != "")
        return kept & (contrast(frames) >= self.min_contrast) if self.min_contrast else kept

    def boxes(self, frames: Frames) -> NDArray[np.float64]:
        """The label box of each visible object [m, 4], clipped to the image."""
        objects, edge = frames.objects, np.array(frames.images.shape[2:0:-1])
        low, high = objects.box[:, :2], objects.box[:, 2:]
        if self.box == "amodal":
            low = np.minimum(np.clip(objects.amodal[:, :2], 0, edge), low)
            high = np.maximum(np.clip(objects.amodal[:, 2:], 0, edge), high)
        of_class = dict(self.margins)
        share = np.array([of_class.get(str(name), self.margin) for name in objects.name]).reshape(-1, 1)
        more = share * (high - low)
        low, high = np.clip(low - more, 0, edge), np.clip(high + more, 0, edge)
        return np.concatenate([low, high], axis=1)

    @property
    def words(self) -> str:
        """The policy in two sentences."""
        around = "the whole object, hidden parts too" if self.box == "amodal" else "what is visible of an object"
        margins = [f"{name} {100 * share:g} %" for name, share in dict(self.margins).items()]
        of_classes = f" ({', '.join(margins)})" if margins else ""
        margin = (f"a margin of {100 * self.margin:g} %{of_classes} of the box at each side" if self.margin or margins
                  else "no margin")
        unlabelled = [text for text, holds in (
            (f"fewer than {self.min_pixels} visible pixels", True),
            (f"less than {100 * self.min_visibility:g} % visible", self.min_visibility > 0),
            (f"a visible side under {self.min_side} pixels", self.min_side > 1),
            (f"more than {100 * self.max_truncation:g} % outside the image", self.max_truncation < 1),
            (f"a contrast under {self.min_contrast:g}", self.min_contrast > 0)) if holds]
        return f"Boxes go around {around}, with {margin}. No label if: {', or '.join(unlabelled)}."

    def settings(self) -> dict[str, Any]:
        """For `Format.settings`."""
        return {"label_policy": self.to_dict()}

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it, `LabelPolicy(**...)` reads it."""
        values = asdict(self)
        margins = dict(values.pop("margins"))
        return {**values, **({"margins": margins} if margins else {})}


def _pairs(margins: Any) -> list[tuple[str, float]]:
    """(class, share), sorted. ValueError where margins are none."""
    try:
        return sorted((str(name), float(share)) for name, share in dict(margins).items())
    except (TypeError, ValueError):
        raise ValueError('LabelPolicy needs margins with a number for each class, such as {"RBC": 0.1}, got '
                         f"{describe_value(margins)}") from None


def label_boxes(frames: Frames, label_policy: LabelPolicy | None = None) -> Boxes:
    """The labels of frames as boxes, without writing a file: the same that the formats write."""
    call = "label_boxes(frames, label_policy=None)"
    check_argument(call, "frames", frames, isinstance(frames, Frames),
                   "Frames, as scenefit.render(renderer, scenes) returns them; those of photos are photos.boxes")
    check_argument(call, "label_policy", label_policy, label_policy is None or isinstance(label_policy, LabelPolicy),
                   "scenefit.LabelPolicy(...), or None")
    label_policy, objects = label_policy or LabelPolicy(), frames.objects
    kept, box = label_policy.keeps(frames), label_policy.boxes(frames)
    return make_boxes(len(frames), objects.scene[kept], box[kept], objects.name[kept])
