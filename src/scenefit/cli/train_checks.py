"""What is wrong with options of `scenefit train`, said before the long work."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import typer

PART = ".part.safetensors"  # ending of the file of the last finished stage, where a run's folder does not keep it


def check_options(out: Path, backbone: str, source: Path | None, labelled_only: Path | None, labelled: Path | None,
                  real: Path | None, flat_field: Path | None, task: str | None) -> None:
    """BadParameter where an option is wrong, or files are missing: now, not after rendering and training."""
    from scenefit.files.lock import check_file
    from scenefit.files.tensors import CorruptFile, read_tensors
    from scenefit.tasks.trained import TASKS
    from scenefit.tasks.training.network_file import BACKBONES

    if task is not None and task not in TASKS:
        raise typer.BadParameter(f"--task must be one of {', '.join(TASKS)}, got {task}")
    if backbone not in BACKBONES:
        raise typer.BadParameter(f"--backbone must be one of {', '.join(BACKBONES)}, got {backbone}")
    if out.suffix != ".safetensors":
        raise typer.BadParameter(f"--out must name a file that ends in .safetensors, got {out}")
    if source is None and labelled_only is None:
        raise typer.BadParameter("give the folder of a finished fit, or a data set, to train on; or --labelled-only "
                                 "DIR, to train on labelled photos alone")
    if source is not None and labelled_only is not None:
        raise typer.BadParameter(f"{source} and --labelled-only exclude each other: leave out {source} to train on the "
                                 f"labelled photos alone, or give them as --labelled {labelled_only} to fine-tune on "
                                 f"them after training on {source}")
    if flat_field is not None and labelled is None and real is None and labelled_only is None:
        raise typer.BadParameter("--flat-field is for photos; give some with --real or --labelled, or leave it out")
    for name, given in (("labelled", labelled), ("labelled-only", labelled_only), ("real", real),
                        ("flat-field", flat_field)):
        if given is not None and not given.exists():
            raise typer.BadParameter(f"--{name} {given} does not exist")
    check_file(out)
    part = out.with_suffix(PART)
    with suppress(CorruptFile):  # a damaged one is named where it would be gone on from
        if part.exists() and "classes" in read_tensors(part, "")[1]:
            raise typer.BadParameter(f"{part} is a trained network, and the unfinished training of {out} would be "
                                     "kept by that name, and deleted at its end; rename one of them")


def check_alone(others: Mapping[str, object]) -> None:
    """BadParameter where options are given that do not go with --labelled-only."""
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise typer.BadParameter(f"--labelled-only trains on labelled photos alone, and on all of them; leave out "
                                 f"{', '.join(given)}")


def parse_size(text: str | None) -> tuple[int, int] | None:
    """A size (height, width) from its text, None from None. BadParameter."""
    from scenefit.tasks.training.network_file import MAX_SIDE

    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    height, width = (int(side) for side in found.groups()) if found else (0, 0)
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise typer.BadParameter(f"--size must be a height and a width in pixels, such as 240x320, got {text}")
    return height, width
