"""Training of networks on the maps of a backbone: what detection and segmentation share.

Legend: S rendered images; N photos; H, W pixels; h, w cells of a feature map; C classes; F features; O outputs.
"""

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from scenefit.files.scratch import collect_arrays, collect_several, release
from scenefit.metrics.device import check_device, reproducible
from scenefit.metrics.features import to_tensor
from scenefit.nets.influence import damped_influence, unit_spread
from scenefit.nets.optimise import endless_batches, minimise_steps
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.training.definition import Images, Labels, Network, Targets, TaskDefinition

CHUNK = 4  # images at once through the backbone: larger batches are slower on a CPU
PREDICT_BATCH = 16  # images
N_SCALE_IMAGES = 128  # from which the mean and spread of the features are measured
N_CHECKPOINTS = 4  # of a training, over which influence is summed
MAX_GRADIENT = 10.0  # norm; longer gradients are scaled down
FINE_TUNE_DIVISOR = 3  # a trained network is trained further for a third of the steps
ROUNDS = 2  # of self-training
MIN_CONFIDENCE = 0.5  # of a prediction that becomes a pseudo-label
LOSS_STEPS = 20  # whose mean loss is reported


@dataclass(frozen=True)
class PreparedImages:
    """Training images, augmented. maps: the backbone's, each [S, F, h, w] float16, or the images uint8 [S, 3, H, W]
    where the backbone is trained too."""

    maps: list[Tensor]
    targets: Targets

    def __len__(self) -> int:
        return len(self.targets)


class TrainingStep(NamedTuple):
    """A step of a training, done. done, of: steps so far and in all.  loss: its mean over the last `LOSS_STEPS` steps.
    labels: that it is trained on; in self-training the pseudo-labels of the round."""

    network: Any
    done: int
    of: int
    loss: float
    labels: Any


