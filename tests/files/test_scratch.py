"""Arrays that may be larger than memory."""

import mmap

import numpy as np
import pytest
from PIL import Image

from scenefit.data.photos import read_photos
from scenefit.files import atomic, scratch


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


def test_large_photos_are_the_same_in_a_file(monkeypatch, tmp_path):
    rng = np.random.default_rng(2)
    for name in ("a.png", "zq7.png", *(f"{number}.png" for number in range(20))):
        Image.fromarray(rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)).save(tmp_path / name)
    field = rng.normal(0, 0.1, (12, 16, 3)).astype(np.float32)
    found = []
    for limit in (2**28, 0):
        monkeypatch.setattr(scratch, "IN_MEMORY", limit)
        monkeypatch.setattr(atomic, "HASHED", max(limit, 100))
        monkeypatch.setattr(scratch, "BLOCK", max(limit, 1000))
        photos = read_photos(tmp_path, (12, 16))
        found.append((photos.hash, photos.take([3, 0]).hash, photos.correct_flat_field(field).hash))
        assert in_file(photos.images) == in_file(photos.take([3, 0]).images) == (limit == 0)
        photos.images[0] = 5  # users may change them
        assert photos.images[0].max() == 5
    assert found[0] == found[1]


def in_file(array):
    while array is not None and not isinstance(array, memoryview | mmap.mmap):
        array = getattr(array, "base", None)
    return array is not None


def test_without_room_for_the_file_the_array_is_in_memory(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    monkeypatch.setattr(scratch.os, "posix_fallocate", full)
    assert scratch.scratch_array((2, 9), np.int64).sum() == 0
