"""Folders of photos and folders of their label files, and list files that name photos: what VOC and KITTI share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from scenefit.data.formats.class_folders import part_name
from scenefit.data.formats.photo_files import PhotoFiles, composed, labels_of, photos_below, without_photo
from scenefit.data.formats.reading import Item, Labels, Listing, NoPart, read_names
from scenefit.data.image_files import Skipped
from scenefit.data.image_kinds import ENDINGS, is_photo, walk, why_not_read
from scenefit.data.mask_folders import is_named_as_masks
from scenefit.files.text import counted

LISTS = ("ImageSets/Main", "ImageSets", ".")  # folders of a data set's lists of names
BESIDE = ("-1", "0", "1")  # second column of VOC's lists of one class


@dataclass(frozen=True)
class Home:
    """A folder of photos and the folder of their label files.  part: its name, where a data set has several.
    photo_end, label_end: ends of the files' names that are no part of the photo's name: "_leftImg8bit" of photos,
    "_mask.png" of label files; "" for none, and for the ending that all label files have."""

    photos: Path
    labels: Path
    part: str = ""
    photo_end: str = ""
    label_end: str = ""


@dataclass(frozen=True)
class _Pairs:
    """The photos of a home by name, and the label file of each: where it is, or else should be.  spare: label files
    without a photo."""

    files: PhotoFiles
    labels: Mapping[str, Path]
    spare: tuple[Skipped, ...]


def list_photos(homes: Sequence[Home], ending: str, lists: Sequence[Path], part: str | Path | None,
                read: Callable[[Path], Labels], places: Sequence[str] = LISTS,
                within: Sequence[Path] = ()) -> Listing:
    """The photos of a data set that has these homes, or those of a part: a list file, or a home.

    ending: of label files, such as ".txt".  lists: folders whose places may have list files.  read: reads the labels
    of a file.  within: folders whose photos that lie in no home are named, unless a part is asked for.  NoPart where
    there is neither a list nor a home of that name.
    """
    if part is not None:
        try:
            named = find_list(lists, part, places)
        except NoPart as error:
            chosen = [home for home in homes if home.part and part_name(home.part) == part_name(str(part))]
            if not chosen:
                there = ", ".join(home.part for home in homes if home.part)
                raise NoPart(f"{error}{f'; folders of parts: {there}' if there else ''}") from None
            homes, within = chosen, ()
        else:
            return _listed(named, [_pairs(home, ending) for home in homes], read)
    pairs = [_pairs(home, ending) for home in homes]
    missing = [entry for own in pairs for entry in own.spare]
    return Listing(tuple(Item(photo, partial(read, own.labels[name]))
                         for own in pairs for name, photo in own.files.photos.items()),
                   (*(entry for own in pairs for entry in own.files.skipped if entry not in missing),
                    *(entry for folder in within for entry in _left_out(folder, homes))),
                   tuple(missing))


def find_list(folders: Sequence[Path], part: str | Path, below: Sequence[str] = LISTS) -> Path:
    """The list file of a part: a path, or a name such as train in one of the folders below these."""
    given = Path(part)
    is_file = given.suffix.lower() == ".txt"
    if is_file and given.is_file():
        return given
    name = given.name if is_file else f"{part}.txt"
    places = [folder / place for folder in folders for place in below]
    for place in places:
        if (place / name).is_file():
            return place / name
    there = sorted({path.stem for place in places for path in place.glob("*.txt")})
    raise NoPart(f"there is no part {str(part)!r}: looked for {name} in {', '.join(str(place) for place in places)}"
                 f"; lists that are there: {', '.join(there) or 'none'}")


def _left_out(folder: Path, homes: Sequence[Home]) -> Iterator[Skipped]:
    """The folders below with photos that lie in no home, nor in a folder with a name of masks."""
    known = {path for home in homes for path in (home.photos, home.labels)}
    read = ", ".join(str(home.photos) for home in homes)
    for place, folders, names in walk(folder):
        folders[:] = [name for name in folders if place not in known and not is_named_as_masks(name)]
        if place not in known and (count := sum(map(is_photo, names))):
            yield Skipped(place, f"{counted(count, 'photo is', 'photos are')} left out, since masks were found for "
                                 f"{read} alone")


def _pairs(home: Home, ending: str) -> _Pairs:
    """The photos of a home and their label files.

    A label file has its photo's name, and lies in the same subfolder; or one of the two folders has no subfolders.
    """
    ending = home.label_end or ending
    files = photos_below(home.photos, home.photo_end, home.label_end.rpartition(".")[0])
    labels = labels_of(files, home.labels, ending) if home.labels.is_dir() else {}
    found = {name: labels.pop(name) for name in files.photos if name in labels}
    for name, label in _elsewhere([name for name in (*files.photos, *files.unread) if name not in found], labels):
        found[name] = labels.pop(label)
    spare = {name: path for name, path in found.items() if name not in files.photos} | labels
    return _Pairs(files, {name: found.get(name, home.labels / f"{name}{ending}") for name in files.photos},
                  tuple(without_photo(spare, files)))


def _elsewhere(photos: Sequence[str], labels: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Names of a photo and of a label file in other subfolders, if their last part is that of no other one."""
    ends = [_ends(names) for names in (photos, labels)]
    for end, (photo, *more) in ends[0].items():
        label, *others = ends[1].get(end, [""])
        if label and not more and not others and not ("/" in photo and "/" in label):
            yield photo, label


