"""Label policies planted in known worlds, read back from ten labelled photos: `python -m experiments.label_policy`.

A cell is one world and seed: a fit with default settings to 100 unlabelled photos, one network of `fit_label_policy`,
and every policy read from ten draws of ten other, labelled photos. Its JSON in cells/ is committed and never computed
twice; it takes about five CPU minutes.

    python -m experiments.label_policy                     # missing cells, then the table, also into README.md
    python -m experiments.label_policy --table             # the table alone
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

import scenefit as sf
from experiments.cells import Row, command, markdown, source_hash
from experiments.label_policy.world import CLASSES, WORLDS, labels, learned
from scenefit.inference.conventions.describe import Described, Readings, read
from scenefit.inference.conventions.policy import RENDERS, policy_of
from scenefit.scenes.rng import derive_seed

HERE = Path(__file__).parent
PHOTOS, DRAWS, EACH = 100, 10, 10  # for the fit; draws of labelled photos, and photos of each
SEEDS = (0, 1)
FAINT = {"cells": 0.4, "discs": 0.2}  # contrasts under which a tenth of the cells, and a third of the discs, lie


def policies(world: str) -> dict[str, sf.LabelPolicy]:
    """Those that are planted; the margins are of the smaller class and of the larger one."""
    small, large = ("dot", "cell") if world == "cells" else CLASSES[world]
    return {"the default": sf.LabelPolicy(), "whole objects": sf.LabelPolicy(box="amodal"),
            "wide margins": sf.LabelPolicy(by_class={small: {"margin": 0.2}, large: {"margin": 0.1}}),
            "narrow": sf.LabelPolicy(by_class={large: {"margin": -0.1}}),
            "hidden by half: none": sf.LabelPolicy(min_visibility=0.5),
            "cut off by a tenth: none": sf.LabelPolicy(max_truncation=0.1),
            "under 8 pixels: none": sf.LabelPolicy(min_side=8),
            "faint: none": sf.LabelPolicy(min_contrast=FAINT[world]),
            "of the larger class, cut off: none": sf.LabelPolicy(by_class={large: {"max_truncation": 0.1}}),
            "of the larger class, hidden: none": sf.LabelPolicy(by_class={large: {"min_visibility": 0.5}}),
            "as people do": sf.LabelPolicy(box="amodal", min_visibility=0.5, max_truncation=0.1,
                                           by_class={small: {"margin": 0.1}, large: {"margin": 0.05}})}


def main(arguments: Sequence[str] | None = None) -> None:
    command(__doc__, HERE, WORLDS, SEEDS, run, table, arguments)


def run(world: str, seed: int) -> Row:
    """All policies of one world and seed."""
    own = WORLDS[world]()
    model, fitted = learned(own, seed, PHOTOS)
    images, objects = own.photos(derive_seed(seed, "labelled"), DRAWS * EACH)
    began = time.process_time()
    found = read(own.renderer, model.sample(RENDERS, derive_seed(seed, "label policy")), images, CLASSES[world], seed)
    seconds = time.process_time() - began
    results = {name: [_read(found, labels(objects, policy), np.arange(EACH) + EACH * draw, CLASSES[world])
                      for draw in range(DRAWS)] for name, policy in policies(world).items()}
    return {"world": world, "seed": seed, "cpu_seconds_of_the_fit": fitted, "cpu_seconds": round(seconds),
            "code": source_hash(HERE.glob("*.py")), "results": results}


def _read(found: Readings, every: sf.Boxes, rows: np.ndarray, classes: Sequence[str]) -> Row:
    """The policy read from the labels of some photos."""
    result = policy_of(replace(found, photos=_of(found.photos, rows)), every.take(rows), classes)
    return {"labels": result.labels, "matched": result.matched, **result.policy.to_dict(),
            "all margins": {name: round(value, 4) for name, value in result.margins.items()},
            "outside": list(result.outside)}


def _of(objects: Described, rows: np.ndarray) -> Described:
    kept = objects.where(np.isin(objects.image, rows))
    return replace(kept, count=len(rows), image=np.searchsorted(rows, kept.image))


def table(cells: Sequence[Row]) -> str:
    """One row for each world and planted policy, over seeds and draws."""
    head = ["world", "policy", "draws", "kind of box right", "margin off, mean", "margin off, largest",
            "margin read or left rightly", "conditions right", "other conditions changed"]
    rows = []
    for world in dict.fromkeys(cell["world"] for cell in cells):
        for name, policy in policies(world).items():
            draws = [draw for cell in cells if cell["world"] == world for draw in cell["results"][name]]
            rows.append([world, name, *map(str, judged(draws, policy, CLASSES[world]).values())])
    return markdown(head, rows)


def judged(draws: Sequence[Row], policy: sf.LabelPolicy, classes: Sequence[str]) -> dict[str, Any]:
    """What was read in these draws beside what was planted. Margins are right within 0.03, conditions within the bounds
    of `CONDITIONS`."""
    found = [[read_policy(draw).of_class(name) for name in classes] for draw in draws]
    wanted, default = [policy.of_class(name) for name in classes], sf.LabelPolicy()
    off = [abs(own.margin - meant.margin) for each in found for own, meant in zip(each, wanted, strict=True)]
    planted = {(code, name) for code, meant in enumerate(wanted) for name in CONDITIONS
               if getattr(meant, name) != getattr(default, name)}
    others = {(code, name) for code in range(len(classes)) for name in CONDITIONS} - planted
    right = sum(all(_is_right(name, getattr(each[code], name), getattr(wanted[code], name)) for code, name in planted)
                for each in found)
    changed = sum(any(getattr(each[code], name) != getattr(default, name) for code, name in others) for each in found)
    return {"draws": len(draws), "kind": sum(draw["box"] == policy.box for draw in draws),
            "mean": f"{np.mean(off):.3f}", "largest": f"{max(off):.2f}",
            "within": f"{sum(value <= 0.03 for value in off)} of {len(off)}",
            "conditions": str(right) if planted else "", "changed": changed}


def _is_right(name: str, value: float, planted: float) -> bool:
    low, high = CONDITIONS[name]
    return low * planted <= value <= high * planted


def read_policy(draw: Row) -> sf.LabelPolicy:
    """The policy that a draw of a cell tells."""
    return sf.LabelPolicy(**{field.name: draw[field.name] for field in fields(sf.LabelPolicy) if field.name in draw})


CONDITIONS: Mapping[str, tuple[float, float]] = {  # read rightly within these shares of what is planted
    "min_visibility": (0.6, 1.4), "max_truncation": (0.5, 2), "min_side": (0.75, 1.25), "min_contrast": (0.7, 1.3)}
