"""Photos that show nothing of a known world: crops of scikit-learn's two bundled photographs, a temple and a flower."""

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from experiments.known_worlds.truth import Array


def crops(size: tuple[int, int], count: int, seed: int) -> Array:
    """uint8 [count, H, W, 3] at random places and magnifications."""
    rng, pictures = np.random.default_rng([seed, 31]), load_sample_images().images
    out = []
    for _ in range(count):
        picture = pictures[rng.integers(len(pictures))]
        side = int(rng.uniform(0.3, 1) * min(picture.shape[:2]))
        top, left = (int(rng.integers(0, length - side + 1)) for length in picture.shape[:2])
        out.append(np.asarray(Image.fromarray(picture[top:top + side, left:left + side]).resize(size[::-1])))
    return np.stack(out)
