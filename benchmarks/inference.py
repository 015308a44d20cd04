"""Renders and CPU seconds until the learned distribution is near the truth: `python -m benchmarks.inference`.

Reads the cells of experiments/known_worlds and computes nothing: their traces have the median ratio of visible
attributes, the distance to the truth over the prior's, after the steps of each fit. Cells without a trace have their
end alone.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from experiments.cells import markdown, put_between

HERE = Path(__file__).parent
CELLS = HERE.parent / "experiments" / "known_worlds" / "cells"
LEVELS = (0.25, 0.10)  # of the prior's distance
START, END = "<!-- inference: written by the command -->", "<!-- end of inference -->"
Cell = Mapping[str, Any]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=Path, default=CELLS, help="folder of the cells")
    text = table(json.loads(path.read_text()) for path in sorted(parser.parse_args(arguments).cells.glob("*.json")))
    Console(width=200).print(text, markup=False, highlight=False)
    put_between(HERE / "README.md", START, END, text)


def table(cells: Iterable[Cell]) -> str:
    """One row for each world and method with the default settings and 200 photos: medians over seeds."""
    groups = defaultdict(list)
    for cell in cells:
        if cell["method"] != "prior" and cell["photos"] == 200 and not cell["changes"] and not cell["irrelevant"]:
            groups[cell["world"], cell["method"]].append(cell)
    costs = [f"{what} to {level:.2f}" for level in LEVELS for what in ("renders", "CPU s")]
    head = ["world", "method", "seeds", *costs, "renders, whole", "CPU s, whole", "median ratio at the end"]
    rows = [[world, method, str(len(several)), *(text for level in LEVELS for text in to_level(several, level)),
             *(f"{np.median([cell[name] for cell in several]):,.0f}" for name in ("renders", "cpu_seconds")),
             f"{np.median([cell['summary']['median'] for cell in several]):.2f}"]
            for (world, method), several in sorted(groups.items())]
    return markdown(head, rows)


def to_level(cells: Sequence[Cell], level: float) -> tuple[str, str]:
    """Renders and CPU seconds until the median ratio is at a level, medians over the seeds that reach it. Where some do
    not, their number follows; empty where no cell has a trace."""
    known = [cell["trace"] for cell in cells if cell.get("trace")]
    reached = [point for point in (first(trace, level) for trace in known) if point is not None]
    if not known or not reached:
        return ("not reached", "not reached") if known else ("", "")
    few = f" ({len(reached)} of {len(known)} seeds)" if len(reached) < len(known) else ""
    return (f"{np.median([point['renders'] for point in reached]):,.0f}{few}",
            f"{np.median([point['cpu_seconds'] for point in reached]):,.0f}{few}")


def first(trace: Sequence[Mapping[str, Any]], level: float) -> Mapping[str, Any] | None:
    """The first point of a trace with a median ratio of at most a level."""
    return next((point for point in trace if point["median"] is not None and point["median"] <= level), None)


if __name__ == "__main__":
    main()
