"""Options that several commands share, and how their values become arguments of the library."""

import functools
import inspect
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from scenefit.files.caller import warn
from scenefit.files.text import counted, printable
from scenefit.scenes.suggestions import did_you_mean

if TYPE_CHECKING:
    from scenefit.data.formats import LabelPolicy
    from scenefit.data.photos import Photos
    from scenefit.inference.settings import Settings
    from scenefit.renderers import Renderer
    from scenefit.renderers.scene_file import SceneFile
    from scenefit.run.folder import Run
    from scenefit.tasks.training.dense_prediction import DensePrediction

DEVICES = ("auto", "cpu", "cuda")
APART = "give a folder that holds only photos, or move the run elsewhere"
ELSEWHERE = "give --out a folder elsewhere"
RESUME = "Stopped. Run the same command again to resume."

SceneArgument = Annotated[Path, typer.Argument(metavar="SCENE.py", help="A Python file that defines grammar and "
                                               "renderer. It is executed.", show_default=False)]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished fit.", show_default=False)]
SceneOption = Annotated[Path | None, typer.Option("--scene", metavar="FILE", help="The scene file, if it has moved "
                                                  "since the fit.", show_default=False)]
CountOption = Annotated[int, typer.Option("-n", "--n", min=2, help="Scenes to render.")]
SheetOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the contact sheet.")]
DeviceOption = Annotated[str, typer.Option("--device", metavar="cpu|cuda|auto", help="Device of all networks and, if "
                                           "it can choose one, of the renderer. Results differ between devices in "
                                           "their last digits.")]
DetectorDeviceOption = Annotated[str, typer.Option("--device", metavar="cpu|cuda|auto", help="Device of the detector. "
                                                   "Results differ between devices in their last digits.")]
LabelledOption = Annotated[Path | None, typer.Option("--labelled", metavar="DIR", show_default=False,
                                                     help="Labelled photos: one subfolder per class; or a data set of "
                                                     "boxes (COCO, YOLO, Pascal VOC or KITTI) or of class masks "
                                                     "(images, Cityscapes), or a list file in one.")]
LayoutOption = Annotated[str | None, typer.Option("--layout", metavar="coco|yolo|voc|kitti|masks|cityscapes|folder",
                                                  show_default=False,
                                                  help="Layout of the labelled photos, if it is ambiguous. "
                                                  "folder: one subfolder per class.")]
TaskOption = Annotated[str | None, typer.Option("--task", metavar="detection|segmentation", help="What the labelled "
                                                "photos evaluate, where they have boxes and class masks.",
                                                show_default="by their labels; detection where they have both")]
OutsideOption = Annotated[bool, typer.Option("--outside", help="Allow labels and lists to name photos outside of their "
                                             "data set's folder.")]
