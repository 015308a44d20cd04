"""Corrects predictions on photos by what the same networks predict on renders of known truth.

Predictions are biased towards the training data and, on photos, by all that the renderer lacks; so predictions on
photos are only ever compared with predictions on renders of the present distribution q. Legend: N photos; V renders; m
predictions on photos, v on renders; k posterior samples of each photo; B bins.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]
LEVELS = np.linspace(0.0, 1.0, 42)[1:-1]  # quantiles that are compared
MIN_SLOPE = 0.25  # of predicted counts by true ones: flatter ones are not inverted
MAX_SLOPE = 3.0  # of the truth by predictions: a steeper one is noise, of predictions that hardly vary
FLAT_SLOPE = 0.35  # flatter predictions move the truth less and less: else errors are magnified
SLOPE_NOISE = 0.02  # spread of truth, as a share of the bounds, below which the slope is taken as 1
COUNT_NOISE = 0.02  # variance of true counts, likewise
MIN_COUNT_VARIANCE = 0.25  # of true counts, from which their slope and how errors grow with them can be told
ANGLE_BINS = 180
SMOOTH = 0.9  # width of the kernel that smooths errors of angles, in standard deviations of n**0.2 errors
EM_STEPS = 30  # of expectation and maximisation: more would fit the noise of single photos
ANGLE_STEPS = 100  # likewise; photos whose angles are all alike take more
FLAT = 0.02  # share of a flat distribution mixed into estimates of errors
TOWARDS_ALL = 20  # nodes
MIN_SHARE = 0.01  # of a choice's option: an option that is not predicted may still occur


def response(predicted: Floats, truth: Floats) -> tuple[float, float]:
    """By how much the truth moves with a prediction, and the correlation of their normal scores, from predictions [v]
    and truth [v] of renders. The first is the inverse of the slope of predictions by truth, down to `FLAT_SLOPE`."""
    if len(truth) < 8 or truth.std() < 1e-9 or predicted.std() < 1e-12:
        return 1.0, 0.0
    lean = SLOPE_NOISE**2
    slope = (np.cov(truth, predicted, bias=True)[0, 1] + lean) / (truth.var() + lean)
    correlation = np.corrcoef(normal_scores(truth), normal_scores(predicted))[0, 1]
    slope = float(np.clip(slope, 0, 1.2))
    gain = 1 / slope if slope >= FLAT_SLOPE else slope / FLAT_SLOPE**2
    return gain, float(np.clip(correlation, 0, 0.999))


def posterior_means(photos: Floats, renders: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """Posterior means [N] of numbers with these predictions, and errors of such means on the renders [v]. Predictions
    are themselves posterior means under a proposal, which is wide: their mean over photos is taken as it is, less what
    it is on renders. How they and the truth vary about their means is told by the present distribution of the renders.

    The means with errors added are the aggregate posterior; as the next distribution it comes nearer to the photos',
    as expectation and maximisation would (Vandegar et al. 2021). It is narrow only as far as photos tell: where all are
    alike, so are the errors of their predictions, and the mean of the predictions is no surer than a single one.
    """
    middle = renders.mean()
    slope = float(np.cov(renders, truth, bias=True)[0, 1]) / max(float(renders.var()), 1e-12)
    slope = float(np.clip(slope, 0, MAX_SLOPE))
    centre = np.clip(truth.mean() + photos.mean() - middle, 0, 1)
    return centre + slope * (photos - photos.mean()), truth - truth.mean() - slope * (renders - middle)


def normal_scores(values: Floats) -> Floats:
    """Ranks [n] as standard normal scores."""
    return special.ndtri((stats.rankdata(values) - 0.5) / len(values))


def match_quantiles(photos: Floats, renders: Floats, truth_of_q: Floats, gain: float) -> Floats:
    """Quantiles at LEVELS of the distribution whose renders would have the photos' predictions.

    Each quantile of the truth under q moves by `gain` times the difference between those of the predictions.
    """
    moved = np.quantile(truth_of_q, LEVELS) + gain * (np.quantile(photos, LEVELS) - np.quantile(renders, LEVELS))
    return np.asarray(optimize.isotonic_regression(moved).x)


def sample_numbers(photos: Floats, quantiles: Floats, correlation: float, normal: Floats) -> Floats:
    """Posterior samples [m] of a distribution with these quantiles, dependent on the photos' predictions [m] as truth
    depends on predictions on renders (a Gaussian copula). normal [m]: standard normal numbers."""
    z = correlation * normal_scores(photos) + np.sqrt(1 - correlation**2) * normal
    u = special.ndtr(z)
    out = np.interp(u, LEVELS, quantiles)
    for outside, end, inner in ((u < LEVELS[0], 0, 4), (u > LEVELS[-1], -1, -5)):  # the tails, as normal ones
        scale = (quantiles[end] - quantiles[inner]) / (special.ndtri(LEVELS[end]) - special.ndtri(LEVELS[inner]))
        out[outside] = quantiles[end] + scale * (z[outside] - special.ndtri(LEVELS[end]))
    return out


def count_posteriors(photos: Floats, renders: Floats, truth: NDArray[np.int64], bins: int) -> Floats:
    """Of each photo, the probabilities of each count [N, B], by expectation and maximisation under label shift (Saerens
    et al. 2002); predictions are modelled as a line of the true count with a normal error that grows with it. Where the
    line is flat, the maximum would magnify whatever photos differ in: it is one step from the counts of q there."""
    count, spread = np.arange(bins), float(truth.var())
    slope = float(np.mean((truth - truth.mean()) * renders) + COUNT_NOISE) / (spread + COUNT_NOISE)
    slope = max(slope, 0.0)
    offset = renders.mean() - slope * truth.mean()
    error = (renders - offset - slope * truth) ** 2
    design = np.stack([np.ones(len(truth)), truth], 1).astype(float)
    lean = np.array([error.mean(), 0.0])
    if spread > MIN_COUNT_VARIANCE:
        lean = np.linalg.lstsq(design, error, rcond=None)[0]
    least = max(0.15**2, 0.25 * float(error.mean()))
    scale = np.sqrt(np.maximum(lean[0] + lean[1] * count, least))
    likely = np.exp(-(((photos[:, None] - offset - slope * count) / scale) ** 2) / 2) / scale + 1e-12
    if spread > MIN_COUNT_VARIANCE and slope < MIN_SLOPE:
        before = np.bincount(truth, minlength=bins) + 0.5 / bins
        return _maximise(likely, before / before.sum(), steps=0)
    return _maximise(likely, np.full(bins, 1 / bins))


def _maximise(likely: Floats, share: Floats, group: NDArray[np.int64] | None = None, steps: int = EM_STEPS) -> Floats:
    """Posteriors [n, B] of a mixture's components with these likelihoods [n, B], its shares the most likely ones.
    group [n]: each has shares of its own, drawn towards those of all as if `TOWARDS_ALL` more were distributed so."""
    for _ in range(steps):
        part = share * likely
        part = part / part.sum(axis=1, keepdims=True)
        share = part.mean(axis=0)
        if group is not None:
            total = np.stack([np.bincount(group, column) for column in part.T], axis=1) + TOWARDS_ALL * share
            share = (total / total.sum(axis=1, keepdims=True))[group]
    part = share * likely
    return part / part.sum(axis=1, keepdims=True)


def angle_posteriors(photos: Floats, renders: Floats, truth: Floats) -> Floats:
    """Of each predicted angle [m], in turns, the probabilities of each bin of the true angle [m, B]: deconvolution by
    expectation and maximisation with the errors of predictions [v] on renders."""
    away = (renders - truth + 0.5) % 1.0
    error = np.histogram(away, ANGLE_BINS, (0, 1))[0] + 1e-9
    middle, spread = np.median(np.abs(away - 0.5)) / 0.6745, len(away) ** -0.2  # robust: some angles are turned by half
    width = max(SMOOTH * middle * spread * ANGLE_BINS, 0.5)  # of the kernel, in bins (Silverman's rule)
    near = np.exp(-((np.minimum(np.arange(ANGLE_BINS), ANGLE_BINS - np.arange(ANGLE_BINS)) / width) ** 2) / 2)
    kernel = np.fft.irfft(np.fft.rfft(error / error.sum()) * np.fft.rfft(near / near.sum()), ANGLE_BINS)
    kernel = (1 - FLAT) * np.maximum(kernel, 0) / np.maximum(kernel, 0).sum() + FLAT / ANGLE_BINS
    bins = (np.arange(ANGLE_BINS) + 0.5) / ANGLE_BINS
    at = ((photos[:, None] - bins + 0.5) % 1.0) * ANGLE_BINS - 0.5
    low = np.floor(at).astype(int)
    likely = (1 - (at - low)) * kernel[low % ANGLE_BINS] + (at - low) * kernel[(low + 1) % ANGLE_BINS]
    return _maximise(likely, np.full(ANGLE_BINS, 1 / ANGLE_BINS), steps=ANGLE_STEPS)


def angle_of(outputs: Floats) -> Floats:
    """The angle in turns 0..1 [m] of predicted sin and cos of it and of twice it [m, 4]: the axis of the one, nearer to
    the direction of the other."""
    axis = np.arctan2(outputs[:, 2], outputs[:, 3]) / 2
    once = np.arctan2(outputs[:, 0], outputs[:, 1])
    axis = np.where(np.cos(once - axis) < 0, axis + np.pi, axis)
    return (axis / (2 * np.pi) + 0.5) % 1.0


def choice_posteriors(photos: Floats, renders: Floats, truth: NDArray[np.int64],
                      group: NDArray[np.int64] | None = None) -> Floats:
    """Of each prediction [m, C] (probabilities of the options), the probabilities of the true option [m, C], by
    expectation and maximisation; predictions [v, C] on renders of known truth [v] tell how far they can be trusted.
    group [m]: of predictions whose true options have shares of their own."""
    options = photos.shape[1]
    confusion = np.full((options, options), 0.5 / options)
    np.add.at(confusion, (truth, renders.argmax(1)), 1.0)
    confusion /= confusion.sum(1, keepdims=True)  # [true, predicted]
    return _maximise(confusion[:, photos.argmax(1)].T, np.full(options, 1 / options), group)


def draw_rows(probabilities: Floats, uniform: Floats) -> NDArray[np.int64]:
    """One column of each row [n, B], by uniform numbers [n]."""
    return (probabilities.cumsum(1)[:, :-1] / probabilities.sum(1, keepdims=True) < uniform[:, None]).sum(1)
