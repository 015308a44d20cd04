"""Which objects of renders become labels, and which box they get (an annotation policy).

Legend: S frames; H, W pixels; m objects.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes, make_boxes
from scenefit.data.class_masks import IGNORED, NONE, ClassMasks, check_classes
from scenefit.data.frames import Frames
from scenefit.data.mask_outlines import redraw
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
AROUND = {"visible": "what is visible of an object", "amodal": "the whole object, hidden parts too"}
CONDITION_TEXTS = {"min_pixels": ("fewer than {} visible pixels", "however few pixels are visible"),
                   "min_visibility": ("less than {:.3g} % visible", "however little is visible"),
                   "min_side": ("a visible side under {} pixels", "however small"),
                   "max_truncation": ("more than {:.3g} % outside the image", "however much lies outside the image"),
                   "min_contrast": ("a contrast under {:g}", "however faint")}
FREE = {"min_visibility": 0, "min_side": 1, "max_truncation": 1, "min_contrast": 0}  # what asks for nothing
NUMBERS = (*CONDITION_TEXTS, "margin")
OF_BOXES, OF_MASKS = ("box", "margin"), ("mask_margin", "mask_border")
MAX_MASK_MARGIN = 64  # pixels
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
    out a soft edge have less than 0.  by_class: what holds for some classes in place of these:
    {"RBC": {"min_visibility": 0.5, "margin": 0.1}}.  mask_margin: class masks are wider than what is visible of objects
    by so many pixels, narrower below 0.  mask_border: so many pixels along the outlines of class masks are ignored, as
    Pascal VOC has it.
    """

    min_pixels: int = 4
    min_visibility: float = 0.05
    min_side: int = 1
    max_truncation: float = 1.0
    min_contrast: float = 0.0
    box: str = "visible"
    margin: float = 0.0
    by_class: Mapping[str, Mapping[str, Any]] | tuple[tuple[str, tuple[tuple[str, Any], ...]], ...] = ()
    mask_margin: float = 0.0
    mask_border: float = 0.0

    def __post_init__(self) -> None:
        for name in (*NUMBERS, *OF_MASKS):
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
        if not MIN_MARGIN <= self.margin <= 1:
            raise ValueError(f"LabelPolicy needs margins in {MIN_MARGIN}..1 of the box's sides, got "
                             f"margin={self.margin}")
        for name, low in zip(OF_MASKS, (-MAX_MASK_MARGIN, 0), strict=True):
            if not low <= getattr(self, name) <= MAX_MASK_MARGIN:
                raise ValueError(f"LabelPolicy needs {name} in {low}..{MAX_MASK_MARGIN} pixels, got {name}="
                                 f"{getattr(self, name)}")
        if self.box not in BOXES:
            raise ValueError(f"LabelPolicy needs box='visible' or box='amodal', got box={self.box!r}")
        object.__setattr__(self, "by_class", _by_class(self.by_class))  # so that it has a hash
        for name in self.classes:
            try:
                self.of_class(name)
            except ValueError as error:
                raise ValueError(f"{error} for {name!r}") from None

    @property
    def classes(self) -> dict[str, dict[str, Any]]:
        """`by_class`, which is kept as pairs, as a mapping."""
        return {name: dict(own) for name, own in dict(self.by_class).items()}

    def of_class(self, name: str) -> "LabelPolicy":
        """The policy that holds for one class, without others."""
        return replace(self, by_class=(), **self.classes.get(name, {}))

    def keeps(self, frames: Frames) -> NDArray[np.bool_]:
        """Whether each of the frames' objects becomes a label [m]; one whose class is "" never does."""
        objects, kept = frames.objects, np.zeros(len(frames.objects), bool)
        each = list(self._classes(objects.name))
        seen_by = contrast(frames) if any(own.min_contrast for _, own in each) else np.ones(len(objects))
        for rows, own in each:
            seen = (objects.pixels >= own.min_pixels) & (objects.visibility >= own.min_visibility)
            large = (objects.box[:, 2:] - objects.box[:, :2] >= own.min_side).all(axis=1)
            whole = (objects.truncation <= own.max_truncation) & (seen_by >= own.min_contrast)
            kept[rows] = (seen & large & whole & (objects.name != ""))[rows]
        return kept

    def boxes(self, frames: Frames) -> NDArray[np.float64]:
        """The label box of each visible object [m, 4], clipped to the image."""
        objects, edge = frames.objects, np.array(frames.images.shape[2:0:-1])
        out = objects.box.astype(float)
        for rows, own in self._classes(objects.name):
            low, high = objects.box[rows, :2], objects.box[rows, 2:]
            if own.box == "amodal":
                low = np.minimum(np.clip(objects.amodal[rows, :2], 0, edge), low)
                high = np.maximum(np.clip(objects.amodal[rows, 2:], 0, edge), high)
            more = own.margin * (high - low)
            out[rows] = np.concatenate([np.clip(low - more, 0, edge), np.clip(high + more, 0, edge)], axis=1)
        return out

    def _classes(self, names: NDArray[np.str_]) -> Iterator[tuple[NDArray[np.int64], "LabelPolicy"]]:
        """Rows of the objects of these classes [m] for which one policy holds, and that policy."""
        others = np.ones(len(names), bool)
        for name in self.classes:
            others &= names != name
            yield np.flatnonzero(names == name), self.of_class(name)
        yield np.flatnonzero(others), self

    @property
    def words(self) -> str:
        """The policy in two sentences, and one for each class with settings of its own."""
        return (f"Boxes go around {AROUND[self.box]}, with {_margin(self.margin)}. No label if: "
                f"{', or '.join(self._unlabelled)}.") + "".join(f" {name}: {_of_class(own)}." for name, own in
                                                                self.classes.items())

    @property
    def mask_words(self) -> str:
        """The same of class masks, which have no boxes."""
        of_masks = {name: {key: value for key, value in own.items() if key in CONDITION_TEXTS}
                    for name, own in self.classes.items()}
        wide = (f", {'wider' if self.mask_margin > 0 else 'narrower'} by {abs(self.mask_margin):g} pixels"
                if self.mask_margin else "")
        border = f" Along outlines, {self.mask_border:g} pixels are ignored." if self.mask_border else ""
        return (f"Masks show what is visible of an object{wide}.{border} All pixels of an object are ignored if it "
                f"has: {', or '.join(self._unlabelled)}.") + "".join(f" {name}: {_of_class(own)}."
                                                                for name, own in of_masks.items() if own)

    @property
    def _unlabelled(self) -> list[str]:
        return _unlabelled({name: getattr(self, name) for name in CONDITION_TEXTS})

    def settings(self) -> dict[str, Any]:
        """For `Format.settings`."""
        return {"label_policy": self.to_dict()}

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; `policy_of_record` reads it."""
        values = asdict(self)
        del values["by_class"]
        for name in OF_MASKS:  # as before there were any, so that what was made before is known again
            if not values[name]:
                del values[name]
        return {**values, **({"by_class": self.classes} if self.by_class else {})}


def policy_of_record(record: Mapping[str, Any]) -> LabelPolicy:
    """The policy that `LabelPolicy.to_dict` wrote, also in versions that knew a margin of a class ("margins") alone."""
    values = dict(record)
    own = {name: {"margin": share} for name, share in dict(values.pop("margins", None) or {}).items()}
    return LabelPolicy(**({"by_class": own} if own else {}) | values)


def condition_text(name: str, value: float) -> str:
    """What objects have by one condition alone, such as "no label with less than 50 % visible"; "a label however little
    is visible" at its default, or where it asks for nothing."""
    if value in (FREE.get(name), getattr(LabelPolicy(), name)):
        return f"a label {CONDITION_TEXTS[name][1]}"
    return f"no label with {_unlabelled({name: value})[0]}"


