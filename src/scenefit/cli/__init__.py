"""The command line: one file per command. Slow imports are inside the commands, so that --help answers at once."""

import os
from typing import Annotated

import typer

from scenefit.cli import check, detect, evaluate, export, fit, frames, generate, report, sample, train
from scenefit.data.image_kinds import LIMIT

__all__ = ["app"]

app = typer.Typer(name="scenefit", no_args_is_help=True, add_completion=False, rich_markup_mode=None,
                  pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
for command in (check.check, sample.sample, fit.fit, generate.generate, evaluate.evaluate, report.report,
                export.export, train.train, detect.detect, frames.frames):
    app.command()(command)


def _limit(megapixels: float | None) -> float | None:
    """Set the limit in the environment, where all code that reads photos takes it from, in worker processes too."""
    if megapixels is not None:
        if not megapixels > 0:
            raise typer.BadParameter(f"--max-megapixels needs a number above 0, got {megapixels:g}")
        os.environ[LIMIT] = f"{megapixels:g}"
    return megapixels


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"scenefit {version('scenefit')}")
        raise typer.Exit


@app.callback()
def scenefit(
    debug: Annotated[bool, typer.Option("--debug", envvar="SCENEFIT_DEBUG",
                                        help="Show the traceback of an error.")] = False,
    max_megapixels: Annotated[float | None, typer.Option(
        "--max-megapixels", envvar=LIMIT, callback=_limit, show_default="120", metavar="N",
        help="Photos of more megapixels are skipped: decoding takes up to 8 bytes a pixel.")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True,
                                          help="Print the version.")] = False,
) -> None:
    """Learn the distribution of synthetic scenes from unlabelled photos, then write labelled data (Meta-Sim).

    \b
    A scene is a Python file that defines `grammar` and `renderer`. From a scene to a data set:
      scenefit check scenes/coins.py
      scenefit fit scenes/coins.py --real photos/ --out runs/coins
      scenefit evaluate runs/coins --real held_out_photos/
      scenefit generate runs/coins -n 10000 --format coco --out dataset/

    scenefit COMMAND --help explains each command.
    """
    if debug:
        os.environ["SCENEFIT_DEBUG"] = "1"
