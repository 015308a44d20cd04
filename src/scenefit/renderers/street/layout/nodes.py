"""Nodes of a batch as the kernels' arrays: strips and markings of roads, instances of meshes.

Legend: S scenes; n nodes of a kind; I instances.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.renderers import GrammarMismatch
from scenefit.renderers.street.layout.attributes import (
    MODEL,
    NODE,
    STRIP,
    STRIP_COLOURS,
    Floats,
    keys,
    linear,
    read_all,
)
from scenefit.renderers.street.mesh import MATERIALS, Mesh
from scenefit.scenes.scene import SceneBatch
from scenefit.scenes.suggestions import did_you_mean

Ints = NDArray[np.int64]
Models = Mapping[str, Mapping[str, Mesh]]  # kind -> name -> mesh

WHICH = ("kind", "row", "scene", "id", "key", "model")


@dataclass(frozen=True, eq=False)
class Placed:
    """Nodes with meshes, by scene [I]. kind: number in the models.  row: of the kind's table.  model: number among the
    meshes of all kinds, in their order.  values: of the attributes of `NODE`."""

    kind: Ints
    row: Ints
    scene: Ints
    id: Ints
    key: NDArray[np.uint32]
    model: Ints
    values: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.scene)


def place_nodes(scenes: SceneBatch, models: Models) -> Placed:
    """GrammarMismatch for a model that does not exist; ValueError for values that are no finite numbers."""
    parts: list[dict[str, Any]] = []
    first = 0
    for code, (kind, meshes) in enumerate(models.items()):
        if kind in scenes.tables and len(scenes.tables[kind]):
            table, values = scenes.tables[kind], read_all(scenes, kind, NODE, needed=("s", "t"))
            drawn = np.flatnonzero(values["there"] >= 0.5)
            model = first + model_numbers(scenes, kind, list(meshes))
            parts.append({"kind": np.full(len(drawn), code), "row": drawn, "scene": table.scene[drawn],
                          "id": table.id[drawn], "key": keys(table.address[drawn]), "model": model[drawn],
                          **{name: column[drawn] for name, column in values.items()}})
        first += len(meshes)
    nothing = [np.zeros(0, np.int64)]
    columns: dict[str, NDArray[Any]] = {name: np.concatenate([part[name] for part in parts] or nothing)
                                        for name in (*WHICH, *NODE)}
    order = np.argsort(columns["scene"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    return Placed(**{name: columns[name] for name in WHICH}, values={name: columns[name] for name in NODE})


def model_numbers(scenes: SceneBatch, kind: str, names: Sequence[str]) -> Ints:
    """Which of its kind's meshes each node has [n]: the first where the grammar does not say."""
    given = scenes.tables[kind].columns.get(MODEL)
    if given is None:
        return np.zeros(len(scenes.tables[kind]), np.int64)
    column = np.asarray(given)
    if column.dtype.kind == "U":
        wrong = sorted(set(column.tolist()) - set(names))
        if wrong:
            raise GrammarMismatch(f"Street has no model {wrong[0]!r} of {kind}{did_you_mean(wrong[0], names)}; there "
                                  f"are {list(names)}")
        return np.array([names.index(name) for name in column.tolist()], np.int64)
    number = np.rint(column.astype(float))
    outside = ~((number >= 0) & (number < len(names)))
    if outside.any():
        raise GrammarMismatch(f"Street has {len(names)} models of {kind}, 0 to {len(names) - 1} ({', '.join(names)}), "
                              f"but {kind}.{MODEL} is {column[outside][0]:g} in scene "
                              f"{int(scenes.index[scenes.tables[kind].scene[outside][0]])} of seed {scenes.seed}")
    return number.astype(np.int64)


def check_kinds(scenes: SceneBatch, models: Models, strips: Mapping[str, str], classes: Collection[str] = ()) -> None:
    """GrammarMismatch for a kind that has a place on the road, but neither meshes nor a strip's material, or that has
    both, and for classes of kinds that have neither."""
    for kind in scenes.kinds:
        if kind in models and kind in strips:
            raise GrammarMismatch(f"Street has both meshes and strips for the kind {kind!r}; leave it out of models= "
                                  "or of strips=")
    for kind in sorted(set(classes) - set(models) - set(strips)):
        raise GrammarMismatch(f"Street has neither meshes nor strips for the kind {kind!r} of classes="
                              f"{did_you_mean(kind, [*models, *strips])}")
    for kind, table in scenes.tables.items():
        if "s" in table and "t" in table and kind not in models and kind not in strips:
            raise GrammarMismatch(f"Street has no meshes for the kind {kind!r}; pass models={{{kind!r}: mesh}}, or "
                                  f"rename the kind{did_you_mean(kind, [*models, *strips])}; there are meshes for "
                                  f"{', '.join(models) or 'none'}")


def strips_of(scenes: SceneBatch, materials: Mapping[str, str], labelled: Collection[str],
              dtype: np.dtype) -> tuple[NDArray, Ints]:
    """Strips of all scenes as the struct `Strip`, by scene and height, and the scene of each. Markings are among them.

    materials: kind -> name of its material.  labelled: kinds whose ids are kept.
    """
    parts, owners, number = [np.zeros(0, dtype)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for kind, material in materials.items():
        if kind not in scenes.tables or not len(scenes.tables[kind]):
            continue
        table, values = scenes.tables[kind], read_all(scenes, kind, STRIP, needed=("t", "width"))
        drawn = np.flatnonzero((values["there"] >= 0.5) & (values["width"] > 0))
        part = np.zeros(len(table), dtype)
        part["low"], part["high"] = values["t"] - values["width"] / 2, values["t"] + values["width"] / 2
        for name in ("rise", "dash", "gap"):
            part[name] = values[name]
        levels = [np.where(np.isnan(values[name]), default, values[name])
                  for name, default in zip(("red", "green", "blue"), STRIP_COLOURS[material], strict=True)]
        part["colour"] = linear(*levels)
        part["material"], part["id"] = MATERIALS.index(material), table.id if kind in labelled else 0
        parts.append(part[drawn])
        owners.append(table.scene[drawn])
        number.append(table.id[drawn])
    strips, scene = np.concatenate(parts), np.concatenate(owners)
    order = np.lexsort((np.concatenate(number), strips["rise"], scene))
    return strips[order], scene[order]


def ends(scene: Ints, scenes: int) -> tuple[Ints, Ints]:
    """First and one past the last row of each scene [S], of rows sorted by scene."""
    return np.searchsorted(scene, np.arange(scenes)), np.searchsorted(scene, np.arange(scenes), side="right")
