"""The experiment's report: detections in held-out photos of the detectors of the wide grammar and of the learned
distribution, with false and missed ones marked; photos next to renders; the table of arms; attributes before and after
the fit; outlier photos.
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
from experiments.blood.summary import CONTROLS, MAIN
from experiments.blood.tables import NAMES
from scenefit.evaluation.evaluate import Predictions
from scenefit.evaluation.summary import find_outliers
from scenefit.nets.model import at_bounds
from scenefit.report import Baseline, Interval, Outliers, ReportContent, Table
from scenefit.run.evaluation import detections_content
from scenefit.run.report import attributes, outlier_content
from scenefit.scenes.rng import derive_seed

SIDES = {"wide": "wide grammar", "adapted": "learned without labels"}
TABLE = {"naive": "naive grammar", "wide": "wide grammar", "shrunk": "shrunk to a quarter", "random": "random search",
         "cma": "CMA-ES", "wide-adapted": "wide, self-trained", "wide-longer": "wide, longer training",
         "learned": "learned", "adapted": "learned, self-trained", "learned-longer": "learned, longer training",
         "real+10": "10 labels alone", "wide+10": "wide, 10 labels", "learned+10": "learned, 10 labels",
         "real+all": "all 205 labels", "real-longer+all": "all labels, longer training"}
ATTRIBUTES = ("red_size", "white_ratio", "platelet_ratio", "overlap", "n_red", "n_white", "n_platelet", "red_r")
N_SHOWN = 24  # photos, and renders of each distribution
N_COMPARED = 512  # renders that photos are compared with to find outliers
DUSTY = 56  # index of a matched photo with dust on a clear background
CONTRAST = 4.0  # factor of the camera's pattern in the picture


def camera(data: Path) -> bytes:
    """PNG, side by side: a photo, the pattern that all matched photos share, the photo without the pattern."""
    raw = sf.read_part(data, world.SIZE, world.MATCHED).take([DUSTY])
    field = world.pattern(data)
    shown = np.clip(128 * np.exp(CONTRAST * field), 0, 255).astype(np.uint8)
    gap = np.full((world.SIZE[0], 4, 3), 255, np.uint8)
    row = np.concatenate([raw.images[0], gap, shown, gap, raw.correct_flat_field(field).images[0]], 1)
    buffer = io.BytesIO()
    Image.fromarray(row).save(buffer, "PNG")
    return buffer.getvalue()


def report(cells: Sequence[arms.Cell], result: dict[str, Any], command: str) -> ReportContent | None:
    """Report on the first seed of the first prior, with the table of all seeds; None without the two arms of SIDES."""
    first = cells[0]
    own = [replace(first, arm=arm) for arm in SIDES]
    if not set(own) <= set(cells):
        return None
    photos = world.reported(first.data, first.report)
    predicted = {SIDES[cell.arm]: Predictions(*arms.predictions(cell)) for cell in own}
    scenes = {cell.arm: arms.sampler(cell)(derive_seed(cell.seed, "shown"), N_SHOWN) for cell in own}
    part = result[f"prior {first.prior:g}"]
    rows = [Baseline(name, *(part["arms"][arm]["mAP50"][key] for key in ("mean", "low", "high", "values")))
            for arm, name in TABLE.items() if arm in part["arms"]]
    gap = part.get("gap closed", {}).get(MAIN)
    model = fits.load(first.fit, "learned")
    return ReportContent(
        title="Blood cells: a detector learned without labels", verdict=verdict(part),
        subtitle=f"{result['photos']} held-out photos, {result['seeds']} seeds; detections, renders and attributes are "
                 f"of seed {first.seed}. The method was developed on 50 other photos with labels.",
        command=command, attributes=attributes(model, attributes_at_bounds(model)), outliers=outliers(first),
        shown_first=[f"image.{name}" for name in ATTRIBUTES],
        facts={"Red cells that overlap or touch the border": "often have no label: such detections count as false"},
        photos=world.unlabelled(first.data).images[::6][:N_SHOWN], prior=arms.rendered(scenes["wide"])[0],
        learned=arms.rendered(scenes[MAIN])[0], detections=detections_content(photos, predicted),
        table=Table("mean AP50", rows, "95 % bootstrap interval over photos and seeds",
                    None if gap is None else Interval(*(gap[key] for key in ("mean", "low", "high")))))


def attributes_at_bounds(model: sf.Model) -> dict[str, str]:
    """Learned numbers at a bound of their prior: "kind.name" -> "low" or "high"."""
    return {f"{kind}.{name}": side for (kind, name), side in at_bounds(model, model.sample(2048)).items()}


def outliers(cell: arms.Cell) -> Outliers | None:
    """Matched photos that differ from all renders of the learned distribution, if there are any."""
    samplers = [arms.sampler(replace(cell, arm=arm)) for arm in ("wide", "learned")]
    renders = [arms.rendered(sampler(derive_seed(cell.seed, "far"), N_COMPARED))[0] for sampler in samplers]
    return outlier_content(find_outliers(world.unlabelled(cell.data).images, *renders))


def verdict(part: dict[str, Any]) -> str:
    """Sentences: learned is called better only if all paired intervals exclude zero; the best control is named."""
    minus, errors = part[f"{MAIN} minus"], part["mistakes against wide"][MAIN]["mean"]
    score = {arm: 100 * part["arms"][arm]["mAP50"]["mean"] for arm in (MAIN, *CONTROLS) if arm in part["arms"]}
    controls = [arm for arm in CONTROLS if arm in minus]
    better = "better" if all(minus[arm]["low"] > 0 for arm in controls) else "not significantly better"
    best = max(controls, key=lambda arm: score[arm])
    text = (f"Learned from photos without labels, the detector is {better} than every control: mean AP50 "
            f"{score[MAIN]:.1f}, compared with {score['wide']:.1f} for the wide grammar. Its false and missed "
            f"detections are {100 * errors:.0f} % of the wide grammar's.")
    return text if best == "wide" else f"{text} The best control is \"{NAMES[best]}\" with {score[best]:.1f}."
