"""The tables of training length and self-training, and pseudo-labels that several detectors agree on."""

import numpy as np

from experiments.training_length.self_training import _agreed
from experiments.training_length.study import SIGNS, table


def test_each_part_has_a_table_with_a_column_for_each_cell():
    row = {"photos": 0.8, "photos, mean weights": 0.7, **dict.fromkeys(SIGNS, 0.6)}
    cells = [{"world": "discs", "seed": seed, "lengths": {"200 steps": row, "400 steps": row},
              "self-training": {"before": 0.5, "renders": 0.5 + seed / 10}, "fine-tuning": {"67": 0.9}}
             for seed in (0, 1)]
    parts = table(cells).split("\n\n")
    assert [part.split(" |")[0] for part in parts] == [
        "| training", "| 400 steps, then 268 on", "| steps of fine-tuning on 25 labelled photos"]
    assert all("discs, seed 0 | discs, seed 1 | mean |" in part for part in parts)
    assert "| 200 steps: photos | 80.0 | 80.0 | 80.0 |" in parts[0] and "| renders | 50.0 | 60.0 | 55.0 |" in parts[1]
    assert table([]) == "No cell is computed yet."


def test_a_pseudo_label_is_what_two_heads_find_with_confidence():
    """Two heads find one object, of which one is surer; a third, the first again, finds another one alone."""
    box = np.array([[0, 0, 10, 10], [0, 0, 10, 12], [30, 30, 40, 40], [50, 50, 60, 60], [50, 50, 60, 60]], float)
    voter, name = np.array([0, 1, 0, 0, 1]), np.array(["disc", "disc", "disc", "disc", "bead"])
    (found, kind), = _agreed(voter, box, name, np.array([0.9, 0.3, 0.99, 0.9, 0.9]))
    assert kind == "disc" and np.allclose(found, [0, 0, 10, 10.5])
    assert not list(_agreed(voter[:2], box[:2], name[:2], np.array([0.6, 0.35])))
