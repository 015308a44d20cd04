"""A turned and moved digit on a plain background. What a user of scenefit writes: a grammar and a renderer.

The sprites are scikit-learn's bundled handwritten digits, the first half of them. How the photos' digits are turned and
moved is not said here: it is what fitting finds out.
"""

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import scenefit as sf

SIZE = 40  # pixels of the square canvas
SPRITE = 20  # pixels of a digit
HALF = 898  # digits used as sprites; the rest belongs to the photos


def digits(rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [N, 20, 20] and classes [N] of some of scikit-learn's 1,797 digits."""
    bundled = load_digits()
    small = (bundled.images[rows] * 255 / 16).astype(np.uint8)
    images = [np.asarray(Image.fromarray(image).resize((SPRITE, SPRITE), Image.Resampling.BICUBIC)) for image in small]
    return np.stack(images), bundled.target[rows]


textures, classes = digits(slice(0, HALF))

grammar = sf.Grammar(
    start="image",
    symbols={
        "image": {"shade": sf.Uniform(0, 20)},
        "digit": {
            "x": sf.learned(sf.Normal(SIZE / 2, 1), bounds=(0, SIZE)),
            "y": sf.learned(sf.Normal(SIZE / 2, 1), bounds=(0, SIZE)),
            "angle": sf.learned(sf.Angle(0, sd=10)),
            "sprite": sf.Integer(0, HALF - 1),
        },
    },
    rules=[sf.Rule("image", ["digit"])],
)

renderer = sf.Sprites((SIZE, SIZE), textures={"digit": textures}, labels={"digit": classes}, label="digit")
