"""What the pseudo-labels of a round of self-training are, in words: how many, and what speaks against them."""

from collections.abc import Mapping

from scenefit.data.boxes import Boxes, class_counts
from scenefit.data.class_masks import IGNORED, ClassMasks
from scenefit.files.text import counted
from scenefit.tasks.training.dense_prediction import MIN_CONFIDENCE

WORSE = ("unless photos do differ so much, the network is wrong, and self-training makes it worse: compare it with one "
         "that is trained without --real (scenefit evaluate)")


def describe_boxes(believed: Boxes, rendered: Boxes, name: str) -> tuple[str, list[str]]:
    """As of `DensePrediction.describe_pseudo_labels`, of boxes."""
    have = len(set(believed.image.tolist()))
    found = (f"{counted(len(believed), 'pseudo-label')} (confidence {MIN_CONFIDENCE:g} or more) in {have:,} of "
             f"{counted(believed.count, 'photo')}{class_counts(believed.name)}")
    own, theirs = ({kind: float((boxes.name == kind).sum() / max(boxes.count, 1))
                    for kind in set(rendered.name.tolist())} for boxes in (believed, rendered))
    return found, _warnings(own, theirs, name, "{0:.1f} pseudo-labels of {2} in a photo, and {1:.1f} labels in each "
                                               "{3}")


def describe_masks(believed: ClassMasks, rendered: ClassMasks, name: str) -> tuple[str, list[str]]:
    """The same of class masks."""
    sure = 1 - believed.pixels[IGNORED] / believed.masks.size if len(believed) else 0.0
    own, theirs = (dict(zip(labels.classes, labels.shares().tolist(), strict=True)) for labels in (believed, rendered))
    shares = ", ".join(f"{share:.1%} {kind}" for kind, share in own.items() if share)
    found = (f"pseudo-labels (confidence {MIN_CONFIDENCE:g} or more) on {sure:.1%} of the pixels of "
             f"{counted(len(believed), 'photo')}{f': {shares}' if shares else ''}")
    return found, _warnings(own, {kind: share for kind, share in theirs.items() if share}, name,
                            "pseudo-labels of {2} on {0:.1%} of a photo, and labels on {1:.1%} of each {3}")


def _warnings(own: Mapping[str, float], theirs: Mapping[str, float], name: str, text: str) -> list[str]:
    """own, theirs: class -> how much of it a photo and a rendered image have.  text: how this is said."""
    out = []
    for kind, much in sorted(theirs.items()):
        if own[kind] and not much / 3 <= own[kind] <= 2 * much:
            out.append(f"{text.format(own[kind], much, kind, name)}; {WORSE}")
    none = sorted(kind for kind in theirs if not own[kind])
    if none:
        out.append(f"no pseudo-label of {', '.join(none)}, though {name}s show it; self-training may make the network "
                   "lose it: train longer (--steps), or leave out --real")
    return out
