"""A Python function that draws one scene, as a renderer of batches."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenefit.data.frame_checks import check_mapping, check_masks, class_name, to_uint8
from scenefit.data.frames import Frame, Frames, make_frames
from scenefit.renderers import Renderer, RenderError, renderer_name
from scenefit.scenes.arguments import check_argument, describe_value
from scenefit.scenes.scene import Scene, SceneBatch


def each(function: Callable[[Scene], Any]) -> Renderer:
    """Decorator: function(scene) -> `Frame`, or just an image, becomes a renderer of batches.

    The area of an object inside the image is estimated from the amodal box and area that the function gives, as the
    share of the box inside the image.  RenderError, naming the scene, where the function raises, or returns something
    else, NaN, or masks, boxes or a size that do not fit.  ValueError where it is no function.
    """
    check_argument("each(function)", "function", function, callable(function),
                   "a function of one scene, and stands above its def as @scenefit.each")

    @functools.wraps(function)
    def renderer(scenes: SceneBatch) -> Frames:
        drawn: list[Frame] = []
        for scene in scenes:
            try:
                drawn.append(_checked(function(scene), scene, drawn))
            except _Misfit as error:
                raise _named(function, scene, f"returned what does not fit: {error}") from error
            except (Exception, SystemExit) as error:
                raise _named(function, scene, f"raised {type(error).__name__}: {error}") from error
        return _stack(scenes, drawn)

    return renderer


def _named(function: Callable[..., Any], scene: Scene, text: str) -> RenderError:
    name = renderer_name(function)
    who = "the renderer" if name == "renderer" else f"renderer {name}"
    return RenderError(f"{who} {text}", scene.seed, [scene.index], scene.batch.take([scene.row]))


class _Misfit(ValueError):
    """What the function returned does not fit."""


def _checked(result: Any, scene: Scene, earlier: list[Frame]) -> Frame:
    """result as a Frame: image uint8 [H, W, 3], instances int32 [H, W], arrays in pixels, texts as classes, the rest
    dictionaries."""
    frame = result if isinstance(result, Frame) else Frame(result)
    try:
        for name in ("classes", "amodal", "area", "pixels", "nodes"):
            check_mapping(name, getattr(frame, name))
        for name, values in (frame.nodes or {}).items():
            check_mapping(name, values)
        image = _image(frame.image, earlier)
        nodes = sum(int((table.scene == scene.row).sum()) for table in scene.batch.tables.values())
        masks = _masks(frame.instances, image.shape[:2], nodes)
        label = None if frame.label is None else class_name("the label of its image", frame.label)
        classes = {node: class_name(f"the class of node {node}", name) for node, name in (frame.classes or {}).items()}
    except _Misfit:
        raise
    except ValueError as error:
        raise _Misfit(str(error)) from None
    amodal, area, more = frame.amodal or {}, frame.area or {}, frame.nodes or {}
    for name, part in (("classes", classes), ("amodal", amodal), ("area", area), *more.items()):
        wrong = [key for key in part if key not in range(1, nodes)]
        if wrong:
            raise _Misfit(f"{name} names node {wrong[0]}, but the objects are 1..{nodes - 1}; use node.id")
    _check_extents(amodal, area)
    pixels = {name: np.asarray(values) for name, values in (frame.pixels or {}).items()}
    checked = Frame(image, masks, label, classes, amodal, area, pixels, more)
    _check_pixels(checked, earlier)
    _check_nodes(checked, earlier)
    return checked


def _masks(instances: Any, shape: tuple[int, ...], nodes: int) -> NDArray[np.int32]:
    """Node ids [H, W]. nodes: number of the scene's."""
    if instances is None:
        return np.zeros(shape, np.int32)
    masks = check_masks(instances, shape, "the image")
    if masks.size and (masks.min() < 0 or masks.max() >= nodes):
        raise _Misfit(f"instances hold {int(masks.min())}..{int(masks.max())}, but the nodes are 0..{nodes - 1}; use "
                      "node.id, and 0 where there is none")
    return masks.astype(np.int32)


def _check_pixels(frame: Frame, earlier: list[Frame]) -> None:
    """Each scene gives the same further images, in the same shapes."""
    shapes, first = ({name: np.shape(values) for name, values in (one.pixels or {}).items()}
                     for one in (frame, earlier[0] if earlier else frame))
    for name, shape in shapes.items():
        if shape[:2] != frame.image.shape[:2]:
            raise _Misfit(f"pixels {name!r} need the shape of the image, {[*frame.image.shape[:2], '...']}, got "
                          f"{list(shape)}")
    if shapes != first:
        raise _Misfit(f"its pixels are {shapes}, but those of the first scene {first}; each scene gives the same ones")


