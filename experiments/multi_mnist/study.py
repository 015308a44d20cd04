"""Learn the number of digits and their classes: `python -m experiments.multi_mnist --data FOLDER`.

The true distribution of the photos is known (world.py), but the fit sees only unlabelled images. Finished cells (one
seed, one arm) are kept in runs/multi_mnist, so an interrupted command resumes. Writes result.json and report.png
beside this file.
"""

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import scenefit as sf
from experiments.arms import interval
from experiments.multi_mnist import world
from experiments.multi_mnist.picture import picture
from experiments.multi_mnist.structure_reward import follow_reward
from scenefit.files.atomic import write_bytes, write_json
from scenefit.files.tensors import read_tensors, write_tensors
from scenefit.inference.stages.structure import fit_structure
from scenefit.nets.model import load_structure
from scenefit.nets.structure_policy import StructurePolicy
from scenefit.scenes.rng import derive_seed

HERE = Path(__file__).parent
SCENES, DRAWS = 2000, 10  # scenes per sample, and pairs of samples, that a distance is averaged over
EXACT = 50_000  # scenes that estimate a distribution itself, with negligible sampling noise
ARMS = ("grammar", "reward", "learned", "truth")


@dataclass(frozen=True)
class Job:
    """One seed. data: folder of mnist_full.npz.  sprites: their number."""

    data: Path
    sprites: int
    seed: int

    @property
    def folder(self) -> Path:
        return Path("runs/multi_mnist") / f"{self.sprites}-sprites" / f"seed-{self.seed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist_full.npz")
    parser.add_argument("--sprites", type=int, default=10_000, help="digits of MNIST's training part used as sprites")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--jobs", type=int, default=1, help="seeds computed in parallel, one thread each")
    options = parser.parse_args()
    jobs = [Job(options.data, options.sprites, seed) for seed in range(options.seeds)]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        waiting = {pool.submit(run, job): job.seed for job in jobs}
        results = {}
        for done in as_completed(waiting):
            results[waiting[done]] = done.result()
            Console().print(f"seed {waiting[done]}: done")
    result = summary([results[job.seed] for job in jobs], options.sprites)
    write_json(HERE / "result.json", result)
    write_bytes(HERE / "report.png", picture(result))
    show(result)


def run(job: Job) -> dict[str, Any]:
    """Fit and all arms of one seed."""
    torch.set_num_threads(1)
    sprites, digits = world.parts(job.data, job.sprites, job.seed)
    tree = world.grammar(sprites)
    cost = fit(job, tree, sprites, digits)
    out: dict[str, Any] = {"cost": cost}
    for arm in ARMS:
        path = job.folder / f"{arm}.json"
        if not path.exists():
            write_json(path, measure(job, tree, arm))
        out[arm] = json.loads(path.read_text())
    return out


def fit(job: Job, tree: sf.Grammar, sprites: Any, digits: Any) -> dict[str, Any]:
    """Train a policy by likelihood and one by reward, on features of the same posterior network; write both. Done
    once."""
    path = job.folder / "fit.json"
    if path.exists():
        return json.loads(path.read_text())
    view = world.camera(sprites)
    scenes = world.truth(world.grammar(digits), derive_seed(job.seed, "photos"), world.PHOTOS)
    photos = sf.render(world.camera(digits), scenes).images
    *_, step = fit_structure(tree, view, photos, seed=job.seed)
    began, rewarded = time.process_time(), StructurePolicy(tree, derive_seed(job.seed, "rewarded"))
    renders = follow_reward(rewarded, step.posterior.features, view, photos, seed=job.seed)
    sampled = world.counts(step.posterior.sample_posterior(photos, 8, derive_seed(job.seed, "look")))
    sampled, true = sampled.reshape(len(photos), 8, 10), world.counts(scenes)[:, None]
    for name, policy in (("learned", step.structure), ("reward", rewarded)):
        write_tensors(job.folder / f"{name}.safetensors", dict(policy.state_dict()), {})
    result: dict[str, Any] = {
        "learned": {"renders": step.renders, "cpu_seconds": step.cpu_seconds},
        "reward": {"renders": step.renders + renders, "cpu_seconds": step.cpu_seconds + time.process_time() - began},
        "photos": marginals(scenes), "read": {"count": float((sampled.sum(2) == true.sum(2)).mean()),
                                              "all classes": float((sampled == true).all(2).mean())}}
    write_json(path, result)
    return result


