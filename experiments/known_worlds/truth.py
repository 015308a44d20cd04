"""True scenes as plain arrays, drawn photo by photo. Imports numpy alone.

Legend: N photos; n nodes of a kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Columns = dict[str, Any]
TruePhoto = dict[str, Columns]  # of one photo: kind -> attribute -> values of its nodes; numbers for the root
Draw = Callable[[np.random.Generator], TruePhoto]


@dataclass(frozen=True, eq=False)
class Truth:
    """The true scenes of N photos, in the names and units of the grammar's attributes.

    columns: kind -> attribute -> values [n].  photo: kind -> row of the photo of each node [n].  Nodes of a kind are
    sorted by photo, then by parent: the order in which a grammar derives them. The kind that every photo has exactly
    once holds the image's attributes and its counts.
    """

    columns: Mapping[str, Mapping[str, Array]]
    photo: Mapping[str, Array]

    def __len__(self) -> int:
        return 1 + max(int(rows.max(initial=-1)) for rows in self.photo.values())

    def first(self, count: int) -> "Truth":
        """The true scenes of the first photos."""
        kept = {kind: rows < count for kind, rows in self.photo.items()}
        return Truth({kind: {name: values[kept[kind]] for name, values in columns.items()}
                      for kind, columns in self.columns.items()},
                     {kind: rows[kept[kind]] for kind, rows in self.photo.items()})


def generator(seed: int, row: int, purpose: int) -> np.random.Generator:
    """Random numbers of one photo, the same however many photos there are."""
    return np.random.default_rng([seed, row, purpose])


def draw_photos(draw: Draw, seed: int, count: int) -> list[TruePhoto]:
    return [draw(generator(seed, row, 0)) for row in range(count)]


def draw_truth(draw: Draw, seed: int, count: int) -> Truth:
    """The scenes of the photos with this seed, without painting them. ValueError for a count below 1."""
    if count < 1:
        raise ValueError(f"draw_truth needs at least 1 photo, got count={count}")
    return as_truth(draw_photos(draw, seed, count))


def as_truth(photos: list[TruePhoto]) -> Truth:
    columns: dict[str, dict[str, Array]] = {}
    owner: dict[str, Array] = {}
    for kind in photos[0]:
        parts = [{name: np.atleast_1d(values) for name, values in photo[kind].items()} for photo in photos]
        columns[kind] = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        owner[kind] = np.repeat(np.arange(len(photos)), [len(next(iter(part.values()))) for part in parts])
    return Truth(columns, owner)
