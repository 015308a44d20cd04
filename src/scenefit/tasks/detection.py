"""The task of finding objects: train a detector on rendered images, score it on labelled photos by average precision.

Legend: S rendered images; N photos; H, W pixels; h, w places of a map; C classes; F features.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from scenefit.data.boxes import Boxes, make_boxes, no_boxes
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy, label_boxes
from scenefit.data.photos import Photos
from scenefit.metrics.average_precision import average_precision
from scenefit.metrics.features import Lite0Maps, to_tensor
from scenefit.metrics.iou_and_nms import nms
from scenefit.nets.augmentation import Augment, augmented
from scenefit.nets.centre_network import Backbone, Detector, Targets, balanced, decode, loss
from scenefit.nets.optimise import minimise_steps
from scenefit.scenes.rng import derive_seed

Images = NDArray[np.uint8]
CHUNK = 4  # images at once through the backbone: more are slower on a CPU
PREDICT = 16
SCALE = 128  # images that tell how the features vary
MOMENTS = 4  # of a training, at which credit is given
MAX_GRADIENT = 10.0  # norm; longer gradients are scaled down
DAMPING = 0.1  # of the mean second moment
FLOOR = 0.02  # detections less sure than this are not kept
SHORTER = 3  # times fewer steps where a network goes on
ROUNDS = 2  # of going on with what is found in photos
MIN_CONFIDENCE = 0.5  # from which score on a find counts as a label then


@dataclass(frozen=True)
class _Source:
    """Images to learn from.  maps: each [S, F, h, w] float16, or the images [S, 3, H, W] where all is trained."""

    maps: list[Tensor]
    targets: Targets

    def __len__(self) -> int:
        return len(self.targets.code)


@dataclass(frozen=True)
class Detect:
    """classes: their names.

    steps, batch, rate: of training.  enlarge: of images before the network sees them.  views: images are changed by
    augment into at least so many copies (each at least once).  overlap: two boxes of a class that overlap more are
    one object.  most: detections of an image.  backbone: `Lite0Maps`, or `SmallMaps` without the extra `lite0`.
    whole: train the backbone too (a backbone without trained weights always is); for a GPU. Otherwise the features
    of all views are computed once and held, 0.45 MB for each of 240x320 pixels.
    """

    classes: tuple[str, ...]
    steps: int = 400
    batch: int = 16
    rate: float = 3e-3
    upscale: float = 1.0
    augmented_copies: int = 400
    augment: Augment = field(default_factory=Augment)
    nms_iou: float = 0.6
    max_detections: int = 200
    backbone: Backbone = Lite0Maps
    train_backbone: bool = False
    device: str = "cpu"

    def labels(self, source: Frames | Photos, label_policy: LabelPolicy | None = None) -> Boxes:
        """Boxes of the objects in renders that label_policy chooses, or of labelled photos.

        ValueError for a class that is not among the task's, and for photos without boxes.
        """
        if isinstance(source, Frames):
            boxes = label_boxes(source, label_policy)
        elif source.boxes is None:
            raise ValueError(f"the {len(source)} labelled photos have classes of whole photos; a detector needs photos "
                             "with boxes")
        else:
            boxes = source.boxes
        self.class_indices(boxes.name)
        return boxes

    def class_indices(self, names: Any) -> Tensor:
        """Class names [m] -> their indices in `classes` [m]. ValueError for a name that is not among them."""
        place = {name: code for code, name in enumerate(self.classes)}
        unknown = sorted(set(map(str, names)) - set(place))
        if unknown:
            raise ValueError(f"boxes of {unknown} are not among the classes {list(self.classes)}; name every class "
                             "that has boxes, or leave those boxes out")
        return torch.tensor([place[str(name)] for name in names], dtype=torch.long)

    def train(self, images: Images, labels: Boxes, seed: int, start: Detector | None = None) -> Detector:
        """A network trained on images uint8 [S, H, W, 3]: fresh, with the same first weights for the same seed.

        start: go on from a copy of this one instead, at a quarter of the rate and a third of the steps.
        """
        *_, network = self.training(images, labels, seed, start)
        return network

    def fine_tune(self, network: Detector, photos: Images, photo_labels: Boxes, seed: int, images: Images | None = None,
                  labels: Boxes | None = None) -> Detector:
        """A copy of network that went on with labelled photos, and with rendered images as the other half, if given."""
        others = None
        if images is not None and labels is not None:
            others = self._source(network, images, labels, derive_seed(seed, "augment 1"))
        *_, network = self.training(photos, photo_labels, seed, network, others)
        return network

    def self_train(self, network: Detector, photos: Images, seed: int, images: Images, labels: Boxes,
                   rounds: int = ROUNDS,
                   min_confidence: float = MIN_CONFIDENCE) -> Detector:
        """A copy of network that went on with photos that nobody labelled: what it finds in them with a score of at
        least sure counts as their labels, and rendered images are the other half; in each turn it looks again.

        Self-training: what it is seldom sure of in photos, it unlearns. A network that finds little gets worse.
        """
        *_, network = network, *self.self_training(network, photos, seed, images, labels, range(rounds), min_confidence)
        return network

    def self_training(self, network: Detector, photos: Images, seed: int, images: Images, labels: Boxes,
                      rounds: Sequence[int], min_confidence: float = MIN_CONFIDENCE,
                      parts: int = 1) -> Iterator[Detector]:
        """The network after each of `parts` equal parts of these turns of `adapt`; the turns before gave the one that
        is given."""
        rendered = self._source(network, images, labels, derive_seed(seed, "rendered")) if rounds else None
        for turn in rounds:
            found = self.predict(network, photos)
            for later in self.training(photos, found.where(found.score >= min_confidence), derive_seed(seed,
                                                                                                       f"turn {turn}"),
                                       network,
                                       rendered, parts):
                network = later
                yield network

    def training(self, images: Images, labels: Boxes, seed: int, start: Detector | None = None,
                 others: _Source | None = None, parts: int = 1) -> Iterator[Detector]:
        """The network after each of `parts` equal parts of the training. others: make up one half of each batch."""
        network = self.fresh(seed) if start is None else copy.deepcopy(start)
        sources = [self._source(network, images, labels, derive_seed(seed, "augment 0"))]
        sources += [] if others is None else [others]
        if start is None and network.backbone.trained:
            network.set_scale(self.maps(network, images[:SCALE]) if self._whole(network)
                              else [m[:SCALE] for m in sources[0].maps])
        steps = self.steps if start is None else -(-self.steps // SHORTER)
        batches = [_batches(len(source), max(1, self.batch // len(sources)), derive_seed(seed, f"order {number}"))
                   for number, source in enumerate(sources)]
        losses = (self._loss(network.train(), list(zip(sources, rows, strict=True)))
                  for rows in islice(zip(*batches, strict=True), steps))
        optimiser = self._optimiser(network, self.rate if start is None else self.rate / 4)
        warm_up = 0.3 if steps == 5 else 0.2  # PyTorch would divide by 0: a fifth of five steps is one, the first
        for step in minimise_steps(losses, optimiser, steps, warm_up, MAX_GRADIENT):
            if step * parts // steps > (step - 1) * parts // steps:
                yield network.eval()
        network.eval()

    def _optimiser(self, network: Detector, rate: float) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = []  # in the network's own order, so that the gradients' norm is summed in it
        if self._whole(network):
            slower = 0.1 if network.backbone.trained else 1.0  # fine-tuning must not undo the ImageNet training
            groups.append({"params": list(network.backbone.parameters()), "lr": rate * slower})
        head = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
        return torch.optim.AdamW([*groups, {"params": head, "lr": rate}], weight_decay=1e-3)

    def _loss(self, network: Detector, parts: Sequence[tuple[_Source, Tensor]]) -> Tensor:
        """The loss of some rows of each source, an object."""
        total, count = torch.zeros((), device=self.device), 0
        for source, rows in parts:
            targets = source.targets.take(rows).to(self.device)
            maps = [m[rows].to(self.device) for m in source.maps]
            out = network(network.backbone(maps[0].float() / 255) if self._whole(network) else maps)
            total = total + loss(out, targets, len(self.classes), network.stride).sum()
            count += int(targets.count().sum())
        return total / max(count, 1)

    def fresh(self, seed: int) -> Detector:
        """A network before training."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "network"))
            network = Detector(self.backbone(), len(self.classes))
        return network.to(self.device)

    @torch.no_grad()
    def predict(self, network: Detector, images: Images) -> Boxes:
        """The objects in images uint8 [N, H, W, 3], surest first in each image."""
        parts: list[tuple[NDArray[Any], ...]] = []
        for rows in _chunks(len(images)):
            maps = [m.to(self.device) for m in self.maps(network, images[rows.numpy()])]
            seen = [v.cpu() for v in decode(network(maps), len(self.classes), network.stride, self.max_detections)]
            parts += [self._kept(box, score, code, images.shape[1:3]) for box, score, code in zip(*seen, strict=True)]
        parts = parts[:len(images)]
        if not parts:
            return no_boxes(0)
        image = np.repeat(np.arange(len(parts)), [len(score) for _, _, score in parts])
        return make_boxes(len(parts), image, *(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _kept(self, box: Tensor, score: Tensor, code: Tensor, size: tuple[int, int]) -> tuple[NDArray[Any], ...]:
        """Box, class name and score of what is left of one image's peaks, cut at its border."""
        height, width = size
        box = torch.minimum((box / self.upscale).clamp(min=0), torch.tensor([width, height, width, height]))
        good = (score >= FLOOR) & (box[:, 2:] > box[:, :2]).all(1)
        box, score, code = box[good], score[good], code[good]
        kept = nms(box, score, code, self.nms_iou)
        return box[kept].numpy(), np.array(self.classes)[code[kept].numpy()], score[kept].numpy()

    def evaluate(self, network: Detector, images: Images, labels: Boxes) -> dict[str, float]:
        """{"mAP50": mean over the classes of the average precision at IoU 0.5, 0..1, then "AP50 CLASS": of each}."""
        measured = average_precision(self.predict(network, images), labels, self.classes)
        return {"mAP50": float(measured["mAP50"]),
                **{f"AP50 {name}": float(value) for name, value in measured["AP50"].items()}}

    def influence(self, images: Images, labels: Boxes, photos: Images, photo_labels: Boxes,
                  seed: int) -> tuple[Tensor, float]:
        """What each rendered image adds to the task [S], from a single training, and that training's score.

        How far an image's own gradient of the loss points along that of the labelled photos, at the last layer, at
        moments of the training (TracIn: Pruthi et al. 2020), through the inverse of the images' own second moments
        (an influence: Koh and Liang 2017). Without these all gradients are alike in what all objects share, and wrong
        labels go unnoticed. Each moment and the sum are scaled to spread 1.
        """
        sets = [(images, self.targets(labels)), (photos, self.targets(photo_labels))]
        maps: list[list[Tensor]] = []
        total = torch.zeros(len(images), dtype=torch.float64)
        network = None
        for network in self.training(images, labels, seed, parts=MOMENTS):
            if not maps or self._whole(network):
                maps = [self.maps(network, some) for some, _ in sets]
            own, real = (self._last_layer(network, m, targets).flatten(1).double()
                         for m, (_, targets) in zip(maps, sets, strict=True))
            total += _spread(own @ _straightened(own, real.mean(0)))
        assert network is not None
        return _spread(total).float(), self.evaluate(network, photos, photo_labels)["mAP50"]

    def _last_layer(self, network: Detector, maps: list[Tensor], targets: Targets) -> Tensor:
        """Gradient of each image's loss at the last layer's weights and constants [S, C + 4, F + 1]."""
        parts = []
        for rows in _chunks(len(targets.code)):
            with torch.no_grad():
                features = network.before_last([m[rows].to(self.device) for m in maps])
                out = network.last(features)
            out.requires_grad_(True)
            loss(out, targets.take(rows).to(self.device), len(self.classes), network.stride).sum().backward()
            assert out.grad is not None
            features = F.pad(features, (0, 0, 0, 0, 0, 1), value=1.0)
            parts.append(torch.einsum("nchw,nfhw->ncf", out.grad, features).cpu())
        return torch.cat(parts)[:len(targets.code)]

    @torch.no_grad()
    def maps(self, network: Detector, images: Images) -> list[Tensor]:
        """The backbone's maps of images uint8 [N, H, W, 3], each [N, F, h, w] float16."""
        network.backbone.eval()
        parts, chunk = [], CHUNK if self.device == "cpu" else 64
        for first in range(0, len(images), chunk):
            part = self._enlarged(images[first:first + chunk])
            count = len(part)
            part = F.pad(part, (0, 0, 0, 0, 0, 0, 0, chunk - count)).to(self.device, memory_format=torch.channels_last)
            parts.append([m[:count].half().contiguous().cpu() for m in network.backbone(part)])
        return [torch.cat(level) for level in zip(*parts, strict=True)]

    def targets(self, labels: Boxes) -> Targets:
        """Boxes as the network is to learn them, in the enlarged images."""
        counts = np.bincount(labels.image, minlength=labels.count)
        box = torch.zeros(labels.count, max(int(counts.max(initial=0)), 1), 4)
        code = torch.full(box.shape[:2], -1)
        place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
        box[labels.image, place] = torch.from_numpy(labels.box * self.upscale).float()
        code[labels.image, place] = self.class_indices(labels.name)
        return Targets(box, code, balanced(torch.bincount(code[code >= 0], minlength=len(self.classes))))

    def _enlarged(self, images: Images) -> Tensor:
        tensor = to_tensor(images)
        if self.upscale == 1:
            return tensor
        size = [round(side * self.upscale) for side in tensor.shape[2:]]
        return F.interpolate(tensor, size, mode="bilinear", align_corners=False, antialias=self.upscale < 1)

    def _whole(self, network: Detector) -> bool:
        return self.train_backbone or not network.backbone.trained

    def _source(self, network: Detector, images: Images, labels: Boxes, seed: int) -> _Source:
        images, labels = augmented(images, labels, self.augment, seed, max(1, -(-self.augmented_copies // len(images))))
        if self._whole(network):
            parts = [(self._enlarged(images[i:i + CHUNK]) * 255).round().byte() for i in range(0, len(images), CHUNK)]
            return _Source([torch.cat(parts)], self.targets(labels))
        return _Source(self.maps(network, images), self.targets(labels))


def _straightened(own: Tensor, along: Tensor) -> Tensor:
    """Gradient along [F], in units of how much the gradients own [S, F] vary in each direction."""
    moments = own.T @ own / len(own)
    least = DAMPING * moments.trace() / len(along)
    return torch.linalg.solve(moments + least.clamp(min=1e-12) * torch.eye(len(along), dtype=own.dtype), along)


def _spread(values: Tensor) -> Tensor:
    """Scaled to standard deviation 1."""
    return values / values.std().clamp(min=1e-9)


def _chunks(count: int) -> Iterator[Tensor]:
    """Rows 0..count - 1 in parts of one size, the last row repeated where there are no more."""
    for first in range(0, count, PREDICT):
        yield torch.arange(first, first + PREDICT).clamp(max=count - 1)


def _batches(count: int, size: int, seed: int) -> Iterator[Tensor]:
    """Rows [size] without end, each as often as the others."""
    random = np.random.default_rng(seed)
    left = np.zeros(0, np.int64)
    while True:
        while len(left) < size:
            left = np.concatenate([left, random.permutation(count)])
        yield torch.from_numpy(left[:size])
        left = left[size:]
