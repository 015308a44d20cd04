import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from scenefit.metrics import mmd
from scenefit.metrics.c2st import c2st
from scenefit.metrics.kid import Estimate, kid
from scenefit.metrics.mmd import Kernel, kernel, median_heuristic, mmd2, noise_floor, witness
from scenefit.metrics.wasserstein import wasserstein


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def normal(seed, *shape, shift=0.0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) + shift


def naive_k(a, b, widths):
    return sum(np.exp(-np.sum((a - b) ** 2) / w) for w in widths) / len(widths)


def naive_mmd2(x, y, k):
    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    xy = sum(k(a, b) for a in x for b in y) / (n * m)
    return xx + yy - 2 * xy


# MMD and its witness


def test_mmd2_equals_the_double_loop():
    x, y = normal(0, 7, 3, shift=0.5), normal(1, 9, 3)
    of_y = kernel(y)
    expected = naive_mmd2(x.numpy(), y.numpy(), lambda a, b: naive_k(a, b, of_y.widths))
    assert mmd2(x, of_y).item() == pytest.approx(expected, abs=1e-12)


def test_witness_equals_the_double_loop():
    x, y = normal(0, 6, 3, shift=0.5), normal(1, 9, 3)
    of_y = kernel(y)
    a, b = x.numpy(), y.numpy()
    expected = [2 * (np.mean([naive_k(a[i], a[j], of_y.widths) for j in range(6) if j != i])
                     - np.mean([naive_k(a[i], q, of_y.widths) for q in b])) for i in range(6)]
    np.testing.assert_allclose(witness(x, of_y), expected, atol=1e-12)


def test_median_heuristic_is_the_median_over_pairs():
    y = normal(2, 20, 4)
    pairs = [float(((y[i] - y[j]) ** 2).sum()) for i in range(20) for j in range(i)]
    assert min(pairs) < median_heuristic(y) < max(pairs)
    assert median_heuristic(y) == pytest.approx(np.quantile(pairs, 0.5, method="lower"))
    assert kernel(y, scales=(0.5, 2.0)).widths == pytest.approx((0.5 * median_heuristic(y), 2 * median_heuristic(y)))


def test_median_heuristic_of_many_rows_stays_close(monkeypatch):
    y = normal(3, 600, 5)
    exact = median_heuristic(y)
    monkeypatch.setattr(mmd, "MAX_ROWS", 200)
    assert median_heuristic(y) == pytest.approx(exact, rel=0.1)


def test_mmd2_of_equal_distributions_is_zero_in_the_mean():
    values = [mmd2(normal(100 + 2 * s, 30, 4), kernel(normal(101 + 2 * s, 25, 4))).item() for s in range(300)]
    mean, error = np.mean(values), np.std(values) / np.sqrt(len(values))
    assert abs(mean) < 4 * error
    assert min(values) < 0 < max(values)
    biased = 1 / 30 * (1 - 0.4)  # what the diagonal alone would add, about
    assert 4 * error < biased


def test_mmd2_grows_with_the_shift():
    of_y = kernel(normal(1, 200, 4))
    values = [mmd2(normal(0, 200, 4, shift=s), of_y).item() for s in (0, 0.5, 1, 2)]
    assert values == sorted(values)
    assert values[1] > 10 * abs(values[0])


def test_gradients_are_right():
    of_y = kernel(normal(1, 5, 3))
    x = normal(0, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: mmd2(x, of_y), (x,))
    assert torch.autograd.gradcheck(lambda x: witness(x, of_y), (x,))


def test_gradients_are_finite_where_rows_coincide():
    y = normal(1, 6, 3)
    x = torch.cat([y[:2], y[:2], y[:1]]).clone().requires_grad_()
    value = mmd2(x, kernel(y))
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(x.grad).all() and x.grad.abs().max() > 0
    np.testing.assert_allclose(x.grad[0], x.grad[2], atol=1e-12)


def test_the_witness_is_what_a_scene_contributes():
    """Moving x_i alone changes n * mmd2 as it changes its own witness with the others held still."""
    of_y = kernel(normal(1, 8, 3))
    x = normal(0, 5, 3).requires_grad_()
    (whole,) = torch.autograd.grad(mmd2(x, of_y), x)
    for i in range(5):
        others = x.detach().clone()
        mine = others[i].clone().requires_grad_()
        moved = torch.cat([others[:i], mine[None], others[i + 1:]])
        (own,) = torch.autograd.grad(witness(moved, of_y)[i], mine)
        np.testing.assert_allclose(own / 5, whole[i], atol=1e-12)


