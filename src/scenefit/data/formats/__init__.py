"""Data-set formats. One is a `Format`: two functions and a name; write your own and pass it."""

from collections.abc import Callable

from scenefit.data.formats.coco import coco_format
from scenefit.data.formats.folder import FOLDER
from scenefit.data.formats.format import Format
from scenefit.data.formats.kitti import kitti_format
from scenefit.data.formats.voc import voc_format
from scenefit.data.formats.yolo import yolo_format
from scenefit.data.label_policy import LabelPolicy, label_boxes

__all__ = ["FORMATS", "Format", "LabelPolicy", "as_format", "coco_format", "kitti_format", "label_boxes", "voc_format",
           "yolo_format"]

OF_OBJECTS: dict[str, Callable[[LabelPolicy | None], Format]] = {
    "coco": coco_format, "yolo": yolo_format, "voc": voc_format, "kitti": kitti_format}
FORMATS = {form.name: form for form in (FOLDER, *(make(None) for make in OF_OBJECTS.values()))}


def as_format(form: Format | str, label_policy: LabelPolicy | None = None) -> Format:
    """A Format unchanged, or one of `FORMATS` by its name, with a label policy.

    ValueError for an unknown name, and for a label policy where there are no objects or the Format has its own.
    """
    if isinstance(form, Format):
        if label_policy is not None:
            raise ValueError(f"label_policy needs a format given by its name; this {form.name} has its own policy")
        return form
    if form not in FORMATS:
        raise ValueError(f"no format {form!r}; there are {', '.join(FORMATS)}, or pass a scenefit.data.formats.Format")
    if label_policy is None:
        return FORMATS[form]
    if form not in OF_OBJECTS:
        raise ValueError(f"the format {form} has labels of whole images, and a label policy selects objects; formats "
                         f"of objects are {', '.join(OF_OBJECTS)}")
    return OF_OBJECTS[form](label_policy)
