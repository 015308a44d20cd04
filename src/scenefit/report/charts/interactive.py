"""Charts of the page, as plotly figures in plain JSON values."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from scenefit.report.charts import histograms, style
from scenefit.report.content import AttributeContent, ReportContent, Table

FONT = {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif", "size": 13,
        "color": style.SOFT}


def baselines(table: Table) -> dict[str, Any]:
    """Plotly figure: dots with intervals, one row per baseline, single repeats as ticks."""
    factor = 100.0 if table.percent else 1.0
    traces: list[dict[str, Any]] = []
    for place, row in enumerate(table.rows):
        fill, edge = style.paint(row.name)
        bounded = np.isfinite(row.low) and np.isfinite(row.high)
        ends = {"type": "data", "symmetric": False, "array": plain([factor * (row.high - row.mean)]),
                "arrayminus": plain([factor * (row.mean - row.low)]), "color": edge, "thickness": 3, "width": 0}
        text = f"{safe(row.name)}: {style.metric(table, row.mean)}"
        text += f" ({style.interval(table, row)})" if bounded else ""
        traces.append({"type": "scatter", "mode": "markers", "x": plain(factor * np.asarray(row.values, float)),
                       "y": [place + 0.27] * len(row.values), "hoverinfo": "x",
                       "marker": {"symbol": "line-ns-open", "size": 8, "color": edge, "opacity": 0.7}})
        traces.append({"type": "scatter", "mode": "markers", "x": plain([factor * row.mean]), "y": [place],
                       "text": [text], "hoverinfo": "text",
                       "marker": {"size": 13, "color": fill, "line": {"color": edge, "width": 2}},
                       **({"error_x": ends} if bounded else {})})
    rows = len(table.rows)
    names = [safe(histograms.cut(row.name, 24)) for row in table.rows]
    layout = plain_layout(60 + 46 * rows, l=10, r=16, t=6, b=30)
    layout["xaxis"] |= {"showgrid": True}
    layout["yaxis"] |= {"tickvals": list(range(rows)), "ticktext": names, "range": [rows - 0.4, -0.6],
                        "automargin": True, "ticklabelstandoff": 10, "showgrid": False,
                        "tickfont": {"size": 14, "color": style.INK}}
    return {"data": traces, "layout": layout}


def distance(content: ReportContent) -> dict[str, Any]:
    """Plotly figure: the distance over renders, that of the grammar as a dashed line, the noise floor as a band."""
    points = [point for _, run in style.stages(content.trace) for point in run]
    x = [point.renders for point in points]
    ends = [min(0, x[0]), max(x) or 1]
    traces = [{"type": "scatter", "mode": "lines+markers", "name": "learned", "x": x,
               "y": plain([point.distance for point in points]), "text": [safe(point.stage) for point in points],
               "hovertemplate": "%{y:.4g} after %{x:,} renders<br>%{text}<extra></extra>",
               "line": {"color": style.paint("learned").fill, "width": 2.4}, "marker": {"size": 5}}]
    far = style.is_off_chart(content)
    lines = [] if far else [("grammar", content.prior_distance, style.paint("grammar").edge, "dash")]
    shapes: list[dict[str, Any]] = []
    if content.floor is not None:
        lines.append(("photos against photos (noise floor)", content.floor.value, style.DARK, "solid"))
        if np.isfinite(content.floor.low) and np.isfinite(content.floor.high):
            shapes.append({"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": float(content.floor.low),
                           "y1": float(content.floor.high), "fillcolor": style.DARK, "opacity": 0.13,
                           "line": {"width": 0}, "layer": "below"})
    for name, value, colour, dash in lines:
        if value is not None and np.isfinite(value):
            traces.append({"type": "scatter", "mode": "lines", "name": name, "x": ends, "y": [float(value)] * 2,
                           "hovertemplate": f"{name} %{{y:.4g}}<extra></extra>",
                           "line": {"color": colour, "width": 2, "dash": dash}})
    layout = plain_layout(380, l=10, r=16, t=56, b=46)
    layout |= {"shapes": shapes, "annotations": [], "showlegend": True,
               "legend": {"orientation": "h", "x": 0, "y": 1.1, "yanchor": "bottom", "font": {"size": 13}}}
    _mark_stages(layout, content, ends)
    if far:
        layout["annotations"].append({"text": style.off_chart_text(content), "x": 1, "y": 1, "xref": "paper",
                                      "yref": "paper", "xanchor": "right", "yanchor": "top", "showarrow": False,
                                      "font": {"color": style.paint("grammar").edge, "size": 13}})
    layout["xaxis"] |= {"title": {"text": "renders", "font": {"size": 13}}, "tickformat": ",",
                        "range": [ends[0], ends[1] * 1.02]}
    layout["yaxis"] |= {"automargin": True, "ticklabelstandoff": 6}
    return {"data": traces, "layout": layout}


def _mark_stages(layout: dict[str, Any], content: ReportContent, ends: Sequence[float]) -> None:
    """A dotted line and a name where a stage begins; names only if they fit."""
    runs = style.stages(content.trace)
    starts = [ends[0], *(run[0].renders for _, run in runs[1:]), ends[1]]
    for place, (stage, _) in enumerate(runs):
        if place:
            layout["shapes"].append({"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": starts[place],
                                     "x1": starts[place], "line": {"color": style.SOFT, "width": 1, "dash": "dot"}})
        if stage and starts[place + 1] - starts[place] > 0.012 * (len(stage) + 2) * (ends[1] - ends[0]):
            layout["annotations"].append({"text": safe(stage), "x": starts[place], "y": 1, "yref": "paper",
                                          "xanchor": "left", "yanchor": "bottom", "showarrow": False})


def histogram(attribute: AttributeContent) -> dict[str, Any]:
    """Plotly figure: before and after as bars, the truth as an outline, each scaled to its own tallest bin."""
    bars = histograms.bars(attribute)
    centres, widths = (bars.edges[:-1] + bars.edges[1:]) / 2, np.diff(bars.edges)
    traces: list[dict[str, Any]] = []
    for role, opacity in (("before", 0.55), ("after", 0.75)):
        if role in bars.heights:
            traces.append({"type": "bar", "name": role, "x": plain(centres), "y": plain(bars.scaled(role)),
                           "width": plain(widths), "customdata": plain(bars.heights[role]), "opacity": opacity,
                           "marker": {"color": style.paint(role).fill, "line": {"width": 0}},
                           "hovertemplate": f"{role}: %{{customdata:.1%}} at %{{x:.4g}}<extra></extra>"})
    for role, width in (("before", 1), ("truth", 1.8)):  # before again, which the learned bars hide
        if role in bars.heights:
            outline = np.concatenate([[0], np.repeat(bars.scaled(role), 2), [0]])
            traces.append({"type": "scatter", "mode": "lines", "name": role, "x": plain(np.repeat(bars.edges, 2)),
                           "y": plain(outline), "hoverinfo": "skip",
                           "line": {"color": style.paint(role).edge, "width": width}})
    layout = plain_layout(170, l=18, r=18, t=6, b=26)
    layout |= {"barmode": "overlay", "bargap": 0}
    layout["yaxis"] |= {"range": [0, 1.06], "visible": False}
    layout["xaxis"] |= {"range": plain([bars.edges[0], bars.edges[-1]]), "nticks": 6, "ticks": "outside",
                        "ticklabeloverflow": "allow", "showline": True, "linecolor": style.SOFT,
                        "tickcolor": style.SOFT}
    if attribute.circular:
        layout["xaxis"] |= {"tickvals": list(style.TURN), "ticktext": list(style.TURN.values())}
    elif bars.ticks is not None:
        places, names = histograms.bin_labels(bars, 30)
        layout["xaxis"] |= {"tickvals": places, "ticktext": [safe(name) for name in names], "tickangle": 0}
    if attribute.at_bound:
        at = float(bars.edges[0 if attribute.at_bound == "low" else -1])
        layout["shapes"] = [{"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1,
                             "line": {"color": style.WARN, "width": 4}}]
    return {"data": traces, "layout": layout}


def plain_layout(height: int, **margin: int) -> dict[str, Any]:
    return {"height": height, "margin": margin, "font": FONT, "paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff",
            "showlegend": False, "hoverlabel": {"font": FONT | {"color": "#ffffff"}, "bgcolor": style.INK},
            "xaxis": {"zeroline": False, "showgrid": False, "gridcolor": style.LINE, "fixedrange": True},
            "yaxis": {"zeroline": False, "gridcolor": style.LINE, "fixedrange": True}}


def plain(values: Any) -> list[float | None]:
    """Numbers that JSON can hold: null where they are not finite."""
    return [round(float(v), 10) if np.isfinite(v) else None for v in values]


def safe(text: str) -> str:
    """Escape a label, because plotly interprets some HTML in it."""
    return html.escape(text, quote=False)
