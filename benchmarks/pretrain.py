"""Effect of reconstruction pre-training: `python -m benchmarks.pretrain`.

Meta-Sim first trains its network to reconstruct its input (Kar et al. 2019, section 3.2). The scene distribution of
scenefit starts as the identity without that. The benchmark runs the same MMD descent from the prior with and without
pre-training, and compares the distance over the last steps for each seed.
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

LAST = 20  # final steps whose distance is averaged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[int, list[float]] = {0: [], 200: []}
    for seed in track(range(options.seeds), "seeds"):
        photos = take_photos(seed)[0].images
        for pretrain, distances in results.items():
            settings = sf.Settings(MetaSim(pretrain), descent=Descent(120))
            steps = sf.fit_steps(digits.grammar, digits.renderer, photos, seed=seed, settings=settings)
            distances.append(float(np.mean([step.distance for step in steps if step.stage == "mmd-descent"][-LAST:])))
    gain = interval(np.subtract(results[0], results[200]))
    table = Table(title=f"Mean distance of the last {LAST} of 120 steps, {options.seeds} seeds")
    for name in ("pre-training steps", "mean", "each seed"):
        table.add_column(name)
    for pretrain, distances in results.items():
        table.add_row(str(pretrain), f"{np.mean(distances):.4f}", " ".join(f"{d:.4f}" for d in distances))
    Console().print(table)
    Console().print(f"Gain from pre-training: {gain['mean']:.4f} (95 % interval {gain['low']:.4f} to "
                    f"{gain['high']:.4f})")
    write_json(Path(__file__).parent / "pretrain.json", {"without": results[0], "with": results[200], "gain": gain})


if __name__ == "__main__":
    main()
