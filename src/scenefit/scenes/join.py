"""Batches of scenes as one batch."""

from collections.abc import Sequence

import numpy as np

from scenefit.scenes.scene import SceneBatch, Table


def join_scenes(parts: Sequence[SceneBatch]) -> SceneBatch:
    """The scenes of all parts, sorted by index. ValueError unless they have one seed and the same kinds, and no index
    comes twice."""
    first = parts[0]
    index = np.concatenate([part.index for part in parts])
    if any(part.seed != first.seed or part.kinds != first.kinds for part in parts):
        raise ValueError("only scenes of the same seed and the same kinds can be joined")
    if len(np.unique(index)) < len(index):
        raise ValueError("scenes of the same index cannot be joined")
    place = np.argsort(np.argsort(index))
    before = np.cumsum([0, *(len(part) for part in parts)])
    rows_before = {kind: np.cumsum([0, *(len(part.tables[kind]) for part in parts)]) for kind in first.kinds}
    orders, moved, scene = {}, {}, {}
    for kind in first.kinds:
        own = [part.tables[kind] for part in parts]
        scene[kind] = np.concatenate([place[table.scene + start] for table, start in zip(own, before, strict=False)])
        depth = np.concatenate([table.depth for table in own])
        orders[kind] = np.lexsort((scene[kind], depth))  # stable: siblings keep their order
        moved[kind] = np.empty(len(depth), np.int64)
        moved[kind][orders[kind]] = np.arange(len(depth))
    tables = {}
    for kind in first.kinds:
        own, order = [part.tables[kind] for part in parts], orders[kind]
        parent_kind = np.concatenate([table.parent_kind for table in own])
        parent_row = np.concatenate([table.parent_row for table in own])
        part_of = np.repeat(np.arange(len(parts)), [len(table) for table in own])
        for code, above in enumerate(first.kinds):
            mine = parent_kind == code
            parent_row[mine] = moved[above][parent_row[mine] + rows_before[above][part_of[mine]]]
        fields = {name: np.concatenate([getattr(table, name) for table in own])[order]
                  for name in ("id", "depth", "address", "rule")}
        columns = {name: np.concatenate([table[name] for table in own])[order] for name in own[0]}
        tables[kind] = Table(scene=scene[kind][order], parent_kind=parent_kind[order], parent_row=parent_row[order],
                             columns=columns, **fields)
    return SceneBatch(first.seed, np.sort(index), tables)
