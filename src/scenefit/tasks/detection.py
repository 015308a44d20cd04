"""Object detection: train a detector on rendered images, evaluate it on labelled photos by average precision.

Legend: S rendered images; N photos; H, W pixels; h, w cells of a feature map; C classes; F features; m boxes.
"""

import copy
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from scenefit.data.boxes import Boxes, make_boxes, no_boxes
from scenefit.data.frames import Frames
from scenefit.data.label_policy import LabelPolicy, label_boxes
from scenefit.data.photos import Photos
from scenefit.files.scratch import collect_arrays, collect_several, release
from scenefit.metrics.average_precision import average_precision
from scenefit.metrics.device import check_device, reproducible
from scenefit.metrics.features import Lite0Maps, to_tensor
from scenefit.metrics.iou_and_nms import nms
from scenefit.nets.augmentation import Augment, augmented
from scenefit.nets.centre_network import Backbone, Detector, Targets, class_weights, decode, loss
from scenefit.nets.influence import damped_influence, unit_spread
from scenefit.nets.optimise import endless_batches, minimise_steps
from scenefit.scenes.arguments import check_argument, class_names
from scenefit.scenes.rng import derive_seed

Images = NDArray[np.uint8]
CHUNK = 4  # images at once through the backbone: larger batches are slower on a CPU
PREDICT_BATCH = 16  # images
N_SCALE_IMAGES = 128  # from which the mean and spread of the features are measured
N_CHECKPOINTS = 4  # of a training, over which influence is summed
MAX_GRADIENT = 10.0  # norm; longer gradients are scaled down
MIN_SCORE = 0.02  # detections of lower confidence are dropped
FINE_TUNE_DIVISOR = 3  # a trained network is trained further for a third of the steps
ROUNDS = 2  # of self-training
MIN_CONFIDENCE = 0.5  # of a prediction that becomes a pseudo-label
LOSS_STEPS = 20  # whose mean loss is reported


@dataclass(frozen=True)
class PreparedImages:
    """Training images, augmented. maps: the backbone's, each [S, F, h, w] float16, or the images uint8 [S, 3, H, W]
    where the backbone is trained too.  targets: their boxes."""

    maps: list[Tensor]
    targets: Targets

    def __len__(self) -> int:
        return len(self.targets.code)


class TrainingStep(NamedTuple):
    """A step of a training, done. done, of: steps so far and in all.  loss: its mean over the last `LOSS_STEPS` steps.
    labels: that it is trained on; in self-training the pseudo-labels of the round."""

    network: Detector
    done: int
    of: int
    loss: float
    labels: Boxes


