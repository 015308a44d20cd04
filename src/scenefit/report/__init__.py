"""The report of a run: one HTML file that opens offline, and its first view as a picture."""

import io
from pathlib import Path

from scenefit.files import atomic as files
from scenefit.report import page, picture
from scenefit.report.content import (
    AttributeContent,
    Baseline,
    Detections,
    FoundBy,
    Interval,
    Mistakes,
    Outliers,
    ReportContent,
    Table,
    TracePoint,
)

__all__ = [
    "AttributeContent",
    "Baseline",
    "Detections",
    "FoundBy",
    "Interval",
    "Mistakes",
    "Outliers",
    "ReportContent",
    "Table",
    "TracePoint",
    "write",
]


def write(story: ReportContent, folder: Path | str) -> tuple[Path, Path]:
    """Write report.html and report.png into folder, each whole or not at all; returns their paths.

    The same story gives the same bytes.
    """
    held = io.BytesIO()
    picture.first_view(story).save(held, "PNG")
    text = page.render(story)
    html_path, png_path = Path(folder) / "report.html", Path(folder) / "report.png"
    files.write_text(html_path, text)
    files.write_bytes(png_path, held.getvalue())
    return html_path, png_path
