"""Does reconstruction pre-training help? `python -m benchmarks.pretrain`.

The paper trains the network to give back what goes in before it learns (Kar et al. 2019, section 3.2). Here the edit
starts as the identity without it. From the same prior, with the same descent (no warm start): the distance over the
last steps, with and without, for each seed.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

import scenefit as sf
from experiments.arms import interval
from experiments.demo.world import take_photos
from scenefit.files.atomic import write_json
from scenefit.inference.stages.meta_sim import MetaSim
from scenefit.inference.stages.mmd_descent import Descent
from scenes import digits

LAST = 20  # steps that are averaged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[int, list[float]] = {0: [], 200: []}
    for seed in track(range(options.seeds), "seeds"):
        photos = take_photos(seed)[0].images
        for pretrain, distances in found.items():
            settings = sf.Settings(MetaSim(pretrain), descent=Descent(120))
            steps = sf.fit_steps(digits.grammar, digits.renderer, photos, seed=seed, settings=settings)
            distances.append(float(np.mean([step.distance for step in steps if step.stage == "mmd-descent"][-LAST:])))
    gain = interval(np.subtract(found[0], found[200]))
    table = Table(title=f"Mean distance of the last {LAST} of 120 steps, {options.seeds} seeds")
    for name in ("pre-training steps", "mean", "each seed"):
        table.add_column(name)
    for pretrain, distances in found.items():
        table.add_row(str(pretrain), f"{np.mean(distances):.4f}", " ".join(f"{d:.4f}" for d in distances))
    Console().print(table)
    Console().print(f"Gain by pre-training: {gain['mean']:.4f} (95 % interval {gain['low']:.4f} to {gain['high']:.4f})")
    write_json(Path(__file__).parent / "pretrain.json", {"without": found[0], "with": found[200], "gain": gain})


if __name__ == "__main__":
    main()
