"""Sprites: textures with position, rotation, scale and opacity on a plain background, rendered in batches by torch.

Every sprite is sampled on a window just large enough to hold it, so the cost depends on the sprites, not on the image.
The arithmetic of a pixel does not depend on the window or the batch: a scene has the same bytes in any batch.
Legend: S scenes; H, W pixels; N textures of a kind, h, w texels, C channels; n sprites; g sprites painted at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from scenefit.data.frame_checks import class_array
from scenefit.data.frames import Frames
from scenefit.renderers import RendererInfo, check_size, unknown_kind
from scenefit.renderers.column import check_extent, to_numpy
from scenefit.renderers.masks import measure
from scenefit.renderers.painting import NodeLabels, labelled_frames
from scenefit.renderers.sprites.placement import DEFAULTS, TINT, Sheet, column_of, make_sheet, place_sprites
from scenefit.scenes.arguments import check_argument
from scenefit.scenes.rng import generator
from scenefit.scenes.scene import SceneBatch

Array = NDArray[Any]
SOLID = 0.501  # an object covers pixels of alpha above one half; the margin keeps ties out of reach of rounding
BACKGROUND = ("shade", "noise", "shadow", "shadow_angle")
RUN_SCENES, RUN_PIXELS = 128, 1 << 21  # painted at once, at most: small images fit into the cache, large into memory


@dataclass(frozen=True, eq=False)
class Sprites:
    """Renderer of textured sprites; differentiable in x, y, angle, scale, opacity, ink, red, green, blue,
    height, shade, shadow and shadow_angle.

    size: (H, W).  textures: kind -> [N, h, w] (grey: white ink whose alpha is the value) or [N, h, w, 4] (RGBA,
    straight alpha), uint8 or float in 0..1.  labels: kind -> N class names; otherwise the kind is the class.
    label: the kind whose class is the label of the whole image, where a scene has exactly one of it.
    background: the kind that holds the background's attributes, the root's kind if None.

    Attributes of a sprite, all optional: x, y (its centre in pixels from the top left corner, right and down; the
    centre of pixel (i, j) is x = j + 0.5, y = i + 0.5; default the middle of the image), angle (degrees,
    counter-clockwise as seen), scale (pixels a texel; below 0.7 it is supersampled), opacity (0..1), ink (0..1,
    multiplies the colour), red, green, blue (0..1, multiply the channels, default 1: a white texture becomes one of
    this colour), sprite (which texture), height (length of its shadow in pixels, default 0), layer (any number, default
    0).  Of the background: shade (grey level 0..255, default 0), shadow (share of the light that shadows take, 0..1,
    default 0), shadow_angle (direction in which they fall, degrees counter-clockwise from right, default 0), noise
    (standard deviation in grey levels, the same in all channels, default 0).  opacity, ink, colours, shade and shadow
    are clipped; other numbers beyond 1e9, and a scale at which a texture is over 8 times the image, raise an error.

    Sprites are painted by layer, then by id, each above its shadow, which has no pixels. In masks, boxes and areas a
    sprite covers the pixels where its texture's alpha is above one half, whatever its opacity and colour (none at
    opacity 0); its amodal box and area include hidden parts and those outside the image.
    """

    size: tuple[int, int]
    textures: Mapping[str, Any]
    labels: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    label: str | None = None
    background: str | None = None
    device: str = "cpu"
    sheets: Mapping[str, "Sheet"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_size("Sprites", self.size)
        for name, given in (("textures", self.textures), ("labels", self.labels)):
            check_argument("Sprites(size, textures, labels)", name, given, isinstance(given, Mapping),
                           "a dictionary from kinds, such as {'digit': ...}")
        sheets = {kind: make_sheet(kind, values, self.device) for kind, values in self.textures.items()}
        object.__setattr__(self, "sheets", sheets)
        for kind, names in self.labels.items():
            class_array(f"a class in labels[{kind!r}]", names)
            if kind not in sheets or len(names) != len(sheets[kind].ink):
                have = len(sheets[kind].ink) if kind in sheets else 0
                raise ValueError(f"labels[{kind!r}] needs one class a texture, got {len(names)} for {have} textures")
        if self.label is not None and self.label not in sheets:
            raise ValueError(f"label names the kind {self.label!r}, but there are textures of {sorted(sheets)} only")

    def __repr__(self) -> str:
        kinds = [f"{len(sheet.ink)} of {kind}" for kind, sheet in self.sheets.items()]
        return f"Sprites({tuple(self.size)}, textures: {', '.join(kinds)})"

    @property
    def info(self) -> RendererInfo:
        return RendererInfo(self.size, self.draw, self.attributes, device=self.device,
                            to=lambda device: replace(self, device=device))

    def attributes(self, root: str) -> dict[str, frozenset[str]]:
        """Kind -> names of the attributes of its nodes that are used. root: the kind of the root."""
        return {self.background or root: frozenset(BACKGROUND),
                **dict.fromkeys(self.sheets, frozenset({"x", "y", *DEFAULTS, *TINT}))}

    def draw(self, scenes: SceneBatch) -> Tensor:
        """[S, 3, H, W] float32 in 0..1, with gradients."""
        return self._draw(scenes, torch.float32)

    def _draw(self, scenes: SceneBatch, dtype: torch.dtype) -> Tensor:
        return _to_channels(Painting(self, scenes, dtype).paint()[0])

    @property
    def effects(self) -> frozenset[str]:
        """Of its camera, for `Layers`."""
        return frozenset({"noise"})

    def painting(self, scenes: SceneBatch, dtype: torch.dtype, masks: bool,
                 camera: Mapping[str, Tensor] | None = None) -> "Painting":
        """For `Layers`."""
        return Painting(self, scenes, dtype, masks, camera)

    @torch.no_grad()
    def __call__(self, scenes: SceneBatch) -> Frames:
        painting = Painting(self, scenes, torch.float32, masks=True)
        canvas, ids = painting.paint()
        images = (canvas * 255).round_().to(torch.uint8).cpu().numpy()
        return labelled_frames(scenes, images, ids.cpu().numpy(), painting.labels(), painting.image_labels())


class Painting:
    """Paints one batch, bottom to top. With masks: extent, amodal box, area and area inside the image of each sprite
    [n, 6]. For `Layers`, see `scenefit.renderers.painting.Painting`.

    canvases: images [S, H, W, C], and ids: instance masks [S, H, W], both in runs of `step` scenes.
    """

    def __init__(self, renderer: Sprites, scenes: SceneBatch, dtype: torch.dtype, masks: bool = False,
                 camera: Mapping[str, Tensor] | None = None):
        self.renderer, self.scenes, self.dtype, self.masks = renderer, scenes, dtype, masks
        own = {name: _background(renderer, scenes, name) for name in ("noise", "shadow", "shadow_angle")}
        self.camera = own if camera is None else {name: camera[name] for name in own}
        self.placed = place_sprites(renderer.sheets, renderer.size, scenes, renderer.device,
                                    self.camera["shadow"].clamp(0, 1), self.camera["shadow_angle"])
        self.centre = to_numpy(self.placed.where[:2])
        self.step = max(1, min(RUN_SCENES, RUN_PIXELS // (renderer.size[0] * renderer.size[1])))
        self.tinted = {kind for kind in renderer.sheets if not scenes.tables[kind].columns.keys().isdisjoint(TINT)}
        self.canvases: list[Tensor] = []
        self.ids: list[Tensor] = []
        self.extent = np.zeros((len(self.placed.scene), 6))

    def paint(self) -> tuple[Tensor, Tensor]:
        """The image [S, H, W, C] in 0..1, and ids [S, H, W]."""
        colour = self.tinted or any(sheet.ink.shape[1] == 4 for sheet in self.renderer.sheets.values())
        none = torch.zeros((len(self.scenes), *self.renderer.size), dtype=torch.int32, device=self.renderer.device)
        canvas, ids = self._over(self._shade(3 if colour else 1), none, np.arange(len(self.placed.scene)))
        return _noisy(canvas, self.camera["noise"], self.scenes), ids

    @property
    def scene(self) -> Array:
        return self.placed.scene

    @property
    def owner(self) -> Array:
        return self.placed.id

    @property
    def layer(self) -> Array:
        return self.placed.layer

    def background(self) -> Tensor:
        return self._shade(3).permute(0, 3, 1, 2)

    def over(self, canvas: Tensor, ids: Tensor, rows: Array) -> tuple[Tensor, Tensor]:
        canvas, ids = self._over(canvas.permute(0, 2, 3, 1), ids, rows)
        return canvas.permute(0, 3, 1, 2).contiguous(), ids

    def record(self, canvas: Tensor) -> Tensor:
        return _noisy(canvas.permute(0, 2, 3, 1), self.camera["noise"], self.scenes).permute(0, 3, 1, 2)

    def labels(self) -> dict[str, NodeLabels]:
        out = {}
        for code, kind in enumerate(self.renderer.sheets):
            mine = np.flatnonzero((self.placed.kind == code) & ~self.placed.shadow)
            extent = np.empty((len(mine), 6))
            extent[self.placed.row[mine]] = self.extent[mine]
            out[kind] = NodeLabels(np.ones(len(mine), bool), self._names(kind), extent)
        return out

    def image_labels(self) -> Array:
        if self.renderer.label is None:
            return np.full(len(self.scenes), "")
        scene, names = self.scenes.tables[self.renderer.label].scene, self._names(self.renderer.label)
        out = np.full(len(self.scenes), "", dtype=names.dtype)
        out[scene] = names
        return np.where(np.bincount(scene, minlength=len(self.scenes)) == 1, out, "")

    def _names(self, kind: str) -> Array:
        """Class of each node of a kind [n]."""
        mine = np.flatnonzero((self.placed.kind == list(self.renderer.sheets).index(kind)) & ~self.placed.shadow)
        if kind not in self.renderer.labels:
            return np.full(len(mine), kind)
        sprite = np.empty(len(mine), np.int64)
        sprite[self.placed.row[mine]] = self.placed.sprite[mine]
        return np.asarray([str(name) for name in self.renderer.labels[kind]], np.str_)[sprite]

    def _shade(self, channels: int) -> Tensor:
        """The background [S, H, W, C]."""
        shade = (_background(self.renderer, self.scenes, "shade").clamp(0, 255) / 255).to(self.dtype)
        return shade[:, None, None, None].expand(-1, *self.renderer.size, channels)

    def _over(self, canvas: Tensor, ids: Tensor, rows: Array) -> tuple[Tensor, Tensor]:
        """Canvas [S, H, W, C] and ids with the sprites of these rows."""
        if not len(canvas):
            return canvas, ids
        self.canvases = [part.clone() for part in canvas.split(self.step)]
        self.ids = list(ids.split(self.step))
        for group in self.placed.groups(self.step, rows):
            self._stamp(group)
        return torch.cat(self.canvases), torch.cat(self.ids)

    def _stamp(self, group: Array) -> None:
        height, width = self.renderer.size
        side = int(self.placed.window[group[0]])
        across, down = min(side, width), min(side, height)
        left, top = self._corner(group)
        left, top = np.clip(left, 0, width - across), np.clip(top, 0, height - down)
        cover = self._sample(group, left, top, across, down)
        opacity, ink, *tint = self.placed.where[4:, self._tensor(group)].to(self.dtype)[..., None, None, None]
        alpha = cover[..., -1:] * opacity
        over = (cover[..., :-1] if cover.shape[-1] > 1 else cover) * (opacity * ink)
        if list(self.renderer.sheets)[self.placed.kind[group[0]]] in self.tinted:
            over = over * torch.cat(tint, -1)
        run = int(self.placed.scene[group[0]]) // self.step
        canvas = self.canvases[run]
        place = self._pixels(self.placed.scene[group] - run * self.step, left, top, across, down, len(canvas))
        under = canvas if place is None else canvas[place]
        self.canvases[run] = _put(canvas, place, under * (1 - alpha) + over)
        if self.masks:
            mask = (cover[..., -1] > SOLID) & self._own(group)
            node, ids = self._tensor(self.placed.id[group]).int()[:, None, None], self.ids[run]
            self.ids[run] = _put(ids, place, torch.where(mask, node, ids if place is None else ids[place]))
            self.extent[group] = self._extent(group, mask, left, top)

    def _own(self, group: Array) -> Tensor:
        """Whether each has pixels of its own [g, 1, 1]: what is transparent has none, and no shadow."""
        own = (self.placed.where[4, self._tensor(group)] > 0) & ~self._tensor(self.placed.shadow[group])
        return own[:, None, None]

    def _corner(self, group: Array) -> tuple[Array, Array]:
        """Column and row of the first pixel that each sprite may cover [g], inside the image or not."""
        left, top = np.ceil(self.centre[:, group] - self.placed.half[group] - 0.5)
        return left, top

    def _sample(self, group: Array, left: Array, top: Array, across: int, down: int) -> Tensor:
        """Premultiplied texture, alpha last, on windows [g, down, across, C] whose first pixels are (left, top)."""
        sheet = list(self.renderer.sheets.values())[self.placed.kind[group[0]]]
        texture = sheet.ink.index_select(0, self._tensor(self.placed.sprite[group])).to(self.dtype)
        x, y, cos, sin = self.placed.where[:4, self._tensor(group)][..., None]
        column = self._tensor(left)[:, None] + torch.arange(across, device=x.device) - x
        row = self._tensor(top)[:, None] + torch.arange(down, device=x.device) - y
        wide, high = 2 / texture.shape[3], 2 / texture.shape[2]  # grid_sample counts from -1 to 1
        fine, total = int(self.placed.fine[group[0]]), None
        for i, j in np.ndindex(fine, fine):
            a, b = column + (j + 0.5) / fine, row + (i + 0.5) / fine
            u = (a * cos * wide).to(self.dtype)[:, None, :] - (b * sin * wide).to(self.dtype)[:, :, None]
            v = (a * sin * high).to(self.dtype)[:, None, :] + (b * cos * high).to(self.dtype)[:, :, None]
            part = grid_sample(texture, torch.stack([u, v], -1), "bilinear", "zeros", align_corners=False)
            total = part if total is None else total + part  # in a fixed order: a mean over axes has none
        assert total is not None
        return (total if fine == 1 else total / fine**2).permute(0, 2, 3, 1)

    def _pixels(self, rows: Array, left: Array, top: Array, across: int, down: int,
                count: int) -> tuple[Tensor, ...] | None:
        """Index of the windows in a canvas of count scenes; None if they cover all of it."""
        if (down, across) == self.renderer.size and len(rows) == count:
            return None
        y = self._tensor(top)[:, None].long() + torch.arange(down, device=self.renderer.device)
        x = self._tensor(left)[:, None].long() + torch.arange(across, device=self.renderer.device)
        return self._tensor(rows)[:, None, None], y[:, :, None], x[:, None, :]

    def _extent(self, group: Array, mask: Tensor, left: Array, top: Array) -> Array:
        """Box, area and area inside the image of whole sprites [g, 6]: of their mask [g, down, across] at (left, top),
        or of a second one on a larger window if the image cuts them."""
        (x, y), half, size = self.centre[:, group], self.placed.half[group], self.renderer.size
        extent = measure(mask, left, top, size)
        cut = (x - half < 0) | (y - half < 0) | (x + half > size[1]) | (y + half > size[0])
        if cut.any():
            side, group = int(self.placed.window[group[0]]), group[cut]
            left, top = self._corner(group)
            cover = self._sample(group, left, top, side, side)[..., -1]
            extent[cut] = measure((cover > SOLID) & self._own(group), left, top, size)
        return extent

    def _tensor(self, values: Array) -> Tensor:
        return torch.as_tensor(values, device=self.renderer.device)


def _to_channels(canvas: Tensor) -> Tensor:
    """[S, 3, H, W] of [S, H, W, C]."""
    return canvas.permute(0, 3, 1, 2).expand(-1, 3, -1, -1)


def _put(canvas: Tensor, place: tuple[Tensor, ...] | None, values: Tensor) -> Tensor:
    return values if place is None else canvas.index_put_(place, values)


def _background(renderer: Sprites, scenes: SceneBatch, name: str) -> Tensor:
    """An attribute of each scene's background [S]; 0 where it has none."""
    roots = [kind for kind, table in scenes.tables.items() if np.any(table.depth == 0)]
    kind = renderer.background or (roots[0] if roots else "")
    out = torch.zeros(len(scenes), dtype=torch.float64, device=renderer.device)
    if kind not in scenes.tables and len(scenes):
        raise unknown_kind("background names the kind", kind, scenes.kinds)
    if not len(scenes) or name not in scenes.tables[kind].columns:
        return out
    scene = scenes.tables[kind].scene
    if len(np.unique(scene)) != len(scene):
        raise ValueError(f"background {kind!r}: a scene has one at most, but one of these has more")
    values = column_of(scenes, kind, name, 0, renderer.device)
    if name in ("noise", "shadow_angle"):
        check_extent(scenes, kind, name, values, "Sprites")
    return out.index_put((torch.as_tensor(scene, device=out.device),), values)


def _noisy(canvas: Tensor, sd: Tensor, scenes: SceneBatch) -> Tensor:
    """canvas [S, H, W, C] with normal noise of standard deviation sd [S], in grey levels, addressed by scene."""
    noisy = np.flatnonzero(to_numpy(sd) > 0)
    if len(noisy) == 0:
        return canvas
    normal = np.zeros(canvas.shape[:3], np.float32)
    for row in noisy:
        normal[row] = generator(scenes.address[row], "noise").standard_normal(normal.shape[1:], np.float32)
    grain = torch.as_tensor(normal, device=canvas.device).to(canvas.dtype)
    return (canvas + grain[..., None] * (sd.to(canvas.dtype) / 255)[:, None, None, None]).clamp(0, 1)
