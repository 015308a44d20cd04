"""Draws docs/figures/floors.svg: the folders by rank, and which folder imports which.

    python docs/figures/floors.py

Arrows are read from the code. An arrow that follows from others (a longer way down) is left out;
tests/test_floors.py refuses imports that do not point down.
"""

import ast
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src" / "scenefit"
RANKS = {  # folder -> (its middle, in pixels; what it holds)
    8: {"cli": (480, "commands")},
    7: {"run": (480, "run folder, its report")},
    6: {"inference": (210, "fit: stages, gradients"), "evaluation": (455, "distances, AP50, outliers"),
        "generation": (700, "data sets, export")},
    5: {"tasks": (300, "classification, detection")},
    4: {"nets": (240, "scene distribution, policies")},
    3: {"metrics": (240, "features, MMD, KID, AP"), "renderers": (560, "each, Sprites, Shapes")},
    2: {"data": (300, "frames, photos, formats"), "executors": (560, "processes"),
        "report": (860, "HTML page, picture")},
    1: {"scenes": (300, "priors, grammar, scene batch"), "files": (700, "atomic files, tensors")},
}
WIDTH, BOX, HEIGHT, TOP, STEP, BEND = 980, 200, 46, 14, 82, 11  # pixels; STEP: from one rank to the next
LANES = (-5, 3, -1)  # off the middle of the gap between two ranks, so that lines do not run into each other
COLOURS = ["#f4e3d7", "#f4ead7", "#f1f0d5", "#e6f2d8", "#d9f0e2", "#d7edf2", "#dae3f5", "#e6dff4"]
MIDDLE = {folder: x for row in RANKS.values() for folder, (x, _) in row.items()}
RANK = {folder: number for number, row in RANKS.items() for folder in row}


def imports() -> dict[str, set[str]]:
    """Folder -> the other folders that its files import."""
    found: dict[str, set[str]] = {folder: set() for folder in RANK}
    for path in SOURCE.rglob("*.py"):
        own = path.relative_to(SOURCE).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scenefit") and own in RANK:
                targets = [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]
                found[own] |= {name.split(".")[1] for name in targets if "." in name} & set(RANK) - {own}
    return {own: {target for target in targets if RANK[target] < RANK[own]} for own, targets in found.items()}


def needed(arrows: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows without those that a longer way implies."""
    def below(folder: str) -> set[str]:
        return {more for target in arrows[folder] for more in {target} | below(target)}

    return sorted((folder, target) for folder, targets in arrows.items() for target in targets
                  if not any(target in below(other) for other in targets - {target}))


def spread(arrows: list[tuple[str, str]], end: int) -> dict[tuple[str, str], float]:
    """Where each arrow meets its box: side by side, in the order of what lies at their other ends."""
    found = {}
    for folder in MIDDLE:
        mine = sorted((arrow for arrow in arrows if arrow[end] == folder), key=lambda arrow: MIDDLE[arrow[1 - end]])
        found |= {arrow: MIDDLE[folder] + 34 * (place - (len(mine) - 1) / 2) for place, arrow in enumerate(mine)}
    return found


def free(x: float, upper: int, lower: int) -> bool:
    """Whether no box between two ranks lies at x."""
    return all(abs(x - MIDDLE[folder]) > BOX / 2 + 8 for folder, rank in RANK.items() if lower < rank < upper)


def gap(start: float, upper: int, lower: int) -> int:
    """Below which rank an arrow goes sideways: its own, or, where its way down is free, the one before its end."""
    return lower + 1 if free(start, upper, lower) else upper


def line(start: float, end: float, upper: int, lower: int, lane: float) -> str:
    """Down from the rank upper to the rank lower; lane: how far off the middle of the gap it goes sideways."""
    y0, y1 = (TOP + (8 - rank) * STEP for rank in (upper, lower))
    turn = TOP + (8 - gap(start, upper, lower)) * STEP + (STEP + HEIGHT) / 2 + lane
    side = min(BEND, abs(end - start) / 2) * (1 if end > start else -1)
    bend = abs(side)
    return (f"M{start:.0f},{y0 + HEIGHT} V{turn - bend:.1f} Q{start:.0f},{turn:.0f} {start + side:.1f},{turn:.0f} "
            f"H{end - side:.1f} Q{end:.0f},{turn:.0f} {end:.0f},{turn + bend:.1f} V{y1 - 3}")


def svg() -> str:
    arrows = needed(imports())
    starts, ends = spread(arrows, 0), spread(arrows, 1)
    parts, used = [], Counter[int]()
    for upper, lower in sorted(arrows, key=lambda arrow: -abs(starts[arrow] - ends[arrow])):
        ranks = RANK[upper], RANK[lower]
        where = gap(starts[upper, lower], *ranks)
        path = line(starts[upper, lower], ends[upper, lower], *ranks, LANES[used[where] % len(LANES)])
        used[where] += 1
        parts.append(f'<path d="{path}" fill="none" stroke="#5b626d" stroke-width="1.3" marker-end="url(#tip)"/>')
    for rank, row in RANKS.items():
        y = TOP + (8 - rank) * STEP
        parts.append(f'<text x="20" y="{y + 28}" font-size="15" fill="#5b626d">{rank}</text>')
        for folder, (x, text) in row.items():
            parts.append(f'<rect x="{x - BOX / 2:.0f}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="7" '
                         f'fill="{COLOURS[8 - rank]}" stroke="#8a8f98" stroke-width="0.8"/>')
            parts.append(f'<text x="{x}" y="{y + 19}" font-size="15" font-weight="bold" text-anchor="middle" '
                         f'fill="#22262d">{folder}/</text>')
            parts.append(f'<text x="{x}" y="{y + 37}" font-size="12.5" text-anchor="middle" '
                         f'fill="#22262d">{text}</text>')
    height = TOP * 2 + STEP * 7 + HEIGHT
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            'font-family="Helvetica, Arial, sans-serif" role="img" aria-label="Folders by rank">\n'
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0,0 L8,4 L0,8 z" fill="#5b626d"/></marker></defs>\n'
            '<rect width="100%" height="100%" fill="white"/>\n')
    return head + "\n".join(parts) + "\n</svg>\n"


if __name__ == "__main__":
    (HERE / "floors.svg").write_text(svg())
