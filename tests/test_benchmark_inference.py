"""`benchmarks.inference`: the point of a fit at which it is near enough."""

from typing import Any

from benchmarks.inference import first, table, to_level


def cell(method: str, *trace: tuple[int, float, float | None], **changes: Any) -> dict[str, Any]:
    points = [{"renders": renders, "cpu_seconds": seconds, "median": median} for renders, seconds, median in trace]
    return {"world": "discs", "method": method, "photos": 200, "changes": [], "irrelevant": False, "renders": 900,
            "cpu_seconds": 90, "summary": {"median": 0.2}, "trace": points, **changes}


def test_cost_is_that_of_the_first_step_that_is_near_enough() -> None:
    fast = cell("npe", (100, 10, None), (200, 20, 0.2), (300, 30, 0.08))
    slow = cell("npe", (400, 40, 0.3), (600, 60, 0.25))
    assert first(fast["trace"], 0.25) == {"renders": 200, "cpu_seconds": 20, "median": 0.2}
    assert to_level([fast, slow], 0.25) == ("400", "40")
    assert to_level([fast, slow], 0.10) == ("300 (1 of 2 seeds)", "30 (1 of 2 seeds)")
    assert to_level([slow], 0.10) == ("not reached", "not reached")


def test_cells_without_a_trace_have_their_end_alone_and_other_cells_no_row() -> None:
    old = cell("abc")
    del old["trace"]
    others = [cell("prior"), cell("npe", photos=20), cell("npe", changes=["a=1"])]
    text = table([old, cell("npe", (200, 20, 0.2)), *others])
    assert "| discs | abc | 1 |  |  |  |  | 900 | 90 | 0.20 |" in text
    assert "| discs | npe | 1 | 200 | 20 | not reached | not reached | 900 | 90 | 0.20 |" in text
    assert len(text.splitlines()) == 4
