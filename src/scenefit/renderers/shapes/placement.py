"""Where shapes lie and what they are like: the attributes of a batch, checked, clipped and in painting order.

Legend: S scenes; n shapes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.renderers import GrammarMismatch, unknown_kind
from scenefit.renderers.column import check_column, check_extent, read_column, to_numpy
from scenefit.renderers.shadows import cast_shadows
from scenefit.renderers.shapes import focus, outline
from scenefit.renderers.shapes.outline import OPTIONAL, RECTANGLE, WOBBLES, Limits
from scenefit.scenes.scene import SceneBatch

Array = NDArray[Any]
Fixed = Mapping[str, Mapping[str, float]]  # kind -> attributes that all its shapes share
RUN_PIXELS, STACK_PIXELS = 1 << 22, 1 << 16  # of windows composited, and rasterised, at once; they bound the memory
MAX_WINDOW = 8  # side of the largest window, in units of the image's longer side
CHANNELS = ("red", "green", "blue")
UNLIMITED = ("layer", "power")  # attributes that may be as large as floats are: an order, and a square's infinite power
# Below these a value is an error; values of other attributes are clipped.
MIN_VALUES = {**dict.fromkeys(("radius", "length", "width"), (0, "a number >= 0")),
              "elongation": (1, "a number >= 1 (length over width)")}


@dataclass(frozen=True, eq=False)
class Placed:
    """The shapes of a batch, and the shadows that they cast, in painting order, all [n].

    kind: number of its kind, -1 of a shadow.  row: in the kind's table.  layer: by which it is painted.  side: of its
    window, a square.  left, top: the first pixel of the window.  order: its highest wave.  sides: of its polygon, or
    RECTANGLE.  used: which optional attributes it has, as bits.  taps: of `focus`.  values: of `outline.prepare`, one
    row a name.  series: of `outline.waves`.  through, own: of `layers.Stack`.
    """

    kind: Array
    row: Array
    scene: Array
    owner: Array
    layer: Array
    side: Array
    left: Array
    top: Array
    order: Array
    sides: Array
    used: Array
    taps: Array
    x: Tensor
    y: Tensor
    defocus: Tensor
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
        keys = np.stack([self.side, self.order, self.sides, self.used, self.taps])[:, rows]
        order = np.lexsort(keys)
        edges = np.flatnonzero((np.diff(keys[:, order]) != 0).any(axis=0)) + 1
        for group in np.split(rows[order], edges):
            count = max(1, STACK_PIXELS // int(self.side[group[0]]) ** 2) if len(group) else 1
            yield from (group[at:at + count] for at in range(0, len(group), count))


def place_shapes(shapes: Fixed, parts: Sequence[str], size: tuple[int, int], scenes: SceneBatch,
                 camera: Mapping[str, Tensor]) -> Placed:
    """The shapes of scenes. shapes, parts, size: of `Shapes`.  camera: blur and shadows of each scene [S], on the
    renderer's device."""
    (height, width), device = size, camera["blur"].device
    limits = {"x": (width / 2, -np.inf, np.inf), "y": (height / 2, -np.inf, np.inf), **outline.ATTRIBUTES}
    columns = [_columns(scenes, kind, shapes[kind], limits, device) for kind in shapes]
    values = {name: torch.cat([column[name] for column in columns]) for name in limits}
    tables = [scenes.tables[kind] for kind in shapes]
    scene, number, address = (np.concatenate([getattr(table, name) for table in tables])
                              for name in ("scene", "id", "address"))
    owner, layer = _owners(shapes, parts, scenes, to_numpy(values["layer"]))
    kind = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    row = np.concatenate([np.arange(len(table)) for table in tables])
    values, cast = _with_shadows(values, scene, camera)
    if len(cast):  # below the shape, and its parts
        scene, number, address, layer, row = (np.append(one, one[cast]) for one in (scene, number, address, layer, row))
        owner, kind = np.append(owner, -owner[cast]), np.append(kind, np.full(len(cast), -1))
    order = np.lexsort((number, owner > 0, abs(owner), layer, scene))
    at = torch.as_tensor(order, device=device)
    values = outline.with_rectangles({name: column[at] for name, column in values.items()})
    address = address[order]
    values["blur"] = camera["blur"][torch.as_tensor(scene[order], device=device)]
    series = outline.waves(values, address)
    taps = focus.taps(to_numpy(values["defocus"]))
    reach = outline.reach(values, series) + taps
    x, y = to_numpy(values["x"]), to_numpy(values["y"])
    side = _round_up(2 * reach + 1)
    names = np.array([*shapes, "shadow"])[kind[order]]
    _check_side(size, scenes, side, scene[order], number[order], names)
    bits = [_is_used(values[name], none) << bit for bit, (name, none) in enumerate(OPTIONAL.items())]
    lobes = np.where(_is_used(values["lobes"], 0.0), np.rint(to_numpy(values["lobes"])), 0)
    sides = np.where(to_numpy(values["length"]) > 0, RECTANGLE, np.rint(to_numpy(values["sides"])))
    prepared = outline.prepare(values, address)
    colour = torch.stack([values[channel] for channel in CHANNELS], 1)
    absorb = ((1 - values["emit"]) * values["absorb"])[:, None]  # what is added does not depend on the light below
    return Placed(
        kind=kind[order], row=row[order], scene=scene[order], owner=owner[order], layer=layer[order], side=side,
        left=np.ceil(x - reach - 0.5).astype(np.int64), top=np.ceil(y - reach - 0.5).astype(np.int64),
        order=np.maximum(lobes, np.where(_is_used(values["wobble"], 0.0), max(WOBBLES), 0)).astype(np.int64),
        sides=sides.astype(np.int64), used=np.bitwise_or.reduce(bits), taps=taps,
        x=values["x"], y=values["y"], defocus=values["defocus"], names=tuple(prepared),
        values=torch.stack(list(prepared.values())), series=series,
        through=absorb * colour, own=(1 - absorb) * colour)


