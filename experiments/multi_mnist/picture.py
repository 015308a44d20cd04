"""The experiment's picture: distributions of counts and classes in the truth, the grammar and the learned policy."""

import io
from typing import Any

import numpy as np
from matplotlib.figure import Figure

SHOWN = (("truth", "truth", "#333333"), ("grammar", "grammar", "#c9c9c9"), ("learned", "learned", "#1f77b4"))


def picture(result: dict[str, Any]) -> bytes:
    """PNG: means over seeds, from the values of result.json."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for axes, name, label_x in zip(figure.subplots(1, 2, width_ratios=(7, 10)), ("count", "class"),
                                  ("digits in an image", "class of a digit"), strict=True):
        shares = {"truth": result["known"][name],
                  **{arm: result[arm]["marginals"][name] for arm in ("grammar", "learned")}}
        for number, (arm, label, colour) in enumerate(SHOWN):
            axes.bar(np.arange(len(shares[arm])) + 0.27 * (number - 1), shares[arm], 0.26, color=colour, label=label)
        axes.set_xticks(range(len(shares["truth"])))
        axes.set_xlabel(label_x)
        axes.set_ylabel("share")
        axes.spines[["top", "right"]].set_visible(False)
        row, floor = result["learned"][f"{name} tv"], result["truth"][f"{name} tv"]
        axes.set_title(f"Total variation {row['mean']:.3f} ({row['low']:.3f} to {row['high']:.3f}); noise floor "
                       f"{floor['mean']:.3f};\ngrammar {result['grammar'][f'{name} tv']['mean']:.3f}. "
                       f"{result['seeds']} seeds, {result['scenes']:,} scenes per sample", fontsize=9)
    figure.axes[0].legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
