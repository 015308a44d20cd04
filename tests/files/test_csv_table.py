"""CSV tables that a spreadsheet opens without running a name as a formula."""

import csv
import os

import numpy as np
import pytest

import scenefit as sf
from scenefit.files.csv_table import csv_table


def cells(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_texts_are_no_formulas_and_numbers_are_numbers(tmp_path):
    given = ("=1+1", "+cmd", "-dark", "@SUM(A1)", "\t=1", "\r=1", "'", "a=b", "a\nb", "", "-5", "+1e-3", "-inf", -5,
             -0.25, None, os.fsdecode(b"caf\xe9"))
    with csv_table(tmp_path / "zq7.csv", ["a", "=b"]) as table:
        for value in given:
            table([value, 1])
    assert [row[0] for row in cells(tmp_path / "zq7.csv")] == [
        "a", "'=1+1", "'+cmd", "'-dark", "'@SUM(A1)", "'\t=1", r"\r=1", "'", "a=b", "a\nb", "", "-5", "+1e-3", "-inf",
        "-5", "-0.25", "", r"caf\xe9"]
    assert cells(tmp_path / "zq7.csv")[0] == ["a", "'=b"]
    with pytest.raises(RuntimeError), csv_table(tmp_path / "zq7.csv", ["never"]):
        raise RuntimeError
    assert cells(tmp_path / "zq7.csv")[0] == ["a", "'=b"]


@pytest.mark.parametrize("form", ["folder", "yolo", "voc", "kitti"])
def test_classes_that_begin_as_a_formula_are_no_formula_and_are_read_back(tmp_path, form):
    grammar = sf.Grammar("image", {"image": {}, "dot": {}}, [sf.Rule("image", [sf.repeat("dot", 1)])])

    def renderer(scenes):
        masks = np.zeros((len(scenes), 8, 8), int)
        masks[:, 2:6, 2:6] = 1
        return sf.make_frames(scenes, masks / 1.0, masks, label=["=A1"] * len(scenes),
                              classes={"dot": np.full(len(scenes.tables["dot"]), "=A1")})

    sf.generate(grammar, renderer, 4, tmp_path, form)
    found = sf.read_few(tmp_path, (8, 8))
    assert set((found.label if form == "folder" else found.boxes.name).tolist()) == {"=A1"}
    table = cells(tmp_path / ("labels.csv" if form == "folder" else "objects.csv"))
    assert {row[table[0].index("label" if form == "folder" else "name")] for row in table[1:]} == {"'=A1"}
