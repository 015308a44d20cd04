"""The lock of a folder: it touches nothing of the user's, and leaves nothing behind."""

import errno
import os
import re

import pytest

from scenefit.files.lock import NAME, check_file, check_folder, lock
from scenefit.files.plan import content


def test_what_the_user_has_stays_and_an_empty_folder_goes(tmp_path):
    (tmp_path / ".lock").write_bytes(b"poetry's own zq7")
    with lock(tmp_path):
        assert content(tmp_path) == [".lock"]
    assert (tmp_path / ".lock").read_bytes() == b"poetry's own zq7" and content(tmp_path) == [".lock"]
    with pytest.raises(ZeroDivisionError), lock(tmp_path / "new/deep"):
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()
    with lock(tmp_path / "new"):
        (tmp_path / "new/kept").touch()
    assert os.listdir(tmp_path / "new") == ["kept"]


def make_text(path):
    path.write_bytes(b"zq7, no process")


def make_link(path):
    path.with_name("target").write_bytes(b"")
    path.symlink_to("target")


@pytest.mark.parametrize("make", [make_text, make_link, os.mkdir])
def test_a_file_of_its_name_that_scenefit_did_not_make_is_left_alone(tmp_path, make):
    path = tmp_path / NAME
    make(path)
    before = path.lstat()
    with pytest.raises(FileExistsError, match=re.escape(f"{path} was not made by scenefit") + ".*; move it away"), \
            lock(tmp_path):
        pass
    after = path.lstat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_is_read_only_is_named(tmp_path, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=f"{tmp_path} cannot be written to .*; make it writable, or"), \
            lock(tmp_path):
        pass


def test_links_that_lead_nowhere_and_files_are_named(tmp_path):
    (tmp_path / "zq7").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    for held in (lock, content):
        for name, text in (("zq7", "zq7 is a link that leads nowhere, to gone; remove the link, or give another"),
                           ("zq7/deep", "zq7 is a link that leads nowhere"), ("loop", "leads nowhere, to loop"),
                           ("file", "file is a file; give the path of a folder"),
                           ("file/deep", "deep cannot be made, as .*file is a file")):
            with pytest.raises(OSError, match=text):
                held(tmp_path / name) if held is content else held(tmp_path / name).__enter__()
    check_folder(tmp_path / "new/deep")
    assert sorted(os.listdir(tmp_path)) == ["file", "loop", "zq7"]


def test_a_file_that_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    check_file(tmp_path / "new/zq7")
    with pytest.raises(IsADirectoryError, match=f"{tmp_path} is a folder; give the name of a file"):
        check_file(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file is a file; give the path of a folder"):
        check_file(tmp_path / "file/zq7")
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for a user who may not; tests may run as one who may
    with pytest.raises(PermissionError, match=rf"zq7 cannot be written, as the folder {tmp_path} cannot be written to"):
        check_file(tmp_path / "new/zq7")
