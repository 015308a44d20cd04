"""The whole loop on real digits: `make demo`.

Sprites are one half of scikit-learn's handwritten digits. The photos are made from the other half, turned and moved in
a way that the fit is not told. It fits, writes a labelled data set, trains the same classifier on data of four
distributions, and tests all on photos that were neither matched nor chosen on.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import scenefit as sf
from experiments.arms import gap_closed, interval, mistakes, train_on, verdict
from scenefit.address import derive
from scenefit.distance import floor
from scenefit.files import write_bytes, write_json
from scenefit.report import Arm, AttributeStory, Interval, Mistakes, Story, TracePoint, write
from scenefit.report import Table as StoryTable
from scenes import digits

ROOT = Path("runs/demo")
ARMS = ("grammar", "shrunk", "learned", "oracle")
TRAIN = 2048  # images that each arm trains on
MATCH = 450  # photos to match; the other digits are the test


def truth(sprites: int) -> sf.Grammar:
    """How the photos' digits really lie. Nothing but the photos and the oracle may use it."""
    return sf.Grammar("image", {
        "image": {"shade": sf.Uniform(0, 20)},
        "digit": {"x": sf.Normal(13, 1.5), "y": sf.Normal(26, 3), "angle": sf.Angle(115, sd=20),
                  "sprite": sf.Integer(0, sprites - 1)}}, [sf.Rule("image", ["digit"])])


def take_photos(seed: int) -> tuple[sf.Photos, sf.Photos]:
    """Photos to match (their labels are not looked at) and photos to test on: other digits, the same world."""
    images, classes = digits.digits(slice(digits.HALF, None))
    order = np.random.default_rng(derive(seed, "split")).permutation(len(images))
    parts = []
    for name, rows in (("match", order[:MATCH]), ("test", order[MATCH:])):
        camera = sf.Sprites((digits.SIZE, digits.SIZE), {"digit": images[rows]}, {"digit": classes[rows]}, "digit")
        scenes = truth(len(rows)).sample(derive(seed, name), len(rows))
        scenes = scenes.with_columns({"digit": {"sprite": np.arange(len(rows))}})  # each digit once
        frames = sf.render(camera, scenes)
        parts.append(sf.Photos(frames.images, (Path(),) * len(rows), (), frames.label))
    return parts[0], parts[1]


