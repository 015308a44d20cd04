"""Data-set formats. One is a `Format`: two functions and a name; write your own and pass it."""

from collections.abc import Callable

from scenefit.data.formats.cityscapes import cityscapes_format
from scenefit.data.formats.coco import coco_format, coco_seg_format
from scenefit.data.formats.folder import folder_format
from scenefit.data.formats.format import Format
from scenefit.data.formats.kitti import kitti_format
from scenefit.data.formats.voc import voc_format
from scenefit.data.formats.voc_masks import masks_format
from scenefit.data.formats.yolo import yolo_format, yolo_seg_format
from scenefit.data.label_policy import LabelPolicy, label_boxes

__all__ = ["FORMATS", "Format", "LabelPolicy", "as_format", "cityscapes_format", "coco_format", "coco_seg_format",
           "folder_format", "kitti_format", "label_boxes", "masks_format", "voc_format", "yolo_format",
           "yolo_seg_format"]

OF_OBJECTS: dict[str, Callable[..., Format]] = {
    "coco": coco_format, "yolo": yolo_format, "voc": voc_format, "kitti": kitti_format, "coco-seg": coco_seg_format,
    "yolo-seg": yolo_seg_format, "masks": masks_format, "cityscapes": cityscapes_format}
ONLY_PNG = {"kitti": "KITTI", "cityscapes": "Cityscapes"}
FORMATS = {form.name: form for form in (folder_format(), *(make() for make in OF_OBJECTS.values()))}


def as_format(form: Format | str, label_policy: LabelPolicy | None = None, image_format: str = "png") -> Format:
    """A Format unchanged, or one of `FORMATS` by its name, with a label policy, and images as "png" or "jpg".

    ValueError for an unknown name; for a label policy where there are no objects; for JPEG where readers expect PNG;
    for either where the Format has its own.
    """
    changed = {"label_policy": label_policy is not None, "image_format": image_format != "png"}
    if isinstance(form, Format):
        for name in (name for name, given in changed.items() if given):
            raise ValueError(f"{name} needs a format given by its name; this {form.name} has its own")
        return form
    if form not in FORMATS:
        raise ValueError(f"no format {form!r}; there are {', '.join(FORMATS)}, or pass a scenefit.data.formats.Format")
    if form not in OF_OBJECTS and label_policy is not None:
        raise ValueError(f"the format {form} has labels of whole images, and a label policy selects objects; formats "
                         f"of objects are {', '.join(OF_OBJECTS)}")
    if form in ONLY_PNG and changed["image_format"]:
        raise ValueError(f"the images of {ONLY_PNG[form]} are PNG, which its readers expect, got "
                         f"image_format={image_format!r}; leave it out, or choose another format")
    if not any(changed.values()):
        return FORMATS[form]
    images = {"ending": image_format} if changed["image_format"] else {}
    return OF_OBJECTS[form](label_policy, **images) if form in OF_OBJECTS else folder_format(**images)
