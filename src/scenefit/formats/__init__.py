"""Data-set formats. One is a `Format`: two functions and a name; write your own and pass it."""

from scenefit.formats.coco import coco_format
from scenefit.formats.folder import FOLDER
from scenefit.formats.format import Format, Keep

__all__ = ["FORMATS", "Format", "Keep", "as_format", "coco_format"]

FORMATS = {form.name: form for form in (FOLDER, coco_format())}


def as_format(form: Format | str) -> Format:
    """A Format as it is, or one of `FORMATS` by its name. ValueError for a name that is not among them."""
    if isinstance(form, Format):
        return form
    if form not in FORMATS:
        raise ValueError(f"no format {form!r}; there are {', '.join(FORMATS)}, or pass a scenefit.formats.Format")
    return FORMATS[form]
