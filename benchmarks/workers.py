"""Wall-clock time of `generate` with worker processes, against one process: `python -m benchmarks.workers`.

    python -m benchmarks.workers --before OTHER_CHECKOUT/src

measures another version of scenefit first, so that one run holds both. Writes 2,000 scenes in COCO's format; the start
of the processes is left out. Ratios of renderers that compute are right only where nothing else runs; `expected` is
what the measured CPU seconds, of the process that generates and of its workers, allow on idle cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCENES = {  # name -> scene file, workers, seconds that a scene waits without computing, ratio that is the goal
    "computes 10 ms, 64x64": ("COMPUTES", 2, 0.0, 1.8),
    "Shapes, 320x240": (str(HERE.parent / "scenes/smear.py"), 2, 0.0, 1.6),
    "sleeps 20 ms, 64x64": ("SLEEPS", 4, 0.02, 3.5)}
SCENE = """\
import time
import numpy as np
import scenefit as sf

grammar = sf.Grammar("image", {"image": {"shade": sf.learned(sf.Uniform(0, 90))},
                               "disc": {"x": sf.Uniform(8, 56), "y": sf.Uniform(8, 56), "r": sf.Uniform(3, 8)}},
                     [sf.Rule("image", [sf.repeat("disc", 5)])])
down, right = np.mgrid[:64, :64]

@sf.each
def renderer(scene):
    began = time.thread_time()
    image, masks = np.full((64, 64), scene.root.shade / 255), np.zeros((64, 64), int)
    for disc in scene.of("disc"):
        inside = (right - disc.x) ** 2 + (down - disc.y) ** 2 < disc.r ** 2
        image[inside], masks[inside] = 0.8, disc.id
    %s
    return sf.Frame(image, masks)
"""
FILES = {"COMPUTES": SCENE % "while time.thread_time() - began < 0.01: pass",
         "SLEEPS": SCENE % "time.sleep(0.02)"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="the folder src of another checkout, measured too")
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--only", help="a part of the name of the renderers to measure")
    parser.add_argument("--out", type=Path, default=HERE / "workers.json")
    parser.add_argument("--measure", nargs=2, metavar=("SCENE", "WORKERS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], int(options.measure[1]), options.scenes)))
        return
    sources = {"after": HERE.parent / "src"}
    if options.before is not None:
        sources = {"before": options.before, **sources}
    result: dict[str, Any] = {"scenes": options.scenes, "cores": os.cpu_count(), "load_at_start": os.getloadavg()[0]}
    for name, (scene, workers, waits, goal) in SCENES.items():
        if options.only and options.only not in name:
            continue
        result[name] = {"workers": workers, "goal": goal, **{
            version: compared(source, scene, workers, options.scenes, waits) for version, source in sources.items()}}
        shown = {version: {key: result[name][version][key] for key in ("ratio", "expected")} for version in sources}
        print(name, shown, flush=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def compared(source: Path, scene: str, workers: int, n: int, waits: float) -> dict[str, Any]:
    """Seconds with no worker and with some; ratio: of the wall-clock times.  expected: on idle cores."""
    one, many = (run(source, scene, count, n) for count in (0, workers))
    idle = waits * n
    alone = one["cpu"] + idle
    spread = max((many["cpu"] + many["workers_cpu"]) / min(os.cpu_count() or 1, workers),
                 (many["workers_cpu"] + idle) / max(1, many["busy_workers"]))
    return {"ratio": round(one["wall"] / many["wall"], 2), "expected": round(alone / spread, 2), "workers 0": one,
            f"workers {workers}": many}


def run(source: Path, scene: str, workers: int, n: int) -> dict[str, float]:
    """`measure` in a process of its own, with the scenefit of another folder."""
    command = [sys.executable, str(HERE / "workers.py"), "--measure", scene, str(workers), "--scenes", str(n)]
    told = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}, check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(told)
    return found


def measure(scene: str, workers: int, n: int) -> dict[str, float]:
    """wall: seconds that n scenes take.  cpu, workers_cpu: of this process, of all workers.  busy_workers: how many of
    them took part."""
    import numpy as np
    import torch

    from scenefit.generation.dataset import generate
    from scenefit.renderers import render
    from scenefit.renderers.processes import Pool
    from scenefit.renderers.scene_file import load_scene

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(scene)
        if scene in FILES:
            path = Path(folder) / "scene.py"
            path.write_text(FILES[scene])
        found = load_scene(path)
        with Pool(path, workers) as pool:
            renderer = pool if workers else found.renderer
            render(renderer, found.grammar.sample(1, np.arange(max(1, workers)) * 64))  # starts all of them
            pids = [worker.process.pid for worker in pool._processes.alive]
            before, wall, cpu = [cpu_of(pid) for pid in pids], time.monotonic(), time.process_time()
            generate(found.grammar, renderer, n, Path(folder) / "out")
            wall, cpu = time.monotonic() - wall, time.process_time() - cpu
            spent = [cpu_of(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    return {"wall": round(wall, 2), "cpu": round(cpu, 2), "workers_cpu": round(sum(spent), 2),
            "busy_workers": sum(one > 0.1 * max(spent) for one in spent)}


def cpu_of(pid: int | None) -> float:
    """CPU seconds that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
