"""How close renders are to the matched photos, without labels: `python -m experiments.blood.distances --data FOLDER`.

Of the wide grammar and of the fits of the arm `learned`, of the first prior: the Kernel Inception Distance of
EfficientNet-Lite0 features, and the share of photos that are outliers among renders. Needs the fits of `python -m
experiments.blood`, which are kept in runs/blood, or computes them. Its JSON in distance_cells/ is committed and never
computed twice; it takes a CPU minute.

    python -m experiments.blood.distances --data FOLDER --seeds 0 1
    python -m experiments.blood.distances --table                      # the table alone, also into README.md
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from experiments.blood import arms, fits, world
from experiments.cells import markdown, put_between
from scenefit.data.corruptions import corrupt
from scenefit.evaluation.misspecification import THRESHOLD, outlier_scores
from scenefit.files.atomic import write_json
from scenefit.metrics.features import compute, lite0
from scenefit.metrics.kid import kid

HERE = Path(__file__).parent
CELLS = HERE / "distance_cells"
START, END = "<!-- distances: written by experiments.blood.distances -->", "<!-- end of distances -->"
SOURCES = ("wide", "learned")
COMPARED = 300  # renders that photos are compared with to find outliers
Row = dict[str, Any]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with JPEGImages, Annotations and ImageSets")
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5))
    parser.add_argument("--work", type=Path, default=Path("runs/blood"), help="folder of the fits")
    parser.add_argument("--table", action="store_true", help="compute nothing, write the table")
    options = parser.parse_args(arguments)
    if options.data is None and not options.table:
        raise SystemExit("--data FOLDER is missing: the data set; or --table, for the table of finished cells")
    for seed in [] if options.table else options.seeds:
        for source in SOURCES:
            path = CELLS / f"{source}--seed-{seed}.json"
            if not path.exists():
                torch.set_num_threads(1)
                write_json(path, run(source, seed, options.data, options.work))
    text = table([json.loads(path.read_text()) for path in sorted(CELLS.glob("*.json"))])
    Console(width=200).print(text, markup=False, highlight=False)
    put_between(HERE / "README.md", START, END, text)


def run(source: str, seed: int, data: Path, work: Path) -> Row:
    """kid: of as many renders as there are photos, corrupted as those that detectors are trained on."""
    photos = world.unlabelled(data, world.DEFAULT).images
    renders = arms.rendered(arms.sampler(fits.Fit(data, work, source, 1.0, seed)), world.DEFAULT,
                            np.arange(COMPARED))[0]
    network = lite0()
    distance = kid(compute(network, corrupt(renders[:len(photos)], seed)), compute(network, photos), seed)
    outliers = outlier_scores(photos, renders)[0] > THRESHOLD
    return {"source": source, "seed": seed, "kid": round(distance.value, 4), "error": round(distance.error, 4),
            "outliers": round(float(outliers.mean()), 4), "code": arms.code()}


def table(cells: Sequence[Row]) -> str:
    """One row for each source and seed."""
    rows = [[f"{cell['source']}, seed {cell['seed']}", f"{cell['kid']:.3f} ± {cell['error']:.3f}",
             f"{100 * cell['outliers']:.0f}"]
            for cell in sorted(cells, key=lambda cell: (SOURCES.index(cell["source"]), cell["seed"]))]
    return markdown(["renders of", "KID ± standard error", "photos that are outliers, %"], rows)


if __name__ == "__main__":
    main()
