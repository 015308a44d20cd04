"""The report of a run: an HTML file that opens offline, and a picture of its first view."""

import io
from pathlib import Path

from scenefit.files import atomic as files
from scenefit.files.text import printable
from scenefit.report import page, picture
from scenefit.report.content import (
    AttributeContent,
    Baseline,
    BaselineDetections,
    BaselineErrors,
    Counts,
    Detections,
    ErrorAnalysis,
    Interval,
    LabelConvention,
    Mistakes,
    Outliers,
    Prediction,
    Quartiles,
    Reconstructions,
    ReportContent,
    SizeGroup,
    Table,
    TracePoint,
)

__all__ = [
    "AttributeContent",
    "Baseline",
    "BaselineDetections",
    "BaselineErrors",
    "Counts",
    "Detections",
    "ErrorAnalysis",
    "Interval",
    "LabelConvention",
    "Mistakes",
    "Outliers",
    "Prediction",
    "Quartiles",
    "Reconstructions",
    "ReportContent",
    "SizeGroup",
    "Table",
    "TracePoint",
    "write",
]


def write(content: ReportContent, folder: Path | str) -> tuple[Path, Path]:
    """Write report.html and report.png into folder, each whole or not at all; returns their paths.

    The same content gives the same bytes.
    """
    held = io.BytesIO()
    picture.first_view(content).save(held, "PNG")
    text = printable(page.render(content))
    html_path, png_path = Path(folder) / "report.html", Path(folder) / "report.png"
    files.write_text(html_path, text)
    files.write_bytes(png_path, held.getvalue())
    return html_path, png_path
