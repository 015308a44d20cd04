"""What a fit measured of its own predictions, and the sentences that tell of it: diagnostics.safetensors.

Legend: N photos; V renders; P photos shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from scenefit.files.json_files import CorruptFile
from scenefit.files.tensors import read_tensors
from scenefit.inference.npe.matching import MIN_R2
from scenefit.report.content.images import check_images
from scenefit.scenes.attributes import Attribute

N_NAMED = 8  # attributes that a sentence names
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Of a fit with "npe". By attribute, "kind.name": r2, on held-out renders; cover50 and cover90, the share of truths
    in the posterior's intervals; width90, of its 90 % interval relative to the prior's; inferred, 1 or 0.

    count_photos, count_renders, count_true: by kind, the predicted objects of each photo [N] and each render [V], and
    those that are visible in the renders [V].  seen: (height, width) of the images that networks see.  simulated:
    renders of a round, and how many it has by default.  c2st: of a classifier between predictions on photos and on
    renders, the area under the ROC curve.  apart: their distance in standard deviations, before each correction of the
    last round.  stopped: not empty where rounds ended early, because corrections no longer brought them closer, or they
    differed hardly more than by chance.  photos, reconstructions: uint8 [P, h, w, 3]; None where the budget ended
    the fit before.
    """

    r2: Mapping[str, float] = field(default_factory=dict)
    cover50: Mapping[str, float] = field(default_factory=dict)
    cover90: Mapping[str, float] = field(default_factory=dict)
    width90: Mapping[str, float] = field(default_factory=dict)
    inferred: Mapping[str, float] = field(default_factory=dict)
    count_photos: Mapping[str, Floats] = field(default_factory=dict)
    count_renders: Mapping[str, Floats] = field(default_factory=dict)
    count_true: Mapping[str, Floats] = field(default_factory=dict)
    seen: tuple[int, int] | None = None
    simulated: tuple[int, int] | None = None
    c2st: tuple[float, ...] = ()
    apart: tuple[float, ...] = ()
    stopped: tuple[float, ...] = ()
    photos: NDArray[np.uint8] | None = None
    reconstructions: NDArray[np.uint8] | None = None


NUMBERS = ("r2", "cover50", "cover90", "width90", "inferred")
COUNTS = ("count_photos", "count_renders", "count_true")
PAIRS = ("seen", "simulated")
VALUES = ("c2st", "apart", "stopped")
IMAGES = ("photos", "reconstructions")
OF_THE_METHOD = ("placed",)  # what only later rounds need


def diagnostics_of(tensors: Mapping[str, Tensor]) -> Diagnostics:
    """From `State.diagnostics`. ValueError where a part has another form."""
    parts: dict[str, dict[str, NDArray[np.generic]]] = {}
    for key, tensor in tensors.items():
        part, _, name = key.partition(":")
        parts.setdefault(part, {})[name] = tensor.detach().cpu().numpy()
    unknown = sorted(set(parts) - {*NUMBERS, *COUNTS, *PAIRS, *VALUES, *IMAGES, *OF_THE_METHOD})
    if unknown:
        raise ValueError(f"it has {', '.join(unknown)}, which this version of scenefit does not know")
    numbers = {part: {name: float(value) for name, value in parts.get(part, {}).items()} for part in NUMBERS}
    counts = {part: {name: value.astype(float) for name, value in parts.get(part, {}).items()} for part in COUNTS}
    pairs = {part: (int(parts[part][""][0]), int(parts[part][""][1])) for part in PAIRS if part in parts}
    values = {part: tuple(float(value) for value in np.ravel(parts[part][""])) for part in VALUES if part in parts}
    images = {part: parts[part][""] for part in IMAGES if part in parts}
    for name, value in images.items():
        check_images(name, value)
    if len({len(value) for value in images.values()}) > 1:
        raise ValueError("photos and reconstructions differ in number")
    return Diagnostics(**numbers, **counts, **pairs, **values, **images)  # type: ignore[arg-type]


def read_diagnostics(path: Path, owner: str, fix: str) -> Diagnostics | None:
    """What a fit wrote; None where there is no file, as of methods that measure nothing of the kind.

    CorruptFile, ending in fix, if it is damaged or of another run than owner.
    """
    if not path.exists():
        return None
    tensors, facts = read_tensors(path, fix)
    if facts.get("run") != owner:
        raise CorruptFile(f"{path} belongs to another run than {path.with_name('settings.json')}; {fix}")
    try:
        return diagnostics_of(tensors)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise CorruptFile(f"{path} is damaged: a part of it has another form than scenefit writes ({error}); {fix}"
                          ) from error


def sentences(found: Diagnostics | None, size: tuple[int, int], learned: Sequence[Attribute]) -> list[str]:
    """Of which attributes photos told nothing, and what reduced the images that networks saw, or the renders. size:
    (height, width) of the photos.  learned: the grammar's learned attributes."""
    if found is None:
        return []
    out = []
    kept = [f"{a.kind}.{a.name}" for a in learned if not found.inferred.get(f"{a.kind}.{a.name}", 0.0)]
    blind = [name for name in kept if found.r2.get(name, 1.0) < MIN_R2]
    if blind:
        out.append(f"Kept their prior, because images of {of_size(found.seen or size)} pixels do not show them (R² on "
                   f"held-out renders under {MIN_R2:g}): {_named(blind)}.")
    rest = [name for name in kept if name not in blind]
    if rest:
        out.append("Kept their prior, because too few objects show them in renders or photos, or the fit ended before "
                   f"its rounds of objects: {_named(rest)}.")
    if found.seen is not None and found.seen != size:
        out.append(f"The networks saw images reduced from {of_size(size)} to {of_size(found.seen)} pixels: no object "
                   "has a label, so single objects could not be read at full resolution. Return instance masks from "
                   "the renderer.")
    if found.simulated is not None and found.simulated[0] < found.simulated[1] / 2:
        out.append(f"Networks were trained on {found.simulated[0]:,} renders a round instead of "
                   f"{found.simulated[1]:,}: attributes may have kept their prior for that alone. Allow more with "
                   "max_renders or method.renders.")
    if found.stopped:
        out.append("The rounds ended early: predictions on renders and on photos differed hardly more than by chance, "
                   "or a further round no longer brought them closer.")
    return out


def of_size(size: tuple[int, int]) -> str:
    """(height, width) as width x height."""
    return f"{size[1]} x {size[0]}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - N_NAMED
    return ", ".join(names[:N_NAMED]) + (f" and {more} more" if more > 0 else "")
