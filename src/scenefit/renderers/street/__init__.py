"""Streets in three dimensions: `Street`, a ray caster of many scenes at once, on Warp.

Warp is imported, and its kernels compiled, when the first scenes are rendered. Legend: S scenes; H, W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from scenefit.data.frame_checks import class_name
from scenefit.data.frames import Frames, make_frames
from scenefit.renderers import RendererInfo, check_size
from scenefit.renderers.chunks import join, part_of
from scenefit.renderers.street.layout.attributes import MODEL, NODE, ROOT, STRIP, STRIP_COLOURS
from scenefit.renderers.street.mesh import Mesh
from scenefit.scenes.arguments import check_argument
from scenefit.scenes.scene import SceneBatch

if TYPE_CHECKING:
    from scenefit.renderers.street.layout.scenes import Layout
    from scenefit.renderers.street.tracing import Traced
    from scenefit.renderers.street.upload import Batch

STRIPS: Mapping[str, str] = {"lane": "asphalt", "parking": "asphalt", "pavement": "paving", "verge": "grass",
                             "kerb": "kerb", "marking": "marking"}
AT_ONCE = 2**20  # pixels; each takes about 150 bytes while it is rendered

Models = Mapping[str, Mapping[str, Mesh] | Sequence[Mesh] | Mesh]


@dataclass(frozen=True, eq=False)
class Street:
    """Renders driving scenes: roads with strips and markings, and meshes that stand on them, in the light of sun and
    sky.

    size: (H, W) in pixels.  models: kind -> its meshes: a dictionary by name, a sequence, or one; by default
    `models.standard()`.  strips: kind -> material of ground along the road, one of "asphalt", "paving", "kerb",
    "grass", "matte" and "marking"; by default `STRIPS`.
    classes: kind -> name of its class; by default a kind with meshes is its own class. Strips have no class and no ids,
    unless one is named here.
    antialias: four rays in place of one for pixels at edges.  occlusion: less light of the sky in corners and below
    objects.  depth: frames also hold pixels["depth"] and pixels["normal"].  device: "cpu" or "cuda".

    An attribute that a node lacks has its default; docs/street.md lists all with units, ranges and defaults. Sampled
    values outside their range are clipped to it. GrammarMismatch for a kind with a place but no meshes, and for a model
    that does not exist; RenderError for a camera below the ground; ImportError without Warp.

    Labels: ids, amodal boxes, areas with hidden parts, nodes["box3d"] and nodes["camera"], as KITTI has them.
    """

    size: tuple[int, int] = (180, 240)
    models: Models | None = None
    strips: Mapping[str, str] | None = None
    classes: Mapping[str, str] = field(default_factory=dict)
    antialias: bool = True
    occlusion: bool = True
    depth: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_size("Street", self.size)
        for name, given, takes in (
                ("models", self.models, "a dictionary from kinds to meshes"),
                ("strips", self.strips, "a dictionary from kinds to materials"),
                ("classes", self.classes, "a dictionary from kinds to names of classes")):
            check_argument("Street(size, models, strips)", name, given,
                           isinstance(given, Mapping) or (given is None and name != "classes"), takes)
        for kind, material in self.materials.items():
            if material not in STRIP_COLOURS:
                raise ValueError(f"Street needs strips of {', '.join(STRIP_COLOURS)}, got {material!r} for {kind!r}")
        for kind, name in self.classes.items():
            class_name(f"classes[{kind!r}]", name)
        if self.models is not None:
            for kind, meshes in self.models.items():
                _named(kind, meshes)

    @property
    def info(self) -> RendererInfo:
        return RendererInfo(self.size, attributes=self.attributes, device=self.device,
                            to=lambda device: replace(self, device=device))

    @property
    def materials(self) -> Mapping[str, str]:
        """Kind -> material of its strips."""
        return STRIPS if self.strips is None else self.strips

    @property
    def kinds(self) -> list[str]:
        """Kinds that have meshes; none is made."""
        if self.models is not None:
            return list(self.models)
        from scenefit.renderers.street.models import MAKERS

        return list(MAKERS)

    def meshes(self) -> dict[str, dict[str, Mesh]]:
        """Kind -> name -> mesh."""
        if self.models is not None:
            return {kind: _named(kind, meshes) for kind, meshes in self.models.items()}
        from scenefit.renderers.street.models import standard

        return {kind: dict(meshes) for kind, meshes in standard().items()}

    def attributes(self, root: str) -> dict[str, frozenset[str]]:
        """Kind -> names of the attributes of its nodes that are used. root: the kind of the root."""
        return {root: frozenset(ROOT), **dict.fromkeys(self.kinds, frozenset({*NODE, MODEL})),
                **dict.fromkeys(self.materials, frozenset(STRIP))}

    def tensors(self, scenes: SceneBatch) -> "Traced":
        """Images, ids, depth and normals as torch tensors on the device, without a copy."""
        _, batch = self._batch(scenes)  # before what imports Warp
        from scenefit.renderers.street.tracing import trace

        return trace(batch, self.antialias, self.occlusion)

    def __call__(self, scenes: SceneBatch) -> Frames:
        pixels = len(scenes) * self.size[0] * self.size[1]
        if pixels <= AT_ONCE or len(scenes) < 2:
            return self._frames(scenes)
        chunks = np.array_split(np.arange(len(scenes)), min(len(scenes), -(-pixels // AT_ONCE)))
        return join(scenes, chunks, [part_of(self._frames(scenes.take(rows))) for rows in chunks])

    def _frames(self, scenes: SceneBatch) -> Frames:
        layout, batch = self._batch(scenes)
        from scenefit.renderers.street.labels import node_labels
        from scenefit.renderers.street.tracing import measure, trace

        kinds, traced = self.kinds, trace(batch, self.antialias, self.occlusion)
        instances = traced.instances.cpu().numpy()
        known = node_labels(scenes, layout, kinds, instances, measure(batch, traced).cpu().numpy())
        names = {kind: np.full(len(table), self.classes.get(kind, kind if kind in kinds else ""))
                 for kind, table in scenes.tables.items() if kind in kinds or kind in self.materials}
        pixels = {"depth": traced.depth.cpu().numpy(), "normal": traced.normal.cpu().numpy()} if self.depth else None
        return make_frames(scenes, traced.image.cpu().numpy(), instances, classes=names, amodal=known["amodal"],
                           area=known["area"], inside=known["inside"], pixels=pixels,
                           nodes={name: known[name] for name in ("box3d", "camera")})

    def _batch(self, scenes: SceneBatch) -> "tuple[Layout, Batch]":
        """The scenes laid out, and on the device."""
        from scenefit.renderers.street.kernels.compilation import kernels

        kernels(self.device)  # before what imports Warp, for its message where Warp is missing
        from scenefit.renderers.street.layout.nodes import check_kinds
        from scenefit.renderers.street.layout.scenes import lay_out
        from scenefit.renderers.street.upload import to_device, upload

        models = self.meshes()
        check_kinds(scenes, models, self.materials, self.classes)
        uploaded = upload(tuple(mesh for meshes in models.values() for mesh in meshes.values()), self.device)
        labelled = [kind for kind in self.materials if self.classes.get(kind)]
        layout = lay_out(scenes, models, uploaded.table, self.materials, self.size, labelled)
        return layout, to_device(layout, uploaded, self.size, self.device)


def _named(kind: str, meshes: Mapping[str, Mesh] | Sequence[Mesh] | Mesh) -> dict[str, Mesh]:
    """ValueError for what is no mesh."""
    several = meshes if isinstance(meshes, Mapping | Sequence) else [meshes]
    pairs = several.items() if isinstance(several, Mapping) else enumerate(several)
    named = {str(name): mesh for name, mesh in pairs}
    if not named or not all(isinstance(mesh, Mesh) for mesh in named.values()):
        raise ValueError(f"Street needs a scenefit.Mesh, or several, for each kind, got {meshes!r} for {kind!r}")
    return named
