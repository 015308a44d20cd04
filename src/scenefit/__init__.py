"""scenefit learns the distribution of synthetic scenes from unlabelled photos (Meta-Sim), and writes labelled data.

    import scenefit as sf

    model = sf.fit(grammar, renderer, real="photos/", seed=0)
    sf.generate(model, renderer, 10_000, out="dataset/", format="coco")
"""

from importlib import import_module
from typing import Any

# Names are imported when first used, so that `import scenefit` is quick and needs no torch.
_HOME = {
    "Angle": "prior", "Choice": "prior", "Constant": "prior", "Integer": "prior", "Normal": "prior",
    "Uniform": "prior", "Prior": "prior", "learned": "prior",
    "Grammar": "grammar", "Rule": "grammar", "repeat": "grammar",
    "SceneBatch": "scene", "Scene": "scene", "Node": "scene",
    "Frame": "frame", "Frames": "frame", "make_frames": "frame",
    "broad": "ranges", "shrunk": "ranges",
    "each": "renderers.each", "Sprites": "renderers.sprites", "Shapes": "renderers.shapes",
    "RenderError": "renderers", "render": "renderers",
    "Boxes": "boxes", "Keep": "formats", "label_boxes": "formats",
    "read_boxes": "labelled", "read_part": "labelled", "read_few": "labelled",
    "average_precision": "tasks.average_precision",
    "Photos": "photos", "read_photos": "photos", "read_labelled": "photos",
    "flat_field": "camera", "flattened": "camera",
    "Transformer": "transformer", "Classify": "tasks", "Detect": "tasks", "Task": "tasks",
    "Settings": "settings", "Step": "loop", "fit": "loop", "fit_steps": "loop",
    "Model": "model", "generate": "dataset", "generate_steps": "dataset",
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
