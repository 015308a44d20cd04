"""Files are whole or absent; hashes are of content."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenefit.files.atomic import (
    DiskFull,
    atomic_write,
    clear_leftovers,
    content_hash,
    write_bytes,
    write_json,
    write_text,
)
from scenefit.files.plan import content


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_bytes_text_and_json_are_written_with_their_folders(tmp_path):
    write_bytes(tmp_path / "a/b/data", b"\x00\xff")
    write_text(tmp_path / "text", "grün\r\n")
    write_json(tmp_path / "value.json", {"z": [1, 2.5], "a": None})
    assert (tmp_path / "a/b/data").read_bytes() == b"\x00\xff"
    assert (tmp_path / "text").read_bytes() == "grün\r\n".encode()
    assert (tmp_path / "value.json").read_text() == '{\n "z": [\n  1,\n  2.5\n ],\n "a": null\n}\n'
    assert names(tmp_path) == ["a", "text", "value.json"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_json_takes_no_nan_and_leaves_what_was_there(tmp_path, bad):
    path = tmp_path / "value.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match=r"value\.json cannot be written: JSON has no NaN and no infinity; use null"):
        write_json(path, {"loss": bad})
    assert path.read_text() == "1\n"


def test_json_of_a_numpy_value_says_how_to_turn_it(tmp_path):
    with pytest.raises(TypeError, match=r"v\.json cannot be written.*int64.*\.item\(\)"):
        write_json(tmp_path / "v.json", {"n": np.int64(3)})
    assert names(tmp_path) == []


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()])
def test_an_error_while_writing_leaves_what_was_there_and_nothing_else(tmp_path, error):
    path = tmp_path / "data"
    write_bytes(path, b"before")
    with pytest.raises(type(error)), atomic_write(path) as file:
        file.write(b"half")
        raise error
    assert path.read_bytes() == b"before" and names(tmp_path) == ["data"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_loses_nothing(tmp_path, monkeypatch, number):
    path = tmp_path / "data"
    write_bytes(path, b"before")

    def full(_):
        raise OSError(number, "no room")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"no space left to write .*data; nothing was lost: the previous file "
                                      r"is unchanged; make room on that disk and run the same command again") as caught:
        write_bytes(path, b"after")
    assert caught.value.errno == number
    with pytest.raises(DiskFull, match="new; nothing was lost: no part of the file was written"):
        write_bytes(tmp_path / "new", b"after")
    assert path.read_bytes() == b"before" and names(tmp_path) == ["data"]


def test_a_full_disk_inside_a_file_inside_a_file_is_named_once(tmp_path):
    with pytest.raises(DiskFull, match="inner") as caught, atomic_write(tmp_path / "outer"), \
            atomic_write(tmp_path / "inner"):
        raise OSError(errno.ENOSPC, "no room")
    assert "outer" not in str(caught.value) and names(tmp_path) == []


def test_other_errors_of_the_system_pass_unchanged(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "data"):
        (tmp_path / "missing").read_bytes()
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as found:
        write_bytes(tmp_path / "folder", b"")
    assert str(found.value).endswith(f": '{tmp_path / 'folder'}'"), "the file that was being written means nothing"
    assert names(tmp_path) == ["folder"]


def test_a_killed_writer_leaves_the_old_file_and_a_leftover_that_can_be_cleared(tmp_path):
    path = tmp_path / "inside/data"
    write_bytes(path, b"before")
    code = ("import sys, time\nfrom scenefit.files.atomic import atomic_write\n"
            "with atomic_write(sys.argv[1]) as file:\n    file.write(b'half'); file.flush(); time.sleep(60)")
    process = subprocess.Popen([sys.executable, "-c", code, str(path)])
    for _ in range(500):
        if len(names(path.parent)) == 2:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.read_bytes() == b"before" and len(names(path.parent)) == 2
    assert content(path.parent) == ["data"], "what a killed writer left is no content"
    write_bytes(path, b"after")
    assert path.read_bytes() == b"after" and names(path.parent) == ["data"], "the next writer takes it over"


def test_only_leftovers_are_cleared(tmp_path):
    mine = [".scenefit-notes.part", "holiday.part"]
    for name in (*mine, ".scenefit-123-ab12.part", ".scenefit-0123456789ab.part"):
        (tmp_path / name).write_bytes(b"half")
    assert content(tmp_path) == mine
    clear_leftovers(tmp_path)
    assert names(tmp_path) == mine


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    path = tmp_path / "data"
    with atomic_write(path) as first:
        first.write(b"first")
        with pytest.raises(ZeroDivisionError), atomic_write(path) as second:
            second.write(b"second")
            raise ZeroDivisionError
        write_bytes(path, b"third")
        assert path.read_bytes() == b"third"
    assert path.read_bytes() == b"first" and names(tmp_path) == ["data"]


def test_who_reads_the_old_file_goes_on_reading_it(tmp_path):
    write_bytes(tmp_path / "data", b"before")
    with open(tmp_path / "data", "rb") as old:
        write_bytes(tmp_path / "data", b"after!")
        assert old.read() == b"before"


def test_files_have_the_rights_that_any_new_file_has(tmp_path):
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@given(st.binary())
def test_hash_of_bytes_is_blake2b(data):
    assert content_hash(data) == hashlib.blake2b(data, digest_size=16).hexdigest() == content_hash(bytearray(data))


def test_hash_of_an_array_is_of_type_shape_and_values_not_of_layout():
    array = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert content_hash(array) == content_hash(array.copy(order="F"))
    assert content_hash(array[:, ::2]) == content_hash(array[:, ::2].copy())
    different = [array, array.reshape(4, 3), array.astype(np.uint32), array + 1, array.T, array[:0], array[:, :0]]
    assert len({content_hash(a) for a in different}) == len(different)
    assert content_hash(np.array(["a", "b"])) != content_hash(np.array(["a", "c"]))
    assert content_hash(array) == "ff1c4f8583fe4d240fccbe6c2685a382"  # in every process, and in the caches of old runs


def test_hash_refuses_objects_whose_bytes_are_addresses():
    with pytest.raises(TypeError, match="bytes or an array of numbers or text"):
        content_hash(np.array([object()]))
