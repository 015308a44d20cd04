"""The report as one HTML file that opens offline: Jinja2 with escaping on, images and plotly.js inlined."""

import base64
import html
import io
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image
from plotly.offline import get_plotlyjs

from scenefit.report import detections, style
from scenefit.report.content import AttributeContent, FoundBy, Images, ReportContent, Table

DETECTIONS = 1116  # pixels, of a row of photos with what was found
LARGEST = 320  # pixels; larger photos are brought down to it
FONT = {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", "size": 13,
        "color": style.SOFT}


def render(story: ReportContent) -> str:
    """The whole page. Every string of the story is taken as plain text, whatever it holds."""
    text = resources.files("scenefit.report").joinpath("page.html").read_text("utf-8")
    world = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    charts: dict[str, Any] = {}
    if story.table is not None:
        charts["chart-table"] = arms(story.table)
    if style.stages(story.trace):
        charts["chart-distance"] = distance(story)
    for place, attribute in enumerate(story.attributes):
        charts[f"chart-attribute-{place}"] = histogram(attribute)
    return world.from_string(text).render(
        story=story, look=style, charts=charts, plotly=Markup(get_plotlyjs()) if charts else "",
        panels=[_panel(role, title, images) for role, title, images in story.panels],
        mistakes={arm: list(zip(map(_source, found.images), found.captions, strict=True))
                  for arm, found in story.errors.items()},
        detections=detections, found=_detections(story), strangers=_strangers(story),
        distances=_distances(story), pixelated=_pixelated)


def _detections(story: ReportContent) -> list[tuple[FoundBy, list[str]]]:
    """Each model with its pictures as data URLs, at their full size."""
    told = story.detections
    return [] if told is None else [(found, [_picture(p) for p in pictures])
                                    for found, pictures in detections.rows(told, DETECTIONS)]


def _strangers(story: ReportContent) -> list[tuple[str, str]]:
    told = story.strangers
    return [] if told is None else list(zip(map(_source, told.images), told.captions, strict=True))


def _panel(role: str, title: str, images: Images) -> dict[str, Any]:
    longest = max(images.shape[1:3])
    columns = 6 if longest <= 48 else 4 if longest <= 160 else 3
    return {"role": role, "title": title, "columns": min(columns, len(images)), "pixelated": _pixelated(images),
            "sources": [_source(image) for image in images[:columns * 4]]}


def _pixelated(images: Images) -> bool:
    """Small images keep their pixels when a browser enlarges them."""
    return bool(max(images.shape[1:3]) <= 128)


def _source(image: Images) -> str:
    """An image as a data URL."""
    picture = Image.fromarray(image)
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return _picture(picture)


