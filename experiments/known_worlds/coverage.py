"""How well posterior samples of single photos and objects describe what is true of them. Pure functions.

Legend: N photos or matched objects; k samples of each; m values of the prior.
"""

import numpy as np
from scipy import optimize

from experiments.known_worlds.score import Target
from experiments.known_worlds.truth import Array

LEVELS = (0.5, 0.9)
FLOOR = 1e-3  # share of a wide uniform density in each kernel estimate, so that no truth has probability 0


def coverage(target: Target, samples: Array, truth: Array, prior: Array) -> dict[str, float]:
    """Figures of posterior samples [N, k] of a number or an angle with truth [N] and values [m] of its prior.

    cover 50, cover 90: share of truths inside the central interval.  width 90: mean width of that interval over that of
    the prior's.  log score, prior log score: mean negative log density of the truth, in nats; lower is better.
    ValueError unless the shapes fit and there are at least 2 samples.
    """
    samples, truth, prior = (np.asarray(part, float) for part in (samples, truth, prior))
    if samples.ndim != 2 or len(samples) != len(truth) or samples.shape[1] < 2 or not len(truth):
        raise ValueError(f"coverage of {target.key} needs samples [N, k] with k >= 2 and truth [N], got "
                         f"{list(samples.shape)} and {list(truth.shape)}; draw several samples of each photo")
    period = target.period if target.form == "angle" else None
    away, true = centred(samples, truth[:, None], period)
    before, _ = centred(prior[None], prior[:1, None], period)
    low, high = (np.array([(1 + sign * level) / 2 for level in LEVELS]) for sign in (-1, 1))
    # Unlike numpy's default, these quantiles hold 50 and 90 % of the truths on average, however few the samples.
    ends = tuple(np.quantile(away, level, axis=1, method="weibull") for level in (low, high))
    inside = (ends[0] <= true[:, 0]) & (true[:, 0] <= ends[1])
    prior_width = np.diff(np.quantile(before[0], [low[1], high[1]]))[0]
    span = period or float(np.ptp(prior)) or 1.0
    same = np.broadcast_to(prior[None, : samples.shape[1]], samples.shape)
    return {"cover 50": float(inside[0].mean()), "cover 90": float(inside[1].mean()),
            "width 90": float((ends[1][1] - ends[0][1]).mean() / prior_width),
            "log score": log_score(away, true, span),
            "prior log score": log_score(*centred(same, truth[:, None], period), span)}


def choice_scores(samples: Array, truth: Array, prior: Array) -> dict[str, float]:
    """The mean negative log probability, in nats, of true options [N] by posterior samples [N, k], to which one sample
    of the prior is added so that none is 0, and by values [m] of the prior."""
    share = {option: float(np.mean(prior == option)) for option in np.unique(np.concatenate([prior, truth]))}
    before = np.maximum([share[option] for option in truth], FLOOR)
    after = ((samples == truth[:, None]).sum(1) + before) / (samples.shape[1] + 1)
    return {"log score": float(-np.log(after).mean()), "prior log score": float(-np.log(before).mean())}


def centred(samples: Array, truth: Array, period: float | None) -> tuple[Array, Array]:
    """samples [N, k] and truth [N, 1]; angles as differences from the samples' mean direction, within half a period."""
    if period is None:
        return samples, truth
    turn = np.exp(2j * np.pi * samples / period).mean(1, keepdims=True)
    middle = np.angle(turn) * period / (2 * np.pi)
    return tuple((part - middle + period / 2) % period - period / 2 for part in (samples, truth))  # type: ignore


def log_score(samples: Array, truth: Array, span: float) -> float:
    """Mean negative log density of truth [N, 1] under a normal kernel estimate of samples [N, k] (Silverman's width),
    mixed with a little of a uniform density over a span."""
    quartiles = np.quantile(samples, [0.25, 0.75], axis=1)
    spread = samples.std(1)  # half of it at least, for samples half of which are equal, as at a bound
    sd = np.clip((quartiles[1] - quartiles[0]) / 1.34, spread / 2, spread)
    width = np.maximum(0.9 * sd * samples.shape[1] ** -0.2, 1e-3 * span)[:, None]
    density = np.exp(-0.5 * ((truth - samples) / width) ** 2).mean(1) / (width[:, 0] * np.sqrt(2 * np.pi))
    return float(-np.log((1 - FLOOR) * density + FLOOR / span).mean())


def matched(found: Array, true: Array, radius: float) -> tuple[Array, Array]:
    """Rows of found and of true objects of one photo that belong together: the assignment of centres (x, y) [n, 2] that
    matches as many as possible within a radius, px, and of these the nearest."""
    if not len(found) or not len(true):
        return np.zeros(0, int), np.zeros(0, int)
    far = np.hypot(*(found[:, None] - true[None]).transpose(2, 0, 1))
    rows, columns = optimize.linear_sum_assignment(np.where(far <= radius, far, 1e3 * radius))
    near = far[rows, columns] <= radius
    return rows[near], columns[near]
