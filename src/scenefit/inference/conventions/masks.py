"""How annotators draw class masks: whether they leave a border of ignored pixels, and how far the labelled outlines lie
outside of what is visible.

Nothing is trained. The border is in the labels. For the margin, brightness edges are measured by their distance to the
outlines, in photos and in renders, whose outlines are exact: where annotators draw them too wide, edges lie inside. The
sizes of the scene do not matter. Legend: N images; H, W pixels; D distances.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scenefit.data.class_masks import IGNORED, NONE, ClassMasks
from scenefit.data.label_policy import LabelPolicy
from scenefit.data.mask_outlines import redraw

Floats = NDArray[np.float64]
Images = NDArray[np.uint8]
MAX_BORDER = 16.0  # pixels; wider areas of ignored pixels are no borders
REACH, MAX_MARGIN = 4.0, 6.0  # pixels: edges are compared so far from the outlines, which are moved so far
STEP, WIDTH, SMOOTHING = 0.1, 0.6, 0.5  # pixels: of the distances, and of the kernels for edges there and in images
DISTANCES = np.arange(-round((REACH + MAX_MARGIN) / STEP), round((REACH + MAX_MARGIN) / STEP) + 1) * STEP  # [D]
MIN_OUTLINE = 200  # pixels of outlines, from which something is read
MIN_CORRELATION = 0.8  # of the edges in photos and renders
LEAST, SURE = 0.75, 2.5  # pixels and standard errors, by which a margin has to differ from the one given


@dataclass(frozen=True)
class MaskOutlines:
    """What labelled masks tell. border: width of the ignored border in pixels, 0 for none.  margin: pixels by which
    outlines lie outside of what is visible, negative inside, and its standard error, None where the edges of photos do
    not tell it.  pixels: length of the outlines."""

    border: float
    margin: float | None
    error: float | None
    pixels: int

    @property
    def is_read(self) -> bool:
        return self.pixels >= MIN_OUTLINE

    def policy(self, start: LabelPolicy) -> LabelPolicy:
        """The start with what was read, in half pixels; its margin stays unless the photos tell another one."""
        if not self.is_read:
            return start
        far = self.margin is not None and self.error is not None and \
            abs(self.margin - start.mask_margin) > max(LEAST, SURE * self.error)
        margin = round(2 * self.margin) / 2 if far and self.margin is not None else start.mask_margin
        return replace(start, mask_border=self.border, mask_margin=margin)

    def lines(self, policy: LabelPolicy) -> list[str]:
        """The policy that was read, in words."""
        if not self.is_read:
            return [f"nothing can be read from masks with so few pixels at outlines: {self.pixels}, of at least "
                    f"{MIN_OUTLINE}"]
        border = (f"masks have a border of ignored pixels along outlines, {self.border:g} pixels wide" if self.border
                  else "masks have no border of ignored pixels")
        if self.margin is None or self.error is None:
            return [border, "whether masks are wider than what is visible cannot be read: the edges in the photos are "
                            "not like those of renders; this stays as it was given"]
        wide = (f"{'wider' if policy.mask_margin > 0 else 'narrower'} than what is visible by "
                f"{abs(policy.mask_margin):g} pixels" if policy.mask_margin else "as wide as what is visible")
        told = f"({self.margin:+.1f} pixels, standard error {self.error:.1f})"
        if abs(self.margin - policy.mask_margin) < LEAST:
            return [border, f"masks are {wide} {told}"]
        return [border, f"masks are taken to be {wide}: the photos do not surely tell otherwise {told}"]


def read_outlines(images: Images, masks: ClassMasks, renders: Images, truth: ClassMasks) -> MaskOutlines:
    """Of labelled photos uint8 [N, H, W, 3], compared with renders and their masks of what is visible."""
    gaps = np.concatenate([_gaps(mask) for mask in masks.masks] or [np.zeros(0)])
    gaps = gaps[gaps < MAX_BORDER]
    if len(gaps) < MIN_OUTLINE:
        return MaskOutlines(0.0, None, None, len(gaps))
    border = float(np.round(np.median(gaps)))
    photos = _profiles(images, masks, border)
    expected = _profiles(renders, _with_border(truth, border), border)
    if len(photos) < 2 or not len(expected):
        return MaskOutlines(border, None, None, len(gaps))
    margin, correlation = _shift(photos, expected)
    others = [_shift(np.delete(photos, row, axis=0), expected)[0] for row in range(len(photos))]
    error = float(np.std(others) * (len(others) - 1) ** 0.5)  # jackknife
    if correlation < MIN_CORRELATION or abs(margin) > MAX_MARGIN - STEP:
        return MaskOutlines(border, None, None, len(gaps))
    return MaskOutlines(border, round(margin, 2), round(error, 3), len(gaps))


def _with_border(truth: ClassMasks, border: float) -> ClassMasks:
    """Masks as an annotator draws them who leaves this border, in whole pixels, alone."""
    if not border or not len(truth):
        return truth
    return ClassMasks(truth.classes, np.stack([redraw(mask, mask.astype(np.int32), 0, border) for mask in truth.masks]))


def _gaps(mask: NDArray[np.uint8]) -> Floats:
    """Of each pixel of a class at an outline: how many pixels lie between it and the nearest one that shows none."""
    shown, none = _parts(mask)
    if not shown.any() or not none.any():
        return np.zeros(0)
    outline = shown & ~ndimage.binary_erosion(shown, border_value=1)
    found: Floats = ndimage.distance_transform_edt(~none)[outline] - 1
    return found


def _parts(mask: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels that show a class, and those that show none."""
    return (mask != NONE) & (mask != IGNORED), mask == NONE


