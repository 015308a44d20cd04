"""experiments/blood/counts.py without its data."""

from pathlib import Path

import numpy as np
import pytest

from experiments.blood import counts, world
from experiments.cells import put_between
from scenefit.data.boxes import Boxes


def boxes(red: list[int], side: float) -> Boxes:
    """So many red cells of a side in each image."""
    image = np.repeat(np.arange(len(red)), red)
    box = np.tile([0.0, 0.0, side, side], (len(image), 1))
    return Boxes(len(red), image, box, np.full(len(image), "RBC"), np.ones(len(image)))


def test_counts_spreads_and_sides_are_those_of_the_boxes() -> None:
    labels, found = boxes([10, 12, 14, 12], 30), boxes([12, 16, 20, 16], 33)
    red = counts.compared(labels, found)["RBC"]
    assert red["wasserstein"] == 4 and red["mean"] == 16 and red["relative sd"] == pytest.approx(2)
    assert red["side"] == 33 and red["relative side"] == pytest.approx(1.1)
    own = counts.of_labels(labels)["classes"]
    assert own["RBC"]["constant"] == 1 and own["RBC"]["floor"] == 2  # whichever the halves
    assert own["Platelets"]["constant"] == own["Platelets"]["floor"] == 0 and own["WBC"]["constant"] == 1


def test_table_has_floor_constant_prior_and_each_seed(tmp_path: Path) -> None:
    labels = boxes([10, 12, 14, 12], 30)
    about = {"seed": 0, "changes": [], "cpu_seconds": 480, "renders": 7200, "peak_MiB": 900}
    one = {"source": "npe", **about, "classes": counts.compared(labels, boxes([12, 16], 33))}
    cells = [one, {**one, "seed": 1}, {**one, "source": "prior", "renders": 0},
             {"source": "labels", **about, **counts.of_labels(labels)}]
    page = tmp_path / "README.md"
    page.write_text(f"before\n{counts.START}\nold\n{counts.END}\nafter\n")
    put_between(page, counts.START, counts.END, counts.table(cells))
    rows = [row.split(" | ") for row in page.read_text().splitlines() if row.startswith("| ")]
    assert [row[0].strip("| ") for row in rows[2:]] == [
        "two halves of the labels", "a constant: 12 red cells, 1 white cell, no platelet",
        "former methods (as the task for this method gave them)", "the prior", "npe, seed 0", "npe, seed 1"]
    assert len({len(row) for row in rows}) == 1 and rows[-1][-3:] == ["480", "7,200", "900 |"]
    assert rows[-1][1:4] == ["2.00", "14.0", "141"] and rows[-1][-4] == "110"
    assert "old" not in page.read_text() and page.read_text().endswith("after\n")
    page.write_text("no marks")
    with pytest.raises(ValueError, match=r"README\.md has no line"):
        put_between(page, counts.START, counts.END, "")
    assert len(world.CLASSES) == len(counts.TYPICAL)
