"""Several renderers in one image, joined by the `layer` of the nodes.

Legend: S scenes; H, W pixels; n nodes of a kind.
"""

from collections.abc import Mapping, Sequence
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

    Nodes are painted by their `layer` (an attribute, or what `Shapes` gives their kind; 0 where there is none), those
    of one layer in the order of the renderers, then as each of them orders its own. Masks are those of what remains
    visible; boxes and areas of whole objects are what the renderers give, or else what they drew before others covered
    it.

    The background is that of the first renderer; a function's is its whole image. One camera sees everything: that with
    the most effects, so of the first `Shapes`, or without one the noise of the first `Sprites`. Its blur and shadows
    hold for all `Shapes`, its shadows for `Sprites` (whose masks know no blur). Of a renderer that is neither, the
    pixels of objects are pasted as they are. Its further pixels, such as "depth", are NaN (or 0 of whole numbers) where
    another renderer's node lies. The label of a whole image is that of the first renderer that gives it one.

    Differentiable where all of its renderers can paint over others, as `Shapes` and `Sprites` do. Time grows with the
    number of turns that renderers take in one scene, which many layers make many. ValueError for no renderer, several
    devices, sizes that differ, foreign objects (`cluttered` goes around the whole), and nodes or further labels that
    two renderers give.
    """

    renderers: Sequence[Renderer]

    def __post_init__(self) -> None:
        given = self.renderers
        check_argument(CALL, "renderers", given, isinstance(given, Sequence) and not isinstance(given, str)
                       and bool(given) and all(callable(one) for one in given), "a list of renderers, at least one")
        flat = [part for one in given for part in (one.renderers if isinstance(one, Layers) else [one])]
        object.__setattr__(self, "renderers", tuple(flat))
        infos = [renderer_info(one) for one in flat]
        _one_size("renderers", {tuple(info.size) for info in infos if info.size is not None})
        devices = {info.device for info, one in zip(infos, flat, strict=True) if isinstance(one, Paints)}
        if len(devices) > 1:
            raise ValueError(f"{CALL} needs renderers on one device, got {sorted(devices)}")
        if any(info.clutter for info in infos):
            raise ValueError(f"{CALL} takes renderers without foreign objects; add them above all others: "
                             f"scenefit.cluttered(scenefit.{CALL})")

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
        masks, label = ids.cpu().numpy(), paintings[0].image_labels()
        for one in paintings[1:]:
            label = np.where(label == "", one.image_labels(), label)
        pixels, nodes = self._further(paintings, masks)
        labels = self._labels(scenes, paintings)
        return labelled_frames(scenes, images, masks, labels, label, pixels=pixels, nodes=nodes)

    def _paint(self, scenes: SceneBatch, dtype: torch.dtype, masks: bool) -> tuple[Tensor, Tensor, list[Painting]]:
        camera = max(range(len(self.renderers)), key=lambda number: len(_effects(self.renderers[number])))
        paintings: dict[int, Painting] = {camera: self._painting(camera, scenes, dtype, masks)}
        for number in range(len(self.renderers)):
            if number != camera:
                paintings[number] = self._painting(number, scenes, dtype, masks, paintings[camera].camera)
        own = [paintings[number] for number in range(len(self.renderers))]
        self._check(scenes, own)
        canvas = own[0].background().clone(memory_format=torch.contiguous_format)
        ids = torch.zeros((len(scenes), *canvas.shape[2:]), dtype=torch.int32, device=canvas.device)
        turn = _turns(own)
        for number in range(1 + max((int(turns.max(initial=-1)) for turns in turn), default=-1)):
            rows = np.flatnonzero(turn[number % len(own)] == number)
            if len(rows):
                canvas, ids = own[number % len(own)].over(canvas, ids, rows)
        return own[camera].record(canvas), ids, own

    def _painting(self, number: int, scenes: SceneBatch, dtype: torch.dtype, masks: bool,
                  camera: Mapping[str, Tensor] | None = None) -> Painting:
        renderer = self.renderers[number]
        if isinstance(renderer, Paints):
            return renderer.painting(scenes, dtype, masks, camera)
        return FramePainting(render(renderer, scenes), dtype, self._device, renderer_name(renderer))

    def _check(self, scenes: SceneBatch, paintings: Sequence[Painting]) -> None:
        """ValueError for images of several sizes, and for nodes that two renderers paint."""
        sizes = {one.frames.images.shape[1:3] for one in paintings if isinstance(one, FramePainting)}
        sizes |= {tuple(info.size) for info in map(renderer_info, self.renderers) if info.size is not None}
        _one_size("images", sizes)
        painted: set[tuple[int, int]] = set()
        for renderer, one in zip(self.renderers, paintings, strict=True):
            mine = set(zip(one.scene.tolist(), one.owner.tolist(), strict=True))
            if twice := mine & painted:
                scene, node = min(twice)
                kind = next(kind for kind, table in scenes.tables.items()
                            if ((table.scene == scene) & (table.id == node)).any())
                raise ValueError(f"{CALL}: {kind} is drawn by two renderers, the second is {renderer_name(renderer)}; "
                                 "leave it out of one of them")
            painted |= mine

    def _labels(self, scenes: SceneBatch, paintings: Sequence[Painting]) -> dict[str, NodeLabels]:
        out = {kind: NodeLabels(np.zeros(len(table), bool), np.full(len(table), kind), np.full((len(table), 6), np.nan))
               for kind, table in scenes.tables.items()}
        for painting in paintings:
            for kind, found in painting.labels().items():
                before = out[kind]
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


def _effects(renderer: Renderer) -> frozenset[str]:
    return renderer.effects if isinstance(renderer, Paints) else frozenset()


def _turns(paintings: Sequence[Painting]) -> list[Array]:
    """In which turn each renderer paints each of its rows; turn t is of renderer t modulo their number. Rows go by
    layer, then renderer; those of one renderer that follow each other share a turn."""
    parts = [np.stack([one.scene, np.full(len(one.scene), number), np.arange(len(one.scene))])
             for number, one in enumerate(paintings)]
    scene, renderer, row = np.concatenate(parts, 1).astype(np.int64)
    layer = np.concatenate([one.layer for one in paintings])
    out = [np.zeros(len(one.scene), np.int64) for one in paintings]
    before, turn, count = -1, 0, len(paintings)
    for at in np.lexsort((renderer, layer, scene)).tolist():
        if scene[at] != before:
            before, turn = scene[at], 0
        turn += (renderer[at] - turn) % count
        out[renderer[at]][row[at]] = turn
    return out


def _one_size(what: str, sizes: set[tuple[int, ...]]) -> None:
    if len(sizes) > 1:
        raise ValueError(f"{CALL} needs {what} of one size, got {sorted(sizes)} (height, width)")


def _once(name: str, again: bool) -> None:
    if again:
        raise ValueError(f"{CALL}: {name!r} is given by two renderers; leave it out of one of them")
