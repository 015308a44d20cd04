"""The content of a report, as one value.

Everything but the title may be missing, so that a fit without known truth or labelled photos has a report too.
Legend: k images; H, W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scenefit.report.content.attributes import AttributeContent, Prediction
from scenefit.report.content.detections import BaselineDetections, Detections, LabelConvention
from scenefit.report.content.error_analysis import BaselineErrors, ErrorAnalysis, Quartiles, SizeGroup
from scenefit.report.content.images import (
    Images,
    Mistakes,
    Outliers,
    Reconstructions,
    brightened,
    brightening,
    check_images,
)
from scenefit.report.content.segmentations import BaselineMasks, MaskConvention, Segmentations

__all__ = ["AttributeContent", "Baseline", "BaselineDetections", "BaselineErrors", "BaselineMasks", "Counts",
           "Detections", "ErrorAnalysis", "Images", "Interval", "LabelConvention", "MaskConvention", "Mistakes",
           "Outliers", "Prediction", "Quartiles", "Reconstructions", "ReportContent", "Segmentations", "SizeGroup",
           "Table", "TracePoint", "brightened", "brightening"]


class Interval(NamedTuple):
    """A value and the ends of its interval; the ends are NaN where there is none."""

    value: float
    low: float
    high: float


class TracePoint(NamedTuple):
    """Distance to the photos after a number of renders; stage: the name of the stage of the fit."""

    renders: int
    distance: float
    stage: str = ""


class Baseline(NamedTuple):
    """One row of the table: the training data, and the metric over repeated trainings. low, high: NaN without an
    interval."""

    name: str
    mean: float
    low: float
    high: float
    values: Sequence[float] = ()


class Counts(NamedTuple):
    """Objects of a kind in an image, mean and standard deviation: in scenes of the prior and of the learned
    distribution; predicted in photos; predicted, and visible, in renders of known truth (means alone)."""

    kind: str
    prior: tuple[float, float]
    learned: tuple[float, float]
    photos: tuple[float, float]
    renders: float
    visible: float


@dataclass(frozen=True, eq=False)
class Table:
    """One metric of models trained on different data, a row each.

    note: the kind of interval, e.g. "95 % t interval over 5 repeats".  gap_closed: (learned - grammar) /
    (oracle - grammar), 1 if all of it; NaN if the oracle is no better than the grammar.  percent: the values are
    fractions, to be shown as percent.
    """

    metric: str
    rows: Sequence[Baseline]
    note: str = ""
    gap_closed: Interval | None = None
    percent: bool = True


@dataclass(frozen=True, eq=False)
class ReportContent:
    """The content of one report.

    command: how to reproduce it.  facts: name -> text (renders, trainings, seed, versions, ...).  verdict: one plain
    sentence.  photos, prior, learned: uint8 [k, H, W, 3].  trace: the distance over renders; floor: the same distance
    between two sets of photos; prior_distance: that of the grammar.  errors: baseline -> mistakes of the model
    trained on it.  detections, segmentations: on labelled photos.  outliers: photos unlike every render.
    reconstructions: of photos.  counts: of objects.  notes: warnings.  untold: sentences on attributes that photos told
    nothing of, and on their labels.
    brightness: factor that all images were multiplied by, so that dark ones can be seen.
    shown_first: labels ("kind.name") of the attributes that the picture shows first, as it cannot show them all.
    ValueError for images of another shape or type.
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
    outliers: Outliers | None = None
    reconstructions: Reconstructions | None = None
    counts: Sequence[Counts] = ()
    untold: Sequence[str] = ()
    brightness: float = 1.0
    shown_first: Sequence[str] = ()
    segmentations: Segmentations | None = None

    def __post_init__(self) -> None:
        for name in ("photos", "prior", "learned"):
            if getattr(self, name) is not None:
                check_images(name, getattr(self, name))

    @property
    def panels(self) -> tuple[tuple[str, str, Images], ...]:
        """(role, title, images) of the sets that have images, in the order shown."""
        titles = {"photos": "Photos", "prior": "Grammar, before", "learned": "Learned, after"}
        found = ((role, title, getattr(self, role)) for role, title in titles.items())
        return tuple((role, title, images) for role, title, images in found if images is not None and len(images))

    @property
    def brightness_note(self) -> str:
        """"" or that images are shown brighter than they are."""
        return "" if self.brightness == 1.0 else (f"The photos are dark: all images here are shown {self.brightness:g} "
                                                  "times as bright as they are.")

    @property
    def predicted(self) -> Sequence[AttributeContent]:
        """The attributes whose predictions were measured."""
        return [a for a in self.attributes if a.prediction is not None]

    @property
    def ranked_attributes(self) -> Sequence[AttributeContent]:
        """The attributes in this order: shown_first, those at a bound, those that changed most."""
        first = {label: rank for rank, label in enumerate(self.shown_first)}
        return sorted(self.attributes, key=lambda a: (first.get(a.label, len(first)), not a.at_bound, -a.change))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Notes, then one sentence for each attribute at a bound."""
        return (*self.notes, *(a.warning for a in self.attributes if a.warning))
