"""`python -m benchmarks.golden OTHER_CHECKOUT`; see the package."""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import benchmarks.golden as package
from benchmarks.golden.compare import Array, Verdict, compare

HERE = Path(__file__).parent
OLD_WORLDS = HERE / "worlds_8991643.py"  # for checkouts that have no worlds of their own
OWN_WORLDS = Path("benchmarks", "golden", "worlds.py")


class Unusable(ValueError):
    """A checkout that cannot be compared."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.golden", description=package.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, metavar="OTHER_CHECKOUT", help="folder of the other checkout")
    other = parser.parse_args(arguments).other.resolve()
    console = Console()
    try:
        check(other)
        mine, here = refit(HERE.parents[1], HERE / "worlds.py")
        theirs, there = refit(other, worlds_of(other))
    except Unusable as error:
        parser.error(str(error))
    verdicts = compare(mine, theirs)
    console.print(report(verdicts))
    console.print(f"CPU seconds: {here:.0f} here, {there:.0f} there")
    return int(any(verdict.first for verdict in verdicts))


def worlds_of(checkout: Path) -> Path:
    """The checkout's own script of the worlds or, if it has none, that for the names of commit 8991643."""
    own = checkout / OWN_WORLDS
    return own if own.is_file() else OLD_WORLDS


def check(checkout: Path) -> None:
    """Unusable for a folder without the package."""
    if not (checkout / "src" / "scenefit").is_dir():
        raise Unusable(f"{checkout} is not a checkout of scenefit: it has no folder src/scenefit; give the root folder "
                       "of one")


def refit(checkout: Path, worlds: Path) -> tuple[dict[str, Array], float]:
    """All arrays of the worlds in order, and the CPU seconds they took. Unusable if the worlds cannot be fitted, or if
    the package of another checkout was used."""
    environment = {**os.environ, "PYTHONPATH": f"{checkout / 'src'}{os.pathsep}{checkout}", "OMP_NUM_THREADS": "1"}
    began = cpu_seconds()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "arrays.npz"
        command = [sys.executable, "-P", str(worlds), str(out)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Unusable(f"{worlds} failed with the package of {checkout}:\n{done.stderr[-3000:]}")
        home = Path(done.stdout.strip())
        if not home.is_relative_to((checkout / "src").resolve()):
            raise Unusable(f"the worlds of {checkout} were fitted by the package in {home}, not by its own; uninstall "
                           "that package or use another environment")
        with np.load(out) as arrays:
            return dict(arrays), cpu_seconds() - began


def cpu_seconds() -> float:
    """CPU seconds of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(verdicts: Sequence[Verdict]) -> Table:
    """A table with one row for each world."""
    table = Table("world", "arrays compared", "differ", "first difference")
    for verdict in verdicts:
        table.add_row(verdict.world, str(verdict.compared), str(verdict.differing), verdict.first or "equal")
    return table


if __name__ == "__main__":
    sys.exit(main())
