"""Charts of the picture, drawn by matplotlib without a display. Sizes are in pixels."""

import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageFont

from scenefit.report.charts import histograms, style
from scenefit.report.content import AttributeContent, ReportContent, Table

DPI = 100
STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"], "font.size": 10, "axes.labelsize": 10, "xtick.labelsize": 10,
    "ytick.labelsize": 10, "text.color": style.INK, "axes.labelcolor": style.SOFT, "xtick.color": style.SOFT,
    "ytick.color": style.SOFT, "axes.edgecolor": style.LINE, "axes.spines.top": False, "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.parse_math": False,  # a user's "$" is a dollar
}


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib, so that the picture is the same on every machine."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")), size)


def fitted(text: str, type_: ImageFont.FreeTypeFont, width: int) -> str:
    """Text of at most width pixels, cut with an ellipsis."""
    if type_.getlength(text) <= width:
        return text
    while text and type_.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def baselines(table: Table, width: int, height: int) -> Image.Image:
    """Dots with intervals, one row per baseline, the numbers at the right."""
    type_ = font(17)  # 12 points
    names = [fitted(" ".join(row.name.split()), type_, 190) for row in table.rows]

    def draw(axes: Axes) -> None:
        factor = 100.0 if table.percent else 1.0
        for place, row in enumerate(table.rows):
            fill, edge = style.paint(row.name)
            if np.isfinite(row.low) and np.isfinite(row.high):
                axes.plot([factor * row.low, factor * row.high], [place, place], color=edge, lw=3,
                          solid_capstyle="round", zorder=2)
            values = np.asarray(row.values, float) * factor
            axes.plot(values, np.full(len(values), place + 0.27), "|", color=edge, ms=6, alpha=0.7, zorder=2)
            axes.plot([factor * row.mean], [place], "o", ms=9.5, color=fill, mec=edge, mew=2, zorder=3, clip_on=False)
            axes.annotate(style.metric(table, row.mean), (1, place), (16, 0), ("axes fraction", "data"),
                          "offset points", va="center", fontsize=12, fontweight="bold")
            axes.annotate(style.interval(table, row), (1, place), (66, 0), ("axes fraction", "data"), "offset points",
                          va="center", fontsize=10, color=style.SOFT)
        axes.set_yticks(range(len(names)), names, fontsize=12, color=style.INK)
        axes.set_ylim(len(table.rows) - 0.4, -0.6)
        axes.set_xlim(*_room(table, factor))
        axes.grid(axis="x", color=style.LINE)
        axes.tick_params(length=0, pad=8)
        axes.spines["left"].set_visible(False)

    longest = max(map(type_.getlength, names), default=0)
    return figure(draw, width, height, (24 + 1.03 * longest, 200, 12, 30))


def _room(table: Table, factor: float) -> tuple[float, float]:
    """Limits of the axis: all values with a margin."""
    ends = np.array([x for row in table.rows for x in (row.mean, row.low, row.high, *row.values)], float) * factor
    ends = ends[np.isfinite(ends)]
    if not len(ends):
        return 0.0, factor
    span = max(float(np.ptp(ends)), 0.02 * factor)
    return float(ends.min()) - 0.06 * span, float(ends.max()) + 0.06 * span


