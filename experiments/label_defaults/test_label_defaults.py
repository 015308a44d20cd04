"""The table of boxes without labels."""

from experiments.label_defaults.study import CONVENTIONS, EDGES, table


def test_the_mean_is_over_worlds_conventions_and_seeds():
    cells = [{"world": world, "seed": seed, "scores": {"solid 0.5": {
        name: {"AP": 0.1 * number + 0.2 * (world == "soft") + 0.02 * seed, "AP50": 0.9}
        for number, name in enumerate(CONVENTIONS)}}} for world in EDGES for seed in (0, 1)]
    row = table(cells).splitlines()[2]
    assert row == "| solid 0.5 | 1.0 | 11.0 | 21.0 | 21.0 | 31.0 | 41.0 | 21.0 | 1.0 | 90.0 |"
    assert table([]) == "No cell is computed yet."
