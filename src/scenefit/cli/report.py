"""scenefit report: writes the report of a finished run again."""

from pathlib import Path
from typing import Annotated

import typer

from scenefit.cli import console
from scenefit.cli.options import (
    APART,
    FlatOption,
    RunArgument,
    SceneOption,
    check_flat_field,
    keep_apart,
    one_thread,
    open_scene,
    photos,
)


@console.command("Stopped.", memory="give fewer photos with --real")
def report(
    run: RunArgument,
    real: Annotated[Path | None, typer.Option("--real", metavar="DIR", help="Evaluate the fit again on these photos, "
                                              "for instance if summary.json was lost.", show_default=False)] = None,
    flat_field: FlatOption = None,
    scene: SceneOption = None,
) -> None:
    """Write the report of a run again.

    Writes report.html and report.png, with the results of scenefit evaluate if there are any.

    \b
      scenefit report runs/coins
    """
    from scenefit.run.folder import open_run
    from scenefit.run.report import write_report, write_summary

    if flat_field is not None and real is None:
        raise typer.BadParameter("--flat-field is for photos; give some with --real, or leave it out")
    one_thread()
    opened = open_run(run)
    keep_apart(run, APART, real, flat=flat_field)
    found = open_scene(opened, scene)
    with console.busy("Writing the report"):
        if real is not None:
            check_flat_field(opened, flat_field)
            write_summary(opened, found.grammar, found.renderer, photos(
                real, opened.config.size, opened.settings.max_photos, flat_field))
        page, picture = write_report(opened, found)
    console.say(f"Report: {page} (as a picture: {picture})")
