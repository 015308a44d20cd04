"""scenefit learns the distribution of synthetic scenes from unlabelled photos (Meta-Sim), and writes labelled data.

    import scenefit as sf

    model = sf.fit(grammar, renderer, real="photos/", seed=0)
    sf.generate(model, renderer, 10_000, out="dataset/", format="coco")
    model.save("model.safetensors")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers and editors see; tests hold it equal to _HOME
    from scenefit.data.boxes import Boxes as Boxes
    from scenefit.data.flat_field import correct_flat_field as correct_flat_field
    from scenefit.data.flat_field import find_flat_field as find_flat_field
    from scenefit.data.flat_field import flat_field as flat_field
    from scenefit.data.flat_field import remove_flat_field as remove_flat_field
    from scenefit.data.frames import Frame as Frame
    from scenefit.data.frames import Frames as Frames
    from scenefit.data.frames import make_frames as make_frames
    from scenefit.data.label_policy import LabelPolicy as LabelPolicy
    from scenefit.data.label_policy import label_boxes as label_boxes
    from scenefit.data.photos import Photos as Photos
    from scenefit.data.photos import read_boxes as read_boxes
    from scenefit.data.photos import read_few as read_few
    from scenefit.data.photos import read_labelled as read_labelled
    from scenefit.data.photos import read_masks as read_masks
    from scenefit.data.photos import read_part as read_part
    from scenefit.data.photos import read_photos as read_photos
    from scenefit.generation.dataset import generate as generate
    from scenefit.generation.dataset import generate_steps as generate_steps
    from scenefit.generation.randomised import RandomisedModel as RandomisedModel
    from scenefit.inference.conventions.policy import PolicyFit as PolicyFit
    from scenefit.inference.conventions.policy import fit_label_policy as fit_label_policy
    from scenefit.inference.fit import Step as Step
    from scenefit.inference.fit import fit as fit
    from scenefit.inference.fit import fit_steps as fit_steps
    from scenefit.inference.npe.method import Npe as Npe
    from scenefit.inference.settings import Settings as Settings
    from scenefit.inference.stages.meta_sim import MetaSim as MetaSim
    from scenefit.inference.stages.mmd_descent import Descent as Descent
    from scenefit.inference.stages.regressor import Regressor as Regressor
    from scenefit.inference.stages.structure import Structure as Structure
    from scenefit.inference.stages.task_reward import TaskReward as TaskReward
    from scenefit.metrics.average_precision import average_precision as average_precision
    from scenefit.nets.model import Model as Model
    from scenefit.nets.scene_distribution import SceneDistribution as SceneDistribution
    from scenefit.renderers import RendererInfo as RendererInfo
    from scenefit.renderers import RenderError as RenderError
    from scenefit.renderers import render as render
    from scenefit.renderers.appearance import find_appearance as find_appearance
    from scenefit.renderers.clutter import cluttered as cluttered
    from scenefit.renderers.each import each as each
    from scenefit.renderers.layered import Layers as Layers
    from scenefit.renderers.shapes import Shapes as Shapes
    from scenefit.renderers.sprites import Sprites as Sprites
    from scenefit.renderers.street import Street as Street
    from scenefit.renderers.street.mesh import Mesh as Mesh
    from scenefit.renderers.street.mesh.load import load_model as load_model
    from scenefit.run.load import load as load
    from scenefit.scenes.grammar import Grammar as Grammar
    from scenefit.scenes.grammar import Rule as Rule
    from scenefit.scenes.grammar import repeat as repeat
    from scenefit.scenes.grammar.domain_randomisation import shrunk as shrunk
    from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation as uniform_randomisation
    from scenefit.scenes.grammar.hierarchy import varying as varying
    from scenefit.scenes.grammar.positions import positions as positions
    from scenefit.scenes.log_priors import LogNormal as LogNormal
    from scenefit.scenes.log_priors import LogUniform as LogUniform
    from scenefit.scenes.priors import Angle as Angle
    from scenefit.scenes.priors import Choice as Choice
    from scenefit.scenes.priors import Constant as Constant
    from scenefit.scenes.priors import Integer as Integer
    from scenefit.scenes.priors import Normal as Normal
    from scenefit.scenes.priors import Prior as Prior
    from scenefit.scenes.priors import Uniform as Uniform
    from scenefit.scenes.priors import learned as learned
    from scenefit.scenes.scene import Node as Node
    from scenefit.scenes.scene import Scene as Scene
    from scenefit.scenes.scene import SceneBatch as SceneBatch
    from scenefit.tasks import Classify as Classify
    from scenefit.tasks import Detect as Detect
    from scenefit.tasks import Segment as Segment
    from scenefit.tasks import Task as Task
    from scenefit.tasks.detector_file import TrainedDetector as TrainedDetector
    from scenefit.tasks.detector_file import load_detector as load_detector
    from scenefit.tasks.segmenter_file import TrainedSegmenter as TrainedSegmenter
    from scenefit.tasks.segmenter_file import load_segmenter as load_segmenter

# Names are imported when first used, so that `import scenefit` is quick and needs no torch.
_HOME = {
    "Angle": "scenes.priors",
    "Boxes": "data.boxes",
    "Choice": "scenes.priors",
    "Classify": "tasks",
    "Constant": "scenes.priors",
    "Descent": "inference.stages.mmd_descent",
    "Detect": "tasks",
    "Frame": "data.frames",
    "Frames": "data.frames",
    "Grammar": "scenes.grammar",
    "Integer": "scenes.priors",
    "LabelPolicy": "data.label_policy",
    "Layers": "renderers.layered",
    "LogNormal": "scenes.log_priors",
    "LogUniform": "scenes.log_priors",
    "Mesh": "renderers.street.mesh",
    "MetaSim": "inference.stages.meta_sim",
    "Model": "nets.model",
    "Npe": "inference.npe.method",
    "Node": "scenes.scene",
    "Normal": "scenes.priors",
    "Photos": "data.photos",
    "PolicyFit": "inference.conventions.policy",
    "Prior": "scenes.priors",
    "RandomisedModel": "generation.randomised",
    "Regressor": "inference.stages.regressor",
    "RenderError": "renderers",
    "RendererInfo": "renderers",
    "Rule": "scenes.grammar",
    "Scene": "scenes.scene",
    "SceneBatch": "scenes.scene",
    "SceneDistribution": "nets.scene_distribution",
    "Segment": "tasks",
    "Settings": "inference.settings",
    "Shapes": "renderers.shapes",
    "Sprites": "renderers.sprites",
    "Step": "inference.fit",
    "Street": "renderers.street",
    "Structure": "inference.stages.structure",
    "Task": "tasks",
    "TaskReward": "inference.stages.task_reward",
    "TrainedDetector": "tasks.detector_file",
    "TrainedSegmenter": "tasks.segmenter_file",
    "Uniform": "scenes.priors",
    "average_precision": "metrics.average_precision",
    "cluttered": "renderers.clutter",
    "correct_flat_field": "data.flat_field",
    "each": "renderers.each",
    "find_appearance": "renderers.appearance",
    "find_flat_field": "data.flat_field",
    "fit": "inference.fit",
    "fit_label_policy": "inference.conventions.policy",
    "fit_steps": "inference.fit",
    "flat_field": "data.flat_field",
    "generate": "generation.dataset",
    "generate_steps": "generation.dataset",
    "label_boxes": "data.label_policy",
    "learned": "scenes.priors",
    "load": "run.load",
    "load_detector": "tasks.detector_file",
    "load_model": "renderers.street.mesh.load",
    "load_segmenter": "tasks.segmenter_file",
    "make_frames": "data.frames",
    "positions": "scenes.grammar.positions",
    "read_boxes": "data.photos",
    "read_few": "data.photos",
    "read_labelled": "data.photos",
    "read_masks": "data.photos",
    "read_part": "data.photos",
    "read_photos": "data.photos",
    "remove_flat_field": "data.flat_field",
    "render": "renderers",
    "repeat": "scenes.grammar",
    "shrunk": "scenes.grammar.domain_randomisation",
    "uniform_randomisation": "scenes.grammar.domain_randomisation",
    "varying": "scenes.grammar.hierarchy",
}
__all__ = sorted(_HOME)
__version__: str


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("scenefit")
    if name not in _HOME:
        from scenefit.scenes.suggestions import did_you_mean

        hint = did_you_mean(name, __all__)
        raise AttributeError(f"scenefit has no {name!r}{f'{hint} There' if hint else '; there'} are "
                             f"{', '.join(__all__)}")
    value = getattr(import_module(f"scenefit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names alone, as editors and notebooks complete them."""
    return __all__
