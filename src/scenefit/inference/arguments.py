"""Checks of what a fit is called with, before any work, and the `Problem` that it makes."""

from collections.abc import Mapping
from typing import Any

from scenefit.data.label_policy import LabelPolicy
from scenefit.data.photos import as_labelled, as_photos
from scenefit.files.caller import warn
from scenefit.inference.settings import Settings
from scenefit.inference.stages.problem import Problem
from scenefit.metrics.device import check_device
from scenefit.metrics.features import Extractor
from scenefit.renderers import Renderer, renderer_info
from scenefit.renderers.batches import frame_size
from scenefit.renderers.device import renderer_on
from scenefit.scenes.arguments import check_argument, check_renderer, check_seed, is_function
from scenefit.scenes.grammar import Grammar
from scenefit.tasks import Task
from scenefit.tasks.from_labels import renders_to_choose, task_for_labels

CALL = "fit(grammar, renderer, real, labelled=None)"


def check_fit(grammar: Any, renderer: Any, labelled: Any, seed: Any, settings: Any, task: Any, features: Any,
              label_policy: Any, state: Any) -> None:
    """ValueError, naming the argument and what it takes; a warning for a task that is not used. Photos are checked
    where they are read, and the parts of a task where it is used."""
    check_argument(CALL, "grammar", grammar, isinstance(grammar, Grammar), "a scenefit.Grammar")
    check_renderer(CALL, renderer)
    check_seed(CALL, seed)
    check_argument(CALL, "settings", settings, isinstance(settings, Settings),
                   "scenefit.Settings(...), in which a method alone goes as Settings(method=...)")
    check_argument(CALL, "task", task, task is None or hasattr(task, "labels"),
                   'a task, such as scenefit.Detect(("coin",)) or scenefit.Classify(("cat", "dog")), or None, which '
                   "chooses one by the labels")
    check_argument(CALL, "features", features, features is None or is_function(features),
                   "a function from images [N, 3, H, W] to features [N, F], or None")
    check_argument(CALL, "label_policy", label_policy, label_policy is None or isinstance(label_policy, LabelPolicy),
                   "scenefit.LabelPolicy(...), or None")
    if state is not None and not (isinstance(state, Mapping) and "piece" in state):
        raise ValueError(f"state needs the `state` of a Step, got {type(state).__name__} without a step's number")
    check_learned(grammar)
    check_device("settings.device", settings.device)
    if task is not None and labelled is None:
        warn("task is not used: it needs labelled photos, which it is evaluated on; give labelled=, or leave task out")


def check_learned(grammar: Grammar) -> None:
    """ValueError for a grammar without a learned attribute."""
    if not (grammar.learned or grammar.learned_heads):
        raise ValueError("nothing to learn: mark attributes with learned(...), e.g. learned(Uniform(0, 1))")


def prepared(grammar: Grammar, renderer: Renderer, real: Any, labelled: Any, seed: int, settings: Settings,
             task: Task | None, features: Extractor | None, label_policy: LabelPolicy | None) -> tuple[Problem, int]:
    """The problem, and how many images were rendered for it. Arguments are those of `fit`."""
    renderer, size = renderer_on(renderer, settings.device), frame_size(grammar, renderer)
    few, photos = as_labelled(labelled, size), as_photos(real, size, settings.max_photos)
    rendered = int(renderer_info(renderer).size is None) + getattr(settings.chosen, "prepared", 0)  # to see their size
    if few is None or settings.task.gradient == "none":
        task = None
    elif task is None:
        task = task_for_labels(few, grammar, renderer, settings.device)
        rendered += renders_to_choose(few)
    return Problem(grammar, renderer, photos, few, task, features, label_policy, settings.budget(), seed,
                   settings.device), rendered
