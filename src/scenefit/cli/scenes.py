"""scenefit check and scenefit sample: a scene file by itself."""

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scenefit.cli import console
from scenefit.cli.options import DeviceOption, SceneArgument, SeedOption, WorkersOption, drawing, resolve

if TYPE_CHECKING:
    from scenefit.data.frames import Frames
    from scenefit.scenes.grammar import Grammar
    from scenefit.scenes.scene import SceneBatch

Count = Annotated[int, typer.Option("-n", "--n", min=2, help="Scenes to draw.")]
OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the contact sheet goes.")]
SHOWN = 48
MARKS = {"ok": "ok      ", "warning": "warning ", "wrong": "WRONG   "}


@console.command("Stopped.")
def check(
    scene: SceneArgument,
    n: Count = 64,
    out: OutFolder = Path(),
    seed: SeedOption = 0,
    workers: WorkersOption = 0,
    device: DeviceOption = "cpu",
) -> None:
    """Look over a scene file.

    Bounds, labels, and whether the same scene always gives the same image.

    \b
      scenefit check scenes/coins.py
      scenefit check scenes/coins.py -n 256 --out checks/

    Ends with exit code 1 where something is wrong. Warnings are things that work but may not be meant, such as a
    learned attribute that changes no image. Draws a contact sheet, SCENE_check.png, with the boxes of objects.
    """
    from scenefit.renderers.scene_checks import check as look_over
    from scenefit.renderers.scene_file import load_scene

    found = load_scene(scene)
    with drawing(found, workers, resolve(device)) as renderer:
        frames, findings = look_over(found.grammar, renderer, n, seed)
    for finding in findings:
        console.say(f"{MARKS[finding.mode]}{finding.text}")
    sheet = _sheet(boxed(frames.take(range(min(len(frames), SHOWN)))), out / f"{scene.stem}_check.png")
    console.say(f"Contact sheet: {sheet}")
    wrong = sum(finding.mode == "wrong" for finding in findings)
    if wrong:
        raise ValueError(f"{scene}: {wrong} {'thing is' if wrong == 1 else 'things are'} wrong, see above")


@console.command("Stopped.")
def sample(
    scene: SceneArgument,
    n: Count = 48,
    out: OutFolder = Path(),
    index: Annotated[int | None, typer.Option("--index", min=0, help="Only this scene, for instance one that could not "
                                              "be drawn.", show_default=False)] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the scenes too, one row a node.",
                                             show_default=False)] = None,
    seed: SeedOption = 0,
    workers: WorkersOption = 0,
) -> None:
    """Show the prior of a scene file.

    A table of its attributes and a contact sheet, SCENE_sample.png.

    \b
      scenefit sample scenes/coins.py
      scenefit sample scenes/coins.py -n 1000 --csv coins.csv
      scenefit sample scenes/coins.py --index 17
    """
    import numpy as np

    from scenefit.renderers import render
    from scenefit.renderers.scene_file import load_scene

    found = load_scene(scene)
    scenes = found.grammar.sample(seed, n if index is None else np.array([index]))
    with drawing(found, workers) as renderer:
        frames = render(renderer, scenes.take(range(min(len(scenes), SHOWN))))
    rows = [_row(found.grammar, kind, name) for kind in found.grammar.kinds for name in found.grammar.attributes[kind]]
    console.table(f"Prior of {scene}", ["attribute", "prior", "learned", "bounds", "5 %", "25 %", "50 %", "75 %",
                                        "95 %"],
                  rows)
    if csv is not None:
        _write_csv(csv, scenes)
        console.say(f"Scenes: {csv} ({len(scenes)} scenes, {scenes.node_count} rows)")
    console.say(f"Contact sheet: {_sheet(frames.images, out / f'{scene.stem}_sample.png')}")


def boxed(frames: "Frames") -> Any:
    """Images [S, H, W, 3], small ones enlarged, with the visible boxes of their objects."""
    import numpy as np

    times = max(1, round(96 / max(frames.images.shape[1:3])))
    images = frames.images.repeat(times, 1).repeat(times, 2)
    objects = frames.objects
    for row, box in zip(objects.scene[objects.pixels > 0], objects.box[objects.pixels > 0], strict=True):
        left, top, right, bottom = (box * times).astype(int)
        edge = np.zeros(images.shape[1:3], bool)
        edge[top:bottom, left:right] = True
        edge[top + 1:bottom - 1, left + 1:right - 1] = False
        images[row][edge] = (255, 64, 64)
    return images


def _sheet(images: Any, path: Path) -> Path:
    from scenefit.files.atomic import atomic_write
    from scenefit.report.picture import contact_sheet

    with atomic_write(path) as file:
        contact_sheet(images, 8).save(file, "PNG")
    return path


def _row(grammar: "Grammar", kind: str, name: str) -> list[str]:
    """One attribute of the prior: what it is and where its values lie, over 2,000 scenes."""
    from scenefit.generation.export import summary

    a, values = grammar.attributes[kind][name], grammar.sample(0, 2000).tables[kind][name]
    prior = "conditional" if a.conditional else re.sub(r", (sd=None|weights=None|low=-inf|high=inf)", "", str(a.prior))
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
    """Whether angles with these quantiles lie evenly on the whole circle: then the quantiles only tell where the circle
    was cut open."""
    even = (72, 90, 90, 72)  # degrees between them
    return all(abs(b - a - gap) < 12 for (a, b), gap in zip(pairwise(quantiles), even, strict=True))


def _write_csv(path: Path, scenes: "SceneBatch") -> None:
    import codecs
    import csv

    from scenefit.files.atomic import atomic_write

    rows = scenes.rows()
    with atomic_write(path) as file:
        table = csv.writer(codecs.getwriter("utf-8")(file), lineterminator="\n")
        table.writerow(rows)
        table.writerows(zip(*(column.tolist() for column in rows.values()), strict=True))
