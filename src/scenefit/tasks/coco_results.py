"""What found.json holds: a whole set of COCO, or results with the ids of an annotation file.

Formats: https://cocodataset.org/#format-data, https://cocodataset.org/#format-results
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenefit.data.formats.coco_reader import ids_by_name
from scenefit.data.formats.photo_files import composed
from scenefit.files.atomic import to_json
from scenefit.files.text import counted
from scenefit.nets.centre_network import MIN_SCORE
from scenefit.scenes.arguments import first_few

MEANING = ("score is the detector's confidence. All detections of at least min_score are listed, since average "
           "precision needs them; those of at least threshold are drawn and counted")


@dataclass(frozen=True)
class CocoIds:
    """Ids of an annotation file. image: of each photo, by its path below the folder.  category: of each class.
    absent: images that the file lists and that are not among the photos."""

    image: Mapping[str, Any]
    category: Mapping[str, Any]
    absent: Sequence[str]


def match_ids(path: Path, photos: Sequence[str], classes: Sequence[str]) -> CocoIds:
    """The ids that an annotation file of COCO gives to photos, by their paths below a folder, and to classes.

    A photo is the image of the same file_name, else the only image whose file_name has the same last part. ValueError,
    naming the file, where it lists a photo not at all or more than once, lacks a class, or is none of COCO's.
    """
    images, categories = ids_by_name(path)
    paths: dict[str, str] = {}
    for name in images:
        first = paths.setdefault(os.path.normpath(name.replace("\\", "/")), name)
        if first != name:
            raise ValueError(f"{path} lists one photo twice, as {first_few([first, name])}; leave one of them out")
    found = {photo: photo if photo in images else paths[photo] for photo in photos if photo in images or photo in paths}
    taken = set(found.values())
    listed = {composed(place): name for place, name in paths.items() if name not in taken}
    found |= {photo: listed.pop(composed(photo)) for photo in photos
              if photo not in found and composed(photo) in listed}
    rest = [photo for photo in photos if photo not in found]
    by_end = _by_last_part(listed)
    missing = [photo for photo in rest if _last_part(photo) not in by_end]
    if missing:
        raise ValueError(f"{path} does not list {counted(len(missing), 'photo')} of {len(photos):,}, such as "
                         f"{first_few(missing)}; give the annotation file of these photos, or a folder that holds only "
                         "photos that it lists")
    for end, same in _by_last_part(rest).items():
        if len(same) > 1 or len(by_end[end]) > 1:
            raise ValueError(f"{path} does not tell photos of the same name apart: {first_few(same)} may be its "
                             f"{first_few(by_end[end])}; give the folder from which its file_name starts")
        found[same[0]] = listed[by_end[end][0]]
    used = set(found.values())
    return CocoIds({photo: images[name] for photo, name in found.items()},
                   {name: _category(name, categories, path) for name in classes},
                   [name for name in images if name not in used])


def coco_set(photos: Sequence[Mapping[str, Any]], classes: Sequence[str], detector: str,
             threshold: float) -> dict[str, Any]:
    """A set of COCO with all detections as annotations; ids count from 1.

    photos: as `FolderDetections.photos`.  detector: name of its file.
    """
    codes = {name: code for code, name in enumerate(classes, 1)}
    found = [(number, one) for number, photo in enumerate(photos, 1) for one in photo["detections"]]
    return {
        "info": {"description": "objects found by scenefit detect", "detector": detector, "threshold": threshold,
                 "min_score": MIN_SCORE, "meaning": MEANING},
        "categories": [{"id": code, "name": name} for name, code in codes.items()],
        "images": [{"id": number, **{key: photo[key] for key in ("file_name", "width", "height")}}
                   for number, photo in enumerate(photos, 1)],
        "annotations": [{"id": number, "image_id": image, "category_id": codes[one["category"]], "bbox": one["bbox"],
                         "area": round(one["bbox"][2] * one["bbox"][3], 2), "iscrowd": 0, "score": one["score"]}
                        for number, (image, one) in enumerate(found, 1)]}


def coco_results(photos: Sequence[Mapping[str, Any]], ids: CocoIds) -> list[dict[str, Any]]:
    """All detections as COCO's results, with the ids of an annotation file. photos: as in `coco_set`."""
    return [{"image_id": ids.image[photo["file_name"]], "category_id": ids.category[one["category"]],
             "bbox": one["bbox"], "score": one["score"]} for photo in photos for one in photo["detections"]]


def to_lines(value: dict[str, Any] | list[Any], path: Path) -> str:
    """JSON text of a set or of results, with a line for each entry of a list.  path: of the file, for errors."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(to_json(entry, path) for entry in value) + "\n]"
    own = {key: to_lines(part, path) if isinstance(part, list) else to_json(part, path) for key, part in value.items()}
    return "{\n" + ",\n".join(f'"{key}": {text}' for key, text in own.items()) + "\n}"


def _last_part(name: str) -> str:
    return composed(name).rpartition("/")[2]


def _by_last_part(names: Sequence[str] | Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_last_part(name), []).append(name)
    return found


def _category(name: str, categories: Sequence[tuple[str, Any]], path: Path) -> Any:
    """The id of a class. ValueError where there is none, or more than one."""
    ids = [number for other, number in categories if other == name]
    if not ids:
        raise ValueError(f"{path} has no category {name}, which the detector finds; its categories are "
                         f"{first_few([other for other, _ in categories]) or 'none'}; give the category this name "
                         "there, or train the detector on labels that name it so")
    if len(ids) > 1:
        raise ValueError(f"{path} has {len(ids)} categories of the name {name}, with the ids "
                         f"{first_few([str(number) for number in ids])}; leave all but one of them out")
    return ids[0]
