"""CPU seconds of the detector on one thread: `python -m benchmarks.detect`.

Blood smears of 240x320 from `scenes/smear.py`: features of an image, a training on 500 images, detections of an image.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import scenefit as sf
from scenefit.data.boxes import Boxes, make_boxes
from scenefit.files.atomic import write_json
from scenes import smear

CLASSES = ("RBC", "WBC", "Platelets")
PART = 50  # scenes drawn at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images, labels = drawn(options.images)
    task = sf.Detect(CLASSES)
    fresh, some = task.fresh(0), images[:50]
    seconds = {"features, an image": clock(lambda: task.maps(fresh, some)) / len(some),
               f"training on {len(images)} images": clock(lambda: task.train(images, labels, 0)),
               "detections, an image": clock(lambda: task.predict(fresh.eval(), some)) / len(some)}
    found = {"steps": task.steps, "batch": task.batch, "cpu_seconds": seconds}
    write_json(Path(__file__).parent / "detect.json", found)
    table = Table("", "CPU s", title="Detector on frozen EfficientNet-Lite0 features, 240x320, one thread")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.3g}")
    Console().print(table)


def drawn(count: int) -> tuple[np.ndarray, Boxes]:
    """Images of the wide grammar with the boxes of what is seen of each object."""
    images, rows = [], []
    for first in range(0, count, PART):
        frames = sf.render(smear.renderer, smear.grammar.sample(0, np.arange(first, min(first + PART, count))))
        images.append(frames.images)
        seen = frames.objects
        rows += [(first + int(seen.scene[m]), seen.box[m], str(seen.name[m]))
                 for m in np.flatnonzero((seen.pixels >= 20) & (seen.visibility >= 0.3))]
    return np.concatenate(images), make_boxes(count, *zip(*rows, strict=True))


def clock(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
