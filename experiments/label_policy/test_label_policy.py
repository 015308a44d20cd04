"""Labels of planted policies, and how draws are judged."""

import numpy as np

import scenefit as sf
from experiments.cells import read_cells
from experiments.label_policy.study import HERE, judged, policies, table
from experiments.label_policy.world import Objects, labels

OBJECTS = Objects(1, np.zeros(3, int), np.array(["cell", "cell", "dot"]), np.array([
    [10, 10, 30, 30], [0, 0, 20, 10], [50, 50, 56, 56]], float), np.array([
        [10, 10, 20, 30], [0, 0, 20, 10], [50, 50, 56, 56]], float), np.array([200, 190, 30]), np.array([0.45, 1, 1]),
    np.array([0, 0.5, 0]), np.array([0.3, 0.2, 0.05]))


def test_labels_follow_the_policy():
    assert labels(OBJECTS, sf.LabelPolicy()).box.tolist() == OBJECTS.visible.tolist()
    assert labels(OBJECTS, sf.LabelPolicy(box="amodal")).box.tolist() == OBJECTS.whole.tolist()
    assert len(labels(OBJECTS, sf.LabelPolicy(min_visibility=0.5))) == 2
    assert labels(OBJECTS, sf.LabelPolicy(max_truncation=0.1, min_side=8)).box.tolist() == [[10, 10, 20, 30]]
    assert len(labels(OBJECTS, sf.LabelPolicy(min_contrast=0.1))) == 2
    assert labels(OBJECTS, sf.LabelPolicy(by_class={"dot": {"margin": 0.5}})).box[2].tolist() == [47, 47, 59, 59]


def test_draws_are_judged_by_what_was_planted():
    wanted = sf.LabelPolicy(box="amodal", min_side=8, by_class={"cell": {"margin": 0.1}})
    right = {**sf.LabelPolicy(box="amodal", min_side=8, by_class={"cell": {"margin": 0.12}}).to_dict()}
    wrong = {**sf.LabelPolicy(min_visibility=0.5).to_dict()}
    assert judged([right, wrong], wanted, ("cell", "dot")) == {
        "draws": 2, "kind": 1, "mean": "0.030", "largest": "0.10", "within": "3 of 4", "conditions": "1", "changed": 1}


def test_the_committed_cells_hold_every_policy():
    cells = read_cells(HERE)
    assert cells and all(set(cell["results"]) == set(policies(cell["world"])) for cell in cells)
    assert table(cells).count("\n") >= len(policies("cells"))
