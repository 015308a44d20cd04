"""Arrays that may be larger than memory."""

import numpy as np
import pytest

from scenefit.files import scratch


def resident():
    """MiB of this process that lie in memory, files included."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


@pytest.mark.parametrize("limit", [0, 2**28])
def test_a_scratch_array_is_an_array_of_zeros_that_keeps_its_values(limit, monkeypatch):
    monkeypatch.setattr(scratch, "IN_MEMORY", limit)
    array = scratch.scratch_array((5, 3000), np.float32)
    assert array.shape == (5, 3000) and array.dtype == np.float32 and not array.any()
    array[3] = 7
    scratch.release(array[2:4])
    assert array[3].sum() == 21000 and not array[4].any()
    rows = np.array([3, 0, 3])
    assert np.array_equal(scratch.take_rows(array, rows), array[rows])


def test_a_released_array_is_no_longer_in_memory(monkeypatch):
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    array = scratch.scratch_array((64, 2**20), np.uint8)
    before = resident()
    array[:] = 1
    assert resident() > before + 50
    scratch.release(array)
    assert resident() < before + 10
    assert array[:, ::4096].all()


def test_without_room_for_the_file_the_array_is_in_memory(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    monkeypatch.setattr(scratch.os, "posix_fallocate", full)
    assert scratch.scratch_array((2, 9), np.int64).sum() == 0
