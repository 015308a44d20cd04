"""What a person would see in a prior's renders: objects mostly hidden, outside or too faint, images without detail.

Each finding is of a kind, with its share, and says what to change. Legend: S frames; m objects.
"""

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from scenefit.data.frames import Frames
from scenefit.data.label_policy import contrast
from scenefit.renderers import name_scenes

HIDDEN = 0.25  # an object with a smaller visible share of its extent inside the image is mostly hidden
OUTSIDE = 0.75  # an object with a larger share of its area outside the image is mostly outside
MANY = 0.3  # share of a kind's objects from which on hidden ones, or those outside, are named
FAINT = 0.06  # contrast, 0..1, under which an object can hardly be seen (see LabelPolicy.min_contrast)
SMALL = 2.0  # pixels: a smaller longer side is no more than a dot
SOME = 0.2  # share of a kind's objects, or of the images, from which on faint, small or plain ones are named
BLACK, WHITE = 5, 250  # grey levels of 255 at which a pixel counts as black or white in all channels
NEARLY_ALL = 0.95  # share of an image's pixels
N_OBJECTS = 4000  # objects whose contrast is measured, for time

Mask = NDArray[np.bool_]


def check_appearance(frames: Frames, parts: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Mode and text of each finding. parts: kinds that are drawn as a part of their parent."""
    kind, objects = _kinds(frames), frames.objects
    hidden = (objects.visibility < HIDDEN) & (objects.truncation < 1)
    outside = objects.truncation > OUTSIDE
    seen = (objects.pixels > 0) & (objects.visibility >= 0.5)
    difference = _contrast(frames, seen)
    measured = seen & np.isfinite(difference)
    faint = measured & (difference < FAINT)
    for name in frames.scenes.tables:
        mine = kind == name
        if name in parts or not mine.any():
            continue
        yield from _hidden(frames, name, mine, hidden)
        yield from _named(mine & outside, mine, MANY, f"of the objects of {name} lie mostly outside the image; narrow "
                          f"the range of their position, or set LabelPolicy(max_truncation={OUTSIDE})")
        yield from _named(mine & faint, mine & measured, SOME, f"of the visible objects of {name} can hardly be seen: "
                          f"their colour differs from their surroundings by less than {FAINT:.0%}; change their colour "
                          f"or the background's, or set LabelPolicy(min_contrast={FAINT})")
        small = (objects.box[:, 2:] - objects.box[:, :2]).max(axis=1, initial=0) < SMALL
        yield from _named(mine & seen & small, mine & seen, SOME, f"of the visible objects of {name} are under "
                          f"{SMALL:g} pixels wide and high; raise the lower end of their size, or enlarge the images")
    yield from (("warning", text) for text in _plain(frames, measured & ~faint))
    if measured.any():
        yield "ok", (f"{hidden.mean():.0%} of the objects are mostly hidden, {outside.mean():.0%} mostly outside the "
                     f"image; {faint.sum() / measured.sum():.0%} of the visible ones can hardly be seen")


def _hidden(frames: Frames, name: str, mine: Mask, hidden: Mask) -> Iterator[tuple[str, str]]:
    """Objects of a kind of which little or nothing can be seen."""
    fix = "lower their number or size, or keep them apart (sf.positions)"
    yield from _named(mine & hidden, mine, MANY, f"of the objects of {name} are mostly hidden by others (less than "
                      f"{HIDDEN:.0%} of each is visible); {fix}")
    if name not in frames.area:  # then objects without a pixel are not among the labels
        nodes = np.arange(len(frames.scenes.tables[name]))
        yield from _named(nodes >= (mine & (frames.objects.pixels > 0)).sum(), nodes >= 0, MANY,
                          f"of the objects of {name} have no visible pixel: they are hidden by others, or outside the "
                          f"image; {fix}")


def _contrast(frames: Frames, seen: Mask) -> NDArray[np.float64]:
    """The contrast of each object [m]; NaN from the image after the one with the last that is measured."""
    out, few = np.full(len(frames.objects), np.nan), np.flatnonzero(seen)[:N_OBJECTS]
    if len(few):
        stop = int(frames.objects.scene[few[-1]]) + 1
        out[:int(np.searchsorted(frames.objects.scene, stop))] = contrast(frames[:stop])
    return out


def _named(bad: Mask, of: Mask, least: float, text: str) -> Iterator[tuple[str, str]]:
    """A warning where the share of bad objects [m] is above least."""
    if of.any() and (share := bad.sum() / of.sum()) > least:
        yield "warning", f"{share:.0%} {text}"


def _plain(frames: Frames, shown: Mask) -> Iterator[str]:
    """Images nearly all black or white in which no object shows; those without objects count by their pixels alone."""
    has = np.zeros(len(frames), bool)
    has[frames.objects.scene[shown]] = True
    darkest, brightest = frames.images.min(axis=3), frames.images.max(axis=3)
    for word, which, fix in (("black", brightest <= BLACK, "raise"), ("white", darkest >= WHITE, "lower")):
        share = which.mean(axis=(1, 2))
        rows = np.flatnonzero((share >= NEARLY_ALL) & ~has)
        if len(rows) > SOME * len(frames):
            yield (f"{len(rows)} of {len(frames)} images are nearly all {word} ({share[rows].mean():.0%} of their "
                   f"pixels) and show no object, the first is "
                   f"{name_scenes(frames.scenes.seed, frames.scenes.index[rows[:1]])}; {fix} the range of the light or "
                   "of the background")


def _kinds(frames: Frames) -> NDArray[np.str_]:
    """The kind of each object [m]."""
    tables = frames.scenes.tables
    scene, node = (np.concatenate([getattr(table, name) for table in tables.values()]) for name in ("scene", "id"))
    kinds = np.repeat(list(tables), [len(table) for table in tables.values()])
    order = np.lexsort((node, scene))
    first = np.searchsorted(scene[order], np.arange(len(frames)))
    return kinds[order][first[frames.objects.scene] + frames.objects.id]
