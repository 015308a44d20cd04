"""Which attributes photos show, and how easily a classifier tells photos from renders of the same scenes.

Measured once for each painted world, before its first fit, on photos with their truth.
Legend: N photos; n objects; A columns to predict.
"""

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import scenefit as sf
from experiments.known_worlds.score import Target
from experiments.known_worlds.truth import Array, Truth
from experiments.known_worlds.world import World, rendered_truth
from scenefit.metrics.c2st import c2st
from scenefit.metrics.features import to_tensor
from scenefit.metrics.summary_statistics import SummaryStatistics, summary_statistics_for

PHOTOS, HELD_OUT = 5000, 1000
COMPARED = 600  # photos and renders of the classifier
CROP = 32  # px, around an object's centre
REDUCED = 80  # side of the images that the network of images sees, px
RIDGE_PENALTIES = (10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4, 3e4, 1e5, 1e7, 1e12)  # the last predicts the mean
MAX_DEVIATIONS, MIN_RIDGE_R2 = 4.0, 0.05
MOST_OBJECTS, EPOCHS, IMAGE_EPOCHS, BATCH = 15_000, 4, 12, 64


def measure(world: World, seed: int = 987_654) -> dict[str, Any]:
    """R2 of each attribute on held-out photos, and the C2ST of photos and renders of their true scenes."""
    began = time.process_time()
    images, truth = world.photos(seed, PHOTOS)
    statistics = statistics_of(images)
    r2 = {}
    for kind in world.grammar.kinds:
        targets = [t for t in world.targets if t.kind == kind and t.name in truth.columns[kind] and not t.given]
        alone = len(truth.photo.get(kind, ())) == len(truth)
        if not targets or not (alone or "x" in truth.columns[kind]):
            continue
        columns = [encoded(t, truth.columns[kind][t.name]) for t in targets]
        found = image_r2(images, statistics, columns) if alone else object_r2(images, truth, kind, columns)
        r2 |= {t.key: round(value, 3) for t, value in zip(targets, found, strict=True)}
    renders = sf.render(world.renderer, rendered_truth(world, truth.first(COMPARED), seed)).images
    both = statistics_of(np.concatenate([images[-COMPARED:], renders]))
    auc = c2st(both[COMPARED:], both[:COMPARED], seed).auc
    return {"r2": r2, "c2st": round(auc, 3), "photos": PHOTOS, "cpu_seconds": round(time.process_time() - began)}


def statistics_of(images: Array) -> Tensor:
    """Colours, sharpness and scale of each image, without a network [N, F]."""
    bare = summary_statistics_for(images[:500])
    return SummaryStatistics(bare.histogram, None)(images)


def encoded(target: Target, values: Array) -> Array:
    """[n, A]: an angle as cosine and sine, a choice as indicators, a number as it is."""
    if target.form == "angle":
        turn = 2 * np.pi * np.asarray(values, float) / target.period
        return np.stack([np.cos(turn), np.sin(turn)], 1)
    if target.form == "choice":
        return (np.asarray(values)[:, None] == np.unique(values)).astype(float)
    return np.asarray(values, float)[:, None]


def explained(truth: Array, predicted: Array) -> float:
    """R2 over all columns [n, A] together."""
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean(0)) ** 2).sum())


