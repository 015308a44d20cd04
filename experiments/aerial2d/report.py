"""Photos of both targets with the masks that networks of several arms give them, as report.png.

Legend: S photos; H, W pixels.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.aerial2d import fits
from experiments.aerial2d.arms import trained
from experiments.aerial2d.fits import TASK, Fit
from experiments.aerial2d.picture import LEGEND, coloured
from experiments.picture_rows import stacked, titled

SHOWN = {"hand-made": "Trained on the hand-made grammar", "learned, all": "Trained on learned renders (no labels)",
         "oracle": "Trained on the target itself"}
PHOTOS = {"target": 3, "misspecified": 3}  # photos of each target, side by side
SEED = 0


def picture(root: Path) -> bytes:
    """A PNG file: photos, true masks, and those of each arm's network; the first photos of seed 0 that are tested."""
    rows: dict[str, list[NDArray[np.uint8]]] = {}
    for target, count in PHOTOS.items():
        photos = fits.photos(target, "tested", SEED, count)
        assert photos.masks is not None
        rows.setdefault("Photos that no network was trained on; left: target, right: misspecified target", []).append(
            photos.images)
        rows.setdefault("The truth", []).append(coloured(photos.masks.masks))
        for arm, title in SHOWN.items():
            network = trained(Fit(root, arm, target, SEED))
            rows.setdefault(title, []).append(coloured(TASK.segment(network, photos.images).masks))
    return stacked([part for title, images in rows.items() for part in titled(title, np.concatenate(images), LEGEND)])
