"""What a network is trained on, read from files: a written data set, and labelled photos.

Legend: N photos; H, W pixels.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenefit.data.copies import warn_shared
from scenefit.data.formats.reading import NoPart
from scenefit.data.image_files import full_photo
from scenefit.data.label_policy import LabelPolicy
from scenefit.data.own_folders import what_scenefit_wrote
from scenefit.data.photos import Photos, read_few, split
from scenefit.data.photos.labelled import first_size
from scenefit.data.photos.layouts import CLASSES, find_layout
from scenefit.files.atomic import content_hash
from scenefit.files.text import counted
from scenefit.scenes.rng import derive_seed
from scenefit.tasks.training.dense_prediction import DensePrediction
from scenefit.tasks.training_texts import HELD_OUT_RENDERS

VALIDATION = 8  # one image in so many is held out, to choose the confidence threshold
HELD_OUT = 5  # the same of labelled photos that a network is trained on alone


class TrainingImages(NamedTuple):
    """What a network is trained on first. learn: images and labels; held: those that its threshold is chosen on.
    held_out: what these are, "" where they are those of learn.  name: what an image is.  photos: those of the images
    that were read from files.  policy: by which renders got their labels, where it is not the default.  used: hashes of
    the photos that the distribution of renders was fitted to."""

    learn: tuple[NDArray[np.uint8], Any]
    held: tuple[NDArray[np.uint8], Any]
    held_out: str
    name: str = "render"
    photos: tuple[Photos, ...] = ()
    policy: LabelPolicy | None = None
    used: frozenset[str] = frozenset()

    def renumbered(self, task: DensePrediction) -> "TrainingImages":
        """The same with labels of the task's classes."""
        return self._replace(learn=(self.learn[0], task.renumbered(self.learn[1])),
                             held=(self.held[0], task.renumbered(self.held[1])))


def photos_alone(kind: type[DensePrediction], every: Photos, place: Path, seed: int) -> TrainingImages:
    """Labelled photos that were read from place, without renders; a fifth of them is held out."""
    images_with_labels(kind, every, place)
    learn, held = hold_out(every, seed)
    return TrainingImages(images_with_labels(kind, learn, place), (held.images, kind.of_photos(held)),
                          "" if held is learn else "held-out labelled photos", "labelled photo", (every,))


def data_set(kind: type[DensePrediction], learn: Photos, held: Photos, source: Path) -> TrainingImages:
    """What `read_data_set` read from source."""
    return TrainingImages((learn.images, kind.of_photos(learn)), (held.images, kind.of_photos(held)),
                          HELD_OUT_RENDERS if what_scenefit_wrote(source) else "held-out images of the data set",
                          "image", (learn, held))


def read_data_set(source: Path, max_images: int, layout: str | None = None, *, outside: bool = False,
                  read: Callable[..., Photos] = read_few, needs: str = "boxes or class masks",
                  ) -> tuple[Photos, Photos]:
    """At most max_images images with boxes or class masks to train on, and those held out: the parts train and val of a
    data set, at the size of its first image; or seven eighths of a data set without parts, and the rest.

    layout, outside: as of `read_few`.  read: in its place.  needs: the labels that are needed, in words.  ValueError
    for what is no such data set, or holds a single image.
    """
    if not source.exists():
        raise ValueError(f"{source} is missing; give the folder of a finished fit, or a data set of {needs}")
    if source.suffix == ".py":
        raise ValueError(f"{source} is a scene file; fit it to photos first (scenefit fit {source} --real DIR --out "
                         "RUN), and give RUN")
    try:
        if find_layout(source, layout) == CLASSES:
            raise ValueError(f"it has labels of whole photos, one subfolder for each class, and {needs} are needed")
    except ValueError as error:
        raise ValueError(f"{source} is no run folder (it has no settings.json), nor a data set of {needs}: {error}"
                         ) from None
    read = partial(read, layout=layout, outside=outside)
    try:
        size = size_of_first(source, "train", layout, outside)
        train, val = read(source, size, "train", max_photos=max_images), read(source, size, "val")
    except NoPart:
        every = read(source, size_of_first(source, None, layout, outside), max_photos=max_images)
    else:
        warn_shared(source, (*train.paths, *val.paths), (*train.images, *val.images), len(train))
        return train, val
    if len(every) < 2:
        raise ValueError(f"{source} holds one labelled image; a network needs more to learn from")
    held_out = np.arange(len(every)) % VALIDATION == 1
    return every.take(np.flatnonzero(~held_out)), every.take(np.flatnonzero(held_out))


def size_of_first(place: Path, part: str | None, layout: str | None, outside: bool) -> tuple[int, int]:
    """(height, width) of the first photo that `read_few` reads, upright."""
    if find_layout(place, layout) != CLASSES:
        return first_size(place, part, layout=layout, outside=outside)
    first = read_few(place, (1, 1), part, max_photos=1, layout=layout, outside=outside)
    height, width, _ = full_photo(first.paths[0]).shape
    return height, width


def hold_out(photos: Photos, seed: int) -> tuple[Photos, Photos]:
    """The labelled photos to train on, and a random fifth to choose the threshold on; copies are not torn apart.

    Both are all photos where there are fewer than five different ones.
    """
    if len({content_hash(image) for image in photos.images}) < HELD_OUT:
        return photos, photos
    parts = split(photos, {"train": HELD_OUT - 1, "held out": 1}, derive_seed(seed, "held out"))
    return parts["train"], parts["held out"]


def images_with_labels(kind: type[DensePrediction], photos: Photos, place: Path | None,
                       ) -> tuple[NDArray[np.uint8], Any]:
    """Images uint8 [N, H, W, 3] and labels of photos that were read from place. ValueError where these show nothing."""
    labels = kind.of_photos(photos)
    if labels is None:
        have = next((one for one, given in (("boxes", photos.boxes), ("class masks", photos.masks))
                     if given is not None), "classes of whole photos")
        raise ValueError(f"{place} has {have}; {kind.name} needs photos with {kind.words.needs}")
    if not kind.shown(labels):
        raise ValueError(f"{place}: the {counted(len(photos), 'labelled photo has', 'labelled photos have')} "
                         f"{kind.words.empty}; leave them out, or give photos that show objects")
    return photos.images, labels
