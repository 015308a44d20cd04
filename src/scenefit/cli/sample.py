"""scenefit sample: the prior of a scene file, as a table and a contact sheet."""

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenefit.cli import console
from scenefit.cli.options import (
    NO_WORKERS,
    CountOption,
    SceneArgument,
    SeedOption,
    SheetOption,
    Workers,
    drawing,
    worker_options,
)

if TYPE_CHECKING:
    from scenefit.scenes.grammar import Grammar
    from scenefit.scenes.scene import SceneBatch

N_SHOWN = 48  # images of the contact sheet


@console.command("Stopped.", memory="lower -n, or draw smaller images")
@worker_options
def sample(
    scene: SceneArgument,
    n: CountOption = 48,
    out: SheetOption = Path(),
    index: Annotated[int | None, typer.Option("--index", min=0, help="Only this scene, for instance one that could not "
                                              "be rendered.", show_default=False)] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Also write the scenes, one row per node.",
                                             show_default=False)] = None,
    seed: SeedOption = 0,
    workers: Workers = NO_WORKERS,
) -> None:
    """Show the prior of a scene file.

    Prints a table of its attributes and writes a contact sheet, SCENE_sample.png.

    \b
      scenefit sample scenes/coins.py
      scenefit sample scenes/coins.py -n 1000 --csv coins.csv
      scenefit sample scenes/coins.py --index 17
    """
    import numpy as np

    from scenefit.renderers import render
    from scenefit.renderers.scene_file import load_scene
    from scenefit.report.picture import write_contact_sheet

    found = load_scene(scene)
    scenes = found.grammar.sample(seed, n if index is None else np.array([index]))
    with drawing(found, workers) as renderer:
        frames = render(renderer, scenes.take(range(min(len(scenes), N_SHOWN))))
    rows = [_row(found.grammar, kind, name) for kind in found.grammar.kinds for name in found.grammar.attributes[kind]]
    console.table(f"Prior of {scene}", ["attribute", "prior", "learned", "bounds", "5 %", "25 %", "50 %", "75 %",
                                        "95 %"],
                  rows)
    if csv is not None:
        _write_csv(csv, scenes)
        console.say(f"Scenes: {csv} ({len(scenes)} scenes, {scenes.node_count} rows)")
    path = out / f"{scene.stem}_sample.png"
    write_contact_sheet(frames.images, path, 8)
    console.say(f"Contact sheet: {path}")


def _row(grammar: "Grammar", kind: str, name: str) -> list[str]:
    """One row of the table: an attribute, its prior, and quantiles of its values in 2,000 scenes."""
    from scenefit.generation.export import summary

    a, values = grammar.attributes[kind][name], grammar.sample(0, 2000).tables[kind][name]
    prior = re.sub(r", (sd=None|weights=None|low=-inf|high=inf)", "", str(a.prior))
    prior = getattr(a.prior, "text", "conditional") if a.conditional else prior
    bounds = "" if not a.learned or a.form == "choice" else "the circle" if a.circular else \
        " to ".join(console.number(float(end)) for end in a.bounds) if a.bounds else "the prior's"
    head = [f"{kind}.{name}", prior, "yes" if a.learned else "", bounds]
    if len(values) == 0:
        return [*head, "none", "", "", "", ""]
    found = summary(values, a.form)
    if "quantiles" not in found:
        likely = sorted(found["probabilities"].items(), key=lambda item: -item[1])[:3]
        return [*head, ", ".join(f"{value} {share:.0%}" for value, share in likely), "", "", "", ""]
    quantiles = [found["quantiles"][q] for q in ("5", "25", "50", "75", "95")]
    if a.circular and _any_direction(quantiles):
        return [*head, "any direction", "", "", "", ""]
    return [*head, *map(console.number, quantiles)]


def _any_direction(quantiles: list[float]) -> bool:
    """Whether these quantiles are of angles uniform on the circle: then they depend only on where it is cut open."""
    even = (72, 90, 90, 72)  # degrees between the quantiles of a uniform angle
    return all(abs(b - a - gap) < 12 for (a, b), gap in zip(pairwise(quantiles), even, strict=True))


def _write_csv(path: Path, scenes: "SceneBatch") -> None:
    from scenefit.files.csv_table import csv_table

    rows = scenes.rows()
    with csv_table(path, rows) as table:
        for row in zip(*(column.tolist() for column in rows.values()), strict=True):
            table(row)
