"""The option --flat-field, and which flat field a command corrects its photos by."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from scenefit.files.caller import warn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scenefit.data.photos import Photos
    from scenefit.run.folder import Run

    Some = TypeVar("Some", Photos, Photos | None)

NONE = "none"


@dataclass(frozen=True)
class GivenFlatField:
    """The value of --flat-field: a folder of photos, None for "none"."""

    folder: Path | None


def _given(text: str) -> GivenFlatField:
    return GivenFlatField(None if text == NONE else Path(text))


FlatOption = Annotated[GivenFlatField | None, typer.Option(
    "--flat-field", metavar=f"DIR|{NONE}", parser=_given, show_default="automatic: few strong spots that the photos of "
    "a fit share, such as dust on the camera, are removed from them and from all that its run and detectors are given",
    help="20 or more photos of the same camera, to correct the flat field of every photo: what all of them show at the "
    "same place is removed. none: photos stay as they are.")]


@dataclass(frozen=True, eq=False)
class FlatField:
    """The flat field that a command corrects photos by. field: float32 [H, W, 3]; None corrects nothing.  every:
    whether every photo is corrected, as by a folder that was given, and not only those that show the field."""

    field: "NDArray[np.float32] | None" = None
    every: bool = False

    def correct(self, photos: "Some") -> "Some":
        """The photos, corrected; None for None."""
        return photos if photos is None or self.field is None else replace(photos, images=self.corrected(photos.images))

    def corrected(self, images: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
        """The same of images [N, H, W, 3]."""
        from scenefit.data.flat_field import correct_flat_field, remove_flat_field

        if self.field is None:
            return images
        return (correct_flat_field if self.every else remove_flat_field)(images, self.field)

    @property
    def kept(self) -> "NDArray[np.float32] | None":
        """What runs and detectors keep: a field that was found. A folder is given to each command."""
        return None if self.every else self.field

    @property
    def hash(self) -> str | None:
        """By which two commands can tell whether they corrected the same field."""
        from scenefit.files.atomic import content_hash

        return None if self.field is None else content_hash(self.field)

    @property
    def identity(self) -> str | None:
        """The same, and whether every photo is corrected."""
        return self.hash if self.every or self.field is None else f"{self.hash} where it shows"

    @property
    def found(self) -> str:
        """What is said where the field was found in the photos; "" for none, and for that of a folder."""
        from scenefit.data.flat_field import describe_spots

        if self.field is None or self.every:
            return ""
        return (f"The photos share {describe_spots(self.field)}; they are removed from the photos. "
                f"--flat-field {NONE} keeps them.")


def flat_field_of(given: GivenFlatField | None, size: tuple[int, int],
                  known: "NDArray[np.float32] | None") -> FlatField:
    """The flat field of a given folder's photos at size (height, width), or none; where nothing is given, the known
    one, such as a run's."""
    if given is None:
        return FlatField(known)
    return FlatField() if given.folder is None else FlatField(_of_folder(given.folder.resolve(), size), every=True)


def flat_field_in(given: GivenFlatField | None, size: tuple[int, int], photos: "Photos | None") -> FlatField:
    """The same; where nothing is given, what is found in the photos."""
    from scenefit.data.flat_field import find_flat_field

    return flat_field_of(given, size, None if given is not None or photos is None else find_flat_field(photos.images))


def folder_of(given: GivenFlatField | None) -> Path | None:
    """The folder that was given, if one was."""
    return None if given is None else given.folder


def check_flat_field(run: "Run", flat: FlatField) -> None:
    """Warns if photos are not flat-field corrected as those of the fit were."""
    fitted = run.config.flat_field
    if fitted != flat.hash:
        then, now = ("corrected" if some else "not corrected" for some in (fitted, flat.hash))
        warn(f"--flat-field: the fit's photos were {then} for the camera's dust, and these are {now}, or for that of "
             "other photos, so it counts as a difference; give the option as it was given to fit, or leave it out if "
             "it was not")


@cache  # a command needs it for each of its folders of photos
def _of_folder(folder: Path, size: tuple[int, int]) -> "NDArray[np.float32]":
    from scenefit.data.flat_field import MAX_PHOTOS, flat_field
    from scenefit.data.image_files import name_skipped
    from scenefit.data.photos import read_photos

    try:
        found = read_photos(folder, size, MAX_PHOTOS)
        name_skipped(found.skipped)
        field = flat_field(found.images)
    except ValueError as error:
        raise ValueError(f"--flat-field {folder}: {error}") from None
    field.setflags(write=False)
    return field
