"""How good a trained network of semantic segmentation is on labelled photos. Nothing is trained or fitted.

Legend: N photos; C classes; R resamples of the photos.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scenefit.data.photos import Photos
from scenefit.evaluation.measured import Record, Table, check_unused, percent, photo_paths
from scenefit.files.text import counted
from scenefit.metrics.segmentation_metrics import PixelCounts
from scenefit.scenes.rng import generator
from scenefit.tasks.segmenter_file import TrainedSegmenter

RESAMPLES = 1000  # of the photos, for the intervals
INTERVAL = (2.5, 97.5)  # percent
Floats = NDArray[np.float64]


class ClassPixels(Record):
    """Pixels of one class in one photo, by the most likely class of each pixel: labelled with it, predicted as it, and
    both.  false_positives, false_negatives: at the network's threshold, pixels predicted as the class but not labelled
    with it, and the reverse."""

    labelled: int
    predicted: int
    both: int
    false_positives: int
    false_negatives: int


class PhotoPixels(Record):
    """Of one photo."""

    path: str
    classes: dict[str, ClassPixels]


class AtThreshold(Record):
    """Of one class, predicted in each pixel from a threshold of confidence on. false_positives, false_negatives: pixels
    predicted as the class but not labelled with it, and the reverse, relative to the area labelled with it."""

    threshold: float
    iou: float
    false_positives: float
    false_negatives: float


class ClassAreas(Record):
    """Of one class, over all photos' pixels. None is undefined, where no pixel is labelled with it.

    area: the share of the pixels that is labelled with it.  iou: of the most likely class of each pixel.  interval: of
    iou, 95 %, over resamples of the photos; None for one photo.  ap: average precision over pixels.  own_threshold:
    at the network's.  equal_area: at that from which on the class is predicted in as many pixels as are labelled with
    it, which was chosen on the photos; None for a class that the network does not know, whose iou and ap are 0.
    """

    area: float
    iou: float | None
    interval: tuple[float, float] | None
    ap: float | None
    own_threshold: AtThreshold | None
    equal_area: AtThreshold | None


class SegmenterEvaluation(Record):
    """iou, ap: means over the classes that the photos show.  interval: of iou, as of `ClassAreas`.  own_threshold,
    equal_area: mean IoU at these thresholds.  used: how many of the photos fitted, trained or selected the network."""

    iou: float
    interval: tuple[float, float] | None
    ap: float
    own_threshold: float
    equal_area: float
    classes: dict[str, ClassAreas]
    used: int
    photos: list[PhotoPixels]

    def tables(self) -> list[Table]:
        """IoU and average precision, and areas at the thresholds, by class."""
        mean = [["mean", "", percent(self.iou), _interval(self.interval), percent(self.ap)]]
        several = len(self.classes) > 1
        note = ("area: labelled with the class, of all pixels; IoU: of the most likely class of each pixel\n95 %: over "
                "resamples of the photos; one network was measured, and another training would differ, too")
        at = [[name, *_columns(one.own_threshold), *_columns(one.equal_area)] for name, one in self.classes.items()]
        names = ["IoU", "FP", "FN"]
        return [
            Table(f"Pixels of {counted(len(self.photos), 'labelled photo')}: IoU {self.iou:.1%}, pixel AP "
                  f"{self.ap:.1%}{' (means over the classes)' if several else ''}",
                  ["class", "area", "IoU", "95 %", "pixel AP"],
                  [*([name, percent(one.area), percent(one.iou), _interval(one.interval), percent(one.ap)]
                     for name, one in self.classes.items()), *(mean if several else [])], note),
            Table(f"At one threshold for each class: IoU {self.own_threshold:.1%} with the network's own, "
                  f"{self.equal_area:.1%} at equal area", ["class", "threshold", *names, "equal area", *names], at,
                  "FP, FN: false positives and false negatives, pixels relative to the area labelled with the class\n"
                  "equal area: the threshold from which on a class is predicted in as many pixels as are labelled with "
                  "it. It was chosen on these photos, so this is no result to report")]

    def lines(self) -> list[str]:
        return []


def evaluate_segmenter(network: TrainedSegmenter, labelled: Photos, force: bool = False) -> SegmenterEvaluation:
    """Segment labelled photos [N, H, W, 3] of the network's size, and compare with their class masks. Pixels that are
    ignored there count neither way.

    ValueError for photos without masks, or whose masks show no class, or none that the network knows, or, unless force,
    for photos that it was made with.
    """
    if labelled.masks is None:
        raise ValueError(f"the {len(labelled)} labelled photos have no class masks, which a segmentation network is "
                         "evaluated on; give photos with masks")
    known, present = network.task.classes, set(labelled.masks.present)
    if not present:
        raise ValueError(f"the masks of the {counted(len(labelled), 'labelled photo')} show no class, so no IoU is "
                         "defined; give photos that show objects")
    if not present & set(known):
        raise ValueError(f"the masks of the labelled photos show the classes {sorted(present)}, and the network knows "
                         f"only {sorted(known)}; rename the classes in one of them")
    used = check_unused(network, labelled, force)
    classes = (*known, *sorted(present - set(known)))
    threshold = np.array([*network.threshold, *[1.0] * (len(classes) - len(known))])
    counts = network.task.score(network.network, labelled.images, labelled.masks.of_classes(classes), threshold)
    intervals = _intervals(counts)
    of_class = _of_classes(counts, threshold, len(known), intervals)
    shown = [one for one in of_class.values() if one.iou is not None]
    return SegmenterEvaluation(
        iou=_mean([one.iou for one in shown]), ap=_mean([one.ap for one in shown]),
        interval=intervals[-1], classes=of_class, used=used,
        own_threshold=_mean([one.own_threshold.iou for one in shown if one.own_threshold]),
        equal_area=_mean([one.equal_area.iou if one.equal_area else 0.0 for one in shown]),
        photos=[_of_photo(path, counts, row) for row, path in enumerate(photo_paths(labelled))])


def _of_classes(counts: PixelCounts, threshold: Floats, known: int,
                intervals: list[tuple[float, float] | None]) -> dict[str, ClassAreas]:
    """known: how many of the classes the network knows; they are the first."""
    labelled, iou, precision = counts.area, counts.iou(), counts.average_precision()
    precision[known:] = 0  # all pixels have one confidence in these classes, which would count their area as precision
    at = [_at(counts, threshold, labelled), _at(counts, counts.equal_area_thresholds(), labelled)]
    pixels = max(int(counts.known.sum()), 1)
    return {name: ClassAreas(area=float(labelled[c] / pixels), iou=_known(iou[c]), interval=intervals[c],
                             ap=_known(precision[c]), own_threshold=at[0][c],
                             equal_area=at[1][c] if c < known else None) for c, name in enumerate(counts.classes)}


def _at(counts: PixelCounts, threshold: Floats, labelled: NDArray[np.int64]) -> list[AtThreshold | None]:
    """Of each class [C]; None where no pixel is labelled with it."""
    iou, (false, missed) = counts.iou_at(threshold), counts.false_and_missed(threshold)
    return [AtThreshold(threshold=float(threshold[c]), iou=float(iou[c]), false_positives=float(false[c] / area),
                        false_negatives=float(missed[c] / area)) if area else None for c, area in enumerate(labelled)]


def _intervals(counts: PixelCounts) -> list[tuple[float, float] | None]:
    """95 % intervals of the IoU of each class and of their mean [C + 1]."""
    photos = len(counts)
    if photos < 2:
        return [None] * (len(counts.classes) + 1)
    draws = generator(0, "resamples").multinomial(photos, np.full(photos, 1 / photos), RESAMPLES).astype(float)
    of_class = np.array([counts.iou(weights) for weights in draws])  # [R, C]
    found: list[tuple[float, float] | None] = []
    for values in [*of_class.T, counts.resampled(draws)]:
        values = values[~np.isnan(values)]
        low, high = np.percentile(values, INTERVAL) if len(values) else (0.0, 0.0)
        found.append((float(low), float(high)) if len(values) else None)
    return found


def _of_photo(path: str, counts: PixelCounts, row: int) -> PhotoPixels:
    names = ("labelled", "predicted", "both", "false_positives", "false_negatives")
    values = np.concatenate([counts.areas[row], counts.errors[row]], 1).tolist()
    return PhotoPixels(path=path, classes={of: ClassPixels(**dict(zip(names, own, strict=True)))
                                           for of, own in zip(counts.classes, values, strict=True)})


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _mean(values: Sequence[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))


def _interval(values: tuple[float, float] | None) -> str:
    return "" if values is None else f"{values[0]:.1%} to {values[1]:.1%}"


def _columns(one: AtThreshold | None) -> list[str]:
    return [""] * 4 if one is None else [
        f"{one.threshold:.2f}", *map(percent, (one.iou, one.false_positives, one.false_negatives))]
