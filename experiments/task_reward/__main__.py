"""What labelled photos add where the match is blind: `python -m experiments.task_reward`.

The distance is measured in features that hardly change when a digit is turned: how much ink there is, where its centre
lies and how far it spreads. So the unlabelled match finds x and y, and leaves the angle at its prior. The classifier
needs the angle. From the same match, with the same number of trainings, what do REINFORCE on the score (as in the
Meta-Sim paper) and each scene's own credit add? Every seed is kept in runs/task_reward, so a stopped command goes on.
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
FEW = 100  # labelled photos: the reward; no other label is read before the test
ARMS = ("match alone", "match, as many steps", "reinforce", "credit", "labels alone", "oracle")
TASKS = {"reinforce": "reinforce", "credit": "influence"}  # arm: gradient of the task
STEPS = 80  # of the match
TRAIN = 2048


def grammar(target: bool, sprites: int) -> sf.Grammar:
    place = {"x": sf.Normal(13, 1.5), "y": sf.Normal(26, 1.5), "angle": sf.Angle(50, sd=15)}
    prior = {"x": sf.learned(sf.Normal(20, 1.5), bounds=(0, 40)), "y": sf.learned(sf.Normal(20, 1.5), bounds=(0, 40)),
             "angle": sf.learned(sf.Angle(0, sd=15))}
    return sf.Grammar("image", {"image": {"shade": sf.Uniform(0, 20)}, "digit": {
        **(place if target else prior), "sprite": sf.Integer(0, sprites - 1)}}, [sf.Rule("image", ["digit"])])


def blind(images: Tensor) -> Tensor:
    """[N, 3, H, W] -> [N, 4]: amount of ink, its centre and its radius, in pixels; the same for any angle."""
    ink = images[:, 0] - images[:, 0].amin((1, 2), keepdim=True)
    total = ink.sum((1, 2)).clamp(min=1e-3)
    at = torch.arange(ink.shape[1], dtype=ink.dtype) + 0.5
    x, y = (ink.sum(1) @ at) / total, (ink.sum(2) @ at) / total
    far = ((at - x[:, None]) ** 2)[:, None, :] + ((at - y[:, None]) ** 2)[:, :, None]
    radius = ((ink * far).sum((1, 2)) / total).sqrt()
    return torch.stack([total / 10, x, y, radius], dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cells = [(seed, arm) for seed in range(options.seeds) for arm in ARMS]
    found = {cell: run(*cell) for cell in track(cells, "cells")}
    result: dict[str, Any] = {"trainings": TRAININGS, "labelled photos": FEW, "seeds": options.seeds}
    table = Table(title=f"Accuracy on held-out photos, {TRAININGS} trainings, {FEW} labelled photos")
    for name in ("arm", "mean %", "95 % interval", "added to the match", "mean angle (truth 50°)"):
        table.add_column(name)
    for arm in ARMS:
        rows = [found[seed, arm] for seed in range(options.seeds)]
        values = [row["accuracy"] for row in rows]
        added = interval(np.subtract(values, [found[seed, ARMS[0]]["accuracy"] for seed in range(options.seeds)]))
        result[arm] = {"accuracy": interval(values), "added": added, "angle": [row["angle"] for row in rows]}
        shown = result[arm]["accuracy"]
        table.add_row(arm, f"{100 * shown['mean']:.1f}", f"{100 * shown['low']:.1f} to {100 * shown['high']:.1f}",
                      "" if arm == ARMS[0] else
                      f"{100 * added['mean']:+.1f} ({100 * added['low']:+.1f} to {100 * added['high']:+.1f})",
                      " ".join("" if angle is None else f"{angle:.0f}" for angle in result[arm]["angle"]))
    result["credit minus reinforce"] = interval(np.subtract(*(result[arm]["accuracy"]["values"] for arm in
                                                              ("credit", "reinforce"))))
    write_json(Path(__file__).parent / "result.json", result)
    Console().print(table)
    more = result["credit minus reinforce"]
    Console().print(f"credit minus reinforce, paired: {100 * more['mean']:+.1f} ({100 * more['low']:+.1f} to "
                    f"{100 * more['high']:+.1f})")


def run(seed: int, arm: str) -> dict[str, Any]:
    kept = Path("runs/task_reward") / f"seed-{seed}" / f"{arm.replace(',', '').replace(' ', '-')}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    images, classes = digits.digits(slice(digits.HALF, None))
    photos, truth = take_photos(images, classes, seed), grammar(True, digits.HALF)
    task, test = sf.Classify(tuple("0123456789")), photos["test"]
    if arm == "labels alone":
        few = photos["few"].take(np.resize(np.arange(FEW), TRAIN))  # as many steps as on renders
        network = task.train(few.images, few.label, derive_seed(seed, "few"))
        result = {**task.evaluate(network, test.images, test.label), "angle": None}
        write_json(kept, result)
        return result
    sampler: Any = truth.sample
    if arm != "oracle":
        steps = STEPS + (TRAININGS if arm == "match, as many steps" else 0)
        settings = sf.Settings("none", descent=Descent(steps),
                               task=TaskReward(TASKS.get(arm, "none"), TRAININGS))
        model = sf.fit(grammar(False, digits.HALF), digits.renderer, photos["match"].images, photos["few"], seed=seed,
                       settings=settings, features=blind)

        def sampler(seed: int, count: int) -> sf.SceneBatch:
            return model.sample(count, seed)
    angle = np.deg2rad(sampler(derive_seed(seed, "look"), 1024).tables["digit"]["angle"])
    network = train_on(sampler, digits.renderer, task, TRAIN, seed)
    result = {**task.evaluate(network, test.images, test.label),
              "angle": float(np.rad2deg(np.angle(np.exp(1j * angle).mean())))}
    write_json(kept, result)
    return result


def take_photos(images: np.ndarray, classes: np.ndarray, seed: int) -> dict[str, sf.Photos]:
    """Disjoint digits: 400 to match (labels unread), few for the reward, the rest for the test."""
    order, parts = np.random.default_rng(derive_seed(seed, "split")).permutation(len(images)), {}
    for name, rows in (("match", order[:400]), ("few", order[400:400 + FEW]), ("test", order[400 + FEW:])):
        camera = sf.Sprites((digits.SIZE, digits.SIZE), {"digit": images[rows]}, {"digit": classes[rows]}, "digit")
        scenes = grammar(True, len(rows)).sample(derive_seed(seed, name), len(rows))
        frames = sf.render(camera, scenes.with_columns({"digit": {"sprite": np.arange(len(rows))}}))
        parts[name] = sf.Photos(frames.images, (Path(),) * len(rows), (), frames.label)
    return parts


if __name__ == "__main__":
    main()
