"""Layered soft shapes on a background, seen by a camera: a batched, differentiable 2D renderer in torch.

Only the window around each shape is computed. Shapes with windows of one size are rasterised together, also those of
different scenes; then the layers of each scene are composited, bottom to top.
Legend: S scenes; H, W pixels; n shapes; g shapes rasterised together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.frame_checks import class_name
from scenefit.data.frames import Frames
from scenefit.renderers import RendererInfo, check_size, unknown_kind
from scenefit.renderers.column import MAX_VALUE
from scenefit.renderers.masks import measure
from scenefit.renderers.painting import NodeLabels, labelled_frames
from scenefit.renderers.shapes import camera, focus, outline
from scenefit.renderers.shapes.layers import Layer, Stack, composite, subtract, union, write_ids
from scenefit.renderers.shapes.outline import OPTIONAL, Limits
from scenefit.renderers.shapes.placement import CHANNELS, MIN_VALUES, UNLIMITED, column_of, place_shapes
from scenefit.scenes.arguments import check_argument, is_finite
from scenefit.scenes.scene import SceneBatch
from scenefit.scenes.suggestions import did_you_mean

Array = NDArray[Any]
TIE = 0.001  # margin above `solid` that keeps ties out of reach of rounding
UNBOUNDED: Limits = (0.0, -np.inf, np.inf)
SHARED = ("blur", "shadow", "shadow_angle")  # of the camera: what also changes masks and what shapes cast


@dataclass(frozen=True, eq=False)
class Shapes:
    """Renderer of layered soft shapes; differentiable in every attribute but sides, lobes and layer.

    size: (H, W).  shapes: kind -> attributes that all shapes of the kind share ({} for none); kinds not named are not
    drawn.  camera: attributes that all images share.  classes: kind -> class name; otherwise the kind is the class.
    parts: kinds that are parts of their parent, as a nucleus of its cell: painted with it, their pixels are the
    parent's, in its box and area too, and they are no objects.  background: the kind that holds the background's and
    the camera's attributes, the root's kind if None.

    An attribute of a node overrides that of its kind, which overrides the default. docs/shapes.md lists all of them
    with units, ranges and defaults. Sampled values outside their range are clipped to it. ValueError for values outside
    their range that are given here, for a negative radius, length or width, an elongation below 1, numbers that are not
    finite and those beyond 1e9 where there is no range; GrammarMismatch for kinds that the grammar lacks.

    Shapes are painted by layer, then by id, each followed by its parts and above its shadow, which has no pixels. In
    masks, boxes and areas a shape covers the pixels where the cover of its outline without its hole, blurred like the
    image, is above `solid`, whatever its opacity and colour (none at opacity 0); its amodal box and area include hidden
    parts and those outside the image.
    By default a soft edge belongs to the shape, as most people draw boxes; some leave it out (0.5).
    experiments/label_defaults compares them.
    """

    size: tuple[int, int]
    shapes: Mapping[str, Mapping[str, float]]
    camera: Mapping[str, float] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[str] = ()
    background: str | None = None
    device: str = "cpu"
    solid: float = 0.1

    def __post_init__(self) -> None:
        check_size("Shapes", self.size)
        if not isinstance(self.shapes, Mapping) or not self.shapes:
            raise ValueError("Shapes needs shapes of at least one kind, each with the attributes that all its nodes "
                             f"share: shapes={{'coin': {{}}}}, got {self.shapes!r}")
        if not (is_finite(self.solid) and 0 < self.solid < 1):
            raise ValueError(f"Shapes needs solid above 0 and below 1, the cover at which a pixel is a shape's, got "
                             f"{self.solid}")
        for kind, fixed in self.shapes.items():
            _check_fixed(f"shapes[{kind!r}]", fixed, {"x": UNBOUNDED, "y": UNBOUNDED, **outline.ATTRIBUTES})
        _check_fixed("camera", self.camera, camera.ATTRIBUTES)
        check_argument("Shapes(size, shapes)", "classes", self.classes, isinstance(self.classes, Mapping),
                       "a dictionary from kinds to names of classes")
        check_argument("Shapes(size, shapes)", "parts", self.parts, not isinstance(self.parts, str | Mapping)
                       and isinstance(self.parts, Iterable), "a list of kinds, such as ['nucleus']")
        for kind, name in self.classes.items():
            class_name(f"classes[{kind!r}]", name)
        for name, kinds in (("classes", self.classes), ("parts", self.parts)):
            wrong = sorted(set(kinds) - set(self.shapes))
            if wrong:
                raise ValueError(f"{name} names the kind {wrong[0]!r}, but the shapes are {list(self.shapes)}")

    @property
    def info(self) -> RendererInfo:
        return RendererInfo(self.size, self.draw, self.attributes, self.parts, self.device,
                            lambda device: replace(self, device=device))

    def attributes(self, root: str) -> dict[str, frozenset[str]]:
        """Kind -> names of the attributes of its nodes that are used. root: the kind of the root."""
        return {self.background or root: frozenset(camera.ATTRIBUTES),
                **dict.fromkeys(self.shapes, frozenset({"x", "y", *outline.ATTRIBUTES}))}

    def draw(self, scenes: SceneBatch) -> Tensor:
        """[S, 3, H, W] float32 in 0..1, with gradients."""
        return self._draw(scenes, torch.float32)

    def _draw(self, scenes: SceneBatch, dtype: torch.dtype) -> Tensor:
        images = list(Painting(self, scenes, dtype).paint())
        return torch.stack(images) if images else torch.zeros((0, 3, *self.size), dtype=dtype, device=self.device)

    @property
    def effects(self) -> frozenset[str]:
        """Of its camera, for `Layers`."""
        return frozenset(camera.ATTRIBUTES)

    def painting(self, scenes: SceneBatch, dtype: torch.dtype, masks: bool,
                 camera: Mapping[str, Tensor] | None = None) -> "Painting":
        """For `Layers`."""
        return Painting(self, scenes, dtype, masks, camera)

    @torch.no_grad()
    def __call__(self, scenes: SceneBatch) -> Frames:
        painting = Painting(self, scenes, torch.float32, masks=True)
        images = np.empty((len(scenes), *self.size, 3), np.uint8)
        for number, image in enumerate(painting.paint()):
            levels = np.rint(image.cpu().numpy() * np.float32(255)).astype(np.uint8)
            for channel in range(3):
                images[number, ..., channel] = levels[channel]
        return labelled_frames(scenes, images, painting.ids.cpu().numpy(), painting.labels())


def _check_fixed(what: str, fixed: Any, known: Mapping[str, Limits]) -> None:
    """ValueError for a value outside its range: one that is given for all nodes is a mistake, while sampled ones are
    clipped."""
    if not isinstance(fixed, Mapping):
        raise ValueError(f"{what} needs attributes with their numbers, as {{'grain': 0.1}}, or {{}}, got {fixed!r}")
    for name, value in fixed.items():
        if name not in known:
            raise ValueError(f"{what} has no attribute {name!r}{did_you_mean(name, known)}; there are {sorted(known)}")
        if not is_finite(value):
            raise ValueError(f"{what} needs a finite number for {name}, got {value!r}")
        if name in MIN_VALUES and value < MIN_VALUES[name][0]:
            raise ValueError(f"{what} needs {MIN_VALUES[name][1]} for {name}, got {value!r}")
        _, low, high = known[name]
        if name not in UNLIMITED:
            low, high = max(low, -MAX_VALUE), min(high, MAX_VALUE)
        if not low <= value <= high:
            fit = f"a number >= {low:g}" if high == np.inf else f"a number from {low:g} to {high:g}"
            levels = " (0 is dark, 1 is light)" if name in ("shade", *CHANNELS) else ""
            raise ValueError(f"{what} needs {fit} for {name}{levels}, got {value!r}")


class Painting:
    """Paints one batch. With masks: ids, the owner of each pixel [S, H, W], and extent, amodal box, area and area
    inside the image of each shape [n, 6]. For `Layers`, see `scenefit.renderers.painting.Painting`."""

    def __init__(self, renderer: Shapes, scenes: SceneBatch, dtype: torch.dtype, masks: bool = False,
                 camera: Mapping[str, Tensor] | None = None):
        self.renderer, self.scenes, self.dtype, self.masks = renderer, scenes, dtype, masks
        own = _camera(renderer, scenes)
        self.camera = own if camera is None else {**own, **{name: camera[name] for name in SHARED}}
        self.placed = place_shapes(renderer.shapes, renderer.parts, renderer.size, scenes, self.camera)
        self.plain, self.series = self.placed.values.to(dtype), self.placed.series.to(dtype)
        self.through, self.own = self.placed.through.to(dtype), self.placed.own.to(dtype)
        self.ids = torch.zeros((len(scenes) if masks else 0, *renderer.size), dtype=torch.int32, device=renderer.device)
        self.extent = np.zeros((len(self.placed.scene), 6))

    def paint(self) -> Iterator[Tensor]:
        """One image after the other, [3, H, W] in 0..1."""
        for first, last in self.placed.runs(len(self.scenes)):
            values, address = self._camera_of(first, last), self.scenes.address[first:last]
            rows = np.arange(*np.searchsorted(self.placed.scene, [first, last]))
            canvas = self._over(camera.background(values, address, self.renderer.size, self.dtype),
                                self.ids[first:last], rows, first)
            yield from camera.apply_camera(canvas, values, address)

    @property
    def scene(self) -> Array:
        return self.placed.scene

    @property
    def owner(self) -> Array:
        return np.abs(self.placed.owner)

    @property
    def layer(self) -> Array:
        return self.placed.layer

    def background(self) -> Tensor:
        return camera.background(self.camera, self.scenes.address, self.renderer.size, self.dtype)

    def over(self, canvas: Tensor, ids: Tensor, rows: Array) -> tuple[Tensor, Tensor]:
        parts, scene = [], self.placed.scene[rows]
        for first, last in self.placed.runs(len(self.scenes)):
            mine = rows[slice(*np.searchsorted(scene, [first, last]))]
            parts.append(self._over(canvas[first:last], ids[first:last], mine, first))
        return torch.cat(parts) if parts else canvas, ids

    def record(self, canvas: Tensor) -> Tensor:
        images = list(camera.apply_camera(canvas, self.camera, self.scenes.address))
        return torch.stack(images) if images else canvas

    def labels(self) -> dict[str, NodeLabels]:
        out = {}
        for code, kind in enumerate(self.renderer.shapes):
            mine = np.flatnonzero(self.placed.kind == code)
            extent = np.zeros((len(mine), 6))
            if kind not in self.renderer.parts:
                extent[self.placed.row[mine]] = self.extent[mine]
            name = np.full(len(mine), str(self.renderer.classes.get(kind, kind)))
            out[kind] = NodeLabels(np.ones(len(mine), bool), name, extent)
        return out

    def image_labels(self) -> Array:
        return np.full(len(self.scenes), "")

    def _camera_of(self, first: int, last: int) -> dict[str, Tensor]:
        return {name: column[first:last] for name, column in self.camera.items()}

    def _over(self, canvas: Tensor, ids: Tensor, rows: Array, first: int) -> Tensor:
        """The shapes of these rows over canvas [s, 3, H, W], whose first image is of scene `first`."""
        stacks: list[Stack] = []
        place = np.zeros((2, len(rows)), np.int64)
        for group in self.placed.groups(rows):
            at = np.searchsorted(rows, group)
            place[0, at], place[1, at] = len(stacks), np.arange(len(group))
            stacks.append(self._rasterise(group))
        p = self.placed
        layers = [Layer(*one) for one in zip((p.scene[rows] - first).tolist(), *place.tolist(), p.top[rows].tolist(),
                                             p.left[rows].tolist(), p.owner[rows].tolist(), strict=True)]
        canvas = composite(canvas, layers, stacks)
        if self.masks:
            write_ids(ids, layers, [stack.solid for stack in stacks])
            if len(rows):
                self._add_parts(rows, layers, stacks)
        return canvas

    def _add_parts(self, rows: Array, layers: list[Layer], stacks: list[Stack]) -> None:
        """Add the pixels that parts cover beyond their parent to the parent's box and areas; each pixel counts once."""
        p, size = self.placed, self.renderer.size
        whose = np.stack([p.scene[rows], p.owner[rows]])
        first = np.flatnonzero(np.append(True, (np.diff(whose) != 0).any(axis=0)))  # a parent, then its parts
        for start, end in zip(first.tolist(), [*first.tolist()[1:], len(rows)], strict=True):
            whole = self.extent[rows[start]]
            for at in range(start + 1, end):
                one, (left, top) = layers[at], (np.array([layers[at].left]), np.array([layers[at].top]))
                more = stacks[one.stack].solid[one.row].clone()
                for other in layers[start:at]:
                    if not more.any():  # most parts lie within their parent, some have no pixel
                        break
                    subtract(more, one, stacks[other.stack].solid[other.row], other)
                if not more.any():
                    continue
                whole[:] = union(whole, measure(more[None], left, top, size)[0])

    def _rasterise(self, group: Array) -> Stack:
        p, device = self.placed, self.renderer.device
        at = torch.as_tensor(group, device=device)
        side, order = int(p.side[group[0]]), int(p.order[group[0]])
        span = torch.arange(side, device=device) + 0.5
        dx = (torch.as_tensor(p.left[group], device=device)[:, None] + span - p.x[at][:, None]).to(self.dtype)
        dy = (torch.as_tensor(p.top[group], device=device)[:, None] + span - p.y[at][:, None]).to(self.dtype)
        used = {name: bool(int(p.used[group[0]]) >> bit & 1) for bit, name in enumerate(OPTIONAL)}
        used["blur"] &= self.masks  # it changes the masks alone
        one = dict(zip(p.names, self.plain[:, at, None, None].unbind(0), strict=True))
        pixels = outline.rasterise(one, self.series[at] if order else None, order, int(p.sides[group[0]]), used,
                                   dx[:, None, :], dy[:, :, None])
        taps = int(p.taps[group[0]])
        seen, covered, ink = self._defocus(pixels, focus.weights(p.defocus[at], taps)) if taps else pixels
        solid = (seen > self.renderer.solid + TIE) & (one["opacity"] > 0)
        if (p.kind[group] < 0).any():  # shadows
            solid &= torch.as_tensor(p.kind[group] >= 0, device=device)[:, None, None]
        if self.masks:
            self.extent[group] = measure(solid, p.left[group], p.top[group], self.renderer.size)
        return Stack(solid, 1 - covered, ink, self.through[at], self.own[at])

    def _defocus(self, pixels: tuple[Tensor, Tensor, Tensor], weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """seen, covered and ink of `outline.rasterise` out of focus. weight: of `focus.weights`."""
        seen, covered, ink = pixels
        layers = [covered, *([] if ink is covered else [ink]), *([seen] if self.masks else [])]
        out = focus.blurred(torch.stack(layers, 1), weight.to(self.dtype)).unbind(1)
        return out[-1], out[0], out[0 if ink is covered else 1]


def _camera(renderer: Shapes, scenes: SceneBatch) -> dict[str, Tensor]:
    """All attributes of each scene's background and camera [S]; defaults where a scene has none."""
    roots = [kind for kind, table in scenes.tables.items() if np.any(table.depth == 0)]
    kind, limits = renderer.background or (roots[0] if roots else ""), camera.ATTRIBUTES
    out = {name: torch.full((len(scenes),), float(renderer.camera.get(name, renderer.camera.get("shade", default)
                            if name in CHANNELS else default)), dtype=torch.float64, device=renderer.device)
           for name, (default, _, _) in limits.items()}
    if not len(scenes):
        return out
    if kind not in scenes.tables:
        raise unknown_kind("background names the kind", kind, scenes.kinds)
    scene = scenes.tables[kind].scene
    if len(np.unique(scene)) != len(scene):
        raise ValueError(f"background {kind!r}: a scene has one at most, but one of these has more")
    at = torch.as_tensor(scene, device=renderer.device)
    return {name: out[name].index_put((at,), column_of(scenes, kind, name, renderer.camera, limits, at.device))
            for name in limits}