def image_r2(images: Array, statistics: Tensor, columns: list[Array]) -> list[float]:
    """Of attributes of images, the better of a ridge regression on statistics and a small network on reduced images."""
    first = len(statistics) - HELD_OUT * len(statistics) // PHOTOS
    both = np.concatenate(columns, 1)
    ridge = by_ridge(statistics[:first], both[:first], statistics[first:]).numpy()
    small = torch.cat([nn.functional.interpolate(to_tensor(part), (REDUCED, REDUCED), mode="area")
                       for part in np.array_split(images, len(images) // 50 + 1)])
    held = np.arange(len(images)) >= first
    return [max(pair) for pair in zip(by_column(both[first:], ridge, columns),
                                      by_column(both[first:], by_network(small, both, held, IMAGE_EPOCHS), columns),
                                      strict=True)]


def by_ridge(statistics: Tensor, truth: Array, photo_statistics: Tensor) -> Tensor:
    """Predictions [N, A] from photo_statistics [N, F] by a ridge regression of each column of truth [S, A] on
    statistics [S, F], with the penalty of the lowest leave-one-out error; its mean where the R2 on left-out rows is
    below `MIN_RIDGE_R2`."""
    middle, spread = statistics.mean(0), statistics.std(0)
    used = spread > 1e-5
    x, p = (((part[:, used] - middle[used]) / spread[used]).double().clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
            for part in (statistics, photo_statistics))
    centre, y = x.mean(0), torch.from_numpy(truth)
    mean = y.mean(0)
    u, s, v = torch.linalg.svd(x - centre, full_matrices=False)
    inside = u.T @ (y - mean)
    losses, predictions = [], []
    for penalty in RIDGE_PENALTIES:
        kept = s**2 / (s**2 + penalty)
        hat = (u**2 @ kept + 1 / len(x)).clamp(max=0.999)
        losses.append((((y - mean - u @ (kept[:, None] * inside)) / (1 - hat)[:, None]) ** 2).mean(0))
        predictions.append(mean + (p - centre) @ (v.T @ ((kept / s.clamp(min=1e-9))[:, None] * inside)))
    loss, each = torch.stack(losses), torch.arange(y.shape[1])
    best = loss.argmin(0)
    best[1 - loss[best, each] / y.var(0, correction=0).clamp(min=1e-12) < MIN_RIDGE_R2] = len(RIDGE_PENALTIES) - 1
    ends = torch.quantile(y, torch.tensor([0.005, 0.995], dtype=y.dtype), dim=0)
    return torch.stack(predictions)[best, :, each].T.clamp(*ends)


def by_network(pixels: Tensor, both: Array, held: Array, epochs: int) -> Array:
    """Predictions [n, A] of held rows by a network that is trained on the others."""
    mean, sd = both[~held].mean(0), both[~held].std(0) + 1e-9
    net = train(pixels[~held], torch.from_numpy((both[~held] - mean) / sd).float(), epochs)
    with torch.no_grad():
        return torch.cat([net(part) for part in pixels[held].split(512)]).double().numpy() * sd + mean


def by_column(truth: Array, predicted: Array, columns: list[Array]) -> list[float]:
    edges = np.cumsum([column.shape[1] for column in columns])[:-1]
    return [explained(a, b) for a, b in zip(np.split(truth, edges, 1), np.split(predicted, edges, 1), strict=True)]


def object_r2(images: Array, truth: Truth, kind: str, columns: list[Array]) -> list[float]:
    """Of attributes of objects, by a small network on crops around the true centres inside the image."""
    height, width = images.shape[1:3]
    x, y, owner = truth.columns[kind]["x"], truth.columns[kind]["y"], truth.photo[kind]
    rows = np.flatnonzero((x > 0) & (x < width) & (y > 0) & (y < height))
    rows = rows[:: max(1, len(rows) // MOST_OBJECTS)]
    pixels = crops(images, owner[rows], x[rows], y[rows])
    both = np.concatenate(columns, 1)[rows]
    held = owner[rows] >= len(images) - HELD_OUT * len(images) // PHOTOS
    return by_column(both[held], by_network(pixels, both, held, EPOCHS), columns)


def crops(images: Array, owner: Array, x: Array, y: Array) -> Tensor:
    """float32 [n, 3, CROP, CROP]; the border is repeated."""
    half = CROP // 2
    wide = np.pad(images, ((0, 0), (half, half), (half, half), (0, 0)), "edge")
    corner = np.floor(np.stack([y, x], 1)).astype(int)
    return to_tensor(np.stack([wide[image, top:top + CROP, left:left + CROP]
                               for image, (top, left) in zip(owner, corner, strict=True)]))


def train(pixels: Tensor, target: Tensor, epochs: int) -> nn.Module:
    """A small convolutional network, by least squares. pixels [n, 3, side, side]; target [n, A]."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * (pixels.shape[-1] // 8) ** 2, 64), nn.ReLU(),
                        nn.Linear(64, target.shape[1]))
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, epochs * (len(pixels) // BATCH + 1))
    for _ in range(epochs):
        for batch in torch.randperm(len(pixels)).split(BATCH):
            optimiser.zero_grad()
            (net(pixels[batch]) - target[batch]).square().mean().backward()
            optimiser.step()
            schedule.step()
    return net.eval()
