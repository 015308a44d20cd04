"""The MNIST experiments of the Meta-Sim paper: `python -m experiments.mnist WORLD --data FOLDER`.

Finished cells (one seed, one arm) are kept in runs/mnist, so an interrupted command resumes. Writes result.json and
result.png into experiments/mnist_WORLD.
"""

import argparse
import io
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import scenefit as sf
from experiments.arms import gap_closed, interval, verdict
from experiments.mnist import network as net
from experiments.mnist.world import WORLDS, Digits, World, camera, grammar, load, take_photos
from scenefit.files.atomic import write_bytes, write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.metrics.mmd import noise_floor
from scenefit.metrics.wasserstein import wasserstein
from scenefit.nets.model import load_model
from scenefit.report import Baseline, Interval, ReportContent, TracePoint
from scenefit.report import Table as ReportTable
from scenefit.report.picture import first_view
from scenefit.run.report import attributes
from scenefit.scenes.rng import derive_seed

ARMS = ("grammar", "shrunk", "learned", "oracle")
MATCH = 1000  # photos for the fit; the other 9,000 of MNIST's test part are the test photos
HERE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Job:
    """One seed of one experiment.

    data: folder of mnist_full.npz.  sprites: their number.  images: renders per epoch.  width: channels of the
    classifier's first layer.  jitter: amount of `network.jittered`.
    """

    world: str
    data: Path
    sprites: int
    seed: int
    images: int
    epochs: int
    width: int
    jitter: float
    arms: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return Path("runs/mnist") / self.world / f"{self.sprites}-sprites" / f"seed-{self.seed}"


def main(world: str | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    if world is None:
        parser.add_argument("world", choices=WORLDS)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist_full.npz")
    parser.add_argument("--sprites", type=int, default=10_000, help="digits of MNIST's training part used as sprites")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--images", type=int, default=20_000, help="new renders per epoch")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of the classifier's training")
    parser.add_argument("--width", type=int, default=32, help="channels of the classifier's first layer")
    parser.add_argument("--jitter", type=float, default=0.0,
                        help="random affine augmentation of the classifier's training images, in all arms; 0: none")
    parser.add_argument("--arms", nargs="*", default=ARMS, help="arms to train; without values: fit only")
    parser.add_argument("--jobs", type=int, default=1, help="seeds computed in parallel, one thread each")
    options = parser.parse_args()
    chosen = WORLDS[world or options.world]
    jobs = [Job(chosen.name, options.data, options.sprites, seed, options.images, options.epochs, options.width,
                options.jitter, tuple(options.arms)) for seed in range(options.seeds)]
    results: dict[int, dict[str, Any]] = {}
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        waiting = {pool.submit(run, job): job.seed for job in jobs}
        for done in as_completed(waiting):
            results[waiting[done]] = done.result()
            Console().print(f"{chosen.name}, seed {waiting[done]}: " + ", ".join(
                f"{name} {100 * value:.2f} %" for name, value in done.result()["accuracy"].items()))
    result = summary(chosen, jobs[0], [results[job.seed] for job in jobs])
    folder = HERE / f"mnist_{chosen.name}"
    name = "result" if options.sprites == 10_000 else f"result_{options.sprites}"
    write_json(folder / f"{name}.json", result)
    write_bytes(folder / f"{name}.png", picture(chosen, jobs[0], result))
    show(result)


def run(job: Job) -> dict[str, Any]:
    """Fit and all arms of one seed."""
    torch.set_num_threads(1)
    world, parts = WORLDS[job.world], load(job.data, job.sprites, MATCH, job.seed)
    fitted = fit(job, world, *parts[:2])
    test = take_photos(world, parts[2], derive_seed(job.seed, "test"))
    return {**fitted, "accuracy": {arm: classify(job, world, arm, parts[0], test) for arm in job.arms}}