def test_the_witness_is_the_derivative_by_the_sample_weight():
    x, of_y = normal(0, 6, 3, shift=0.3), kernel(normal(1, 8, 3))
    weights = torch.full((6,), 1 / 6, dtype=torch.float64, requires_grad=True)
    xx, xy = of_y.matrix(x - of_y.centre, x - of_y.centre), of_y.matrix(x - of_y.centre, of_y.y)
    off = xx - torch.diag(xx.diagonal())
    weighted = weights @ off @ weights * 6 / 5 - 2 * weights @ xy.mean(dim=1) + of_y.within
    assert weighted.item() == pytest.approx(mmd2(x, of_y).item(), abs=1e-12)
    (slope,) = torch.autograd.grad(weighted, weights)
    np.testing.assert_allclose(witness(x, of_y), slope, atol=1e-12)


def test_the_witness_prefers_scenes_like_the_photos():
    x = torch.cat([normal(0, 20, 2), normal(1, 20, 2, shift=3.0)])
    credit = witness(x, kernel(normal(2, 100, 2)))
    assert credit[:20].mean() < 0 < credit[20:].mean()


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(8)), st.permutations(range(9)))
def test_the_order_of_rows_does_not_matter(p, q):
    x, y = normal(0, 8, 3, shift=0.4), normal(1, 9, 3)
    assert mmd2(x[list(p)], kernel(y[list(q)])).item() == pytest.approx(mmd2(x, kernel(y)).item(), abs=1e-12)
    np.testing.assert_allclose(witness(x[list(p)], kernel(y)), witness(x, kernel(y))[list(p)], atol=1e-12)


def test_features_far_from_zero_lose_no_precision():
    x, y = normal(0, 60, 5, shift=0.2), normal(1, 60, 5)
    exact = mmd2(x, kernel(y)).item()
    assert mmd2((x + 200).float(), kernel((y + 200).float())).item() == pytest.approx(exact, abs=3e-5)


def test_the_photos_term_is_the_same_in_blocks(monkeypatch):
    y = normal(1, 50, 3)
    whole = kernel(y).within.item()
    monkeypatch.setattr(mmd, "BLOCK", 7)
    assert kernel(y).within.item() == pytest.approx(whole, abs=1e-12)


def test_a_pool_widens_the_kernel_until_a_far_start_has_a_gradient():
    y = normal(1, 40, 3)
    x = normal(0, 40, 3, shift=60.0).requires_grad_()
    (near,) = torch.autograd.grad(mmd2(x, kernel(y)), x)
    (pooled,) = torch.autograd.grad(mmd2(x, kernel(y, pool=x)), x)
    assert near.mean(dim=0).abs().max() < 1e-6 * pooled.mean(dim=0).abs().min()
    assert (pooled.mean(dim=0) > 0).all()


def test_a_bandwidth_that_would_fail_silently_is_refused():
    y = normal(1, 40, 8)
    x = normal(0, 40, 8, shift=1.0).requires_grad_()
    median = median_heuristic(y)
    of_y = kernel(y)
    tiny = Kernel(of_y.y, of_y.centre, (0.02**2 * median,), torch.zeros((), dtype=torch.float64))
    (dead,) = torch.autograd.grad(mmd2(x, tiny), x)
    (alive,) = torch.autograd.grad(mmd2(x, of_y), x)
    assert dead.abs().max() < 1e-9 < 1e-4 < alive.abs().max()
    with pytest.raises(ValueError, match=r"needs a scale of at least 0.25 .* has no gradient, got scales=\(0.0004,\)"):
        kernel(y, scales=(0.02**2,))


@pytest.mark.parametrize("scales", [(), (0.0, 1.0), (float("nan"),), (-1.0, 1.0)])
def test_scales_must_be_positive(scales):
    with pytest.raises(ValueError, match="kernel needs scales > 0, got scales="):
        kernel(normal(0, 5, 2), scales=scales)


@pytest.mark.parametrize("offset,rounding", [(0.0, 0.0), (1234.567, 0.0), (1234.567, 1e-4)])
def test_photos_that_are_all_the_same_are_refused(offset, rounding):
    y = normal(0, 1, 16).expand(9, 16) + offset + rounding * normal(1, 9, 16)
    with pytest.raises(ValueError, match=r"the photos' features are all the same, .* give photos that differ"):
        kernel(y.float())


def test_many_equal_photos_are_no_trouble():
    y = torch.cat([torch.zeros(30, 3), normal(0, 3, 3, shift=1.0)]).double()
    assert median_heuristic(y) > 0.1


