"""Options of commands that draw training images: how much wider than the learned distribution they are."""

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from scenefit.generation.randomised import RandomisedModel
    from scenefit.nets.model import Model, PriorModel
    from scenefit.renderers import Renderer


class Randomisation(NamedTuple):
    """The values of --random-appearance, --random-scenes and --clutter: shares of the images."""

    appearance: float = 0.0
    prior: float = 0.0
    clutter: float = 0.0


NOTHING_RANDOM = Randomisation()
OPTIONS: dict[str, tuple[Any, Any]] = {  # name in `Randomisation` -> type and default
    "appearance": (Annotated[float, typer.Option("--random-appearance", min=0, max=1, help="Of a run: this fraction of "
                                                 "the images has colours, light and whatever else moves no box drawn "
                                                 "from the prior, all else as learned.")], 0.0),
    "prior": (Annotated[float, typer.Option("--random-scenes", min=0, max=1, help="Of a run: this fraction of the "
                                            "images is drawn wholly from the prior.")], 0.0),
    "clutter": (Annotated[float, typer.Option("--clutter", min=0, max=1, help="This fraction of the renders "
                                              "has foreign objects above all others, of random forms and colours; what "
                                              "they cover counts as hidden in the labels.")], 0.0)}
NAMES = "--random-appearance, --random-scenes and --clutter"


def checked(values: dict[str, Any]) -> Randomisation:
    """From the options' values. BadParameter where they are more than 1 together."""
    if values["appearance"] + values["prior"] > 1:
        raise typer.BadParameter("--random-appearance and --random-scenes are fractions of the same images, and may be "
                                 f"1 together at most, got {values['appearance']} and {values['prior']}")
    return Randomisation(**values)


def randomised(model: "Model | PriorModel", renderer: "Renderer",
               shares: Randomisation) -> "tuple[Model | PriorModel | RandomisedModel, Renderer]":
    """The model and the renderer, or those with such shares of randomised scenes and of cluttered images."""
    from scenefit.generation.randomised import RandomisedModel
    from scenefit.renderers.appearance import find_appearance
    from scenefit.renderers.clutter import cluttered

    wider: Model | PriorModel | RandomisedModel = model
    if shares.appearance or shares.prior:
        keys = find_appearance(model.grammar, renderer) if shares.appearance else frozenset()
        wider = RandomisedModel(model, keys, shares.appearance, shares.prior)
    return wider, cluttered(renderer, shares.clutter) if shares.clutter else renderer