def _picture(picture: Image.Image) -> str:
    held = io.BytesIO()
    picture.save(held, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode("ascii")


def _distances(story: ReportContent) -> str:
    """The distance chart in words, for those who cannot see it."""
    parts = []
    if story.prior_distance is not None and np.isfinite(story.prior_distance):
        parts.append(f"grammar {style.number(story.prior_distance)}")
    runs = style.stages(story.trace)
    if runs:
        parts.append(f"last step {style.number(runs[-1][1][-1].distance)}")
    if story.floor is not None and np.isfinite(story.floor.value):
        floor = story.floor
        parts.append(f"floor, photos against photos, {style.number(floor.value)} "
                     f"({style.number(floor.low)} to {style.number(floor.high)})")
    return "; ".join(parts)


def arms(table: Table) -> dict[str, Any]:
    """Plotly figure: dots with intervals, one row an arm, single repeats as ticks."""
    factor = 100.0 if table.percent else 1.0
    traces: list[dict[str, Any]] = []
    for place, arm in enumerate(table.rows):
        fill, edge = style.paint(arm.name)
        bounded = np.isfinite(arm.low) and np.isfinite(arm.high)
        ends = {"type": "data", "symmetric": False, "array": _plain([factor * (arm.high - arm.mean)]),
                "arrayminus": _plain([factor * (arm.mean - arm.low)]), "color": edge, "thickness": 3, "width": 0}
        text = f"{_safe(arm.name)}: {style.metric(table, arm.mean)}"
        text += f" ({style.interval(table, arm)})" if bounded else ""
        traces.append({"type": "scatter", "mode": "markers", "x": _plain(factor * np.asarray(arm.values, float)),
                       "y": [place + 0.27] * len(arm.values), "hoverinfo": "x",
                       "marker": {"symbol": "line-ns-open", "size": 8, "color": edge, "opacity": 0.7}})
        traces.append({"type": "scatter", "mode": "markers", "x": _plain([factor * arm.mean]), "y": [place],
                       "text": [text], "hoverinfo": "text",
                       "marker": {"size": 13, "color": fill, "line": {"color": edge, "width": 2}},
                       **({"error_x": ends} if bounded else {})})
    rows = len(table.rows)
    names = [_safe(style.cut(arm.name, 24)) for arm in table.rows]
    layout = _layout(60 + 46 * rows, l=10, r=16, t=6, b=30)
    layout["xaxis"] |= {"showgrid": True}
    layout["yaxis"] |= {"tickvals": list(range(rows)), "ticktext": names, "range": [rows - 0.4, -0.6],
                        "automargin": True, "ticklabelstandoff": 10, "showgrid": False,
                        "tickfont": {"size": 14, "color": style.INK}}
    return {"data": traces, "layout": layout}


def distance(story: ReportContent) -> dict[str, Any]:
    """Plotly figure: the distance over renders, the grammar's as a dashed line, the floor as a band."""
    points = [point for _, run in style.stages(story.trace) for point in run]
    x = [point.renders for point in points]
    ends = [min(0, x[0]), max(x) or 1]
    traces = [{"type": "scatter", "mode": "lines+markers", "name": "learned", "x": x,
               "y": _plain([point.distance for point in points]), "text": [_safe(point.stage) for point in points],
               "hovertemplate": "%{y:.4g} after %{x:,} renders<br>%{text}<extra></extra>",
               "line": {"color": style.paint("learned").fill, "width": 2.4}, "marker": {"size": 5}}]
    far = style.out_of_sight(story)
    lines = [] if far else [("grammar", story.prior_distance, style.paint("grammar").edge, "dash")]
    shapes: list[dict[str, Any]] = []
    if story.floor is not None:
        lines.append(("photos against photos (floor)", story.floor.value, style.DARK, "solid"))
        if np.isfinite(story.floor.low) and np.isfinite(story.floor.high):
            shapes.append({"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": float(story.floor.low),
                           "y1": float(story.floor.high), "fillcolor": style.DARK, "opacity": 0.13,
                           "line": {"width": 0}, "layer": "below"})
    for name, value, colour, dash in lines:
        if value is not None and np.isfinite(value):
            traces.append({"type": "scatter", "mode": "lines", "name": name, "x": ends, "y": [float(value)] * 2,
                           "hovertemplate": f"{name} %{{y:.4g}}<extra></extra>",
                           "line": {"color": colour, "width": 2, "dash": dash}})
    layout = _layout(380, l=10, r=16, t=56, b=46)
    layout |= {"shapes": shapes, "annotations": [], "showlegend": True,
               "legend": {"orientation": "h", "x": 0, "y": 1.1, "yanchor": "bottom", "font": {"size": 13}}}
    _mark_stages(layout, story, ends)
    if far:
        layout["annotations"].append({"text": style.above(story), "x": 1, "y": 1, "xref": "paper", "yref": "paper",
                                      "xanchor": "right", "yanchor": "top", "showarrow": False,
                                      "font": {"color": style.paint("grammar").edge, "size": 13}})
    layout["xaxis"] |= {"title": {"text": "renders", "font": {"size": 13}}, "tickformat": ",",
                        "range": [ends[0], ends[1] * 1.02]}
    layout["yaxis"] |= {"automargin": True, "ticklabelstandoff": 6}
    return {"data": traces, "layout": layout}


def _mark_stages(layout: dict[str, Any], story: ReportContent, ends: Sequence[float]) -> None:
    """A dotted line and a name where a stage begins; names only where they find room."""
    runs = style.stages(story.trace)
    starts = [ends[0], *(run[0].renders for _, run in runs[1:]), ends[1]]
    for place, (stage, _) in enumerate(runs):
        if place:
            layout["shapes"].append({"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": starts[place],
                                     "x1": starts[place], "line": {"color": style.SOFT, "width": 1, "dash": "dot"}})
        if stage and starts[place + 1] - starts[place] > 0.012 * (len(stage) + 2) * (ends[1] - ends[0]):
            layout["annotations"].append({"text": _safe(stage), "x": starts[place], "y": 1, "yref": "paper",
                                          "xanchor": "left", "yanchor": "bottom", "showarrow": False})


def histogram(attribute: AttributeContent) -> dict[str, Any]:
    """Plotly figure: before and after as bars, the truth as an outline, each scaled to its own tallest bin."""
    found = style.bars(attribute)
    centres, widths = (found.edges[:-1] + found.edges[1:]) / 2, np.diff(found.edges)
    traces: list[dict[str, Any]] = []
    for role, opacity in (("before", 0.55), ("after", 0.75)):
        if role in found.heights:
            traces.append({"type": "bar", "name": role, "x": _plain(centres), "y": _plain(found.scaled(role)),
                           "width": _plain(widths), "customdata": _plain(found.heights[role]), "opacity": opacity,
                           "marker": {"color": style.paint(role).fill, "line": {"width": 0}},
                           "hovertemplate": f"{role}: %{{customdata:.1%}} at %{{x:.4g}}<extra></extra>"})
    for role, width in (("before", 1), ("truth", 1.8)):  # before again, where what was learned hides it
        if role in found.heights:
            outline = np.concatenate([[0], np.repeat(found.scaled(role), 2), [0]])
            traces.append({"type": "scatter", "mode": "lines", "name": role, "x": _plain(np.repeat(found.edges, 2)),
                           "y": _plain(outline), "hoverinfo": "skip",
                           "line": {"color": style.paint(role).edge, "width": width}})
    layout = _layout(170, l=18, r=18, t=6, b=26)
    layout |= {"barmode": "overlay", "bargap": 0}
    layout["yaxis"] |= {"range": [0, 1.06], "visible": False}
    layout["xaxis"] |= {"range": _plain([found.edges[0], found.edges[-1]]), "nticks": 6, "ticks": "outside",
                        "ticklabeloverflow": "allow", "showline": True, "linecolor": style.SOFT,
                        "tickcolor": style.SOFT}
    if attribute.circular:
        layout["xaxis"] |= {"tickvals": list(style.TURN), "ticktext": list(style.TURN.values())}
    elif found.ticks is not None:
        places, names = style.bin_labels(found, 30)
        layout["xaxis"] |= {"tickvals": places, "ticktext": [_safe(name) for name in names], "tickangle": 0}
    if attribute.pressed:
        at = float(found.edges[0 if attribute.pressed == "low" else -1])
        layout["shapes"] = [{"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1,
                             "line": {"color": style.WARN, "width": 4}}]
    return {"data": traces, "layout": layout}


def _layout(height: int, **margin: int) -> dict[str, Any]:
    return {"height": height, "margin": margin, "font": FONT, "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff",
            "showlegend": False, "hoverlabel": {"font": FONT | {"color": "#ffffff"}, "bgcolor": style.INK},
            "xaxis": {"zeroline": False, "showgrid": False, "gridcolor": style.LINE, "fixedrange": True},
            "yaxis": {"zeroline": False, "gridcolor": style.LINE, "fixedrange": True}}


def _plain(values: Any) -> list[float | None]:
    """Numbers that JSON can hold: null where they are not finite."""
    return [round(float(v), 10) if np.isfinite(v) else None for v in values]


def _safe(text: str) -> str:
    """Plotly reads a little HTML in its labels; this keeps a name what it is."""
    return html.escape(text, quote=False)
