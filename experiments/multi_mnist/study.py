"""Learn how many digits there are, and of which class: `python -m experiments.multi_mnist --data FOLDER`.

The photos' distribution is known (see world.py), but the fit sees only unlabelled images. Each cell (seed, arm) is kept
in runs/multi_mnist, so a stopped command goes on. Writes result.json and report.png beside this file.
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
SCENES, DRAWS = 2000, 10  # a total variation is between samples of so many scenes, the mean of so many draws
EXACT = 50_000  # scenes for what the learned distribution itself is, without the noise of a sample
ARMS = ("grammar", "reward", "learned", "truth")


@dataclass(frozen=True)
class Job:
    data: Path
    sprites: int
    seed: int

    @property
    def folder(self) -> Path:
        return Path("runs/multi_mnist") / f"{self.sprites}-sprites" / f"seed-{self.seed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist_full.npz")
    parser.add_argument("--sprites", type=int, default=10_000, help="digits of the training part used as sprites")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time, one thread each")
    options = parser.parse_args()
    jobs = [Job(options.data, options.sprites, seed) for seed in range(options.seeds)]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        waiting = {pool.submit(run, job): job.seed for job in jobs}
        found = {}
        for done in as_completed(waiting):
            found[waiting[done]] = done.result()
            Console().print(f"seed {waiting[done]}: done")
    result = summary([found[job.seed] for job in jobs], options.sprites)
    write_json(HERE / "result.json", result)
    write_bytes(HERE / "report.png", picture(result))
    show(result)


def run(job: Job) -> dict[str, Any]:
    """All arms of one seed."""
    torch.set_num_threads(1)
    sprites, digits = world.parts(job.data, job.sprites, job.seed)
    tree = world.grammar(sprites)
    cost = fit(job, tree, sprites, digits)
    out: dict[str, Any] = {"cost": cost}
    for arm in ARMS:
        kept = job.folder / f"{arm}.json"
        if not kept.exists():
            write_json(kept, measure(job, tree, arm))
        out[arm] = json.loads(kept.read_text())
    return out


def fit(job: Job, tree: sf.Grammar, sprites: Any, digits: Any) -> dict[str, Any]:
    """Learn by likelihood and, with the same recogniser's features, by the reward; keep both policies."""
    kept = job.folder / "fit.json"
    if kept.exists():
        return json.loads(kept.read_text())
    view = world.camera(sprites)
    scenes = world.truth(world.grammar(digits), derive_seed(job.seed, "photos"), world.PHOTOS)
    photos = sf.render(world.camera(digits), scenes).images
    *_, step = fit_structure(tree, view, photos, seed=job.seed)
    began, rewarded = time.process_time(), StructurePolicy(tree, derive_seed(job.seed, "rewarded"))
    renders = follow_reward(rewarded, step.posterior.features, view, photos, seed=job.seed)
    read = world.counts(step.posterior.sample_posterior(photos, 8, derive_seed(job.seed, "look"))).reshape(len(photos),
                                                                                                           8, 10)
    true = world.counts(scenes)[:, None]
    for name, policy in (("learned", step.structure), ("reward", rewarded)):
        write_tensors(job.folder / f"{name}.safetensors", dict(policy.state_dict()), {})
    result: dict[str, Any] = {"learned": {"renders": step.renders, "cpu_seconds": step.cpu_seconds},
              "reward": {"renders": step.renders + renders,
                         "cpu_seconds": step.cpu_seconds + time.process_time() - began},
              "photos": marginals(scenes), "read": {
                  "count": float((read.sum(2) == true.sum(2)).mean()),
                  "all classes": float((read == true).all(2).mean())}}
    write_json(kept, result)
    return result


def measure(job: Job, tree: sf.Grammar, arm: str) -> dict[str, Any]:
    """Total variation and KL of an arm's samples to samples of the truth, and of what it is to what the truth is."""
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
    whole, exact = marginals(sample(derive_seed(job.seed, f"{arm} whole"), EXACT)), known()
    for name in ("count", "class", "joint"):
        out.setdefault(name, {})["exact tv"] = total_variation(whole[name], exact[name])
    return {**out, "marginals": whole}


def marginals(scenes: sf.SceneBatch) -> dict[str, list[Any]]:
    """Shares of the counts [7], of the classes among all digits [10], and of both among all digits [70]."""
    digits = world.counts(scenes)
    number = digits.sum(1)
    joint = np.stack([digits[number == n].sum(0) for n in range(world.MOST + 1)])
    return {"count": (np.bincount(number, minlength=world.MOST + 1) / len(number)).tolist(),
            "class": (joint.sum(0) / joint.sum()).tolist(), "joint": (joint.ravel() / joint.sum()).tolist()}


def known() -> dict[str, Any]:
    """The same of the target distribution itself."""
    joint = world.COUNTS[:, None] * np.arange(world.MOST + 1)[:, None] * world.CLASSES
    joint /= joint.sum()
    return {"count": world.COUNTS, "class": joint.sum(0), "joint": joint.ravel()}


def total_variation(a: Any, b: Any) -> float:
    return float(np.abs(np.subtract(a, b)).sum() / 2)


def kl(p: Any, q: Any) -> float:
    """In nats, with half a scene (or digit) added to each value, so that one that was not drawn is not infinite."""
    p, q = ((np.asarray(x, float) * SCENES + 0.5) / (SCENES + 0.5 * len(x)) for x in (p, q))
    return float((p * np.log(p / q)).sum())


def summary(found: list[dict[str, Any]], sprites: int) -> dict[str, Any]:
    out: dict[str, Any] = {"seeds": len(found), "sprites": sprites, "photos": world.PHOTOS, "scenes": SCENES,
                           "known": {name: np.asarray(value).tolist() for name, value in known().items()}}
    for arm in ARMS:
        out[arm] = {f"{of} {name}": interval([seed[arm][of][name] for seed in found])
                    for of, name in measured(found[0][arm])}
        out[arm]["marginals"] = {name: np.mean([seed[arm]["marginals"][name] for seed in found], axis=0).tolist()
                                 for name in ("count", "class")}
    out["cost"] = {arm: {name: interval([seed["cost"][arm][name] for seed in found])
                         for name in ("renders", "cpu_seconds")} for arm in ("learned", "reward")}
    out["photos to the truth"] = {name: interval([total_variation(seed["cost"]["photos"][name], known()[name])
                                                  for seed in found]) for name in ("count", "class", "joint")}
    out["read right"] = {name: interval([seed["cost"]["read"][name] for seed in found])
                         for name in ("count", "all classes")}
    return out


def measured(arm: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for of in ("count", "class", "joint"):
        yield from ((of, name) for name in arm[of])


def show(result: dict[str, Any]) -> None:
    table = Table(title=f"Distance to a true sample, {result['scenes']} scenes each, {result['seeds']} seeds")
    columns = ("count tv", "class tv", "count kl", "class kl", "count exact tv", "class exact tv", "joint exact tv")
    for column in ("", *columns):
        table.add_column(column)
    for arm in ARMS:
        rows = [result[arm][column] for column in columns]
        table.add_row(arm, *(f"{row['mean']:.3f} ({row['low']:.3f} to {row['high']:.3f})" for row in rows))
    Console(width=200).print(table)