class DensePrediction(TaskDefinition[Network, Labels]):
    """A task whose network predicts something in each cell of a backbone's maps, and is trained on these maps."""

    def train(self, images: Images, labels: Labels, seed: int, start: Network | None = None) -> Network:
        """A network trained on images uint8 [S, H, W, 3]; the same seed gives the same first weights.

        start: fine-tune a copy of this network instead, at a quarter of the learning rate, for a third of the steps.
        ValueError without images, or for labels of another number of images or of another task.
        """
        *_, last = self.train_steps(images, labels, seed, start)
        return last.network

    def fine_tune(self, network: Network, photos: Images, photo_labels: Labels, seed: int, images: Images | None = None,
                  labels: Labels | None = None) -> Network:
        """A copy of network, fine-tuned on labelled photos; half of each batch are the rendered images, if given."""
        others = None
        if images is not None and labels is not None:
            others = self._source(network, images, labels, derive_seed(seed, "augment 1"))
        *_, last = self.train_steps(photos, photo_labels, seed, network, others)
        return last.network

    def self_train(self, network: Network, photos: Images, seed: int, images: Images, labels: Labels,
                   rounds: int = ROUNDS, min_confidence: float = MIN_CONFIDENCE) -> Network:
        """A copy of network after self-training on unlabelled photos: confident predictions become pseudo-labels, made
        anew each round; half of each batch are rendered images.

        Self-training amplifies what the network already predicts: classes that it rarely predicts with confidence are
        lost, and a weak network gets weaker.
        """
        for step in self.self_train_steps(network, photos, seed, images, labels, range(rounds), min_confidence):
            network = step.network
        return network

    def self_train_steps(self, network: Network, photos: Images, seed: int, images: Images, labels: Labels,
                         rounds: Sequence[int], min_confidence: float = MIN_CONFIDENCE,
                         parts: int = 1) -> Iterator[TrainingStep]:
        """The last step of each of `parts` equal parts of each of these rounds of `self_train`. network: the result of
        the rounds before."""
        rendered = self._source(network, images, labels, derive_seed(seed, "rendered")) if rounds else None
        for number in rounds:
            pseudo = self.pseudo_labels(network, photos, min_confidence)
            own = derive_seed(seed, f"turn {number}")
            for step in self.train_steps(photos, pseudo, own, network, rendered, parts):
                network = step.network
                yield step

    def train_steps(self, images: Images, labels: Labels, seed: int, start: Network | None = None,
                    others: PreparedImages | None = None, parts: int = 1,
                    prepared: PreparedImages | None = None) -> Iterator[TrainingStep]:
        """The last step of each of `parts` equal parts of the training; each step where parts are no fewer than they.
        others: half of each batch.  prepared: `prepare` of the images, where several networks of one backbone are
        fine-tuned on them."""
        self.check_labels(labels)
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
                value = self._mean_loss(network.train(), list(zip(sources, rows, strict=True)))
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

    def prepare(self, network: Network, images: Images, labels: Labels, seed: int) -> PreparedImages:
        """Images uint8 [S, H, W, 3] and labels as `train_steps` prepares them with the same seed where it trains a
        network further."""
        return self._source(network, images, labels, derive_seed(seed, "augment 0"))

    def fresh(self, seed: int) -> Network:
        """An untrained network."""
        check_device(f"{type(self).__name__}(device)", self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "network"))
            network = self.make_network()
        return network.to(self.device)

    def influence(self, images: Images, labels: Labels, photos: Images, photo_labels: Labels,
                  seed: int) -> tuple[Tensor, float]:
        """The influence of each rendered image on the labelled photos [S], and the first metric there, of one training.

        The dot product of an image's gradient of the loss with the photos' mean gradient, at the last layer, summed
        over checkpoints of the training (TracIn: Pruthi et al. 2020), with the inverse of the images' second moments
        between them (influence functions: Koh and Liang 2017). Without that, the part that all images' gradients
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
        return unit_spread(total).float(), next(iter(self.evaluate(network, photos, photo_labels).values()))

    @torch.no_grad()
    def maps(self, network: Network, images: Images) -> list[Tensor]:
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

    def _optimiser(self, network: Network, rate: float) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = []  # in the network's own order, so that the gradients' norm is summed in it
        if self._trains_backbone(network):
            slower = 0.1 if network.backbone.trained else 1.0  # fine-tuning must not undo the ImageNet training
            groups.append({"params": list(network.backbone.parameters()), "lr": rate * slower})
        head = [p for name, p in network.named_parameters() if not name.startswith("backbone.")]
        return torch.optim.AdamW([*groups, {"params": head, "lr": rate}], weight_decay=1e-3)

    def _mean_loss(self, network: Network, parts: Sequence[tuple[PreparedImages, Tensor]]) -> Tensor:
        """The mean loss over what is labelled in these rows of each source."""
        total, count = torch.zeros((), device=self.device), 0
        for source, rows in parts:
            targets = source.targets.take(rows).to(self.device)
            maps = [m[rows].to(self.device) for m in source.maps]
            for level in source.maps:
                release(level.numpy())
            out = network(network.backbone(maps[0].float() / 255) if self._trains_backbone(network) else maps)
            total = total + self.loss(network, out, targets).sum()
            count += int(targets.count().sum())
        return total / max(count, 1)

    def _last_layer(self, network: Network, maps: list[Tensor], targets: Targets) -> Tensor:
        """Gradient of each image's loss by the last layer's weights and biases [S, O, F + 1]."""
        parts = []
        for rows in batches_of(len(targets)):
            with torch.no_grad():
                features = network.before_last([m[rows].to(self.device) for m in maps])
                for level in maps:
                    release(level.numpy())
                out = network.last(features)
            out.requires_grad_(True)
            self.loss(network, out, targets.take(rows).to(self.device)).sum().backward()
            assert out.grad is not None
            features = F.pad(features, (0, 0, 0, 0, 0, 1), value=1.0)
            parts.append(torch.einsum("nchw,nfhw->ncf", out.grad, features).cpu())
        return torch.cat(parts)[:len(targets)]

    def _upscaled(self, images: Images) -> Tensor:
        tensor = to_tensor(images)
        if self.upscale == 1:
            return tensor
        size = [round(side * self.upscale) for side in tensor.shape[2:]]
        return F.interpolate(tensor, size, mode="bilinear", align_corners=False, antialias=self.upscale < 1)

    def _trains_backbone(self, network: Network) -> bool:
        return self.train_backbone or not network.backbone.trained

    def _source(self, network: Network, images: Images, labels: Labels, seed: int,
                shorter: int = FINE_TUNE_DIVISOR) -> PreparedImages:
        copies = max(1, -(-self.augmented_copies // (shorter * max(len(images), 1))))
        images, labels = self.augmented(images, labels, seed, copies)
        if self._trains_backbone(network):
            parts = ((self._upscaled(images[i:i + CHUNK]) * 255).round().byte().numpy()
                     for i in range(0, len(images), CHUNK))
            return PreparedImages([torch.from_numpy(collect_arrays(parts, len(images)))], self.targets(labels))
        return PreparedImages(self.maps(network, images), self.targets(labels))


def batches_of(count: int) -> Iterator[Tensor]:
    """Rows 0..count - 1 in batches of one size, the last row repeated to fill the last batch."""
    for first in range(0, count, PREDICT_BATCH):
        yield torch.arange(first, first + PREDICT_BATCH).clamp(max=count - 1)
