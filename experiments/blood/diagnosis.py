"""The command of a diagnosis of the fits, whose cells are one row and seed each."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from experiments.cells import put_between
from scenefit.files.atomic import write_json

HERE = Path(__file__).parent
Row = Mapping[str, Any]


def command(about: str | None, name: str, rows: Sequence[str], seeds: Sequence[int],
            run: Callable[[str, int, Path, Path], Row], table: Callable[[Sequence[Row]], str],
            arguments: Sequence[str] | None = None) -> None:
    """Compute the cells that {name}_cells/ lacks, then print the table and put it between its marks in README.md.
    about: the command's help.  run: the cell of a row and seed, from the data and the folder of the fits; a function of
    a module, so that another process finds it, which computes with one thread."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with JPEGImages, Annotations and ImageSets")
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds)
    parser.add_argument("--work", type=Path, default=Path("runs/blood"), help="folder of the fits")
    parser.add_argument("--table", action="store_true", help="compute nothing, write the table")
    options = parser.parse_args(arguments)
    if options.data is None and not options.table:
        raise SystemExit("--data FOLDER is missing: the data set; or --table, for the table of finished cells")
    cells = HERE / f"{name}_cells"
    for seed in [] if options.table else options.seeds:
        for row in rows:
            path = cells / f"{row.replace(', ', '--').replace(' ', '-')}--seed-{seed}.json"
            if not path.exists():
                with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
                    write_json(path, pool.submit(run, row, seed, options.data, options.work).result())
    text = table([json.loads(path.read_text()) for path in sorted(cells.glob("*.json"))])
    Console(width=200).print(text, markup=False, highlight=False)
    begin = f"<!-- {name}s: written by experiments.blood.{name}s -->"
    put_between(HERE / "README.md", begin, f"<!-- end of {name}s -->", text)
