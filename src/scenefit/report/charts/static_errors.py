"""Charts of detectors' mistakes in the picture, drawn by matplotlib. Sizes are in pixels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from scenefit.report.charts import errors, style
from scenefit.report.charts.static import figure, fitted, font
from scenefit.report.content import ErrorAnalysis

LEAST = 0.085  # share of a bar's axis that a number inside it needs


def curves(shown: ErrorAnalysis, width: int, height: int) -> Image.Image:
    """Objects missed over false detections per photo; a dot where a detector has no more detections."""
    def draw(axes: Axes) -> None:
        lowest = errors.lowest(shown)
        drawn = [errors.steps(one, lowest) for one in shown.baselines]
        for one, (x, y) in zip(shown.baselines, drawn, strict=True):
            colour, dashes = style.paint(one.baseline).edge, (0, (4, 2)) if errors.is_dashed(one.baseline) else "-"
            axes.step(x, y, where="post", color=colour, lw=2.2, ls=dashes, label=_names([one.baseline])[0])
            if one.false[-1] <= errors.MOST:
                axes.plot(x[-1:], y[-1:], "o", color=colour, ms=6, clip_on=False)
        axes.set_xscale("log")
        axes.set_xticks(errors.ticks(shown), [f"{tick:.3g}" for tick in errors.ticks(shown)])
        axes.minorticks_off()
        axes.set_xlim(lowest, errors.MOST)
        axes.set_ylim(0, errors.highest([value for _, y in drawn for value in y]))
        _finish(axes, "y")
        axes.set_xlabel(errors.AXES.curve)
        axes.set_ylabel(errors.AXES.sizes)
        _legend(axes, 4)
        if shown.at >= lowest:
            axes.axvline(shown.at, color=style.SOFT, lw=1, ls=(0, (1, 2)))
            axes.annotate("compared here", (shown.at, 1), (4, -2), ("data", "axes fraction"), "offset points", va="top",
                          color=style.SOFT)

    return figure(draw, width, height, (56, 16, 34, 52))


def sizes(shown: ErrorAnalysis, width: int, height: int) -> Image.Image:
    """Percent of the objects missed, in bars for each size."""
    def draw(axes: Axes) -> None:
        _bars(axes, shown)
        axes.set_xticks(range(len(shown.sizes)), ["\n".join(errors.size_label(size)) for size in shown.sizes],
                        color=style.INK)
        axes.set_xlim(-0.6, len(shown.sizes) - 0.4)
        axes.set_ylim(0, errors.highest([100 * share for one in shown.baselines for share in one.by_size]))
        _finish(axes, "y")
        axes.set_ylabel(errors.AXES.sizes)

    return figure(draw, width, height, (56, 16, 34, 52))


def _bars(axes: Axes, shown: ErrorAnalysis) -> None:
    places = errors.offsets(len(shown.baselines))
    wide = 0.7 / max(len(places), 1)
    for offset, one in zip(places, shown.baselines, strict=True):
        fill, edge = style.paint(one.baseline)
        x, y = np.arange(len(shown.sizes)) + offset, 100 * np.array(one.by_size)
        axes.bar(x, y, wide, color=fill, edgecolor=edge, lw=1)
        for at, value in zip(x, y, strict=True):
            axes.annotate(f"{value:.0f}", (at, value), (0, 3), textcoords="offset points", ha="center")


def kinds(shown: ErrorAnalysis, width: int, height: int) -> Image.Image:
    """False detections per photo in one bar for each baseline, by what they are."""
    names = _names([one.baseline for one in shown.baselines])

    def draw(axes: Axes) -> None:
        most = max([sum(one.kinds.values()) for one in shown.baselines] or [0]) or 1.0
        for place, one in enumerate(shown.baselines):
            start = 0.0
            for kind, colour in errors.KINDS.items():
                value = one.kinds.get(kind, 0.0)
                axes.barh(place, value, 0.6, start, color=colour, label="" if place else kind)
                if value > LEAST * most:
                    axes.text(start + value / 2, place, f"{value:.2f}", ha="center", va="center", color=_on(colour))
                start += value
        axes.set_yticks(range(len(names)), names, fontsize=12, color=style.INK)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, most)
        _finish(axes, "x")
        axes.set_xlabel(errors.AXES.kinds)
        _legend(axes, 3)

    return figure(draw, width, height, (_beside(names), 16, 52, 52))


def sides(shown: ErrorAnalysis, width: int, height: int) -> Image.Image:
    """Median and quartiles of the boxes' sides over those of labels, a row for each class."""
    classes = errors.shown_classes(shown)
    names = _names(classes)

    def draw(axes: Axes) -> None:
        axes.axvline(1, color=style.DARK, lw=1.2)
        for offset, one in zip(errors.offsets(len(shown.baselines)), shown.baselines, strict=True):
            fill, edge = style.paint(one.baseline)
            for place, name in enumerate(classes):
                if name in one.sides:
                    low, median, high = one.sides[name]
                    axes.plot([low, high], [place + offset] * 2, color=edge, lw=3, solid_capstyle="round")
                    axes.plot([median], [place + offset], "o", ms=7.5, color=fill, mec=edge, mew=2, zorder=3)
        axes.set_yticks(range(len(names)), names, fontsize=12, color=style.INK)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(*errors.side_range(shown))
        _finish(axes, "x")
        axes.set_xlabel(errors.AXES.sides)

    return figure(draw, width, height, (_beside(names), 16, 10, 52))


def _names(names: Sequence[str]) -> list[str]:
    return [fitted(" ".join(name.split()), font(17), 130) for name in names]


def _beside(names: list[str]) -> float:
    return 24 + 1.03 * max(map(font(17).getlength, names), default=0)


def _on(colour: str) -> str:
    """White or ink, whichever is read better on a colour."""
    red, green, blue = (int(colour[at:at + 2], 16) for at in (1, 3, 5))
    return style.INK if 0.3 * red + 0.59 * green + 0.11 * blue > 140 else "white"


def _legend(axes: Axes, columns: int) -> None:
    """Above the axes."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.03), ncols=columns, frameon=False, handlelength=1.6,
                columnspacing=1.6, borderaxespad=0)


def _finish(axes: Axes, grid: Any) -> None:
    axes.grid(axis=grid, color=style.LINE)
    axes.tick_params(length=0, pad=6)
    axes.spines["left"].set_visible(False)
