"""Which layout a folder of labelled photos has, detected from its files before anything long is read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from scenefit.data.formats import (
    cityscapes_reader,
    class_folders,
    coco_reader,
    kitti_reader,
    mask_reader,
    voc_reader,
    yolo_reader,
)
from scenefit.data.formats.class_folders import OF_LABELS, find_classes, holds_only_photos, subfolders
from scenefit.data.formats.reading import Layout
from scenefit.data.image_files import check_folder, describe_folder
from scenefit.data.image_kinds import ARCHIVES
from scenefit.data.mask_folders import jpegs_for_masks
from scenefit.scenes.arguments import first_few

LAYOUTS = {reader.LAYOUT.name: reader.LAYOUT for reader in (coco_reader, yolo_reader, voc_reader, kitti_reader)}
MASK_LAYOUTS = {reader.LAYOUT.name: reader.LAYOUT for reader in (mask_reader, cityscapes_reader)}
WITH_MASKS = {**MASK_LAYOUTS, **{name: LAYOUTS[name] for name in ("coco", "yolo")}}  # whose class masks are read
CLASSES = "folder"  # the layout of classes, called as the format that scenefit writes
LISTS_ABOVE = 3  # a list file lies at most so many folders below its data set
LABEL_FILES = (".yaml", ".yml", ".json", ".xml", ".names", ".data")  # endings of files that data sets have


def matching_layouts(folder: Path) -> list[str]:
    """Names of the layouts of boxes that a folder has."""
    return [name for name, layout in LAYOUTS.items() if layout.matches(folder)]


def find_layout(place: str | Path, layout: str | None = None) -> str:
    """The layout of labelled photos in a folder, or in that of a list file: one of `LAYOUTS`; if it has none of boxes,
    one of `MASK_LAYOUTS`; else `CLASSES`.

    layout: its name if it is known; None: detected. No photo and no photo's labels are opened, but a few masks.
    ValueError, with what the folder holds and what was looked for, where it has none of them, or may have several.
    """
    known = LAYOUTS | MASK_LAYOUTS
    if layout not in (None, CLASSES, *known):
        raise ValueError(f"no layout {layout!r}; there are {', '.join(known)}, and {CLASSES} for one subfolder for "
                         "each class")
    folder, part = locate(Path(place), None)
    if layout == CLASSES:
        if part is not None:
            raise ValueError(f"{place} is a list of photos, which the layout {CLASSES} does not have; give the folder")
        find_classes(folder)
        return layout
    if layout is not None:
        return _checked(folder, known[layout])
    found = _only(folder, matching_layouts(folder)) or _only(folder, _matching(folder, MASK_LAYOUTS))
    return found or _classes(folder)


def mask_layout(folder: Path, layout: str | None = None) -> Layout:
    """The layout of a data set whose class masks are read, one of `WITH_MASKS`. ValueError as of `find_layout`."""
    if layout not in (None, *WITH_MASKS):
        raise ValueError(f"no layout {layout!r} has class masks; there are {', '.join(WITH_MASKS)}")
    if layout is not None:
        return WITH_MASKS[_checked(folder, WITH_MASKS[layout])]
    found = _only(folder, _matching(folder, WITH_MASKS))
    if not found:
        raise ValueError(f"{folder} has no class masks that are read: {describe_folder(folder)}{_jpegs(folder)}. "
                         f"Looked for {descriptions(WITH_MASKS)}")
    return WITH_MASKS[found]


def _matching(folder: Path, layouts: Mapping[str, Layout]) -> list[str]:
    return [name for name, layout in layouts.items() if layout.matches(folder)]


def _checked(folder: Path, layout: Layout) -> str:
    """The layout's name. ValueError where the folder does not have it."""
    if not layout.matches(folder):
        raise ValueError(f"{folder} does not have the layout {layout.name}: {describe_folder(folder)}"
                         f"{_jpegs(folder) if layout is mask_reader.LAYOUT else ''}; looked for {layout.looks_for}")
    return layout.name


def _jpegs(folder: Path) -> str:
    """For a message: which folder seems to hold masks as JPEG, "" if none does."""
    masks = jpegs_for_masks(folder)
    return f"; {masks.name} holds JPEG, which changes the values of masks; save them as PNG" if masks else ""


