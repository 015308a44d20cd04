"""Photos of the target beside larger renders of the wide grammar and of the learned one, as frames.png:
python -m experiments.street_known.frames, which fits seed 0 first if that has not been done."""

import argparse
from pathlib import Path

from experiments.picture_rows import stacked, titled
from experiments.street_known import town, world
from experiments.street_known.arms import WIDE, sampled
from experiments.street_known.fits import LEARNED, Fit

SIZE, COLUMNS, SEED = (270, 360), 4, 0
ROWS = {WIDE: "Wide grammar: ranges from road standards, makers' tables and data sheets",
        LEARNED: "The same grammar, learned from 200 such photos without labels"}


def sheet(root: Path) -> bytes:
    """A PNG file: for each distribution a heading and its first images."""
    photos = world.renderer(town.TARGET, SIZE)(town.grammar().sample(SEED, COLUMNS))
    parts = titled("Photos: renders of a town by another grammar, with other models", photos.images, {})
    renderer = world.renderer(WIDE, SIZE)
    for arm, title in ROWS.items():
        scenes = sampled(Fit(root, arm, town.TARGET, SEED), SEED, COLUMNS)
        parts += titled(title, renderer(scenes).images, {})
    return stacked(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/street_known"), help="folder of the fits")
    Path(__file__).with_name("frames.png").write_bytes(sheet(parser.parse_args().work))


if __name__ == "__main__":
    main()
