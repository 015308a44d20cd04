"""CPU seconds of the detector on one thread: `python -m benchmarks.detect`.

Measures the features and the predictions of an image, and a training on 500 images, with blood smears of 240x320 pixels
from `scenes/smear.py`.
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
PART = 50  # scenes rendered at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=500, help="training images")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images, labels = rendered(options.images)
    task = sf.Detect(CLASSES)
    fresh, some = task.fresh(0), images[:50]
    seconds = {"features, an image": clock(lambda: task.maps(fresh, some)) / len(some),
               f"training on {len(images)} images": clock(lambda: task.train(images, labels, 0)),
               "detections, an image": clock(lambda: task.predict(fresh.eval(), some)) / len(some)}
    result = {"steps": task.steps, "batch": task.batch, "cpu_seconds": seconds}
    write_json(Path(__file__).parent / "detect.json", result)
    table = Table("", "CPU s", title="Detector with a frozen EfficientNet-Lite0 backbone, 240x320, one thread")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.3g}")
    Console().print(table)


def rendered(count: int) -> tuple[np.ndarray, Boxes]:
    """Images of the wide grammar uint8 [count, 240, 320, 3], with the visible box of each object."""
    images, rows = [], []
    for first in range(0, count, PART):
        frames = sf.render(smear.renderer, smear.grammar.sample(0, np.arange(first, min(first + PART, count))))
        images.append(frames.images)
        objects = frames.objects
        rows += [(first + int(objects.scene[m]), objects.box[m], str(objects.name[m]))
                 for m in np.flatnonzero((objects.pixels >= 20) & (objects.visibility >= 0.3))]
    return np.concatenate(images), make_boxes(count, *zip(*rows, strict=True))


def clock(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