def _only(folder: Path, found: Sequence[str]) -> str:
    """The only layout that was found, "" for none. ValueError where there are several."""
    if len(found) > 1:
        raise ValueError(f"{folder} has labels in several layouts, {' and '.join(found)}: {describe_folder(folder)}; "
                         "choose with layout= in Python, --layout on the command line, or move one of them away")
    return found[0] if found else ""


def has_layout(place: str | Path, layout: str) -> bool:
    """Whether labelled photos have a layout, so that `find_layout` accepts it."""
    try:
        return find_layout(place, layout) == layout
    except ValueError:
        return False


def box_layout(folder: Path, layout: str | None = None) -> Layout:
    """The layout of a data set of boxes. ValueError as of `find_layout`, and where a folder has classes alone."""
    name = find_layout(folder, layout)
    if name == CLASSES:
        raise ValueError(f"{folder} has one subfolder for each class ({first_few(find_classes(folder).classes)}), "
                         "labels of whole photos, and boxes are needed: looked for "
                         f"{descriptions()}; read_few and read_labelled read classes")
    if name in MASK_LAYOUTS:
        raise ValueError(f"{folder} has class masks, and boxes are needed: looked for {descriptions()}; read_few and "
                         "read_masks read masks")
    return LAYOUTS[name]


def locate(place: Path, part: str | Path | None) -> tuple[Path, str | Path | None]:
    """The data set's folder and the part, where place may be a list file inside the data set."""
    above = list(place.absolute().parents)[:LISTS_ABOVE]
    if place.suffix.lower() in LABEL_FILES and place.is_file():
        home = next((folder for folder in above if folder.name.lower() not in OF_LABELS and _is_data_set(folder)),
                    place.parent)
        raise ValueError(f"{place} is a file of labels; give the folder of its data set, {home}")
    if not (place.suffix.lower() == ".txt" and place.is_file()):
        return check_folder(place), part
    if part is not None:
        raise ValueError(f"{place} is a list of photos, which is a part of its own; give its data set's folder to read "
                         f"the part {str(part)!r}")
    for folder in above:
        if _is_data_set(folder):
            return folder, place
    raise ValueError(f"{place} is a list of photos, but neither its folder nor the two above it are a data set: looked "
                     f"for {descriptions(LAYOUTS | MASK_LAYOUTS)}")


def _is_data_set(folder: Path) -> bool:
    return bool(matching_layouts(folder) or _matching(folder, MASK_LAYOUTS))


def descriptions(layouts: Mapping[str, Layout] = LAYOUTS) -> str:
    """What each layout, of boxes if no others are given, is recognised by."""
    return "; ".join(layout.looks_for for layout in layouts.values())


def _classes(folder: Path) -> str:
    """`CLASSES`, where the folder holds one subfolder for each class and nothing suggests another layout."""
    looked = f"Looked for {descriptions(LAYOUTS | MASK_LAYOUTS)}; {class_folders.LOOKS_FOR}"
    try:
        found = find_classes(folder)
    except ValueError as error:
        raise ValueError(f"{folder} has no layout of labelled photos that is read: {describe_folder(folder)}. {looked} "
                         f"({error})") from error
    inside = [f"{path} ({' and '.join(names)})" for path in subfolders(folder)
              if not holds_only_photos(path) and (names := matching_layouts(path))]
    doubt = f"it holds data sets of boxes; give one of them: {first_few(inside)}" if inside else found.doubt
    if doubt:
        raise ValueError(f"{folder} may have one subfolder for each class, but {doubt}; {describe_folder(folder)}"
                         f"{_archives(folder)}. If it has, choose with layout=\"{CLASSES}\" in Python, --layout "
                         f"{CLASSES} on the command line. {looked}")
    return CLASSES


def _archives(folder: Path) -> str:
    """Which archives of labels have to be unpacked, "" if there are none."""
    homes = [folder, *(path for path in subfolders(folder) if path.name.lower() in OF_LABELS)]
    found = [str(path) for home in homes for path in sorted(home.iterdir()) if path.suffix.lower() in ARCHIVES]
    return f"; unpack {first_few(found)}" if found else ""


def layout_of_each(source: Path | None, labelled: Path | None, layout: str | None) -> tuple[str | None, str | None]:
    """A layout that is given for a data set and for labelled photos: it applies to those that have it, or to both if
    neither has."""
    if layout is None:
        return None, None
    has = [place is not None and has_layout(place, layout) for place in (source, labelled)]
    source_has, labelled_has = has if any(has) else (True, True)
    return layout if source_has else None, layout if labelled_has else None