def _margin(share: float) -> str:
    return f"a margin of {100 * share:g} % of the box at each side" if share else "no margin"


def _unlabelled(given: Mapping[str, float]) -> list[str]:
    return [CONDITION_TEXTS[name][0].format(100 * value if "%" in CONDITION_TEXTS[name][0] else value)
            for name, value in given.items() if value != FREE.get(name)]


def _of_class(own: Mapping[str, Any]) -> str:
    """What holds for one class, in words."""
    parts = [f"boxes around {AROUND[own['box']]}"] if "box" in own else []
    parts += [_margin(own["margin"])] if "margin" in own else []
    given = {name: value for name, value in own.items() if name in CONDITION_TEXTS}
    free = [CONDITION_TEXTS[name][1] for name, value in given.items() if value == FREE.get(name)]
    unlabelled = _unlabelled(given)
    parts += [f"labels {', '.join(free)}"] if free else []
    parts += [f"no label if: {', or '.join(unlabelled)}"] if unlabelled else []
    return "; ".join(parts)


def _by_class(given: Any) -> tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]:
    """(class, ((field, value), ...)), sorted. ValueError where it is not as `LabelPolicy` says."""
    try:
        pairs = [(name, dict(own)) for name, own in (given.items() if isinstance(given, Mapping) else given)]
    except (TypeError, ValueError):
        raise ValueError('LabelPolicy needs by_class with settings for each class, such as {"RBC": {"margin": 0.1}}, '
                         f"got {describe_value(given)}") from None
    names = [name for name, _ in pairs]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise ValueError("LabelPolicy needs by_class with names of classes, each of them once, got "
                         f"{', '.join(map(repr, names))}")
    unknown = sorted({str(field) for _, own in pairs for field in own} - {*NUMBERS, "box"})
    if unknown:
        raise ValueError(f"LabelPolicy needs by_class with settings among {', '.join((*NUMBERS, 'box'))}, got "
                         f"{', '.join(unknown)}")
    return tuple(sorted((str(name), tuple(sorted((field, _plain(value)) for field, value in own.items())))
                        for name, own in pairs if own))


