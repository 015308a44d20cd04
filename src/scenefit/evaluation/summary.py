"""Summary of a fit: distances of renders to the photos, a verdict in plain words, attributes at their bounds, outliers.

Legend: k images shown; N photos; S renders; H, W pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from scenefit.data.photos import FEW_PHOTOS
from scenefit.evaluation.misspecification import N_NEIGHBOURS, THRESHOLD, farthest, outlier_scores
from scenefit.files.scratch import collect_arrays
from scenefit.metrics.features import CHUNK, Extractor, compute
from scenefit.metrics.mmd import NoiseFloor, mmd2, noise_floor
from scenefit.metrics.objective import objective
from scenefit.nets.model import Model, at_bounds
from scenefit.renderers import Renderer
from scenefit.renderers.batches import image_chunks, recut
from scenefit.scenes.scene import SceneBatch

N_SHOWN = 24  # images of each kind in the report
N_OUTLIERS = 6  # of them in the report
MAX_IMAGES = 256  # photos, and renders, that are searched for outliers
N_SAMPLES = 2048  # scenes, to find the attributes at their bounds
MAX_OUTSIDE = 0.1  # share of photos unlike every render, beyond which a fit is at most partly learned
Images = NDArray[np.uint8]


class Summary(BaseModel):
    """prior, learned: squared MMD between the photos and renders of the grammar, and of the learned distribution.
    floor: of that distance.  verdict: the distances in words.  at_bound: "kind.name" -> "low" or "high"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prior: float
    learned: float
    floor: NoiseFloor
    verdict: str
    at_bound: dict[str, str]


@dataclass(frozen=True, eq=False)
class OutlierPhotos:
    """The photos farthest from all learned renders. images uint8 [k, H, W, 3]; score [k]: `outlier_score`.
    share_prior, share_learned: share of all photos beyond `THRESHOLD` from the grammar's, or the learned, renders."""

    images: Images
    score: NDArray[np.float32]
    share_prior: float
    share_learned: float


@dataclass(frozen=True, eq=False)
class Samples:
    """Images for the report. photos, prior, learned: uint8 [k, H, W, 3].  outliers: None if too few were rendered."""

    photos: Images
    prior: Images
    learned: Images
    outliers: OutlierPhotos | None = None


def summarise(model: Model, renderer: Renderer, photos: Images, extractor: Extractor, seed: int,
              renders: int, seen: tuple[int, int] | None = None) -> tuple[Summary, Samples]:
    """Compare renders of the grammar and of the learned distribution with photos uint8 [N, H, W, 3].

    seen: (height, width) to which the extractor reduces images; None if it does not.
    Both are sampled with the same scene addresses, which a fit with other seeds has not seen.
    """
    goal = objective(extractor, photos)
    prior, learned = (_rendered(renderer, scenes, goal.extractor)
                      for scenes in (model.grammar.sample(seed, renders), model.sample(renders, seed)))
    of_prior, of_learned = (float(mmd2(features, goal.kernel)) for _, features in (prior, learned))
    floor = noise_floor(goal.photo_features, seed)
    outliers = None
    if renders > N_NEIGHBOURS:
        outliers = find_outliers(photos[_evenly(len(photos), MAX_IMAGES)], prior[0], learned[0])
    bounds = {f"{kind}.{name}": side for (kind, name), side in at_bounds(model, model.sample(N_SAMPLES, seed)).items()}
    summary = Summary(prior=of_prior, learned=of_learned, floor=floor, at_bound=bounds,
                      verdict=verdict(of_prior, of_learned, floor, len(photos), _seen(photos.shape[1:3], seen),
                                      outliers.share_learned if outliers is not None else 0.0))
    shown = photos[_evenly(len(photos), N_SHOWN)]
    return summary, Samples(shown, prior[0][:N_SHOWN], learned[0][:N_SHOWN], outliers)


def _rendered(renderer: Renderer, scenes: SceneBatch, extractor: Extractor) -> tuple[Images, Tensor]:
    """The first `MAX_IMAGES` renders, and the features [S, F] of all."""
    count = min(MAX_IMAGES, len(scenes))
    features: list[Tensor] = []

    def first() -> Iterator[Images]:
        left = count
        for images in recut(image_chunks(renderer, scenes), CHUNK):
            features.append(compute(extractor, images))
            yield images[:left]
            left -= len(images[:left])

    chunks = first()
    kept = collect_arrays(chunks, count)
    for _ in chunks:  # those that are not kept
        pass
    return kept, torch.cat(features)


def verdict(prior: float, learned: float, floor: NoiseFloor, photos: int, seen: str = "", outside: float = 0.0) -> str:
    """The test of the renders against the photos in a few plain sentences: what was compared, and what it cannot see.

    prior, learned: squared MMD.  photos: their number.  seen: the size of the images compared, such as "at 64 x 64
    pixels".  outside: share of the photos that are unlike every learned render, by their summary statistics.
    """
    numbers = f"MMD² {learned:.3g}, grammar {prior:.3g}, noise floor {floor.mean:.3g}"
    if photos < FEW_PHOTOS:
        return (f"{photos} photos are too few for a verdict: MMD² {learned:.3g}, grammar {prior:.3g}, noise floor "
                f"{floor.low:.3g} to {floor.high:.3g}. Use a few hundred photos, and look at the images.")
    compared = f"compared as whole images{' ' + seen if seen else ''}"
    limits = ("This sees only what learned attributes change in images of that size. To test the renders as training "
              "data, run scenefit evaluate with labelled photos.")
    if prior <= floor.high:
        return (f"Nothing to learn by this test: {compared}, renders of the grammar are already as close to the photos "
                f"as photos are to each other ({numbers}). It does not see finer detail: look at the images.")
    if learned >= prior - (floor.high - floor.low):
        return (f"Not learned: {compared}, the renders are not clearly closer to the photos than those of the grammar "
                f"({numbers}).")
    close = learned <= floor.high
    closed = (prior - learned) / (prior - floor.mean)
    what = (f"renders are as close to the photos as photos are to each other ({numbers})" if close else
            f"{closed:.0%} of the distance between grammar and photos is closed ({numbers})")
    if outside > MAX_OUTSIDE:
        return (f"Partly learned: {compared}, {what}, but {100 * outside:.0f} % of the photos are unlike every render "
                f"in colour or texture (by chance 1 %; the report shows the farthest). {limits}")
    return f"{'Learned' if close else 'Partly learned'}: {compared}, {what}. {limits}"


def _seen(size: Sequence[int], reduced: tuple[int, int] | None) -> str:
    """Of images of a size (height, width), at what size they are compared."""
    own, small = (f"{pair[1]} x {pair[0]}" for pair in (size, reduced or size))
    return f"at {own} pixels" if own == small else f"reduced from {own} to {small} pixels"


def find_outliers(photos: Images, prior: Images, learned: Images) -> OutlierPhotos:
    """Photos [N, H, W, 3] unlike every learned render [S, H, W, 3]: at most `N_OUTLIERS`, the farthest first."""
    by_prior, by_learned = outlier_scores(photos, prior, learned)
    rows = farthest(by_learned, N_OUTLIERS)
    return OutlierPhotos(photos[rows], by_learned[rows], float((by_prior > THRESHOLD).mean()),
                         float((by_learned > THRESHOLD).mean()))


def _evenly(count: int, n: int) -> NDArray[np.int64]:
    """At most n rows of count, evenly spread."""
    return np.unique(np.linspace(0, count - 1, n).astype(int))
