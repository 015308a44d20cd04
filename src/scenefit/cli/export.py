"""scenefit export: the learned distribution as JSON."""

from pathlib import Path
from typing import Annotated

import typer

from scenefit.cli import console
from scenefit.cli.options import RunArgument, SceneOption, one_thread, open_scene


@console.command("Stopped; nothing was written.")
def export(
    run: RunArgument,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The file to write.",
                                             show_default="RUN/distribution.json")] = None,
    scene: SceneOption = None,
    scenes: Annotated[int, typer.Option("--scenes", min=100, help="Scenes sampled to compute it.")] = 4096,
) -> None:
    """Write the learned distribution as JSON.

    For use with another simulator.

    \b
      scenefit export runs/coins
      scenefit export runs/coins --out coins.json

    Holds ranges, quantiles, probabilities, counts and rank correlations of all attributes, of the learned distribution
    and of the prior. The docstring of scenefit.generation.export explains the keys.
    """
    from scenefit.files.atomic import write_json
    from scenefit.generation.export import export as distribution
    from scenefit.run.folder import fit_model, open_run

    one_thread()
    opened = open_run(run)
    found = open_scene(opened, scene)
    path = out or opened.path("distribution.json")
    write_json(path, distribution(fit_model(opened, found.grammar), scenes))
    console.say(f"Distribution: {path}")
