"""The report as one HTML file that opens offline: Jinja2 with escaping on, images and plotly.js inlined."""

import base64
import io
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image
from plotly.offline import get_plotlyjs

from scenefit.report import conventions, detections, segmentations
from scenefit.report.charts import errors, interactive, interactive_errors, style
from scenefit.report.content import BaselineDetections, Images, ReportContent

DETECTIONS_WIDTH = 1116  # pixels, of a row of photos with detections
CONVENTION_WIDTH = 270  # pixels, of an image with labels
MAX_SIDE = 320  # pixels; larger images are reduced to it


def render(content: ReportContent) -> str:
    """The whole page. All texts of the content are escaped."""
    text = resources.files("scenefit.report").joinpath("page.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                                     lstrip_blocks=True)
    charts: dict[str, Any] = {}
    if content.table is not None:
        charts["chart-table"] = interactive.baselines(content.table)
    if style.stages(content.trace):
        charts["chart-distance"] = interactive.distance(content)
    if content.detections is not None and content.detections.errors is not None:
        figures = interactive_errors.charts(content.detections.errors)
        charts |= {f"chart-errors-{name}": figure for name, figure in figures._asdict().items()}
    for number, attribute in enumerate(content.attributes):
        charts[f"chart-attribute-{number}"] = interactive.histogram(attribute)
    return environment.from_string(text).render(
        content=content, style=style, charts=charts, plotly=Markup(get_plotlyjs()) if charts else "",
        panels=[_panel(role, title, images) for role, title, images in content.panels],
        mistakes={name: list(zip(map(_source, mistakes.images), mistakes.captions, strict=True))
                  for name, mistakes in content.errors.items()},
        detections=detections, baselines=_detections(content), errors=errors,
        conventions=conventions.section(content.detections, content.segmentations, CONVENTION_WIDTH),
        picture=_picture,
        segmentations=segmentations, segmented=_segmented(content), outliers=_outliers(content),
        reconstructions=_reconstructions(content),
        distances=_distances(content), pixelated=_pixelated)


def _detections(content: ReportContent) -> list[tuple[BaselineDetections, list[str]]]:
    """The detections on each baseline, with their pictures as data URLs, at full size."""
    shown = content.detections
    return [] if shown is None else [(one, [_picture(p) for p in pictures])
                                     for one, pictures in detections.rows(shown, DETECTIONS_WIDTH)]


def _segmented(content: ReportContent) -> list[list[str]]:
    """The pictures of each photo, of all columns, as data URLs."""
    shown = content.segmentations
    return [] if shown is None else [list(map(_picture, row))
                                     for row in segmentations.rows(shown, DETECTIONS_WIDTH)]


def _outliers(content: ReportContent) -> list[tuple[str, str]]:
    outliers = content.outliers
    return [] if outliers is None else list(zip(map(_source, outliers.images), outliers.captions, strict=True))


def _reconstructions(content: ReportContent) -> list[tuple[str, str]]:
    shown = content.reconstructions
    return [] if shown is None else list(zip(map(_source, shown.photos), map(_source, shown.renders), strict=True))


def _panel(role: str, title: str, images: Images) -> dict[str, Any]:
    longest = max(images.shape[1:3])
    columns = 6 if longest <= 48 else 4 if longest <= 160 else 3
    return {"role": role, "title": title, "columns": min(columns, len(images)), "pixelated": _pixelated(images),
            "sources": [_source(image) for image in images[:columns * 4]]}


def _pixelated(images: Images) -> bool:
    """Whether a browser must not smooth the images when it enlarges them."""
    return bool(max(images.shape[1:3]) <= 128)


def _source(image: Images) -> str:
    """An image as a data URL."""
    picture = Image.fromarray(image)
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return _picture(picture)


def _picture(picture: Image.Image) -> str:
    held = io.BytesIO()
    picture.save(held, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode("ascii")


def _distances(content: ReportContent) -> str:
    """The distance chart in words, for readers who cannot see it."""
    parts = []
    if content.prior_distance is not None and np.isfinite(content.prior_distance):
        parts.append(f"grammar {style.number(content.prior_distance)}")
    runs = style.stages(content.trace)
    if runs:
        parts.append(f"last step {style.number(runs[-1][1][-1].distance)}")
    if content.floor is not None and np.isfinite(content.floor.value):
        floor = content.floor
        parts.append(f"noise floor, photos against photos, {style.number(floor.value)} "
                     f"({style.number(floor.low)} to {style.number(floor.high)})")
    return "; ".join(parts)
