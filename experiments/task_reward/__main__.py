"""Task reward for an attribute that the distance does not see: `python -m experiments.task_reward`.

The distance is measured in features that hardly change when a digit is rotated: the amount of ink, its centre and its
radius. The fit without labels therefore recovers x and y, but leaves the angle at its prior, which the classifier
needs. The experiment starts from the same fit and compares, with the same number of trainings, REINFORCE on the
classifier's score (as in the Meta-Sim paper) with the influence of each scene. Finished cells are kept in
runs/task_reward, so an interrupted command resumes.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

import scenefit as sf
from experiments.arms import interval, train_on
from scenefit.files.atomic import write_json
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.inference.stages.task_reward import TaskReward
from scenefit.scenes.rng import derive_seed
from scenes import digits

TRAININGS = 60
FEW = 100  # labelled photos that the reward is measured on; no other label is read before the test
ARMS = ("match alone", "match, as many steps", "reinforce", "credit", "labels alone", "oracle")
TASKS = {"reinforce": "reinforce", "credit": "influence"}  # arm: gradient of the task
NAMES = {"reinforce": "REINFORCE", "credit": "influence", "labels alone": "labelled photos alone"}  # in the table
STEPS = 80  # of the MMD descent
TRAIN = 2048  # training images per arm


def grammar(target: bool, sprites: int) -> sf.Grammar:
    """The grammar with its priors or, with target, the true distribution."""
    true = {"x": sf.Normal(13, 1.5), "y": sf.Normal(26, 1.5), "angle": sf.Angle(50, sd=15)}
    prior = {"x": sf.learned(sf.Normal(20, 1.5), bounds=(0, 40)), "y": sf.learned(sf.Normal(20, 1.5), bounds=(0, 40)),
             "angle": sf.learned(sf.Angle(0, sd=15))}
    return sf.Grammar("image", {"image": {"shade": sf.Uniform(0, 20)}, "digit": {
        **(true if target else prior), "sprite": sf.Integer(0, sprites - 1)}}, [sf.Rule("image", ["digit"])])


def blind_features(images: Tensor) -> Tensor:
    """Images [N, 3, H, W] -> features [N, 4]: amount of ink, its centre and radius in pixels. They are the same at any
    angle."""
    ink = images[:, 0] - images[:, 0].amin((1, 2), keepdim=True)
    total = ink.sum((1, 2)).clamp(min=1e-3)
    at = torch.arange(ink.shape[1], dtype=ink.dtype) + 0.5
    x, y = (ink.sum(1) @ at) / total, (ink.sum(2) @ at) / total
    squared = ((at - x[:, None]) ** 2)[:, None, :] + ((at - y[:, None]) ** 2)[:, :, None]
    radius = ((ink * squared).sum((1, 2)) / total).sqrt()
    return torch.stack([total / 10, x, y, radius], dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cells = [(seed, arm) for seed in range(options.seeds) for arm in ARMS]
    results = {cell: run(*cell) for cell in track(cells, "cells")}
    result: dict[str, Any] = {"trainings": TRAININGS, "labelled photos": FEW, "seeds": options.seeds}
    table = Table(title=f"Accuracy on held-out photos, {TRAININGS} trainings, {FEW} labelled photos")
    for name in ("arm", "mean %", "95 % interval", "gain over match alone", "mean angle (truth 50°)"):
        table.add_column(name)
    for arm in ARMS:
        rows = [results[seed, arm] for seed in range(options.seeds)]
        values = [row["accuracy"] for row in rows]
        added = interval(np.subtract(values, [results[seed, ARMS[0]]["accuracy"] for seed in range(options.seeds)]))
        result[arm] = {"accuracy": interval(values), "added": added, "angle": [row["angle"] for row in rows]}
        accuracy = result[arm]["accuracy"]
        table.add_row(NAMES.get(arm, arm), f"{100 * accuracy['mean']:.1f}",
                      f"{100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f}", "" if arm == ARMS[0] else
                      f"{100 * added['mean']:+.1f} ({100 * added['low']:+.1f} to {100 * added['high']:+.1f})",
                      " ".join("" if angle is None else f"{angle:.0f}" for angle in result[arm]["angle"]))
    result["credit minus reinforce"] = interval(np.subtract(*(result[arm]["accuracy"]["values"] for arm in
                                                              ("credit", "reinforce"))))
    write_json(Path(__file__).parent / "result.json", result)
    Console().print(table)
    gain = result["credit minus reinforce"]
    Console().print(f"influence minus REINFORCE, paired: {100 * gain['mean']:+.1f} ({100 * gain['low']:+.1f} to "
                    f"{100 * gain['high']:+.1f})")


def run(seed: int, arm: str) -> dict[str, Any]:
    """Test accuracy and mean learned angle in degrees of one arm. Done once."""
    path = Path("runs/task_reward") / f"seed-{seed}" / f"{arm.replace(',', '').replace(' ', '-')}.json"
    if path.exists():
        return json.loads(path.read_text())
    images, classes = digits.digits(slice(digits.HALF, None))
    photos, truth = take_photos(images, classes, seed), grammar(True, digits.HALF)
    task, test = sf.Classify(tuple("0123456789")), photos["test"]
    if arm == "labels alone":
        few = photos["few"].take(np.resize(np.arange(FEW), TRAIN))  # repeated: as many steps as on renders
        network = task.train(few.images, few.label, derive_seed(seed, "few"))
        result = {**task.evaluate(network, test.images, test.label), "angle": None}
        write_json(path, result)
        return result
    sampler: Any = truth.sample
    if arm != "oracle":
        steps = STEPS + (TRAININGS if arm == "match, as many steps" else 0)
        settings = sf.Settings("none", descent=Descent(steps),
                               task=TaskReward(TASKS.get(arm, "none"), TRAININGS))
        model = sf.fit(grammar(False, digits.HALF), digits.renderer, photos["match"].images, photos["few"], seed=seed,
                       settings=settings, features=blind_features)

        def sampler(seed: int, count: int) -> sf.SceneBatch:
            return model.sample(count, seed)
    angle = np.deg2rad(sampler(derive_seed(seed, "look"), 1024).tables["digit"]["angle"])
    network = train_on(sampler, digits.renderer, task, TRAIN, seed)
    result = {**task.evaluate(network, test.images, test.label),
              "angle": float(np.rad2deg(np.angle(np.exp(1j * angle).mean())))}
    write_json(path, result)
    return result


def take_photos(images: np.ndarray, classes: np.ndarray, seed: int) -> dict[str, sf.Photos]:
    """Photos of disjoint digits: 400 for the fit (labels are not used), FEW for the reward, the rest for the test."""
    order, parts = np.random.default_rng(derive_seed(seed, "split")).permutation(len(images)), {}
    for name, rows in (("match", order[:400]), ("few", order[400:400 + FEW]), ("test", order[400 + FEW:])):
        camera = sf.Sprites((digits.SIZE, digits.SIZE), {"digit": images[rows]}, {"digit": classes[rows]}, "digit")
        scenes = grammar(True, len(rows)).sample(derive_seed(seed, name), len(rows))
        frames = sf.render(camera, scenes.with_columns({"digit": {"sprite": np.arange(len(rows))}}))
        parts[name] = sf.Photos(frames.images, (Path(),) * len(rows), (), frames.label)
    return parts


if __name__ == "__main__":
    main()
