"""Amortised posterior of a scene's structure given its image (a recognition network).

It is a structure policy with the image as context, trained by likelihood on renders whose structure is known (the sleep
phase of Hinton et al., Science 1995). The likelihood alone hardly teaches it to separate objects, so an auxiliary loss
makes it predict maps of the objects' centres, by kind and option, from the renders' exact masks; the sums of these maps
over the image are counts that the policy can use directly.

Legend: N images; h, w pixels of the network's input; i, j cells of 8 pixels; K object maps; C context; S scenes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scenefit.data.frames import Frames
from scenefit.files.scratch import release, scratch_array
from scenefit.metrics.features import compute, on_device, tensor_parts
from scenefit.nets.optimise import minimise, shuffled_batches
from scenefit.nets.structure_policy import Decisions, StructurePolicy, decisions
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.rng import derive_seed
from scenefit.scenes.scene import SceneBatch

MAX_SIDE = 64  # pixels of the longer side; larger images are scaled down
STRIDE = 8
N_SUMMARY = 32  # features of the context besides the sums of the object maps
HIDDEN = 128
BATCH = 64
CENTRES = 0.3  # weight of the loss of the objects' centres


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """Renders to train on. images uint8 [N, c, h, w]; objects uint8 [N, K, i, j]: whether a cell holds a centre."""

    images: Tensor
    objects: Tensor
    decisions: Decisions

    def __len__(self) -> int:
        return len(self.images)


class StructurePosterior(nn.Module):
    """Images of one size -> posterior of the structure. size: (height, width) of the images.  grey: they have no
    colour, so one channel is enough.  max_side: pixels of the longer side of the network's input."""

    centre: Tensor
    scale: Tensor

    def __init__(self, grammar: Grammar, size: tuple[int, int], grey: bool, seed: int, max_side: int = MAX_SIDE):
        super().__init__()
        self.grammar, self.grey = grammar, grey
        shrink = min(1.0, max_side / max(size))
        self.input_size = (max(STRIDE, round(size[0] * shrink)), max(STRIDE, round(size[1] * shrink)))
        self.cells = (-(-self.input_size[0] // STRIDE), -(-self.input_size[1] // STRIDE))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "recogniser"))
            self.body = nn.Sequential(*_block(1 if grey else 3, 16, 5, 2), *_block(16, 32, 3, 2),
                                      *_block(32, 64, 3, 2), *_block(64, 64, 3, 1))
            self.summary = nn.Linear(64, N_SUMMARY)
            self.objects = nn.Conv2d(64, len(grammar.kinds) + sum(len(d.odds) for d in decisions(grammar)), 1)
            assert self.objects.bias is not None
            nn.init.constant_(self.objects.bias, -4.0)  # most cells are empty
        context = N_SUMMARY + self.objects.out_channels
        self.policy = StructurePolicy(grammar, derive_seed(seed, "recogniser policy"), context, HIDDEN)
        self.register_buffer("centre", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval()

    def placed(self, device: str) -> "StructurePosterior":
        """Itself, its convolutions on a device. The policy stays on the CPU: it decides on one node after the other."""
        self.to(device)
        self.policy.to("cpu")
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """[N, 3 or c, h, w] in 0..1 -> context [N, C] and logits of objects [N, K, i, j]."""
        hidden = self.body((self._resized(images) - self.centre) / self.scale)
        objects = self.objects(hidden)
        area = self.cells[0] * self.cells[1]
        pooled = hidden.sum((2, 3)) * (4 / area)
        return torch.cat([self.summary(pooled), objects.sigmoid().sum((2, 3))], dim=1), objects

    def _resized(self, images: Tensor) -> Tensor:
        if self.grey:
            images = images.mean(1, keepdim=True)
        if images.shape[2:] == self.input_size:
            return images
        return F.interpolate(images, self.input_size, mode="bilinear", antialias=True)

    def context(self, images: np.ndarray) -> Tensor:
        """uint8 [N, H, W, 3] -> [N, C], the same for an image in any batch."""
        return compute(on_device(self.features, self.centre.device), images)

    def features(self, images: Tensor) -> Tensor:
        """As a feature extractor: images [N, 3, H, W] -> [N, C]."""
        return self(images)[0]

    def sample_posterior(self, images: np.ndarray, times: int, seed: int) -> SceneBatch:
        """Scenes sampled from each image's posterior: i * times to (i + 1) * times - 1 are those of image i.

        Only their structure depends on the image; all other attributes are the grammar's.
        """
        context = self.context(images).repeat_interleave(times, dim=0)
        return self.policy.sample(seed, len(context), context)

    def training_batch(self, frames: Frames) -> TrainingBatch:
        """Renders as training data."""
        with torch.no_grad():
            images = torch.cat([self._resized(some).mul(255).round().byte() for some in tensor_parts(frames.images)])
        return TrainingBatch(images, self._object_maps(frames), self.policy.replay(frames.scenes))

    def _object_maps(self, frames: Frames) -> Tensor:
        """[N, K, i, j]: whether a cell holds the centre of the visible box of an object, by kind and by option."""
        objects = frames.objects
        visible = objects.pixels > 0
        scene, node, box = objects.scene[visible], objects.id[visible], objects.box[visible]
        height, width = frames.images.shape[1:3]
        across = ((box[:, 0] + box[:, 2]) / 2 * self.cells[1] / width).astype(int)
        down = ((box[:, 1] + box[:, 3]) / 2 * self.cells[0] / height).astype(int)
        out = torch.zeros(len(frames), self.objects.out_channels, *self.cells, dtype=torch.uint8)
        many = 1 + max((int(table.id.max(initial=0)) for table in frames.scenes.tables.values()), default=0)
        key = scene * many + node  # rising: objects are sorted by scene and id
        for number, kind in enumerate(frames.scenes.kinds):
            table = frames.scenes.tables[kind]
            mine = table.scene * many + table.id
            at = np.minimum(np.searchsorted(key, mine), max(len(key) - 1, 0))
            rows = np.flatnonzero(key[at] == mine) if len(key) else np.zeros(0, np.int64)
            place = table.scene[rows], down[at[rows]], across[at[rows]]
            out[place[0], number, place[1], place[2]] = 1
            for decision in self.policy.decisions:
                if decision.kind == kind and kind != self.grammar.start:
                    channel = len(frames.scenes.kinds) + decision.first + decision.codes(table)[rows]
                    out[place[0], channel, place[1], place[2]] = 1
        return out


def _block(channels: int, out: int, size: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, size, stride, size // 2, bias=False), nn.BatchNorm2d(out), nn.ReLU()]


def join(batches: Iterable[TrainingBatch], count: int) -> TrainingBatch:
    """Several batches, of count renders in all, as one; its images and objects lie in a `scratch_array` each."""
    parts: list[Decisions] = []
    arrays: dict[str, NDArray[np.uint8]] = {}
    at = 0
    for batch in batches:
        own = {"images": batch.images, "objects": batch.objects}
        if not at:
            arrays = {name: scratch_array((count, *values.shape[1:]), np.uint8) for name, values in own.items()}
        for name, values in own.items():
            arrays[name][at:at + len(batch)] = values.numpy()
            release(arrays[name])
        parts.append(replace(batch.decisions, scene=batch.decisions.scene + at))
        at += len(batch)
    columns = {name: torch.cat([getattr(part, name) for part in parts])
               for name in ("inputs", "kind_of_decision", "code", "row", "scene")}
    images, objects = (torch.from_numpy(values) for values in arrays.values())
    return TrainingBatch(images, objects, Decisions(count=at, **columns))


def train(posterior: StructurePosterior, data: TrainingBatch, seed: int, epochs: int,
          learning_rate: float = 4e-3) -> float:
    """Train on renders. Returns the structure's mean negative log-likelihood in the last epoch.

    ValueError for fewer than 64 renders.
    """
    if len(data) < BATCH:
        raise ValueError(f"the structure posterior is trained on at least {BATCH} renders, got {len(data)}; render "
                         "more")
    if not bool(posterior.centre):
        pixels = data.images[:4096].float() / 255
        posterior.centre.fill_(max(float(pixels.mean()), 1e-6))
        posterior.scale.fill_(max(float(pixels.std()), 1e-3))
    steps = len(data) // BATCH
    losses: list[float] = []

    def loss(rows: Tensor) -> Tensor:
        images = (data.images[rows].float() / 255).contiguous(memory_format=torch.channels_last)
        context, objects = (part.cpu() for part in posterior(images.to(posterior.centre.device)))
        structure = -posterior.policy.log_prob(data.decisions.take(rows), context).mean()
        losses.append(float(structure.detach()))
        centres = F.binary_cross_entropy_with_logits(objects, data.objects[rows].float(), reduction="sum")
        release(data.images.numpy())
        release(data.objects.numpy())
        return structure + CENTRES * centres / BATCH

    batches = shuffled_batches(len(data), BATCH, epochs, derive_seed(seed, "recogniser order"), min_size=BATCH)
    posterior.train()
    minimise(map(loss, batches), torch.optim.Adam(posterior.parameters(), learning_rate), max(epochs * steps, 2))
    posterior.eval()
    return reduce(add, losses[-steps:]) / steps
