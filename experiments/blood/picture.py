"""The picture of the experiment: what detectors find in held-out photos, trained on the wide grammar and on what was
learned, with false and missed ones marked; photos beside renders; the table.

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
from experiments.blood import arms, world
from experiments.blood.summary import BEST
from scenefit.address import derive
from scenefit.detections import compare
from scenefit.report import Arm, Interval, Story, Table
from scenefit.report.sheet import first_view
from scenefit.score import Found

SIDES = {"wide": "grammar, wide", "adapted": "learned without labels"}
TABLE = ("naive", "wide", "shrunk", "random", "cma", "learned", "adapted", "real+10", "wide+10", "learned+10",
         "real+all")
WORDS = {"wide": "grammar, wide", "shrunk": "shrunk to a quarter", "real+10": "10 labels alone", "cma": "CMA-ES",
         "wide+10": "wide, 10 labels", "adapted": "learned, own finds", "learned+10": "learned, 10 labels",
         "real+all": "oracle: all 205 labels", "naive": "naive grammar", "random": "random search"}
SHOWN = 24
DUSTY = 56  # of the photos to match: one whose dust lies on clear ground
STRONGER = 4.0  # the camera's pattern is shown so much stronger than it is


def camera(data: Path) -> bytes:
    """PNG, side by side: a photo as it is, the pattern that all photos to match share, the photo without it."""
    raw = sf.read_part(data, world.SIZE, world.MATCHED).take([DUSTY])
    field = world.pattern(data)
    light = np.clip(128 * np.exp(STRONGER * field), 0, 255).astype(np.uint8)
    gap = np.full((world.SIZE[0], 4, 3), 255, np.uint8)
    row = np.concatenate([raw.images[0], gap, light, gap, raw.flattened(field).images[0]], 1)
    held = io.BytesIO()
    Image.fromarray(row).save(held, "PNG")
    return held.getvalue()


def picture(cells: Sequence[arms.Cell], result: dict[str, Any]) -> bytes | None:
    """PNG of the first prior's first seed, with the table of all seeds; None where one of the sides is not there."""
    first = cells[0]
    own = [replace(first, arm=arm) for arm in SIDES]
    if not set(own) <= set(cells):
        return None
    photos = world.reported(first.data, first.report)
    found = {SIDES[cell.arm]: Found(arms.read_finds(cell.folder / f"{cell.report}.safetensors"),
                                    arms.kept(cell)[1]["threshold"]) for cell in own}
    scenes = {cell.arm: arms.sampler(cell)(derive(cell.seed, "shown"), SHOWN) for cell in own}
    part = result[f"prior {first.prior:g}"]
    rows = [Arm(WORDS.get(arm, arm), *(part["arms"][arm]["mAP50"][key] for key in ("mean", "low", "high", "values")))
            for arm in TABLE if arm in part["arms"]]
    gap = part.get("gap closed", {}).get(BEST)
    story = Story(
        title="Blood cells, found by a detector that saw no label", verdict=verdict(part),
        subtitle=f"{result['photos']} held-out photos, {result['seeds']} seeds; the photos shown are of seed "
                 f"{first.seed}",
        command=f"python -m experiments.blood --data FOLDER --report {first.report}",
        photos=world.unlabelled(first.data).images[::6][:SHOWN], prior=arms.rendered(scenes["wide"])[0],
        learned=arms.rendered(scenes[BEST])[0], detections=compare(photos, found),
        table=Table("mean AP50", rows, "95 % interval by a bootstrap over photos and seeds",
                    None if gap is None else Interval(*(gap[key] for key in ("mean", "low", "high")))))
    held = io.BytesIO()
    first_view(story).save(held, "PNG")
    return held.getvalue()


def verdict(part: dict[str, Any]) -> str:
    """One plain sentence: learned is called better only where the paired interval is clear of zero."""
    score = {arm: 100 * part["arms"][arm]["mAP50"]["mean"] for arm in SIDES}
    clear = part[f"{BEST} minus"]["wide"]["low"] > 0
    wrong = part["mistakes against wide"][BEST]["mean"]
    better = "better" if clear else "not clearly better"
    return (f"With what was learned from photos without labels, the detector is {better} than trained on the wide "
            f"grammar: mean AP50 {score[BEST]:.1f} against {score['wide']:.1f}, with "
            f"{100 * wrong:.0f} % of its false and missed detections.")