def fit(job: Job, world: World, sprites: Digits, match: Digits) -> dict[str, Any]:
    """Fit, and measure the Wasserstein distance of each attribute to the truth, learned and prior. Done once."""
    path, tree = job.folder / "fit.json", grammar(world.prior, sprites)
    if path.exists():
        return json.loads(path.read_text())
    photos = take_photos(world, match, derive_seed(job.seed, "match"))
    trace = []
    for step in sf.fit_steps(tree, camera(world, sprites), replace(photos, label=np.full(len(photos), "")),
                             seed=job.seed):
        trace.append([step.renders, step.distance, step.stage])
    band = noise_floor(step.objective.photo_features, job.seed, using=step.objective.kernel)
    sets = {"learned": step.model.sample(4096), "prior": tree.sample(job.seed, 4096),
            "truth": grammar(world.target, sprites).sample(derive_seed(job.seed, "truth"), 4096)}
    distances = {a: {**{name: wasserstein(sets[name].tables["digit"][a], sets["truth"].tables["digit"][a], a == "angle")
                        for name in ("learned", "prior")},
                     **{f"{name} mean and sd": moments(scenes.tables["digit"][a], a == "angle")
                        for name, scenes in sets.items()}} for a in world.prior}
    write_tensors(job.folder / "model.safetensors", step.model.state(), {})
    result = {"wasserstein": distances, "renders": step.renders, "cpu_seconds": step.cpu_seconds,
              "trace": [point for point in trace if np.isfinite(point[1])], "floor": [band.mean, band.low, band.high]}
    write_json(path, result)
    return result


def moments(values: Any, circular: bool) -> list[float]:
    """Mean and standard deviation; for angles in degrees, about their mean direction."""
    values = np.asarray(values, float)
    if not circular:
        return [float(values.mean()), float(values.std())]
    mean = np.rad2deg(np.angle(np.exp(1j * np.deg2rad(values)).mean()))
    return [float(mean), float(((values - mean + 180) % 360 - 180).std())]


def classify(job: Job, world: World, arm: str, sprites: Digits, test: sf.Photos) -> float:
    """Test accuracy of the classifier trained on one arm. Done once."""
    jitter = f"-jitter-{job.jitter:g}" if job.jitter else ""
    path = job.folder / f"{arm}-{job.images}x{job.epochs}-{job.width}{jitter}.json"
    if path.exists():
        return json.loads(path.read_text())["accuracy"]
    began, tree = time.process_time(), grammar(world.prior, sprites)
    model = load_model(tree, read_tensors(job.folder / "model.safetensors", "remove it")[0], job.seed)
    sample = {"grammar": tree.sample, "shrunk": sf.shrunk(tree).sample,
              "learned": lambda seed, index: model.sample(index, seed),
              "oracle": grammar(world.target, sprites).sample}[arm]
    trained = net.train(sample, camera(world, sprites), job.images, job.epochs, job.width, job.seed,
                        job.jitter)
    accuracy = net.accuracy(trained, test)
    write_json(path, {"accuracy": accuracy, "cpu_seconds": time.process_time() - began})
    return accuracy


def training(job: Job) -> str:
    """The classifier's training as text."""
    jitter = f", jitter {job.jitter:g}" if job.jitter else ""
    return f"{job.images} renders x {job.epochs} epochs, width {job.width}{jitter}"


def options(job: Job, result: dict[str, Any]) -> str:
    """Options of the command that differ from its defaults, as text."""
    if job.sprites == 10_000:
        return ""
    return (f" --sprites {job.sprites} --images {job.images} --epochs {job.epochs} --jitter {job.jitter:g} "
            f"--seeds {result['seeds']}")


