"""Which boxes should renders have where no label tells how people draw them? `python -m experiments.label_defaults`.

Two worlds, with sharp and with soft edges, and photos labelled in three ways: tight (pixels covered by more than half),
all that is visible (by more than a tenth), and with a halo (that, and 5 % of the box on each side). A detector is
trained for each value of `Shapes(solid=)` on renders of the true distribution, so that nothing but labels differs; a
margin is added to its boxes. A cell is one world and seed; it takes about three CPU minutes.

    python -m experiments.label_defaults             # missing cells, then the table, also into README.md
    python -m experiments.label_defaults --table     # the table alone
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import scenefit as sf
from experiments.cells import Row, command, markdown, source_hash
from experiments.label_policy.world import PRIOR, SIZE, TRUE, cells_grammar
from experiments.label_policy.world import __file__ as world_file
from scenefit.data.boxes import Boxes
from scenefit.data.corruptions import add_texture, corrupt
from scenefit.data.shading import add_shading
from scenefit.nets.augmentation import Augment
from scenefit.scenes.rng import derive_seed

HERE = Path(__file__).parent
SEEDS = (0, 1)
EDGES = {"sharp": (0.5, 1.2), "soft": (1.5, 4.0)}  # of outlines, px
SOLID, MARGINS = (0.5, 0.35, 0.2, 0.1), (0.0, 0.03, 0.05)  # the candidates
CONVENTIONS = {"tight": (0.5, 0.0), "visible": (0.1, 0.0), "halo": (0.1, 0.05)}  # cover, margin
RENDERS, STEPS, TESTED = 400, 300, 300
CLASSES = tuple(PRIOR)


def main(arguments: Sequence[str] | None = None) -> None:
    command(__doc__, HERE, EDGES, SEEDS, run, table, arguments)


def run(world: str, seed: int) -> Row:
    """Average precision of each candidate under each convention."""
    began = time.process_time()
    grammar = cells_grammar(True, {kind: {**TRUE[kind], "edge": EDGES[world]} for kind in TRUE})
    task = sf.Detect(CLASSES, steps=STEPS, augment=Augment(vertical_flip=True, corruptions=True))
    scenes, own = grammar.sample(derive_seed(seed, "tested"), TESTED), derive_seed(seed, "photos")
    frames = {solid: sf.render(_renderer(solid), scenes) for solid in {cover for cover, _ in CONVENTIONS.values()}}
    first = frames[0.5]
    photos = corrupt(add_texture(add_shading(first.images, first.instances, own), own), own)
    truths = {name: sf.label_boxes(frames[solid], sf.LabelPolicy(margin=margin))
              for name, (solid, margin) in CONVENTIONS.items()}
    found = {}
    for solid in SOLID:
        renders = sf.render(_renderer(solid), grammar.sample(derive_seed(seed, "renders"), RENDERS))
        network = task.train(renders.images, sf.label_boxes(renders), derive_seed(seed, "detector"))
        boxes = task.predict(network, photos)
        for margin in MARGINS:
            wider = _wider(boxes, margin)
            found[f"solid {solid}, margin {margin}"] = {
                name: _score(wider, truth) for name, truth in truths.items()}
    return {"world": world, "seed": seed, "scores": found, "cpu_seconds": round(time.process_time() - began),
            "code": source_hash([*HERE.glob("*.py"), Path(world_file)])}


def _renderer(solid: float) -> sf.Shapes:
    return sf.Shapes((SIZE, SIZE), {kind: {} for kind in PRIOR}, solid=solid)


def _wider(boxes: Boxes, margin: float) -> Boxes:
    more = margin * (boxes.box[:, 2:] - boxes.box[:, :2])
    return replace(boxes, box=np.concatenate([boxes.box[:, :2] - more, boxes.box[:, 2:] + more], 1).clip(0, SIZE))


def _score(found: Boxes, truth: Boxes) -> Mapping[str, float]:
    measured = sf.average_precision(found, truth, CLASSES)
    return {"AP": round(measured["AP"], 4), "AP50": round(measured["mAP50"], 4)}


def table(cells: Sequence[Row]) -> str:
    """AP of each candidate under each convention in each world, the mean over seeds; the mean over all; also AP50."""
    if not cells:
        return "No cell is computed yet."
    columns = [(world, name) for world in EDGES for name in CONVENTIONS]
    head = ["boxes of renders", *(f"{world}, {name}" for world, name in columns), "mean AP", "lowest", "mean AP50"]
    rows = []
    for candidate in cells[0]["scores"]:
        ap, ap50 = ([_mean(cells, candidate, world, name, metric) for world, name in columns]
                    for metric in ("AP", "AP50"))
        rows.append([candidate, *(f"{value:.1f}" for value in (*ap, np.mean(ap), min(ap), np.mean(ap50)))])
    return markdown(head, rows)


def _mean(cells: Sequence[Mapping], candidate: str, world: str, name: str, metric: str) -> float:
    return float(100 * np.mean([cell["scores"][candidate][name][metric] for cell in cells if cell["world"] == world]))


if __name__ == "__main__":
    main()
