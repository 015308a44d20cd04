"""Checks of what a fit is called with, before any work."""

from typing import Any

from scenefit.data.label_policy import LabelPolicy
from scenefit.files.caller import warn
from scenefit.inference.settings import Settings
from scenefit.scenes.arguments import check_argument, check_renderer, check_seed, is_function
from scenefit.scenes.grammar import Grammar

CALL = "fit(grammar, renderer, real, labelled=None)"


def check_fit(grammar: Any, renderer: Any, labelled: Any, seed: Any, settings: Any, task: Any, features: Any,
              label_policy: Any) -> None:
    """ValueError, naming the argument and what it takes; a warning for a task without use. Photos are checked
    where they are read, and the parts of a task where it is used."""
    check_argument(CALL, "grammar", grammar, isinstance(grammar, Grammar), "a scenefit.Grammar")
    check_renderer(CALL, renderer)
    check_seed(CALL, seed)
    check_argument(CALL, "settings", settings, settings is None or isinstance(settings, Settings),
                   "scenefit.Settings(...), in which a method alone goes as Settings(method=...)")
    check_argument(CALL, "task", task, task is None or hasattr(task, "labels"),
                   'a task, such as scenefit.Detect(("coin",)) or scenefit.Classify(("cat", "dog")), or None, which '
                   "chooses one by the labels")
    check_argument(CALL, "features", features, features is None or is_function(features),
                   "a function from images [N, 3, H, W] to features [N, F], or None")
    check_argument(CALL, "label_policy", label_policy, label_policy is None or isinstance(label_policy, LabelPolicy),
                   "scenefit.LabelPolicy(...), or None")
    if task is not None and labelled is None:
        warn("task is not used: it needs labelled photos, which it is evaluated on; give labelled=, or leave task out")
