"""A trained network in one file, with all that is needed to use it: its task and classes, image size, thresholds.

Legend: H, W pixels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, float32, from_numpy

from scenefit.data.flat_field import remove_flat_field
from scenefit.data.photos import Photos
from scenefit.files.tensors import CorruptFile, read_tensors, write_tensors
from scenefit.metrics.features import Lite0Maps
from scenefit.nets.pyramid.network import SmallMaps
from scenefit.scenes.arguments import check_argument
from scenefit.tasks.training.dense_prediction import DensePrediction

FORMAT = 1  # of the files; one of another format is refused
BACKBONES: dict[str, Any] = {"lite0": Lite0Maps, "small": SmallMaps}
AGAIN = "make it again with scenefit train"
FLAT_FIELD = "flat_field"  # the tensor that is no weight of the network
FIRST_TASK = "detection"  # of files of versions that knew no other task, and did not record it
MAX_SIDE, MAX_UPSCALE = 1 << 14, 64  # far above any of use; more would take all memory
OPTIONAL: dict[str, Any] = {"flat_field": False, "photos": []}  # what earlier versions did not record
READERS = {"detection": "load_detector", "segmentation": "load_segmenter"}
Images = NDArray[np.uint8]
# Name of a value in a file -> what it must be, in words, and whether that of these metadata is.
Checks = Mapping[str, tuple[str, Callable[[Mapping[str, Any]], bool]]]
AnyTask = TypeVar("AnyTask", bound=DensePrediction)
AnyNetwork = TypeVar("AnyNetwork", bound="TrainedNetwork[Any]")


@dataclass(frozen=True, eq=False)
class TrainedNetwork(Generic[AnyTask]):
    """A network with all that is needed to use it.

    task: whose methods use the network.  size: (H, W) that photos are resized to.  threshold: confidence from which
    predictions count, chosen on the validation images of its training; of segmentation, one for each class.
    flat_field: float32 [H, W, 3], which the photos of its training, or those that its run was fitted to, share; None
    for none.
    photos: `scenefit.data.copies.photo_hashes` of all photos that it was trained on, with or without labels, of those
    that its threshold was chosen on, and of those that the distribution of its renders was fitted to; none in files of
    versions that did not record them.  lost_flat_field: whether photos were corrected by a flat field that its file
    does not hold, as that of a given folder (`--flat-field DIR`)."""

    task: AnyTask
    network: Any
    size: tuple[int, int]
    threshold: Any
    flat_field: NDArray[np.float32] | None = None
    photos: frozenset[str] = frozenset()
    lost_flat_field: bool = False

    noun: ClassVar[str]  # what a network of the task is, with its article
    kind: ClassVar[type[DensePrediction]]
    checks: ClassVar[Checks]  # of what its file holds besides: the threshold, and `settings`
    settings: ClassVar[tuple[str, ...]] = ()  # fields of the task; what earlier versions lack has the task's default

    @property
    def word(self) -> str:
        """The last word of `noun`."""
        return self.noun.split()[-1]

    @property
    def corrected(self) -> bool:
        """Whether the photos of its training were flat-field corrected."""
        return self.flat_field is not None or self.lost_flat_field

    def save(self, path: str | Path) -> None:
        """Write the network to a file, whole or not at all."""
        write_trained(path, self)

    def images(self, photos: Photos | Images, call: str) -> Images:
        """Images uint8 [N, H, W, 3] of photos without the network's flat field. ValueError for anything else. call:
        for errors."""
        images = photos.images if isinstance(photos, Photos) else photos
        good = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (*self.size, 3)
        check_argument(call, "photos", images, good,
                       f"Photos or uint8 images [N, {self.size[0]}, {self.size[1]}, 3], as "
                       f"scenefit.read_photos(folder, {self.size}) reads them")
        return images if self.flat_field is None else remove_flat_field(images, self.flat_field)


def write_trained(path: str | Path, trained: TrainedNetwork[Any], info: dict[str, Any] | None = None) -> None:
    """Write the file, whole or not at all. info: any other metadata, as plain JSON values."""
    task = trained.task
    backbone = next(name for name, kind in BACKBONES.items() if task.backbone is kind)
    field = {} if trained.flat_field is None else {FLAT_FIELD: from_numpy(np.array(trained.flat_field))}
    write_tensors(path, trained.network.state_dict() | field, {
        "format": FORMAT, "task": task.name, "classes": list(task.classes), "backbone": backbone,
        "upscale": task.upscale, **{name: getattr(task, name) for name in trained.settings},
        "size": list(trained.size), "threshold": trained.threshold,
        "flat_field": trained.corrected, "photos": sorted(trained.photos), "info": info or {}})


def load_trained(kind: type[AnyNetwork], call: str, path: str | Path, device: str) -> AnyNetwork:
    """`read_trained` of one kind, with checked arguments. call: for errors."""
    check_argument(call, "path", path, isinstance(path, str | Path), "the name of a file that scenefit train wrote")
    check_argument(call, "device", device, isinstance(device, str), 'a text, "cpu" or "cuda"')
    if not Path(path).exists():
        own = kind.noun.split()[-1]
        raise ValueError(f"{path} does not exist; give a file that scenefit train or {own}.save(path) wrote")
    return read_trained([kind], path, device)


def read_trained(kinds: Sequence[type[AnyNetwork]], path: str | Path, device: str = "cpu") -> AnyNetwork:
    """The network, of one of these kinds, that `write_trained` wrote; the file holds no code. CorruptFile if it is
    damaged, of another format, or none of them."""
    tensors, metadata = read_tensors(path, AGAIN)
    nouns, by_name = " or ".join(kind.noun for kind in kinds), {kind.kind.name: kind for kind in kinds}
    if "classes" not in metadata:
        fix = "it is a model, which scenefit.load(path, grammar) reads" if {"model", "run"} & set(metadata) else AGAIN
        raise CorruptFile(f"{path} is not {nouns}; {fix}")
    if metadata.get("format") != FORMAT:
        raise CorruptFile(f"{path} was written by another version of scenefit (its format is "
                          f"{metadata.get('format', 'not recorded')}, and this version reads format {FORMAT}); {AGAIN}")
    name = str(metadata.get("task", FIRST_TASK))
    if name not in by_name:
        fix = f"scenefit.{READERS[name]}(path) reads it" if name in READERS else AGAIN
        raise CorruptFile(f"{path} is a network for {name[:60]}, and not {nouns}; {fix}")
    kind = by_name[name]
    defaults = {one: getattr(kind.kind, one) for one in kind.settings}
    metadata = {**OPTIONAL, **defaults, **metadata}
    fault = _fault(metadata, {**CHECKS, **kind.checks})
    if fault:
        raise CorruptFile(f"{path} is damaged, or does not fit this version of scenefit: its {fault}; {AGAIN}")
    make_task: Callable[..., DensePrediction] = kind.kind
    task = make_task(tuple(metadata["classes"]), upscale=float(metadata["upscale"]), device=device,
                     backbone=BACKBONES[metadata["backbone"]],
                     **{one: type(default)(metadata[one]) for one, default in defaults.items()})
    height, width = metadata["size"]
    network, threshold = task.fresh(0), metadata["threshold"]
    field = tensors.pop(FLAT_FIELD, None)
    fault = _fault_of_flat_field(field, (height, width, 3)) or _fault_of_weights(tensors, network.state_dict())
    if fault:
        raise CorruptFile(f"{path} is damaged, or does not fit this version of scenefit: {fault}; {AGAIN}")
    network.load_state_dict(tensors)
    return kind(task, network.eval(), (height, width),
                tuple(map(float, threshold)) if isinstance(threshold, list) else float(threshold),
                None if field is None else field.numpy(), frozenset(metadata["photos"]),
                metadata["flat_field"] and field is None)


def is_number(value: Any, low: float, high: float) -> bool:
    """NaN is none, and neither is true."""
    return (isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            and low <= value <= high)


def _are_classes(names: Any) -> bool:
    return (isinstance(names, list) and len(names) > 0 and all(isinstance(name, str) and name for name in names)
            and len(set(names)) == len(names))


def _is_size(size: Any) -> bool:
    return (isinstance(size, list) and len(size) == 2
            and all(type(side) is int and 1 <= side <= MAX_SIDE for side in size))


CHECKS: Checks = {
    "classes": ("different texts, at least one", lambda facts: _are_classes(facts["classes"])),
    "backbone": (f"one of {', '.join(BACKBONES)}", lambda facts: isinstance(facts.get("backbone"), str)
                 and facts["backbone"] in BACKBONES),
    "size": (f"a height and a width of 1 to {MAX_SIDE} pixels", lambda facts: _is_size(facts.get("size"))),
    "upscale": (f"a number above 0, at most {MAX_UPSCALE}",
                lambda facts: is_number(facts.get("upscale"), 0, MAX_UPSCALE) and facts["upscale"] > 0),
    "flat_field": ("true or false", lambda facts: isinstance(facts["flat_field"], bool)),
    "photos": ("a list of texts", lambda facts: isinstance(facts["photos"], list)
               and all(isinstance(one, str) for one in facts["photos"]))}


def _fault(metadata: Mapping[str, Any], checks: Checks) -> str:
    """What is wrong with the values of a file, "" if nothing is."""
    wrong = [f"{name} must be {needed}, and is {str(metadata.get(name, 'missing'))[:60]}"
             for name, (needed, fine) in checks.items() if not fine(metadata)]
    return ", and its ".join(wrong)


def _fault_of_flat_field(field: Tensor | None, shape: tuple[int, int, int]) -> str:
    """What is wrong with a network's flat field, "" if nothing is."""
    if field is None or (field.shape == shape and field.dtype == float32 and bool(field.isfinite().all())):
        return ""
    return (f"its flat field must be finite numbers {list(shape)} of {float32}, and is {list(field.shape)} of "
            f"{field.dtype}")


def _fault_of_weights(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    """What is wrong with a network's weights, "" if nothing is."""
    for name, value in wanted.items():
        if name not in tensors or tensors[name].shape != value.shape or tensors[name].dtype != value.dtype:
            got = f"{list(tensors[name].shape)} of {tensors[name].dtype}" if name in tensors else "missing"
            return f"its weights {name} must be {list(value.shape)} of {value.dtype}, and are {got}"
        if not bool(tensors[name].isfinite().all()):
            return f"its weights {name} hold NaN or infinite numbers"
    extra = sorted(set(tensors) - set(wanted))
    return f"it has weights that the network lacks, {', '.join(extra[:3])}" if extra else ""
