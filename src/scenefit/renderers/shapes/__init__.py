"""Layered soft shapes on a background, seen by a camera: a batched, differentiable 2D renderer in torch.

Only the window around each shape is computed. Shapes with windows of one size are rasterised together, also those of
different scenes; then the layers of each scene are composited, bottom to top.
Legend: S scenes; H, W pixels; n shapes; g shapes rasterised together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.data.frames import Frames, make_frames
from scenefit.renderers import GrammarMismatch, RendererInfo, check_size, unknown_kind
from scenefit.renderers.column import check_column, read_column, to_numpy
from scenefit.renderers.masks import measure
from scenefit.renderers.shapes import camera, outline
from scenefit.renderers.shapes.layers import Layer, Stack, composite, subtract, union, write_ids
from scenefit.renderers.shapes.outline import OPTIONAL, WOBBLES, Limits
from scenefit.scenes.scene import SceneBatch
from scenefit.scenes.suggestions import did_you_mean

Array = NDArray[Any]
TIE = 0.001  # margin above `solid` that keeps ties out of reach of rounding
RUN_PIXELS, STACK_PIXELS = 1 << 22, 1 << 16  # of windows composited, and rasterised, at once; they bound the memory
MAX_WINDOW = 8  # side of the largest window, in units of the image's longer side
CHANNELS = ("red", "green", "blue")
UNBOUNDED: Limits = (0.0, -np.inf, np.inf)

# Below these a value is an error; values of other attributes are clipped.
MIN_VALUES = {"radius": (0, "a number >= 0"), "elongation": (1, "a number >= 1 (length over width)")}


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
    their range that are given here, for a negative radius, an elongation below 1 and numbers that are not finite;
    GrammarMismatch for kinds that the grammar lacks.

    Shapes are painted by layer, then by id, each followed by its parts. In masks, boxes and areas a shape covers the
    pixels where the cover of its outline without its hole, blurred like the image, is above `solid`, whatever its
    opacity and colour (none at opacity 0); its amodal box and area include hidden parts and those outside the image.
    People who draw boxes include a soft shape's halo: for labels like theirs set solid to about 0.1.
    """

    size: tuple[int, int]
    shapes: Mapping[str, Mapping[str, float]]
    camera: Mapping[str, float] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[str] = ()
    background: str | None = None
    device: str = "cpu"
    solid: float = 0.5

    def __post_init__(self) -> None:
        check_size("Shapes", self.size)
        if not isinstance(self.shapes, Mapping) or not self.shapes:
            raise ValueError("Shapes needs shapes of at least one kind, each with the attributes that all its nodes "
                             f"share: shapes={{'coin': {{}}}}, got {self.shapes!r}")
        if not 0 < self.solid < 1:
            raise ValueError(f"Shapes needs solid above 0 and below 1, the cover at which a pixel is a shape's, got "
                             f"{self.solid}")
        for kind, fixed in self.shapes.items():
            _check_fixed(f"shapes[{kind!r}]", fixed, {"x": UNBOUNDED, "y": UNBOUNDED, **outline.ATTRIBUTES})
        _check_fixed("camera", self.camera, camera.ATTRIBUTES)
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
        images = list(_Painting(self, scenes, dtype).paint())
        return torch.stack(images) if images else torch.zeros((0, 3, *self.size), dtype=dtype, device=self.device)

    @torch.no_grad()
    def __call__(self, scenes: SceneBatch) -> Frames:
        painting = _Painting(self, scenes, torch.float32, masks=True)
        images = np.empty((len(scenes), *self.size, 3), np.uint8)
        for number, image in enumerate(painting.paint()):
            levels = np.rint(image.cpu().numpy() * np.float32(255)).astype(np.uint8)
            for channel in range(3):
                images[number, ..., channel] = levels[channel]
        placed, extents = painting.placed, {}
        for code, kind in enumerate(self.shapes):
            mine = np.flatnonzero(placed.kind == code)
            extents[kind] = np.zeros((len(mine), 6))
            if kind not in self.parts:
                extents[kind][placed.row[mine]] = painting.extent[mine]
        names = {kind: np.full(len(scenes.tables[kind]), self.classes.get(kind, kind)) for kind in self.shapes}
        return make_frames(scenes, images, painting.ids.cpu().numpy(), classes=names,
                           amodal={kind: part[:, :4] for kind, part in extents.items()},
                           area={kind: part[:, 4] for kind, part in extents.items()},
                           inside={kind: part[:, 5] for kind, part in extents.items()})


