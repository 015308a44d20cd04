"""Images of each distribution with their cars marked, as world.png: python -m experiments.street_known.picture"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import scenefit as sf
from experiments.picture_rows import Pixels, stacked, titled
from experiments.street_known import town, world
from scenefit.data.boxes import Boxes

COLUMNS, SEED = 4, 3
CAR_COLOUR = 255, 190, 20
LEGEND = {"cars, with boxes": CAR_COLOUR}
TITLES = {town.TARGET: "Target", town.MISSPECIFIED: "Misspecified target", "naive": "Naive grammar",
          "wide": "Wide grammar"}


def sheet() -> bytes:
    """A PNG file: for each distribution a heading and marked images."""
    return stacked([part for name, title in TITLES.items() for part in row(title, of(name))])


def of(name: str, count: int = COLUMNS) -> sf.Photos:
    """Labelled renders of a grammar or target."""
    grammar = town.grammar(name) if name in world.TARGETS else {"naive": world.naive, "wide": world.wide}[name]()
    return world.labelled(world.renderer(name), grammar.sample(SEED, count))


def row(title: str, images: sf.Photos) -> list[Pixels]:
    return titled(title, marked(images), LEGEND)


def marked(photos: sf.Photos) -> NDArray[np.uint8]:
    """Images with their pixels of cars tinted and boxes drawn [S, H, W, 3]."""
    assert photos.boxes is not None and photos.masks is not None
    out = photos.images.astype(np.float32)
    cars = photos.masks.masks == 1
    out[cars] = 0.65 * out[cars] + 0.35 * np.array(CAR_COLOUR)
    return np.stack([boxed(image, photos.boxes, number) for number, image in enumerate(out.round().astype(np.uint8))])


def boxed(image: NDArray[np.uint8], boxes: Boxes, number: int) -> NDArray[np.uint8]:
    """An image with the boxes of the image of a number."""
    drawn = Image.fromarray(image)
    pen = ImageDraw.Draw(drawn)
    for x0, y0, x1, y1 in boxes.box[boxes.rows(number)]:
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline=CAR_COLOUR)
    return np.asarray(drawn)


def main() -> None:
    Path(__file__).with_name("world.png").write_bytes(sheet())


if __name__ == "__main__":
    main()
