"""Several renderers in one image, joined by the `layer` of the nodes.

Legend: S scenes; H, W pixels; n nodes of a kind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.frames import Frames
from scenefit.renderers import EXTENTS, Renderer, RendererInfo, render, renderer_info, renderer_name
from scenefit.renderers.painting import FramePainting, NodeLabels, Painting, Paints, labelled_frames
from scenefit.scenes.arguments import check_argument
from scenefit.scenes.scene import SceneBatch

Array = NDArray[Any]
CALL = "Layers([...])"


@dataclass(frozen=True, eq=False)
class Layers:
    """One renderer of several, which share scenes and image: `Shapes`, `Sprites`, functions, your own.

        scenefit.Layers([ground, scenefit.Sprites(size, {"car": cars}), scenefit.Shapes(size, {"tree": {}})])

    Nodes are painted by their attribute `layer` (0 where they have none), those of one layer in the order of the
    renderers, then as each of them orders its own. Masks are those of what remains visible; boxes and areas of whole
    objects are what the renderers give, or else what they drew before others covered it.

    The background is that of the first renderer; a function's is its whole image. One camera sees everything: that with
    the most effects, so of the first `Shapes`, or without one the noise of the first `Sprites`. Of a renderer that is
    neither, the pixels of objects are pasted as they are. Its further pixels, such as "depth", are NaN (or 0 of whole
    numbers) where another renderer's node lies. Labels of whole images are those of the first renderer that has some.

    Differentiable where all of its renderers can paint over others, as `Shapes` and `Sprites` do. ValueError for no
    renderer, several devices, sizes that differ, and nodes or further labels that two renderers give.
    """

    renderers: Sequence[Renderer]

    def __post_init__(self) -> None:
        given = self.renderers
        check_argument(CALL, "renderers", given, isinstance(given, Iterable) and not isinstance(given, str | dict)
                       and bool(given) and all(callable(one) for one in given), "a list of renderers, at least one")
        object.__setattr__(self, "renderers", tuple(given))
        infos = [renderer_info(one) for one in self.renderers]
        sizes = {tuple(info.size) for info in infos if info.size is not None}
        if len(sizes) > 1:
            raise ValueError(f"{CALL} needs renderers of one size, got {sorted(sizes)} (height, width)")
        devices = {info.device for info, one in zip(infos, self.renderers, strict=True) if isinstance(one, Paints)}
        if len(devices) > 1:
            raise ValueError(f"{CALL} needs renderers on one device, got {sorted(devices)}")

    @property
    def info(self) -> RendererInfo:
        infos = [renderer_info(one) for one in self.renderers]
        moves = [info.to for info in infos if info.to is not None]

        def attributes(root: str) -> dict[str, frozenset[str]]:
            out: dict[str, frozenset[str]] = {}
            for info in infos:
                for kind, names in (info.attributes(root) if info.attributes else {}).items():
                    out[kind] = out.get(kind, frozenset()) | names | {"layer"}
            return out

        def to(device: str) -> "Layers":
            pairs = zip(infos, self.renderers, strict=True)
            return Layers([info.to(device) if info.to else one for info, one in pairs])

        return RendererInfo(next((info.size for info in infos if info.size is not None), None),
                            self.draw if all(isinstance(one, Paints) for one in self.renderers) else None,
                            attributes if all(info.attributes for info in infos) else None,
                            [part for info in infos for part in info.parts], self._device, to if moves else None)

    @property
    def _device(self) -> str:
        return next((renderer_info(one).device for one in self.renderers if isinstance(one, Paints)), "cpu")

    def draw(self, scenes: SceneBatch) -> Tensor:
        """[S, 3, H, W] float32 in 0..1, with gradients."""
        return self._paint(scenes, torch.float32, False)[0]

    @torch.no_grad()
    def __call__(self, scenes: SceneBatch) -> Frames:
        canvas, ids, paintings = self._paint(scenes, torch.float32, True)
        images = (canvas * 255).round_().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        masks, labels = ids.cpu().numpy(), self._labels(scenes, paintings)
        named = (one.image_labels() for one in paintings)
        pixels, nodes = self._further(paintings, masks)
        return labelled_frames(scenes, images, masks, labels, next((one for one in named if one is not None), None),
                               pixels=pixels, nodes=nodes)

    def _paint(self, scenes: SceneBatch, dtype: torch.dtype, masks: bool) -> tuple[Tensor, Tensor, list[Painting]]:
        paintings = [one.painting(scenes, dtype, masks) if isinstance(one, Paints) else
                     FramePainting(render(one, scenes), dtype, self._device) for one in self.renderers]
        sizes = {one.background().shape[2:] for one in paintings if isinstance(one, FramePainting)}
        canvas = paintings[0].background()
        if sizes - {canvas.shape[2:]}:
            raise ValueError(f"{CALL} needs images of one size, got {sorted(map(tuple, {*sizes, canvas.shape[2:]}))} "
                             "(height, width)")
        ids = torch.zeros((len(scenes), *canvas.shape[2:]), dtype=torch.int32, device=canvas.device)
        for layer in np.unique(np.concatenate([one.layers for one in paintings])):
            for one in paintings:
                if layer in one.layers:
                    canvas, ids = one.over(canvas, ids, float(layer))
        camera = max(paintings, key=lambda one: len(one.effects))  # the first of those with as many
        return camera.record(canvas), ids, paintings

    def _labels(self, scenes: SceneBatch, paintings: Sequence[Painting]) -> dict[str, NodeLabels]:
        out = {kind: NodeLabels(np.zeros(len(table), bool), np.full(len(table), kind), np.full((len(table), 6), np.nan))
               for kind, table in scenes.tables.items()}
        for renderer, painting in zip(self.renderers, paintings, strict=True):
            for kind, found in painting.labels().items():
                before = out[kind]
                if (before.drawn & found.drawn).any():
                    raise ValueError(f"{CALL}: {kind} is drawn by two renderers, the second is "
                                     f"{renderer_name(renderer)}; leave it out of one of them")
                out[kind] = NodeLabels(before.drawn | found.drawn, np.where(found.drawn, found.name, before.name),
                                       np.where(found.drawn[:, None], found.extent, before.extent))
        return out

    def _further(self, paintings: Sequence[Painting],
                 masks: Array) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
        """Images and labels of nodes beyond those that every renderer has."""
        pixels, nodes = dict[str, Array](), dict[str, dict[str, Array]]()
        for one in paintings:
            if not isinstance(one, FramePainting):
                continue
            for name, values in one.frames.pixels.items():
                if name != "instances":
                    _once(name, name in pixels)
                    covered = (masks != one.frames.instances).reshape(*masks.shape, *[1] * (values.ndim - 3))
                    pixels[name] = np.where(covered, np.array(np.nan if values.dtype.kind == "f" else 0, values.dtype),
                                            values)
            for name, columns in one.frames.nodes.items():
                if name != "class" and name not in EXTENTS:
                    _once(name, not nodes.get(name, {}).keys().isdisjoint(columns))
                    nodes.setdefault(name, {}).update(columns)
        return pixels, nodes


def _once(name: str, again: bool) -> None:
    if again:
        raise ValueError(f"{CALL}: {name!r} is given by two renderers; leave it out of one of them")
