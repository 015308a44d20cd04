"""What a fit says it will cost against what it then took: `python -m benchmarks.cost`.

Three known worlds of different size, fitted with "npe" and few rounds, each in a process of its own: a bar in 28x28
pixels, which is one object in each image; up to 20 discs in 96x96; 1 to 120 coins in 256x256. Renders, CPU seconds, and
the peak of resident memory (VmHWM), summary and report included. A factor of 1 is right; the goal is 1.5 at most.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from scenefit.files.atomic import write_json

HERE = Path(__file__).parent
# name -> (height, width), photos, rounds, renders of a round, steps of training
WORLDS = {"bar": ((28, 28), 200, 3, 2048, 1), "discs": ((96, 96), 100, 2, 400, 100),
          "coins": ((256, 256), 60, 2, 200, 60)}


def main() -> None:
    rows = {name: measured(name) for name in WORLDS}
    write_json(HERE / "cost.json", rows)
    table = Table("world", "renders", "said", "CPU s", "said", "MiB", "said")
    for name, row in rows.items():
        table.add_row(name, *(f"{row[part][key]:,.0f}" for key in ("renders", "cpu_seconds", "MiB")
                              for part in ("took", "said")))
    Console(width=100).print(table)


def measured(name: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parent / 'src'}:{HERE.parent}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-P", "-m", "benchmarks.cost", name], env=environment, text=True,
                          capture_output=True, check=True, cwd=HERE.parent)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found["factors"] = {key: round(max(took / said, said / took), 2) for key, took in found["took"].items()
                        if (said := found["said"][key])}
    return found


def world(name: str) -> tuple[Any, Any, Any]:
    """Grammar, renderer and true grammar."""
    import scenefit as sf

    size = WORLDS[name][0]
    across = {axis: sf.Uniform(0, side) for axis, side in zip("yx", size, strict=True)}

    def grammar(kind: str, count: Any, low: float, shade: Any, **more: Any) -> sf.Grammar:
        radius = sf.learned(sf.Uniform(low, 4 * low))
        return sf.Grammar("image", {"image": {"shade": sf.learned(shade)}, kind: {**across, "radius": radius, **more}},
                          [sf.Rule("image", [kind if count is None else sf.repeat(kind, sf.learned(count))])])

    if name == "bar":
        more = {"angle": sf.learned(sf.Angle()), "elongation": 3, "red": 0.9}
        return (grammar("bar", None, 2, sf.Uniform(0, 1), **more), sf.Shapes(size, {"bar": {}}),
                grammar("bar", None, 2, sf.Uniform(0.2, 0.4), **more))
    if name == "discs":
        more = {"red": sf.learned(sf.Uniform(0.1, 1)), "edge": sf.learned(sf.Uniform(0.3, 2)),
                "elongation": sf.learned(sf.Uniform(1, 2)), "angle": sf.learned(sf.Angle())}
        return (grammar("disc", sf.Integer(0, 20), 3, sf.Uniform(0, 1), **more), sf.Shapes(size, {"disc": {}}),
                grammar("disc", sf.Integer(3, 9), 3, sf.Uniform(0.2, 0.4), **more))
    more = {"red": sf.learned(sf.Uniform(0, 1))}
    return (grammar("coin", sf.Integer(1, 120), 3, sf.Uniform(0, 1), **more), sf.Shapes(size, {"coin": {}}),
            grammar("coin", sf.Integer(20, 80), 3, sf.Uniform(0.4, 0.6), **more))


def run(name: str) -> None:
    """One fit with its summary, as `scenefit fit` makes them; prints the result as a line of JSON."""
    import torch

    import scenefit as sf
    from scenefit.evaluation.summary import summarise
    from scenefit.inference.cost import fit_cost
    from scenefit.inference.npe.method import Npe

    torch.set_num_threads(1)
    _, photos, rounds, renders, steps = WORLDS[name]
    grammar, renderer, true = world(name)
    images = sf.Photos(sf.render(renderer, true.sample(5, photos)).images)
    settings = sf.Settings(Npe(rounds, renders, steps))
    began = time.process_time()
    said = fit_cost(grammar, renderer, images, settings=settings)
    telling, began = time.process_time() - began, time.process_time()
    for step in sf.fit_steps(grammar, renderer, images, settings=settings):
        last = step
    extractor = last.objective.extractor
    summarise(last.model, renderer, images.images, extractor, 1, settings.validation_renders)
    with open("/proc/self/status") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
    assert said.cpu_seconds is not None and said.memory is not None
    print(json.dumps({
        "said": {"renders": said.renders, "cpu_seconds": round(said.cpu_seconds, 1), "MiB": round(said.memory / 2**20)},
        "took": {"renders": last.renders, "cpu_seconds": round(time.process_time() - began, 1), "MiB": round(peak)},
        "cpu_seconds_of_the_estimate": round(telling, 1)}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(sys.argv[1])
    else:
        main()
