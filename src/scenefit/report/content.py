"""What a report tells, as one value.

Everything but the title may be missing, so that a fit without known truth or task has a report too.
Legend: k images; H, W pixels; n values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]


class Interval(NamedTuple):
    """A value and the ends of its interval; the ends are NaN where there is none."""

    value: float
    low: float
    high: float


class TracePoint(NamedTuple):
    """Distance to the photos after so many renders; stage names what was running (search, infer, descent, ...)."""

    renders: int
    distance: float
    stage: str = ""


class Baseline(NamedTuple):
    """One row of the table: what was trained on, and its metric over repeats. low, high NaN without an interval."""

    name: str
    mean: float
    low: float
    high: float
    values: Sequence[float] = ()


@dataclass(frozen=True, eq=False)
class Table:
    """One metric of several arms.

    note: what the interval is, e.g. "95 % t interval over 5 repeats".  gap_closed: (learned - grammar) /
    (oracle - grammar), 1 is all of it, NaN where the oracle is no better than the grammar.  percent: the values are
    fractions, to be shown as percent.
    """

    metric: str
    rows: Sequence[Baseline]
    note: str = ""
    gap_closed: Interval | None = None
    percent: bool = True


@dataclass(frozen=True, eq=False)
class AttributeContent:
    """One attribute's values before and after learning, and the true ones where known. Each [n], numbers or strings.

    circular: the values are degrees.  low, high: the bounds of learning, None where there are none.
    pressed: "low" or "high" where the learned values press against that bound, else "".
    """

    kind: str
    name: str
    before: Any
    after: Any
    truth: Any = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    circular: bool = False
    pressed: str = ""

    def __post_init__(self) -> None:
        if self.pressed not in ("", "low", "high"):
            raise ValueError(f"{self.label}: pressed must be '', 'low' or 'high', got {self.pressed!r}")

    @property
    def label(self) -> str:
        return f"{self.kind}.{self.name}"

    @property
    def values(self) -> dict[str, NDArray[Any]]:
        """Role ("before", "after", "truth") -> values [n]; numbers that are not finite are left out."""
        found = {}
        for role in ("before", "after", "truth"):
            if getattr(self, role) is not None:
                values = np.ravel(np.asarray(getattr(self, role)))
                found[role] = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        return found

    @property
    def warning(self) -> str:
        """"" or one sentence that names the bound and the fix."""
        if not self.pressed:
            return ""
        word, bound = ("lower", self.low) if self.pressed == "low" else ("upper", self.high)
        at = "" if bound is None else f" ({bound:.4g}{' ' + self.unit if self.unit else ''})"
        return f"{self.label} sits at its {word} bound{at}: the photos may lie beyond it, so widen it, if it can be."

    @property
    def change(self) -> float:
        """How far learning changed it: 0 not at all, 1 beyond all overlap of before and after."""
        found = self.values
        if any(len(found[role]) == 0 for role in ("before", "after")):
            return 0.0
        before, after = found["before"], found["after"]
        if before.dtype.kind not in "iufb" or after.dtype.kind not in "iufb":
            before, after = before.astype(str), after.astype(str)
            return 0.5 * float(sum(abs(np.mean(before == name) - np.mean(after == name))
                                   for name in {*before.tolist(), *after.tolist()}))
        edges = np.quantile(before, np.linspace(0, 1, 21)[1:-1])  # of twenty equal parts
        shares = [np.bincount(np.searchsorted(edges, values), minlength=20) / len(values) for values in (before, after)]
        return 0.5 * float(np.abs(shares[0] - shares[1]).sum())


@dataclass(frozen=True, eq=False)
class Mistakes:
    """Images that a model got wrong: uint8 [k, H, W, 3], with one caption each, e.g. "7 read as 1"."""

    images: Images
    captions: Sequence[str]

    def __post_init__(self) -> None:
        _check_images("error pictures", self.images)
        if len(self.captions) != len(self.images):
            raise ValueError(f"error pictures need one caption each, got {len(self.captions)} captions for "
                             f"{len(self.images)} images")


@dataclass(frozen=True, eq=False)
class FoundBy:
    """What the model of one arm found in the photos that are shown, one entry a photo, and in all of them.

    box: [d, 4] each.  true: [d] each, whether the detection has a true box of its own.  hit: [t] each, whether the true
    box was found.  counts: true, false and missed in all photos.  false_at: false detections in all photos at each
    recall, None where it is never reached.  threshold: from which score on detections are believed, but for false_at.
    """

    arm: str
    box: Sequence[NDArray[Any]]
    true: Sequence[NDArray[np.bool_]]
    hit: Sequence[NDArray[np.bool_]]
    counts: tuple[int, int, int]
    false_at: Sequence[int | None] = ()
    threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class Detections:
    """What models found in labelled photos. images uint8 [k, H, W, 3]: those shown.  truth: boxes [t, 4] of each.
    photos: how many were looked at in all.  recalls: those of `FoundBy.false_at`. ValueError where lengths differ."""

    images: Images
    truth: Sequence[NDArray[Any]]
    found: Sequence[FoundBy]
    photos: int
    recalls: Sequence[float] = ()
    note: str = ""

    def __post_init__(self) -> None:
        _check_images("detection pictures", self.images)
        for found in self.found:
            lengths = {len(part) for part in (self.truth, found.box, found.true, found.hit)}
            if lengths != {len(self.images)} or len(found.false_at) != len(self.recalls):
                raise ValueError(f"detections of {found.arm} need one entry for each of {len(self.images)} photos, and "
                                 f"one false_at for each of {len(self.recalls)} recalls")


@dataclass(frozen=True, eq=False)
class Outliers:
    """Photos that are far from every render. images uint8 [k, H, W, 3]; captions: one each; note: what it means."""

    images: Images
    captions: Sequence[str]
    note: str = ""

    def __post_init__(self) -> None:
        _check_images("far photos", self.images)
        if len(self.captions) != len(self.images):
            raise ValueError(f"far photos need one caption each, got {len(self.captions)} for {len(self.images)}")


@dataclass(frozen=True, eq=False)
class ReportContent:
    """What one report tells.

    command: how to reproduce it.  facts: name -> text (renders, trainings, seed, versions, ...).  verdict: one plain
    sentence.  photos, prior, learned: uint8 [k, H, W, 3].  trace: the distance over renders; floor: the same distance
    between two sets of photos; prior_distance: that of the grammar.  errors: arm -> its mistakes.
    detections: of models on labelled photos.  strangers: what the scene cannot express.  notes: warnings.
    shown_first: labels ("kind.name") of the attributes that the picture shows, where it cannot show all.
    ValueError where images have another shape or type.
    """

    title: str
    subtitle: str = ""
    verdict: str = ""
    command: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    photos: Images | None = None
    prior: Images | None = None
    learned: Images | None = None
    trace: Sequence[TracePoint] = ()
    floor: Interval | None = None
    prior_distance: float | None = None
    attributes: Sequence[AttributeContent] = ()
    table: Table | None = None
    errors: Mapping[str, Mistakes] = field(default_factory=dict)
    notes: Sequence[str] = ()
    detections: Detections | None = None
    strangers: Outliers | None = None
    shown_first: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("photos", "prior", "learned"):
            if getattr(self, name) is not None:
                _check_images(name, getattr(self, name))

    @property
    def panels(self) -> tuple[tuple[str, str, Images], ...]:
        """(role, title, images) of the sets that hold images, in the order to show them."""
        titles = {"photos": "Photos", "prior": "Grammar, before", "learned": "Learned, after"}
        found = ((role, title, getattr(self, role)) for role, title in titles.items())
        return tuple((role, title, images) for role, title, images in found if images is not None and len(images))

    @property
    def most_telling(self) -> Sequence[AttributeContent]:
        """The attributes: those to be shown first, those that press against a bound, those that changed most."""
        first = {label: place for place, label in enumerate(self.shown_first)}
        return sorted(self.attributes, key=lambda a: (first.get(a.label, len(first)), not a.pressed, -a.change))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Notes, then one sentence for each attribute that presses against a bound."""
        return (*self.notes, *(a.warning for a in self.attributes if a.warning))


def _check_images(name: str, images: Any) -> None:
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or 0 in images.shape[1:]:
        raise ValueError(f"{name} need to be uint8 [k, H, W, 3], got {images.dtype} {list(images.shape)}")
