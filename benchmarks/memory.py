"""Peak memory of each stage of a fit: `python -m benchmarks.memory OTHER_CHECKOUT`.

Photos of 1 to 120 coins are drawn with `Shapes`, at 256x256 and at 1280x720 pixels, and a grammar of coins is fitted to
them. Each fit runs in a process of its own, with the package of this checkout and, for comparison, with that of another
one.
A fit has every stage of a default one, but fewer steps and renders (the columns say how many), for the peak of a step
does not depend on how many steps follow. "default" is a whole fit with default settings, for its CPU time. "others" are
the stages that no default fit has: descent from the prior with SPSA, a structure policy, task reward. The peak is the
kernel's: resident memory, mapped files included, at its highest between two steps (VmHWM).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
LIMIT = 12 * 2**30  # bytes of address space beyond which a fit is stopped, so that the machine survives the comparison
# size (height, width), method, renders of its round or training, photos, compared with the other checkout
FITS = (((256, 256), "default", 0, 180, False),
        ((256, 256), "npe", 512, 180, False), ((256, 256), "npe", 1024, 360, False),
        ((720, 1280), "npe", 64, 45, False), ((720, 1280), "npe", 128, 90, False),
        ((256, 256), "others", 256, 180, True), ((256, 256), "others", 512, 360, False))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, metavar="OTHER_CHECKOUT", help="folder of the checkout to compare with")
    parser.add_argument("--only", type=int, action="append", help="number of a fit to measure again, from 0; may be "
                        "repeated. The results of the others are kept")
    options = parser.parse_args(arguments)
    path = HERE / "memory.json"
    kept = {json.dumps(row["fit"]): row for row in json.loads(path.read_text())} if path.exists() else {}
    rows = []
    for number, (size, method, renders, photos, compared) in enumerate(FITS):
        fit = {"size": f"{size[1]}x{size[0]}", "method": method, "renders": renders, "photos": photos}
        row = kept.get(json.dumps(fit), {"fit": fit})
        if options.only is None or number in options.only:
            given = json.dumps([size, method, renders, photos])
            row = {"fit": fit, "after": measured(HERE.parent, given),
                   "before": measured(options.other.resolve(), given) if compared else None}
        rows.append(row)
        path.write_text(json.dumps(rows, indent=1) + "\n")
    Console(width=120).print(table(rows))


def measured(checkout: Path, fit: str) -> dict[str, Any]:
    """MiB of each stage of a fit with the package of a checkout, and where it was stopped, if it was."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-P", str(Path(__file__)), "--fit", fit], env=environment, text=True,
                          capture_output=True)
    stages: dict[str, int] = {}
    for line in done.stdout.splitlines():
        name, peak = line.rsplit(" ", 1)
        stages[name] = max(stages.get(name, 0), int(peak))
    cpu = stages.pop("CPU seconds", None)
    return {"MiB": stages, "CPU seconds": cpu,
            "stopped": done.stderr.strip().splitlines()[-1] if done.returncode else ""}


def table(rows: list[dict[str, Any]]) -> Table:
    """One row for each fit and checkout, with its highest stages."""
    out = Table("photos", "method", "renders", "checkout", "CPU s", "highest MiB", "MiB of each stage")
    for row in rows:
        fit = row["fit"]
        for name in ("before", "after"):
            if not row.get(name):
                continue
            stages = row[name]["MiB"]
            peak = f"{max(stages.values()):,}" if not row[name]["stopped"] else "stopped: out of memory"
            out.add_row(f"{fit['photos']} of {fit['size']}", fit["method"], f"{fit['renders']:,}" if fit["renders"]
                        else "", name, f"{row[name]['CPU seconds']:,}" if row[name]["CPU seconds"] else "", peak,
                        ", ".join(f"{stage} {value:,}" for stage, value in stages.items()))
    return out


# ------------------------------------------------------------------------------------------------ one fit, in a process

def coins(size: tuple[int, int], shade: Any) -> Any:
    """A grammar of 1 to 120 coins on a background of one shade."""
    import scenefit as sf

    height, width = size
    return sf.Grammar("image", {
        "image": {"shade": sf.learned(shade)},
        "coin": {"x": sf.Uniform(0, width), "y": sf.Uniform(0, height), "red": sf.learned(sf.Uniform(0, 1)),
                 "radius": sf.learned(sf.Uniform(0.01 * height, 0.05 * height))}},
        [sf.Rule("image", [sf.repeat("coin", sf.learned(sf.Integer(1, 120)))])])


def settings(method: str, renders: int) -> Any:
    import scenefit as sf
    from scenefit.inference.stages.meta_sim import MetaSim
    from scenefit.inference.stages.mmd_descent import Descent
    from scenefit.inference.stages.regressor import Regressor
    from scenefit.inference.stages.structure import Structure
    from scenefit.inference.stages.task_reward import TaskReward

    few = max(renders // 8, 16)
    if method == "npe":
        from scenefit.inference.npe.method import Npe  # which an older checkout may lack

        return sf.Settings(Npe(1, renders, 20), Regressor(epochs=1), validation_renders=few)
    if method == "default":
        return sf.Settings()
    return sf.Settings(MetaSim(1), Regressor(renders=64, epochs=1), Structure(renders, rounds=1),
                       Descent(1, 128, None, "spsa"), TaskReward(steps=1, renders=few), validation_renders=few)


def peaks(size: tuple[int, int], method: str, renders: int, photos: int) -> Iterator[tuple[str, int]]:
    """Stages of a fit, and the peak of each, MiB."""
    import torch

    import scenefit as sf
    from scenefit.tasks.detection import Detect

    torch.set_num_threads(1)
    renderer, true = sf.Shapes(size, {"coin": {}}), coins(size, sf.Uniform(0.4, 0.6))
    images = np.empty((photos, *size, 3), np.uint8)
    for row in range(photos):
        images[row] = sf.render(renderer, true.sample(5, [row])).images[0]
    few, task = None, None
    if method == "others":
        frames = sf.render(renderer, true.sample(6, 8))
        few, task = sf.Photos(frames.images, (), (), frames.label, sf.label_boxes(frames)), Detect(("coin",), 20)
    reset()
    for step in sf.fit_steps(coins(size, sf.Uniform(0, 1)), renderer, images, few, task=task,
                             settings=settings(method, renders)):
        yield step.stage, peak()
        reset()


def peak() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) // 1024


def reset() -> None:
    """The kernel measures the peak anew from here."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fit"]:
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
        for stage, value in peaks(*json.loads(sys.argv[2])):
            print(stage, value, flush=True)
        print("CPU seconds", round(time.process_time()))
    else:
        main()
