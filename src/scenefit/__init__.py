"""scenefit learns the distribution of synthetic scenes from unlabelled photos (Meta-Sim), and writes labelled data.

    import scenefit as sf

    model = sf.fit(grammar, renderer, real="photos/", seed=0)
    sf.generate(model, renderer, 10_000, out="dataset/", format="coco")
"""

from importlib import import_module
from typing import Any

# Names are imported when first used, so that `import scenefit` is quick and needs no torch.
_HOME = {
    "Angle": "scenes.priors", "Choice": "scenes.priors", "Constant": "scenes.priors", "Integer": "scenes.priors", "Normal": "scenes.priors",
    "Uniform": "scenes.priors", "Prior": "scenes.priors", "learned": "scenes.priors",
    "Grammar": "scenes.grammar", "Rule": "scenes.grammar", "repeat": "scenes.grammar",
    "SceneBatch": "scenes.scene", "Scene": "scenes.scene", "Node": "scenes.scene",
    "Frame": "data.frames", "Frames": "data.frames", "make_frames": "data.frames",
    "broad": "scenes.grammar.domain_randomisation", "shrunk": "scenes.grammar.domain_randomisation",
    "each": "renderers.each", "Sprites": "renderers.sprites", "Shapes": "renderers.shapes",
    "RenderError": "renderers", "render": "renderers",
    "Boxes": "data.boxes", "Keep": "data.label_policy", "label_boxes": "data.label_policy",
    "read_boxes": "data.photos.labelled", "read_part": "data.photos.labelled", "read_few": "data.photos.labelled",
    "average_precision": "metrics.average_precision",
    "Photos": "data.photos", "read_photos": "data.photos", "read_labelled": "data.photos",
    "flat_field": "data.flat_field", "flattened": "data.flat_field",
    "Transformer": "nets.scene_distribution", "Classify": "tasks", "Detect": "tasks", "Task": "tasks",
    "Settings": "inference.settings", "Step": "inference.fit", "fit": "inference.fit", "fit_steps": "inference.fit",
    "Model": "nets.model", "generate": "generation.dataset", "generate_steps": "generation.dataset",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"scenefit has no {name!r}; there are {', '.join(__all__)}")
    value = getattr(import_module(f"scenefit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
