"""What evaluations of trained networks share: tables of results, and which photos a network must not have met."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from scenefit.data.copies import photo_hashes
from scenefit.data.photos import Photos
from scenefit.files.text import counted, printable
from scenefit.scenes.arguments import first_few
from scenefit.tasks.training.network_file import TrainedNetwork


class Record(BaseModel):
    """Results as JSON holds them."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Table(NamedTuple):
    """A table of results for people."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


class Measured(Protocol):
    """The results of one network on labelled photos. used: how many of these fitted, trained or selected it."""

    @property
    def used(self) -> int: ...

    @property
    def photos(self) -> Sequence[Any]:
        """A record for each photo."""

    def tables(self) -> list[Table]: ...

    def lines(self) -> list[str]:
        """What is said below the tables."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """As JSON holds it."""


def percent(value: float | None) -> str:
    """A share of 0..1."""
    return "undefined" if value is None else f"{value:.1%}"


def used_photos(trained: TrainedNetwork[Any], photos: Photos) -> NDArray[np.bool_]:
    """Which photos [N] fitted, trained or selected anything of the network, by the hashes that its file holds."""
    if not trained.photos:
        return np.zeros(len(photos), bool)  # without reading the files
    return np.array([one in trained.photos for one in photo_hashes(photos)], bool)


def check_unused(trained: TrainedNetwork[Any], photos: Photos, force: bool) -> int:
    """How many photos the network was made with. ValueError where there are any, unless force."""
    used = used_photos(trained, photos)
    if used.any() and not force:
        names = [printable(photos.paths[row]) if photos.paths else f"photo {row}" for row in np.flatnonzero(used)]
        raise ValueError(f"{used.sum():,} of the {counted(len(photos), 'labelled photo')} fitted, trained or selected "
                         f"this {trained.word}, by their content: {first_few(names)}; results on them are better than "
                         "on photos that it has never met; give other photos, or measure on these all the same with "
                         "force=True (--force)")
    return int(used.sum())


def photo_paths(photos: Photos) -> list[str]:
    """The files of photos as texts, "" for each of arrays."""
    return [printable(path) for path in photos.paths or [""] * len(photos)]
