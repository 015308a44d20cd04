"""What a finished training says of its detector, in words."""

from scenefit.files.text import counted
from scenefit.metrics.average_precision import Match

HELD_OUT_RENDERS = "held-out renders"


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
