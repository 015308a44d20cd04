"""Free-response receiver operating characteristic (FROC): missed objects over false detections per photo.

Bunch et al. 1978; Chakraborty and Winter 1990. They draw the objects found; here it is the objects missed.
Legend: d detections; t true boxes; p points of the curve.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scenefit.metrics.average_precision import Match

FALSE_PER_PHOTO = (1, 2, 4)  # at which detectors are compared


@dataclass(frozen=True, eq=False)
class Froc:
    """The curve, from "no detection counts" to "all count", a point for each confidence.

    threshold [p]: least confidence of the detections that count, falling from infinity.  false [p]: false detections
    per photo.  missed [p]: share of the objects that none of them finds, 0..1; NaN without any object.
    """

    threshold: NDArray[np.float64]
    false: NDArray[np.float64]
    missed: NDArray[np.float64]

    def point(self, false: float) -> int | None:
        """The last point with at most so many false detections per photo; None if all detections have fewer."""
        return None if false > self.false[-1] else int(np.searchsorted(self.false, false, side="right")) - 1

    def missed_at(self, false: float) -> float | None:
        """Share of the objects missed at that `point`; None where there is no such point, or no object."""
        point = self.point(false)
        return None if point is None or np.isnan(self.missed[point]) else float(self.missed[point])


def froc(match: Match, photos: int) -> Froc:
    """The curve of detections of all classes [d] in so many photos, with those that show no object. Detections of equal
    confidence count together. ValueError without photos."""
    if photos < 1:
        raise ValueError(f"false detections per photo need at least 1 photo, got {photos}")
    order = np.argsort(-match.score, kind="stable")
    score, true = match.score[order], match.true[order]
    last = np.flatnonzero(np.diff(score, append=-np.inf))  # of each confidence
    found = np.concatenate([[0], np.cumsum(true)[last]])
    false = np.concatenate([[0], last + 1]) - found
    objects = len(match.detected)
    return Froc(np.concatenate([[np.inf], score[last]]), false / photos,
                1 - found / objects if objects else np.full(len(found), np.nan))
