"""Where the rest lies: what detectors gain when one part of the learned scenes is replaced by what labels tell.

`python -m experiments.blood.swaps --data FOLDER`. Counts, sizes and the label policy come from the labels of
`match.txt`; detectors are evaluated on `few.txt`, since this is a diagnosis and no result. Needs the fits of `python -m
experiments.blood`, which are kept in runs/blood, or computes them. A cell is one row and seed, 4 CPU minutes; its JSON
in swap_cells/ is committed and never computed twice. Legend: S scenes.

    python -m experiments.blood.swaps --data FOLDER --seeds 0 1
    python -m experiments.blood.swaps --table                      # the table alone, also into README.md
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from experiments.blood import arms, figures, fits, world
from experiments.blood.counts import median_side
from experiments.blood.diagnosis import command
from experiments.cells import markdown
from scenefit.cli.train import IMAGES
from scenefit.metrics.average_precision import best_threshold, match_boxes
from scenefit.scenes.grammar.values import Drawing, draw_scenes, learned_values, scenes_with
from scenefit.scenes.rng import derive_seed, generator
from scenefit.tasks.training_data import VALIDATION
from scenefit.tasks.training_stages import TrainingData
from scenes import smear

COUNTS, SIZES, POLICY = "counts", "sizes", "label policy"
ROWS = {"wide": ("wide", ()), "wide, all three": ("wide", (COUNTS, SIZES, POLICY)), "learned": ("learned", ()),
        **{f"learned, {swap}": ("learned", (swap,)) for swap in (COUNTS, SIZES, POLICY)},
        "learned, all three": ("learned", (COUNTS, SIZES, POLICY))}
COUNTED = ("n_white", "n_platelet")  # of red cells, people label about half, so that the true counts are not known
SIZE_OF = {"RBC": "red_size", "WBC": "white_ratio", "Platelets": "platelet_ratio"}  # ratios are to the red cells' size
MEASURED = 200  # renders whose sizes are compared with the labels'
Sampler = Callable[[np.ndarray], sf.SceneBatch]


def main(arguments: Sequence[str] | None = None) -> None:
    command(__doc__, "swap", tuple(ROWS), (0, 1), run, table, arguments)


def run(name: str, seed: int, data: Path, work: Path) -> dict[str, Any]:
    """The figures of a detector trained on the scenes of one row, in the photos of `few.txt`."""
    source, swaps = ROWS[name]
    fit, tree = fits.Fit(data, work, source, 1.0, seed), world.wide(1.0)
    sample, known, setting, facts = arms.sampler(fit), world.with_boxes(data, world.MATCHED), world.DEFAULT, {}
    assert known.boxes is not None
    if POLICY in swaps:
        read = sf.fit_label_policy(fits.load(replace(fit, name="learned")), setting.renderer, known, seed)
        setting, facts["read"] = replace(setting, policy=read.policy), read.lines()
    if COUNTS in swaps:
        sample = with_counts(tree, sample, world.count(known.boxes), seed)
    if SIZES in swaps:
        facts["sizes times"] = factors = size_factors(known.boxes, arms.rendered(sample, setting,
                                                                                 np.arange(MEASURED))[1])
        sample = with_sizes(tree, sample, factors)
    images, labels = arms.rendered(sample, setting, np.arange(IMAGES))
    held, truth = arms.rendered(sample, setting, np.arange(IMAGES, IMAGES + IMAGES // VALIDATION))
    network = arms.train(arms.TASK, TrainingData((images, labels), None, None), seed, work / "stages")
    threshold = best_threshold(match_boxes(arms.TASK.predict(network, held), truth))
    photos = world.with_boxes(data, world.FEW)
    assert photos.boxes is not None
    one = arms.Detections(arms.TASK.predict(network, photos.images), threshold, {})
    return {"row": name, "seed": seed, **facts, "code": arms.code(), **figures.row(one, photos.boxes)}


def with_counts(tree: sf.Grammar, sample: Sampler, labelled: np.ndarray, seed: int) -> Sampler:
    """Scenes with as many white cells and platelets as labelled photos, whose counts are [N, C], have."""
    def changed(rows: np.ndarray) -> sf.SceneBatch:
        scenes = sample(rows)
        order = generator(seed, "labelled photos").integers(0, len(labelled), int(rows.max()) + 1)
        drawn = labelled[order[rows]]
        counts = {name: np.asarray(scenes.tables["image"][name]) for name in world.COUNTS}
        for name in COUNTED:
            column = drawn[:, world.CLASSES.index(world.COUNTS[name])]
            counts[name] = np.minimum(column, smear.KINDS[name.removeprefix("n_")])
        values = {key: value for key, value in learned_values(tree, scenes).items() if key[1] not in counts}
        return draw_scenes(tree, Drawing(derive_seed(seed, f"swapped {int(rows.min())}"), len(rows), values, {
            ("image", name): value for name, value in counts.items()}))

    return changed


def with_sizes(tree: sf.Grammar, sample: Sampler, factors: Mapping[str, float]) -> Sampler:
    """The same scenes, the sizes of each class multiplied by its factor, within the bounds of the prior."""
    def changed(rows: np.ndarray) -> sf.SceneBatch:
        scenes = sample(rows)
        values = {key: value for key, value in learned_values(tree, scenes).items() if key[1] not in world.COUNTS}
        for name, attribute in SIZE_OF.items():
            low, high = smear.ranges(1)[attribute]
            factor = factors[name] if name == "RBC" else factors[name] / factors["RBC"]
            size = (low + values["image", attribute] * (high - low)) * factor
            values["image", attribute] = ((size - low) / (high - low)).clip(0, 1)
        return scenes_with(tree, scenes, values)

    return changed


def size_factors(labels: sf.Boxes, found: sf.Boxes) -> dict[str, float]:
    """By which the median side of each class's boxes differs from the labels'; 1 for a class that renders lack."""
    sides = {name: (median_side(labels, name), median_side(found, name)) for name in world.CLASSES}
    return {name: round(ours / theirs, 4) if ours and theirs else 1.0 for name, (ours, theirs) in sides.items()}


def table(cells: Sequence[Mapping[str, Any]]) -> str:
    """One row for each row of `ROWS`, of the mean over seeds."""
    rows = []
    for name in ROWS:
        own = [cell for cell in cells if cell["row"] == name]
        if own:
            each = [f"{100 * np.mean([cell[key] for cell in own]):.1f}" for key in (
                figures.AP50, *(f"{figures.AP50} {one}" for one in world.CLASSES), figures.AP)]
            rows.append([name, " ".join(f"{100 * cell[figures.AP50]:.1f}" for cell in own), *each])
    return markdown(["trained on", "AP50 of each seed", "mean AP50", *world.CLASSES, "mean AP"], rows)


if __name__ == "__main__":
    main()
