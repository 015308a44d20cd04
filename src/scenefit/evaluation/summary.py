"""What a finished fit learned, in numbers and one or two sentences.

Legend: k images shown; N photos.
"""

import numpy as np
from pydantic import BaseModel, ConfigDict

from scenefit.evaluation.evaluate import Band
from scenefit.evaluation.misspecification import THRESHOLD, farthest, outlier_scores

N_OUTLIERS = 6
MAX_IMAGES = 256  # photos, and renders, to find them
MIN_PHOTOS = 50  # photos


class Summary(BaseModel):
    """What summary.json holds. Squared MMD of the renders of the grammar and of the learned distribution to the
    photos, and its floor; renders, trainings and cpu_seconds of the fit.  pressed: "kind.name" -> "low" or "high".
    run: identity of the run that it is of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prior: float
    learned: float
    floor: Band
    verdict: str
    at_bound: dict[str, str]
    renders: int
    trainings: int
    cpu_seconds: float
    run: str


def verdict(prior: float, learned: float, band: Band, photos: int) -> str:
    """The distances in one or two plain sentences. Squared MMDs; band: their floor, of so many photos."""
    if photos < MIN_PHOTOS:
        return (f"{photos} photos are too few to tell how close the renders are: MMD² {learned:.3g}, grammar "
                f"{prior:.3g}, where photos are {band.low:.3g} to {band.high:.3g} from photos. Give some hundreds, and "
                "look at the images.")
    known = f"MMD² {learned:.3g}, grammar {prior:.3g}, photos against photos {band.mean:.3g}"
    noise = band.high - band.low
    if prior <= band.high:
        return (f"Nothing to learn by this distance: renders of the grammar already cannot be told from photos "
                f"({known}). Look at the images.")
    if learned >= prior - noise:
        return f"Not learned: the renders are not clearly closer to the photos than the grammar's ({known})."
    closed = (prior - learned) / (prior - band.mean)
    if learned <= band.high:
        return (f"By this distance, renders of the learned distribution cannot be told from photos ({known}). "
                "A task on labelled photos is the proof: scenefit evaluate.")
    return (f"Closer, but not there: {closed:.0%} of the way from the grammar to the photos ({known}). "
            "A task on labelled photos is the proof: scenefit evaluate.")


def find_outliers(photos: np.ndarray, prior: np.ndarray, learned: np.ndarray) -> dict[str, np.ndarray]:
    """Photos [N, H, W, 3] that no learned render is like: the farthest of them, "far" [k, H, W, 3], with their farness,
    "far_by" [k]; and the shares of all photos that are beyond `FAR` from renders of the grammar and from learned ones,
    "far_share" [2]."""
    both = outlier_scores(photos, prior, learned)
    rows = farthest(both[1], N_OUTLIERS)
    return {"far": photos[rows], "far_by": both[1][rows],
            "far_share": np.array([(one > THRESHOLD).mean() for one in both])}
