"""scenefit report: writes the report of a finished run again."""

from pathlib import Path
from typing import Annotated

import typer

from scenefit.cli import console
from scenefit.cli.flat_field import FlatOption, check_flat_field, flat_field_of, folder_of
from scenefit.cli.options import (
    APART,
    RunArgument,
    SceneOption,
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
    from scenefit.run.folder import kept_flat_field, open_run
    from scenefit.run.report import write_report, write_summary

    folder = folder_of(flat_field)
    if folder is not None and real is None:
        raise typer.BadParameter("--flat-field is for photos; give some with --real, or leave it out")
    one_thread()
    opened = open_run(run)
    keep_apart(run, APART, real, flat=folder)
    found = open_scene(opened, scene)
    with console.busy("Writing the report"):
        if real is not None:
            size = opened.config.size
            flat = flat_field_of(flat_field, size, kept_flat_field(opened))
            check_flat_field(opened, flat)
            write_summary(opened, found.grammar, found.renderer,
                          flat.correct(photos(real, size, opened.settings.max_photos)))
        page, picture = write_report(opened, found)
    console.say(f"Report: {page} (as a picture: {picture})")
