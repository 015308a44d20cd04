"""The tables of README.md, from the JSON files of the cells."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from scenefit.files.atomic import write_bytes

START, END = "<!-- tables: written by --table -->", "<!-- end of tables -->"
FIGURES = {"median": "median ratio", "worst": "worst ratio", "count floors": "counts, floors",
           "count bins": "counts, TV", "spread": "invisible, spread off by"}
COSTS = {"cpu_seconds": "CPU s", "renders": "renders", "peak_MiB": "MiB"}
Cell = dict[str, Any]


def write(folder: Path, page: Path) -> None:
    """Print the tables of all cells in a folder, and put them between the marks of a page."""
    cells = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    parts = [overview(cells), *(of_world(world, cells) for world in unique(c["world"] for c in cells))]
    text = "\n\n".join(part for part in parts if part)
    Console(width=200).print(text, markup=False, highlight=False)
    if page.exists():
        before, _, rest = page.read_text().partition(START)
        after = rest.partition(END)[2]
        write_bytes(page, f"{before}{START}\n\n{text}\n\n{END}{after}".encode())


def unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def arm(cell: Cell) -> str:
    """The method and what differs from the main table, as text."""
    photos = [] if cell["photos"] == 200 else [f"{cell['photos']} photos"]
    return ", ".join([cell["method"], *cell["changes"], *photos, *["10 % irrelevant"] * cell["irrelevant"]])


def overview(cells: Sequence[Cell]) -> str:
    """One row for each world and method: means over seeds."""
    groups = defaultdict(list)
    for cell in cells:
        groups[cell["world"], arm(cell)].append(cell)
    rows = [[world, method, str(len(several)), *(number([c["summary"][name] for c in several]) for name in FIGURES),
             *(f"{np.mean([c[name] for c in several]):,.0f}" for name in COSTS)]
            for (world, method), several in groups.items()]
    return markdown(["world", "method", "seeds", *FIGURES.values(), *COSTS.values()], rows)


def of_world(world: str, cells: Sequence[Cell]) -> str:
    """One row for each attribute: its ratio by each method of the main table, mean over seeds, and the floor's."""
    mine = [cell for cell in cells if cell["world"] == world and "," not in arm(cell) and cell["method"] != "prior"]
    if not mine:
        return ""
    methods = unique(arm(cell) for cell in mine)
    rows = []
    for name, row in mine[0]["attributes"].items():
        values = [number([c["attributes"][name]["ratio"] for c in mine if arm(c) == method]) for method in methods]
        invisible = "" if row["visible"] else " (invisible)"
        rows.append([f"{name}{invisible}", number([row["floor"] / row["prior"] if row["prior"] else None]), *values])
    return f"**{world}**: distance to the truth over the prior's\n\n" + markdown(["attribute", "floor", *methods], rows)


def number(values: Sequence[float | None]) -> str:
    """The mean of those that are known, with two decimals."""
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f}" if known else ""


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
