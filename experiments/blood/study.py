"""A blood-cell detector learned without labels: `python -m experiments.blood --data FOLDER --report val`.

Finished cells (one prior, seed and arm) are kept in runs/blood, so an interrupted command resumes; README.md describes
the arms. With --report val, the command writes result.json, report.png, camera.png and the tables of README.md beside
this file; other reports are for development and are written into runs/blood.
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
from experiments.blood.picture import camera, report
from experiments.blood.summary import summary
from experiments.blood.tables import markdown, put_into
from scenefit.files.atomic import write_bytes, write_json, write_text
from scenefit.inference.npe.method import Npe
from scenefit.inference.settings import Settings
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.report import write as write_report

HERE = Path(__file__).parent
MAIN = ("wide", "shrunk", "learned", "adapted", "real+all", "learned+10", "real+10", "wide+10", "naive", "wide-adapted",
        "random", "cma", *arms.LONGER)
FIRST = MAIN[:5]  # the most informative arms, computed first
CURVE = tuple(f"{start}+{labels}" for labels in ("10", "25", "50", "100", "all")
              for start in ("wide", "learned", "real", "real-longer"))
SWAPS = ("content", "appearance", "relabelled", *arms.RECOUNTED)
STAGES = (*fits.REFINED, "rewarded+10", fits.STRUCTURED, "wide-many")
COUNTS, POLICY = counting.ARMS


def main() -> None:
    options = arguments()
    settings = Settings(Npe(options.rounds, options.round_renders), descent=Descent(0))
    cell = arms.Cell(options.data, options.cells, options.renders, 1.0, 0, "", options.report, settings,
                     options.train_steps)
    names = [*options.arms, *(arms.RESCALED if options.swaps else ()), *([COUNTS] if options.counts else ())]
    once = [*(CURVE if options.curve else ()), *(SWAPS if options.swaps else ()),
            *([POLICY] if options.counts and options.stages else ()),
            *((*(f"round-{number}" for number in range(1, options.rounds)), *STAGES) if options.stages else ())]
    cells = list(plan(cell, options.priors, options.seeds, names, once))
    results = work(cells, options.jobs)
    stale = [cell for cell, one in results.items() if "mAP50" in one and one.get("code") != arms.code()]
    if stale:
        Console().print(f"{len(stale)} of {len(results)} cells were computed by another version of the code, such as "
                        f"{stale[0].folder}; remove {options.cells} if the difference affects the results")
    result = summary(cells, results, options.resamples)
    final = options.report == "val"
    folder = HERE if final else options.cells / f"report-{options.report}"
    write_json(folder / "result.json", result)
    text, content = markdown(result), report(cells, result, command_line())
    if content is not None:
        _, picture = write_report(content, options.cells / f"report-{options.report}")
        if final:
            write_bytes(HERE / "report.png", picture.read_bytes())
        text += "\n![Detections in held-out photos, and the table of arms](report.png)\n"
    text += f"\nMade by `{command_line()}`.\n"
    if final:
        write_bytes(HERE / "camera.png", camera(options.data))
        write_text(HERE / "README.md", put_into((HERE / "README.md").read_text(), text))
    else:
        write_text(folder / "table.md", text)
    Console(width=200).print(text, markup=False)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with JPEGImages, Annotations and ImageSets")
    parser.add_argument("--report", choices=("few", "rest", "val"), default="few",
                        help="photos of the evaluation. few, rest (few without its first 10): for development; val: "
                             "for the final figures")
    parser.add_argument("--priors", type=float, nargs="+", default=[1.0, 1.6, 0.6],
                        help="priors, each given by the factor of all size ranges")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--arms", nargs="*", default=MAIN,
                        help=f"arms, by default {', '.join(MAIN)}; arms.py describes all")
    parser.add_argument("--curve", action="store_true",
                        help="add the label curve (25, 50, 100 and all labels), for the first prior")
    parser.add_argument("--stages", action="store_true",
                        help="add each round of the fit, the stages that continue it, and more renders, for the first "
                             "prior")
    parser.add_argument("--swaps", action="store_true",
                        help="add arms that exchange content, appearance, labels or platelet counts, for the first "
                             "prior, and boxes rescaled by labelled photos")
    parser.add_argument("--counts", action="store_true",
                        help="add counts of cells per photo; reads labels of the matched photos")
    parser.add_argument("--renders", type=int, default=500, help="training renders of a detector")
    parser.add_argument("--rounds", type=int, default=Npe.rounds, help="rounds of the fit")
    parser.add_argument("--round-renders", type=int, default=Npe.renders,
                        help="renders of a round that networks are trained on; 0 chooses by the size of the images")
    parser.add_argument("--train-steps", type=int, default=400, help="training steps of a detector")
    parser.add_argument("--resamples", type=int, default=2000, help="bootstrap resamples")
    parser.add_argument("--jobs", type=int, default=1, help="cells computed in parallel, one thread each")
    parser.add_argument("--cells", type=Path, default=Path("runs/blood"), help="folder of the cells")
    return parser.parse_args()


def plan(cell: arms.Cell, priors: Sequence[float], seeds: int, names: Sequence[str],
         once: Sequence[str] = ()) -> Iterator[arms.Cell]:
    """All cells, the most informative first: two seeds, the first prior, the arms that determine the gap.

    once: more arms, for the first prior alone.
    """
    order = []
    for prior_number, prior in enumerate(priors):
        for seed in range(seeds):
            for number, arm in enumerate(dict.fromkeys([*names, *(() if prior_number else once)])):
                one = replace(cell, prior=prior, seed=seed, arm=arm)
                if prior_number and one.start in arms.ANY:
                    continue  # does not depend on the prior
                order.append(((seed // 2, prior_number, arm not in FIRST, seed, number), one))
    yield from (one for _, one in sorted(order, key=lambda pair: pair[0]))


def command_line() -> str:
    """The command as it was given, without its folders and number of jobs."""
    given, left_out = sys.argv[1:], ("--data", "--cells", "--jobs")
    kept = [word for before, word in zip(["", *given], given, strict=False) if not {before, word} & set(left_out)]
    return " ".join(["python -m experiments.blood --data FOLDER", *kept])


def run(cell: arms.Cell) -> dict[str, Any]:
    """Result of a cell, computed if necessary."""
    return counting.run(cell) if cell.arm in counting.ARMS else arms.run(cell)


def work(cells: Sequence[arms.Cell], jobs: int) -> dict[arms.Cell, dict[str, Any]]:
    """Results of the cells, computed in their order where possible. Cells of one home share files, so only one of a
    home runs at a time. An error in one cell stops the command after the running cells.
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
                score = f"{100 * results[cell]['mAP50']:.1f}" if "mAP50" in results[cell] else "done"
                bar.console.print(f"{cell.home} {cell.arm}: {score}", highlight=False)
                bar.advance(shown)
    return results
