"""The whole workflow on handwritten digits: `make demo`.

Sprites are one half of scikit-learn's digits. The photos are made from the other half, rotated and shifted by a
distribution that the fit does not know. The demo fits, writes a labelled data set, trains the same classifier on
renders of four distributions, and tests each on held-out photos. An interrupted demo resumes.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import scenefit as sf
from experiments.arms import gap_closed, interval, misclassified, train_on, verdict
from experiments.demo.world import MATCH, save_photos, take_photos, truth
from scenefit.files.atomic import write_json
from scenefit.files.lock import lock
from scenefit.renderers.batches import frame_size
from scenefit.renderers.scene_file import SceneFile, load_scene
from scenefit.report import Baseline, Interval, Mistakes, ReportContent, write
from scenefit.report import Table as ReportTable
from scenefit.run.config import make_config
from scenefit.run.folder import Run, begin, fit_model, fit_run, steps
from scenefit.run.report import report_content, write_summary

ARMS = {"grammar": "the grammar's prior", "shrunk": "prior shrunk to a quarter",
        "learned": "learned from the photos", "oracle": "oracle: the true distribution"}
TRAIN = 2048  # training images per arm
CLASSES = tuple("0123456789")
Tick = Callable[[str, float], None]  # current step, and the finished share of the repeat, 0..1
FIT_SHARE = 0.4  # of a repeat's time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="number of repeats, at least 2")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first repeat")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of the results")
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error(f"--repeats must be at least 2, because intervals need 2 values; got {options.repeats}")
    torch.set_num_threads(1)  # the networks are too small to gain from more threads
    scene = load_scene(Path(__file__).parents[2] / "scenes" / "digits.py")
    with Progress(TextColumn("{task.description:<26}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
                  TimeRemainingColumn()) as bar:
        line = bar.add_task("start", total=options.repeats)
        results = []
        for number in range(options.repeats):
            def tick(text: str, done: float, number: int = number) -> None:
                bar.update(line, completed=number + done, description=f"repeat {number + 1}: {text}")

            results.append(repeat(scene, options.seed + number, options.out / f"repeat-{number}", tick))
            bar.update(line, completed=number + 1)
        bar.update(line, description="data set and report")
        first = options.out / "repeat-0"
        run = Run(first / "run", results[0]["record"])
        sf.generate(fit_model(run, scene.grammar), scene.renderer, 1024, options.out / "dataset", format="folder")
        result = summary(results, options.seed)
        write_json(options.out / "result.json", result)
        paths = write(report(run, scene, results[0], result), options.out)
    show(result)
    Console().print(f"\n{result['verdict']}\n\nReport: {paths[1]} and {paths[0]}. Data set: {options.out / 'dataset'}. "
                    f"Figures: {options.out / 'result.json'}.", soft_wrap=True)


def repeat(scene: SceneFile, seed: int, folder: Path, tick: Tick) -> dict[str, Any]:
    """One repeat: photos, fit, four trainings and their tests. Finished parts are read back from folder."""
    match, test = take_photos(seed)
    if not (folder / "run").exists():
        save_photos(match, folder / "photos")
    photos = sf.read_photos(folder / "photos", frame_size(scene.grammar, scene.renderer))
    wanted = make_config(scene, seed, sf.Settings(), photos.images.shape[1:3], photos, folder / "photos")
    with lock(folder / "run"):
        run = begin(folder / "run", wanted)
        for step in fit_run(run, scene.grammar, scene.renderer, photos):
            tick(f"fit, {step.stage}", FIT_SHARE * step.progress)
        if not run.path("summary.json").exists():
            write_summary(run, scene.grammar, scene.renderer, photos)
    last = steps(run)[-1]
    arms = {name: _arm(name, run, scene, test, seed, folder / f"{name}.json", tick) for name in ARMS}
    return {"record": run.config, "arms": arms, "test": test, "trainings": last["trainings"] + len(ARMS),
            "renders": last["renders"] + len(ARMS) * TRAIN,
            "cpu_seconds": last["cpu_seconds"] + sum(arm["cpu_seconds"] for arm in arms.values())}


def _arm(name: str, run: Run, scene: SceneFile, test: sf.Photos, seed: int, path: Path, tick: Tick) -> dict[str, Any]:
    """Train on renders of one distribution and test: accuracy and misclassified photos. Written to path once."""
    tick(f"train on {name}", FIT_SHARE + (1 - FIT_SHARE) * list(ARMS).index(name) / len(ARMS))
    if path.exists():
        result = json.loads(path.read_text())
        if result["fit"] == run.config.identity:
            return result
    began = time.process_time()
    model = fit_model(run, scene.grammar)
    sampler = {"grammar": scene.grammar.sample, "shrunk": sf.shrunk(scene.grammar).sample,
               "learned": lambda seed, n: model.sample(n, seed), "oracle": truth(898).sample}[name]
    task = sf.Classify(CLASSES)
    network = train_on(sampler, scene.renderer, task, TRAIN, seed)
    result = {"fit": run.config.identity, **task.evaluate(network, test.images, test.label),
              "wrong": misclassified(task, network, test), "cpu_seconds": time.process_time() - began}
    write_json(path, result)
    return result


def summary(results: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """All repeats in one result, as in result.json."""
    values = {name: [result["arms"][name]["accuracy"] for result in results] for name in ARMS}
    return {"accuracy": {name: interval(values[name]) for name in ARMS}, "gap_closed": gap_closed(values),
            "verdict": verdict(values), "renders": sum(result["renders"] for result in results),
            "trainings": sum(result["trainings"] for result in results),
            "cpu_seconds": round(sum(result["cpu_seconds"] for result in results), 1), "seed": seed,
            "repeats": len(results), "photos": {"match": MATCH, "test": len(results[0]["test"])}}


def show(result: dict[str, Any]) -> None:
    """Print the table of accuracies."""
    table = Table(title=f"Accuracy on {result['photos']['test']} held-out photos, {result['repeats']} repeats")
    for column in ("trained on", "mean %", "95 % interval", "per repeat"):
        table.add_column(column, justify="left" if column == "trained on" else "right")
    for name, description in ARMS.items():
        row = result["accuracy"][name]
        table.add_row(description, f"{100 * row['mean']:.1f}", f"{100 * row['low']:.1f} to {100 * row['high']:.1f}",
                      " ".join(f"{100 * value:.0f}" for value in row["values"]))
    gap = result["gap_closed"]
    Console().print(table)
    Console().print(f"Gap closed: {100 * gap['mean']:.1f} % ({100 * gap['low']:.1f} to {100 * gap['high']:.1f})")


def report(run: Run, scene: SceneFile, first: dict[str, Any], result: dict[str, Any]) -> ReportContent:
    """Report on the first repeat's fit, with the true distribution, the table of all repeats and misclassified
    photos."""
    content = report_content(run, scene)
    true = truth(898).sample(result["seed"], 2048).tables["digit"]
    attributes = [replace(a, truth=true[a.name], unit="°" if a.circular else "px") for a in content.attributes]
    arms = [Baseline(name, row["mean"], row["low"], row["high"], row["values"])
            for name, row in result["accuracy"].items()]
    gap = Interval(*(result["gap_closed"][key] for key in ("mean", "low", "high")))
    errors = {}
    for name in ("grammar", "learned"):
        rows = first["arms"][name]["wrong"][:12]
        errors[name] = Mistakes(first["test"].images[[row for row, _ in rows]],
                                [f"{first['test'].label[row]} predicted as {predicted}" for row, predicted in rows])
    facts = {"renders": f"{result['renders']:,}", "trainings": str(result["trainings"]),
             "CPU seconds": f"{result['cpu_seconds']:.0f}", "repeats": str(result["repeats"]),
             "seed": str(result["seed"])}
    return replace(
        content, title="scenefit demo: rotated and shifted digits", verdict=result["verdict"],
        subtitle=f"Photos: {MATCH} handwritten digits without labels. Sprites: digits of other writers.",
        command="make demo", facts=facts, attributes=attributes, errors=errors,
        table=ReportTable("accuracy", arms, f"95 % t interval over {result['repeats']} repeats", gap))


if __name__ == "__main__":
    main()
