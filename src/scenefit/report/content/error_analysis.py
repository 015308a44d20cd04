"""What detectors of several baselines miss and what their false detections are, at equal false detections per photo.

Legend: p points of a curve.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class SizeGroup(NamedTuple):
    """Objects whose side, the root of their box's area, is above low and at most high, in pixels; None: no limit."""

    low: float | None
    high: float | None
    objects: int


class Quartiles(NamedTuple):
    low: float
    median: float
    high: float


@dataclass(frozen=True, eq=False)
class BaselineErrors:
    """Mistakes of the detector trained on one baseline's renders.

    false, missed [p]: corners of its FROC curve, false detections per photo and share of the objects missed.
    missed_at: share missed at each of `ErrorAnalysis.levels`, None where the detector never makes so many false
    detections.  At `ErrorAnalysis.at`: by_size, share missed of each of its sizes; kinds, false detections per photo of
    each kind; sides, of each class, the side of its boxes over that of the objects that they overlap.
    """

    baseline: str
    false: tuple[float, ...]
    missed: tuple[float, ...]
    missed_at: tuple[float | None, ...]
    by_size: tuple[float, ...]
    kinds: Mapping[str, float]
    sides: Mapping[str, Quartiles]


@dataclass(frozen=True, eq=False)
class ErrorAnalysis:
    """Mistakes of detectors in so many photos with so many objects, at the thresholds where each makes as many false
    detections per photo: at.  classes: of the objects, the most frequent first. ValueError if lengths differ."""

    at: float
    photos: int
    objects: int
    levels: tuple[float, ...]
    sizes: tuple[SizeGroup, ...]
    classes: tuple[str, ...]
    baselines: tuple[BaselineErrors, ...]

    def __post_init__(self) -> None:
        for one in self.baselines:
            if (len(one.missed_at), len(one.by_size)) != (len(self.levels), len(self.sizes)):
                raise ValueError(f"mistakes of {one.baseline} need a share of missed objects for each of "
                                 f"{len(self.levels)} levels and each of {len(self.sizes)} sizes")
            if not 0 < len(one.false) == len(one.missed):
                raise ValueError(f"the curve of {one.baseline} needs as many numbers of false detections as shares of "
                                 f"missed objects, got {len(one.false)} and {len(one.missed)}")