def _plain(value: Any) -> Any:
    """A number of numpy as one that JSON can hold."""
    return value.item() if isinstance(value, np.generic) else value


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


def label_masks(frames: Frames, classes: Sequence[str], label_policy: LabelPolicy | None = None) -> ClassMasks:
    """The labels of frames as class masks, from their instance masks. Pixels of an object that label_policy leaves
    without a label are ignored; those of one whose class is not among classes show none. The policy's mask_margin and
    mask_border apply to what then shows a class or is ignored."""
    check_argument("label_masks(frames, classes, label_policy=None)", "frames", frames, isinstance(frames, Frames),
                   "Frames, as scenefit.render(renderer, scenes) returns them; those of photos are photos.masks")
    check_classes(classes, "class masks of renders")
    objects, place = frames.objects, {name: code for code, name in enumerate(classes, 1)}
    code = np.array([place.get(name, NONE) for name in objects.name.tolist()], np.uint8)
    label_policy = label_policy or LabelPolicy()
    code[(code != NONE) & ~label_policy.keeps(frames)] = IGNORED
    of_id = np.zeros((len(frames), int(frames.instances.max(initial=0)) + 1), np.uint8)  # a root, 0, shows none
    visible = objects.pixels > 0
    of_id[objects.scene[visible], objects.id[visible]] = code[visible]
    flat = np.take_along_axis(of_id, frames.instances.reshape(len(frames), -1), axis=1)
    masks = flat.reshape(frames.instances.shape)
    if label_policy.mask_margin or label_policy.mask_border:
        masks = np.stack([redraw(mask, ids, label_policy.mask_margin, label_policy.mask_border)
                          for mask, ids in zip(masks, frames.instances, strict=True)]) if len(masks) else masks
    return ClassMasks(tuple(classes), masks)