ReadPolicyOption = Annotated[bool, typer.Option("--read-policy/--no-read-policy", help="Read the label policy of the "
                                                "renders from the --labelled photos.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, max=2**64 - 1, help="The same seed gives the same bytes.")]

LABEL_OPTIONS: dict[str, tuple[Any, Any]] = {  # name in `LabelPolicy` -> type, and None: not typed
    "min_pixels": (Annotated[int | None, typer.Option("--min-pixels", show_default="4", help="Label objects with at "
                                                      "least this many visible pixels.")], None),
    "min_visibility": (Annotated[float | None, typer.Option("--min-visibility", show_default="0.05", help="... of "
                                                            "which at least this fraction is visible.")], None),
    "min_side": (Annotated[int | None, typer.Option("--min-side", show_default="1", help="... whose visible part is at "
                                                    "least this many pixels wide and high.")], None),
    "max_truncation": (Annotated[float | None, typer.Option("--max-truncation", show_default="1", help="... of which "
                                                            "at most this fraction lies outside the image.")], None),
    "min_contrast": (Annotated[float | None, typer.Option("--min-contrast", show_default="0", help="... with at least "
                                                          "this contrast to their surroundings, 0 to 1; 0.06 leaves "
                                                          "out objects that are hard to see.")], None),
    "box": (Annotated[str | None, typer.Option("--box", metavar="visible|amodal", show_default="visible",
                                               help="Boxes around the visible part, or around the whole object; choose "
                                               "what the labels of your photos do.")], None),
    "margin": (Annotated[float | None, typer.Option("--margin", show_default="0", help="Widen boxes on each side by "
                                                    "this fraction of their width, and heighten them likewise; "
                                                    "hand-drawn boxes have about 0.05, and those that leave out a soft "
                                                    "edge less than 0.")], None),
    "mask_margin": (Annotated[float | None, typer.Option("--mask-margin", show_default="0", help="Widen class masks by "
                                                         "so many pixels; below 0 they become narrower.")], None),
    "mask_border": (Annotated[float | None, typer.Option("--mask-border", show_default="0", help="Ignore so many "
                                                         "pixels along the outlines of class masks, as Pascal VOC's "
                                                         "masks do.")], None),
    "by_class": (Annotated[list[str] | None, typer.Option("--for-class", metavar="CLASS:OPTION=VALUE",
                                                          show_default=False, help="One of these options for one "
                                                          "class, such as RBC:margin=0.1 or "
                                                          "RBC:min-visibility=0.5; may be repeated.")], None)}
OF_CLASSES = [name for name in LABEL_OPTIONS if name not in ("by_class", "mask_margin", "mask_border")]


WORKER_OPTIONS: dict[str, tuple[Any, Any]] = {  # name in `Workers` -> type and default
    "workers": (Annotated[int, typer.Option("--workers", min=0, help="Processes that render; 0 renders in this "
                                            "process, which cannot stop a renderer that hangs. The images are the "
                                            "same.")], 0),
    "timeout": (Annotated[float | None, typer.Option("--timeout", min=0.001, metavar="SECONDS", show_default="300",
                                                     help="With --workers: what up to 64 scenes, which a process draws "
                                                     "at a time, may take together; then the renderer counts as "
                                                     "hanging.")], None),
    "recycle": (Annotated[int | None, typer.Option("--recycle", min=1, metavar="SCENES", show_default=False,
                                                   help="With --workers: replace each process after so many scenes "
                                                   "(rounded up to a multiple of 64), for a renderer that leaks "
                                                   "memory. The images are the same.")], None)}


@dataclass(frozen=True)
class Workers:
    """The worker processes that a command draws in; see `scenefit.renderers.processes.Pool`."""

    workers: int = 0
    timeout: float | None = None
    recycle: int | None = None

    def __post_init__(self) -> None:
        given = [f"--{name}" for name in ("timeout", "recycle") if getattr(self, name) is not None]
        if given and not self.workers:
            raise typer.BadParameter(f"{' and '.join(given)}: only for worker processes; give --workers 1 or more, too")


NO_WORKERS = Workers()


def worker_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator of commands: adds the options of `Workers`, and hands them over as one argument, workers."""
    return grouped(command, "workers", WORKER_OPTIONS, lambda given: Workers(**given))


def label_options(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator of commands: adds the options of `LabelPolicy`, and hands them over as one argument, label_policy.

    It is None where none was typed; an option that was typed counts, also with its default. BadParameter, naming the
    option that is wrong.
    """
    return grouped(command, "label_policy", LABEL_OPTIONS, _label_policy)


def grouped(command: Callable[..., None], name: str, options: Mapping[str, tuple[Any, Any]],
             make: Callable[[dict[str, Any]], Any]) -> Callable[..., None]:
    """The command with options in the place of its argument `name`, which becomes what `make` makes of them."""
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name != name:
            parameters.append(parameter)
            continue
        parameters += [inspect.Parameter(option, parameter.KEYWORD_ONLY, default=default, annotation=type_)
                       for option, (type_, default) in options.items()]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        made = make({option: given.pop(option) for option in options})
        command(**given, **{name: made})

    ordered = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in parameters]
    run.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    return run


def typed(context: typer.Context, names: Collection[str]) -> str:
    """Which of the options of these names were typed, in their order: "--real, --seed"; "" for none."""
    sources = {name: context.get_parameter_source(name) for name in context.params if name in names}
    return ", ".join("--" + name.replace("_", "-") for name, origin in sources.items()
                     if origin is not None and origin.name == "COMMANDLINE")


def unused_options(context: typer.Context, names: Collection[str], labels: str) -> str:
    """That the options of these names which were typed do nothing; "" where none was. labels: what they are, in
    words."""
    given = typed(context, names)
    return f"{given}: not used, as the labels are {labels}." if given else ""


def _label_policy(values: dict[str, Any]) -> "LabelPolicy | None":
    from scenefit.data.formats import LabelPolicy

    given = {name: value for name, value in values.items() if value not in (None, [])}
    if not given:
        return None
    try:
        return LabelPolicy(**{**given, "by_class": _by_class(given.get("by_class", ()))})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _by_class(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    out: dict[str, dict[str, Any]] = {}
    for text in texts:
        left, _, value = text.rpartition("=")
        name, _, option = left.rpartition(":")
        name, option, value = name.strip(), option.strip(), value.strip()
        field = option.replace("-", "_")
        if not (name and field in OF_CLASSES):
            raise ValueError(f"--for-class takes CLASS:OPTION=VALUE, such as RBC:margin=0.1, got {text!r}; options are "
                             f"{', '.join(one.replace('_', '-') for one in OF_CLASSES)}")
        if field in out.setdefault(name, {}):
            raise ValueError(f"--for-class gives {name}:{option} twice; give one value")
        out[name][field] = value if field == "box" else _number(text, value, field in ("min_pixels", "min_side"))
    return out


def _number(text: str, value: str, whole: bool) -> float | int:
    try:
        return int(value) if whole else float(value)
    except ValueError:
        raise ValueError(f"--for-class takes CLASS:OPTION=VALUE with a {'whole ' if whole else ''}number, got "
                         f"{text!r}") from None


def check_classes(policy: "LabelPolicy | None", names: Collection[str], count: int) -> None:
    """Warns of classes of --for-class that are not among names, the classes of labels in the first count renders."""
    unknown = sorted(set(policy.classes if policy else ()).difference(names))
    if names and unknown:
        warn(f"--for-class names {', '.join(unknown)}, and the labels of the first {count:,} renders are of "
             f"{', '.join(sorted(set(names)))}")


@contextmanager
def drawing(scene: "SceneFile", workers: Workers = NO_WORKERS, device: str = "cpu",
            networks: bool = False) -> Iterator["Renderer"]:
    """The scene file's renderer, on a device (resolved, see `resolve`) or spread over processes.

    networks: the command has networks too, so the device is theirs alone where the renderer cannot choose one, or draws
    in processes; otherwise both are errors.
    """
    one_thread()
    from scenefit.renderers import renderer_info, renderer_name

    info = renderer_info(scene.renderer)
    if networks and (workers.workers or info.to is None):
        device, info = "cpu", replace(info, to=None)
    if device != "cpu":
        if workers.workers:
            raise typer.BadParameter(f"--workers {workers.workers} and --device {device} exclude each other")
        if info.to is None:
            raise ValueError(f"--device {device}: the scene's {renderer_name(scene.renderer)} cannot choose its "
                             "device, as its info has no `to`; use --device cpu, or choose it in the scene file")
        yield info.to(device)
    elif workers.workers:
        from scenefit.renderers.processes import TIMEOUT, Pool

        with Pool(scene.path, workers.workers, workers.timeout or TIMEOUT, info, workers.recycle) as pool:
            yield pool
    else:
        yield scene.renderer


def one_thread() -> None:
    """Run PyTorch on one thread: sums over several threads depend on their number in the last digits, and small
    networks gain nothing from more; `--workers` is the way to use more cores."""
    import torch

    torch.set_num_threads(1)


def resolve(device: str) -> str:
    """ "cpu" or "cuda". ValueError if CUDA was asked for and is not available."""
    if device not in DEVICES:
        raise typer.BadParameter(f"--device must be one of {', '.join(DEVICES)}, got {device}")
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        reason = "this PyTorch is a CPU build" if torch.version.cuda is None else "PyTorch finds no GPU"
        raise ValueError(f"--device cuda: CUDA is not available ({reason}, version {torch.__version__}); use --device "
                         "cpu, or install PyTorch's CUDA build on a machine with an NVIDIA GPU")
    return "cpu"


def photos(folder: Path, size: tuple[int, int], max_photos: int | None = None, outside: bool = False) -> "Photos":
    """Photos of a folder, or of a list file in a data set, resized to size (height, width). Warns of each file that was
    skipped. ValueError for fewer than four photos."""
    from scenefit.data.image_files import name_skipped
    from scenefit.data.photos import read_photos

    found = read_photos(folder, size, max_photos, outside=outside)
    name_skipped(found.skipped)
    if len(found) < 4:
        raise ValueError(f"{folder} holds {counted(len(found), 'readable photo')}; learning a distribution needs at "
                         "least 4, and a few hundred to do it well")
    return found


class LabelledFolder(NamedTuple):
    """The values of --labelled, --layout and --outside: see `read_few`."""

    place: Path | None
    layout: str | None = None
    outside: bool = False

    def read(self, size: tuple[int, int], reader: "Callable[..., Photos] | None" = None) -> "Photos | None":
        """Photos with classes, boxes or class masks, resized as `photos` are; None where place is None. Warns of each
        file that was skipped. reader: in place of `read_few`."""
        if self.place is None:
            return None
        from scenefit.data.image_files import name_skipped
        from scenefit.data.photos import read_few

        found = (reader or read_few)(self.place, size, layout=self.layout, outside=self.outside)
        name_skipped(found.skipped)
        return found

    def of_task(self, size: tuple[int, int],
                task: str | None) -> "tuple[Photos | None, type[DensePrediction] | None]":
        """Photos with the labels of the task of this name, or with the first that they have, and the task; None for
        classes of whole photos. BadParameter for another name, and without photos; ValueError where they have no such
        labels."""
        from scenefit.tasks.trained import TASKS, kind_of, reader, task_kind

        if task is None:
            found = self.read(size)
            return found, kind_of(found)
        if task not in TASKS:
            raise typer.BadParameter(f"--task must be one of {', '.join(TASKS)}, got {task}")
        if self.place is None:
            raise typer.BadParameter("--task says what labelled photos evaluate; give some with --labelled, or leave "
                                     "it out")
        found = self.read(size, reader(task))
        return found, task_kind(found, task, self.place)


def keep_apart(run: Path, fix: str, real: Path | None = None, labelled: LabelledFolder | None = None,
               flat: Path | None = None) -> None:
    """BadParameter, ending in fix, if a run folder lies in a folder of photos, where its images would be read too.

    ValueError where labelled has no layout, or several: checked here, before the long work.
    """
    from scenefit.data.image_files import is_searched
    from scenefit.data.photos.layouts import CLASSES, find_layout

    few, layout, _ = labelled or LabelledFolder(None)
    of_boxes = few is not None and find_layout(few, layout) != CLASSES
    for name, folder in (("real", real), ("labelled", few), ("flat-field", flat)):
        if folder is None or not is_searched(folder, run) or (name == "labelled" and of_boxes):
            continue  # of a data set of boxes, only the photos that it lists are read
        raise typer.BadParameter(f"{run} lies in the folder of --{name}, {folder}, where its images would be read as "
                                 f"photos; {fix}")


def open_scene(run: "Run", given: Path | None) -> "SceneFile":
    """The run's scene file; warns if it has changed since the fit."""
    from scenefit.run.folder import scene_of

    scene, changes = scene_of(run, given)
    for text in changes:
        warn(text)
    return scene


def settings(method: str | None, options: Mapping[str, Any], others: Sequence[str]) -> "Settings":
    """Settings of a method from options by their paths (None: not given) and from "path=value" texts.

    BadParameter, naming what is wrong.
    """
    from scenefit.inference.settings import Settings, changed, flat

    try:
        base = Settings("auto" if method is None else method)
        known = {path: value for path, value in flat(base).items() if path not in options}
        given = {path: value for path, value in options.items() if value is not None}
        return changed(base, {**given, **dict(_setting(text, known, {*options, "method"}) for text in others)})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _setting(text: str, known: Mapping[str, Any], options: Collection[str]) -> tuple[str, Any]:
    """"path=value" as the path and a value of the type that the setting has. options: paths with an option of their
    own."""
    path, _, value = text.partition("=")
    if path in options:
        option = path.rpartition(".")[2].replace("_", "-")
        raise typer.BadParameter(f"--set {text}: {path} has an option of its own; give --{option} {value}".rstrip())
    if path not in known:
        raise typer.BadParameter(f"--set {text}: settings that can be set so are {', '.join(sorted(known))}"
                                 f"{did_you_mean(path, list(known))}")
    kind = float if known[path] is None else type(known[path])
    try:
        return path, kind(value)
    except ValueError:
        raise typer.BadParameter(f"--set {text}: {path} needs a value of type {kind.__name__}") from None


def command_line() -> str:
    """The command as it was typed, for the report."""
    return " ".join(["scenefit", *map(_quoted, sys.argv[1:])])


def _quoted(word: str) -> str:
    """A word of a command as a shell reads it back; one that is not UTF-8 as bash and zsh do."""
    plain = printable(word)
    return shlex.quote(word) if plain == word else "$'" + plain.replace("'", "\\'") + "'"
