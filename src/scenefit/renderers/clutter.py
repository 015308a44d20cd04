"""A renderer with foreign objects in some of its images, for training data."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, runtime_checkable

from scenefit.data.clutter import add_clutter
from scenefit.data.frames import Frames
from scenefit.renderers import Renderer, RendererInfo, render, renderer_info, renderer_name
from scenefit.scenes.arguments import check_renderer
from scenefit.scenes.scene import SceneBatch


@runtime_checkable
class _WrapsElsewhere(Protocol):
    """A renderer that draws in other processes, such as `Pool`: these can wrap the renderer that they draw with.

    wrapped(wrap, info): the same renderer, whose processes draw with wrap(theirs). wrap can be pickled.  info: of that.
    """

    def wrapped(self, wrap: Callable[[Renderer], Renderer], info: RendererInfo) -> Renderer: ...


@dataclass(frozen=True, eq=False)
class Cluttered:
    """The renderer that `cluttered` returns."""

    renderer: Renderer
    share: float
    info: RendererInfo

    @property
    def __name__(self) -> str:
        return renderer_name(self.renderer)

    def __call__(self, scenes: SceneBatch) -> Frames:
        return add_clutter(render(self.renderer, scenes), self.share)


def cluttered(renderer: Renderer, share: float = 0.5) -> Renderer:
    """The renderer with foreign objects in this share of its images, which no scene describes: blobs, streaks, polygons
    and blotches of random colours, from a few pixels to about the size of the objects.

        scenefit.generate(model, scenefit.cluttered(renderer, 0.5), 10_000, "dataset/")

    They lie above all objects. Masks, and all labels derived from them, are those of what remains visible: an object
    that is half covered has half of its visibility, a covered one no label. Labels of whole images stay as they are.
    They follow from seed and index of each scene and from its image, in any batch and any process. Its info is that of
    the renderer, but for `draw`; a fit learns better without. ValueError for a share outside 0..1, or a renderer that
    has foreign objects already.
    """
    check_renderer("cluttered(renderer, share=0.5)", renderer)
    if not 0 <= share <= 1:
        raise ValueError(f"cluttered(renderer, share) needs a share in 0..1 of the images, got {share}")
    info = renderer_info(renderer)
    if info.clutter:
        raise ValueError(f"{renderer_name(renderer)} has foreign objects in a share of {info.clutter} of its images "
                         "already, as scenefit.cluttered gives it; wrap the renderer once")
    wrap, move = partial(cluttered, share=share), info.to
    changed = replace(info, draw=None, clutter=share,
                      to=None if move is None else lambda device: wrap(move(device)))
    if isinstance(renderer, _WrapsElsewhere):
        return renderer.wrapped(wrap, changed)
    return Cluttered(renderer, share, changed)
