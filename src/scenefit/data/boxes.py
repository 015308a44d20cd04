"""Boxes of a set of images: a detector's training labels, its predictions, and the labels to evaluate them on.

Legend: m boxes. Boxes are x0, y0, x1, y1 in pixels from the top left corner, x1 and y1 just outside.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.files.text import counted
from scenefit.scenes.scene import row_numbers


@dataclass(frozen=True, eq=False)
class Boxes:
    """One row for each box, sorted by image.

    count: how many images there are.  image [m]: which of them (0..count-1).  box [m, 4].  name [m]: its class.
    score [m]: a detector's confidence, 1 for labels.  more: name -> further values of each box [m, ...]. Labels of
    KITTI have "truncation" (0..1), "occlusion" (0..3, 3 unknown), "alpha" (radians) and "box3d" (see
    `scenefit.data.boxes3d`), with the file's values for what is not known: -1, -10 and -1000.
    """

    count: int
    image: NDArray[np.int64]
    box: NDArray[np.float64]
    name: NDArray[np.str_]
    score: NDArray[np.float64]
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.image)

    def __repr__(self) -> str:
        return f"Boxes({len(self)} in {counted(self.count, 'image')}{class_counts(self.name)})"

    def to_bytes(self) -> bytes:
        """Images, boxes and names, for a hash; not the scores."""
        return b"\n".join([self.image.tobytes(), self.box.tobytes(), "\n".join(self.name.tolist()).encode()])

    def rows(self, image: int) -> slice:
        """The rows of one image's boxes."""
        first, last = np.searchsorted(self.image, [image, image + 1])
        return slice(int(first), int(last))

    def take(self, images: Sequence[int] | NDArray[Any]) -> "Boxes":
        """The boxes of some images (numbers or a mask), in the order given; an image may come more than once."""
        chosen = row_numbers(images, self.count)
        first, last = (np.searchsorted(self.image, chosen, side=side) for side in ("left", "right"))
        rows = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)] or [np.zeros(0)]).astype(int)
        image = np.repeat(np.arange(len(chosen)), last - first)
        return Boxes(len(chosen), image, self.box[rows], self.name[rows], self.score[rows], _rows_of(self.more, rows))

    def where(self, mask: NDArray[np.bool_]) -> "Boxes":
        """The boxes where mask [m] is true; count and numbers of the images are unchanged."""
        return Boxes(self.count, self.image[mask], self.box[mask], self.name[mask], self.score[mask],
                     _rows_of(self.more, mask))

    def scaled(self, factor: float, shift: Sequence[float] = (0.0, 0.0)) -> "Boxes":
        """The boxes in images that are scaled by factor and then shifted by (x, y) pixels."""
        offset = np.array([*shift, *shift], float)
        return Boxes(self.count, self.image, self.box * factor + offset, self.name, self.score, self.more)


def _rows_of(more: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {name: values[rows] for name, values in more.items()}


def class_counts(names: NDArray[np.str_], shown: int = 6) -> str:
    """": 7 coin, 5 note and 3 classes more", the most frequent first; "" of none."""
    counts = Counter(name or "without a class" for name in names.tolist())
    named = [f"{count} {name}" for name, count in counts.most_common(shown)]
    more = f" and {counted(len(counts) - shown, 'class', 'classes')} more" if len(counts) > shown else ""
    return f": {', '.join(named)}{more}" if named else ""


def make_boxes(count: int, image: Any, box: Any, name: Any, score: Any = None, *,
               more: Mapping[str, Any] | None = None) -> Boxes:
    """Boxes in any order, checked and sorted by image. ValueError, naming the row, for invalid boxes."""
    image = np.asarray(image, np.int64).reshape(-1)
    box = np.asarray(box, np.float64).reshape(-1, 4)
    name = np.asarray(name, np.str_).reshape(-1)
    score = np.ones(len(image)) if score is None else np.asarray(score, np.float64).reshape(-1)
    if not len(image) == len(box) == len(name) == len(score):
        raise ValueError(f"boxes need one image, box, name and score each, got {len(image)}, {len(box)}, {len(name)} "
                         f"and {len(score)}")
    further = {key: np.asarray(values) for key, values in (more or {}).items()}
    for key, values in further.items():
        if values.shape[:1] != image.shape:
            raise ValueError(f"boxes need one {key} each, {len(image)}, got {list(values.shape)}")
    outside = np.flatnonzero((image < 0) | (image >= count))
    if len(outside):
        raise ValueError(f"box {outside[0]} belongs to image {image[outside[0]]}, but there are {count}")
    wrong = np.flatnonzero(~(np.isfinite(box).all(axis=1) & (box[:, 2:] > box[:, :2]).all(axis=1)))
    if len(wrong):
        raise ValueError(f"box {wrong[0]} needs x0 < x1 and y0 < y1, got {box[wrong[0]].tolist()}")
    wrong = np.flatnonzero(~np.isfinite(score) | (name == ""))
    if len(wrong):
        raise ValueError(f"box {wrong[0]} needs a class and a finite score, got {str(name[wrong[0]])!r} and "
                         f"{score[wrong[0]]}")
    order = np.argsort(image, kind="stable")
    return Boxes(int(count), image[order], box[order], name[order], score[order], _rows_of(further, order))


def no_boxes(count: int) -> Boxes:
    return make_boxes(count, [], [], [])


def join_boxes(parts: Sequence[Boxes]) -> Boxes:
    """The boxes of several sets of images as those of one set, the images numbered consecutively. Of `more`, what all
    sets with boxes have."""
    starts = np.cumsum([0, *(boxes.count for boxes in parts)])
    filled = [boxes for boxes in parts if len(boxes)]
    shared = [name for name in filled[0].more if all(name in boxes.more for boxes in filled)] if filled else []
    image = np.concatenate([boxes.image + start for boxes, start in zip(parts, starts, strict=False)])
    return make_boxes(int(starts[-1]), image, np.concatenate([boxes.box for boxes in parts]),
                      np.concatenate([boxes.name for boxes in parts]), np.concatenate([boxes.score for boxes in parts]),
                      more={name: np.concatenate([boxes.more[name] for boxes in filled]) for name in shared})
