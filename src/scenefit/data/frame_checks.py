"""Checks of what renderers give: images, masks, classes, and labels of pixels and nodes.

Legend: S scenes; H, W pixels; n nodes of a kind.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.scenes.arguments import describe_value
from scenefit.scenes.scene import SceneBatch

IDS = "give each pixel the id of the node seen in it, instances[inside] = node.id, and 0 where there is none"


def to_uint8(images: Any) -> NDArray[np.uint8]:
    """uint8 as it is; float in 0..1 scaled and rounded. ValueError on NaN or values outside."""
    given, images = images, np.asarray(images)
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        got = describe_value(given) if images.dtype.kind == "O" or images.ndim == 0 else images.dtype
        whole = "; .astype(np.uint8) converts values from 0 to 255"
        fix = {"i": whole, "u": whole, "b": "; .astype(float) makes black and white of it"}.get(images.dtype.kind, "")
        raise ValueError(f"an image needs uint8, or float in 0..1, got {got}{fix}")
    if not np.all(np.isfinite(images)):
        raise ValueError("an image holds NaN or infinite values")
    if images.size and (images.min() < -1e-4 or images.max() > 1 + 1e-4):
        raise ValueError(f"a float image needs values in 0..1, got {images.min():.4g}..{images.max():.4g}; "
                         "divide by 255, clip, or return uint8")
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def check_masks(instances: Any, shape: tuple[int, ...], whose: str) -> NDArray[Any]:
    """Node ids of this shape, as an array of integers. ValueError for another shape or type. whose: "the images"."""
    masks = np.asarray(instances)
    if masks.shape != shape:
        raise ValueError(f"instances need the shape of {whose}, {list(shape)}, got {list(masks.shape)}")
    if masks.dtype.kind == "b":
        raise ValueError(f"instances are true or false, which names no object: all objects of a scene would become "
                         f"one; {IDS}")
    if masks.dtype.kind not in "iu":
        fix = "; .astype(int) converts them" if masks.dtype.kind == "f" else ""
        raise ValueError(f"instances need whole numbers (node ids, 0 for none), got {masks.dtype}{fix}")
    return masks


def check_ids(scenes: SceneBatch, masks: NDArray[Any]) -> None:
    """ValueError, naming the scene, for an id in masks [S, H, W] that no node of its scene has."""
    if masks.size == 0:
        return
    count = np.bincount(np.concatenate([table.scene for table in scenes.tables.values()]), minlength=len(scenes))
    unsigned = masks.view(masks.dtype.str.replace("i", "u"))  # negative ids are large ones: a single pass
    wrong = np.flatnonzero(unsigned.max(axis=(1, 2)) >= count.astype(np.uint64))
    if len(wrong):
        row = wrong[0]
        value = masks[row].min() if masks[row].min() < 0 else masks[row].max()
        raise ValueError(f"instances of scene {int(scenes.index[row])} hold {int(value)}, but its nodes are "
                         f"0..{int(count[row]) - 1}; use node.id, and 0 where there is none")


def class_name(what: str, value: Any) -> str:
    """A class as text. ValueError, naming what, unless it is a text, or a whole number, which becomes one."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"{what} is {describe_value(value)}, but a class needs a text, such as 'coin'; '' is for no "
                         "class")
    if value != (plain := " ".join(filter(None, value.strip().split(" ")))):
        raise ValueError(f"{what} is {value!r}, which differs from {plain!r} in its spaces only; write {plain!r}")
    return str(value)


def class_array(what: str, values: Any) -> NDArray[np.str_]:
    """Classes as an array of texts. ValueError as of `class_name`."""
    array = values if isinstance(values, np.ndarray) else np.asarray(values, object)
    if array.dtype.kind == "U":
        for name in set(array.ravel().tolist()):
            class_name(what, name)
        return array
    names = [class_name(what, value) for value in array.ravel().tolist()]
    return np.asarray(names, np.str_).reshape(array.shape)


def image_labels(label: Any, count: int) -> NDArray[np.str_]:
    """Class of each whole image [S], "" for None."""
    if label is None:
        return np.full(count, "")
    if isinstance(label, str | bytes) or not isinstance(label, Iterable):
        raise ValueError(f"label needs {count} classes, one a scene, got {describe_value(label)}")
    names = ["" if name is None else class_name("a label", name) for name in label]
    if len(names) != count:
        raise ValueError(f"label needs {count} classes, one a scene, got {len(names)}")
    return np.asarray(names, np.str_)


def check_mapping(name: str, given: Any) -> None:
    """ValueError for labels that are neither None nor a dictionary."""
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"{name} needs a dictionary, got {type(given).__name__}")


def more_pixels(given: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    """Further images as arrays [S, H, W, ...]. ValueError for a name that is taken, another shape, or no numbers."""
    if "instances" in given:
        raise ValueError("pixels names 'instances', which has an argument of its own: instances=")
    more = {name: np.asarray(values) for name, values in given.items()}
    for name, values in more.items():
        if values.shape[:3] != shape or values.dtype.kind not in "biuf":
            raise ValueError(f"pixels {name!r} needs numbers of the shape {[*shape, '...']}, one a pixel, got "
                             f"{values.dtype} {list(values.shape)}")
    return more


def one_per_pixel(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Such a further image of exactly this shape, as formats write it. ValueError for another."""
    if values.shape != shape:
        raise ValueError(f"pixels {name!r} needs the shape {list(shape)} to be written, got {list(values.shape)}")
    return values


def more_nodes(scenes: SceneBatch, given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Further labels of nodes as arrays: name -> kind -> [n, ...]. ValueError as of `by_kind`, or for a taken name."""
    for name in given:
        if name in known:
            raise ValueError(f"nodes names {name!r}, which has an argument of its own: "
                             f"{'classes' if name == 'class' else name}=")
    return {name: by_kind(scenes, f"nodes {name!r}", columns) for name, columns in given.items()}


def by_kind(scenes: SceneBatch, name: str, given: Mapping[str, Any] | None, dtype: type | None = None,
            row: tuple[int, ...] | None = None) -> dict[str, Any]:
    """kind -> values [n, *row], checked. None: any numbers or texts; rows of any shape. str: classes."""
    found = {}
    for kind, values in (given or {}).items():
        if kind not in scenes.tables:
            raise ValueError(f"{name} names the kind {kind!r}, but there are {list(scenes.tables)}")
        if dtype is str:
            values = class_array(f"a class of {kind}", values)
        else:
            values = np.asarray(values) if dtype is None else np.asarray(values).astype(dtype)
        if values.dtype.kind not in "biufU":
            raise ValueError(f"{name} of {kind} needs numbers or texts, got {values.dtype}")
        need = (len(scenes.tables[kind]), *(values.shape[1:] if row is None else row))
        if values.shape != need:
            raise ValueError(f"{name} of {kind} needs the shape {list(need)}, one row a node, got {list(values.shape)}")
        found[kind] = values
    return found
