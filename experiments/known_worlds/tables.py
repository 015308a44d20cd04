"""The tables of README.md, from the JSON files of the cells. Cells of before 29 November 2026 have no coverage."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from experiments.cells import markdown, put_between

START, END = "<!-- tables: written by --table -->", "<!-- end of tables -->"
FIGURES = {"median": "median ratio", "worst": "worst ratio", "count floors": "counts, floors",
           "count bins": "counts, TV", "spread": "invisible, spread off by"}
COSTS = {"cpu_seconds": "CPU s", "renders": "renders", "peak_MiB": "MiB"}
Cell = dict[str, Any]


def write(folder: Path, page: Path) -> None:
    """Print the tables of all cells in a folder, and put them between the marks of a page."""
    cells = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    worlds = unique(cell["world"] for cell in cells)
    parts = [overview([cell for cell in cells if not differences(cell)]), *(of_world(world, cells) for world in worlds),
             *(coverage(world, cells) for world in worlds), *variants(cells), at_equal_renders(cells)]
    text = "\n\n".join(part for part in parts if part)
    Console(width=200).print(text, markup=False, highlight=False)
    if page.exists():
        put_between(page, START, END, text)


def unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def arm(cell: Cell) -> str:
    """The method and what differs from the main table, as text."""
    photos = [] if cell["photos"] == 200 else [f"{cell['photos']} photos"]
    return ", ".join([cell["method"], *cell["changes"], *photos, *["10 % irrelevant"] * cell["irrelevant"]])


def differences(cell: Cell) -> set[str]:
    """What a cell varies of the main table: "photos", "irrelevant", or the names of settings."""
    return {*(change.partition("=")[0] for change in cell["changes"]), *["irrelevant"] * cell["irrelevant"],
            *["photos"] * (cell["photos"] != 200)}


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


def coverage(world: str, cells: Sequence[Cell]) -> str:
    """One row for each attribute and method whose posterior was sampled: means over seeds."""
    groups = defaultdict(list)
    for cell in cells:
        if cell["world"] == world and not differences(cell):
            for name in unique(name for part in cell.get("coverage", {}).values() for name in part):
                groups[cell["method"], name].append(cell["coverage"])
    columns = [("renders", "cover 50"), ("renders", "cover 90"), ("renders", "width 90"), ("photos", "cover 50"),
               ("photos", "cover 90"), ("photos", "width 90"), ("photos", "log score"), ("photos", "prior log score")]
    rows = [[name, method, *(number([one[part].get(name, {}).get(figure) for one in several])
                             for part, figure in columns)] for (method, name), several in groups.items()]
    head = ["attribute", "method", *(f"{figure}, {part}" for part, figure in columns)]
    return f"**{world}**: coverage\n\n{markdown(head, rows)}" if rows else ""


def variants(cells: Sequence[Cell]) -> list[str]:
    """Tables of cells with other photos, beside those of the main table with the same world and method."""
    sections = []
    for what, title in (("photos", "Numbers of photos"), ("irrelevant", "A tenth of the photos show something else")):
        own = {(cell["world"], cell["method"]) for cell in cells if differences(cell) == {what}}
        some = [cell for cell in cells if (cell["world"], cell["method"]) in own and differences(cell) <= {what}]
        ordered = sorted(some, key=lambda c: (c["world"], c["method"], c["photos"], c["irrelevant"]))
        sections.append(f"**{title}**\n\n{overview(ordered)}" if own else "")
    known: tuple[set[str], ...] = (set(), {"photos"}, {"irrelevant"}, {"max_renders"})
    rest = [cell for cell in cells if differences(cell) not in known]
    return [*sections, f"**Other settings**\n\n{overview(rest)}" if rest else ""]


def at_equal_renders(cells: Sequence[Cell]) -> str:
    """Median and worst ratio of methods side by side, where `max_renders` is the same."""
    groups = defaultdict(list)
    for cell in cells:
        if differences(cell) == {"max_renders"}:
            groups[cell["world"], int(cell["changes"][0].partition("=")[2])].append(cell)
    methods = unique(cell["method"] for several in groups.values() for cell in several)

    def figure(several: Sequence[Cell], method: str) -> str:
        own = [cell["summary"] for cell in several if cell["method"] == method]
        return " / ".join(number([one[name] for one in own]) for name in ("median", "worst")) if own else ""

    rows = [[world, f"{limit:,}", str(max(sum(c["method"] == m for c in several) for m in methods)),
             *(figure(several, method) for method in methods)]
            for (world, limit), several in sorted(groups.items())]
    head = ["world", "renders at most", "seeds", *methods]
    return f"**At equal renders**: median / worst ratio\n\n{markdown(head, rows)}" if rows else ""


def number(values: Sequence[float | None]) -> str:
    """The mean of those that are known, with two decimals."""
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f}" if known else ""
