"""The table of experiments/task_reward/beside_selection.py."""

from experiments.task_reward.beside_selection import LEARNED, REWARDED, table


def test_rows_are_means_over_draws() -> None:
    def cell(seed: int, chosen: str, rewarded: float) -> dict[str, object]:
        scores = {LEARNED: 0.6, "half wide": 0.7, "wide": 0.8, REWARDED: rewarded}
        radius = {name: {"cell": 10.0 + seed, "dot": 4.0} for name in (LEARNED, REWARDED)}
        return {"world": "same", "labels": 10, "seed": seed, "chosen": chosen, "AP50 before fine-tuning": scores,
                "AP50": scores, "radius": radius, "of the reward": 100 + seed, "of the selection": 50}

    row = table([cell(0, "wide", 0.7), cell(1, LEARNED, 0.9)]).splitlines()[-1]
    assert row == ("| same | 10 | 2 | 60.0 | 80.0 | 70.0 | 60.0 | 80.0 | 70.0 | -10.0, +30.0 | 10.5, 4.0 | 10.5, 4.0 | "
                   "100 | 50 |")
