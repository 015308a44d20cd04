"""Class masks as PNG files with a palette, and the file that names their values, as Pascal VOC and CVAT have them.

Format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/, https://docs.cvat.ai/docs/manual/advanced/formats/format-smask/
Legend: H, W pixels.
"""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def voc_colours() -> NDArray[np.uint8]:
    """VOC's colours of the values 0 to 255 [256, 3]: bits of a value are dealt to red, green and blue in turn, from
    their highest bits on."""
    value, colours = np.arange(256), np.zeros((256, 3), np.int64)
    for bit in range(8):
        colours[:, bit % 3] |= (value >> bit & 1) << (7 - bit // 3)
    return colours.astype(np.uint8)


def mask_png(mask: NDArray[np.uint8]) -> bytes:
    """A PNG of mode P whose pixels have the values of a mask uint8 [H, W], shown in `voc_colours`."""
    image, data = Image.fromarray(mask), io.BytesIO()
    image.putpalette(voc_colours().tobytes())
    image.save(data, "PNG", optimize=True)
    return data.getvalue()


def label_map(classes: Sequence[str]) -> bytes:
    """CVAT's labelmap.txt: the colours of background, of each class, by its value from 1 on, and of what is ignored."""
    rows = [("background", 0), *((name, value) for value, name in enumerate(classes, 1)), ("void", 255)]
    return "".join(["# label:color_rgb:parts:actions\n", *(
        f"{name}:{','.join(map(str, voc_colours()[value].tolist()))}::\n" for name, value in rows)]).encode()
