"""Augmentation: random changes to training images and their labels, boxes or class masks.

Legend: N images; H, W pixels; m boxes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from scenefit.data.boxes import Boxes, make_boxes
from scenefit.data.class_masks import IGNORED, ClassMasks
from scenefit.data.corruptions import corrupt_image
from scenefit.files.scratch import release, scratch_array
from scenefit.metrics.features import to_tensor
from scenefit.scenes.rng import generator, scene_address

MIN_VISIBLE = 0.4  # share of a box inside the image, else the box is dropped
MIN_SIDE = 2.0  # pixels of a box's sides inside the image, likewise


@dataclass(frozen=True)
class Augment:
    """How much images are changed; each change is sampled anew for each image, from none to this much.

    flip: horizontally.  vertical_flip: also vertically, for top-down images.  scale: relative change of size.
    light: of brightness and contrast.  tint: of each colour channel, and of the saturation.  blur: sigma, pixels.
    noise: standard deviation, of 0..1.  corruptions: dust and compression, which photos have and renders lack.
    """

    flip: bool = True
    vertical_flip: bool = False
    scale: float = 0.2
    light: float = 0.2
    tint: float = 0.1
    blur: float = 0.8
    noise: float = 0.03
    corruptions: bool = True


NO_CHANGE = Augment(False, False, 0, 0, 0, 0, 0, False)


def augmented(images: NDArray[np.uint8], boxes: Boxes, augment: Augment, seed: int,
              copies: int = 1) -> tuple[NDArray[np.uint8], Boxes]:
    """`copies` augmented copies of images uint8 [N, H, W, 3], one set after the other, with their boxes.

    A copy's changes depend on seed and its number alone. Boxes are cut at the border; those of which less than 0.4 is
    left are dropped. ValueError without images, or for boxes of another number of images.
    """
    if not len(images) == boxes.count > 0:
        raise ValueError(f"a detector is trained on images and the boxes of each, got {len(images)} images and "
                         f"boxes of {boxes.count}; give at least one image, and one set of boxes for all of them")
    out, parts = scratch_array((copies * len(images), *images.shape[1:]), np.uint8), []
    for number in range(len(out)):
        row = number % len(images)
        own = boxes.rows(row)
        out[number], placed = _one(images[row], augment, seed, number)
        box, kept = placed.boxes(boxes.box[own])
        parts.append((np.full(len(box), number), box, boxes.name[own][kept]))
        release(out)
    return out, make_boxes(len(out), *(np.concatenate(column) for column in zip(*parts, strict=True)))


def augmented_masks(images: NDArray[np.uint8], masks: ClassMasks, augment: Augment, seed: int,
                    copies: int = 1) -> tuple[NDArray[np.uint8], ClassMasks]:
    """The same with class masks; pixels that a smaller image leaves free are ignored.

    ValueError without images, or for masks of another number of images or another size.
    """
    if not masks.masks.shape == images.shape[:3] or not len(images):
        raise ValueError(f"segmentation is trained on images and a mask of each, got images {list(images.shape)} and "
                         f"masks {list(masks.masks.shape)}; give at least one image, and masks of the same size")
    out = scratch_array((copies * len(images), *images.shape[1:]), np.uint8)
    labels = scratch_array(out.shape[:3], np.uint8)
    for number in range(len(out)):
        row = number % len(images)
        out[number], placed = _one(images[row], augment, seed, number)
        labels[number] = placed.mask(masks.masks[row])
        release(out)
        release(labels)
    return out, ClassMasks(masks.classes, labels)


@dataclass(frozen=True)
class _Placement:
    """Where an image [H, W] lies in its frame of the same size. flip, vertical_flip: before it is scaled.  scaled: its
    size (height, width) then.  corner (x, y): of the image in the frame, negative where it is cropped."""

    size: tuple[int, int]
    flip: bool
    vertical_flip: bool
    scaled: tuple[int, int]
    corner: tuple[int, int]

    def image(self, image: torch.Tensor) -> torch.Tensor:
        """[3, H, W], cropped, or padded with the median colour."""
        image = self._flipped(image)
        if self.scaled == self.size:
            return image
        smaller = min(now - own for now, own in zip(self.scaled, self.size, strict=True)) < 0
        values = F.interpolate(image[None], self.scaled, mode="bilinear", align_corners=False, antialias=smaller)[0]
        return self._framed(values, image.flatten(1).median(1).values[:, None, None].expand(3, *self.size).clone())

    def mask(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """[H, W], by its nearest pixels."""
        moved = self._flipped(torch.from_numpy(mask)[None])
        if self.scaled != self.size:
            values = F.interpolate(moved[None], self.scaled, mode="nearest-exact")[0]
            moved = self._framed(values, torch.full((1, *self.size), IGNORED, dtype=torch.uint8))
        return moved[0].numpy()

    def boxes(self, box: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Boxes [m, 4] cut at the border, and which of those before they are."""
        (height, width), box = self.size, box.copy()
        if self.flip:
            box[:, [0, 2]] = width - box[:, [2, 0]]
        if self.vertical_flip:
            box[:, [1, 3]] = height - box[:, [3, 1]]
        if self.scaled != self.size:
            ratio = np.array([self.scaled[1] / width, self.scaled[0] / height] * 2)
            box = box * ratio + np.array([*self.corner, *self.corner])
        cut = np.clip(box, 0, [width, height, width, height])
        side, whole = np.maximum(cut[:, 2:] - cut[:, :2], 0), box[:, 2:] - box[:, :2]
        kept = (side.prod(1) >= MIN_VISIBLE * whole.prod(1)) & (side >= np.minimum(MIN_SIDE, whole)).all(1)
        return cut[kept], kept

    def _flipped(self, values: torch.Tensor) -> torch.Tensor:
        sides = [2] * self.flip + [1] * self.vertical_flip
        return values.flip(sides) if sides else values

    def _framed(self, values: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
        (height, width), (x, y) = self.size, self.corner
        frame[:, max(y, 0):y + values.shape[1], max(x, 0):x + values.shape[2]] = values[
            :, max(-y, 0):max(-y, 0) + height, max(-x, 0):max(-x, 0) + width]
        return frame


def _one(image: NDArray[np.uint8], augment: Augment, seed: int, number: int) -> tuple[NDArray[np.uint8], _Placement]:
    """The changed image, and where the image before lies in it."""
    height, width = image.shape[:2]
    random = generator(scene_address(seed, number), "augment")
    draw = random.random(16) * 2 - 1  # all are drawn, used or not: without one change, the others stay as they are
    factor = (1 + augment.scale) ** draw[2]
    scaled = max(1, round(height * factor)), max(1, round(width * factor))
    x, y = (round(float(p) * (own - now)) for p, own, now in zip((draw[3:5] + 1) / 2, (width, height), scaled[::-1],
                                                                strict=True))
    placed = _Placement((height, width), augment.flip and bool(draw[0] > 0),
                        augment.vertical_flip and bool(draw[1] > 0), scaled, (x, y))
    tensor = _coloured(placed.image(to_tensor(image[None])[0]), augment, draw[5:11])
    tensor = _blurred(tensor, augment.blur * abs(draw[11]))
    noise = torch.from_numpy(random.standard_normal((height, width, 3), np.float32)).permute(2, 0, 1)
    tensor = tensor + noise * (augment.noise * abs(draw[12]))
    back = (tensor.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return corrupt_image(back, random) if augment.corruptions else back, placed


def _coloured(image: torch.Tensor, augment: Augment, draw: NDArray[np.float64]) -> torch.Tensor:
    light, contrast = 1 + augment.light * draw[:2]
    tint = torch.tensor(1 + augment.tint * draw[2:5], dtype=torch.float32)[:, None, None]
    grey = image.mean(0, keepdim=True)
    image = grey + (image - grey) * float(1 + 2 * augment.tint * draw[5])
    mean = image.mean()
    return ((image - mean) * float(contrast) + mean) * float(light) * tint


def _blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    if sigma < 0.1:
        return image
    reach = int(np.ceil(3 * sigma))
    bell = torch.exp(-torch.arange(-reach, reach + 1).float().square() / (2 * sigma**2))
    bell = (bell / bell.sum()).expand(3, 1, 1, -1)
    across = F.conv2d(F.pad(image[None], (reach, reach, 0, 0), mode="replicate"), bell, groups=3)
    return F.conv2d(F.pad(across, (0, 0, reach, reach), mode="replicate"), bell.transpose(2, 3), groups=3)[0]