def _check_nodes(frame: Frame, earlier: list[Frame]) -> None:
    """Each node has values of the same shape."""
    for name, values in (frame.nodes or {}).items():
        before = next((one.nodes[name] for one in earlier if one.nodes and one.nodes.get(name)), {})
        shapes = {np.shape(value) for value in (*values.values(), *list(before.values())[:1])}
        if len(shapes) > 1:
            raise _Misfit(f"{name} of its nodes have the shapes {sorted(shapes)}; all nodes need the same")


def _image(image: Any, earlier: list[Frame]) -> NDArray[np.uint8]:
    if image is None:
        raise _Misfit("a Frame or an image (uint8, or float in 0..1) is needed, got None; does the function lack its "
                      "return?")
    if isinstance(image, tuple):
        raise _Misfit(f"a Frame or an image (uint8, or float in 0..1) is needed, got a tuple of {len(image)}; return "
                      "scenefit.Frame(image, instances)")
    try:
        array = np.asarray(image)
        if array.dtype.kind not in "iubf":
            raise _Misfit("a Frame or an image (uint8, or float in 0..1) is needed, got "
                          f"{type(image).__name__ if array.dtype.kind == 'O' else describe_value(image)}")
        image = to_uint8(array)
    except (TypeError, ValueError) as error:
        raise _Misfit(str(error)) from error
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or image.size == 0:
        raise _Misfit(f"an image needs the shape [H, W] or [H, W, 3], got {list(image.shape)}")
    if earlier and image.shape[:2] != earlier[0].image.shape[:2]:
        raise _Misfit(f"its image is {list(image.shape[:2])}, but that of the first scene "
                      f"{list(earlier[0].image.shape[:2])}; a renderer draws all scenes at one size")
    return np.broadcast_to(image, (*image.shape[:2], 3))


def _check_extents(amodal: Mapping[int, Any], area: Mapping[int, float]) -> None:
    alone = set(amodal) ^ set(area)
    if alone:
        raise _Misfit(f"node {min(alone)} has {'an amodal box' if min(alone) in amodal else 'an area'} only; the whole "
                      "extent of an object is both amodal (its box) and area (its pixels)")
    for node, box in amodal.items():
        values = np.asarray(box, float)
        if values.shape != (4,) or not np.all(np.isfinite(values)) or np.any(values[2:] < values[:2]):
            raise _Misfit(f"the amodal box of node {node} needs x0 <= x1 and y0 <= y1, got {box}")
        if not (np.isfinite(area[node]) and area[node] >= 0):
            raise _Misfit(f"the area of node {node} needs a number >= 0, got {area[node]}")


def _stack(scenes: SceneBatch, drawn: list[Frame]) -> Frames:
    if not drawn:
        raise ValueError("each needs at least one scene, got an empty batch")
    height, width = drawn[0].image.shape[:2]
    classes, amodal, area, inside = {}, {}, {}, {}
    for kind, table in scenes.tables.items():
        nodes = list(zip(table.scene.tolist(), table.id.tolist(), strict=True))
        classes[kind] = np.array([(drawn[s].classes or {}).get(i, kind) for s, i in nodes], dtype=np.str_)
        none = (np.nan,) * 4
        amodal[kind] = np.array([(drawn[s].amodal or {}).get(i, none) for s, i in nodes], float).reshape(-1, 4)
        area[kind] = np.array([(drawn[s].area or {}).get(i, np.nan) for s, i in nodes], float)
        inside[kind] = area[kind] * _share(amodal[kind], height, width)
    pixels = {name: np.stack([(f.pixels or {})[name] for f in drawn]) for name in drawn[0].pixels or {}}
    return make_frames(scenes, np.stack([f.image for f in drawn]), np.stack([f.instances for f in drawn]),
                       label=["" if f.label is None else f.label for f in drawn], classes=classes, amodal=amodal,
                       area=area, inside=inside, pixels=pixels, nodes=_more_nodes(scenes, drawn))


def _more_nodes(scenes: SceneBatch, drawn: list[Frame]) -> dict[str, dict[str, NDArray[Any]]]:
    """name -> kind -> one row a node [n, ...]; NaN, or "" of texts, for nodes without a value."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for name in dict.fromkeys(name for frame in drawn for name in frame.nodes or {}):
        found[name] = {}
        for kind, table in scenes.tables.items():
            rows = [(drawn[s].nodes or {}).get(name, {}).get(i)
                    for s, i in zip(table.scene.tolist(), table.id.tolist(), strict=True)]
            given = [np.asarray(row) for row in rows if row is not None]
            if given:
                missing = np.full(given[0].shape, "" if given[0].dtype.kind == "U" else np.nan)
                found[name][kind] = np.stack([missing if row is None else np.asarray(row) for row in rows])
    return found


def _share(box: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """The part of each box [n, 4] that lies inside the image [n]."""
    edge = np.array([width, height])
    seen = np.clip(box[:, 2:], 0, edge) - np.clip(box[:, :2], 0, edge)
    whole = box[:, 2:] - box[:, :2]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (seen / whole).prod(axis=1)
    return np.where(np.isfinite(box).all(axis=1) & ~np.isfinite(share), 0.0, share)