def _profiles(images: Images, masks: ClassMasks, border: float) -> Floats:
    """Of each image with an outline: how strong edges are at the distances of `DISTANCES` from it [N, D], relative to
    their mean; NaN where it has no pixel."""
    found = []
    for image, mask in zip(images, masks.masks, strict=True):
        shown, none = _parts(mask)
        if not shown.any() or not none.any():
            continue
        away, known = _away(mask, border)
        if known.any():
            grey = ndimage.gaussian_filter(image.astype(float), (SMOOTHING, SMOOTHING, 0))
            strength = np.sqrt((np.stack(np.gradient(grey, axis=(0, 1))) ** 2).sum(0)).max(-1)
            found.append(_averaged(away[known], strength[known]))
    return np.array(found).reshape(-1, len(DISTANCES))


def _away(mask: NDArray[np.uint8], border: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Distance of each pixel to the outline, the middle of the border, negative inside [H, W]; and where it is known:
    away from areas of ignored pixels that are no border."""
    shown, none = _parts(mask)
    to_shown, to_none = (ndimage.distance_transform_edt(~part) for part in (shown, none))
    half = (border + 1) / 2
    away = np.where(shown, half - to_none, np.where(none, to_shown - half, (to_shown - to_none) / 2))
    area = (mask == IGNORED) & (to_shown + to_none > border + 3)
    near = ndimage.binary_dilation(area, iterations=2) if area.any() else area
    return away, ~near & (np.abs(away) < DISTANCES[-1] + 1)


def _averaged(away: Floats, strength: Floats) -> Floats:
    """Mean strength by distance [D], relative to the mean of all."""
    spare = 3 * round(WIDTH / STEP)
    bins = np.round((away - DISTANCES[0]) / STEP).astype(int) + spare
    inside = (bins >= 0) & (bins < len(DISTANCES) + 2 * spare)
    bins, places = bins[inside], len(DISTANCES) + 2 * spare
    total, count = (ndimage.gaussian_filter1d(np.bincount(bins, weights, places), WIDTH / STEP)
                    for weights in (strength[inside], np.ones(inside.sum())))
    values = np.where(count > 1e-3, total / np.maximum(count, 1e-3), np.nan)[spare:-spare]
    return values / max(float(np.nanmean(values)), 1e-6)


def _shift(photos: Floats, renders: Floats) -> tuple[float, float]:
    """How far outwards the outlines of photos lie, where their edges are most alike to those of renders, and the
    correlation there. Profiles [N, D]."""
    ours, theirs = (_mean(each) for each in (photos, renders))
    reach, middle = round(REACH / STEP), len(DISTANCES) // 2
    best = -1.0, 0.0  # also where images are flat, which correlate with none
    own = ours[middle - reach:middle + reach + 1]
    for steps in range(reach - middle, middle - reach + 1):
        other = theirs[middle - reach + steps:middle + reach + 1 + steps]
        both = np.isfinite(own) & np.isfinite(other)
        if both.sum() > reach:  # half of them
            with np.errstate(invalid="ignore"):
                best = max(best, (float(np.corrcoef(own[both], other[both])[0, 1]), steps * STEP))
    return best[1], best[0]


def _mean(profiles: Floats) -> Floats:
    """Of the images that have pixels there [D]; NaN where none has."""
    known = np.isfinite(profiles)
    total = np.where(known, profiles, 0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)
