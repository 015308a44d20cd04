"""How several renderers paint one image: each some of its nodes at a time, over what was painted so far.

Legend: S scenes; H, W pixels; n nodes of a kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.frames import Frames, make_frames
from scenefit.renderers.column import read_column, to_numpy
from scenefit.scenes.scene import SceneBatch

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class NodeLabels:
    """What a renderer knows of the nodes of one kind. drawn [n]: which of them it draws.  name [n]: class.
    extent [n, 6]: amodal box, area, area inside the image; NaN where unknown."""

    drawn: Array
    name: Array
    extent: Array


class Painting(Protocol):
    """A batch of scenes while it is painted.

    scene, owner, layer [k]: of all that it paints, by which nodes it is owned.  camera: attributes of its camera [S].
    background: its own, [S, 3, H, W] in 0..1.  over: canvas [S, 3, H, W] and ids [S, H, W] with these rows of what it
    paints over them, in its own order; both may be changed.  record: the canvas as its camera records it.  labels: by
    kind, once all is painted.  image_labels: class of each whole image [S], "" where it knows none.
    """

    @property
    def scene(self) -> Array: ...

    @property
    def owner(self) -> Array: ...

    @property
    def layer(self) -> Array: ...

    @property
    def camera(self) -> Mapping[str, Tensor]: ...

    def background(self) -> Tensor: ...

    def over(self, canvas: Tensor, ids: Tensor, rows: Array) -> tuple[Tensor, Tensor]: ...

    def record(self, canvas: Tensor) -> Tensor: ...

    def labels(self) -> Mapping[str, NodeLabels]: ...

    def image_labels(self) -> Array: ...


@runtime_checkable
class Paints(Protocol):
    """A renderer that can paint over others.

    effects: what its camera does, such as "blur".  painting: of a batch. dtype: of the canvas.  masks: whether ids and
    labels are wanted.  camera: of another painting, in place of its own.
    """

    @property
    def effects(self) -> frozenset[str]: ...

    def painting(self, scenes: SceneBatch, dtype: torch.dtype, masks: bool,
                 camera: Mapping[str, Tensor] | None = None) -> Painting: ...


class FramePainting:
    """Of a renderer that draws whole images: the pixels of its objects are pasted, each at the layer of its node."""

    camera: Mapping[str, Tensor] = MappingProxyType({})

    def __init__(self, frames: Frames, dtype: torch.dtype, device: str, name: str):
        self.frames, self.dtype, self.device = frames, dtype, device
        self.ids = torch.as_tensor(frames.instances, device=device)
        tables = frames.scenes.tables
        most = 1 + max((int(table.id.max(initial=0)) for table in tables.values()), default=0)
        number = frames.instances + most * np.arange(len(frames))[:, None, None]
        seen = np.unique(number[frames.instances > 0])
        self.scene, self.owner = seen // most, seen % most
        self.row = torch.as_tensor(np.where(frames.instances > 0, np.searchsorted(seen, number), -1), device=device)
        of_node = np.zeros((len(frames), most))
        for kind, table in tables.items():
            column = read_column(frames.scenes, kind, "layer", device, name)
            if column is not None:
                of_node[table.scene, table.id] = to_numpy(column)
        self.layer = of_node[self.scene, self.owner]

    def background(self) -> Tensor:
        """The whole image."""
        return self._image

    @cached_property
    def _image(self) -> Tensor:
        images = torch.as_tensor(self.frames.images, device=self.device).permute(0, 3, 1, 2)
        return images.to(self.dtype) / 255

    def over(self, canvas: Tensor, ids: Tensor, rows: Array) -> tuple[Tensor, Tensor]:
        mask = torch.isin(self.row, torch.as_tensor(rows, device=self.device))
        return torch.where(mask[:, None], self._image, canvas), torch.where(mask, self.ids, ids)

    def record(self, canvas: Tensor) -> Tensor:
        return canvas

    def labels(self) -> dict[str, NodeLabels]:
        """Whole extents are those that the renderer gives, else those of its own masks, before others cover them."""
        objects, out = self.frames.objects, {}
        inside = objects.area * (1 - objects.truncation)
        extent = np.concatenate([objects.amodal, objects.area[:, None], inside[:, None]], 1)
        row = {place: number for number, place in enumerate(zip(objects.scene.tolist(), objects.id.tolist(),
                                                                strict=True))}
        for kind, table in self.frames.scenes.tables.items():
            of = np.array([row.get(place, -1) for place in zip(table.scene.tolist(), table.id.tolist(), strict=True)],
                          np.int64)
            values = np.full((len(of), 6), np.nan)
            values[of >= 0] = extent[of[of >= 0]]
            out[kind] = NodeLabels(of >= 0, self.frames.classes[kind], values)
        return out

    def image_labels(self) -> Array:
        return self.frames.label


def labelled_frames(scenes: SceneBatch, images: Array, ids: Array, labels: Mapping[str, NodeLabels],
                    image_labels: Array | None = None, **more: Any) -> Frames:
    """Frames of painted images uint8 [S, H, W, 1 or 3] and ids [S, H, W]. more: of `make_frames`."""
    return make_frames(scenes, images, ids, label=image_labels,
                       classes={kind: one.name for kind, one in labels.items()},
                       amodal={kind: one.extent[:, :4] for kind, one in labels.items()},
                       area={kind: one.extent[:, 4] for kind, one in labels.items()},
                       inside={kind: one.extent[:, 5] for kind, one in labels.items()}, **more)
