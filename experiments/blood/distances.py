"""How close renders are to the matched photos, without labels: `python -m experiments.blood.distances --data FOLDER`.

Of the wide grammar and of the fits of the arm `learned`, of the first prior: the Kernel Inception Distance of
EfficientNet-Lite0 features, and the share of photos that are outliers among renders. Needs the fits of `python -m
experiments.blood`, which are kept in runs/blood, or computes them. Its JSON in distance_cells/ is committed and never
computed twice; it takes a CPU minute.

    python -m experiments.blood.distances --data FOLDER --seeds 0 1
    python -m experiments.blood.distances --table                      # the table alone, also into README.md
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.blood import arms, fits, world
from experiments.blood.diagnosis import command
from experiments.cells import markdown
from scenefit.data.corruptions import corrupt
from scenefit.evaluation.misspecification import THRESHOLD, outlier_scores
from scenefit.metrics.features import compute, lite0
from scenefit.metrics.kid import kid

SOURCES = ("wide", "learned")
COMPARED = 300  # renders that photos are compared with to find outliers
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    command(__doc__, "distance", SOURCES, range(5), run, table, arguments)


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
