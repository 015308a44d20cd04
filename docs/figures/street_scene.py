"""Draws docs/figures/street_scene.png: renders of scenes/street.py before any fit, with boxes of road users.

    python docs/figures/street_scene.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

import scenefit as sf
from scenefit.renderers.scene_file import load_scene
from scenefit.report.overlay import outlined

HERE = Path(__file__).parent
SEED, ACROSS, DOWN, GAP = 1, 4, 2, 8
CLASSES = "car", "van", "truck", "bus", "cyclist", "pedestrian"
PIXELS = 30  # visible of an object that has a box, at least
COLOURS = 256  # of the file, for its size


def main() -> None:
    scene = load_scene(HERE.parents[1] / "scenes" / "street.py")
    frames = sf.render(scene.renderer, scene.grammar.sample(SEED, ACROSS * DOWN))
    boxes = sf.label_boxes(frames, sf.LabelPolicy(min_pixels=PIXELS))
    height, width = frames.images.shape[1:3]
    sheet = Image.new("RGB", (ACROSS * (width + GAP) - GAP, DOWN * (height + GAP) - GAP), "white")
    for row, image in enumerate(frames.images):
        mine = boxes.box[(boxes.image == row) & np.isin(boxes.name, CLASSES)]
        picture = outlined(image, mine, np.zeros(len(mine), np.int64), 1, 1)
        sheet.paste(picture, (row % ACROSS * (width + GAP), row // ACROSS * (height + GAP)))
    sheet.quantize(COLOURS, kmeans=2).save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main()
