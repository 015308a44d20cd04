"""Cost of recovering a rotation: `python -m benchmarks.rotation --data FOLDER`.

MNIST rotation (10,000 sprites, 1,000 photos), one thread. For npe, and for descent with each gradient: renders and CPU
seconds of the fit until the mean angle is within 3 degrees of the truth, and CPU seconds in all until a classifier
trained on the learned distribution classifies 90 % of the held-out photos correctly. The baseline is the paper's:
finite differences. Imports and measurements are not counted.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

import scenefit as sf
from experiments.mnist.world import ROTATION, camera, grammar, load, take_photos
from scenefit.files.atomic import write_json
from scenefit.inference.npe.method import Npe
from scenefit.inference.stages.meta_sim import NoMethod
from scenefit.inference.stages.mmd_descent import Descent
from scenefit.inference.stages.regressor import Regressor
from scenefit.scenes.rng import derive_seed

WITHIN = 3.0  # degrees
GOAL = 0.9  # accuracy
MAX_SECONDS = 60.0  # of a fit
GRADIENTS = ("pathwise", "spsa", "score-function", "finite-difference")
METHODS = {"npe": (Npe(2, 1000), Descent()),
           **{f"none + {name}": (NoMethod(), Descent(400, gradient=name)) for name in GRADIENTS}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist_full.npz")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS),
                        help="methods to measure; the results of the others are kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = [(method, seed) for method in options.methods for seed in range(options.seeds)]
    run(options.data, "npe", 99)  # the first fit of a process includes imports
    runs: dict[str, list[dict[str, Any]]] = {}
    for method, seed in track(cases, "fits"):
        runs.setdefault(method, []).append(run(options.data, method, seed))
    path = Path(__file__).parent / "rotation.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known |= {name: {key: median([row[key] for row in rows]) for key in rows[0]} | {"runs": rows}
              for name, rows in runs.items()}
    result = {name: known[name] for name in METHODS if name in known}
    write_json(path, result)
    table = Table(title=f"Rotation, one thread, medians of {options.seeds} seeds ('-': over the limit)")
    for name in ("method", "renders to 3°", "CPU s to 3°", "CPU s in all, to 90 %"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for name, row in result.items():
        table.add_row(name, *(("-" if row[key] is None else f"{row[key]:,.{0 if key == 'renders' else 2}f}")
                              for key in ("renders", "fit_seconds", "whole_seconds")))
    Console().print(table)


def median(values: list[float | None]) -> float | None:
    """Median in which None counts as infinite; None if the median is infinite."""
    middle = float(np.median([np.inf if value is None else value for value in values]))
    return middle if np.isfinite(middle) else None


def run(data: Path, method: str, seed: int) -> dict[str, float | None]:
    """Renders and CPU seconds of one fit until the angle is recovered; None where it was not."""
    sprites, match, rest = load(data, 10_000, 1000, seed)
    photos = take_photos(ROTATION, match, derive_seed(seed, "match"))
    test = take_photos(ROTATION, rest, derive_seed(seed, "test"))
    tree, view = grammar(ROTATION.prior, sprites), camera(ROTATION, sprites)
    chosen, descent = METHODS[method]
    settings = sf.Settings(chosen, Regressor(2048, 4), descent=descent, validation_renders=256)
    began, measuring = time.process_time(), 0.0
    for step in sf.fit_steps(tree, view, photos, seed=seed, settings=settings):
        pause = time.process_time()
        spent = pause - began - measuring
        angle = np.deg2rad(step.model.sample(1024).tables["digit"]["angle"])
        off = abs((np.rad2deg(np.angle(np.exp(1j * angle).mean())) - 90 + 180) % 360 - 180)
        measuring += time.process_time() - pause
        if off < WITHIN:
            return {"renders": step.renders, "fit_seconds": spent,
                    "whole_seconds": spent + to_goal(step.model, view, test, seed)}
        if spent > MAX_SECONDS:
            break
    return {"renders": None, "fit_seconds": None, "whole_seconds": None}


def to_goal(model: sf.Model, view: sf.Sprites, test: sf.Photos, seed: int) -> float:
    """CPU seconds of rendering and training until the classifier reaches the goal; infinite if it does not."""
    began, measuring = time.process_time(), 0.0
    frames = sf.render(view, model.sample(6000))
    task = sf.Classify(tuple("0123456789"), epochs=6)
    for network in task.train_steps(frames.images, frames.label, seed):
        pause = time.process_time()
        reached = task.evaluate(network, test.images[:2000], test.label[:2000])["accuracy"] >= GOAL
        measuring += time.process_time() - pause
        if reached:
            break
    return time.process_time() - began - measuring if reached else float("inf")


if __name__ == "__main__":
    main()
