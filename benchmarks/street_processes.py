"""`Street` in several processes, by the clock, and its memory: `python -m benchmarks.street_processes`.

The scenes are those of `benchmarks.street`. Each process renders labelled batches, or writes data sets as `generate`
does, for some seconds, all at the same time; rates are sums over processes. Figures hold where nothing else runs.
Memory is the peak of one process (ru_maxrss), after so many labelled frames. The result is street_processes.json;
`--only memory` or `--only rates` measures one part again.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch

import scenefit as sf
from benchmarks.street import street
from scenefit.files.atomic import write_json

SIZES = (94, 310), (180, 240), (188, 620), (375, 1242)
PROCESSES = 1, 2
VARIANTS = {"1 ray, shadow": (False, False), "4 rays at edges, shadow, occlusion, 8 trees": (True, True)}  # rays, trees
SECONDS, BATCH, WRITTEN = 8.0, 8, 16  # of each measurement; scenes of a batch; of a data set
FRAMES = 100, 1_000, 5_000, 10_000  # after which memory is read
OUT = Path(__file__).with_name("street_processes.json")


def rates(size: tuple[int, int], variant: str, processes: int, written: bool) -> float:
    """Labelled, or written, frames a second of all processes."""
    context = multiprocessing.get_context("spawn")
    start, found = context.Barrier(processes), context.Queue()
    own = [context.Process(target=worker, args=(size, variant, written, number, start, found))
           for number in range(processes)]
    for process in own:
        process.start()
    total = sum(found.get(timeout=600) for _ in own)
    for process in own:
        process.join()
    return round(total, 1)


def worker(size: tuple[int, int], variant: str, written: bool, number: int, start: Any, found: Any) -> None:
    """Puts the frames a second of this process into found."""
    with tempfile.TemporaryDirectory() as folder:
        parts = work(size, variant, Path(folder) if written else None, 1_000 * number)
        next(parts)  # compiles, uploads meshes
        start.wait()
        frames, began = 0, time.monotonic()
        while time.monotonic() - began < SECONDS:
            frames += next(parts)
        found.put(frames / (time.monotonic() - began))


def work(size: tuple[int, int], variant: str, folder: Path | None, seed: int) -> Iterator[int]:
    """Endless: the number of frames that were labelled, or written into a folder."""
    torch.set_num_threads(1)
    rays, trees = VARIANTS[variant]
    renderer, grammar = sf.Street(size, antialias=rays, occlusion=rays), street(trees)

    def label(seed: int) -> int:
        sf.label_boxes(renderer(grammar.sample(seed, BATCH)))
        return BATCH

    def write(seed: int) -> int:
        sf.generate(grammar, renderer, WRITTEN, f"{folder}/{seed}", format="kitti")
        return WRITTEN

    step: Callable[[int], int] = label if folder is None else write
    yield from (step(number) for number in count(seed))


def memory() -> dict[str, float]:
    """Peak MiB after so many labelled frames of 310x94."""
    parts, done, out = work(SIZES[0], next(iter(VARIANTS)), None, 0), 0, {}
    for frames in FRAMES:
        while done < frames:
            done += next(parts)
        out[str(frames)] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("rates", "memory"))
    options = parser.parse_args()
    result = json.loads(OUT.read_text()) if OUT.exists() else {}
    if options.only != "memory":
        result["cores"], result["load at start"], result["rates"] = os.cpu_count(), os.getloadavg()[0], []
        for size in SIZES:
            for variant in VARIANTS:
                for processes in PROCESSES:
                    row = {"size": f"{size[1]}x{size[0]}", "variant": variant, "processes": processes,
                           **{name: rates(size, variant, processes, written)
                              for name, written in (("labelled", False), ("written", True))}}
                    result["rates"].append(row)
                    print(row, flush=True)
                    write_json(OUT, result)
    if options.only != "rates":
        result["peak MiB after frames"] = memory()
        print(result["peak MiB after frames"])
        write_json(OUT, result)


if __name__ == "__main__":
    main()