@dataclass(frozen=True)
class Detect:
    """Object detection.

    classes: their names.  steps, batch, learning_rate: of training.  upscale: factor of the images' size before the
    network sees them.
    augmented_copies: the images are augmented into at least so many copies, at least one of each; a third of them where
    a trained network is trained further. With fewer, more steps train worse detectors, as each copy is seen more often.
    nms_iou: of two predicted boxes of a class that overlap more, the less confident is dropped.  max_detections: of an
    image.
    backbone: `Lite0Maps`, or `SmallMaps` without the extra `lite0`.  train_backbone: train the backbone too, best on a
    GPU; a backbone without pretrained weights always is. Otherwise the feature maps of all copies are computed once
    and kept, 0.45 MB for a copy of 240x320 pixels; above 256 MiB in a temporary file.
    """

    classes: tuple[str, ...]
    steps: int = 400
    batch: int = 16
    learning_rate: float = 3e-3
    upscale: float = 1.0
    augmented_copies: int = 1600
    augment: Augment = field(default_factory=Augment)
    nms_iou: float = 0.6
    max_detections: int = 200
    backbone: Backbone = Lite0Maps
    train_backbone: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", class_names("Detect(classes)", self.classes))

    def labels(self, source: Frames | Photos, label_policy: LabelPolicy | None = None) -> Boxes:
        """Boxes of the objects in renders that label_policy chooses, or of labelled photos.

        ValueError for a class that is not among the task's, and for photos without boxes.
        """
        if isinstance(source, Frames):
            boxes = label_boxes(source, label_policy)
        elif source.boxes is None:
            have = "classes of whole photos" if any(source.label) else "no labels"
            raise ValueError(f"the {len(source)} labelled photos have {have}; a detector needs photos with boxes")
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
        """A network trained on images uint8 [S, H, W, 3]; the same seed gives the same first weights.

        start: fine-tune a copy of this network instead, at a quarter of the learning rate, for a third of the steps.
        ValueError without images, for boxes of another number of images, or a class that is not the task's.
        """
        *_, last = self.train_steps(images, labels, seed, start)
        return last.network

    def fine_tune(self, network: Detector, photos: Images, photo_labels: Boxes, seed: int, images: Images | None = None,
                  labels: Boxes | None = None) -> Detector:
        """A copy of network, fine-tuned on labelled photos; half of each batch are the rendered images, if given."""
        others = None
        if images is not None and labels is not None:
            others = self._source(network, images, labels, derive_seed(seed, "augment 1"))
        *_, last = self.train_steps(photos, photo_labels, seed, network, others)
        return last.network

    def self_train(self, network: Detector, photos: Images, seed: int, images: Images, labels: Boxes,
                   rounds: int = ROUNDS, min_confidence: float = MIN_CONFIDENCE) -> Detector:
        """A copy of network after self-training on unlabelled photos: confident predictions become pseudo-labels, made
        anew each round; half of each batch are rendered images.

        Self-training amplifies what the network already predicts: classes that it rarely predicts with confidence are
        lost, and a weak detector gets weaker.
        """
        for step in self.self_train_steps(network, photos, seed, images, labels, range(rounds), min_confidence):
            network = step.network
        return network

    def self_train_steps(self, network: Detector, photos: Images, seed: int, images: Images, labels: Boxes,
                         rounds: Sequence[int], min_confidence: float = MIN_CONFIDENCE,
                         parts: int = 1) -> Iterator[TrainingStep]:
        """The last step of each of `parts` equal parts of each of these rounds of `self_train`. network: the result of
        the rounds before."""
        rendered = self._source(network, images, labels, derive_seed(seed, "rendered")) if rounds else None
        for number in rounds:
            predicted = self.predict(network, photos)
            pseudo = predicted.where(predicted.score >= min_confidence)
            own = derive_seed(seed, f"turn {number}")
            for step in self.train_steps(photos, pseudo, own, network, rendered, parts):
                network = step.network
                yield step

    def train_steps(self, images: Images, labels: Boxes, seed: int, start: Detector | None = None,
                    others: PreparedImages | None = None, parts: int = 1,
                    prepared: PreparedImages | None = None) -> Iterator[TrainingStep]:
        """The last step of each of `parts` equal parts of the training; each step where parts are no fewer than they.
        others: half of each batch.  prepared: `prepare` of the images, where several networks of one backbone are
        fine-tuned on them."""
        check_argument("train(images, labels, seed)", "labels", labels, isinstance(labels, Boxes),
                       "Boxes, such as scenefit.label_boxes(frames) or photos.boxes")
        network = self.fresh(seed) if start is None else copy.deepcopy(start)
        shorter = 1 if start is None else FINE_TUNE_DIVISOR
        sources = [self._source(network, images, labels, derive_seed(seed, "augment 0"), shorter) if prepared is None
                   else prepared]
        sources += [] if others is None else [others]
        if start is None and network.backbone.trained:
            network.set_scale(self.maps(network, images[:N_SCALE_IMAGES]) if self._trains_backbone(network)
                              else [m[:N_SCALE_IMAGES] for m in sources[0].maps])
        steps = self.steps if start is None else self.fine_tuning_steps
        size = max(1, self.batch // len(sources))
        batches = [endless_batches(len(source), size, derive_seed(seed, f"order {number}"))
                   for number, source in enumerate(sources)]
        recent: deque[Tensor] = deque(maxlen=LOSS_STEPS)

        def losses() -> Iterator[Tensor]:
            for rows in islice(zip(*batches, strict=True), steps):
                value = self._loss(network.train(), list(zip(sources, rows, strict=True)))
                recent.append(value.detach())
                yield value

        optimiser = self._optimiser(network, self.learning_rate if start is None else self.learning_rate / 4)
        warm_up = 0.3 if steps == 5 else 0.2  # PyTorch would divide by 0: a fifth of five steps is one, the first
        for step in minimise_steps(losses(), optimiser, steps, warm_up, MAX_GRADIENT):
            if step * parts // steps > (step - 1) * parts // steps:
                yield TrainingStep(network.eval(), step, steps, float(torch.stack([*recent]).mean()), labels)

    @property
    def fine_tuning_steps(self) -> int:
        """Steps of a trained network's further training."""
        return -(-self.steps // FINE_TUNE_DIVISOR)

    def prepare(self, network: Detector, images: Images, labels: Boxes, seed: int) -> PreparedImages:
        """Images uint8 [S, H, W, 3] and boxes as `train_steps` prepares them with the same seed where it trains a
        network further."""
        return self._source(network, images, labels, derive_seed(seed, "augment 0"))

    def _optimiser(self, network: Detector, rate: float) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = []  # in the network's own order, so that the gradients' norm is summed in it
        if self._trains_backbone(network):
            slower = 0.1 if network.backbone.trained else 1.0  # fine-tuning must not undo the ImageNet training
            groups.append({"params": list(network.backbone.parameters()), "lr": rate * slower})
        head = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
        return torch.optim.AdamW([*groups, {"params": head, "lr": rate}], weight_decay=1e-3)

    def _loss(self, network: Detector, parts: Sequence[tuple[PreparedImages, Tensor]]) -> Tensor:
        """The mean loss of an object, over these rows of each source."""
        total, count = torch.zeros((), device=self.device), 0
        for source, rows in parts:
            targets = source.targets.take(rows).to(self.device)
            maps = [m[rows].to(self.device) for m in source.maps]
            for level in source.maps:
                release(level.numpy())
            out = network(network.backbone(maps[0].float() / 255) if self._trains_backbone(network) else maps)
            total = total + loss(out, targets, len(self.classes), network.stride).sum()
            count += int(targets.count().sum())
        return total / max(count, 1)

    def fresh(self, seed: int) -> Detector:
        """An untrained network."""
        check_device("Detect(device)", self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "network"))
            network = Detector(self.backbone(), len(self.classes))
        return network.to(self.device)

    def predict(self, network: Detector, images: Images) -> Boxes:
        """Boxes predicted in images uint8 [N, H, W, 3], the most confident first in each image."""
        maps = (self.maps(network, images[rows.numpy()]) for rows in _chunks(len(images)))
        return self._predicted(network, maps, len(images), images.shape[1:3])

    def predict_in_maps(self, network: Detector, maps: Sequence[Tensor], size: tuple[int, int]) -> Boxes:
        """The same of the backbone's `maps` of images of this height and width, computed once for several networks."""
        parts = ([level[rows] for level in maps] for rows in _chunks(len(maps[0])))
        return self._predicted(network, parts, len(maps[0]), size)

    @torch.no_grad()
    def _predicted(self, network: Detector, parts: Iterable[Sequence[Tensor]], count: int,
                   size: tuple[int, int]) -> Boxes:
        """Boxes in the maps of `count` images, which come in parts of PREDICT_BATCH."""
        found: list[tuple[NDArray[Any], ...]] = []
        for maps in parts:
            with reproducible(self.device):
                peaks = decode(network([m.to(self.device) for m in maps]), len(self.classes), network.stride,
                               self.max_detections)
            found += [self._kept(box, score, code, size)
                      for box, score, code in zip(*(values.cpu() for values in peaks[:3]), strict=True)]
        found = found[:count]
        if not found:
            return no_boxes(0)
        image = np.repeat(np.arange(count), [len(score) for _, _, score in found])
        return make_boxes(count, image, *(np.concatenate(column) for column in zip(*found, strict=True)))

    def _kept(self, box: Tensor, score: Tensor, code: Tensor, size: tuple[int, int]) -> tuple[NDArray[Any], ...]:
        """Boxes, class names and confidences of one image's peaks after non-maximum suppression, cut at its border."""
        height, width = size
        box = torch.minimum((box / self.upscale).clamp(min=0), torch.tensor([width, height, width, height]))
        good = (score >= MIN_SCORE) & (box[:, 2:] > box[:, :2]).all(1)
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
        """The influence of each rendered image on the labelled photos [S], and the mAP50 there, from one training.

        The dot product of an image's gradient of the loss with the photos' mean gradient, at the last layer, summed
        over checkpoints of the training (TracIn: Pruthi et al. 2020), with the inverse of the images' second moments
        between them (influence functions: Koh and Liang 2017). Without that, the part that all objects' gradients
        share dominates, and wrong labels are not detected. Each checkpoint and the sum are scaled to standard
        deviation 1.
        """
        sets = [(images, self.targets(labels)), (photos, self.targets(photo_labels))]
        maps: list[list[Tensor]] = []
        total = torch.zeros(len(images), dtype=torch.float64)
        network = None
        for network, *_ in self.train_steps(images, labels, seed, parts=N_CHECKPOINTS):
            if not maps or self._trains_backbone(network):
                maps = [self.maps(network, some) for some, _ in sets]
            own, real = (self._last_layer(network, m, targets).flatten(1).double()
                         for m, (_, targets) in zip(maps, sets, strict=True))
            total += unit_spread(damped_influence(own, real.mean(0)))
        assert network is not None
        return unit_spread(total).float(), self.evaluate(network, photos, photo_labels)["mAP50"]

    def _last_layer(self, network: Detector, maps: list[Tensor], targets: Targets) -> Tensor:
        """Gradient of each image's loss by the last layer's weights and biases [S, C + 4, F + 1]."""
        parts = []
        for rows in _chunks(len(targets.code)):
            with torch.no_grad():
                features = network.before_last([m[rows].to(self.device) for m in maps])
                for level in maps:
                    release(level.numpy())
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
        chunk = CHUNK if self.device == "cpu" else 64

        def levels(first: int) -> list[NDArray[np.float16]]:
            part = self._upscaled(images[first:first + chunk])
            count = len(part)
            part = F.pad(part, (0, 0, 0, 0, 0, 0, 0, chunk - count)).to(self.device, memory_format=torch.channels_last)
            release(images)
            with reproducible(self.device):
                return [m[:count].half().cpu().numpy() for m in network.backbone(part)]

        parts = map(levels, range(0, len(images), chunk))
        return [torch.from_numpy(level) for level in collect_several(parts, len(images))]

    def targets(self, labels: Boxes) -> Targets:
        """Training targets of boxes, in pixels of the upscaled images."""
        counts = np.bincount(labels.image, minlength=labels.count)
        box = torch.zeros(labels.count, max(int(counts.max(initial=0)), 1), 4)
        code = torch.full(box.shape[:2], -1)
        place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
        box[labels.image, place] = torch.from_numpy(labels.box * self.upscale).float()
        code[labels.image, place] = self.class_indices(labels.name)
        return Targets(box, code, class_weights(torch.bincount(code[code >= 0], minlength=len(self.classes))))

    def _upscaled(self, images: Images) -> Tensor:
        tensor = to_tensor(images)
        if self.upscale == 1:
            return tensor
        size = [round(side * self.upscale) for side in tensor.shape[2:]]
        return F.interpolate(tensor, size, mode="bilinear", align_corners=False, antialias=self.upscale < 1)

    def _trains_backbone(self, network: Detector) -> bool:
        return self.train_backbone or not network.backbone.trained

    def _source(self, network: Detector, images: Images, labels: Boxes, seed: int,
                shorter: int = FINE_TUNE_DIVISOR) -> PreparedImages:
        copies = max(1, -(-self.augmented_copies // (shorter * len(images))))
        images, labels = augmented(images, labels, self.augment, seed, copies)
        if self._trains_backbone(network):
            parts = ((self._upscaled(images[i:i + CHUNK]) * 255).round().byte().numpy()
                     for i in range(0, len(images), CHUNK))
            return PreparedImages([torch.from_numpy(collect_arrays(parts, len(images)))], self.targets(labels))
        return PreparedImages(self.maps(network, images), self.targets(labels))


def _chunks(count: int) -> Iterator[Tensor]:
    """Rows 0..count - 1 in batches of one size, the last row repeated to fill the last batch."""
    for first in range(0, count, PREDICT_BATCH):
        yield torch.arange(first, first + PREDICT_BATCH).clamp(max=count - 1)