def test_bad_features_are_named():
    y = normal(1, 6, 3)
    of_y = kernel(y)
    with pytest.raises(ValueError, match=r"the photos' features need the shape \[2 or more, F\], .* got \[1, 3\]"):
        kernel(y[:1])
    with pytest.raises(ValueError, match=r"the renders' features need the shape \[2 or more, 3\], .* got \[4, 2\]"):
        mmd2(y[:4, :2], of_y)
    with pytest.raises(ValueError, match="the renders' features hold NaN or infinity in row 2"):
        witness(y.clone().index_fill_(0, torch.tensor([2]), float("nan")), of_y)
    with pytest.raises(ValueError, match="the photos' features hold NaN or infinity in row 0"):
        kernel(y.clone().index_fill_(0, torch.tensor([0]), float("inf")))


# The floor


def test_the_floor_holds_what_equal_sets_give():
    y = normal(0, 200, 4)
    found = noise_floor(y, seed=0, draws=40)
    assert found.size == 100 and found.low < 0 < found.high and found.low < found.mean < found.high
    fresh = [mmd2(normal(10 + s, 100, 4), kernel(normal(500 + s, 100, 4))).item() for s in range(100)]
    inside = np.mean([found.low <= v <= found.high for v in fresh])
    assert 0.7 < inside <= 1.0
    assert mmd2(normal(7, 100, 4, shift=0.5), kernel(y)).item() > 3 * found.high


def test_the_floor_is_mmd2_between_disjoint_parts():
    y = normal(0, 20, 3)
    of_y = kernel(y)
    order = mmd.generator(5, "floor").permutation(20)
    a, b = y[order[:6]].numpy(), y[order[6:12]].numpy()
    found = noise_floor(y, seed=5, draws=1, size=6)
    expected = naive_mmd2(a, b, lambda p, q: naive_k(p, q, of_y.widths))
    assert (found.mean, found.low, found.high) == pytest.approx((expected,) * 3, abs=1e-12)


def test_the_floor_shrinks_with_size_and_repeats_with_its_seed():
    y = normal(0, 200, 4)
    assert noise_floor(y, 3) == noise_floor(y, 3) != noise_floor(y, 4)
    small, large = noise_floor(y, 0, draws=30, size=10), noise_floor(y, 0, draws=30)
    assert small.high - small.low > 3 * (large.high - large.low)


def test_the_floor_takes_the_widths_of_another_kernel():
    y = normal(0, 60, 4)
    wide = kernel(y, pool=normal(1, 60, 4, shift=20.0))
    assert abs(noise_floor(y, 0, using=wide).high) < 0.2 * abs(noise_floor(y, 0).high)


@pytest.mark.parametrize("draws,size", [(0, None), (8, 1), (8, 11)])
def test_the_floor_needs_a_possible_size(draws, size):
    with pytest.raises(ValueError, match="a size from 2 to half of the 20 photos used, got draws="):
        noise_floor(normal(0, 20, 3), 0, draws=draws, size=size)


# KID


def test_kid_equals_the_double_loop():
    x, y = normal(0, 6, 3, shift=0.5), normal(1, 8, 3)
    expected = naive_mmd2(x.numpy(), y.numpy(), lambda a, b: (a @ b / 3 + 1) ** 3)
    assert kid(x, y).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_error_of_kid_is_that_of_repeated_sets(shift):
    found = [kid(normal(2 * s, 80, 4, shift=shift), normal(2 * s + 1, 80, 4), seed=s) for s in range(60)]
    values, errors = np.array([f.value for f in found]), np.array([f.error for f in found])
    if shift == 0:
        assert abs(values.mean()) < 4 * values.std() / np.sqrt(60)
    assert 0.6 < errors.mean() / values.std() < 2.0


def test_kid_repeats_with_its_seed_and_takes_part_of_many():
    x, y = normal(0, 400, 4, shift=0.5), normal(1, 300, 4)
    assert kid(x, y, seed=1, max_rows=100) == kid(x, y, seed=1, max_rows=100) != kid(x, y, seed=2, max_rows=100)
    assert isinstance(kid(x, y), Estimate)
    part, whole = kid(x, y, max_rows=150), kid(x, y)
    assert abs(part.value - whole.value) < 4 * part.error
    with pytest.raises(ValueError, match="the photos' features need the shape"):
        kid(x, y[:, :2])


# Two samples


