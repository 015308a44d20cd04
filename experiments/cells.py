"""Experiments whose cells are one world and one seed: computed once, each in a process of its own, kept as small JSON
files in the experiment's folder cells/, and shown as a table in its README.md."""

import argparse
import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from rich.console import Console
from rich.progress import Progress

import scenefit as sf
from scenefit.files.atomic import content_hash, write_bytes, write_json

START, END = "<!-- table: written by --table -->", "<!-- end of table -->"
Row = dict[str, Any]
Cell = TypeVar("Cell", bound="Named")


def command(about: str | None, here: Path, worlds: Iterable[str], seeds: Sequence[int],
            run: Callable[[str, int], Row], table: Callable[[Sequence[Row]], str],
            arguments: Sequence[str] | None) -> None:
    """Compute the cells that are missing, then print the table and put it between its marks in the page. about: the
    command's help.  here: folder of the experiment.  run: the cell of a world and seed; a function of a module, so that
    another process finds it, which computes with one thread."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    worlds = list(worlds)
    parser.add_argument("--worlds", nargs="+", default=worlds, choices=worlds)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    parser.add_argument("--table", action="store_true", help="compute nothing, write the table")
    options = parser.parse_args(arguments)
    for seed in [] if options.table else options.seeds:
        for world in options.worlds:
            path = here / "cells" / f"{world}--seed-{seed}.json"
            if not path.exists():
                with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
                    write_json(path, pool.submit(run, world, seed).result())
    text = table(read_cells(here))
    Console(width=200).print(text, markup=False, highlight=False)
    put_between(here / "README.md", START, END, text)


class Named(Protocol):
    """A cell. home: cells of one home share files, so only one of them runs at a time."""

    @property
    def name(self) -> str: ...

    @property
    def home(self) -> Hashable: ...


def compute(cells: Sequence[Cell], jobs: int, into: Path, run: Callable[..., Row], arguments: Sequence[Any],
            shown: Callable[[Row], Any]) -> None:
    """Compute cells, several in parallel, in their order where possible, and write their JSON files. An error in one
    stops this after the running ones. run: the result of a cell and the arguments, in a process of its own; a function
    of a module, so that another process finds it.  shown: what is printed of a result."""
    waiting, running = list(cells), dict[Future[Row], Cell]()
    with Progress() as bar, ProcessPoolExecutor(jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        progress = bar.add_task("cells", total=len(cells))
        while waiting or running:
            busy = {cell.home for cell in running.values()}
            for cell in list(waiting):
                if len(running) == jobs:
                    break
                if cell.home not in busy:
                    running[pool.submit(run, cell, *arguments)] = cell
                    busy.add(cell.home)
                    waiting.remove(cell)
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                cell, result = running.pop(done), done.result()
                write_json(into / f"{cell.name}.json", result)
                bar.console.print(cell.name, shown(result), highlight=False)
                bar.advance(progress)


def put_between(page: Path, start: str, end: str, text: str) -> None:
    """Put a text into a page, between its lines start and end. ValueError if it has no such lines."""
    before, begun, rest = page.read_text().partition(start)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ValueError(f"{page.name} has no line {start!r} followed by a line {end!r}; add both where the text goes")
    write_bytes(page, f"{before}{start}\n\n{text}\n\n{end}{after}".encode())


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table for a page."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def source_hash(files: Iterable[Path]) -> str:
    """Hash of all source files that a cell may depend on, to detect cells made by other code: those of the package, and
    these of its experiment."""
    every = sorted([*Path(sf.__file__).parent.rglob("*.py"), *files])
    return content_hash("\n".join(content_hash(file.read_bytes()) for file in every).encode())


def read_cells(here: Path) -> list[Row]:
    """The computed cells of an experiment, by name."""
    return [json.loads(path.read_text()) for path in sorted((here / "cells").glob("*.json"))]
