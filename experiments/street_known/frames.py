"""Photos of the target beside larger renders of the wide grammar and of the learned one, as frames.png:
python -m experiments.street_known.frames, which fits seed 0 first if that has not been done."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from experiments.picture_rows import GAP, heading, stacked, tiled
from experiments.street_known import town, world
from experiments.street_known.arms import WIDE, sampled
from experiments.street_known.fits import LEARNED, Fit

SIZE, COLUMNS, SEED = (270, 360), 4, 0
WIDTH = COLUMNS * (SIZE[1] + GAP) - GAP
ROWS = {WIDE: "Wide grammar: ranges from road standards, makers' tables and data sheets",
        LEARNED: "The same grammar, learned from 200 such photos without labels"}


def sheet(root: Path) -> bytes:
    """A PNG file: for each distribution a heading and its first images."""
    parts = [heading("Photos: renders of a town by another grammar, with other models", WIDTH, {}),
             row(world.renderer(town.TARGET, SIZE), town.grammar().sample(SEED, COLUMNS))]
    for arm, title in ROWS.items():
        scenes = sampled(Fit(root, arm, town.TARGET, SEED), SEED, COLUMNS)
        parts += [heading(title, WIDTH, {}), row(world.renderer(WIDE, SIZE), scenes)]
    return stacked(parts)


def row(renderer: Any, scenes: Any) -> Any:
    return tiled(np.asarray(renderer(scenes).images))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/street_known"), help="folder of the fits")
    Path(__file__).with_name("frames.png").write_bytes(sheet(parser.parse_args().work))


if __name__ == "__main__":
    main()