@pytest.mark.parametrize("width", [5, 200])
def test_two_sample_cannot_tell_equal_sets_apart(width):
    found = [c2st(normal(2 * s, 60, width), normal(2 * s + 1, 80, width), seed=s) for s in range(40)]
    aucs = np.array([f.auc for f in found])
    assert abs(aucs.mean() - 0.5) < 4 * aucs.std() / np.sqrt(40) < 0.05
    assert np.mean([f.low <= 0.5 <= f.high for f in found]) > 0.85


def test_two_sample_reaches_the_best_linear_score():
    x, y = normal(0, 400, 5), normal(1, 400, 5)
    x[:, 0] += 1.0
    found = c2st(x, y, seed=0)
    best = 0.760  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt(2))
    assert found.auc == pytest.approx(best, abs=0.04) and found.low < best < found.high


def test_two_sample_sees_a_difference_among_many_features():
    x, y = normal(0, 50, 300, dtype=torch.float32), normal(1, 50, 300, dtype=torch.float32)
    x[:, 7] += 10.0
    assert c2st(x, y, 0).low > 0.5


@pytest.mark.parametrize("feature,shift,least", [(0, 1.0, 0.69), (59, 4.0, 0.94)])
def test_two_sample_suits_its_ridge_to_the_difference(feature, shift, least):
    """A large ridge is blind to features that vary little; a small one drowns in noise where few matter."""
    sd = 1 / torch.arange(1, 61, dtype=torch.float64)
    turn = torch.linalg.qr(normal(99, 60, 60))[0]
    aucs = []
    for s in range(4):
        x, y = normal(2 * s, 100, 60), normal(2 * s + 1, 100, 60)
        x[:, feature] += shift
        aucs.append(c2st(x * sd @ turn, y * sd @ turn, seed=s).auc)
    assert np.mean(aucs) > least


def test_two_sample_limits():
    x, y = normal(0, 30, 2, shift=50.0), normal(1, 30, 2)
    found = c2st(x, y, seed=0)
    assert found.auc == 1 == pytest.approx(found.high) and 0.8 < found.low < 1
    same = c2st(torch.ones(20, 3), torch.ones(20, 3), seed=0)
    assert same.auc == 0.5
    assert c2st(x, y, 3, max_rows=12) == c2st(x, y, 3, max_rows=12)
    with pytest.raises(ValueError, match="at least 2 folds, got folds=1"):
        c2st(x, y, 0, folds=1)


# Wasserstein


def test_wasserstein_of_a_shift_is_the_shift():
    a = np.random.default_rng(0).normal(0, 10, 5000)
    b = np.random.default_rng(1).normal(90, 10, 5000)
    for circular in (False, True):
        assert wasserstein(a, b, circular) == pytest.approx(90, abs=1.0)
        assert wasserstein(a, a + 7, circular) == pytest.approx(7)
    assert wasserstein(a, np.zeros(3)) == pytest.approx(np.abs(a).mean())


def test_the_circle_closes():
    a = np.random.default_rng(0).normal(178, 3, 500)
    around = (a + 4 + 180) % 360 - 180
    assert wasserstein(a, around, circular=True) == pytest.approx(4)
    assert wasserstein(a, around) > 100
    assert wasserstein([-180.0], [180.0], circular=True) == 0
    assert wasserstein([0.0], [180.0], circular=True) == pytest.approx(180)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 3), st.booleans())
def test_circular_wasserstein_is_the_best_assignment(seed, n, times, spread):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 120 if spread else 20, n), rng.normal(170, 120 if spread else 20, n * times)
    apart = np.abs(np.repeat(a, times)[:, None] - b) % 360
    cost = np.minimum(apart, 360 - apart)
    best = cost[linear_sum_assignment(cost)].mean()
    assert wasserstein(a, b, circular=True) == pytest.approx(best, abs=1e-9)
    assert wasserstein(b, a, circular=True) == pytest.approx(best, abs=1e-9)
    turn = rng.uniform(-720, 720)
    assert wasserstein(a + turn, b + turn, circular=True) == pytest.approx(best, abs=1e-9)


def test_circular_and_plain_agree_on_a_short_arc():
    rng = np.random.default_rng(2)
    a, b = rng.uniform(-60, 30, 40), rng.uniform(-20, 60, 33)
    assert wasserstein(a, b, circular=True) == pytest.approx(wasserstein(a, b))


@pytest.mark.parametrize("bad", [[], [1.0, np.nan], [np.inf]])
def test_wasserstein_needs_numbers(bad):
    with pytest.raises(ValueError, match="wasserstein needs samples of finite numbers, at least 1, got b="):
        wasserstein([1.0], bad)
