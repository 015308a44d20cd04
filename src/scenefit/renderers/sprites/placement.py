"""Textures of sprites, and where the sprites of a batch lie: their attributes, checked and sorted.

Legend: N textures of a kind, h, w texels, C channels; n sprites.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scenefit.renderers import GrammarMismatch, unknown_kind
from scenefit.renderers.column import check_column, check_extent, read_column, to_numpy
from scenefit.renderers.shadows import cast_shadows
from scenefit.scenes.scene import SceneBatch

Array = NDArray[Any]
MIN_SCALE = 1e-3  # pixels a texel
MAX_WINDOW = 8  # side of the largest sprite, in units of the image's longer side
DEFAULTS = {"angle": 0.0, "scale": 1.0, "opacity": 1.0, "ink": 1.0, "sprite": 0.0, "height": 0.0, "layer": 0.0}
TINT = "red", "green", "blue"


@dataclass(frozen=True, eq=False)
class Sheet:
    """ink: [N, C, h, w], premultiplied; the last channel is alpha (C = 1 for grey).  reach: distance of the farthest
    visible texel from the centre, in texels [N]."""

    ink: Tensor
    reach: Array


def make_sheet(kind: str, values: Any, device: str) -> Sheet:
    array = np.asarray(values)
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 4)) or array.size == 0:
        raise ValueError(f"textures[{kind!r}] need the shape [N, h, w] or [N, h, w, 4], got {list(array.shape)}")
    if array.dtype == np.uint8:
        array = array.astype(np.float32) / 255
    array = array.astype(np.float32)
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise ValueError(f"textures[{kind!r}] need uint8, or float in 0..1, got {array.min():.4g}..{array.max():.4g}")
    if array.ndim == 3:
        ink = array[:, None]
    else:
        ink = np.concatenate([array[..., :3] * array[..., 3:], array[..., 3:]], axis=3).transpose(0, 3, 1, 2)
    height, width = ink.shape[2:]
    # Bilinear sampling spreads a texel to one texel from its centre, on each axis.
    across = np.abs(np.arange(width) + 0.5 - width / 2) + 1
    down = np.abs(np.arange(height) + 0.5 - height / 2) + 1
    reach = np.where(ink[:, -1] > 0, np.hypot(across, down[:, None]), 0).max(axis=(1, 2))
    return Sheet(torch.as_tensor(np.ascontiguousarray(ink), device=device), reach)


@dataclass(frozen=True, eq=False)
class Placed:
    """The sprites of a batch, and below each the shadow that it casts, sorted by scene, layer and id, all [n].

    shadow: whether it is one.  kind: number of its sheet.  row: in the kind's table.  layer: by which it is painted.
    rank: number of sprites of its scene below it.  window: side of a square that holds it, in pixels.  fine: samples a
    pixel on each axis.  half: distance from its centre to its farthest pixel.  where: x, y, cos(angle) / scale,
    sin(angle) / scale, opacity, ink, red, green, blue; float64 tensor [9, n].
    """

    shadow: Array
    kind: Array
    row: Array
    scene: Array
    id: Array
    layer: Array
    rank: Array
    sprite: Array
    window: Array
    fine: Array
    half: Array
    where: Tensor

    def groups(self, step: int, rows: Array) -> Iterator[Array]:
        """Sprites of these rows that can be painted at once: of one run of `step` scenes, rank, kind and window; the
        lowest first."""
        keys = np.stack([self.fine, self.window, self.kind, self.rank, self.scene // step])[:, rows]
        order = np.lexsort(keys)
        edges = np.flatnonzero((np.diff(keys[:, order]) != 0).any(axis=0)) + 1
        return (rows[group] for group in np.split(order, edges) if len(group))


def place_sprites(sheets: Mapping[str, Sheet], size: tuple[int, int], scenes: SceneBatch, device: str,
                  shadow: Tensor, shadow_angle: Tensor) -> Placed:
    """The sprites of scenes. sheets: by kind.  size: (H, W) of the image.  shadow, shadow_angle: of each scene [S]."""
    if not sheets:
        raise ValueError("Sprites needs textures of at least one kind")
    parts = [_place_kind(sheet, size, scenes, code, kind, device) for code, (kind, sheet) in enumerate(sheets.items())]
    columns = {name: np.concatenate([part[name] for part, *_ in parts]) for name in parts[0][0]}
    where, far = torch.cat([part for _, part, _ in parts], 1), torch.cat([height for *_, height in parts])
    columns["shadow"] = np.zeros(len(columns["scene"]), bool)
    cast, right, down, share = cast_shadows(far, columns["scene"], shadow, shadow_angle)
    if len(cast):
        x, y, cos, sin, opacity, ink, *tint = where[:, torch.as_tensor(cast, device=device)]
        black = torch.stack([x + right, y + down, cos, sin, opacity * share, 0 * ink, *tint])
        where = torch.cat([where, black], 1)
        columns = {name: np.append(column, column[cast]) for name, column in columns.items()}
        columns["shadow"][-len(cast):] = True
    order = np.lexsort((~columns["shadow"], columns["id"], columns["layer"], columns["scene"]))
    columns = {name: column[order] for name, column in columns.items()}
    rank = np.arange(len(order)) - np.searchsorted(columns["scene"], columns["scene"])
    return Placed(rank=rank, where=where[:, torch.as_tensor(order, device=device)], **columns)


def _place_kind(sheet: Sheet, image: tuple[int, int], scenes: SceneBatch, code: int, kind: str,
                device: str) -> tuple[dict[str, Array], Tensor, Tensor]:
    """The columns of Placed for the sprites of one kind, in the order of its table, `where`, and their heights."""
    if kind not in scenes.tables:
        raise unknown_kind("Sprites has textures of", kind, scenes.kinds)
    table, (height, width) = scenes.tables[kind], image
    if np.any(table.depth == 0):
        raise GrammarMismatch(f"the root {kind!r} cannot be a sprite, as 0 means 'nothing here' in a mask; make it a "
                              "child")
    x, y, angle, scale, opacity, ink, sprite, high, layer, *tint = (
        column_of(scenes, kind, name, default, device)
        for name, default in {"x": width / 2, "y": height / 2, **DEFAULTS, **dict.fromkeys(TINT, 1.0)}.items())
    for name, column in (("x", x), ("y", y), ("angle", angle), ("scale", scale),
                         ("height", high)):
        check_extent(scenes, kind, name, column, "Sprites")
    check_column(scenes, kind, "scale", scale, to_numpy(scale) >= 0, "a number >= 0", "Sprites")
    number, last = to_numpy(sprite), len(sheet.ink) - 1
    check_column(scenes, kind, "sprite", sprite, (number == np.floor(number)) & (number >= 0) & (number <= last),
                 f"a whole number in 0..{last}, as there are {last + 1} textures", "Sprites")
    number, scale = number.astype(np.int64), scale.clamp(min=MIN_SCALE)
    size = to_numpy(scale)
    reach, largest = float(sheet.reach.max()), MAX_WINDOW * max(image)
    wide = np.floor(2 * size * reach) + 2
    check_column(scenes, kind, "scale", scale, (wide <= largest) | (size <= 1),
                 f"a scale below {largest / max(2 * reach, 1):.4g}, at which a texture is {MAX_WINDOW} times as large "
                 "as the image; bound its prior", "Sprites")
    columns = {"kind": np.full(len(table), code), "row": np.arange(len(table)), "scene": table.scene, "id": table.id,
               "sprite": number, "layer": to_numpy(layer), "half": sheet.reach[number] * size,
               "window": _round_up(wide),
               "fine": 2 ** np.clip(np.ceil(np.log2(0.7 / size)), 0, 4).astype(np.int64)}
    turn = torch.deg2rad(angle)
    return columns, torch.stack([x, y, turn.cos() / scale, turn.sin() / scale,
                                 *(share.clamp(0, 1) for share in (opacity, ink, *tint))]), high.clamp(min=0)


def _round_up(side: Array) -> Array:
    """Up to the next of four sizes an octave, so that sprites form few groups."""
    step = 2.0 ** np.maximum(np.floor(np.log2(side)) - 2, 0)
    return (np.ceil(side / step) * step).astype(np.int64)


def column_of(scenes: SceneBatch, kind: str, name: str, default: float, device: str) -> Tensor:
    """An attribute of the nodes of a kind, float64 [n], with its gradient; default where the kind has none."""
    column = read_column(scenes, kind, name, device, "Sprites")
    return torch.full((len(scenes.tables[kind]),), default, dtype=torch.float64, device=device) if column is None \
        else column