def distance(content: ReportContent, width: int, height: int) -> Image.Image:
    """The distance over renders, with that of the grammar, and the noise floor between photos."""
    def draw(axes: Axes) -> None:
        runs = style.stages(content.trace)
        x = np.array([p.renders for _, run in runs for p in run], float)
        y = np.array([p.distance for _, run in runs for p in run])
        learned = style.paint("learned").fill
        axes.plot(x, y, "-", color=learned, lw=2.2, zorder=4, label="learned")
        if len(x) < 60:
            axes.plot(x, y, "o", color=learned, ms=4.5, zorder=4, clip_on=False)
        axes.set_xlim(min(0.0, x.min()), x.max() * 1.02 or 1)
        axes.margins(y=0.12)
        off_chart = style.is_off_chart(content)
        if not off_chart and content.prior_distance is not None and np.isfinite(content.prior_distance):
            axes.axhline(content.prior_distance, color=style.paint("grammar").edge, lw=2, ls=(0, (5, 3)),
                         label="grammar")
        if content.floor is not None and np.isfinite(content.floor.value):
            axes.axhspan(content.floor.low, content.floor.high, color=style.DARK, alpha=0.13, lw=0)
            axes.axhline(content.floor.value, color=style.DARK, lw=1.4, label="photos against photos (noise floor)")
        if off_chart:  # once the noise floor lies within the limits
            low, high = axes.get_ylim()
            axes.set_ylim(low, high + 0.16 * (high - low))  # room for the text
            axes.annotate(style.off_chart_text(content), (1, 1), (-4, -14), "axes fraction", "offset points",
                          ha="right", color=style.paint("grammar").edge, fontweight="bold", zorder=5,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 2})
        _mark_stages(axes, runs)
        axes.grid(axis="y", color=style.LINE)
        axes.tick_params(length=0, pad=6)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", integer=True)
        axes.xaxis.set_major_formatter(lambda v, _: f"{v:,.0f}")
        axes.set_xlabel("renders")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.10), ncols=3, frameon=False, fontsize=10.5,
                    handlelength=1.6, columnspacing=1.4, borderaxespad=0)

    return figure(draw, width, height, (64, 14, 62, 52))


def _mark_stages(axes: Axes, runs: Any) -> None:
    """A dotted line and a name where a stage begins; names only if they fit."""
    left, right = axes.get_xlim()
    for place, (stage, run) in enumerate(runs):
        start = run[0].renders if place else left
        end = runs[place + 1][1][0].renders if place + 1 < len(runs) else right
        if place:
            axes.axvline(start, color=style.SOFT, lw=1, ls=(0, (1, 2)))
        wide = (end - start) / (right - left) * axes.get_window_extent().width
        if stage and wide > 9 * len(stage) + 12:
            axes.annotate(stage, (start, 1), (5, 3), ("data", "axes fraction"), "offset points", color=style.SOFT,
                          fontsize=10)


def histogram(attribute: AttributeContent, width: int, height: int) -> Image.Image:
    """Before and after as filled bars, the truth as an outline; each scaled to its own tallest bin."""
    def draw(axes: Axes) -> None:
        bars = histograms.bars(attribute)
        for role, alpha in (("before", 0.55), ("after", 0.75)):
            if role in bars.heights:
                axes.stairs(bars.scaled(role), bars.edges, fill=True, color=style.paint(role).fill, alpha=alpha, lw=0)
        if "before" in bars.heights:  # its edge again, which the learned bars hide
            axes.stairs(bars.scaled("before"), bars.edges, color=style.paint("before").edge, lw=1)
        if "truth" in bars.heights:
            axes.stairs(bars.scaled("truth"), bars.edges, color=style.DARK, lw=1.6)
        axes.set_xlim(bars.edges[0], bars.edges[-1])
        axes.set_ylim(0, 1.06)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_color(style.SOFT)
        axes.tick_params(length=3, color=style.SOFT)
        if attribute.circular:
            axes.set_xticks(list(style.TURN), list(style.TURN.values()))
        elif bars.ticks is not None:
            axes.set_xticks(*histograms.bin_labels(bars, (width - 40) // 8))
        else:
            axes.locator_params(axis="x", nbins=5)
        for mark, end in (("low", 0), ("high", 1)):
            if attribute.at_bound == mark:
                axes.axvline(bars.edges[-end], color=style.WARN, lw=3, clip_on=False)

    return figure(draw, width, height, (20, 20, 6, 28))


def figure(draw: Callable[[Axes], None], width: int, height: int,
           margins: tuple[float, float, float, float]) -> Image.Image:
    """A figure with one axes inside margins (left, right, top, bottom), as an image. Global settings do not change."""
    left, right, top, bottom = margins
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        page = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        canvas = FigureCanvasAgg(page)
        draw(page.add_axes((left / width, bottom / height, (width - left - right) / width,
                            (height - top - bottom) / height)))
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