def measure(job: Job, tree: sf.Grammar, arm: str) -> dict[str, Any]:
    """Total variation and KL between samples of an arm and of the truth, and total variation of an arm's distribution,
    estimated from many scenes, to the true one ("exact tv")."""
    def sample(seed: int, count: int) -> sf.SceneBatch:
        if arm == "truth":
            return world.truth(tree, seed, count)
        if arm == "grammar":
            return tree.sample(seed, count)
        state = read_tensors(job.folder / f"{arm}.safetensors", "remove it")[0]
        return load_structure(tree, state).sample(seed, count)

    pairs = [(marginals(sample(derive_seed(job.seed, f"{arm} {draw}"), SCENES)),
              marginals(world.truth(tree, derive_seed(job.seed, f"true {draw}"), SCENES))) for draw in range(DRAWS)]
    out: dict[str, Any] = {name: {
        "tv": float(np.mean([total_variation(ours[name], true[name]) for ours, true in pairs])),
        "kl": float(np.mean([kl(true[name], ours[name]) for ours, true in pairs]))} for name in ("count", "class")}
    learned, exact = marginals(sample(derive_seed(job.seed, f"{arm} whole"), EXACT)), known()
    for name in ("count", "class", "joint"):
        out.setdefault(name, {})["exact tv"] = total_variation(learned[name], exact[name])
    return {**out, "marginals": learned}


def marginals(scenes: sf.SceneBatch) -> dict[str, list[Any]]:
    """Shares of counts among scenes [7], of classes among digits [10], and of count and class among digits [70]."""
    digits = world.counts(scenes)
    number = digits.sum(1)
    joint = np.stack([digits[number == n].sum(0) for n in range(world.MAX_DIGITS + 1)])
    return {"count": (np.bincount(number, minlength=world.MAX_DIGITS + 1) / len(number)).tolist(),
            "class": (joint.sum(0) / joint.sum()).tolist(), "joint": (joint.ravel() / joint.sum()).tolist()}


def known() -> dict[str, Any]:
    """The marginals of the true distribution itself, from its probabilities."""
    joint = world.COUNTS[:, None] * np.arange(world.MAX_DIGITS + 1)[:, None] * world.CLASSES
    joint /= joint.sum()
    return {"count": world.COUNTS, "class": joint.sum(0), "joint": joint.ravel()}


def total_variation(a: Any, b: Any) -> float:
    """Total variation distance of two discrete distributions, 0..1."""
    return float(np.abs(np.subtract(a, b)).sum() / 2)


def kl(p: Any, q: Any) -> float:
    """KL divergence in nats. Half a scene (or digit) is added to each value, so that values that were not sampled do
    not make it infinite."""
    p, q = ((np.asarray(x, float) * SCENES + 0.5) / (SCENES + 0.5 * len(x)) for x in (p, q))
    return float((p * np.log(p / q)).sum())


def summary(results: list[dict[str, Any]], sprites: int) -> dict[str, Any]:
    """All seeds in one result, as in result.json."""
    out: dict[str, Any] = {"seeds": len(results), "sprites": sprites, "photos": world.PHOTOS, "scenes": SCENES,
                           "known": {name: np.asarray(value).tolist() for name, value in known().items()}}
    for arm in ARMS:
        out[arm] = {f"{of} {name}": interval([seed[arm][of][name] for seed in results])
                    for of, name in measured(results[0][arm])}
        out[arm]["marginals"] = {name: np.mean([seed[arm]["marginals"][name] for seed in results], axis=0).tolist()
                                 for name in ("count", "class")}
    out["cost"] = {arm: {name: interval([seed["cost"][arm][name] for seed in results])
                         for name in ("renders", "cpu_seconds")} for arm in ("learned", "reward")}
    out["photos to the truth"] = {name: interval([total_variation(seed["cost"]["photos"][name], known()[name])
                                                  for seed in results]) for name in ("count", "class", "joint")}
    out["read right"] = {name: interval([seed["cost"]["read"][name] for seed in results])
                         for name in ("count", "all classes")}
    return out


def measured(arm: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Marginal and distance of each figure of an arm, such as ("count", "tv")."""
    for of in ("count", "class", "joint"):
        yield from ((of, name) for name in arm[of])


def show(result: dict[str, Any]) -> None:
    """Print the table of distances."""
    table = Table(title=f"Distance to samples of the truth, {result['scenes']} scenes each, {result['seeds']} seeds")
    columns = ("count tv", "class tv", "count kl", "class kl", "count exact tv", "class exact tv", "joint exact tv")
    for column in ("", *columns):
        table.add_column(column)
    for arm in ARMS:
        rows = [result[arm][column] for column in columns]
        table.add_row(arm, *(f"{row['mean']:.3f} ({row['low']:.3f} to {row['high']:.3f})" for row in rows))
    Console(width=200).print(table)
