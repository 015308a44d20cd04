"""Statistics of colours, sharpness and noise on images of which these are known."""

import numpy as np
import torch

from scenefit.metrics.summary_statistics import SummaryStatistics, colour_and_sharpness, summary_statistics_for


def image(noise=0.0, lines=False, seed=0):
    """[64, 64, 3] of grey with white noise (standard deviation in 0..1); lines: sharp ones over a quarter of it."""
    random, out = np.random.default_rng(seed), np.full((64, 64, 3), 0.5)
    if lines:
        out[::4, :16] = 0.9
    return np.clip(255 * (out + noise * random.standard_normal(out.shape)), 0, 255).round().astype(np.uint8)


def test_noise_is_told_by_flat_patches_whatever_else_the_image_shows():
    """The least differences double with the noise and do not change with lines elsewhere; the largest ones do."""
    plain, twice, lined = (colour_and_sharpness(image(noise, lines)[None])[0]
                           for noise, lines in ((0.03, False), (0.06, False), (0.03, True)))
    patches = slice(-72, None)  # 2 channels, 3 scales, 2 differences, 6 quantiles
    by_quantile = [part[patches].reshape(-1, 6) for part in (plain, twice, lined)]
    assert torch.allclose(by_quantile[1] - by_quantile[0], torch.tensor(np.log(2.0)).float(), atol=0.25)
    change = by_quantile[2] - by_quantile[0]
    assert change[:4, 0].abs().max() < 0.1 and change[1, 4:].min() > 0.5


def test_statistics_do_not_depend_on_other_images_and_exist_for_small_ones():
    images = np.stack([image(0.1, seed=seed) for seed in range(3)])
    assert torch.equal(colour_and_sharpness(images)[1:2], colour_and_sharpness(images[1:2]))
    assert torch.isfinite(colour_and_sharpness(np.zeros((1, 12, 12, 3), np.uint8))).all()


def test_a_summary_is_the_same_in_any_batch_and_tells_colours_apart():
    images = np.stack([image(0.1, lines=bool(seed % 2), seed=seed)[:24, :24] for seed in range(20)])
    summary = summary_statistics_for(images)
    whole = summary(images)
    assert torch.equal(whole[3:5], summary(images[3:5])) and torch.isfinite(whole).all()
    plain = SummaryStatistics(summary.histogram, None)
    assert plain(images).shape[1] < whole.shape[1]
    grey, other = np.full((1, 24, 24, 3), 100, np.uint8), np.full((1, 24, 24, 3), (100, 100, 140), np.uint8)
    assert not torch.allclose(plain(grey), plain(other))
