"""What a GPU gains: `make gpu`, or `python -m benchmarks.gpu`; at most 8 minutes.

Runs the tests of `tests/test_cuda.py`, then each piece of work below in a process of its own, on the GPU and on one
thread of the CPU: renders, a fit, and the training of a detector, on crowded photos of 256x256 pixels (those of
`benchmarks.memory`). What does not end in its time is stopped, and the result says so. Results go to
`benchmarks/gpu.json`; without a GPU nothing is run or written, and the exit status is 1.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import scenefit as sf
from benchmarks.memory import coins
from scenefit.files.atomic import write_json
from scenefit.inference.npe.method import Npe
from scenefit.nets.pyramid.network import SmallMaps

HERE = Path(__file__).parent
SIZE = 256, 256
PHOTOS, TRAINED = 180, 96  # of the whole fit; that the detector is trained on
MINUTES = 8.0
TESTS_S, GPU_S, CPU_S = 150.0, 200.0, 90.0  # longest time of the tests and of one piece of work
SEED = 5


def photos(count: int) -> Any:
    """Crowded photos uint8 [count, 256, 256, 3], and the frames that they are of, drawn on the CPU."""
    frames = sf.render(sf.Shapes(SIZE, {"coin": {}}), coins(SIZE, sf.Uniform(0.4, 0.6)).sample(SEED, count))
    return frames.images, frames


def rendering(device: str) -> Callable[[], dict[str, Any]]:
    renderer, scenes = sf.Shapes(SIZE, {"coin": {}}, device=device), coins(SIZE, sf.Uniform(0, 1)).sample(0, 64)
    sf.render(renderer, scenes.take(range(4)))

    def work() -> dict[str, Any]:
        sf.render(renderer, scenes)
        return {"images": len(scenes)}

    return work


def fit(device: str, method: Npe, count: int) -> Callable[[], dict[str, Any]]:
    images, _ = photos(count)

    def work() -> dict[str, Any]:
        *_, last = sf.fit_steps(coins(SIZE, sf.Uniform(0, 1)), sf.Shapes(SIZE, {"coin": {}}), images,
                                settings=sf.Settings(method, device=device))
        learned = last.model.sample(PHOTOS).tables["coin"]
        return {"renders": last.renders, "distance": last.distance, "objects_an_image": len(learned) / PHOTOS}

    return work


def training(device: str, steps: int) -> Callable[[], dict[str, Any]]:
    task = sf.Detect(("coin",), steps, augmented_copies=1, backbone=SmallMaps, device=device)
    images, frames = photos(TRAINED + 32)
    boxes = sf.label_boxes(frames)

    def work() -> dict[str, Any]:
        network = task.train(images[:TRAINED], boxes.take(range(TRAINED)), 0)
        score = task.evaluate(network, images[TRAINED:], boxes.take(range(TRAINED, len(images))))
        return {"steps": steps, "mAP50": score["mAP50"]}

    return work


Work = Callable[[], dict[str, Any]]
# name -> (what prepares the work for a device, whether the CPU does it too)
WORK: Mapping[str, tuple[Callable[[str], Work], bool]] = {
    "64 renders": (rendering, True),
    "short fit": (lambda device: fit(device, Npe(1, 100, 30, 2), 40), True),
    "training, 20 steps": (lambda device: training(device, 20), True),
    "training, 600 steps": (lambda device: training(device, 600), False),
    "fit with default settings": (lambda device: fit(device, Npe(), PHOTOS), False)}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--device", default="cuda", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work is not None:
        print(json.dumps(timed(options.work, options.device)))
        return 0
    if not torch.cuda.is_available():
        reason = "this PyTorch is a CPU build" if torch.version.cuda is None else "PyTorch finds no GPU"
        print(f"Nothing was run or written: {reason} (version {torch.__version__}), and this benchmark needs a GPU.")
        return 1
    end = time.monotonic() + 60 * MINUTES - 10
    result: dict[str, Any] = {"device": torch.cuda.get_device_name(0), "torch": torch.__version__,
                              "cuda": torch.version.cuda, "cpu": processor(), "tests": tests(), "seconds": {}}
    for name, (_, both) in WORK.items():
        row = {"cuda": measured(name, "cuda", min(GPU_S, end - time.monotonic()))}
        if both:
            row["cpu"] = measured(name, "cpu", min(CPU_S, end - time.monotonic()))
        result["seconds"][name] = row
        write_json(HERE / "gpu.json", result)
    Console(width=120).print(table(result))
    failed = [name for name, row in result["seconds"].items() if "stopped" in row["cuda"]]
    return int(bool(failed) or result["tests"]["failed"] > 0 or result["tests"]["passed"] == 0)


def timed(name: str, device: str) -> dict[str, Any]:
    """Wall-clock seconds of one piece of work, once everything is loaded, and what came of it."""
    torch.set_num_threads(1)
    work = WORK[name][0](device)
    if device == "cuda":
        torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8, device=device), torch.ones(1, 3, 3, 3, device=device))
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    found = work()
    if device == "cuda":
        torch.cuda.synchronize()
        found["gpu_MiB"] = torch.cuda.max_memory_allocated() // 2**20
    return {"seconds": round(time.perf_counter() - start, 2), **found}


def measured(name: str, device: str, limit: float) -> dict[str, Any]:
    """`timed` in another process, which is stopped after limit seconds; "stopped" says why there is no result."""
    if limit < 5:
        return {"stopped": "no time was left"}
    try:
        done = subprocess.run([sys.executable, "-m", "benchmarks.gpu", "--work", name, "--device", device],
                              cwd=HERE.parent, env=environment(), text=True, capture_output=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"stopped": f"after {limit:.0f} s"}
    if done.returncode:
        return {"stopped": (done.stderr.strip().splitlines() or ["without a message"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def tests() -> dict[str, Any]:
    """How many of the CUDA tests passed and failed, and the names of those that failed."""
    start = time.perf_counter()
    try:
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider",
                               "tests/test_cuda.py"], cwd=HERE.parent, env=environment(), text=True,
                              capture_output=True, timeout=TESTS_S)
    except subprocess.TimeoutExpired:
        return {"passed": 0, "failed": 1, "names": [f"stopped after {TESTS_S:.0f} s"]}
    text = done.stdout + done.stderr
    count = {what: sum(map(int, re.findall(rf"(\d+) {what}", text[-400:]))) for what in ("passed", "failed", "error")}
    return {"passed": count["passed"], "failed": count["failed"] + count["error"],
            "names": re.findall(r"^(?:FAILED|ERROR) (.*)$", text, re.M),
            "seconds": round(time.perf_counter() - start, 1)}


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent / "src")}


def processor() -> str:
    """The name of this machine's CPU."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*: (.*)$", text, re.M)
    return found[1] if found else platform.machine()


def table(result: Mapping[str, Any]) -> Table:
    out = Table("work", result["device"], result["cpu"] + ", one thread", "times faster", "on the GPU")
    for name, row in result["seconds"].items():
        here, there = (row.get(device, {}) for device in ("cpu", "cuda"))
        ratio = f"{here['seconds'] / there['seconds']:.1f}" if "seconds" in here and "seconds" in there else ""
        rest = ", ".join(f"{key} {value:.4g}" for key, value in there.items() if key not in ("seconds", "stopped"))
        out.add_row(name, *(f"{one['seconds']:.1f} s" if "seconds" in one else one.get("stopped", "")
                            for one in (there, here)), ratio, rest)
    count = result["tests"]
    out.caption = f"CUDA tests: {count['passed']} passed, {count['failed']} failed"
    return out


if __name__ == "__main__":
    sys.exit(main())
