"""Summary of a fit: distances of renders to the photos, a verdict in plain words, attributes at their bounds, outliers.

Legend: k images shown; N photos; S renders; H, W pixels.
"""

from collections.abc import Iterator
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
              renders: int) -> tuple[Summary, Samples]:
    """Compare renders of the grammar and of the learned distribution with photos uint8 [N, H, W, 3].

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
                      verdict=verdict(of_prior, of_learned, floor, len(photos)))
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


def verdict(prior: float, learned: float, floor: NoiseFloor, photos: int) -> str:
    """The distances in one or two plain sentences. prior, learned: squared MMD.  photos: their number."""
    if photos < FEW_PHOTOS:
        return (f"{photos} photos are too few for a verdict: MMD² {learned:.3g}, grammar {prior:.3g}, noise floor "
                f"{floor.low:.3g} to {floor.high:.3g}. Use a few hundred photos, and look at the images.")
    numbers = f"MMD² {learned:.3g}, grammar {prior:.3g}, noise floor {floor.mean:.3g}"
    if prior <= floor.high:
        return (f"Nothing to learn by this distance: renders of the grammar are already as close to the photos as "
                f"photos are to each other ({numbers}). Look at the images.")
    if learned >= prior - (floor.high - floor.low):
        return f"Not learned: the renders are not clearly closer to the photos than those of the grammar ({numbers})."
    if learned <= floor.high:
        return (f"Learned: renders are as close to the photos as photos are to each other ({numbers}). To test the "
                "renders as training data, run scenefit evaluate with labelled photos.")
    closed = (prior - learned) / (prior - floor.mean)
    return (f"Partly learned: {closed:.0%} of the distance between grammar and photos is closed ({numbers}). To test "
            "the renders as training data, run scenefit evaluate with labelled photos.")


def find_outliers(photos: Images, prior: Images, learned: Images) -> OutlierPhotos:
    """Photos [N, H, W, 3] unlike every learned render [S, H, W, 3]: at most `N_OUTLIERS`, the farthest first."""
    by_prior, by_learned = outlier_scores(photos, prior, learned)
    rows = farthest(by_learned, N_OUTLIERS)
    return OutlierPhotos(photos[rows], by_learned[rows], float((by_prior > THRESHOLD).mean()),
                         float((by_learned > THRESHOLD).mean()))


def _evenly(count: int, n: int) -> NDArray[np.int64]:
    """At most n rows of count, evenly spread."""
    return np.unique(np.linspace(0, count - 1, n).astype(int))
