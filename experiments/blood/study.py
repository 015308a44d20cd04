"""A blood-cell detector learned without labels: `python -m experiments.blood --data FOLDER --report val`.

Each cell (prior, seed, arm) is kept in runs/blood, so a stopped command goes on; see the README for the arms. Writes
result.json, report.png, camera.png and the tables of README.md beside this file, but for the report "val" alone;
development on other photos (--report few) writes into runs/blood.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from experiments.blood import arms, counting, fits
from experiments.blood.picture import camera, story
from experiments.blood.summary import summary
from experiments.blood.tables import markdown, put_into
from scenefit.files.atomic import write_bytes, write_json, write_text
from scenefit.inference.settings import Settings
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.inference.stages.regression_abc import RegressionAbc
from scenefit.inference.stages.regressor import Regressor
from scenefit.report import write as write_report

HERE = Path(__file__).parent
MAIN = ("wide", "shrunk", "learned", "adapted", "real+all", "learned+10", "real+10", "wide+10", "naive", "wide-adapted",
        "random", "cma", *arms.LONGER)
FIRST = MAIN[:5]  # these tell most, and come first
CURVE = tuple(f"{start}+{labels}" for labels in ("10", "25", "50", "100", "all")
              for start in ("wide", "learned", "real", "real-longer"))
SWAPS = ("content", "appearance", "relabelled", *arms.RECOUNTED)
STAGES = (*fits.REFINED, "rewarded+10", fits.STRUCTURED, "wide-many")
COUNTS, POLICY = counting.ARMS


def main() -> None:
    options = arguments()
    settings = Settings(RegressionAbc(options.rounds, options.round_renders),
                        Regressor(renders=options.regressor_renders), descent=Descent(0))
    cell = arms.Cell(options.data, options.cells, options.renders, 1.0, 0, "", options.report, settings,
                     options.train_steps)
    names = [*options.arms, *(arms.RESCALED if options.swaps else ()), *([COUNTS] if options.counts else ())]
    once = [*(CURVE if options.curve else ()), *(SWAPS if options.swaps else ()),
            *([POLICY] if options.counts and options.stages else ()),
            *((*(f"look-{look}" for look in range(1, options.rounds)), *STAGES) if options.stages else ())]
    cells = list(plan(cell, options.priors, options.seeds, names, once))
    results = work(cells, options.jobs)
    stale = [cell for cell, told in results.items() if "mAP50" in told and told.get("code") != arms.code()]
    if stale:
        Console().print(f"{len(stale)} of {len(results)} cells were made by other code than this one, such as "
                        f"{stale[0].folder}; remove {options.cells} where that code decided what is reported")
    result = summary(cells, results, options.resamples)
    own = options.report == "val"
    folder = HERE if own else options.cells / f"report-{options.report}"
    write_json(folder / "result.json", result)
    text, told = markdown(result), story(cells, result, command_line())
    if told is not None:
        _, drawn = write_report(told, options.cells / f"report-{options.report}")
        if own:
            write_bytes(HERE / "report.png", drawn.read_bytes())
        text += "\n![What detectors find in held-out photos, and the table](report.png)\n"
    text += f"\nMade by `{command_line()}`.\n"
    if own:
        write_bytes(HERE / "camera.png", camera(options.data))
        write_text(HERE / "README.md", put_into((HERE / "README.md").read_text(), text))
    else:
        write_text(folder / "table.md", text)
    Console(width=200).print(text, markup=False)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with JPEGImages, Annotations and ImageSets")
    parser.add_argument("--report", choices=("few", "rest", "val"), default="few",
                        help="few, rest (few without its first 10): for development; val: for the final figures")
    parser.add_argument("--priors", type=float, nargs="+", default=[1.0, 1.6, 0.6], help="factors of all sizes")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--arms", nargs="*", default=MAIN, help=f"of {', '.join(MAIN)}, or any that arms.py names")
    parser.add_argument("--curve", action="store_true",
                        help="also 25, 50, 100 and all labels, and labels alone for longer, first prior")
    parser.add_argument("--stages", action="store_true",
                        help="also each look of the fit, what goes on from it, and more renders, first prior")
    parser.add_argument("--swaps", action="store_true",
                        help="also learned content in wide appearance, the reverse, the photos with found boxes, and "
                             "platelets as many as labels tell, first prior; and finds rescaled by labels")
    parser.add_argument("--counts", action="store_true", help="also the counts; reads labels of the matched photos")
    parser.add_argument("--renders", type=int, default=500, help="that a detector is trained on")
    parser.add_argument("--rounds", type=int, default=5, help="of ABC")
    parser.add_argument("--round-renders", type=int, default=800)
    parser.add_argument("--regressor-renders", type=int, default=512)
    parser.add_argument("--train-steps", type=int, default=400, help="of a detector's training")
    parser.add_argument("--resamples", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time, one thread each")
    parser.add_argument("--cells", type=Path, default=Path("runs/blood"), help="where cells are kept")
    return parser.parse_args()


def plan(cell: arms.Cell, priors: Sequence[float], seeds: int, names: Sequence[str],
         once: Sequence[str] = ()) -> Iterator[arms.Cell]:
    """All cells, those that tell most first: of two seeds, of the first prior, of the arms that span the gap.

    once: more arms, of the first prior alone.
    """
    order = []
    for prior_place, prior in enumerate(priors):
        for seed in range(seeds):
            for place, arm in enumerate(dict.fromkeys([*names, *(() if prior_place else once)])):
                one = replace(cell, prior=prior, seed=seed, arm=arm)
                if prior_place and one.start in arms.ANY:
                    continue  # it does not depend on the prior
                order.append(((seed // 2, prior_place, arm not in FIRST, seed, place), one))
    yield from (one for _, one in sorted(order, key=lambda pair: pair[0]))


def command_line() -> str:
    """As it was given, but for the folders and the jobs, which are each machine's own."""
    given, left_out = sys.argv[1:], ("--data", "--cells", "--jobs")
    kept = [word for before, word in zip(["", *given], given, strict=False) if not {before, word} & set(left_out)]
    return " ".join(["python -m experiments.blood --data FOLDER", *kept])


def run(cell: arms.Cell) -> dict[str, Any]:
    return counting.run(cell) if cell.arm in counting.ARMS else arms.run(cell)


def work(cells: Sequence[arms.Cell], jobs: int) -> dict[arms.Cell, dict[str, Any]]:
    """Results of the cells, in their order as far as it goes: cells of one home share what is kept, so one at a time.

    An error of one cell stops the command after those that are under way.
    """
    waiting, results = list(cells), {}
    running: dict[Future[dict[str, Any]], arms.Cell] = {}
    with Progress() as bar, ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        shown = bar.add_task("cells", total=len(cells))
        while waiting or running:
            busy = {cell.home for cell in running.values()}
            for cell in list(waiting):
                if len(running) == jobs:
                    break
                if cell.home not in busy:
                    running[pool.submit(run, cell)] = cell
                    busy.add(cell.home)
                    waiting.remove(cell)
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                cell = running.pop(done)
                results[cell] = done.result()
                told = f"{100 * results[cell]['mAP50']:.1f}" if "mAP50" in results[cell] else "done"
                bar.console.print(f"{cell.home} {cell.arm}: {told}", highlight=False)
                bar.advance(shown)
    return results
