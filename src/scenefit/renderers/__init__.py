"""Renderers: functions from scenes to labelled images, what they state about themselves, and the checked call."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np

from scenefit.data.frame_checks import check_ids, check_masks, class_array
from scenefit.data.frames import Frames
from scenefit.files.working_folder import users_working_folder
from scenefit.scenes.arguments import check_argument, check_renderer, describe_value
from scenefit.scenes.scene import SceneBatch
from scenefit.scenes.suggestions import did_you_mean

if TYPE_CHECKING:
    from torch import Tensor


CALL = "render(renderer, scenes)"
EXTENTS: Mapping[str, tuple[int, ...]] = {"amodal": (4,), "area": (), "inside": ()}  # shape of a row


class Renderer(Protocol):
    """A callable that turns scenes into frames, one frame a scene, in their order.

    It may have an attribute `info`, a `RendererInfo`: of a class `self.info` or a property, of a function
    `renderer.info = RendererInfo(size=(48, 64))` below its definition.
    """

    def __call__(self, scenes: SceneBatch) -> Frames: ...


@dataclass(frozen=True, eq=False)
class RendererInfo:
    """What is known of a renderer without calling it. Everything is optional; read it with `renderer_info`.

    size: (H, W) of its images in pixels; without it one scene is rendered to measure it.
    draw: scenes -> torch tensor [S, 3, H, W], float32 in 0..1, on the renderer's device, differentiable in those
    columns of the scenes that are torch tensors (see `SceneBatch.with_columns`); it enables pathwise gradients.
    attributes: kind of the root -> {kind: names of the attributes that the renderer uses}; it finds misspelt ones.
    parts: kinds that are drawn as parts of their parent and are no objects of their own.
    device: where it renders, such as "cpu".  to: device -> the same renderer there; None if it cannot choose.
    clutter: share of its images with foreign objects, which `cluttered` adds.
    ValueError unless size is two whole numbers >= 1.
    """

    size: tuple[int, int] | None = None
    draw: "Callable[[SceneBatch], Tensor] | None" = None
    attributes: Callable[[str], Mapping[str, frozenset[str]]] | None = None
    parts: Sequence[str] = ()
    device: str = "cpu"
    to: Callable[[str], Renderer] | None = None
    clutter: float = 0.0

    def __post_init__(self) -> None:
        if self.size is not None:
            check_size("RendererInfo", self.size)

    @property
    def differentiable(self) -> bool:
        return self.draw is not None


NO_INFO = RendererInfo()


def renderer_info(renderer: Renderer) -> RendererInfo:
    """The `info` of a renderer, an empty one where it has none. TypeError if it is no RendererInfo."""
    info = getattr(renderer, "info", NO_INFO)
    if not isinstance(info, RendererInfo):
        raise RendererTypeError(f"{renderer_name(renderer)}.info must be a scenefit.RendererInfo, got "
                                f"{type(info).__name__}")
    return info


def renderer_name(renderer: Any) -> str:
    """Name of a function, or of the class of an object, for messages."""
    return str(getattr(renderer, "__name__", type(renderer).__name__))


class RenderError(RuntimeError):
    """Scenes that could not be drawn. seed, indices: which.  scenes: the scenes, None if another process has them."""

    def __init__(self, reason: str, seed: int, indices: Any, scenes: SceneBatch | None = None):
        self.reason, self.seed, self.indices = reason, int(seed), tuple(int(i) for i in indices)
        self.scenes = scenes
        super().__init__(f"{name_scenes(self.seed, self.indices)}: {reason}; replay with: "
                         f"grammar.sample({self.seed}, {list(self.indices)}), or, for scenes of a learned "
                         "distribution, error.scenes")

    def __reduce__(self) -> tuple[Any, ...]:
        return RenderError, (self.reason, self.seed, self.indices), {"__notes__": getattr(self, "__notes__", [])}


class RendererTypeError(TypeError):
    """A renderer whose `info`, or what it names, is not of the kind that it has to be."""


class GrammarMismatch(ValueError):
    """A renderer that does not fit the grammar, whatever the scene."""


def unknown_kind(what: str, kind: str, kinds: Sequence[str]) -> GrammarMismatch:
    """An error for a kind that the grammar lacks. what: where the renderer names it, such as "Shapes draws"."""
    return GrammarMismatch(f"{what} {kind!r}, but no symbol of the grammar is named {kind}: there are {list(kinds)}"
                           f"{did_you_mean(kind, kinds)}")


def check_size(who: str, size: Any) -> None:
    """ValueError unless size is (height, width), whole numbers >= 1."""
    try:
        good = len(size) == 2 and all(operator.index(length) >= 1 for length in size)
    except TypeError:
        good = False
    if not good:
        raise ValueError(f"{who} needs size=(height, width), both whole numbers >= 1, got {size!r}")


def name_scenes(seed: int, indices: Any) -> str:
    """"scene 17 of seed 0", "scenes 3, 4, 5, ... 66 (64) of seed 0"."""
    names = [str(int(i)) for i in indices]
    if len(names) > 6:
        names = [", ".join([*names[:3], "..."]) + f" {names[-1]} ({len(indices)})"]
    return f"scene{'s' if len(indices) != 1 else ''} {', '.join(names)} of seed {seed}"


def render(renderer: Renderer, scenes: SceneBatch) -> Frames:
    """renderer(scenes), checked.

    RenderError, naming the scenes, where it raises or returns what does not fit; GrammarMismatch as it is. ValueError
    where one of the arguments is something else.  A renderer that changes the working folder changes it for itself
    alone.
    """
    check_renderer(CALL, renderer)
    check_argument(CALL, "scenes", scenes, isinstance(scenes, SceneBatch), "scenes, as grammar.sample(seed, 8) returns")
    with users_working_folder():
        return _render(renderer, scenes)


def _render(renderer: Renderer, scenes: SceneBatch) -> Frames:
    try:
        frames = renderer(scenes)
    except (RenderError, GrammarMismatch, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit and those of the user's own, too
        _blame(renderer, scenes, error)
    reason = _misfit(renderer, scenes, frames)
    if reason:
        raise RenderError(f"{_name(renderer)} {reason}", scenes.seed, scenes.index, scenes)
    return frames


def _blame(renderer: Renderer, scenes: SceneBatch, error: BaseException) -> NoReturn:
    """Halve the batch until one scene that fails is left; then raise RenderError."""
    while len(scenes) > 1:
        rows = np.arange(len(scenes))
        for part in np.array_split(rows, 2):
            half = scenes.take(part)
            try:
                renderer(half)
            except KeyboardInterrupt:
                raise
            except BaseException as found:
                scenes, error = half, found
                break
        else:
            raise RenderError(f"{_name(renderer)} raised {_text(error)}; each half of these scenes can be drawn on its "
                              "own", scenes.seed, scenes.index, scenes) from error
    raise RenderError(f"{_name(renderer)} raised {_text(error)}", scenes.seed, scenes.index, scenes) from error


def _misfit(renderer: Renderer, scenes: SceneBatch, frames: Any) -> str:
    """What is wrong with the frames that a renderer returned, "" if nothing."""
    if not isinstance(frames, Frames):
        return (f"must return Frames (scenefit.make_frames makes them), got {_returned(frames)}; if it draws one "
                "scene at a time, decorate it with @scenefit.each")
    count, images = len(scenes), frames.images
    if not (isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.ndim == 4 and images.shape[3] == 3):
        return (f"must return uint8 images [{count}, H, W, 3], got {getattr(images, 'dtype', type(images).__name__)} "
                f"{list(np.shape(images))}; scenefit.make_frames converts and checks")
    if len(images) != count:
        return f"returned {len(images)} images for {count} scenes"
    size = renderer_info(renderer).size
    if size is not None and tuple(size) != images.shape[1:3]:
        return (f"has info.size {tuple(size)} (height, width), but returned images of "
                f"{images.shape[1:3]}; set info.size to what it returns, or leave it out")
    if not isinstance(frames.scenes, SceneBatch):
        return f"must return frames of the scenes that it was called with, got {describe_value(frames.scenes)}"
    if frames.scenes.seed != scenes.seed or not np.array_equal(frames.scenes.index, scenes.index):
        return f"returned frames of other scenes: {name_scenes(frames.scenes.seed, frames.scenes.index)}"
    if missing := _missing(frames):
        return f"must return {missing}; scenefit.make_frames fills in what is not given"
    try:
        return _misfit_label(frames, count) or _misfit_pixels(frames) or _misfit_nodes(scenes, frames)
    except ValueError as error:
        return f"returned frames that do not fit: {error}"


def _returned(value: Any) -> str:
    """What a renderer returned instead of frames, with the fix of the likely mistake."""
    if value is None:
        return "None (does it lack its return?)"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)} (return scenefit.make_frames(scenes, images, instances))"
    return type(value).__name__


def _missing(frames: Frames) -> str:
    """What every Frames has and this one lacks."""
    if not (isinstance(frames.pixels, Mapping) and "instances" in frames.pixels):
        return "pixels with 'instances', the node seen in each pixel"
    classes = frames.nodes.get("class", {}) if isinstance(frames.nodes, Mapping) else {}
    lacking = [kind for kind in frames.scenes.tables if not isinstance(classes, Mapping) or kind not in classes]
    return f"nodes with the 'class' of {', '.join(lacking)}" if lacking else ""


def _misfit_label(frames: Frames, count: int) -> str:
    label = frames.label
    if not (isinstance(label, np.ndarray) and label.ndim == 1 and label.dtype.kind == "U"):
        return f"must return {count} labels as an array of texts, '' for none, got {describe_value(label)}"
    return f"must return {count} labels, got {len(label)}" if len(label) != count else ""


def _misfit_pixels(frames: Frames) -> str:
    """ValueError for ids that no node of their scene has."""
    shape = frames.images.shape[:3]
    for name, values in frames.pixels.items():
        if np.shape(values)[:3] != shape or getattr(values, "dtype", np.dtype(object)).kind not in "biuf":
            return (f"must return pixels {name!r} {list(shape)}, got {list(np.shape(values))}"
                    if np.ndim(values) else f"must return an array of pixels {name!r}, got {describe_value(values)}")
    check_ids(frames.scenes, check_masks(frames.instances, shape, "the images"))
    return ""


def _misfit_nodes(scenes: SceneBatch, frames: Frames) -> str:
    """ValueError for classes that are no texts."""
    for name, columns in frames.nodes.items():
        if not isinstance(columns, Mapping):
            return f"must return nodes {name!r} as a dictionary of kinds, got {describe_value(columns)}"
        for kind, values in columns.items():
            nodes = len(scenes.tables[kind]) if kind in scenes.tables else 0
            if not isinstance(values, np.ndarray) or values.ndim == 0 or values.dtype.kind not in "biufU":
                return f"must return {name} of {kind} as an array of numbers or texts, got {describe_value(values)}"
            if len(values) != nodes:
                return f"returned {len(values)} rows of {name} for the {nodes} nodes of {kind}"
            if name == "class" and class_array(f"a class of {kind}", values).dtype != values.dtype:
                return f"must return the class of {kind} as texts, got {values.dtype}"
            if name in EXTENTS and (values.shape[1:] != EXTENTS[name] or values.dtype.kind == "U"):
                return (f"must return {name} of {kind} as numbers {[nodes, *EXTENTS[name]]}, got {values.dtype} "
                        f"{list(values.shape)}")
    return ""


def _name(renderer: Any) -> str:
    name = renderer_name(renderer)
    return "the renderer" if name == "renderer" else f"renderer {name}"


def _text(error: BaseException) -> str:
    hint = " (a function that draws one scene at a time needs the decorator @scenefit.each)"
    whole = isinstance(error, AttributeError) and isinstance(error.obj, SceneBatch)
    return f"{type(error).__name__}: {error}{hint if whole else ''}"
