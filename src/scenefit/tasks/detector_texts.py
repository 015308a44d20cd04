"""What a detector's training says, in words: warnings of self-training, and how good the detector is."""

from contextlib import suppress
from pathlib import Path

from scenefit.data.boxes import Boxes
from scenefit.files.text import counted
from scenefit.metrics.average_precision import Match

HELD_OUT_RENDERS = "held-out renders"
MUCH = 100e6  # bytes of finished stages from which on they are mentioned


def figures(match: Match, threshold: float, images: int, held_out: str) -> str:
    """How good a detector is on the images that its threshold was chosen on, and what that means."""
    true, false, missed = match.counts(threshold)
    precision, recall = (f"{true / of:.1%}" if of else "undefined" for of in (true + false, true + missed))
    means = ("These are renders: how good it is on photos may be far from that" if held_out == HELD_OUT_RENDERS else
             "The threshold was chosen on them, so the figures are a little too good")
    return (f"On {images:,} {held_out}: precision {precision}, recall {recall} ({true:,} found, {false:,} false, "
            f"{missed:,} missed), at confidence {threshold:.2f} or more. {means}.")


def unmeasured(photos: int, threshold: float, alone: bool) -> str:
    """Why there are no figures of a detector. alone: whether it was trained on labelled photos alone."""
    why = "fewer than five leave none to hold out" if alone else "there are no others"
    return (f"Its confidence threshold, {threshold:.2f}, was chosen on the {counted(photos, 'labelled photo')} that it "
            f"was trained on, as {why}; figures on these would not tell how good it is.")


def much_kept(folder: Path) -> str:
    """That the folder of a run's finished stages holds more than 100 MB; "" where it does not."""
    size = 0
    for path in folder.glob("*"):
        with suppress(OSError):  # another training has renamed it meanwhile
            size += path.stat().st_size
    return "" if size <= MUCH else (f"{folder} holds {size / 1e6:,.0f} MB of finished stages; they only save time "
                                    "where another training begins alike, so they may be deleted")


def warnings_of_self_training(believed: Boxes, rendered: Boxes, name: str) -> list[str]:
    """What speaks against self-training by these pseudo-labels: classes that have none, or more than twice as many in a
    photo as labels in a rendered image, or less than a third. name: what such an image is."""
    out = []
    for kind in sorted(set(rendered.name.tolist())):
        own, theirs = (float((boxes.name == kind).sum() / max(boxes.count, 1)) for boxes in (believed, rendered))
        if own and not theirs / 3 <= own <= 2 * theirs:
            out.append(f"{own:.1f} pseudo-labels of {kind} in a photo, and {theirs:.1f} labels in each {name}; unless "
                       "photos do differ so much, the detector is wrong, and self-training makes it worse: compare it "
                       "with one that is trained without --real (scenefit evaluate)")
    none = sorted(set(rendered.name.tolist()) - set(believed.name.tolist()))
    if none:
        out.append(f"no pseudo-label of {', '.join(none)}, though {name}s show it; self-training may make the detector "
                   "lose it: train longer (--steps), or leave out --real")
    return out
