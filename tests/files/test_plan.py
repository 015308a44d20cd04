"""The plan that a folder of results keeps."""

import json

import pytest

from scenefit.files.plan import holds_plan


def test_the_same_plan_goes_on_and_another_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    assert not holds_plan(path, {"n": 1}, tmp_path, "another data set")
    path.write_text(json.dumps({"n": 1, "range": [0, 1], "versions": "any"}))
    assert holds_plan(path, {"n": 1, "range": (0, 1)}, tmp_path, "another data set"), "as JSON, a tuple is a list"
    with pytest.raises(ValueError, match=r"holds another data set \(it differs in: n, seed\); give another folder, or "
                                         "remove this one"):
        holds_plan(path, {"n": 2, "range": (0, 1), "seed": 3}, tmp_path, "another data set")
