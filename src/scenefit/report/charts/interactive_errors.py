"""Charts of detectors' mistakes on the page, as plotly figures in plain JSON values."""

from typing import Any

import numpy as np

from scenefit.report.charts import errors, histograms, style
from scenefit.report.charts.interactive import plain, plain_layout, safe
from scenefit.report.content import ErrorAnalysis

HEIGHT = 330


def charts(shown: ErrorAnalysis) -> errors.Charts:
    """The plotly figures."""
    return errors.Charts(_curves(shown), _sizes(shown), _kinds(shown), _sides(shown))


def _curves(shown: ErrorAnalysis) -> dict[str, Any]:
    """Objects missed over false detections per photo; a dot where a detector has no more detections."""
    lowest, traces = errors.lowest(shown), []
    for one in shown.baselines:
        x, y = errors.steps(one, lowest)
        ends = one.false[-1] <= errors.MOST
        traces.append({"type": "scatter", "mode": "lines+markers", "name": safe(one.baseline), "x": plain(x),
                       "y": plain(y), "line": {"shape": "hv", "width": 2.4, "color": style.paint(one.baseline).edge,
                                               "dash": "dash" if errors.is_dashed(one.baseline) else "solid"},
                       "marker": {"size": [0] * (len(x) - 1) + [8 * ends]},
                       "hovertemplate": f"{safe(one.baseline)}: %{{y:.1f}} % missed at %{{x:.2g}}<extra></extra>"})
    layout = plain_layout(HEIGHT, l=10, r=16, t=34, b=46)
    layout |= {"showlegend": True, "shapes": [], "annotations": [],
               "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 13}}}
    layout["xaxis"] |= _titled(errors.AXES.curve) | {
        "type": "log", "range": plain(np.log10([lowest, errors.MOST])), "tickvals": errors.ticks(shown),
        "ticktext": [f"{tick:.3g}" for tick in errors.ticks(shown)], "ticklabelstandoff": 4}
    layout["yaxis"] |= _percent([value for trace in traces for value in trace["y"]])
    if shown.at >= lowest:
        layout["shapes"].append({"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": shown.at, "x1": shown.at,
                                 "line": {"color": style.SOFT, "width": 1, "dash": "dot"}})
        layout["annotations"].append({"text": "compared here", "x": float(np.log10(shown.at)), "y": 1, "yref": "paper",
                                      "xanchor": "left", "yanchor": "top", "showarrow": False})
    return {"data": traces, "layout": layout}


def _sizes(shown: ErrorAnalysis) -> dict[str, Any]:
    """Percent of the objects missed, in bars for each size."""
    names = ["<br>".join(errors.size_label(size)) for size in shown.sizes]
    traces = [{"type": "bar", "name": safe(one.baseline), "x": names, "y": plain(100 * np.array(one.by_size)),
               "marker": _marker(one.baseline), "text": [f"{100 * share:.0f}" for share in one.by_size],
               "textposition": "outside", "cliponaxis": False,
               "hovertemplate": f"{safe(one.baseline)}: %{{y:.1f}} % missed<extra></extra>"} for one in shown.baselines]
    layout = plain_layout(HEIGHT, l=10, r=16, t=34, b=46) | {"bargap": 0.3}
    layout["xaxis"] |= {"tickfont": {"color": style.INK}}
    layout["yaxis"] |= _percent([100 * share for one in shown.baselines for share in one.by_size])
    return {"data": traces, "layout": layout}


def _kinds(shown: ErrorAnalysis) -> dict[str, Any]:
    """False detections per photo in one bar for each baseline, by what they are."""
    names = [safe(histograms.cut(one.baseline, 24)) for one in shown.baselines]
    traces = []
    for kind, colour in errors.KINDS.items():
        values = [one.kinds.get(kind, 0.0) for one in shown.baselines]
        traces.append({"type": "bar", "orientation": "h", "name": kind, "x": plain(values),
                       "y": list(range(len(names))), "marker": {"color": colour},
                       "text": [f"{value:.2f}" if value else "" for value in values],
                       "textposition": "inside", "insidetextanchor": "middle", "textangle": 0,
                       "hovertemplate": f"{kind}: %{{x:.2f}} per photo<extra></extra>"})
    layout = plain_layout(HEIGHT, l=10, r=16, t=54, b=46)
    layout |= {"barmode": "stack", "bargap": 0.4, "showlegend": True, "uniformtext": {"minsize": 11, "mode": "hide"},
               "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 13},
                          "traceorder": "normal"}}
    layout["xaxis"] |= _titled(errors.AXES.kinds) | {"showgrid": True}
    layout["yaxis"] |= _named(names)
    return {"data": traces, "layout": layout}


def _sides(shown: ErrorAnalysis) -> dict[str, Any]:
    """Median and quartiles of the boxes' sides over those of labels, a row for each class."""
    classes, traces = errors.shown_classes(shown), []
    for offset, one in zip(errors.offsets(len(shown.baselines)), shown.baselines, strict=True):
        fill, edge = style.paint(one.baseline)
        there = [(place, *one.sides[name]) for place, name in enumerate(classes) if name in one.sides]
        place, low, median, high = np.array(there, float).reshape(-1, 4).T
        traces.append({"type": "scatter", "mode": "markers", "name": safe(one.baseline), "x": plain(median),
                       "y": plain(place + offset), "customdata": np.stack([low, high], 1).tolist(),
                       "error_x": {"type": "data", "symmetric": False, "array": plain(high - median),
                                   "arrayminus": plain(median - low), "color": edge, "thickness": 3, "width": 0},
                       "marker": {"size": 10, "color": fill, "line": {"color": edge, "width": 2}},
                       "hovertemplate": f"{safe(one.baseline)}: %{{x:.2f}} (%{{customdata[0]:.2f}} to "
                                        "%{customdata[1]:.2f})<extra></extra>"})
    layout = plain_layout(max(HEIGHT, 90 + 44 * len(classes)), l=10, r=16, t=54, b=46)
    layout["shapes"] = [{"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1,
                         "line": {"color": style.DARK, "width": 1.2}}]
    layout["xaxis"] |= _titled(errors.AXES.sides) | {"showgrid": True, "range": plain(errors.side_range(shown))}
    layout["yaxis"] |= _named([safe(histograms.cut(name, 24)) for name in classes])
    return {"data": traces, "layout": layout}


def _marker(baseline: str) -> dict[str, Any]:
    fill, edge = style.paint(baseline)
    return {"color": fill, "line": {"color": edge, "width": 1}}


def _titled(text: str) -> dict[str, Any]:
    return {"title": {"text": text, "font": {"size": 13}}}


def _percent(values: Any) -> dict[str, Any]:
    return _titled(errors.AXES.sizes) | {"range": [0, errors.highest(values)], "automargin": True,
                                          "ticklabelstandoff": 6}


def _named(names: list[str]) -> dict[str, Any]:
    """A vertical axis with a row for each name, the first on top."""
    return {"tickvals": list(range(len(names))), "ticktext": names, "range": [len(names) - 0.4, -0.6],
            "automargin": True, "ticklabelstandoff": 10, "showgrid": False,
            "tickfont": {"size": 14, "color": style.INK}}