def summary(world: World, job: Job, results: list[dict[str, Any]]) -> dict[str, Any]:
    """All seeds in one result, as in result.json."""
    accuracy = {arm: [result["accuracy"][arm] for result in results] for arm in job.arms}
    out: dict[str, Any] = {
        "world": world.name, "sprites": job.sprites, "photos": {"match": MATCH, "test": 10_000 - MATCH},
        "seeds": len(results), "training": training(job),
        "accuracy": {arm: interval(values) for arm, values in accuracy.items()}}
    if set(ARMS) <= set(accuracy):
        out |= {"gap_closed": gap_closed(accuracy), "verdict": verdict(accuracy),
                "oracle_minus_learned": interval(np.subtract(accuracy["oracle"], accuracy["learned"]))}
    out["wasserstein"] = {a: {name: interval([result["wasserstein"][a][name] for result in results])
                              for name in ("learned", "prior")} for a in world.prior}
    out["moments"] = {a: {name: [result["wasserstein"][a][f"{name} mean and sd"] for result in results]
                          for name in ("prior", "learned", "truth")} for a in world.prior}
    return out | {"fit_renders": results[0]["renders"],
                  "fit_cpu_seconds": interval([result["cpu_seconds"] for result in results])}


def picture(world: World, job: Job, result: dict[str, Any]) -> bytes:
    """PNG: report on the first seed's fit, with the table of all seeds."""
    sprites, match, _ = load(job.data, job.sprites, MATCH, job.seed)
    tree = grammar(world.prior, sprites)
    model = load_model(tree, read_tensors(job.folder / "model.safetensors", "remove it")[0], job.seed)
    fitted = json.loads((job.folder / "fit.json").read_text())
    true = grammar(world.target, sprites).sample(1, 2048).tables["digit"]
    shown = [replace(a, truth=true[a.name], unit="°" if a.circular else "px") for a in attributes(model, {})]
    rows = [Baseline(arm, row["mean"], row["low"], row["high"], row["values"])
            for arm, row in result["accuracy"].items()]
    gap = Interval(*(result["gap_closed"][key] for key in ("mean", "low", "high"))) if "gap_closed" in result else None
    view = camera(world, sprites)
    content = ReportContent(
        title=f"MNIST, {world.title}", verdict=result.get("verdict", distances_text(result)),
        subtitle=f"{job.sprites:,} sprites, {MATCH:,} unlabelled photos for the fit, {result['photos']['test']:,} test "
                 "photos",
        command=f"python -m experiments.mnist_{world.name} --data FOLDER{options(job, result)}" if rows else
                f"python -m experiments.mnist {world.name} --arms --data FOLDER",
        photos=take_photos(world, match, derive_seed(job.seed, "match")).images[::40][:24],
        prior=sf.render(view, tree.sample(0, 24)).images, learned=sf.render(view, model.sample(24)).images,
        trace=[TracePoint(*point) for point in fitted["trace"]], floor=Interval(*fitted["floor"]), attributes=shown,
        table=ReportTable("accuracy", rows, f"95 % t interval over {result['seeds']} seeds", gap) if rows else None,
        facts={"fit renders": f"{result['fit_renders']:,}",
               "fit CPU seconds": f"{result['fit_cpu_seconds']['mean']:.1f}", "training": result["training"]})
    buffer = io.BytesIO()
    first_view(content).save(buffer, "PNG")
    return buffer.getvalue()


def distances_text(result: dict[str, Any]) -> str:
    """The attributes' Wasserstein distances to the truth, as text."""
    parts = [f"{a} {row['learned']['mean']:.2f} (prior {row['prior']['mean']:.2f})"
             for a, row in result["wasserstein"].items()]
    return "Wasserstein distance to the truth, mean over seeds: " + "; ".join(parts) + "."


def show(result: dict[str, Any]) -> None:
    """Print the table of accuracies and the distances to the truth."""
    table = Table(title=f"{result['world']}: accuracy on held-out photos, {result['seeds']} seeds")
    for column in ("trained on", "mean %", "95 % interval", "paper %"):
        table.add_column(column)
    for arm, row in result["accuracy"].items():
        paper = dict(zip(("grammar", "learned"), WORLDS[result["world"]].paper, strict=True)).get(arm, float("nan"))
        table.add_row(arm, f"{100 * row['mean']:.2f}", f"{100 * row['low']:.2f} to {100 * row['high']:.2f}",
                      f"{paper:.1f}" if paper == paper else "")
    if result["accuracy"]:
        Console().print(table)
    Console().print(distances_text(result))

