"""A few images side by side as a PNG, by which frames and photos show in a notebook.

Legend: N images; H, W pixels.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLUMNS, N_SHOWN = 8, 32
CELL = 96  # pixels of the longer side of each image; a single image is shown at twice as many
GAP = 2  # white pixels between images


def contact_sheet_png(images: NDArray[np.uint8]) -> bytes | None:
    """PNG of the first 32 of images uint8 [N, H, W, 3], eight a row; None for none: notebooks then show text."""
    if not images.size:
        return None
    longest = CELL if len(images) > 1 else 2 * CELL
    cells = [np.asarray(_resized(image, longest)) for image in images[:N_SHOWN]]
    height, width = cells[0].shape[:2]
    columns, rows = min(COLUMNS, len(cells)), -(-len(cells) // COLUMNS)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for number, cell in enumerate(cells):
        top, left = number // COLUMNS * (height + GAP), number % COLUMNS * (width + GAP)
        sheet[top:top + height, left:left + width] = cell
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, "PNG")
    return file.getvalue()


def _resized(image: NDArray[np.uint8], longest: int) -> Image.Image:
    """At most `longest` pixels on its longer side; small images are enlarged by a whole number."""
    picture = Image.fromarray(image)
    times = longest / max(picture.size)
    times = max(1, int(times)) if times >= 1 else times
    size = (max(1, round(picture.width * times)), max(1, round(picture.height * times)))
    return picture.resize(size, Image.Resampling.NEAREST if times >= 1 else Image.Resampling.BOX)
