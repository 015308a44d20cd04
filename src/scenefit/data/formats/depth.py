"""Depth and normals of renders, beside the files of any format.

    depth/<image>.png    depth/encoding.json    normals/<image>.png    normals/encoding.json

<image> is the name of the image without its ending. Depth, pixels["depth"] of the renders, is metres along the
camera's axis, in KITTI's encoding: 16-bit PNG, round(256 * depth), and 0 where there is none, or 256 m or more.
Normals, pixels["normal"], are unit vectors in the camera's coordinates (x right, y down, z forward), as 8-bit PNG: red,
green and blue are round(127.5 * (1 + component)), and black is none. encoding.json says the same beside the files, and
keeps them from being read as photos.
Source: the readme of KITTI's depth development kit (Uhrig et al. 2017).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.formats.format import Format, Row, Save, write_all, write_png
from scenefit.data.frame_checks import one_per_pixel
from scenefit.data.frames import Frames
from scenefit.files.atomic import write_json

PER_METRE = 256
ENCODING = "encoding.json"
ENCODINGS = {"depth": {"scenefit": "depth", "value": f"round({PER_METRE} * metres along the camera's axis)",
                       "none": "0: no depth, or 256 m or more"},
             "normals": {"scenefit": "normals", "value": "red, green, blue: round(127.5 * (1 + component)), of x right,"
                         " y down, z forward", "none": "black"}}


def with_depth(form: Format) -> Format:
    """A format that also writes depth, and normals where the renders have them."""
    return replace(form, save=partial(save, labels=form.save), settings={**form.settings, "depth": True})


def save(frames: Frames, out: Path, part: Sequence[str], labels: Save) -> list[Row]:
    """Write what labels writes, then depth and normals. ValueError for renders without depth, or of another shape."""
    images: dict[str, NDArray[Any]] = {"depth": depth_image(frames)}
    if "normal" in frames.pixels:
        images["normals"] = normal_image(frames)
    rows = labels(frames, out, part)
    for folder, values in images.items():
        write_all(write_png, [(out / folder / f"{Path(row['file']).stem}.png", image)
                              for row, image in zip(rows, values, strict=True)])
        write_json(out / folder / ENCODING, ENCODINGS[folder])
    return rows


def depth_image(frames: Frames) -> NDArray[np.uint16]:
    """[S, H, W]"""
    if "depth" not in frames.pixels:
        raise ValueError("depth is asked for (--depth), and the renderer gives none: it has to return pixels={'depth': "
                         "...}")
    depth = one_per_pixel("depth", frames.pixels["depth"], frames.instances.shape)
    seen = (depth > 0) & (depth < (2**16 - 0.5) / PER_METRE)  # neither NaN nor infinite
    value = np.rint(np.where(seen, depth, 0).astype(np.float32) * PER_METRE)
    return np.where(seen, value.clip(1), 0).astype(np.uint16)


def normal_image(frames: Frames) -> NDArray[np.uint8]:
    """[S, H, W, 3]"""
    normal = one_per_pixel("normal", frames.pixels["normal"], (*frames.instances.shape, 3))
    seen = np.linalg.norm(normal, axis=-1, keepdims=True) > 0.5  # NaN and 0 are none
    with np.errstate(invalid="ignore"):
        return np.where(seen, np.rint(127.5 * (1 + normal.clip(-1, 1))), 0).astype(np.uint8)
