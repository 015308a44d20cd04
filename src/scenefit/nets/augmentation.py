"""Augmentation: random changes to training images and their boxes.

Legend: N images; H, W pixels; m boxes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from scenefit.data.boxes import Boxes, make_boxes
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
    out = scratch_array((copies * len(images), *images.shape[1:]), np.uint8)
    parts = []
    for number in range(len(out)):
        row = number % len(images)
        own = boxes.rows(row)
        random = generator(scene_address(seed, number), "augment")
        out[number], box, kept = _one(images[row], boxes.box[own], augment, random)
        parts.append((np.full(len(box), number), box, boxes.name[own][kept]))
        release(out)
    return out, make_boxes(len(out), *(np.concatenate(column) for column in zip(*parts, strict=True)))


def _one(image: NDArray[np.uint8], box: NDArray[np.float64], augment: Augment, random: np.random.Generator,
         ) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.bool_]]:
    """The changed image, its boxes, and which [m] of the boxes before they are."""
    height, width = image.shape[:2]
    draw = random.random(16) * 2 - 1  # all are drawn, used or not: without one change, the others stay as they are
    tensor, box = to_tensor(image[None])[0], box.copy()
    if augment.flip and draw[0] > 0:
        tensor, box[:, [0, 2]] = tensor.flip(2), width - box[:, [2, 0]]
    if augment.vertical_flip and draw[1] > 0:
        tensor, box[:, [1, 3]] = tensor.flip(1), height - box[:, [3, 1]]
    tensor, box = _scaled(tensor, box, (1 + augment.scale) ** draw[2], (draw[3:5] + 1) / 2)
    tensor = _coloured(tensor, augment, draw[5:11])
    tensor = _blurred(tensor, augment.blur * abs(draw[11]))
    noise = torch.from_numpy(random.standard_normal((height, width, 3), np.float32)).permute(2, 0, 1)
    tensor = tensor + noise * (augment.noise * abs(draw[12]))
    cut = np.clip(box, 0, [width, height, width, height])
    side, whole = np.maximum(cut[:, 2:] - cut[:, :2], 0), box[:, 2:] - box[:, :2]
    kept = (side.prod(1) >= MIN_VISIBLE * whole.prod(1)) & (side >= np.minimum(MIN_SIDE, whole)).all(1)
    back = (tensor.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return corrupt_image(back, random) if augment.corruptions else back, cut[kept], kept


def _scaled(image: torch.Tensor, box: NDArray[np.float64], factor: float, place: NDArray[np.float64],
            ) -> tuple[torch.Tensor, NDArray[np.float64]]:
    """Image [3, H, W] scaled by factor, in a frame of its own size: cropped, or padded with the median colour.

    place (x, y) in 0..1: the crop's position in the image, or the image's in the frame.
    """
    height, width = image.shape[1:]
    new = max(1, round(height * factor)), max(1, round(width * factor))
    if new == (height, width):
        return image, box
    scaled = F.interpolate(image[None], new, mode="bilinear", align_corners=False, antialias=factor < 1)[0]
    x, y = (round(float(p) * (own - now)) for p, own, now in zip(place, (width, height), new[::-1], strict=True))
    frame = image.flatten(1).median(1).values[:, None, None].expand(3, height, width).clone()
    frame[:, max(y, 0):y + new[0], max(x, 0):x + new[1]] = scaled[:, max(-y, 0):max(-y, 0) + height,
                                                                  max(-x, 0):max(-x, 0) + width]
    ratio = np.array([new[1] / width, new[0] / height] * 2)
    return frame, box * ratio + np.array([x, y, x, y])


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
