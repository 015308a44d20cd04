"""The table of recipes."""

from experiments.recipes.study import RECIPES, table


def test_recipes_are_ranked_in_each_world():
    scores = {name: 0.5 + 0.01 * number for number, name in enumerate(RECIPES)}
    cells = [{"world": "cells", "seed": 0, "AP50": scores}, {"world": "discs", "seed": 0, "AP50": scores}]
    rows = table(cells).splitlines()
    assert rows[0].startswith("| recipe | cells, seed 0 | discs, seed 0 | mean | mean rank |")
    assert rows[2] == f"| {next(iter(RECIPES))} | 50.0 | 50.0 | 50.0 | {len(RECIPES):.1f} |"
    assert rows[-1].endswith("| 1.0 |")
    assert table([]) == "No cell is computed yet."
