"""The world `foreign`, and the table of recipes."""

import numpy as np

from experiments.recipes.study import CELLS, CLUTTER, RECIPES, WORLDS, table


def test_foreign_photos_hold_the_objects_of_discs_among_other_things():
    (photos, objects), (plain, same) = (WORLDS[name]().photos(3, 2) for name in ("foreign", "discs"))
    assert photos.shape == plain.shape and photos.dtype == np.uint8
    assert np.array_equal(objects.visible, same.visible) and np.array_equal(objects.name, same.name)
    assert np.array_equal(photos[:1], WORLDS["foreign"]().photos(3, 1)[0])
    assert np.abs(photos.astype(int) - plain).mean() > 10


def test_recipes_are_ranked_in_each_world():
    scores = {name: 0.5 + 0.01 * number for number, name in enumerate(RECIPES)}
    cells = [{"world": "cells", "seed": 0, "AP50": scores}, {"world": "discs", "seed": 0, "AP50": scores}]
    rows = table(cells).splitlines()
    assert rows[0].startswith("| recipe | cells, seed 0 | discs, seed 0 | mean | mean rank |")
    assert rows[2] == f"| {next(iter(RECIPES))} | 50.0 | 50.0 | 50.0 | {len(RECIPES):.1f} |"
    assert rows[-1].endswith("| 1.0 |")
    assert table([]) == "No cell is computed yet."


def test_two_cells_of_a_world_and_seed_are_one_column_once_both_are_there():
    first, again = ({"world": "cells", "seed": 0, "AP50": dict.fromkeys(CELLS[name][1], score)}
                    for name, score in (("cells", 0.5), ("cells-clutter", 0.6)))
    assert table([first]) == "No cell is computed yet."
    rows = {row.split(" | ")[0].strip("| "): row.split(" | ")[1] for row in table([first, again]).splitlines()[2:]}
    assert rows == {name: "60.0" if name in CLUTTER else "50.0" for name in RECIPES}
