"""The comparison of `benchmarks.golden`: that it sees what differs, and what does not."""

import numpy as np
import pytest

from benchmarks.golden.__main__ import Unusable, main, refit, report
from benchmarks.golden.compare import Verdict, compare, difference


def arrays(**changed):
    """Two worlds of two arrays each, some of them changed."""
    made = {"a/0 weights": np.arange(6, dtype=np.float32).reshape(2, 3), "a/1 masks": np.array([1, 2]),
            "b/0 distance": np.array([0.5, np.nan]), "b/1 words": np.array(["few", "many"])}
    return {**made, **{f"{name[0]}/{name[1:].replace('_', ' ')}": values for name, values in changed.items()}}


def test_the_same_arrays_are_equal_whatever_they_are_called():
    renamed = {f"{name}, renamed": values.copy() for name, values in arrays().items()}
    assert compare(arrays(), renamed) == [Verdict("a", 2, 0, ""), Verdict("b", 2, 0, "")]


def test_the_last_bit_of_one_value_counts():
    changed = arrays()["a/0 weights"].copy()
    changed[1, 2] = np.nextafter(changed[1, 2], np.float32(9))
    first, second = compare(arrays(), arrays(a0_weights=changed))
    assert (first.differing, second.differing) == (1, 0)
    assert first.first == "0 weights: 1 of 6 values differ, at most 4.77e-07 apart"
    assert difference(np.array([0.0]), np.array([-0.0])) == "zeros of another sign"


def test_nan_is_nan_and_nothing_else():
    nan = np.array([np.nan, 1.0])
    assert difference(nan, -nan * [1, -1]) == ""
    assert difference(nan, np.array([0.0, 1.0])) == ("1 of 2 values differ, some are NaN or infinite on one side only")


@pytest.mark.parametrize("changed, said", [
    (np.zeros((3, 2), np.float32), "float32 [2, 3] here, float32 [3, 2] there"),
    (np.arange(6.0).reshape(2, 3), "float32 [2, 3] here, float64 [2, 3] there")], ids=["shape", "type"])
def test_another_shape_or_type(changed, said):
    assert compare(arrays(), arrays(a0_weights=changed))[0].first == f"0 weights: {said}"


def test_words():
    assert difference(np.array(["few", "many"]), np.array(["few", "none"])) == "1 of 2 values differ"


def test_an_array_or_a_world_that_one_side_lacks():
    more = {**arrays(), "b/2 boxes": np.zeros(0)}
    assert compare(arrays(), more)[1] == Verdict("b", 3, 1, "2 boxes: only the other checkout has it")
    assert compare(more, arrays())[1] == Verdict("b", 3, 1, "2 boxes: only this checkout has it")
    alone = {name: values for name, values in arrays().items() if name.startswith("a/")}
    assert compare(alone, arrays())[1] == Verdict("b", 2, 2, "0 distance: only the other checkout has it")


def test_the_report_has_a_row_for_each_world():
    assert report(compare(arrays(), arrays())).row_count == 2


def test_a_folder_that_is_no_checkout_is_a_wrong_argument(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path)])
    assert stopped.value.code == 2
    message = "is not a checkout of scenefit: it has no folder src/scenefit; give the root folder of one"
    assert message in capsys.readouterr().err


def test_worlds_that_fail_are_reported(tmp_path):
    (tmp_path / "worlds.py").write_text("raise ImportError('no such name')")
    with pytest.raises(Unusable, match=r"(?s)worlds.py failed with the package of .*no such name"):
        refit(tmp_path, tmp_path / "worlds.py")


def test_worlds_of_another_package_are_not_taken_for_this_one(tmp_path):
    (tmp_path / "worlds.py").write_text("print('/somewhere/else')")
    with pytest.raises(Unusable, match="were fitted by the package in /somewhere/else"):
        refit(tmp_path, tmp_path / "worlds.py")


def test_arrays_come_back_in_order(tmp_path):
    (tmp_path / "worlds.py").write_text(
        "import sys\nimport numpy as np\n"
        "np.savez(sys.argv[1], **{'b/0 x': np.ones(2), 'a/1 y': np.zeros(0)})\n"
        f"print({str(tmp_path / 'src' / 'scenefit')!r})")
    found, seconds = refit(tmp_path, tmp_path / "worlds.py")
    assert list(found) == ["b/0 x", "a/1 y"] and seconds >= 0
    assert found["b/0 x"].tolist() == [1, 1] and found["a/1 y"].shape == (0,)