def _ends(names: Iterable[str]) -> dict[str, list[str]]:
    """Last part of a name -> the names that have it."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.rpartition("/")[2], []).append(name)
    return found


def _listed(path: Path, pairs: Sequence[_Pairs], read: Callable[[Path], Labels]) -> Listing:
    """The photos that a list file names, in its order, and the names without a photo.

    ValueError where a photo is named twice.
    """
    named = {name: own for own in reversed(pairs) for name in (*own.files.unread, *own.files.photos)}
    ends, folders, nested = _ends(named), [own.files.folder for own in pairs], any("/" in name for name in named)
    items: dict[Path, Item] = {}
    missing = []
    for number, line in read_names(path):
        name = next((name for name in _names(line, folders, ends, nested) if name in named), "")
        if not name:
            missing.append(Skipped(path, f"line {number}: there is no photo {_bare(line)} in "
                                         f"{', '.join(map(str, folders))}"))
        elif name in named[name].files.unread:
            missing.append(named[name].files.unread[name])
        else:
            photo = named[name].files.photos[name]
            if photo in items:
                raise ValueError(f"{path}, line {number}: {name} is named twice; remove one of the lines")
            items[photo] = Item(photo, partial(read, named[name].labels[name]))
    return Listing(tuple(items.values()), missing=tuple(missing))


def _names(line: str, folders: Sequence[Path], ends: Mapping[str, Sequence[str]], nested: bool) -> Iterator[str]:
    """Names of photos that a line of a list may mean, likely ones first: as it is written, without its ending, what
    follows the folder of the photos, and the only photo with that name in any subfolder."""
    line = composed(line)
    words = line.rsplit(maxsplit=1)
    for text in [line, words[0]] if len(words) == 2 and words[1] in BESIDE else [line]:
        name = _bare(text)
        yield from (text, name)
        for folder in folders:
            yield name.rpartition(f"{folder.name}/")[2]
        same = ends.get(name.rpartition("/")[2], ())
        if len(same) == 1 and not ("/" in name and nested):
            yield same[0]


def _bare(text: str) -> str:
    """A name without the ending of an image, with / between folders and none in front."""
    path = PurePosixPath(text.replace("\\", "/"))
    return path.with_suffix("").as_posix() if path.suffix.lower() in ENDINGS or why_not_read(path) else path.as_posix()
