"""Renders to a distance with 20 learned attributes: `python -m benchmarks.many_attributes`.

Five digits in one image, each with its own x, y, angle and scale: finite differences take 41 renders per image. Each
gradient starts at the prior and descends on the same distance, in the features of a regressor; the benchmark counts
the renders until the distance is a tenth of the initial one.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

import scenefit as sf
from scenefit.files.atomic import write_json
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.scenes.rng import derive_seed
from scenes import digits

SIZE = 64
GOAL = 0.1  # share of the initial distance
STEPS = {"pathwise": 300, "finite-difference": 80, "spsa": 300, "score-function": 300}
CENTRES = ((16, 16), (48, 16), (32, 32), (16, 48), (48, 48))


def grammar(target: bool) -> sf.Grammar:
    """The grammar with its priors or, with target, the photos' distribution."""
    symbols: dict[str, Any] = {"image": {}}
    for number, (x, y) in enumerate(CENTRES):
        sign = 1 if number % 2 else -1
        symbols[f"digit{number}"] = {
            "x": sf.Normal(x + 4 * sign, 1) if target else sf.learned(sf.Normal(x, 1), bounds=(0, SIZE)),
            "y": sf.Normal(y - 4 * sign, 1) if target else sf.learned(sf.Normal(y, 1), bounds=(0, SIZE)),
            "angle": sf.Angle(30 * sign, sd=6) if target else sf.learned(sf.Angle(0, sd=6)),
            "scale": sf.Normal(0.8, 0.05, 0.4, 1.6) if target else sf.learned(sf.Normal(1, 0.05, 0.4, 1.6)),
            "sprite": sf.Integer(0, digits.HALF - 1)}
    return sf.Grammar("image", symbols, [sf.Rule("image", [name for name in symbols if name != "image"])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    options = parser.parse_args()
    torch.set_num_threads(1)
    renderer = sf.Sprites((SIZE, SIZE), {f"digit{n}": digits.textures for n in range(len(CENTRES))})
    cases = [(gradient, seed) for gradient in STEPS for seed in range(options.seeds)]
    renders: dict[str, list[Any]] = {}
    for gradient, seed in track(cases, "descents"):
        photos = sf.render(renderer, grammar(True).sample(derive_seed(seed, "photos"), 500)).images
        renders.setdefault(gradient, []).append(renders_to_goal(renderer, photos, gradient, seed))
    medians = {gradient: float(np.median([np.inf if row is None else row for row in rows]))
               for gradient, rows in renders.items()}
    table = Table(title=f"20 learned attributes: renders until the distance is {GOAL:.0%} of the initial one")
    for name in ("gradient", "median", "each seed", "finite differences / this"):
        table.add_column(name, justify="left" if name == "gradient" else "right")
    result = {}
    for gradient, rows in renders.items():
        ratio = medians["finite-difference"] / medians[gradient]
        result[gradient] = {"renders": rows, "ratio": ratio if np.isfinite(ratio) else None}
        table.add_row(gradient, f"{medians[gradient]:,.0f}",
                      " ".join("-" if row is None else f"{row:,}" for row in rows), f"{ratio:.1f}")
    write_json(Path(__file__).parent / "many_attributes.json", result)
    Console().print(table)


def renders_to_goal(renderer: sf.Sprites, photos: np.ndarray, gradient: str, seed: int) -> int | None:
    """Renders of the descent, without those of the regressor's training; None if the goal is not reached."""
    settings = sf.Settings("none", descent=Descent(STEPS[gradient], 128, 0.01, gradient))
    first, before, recent = None, 0, []
    for step in sf.fit_steps(grammar(False), renderer, photos, seed=seed, settings=settings):
        if step.stage == "train-regressor":
            before = step.renders
        if step.stage != "mmd-descent":
            continue
        first = first or step.distance
        recent = [*recent[-4:], step.distance]
        if np.mean(recent) < GOAL * first:
            return step.renders - before
    return None


if __name__ == "__main__":
    main()
