"""The table of selections."""

from experiments.selection.study import table


def draw(folds: str, untuned: str, scores: tuple[float, float, float]) -> dict:
    return {"by folds": {"chosen": folds}, "untuned": {"chosen": untuned},
            "AP50": dict(zip(("learned", "half wide", "wide"), scores, strict=True))}


def test_regret_is_what_the_best_candidate_of_a_draw_has_more():
    cell = {"world": "worse", "labels": 25, "seed": 0,
            "AP50 before fine-tuning": {"learned": 0.5, "half wide": 0.7, "wide": 0.8},
            "draws": [draw("wide", "learned", (0.80, 0.84, 0.86)), draw("half wide", "wide", (0.80, 0.84, 0.86))]}
    row = table([cell]).splitlines()[2]
    assert row == ("| worse | 25 | 50.0 / 70.0 / 80.0 | 80.0 / 84.0 / 86.0 | 0 / 1 / 1 | 1.00 | 6.00 | "
                   "1 / 0 / 1 | 3.00 |")
    assert table([]) == "No cell is computed yet."