def repeat(seed: int, folder: Path, progress: Any) -> dict[str, Any]:
    """One repeat, all of it: photos, fit, data set (of the first), four trainings, one test."""
    began = time.process_time()
    match, test = take_photos(seed)
    photos = folder / "photos"
    for row, image in enumerate(match.images):
        _save_png(photos / f"{row:03d}.png", image)
    steps = []
    for step in sf.fit_steps(digits.grammar, digits.renderer, photos, seed=seed):
        steps.append(step)
        progress(f"fit: {step.stage}")
    model = steps[-1].model
    if seed == 0:
        sf.generate(model, digits.renderer, 1024, folder / "dataset", format="folder")
    task = sf.Classify(tuple("0123456789"))
    samplers = {"grammar": digits.grammar.sample, "shrunk": sf.shrunk(digits.grammar).sample,
                "learned": lambda seed, n: model.sample(n, seed), "oracle": truth(digits.HALF).sample}
    accuracy, shown = {}, {}
    for name in ARMS:
        network = train_on(samplers[name], digits.renderer, task, TRAIN, seed)
        accuracy[name] = task.score(network, test.images, test.label)
        shown[name] = mistakes(task, network, test)
        progress(f"train on {name}")
    return {"accuracy": accuracy, "renders": steps[-1].renders + len(ARMS) * TRAIN,
            "trainings": steps[-1].trainings + len(ARMS), "cpu_seconds": time.process_time() - began,
            "steps": steps, "model": model, "match": match, "mistakes": shown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first repeat")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the networks are too small for more, and threads that wait still burn time
    results = []
    with Progress(TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(),
                  TimeRemainingColumn()) as bar:
        line = bar.add_task("start", total=None)
        for number in range(options.repeats):
            results.append(repeat(options.seed + number, ROOT / f"repeat-{number}",
                                  lambda text, n=number: bar.update(line, advance=1, description=f"{n + 1}: {text}")))
            bar.update(line, total=bar.tasks[0].completed / (number + 1) * options.repeats)
    result = summary(results, options.seed)
    write_json(ROOT / "result.json", result)
    paths = write(story(results[0], result), ROOT)
    show(result)
    Console().print(f"\n{result['verdict']}\n\nLook at {paths[1]} and {paths[0]}; figures in {ROOT / 'result.json'}")


def summary(results: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    values = {name: [result["accuracy"][name] for result in results] for name in ARMS}
    return {"accuracy": {name: interval(values[name]) for name in ARMS}, "gap_closed": gap_closed(values),
            "verdict": verdict(values), "renders": sum(result["renders"] for result in results),
            "trainings": sum(result["trainings"] for result in results),
            "cpu_seconds": round(sum(result["cpu_seconds"] for result in results), 1), "seed": seed,
            "repeats": len(results), "photos": {"match": MATCH, "test": 1797 - digits.HALF - MATCH}}


def show(result: dict[str, Any]) -> None:
    table = Table(title=f"Accuracy on {result['photos']['test']} held-out photos, {result['repeats']} repeats")
    for column in ("trained on", "mean %", "95 % interval", "each repeat"):
        table.add_column(column, justify="left" if column == "trained on" else "right")
    names = {"grammar": "the hand-made grammar", "shrunk": "wide prior, shrunk to a quarter",
             "learned": "learned from the photos", "oracle": "oracle: the true distribution"}
    for name in ARMS:
        row = result["accuracy"][name]
        table.add_row(names[name], f"{100 * row['mean']:.1f}", f"{100 * row['low']:.1f} to {100 * row['high']:.1f}",
                      "  ".join(f"{100 * value:.1f}" for value in row["values"]))
    Console().print(table)
    gap = result["gap_closed"]
    Console().print(f"Gap closed: {100 * gap['mean']:.1f} % ({100 * gap['low']:.1f} to {100 * gap['high']:.1f})")


def story(first: dict[str, Any], result: dict[str, Any]) -> Story:
    model, seed = first["model"], result["seed"]
    before, after, true = (sampler(1024) for sampler in (
        lambda n: digits.grammar.sample(seed, n), model.sample, lambda n: truth(digits.HALF).sample(seed, n)))
    attributes = [AttributeStory("digit", name, before.tables["digit"][name], after.tables["digit"][name],
                                 true.tables["digit"][name], low, high, unit, circular=name == "angle")
                  for name, unit, low, high in (("x", "px", 0, digits.SIZE), ("y", "px", 0, digits.SIZE),
                                                ("angle", "°", None, None))]
    measured = [step for step in first["steps"] if np.isfinite(step.distance)]
    return Story(
        title="scenefit demo: digits that were turned and moved",
        subtitle=f"The photos are {MATCH} handwritten digits, unlabelled. The sprites are digits of other people.",
        verdict=result["verdict"], command="make demo",
        facts={"renders": f"{result['renders']:,}", "trainings": str(result["trainings"]),
               "CPU seconds": f"{result['cpu_seconds']:.0f}", "repeats": str(result["repeats"]), "seed": str(seed)},
        photos=first["match"].images[:24], prior=sf.render(digits.renderer, before.take(range(24))).images,
        learned=sf.render(digits.renderer, after.take(range(24))).images,
        trace=[TracePoint(step.renders, step.distance, step.stage) for step in measured],
        floor=photo_floor(first), prior_distance=measured[0].distance, attributes=attributes,
        table=StoryTable("accuracy", [Arm(name, row["mean"], row["low"], row["high"], row["values"])
                                      for name, row in result["accuracy"].items()],
                         f"95 % t interval over {result['repeats']} repeats",
                         Interval(*(result["gap_closed"][key] for key in ("mean", "low", "high")))),
        errors={name: Mistakes(*first["mistakes"][name]) for name in ("grammar", "learned")})


def photo_floor(first: dict[str, Any]) -> Interval:
    """The distance between two sets of photos, in the features of the fit."""
    objective = first["steps"][-1].objective
    found = floor(objective.photos, 0, using=objective.kernel)
    return Interval(found.mean, found.low, found.high)


def _save_png(path: Path, image: np.ndarray) -> None:
    import io

    held = io.BytesIO()
    Image.fromarray(image).save(held, "PNG")
    write_bytes(path, held.getvalue())


if __name__ == "__main__":
    main()
