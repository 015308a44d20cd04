"""Images and labels of many scenes, rendered in chunks, so that memory does not grow with the number of scenes: masks
and floats are there for one chunk at a time, and images that are collected are bytes.

Legend: S scenes; H, W pixels.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scenefit.data.boxes import Boxes, join_boxes
from scenefit.data.formats import LabelPolicy, label_boxes
from scenefit.data.frames import Frames
from scenefit.files.scratch import collect_arrays
from scenefit.renderers import Renderer, render, renderer_info
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.scene import SceneBatch

PIXELS = 2**22  # rendered at once: 64 images of 256x256, 4 of 1280x720
SCENES = 4096  # rendered at once at most
FIRST = 16  # scenes rendered at once until the size of the images is known
WORKER_SCENES = 64  # that a worker process renders at once at most
Images = NDArray[np.uint8]
Labels = TypeVar("Labels")


@runtime_checkable
class ParallelRenderer(Protocol):
    """A renderer that renders several batches at the same time, as `Pool` does in worker processes.

    frames(batches): the frames of each, in their order; a batch has at most `WORKER_SCENES` scenes.
    """

    def frames(self, batches: Iterable[SceneBatch]) -> Iterator[Frames]: ...


def frame_size(grammar: Grammar, renderer: Renderer) -> tuple[int, int]:
    """(height, width) of the renderer's images: its info's `size`, or that of one rendered scene."""
    size = renderer_info(renderer).size
    if size is None:
        size = render(renderer, grammar.sample(0, 1)).images.shape[1:3]
    return int(size[0]), int(size[1])


def scenes_at_once(size: tuple[int, int], pixels: int | None = None) -> int:
    """How many images of a size (height, width) have so many pixels together, by default `PIXELS`; at least 1."""
    pixels = PIXELS if pixels is None else pixels
    return min(max(1, pixels // (size[0] * size[1])), SCENES)


def render_each(renderer: Renderer, batches: Iterable[SceneBatch]) -> Iterator[Frames]:
    """Frames of each batch, in their order."""
    if isinstance(renderer, ParallelRenderer):
        yield from renderer.frames(batches)
    else:
        yield from (render(renderer, batch) for batch in batches)


def render_images(renderer: Renderer, scenes: SceneBatch) -> tuple[Images, NDArray[np.str_]]:
    """Images uint8 [S, H, W, 3] and labels of whole images [S]. The images lie in a `scratch_array`."""
    label: list[NDArray[np.str_]] = []
    chunks = image_chunks(renderer, scenes, labels=lambda frames: label.append(frames.label))
    return collect_arrays(chunks, len(scenes)), np.concatenate(label)


def render_with_labels(renderer: Renderer, scenes: SceneBatch, label: Callable[[Frames], Labels],
                       rendered: Callable[[int], None] = lambda count: None) -> tuple[Images, list[Labels]]:
    """Images uint8 [S, H, W, 3], likewise, and the labels of each chunk of them. rendered: called with the number of
    each chunk."""
    labels: list[Labels] = []

    def labelled(frames: Frames) -> None:
        labels.append(label(frames))
        rendered(len(frames))

    chunks = image_chunks(renderer, scenes, labels=labelled)
    return collect_arrays(chunks, len(scenes)), labels


def render_with_boxes(renderer: Renderer, scenes: SceneBatch, label_policy: LabelPolicy | None = None,
                      rendered: Callable[[int], None] = lambda count: None) -> tuple[Images, Boxes]:
    """The same with the boxes of all objects."""
    images, boxes = render_with_labels(renderer, scenes, partial(label_boxes, label_policy=label_policy), rendered)
    return images, join_boxes(boxes)


def render_parts(renderer: Renderer, scenes: SceneBatch, size: tuple[int, int] | None = None,
                 pixels: int | None = None) -> Iterator[Frames]:
    """Frames of some scenes at a time, in order. size: (height, width) of the images, where it is known.

    pixels: of the images of one chunk, of which the workers of a pool render one each at the same time.
    """
    size, done = size or renderer_info(renderer).size, 0
    if size is None and len(scenes):
        frames = render(renderer, scenes.take(np.arange(min(FIRST, len(scenes)))))
        size, done = (frames.images.shape[1], frames.images.shape[2]), len(frames)
        yield frames
        del frames
    left = len(scenes) - done
    if left > 0:
        assert size is not None
        most = WORKER_SCENES if isinstance(renderer, ParallelRenderer) else SCENES
        rows = np.array_split(np.arange(done, len(scenes)), -(-left // min(scenes_at_once(size, pixels), most)))
        yield from render_each(renderer, map(scenes.take, rows))


def image_chunks(renderer: Renderer, scenes: SceneBatch, size: tuple[int, int] | None = None,
                 labels: Callable[[Frames], None] | None = None) -> Iterator[Images]:
    """Images uint8 [., H, W, 3] of some scenes at a time, without their masks.

    labels: takes of each chunk's frames what is needed of their labels."""
    for frames in render_parts(renderer, scenes, size):
        if labels is not None:
            labels(frames)
        images = frames.images
        del frames  # with its masks, before the next are drawn
        yield images
        del images


def recut(chunks: Iterable[Images], count: int) -> Iterator[Images]:
    """The same images [., H, W, 3] in chunks of count; the last may be smaller."""
    held: list[Images] = []
    for images in chunks:
        while sum(map(len, held)) + len(images) >= count:
            own = count - sum(map(len, held))
            whole = [*held, images[:own]] if own else held
            yield whole[0] if len(whole) == 1 else np.concatenate(whole)
            held, images = [], images[own:]
        held += [images] if len(images) else []
    if held:
        yield held[0] if len(held) == 1 else np.concatenate(held)
