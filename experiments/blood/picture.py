"""The experiment's report: detections in held-out photos of the detectors of the wide grammar and of the learned
distribution, photos next to renders, arms with their intervals, attributes before and after the fit, outlier photos.
All pictures are of the first seed of the first prior.
"""

from pathlib import Path

import numpy as np

from experiments.blood import arms, fits, tables, world
from experiments.blood.few_labels import tuned, untuned
from experiments.blood.figures import AP50
from experiments.blood.kept_detections import read_detections
from experiments.blood.tables import CEILING, CEILING_LONGER, LEARNED, TEN_LONGER, WIDE, Arms, gap, minus, mistakes, of
from scenefit.evaluation.evaluate import Predictions
from scenefit.evaluation.summary import find_outliers
from scenefit.nets.model import at_bounds
from scenefit.report import Baseline, Interval, ReportContent, Table
from scenefit.run.evaluation import detections_content
from scenefit.run.report import attributes, outlier_content

SIDES = {"wide--prior-1--seed-0--wide": "wide grammar", "learned--prior-1--seed-0--learned": "learned without labels"}
TABLE = {"naive": "naive grammar", WIDE: "wide grammar", "shrunk": "shrunk to a quarter", "meta-sim": "Meta-Sim's MMD",
         LEARNED: "learned", CEILING: "all 205 labels", untuned(WIDE): "wide, label policy",
         untuned(LEARNED): "learned, label policy", TEN_LONGER: "10 labels alone", tuned(WIDE): "wide, 10 labels",
         tables.SELECTED: "learned, 10 labels", CEILING_LONGER: "all labels, as long"}
ATTRIBUTES = ("red_size", "white_ratio", "platelet_ratio", "overlap", "n_red", "n_white", "n_platelet", "red_r")
N_SHOWN = 24  # photos, and renders of each distribution
N_COMPARED = 512  # renders that photos are compared with to find outliers


def report(data: Path, work: Path, own: Arms, command: str) -> ReportContent:
    """own: figures of the first prior.  work: where the cells were computed. CorruptFile without their detections."""
    photos, matched = world.with_boxes(data, world.HELD_OUT), world.unlabelled(data)
    found = {name: read_detections(work / world.HELD_OUT / f"{file}.safetensors") for file, name in SIDES.items()}
    model = fits.load(fits.Fit(data, work, LEARNED, 1.0, 0))
    samplers = [arms.sampler(fits.Fit(data, work, name, 1.0, 0)) for name in (WIDE, LEARNED)]
    wide, learned = (arms.rendered(sample, world.DEFAULT, np.arange(N_COMPARED))[0] for sample in samplers)
    rows = []
    for arm, name in TABLE.items():
        if arm in own:
            one = of(own, arm, AP50)
            rows.append(Baseline(name, one.mean, *one.interval(), [row[AP50] for row in own[arm].values()]))
    closed = gap(own, LEARNED)
    return ReportContent(
        title="Blood cells: a detector learned without labels", verdict=verdict(own),
        subtitle=f"{len(photos)} held-out photos, {len(own[LEARNED])} seeds; detections, renders and attributes are "
                 "of seed 0. All settings are the defaults.",
        command=command, attributes=attributes(model, {f"{kind}.{name}": side for (kind, name), side
                                                       in at_bounds(model, model.sample(2048)).items()}),
        outliers=outlier_content(find_outliers(matched.images, wide, learned)),
        shown_first=[f"image.{name}" for name in ATTRIBUTES],
        facts={"Red cells that overlap or touch the border": "often have no label: such detections count as false"},
        photos=matched.images[::6][:N_SHOWN], prior=wide[:N_SHOWN], learned=learned[:N_SHOWN],
        detections=detections_content(photos, {name: Predictions(one.found, one.threshold)
                                               for name, one in found.items()}),
        table=Table("mean AP50", rows, "95 % bootstrap interval over photos and seeds",
                    Interval(closed.mean, *closed.interval())))


def verdict(own: Arms) -> str:
    """Sentences: learned is called better only if all paired intervals exclude zero."""
    controls = [arm for arm in (WIDE, "shrunk", "naive", "meta-sim") if arm in own]
    better = all(minus(own, LEARNED, arm).interval()[0] > 0 for arm in controls)
    return (f"Learned from photos without labels, the detector is {'better' if better else 'not significantly better'} "
            f"than every control: mean AP50 {100 * of(own, LEARNED, AP50).mean:.1f}, compared with "
            f"{100 * of(own, WIDE, AP50).mean:.1f} for the wide grammar and {100 * of(own, CEILING, AP50).mean:.1f} "
            f"with 205 labelled photos. Its false and missed detections are {100 * mistakes(own, LEARNED).mean:.0f} % "
            "of the wide grammar's.")