def _check_fixed(what: str, fixed: Any, known: Mapping[str, Limits]) -> None:
    """ValueError for a value outside its range: one that is given for all nodes is a mistake, while sampled ones are
    clipped."""
    if not isinstance(fixed, Mapping):
        raise ValueError(f"{what} needs attributes with their numbers, as {{'grain': 0.1}}, or {{}}, got {fixed!r}")
    for name, value in fixed.items():
        if name not in known:
            raise ValueError(f"{what} has no attribute {name!r}{did_you_mean(name, known)}; there are {sorted(known)}")
        if not isinstance(value, int | float) or not np.isfinite(value):
            raise ValueError(f"{what} needs a finite number for {name}, got {value!r}")
        if name in MIN_VALUES and value < MIN_VALUES[name][0]:
            raise ValueError(f"{what} needs {MIN_VALUES[name][1]} for {name}, got {value!r}")
        _, low, high = known[name]
        if not low <= value <= high:
            fit = f"a number >= {low:g}" if high == np.inf else f"a number from {low:g} to {high:g}"
            levels = " (0 is dark, 1 is light)" if name in ("shade", *CHANNELS) else ""
            raise ValueError(f"{what} needs {fit} for {name}{levels}, got {value!r}")


@dataclass(frozen=True, eq=False)
class _Placed:
    """The shapes of a batch in painting order, all [n].

    kind: number of its kind.  row: in the kind's table.  side: of its window, a square.  left, top: the first pixel of
    the window.  order: its highest wave.  used: which optional attributes it has, as bits.  values: of
    `outline.prepare`, one row a name.  series: of `outline.waves`.  through, own: of `layers.Stack`.
    """

    kind: Array
    row: Array
    scene: Array
    owner: Array
    side: Array
    left: Array
    top: Array
    order: Array
    sides: Array
    used: Array
    x: Tensor
    y: Tensor
    names: Sequence[str]
    values: Tensor
    series: Tensor
    through: Tensor
    own: Tensor

    def runs(self, count: int) -> Iterator[tuple[int, int]]:
        """First scene and one past the last of those painted at once."""
        pixels = np.bincount(self.scene, self.side.astype(float) ** 2, count)
        first, total = 0, 0.0
        for scene in range(count):
            if scene > first and total + pixels[scene] > RUN_PIXELS:
                yield first, scene
                first, total = scene, 0.0
            total += pixels[scene]
        if count:
            yield first, count

    def groups(self, rows: Array) -> Iterator[Array]:
        """The given rows in groups that can be rasterised together."""
        keys = np.stack([self.side, self.order, self.sides, self.used])[:, rows]
        order = np.lexsort(keys)
        edges = np.flatnonzero((np.diff(keys[:, order]) != 0).any(axis=0)) + 1
        for group in np.split(rows[order], edges):
            count = max(1, STACK_PIXELS // int(self.side[group[0]]) ** 2) if len(group) else 1
            yield from (group[at:at + count] for at in range(0, len(group), count))


def _place(renderer: Shapes, scenes: SceneBatch, blur: Tensor) -> _Placed:
    """blur: of each scene [S]."""
    height, width = renderer.size
    limits = {"x": (width / 2, -np.inf, np.inf), "y": (height / 2, -np.inf, np.inf), **outline.ATTRIBUTES}
    parts = [_columns(renderer, scenes, kind, renderer.shapes[kind], limits) for kind in renderer.shapes]
    values = {name: torch.cat([part[name] for part in parts]) for name in limits}
    tables = [scenes.tables[kind] for kind in renderer.shapes]
    scene, number, address = (np.concatenate([getattr(table, name) for table in tables])
                              for name in ("scene", "id", "address"))
    owner, layer = _owners(renderer, scenes, to_numpy(values["layer"]))
    order = np.lexsort((number, owner, layer, scene))
    at = torch.as_tensor(order, device=renderer.device)
    values = {name: column[at] for name, column in values.items()}
    address = address[order]
    values["blur"] = blur[torch.as_tensor(scene[order], device=renderer.device)]
    series = outline.waves(values, address)
    reach = outline.reach(values, series)
    x, y = to_numpy(values["x"]), to_numpy(values["y"])
    side = _round_up(2 * reach + 1)
    _check_reach(renderer, scenes, side, scene[order])
    bits = [_is_used(values[name], none) << bit for bit, (name, none) in enumerate(OPTIONAL.items())]
    lobes = np.where(_is_used(values["lobes"], 0.0), np.rint(to_numpy(values["lobes"])), 0)
    prepared = outline.prepare(values, address)
    colour, absorb = torch.stack([values[channel] for channel in CHANNELS], 1), values["absorb"][:, None]
    return _Placed(
        kind=np.repeat(np.arange(len(tables)), [len(table) for table in tables])[order],
        row=np.concatenate([np.arange(len(table)) for table in tables])[order], scene=scene[order], owner=owner[order],
        side=side, left=np.ceil(x - reach - 0.5).astype(np.int64), top=np.ceil(y - reach - 0.5).astype(np.int64),
        order=np.maximum(lobes, np.where(_is_used(values["wobble"], 0.0), max(WOBBLES), 0)).astype(np.int64),
        sides=np.rint(to_numpy(values["sides"])).astype(np.int64), used=np.bitwise_or.reduce(bits),
        x=values["x"], y=values["y"], names=tuple(prepared), values=torch.stack(list(prepared.values())), series=series,
        through=absorb * colour, own=(1 - absorb) * colour)


def _owners(renderer: Shapes, scenes: SceneBatch, layer: Array) -> tuple[Array, Array]:
    """Id of the node that owns the pixels of each shape, and its layer [n]: its own or, of a part, its parent's."""
    starts = np.concatenate([[0], np.cumsum([len(scenes.tables[kind]) for kind in renderer.shapes])])
    start = dict(zip(renderer.shapes, starts.tolist(), strict=False))
    owner = np.concatenate([scenes.tables[kind].id for kind in renderer.shapes])
    layer = layer.copy()
    parts = [(int(depth), kind) for kind in renderer.parts for depth in np.unique(scenes.tables[kind].depth)]
    for depth, kind in sorted(parts):
        table = scenes.tables[kind]
        for code in np.unique(table.parent_kind[table.depth == depth]):
            above = scenes.kinds[code]
            if above not in start:
                raise GrammarMismatch(f"{kind!r} is a part of its parent, but its parent {above!r} is not drawn; name "
                                      "it in shapes, or take the kind out of parts")
            mine = np.flatnonzero((table.depth == depth) & (table.parent_kind == code))
            to, of = start[kind] + mine, start[above] + table.parent_row[mine]
            owner[to], layer[to] = owner[of], layer[of]
    return owner, layer


def _columns(renderer: Shapes, scenes: SceneBatch, kind: str, fixed: Mapping[str, float],
             limits: Mapping[str, Limits]) -> dict[str, Tensor]:
    """Every attribute of one kind, float64 [n], checked and clipped."""
    if kind not in scenes.tables:
        raise unknown_kind("Shapes draws", kind, scenes.kinds)
    table = scenes.tables[kind]
    if np.any(table.depth == 0):
        raise GrammarMismatch(f"the root {kind!r} cannot be a shape, as 0 means 'nothing here' in a mask; make it a "
                              "child")
    return {name: _column(scenes, kind, name, fixed, limits, renderer.device) for name in limits}


def _column(scenes: SceneBatch, kind: str, name: str, fixed: Mapping[str, float], limits: Mapping[str, Limits],
            device: str) -> Tensor:
    table = scenes.tables[kind]
    default, low, high = limits[name]
    if name in CHANNELS and name not in table.columns and name not in fixed:
        name = "shade"  # grey
    column = read_column(scenes, kind, name, device, "Shapes")
    if column is None:
        return torch.full((len(table),), float(fixed.get(name, default)), dtype=torch.float64,
                          device=device).clamp(low, high)
    if name in MIN_VALUES:
        check_column(scenes, kind, name, column, to_numpy(column) >= MIN_VALUES[name][0], MIN_VALUES[name][1], "Shapes")
    return column.clamp(low, high)


def _check_reach(renderer: Shapes, scenes: SceneBatch, side: Array, scene: Array) -> None:
    largest = MAX_WINDOW * max(renderer.size)
    if side.max(initial=0) > largest:
        row = int(np.argmax(side))
        raise ValueError(f"a shape of scene {int(scenes.index[scene[row]])} of seed {scenes.seed} is {int(side[row])} "
                         f"pixels across, more than {MAX_WINDOW} times the image ({largest}); bound its radius, "
                         "elongation and edge")


def _is_used(column: Tensor, default: float) -> Array:
    return np.full(len(column), True) if column.requires_grad else to_numpy(column) != default


def _round_up(side: Array) -> Array:
    """Up to a multiple of 4, then to one of four sizes an octave, so that shapes form few groups."""
    step = np.maximum(2.0 ** np.floor(np.log2(np.maximum(side, 4)) - 2), 4)
    return (np.ceil(side / step) * step).astype(np.int64)


class _Painting:
    """Paints one batch. With masks: ids, the owner of each pixel [S, H, W], and extent, amodal box, area and area
    inside the image of each shape [n, 6]."""

    def __init__(self, renderer: Shapes, scenes: SceneBatch, dtype: torch.dtype, masks: bool = False):
        self.renderer, self.scenes, self.dtype, self.masks = renderer, scenes, dtype, masks
        self.camera = _camera(renderer, scenes)
        self.placed = _place(renderer, scenes, self.camera["blur"])
        self.plain, self.series = self.placed.values.to(dtype), self.placed.series.to(dtype)
        self.through, self.own = self.placed.through.to(dtype), self.placed.own.to(dtype)
        self.ids = torch.zeros((len(scenes) if masks else 0, *renderer.size), dtype=torch.int32, device=renderer.device)
        self.extent = np.zeros((len(self.placed.scene), 6))

    def paint(self) -> Iterator[Tensor]:
        """One image after the other, [3, H, W] in 0..1."""
        for first, last in self.placed.runs(len(self.scenes)):
            yield from self._run(first, last)

    def _run(self, first: int, last: int) -> Iterator[Tensor]:
        rows = np.arange(*np.searchsorted(self.placed.scene, [first, last]))
        stacks: list[Stack] = []
        place = np.zeros((2, len(rows)), np.int64)
        for group in self.placed.groups(rows):
            place[0, group - rows[0]], place[1, group - rows[0]] = len(stacks), np.arange(len(group))
            stacks.append(self._rasterise(group))
        p = self.placed
        layers = [Layer(*one) for one in zip((p.scene[rows] - first).tolist(), *place.tolist(), p.top[rows].tolist(),
                                             p.left[rows].tolist(), p.owner[rows].tolist(), strict=True)]
        values = {name: column[first:last] for name, column in self.camera.items()}
        address = self.scenes.address[first:last]
        canvas = composite(camera.background(values, address, self.renderer.size, self.dtype), layers, stacks)
        if self.masks:
            write_ids(self.ids[first:last], layers, [stack.solid for stack in stacks])
            if len(rows):
                self._add_parts(rows, layers, stacks)
        return camera.apply_camera(canvas, values, address)

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
                    subtract(more, one, stacks[other.stack].solid[other.row], other)
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
        seen, keep, ink = outline.rasterise(one, self.series[at] if order else None, order, int(p.sides[group[0]]),
                                            used, dx[:, None, :], dy[:, :, None])
        solid = (seen > self.renderer.solid + TIE) & (one["opacity"] > 0)
        if self.masks:
            self.extent[group] = measure(solid, p.left[group], p.top[group], self.renderer.size)
        return Stack(solid, keep, ink, self.through[at], self.own[at])


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
    return {name: out[name].index_put((at,), _column(scenes, kind, name, renderer.camera, limits, renderer.device))
            for name in limits}