def _with_shadows(values: dict[str, Tensor], scene: Array, camera: Mapping[str, Tensor]) -> tuple[dict[str, Tensor],
                                                                                               Array]:
    """values, followed by those of shadows, and the shapes that cast one: the same outline, shifted and black."""
    cast, right, down, share = cast_shadows(values["height"], scene, camera["shadow"], camera["shadow_angle"])
    if not len(cast):
        return values, cast
    mine = torch.as_tensor(cast, device=share.device)
    of = {name: column[mine] for name, column in values.items()}
    of |= {"x": of["x"] + right, "y": of["y"] + down, "opacity": of["opacity"] * share,
           **{name: torch.zeros_like(of[name]) for name in (*CHANNELS, "absorb", "emit", "rim", "bulge", "grain")}}
    return {name: torch.cat([column, of[name]]) for name, column in values.items()}, cast


def _owners(shapes: Fixed, parts: Sequence[str], scenes: SceneBatch, layer: Array) -> tuple[Array, Array]:
    """Id of the node that owns the pixels of each shape, and its layer [n]: its own or, of a part, its parent's."""
    starts = np.concatenate([[0], np.cumsum([len(scenes.tables[kind]) for kind in shapes])])
    start = dict(zip(shapes, starts.tolist(), strict=False))
    owner = np.concatenate([scenes.tables[kind].id for kind in shapes])
    layer = layer.copy()
    by_depth = [(int(depth), kind) for kind in parts for depth in np.unique(scenes.tables[kind].depth)]
    for depth, kind in sorted(by_depth):
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


def _columns(scenes: SceneBatch, kind: str, fixed: Mapping[str, float], limits: Mapping[str, Limits],
             device: torch.device) -> dict[str, Tensor]:
    """Every attribute of one kind, float64 [n], checked and clipped."""
    if kind not in scenes.tables:
        raise unknown_kind("Shapes draws", kind, scenes.kinds)
    table = scenes.tables[kind]
    if np.any(table.depth == 0):
        raise GrammarMismatch(f"the root {kind!r} cannot be a shape, as 0 means 'nothing here' in a mask; make it a "
                              "child")
    lone = next((name for name in ("width", "corner") if fixed.get(name)), None)
    if lone and "length" not in fixed and "length" not in table.columns:
        raise GrammarMismatch(f"shapes[{kind!r}] has {lone} {fixed[lone]:g}, which only rectangles have, but nothing "
                              "gives a length; add 'length', in pixels, to it or to the grammar")
    return {name: column_of(scenes, kind, name, fixed, limits, device) for name in limits}


def column_of(scenes: SceneBatch, kind: str, name: str, fixed: Mapping[str, float], limits: Mapping[str, Limits],
              device: torch.device) -> Tensor:
    """An attribute of the nodes of a kind, float64 [n], clipped to its limits: their own value, or that in fixed, or
    the default."""
    table = scenes.tables[kind]
    default, low, high = limits[name]
    if name in CHANNELS and name not in table.columns and name not in fixed:
        name = "shade"  # grey
    column = read_column(scenes, kind, name, device, "Shapes")
    if column is None:
        return torch.full((len(table),), float(fixed.get(name, default)), dtype=torch.float64,
                          device=device).clamp(low, high)
    if name not in UNLIMITED:
        check_extent(scenes, kind, name, column, "Shapes", low, high)
    if name in MIN_VALUES:
        check_column(scenes, kind, name, column, to_numpy(column) >= MIN_VALUES[name][0], MIN_VALUES[name][1], "Shapes")
    return column.clamp(low, high)


def _check_side(size: tuple[int, int], scenes: SceneBatch, side: Array, scene: Array, node: Array, kind: Array) -> None:
    largest = MAX_WINDOW * max(size)
    if side.max(initial=0) > largest:
        row = int(np.argmax(side))
        raise ValueError(f"a {kind[row]} of scene {int(scenes.index[scene[row]])} of seed {scenes.seed} (node "
                         f"{int(node[row])}) is {int(side[row])} pixels across, more than {MAX_WINDOW} times the image "
                         f"({largest}); bound its radius or length, elongation, edge and defocus, and the camera's "
                         "blur")


def _is_used(column: Tensor, default: float) -> Array:
    return np.full(len(column), True) if column.requires_grad else to_numpy(column) != default


def _round_up(side: Array) -> Array:
    """Up to a multiple of 4, then to one of four sizes an octave, so that shapes form few groups."""
    step = np.maximum(2.0 ** np.floor(np.log2(np.maximum(side, 4)) - 2), 4)
    return (np.ceil(side / step) * step).astype(np.int64)
