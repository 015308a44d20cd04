"""Conditional densities learned by maximum likelihood, and only where photos that were held out confirm them.

First, inputs that do not correlate with the attribute are left out, by a score test whose errors are those of photos,
not of nodes. Then the weights are trained on four fifths of the photos, stopped where the likelihood of the others is
highest, and kept only if it exceeds that of independence by more than its standard error. Last, the levels are set so
that the mean over all contexts is the marginal distribution again.

Legend: n nodes; F inputs, of which f are used; B bins or options; J functions of the basis; P photos.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from scenefit.nets.conditional_offsets import BINS, HIDDEN, ConditionalDensity
from scenefit.nets.optimise import endless_batches, minimise_steps

MAX_NODES = 32768  # from which a density is learned
BATCH = 1024
LEARNING_RATE = 0.15
WEIGHT_DECAY = 1e-3
CHECKS = 15  # how often the likelihood of held-out photos is measured
PATIENCE = 6  # checks without a better likelihood, before training stops
HELD_OUT = 5  # every fifth photo
MIN_HELD_OUT = 4  # photos: with fewer, an attribute stays independent of its context
FALSE_INPUTS = 0.5  # expected number of independent inputs that the score test keeps, at most
CALIBRATION_STEPS = 10
MIN_SHARE = 1e-6  # of an option, so that logarithms are finite


@dataclass(frozen=True, eq=False)
class NodeData:
    """What a density is learned from. x [n, F]: contexts.  use [F]: inputs that it may use.  code [n]: bin of the rank,
    or option.  weight [n].  photo [n].  share [B]: the marginal distribution."""

    x: np.ndarray
    use: np.ndarray
    code: np.ndarray
    weight: np.ndarray
    photo: np.ndarray
    share: np.ndarray


def train_density(density: ConditionalDensity, data: NodeData, seed: int, steps: int) -> bool:
    """Set a density's weights, and return whether it depends on its context; if not, they stay as they are."""
    random = np.random.default_rng(seed)
    data = _some(data, random)
    photos = random.permutation(np.unique(data.photo))
    held_out = np.isin(data.photo, photos[:len(photos) // HELD_OUT])
    if len(photos) // HELD_OUT < MIN_HELD_OUT:
        return False
    mean, scale = _standard(data)
    basis = density.basis.double().cpu().numpy()
    kept = _dependent_inputs(data, (data.x - mean) / scale, basis[:, :density.sizes[0]], ~held_out)
    if len(kept) == 0:
        return False
    used = ((data.x - mean) / scale)[:, kept]
    x = torch.from_numpy(np.concatenate([np.ones((len(used), 1)), used], axis=1)).float()
    weights = _trained(density, x, data, held_out, seed, steps)
    if weights is None:
        return False
    _store(density, weights, kept, mean, scale)
    _calibrate(density, data)
    return True


def bins_of(rank: np.ndarray) -> np.ndarray:
    """Bins [n] of ranks [n] in 0..1."""
    return np.minimum((rank * BINS).astype(np.int64), BINS - 1)


def _some(data: NodeData, random: np.random.Generator) -> NodeData:
    rows = np.flatnonzero(data.weight > 0)
    if len(rows) > MAX_NODES:
        rows = np.sort(random.choice(rows, MAX_NODES, replace=False))
    weight = data.weight[rows] / data.weight[rows].mean()
    return NodeData(data.x[rows], data.use, data.code[rows], weight, data.photo[rows], data.share)


def _standard(data: NodeData) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the inputs, each [F]; 1 in place of 0."""
    mean = np.average(data.x, axis=0, weights=data.weight)
    spread = np.sqrt(np.average((data.x - mean) ** 2, axis=0, weights=data.weight))
    return mean, np.where(spread > 1e-6, spread, 1.0)


def _dependent_inputs(data: NodeData, x: np.ndarray, basis: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which inputs, or their squares, correlate with a function of the basis: the score test of weights of 0."""
    usable = np.flatnonzero(data.use & (np.abs(x).max(axis=0) > 0))
    inputs = x[rows][:, usable]
    square = inputs**2
    inputs = np.concatenate([inputs, square - np.average(square, axis=0, weights=data.weight[rows])], axis=1)
    function = (basis - data.share @ basis)[data.code[rows]] * data.weight[rows, None]
    _, photo = np.unique(data.photo[rows], return_inverse=True)
    order = np.argsort(photo, kind="stable")
    first = np.flatnonzero(np.diff(photo[order], prepend=-1))
    strongest = np.zeros(inputs.shape[1])
    for column in function.T:
        score = np.add.reduceat((inputs * column[:, None])[order], first, axis=0)
        error = np.sqrt(np.maximum((score**2).sum(axis=0) - score.sum(axis=0) ** 2 / len(first), 1e-12)
                        * len(first) / (len(first) - 1))
        strongest = np.maximum(strongest, np.abs(score.sum(axis=0)) / error)
    bound = stats.t.isf(FALSE_INPUTS / (2 * max(strongest.size * basis.shape[1], 1)), len(first) - 1)
    passed = (strongest > bound).reshape(2, -1).any(axis=0)
    return usable[passed]


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """The likelihood of data above that of independence. x [n, 1 + f]: 1, and the inputs in use."""

    x: Tensor
    code: Tensor
    weight: Tensor
    level: Tensor
    basis: Tensor

    def gain(self, weights: Mapping[str, Tensor], rows: Tensor) -> Tensor:
        """Of these rows [n], weighted log-likelihoods [n]."""
        rows = rows.to(self.x.device)
        x, code = self.x[rows], self.code[rows][:, None]
        linear = weights["linear"]
        inside = x @ linear.T @ self.basis[:, :len(linear)].T
        if "leave" in weights:
            inside = inside + torch.tanh(x @ weights["enter"].T + weights["bias"]) @ weights["leave"].T @ self.basis.T
        log_density = torch.log_softmax(self.level + inside, 1).gather(1, code)
        return self.weight[rows] * (log_density[:, 0] - self.level[code[:, 0]])


def _trained(density: ConditionalDensity, x: Tensor, data: NodeData, held_out: np.ndarray, seed: int,
             steps: int) -> dict[str, Tensor] | None:
    """The weights of the highest likelihood of the held-out photos; None where that is not above independence.

    First those of the smooth functions, linear in the inputs: few enough for a dependence between images, of which
    there is one value a photo. Then more of them, then all, which the likelihood of held-out photos has to confirm too.
    """
    level = torch.from_numpy(np.log(np.maximum(data.share, MIN_SHARE))).float()
    device = density.basis.device
    likelihood = _Likelihood(x.to(device), torch.from_numpy(data.code).to(device),
                             torch.from_numpy(data.weight).float().to(device), level.to(device), density.basis)
    random = torch.Generator().manual_seed(seed % 2**63)
    inputs, functions = x.shape[1], density.basis.shape[1]
    hidden = {"leave": torch.zeros(functions, HIDDEN),
              "enter": torch.randn(HIDDEN, inputs, generator=random) / inputs**0.5,
              "bias": torch.randn(HIDDEN, generator=random)}
    found, gain = {"linear": torch.zeros(0, inputs)}, 0.0
    for number, size in enumerate((*density.sizes, functions)):
        more = torch.cat([found["linear"], torch.zeros(size - len(found["linear"]), inputs)])
        start = {"linear": more} if number < len(density.sizes) else {"linear": more, **hidden}
        found, gain = _climbed(likelihood, start, gain, data, held_out, seed, steps)
    return found if gain > 0 else None


def _climbed(likelihood: _Likelihood, weights: dict[str, Tensor], least: float, data: NodeData, held_out: np.ndarray,
             seed: int, steps: int) -> tuple[dict[str, Tensor], float]:
    """Weights trained from these, where held-out photos have the highest likelihood, and its gain a photo; the weights
    themselves where none is above least and its own standard error."""
    rows, test = (torch.from_numpy(np.flatnonzero(mask)) for mask in (~held_out, held_out))
    now = {name: value.clone().to(likelihood.x.device).requires_grad_(True) for name, value in weights.items()}
    _, photo = np.unique(data.photo[held_out], return_inverse=True)

    def losses() -> Iterator[Tensor]:
        for _, batch in zip(range(steps), endless_batches(len(rows), min(BATCH, len(rows)), seed), strict=False):
            yield -likelihood.gain(now, rows[batch]).mean()

    best, waited = weights, 0
    optimiser = torch.optim.AdamW(now.values(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for step in minimise_steps(losses(), optimiser, steps):
        if step % max(steps // CHECKS, 1) == 0:
            with torch.no_grad():
                by_photo = np.bincount(photo, likelihood.gain(now, test).double().cpu().numpy())
            error = by_photo.std(ddof=1) / np.sqrt(len(by_photo))
            waited += 1
            if by_photo.mean() > max(least, error):
                waited, least = 0, float(by_photo.mean())
                best = {name: value.detach().clone().cpu() for name, value in now.items()}
            if waited == PATIENCE:
                break
    return best, least


def _store(density: ConditionalDensity, weights: dict[str, Tensor], kept: np.ndarray, mean: np.ndarray,
           scale: np.ndarray) -> None:
    """The weights for inputs that are neither chosen nor standardised."""
    by_input = {name: torch.zeros(getattr(density, name).shape, dtype=torch.float64) for name in ("linear", "enter")}
    constant = {}
    for name, value in by_input.items():
        own = weights.get(name, torch.zeros(0, 1 + len(kept))).double()
        value[:len(own), torch.from_numpy(kept)] = own[:, 1:] / torch.from_numpy(scale[kept])
        constant[name] = -value @ torch.from_numpy(mean)
        constant[name][:len(own)] += own[:, 0]
        getattr(density, name).copy_(value)
    density.level.copy_(density.basis.double().cpu() @ constant["linear"])
    if "leave" in weights:
        density.leave.copy_(weights["leave"])
        density.bias.copy_(constant["enter"] + weights["bias"])


def _calibrate(density: ConditionalDensity, data: NodeData) -> None:
    """Change the levels until the weighted mean of the density over all contexts is the marginal distribution."""
    x, weight = torch.from_numpy(data.x).float(), torch.from_numpy(data.weight)
    share = torch.from_numpy(np.maximum(data.share, MIN_SHARE))
    odds = density(x).double() + share.log()
    level = torch.zeros(len(share), dtype=torch.float64)
    for _ in range(CALIBRATION_STEPS):
        mean = (torch.softmax(odds + level, 1) * weight[:, None]).sum(0) / weight.sum()
        level = level + share.log() - mean.clamp(min=1e-9).log()
    density.level += level.float().to(density.level.device)
