"""The task that labelled photos ask for, when none is given."""

from scenefit.data.photos import Photos
from scenefit.files.caller import warn
from scenefit.renderers import Renderer, render
from scenefit.scenes.grammar import Grammar
from scenefit.scenes.grammar.domain_randomisation import uniform_randomisation
from scenefit.tasks import Classify, Detect, Segment, Task

N_RENDERS = 64  # to find out which classes the renderer's objects have


def task_for_labels(labelled: Photos, grammar: Grammar, renderer: Renderer, device: str = "cpu") -> Task:
    """`Detect` over the classes of the photos' boxes and of the rendered objects; without boxes `Segment` over the
    classes that the photos' masks show, or `Classify` over the photos' classes. For boxes and masks it renders
    `renders_to_choose` scenes, sampled by uniform domain randomisation.

    ValueError where the photos' labels and the rendered objects share no class. A warning for photo classes that are
    never rendered: a network trained on renders cannot find them, so their average precision or IoU is 0.
    """
    if labelled.boxes is not None:
        real, labels, none, find = set(labelled.boxes.name.tolist()), "boxes", "no box at all", "detect"
    elif labelled.masks is not None:
        real, labels, none, find = set(labelled.masks.present), "masks", "masks that show no class", "segment"
    else:
        return Classify(tuple(sorted(set(labelled.label.tolist()))), device=device)
    if not real:
        raise ValueError(f"the {len(labelled)} labelled photos have {none}, so there is no class to "
                         f"{find}; give photos that show objects")
    drawn = set(render(renderer, uniform_randomisation(grammar).sample(0, N_RENDERS)).objects.name.tolist()) - {""}
    if not real & drawn:
        raise ValueError(f"the {labels} of the labelled photos are of the classes {sorted(real)}, but the "
                         f"renderer's objects of {sorted(drawn)}; name them alike: with Shapes(classes=...), "
                         "Frame(classes=...), or in the labels")
    if real - drawn:
        warn(f"no render has an object of {sorted(real - drawn)}, classes of the labelled photos: a network trained "
             f"on renders cannot {find} them (the renderer's classes are {sorted(drawn)})")
    return Detect(tuple(sorted(real | drawn)), device=device) if labels == "boxes" else \
        Segment(tuple(sorted(real)), device=device)


def renders_to_choose(labelled: Photos) -> int:
    """How many scenes `task_for_labels` renders."""
    return 0 if labelled.boxes is None and labelled.masks is None else N_RENDERS
