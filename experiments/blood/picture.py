"""The picture of the experiment: what detectors find in held-out photos, trained on the wide grammar and on what was
learned, with false and missed ones marked; photos beside renders; the table; attributes before and after; photos that
no render is like.

Legend: N photos.
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import scenefit as sf
from experiments.blood import arms, fits, world
from experiments.blood.summary import BEST, CONTROLS
from experiments.blood.tables import NAMES
from scenefit.evaluation.evaluate import Predictions
from scenefit.evaluation.summary import find_outliers
from scenefit.nets.model import at_bounds
from scenefit.report import Baseline, Interval, Outliers, ReportContent, Table
from scenefit.run.evaluation import detections_content
from scenefit.run.report import attributes, outlier_content
from scenefit.scenes.rng import derive_seed

SIDES = {"wide": "grammar, wide", "adapted": "learned without labels"}
TABLE = {"naive": "naive grammar", "wide": "grammar, wide", "shrunk": "shrunk to a quarter", "random": "random search",
         "cma": "CMA-ES", "wide-adapted": "wide, self-trained", "wide-longer": "wide, for longer",
         "learned": "learned", "adapted": "learned, self-trained", "learned-longer": "learned, for longer",
         "real+10": "10 labels alone", "wide+10": "wide, 10 labels", "learned+10": "learned, 10 labels",
         "real+all": "oracle: all 205 labels", "real-longer+all": "all labels, for longer"}
ATTRIBUTES = ("red_size", "white_ratio", "platelet_ratio", "overlap", "n_red", "n_white", "n_platelet", "red_r")
SHOWN = 24
FAR_RENDERS = 512  # that photos are compared with
DUSTY = 56  # of the photos to match: one whose dust lies on clear ground
STRONGER = 4.0  # the camera's pattern is shown so much stronger than it is


def camera(data: Path) -> bytes:
    """PNG, side by side: a photo as it is, the pattern that all photos to match share, the photo without it."""
    raw = sf.read_part(data, world.SIZE, world.MATCHED).take([DUSTY])
    field = world.pattern(data)
    light = np.clip(128 * np.exp(STRONGER * field), 0, 255).astype(np.uint8)
    gap = np.full((world.SIZE[0], 4, 3), 255, np.uint8)
    row = np.concatenate([raw.images[0], gap, light, gap, raw.correct_flat_field(field).images[0]], 1)
    held = io.BytesIO()
    Image.fromarray(row).save(held, "PNG")
    return held.getvalue()


def story(cells: Sequence[arms.Cell], result: dict[str, Any], command: str) -> ReportContent | None:
    """Of the first prior's first seed, with the table of all seeds; None where one of the sides is not there."""
    first = cells[0]
    own = [replace(first, arm=arm) for arm in SIDES]
    if not set(own) <= set(cells):
        return None
    photos = world.reported(first.data, first.report)
    found = {SIDES[cell.arm]: Predictions(*arms.finds(cell)) for cell in own}
    scenes = {cell.arm: arms.sampler(cell)(derive_seed(cell.seed, "shown"), SHOWN) for cell in own}
    part = result[f"prior {first.prior:g}"]
    rows = [Baseline(told, *(part["arms"][arm]["mAP50"][key] for key in ("mean", "low", "high", "values")))
            for arm, told in TABLE.items() if arm in part["arms"]]
    gap = part.get("gap closed", {}).get(BEST)
    model = fits.load(first.fit, "learned")
    return ReportContent(
        title="Blood cells, found by a detector that saw no label", verdict=verdict(part),
        subtitle=f"{result['photos']} held-out photos, {result['seeds']} seeds; all that is found, the renders and the "
                 f"attributes below are of seed {first.seed}. The method was developed on 50 other photos with "
                 "labels.",
        command=command, attributes=attributes(model, bounds_pressed(model)), outliers=strangers(first),
        shown_first=[f"image.{name}" for name in ATTRIBUTES],
        facts={"Red cells that overlap or touch the border": "often have no label: such finds count as false"},
        photos=world.unlabelled(first.data).images[::6][:SHOWN], prior=arms.rendered(scenes["wide"])[0],
        learned=arms.rendered(scenes[BEST])[0], detections=detections_content(photos, found),
        table=Table("mean AP50", rows, "95 % interval by a bootstrap over photos and seeds",
                    None if gap is None else Interval(*(gap[key] for key in ("mean", "low", "high")))))


def bounds_pressed(model: sf.Model) -> dict[str, str]:
    """Learned numbers that press against an end of their prior: "kind.name" -> "low" or "high"."""
    return {f"{kind}.{name}": side for (kind, name), side in at_bounds(model, model.sample(2048)).items()}


def strangers(cell: arms.Cell) -> Outliers | None:
    """Photos to match that no render of what was learned is like, if there are any."""
    samplers = [arms.sampler(replace(cell, arm=arm)) for arm in ("wide", "learned")]
    drawn = [arms.rendered(sampler(derive_seed(cell.seed, "far"), FAR_RENDERS))[0] for sampler in samplers]
    return outlier_content(find_outliers(world.unlabelled(cell.data).images, *drawn))


def verdict(part: dict[str, Any]) -> str:
    """Plain sentences: learned is called better only where the paired intervals are clear of zero, and the best of the
    controls is told."""
    minus, wrong = part[f"{BEST} minus"], part["mistakes against wide"][BEST]["mean"]
    score = {arm: 100 * part["arms"][arm]["mAP50"]["mean"] for arm in (BEST, *CONTROLS) if arm in part["arms"]}
    controls = [arm for arm in CONTROLS if arm in minus]
    better = "better" if all(minus[arm]["low"] > 0 for arm in controls) else "not clearly better"
    most = max(controls, key=lambda arm: score[arm])
    text = (f"With what was learned from photos without labels, the detector is {better} than every control: mean AP50 "
            f"{score[BEST]:.1f}, where the wide grammar has {score['wide']:.1f}. Its false and missed detections are "
            f"{100 * wrong:.0f} % of the wide grammar's.")
    return text if most == "wide" else f"{text} The best control: {NAMES[most]}, {score[most]:.1f}."
